//! The connector's contract, point by point (mapping reference §10).

use super::*;
use crate::mapping::{Absent, compile};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const DEFAULT: &str = include_str!("../../../../fixtures/auth0/profileMapper.js");

/// The pair of `reference/ldap.md`: bytes and text of one GUID.
const GUID_BYTES: [u8; 16] = [0xc9, 0x33, 0x13, 0x86, 0x12, 0xe7, 0xdd, 0x41, 0x8c, 0x9b, 0x23, 0xca, 0x9f, 0xb0, 0x98, 0xb3];
const GUID_TEXT: &str = "861333c9-e712-41dd-8c9b-23ca9fb098b3";

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[test]
fn the_default_mapper_fills_the_seven_targets_and_hands_the_rest_on() {
    let mapped = mapped(
        DEFAULT,
        json!({
            "dn": "CN=Anna Berg,OU=Sales,DC=corp,DC=example", "objectGUID": base64(&GUID_BYTES), "displayName": "Anna Berg",
            "sn": "Berg", "givenName": "Anna", "sAMAccountName": "aberg", "mail": "anna@corp.example", "department": "Sales",
            "telephoneNumber": ["1", "2"], "groups": ["Staff", "Sales"],
        }),
    );
    let text: Value = serde_json::from_str(&mapped.to_text(None)).expect("JSON");
    let dn = "CN=Anna Berg,OU=Sales,DC=corp,DC=example";
    assert_eq!(
        text,
        json!({
            "user_id": GUID_TEXT, "name": "Anna Berg", "family_name": "Berg", "given_name": "Anna", "nickname": "aberg",
            "groups": ["Staff", "Sales"], "email": "anna@corp.example", "dn": dn, "telephoneNumber": ["1", "2"],
            "department": "Sales", "sAMAccountName": "aberg", "organizationUnits": dn,
        })
    );
}

#[test]
fn one_value_is_a_string_several_are_an_array_and_none_is_an_empty_array() {
    let raw = json!({"one": ["a"], "two": ["a", "b"], "none": []});
    assert_eq!(it("[raw_data.one, raw_data.two, raw_data.none]", raw.clone()), json!(["a", ["a", "b"], []]));
    // The trap: an empty array is true, so the next candidate is not asked.
    assert_eq!(it("raw_data.none || raw_data.one", raw.clone()), json!([]));
    assert_eq!(it("typeof raw_data.missing", raw), "undefined");
}

#[test]
fn dn_is_text_controls_a_list_and_both_come_first() {
    let raw = json!({"cn": "a", "dn": "cn=a", "controls": [{"type": "1.2.3"}]});
    assert_eq!(it("raw_data.controls[0].type", raw.clone()), "1.2.3");
    assert_eq!(it("Object.keys(raw_data)", raw), json!(["dn", "controls", "cn", "groups", "organizationUnits"]));
    assert_eq!(it("raw_data.controls", json!({"dn": "cn=a"})), json!([]));
}

#[test]
fn object_guid_is_dashed_little_endian_and_lower_case() {
    assert_eq!(it("raw_data.objectGUID", json!({"objectGUID": base64(&GUID_BYTES)})), GUID_TEXT);
    assert_eq!(it("raw_data.objectGUID", json!({"objectGUID": GUID_TEXT})), GUID_TEXT);
}

#[test]
fn object_sid_is_text_with_its_sub_authorities() {
    let sid = [1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 255, 255, 255, 255, 0xf4, 1, 0, 0];
    assert_eq!(it("raw_data.objectSid", json!({"objectSid": base64(&sid)})), "S-1-5-21-1-2-4294967295-500");
    // Cut short, it is no SID: a lossy string like any other binary.
    assert_eq!(it("typeof raw_data.objectSid", json!({"objectSid": base64(&sid[..27])})), "string");
}

