// oauth4webapi's own validation of a JWT access token (RFC 9068), after discovery by RFC 8414.
import { createServer } from "node:http";
import * as oauth from "oauth4webapi";

const { ISSUER, AUDIENCE, PORT } = process.env;
const issuer = new URL(ISSUER);
let server;

async function discovered() {
  const response = await oauth.discoveryRequest(issuer, { algorithm: "oauth2" });
  return (server ??= await oauth.processDiscoveryResponse(issuer, response));
}

async function answer(request) {
  try {
    const asked = new Request(new URL(request.url, "http://localhost"), { headers: request.headers });
    const claims = await oauth.validateJwtAccessToken(server ?? (await discovered()), asked, AUDIENCE, {
      signingAlgorithms: ["ES256"],
    });
    if (request.url === "/api/reports") return claims.role === "admin" ? [200, ["everything is well"]] : [403];
    return [200, { user: claims.sub, role: claims.role }];
  } catch (error) {
    if (error instanceof oauth.WWWAuthenticateChallengeError || error instanceof oauth.OperationProcessingError)
      return [401];
    if (error instanceof oauth.UnsupportedOperationError) return [401];
    console.error(error);
    return [503];
  }
}

createServer(async (request, response) => {
  const [status, body] = await answer(request);
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(body && JSON.stringify(body));
}).listen(Number(PORT), "127.0.0.1");
