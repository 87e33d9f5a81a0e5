/** When a token is renewed: near its end, whatever the clocks say, and only for somebody who looks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionError } from "../../entrypoints/http/static/client.js";
import { World } from "./world.mjs";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test("a token near its end is handed out while the next is fetched behind it", async () => {
  const world = new World();
  const { session } = await world.signedIn();
  const first = await session.accessToken();
  await world.advance(14 * MINUTE); // 60 s left; jitter 0.5 of 30 to 60 s makes it 45 s
  assert.equal(await session.accessToken(), first);
  assert.equal(world.server.rotations, 0);
  await world.advance(20_000);
  assert.equal(await session.accessToken(), first);
  await world.advance(100);
  assert.notEqual(await session.accessToken(), first);
  assert.equal(world.server.rotations, 1);
});

test("a token that may expire on its way is not handed out", async () => {
  const world = new World();
  const { session } = await world.signedIn();
  const first = await session.accessToken();
  await world.advance(15 * MINUTE - 4_000);
  assert.notEqual(await world.until(session.accessToken()), first);
});

test("while a token is still good, a server that is away goes unnoticed", async () => {
  const world = new World();
  const { session, events } = await world.signedIn();
  const first = await session.accessToken();
  await world.advance(14 * MINUTE + 30_000);
  world.server.down = true;
  assert.equal(await session.accessToken(), first);
  await world.advance(20_000);
  assert.equal(await session.accessToken(), first);
  assert.deepEqual(events, []);
  await world.advance(10_000);
  await assert.rejects(world.until(session.accessToken()), SessionError);
  world.server.down = false;
  assert.notEqual(await world.until(session.accessToken()), first);
});

test("the early refresh is jittered", async () => {
  const moments = [];
  for (const random of [0, 0.5, 0.999]) {
    const world = new World();
    await world.signedIn({ keepFresh: true, environment: { random: () => random } });
    await world.advance(15 * MINUTE);
    moments.push(Math.round((15 * MINUTE - (world.server.requests[0].at - Date.parse("2030-01-01"))) / 1000));
  }
  assert.deepEqual(moments, [30, 45, 60]);
});

for (const [words, clockError] of [
  ["behind by 3 hours", -3 * HOUR],
  ["ahead by 3 hours", 3 * HOUR],
  ["right", 0],
]) {
  for (const exposesDate of [true, false]) {
    test(`the server's clock is ${words}, Date ${exposesDate ? "" : "not "}exposed: one refresh in 13 minutes`, async () => {
      const world = new World();
      Object.assign(world.server, { clockError, exposesDate });
      world.server.signIn();
      const { session } = world.tab();
      const first = await world.until(session.accessToken());
      for (let minute = 0; minute < 13; minute++) {
        await world.advance(MINUTE);
        assert.equal(await session.accessToken(), first);
      }
      assert.equal(world.server.count("/auth/refresh_token"), 1);
      await world.advance(2 * MINUTE);
      assert.notEqual(await world.until(session.accessToken()), first);
      assert.equal(world.server.count("/auth/refresh_token"), 2);
    });
  }
}

for (const wrong of [
  "Thu, 01 Jan 1970 00:00:00 GMT",
  "Tue, 01 Jan 2030 00:14:30 GMT",
  "Fri, 01 Jan 2100 00:00:00 GMT",
  "yesterday",
]) {
  test(`a Date of ${wrong} does not make a new token old, nor immortal`, async () => {
    const world = new World();
    world.server.signIn();
    world.server.faults = [
      (record, server) => {
        const answer = server.answer(record);
        answer.headers.set("date", wrong);
        return answer;
      },
    ];
    const { session } = world.tab();
    const first = await world.until(session.accessToken());
    await world.advance(10 * MINUTE);
    assert.equal(await session.accessToken(), first);
    assert.equal(world.server.count("/auth/refresh_token"), 1);
    await world.advance(5 * MINUTE);
    assert.notEqual(await world.until(session.accessToken()), first);
  });
}

test("the skew that a refresh taught counts for the token of the next sign-in", async () => {
  const world = new World();
  world.server.clockError = -HOUR;
  const { session } = await world.signedIn();
  await world.until(session.refresh());
  const old = world.server.mint("session-1", { iat: world.server.now - 600, exp: world.server.now + 300 });
  session.start(old);
  assert.equal(await session.accessToken(), old);
  await world.advance(5 * MINUTE);
  assert.notEqual(await world.until(session.accessToken()), old);
});

test("very short lives work", async () => {
  const world = new World();
  world.server.ttl = 2;
  const { session } = await world.signedIn();
  for (let i = 0; i < 10; i++) {
    const token = await world.until(session.accessToken());
    assert.ok(JSON.parse(Buffer.from(token.split(".")[1], "base64url")).exp * 1000 > world.clock.now);
    await world.advance(500);
  }
  assert.ok(world.server.rotations <= 4);
});

test("lazy by default: an unused tab sends nothing, however long it is open", async () => {
  const world = new World();
  await world.signedIn();
  await world.advance(24 * HOUR);
  assert.deepEqual(world.server.paths(), []);
  assert.equal(world.clock.pending, 0);
});

test("keepFresh renews unasked while visible, and stops in a hidden tab", async () => {
  const world = new World();
  const { session, show } = await world.signedIn({ keepFresh: true });
  await world.advance(HOUR);
  assert.equal(world.server.rotations, 4);
  show("hidden");
  await world.advance(24 * HOUR);
  assert.equal(world.server.rotations, 4);
  show("visible");
  await world.advance(100);
  assert.equal(world.server.rotations, 5);
  await world.advance(HOUR);
  assert.equal(world.server.rotations, 9);
  session.close();
});

test("keepFresh outlasts an outage", async () => {
  const world = new World();
  const { session } = await world.signedIn({ keepFresh: true });
  world.server.down = true;
  await world.advance(HOUR);
  assert.equal(world.server.rotations, 0);
  world.server.down = false;
  await world.advance(MINUTE);
  assert.equal(world.server.rotations, 1);
  session.close();
});

test("a life beyond what a timer can count is no reason to renew at once", async () => {
  const world = new World();
  const spans = [];
  world.server.ttl = 60 * 24 * 3600;
  const setTimeout = (callback, ms) => (spans.push(ms), world.clock.setTimeout(callback, ms));
  const { session } = await world.signedIn({ keepFresh: true, environment: { setTimeout } });
  await world.advance(59 * 24 * HOUR);
  assert.ok(Math.max(...spans) < 2 ** 31);
  assert.equal(world.server.rotations, 0);
  await world.advance(24 * HOUR);
  assert.equal(world.server.rotations, 1);
  session.close();
});

test("coming back to a tab that slept past its token's life renews it, fresh ones are left alone", async () => {
  const world = new World();
  const { show, events } = await world.signedIn();
  show("hidden");
  await world.advance(5 * MINUTE);
  show("visible");
  await world.advance(100);
  assert.deepEqual(events, []);
  show("hidden");
  world.clock.sleepThrough(8 * HOUR);
  show("visible");
  await world.advance(100);
  assert.deepEqual(events, ["refreshed: server"]);
});

test("out of the back/forward cache, the server is asked whether there is still a session", async () => {
  const world = new World();
  const a = await world.signedIn();
  const b = world.tab();
  await world.advance(10);
  assert.deepEqual(b.events, ["refreshed: tab"]);
  b.window.dispatchEvent(new Event("pagehide"));
  assert.equal(world.channels.count, 1);
  await world.until(a.session.logout());
  assert.deepEqual(b.events, ["refreshed: tab"]);
  b.window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  await world.advance(1_000);
  assert.deepEqual(b.events, ["refreshed: tab", "ended: missing"]);
  assert.equal(world.channels.count, 2);
});

test("close lets go of timers, listeners, the channel and the token, and refuses further work", async () => {
  const world = new World();
  const { session, events, show } = await world.signedIn({ keepFresh: true });
  await world.advance(15 * MINUTE);
  const waiting = session.refresh();
  await world.advance(5);
  session.close();
  await assert.rejects(world.until(waiting), { message: "The session object is closed." });
  await world.advance(100); // of the fake server's own
  assert.equal(world.clock.pending, 0);
  assert.equal(world.channels.count, 0);
  const sent = world.server.requests.length;
  show("visible");
  for (const call of ["accessToken", "refresh", "logout", "listSessions"])
    await assert.rejects(session[call](), SessionError);
  assert.throws(() => session.start(world.server.signIn()), SessionError);
  await world.advance(HOUR);
  assert.equal(world.server.requests.length, sent);
  assert.deepEqual(events, ["refreshed: server"]);
});
