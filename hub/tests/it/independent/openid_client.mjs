// Completes code with PKCE against a hub by npm's openid-client; the pages are filled in by hand.
// Usage: node openid_client.mjs ISSUER REDIRECT_URI SECRET, with KIRANA_PASSWORD of asha.
import * as oidc from "openid-client";

const [issuer, redirectUri, secret] = process.argv.slice(2);
const password = process.env.KIRANA_PASSWORD;

// The very first request learns everything else, issuer and endpoints included.
const insecure = { execute: [oidc.allowInsecureRequests] };
const app = await oidc.discovery(new URL(issuer), "app", undefined, oidc.None(), insecure);
oidc.enableNonRepudiationChecks(app);

const verifier = oidc.randomPKCECodeVerifier();
const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
const start = oidc.buildAuthorizationUrl(app, {
  redirect_uri: redirectUri,
  scope: "openid profile email account",
  code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  state,
  nonce,
});

const cookies = new Map();
async function page(url, init = {}) {
  const headers = { ...init.headers, cookie: [...cookies.values()].join("; ") };
  const answer = await fetch(url, { redirect: "manual", ...init, headers });
  for (const set of answer.headers.getSetCookie()) cookies.set(set.split("=")[0], set.split(";")[0]);
  return { location: answer.headers.get("location"), html: await answer.text() };
}
// Fills the first form of a page and sends it where the form says.
function send({ html }, typed = {}) {
  const form = html.match(/<form[^>]*action="([^"]*)"[^>]*>([^]*?)<\/form>/);
  const fields = new URLSearchParams();
  for (const [input] of form[2].matchAll(/<input[^>]*>/g)) {
    const of = (name) => input.match(new RegExp(` ${name}="([^"]*)"`))?.[1];
    fields.set(of("name"), typed[of("name")] ?? (of("value") ?? "").replaceAll("&#38;", "&"));
  }
  return page(new URL(form[1], issuer), { method: "POST", body: fields });
}

const asked = await send(await page(start), { login: "asha", password });
const { location } = await send(asked);
const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce };
const tokens = await oidc.authorizationCodeGrant(app, new URL(location), {
  ...checks,
  idTokenExpected: true,
});
const { sub } = tokens.claims();
const who = await oidc.fetchUserInfo(app, tokens.access_token, sub);
const next = await oidc.refreshTokenGrant(app, tokens.refresh_token);
const service = await oidc.discovery(
  new URL(issuer),
  "service",
  undefined,
  oidc.ClientSecretBasic(secret),
  insecure,
);
const own = await oidc.clientCredentialsGrant(service);
const before = await oidc.tokenIntrospection(service, next.access_token);
await oidc.tokenRevocation(app, next.refresh_token);
const after = await oidc.tokenIntrospection(service, next.access_token);
console.log(
  JSON.stringify({ sub, who, service: own.token_type, active: [before.active, after.active] }),
);
