// Copies of Google, Microsoft, Apple and GitHub, npm's emulate: pages on which one chooses who one is.
//
// `node idp.mjs FOLDER MODULES SERVICE:PORT…`. FOLDER holds `idp.json`: by service what emulate is seeded with. When it changes, that
// service begins anew: nothing that it gave out counts any longer, while the people keep their ids by the order in which they stand
// there. `followed` is then what it goes by. MODULES is where its packages are.
// tests/suite/support/emulate.rs writes it.
import crypto from "node:crypto";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [, , folder, modules, ...wanted] = process.argv;
const { createEmulator } = await import(pathToFileURL(path.join(modules, "node_modules/emulate/dist/api.js")));

const file = path.join(folder, "idp.json");
const running = new Map();
const { randomBytes, randomUUID } = crypto;

/** While people are made their ids, which emulate draws by lot, come from the name of the service and a count. */
async function counted(service, making) {
  let count = 0;
  const drawn = () => crypto.createHash("sha512").update(`${service} ${(count += 1)}`).digest();
  crypto.randomBytes = (size) => drawn().subarray(0, size);
  crypto.randomUUID = () => drawn().toString("hex").replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, "$1-$2-4$3-8$4-$5");
  syncBuiltinESMExports();
  try {
    return await making();
  } finally {
    Object.assign(crypto, { randomBytes, randomUUID });
    syncBuiltinESMExports();
  }
}

async function follow(text) {
  const settings = JSON.parse(text);
  for (const one of wanted) {
    const [service, port] = one.split(":");
    const seed = JSON.stringify(settings[service]);
    if (running.get(service)?.seed === seed) continue;
    await running.get(service)?.emulator.close();
    const options = { service, port: Number(port), hostname: "127.0.0.2", baseUrl: `http://127.0.0.2:${port}` };
    const emulator = await counted(service, () => createEmulator({ ...options, seed: { [service]: JSON.parse(seed) } }));
    running.set(service, { seed, emulator });
    console.log(`${service} began at ${options.baseUrl}`);
  }
  fs.writeFileSync(path.join(folder, "followed.next"), text);
  fs.renameSync(path.join(folder, "followed.next"), path.join(folder, "followed"));
}

for (let followed; ; ) {
  const text = fs.readFileSync(file, "utf8");
  if (text !== followed) await follow(text);
  followed = text;
  await new Promise((resolve) => setTimeout(resolve, 20));
}
