// rich.mapping for V8, as a careful user of a JavaScript mapper writes it: one object literal (absent is undefined and
// left out by JSON.stringify), no closures or temporary lists where a loop does, tables as Map.
//
//     node rich.js --input ENTRIES --seconds S [--output FILE]
//
// prints one JSON object with entries per CPU second for the three measures; --output gets all results once, as NDJSON.
'use strict';
const fs = require('fs');

const APPS = ',ou=apps,dc=corp,dc=example';

const LANG = new Map([
  ['DE', 'de-DE'], ['AT', 'de-DE'], ['CH', 'de-CH'], ['US', 'en-US'], ['GB', 'en-GB'], ['IE', 'en-GB'], ['FR', 'fr-FR'],
  ['ES', 'es-ES'], ['IT', 'it-IT'], ['PL', 'pl-PL'], ['SE', 'sv-SE'], ['DK', 'da-DK'],
]);

const COST_CENTRE = new Map([
  ['Sales', '1100'], ['Marketing', '1200'], ['Finance', '1300'], ['Human Resources', '1400'], ['Legal', '1500'],
  ['Engineering', '2100'], ['Research', '2200'], ['Quality', '2300'], ['IT Operations', '2400'], ['Support', '2500'],
  ['Einkauf', '3100'], ['Qualitätssicherung', '3200'], ['Vertrieb Süd', '3300'], ['Logistics', '3400'],
]);

const NONE = [];

// The first value; undefined when there is none or it is empty.
function one(value) {
  if (typeof value === 'string') return value === '' ? undefined : value;
  if (value === undefined) return undefined;
  const first = value[0];
  return first === '' ? undefined : first;
}

// All values, as a list.
function all(value) {
  if (typeof value === 'string') return value === '' ? NONE : [value];
  return value === undefined ? NONE : value;
}

function some(list) {
  return list.length === 0 ? undefined : list;
}

// --- distinguished names

function under(dn) {
  const at = dn.length - APPS.length;
  // A comma that is escaped separates nothing.
  return at >= 0 && dn.charCodeAt(at) === 44 && dn.slice(at).toLowerCase() === APPS && dn.charCodeAt(at - 1) !== 92;
}

function rdnEnd(dn, start, escapes) {
  let end = dn.indexOf(',', start);
  if (escapes) while (end > 0 && escaped(dn, end)) end = dn.indexOf(',', end + 1);
  return end < 0 ? dn.length : end;
}

function escaped(dn, at) {
  let start = at;
  while (dn.charCodeAt(start - 1) === 92) start--;
  return (at - start) % 2 === 1;
}

// Whether an RDN of that type, two small letters, starts here.
function starts(dn, at, first, second) {
  return (dn.charCodeAt(at) | 32) === first && (dn.charCodeAt(at + 1) | 32) === second && dn.charCodeAt(at + 2) === 61;
}

function unescapePart(part) {
  return part[2] === undefined ? part[1] : Buffer.from(part.replaceAll('\\', ''), 'hex').toString();
}

function unescape(value) {
  return value.replace(/(?:\\[0-9A-Fa-f]{2})+|\\./gsu, unescapePart);
}

function cn(dn) {
  const escapes = dn.includes('\\');
  for (let start = 0; start < dn.length;) {
    const end = rdnEnd(dn, start, escapes);
    if (starts(dn, start, 99, 110)) {
      const value = dn.slice(start + 3, end);
      return escapes ? unescape(value) : value;
    }
    start = end + 1;
  }
  return undefined;
}

function ous(dn) {
  const escapes = dn.includes('\\');
  const values = [];
  for (let start = 0; start < dn.length;) {
    const end = rdnEnd(dn, start, escapes);
    if (starts(dn, start, 111, 117)) {
      const value = dn.slice(start + 3, end);
      values.push(escapes ? unescape(value) : value);
    }
    start = end + 1;
  }
  return values;
}

// --- binary and dates

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function guid(base64) {
  const b = Buffer.from(base64, 'base64');
  if (b.length !== 16) return undefined;
  return 'ad|' + HEX[b[3]] + HEX[b[2]] + HEX[b[1]] + HEX[b[0]] + '-' + HEX[b[5]] + HEX[b[4]] + '-' + HEX[b[7]] + HEX[b[6]] +
    '-' + HEX[b[8]] + HEX[b[9]] + '-' + HEX[b[10]] + HEX[b[11]] + HEX[b[12]] + HEX[b[13]] + HEX[b[14]] + HEX[b[15]];
}

