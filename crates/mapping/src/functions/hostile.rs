//! No argument makes a body panic, loop or outgrow its bounds; and what the functions promise of each other.

use super::testing::{call, run, text_of};
use super::{Accepts, Body, Function, Parameter, Presence, all};
use crate::diagnostic::codes::Code;
use crate::limits::{LIST_VALUES_MAX, STRING_BYTES_MAX};
use crate::value::{Regex, Value};
use bumpalo::Bump;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::sync::LazyLock;

static LONG: LazyLock<String> = LazyLock::new(|| "a,ß=\\é ".repeat(STRING_BYTES_MAX / 9));
static REGEX: LazyLock<Regex> = LazyLock::new(|| Regex::compile(r"(?<first>\w*)(,)?", false).unwrap());
static FULL: LazyLock<Vec<Value<'static>>> = LazyLock::new(|| vec![Value::String("x"); LIST_VALUES_MAX]);
static OVERFULL: LazyLock<Vec<Value<'static>>> = LazyLock::new(|| (0..).map(Value::Int).take(LIST_VALUES_MAX + 1).collect());

const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "e\u{301}\u{308}",
    "\u{202e}abc",
    "İıßﬃΣ",
    "👩‍👩‍👧",
    "\\",
    "\\,",
    "CN=a\\",
    "CN=\\e4",
    "CN=#0401",
    "=",
    "+",
    ",",
    "CN=,",
    "+49",
    "+490",
    "0",
    "-",
    ".",
    "[",
    "[0",
    "a.[",
    "\"",
    "{",
    "'",
    "yyyy",
    "$",
    "${",
    "$1$$$x",
    "Q",
    "Europe/Berlin",
    "-9223372036854775808",
    "9223372036854775808.5",
    "20260131090000Z",
    "2026-02-30",
    "S-1-",
    "q=1.5",
    "en;q=0",
    "\0",
    "subject.CN",
    "name",
    "days",
];
const NUMBERS: &[i64] = &[0, 1, -1, 16, 1_048_577, i64::MAX, i64::MIN];

