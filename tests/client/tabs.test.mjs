/** Several tabs: one refresh for all of them, one end for all of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionEndedError } from "../../entrypoints/http/static/client.js";
import { NUOVO, PAGE, World } from "./world.mjs";

const MINUTE = 60_000;
const LOCK = `nuovo ${NUOVO}`;
const API = `${PAGE}/api/orders`;

async function threeTabs(options) {
  const world = new World();
  world.server.signIn();
  const tabs = [world.tab(options), world.tab(options), world.tab(options)];
  await world.until(tabs[0].session.accessToken());
  await world.advance(50);
  return { world, tabs };
}

test("calls in one tab share one refresh", async () => {
  const world = new World();
  world.server.signIn();
  const { session, events } = world.tab();
  const tokens = await world.until(
    Promise.all([session.accessToken(), session.refresh(), session.accessToken()]),
  );
  assert.equal(new Set(tokens).size, 1);
  assert.deepEqual(events, ["refreshed: server"]);
  assert.equal(world.server.count("/auth/refresh_token"), 1);
});

for (const latency of [0, 1, 30, 90]) {
  test(`three tabs at once, ten rounds, messages ${latency} ms late: one request and rotation a round`, async () => {
    const { world, tabs } = await threeTabs();
    world.channels.latency = latency; // the round trip stays within PEERS_ANSWER_WITHIN or the broadcast does
    for (let round = 2; round <= 11; round++) {
      await world.advance(15 * MINUTE);
      const answers = await world.until(Promise.all(tabs.map(({ session }) => session.fetch(API))));
      await world.advance(200);
      assert.ok(answers.every(({ status }) => status === 200));
      assert.equal(world.server.rotations, round);
      assert.equal(world.server.count("/auth/refresh_token"), round);
      assert.equal(new Set(await Promise.all(tabs.map(({ session }) => session.accessToken()))).size, 1);
    }
    assert.ok(tabs.every(({ events }) => events.length === 11 && !events.some((e) => e.startsWith("ended"))));
  });
}

test("forced refreshes in three tabs at once make one rotation", async () => {
  const { world, tabs } = await threeTabs();
  const tokens = await world.until(Promise.all(tabs.map(({ session }) => session.refresh())));
  assert.equal(new Set(tokens).size, 1);
  assert.equal(world.server.rotations, 2);
});

test("a new tab is given the token of the others", async () => {
  const { world, tabs } = await threeTabs();
  const late = world.tab();
  await world.advance(10);
  assert.equal(await late.session.accessToken(), await tabs[0].session.accessToken());
  assert.deepEqual(late.events, ["refreshed: tab"]);
  assert.equal(world.server.count("/auth/refresh_token"), 1);
});

test("a token that is stale is not passed on", async () => {
  const { world } = await threeTabs();
  await world.advance(15 * MINUTE);
  const late = world.tab();
  await world.advance(500);
  assert.deepEqual(late.events, []);
});

test("passed on with the clock skew that came with it", async () => {
  const world = new World();
  world.server.clockError = -3 * 60 * MINUTE;
  world.server.signIn();
  const tab = world.tab();
  const token = await world.until(tab.session.accessToken());
  await world.advance(10 * MINUTE);
  const late = world.tab();
  await world.advance(10);
  assert.equal(await late.session.accessToken(), token);
  await world.advance(5 * MINUTE);
  assert.notEqual(await world.until(late.session.accessToken()), token);
});

test("logout in one tab ends all, each once, before the server has answered", async () => {
  const { world, tabs } = await threeTabs();
  const done = tabs[1].session.logout();
  await world.advance(5);
  for (const { session, events } of tabs) {
    assert.deepEqual(events.slice(1), ["ended: logout"]);
    await assert.rejects(session.fetch(API), SessionEndedError);
  }
  await world.until(done);
  assert.equal(world.server.cookie, null);
  assert.equal(world.server.sessions.get("session-1").live, false);
  assert.deepEqual(world.server.paths().slice(1), ["POST /auth/revoke_token"]);
});

test("logout while another tab refreshes: nobody comes back to life", async () => {
  for (const delay of [0, 1, 5, 10, 15, 19, 20, 21, 25]) {
    for (const environment of [{}, { locks: undefined }]) {
      const { world, tabs } = await threeTabs({ environment });
      await world.advance(15 * MINUTE);
      const refreshing = Promise.allSettled([tabs[0].session.accessToken(), tabs[1].session.accessToken()]);
      await world.advance(delay);
      await world.until(tabs[2].session.logout());
      await world.until(refreshing);
      await world.advance(MINUTE);
      for (const { session, events } of tabs) {
        assert.deepEqual(
          events.filter((e) => e.startsWith("ended")),
          ["ended: logout"],
          `delay ${delay}`,
        );
        await assert.rejects(session.accessToken(), SessionEndedError);
      }
    }
  }
});

test("logout while a new tab fetches its first token ends that tab too", async () => {
  const { world, tabs } = await threeTabs();
  await world.advance(15 * MINUTE);
  const fresh = world.tab();
  const waiting = fresh.session.accessToken().catch((error) => error);
  await world.advance(5);
  await world.until(tabs[0].session.logout());
  assert.ok((await world.until(waiting)) instanceof SessionEndedError);
  assert.deepEqual(fresh.events, ["ended: logout"]);
});

test("the server's refusal in one tab ends the others without a request of theirs", async () => {
  const { world, tabs } = await threeTabs();
  world.server.sessions.get("session-1").live = false;
  await world.advance(15 * MINUTE);
  const outcomes = await world.until(Promise.allSettled(tabs.map(({ session }) => session.accessToken())));
  assert.ok(outcomes.every(({ reason }) => reason instanceof SessionEndedError));
  assert.equal(world.server.count("/auth/refresh_token"), 2);
  for (const { events } of tabs) assert.deepEqual(events.slice(1), ["ended: invalid"]);
});

test("a visitor's tab that is refused does not end a sign-in that happens meanwhile", async () => {
  const world = new World();
  const visitor = world.tab();
  const login = world.tab();
  const waiting = visitor.session.accessToken(); // goes out without a cookie, to be refused
  await world.advance(12);
  login.session.start(world.server.signIn());
  const token = await world.until(waiting);
  assert.equal(token, await login.session.accessToken());
  await world.advance(MINUTE);
  assert.deepEqual(login.events, []);
  assert.deepEqual(visitor.events, ["refreshed: tab"]);
});

test("a visitor's tab that is refused before it hears of the sign-in does not end it either", async () => {
  const world = new World();
  world.channels.latency = 50;
  const [visitor, login] = [world.tab(), world.tab()];
  const waiting = visitor.session.accessToken().catch((error) => error);
  await world.advance(12);
  login.session.start(world.server.signIn());
  assert.equal((await world.until(waiting)).reason, "missing");
  await world.advance(MINUTE);
  assert.deepEqual(login.events, []);
  assert.deepEqual(visitor.events, ["ended: missing", "refreshed: tab"]);
});

test("a sign-in revives the tabs in which nobody was signed in", async () => {
  const world = new World();
  const [visitor, login] = [world.tab(), world.tab()];
  await assert.rejects(world.until(visitor.session.accessToken()), { reason: "missing" });
  login.session.start(world.server.signIn());
  await world.advance(10);
  assert.deepEqual(visitor.events, ["ended: missing", "refreshed: tab"]);
  assert.equal((await world.until(visitor.session.fetch(API))).status, 200);
});

test("a tab never acts as a user other than the one it began with", async () => {
  const { world, tabs } = await threeTabs();
  const [a, b] = tabs;
  await world.until(a.session.logout());
  a.session.start(world.server.signIn("bert"));
  await world.advance(10);
  assert.deepEqual(b.events.slice(1), ["ended: logout"]);
  await assert.rejects(b.session.accessToken(), SessionEndedError);

  // The same without a logout: another page of the origin signs bert in, and says nothing.
  const alone = new World();
  const tab = await alone.signedIn({ environment: { openChannel: undefined } });
  alone.server.signIn("bert");
  await assert.rejects(alone.until(tab.session.refresh()), { reason: "user_changed" });
  assert.deepEqual(tab.events, ["ended: user_changed"]);

  // And with a channel that tells.
  const told = new World();
  const [anna, bert] = [await told.signedIn(), told.tab()];
  bert.session.start(told.server.signIn("bert"));
  await told.advance(500);
  assert.deepEqual(anna.events, ["ended: user_changed"]);
  assert.equal((await (await told.until(bert.session.fetch(API))).json()).data.sub, "bert");
  assert.ok(bert.events.every((e) => !e.startsWith("ended")));
});

test("a message that is late, malformed or of a session that is over is ignored", async () => {
  const { world, tabs } = await threeTabs();
  const rogue = world.channels.open(LOCK);
  const old = world.server.mint("session-1", { iat: world.server.now - 60 });
  for (const message of [
    { type: "token", raw: old, skew: 0 },
    { type: "token", raw: "nonsense", skew: 0 },
    { type: "token" },
    { type: "ended", sid: "session-9", reason: "logout" },
    { type: "else" },
  ]) {
    rogue.postMessage(message);
    await world.advance(10);
  }
  for (const { events } of tabs) assert.equal(events.length, 1);
  const late = await tabs[0].session.accessToken();
  await world.until(tabs[0].session.logout());
  rogue.postMessage({ type: "token", raw: late, skew: 0 });
  await world.advance(10);
  for (const { session } of tabs) await assert.rejects(session.accessToken(), SessionEndedError);
});

test("services at different addresses do not hear each other", async () => {
  const world = new World();
  const here = await world.signedIn();
  const there = world.tab({ baseUrl: "https://app.example/other" });
  await world.advance(10);
  await world.until(here.session.refresh());
  await world.advance(10);
  assert.deepEqual(there.events, []);
});

for (const [words, environment] of [
  ["Web Locks", { locks: undefined }],
  ["BroadcastChannel", { openChannel: undefined }],
  ["either", { locks: undefined, openChannel: undefined }],
  [
    "permission for either",
    {
      locks: { request: () => Promise.reject(new DOMException("denied", "SecurityError")) },
      openChannel: () => {
        throw new DOMException("denied", "SecurityError");
      },
    },
  ],
]) {
  test(`without ${words} every tab still gets its token, and nobody is logged out`, async () => {
    const { world, tabs } = await threeTabs({ environment });
    for (let round = 0; round < 3; round++) {
      await world.advance(15 * MINUTE);
      const answers = await world.until(Promise.all(tabs.map(({ session }) => session.fetch(API))));
      assert.ok(answers.every(({ status }) => status === 200));
    }
    assert.ok(tabs.every(({ events }) => !events.some((e) => e.startsWith("ended"))));
    await world.until(tabs[0].session.logout());
    assert.equal(world.server.cookie, null);
  });
}

test("a lock that is never given back delays a refresh, and no more", async () => {
  const world = new World();
  world.server.signIn();
  world.locks.orphan(LOCK);
  const { session } = world.tab();
  const before = world.clock.now;
  await world.until(session.accessToken());
  assert.ok(world.clock.now - before < 25_000);
  await world.until(session.logout());
  assert.equal(world.server.cookie, null);
});

test("a tab that is closed while it waits or refreshes leaves the lock to the others", async () => {
  const { world, tabs } = await threeTabs();
  await world.advance(15 * MINUTE);
  const outcomes = Promise.allSettled(tabs.map(({ session }) => session.accessToken()));
  await world.advance(5);
  tabs[0].session.close();
  tabs[1].session.close();
  const [a, b, c] = await world.until(outcomes);
  assert.deepEqual([a.status, b.status, c.status], ["rejected", "rejected", "fulfilled"]);
});

test("a sign-in during a refresh wins over its answer", async () => {
  const world = new World();
  const { session, events } = await world.signedIn();
  await world.advance(15 * MINUTE);
  const waiting = session.accessToken();
  await world.advance(15);
  const token = world.server.signIn("bert");
  session.start(token);
  assert.equal(await world.until(waiting), token);
  await world.advance(MINUTE);
  assert.equal(await session.accessToken(), token);
  assert.deepEqual(events, []);
});

test("a sign-in without a token does not take the answer that was meant for the user before", async () => {
  const world = new World();
  const { session } = await world.signedIn();
  await world.advance(15 * MINUTE);
  const waiting = session.accessToken();
  await world.advance(15);
  world.server.signIn("bert");
  session.start();
  await assert.rejects(world.until(waiting), { name: "AbortError" });
  assert.equal((await (await world.until(session.fetch(API))).json()).data.sub, "bert");
});

test("a sign-in in another tab wins over the answer to a refresh that began before", async () => {
  const { world, tabs } = await threeTabs({ environment: { locks: undefined } });
  const waiting = tabs[0].session.refresh();
  await world.advance(12);
  const token = world.server.signIn();
  tabs[1].session.start(token);
  assert.equal(await world.until(waiting), token);
  assert.equal(await tabs[0].session.accessToken(), token);
});

test("the token is never written to storage", async () => {
  const writes = [];
  const storage = new Proxy(
    {},
    {
      get:
        (_, name) =>
        (...args) =>
          writes.push([name, args]),
      set: (_, name) => writes.push(name),
    },
  );
  Object.assign(globalThis, { localStorage: storage, sessionStorage: storage, indexedDB: storage });
  try {
    const { world, tabs } = await threeTabs();
    await world.until(tabs[0].session.refresh());
    await world.until(tabs[0].session.logout());
    assert.deepEqual(writes, []);
    assert.ok(!JSON.stringify(tabs).includes("eyJ"));
  } finally {
    for (const name of ["localStorage", "sessionStorage", "indexedDB"]) delete globalThis[name];
  }
});