function sid(base64) {
  const b = Buffer.from(base64, 'base64');
  if (b.length < 8 || b[1] > 15 || b.length !== 8 + 4 * b[1]) return undefined;
  let text = 'S-' + b[0] + '-' + b.readUIntBE(2, 6);
  for (let at = 8; at < b.length; at += 4) text += '-' + b.readUInt32LE(at);
  return text;
}

function expiry(filetime) {
  if (filetime === '0' || filetime === '9223372036854775807') return undefined;
  // By whole seconds: the number itself is beyond what a double holds exactly.
  return new Date((Number(filetime.slice(0, -7)) - 11644473600) * 1000).toISOString().slice(0, 19) + 'Z';
}

// --- the mapping

function groups(dns) {
  const names = [];
  for (let i = 0; i < dns.length; i++) {
    const dn = dns[i];
    if (under(dn)) {
      const name = cn(dn);
      if (name !== undefined && !names.includes(name)) names.push(name);
    }
  }
  return names;
}

function aliases(addresses) {
  const list = [];
  for (let i = 0; i < addresses.length; i++) {
    const address = addresses[i];
    if (address.startsWith('smtp:')) list.push(address.slice(5).toLowerCase());
  }
  return list;
}

function map(raw) {
  const dn = one(raw.dn);
  const commonName = one(raw.cn);
  const given = one(raw.givenName);
  const family = one(raw.sn);
  const mail = one(raw.mail);
  const id = one(raw.objectGUID);
  const phone = one(raw.telephoneNumber) ?? one(raw.mobile);
  const photo = one(raw.thumbnailPhoto);
  const flags = one(raw.userAccountControl);
  const expires = one(raw.accountExpires);
  const manager = one(raw.manager);
  const security = one(raw.objectSid);
  return {
    user_id: id && guid(id),
    email: (mail ?? one(raw.userPrincipalName))?.toLowerCase(),
    email_verified: mail !== undefined,
    name: one(raw.displayName) ?? (given && family ? given + ' ' + family : commonName),
    given_name: given,
    family_name: family,
    nickname: one(raw.sAMAccountName) ?? commonName,
    phone_number: phone && (phone.replace(/[^0-9+]/g, '').replace(/^00/, '+') || undefined),
    picture: photo && 'data:image/jpeg;base64,' + photo,
    groups: some(groups(all(raw.memberOf))),
    blocked: flags && (flags & 2) !== 0,
    locale: LANG.get(one(raw.c)),
    app_metadata: {
      cost_centre: COST_CENTRE.get(one(raw.department)),
      expires: expires && expiry(expires),
      aliases: some(aliases(all(raw.proxyAddresses))),
      ous: dn && some(ous(dn)),
      manager: manager && cn(manager),
      sid: security && sid(security),
    },
  };
}

// --- measuring

function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

let sink; // What is made must be reachable, else V8 may leave it out.

// Entries per second of CPU time, after a third of the time as a warm-up.
function measure(seconds, entries, pass) {
  let start = cpuSeconds();
  while (cpuSeconds() - start < seconds / 3) pass();
  start = cpuSeconds();
  for (let passes = 1; ; passes++) {
    pass();
    const used = cpuSeconds() - start;
    if (used >= seconds) return (passes * entries) / used;
  }
}

function main() {
  const options = { seconds: 2 };
  for (let i = 2; i < process.argv.length; i += 2) options[process.argv[i].slice(2)] = process.argv[i + 1];
  const seconds = Number(options.seconds);
  // A Buffer per entry: that is what a reader hands over.
  const text = fs.readFileSync(options.input);
  const lines = [];
  for (let start = 0; start < text.length;) {
    const end = text.indexOf(10, start);
    lines.push(text.subarray(start, end));
    start = end + 1;
  }
  const parse = (line) => JSON.parse(line.toString('utf8'));
  const parsed = lines.map(parse);

  if (options.output) fs.writeFileSync(options.output, lines.map((line) => JSON.stringify(map(parse(line))) + '\n').join(''));
  const mapOnly = measure(seconds, lines.length, () => { for (const raw of parsed) sink = map(raw); });
  const mapJson = measure(seconds, lines.length, () => { for (const raw of parsed) sink = JSON.stringify(map(raw)); });
  const bytesJson = measure(seconds, lines.length, () => { for (const line of lines) sink = JSON.stringify(map(parse(line))); });
  console.log(JSON.stringify({
    contender: 'node', version: process.version, v8: process.versions.v8,
    map: mapOnly, map_json: mapJson, bytes_json: bytesJson,
  }));
}

main();
