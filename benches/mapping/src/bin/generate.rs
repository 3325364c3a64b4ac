//! Writes the entries: `generate [COUNT] [SEED] > entries.ndjson`. One JSON object a line, as a reader of Active Directory
//! hands them on: every value a string or a list of strings, binaries in base64. The same arguments give the same bytes.

use std::io::Write;
use std::process::ExitCode;

const BASE: &str = "DC=corp,DC=example";
const GIVEN: &[&str] = &[
    "Ann",
    "Jürgen",
    "Zoë",
    "Łukasz",
    "Søren",
    "Åsa",
    "Émile",
    "İpek",
    "Michael",
    "Sophie",
    "Thomas",
    "Katarzyna",
    "Giulia",
    "Pedro",
    "Linda",
    "Robert",
    "Matthias",
    "John",
    "Mary",
    "Peter",
    "Laura",
    "Daniel",
    "Martin",
    "Julia",
    "Simon",
    "Eva",
];
const FAMILY: &[&str] = &[
    "Lee",
    "Müller",
    "Großmann",
    "O'Neill",
    "Núñez",
    "Čapek",
    "García Márquez",
    "Andersson",
    "Kowalczyk",
    "Smith",
    "Johnson",
    "Rossi",
    "van der Berg",
    "Brown",
    "Hansen",
    "D'Angelo",
    "Fischer",
    "Wagner",
    "Dubois",
    "Novak",
    "Jensen",
    "Meyer",
];
const DEPARTMENTS: &[&str] = &[
    "Sales",
    "Marketing",
    "Finance",
    "Human Resources",
    "Legal",
    "Engineering",
    "Research",
    "Quality",
    "IT Operations",
    "Support",
    "Einkauf",
    "Qualitätssicherung",
    "Vertrieb Süd",
    "Logistics",
    "Facility",
    "Board Office",
];
const COUNTRIES: &[(&str, &str, &str, &str)] = &[
    ("DE", "Germany", "276", "+49"),
    ("DE", "Germany", "276", "0049"),
    ("AT", "Austria", "40", "+43"),
    ("CH", "Switzerland", "756", "+41"),
    ("US", "United States", "840", "+1"),
    ("GB", "United Kingdom", "826", "+44"),
    ("IE", "Ireland", "372", "00353"),
    ("FR", "France", "250", "+33"),
    ("ES", "Spain", "724", "0034"),
    ("IT", "Italy", "380", "+39"),
    ("PL", "Poland", "616", "+48"),
    ("SE", "Sweden", "752", "+46"),
    ("DK", "Denmark", "208", "+45"),
    ("JP", "Japan", "392", "+81"),
    ("BR", "Brazil", "76", "0055"),
];
const CITIES: &[&str] = &["München", "Wien", "Bern", "London", "Paris", "Madrid", "Warszawa", "Göteborg", "Austin", "Odense"];
const TITLES: &[&str] =
    &["Engineer", "Senior Engineer", "Team Lead", "Account Manager", "Leiter Qualität", "Analyst", "Director"];
const OUS: &[&str] = &["Users", "Staff", "Contractors", "Research", "R&D", "Paris", "Außendienst"];
const TOPICS: &[&str] = &[
    "Wiki", "Jira", "VPN", "Mail", "CRM", "ERP", "Git", "Build", "Print", "HR", "Finance", "Travel", "Design", "Data", "Reports",
];
const ROLES: &[&str] = &["Readers", "Writers", "Admins", "Owners", "Auditors"];

