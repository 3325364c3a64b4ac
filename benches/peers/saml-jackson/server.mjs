// The closest peer (@boxyhq/saml-jackson) as a SCIM server of one directory, for benches/run.sh --peer:
//   node server.mjs 127.0.0.1:PORT postgres://…/empty_database
// Does what its users' own route does and no more: parse, hand to its directory-sync request handler, answer. Its event
// callback does nothing. Prints one line of JSON, {"token": …}, once it listens.

import http from "node:http";
import jackson from "@boxyhq/saml-jackson";

const [address, url] = process.argv.slice(2);
const [host, port] = address.split(":");
const BASE = "/scim/v2/connections/scim/";

const { directorySyncController } = await jackson.controllers({
  externalUrl: `http://${address}`,
  samlPath: "/sso",
  oidcPath: "/oidc",
  db: { engine: "sql", type: "postgres", url },
  noAnalytics: true,
  logger: { info() {}, warn: console.error, error: console.error },
});
const { data: directory, error } = await directorySyncController.directories.create({
  name: "bench",
  tenant: "bench",
  product: "bench",
  type: "generic-scim-v2",
});
if (error) throw new Error(error.message);

const onEvent = async () => {};

async function handle(request, body) {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  const [resourceType, resourceId] = pathname.slice(BASE.length).split("/");
  const number = (name) => (searchParams.has(name) ? Number(searchParams.get(name)) : undefined);
  return directorySyncController.requests.handle(
    {
      method: request.method,
      body: body ? JSON.parse(body) : undefined,
      directoryId: directory.id,
      resourceType,
      resourceId,
      apiSecret: request.headers.authorization?.slice("Bearer ".length) ?? null,
      query: { count: number("count"), startIndex: number("startIndex"), filter: searchParams.get("filter") ?? undefined },
    },
    onEvent,
  );
}

http
  .createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    let answer;
    try {
      answer = await handle(request, Buffer.concat(parts).toString());
    } catch (problem) {
      answer = { status: 500, data: { detail: String(problem) } };
    }
    response.writeHead(answer.status, { "content-type": "application/scim+json" });
    response.end(JSON.stringify(answer.data));
  })
  .listen(Number(port), host, () => console.log(JSON.stringify({ token: directory.scim.secret })));
