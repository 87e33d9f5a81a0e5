/** A session that is bound to its device: the browser proves its key, and the client gives it the time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionEndedError } from "../../entrypoints/http/static/client.js";
import { World } from "./world.mjs";

const MINUTE = 60_000;
const unproven = (_, server) => server.error(401, "Key not proven.");
const refreshes = (world) => world.server.requests.filter(({ url }) => url.endsWith("/refresh_token"));

test("a key that is not proven yet is waited for, and nobody is told of an end", async () => {
  const world = new World();
  world.server.signIn();
  const { session, events } = world.tab();
  world.server.faults = [unproven, unproven];
  assert.match(await world.until(session.accessToken()), /^ey/);
  assert.deepEqual(events, ["refreshed: server"]);
  const [first, second, third] = refreshes(world).map(({ at }) => at);
  assert.ok(second - first >= 250 && third - second >= 500); // longer each time
});

test("a key that is never proven asks for a sign-in, after some tries and in this tab alone", async () => {
  const world = new World();
  const { session, events } = await world.signedIn();
  const other = world.tab();
  await world.advance(50);
  world.channels.messages.length = 0;
  await world.advance(15 * MINUTE);
  world.server.faults = Array(5).fill(unproven);
  const error = await world.until(session.refresh().catch((error) => error));
  assert.ok(error instanceof SessionEndedError);
  assert.equal(error.reason, "key_not_proven");
  assert.equal(error.status, 401);
  assert.equal(refreshes(world).length, 5);
  assert.deepEqual(events.at(-1), "ended: key_not_proven");
  assert.ok(!world.channels.messages.some(({ type }) => type === "ended"));
  assert.ok(!other.events.some((event) => event.startsWith("ended")));
  assert.ok(world.server.cookie); // the session is not over
});

test("no more is asked once the sign-in is asked for", async () => {
  const world = new World();
  world.server.signIn();
  const { session } = world.tab();
  world.server.faults = Array(5).fill(unproven);
  await world.until(session.refresh().catch(() => {}));
  await assert.rejects(world.until(session.accessToken()), SessionEndedError);
  assert.equal(refreshes(world).length, 5);
});

test("a tab without the key goes on with the token of one that has it", async () => {
  const world = new World();
  const { session, events } = await world.signedIn();
  const other = world.tab();
  await world.advance(15 * MINUTE);
  world.server.faults = Array(5).fill(unproven);
  await world.until(session.refresh().catch(() => {}));
  assert.deepEqual(events, ["ended: key_not_proven"]);
  await world.until(other.session.refresh());
  await world.advance(50);
  assert.deepEqual(events, ["ended: key_not_proven", "refreshed: tab"]);
  assert.equal(await world.until(session.accessToken()), await other.session.accessToken());
});

test("a new sign-in begins anew", async () => {
  const world = new World();
  world.server.signIn();
  const { session, events } = world.tab();
  world.server.faults = Array(5).fill(unproven);
  await world.until(session.refresh().catch(() => {}));
  session.start(world.server.signIn());
  assert.match(await world.until(session.accessToken()), /^ey/);
  assert.match(await world.until(session.refresh()), /^ey/);
  assert.deepEqual(events, ["ended: key_not_proven", "refreshed: server"]);
});

test("a browser that was out of signatures is a busy server: the session goes on", async () => {
  const world = new World();
  world.server.signIn();
  const { session, events } = world.tab();
  world.server.faults = [
    (_, server) => server.error(503, "Service temporarily unavailable.", { "retry-after": "1" }),
  ];
  assert.match(await world.until(session.accessToken()), /^ey/);
  assert.deepEqual(events, ["refreshed: server"]);
});
