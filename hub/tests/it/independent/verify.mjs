// Verifies access tokens by npm's jose and the hub's JWKS alone: prints which were accepted.
// Usage: node verify.mjs FILE, which holds {issuer, tokens}.
import { readFileSync } from "node:fs";
import { createRemoteJWKSet, jwtVerify } from "jose";

const { issuer, tokens } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`), { cooldownDuration: 0 });
const accepted = [];
for (const [n, token] of tokens.entries()) {
  try {
    await jwtVerify(token, keys, { issuer, audience: issuer, typ: "at+jwt", algorithms: ["EdDSA"] });
    accepted.push(n);
  } catch {
    // Refused, as it should be for all but the first.
  }
}
console.log(JSON.stringify(accepted));
