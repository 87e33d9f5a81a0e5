// oauth4webapi: discovery by RFC 8414, refresh, introspection, revocation, each answer processed by the library.
import assert from "node:assert/strict";
import * as oauth from "oauth4webapi";

const { ISSUER, AUDIENCE, REFRESH_TOKEN, SERVICE, SERVICE_SECRET } = process.env;
const issuer = new URL(ISSUER);
const server = await oauth
  .discoveryRequest(issuer, { algorithm: "oauth2" })
  .then((response) => oauth.processDiscoveryResponse(issuer, response));

const client = { client_id: "frontend" };
const service = { client_id: SERVICE };

async function refresh(token) {
  const response = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), token);
  return oauth.processRefreshTokenResponse(server, client, response);
}

async function introspect(token) {
  const secret = oauth.ClientSecretBasic(SERVICE_SECRET);
  const response = await oauth.introspectionRequest(server, service, secret, token);
  return oauth.processIntrospectionResponse(server, service, response);
}

const first = await refresh(REFRESH_TOKEN);
assert.equal(first.token_type, "bearer");
assert.equal(first.expires_in, 900);
assert.notEqual(first.refresh_token, REFRESH_TOKEN);

const request = new Request("https://api.example.org/", { headers: { Authorization: `Bearer ${first.access_token}` } });
const claims = await oauth.validateJwtAccessToken(server, request, AUDIENCE);
assert.equal(claims.sub, "ada");
assert.equal(claims.client_id, "frontend");

for (const token of [first.access_token, first.refresh_token]) {
  const told = await introspect(token);
  assert.equal(told.active, true);
  assert.equal(told.sub, "ada");
}

const second = await refresh(first.refresh_token);
const response = await oauth.revocationRequest(server, client, oauth.None(), second.refresh_token);
await oauth.processRevocationResponse(response);
assert.equal((await introspect(second.access_token)).active, false);
await assert.rejects(refresh(second.refresh_token), { name: "ResponseBodyError", error: "invalid_grant", status: 400 });
console.log("done");
