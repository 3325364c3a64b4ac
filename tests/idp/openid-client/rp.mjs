// An application that people log in to, with npm's openid-client: code flow with PKCE, state and nonce, an ID token that has to be
// there and to be right.
//
// `node rp.mjs FOLDER PORT MODULES`. FOLDER holds `rp.json`: `issuer`, `client_id`, `client_secret`, `scope`. MODULES is where its
// packages are. `/login?…` begins, with whatever else the provider is to be asked; `/me` tells as JSON what came of it; `/refresh`,
// `/revoke`, `/introspect` do that and tell what was answered; `/logout` signs out there. tests/suite/support/openid_client.rs writes it.
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [, , folder, port, modules] = process.argv;
const client = await import(pathToFileURL(path.join(modules, "node_modules/openid-client/build/index.js")));

const base = `http://127.0.0.2:${port}`;
const settings = JSON.parse(fs.readFileSync(path.join(folder, "rp.json"), "utf8"));
const callback = `${base}/cb`;
const sessions = new Map();

let discovered;
/** Once it has been read: a provider that was not there yet is asked again. */
const provider = async () =>
  (discovered ??= await client.discovery(
    new URL(settings.issuer),
    settings.client_id,
    undefined,
    client.ClientSecretBasic(settings.client_secret),
    { execute: [client.allowInsecureRequests] },
  ));

async function begin(asked) {
  const config = await provider();
  const waiting = {
    pkceCodeVerifier: client.randomPKCECodeVerifier(),
    expectedState: client.randomState(),
    expectedNonce: client.randomNonce(),
    idTokenExpected: true,
  };
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: callback,
    scope: settings.scope,
    state: waiting.expectedState,
    nonce: waiting.expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(waiting.pkceCodeVerifier),
    code_challenge_method: "S256",
    ...asked,
  });
  return { url, waiting };
}

const pages = {
  async "/login"({ session, url }) {
    const begun = await begin(Object.fromEntries(url.searchParams));
    session.waiting = begun.waiting;
    return { to: begun.url.href };
  },
  async "/cb"({ session, url }) {
    const tokens = await client.authorizationCodeGrant(await provider(), url, session.waiting);
    Object.assign(session, { tokens, claims: tokens.claims(), waiting: undefined });
    return { to: `${base}/me` };
  },
  async "/me"({ session }) {
    const userinfo = await client.fetchUserInfo(await provider(), session.tokens.access_token, session.claims.sub);
    const { id_token, access_token, refresh_token, ...told } = session.tokens;
    return { json: { claims: session.claims, userinfo, told, has_refresh_token: refresh_token !== undefined } };
  },
  async "/refresh"({ session }) {
    const before = session.tokens;
    const tokens = await client.refreshTokenGrant(await provider(), before.refresh_token);
    session.tokens = { ...before, ...tokens };
    const is_rotated = tokens.refresh_token !== undefined && tokens.refresh_token !== before.refresh_token;
    return { json: { claims: tokens.claims?.() ?? null, is_rotated } };
  },
  async "/revoke"({ session, url }) {
    await client.tokenRevocation(await provider(), session.tokens[url.searchParams.get("token") ?? "refresh_token"]);
    return { json: {} };
  },
  async "/introspect"({ session, url }) {
    return { json: await client.tokenIntrospection(await provider(), session.tokens[url.searchParams.get("token") ?? "access_token"]) };
  },
  async "/logout"({ session }) {
    const { id_token } = session.tokens;
    const url = client.buildEndSessionUrl(await provider(), { id_token_hint: id_token, post_logout_redirect_uri: `${base}/bye`, state: "bye" });
    delete session.tokens;
    return { to: url.href };
  },
  async "/bye"({ url }) {
    return { json: Object.fromEntries(url.searchParams) };
  },
};

http
  .createServer(async (request, response) => {
    const url = new URL(request.url, base);
    const id = /(?:^|; )openid_client=(\w+)/.exec(request.headers.cookie ?? "")?.[1] ?? crypto.randomBytes(16).toString("hex");
    if (!sessions.has(id)) sessions.set(id, {});
    const headers = { "set-cookie": `openid_client=${id}; HttpOnly; Path=/`, "cache-control": "no-store" };
    try {
      const { to, json } = await pages[url.pathname]({ session: sessions.get(id), url });
      console.log(request.method, url.pathname, to ?? "");
      if (to) return response.writeHead(303, { ...headers, location: to }).end();
      response.writeHead(200, { ...headers, "content-type": "application/json" }).end(JSON.stringify(json));
    } catch (error) {
      console.error(request.method, request.url, error);
      const { code, message, error: said, error_description: description, status } = error;
      const refused = { code, message, error: said, error_description: description, status };
      response.writeHead(400, { ...headers, "content-type": "application/json" }).end(JSON.stringify(refused));
    }
  })
  .listen(Number(port), "127.0.0.2", () => console.log(`listening on ${base}`));
