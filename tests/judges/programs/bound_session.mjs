// The how-to page's client and login service, as they stand there.
import assert from "node:assert/strict";
import { BoundSession, SessionEnded, newKey, thumbprintOf } from "./bound-session.js";
import { startBoundSession } from "./start-bound-session.js";

const { ISSUER } = process.env;
const key = await newKey();
assert.equal(key.privateKey.extractable, false);
const started = await startBoundSession("ada", await thumbprintOf(key));
const store = {
  token: started.refresh_token,
  get: async () => store.token,
  set: async (token) => (store.token = token),
};
let requests = 0;
const original = globalThis.fetch;
globalThis.fetch = (...rest) => ((requests += 1), original(...rest));

const session = new BoundSession(ISSUER, key, store);
for (const expected of [2, 3]) {
  const before = store.token;
  assert.match(await session.refresh(), /^[\w-]+\.[\w-]+\.[\w-]+$/);
  assert.notEqual(store.token, before);
  assert.equal(requests, expected, "only the first refresh asks for a nonce");
}

// A copy of the token, with a key of the thief's own.
const stolen = new BoundSession(ISSUER, await newKey(), { get: () => store.token, set: assert.fail });
await assert.rejects(stolen.refresh(), (error) => !(error instanceof SessionEnded) && error.message === "Key not proven.");
await session.refresh();

// A program that was started anew, with the same key.
await new BoundSession(ISSUER, key, store).refresh();

// Logged out elsewhere.
await original(`${ISSUER}/revoke_token`, { method: "POST", headers: { Authorization: `Bearer ${store.token}` } });
await assert.rejects(session.refresh(), SessionEnded);
await assert.rejects(startBoundSession("ada", "nonsense"), { message: "no session: 422" });
console.log("done");
