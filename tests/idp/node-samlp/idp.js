// An identity provider of npm's samlp that asks nobody for a password: who signs in is in its settings. Its attributes have
// the names of Entra ID and AD FS.
//
// `node idp.js FOLDER PORT MODULES`. FOLDER holds `idp.json`, `idp.key` and `idp.pem`, read anew with each request, and
// `former.pem`, a certificate it signed with before. MODULES is where its packages are. What it remembers is who is signed in
// (`/sessions`), until somebody signs out: there (`/slo`) or here (`/sign_out`).
// tests/suite/support/node_samlp.rs writes it.
const fs = require("node:fs");
const path = require("node:path");
const crypto = require("node:crypto");
const { createRequire } = require("node:module");

const [, , folder, port, modules] = process.argv;
const load = createRequire(path.join(modules, "package.json"));
const express = load("express");
const samlp = load("samlp");
const Participants = load("samlp/lib/sessionParticipants");

const base = `http://127.0.0.2:${port}`;
const read = (name) => fs.readFileSync(path.join(folder, name), "utf8");
const settings = () => JSON.parse(read("idp.json"));

/** Settings as they are, instead of the profile of a passport. */
function Mapper(person) {
  return {
    getClaims: () => person.attributes,
    getNameIdentifier: () => ({ nameIdentifier: person.name_id, nameIdentifierFormat: person.name_id_format }),
  };
}
Mapper.prototype.metadata = [];

const own = () => ({
  issuer: `${base}/metadata`,
  cert: read("idp.pem"),
  key: read("idp.key"),
  signatureAlgorithm: "rsa-sha256",
  digestAlgorithm: "sha256",
});

function options(more) {
  const wanted = settings();
  return {
    ...own(),
    sessionIndex: signedIn(wanted),
    destination: wanted.acs,
    recipient: wanted.acs,
    lifetimeInSeconds: 300,
    profileMapper: Mapper,
    getUserFromRequest: () => wanted,
    getPostURL: (audience, request, incoming, done) => done(null, wanted.acs),
    signAssertion: wanted.sign_assertion,
    signResponse: wanted.sign_response,
    ...(wanted.encrypt && {
      encryptionCert: wanted.gateway.encryption,
      encryptionPublicKey: wanted.gateway.encryption,
      encryptionAlgorithm: wanted.cipher,
      disallowEncryptionWithInsecureAlgorithm: false,
      warnOnInsecureEncryptionAlgorithm: false,
    }),
    ...(wanted.check_requests && { signingCert: wanted.gateway.signing }),
    ...more,
  };
}

// Who is signed in at the gateway; the newest last.
const sessions = [];

/** Remembers a session; what the assertion calls it. */
function signedIn(wanted) {
  const index = `_${crypto.randomBytes(16).toString("hex")}`;
  sessions.push({
    serviceProviderId: wanted.gateway.entity_id,
    nameId: wanted.name_id,
    nameIdFormat: wanted.name_id_format,
    sessionIndex: index,
    serviceProviderLogoutURL: wanted.gateway.slo,
    cert: wanted.gateway.signing,
  });
  return index;
}

// What samlp remembers of a logout that is under way. Its own store wants a session of express.
const underWay = new Map();
const store = {
  save: (request, state, done) => {
    const handle = crypto.randomUUID();
    underWay.set(handle, state);
    done(null, handle);
  },
  load: (request, handle, how, done) => {
    const state = underWay.get(handle);
    if (how.destroy) underWay.delete(handle);
    (done ?? how)(null, state);
  },
  update: (request, handle, state, done) => done(null, underWay.set(handle, state)),
};

/** samlp ends every session it is shown, one after the other, by the browser of whoever signs out. */
function logout(request, response, next) {
  const byRedirect = settings().logout_binding === "redirect";
  request.body ??= {};
  samlp.logout({
    ...own(),
    deflate: byRedirect,
    protocolBinding: `urn:oasis:names:tc:SAML:2.0:bindings:HTTP-${byRedirect ? "Redirect" : "POST"}`,
    store,
    sessionParticipants: new Participants(sessions),
  })(request, response, next);
}

/** The descriptor of a key, after one with the former certificate. */
function listed(descriptor) {
  const certificate = read("former.pem").replace(/-----[A-Z ]+-----|\s/g, "");
  return descriptor.replace(/(<X509Certificate>)[^<]*/, `$1${certificate}`) + descriptor;
}

const app = express();
app.use(express.urlencoded({ extended: false }));
app.get("/metadata", (request, response) => {
  const send = response.send.bind(response);
  // samlp lists one certificate; while one rolls over there are two.
  response.send = (text) => send(fs.existsSync(path.join(folder, "former.pem")) ? text.replace(/<KeyDescriptor[^]*?<.KeyDescriptor>/, listed) : text);
  const endpoints = { redirectEndpointPath: "/sso", postEndpointPath: "/sso", logoutEndpointPaths: { [settings().logout_binding]: "/slo" } };
  samlp.metadata({ issuer: `${base}/metadata`, cert: read("idp.pem"), profileMapper: Mapper, ...endpoints })(request, response);
});
app.all("/sso", (request, response, next) => samlp.auth(options())(request, response, next));
// A login that begins here.
app.get("/unsolicited", (request, response, next) => samlp.auth(options({ audience: request.query.sp }))(request, response, next));
app.get("/sessions", (request, response) => response.json(sessions));
app.all("/slo", logout);
app.get("/sign_out", logout);
// eslint-disable-next-line no-unused-vars -- express knows an error handler by its four parameters
app.use((error, request, response, next) => {
  console.error(error);
  response.status(400).type("text/plain").send(String(error.stack));
});
app.listen(Number(port), "127.0.0.2", () => console.log(`listening on ${base}`));
