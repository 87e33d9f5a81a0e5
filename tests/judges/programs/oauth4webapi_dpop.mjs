// oauth4webapi's DPoP: nonces, refreshes, a stolen token, and bound access tokens if the service binds them.
import assert from "node:assert/strict";
import * as oauth from "oauth4webapi";

const { ISSUER, AUDIENCE, INNER_URL, SERVICE, SERVICE_SECRET, BOUND_ACCESS_TOKENS } = process.env;
const issuer = new URL(ISSUER);
const server = await oauth
  .discoveryRequest(issuer, { algorithm: "oauth2" })
  .then((response) => oauth.processDiscoveryResponse(issuer, response));
const client = { client_id: "frontend" };
const isBound = BOUND_ACCESS_TOKENS === "true";

for (const algorithm of ["ES256", "Ed25519", "PS256", "RS256"]) {
  assert.ok(server.dpop_signing_alg_values_supported.includes(algorithm));
  const holder = async () => oauth.DPoP(client, await oauth.generateKeyPair(algorithm));
  const DPoP = await holder();
  const dpop_jkt = await DPoP.calculateThumbprint();
  const started = await fetch(`${INNER_URL}/sessions`, {
    method: "POST",
    headers: { Authorization: `Bearer ${SERVICE_SECRET}`, "Content-Type": "application/json" },
    body: JSON.stringify({ user_id: "ada", dpop_jkt }),
  });
  assert.equal(started.status, 201);
  let { refresh_token } = (await started.json()).data;

  const once = async (token, options) =>
    oauth.processRefreshTokenResponse(
      server,
      client,
      await oauth.refreshTokenGrantRequest(server, client, oauth.None(), token, options),
    );
  let retries = 0;
  async function refresh(token, options) {
    try {
      return await once(token, options);
    } catch (error) {
      if (!oauth.isDPoPNonceError(error)) throw error;
      retries += 1;
      return once(token, options);
    }
  }

  const stolen = refresh_token;
  let tokens;
  for (let turn = 0; turn < 2; turn += 1) {
    tokens = await refresh(refresh_token, { DPoP });
    assert.equal(tokens.token_type, isBound ? "dpop" : "bearer");
    assert.notEqual(tokens.refresh_token, refresh_token);
    refresh_token = tokens.refresh_token;
  }
  assert.equal(retries, 1, "the first request alone had no nonce");

  const refused = { name: "ResponseBodyError", error: "invalid_dpop_proof", status: 400 };
  for (const token of [stolen, refresh_token]) {
    await assert.rejects(refresh(token), refused);
    await assert.rejects(refresh(token, { DPoP: await holder() }), refused);
  }
  tokens = await refresh(refresh_token, { DPoP }); // the owner goes on

  const secret = oauth.ClientSecretBasic(SERVICE_SECRET);
  const service = { client_id: SERVICE };
  const asked = await oauth.introspectionRequest(server, service, secret, tokens.access_token);
  const told = await oauth.processIntrospectionResponse(server, service, asked);
  assert.deepEqual(told.cnf, isBound ? { jkt: dpop_jkt } : undefined);
  assert.equal(told.token_type, isBound ? "DPoP" : "Bearer");
  if (!isBound) continue;

  // The service itself as a resource server: it lists the user's sessions.
  const url = new URL(`${ISSUER}/sessions`);
  const list = (options) => oauth.protectedResourceRequest(tokens.access_token, "GET", url, undefined, undefined, options);
  assert.equal((await list({ DPoP })).status, 200);
  const challenged = (error) => error instanceof oauth.WWWAuthenticateChallengeError && error.status === 401;
  await assert.rejects(list(), challenged);
  await assert.rejects(async () => {
    const other = await holder();
    await list({ DPoP: other }).catch((error) => assert.ok(oauth.isDPoPNonceError(error)));
    return list({ DPoP: other });
  }, challenged);

  // Another resource server, which the library is.
  let shown;
  const capture = async (input, init) => {
    shown = new Request(input, init);
    return new Response("{}");
  };
  const api = new URL("https://api.example.org/reports");
  await oauth.protectedResourceRequest(tokens.access_token, "GET", api, undefined, undefined, {
    DPoP,
    [oauth.customFetch]: capture,
  });
  const claims = await oauth.validateJwtAccessToken(server, shown, AUDIENCE, { requireDPoP: true });
  assert.deepEqual(claims.cnf, { jkt: dpop_jkt });
  const bare = new Request(api, { headers: { Authorization: `DPoP ${tokens.access_token}` } });
  await assert.rejects(oauth.validateJwtAccessToken(server, bare, AUDIENCE));
}
console.log("done");
