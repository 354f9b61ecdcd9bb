// A certified OpenID provider (oidc-provider), started by a test.
//
// A line of JSON on stdin is its keys, a private JSON Web Key Set: {"keys":[…]}. The first starts it, each further one is
// a rotation. A line on stdout answers each: {"issuer":"http://127.0.0.1:…"}. Its clients get tokens by their
// credentials (RFC 6749, 4.4), as JWTs for the resource that they name (RFC 8707); their id says what group they are in.

import { createServer } from "node:http";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

for (const method of ["log", "info", "warn"]) console[method] = console.error; // stdout is for answers

const GROUPS = { umpire: ["umpires", "fans"], ann: ["players"], stranger: [] };
let serve;
let fetches = 0;

const server = createServer((request, response) => {
  if (request.url === "/fetches") return response.end(String(fetches));
  if (request.url === "/jwks") fetches += 1;
  return serve(request, response);
});

function provider(issuer, jwks) {
  const made = new Provider(issuer, {
    jwks,
    clients: Object.keys(GROUPS).map((client_id) => ({
      client_id,
      client_secret: "secret",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    })),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => ({
          scope: "score",
          audience: resource,
          accessTokenFormat: "jwt",
          accessTokenTTL: 600,
          jwt: { sign: { alg: resource.endsWith("/es") ? "ES256" : "RS256" } },
        }),
      },
    },
    extraTokenClaims: (_, token) => ({ "cognito:groups": GROUPS[token.clientId] }),
  });
  return made.callback();
}

server.listen(0, "127.0.0.1", async () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  for await (const line of createInterface({ input: process.stdin })) {
    serve = provider(issuer, JSON.parse(line));
    process.stdout.write(`${JSON.stringify({ issuer })}\n`);
  }
  process.exit();
});
