/** session.fetch: which requests get the token, and what a 401 does. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createSession, SessionEndedError, SessionError } from "../../entrypoints/http/static/client.js";
import { PAGE, World } from "./world.mjs";

const API = `${PAGE}/api/orders`;
const authorized = (world) =>
  world.server.requests.filter(({ url }) => url === API).map((r) => r.authorization);

test("the token of sign-in is used without a refresh", async () => {
  const world = new World();
  const { session } = await world.signedIn();
  const response = await world.until(session.fetch(API));
  assert.equal((await response.json()).data.sub, "anna-ä");
  assert.deepEqual(world.server.paths(), ["GET /api/orders"]);
});

test("after a reload the first request gets its token from the cookie", async () => {
  const world = new World();
  world.server.signIn();
  const { session, events } = world.tab();
  assert.equal((await world.until(session.fetch(API))).status, 200);
  assert.deepEqual(world.server.paths(), ["POST /auth/refresh_token", "GET /api/orders"]);
  const [refresh] = world.server.requests;
  assert.equal(refresh.credentials, "include");
  assert.equal(refresh.authorization, null);
  assert.equal(refresh.body, "");
  assert.equal(refresh.keepalive, true);
  assert.deepEqual(events, ["refreshed: server"]);
});

test("nothing is sent before a token is needed", async () => {
  const world = new World();
  world.server.signIn();
  world.tab();
  await world.advance(3_600_000);
  assert.deepEqual(world.server.paths(), []);
});

test("headers, method and body of the caller arrive", async () => {
  const world = new World();
  const { session } = await world.signedIn();
  const init = { method: "PUT", body: "milk", headers: { "x-trace": "1" } };
  const response = await world.until(session.fetch(new Request(API, init)));
  assert.equal((await response.json()).data.body, "milk");
  assert.equal(world.server.requests[0].method, "PUT");
});

test("another origin is never sent the token, nor is a request with a credential of its own", async () => {
  const world = new World();
  const { session } = await world.signedIn();
  for (const url of [
    "https://evil.example/api",
    "http://app.example/api",
    "https://app.example:8443/api",
    "https://app.example.evil.example/",
  ]) {
    await world.until(session.fetch(url));
  }
  await world.until(session.fetch(API, { headers: { Authorization: "Basic x" } }));
  await world.until(session.fetch("data:text/plain,hi"));
  assert.deepEqual(new Set(world.server.requests.map((r) => r.authorization)), new Set([null, "Basic x"]));
  assert.equal(world.server.count("/auth/refresh_token"), 0);
});

test("by default the API's origins are the page's and Nuovo's", async () => {
  const world = new World();
  globalThis.location = { href: "https://page.example/orders?page=2" };
  try {
    const { session } = await world.signedIn({ baseUrl: "https://nuovo.example/", apiOrigins: undefined });
    for (const url of [
      "https://page.example/api",
      "https://nuovo.example/api",
      "https://other.example/api",
    ]) {
      await world.until(session.fetch(url));
    }
    assert.deepEqual(
      world.server.requests.map((r) => Boolean(r.authorization)),
      [true, true, false],
    );
    for (const [baseUrl, url] of [
      [undefined, "https://page.example/refresh_token"],
      ["/auth", "https://page.example/auth/refresh_token"],
      ["/auth/", "https://page.example/auth/refresh_token"],
    ]) {
      const there = world.tab({ baseUrl, apiOrigins: undefined });
      await world.until(there.session.refresh().catch(() => {}));
      assert.equal(world.server.requests.at(-1).url, url);
    }
  } finally {
    delete globalThis.location;
  }
});

test("an opaque origin is nobody's origin", async () => {
  const world = new World();
  globalThis.location = { href: "data:text/html,page" };
  try {
    const { session } = await world.signedIn({ apiOrigins: undefined });
    await world.until(session.fetch("data:text/plain,hi"));
    assert.equal(world.server.requests[0].authorization, null);
  } finally {
    delete globalThis.location;
  }
});

test("a 401 renews the token and repeats the request once, body included", async () => {
  const world = new World();
  const { session, events } = await world.signedIn();
  await world.advance(10_000);
  for (const input of [
    [API, { method: "POST", body: "milk" }],
    [new Request(API, { method: "POST", body: "milk" })],
  ]) {
    world.server.requests.length = 0;
    world.server.faults = [(_, server) => server.error(401, "Unknown key.")];
    const response = await world.until(session.fetch(...input));
    assert.equal(response.status, 200);
    assert.deepEqual(world.server.paths(), [
      "POST /api/orders",
      "POST /auth/refresh_token",
      "POST /api/orders",
    ]);
    assert.deepEqual(
      world.server.requests.map((r) => r.body),
      ["milk", "", "milk"],
    );
    assert.notEqual(...authorized(world));
    await world.advance(10_000);
  }
  assert.deepEqual(events, ["refreshed: server", "refreshed: server"]);
});

test("an API that refuses the new token too is believed, and cannot cause a storm", async () => {
  const world = new World();
  const { session, events } = await world.signedIn();
  world.server.answer = (record) =>
    record.url === API
      ? world.server.error(401, "Wrong audience.")
      : Object.getPrototypeOf(world.server).answer.call(world.server, record);
  for (let i = 0; i < 5; i++) assert.equal((await world.until(session.fetch(API))).status, 401);
  assert.equal(world.server.count("/auth/refresh_token"), 1);
  assert.deepEqual(events, ["refreshed: server"]);
});

test("a body that can be read only once is not repeated, but the next request has a new token", async () => {
  const world = new World();
  const { session } = await world.signedIn();
  await world.advance(10_000);
  world.server.faults = [(_, server) => server.error(401, "Unknown key.")];
  const body = new Blob(["milk"]).stream();
  const response = await world.until(session.fetch(API, { method: "POST", body, duplex: "half" }));
  assert.equal(response.status, 401);
  await world.advance(1_000);
  assert.deepEqual(world.server.paths(), ["POST /api/orders", "POST /auth/refresh_token"]);
  await world.until(session.fetch(API));
  assert.notEqual(...authorized(world));
});

test("many requests refused at once share one refresh, and all are repeated", async () => {
  const world = new World();
  const { session } = await world.signedIn();
  await world.advance(10_000);
  world.server.faults = Array(8).fill((_, server) => server.error(401, "Unknown key."));
  const responses = await world.until(Promise.all(Array.from({ length: 8 }, () => session.fetch(API))));
  assert.deepEqual(new Set(responses.map((r) => r.status)), new Set([200]));
  assert.equal(world.server.rotations, 1);
});

test("a 401 that comes after the token was replaced repeats with the new one, without a refresh", async () => {
  const world = new World();
  const { session } = await world.signedIn();
  await world.advance(10_000);
  world.server.faults = [
    async (_, server) => (await world.clock.sleep(5_000), server.error(401, "Unknown key.")),
  ];
  const slow = session.fetch(API);
  await world.advance(100);
  await world.until(session.refresh());
  assert.equal((await world.until(slow)).status, 200);
  assert.equal(world.server.rotations, 1);
});

test("other statuses are the application's own", async () => {
  const world = new World();
  const { session, events } = await world.signedIn();
  for (const status of [400, 403, 404, 429, 500, 503]) {
    world.server.faults = [(_, server) => server.error(status, "No.")];
    assert.equal((await world.until(session.fetch(API))).status, status);
  }
  assert.equal(world.server.requests.length, 6);
  assert.deepEqual(events, []);
});

test("an aborted request stops at once, and the refresh goes on for the others", async () => {
  const world = new World();
  world.server.signIn();
  const { session } = world.tab();
  const abort = new AbortController();
  const aborted = session.fetch(API, { signal: abort.signal });
  const kept = session.fetch(API);
  await world.advance(5);
  abort.abort();
  await assert.rejects(world.until(aborted), { name: "AbortError" });
  assert.equal((await world.until(kept)).status, 200);
  assert.deepEqual(world.server.paths(), ["POST /auth/refresh_token", "GET /api/orders"]);
  await assert.rejects(session.accessToken({ signal: AbortSignal.abort() }), { name: "AbortError" });
});

test("the sessions are listed and ended with the access token", async () => {
  const world = new World();
  world.server.signIn();
  const { session, events } = await world.signedIn();
  const list = await world.until(session.listSessions());
  assert.deepEqual(list, [
    { id: "session-1", current: false },
    { id: "session-2", current: true },
  ]);
  await world.until(session.endSession("session-1"));
  assert.deepEqual(
    (await world.until(session.listSessions())).map(({ id }) => id),
    ["session-2"],
  );
  assert.deepEqual(events, []);
  await world.until(session.endSession("a/../b"));
  assert.equal(world.server.paths().at(-1), "DELETE /auth/sessions/a%2F..%2Fb");
  assert.ok(world.server.requests.every((r) => r.authorization && r.credentials === "include"));
});

test("ending the present session, or all, ends it here as well", async () => {
  for (const end of ["endSession", "endAllSessions"]) {
    const world = new World();
    const { session, events } = await world.signedIn();
    await world.until(session[end]("session-1"));
    assert.deepEqual(events, ["ended: logout"]);
    await assert.rejects(session.accessToken(), SessionEndedError);
  }
});

test("ending the others leaves this one as it is", async () => {
  const world = new World();
  const { session, events } = await world.signedIn();
  await world.until(session.endOtherSessions());
  assert.equal(world.server.paths().at(-1), "DELETE /auth/sessions");
  assert.ok(await world.until(session.refresh()));
  assert.ok(!events.some((event) => event.startsWith("ended")));
});

test("a refused listing is a typed error", async () => {
  const world = new World();
  const { session } = await world.signedIn();
  world.server.faults = [(_, server) => server.error(503, "Away.", { "retry-after": "7" })];
  const error = await world.until(session.listSessions().catch((e) => e));
  assert.ok(error instanceof SessionError);
  assert.deepEqual(
    [error.status, error.message, error.retryable, error.retryAfter],
    [503, "Away.", true, 7000],
  );
});

test("what is no access token is refused at start, and not quoted", () => {
  const session = createSession({ baseUrl: "https://app.example", environment: { openChannel: undefined } });
  for (const wrong of ["", "secret", "a.b.c", `a.${btoa("{}")}.c`, null]) {
    assert.throws(() => session.start(wrong), {
      name: "SessionError",
      message: "That is not an access token of Nuovo.",
    });
  }
});