fn main() -> ExitCode {
    let arguments: Vec<u64> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let count = arguments.first().copied().unwrap_or(1_000);
    let mut random = Random(arguments.get(1).copied().unwrap_or(20_260_131));
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for number in 0..count {
        if let Err(error) = writeln!(out, "{}", entry(number, &mut random)) {
            eprintln!("generate: {error}");
            return ExitCode::FAILURE;
        }
    }
    match out.flush() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// SplitMix64: enough for data, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// An object in the making: attributes in the order they are put.
struct Object(String);

impl Object {
    fn one(&mut self, name: &str, value: impl AsRef<str>) {
        self.put(name, &json(value.as_ref()));
    }

    /// A list; one value is written as a string.
    fn list(&mut self, name: &str, values: &[String]) {
        match values {
            [value] => self.one(name, value),
            _ => self.put(name, &format!("[{}]", values.iter().map(|value| json(value)).collect::<Vec<_>>().join(","))),
        }
    }

    fn put(&mut self, name: &str, json: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push_str(&format!("\"{name}\":{json}"));
    }
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

struct Person {
    number: u64,
    given: &'static str,
    family: &'static str,
    login: String,
    dn: String,
}

fn person(number: u64, random: &mut Random) -> Person {
    let (given, family) = (*random.of(GIVEN), *random.of(FAMILY));
    let login = format!("{}{number:04}", ascii(family));
    let name = if random.percent(20) { format!("{family}\\, {given}") } else { format!("{given} {family}") };
    let ou = *random.of(OUS);
    let unit = if random.percent(40) { format!("OU={ou},OU={}", ascii(random.of::<&str>(CITIES))) } else { format!("OU={ou}") };
    Person { number, given, family, login, dn: format!("CN={name},{unit},OU=Accounts,{BASE}") }
}

/// Only the ASCII letters, as logins are made.
fn ascii(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphabetic).collect()
}

fn entry(number: u64, random: &mut Random) -> String {
    let person = person(number, random);
    let country = random.of(COUNTRIES);
    let mut entry = Object(String::new());
    naming(&mut entry, &person, random);
    contact(&mut entry, &person, country, random);
    groups(&mut entry, random);
    account(&mut entry, &person, random);
    entry.0.push('}');
    entry.0
}

fn naming(entry: &mut Object, person: &Person, random: &mut Random) {
    entry.one("dn", &person.dn);
    let classes = ["top", "person", "organizationalPerson", "user"].map(String::from);
    entry.list("objectClass", &classes);
    entry.one("cn", format!("{} {}", person.given, person.family));
    match random.below(100) {
        0..4 => {}
        4..6 => entry.put("sn", "[]"),
        _ => entry.one("sn", person.family),
    }
    match random.below(100) {
        0..4 => {}
        4..6 => entry.one("givenName", ""),
        _ => entry.one("givenName", person.given),
    }
    match random.below(100) {
        0..15 => {}
        15..18 => entry.one("displayName", ""),
        18..24 => entry.one("displayName", format!("{} \"{}\" {}", person.given, ascii(person.given), person.family)),
        24..40 => entry.one("displayName", format!("{}, {}", person.family, person.given)),
        _ => entry.one("displayName", format!("{} {}", person.given, person.family)),
    }
    if !random.percent(2) {
        entry.one("sAMAccountName", &person.login);
    }
    if !random.percent(3) {
        entry.one("userPrincipalName", format!("{}@Corp.example", person.login));
    }
    entry.one("objectCategory", format!("CN=Person,CN=Schema,CN=Configuration,{BASE}"));
}

fn contact(entry: &mut Object, person: &Person, country: &(&str, &str, &str, &str), random: &mut Random) {
    let (c, co, code, prefix) = *country;
    let mail = format!("{}.{}{}@Corp.example", ascii(person.given), ascii(person.family), person.number);
    match random.below(100) {
        0..9 => {}
        9..11 => entry.put("mail", "[]"),
        11..13 => entry.one("mail", format!("{}.{}@Münch.example", person.given, person.family)),
        13..16 => entry.list("mail", &[mail.clone(), format!("{}@old.example", person.login)]),
        _ => entry.one("mail", &mail),
    }
    if !random.percent(15) {
        let mut addresses = vec![format!("SMTP:{mail}")];
        addresses.extend((0..random.below(4)).map(|n| format!("smtp:{}{n}@Old.Corp.example", person.login)));
        if random.percent(30) {
            addresses.push(format!("sip:{}@corp.example", person.login));
        }
        entry.list("proxyAddresses", &addresses);
    }
    let area = 10 + random.below(890);
    let (line, extension) = (100 + random.below(900), 1000 + random.below(9000));
    let phone = match random.below(4) {
        0 => format!("{prefix} ({area}) {line}-{extension}"),
        1 => format!("{prefix} {area} {line} {extension}"),
        2 => format!("{prefix}/{area}/{line}.{extension}"),
        _ => format!("({prefix}) {area} {line} - {extension}"),
    };
    match random.below(100) {
        0..10 => {}
        10..12 => entry.one("telephoneNumber", ""),
        12..16 => entry.list("telephoneNumber", &[phone, format!("{prefix} 1 555 0100")]),
        _ => entry.one("telephoneNumber", phone),
    }
    if random.percent(60) {
        entry.one("mobile", format!("{prefix} 17{} {}", random.below(10), 1_000_000 + random.below(8_999_999)));
    }
    if !random.percent(5) {
        entry.one("c", c);
        entry.one("co", co);
        entry.one("countryCode", code);
    }
    let city = random.of(CITIES);
    entry.one("l", city);
    entry.one("streetAddress", format!("{} Road {}", city, 1 + random.below(200)));
    entry.one("postalCode", format!("{:05}", random.below(100_000)));
    entry.one("physicalDeliveryOfficeName", format!("B{}-{}", random.below(9), random.below(400)));
    entry.one("company", "Corp Example plc");
    entry
        .one("description", "Account of an employee; the personnel system is its source, changes here are overwritten at night.");
    if !random.percent(6) {
        entry.one("department", random.of(DEPARTMENTS));
    }
    entry.one("title", random.of(TITLES));
    entry.one("employeeID", format!("{}", 100_000 + person.number));
    if random.percent(80) {
        let above = self::person(random.below(1_000), random);
        entry.one("manager", above.dn);
    }
}

fn groups(entry: &mut Object, random: &mut Random) {
    let count = random.below(24);
    let mut dns: Vec<String> = Vec::new();
    while (dns.len() as u64) < count {
        let dn = group(random);
        // A directory names a group once.
        if !dns.contains(&dn) {
            dns.push(dn);
        }
    }
    match dns.is_empty() {
        true if random.percent(50) => {}
        _ => entry.list("memberOf", &dns),
    }
}

fn group(random: &mut Random) -> String {
    let (topic, role) = (*random.of(TOPICS), *random.of(ROLES));
    match random.below(100) {
        0..40 => format!("CN=APP-{topic}-{role},OU=Apps,{BASE}"),
        // The same name in two places: the mapping has to drop one.
        40..50 => format!("CN=APP-{topic},OU={},OU=Apps,{BASE}", random.of(&["EU", "US", "APAC"])),
        50..54 => format!("cn=APP-{topic}-{role},ou=APPS,dc=Corp,dc=example"),
        54..58 => format!("CN={topic}\\, {role},OU=Apps,{BASE}"),
        58..59 => format!("CN=APP-{topic} \\2B Caf\\C3\\A9 \\\"{role}\\\",OU=Apps,{BASE}"),
        59..60 => format!("CN=APP-{topic}\\0ACNF:{:08x},OU=Apps,{BASE}", random.below(1 << 32)),
        60..61 => format!("CN={topic} Prüfer,OU=Apps,{BASE}"),
        61..80 => format!("CN={topic} {role},OU=Lists,{BASE}"),
        80..90 => format!("CN=ROLE-{role}-{},OU=Roles,OU=Groups,{BASE}", random.below(50)),
        90..95 => format!("CN={topic} Users,CN=Builtin,{BASE}"),
        _ => format!("CN=APP-{topic}-{role},OU=Apps,DC=lab,DC=example"),
    }
}

fn account(entry: &mut Object, person: &Person, random: &mut Random) {
    // Years 2015 to 2035, whole seconds.
    let filetime = |random: &mut Random| ((13_064_544_000 + random.below(631_152_000)) * 10_000_000).to_string();
    if !random.percent(2) {
        entry.one("userAccountControl", random.of(&["512", "512", "512", "514", "66048", "66050", "544", "546"]));
    }
    match random.below(100) {
        0..5 => {}
        5..25 => entry.one("accountExpires", "0"),
        25..60 => entry.one("accountExpires", "9223372036854775807"),
        _ => entry.one("accountExpires", filetime(random)),
    }
    for name in ["lastLogonTimestamp", "pwdLastSet", "badPasswordTime", "lastLogon"] {
        entry.one(name, filetime(random));
    }
    entry.one("badPwdCount", random.below(4).to_string());
    entry.one("primaryGroupID", "513");
    entry.one("sAMAccountType", "805306368");
    entry.one("whenCreated", format!("20{:02}0{}1{}081500.0Z", 10 + random.below(15), 1 + random.below(9), random.below(10)));
    entry.one("uSNChanged", (1_000_000 + random.below(9_000_000)).to_string());
    entry.one("objectGUID", base64(&random.bytes(16)));
    if !random.percent(2) {
        let mut sid = vec![1, 5, 0, 0, 0, 0, 0, 5];
        for sub in [21, 3_623_811_015, 3_361_044_348, 30_300_820, 1_100 + person.number as u32] {
            sid.extend_from_slice(&sub.to_le_bytes());
        }
        entry.one("objectSid", base64(&sid));
    }
    if random.percent(25) {
        let length = 60 + random.below(200) as usize;
        let mut photo = vec![0xff, 0xd8, 0xff, 0xe0];
        photo.extend(random.bytes(length));
        entry.one("thumbnailPhoto", base64(&photo));
    }
}

fn base64(bytes: &[u8]) -> String {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for triple in bytes.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, at| bits << 8 | u32::from(triple.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let digit = digits[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if at > triple.len() { '=' } else { char::from(digit) });
        }
    }
    text
}
