// dpop by panva: proofs for the service's own endpoint, with what fetch alone gives of the answers.
import assert from "node:assert/strict";
import * as DPoP from "dpop";

const { ISSUER, INNER_URL, SERVICE_SECRET } = process.env;
const url = `${ISSUER}/refresh_token`;

for (const algorithm of ["ES256", "Ed25519", "PS256", "RS256"]) {
  const keypair = await DPoP.generateKeyPair(algorithm, { extractable: false });
  const started = await fetch(`${INNER_URL}/sessions`, {
    method: "POST",
    headers: { Authorization: `Bearer ${SERVICE_SECRET}`, "Content-Type": "application/json" },
    body: JSON.stringify({ user_id: "ada", dpop_jkt: await DPoP.calculateThumbprint(keypair.publicKey) }),
  });
  let token = (await started.json()).data.refresh_token;
  let nonce;

  const request = async (keys, htu = url) => {
    const proof = keys && (await DPoP.generateProof(keys, htu, "POST", nonce));
    const headers = { Authorization: `Bearer ${token}`, ...(proof && { DPoP: proof }) };
    const response = await fetch(url, { method: "POST", headers });
    nonce = response.headers.get("DPoP-Nonce") ?? nonce;
    return [response, await response.json()];
  };

  let [response, body] = await request(keypair);
  assert.equal(response.status, 401);
  assert.match(response.headers.get("WWW-Authenticate"), /^DPoP error="use_dpop_nonce", .*algs="[^"]*ES256/);
  for (let turn = 0; turn < 2; turn += 1) {
    [response, body] = await request(keypair);
    assert.equal(response.status, 200);
    assert.notEqual(body.data.refresh_token, token);
    token = body.data.refresh_token;
  }
  for (const [thief, htu, message] of [
    [undefined, url, "Key not proven."],
    [await DPoP.generateKeyPair(algorithm), url, "Key not proven."],
    [keypair, `${ISSUER}/oauth/token`, "Invalid DPoP proof."],
  ]) {
    [response, body] = await request(thief, htu);
    assert.equal(response.status, 401);
    assert.equal(body.message, message);
    assert.match(response.headers.get("WWW-Authenticate"), /^DPoP error="invalid_dpop_proof", /);
  }
  [response] = await request(keypair);
  assert.equal(response.status, 200, "the owner goes on");
}
console.log("done");
