//! The work of benches/mapping/mappings/rich.mapping, laid out as the instructions it comes down to: a directory entry
//! from bytes to JSON text with the real functions, and what that takes from the heap.

use super::*;
use crate::functions::find;
use crate::output::Writer;
use crate::plan::{Conversion, Part, Table, TableElse};
use crate::value::Regex;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: hands everything to the system's allocator and counts beside it, in a cell that needs no allocation.
#[expect(unsafe_code, reason = "an allocator is the only thing that sees every allocation")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const NAMES: [&str; 17] = [
    "objectGUID",
    "mail",
    "userPrincipalName",
    "displayName",
    "givenName",
    "sn",
    "cn",
    "sAMAccountName",
    "telephoneNumber",
    "mobile",
    "thumbnailPhoto",
    "memberOf",
    "userAccountControl",
    "c",
    "accountExpires",
    "proxyAddresses",
    "$dn",
];

impl Build {
    fn read(&mut self, name: &str) -> NodeId {
        let slot = NAMES.iter().position(|known| *known == name).unwrap();
        self.one(u16::try_from(slot).unwrap())
    }

    fn every(&mut self, name: &str) -> NodeId {
        let slot = NAMES.iter().position(|known| *known == name).unwrap();
        self.node(Node::All(u16::try_from(slot).unwrap()))
    }

    fn apply(&mut self, function: &str, first: NodeId, rest: &[NodeId]) -> NodeId {
        let arguments: Vec<NodeId> = std::iter::once(first).chain(rest.iter().copied()).collect();
        self.call(find(function).unwrap(), &arguments)
    }

    fn converted(&mut self, to: Conversion, value: NodeId) -> NodeId {
        self.node(Node::Convert { to, value, optional: false })
    }

    fn either(&mut self, left: NodeId, right: NodeId) -> NodeId {
        self.node(Node::Coalesce(left, right))
    }

    fn template(&mut self, parts: &[Result<NodeId, &str>]) -> NodeId {
        let part = |part: &Result<NodeId, &str>| match part {
            Ok(value) => Part::Hole { value: *value, optional: false },
            Err(text) => Part::Text((*text).into()),
        };
        self.node(Node::Template(parts.iter().map(part).collect()))
    }

    fn replaced(&mut self, text: NodeId, pattern: &str, by: &str) -> NodeId {
        self.plan.regexes.push(Regex::compile(pattern, false).unwrap());
        let regex = self.node(Node::RegexArgument(u16::try_from(self.plan.regexes.len() - 1).unwrap()));
        let by = self.text(by);
        self.apply("replace", text, &[regex, by])
    }
}

fn rich() -> Plan {
    let mut b = Build { plan: plan_reading(Kind::Ldap, &NAMES) };
    b.plan.locals = 1;
    let guid = b.read("objectGUID");
    let guid = b.converted(Conversion::GuidText, guid);
    let id = b.template(&[Err("ad|"), Ok(guid)]);
    b.rule("user_id", id).required = true;

    let (mail, upn) = (b.read("mail"), b.read("userPrincipalName"));
    let (lower, upn) = (b.apply("lower", mail, &[]), b.apply("lower", upn, &[]));
    let email = b.either(lower, upn);
    b.rule("email", email);
    let verified = b.node(Node::Present(mail));
    b.rule("email_verified", verified);

    let (given, sn, cn) = (b.read("givenName"), b.read("sn"), b.read("cn"));
    let whole = b.template(&[Ok(given), Err(" "), Ok(sn)]);
    let display = b.read("displayName");
    let name = b.either(display, whole);
    let name = b.either(name, cn);
    b.rule("name", name);
    b.rule("given_name", given);

    let (telephone, mobile) = (b.read("telephoneNumber"), b.read("mobile"));
    let phone = b.either(telephone, mobile);
    let phone = b.bind("phone", phone);
    let digits = b.replaced(phone, "[^0-9+]", "");
    let phone = b.replaced(digits, "^00", "+");
    b.rule("phone_number", phone);

    let photo = b.read("thumbnailPhoto");
    let photo = b.converted(Conversion::Binary, photo);
    let kind = b.text("image/jpeg");
    let picture = b.apply("data_uri", photo, &[kind]);
    b.rule("picture", picture);

    let (list, group) = (b.every("memberOf"), b.node(Node::Local(0)));
    let (apps, attribute) = (b.text("OU=Apps,DC=corp,DC=example"), b.text("CN"));
    let condition = Some(b.apply("under", group, &[apps]));
    let item = b.apply("rdn", group, &[attribute]);
    let groups = b.node(Node::Comprehension { list, local: 0, condition, item, unique: true });
    b.rule("groups", groups);

    let uac = b.read("userAccountControl");
    let (uac, two) = (b.converted(Conversion::Int, uac), b.constant(Constant::Int(2)));
    let blocked = b.apply("bit", uac, &[two]);
    b.rule("blocked", blocked);

    let rows = [("DE".into(), Constant::String("de-DE".into()))].into_iter().collect();
    b.plan.tables.push(Table { name: "lang".into(), rows, otherwise: TableElse::Absent });
    let key = b.read("c");
    let locale = b.node(Node::Lookup { table: 0, key });
    b.rule("locale", locale);

    b.plan.sets.push([("0".into(), ()), ("9223372036854775807".into(), ())].into_iter().collect());
    let needle = b.read("accountExpires");
    let condition = b.node(Node::InSet { needle, set: 0 });
    let then = b.constant(Constant::Absent);
    let at = b.converted(Conversion::FileTimeToDateTime, needle);
    let otherwise = b.converted(Conversion::DateTimeToText, at);
    let expires = b.node(Node::If { condition, then, otherwise });
    b.rule("app_metadata.expires", expires);

    let (list, smtp) = (b.every("proxyAddresses"), b.text("smtp:"));
    let condition = Some(b.apply("starts_with", group, &[smtp]));
    let rest = b.apply("drop_prefix", group, &[smtp]);
    let item = b.apply("lower", rest, &[]);
    let aliases = b.node(Node::Comprehension { list, local: 0, condition, item, unique: false });
    b.rule("app_metadata.aliases", aliases);

    let (dn, ou) = (b.read("$dn"), b.text("OU"));
    let units = b.apply("rdns", dn, &[ou]);
    b.rule("app_metadata.ous", units);
    b.plan
}