/// Values of the kinds a parameter takes, the worst ones among them.
fn values_for(parameter: &Parameter) -> Vec<Value<'static>> {
    let texts = TEXTS.iter().map(|text| Value::String(text)).chain([Value::String(&LONG)]);
    let numbers = NUMBERS.iter().map(|number| Value::Int(*number));
    let bytes =
        [&[][..], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[1, 1, 0, 0, 0, 0, 0, 5, 1, 2, 3, 4], &[0x5a; 16], LONG.as_bytes()];
    let bytes = bytes.map(Value::Binary);
    let instants = [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX].map(Value::DateTime);
    let durations = [SignedDuration::MIN, SignedDuration::ZERO, SignedDuration::MAX].map(Value::Duration);
    static MIXED: &[Value<'static>] =
        &[Value::Float(0.5), Value::List(&[Value::Null]), Value::String("a"), Value::Int(i64::MAX), Value::Int(1)];
    let lists = [&[][..], MIXED, &FULL, &OVERFULL].map(Value::List);
    static MEMBERS: &[(&str, Value<'static>)] = &[("a", Value::Int(1)), ("", Value::List(MIXED))];
    let records = [&[][..], MEMBERS].map(Value::Record);
    let mut values: Vec<Value<'static>> = match parameter.accepts {
        Accepts::Text | Accepts::Dn => texts.collect(),
        Accepts::GenTime | Accepts::Guid | Accepts::Sid | Accepts::Binary => texts.chain(bytes).collect(),
        Accepts::Bool => vec![Value::Bool(true), Value::Bool(false)],
        Accepts::Int => numbers.collect(),
        Accepts::FileTime => numbers.chain(texts).collect(),
        Accepts::DateTime => instants.to_vec(),
        Accepts::Duration => durations.to_vec(),
        Accepts::List | Accepts::TextList | Accepts::RecordList => lists.to_vec(),
        Accepts::Record => records.to_vec(),
        Accepts::Regex => vec![Value::Regex(&REGEX)],
        Accepts::TextOrRegex => texts.chain([Value::Regex(&REGEX)]).collect(),
        Accepts::Word(words) => words.iter().map(|word| Value::String(word)).collect(),
        Accepts::Any => texts.chain(numbers).chain(bytes).chain(instants).chain(durations).chain(lists).chain(records).collect(),
        Accepts::Table | Accepts::Condition => Vec::new(),
    };
    // A JSON member may turn out to be of any kind.
    values.extend([Value::Absent, Value::Null, Value::Bool(true), Value::Float(f64::NAN), Value::Record(&[])]);
    values
}

fn check(function: &Function, arguments: &[Value<'_>]) {
    let arena = Bump::new();
    if let Ok(Value::String(text)) = run(&arena, function, arguments) {
        let is_made = arguments.iter().all(|argument| !matches!(argument, Value::String(given) if given.len() >= text.len()));
        assert!(!is_made || text.len() <= STRING_BYTES_MAX, "{} gave {} bytes", function.name, text.len());
    }
}

/// Every value in every place, the others at a few values each.
#[test]
fn no_function_panics_on_any_value_of_the_kinds_it_takes() {
    for function in all().iter().filter(|function| !matches!(function.body, Body::Compiled(_))) {
        let pools: Vec<_> = function.parameters.iter().map(values_for).collect();
        for (place, pool) in pools.iter().enumerate() {
            for (number, value) in pool.iter().enumerate() {
                for turn in [number, number + 3, 2] {
                    let mut arguments: Vec<_> =
                        pools.iter().enumerate().map(|(at, pool)| pool[(turn + at) % pool.len().min(9)]).collect();
                    arguments[place] = *value;
                    if function.parameters[place].presence == Presence::Repeated {
                        arguments.extend_from_slice(pool);
                    }
                    check(function, &arguments);
                }
            }
        }
        check(function, &[]);
    }
}

fn code(name: &str, arguments: &[Value<'_>]) -> Option<Code> {
    call(&Bump::new(), name, arguments).err().map(|failure| failure.code)
}

#[test]
fn text_past_the_bound_is_a_failure_of_its_own_number() {
    let (long, x) = (Value::String(&LONG), Value::String("x"));
    let much = Value::String(&LONG[..LONG.len() / 2 - LONG.len() / 2 % 9]);
    for (name, arguments) in [
        ("pad_left", vec![x, Value::Int(i64::MAX)]),
        ("pad_left", vec![x, Value::Int(1_048_577)]),
        ("replace", vec![long, Value::String("a"), Value::String("bbbbbbbbbb")]),
        ("replace", vec![long, Value::Regex(&REGEX), Value::String("$first$first$first$first$first$first$first")]),
        ("join", vec![x, long, long]),
        ("base64", vec![long]),
        ("hex", vec![long]),
        ("json_text", vec![Value::List(&[Value::String(&LONG), Value::String(&LONG)])]),
        ("data_uri", vec![Value::Binary(LONG.as_bytes()), x]),
        ("random_string", vec![Value::Int(4_097)]),
    ] {
        assert_eq!(code(name, &arguments), Some(Code::M190), "{name}");
    }
    assert_eq!(code("pad_left", &[x, Value::Int(1_048_576)]), None);
    assert_eq!(code("join", &[x, much, much]), None);
}

#[test]
fn a_list_at_the_bound_passes_and_one_past_it_fails() {
    let (full, one) = (Value::List(&FULL), Value::String("one"));
    let commas = ",".repeat(LIST_VALUES_MAX);
    assert_eq!(code("concat", &[full]), None);
    assert_eq!(code("concat", &[full, one]), Some(Code::M190));
    assert_eq!(code("flatten", &[Value::List(&[full, one])]), Some(Code::M190));
    assert_eq!(code("split", &[Value::String(&commas[1..]), Value::String(",")]), None);
    assert_eq!(code("split", &[Value::String(&commas), Value::String(",")]), Some(Code::M190));
    assert_eq!(code("find_all", &[Value::String(&LONG), Value::Regex(&REGEX)]), Some(Code::M190));
    assert_eq!(code("rdns", &[Value::String(&"OU=a,".repeat(20_001)[..100_004]), Value::String("OU")]), Some(Code::M190));
    let json = format!("[{}1]", "1,".repeat(LIST_VALUES_MAX));
    assert_eq!(code("json_parse", &[Value::String(&json)]), Some(Code::M190));
    assert_eq!(code("json_parse", &[Value::String(&"[".repeat(40_000))]), Some(Code::M190));
}

/// The hot path: text that needs no change is the text that was given.
#[test]
fn unchanged_text_is_borrowed_and_leaves_the_arena_alone() {
    let arena = Bump::new();
    let name = "CN=APP-Wiki,OU=Apps,DC=corp,DC=example";
    for (function, arguments) in [
        ("lower", vec!["ann@corp.example"]),
        ("trim", vec![" ann "]),
        ("ascii", vec!["Ann"]),
        ("nfc", vec!["Zoë"]),
        ("replace", vec!["abc", "x", "y"]),
        ("strip_spaces", vec!["abc"]),
        ("rdn", vec![name, "CN"]),
        ("under", vec![name, "ou=apps, dc=corp, dc=example"]),
        ("under", vec!["CN=Zoë,OU=Äpps,DC=x", "ou=äPPS,dc=x"]),
        ("dn_equal", vec![name, "cn=app-wiki,ou=apps,dc=corp,dc=example"]),
        ("parent", vec![name]),
        ("same", vec!["Ann", "aNN"]),
    ] {
        let arguments: Vec<Value<'_>> = arguments.into_iter().map(Value::String).collect();
        call(&arena, function, &arguments).unwrap();
        assert_eq!(arena.allocated_bytes(), 0, "{function} allocated");
    }
}

#[test]
fn escaped_names_read_as_rfc_4514_has_it() {
    let arena = Bump::new();
    for (name, kind, value) in [
        (r"CN=Lee\, Ann,OU=x", "CN", "Lee, Ann"),
        (r"CN=Lee\2C Ann,OU=x", "CN", "Lee, Ann"),
        (r"CN=Lu\C4\8Di\C4\87", "CN", "Lučić"),
        (r"CN=\ a\ ,OU=x", "CN", " a "),
        (r"CN=\\,OU=x", "OU", "x"),
        (r"CN=a\+b+UID=7,OU=x", "uid", "7"),
        ("1.3.6.1.4.1.1466.0=#04024869", "1.3.6.1.4.1.1466.0", "Hi"),
        ("2.5.4.3=Ann", "cn", "Ann"),
        ("commonName=Ann", "CN", "Ann"),
        (" CN = Ann , OU=x", "CN", "Ann"),
    ] {
        assert_eq!(text_of(&arena, "rdn", &[name, kind]), value, "{name}");
    }
    for name in ["Ann", "=x", r"CN=a\", r"CN=\zz", "C N=a", ""] {
        assert_eq!(call(&arena, "rdn", &[Value::String(name)]), Ok(Value::Absent), "{name}");
        assert_eq!(call(&arena, "dn_equal", &[Value::String(name), Value::String("CN=a")]), Ok(Value::Bool(false)));
    }
}

#[test]
fn a_certificate_says_whose_it_is() {
    let arena = Bump::new();
    let bytes = include_bytes!("testdata/person.der");
    let pem = include_bytes!("testdata/person.pem");
    for (field, value) in [
        ("subject.CN", "Lee, Ann"),
        ("subject.emailAddress", "ann@corp.example"),
        ("subject.OU", "Staff"),
        ("issuer.CN", "Lee, Ann"),
        ("subject", r"emailAddress=ann@corp.example,CN=Lee\, Ann,OU=Staff,O=Müller,C=DE"),
        ("serial", "0abc"),
        ("not_before", "2026-01-01T00:00:00Z"),
        ("not_after", "2051-01-01T00:00:00Z"),
        ("san.email", "lee@corp.example"),
        ("san.dns", "corp.example"),
    ] {
        for form in [&bytes[..], &pem[..]] {
            assert_eq!(
                call(&arena, "cert_field", &[Value::Binary(form), Value::String(field)]),
                Ok(Value::String(value)),
                "{field}"
            );
        }
    }
    assert_eq!(call(&arena, "cert_field", &[Value::Binary(bytes), Value::String("subject.UID")]), Ok(Value::Absent));
    assert_eq!(code("cert_field", &[Value::Binary(bytes), Value::String("colour")]), Some(Code::M101));
    for end in 0..bytes.len() {
        let _ = call(&arena, "cert_field", &[Value::Binary(&bytes[..end]), Value::String("san.email")]);
    }
}

#[test]
fn hmac_is_that_of_rfc_2104() {
    let arena = Bump::new();
    let given = call(&arena, "hmac", &[Value::String("pairwise"), Value::String("sector|user")]).unwrap();
    let hex = call(&arena, "hex", &[given]).unwrap();
    // openssl dgst -sha256 -hmac "pairwise secret"
    assert_eq!(hex, Value::String("1a83c635bb165c4b36a189154f373068896adef93b909807747c9d5555a824f3"));
}

proptest! {
    #[test]
    fn cutting_agrees_with_characters(text in "\\PC{0,20}", from in -25_i64..25, to in -25_i64..25) {
        let arena = Bump::new();
        let letters: Vec<char> = text.chars().collect();
        let length = i64::try_from(letters.len()).unwrap();
        let at = |place: i64| usize::try_from(if place < 0 { place + length } else { place }.clamp(0, length)).unwrap();
        let slice: String = letters.get(at(from)..at(to)).unwrap_or_default().iter().collect();
        let given = call(&arena, "slice", &[Value::String(&text), Value::Int(from), Value::Int(to)]);
        prop_assert_eq!(given, Ok(Value::String(&slice)));
        let count = usize::try_from(from.clamp(0, length)).unwrap();
        let left: String = letters[..count].iter().collect();
        prop_assert_eq!(call(&arena, "left", &[Value::String(&text), Value::Int(from)]), Ok(Value::String(&left)));
        let right: String = letters[letters.len() - count..].iter().collect();
        prop_assert_eq!(call(&arena, "right", &[Value::String(&text), Value::Int(from)]), Ok(Value::String(&right)));
    }

    #[test]
    fn ascii_and_slug_give_ascii(text in any::<String>()) {
        let arena = Bump::new();
        prop_assert!(text_of(&arena, "ascii", &[&text]).is_ascii());
        if let Ok(Value::String(slug)) = call(&arena, "slug", &[Value::String(&text)]) {
            prop_assert!(slug.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
        }
    }

    #[test]
    fn lower_case_is_that_of_the_standard_library(text in any::<String>()) {
        let arena = Bump::new();
        prop_assert_eq!(text_of(&arena, "lower", &[&text]), text.to_lowercase());
    }

    #[test]
    fn the_value_of_an_escaped_rdn_comes_back(value in "\\PC{1,20}") {
        let arena = Bump::new();
        let context = super::testing::context(&arena);
        let mut escaped = super::build::TextBuilder::new(&context);
        super::dn::parse::push_escaped(&mut escaped, &value);
        let name = format!("CN={},OU=x", escaped.as_str());
        prop_assert_eq!(text_of(&arena, "rdn", &[&name]), value.as_str());
        prop_assert_eq!(text_of(&arena, "parent", &[&name]), "OU=x");
        let canonical = text_of(&arena, "dn_canonical", &[&name]);
        prop_assert_eq!(call(&arena, "dn_equal", &[Value::String(&name), Value::String(canonical)]), Ok(Value::Bool(true)));
        prop_assert_eq!(text_of(&arena, "dn_canonical", &[canonical]), canonical);
    }

    #[test]
    fn text_forms_of_bytes_are_undone(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let arena = Bump::new();
        for (there, back) in [("base64", "unbase64"), ("base64url", "unbase64"), ("hex", "unhex")] {
            let text = call(&arena, there, &[Value::Binary(&bytes)]).unwrap();
            prop_assert_eq!(call(&arena, back, &[text]), Ok(Value::Binary(&bytes)));
        }
    }

    #[test]
    fn guids_are_undone(bytes in any::<[u8; 16]>()) {
        let arena = Bump::new();
        let text = call(&arena, "guid", &[Value::Binary(&bytes)]).unwrap();
        prop_assert_eq!(call(&arena, "guid_bytes", &[text]), Ok(Value::Binary(&bytes)));
    }

    #[test]
    fn times_are_undone(seconds in -60_000_000_000_i64..250_000_000_000) {
        let arena = Bump::new();
        let instant = Value::DateTime(Timestamp::from_second(seconds).unwrap());
        for (there, back) in [("to_filetime", "filetime"), ("to_unix", "unix")] {
            let form = call(&arena, there, &[instant]).unwrap();
            prop_assert_eq!(call(&arena, back, &[form]), Ok(instant), "{}", there);
        }
        for pattern in ["yyyy-MM-dd'T'HH:mm:sszzz", "EEEE, d. MMMM yyyy h:mm:ss tt", "yyyy DDD HHmmss X", "ddd MM/dd/yyyy HH.mm.ss.fff K"] {
            if seconds > -60_000_000_000 / 2 {
                let text = call(&arena, "format_date", &[instant, Value::String(pattern)]).unwrap();
                prop_assert_eq!(call(&arena, "datetime", &[text, Value::String(pattern)]), Ok(instant), "{}", pattern);
            }
        }
    }

    #[test]
    fn json_is_undone(text in any::<String>(), number in any::<i64>()) {
        let arena = Bump::new();
        let members = [(text.as_str(), Value::Int(number)), ("list", Value::List(&[Value::Bool(true), Value::Null]))];
        let record = Value::Record(&members);
        let json = call(&arena, "json_text", &[record]).unwrap();
        if text != "list" {
            prop_assert_eq!(call(&arena, "json_parse", &[json]), Ok(record));
        }
    }

    #[test]
    fn unique_keeps_the_first_of_each(items in proptest::collection::vec(0_i64..30, 0..60)) {
        let arena = Bump::new();
        let mut expected = Vec::new();
        for item in items.iter().map(|item| Value::Int(*item)) {
            if !expected.contains(&item) {
                expected.push(item);
            }
        }
        let items: Vec<_> = items.into_iter().map(Value::Int).collect();
        prop_assert_eq!(call(&arena, "unique", &[Value::List(&items)]), Ok(Value::List(&expected)));
    }

    #[test]
    fn random_strings_keep_their_promises(length in 8_i64..60, digits in 0_i64..4, special in 0_i64..4) {
        let arena = Bump::new();
        let avoid = Value::String("0O1lI");
        let given = call(&arena, "random_string", &[Value::Int(length), Value::Int(digits), Value::Int(special), Value::Absent, Value::Absent, avoid]);
        let Ok(Value::String(text)) = given else { return Err(TestCaseError::fail(format!("{given:?}"))) };
        let count = |is: fn(&u8) -> bool| i64::try_from(text.bytes().filter(is).count()).unwrap();
        prop_assert_eq!(count(|_| true), length);
        prop_assert!(count(u8::is_ascii_digit) >= digits);
        prop_assert!(count(u8::is_ascii_punctuation) >= special);
        prop_assert!(!text.contains(['0', 'O', '1', 'l', 'I']));
    }

    #[test]
    fn telephone_numbers_are_e164_or_refused(text in "[+()0-9 /.x-]{0,20}", country in "[A-Z]{2}") {
        let arena = Bump::new();
        if let Ok(Value::String(number)) = call(&arena, "e164", &[Value::String(&text), Value::String(&country)]) {
            prop_assert!(number.starts_with('+') && number[1..].bytes().all(|byte| byte.is_ascii_digit()));
            prop_assert!((5..=16).contains(&number.len()));
            prop_assert_eq!(text_of(&arena, "e164", &[number]), number);
        }
    }
}
