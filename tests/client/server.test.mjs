/** What the server and the network answer to a refresh: what is repeated, what is not, what ends a session. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { test } from "node:test";
import { createSession, SessionEndedError, SessionError } from "../../entrypoints/http/static/client.js";
import { PAGE, settle, World } from "./world.mjs";

const REFRESH = "/auth/refresh_token";
const API = `${PAGE}/api/orders`;
const refusal = (status, message, headers) => (_, server) => server.error(status, message, headers);
const unreachable = () => {
  throw new TypeError("Failed to fetch");
};

async function refreshing(faults, options) {
  const world = new World();
  const tab = await world.signedIn(options);
  world.server.faults = faults;
  return { world, ...tab };
}
const gaps = (world) => world.server.requests.slice(1).map((r, i) => r.at - world.server.requests[i].at);

for (const fault of [
  unreachable,
  ...[408, 429, 500, 502, 503, 504].map((status) => refusal(status, "Busy.")),
]) {
  test(`tried again, at growing distances: ${fault === unreachable ? "network error" : fault(null, new World().server).status}`, async () => {
    const { world, session, events } = await refreshing([fault, fault, fault, fault]);
    assert.ok(await world.until(session.refresh()));
    assert.deepEqual(
      gaps(world).map((gap) => Math.floor(gap / 100)),
      [3, 7, 15, 30],
    ); // 0.75 of 500 ms doubled, and the answer
    assert.deepEqual(events, ["refreshed: server"]);
  });
}

test("trying again is bounded, and the session outlives it", async () => {
  const { world, session, events } = await refreshing([]);
  world.server.down = true;
  await assert.rejects(world.until(session.refresh()), { name: "SessionError", status: 0, retryable: true });
  assert.equal(world.server.count(REFRESH), 5);
  assert.deepEqual(events, []);
  world.server.down = false;
  assert.ok(await world.until(session.refresh()));
});

for (const [status, message] of [
  [400, "Ambiguous credentials."],
  [403, "Cross-site request refused."],
  [404, "Not found."],
  [405, "No."],
  [413, "No."],
  [422, "No."],
]) {
  test(`${status} ${message} is not tried again, and does not end the session`, async () => {
    const { world, session, events } = await refreshing([refusal(status, message)]);
    const error = await world.until(session.refresh().catch((e) => e));
    assert.ok(error instanceof SessionError && !(error instanceof SessionEndedError));
    assert.deepEqual([error.status, error.message, error.retryable], [status, message, false]);
    assert.equal(world.server.count(REFRESH), 1);
    assert.deepEqual(events, []);
    assert.ok(await world.until(session.refresh()));
  });
}

for (const [status, message, reason] of [
  [401, "Refresh token missing.", "missing"],
  [401, "Invalid refresh token.", "invalid"],
  [401, "Refresh token has expired.", "expired"],
  [404, "User not found.", "user_gone"],
]) {
  test(`${status} ${message} ends the session once, however many ask`, async () => {
    const { world, session, events } = await refreshing([refusal(status, message)]);
    let detail;
    session.addEventListener("ended", (event) => (detail = event.detail));
    await world.advance(15 * 60_000);
    const calls = () =>
      Promise.allSettled([
        ...Array.from({ length: 20 }, () => session.fetch(API)),
        session.refresh(),
        session.accessToken(),
        session.listSessions(),
      ]);
    for (const { reason: error } of [...(await world.until(calls())), ...(await world.until(calls()))]) {
      assert.ok(error instanceof SessionEndedError);
      assert.deepEqual([error.reason, error.status, error.message], [reason, status, message]);
    }
    assert.deepEqual(events, [`ended: ${reason}`]);
    assert.deepEqual(detail, { reason, message });
    assert.equal(world.server.requests.length, 1);
  });
}

test("a storm of 401 from the API while the session is over ends it once", async () => {
  const { world, session, events } = await refreshing([]);
  await world.advance(10_000);
  world.server.faults = [...Array(20).fill(refusal(401, "Revoked.")), refusal(401, "Invalid refresh token.")];
  const outcomes = await world.until(
    Promise.allSettled(Array.from({ length: 20 }, () => session.fetch(API))),
  );
  assert.ok(outcomes.every(({ reason }) => reason instanceof SessionEndedError));
  assert.deepEqual(events, ["ended: invalid"]);
  assert.equal(world.server.count(REFRESH), 1);
});

test("a session that ended begins anew with start, with or without a token", async () => {
  const { world, session, events } = await refreshing([refusal(401, "Invalid refresh token.")]);
  await assert.rejects(world.until(session.refresh()), SessionEndedError);
  session.start(world.server.signIn("bert"));
  assert.equal((await (await world.until(session.fetch(API))).json()).data.sub, "bert");
  await world.until(session.logout());
  world.server.signIn("carl");
  session.start();
  assert.equal((await (await world.until(session.fetch(API))).json()).data.sub, "carl");
  assert.deepEqual(events, ["ended: invalid", "ended: logout", "refreshed: server"]);
});

test("an answer that was lost after the rotation is fetched again", async () => {
  const lost = (record, server) => {
    server.answer(record);
    throw new TypeError("network error");
  };
  const { world, session, events } = await refreshing([lost, lost]);
  assert.ok(await world.until(session.refresh()));
  assert.deepEqual(events, ["refreshed: server"]);
});

test("a connection that hangs is given up and tried again, body included", async () => {
  const hangs = () => new Promise(() => {});
  const hangsInBody = () => new Response(new ReadableStream({}), { status: 200 });
  const { world, session } = await refreshing([hangs, hangsInBody]);
  assert.ok(await world.until(session.refresh()));
  assert.ok(gaps(world).every((gap) => gap > 15_000 && gap < 17_000));
});

test("what is no answer of Nuovo's is tried again, never believed", async () => {
  const portal = () => new Response("<h1>Welcome to our Wi-Fi</h1>", { status: 200 });
  const empty = (_, server) => server.success({});
  const { world, session, events } = await refreshing([portal, portal]);
  assert.ok(await world.until(session.refresh()));
  assert.equal(world.server.count(REFRESH), 3);
  world.server.faults = [empty];
  await assert.rejects(world.until(session.refresh()), { message: "That is not an access token of Nuovo." });
  assert.deepEqual(events, ["refreshed: server"]);
  assert.ok(await session.accessToken());
});

for (const [words, value, wait] of [
  ["seconds", () => "7", 7_000],
  ["a date", (world) => new Date(world.server.now * 1000 + 9_000).toUTCString(), 9_000],
  ["nonsense", () => "soon", 0],
]) {
  for (const clockError of [0, 7_200_000]) {
    test(`Retry-After as ${words} is waited for, clock ${clockError} ms off`, async () => {
      const { world, session } = await refreshing([
        (_, server) => server.error(429, "Slow down.", { "retry-after": value(world) }),
      ]);
      world.server.clockError = clockError;
      assert.ok(await world.until(session.refresh()));
      const [gap] = gaps(world);
      assert.ok(gap >= wait + 300 && gap < wait + 1_000, `waited ${gap} ms`);
    });
  }
}

test("a Retry-After too long to wait for is told to the caller, and kept to", async () => {
  const { world, session } = await refreshing([refusal(503, "Away.", { "retry-after": "120" })]);
  for (let i = 0; i < 3; i++) {
    await assert.rejects(world.until(session.refresh()), { status: 503, retryAfter: 120_000 });
    await world.advance(10_000);
  }
  assert.equal(world.server.count(REFRESH), 1);
  await world.advance(65_000); // less than LONGEST_PAUSE is left: waited for
  assert.ok(await world.until(session.refresh()));
  assert.ok(gaps(world)[0] >= 120_000);
});

test("offline it waits, without using up its tries, and goes on when online again", async () => {
  const { world, session, window, events } = await refreshing([]);
  world.server.down = true;
  world.online = false;
  const waiting = session.refresh();
  await world.advance(8 * 3_600_000);
  world.server.down = false;
  world.online = true;
  const before = world.clock.now;
  world.server.faults = Array(4).fill(refusal(503, "Waking up."));
  window.dispatchEvent(new Event("online"));
  assert.ok(await world.until(waiting));
  assert.ok(world.clock.now - before < 10_000);
  assert.deepEqual(events, ["refreshed: server"]);
});

test("a browser that wrongly thinks itself offline is not believed", async () => {
  const { world, session } = await refreshing([unreachable]);
  world.online = false;
  assert.ok(await world.until(session.refresh()));
  assert.ok(gaps(world)[0] < 31_000);
});

test("a caller's signal ends its wait while it is offline or pausing", async () => {
  for (const online of [true, false]) {
    const { world, session } = await refreshing([]);
    world.server.down = true;
    world.online = online;
    const abort = new AbortController();
    const waiting = session.refresh({ signal: abort.signal });
    await world.advance(200);
    abort.abort(new Error("enough"));
    await assert.rejects(waiting, { message: "enough" });
    session.close();
    await world.advance(60_000);
    assert.equal(world.clock.pending, 0);
  }
});

test("the lock is free while a tab pauses", async () => {
  const { world, session } = await refreshing([unreachable]);
  const waiting = session.refresh();
  await world.advance(100);
  const other = world.tab({ environment: { openChannel: undefined } });
  await world.until(other.session.accessToken());
  assert.equal(world.server.count(REFRESH), 2);
  await world.until(waiting);
});

test("a token that another tab brings during a pause is taken instead of trying again", async () => {
  const { world, session } = await refreshing(Array(5).fill(refusal(503, "Away.")));
  const waiting = session.refresh();
  await world.advance(100);
  world.server.faults = [];
  const other = world.tab();
  await world.advance(10);
  const token = await world.until(other.session.refresh());
  assert.equal(await world.until(waiting), token);
  assert.equal(world.server.rotations, 1);
});

test("logout is tried again, and says so when the server could not be told", async () => {
  const { world, session, events } = await refreshing([unreachable, refusal(503, "Away.")]);
  await world.until(session.logout());
  assert.equal(world.server.cookie, null);
  assert.equal(world.server.count("/auth/revoke_token"), 3);
  assert.deepEqual(events, ["ended: logout"]);

  const away = await refreshing([]);
  away.world.server.down = true;
  await assert.rejects(away.world.until(away.session.logout()), { name: "SessionError", retryable: true });
  assert.deepEqual(away.events, ["ended: logout"]);
  await assert.rejects(away.session.accessToken(), SessionEndedError);
});

test("logout of a session that is gone already is done; a refused one is not", async () => {
  const { world, session } = await refreshing([refusal(401, "Refresh token missing.")]);
  await world.until(session.logout());
  world.server.faults = [refusal(403, "Cross-site request refused.")];
  await assert.rejects(world.until(session.logout()), { status: 403 });
});

test("logout goes on when the page closes the session right after", async () => {
  const { world, session } = await refreshing([unreachable]);
  const done = session.logout();
  session.close();
  await world.until(done);
  assert.equal(world.server.cookie, null);
});

test("over real HTTP: refresh, request, redirect to another origin, logout", async (t) => {
  const { server: model } = new World();
  model.signIn();
  Object.defineProperty(model, "now", { get: () => Math.floor(Date.now() / 1000) });
  const seen = [];
  const servers = [0, 1].map(() =>
    createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      const { method, url, headers } = request;
      seen.push({ method, url, host: headers.host, authorization: headers.authorization, body });
      if (url === "/away")
        return response
          .writeHead(307, { location: `http://localhost:${servers[1].address().port}/api` })
          .end();
      const answer = await model.answer({
        method,
        url: `http://x${url}`,
        authorization: headers.authorization,
        cookie: model.cookie,
        credentials: "include",
        body,
      });
      response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
    }),
  );
  for (const server of servers) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
  }
  const origin = `http://127.0.0.1:${servers[0].address().port}`;
  const session = createSession({ baseUrl: `${origin}/auth`, environment: { openChannel: undefined } });
  const answer = await (await session.fetch(`${origin}/api`, { method: "POST", body: "milk" })).json();
  assert.equal(answer.data.body, "milk");
  assert.equal((await session.listSessions()).length, 1);
  await session.fetch(`${origin}/away`);
  await session.logout();
  session.close();
  await settle();
  assert.deepEqual(
    seen.map(({ method, url }) => `${method} ${url}`),
    [
      "POST /auth/refresh_token",
      "POST /api",
      "GET /auth/sessions",
      "GET /away",
      "GET /api",
      "POST /auth/revoke_token",
    ],
  );
  assert.deepEqual(
    seen.map(({ authorization }) => Boolean(authorization)),
    [false, true, true, true, false, false],
  );
});
