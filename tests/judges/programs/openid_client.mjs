// openid-client: the same, with its own idea of a configuration, and what it makes of trouble.
import assert from "node:assert/strict";
import * as client from "openid-client";

const { ISSUER, REFRESH_TOKEN, SERVICE, SERVICE_SECRET } = process.env;
const issuer = new URL(ISSUER);
const config = await client.discovery(issuer, "frontend", undefined, client.None(), { algorithm: "oauth2" });
const service = await client.discovery(issuer, SERVICE, SERVICE_SECRET, client.ClientSecretBasic(SERVICE_SECRET), {
  algorithm: "oauth2",
});
assert.equal(config.serverMetadata().issuer, ISSUER);

const first = await client.refreshTokenGrant(config, REFRESH_TOKEN);
assert.ok(first.access_token);
assert.equal(first.expiresIn() > 890, true);
assert.equal((await client.tokenIntrospection(service, first.access_token)).active, true);
assert.equal((await client.tokenIntrospection(service, "nonsense")).active, false);

const second = await client.refreshTokenGrant(config, first.refresh_token);
assert.notEqual(second.refresh_token, first.refresh_token);
await client.tokenRevocation(config, second.access_token, { token_type_hint: "access_token" });
assert.equal((await client.tokenIntrospection(service, second.refresh_token)).active, false);
await assert.rejects(client.refreshTokenGrant(config, second.refresh_token), {
  error: "invalid_grant",
  error_description: "Invalid refresh token.",
});
await assert.rejects(client.refreshTokenGrant(config, second.refresh_token, { scope: "everything" }), {
  error: "invalid_scope",
});
console.log("done");