fn entry() -> String {
    let groups: Vec<String> =
        (0..20).map(|n| format!("CN=APP-{},OU={},DC=corp,DC=example", n % 8, if n < 10 { "Apps" } else { "Lists" })).collect();
    let mut entry = json!({
        "dn": "CN=Ann Lee,OU=Users,OU=Berlin,DC=corp,DC=example", "objectGUID": "MyIRAFVEd2aImaq7zN3u/w==",
        "mail": "Ann.Lee@Corp.example", "givenName": "Ann", "sn": "Lee", "sAMAccountName": "ann",
        "telephoneNumber": "0049 (30) 123-45", "thumbnailPhoto": "/9g=", "memberOf": groups, "userAccountControl": "514",
        "c": "DE", "accountExpires": "133500000000000000",
        "proxyAddresses": ["SMTP:Ann.Lee@corp.example", "smtp:A.Lee@corp.example"],
    });
    for n in 0..20 {
        entry[format!("extensionAttribute{n}")] = json!("what nobody reads");
    }
    entry.to_string()
}

#[test]
fn a_directory_entry_becomes_a_profile() {
    let plan = rich();
    let (names, writer) = (Names::new(&plan), Writer::new(&plan));
    let text = entry();
    let arena = Bump::new();
    let entry = json::read(&arena, &names, text.as_bytes()).unwrap();
    let evaluation = run(&arena, &plan, &entry, &environment(), &mut NoTrace);
    let mut out = Vec::new();
    writer.write(&evaluation, &mut out);
    assert_eq!(
        serde_json::from_slice::<Json>(&out).unwrap(),
        json!({
            "user_id": "ad|00112233-4455-6677-8899-aabbccddeeff", "email": "ann.lee@corp.example", "email_verified": true,
            "name": "Ann Lee", "given_name": "Ann", "phone_number": "+493012345",
            "picture": "data:image/jpeg;base64,/9g=",
            "groups": ["APP-0", "APP-1", "APP-2", "APP-3", "APP-4", "APP-5", "APP-6", "APP-7"],
            "blocked": true, "locale": "de-DE",
            "app_metadata": {
                "expires": "2024-01-17T21:20:00Z", "aliases": ["a.lee@corp.example"], "ous": ["Users", "Berlin"],
            },
        })
    );
}

#[test]
fn a_warm_worker_takes_an_entry_from_bytes_to_text_without_the_heap() {
    let plan = rich();
    let (names, writer) = (Names::new(&plan), Writer::new(&plan));
    let text = entry();
    let mut evaluator = Evaluator::new();
    let mut out = Vec::with_capacity(1 << 16);
    let mut once = || {
        let before = ALLOCATIONS.with(Cell::get);
        let arena = evaluator.fresh();
        let entry = json::read(arena, &names, text.as_bytes()).unwrap();
        let evaluation = run(arena, &plan, &entry, &environment(), &mut NoTrace);
        out.clear();
        writer.write(&evaluation, &mut out);
        ALLOCATIONS.with(Cell::get) - before
    };
    once();
    assert_eq!(once(), 0);
}

#[test]
fn an_entry_with_as_many_groups_as_a_list_may_hold_still_has_its_steps() {
    let plan = rich();
    let names = Names::new(&plan);
    let groups: Vec<String> =
        (0..crate::limits::LIST_VALUES_MAX).map(|n| format!("CN=APP-{},OU=Apps,DC=corp,DC=example", n / 2)).collect();
    let entry = json!({"objectGUID": "MyIRAFVEd2aImaq7zN3u/w==", "memberOf": groups});
    let arena = Bump::new();
    let entry = json::read_map(&arena, &names, entry.as_object().unwrap()).unwrap();
    let evaluation = run(&arena, &plan, &entry, &environment(), &mut NoTrace);
    let found = to_map(&plan, &evaluation);
    assert_eq!(found["groups"].as_array().unwrap().len(), crate::limits::LIST_VALUES_MAX / 2);
    assert_eq!(failures(&evaluation).count(), 0);
}