#[test]
fn thumbnail_photo_is_a_buffer() {
    let photo = [0xff, 0xd8, 0xfb, 0x00, b'A'];
    let raw = json!({"thumbnailPhoto": base64(&photo)});
    let told = "[raw_data.thumbnailPhoto].map(function (p) { return [p.toString('base64'), p.toString('hex'), p.length, p[1], \
                Buffer.isBuffer(p), p.toString('latin1').length] })[0]";
    assert_eq!(it(told, raw.clone()), json!([base64(&photo), "ffd8fb0041", 5, 0xd8, true, 5]));
    assert_eq!(it("raw_data.thumbnailPhoto", raw.clone()), json!({"type": "Buffer", "data": photo}));
    let two = json!({"thumbnailPhoto": [base64(&photo), base64(b"x")]});
    assert_eq!(it("raw_data.thumbnailPhoto.map(function (p) { return p.length })", two), json!([5, 1]));
    assert_eq!(it("raw_data.thumbnailPhoto", json!({"thumbnailPhoto": []})), json!([]));
}

#[test]
fn a_buffer_reads_utf8_like_the_lossy_strings_of_other_binaries() {
    for bytes in [
        &b"plain"[..],
        "gr\u{fc}\u{df} \u{20ac} \u{1f600}".as_bytes(),
        &[0xff, 0xd8, 0xe0, 0xa0, b'x'],
        &[0xf0, 0x9f, 0x98, b'!', 0xed, 0xa0, 0x80, 0xc0, 0xaf, 0xf4, 0x90, 0x80, 0x80, 0xe2, 0x82],
    ] {
        let raw = json!({"thumbnailPhoto": base64(bytes), "jpegPhoto": base64(bytes)});
        let lossy = String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(it("[raw_data.thumbnailPhoto.toString(), raw_data.jpegPhoto]", raw), json!([lossy, lossy]));
    }
}

#[test]
fn a_mapper_can_make_buffers_of_texts() {
    let all = "[Buffer.from('gr\u{fc}n').toString('hex'), Buffer.from('Z3I', 'base64').toString(), Buffer.from('_-8', 'base64url').length, \
               new Buffer('ff41', 'hex').toString('base64'), Buffer.from('\\u00ff', 'binary').length]";
    assert_eq!(it(all, json!({})), json!(["6772c3bc6e", "gr", 2, "/0E=", 1]));
}

#[test]
fn groups_are_names_or_records_and_absent_when_they_are_off() {
    assert_eq!(it("raw_data.groups", json!({"groups": ["a", "b"]})), json!(["a", "b"]));
    assert_eq!(it("raw_data.groups", json!({"groups": [{"cn": "a", "dn": "cn=a"}]})), json!([{"cn": "a", "dn": "cn=a"}]));
    assert_eq!(it("raw_data.groups", json!({"groups": ["one"]})), json!(["one"]));
    assert_eq!(it("typeof raw_data.groups", json!({"dn": "cn=a"})), "undefined");
}

#[test]
fn organization_units_are_the_dn_text_whenever_there_is_a_dn() {
    assert_eq!(it("raw_data.organizationUnits", json!({"dn": "cn=a,ou=b"})), "cn=a,ou=b");
    assert_eq!(it("typeof raw_data.organizationUnits", json!({"dn": ""})), "undefined");
}

#[test]
fn ldap_status_is_there_on_login_only() {
    assert_eq!(it("raw_data.ldapStatus", json!({"ldapStatus": "active"})), "active");
    assert_eq!(it("'ldapStatus' in raw_data", json!({})), false);
}

#[test]
fn a_function_with_one_parameter_returns_the_profile() {
    let mapped = mapped("module.exports = function (raw) { return { id: raw.uid }; }", json!({"uid": "anna"}));
    assert_eq!(given(&mapped, "user_id"), &Given::Value("anna".into()));
}

#[test]
fn a_function_with_any_other_number_of_parameters_is_given_a_callback() {
    for (parameters, first) in [
        ("raw, cb", ""),
        ("raw, cb, more", ""),
        ("...args", "var raw = args[0], cb = args[1];"),
        ("", "var raw = arguments[0], cb = arguments[1];"),
    ] {
        let text = format!("module.exports = function ({parameters}) {{ {first} cb(null, {{ id: raw.uid }}); cb(null, {{}}); }}");
        let mapped = mapped(&text, json!({"uid": "anna"}));
        assert_eq!(given(&mapped, "user_id"), &Given::Value("anna".into()), "{parameters}");
    }
}

#[test]
fn a_callback_may_be_called_from_a_promise() {
    let text = "module.exports = (raw, cb) => { Promise.resolve(raw.uid).then(async (id) => cb(null, { id: await id })); }";
    assert_eq!(given(&mapped(text, json!({"uid": "anna"})), "user_id"), &Given::Value("anna".into()));
}

