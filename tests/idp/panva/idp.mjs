// A strict OpenID provider, npm's oidc-provider: a login form that takes any password, a page that asks for consent.
//
// `node idp.mjs FOLDER PORT MODULES`. FOLDER holds `idp.json`, read anew with each request: `clients`, `people` (their claims by
// name), `keys` (how often the signing keys were changed), `forgets_keys` (the former are no longer listed) and `in_id_token` (whether
// claims are in the ID token too, or in the userinfo alone) and `sessions_age` (so many seconds ago at the latest did whoever has a session
// prove who they are). MODULES is where its packages are.
// tests/suite/support/panva.rs writes it.
import { generateKeyPairSync } from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [, , folder, port, modules] = process.argv;
const load = createRequire(path.join(modules, "package.json"));
const { Provider } = await import(pathToFileURL(load.resolve("oidc-provider")));

const issuer = `http://127.0.0.2:${port}`;
const read = () => fs.readFileSync(path.join(folder, "idp.json"), "utf8");

/** What it remembers outlives the provider, which is made anew whenever its settings change. */
class Memory {
  static rows = new Map();

  static grantable = new Set(["AccessToken", "AuthorizationCode", "RefreshToken"]);

  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model}:${id}`;
  }

  async upsert(id, payload) {
    Memory.rows.set(this.key(id), payload);
  }

  async find(id) {
    return this.aged(Memory.rows.get(this.key(id)));
  }

  aged(row) {
    const age = this.model === "Session" && row?.loginTs ? JSON.parse(read()).sessions_age : 0;
    return age ? { ...row, loginTs: Math.min(row.loginTs, Math.floor(Date.now() / 1000) - age) } : row;
  }

  async findByUid(uid) {
    for (const [key, row] of Memory.rows) if (key.startsWith(`${this.model}:`) && row.uid === uid) return this.aged(row);
    return undefined;
  }

  async findByUserCode() {
    return undefined;
  }

  async consume(id) {
    Memory.rows.get(this.key(id)).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    Memory.rows.delete(this.key(id));
  }

  async revokeByGrantId(grantId) {
    for (const [key, row] of Memory.rows) {
      if (Memory.grantable.has(key.split(":")[0]) && row.grantId === grantId) Memory.rows.delete(key);
    }
  }
}

const generations = [];
/** The keys of a generation, the newest first, after it those before. */
function keys(generation, forgetsFormer) {
  while (generations.length <= generation) {
    const at = generations.length;
    const made = (alg, type, options) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }), alg, use: "sig", kid: `${alg}-${at}` });
    generations.push([
      made("RS256", "rsa", { modulusLength: 2048 }),
      made("ES256", "ec", { namedCurve: "P-256" }),
      made("EdDSA", "ed25519", {}),
    ]);
  }
  const until = generations.slice(0, generation + 1).reverse();
  return (forgetsFormer ? until.slice(0, 1) : until).flat();
}

function made(settings) {
  const person = (name) => ({ accountId: name, claims: async () => ({ sub: name, ...JSON.parse(read()).people[name] }) });
  const provider = new Provider(issuer, {
    adapter: Memory,
    clients: settings.clients,
    jwks: { keys: keys(settings.keys, settings.forgets_keys) },
    cookies: { keys: ["not a secret"] },
    scopes: ["openid", "offline_access", "profile", "email", "groups"],
    claims: {
      openid: ["sub"],
      email: ["email", "email_verified"],
      profile: ["name", "given_name", "family_name", "nickname", "preferred_username", "picture", "locale", "zoneinfo", "updated_at"],
      groups: ["groups"],
    },
    enabledJWA: { idTokenSigningAlgValues: ["RS256", "ES256", "EdDSA"] },
    findAccount: async (context, name) => (name in JSON.parse(read()).people ? person(name) : undefined),
    conformIdTokenClaims: !settings.in_id_token,
    rotateRefreshToken: true,
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: true },
      revocation: { enabled: true },
      introspection: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      jwtUserinfo: { enabled: true },
    },
  });
  provider.on("server_error", (context, error) => console.error(error));
  for (const event of ["authorization.error", "grant.error", "userinfo.error"]) {
    provider.on(event, (context, error) => console.error(event, error.message, error.error_detail));
  }
  return provider.callback();
}

let current = { text: null, answer: null };
http
  .createServer((request, response) => {
    const text = read();
    // The claims of people are looked up as they are asked for.
    const { people, ...settings } = JSON.parse(text);
    const without = JSON.stringify(settings);
    if (current.text !== without) current = { text: without, answer: made(settings) };
    console.log(request.method, request.url);
    current.answer(request, response);
  })
  .listen(Number(port), "127.0.0.2", () => console.log(`listening on ${issuer}`));