#[test]
fn what_a_callback_is_given_as_error_rejects_the_entry() {
    let text = "module.exports = function (raw, cb) { cb(new Error('no mail')); }";
    assert_eq!(failure(text).to_string(), "no mail (profileMapper.js:1:46)");
    assert_eq!(failure("module.exports = (raw, cb) => cb('no mail')").to_string(), "no mail");
}

#[test]
fn a_callback_that_is_never_called_rejects_the_entry() {
    assert_eq!(failure("module.exports = function (raw, cb) { return {}; }"), Failure::NoAnswer);
}

#[test]
fn what_is_not_an_object_is_not_a_profile() {
    for (value, kind) in [("undefined", "undefined"), ("null", "null"), ("[]", "an array"), ("'x'", "string")] {
        let text = format!("module.exports = function (raw) {{ return {value}; }}");
        assert_eq!(failure(&text), Failure::NoProfile { kind: kind.to_owned() });
    }
    assert_eq!(failure("module.exports = async (raw) => ({})"), Failure::NoProfile { kind: "a promise".to_owned() });
}

#[test]
fn an_exception_is_an_error_with_message_and_line() {
    let failed = failure("module.exports = function (raw) {\n  var mail;\n  return mail.toLowerCase();\n}");
    assert_eq!(failed.line(), Some(3));
    assert!(failed.to_string().contains("of undefined (profileMapper.js:3:"), "{failed}");
    assert_eq!(failure("module.exports = function (raw) { throw 'plain'; }").to_string(), "plain");
    assert_eq!(failure("module.exports = function (raw) { throw {}; }").to_string(), "an object that is no Error");
    assert_eq!(failure("module.exports = function (raw) { throw { message: {} }; }").to_string(), "an object that is no Error");
}

#[test]
fn a_script_that_fails_rejects_its_entry_and_no_other() {
    let mapping = load("module.exports = function (raw) {\n  return { id: raw.uid.toLowerCase() };\n};");
    let rejected = map(&mapping, json!({"dn": "cn=x"}));
    let (rule, given_by_rule) = &rejected.given[0];
    assert!(rule.required && rule.line == 2, "{rule:?}");
    assert!(matches!(given_by_rule, Given::Error(reason) if reason.contains("profileMapper.js:2:")), "{given_by_rule:?}");
    let next = map(&mapping, json!({"uid": "Anna"}));
    assert_eq!(given(&next, "user_id"), &Given::Value("anna".into()));
}

#[test]
fn an_entry_that_is_none_is_rejected_by_the_attribute_s_name() {
    let mapping = load(DEFAULT);
    let rejected = map(&mapping, json!({"mail": {"value": "a@x"}}));
    let reason = "attribute `mail` holds an object; an entry has texts and lists of texts";
    assert_eq!(rejected.given[0].1, Given::Error(reason.to_owned()));
}

#[test]
fn a_syntax_error_at_load_names_file_line_and_column() {
    let refused = |text| load_in(sandbox(), text).err().expect("no mapping").to_string();
    assert!(refused("var a = 1;\nmodule.exports = = 2;").ends_with(" (profileMapper.js:2:18)"));
    assert!(refused("var = 1;").ends_with(" (profileMapper.js:1:5)"), "{}", refused("var = 1;"));
}

#[test]
fn what_does_not_export_a_function_is_refused_at_load() {
    let refused = |text| load_in(sandbox(), text).err().expect("no mapping");
    assert_eq!(refused("var a = 1;"), Failure::NoMapper { kind: "object".to_owned() });
    assert_eq!(refused("throw new Error('no')").to_string(), "no (profileMapper.js:1:11)");
    assert_eq!(refused("module.exports = f;\0"), Failure::NotText);
}

#[test]
fn a_script_runs_in_sloppy_mode_like_any_common_js_module() {
    let text = "\u{feff}implicit = 012; exports = null; module.exports = function (raw) { return { it: [implicit, this === undefined] } }";
    assert_eq!(mapped(text, json!({})).extras["it"], json!([10, false]));
}

#[test]
fn targets_take_the_first_of_several_values_and_a_note_says_so() {
    let run = run(DEFAULT, json!({"mail": ["a@x.example", "b@x.example"], "displayName": ["A", "B"], "sn": []}));
    let mapped = run.outcome.expect("a profile");
    assert_eq!(given(&mapped, "email"), &Given::Value("a@x.example".into()));
    assert_eq!(given(&mapped, "name"), &Given::Value("A".into()));
    assert_eq!(given(&mapped, "family_name"), &Given::Absent);
    assert_eq!(
        run.notes,
        ["`displayName` has 2 values: the first is taken", "`emails[0].value` has 2 values: the first is taken"]
    );
}

#[test]
fn a_value_of_the_wrong_kind_is_an_error_of_that_target_alone() {
    let text =
        "module.exports = function (raw) { return { id: 1, displayName: 'Anna', nickname: {}, groups: [1], emails: 'a@x' } }";
    let mapped = mapped(text, json!({}));
    let errors: Vec<&str> =
        mapped.given.iter().filter(|(_, given)| matches!(given, Given::Error(_))).map(|(rule, _)| &*rule.target).collect();
    assert_eq!(errors, ["user_id", "nickname", "groups", "email"]);
    assert_eq!(given(&mapped, "name"), &Given::Value("Anna".into()));
}

#[test]
fn a_bad_address_is_an_error_and_an_absent_one_takes_none_away() {
    assert_eq!(given(&mapped(DEFAULT, json!({"mail": "nobody"})), "email"), &Given::Error("not an e-mail address".into()));
    let none = mapped(DEFAULT, json!({}));
    let (rule, given) = none.given.iter().find(|(rule, _)| &*rule.target == "email").expect("email");
    assert_eq!((rule.absent, given), (Absent::Keep, &Given::Absent));
}

#[test]
fn every_other_member_is_an_extra_and_never_passes_for_a_target() {
    let text = "module.exports = function (raw) { return { id: 'a', email: 'claimed@x', user_id: 'b', name: { middleName: 'M' }, \
                emails: [{ value: 'a@x', type: 'work' }], email_verified: true, when: new Date(0), gone: undefined } }";
    let run = run(text, json!({}));
    let extras = Value::Object(run.outcome.expect("a profile").extras);
    assert_eq!(
        extras,
        json!({"name.middleName": "M", "emails": [{"value": "a@x", "type": "work"}], "email_verified": true,
               "when": "1970-01-01T00:00:00.000Z"})
    );
    assert_eq!(run.notes.len(), 2);
}

#[test]
fn a_character_cut_in_half_becomes_a_replacement_character() {
    let text = "module.exports = function (raw) { return { displayName: raw.cn.slice(0, 2), it: 'a\\\\ud83d\\n' } }";
    let mapped = mapped(text, json!({"cn": "x\u{1f600}"}));
    assert_eq!(given(&mapped, "name"), &Given::Value("x\u{fffd}".into()));
    assert_eq!(mapped.extras["it"], "a\\ud83d\n");
}

#[test]
fn the_console_goes_to_the_trace() {
    let run = run(
        "module.exports = function (raw) { console.log('a', 1, {b: [raw.cn]}); console.warn(undefined); return {}; }",
        json!({"cn": "x"}),
    );
    assert_eq!(run.trace, "a 1 {\"b\":[\"x\"]}\nundefined\n");
}

#[test]
fn name_version_text_and_line_are_those_of_the_published_script() {
    let mapping = load(DEFAULT);
    assert_eq!((mapping.name(), mapping.version(), mapping.text().as_str()), ("ad", 7, DEFAULT));
    let line = map(&mapping, json!({})).given[0].0.line as usize;
    assert!(DEFAULT.lines().nth(line - 1).expect("a line").starts_with("module.exports"));
}

#[test]
fn a_published_script_is_compiled_to_a_mapping_and_a_broken_one_to_a_reason() {
    let mapping = compile(&published(DEFAULT)).expect("a mapping");
    let payload = object(json!({"displayName": "Anna"}));
    let mapped = mapping.map(&Input { payload: &payload, stored: None, now: NOW, seed: [0; 32] });
    assert_eq!(given(&mapped, "name"), &Given::Value("Anna".into()));
    let reason = compile(&published("module.exports = {};")).err().expect("no mapping");
    assert!(reason.starts_with("module.exports is object, not a function"), "{reason}");
}
