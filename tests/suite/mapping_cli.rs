//! `rosterd mapping …` end to end: the built program on files and a database of its own.

use crate::support::binary::Sandbox;
use crate::support::postgres::cluster;
use crate::support::rows::Database;
use crate::support::stores::TestStore;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};

const ACME: &str = "\
mapping acme from ldap to profile
attrs { memberOf: dn list, employeeNumber: string sensitive }
skip when \"computer\" in $objectClass[*] because \"computer {$cn?}\"
user_id    = \"{$entryUUID}\" with create, required
email      = lower($mail)
name       = $displayName ?? \"{$givenName} {$sn}\"
picture    = $labeledURI with if_empty
groups     = [ g.rdn(\"CN\") for g in $memberOf[*] if g.under(\"OU=Apps,DC=x\") ]
app_metadata.number = $employeeNumber with sensitive
test \"a person\" {
  given { entryUUID: \"1\", mail: \"Ann@X.example\", givenName: \"Ann\", sn: \"Lee\" }
  expect { user_id: \"1\", email: \"ann@x.example\", name: \"Ann Lee\" }
}
test \"a computer\" { given { objectClass: \"computer\", cn: \"PC1\" } expect skip \"computer PC1\" }
";

const ENTRIES: &str = "\
version: 1

dn: CN=Ann,DC=x
objectClass: person
entryUUID: 1
mail: Ann@X.example
givenName: Ann
sn: Lee
memberOf: CN=Wiki,OU=Apps,DC=x
memberOf: CN=Staff,OU=Lists,DC=x
employeeNumber: 4711
badPwdCount: 3

dn: CN=PC1,DC=x
objectClass: computer
cn: PC1
";

/// A folder with the mapping and the entries above.
fn folder() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("acme.mapping", ACME);
    sandbox.write("entries.ldif", ENTRIES);
    sandbox
}

/// A bootstrapped gateway with the mapping as a draft.
fn gateway() -> Sandbox {
    let (sandbox, _) = Sandbox::bootstrapped();
    std::fs::create_dir(sandbox.path().join("mappings")).expect("a folder");
    sandbox.write("mappings/acme.mapping", ACME);
    sandbox
}

// --- check ------------------------------------------------------------------------------------------------------

#[test]
fn a_sound_mapping_is_counted_and_a_broken_one_is_shown_at_its_place() {
    let sandbox = folder();
    let sound = sandbox.run("mapping check acme.mapping");
    assert_eq!((sound.code, sound.out.as_str()), (0, "checked 1 mapping: 0 errors, 0 warnings\n"));
    sandbox.write("broken.mapping", &ACME.replace("$mail", "$mial").replace("mapping acme", "mapping broken"));
    let broken = sandbox.run("mapping check broken.mapping");
    assert_eq!(broken.code, 1);
    assert!(broken.out.starts_with("error[M003]: unknown source attribute `mial`\n"), "{broken:?}");
    assert!(broken.out.contains("--> broken.mapping:5:20") && broken.out.contains("did you mean `mail`?"), "{broken:?}");
    assert!(broken.out.ends_with("checked 1 mapping: 1 error, 0 warnings\n"), "{broken:?}");
}

#[test]
fn colour_is_for_terminals_and_for_those_who_ask() {
    let sandbox = folder();
    sandbox.write("broken.mapping", "mapping broken from ldap to profile\nname = $x_y\n");
    assert!(!sandbox.run("mapping check broken.mapping").out.contains('\u{1b}'));
    assert!(sandbox.run("mapping check broken.mapping --color always").out.contains('\u{1b}'));
}

#[test]
fn lints_fail_only_when_that_is_asked_for() {
    let sandbox = folder();
    sandbox.write("lint.mapping", "mapping lint from ldap to profile\nemail = $mail\nemail_verified = true\n");
    assert_eq!(sandbox.run("mapping check lint.mapping").code, 0);
    assert_eq!(sandbox.run("mapping check lint.mapping --deny-warnings").code, 1);
    let reports = sandbox.run("mapping check lint.mapping --json").json();
    let found = &reports[0]["diagnostics"][0];
    assert_eq!((&reports[0]["file"], &reports[0]["warnings"]), (&json!("lint.mapping"), &json!(1)));
    assert_eq!((&found["code"], &found["severity"], &found["line"]), (&json!("L09"), &json!("warning"), &json!(3)));
}

#[test]
fn a_header_with_another_name_than_its_file_is_warned_of() {
    let sandbox = folder();
    sandbox.write("copy.mapping", ACME);
    let checked = sandbox.run("mapping check copy.mapping");
    assert!(checked.code == 0 && checked.out.contains("warning[L17]: the file is called `copy`"), "{checked:?}");
    assert!(checked.out.contains("--> copy.mapping:1:9") && checked.out.contains("write `mapping copy …`"), "{checked:?}");
    assert_eq!(sandbox.run("mapping check copy.mapping --deny-warnings").code, 1);
}

#[test]
fn a_folder_is_all_its_mappings_and_without_words_mappings_dir_is_meant() {
    let sandbox = gateway();
    sandbox.write("mappings/profileMapper.js", "module.exports = function (raw) { return { id: raw.objectGUID }; };");
    assert!(sandbox.run("mapping check").out.contains("checked 2 mappings"));
    sandbox.write("mappings/broken.js", "module.exports = function (");
    let broken = sandbox.run("mapping check mappings");
    assert!(broken.code == 1 && broken.out.contains("error: mappings/broken.js: "), "{broken:?}");
}

#[test]
fn a_path_that_makes_no_sense_is_named_with_a_way_out() {
    let sandbox = folder();
    std::fs::create_dir(sandbox.path().join("empty")).expect("a folder");
    let refusal = |line: &str| sandbox.run(line).refusal().to_owned();
    assert!(refusal("mapping check acm.mapping").contains("there is no acm.mapping; did you mean acme.mapping?"));
    assert!(refusal("mapping check empty").contains("empty holds no .mapping and no .js file"));
    assert!(refusal("mapping check").contains("mappings.dir is mappings"));
    assert!(refusal("mapping check entries.ldif").contains("entries.ldif is no mapping"));
}

#[test]
fn a_file_that_is_no_text_does_not_hide_the_others() {
    let sandbox = folder();
    std::fs::write(sandbox.path().join("latin.mapping"), b"# caf\xe9\n").expect("written");
    sandbox.write("large.mapping", &"#\n".repeat(200_000));
    let checked = sandbox.run("mapping check latin.mapping large.mapping acme.mapping");
    assert_eq!(checked.code, 1);
    assert!(checked.out.contains("latin.mapping: the file is not UTF-8: byte 0xe9 at offset 5"), "{checked:?}");
    assert!(checked.out.contains("large.mapping is larger than 262144 bytes"), "{checked:?}");
    assert!(checked.out.ends_with("checked 3 mappings: 2 errors, 0 warnings\n"), "{checked:?}");
}

#[test]
fn what_is_included_lies_below_the_mapping() {
    let sandbox = folder();
    sandbox.write("own.mapping", "mapping own from ldap to profile\nuse \"acme.mapping\"\noverride name = $cn\n");
    assert_eq!(sandbox.run("mapping check own.mapping").code, 0);
    sandbox.write("up.mapping", "mapping up from ldap to profile\nuse \"../acme.mapping\"\nname = $cn\n");
    assert!(sandbox.run("mapping check up.mapping").out.contains("error[M016]"));
}

// --- test -------------------------------------------------------------------------------------------------------

#[test]
fn tests_run_and_say_which_rules_nobody_tests() {
    let run = folder().run("mapping test acme.mapping");
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("  ok      a person\n") && run.out.contains("  3 of 6 rules tested\n"), "{run:?}");
    assert!(run.out.contains("L07 line 7: no test expects anything of `picture`"), "{run:?}");
    assert!(run.out.ends_with("2 passed, 0 failed\n"), "{run:?}");
}

#[test]
fn a_test_that_fails_shows_what_was_expected_and_what_came() {
    let sandbox = folder();
    sandbox.write("acme.mapping", &ACME.replace("name: \"Ann Lee\"", "name: \"Lee, Ann\""));
    let run = sandbox.run("mapping test acme.mapping");
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.out.contains("  FAILED  a person\n"), "{run:?}");
    assert!(run.out.contains("name  expected \"Lee, Ann\"  (line 12)"), "{run:?}");
    assert!(run.out.contains("actual   \"Ann Lee\""), "{run:?}");
    let run = sandbox.run("mapping test acme.mapping --json");
    let object: Value = serde_json::from_str(&run.out).expect("JSON");
    assert_eq!(object[0]["tests"][0]["passed"], false);
    assert_eq!(object[0]["tests"][0]["mismatches"][0]["what"], "name");
    assert_eq!((&object[0]["rules"], &object[0]["tests"][1]["passed"]), (&json!(6), &json!(true)));
}

#[test]
fn a_mapping_that_does_not_compile_fails_its_tests() {
    let sandbox = folder();
    sandbox.write("acme.mapping", &ACME.replace("lower(", "lowre("));
    let run = sandbox.run("mapping test acme.mapping");
    assert!(run.code == 1 && run.out.contains("error[M005]") && run.out.contains("1 mapping not compiled"), "{run:?}");
}

// --- try --------------------------------------------------------------------------------------------------------

#[test]
fn a_trial_tells_where_each_value_comes_from() {
    let tried = folder().run("mapping try acme.mapping --input entries.ldif");
    assert_eq!(tried.code, 0, "{tried:?}");
    let line = |target: &str| {
        let found = tried.out.lines().find(|line| line.starts_with(&format!("{target} "))).expect("the rule");
        found.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("email"), "email \"ann@x.example\" line 5 lower($mail) ← mail[0]=\"Ann@X.example\" always");
    let name = line("name");
    assert!(name.starts_with("name \"Ann Lee\" line 6 $displayName absent → \"{$givenName} {$sn}\" ← "), "{name}");
    assert!(tried.out.contains("1 of 2 memberOf values kept"), "{tried:?}");
    assert!(tried.out.contains("unused source attributes: badPwdCount\n"), "{tried:?}");
    assert!(tried.out.contains("--- line 14: CN=PC1,DC=x\nskip  line 3: computer PC1\n"), "{tried:?}");
    assert!(line("app_metadata.number").contains("‹redacted›") && !tried.out.contains("4711"), "{tried:?}");
}

#[test]
fn a_trial_beside_a_stored_profile_tells_what_would_become_of_it() {
    let sandbox = folder();
    let stored = json!({"email": "a@old.example", "name": "Ann Lee", "picture": "p", "app_metadata": {"number": "0815"}});
    sandbox.write("user.json", &stored.to_string());
    let tried = sandbox.run("mapping try acme.mapping --input entries.ldif --existing user.json --json").json();
    let effect = |target: &str| {
        let rules = tried[0]["rules"].as_array().expect("rules");
        rules.iter().find(|rule| rule["target"] == target).expect("the rule")["effect"].clone()
    };
    assert_eq!(effect("email"), "changed (was \"a@old.example\")");
    assert_eq!(effect("name"), "same");
    assert_eq!(effect("picture"), "kept by if_empty (was \"p\")");
    assert_eq!(effect("app_metadata.number"), "changed (was ‹redacted›)");
    assert_eq!(tried[1]["gate"], json!({"kind": "skip", "reason": "line 3: computer PC1"}));
    assert!(!tried.to_string().contains("4711") && !tried.to_string().contains("0815"));
}

#[test]
fn the_write_policy_is_tried_against_what_the_source_gave_before() {
    let sandbox = folder();
    let before = json!({"email": "ann@x.example", "name": "Ann L.", "picture": "p", "app_metadata": {"number": "4711"}});
    sandbox.write("before.json", &before.to_string());
    let tried = |words: &str| {
        let line = format!("mapping try acme.mapping --input entries.ldif --previous before.json --json {words}");
        let rules = sandbox.run(&line).json()[0]["rules"].clone();
        let of = |target: &str| {
            let rule = rules.as_array().expect("rules").iter().find(|rule| rule["target"] == target).expect("the rule");
            let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            [&rule["outcome"], &rule["in_force"]["policy"], &rule["in_force"]["by"]].map(text).join(" ")
        };
        ["email", "name", "picture"].map(of)
    };
    assert_eq!(
        tried("--set-user-root-attributes on_each_login"),
        ["stays always on_each_login", "changes always on_each_login", "stays if_empty rule"]
    );
    assert_eq!(
        tried("--by login --set-user-root-attributes on_first_login"),
        ["stays create on_first_login", "stays create on_first_login", "stays if_empty rule"]
    );
    assert_eq!(
        tried("--by login --set-user-root-attributes never_on_login"),
        ["stays - never_on_login", "stays - never_on_login", "stays if_empty rule"]
    );
    assert_eq!(
        tried("--by push --set-user-root-attributes never_on_login"),
        ["stays on_change never_on_login", "changes on_change never_on_login", "stays if_empty rule"]
    );
    let shown = sandbox.run("mapping try acme.mapping --input entries.ldif --previous before.json --by login --set-user-root-attributes never_on_login");
    let name = shown.out.lines().find(|line| line.starts_with("name ")).expect("the rule");
    assert!(name.ends_with("never_on_login  kept by never_on_login (was \"Ann L.\")"), "{name}");
    let edited = json!({"name": "Edited"});
    sandbox.write("now.json", &edited.to_string());
    sandbox.write("before.json", &json!({"name": "Ann Lee"}).to_string());
    let line = "mapping try acme.mapping --input entries.ldif --previous before.json --existing now.json --set-user-root-attributes on_first_login";
    assert!(sandbox.run(line).out.contains("kept by on_change (was \"Edited\")"), "an edit survives until the source changes");
    let wrong = sandbox.run("mapping try acme.mapping --input entries.ldif --set-user-root-attributes sometimes");
    assert!(wrong.code == 2 && wrong.err.contains("on_first_login"), "{wrong:?}");
}

/// The cases of the language's own golden files, through the program.
#[test]
fn a_trial_and_a_failing_test_say_why_where_and_the_way_out() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/mapping/tests/said");
    let mut cases = 0;
    for entry in std::fs::read_dir(&folder).expect("the cases are there") {
        let path = entry.expect("a readable folder").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if path.extension().is_none_or(|extension| extension != "txt") || name.starts_with("l07") {
            continue;
        }
        cases += 1;
        let sandbox = Sandbox::new();
        for file in [format!("{name}.mapping"), format!("{name}.json")] {
            sandbox.write(&file, &std::fs::read_to_string(folder.join(&file)).expect("a case"));
        }
        std::fs::create_dir(sandbox.path().join("include")).expect("a folder");
        let levels = std::fs::read_to_string(folder.join("include/levels.mapping")).expect("what is included");
        sandbox.write("include/levels", &levels);
        let words = std::fs::read_to_string(&path).expect("the words");
        let taken = if name.starts_with("m114") { "--taken ann --taken ANN1" } else { "" };
        let tried = sandbox.run(&format!("mapping try {name}.mapping --input {name}.json {taken}"));
        assert!(tried.code == 0 && tried.out.ends_with(&format!("\n\n{words}")), "{name}: {tried:?}");
        let tested = sandbox.run(&format!("mapping test {name}.mapping"));
        if tested.out.contains("FAILED") {
            let indented: String = words.lines().map(|line| format!("          {line}").trim_end().to_owned() + "\n").collect();
            assert!(tested.out.contains(&indented), "{name}: {tested:?}");
            let said =
                serde_json::from_str::<Value>(&sandbox.run(&format!("mapping test {name}.mapping --json")).out).expect("JSON");
            assert!(said[0]["tests"][0]["said"][0]["help"].is_string(), "{name}: {said}");
        }
    }
    assert!(cases >= 20, "{cases} cases");
}

#[test]
fn a_candidate_that_is_free_is_chosen_as_the_store_would() {
    let sandbox = Sandbox::new();
    sandbox.write("m.mapping", "mapping m from ldap to profile\nusername = first_free [$uid, \"{$uid}1\"] with create\n");
    sandbox.write("ann.ldif", "dn: cn=a\nuid: ann\n");
    let gave = |words: &str| {
        let tried = sandbox.run(&format!("mapping try m.mapping --input ann.ldif --json {words}")).json();
        tried[0]["rules"][0]["gave"].clone()
    };
    assert_eq!(gave(""), json!({"first_free": ["\"ann\"", "\"ann1\""]}));
    assert_eq!(gave("--taken ANN"), json!({"value": "ann1"}));
    assert_eq!(gave("--taken ann --taken ann1"), json!({"error": {"code": "M114", "message": "none of 2 candidates is free"}}));
}

#[test]
fn entries_come_as_json_lines_lists_and_assertions_from_files_and_standard_input() {
    let sandbox = folder();
    sandbox.write("m.mapping", "mapping m from json to profile\nname = $name\n");
    sandbox.write("list.json", "[{\"name\": \"a\"}, {\"name\": \"b\"}]");
    let values = |answer: &Value| -> Vec<Value> {
        answer.as_array().expect("entries").iter().map(|entry| entry["rules"][0]["gave"]["value"].clone()).collect()
    };
    assert_eq!(values(&sandbox.run("mapping try m.mapping --input list.json --json").json()), ["a", "b"]);
    let fed = sandbox.run_fed("mapping try m.mapping --input - --json", b"{\"name\": \"a\"}\n{\"name\": \"b\"}\n");
    assert_eq!(values(&fed.json()), ["a", "b"]);
    sandbox.write("s.mapping", "mapping s from saml to profile\nname = $cn ?? $name_id\n");
    let xml = "<Assertion xmlns=\"urn:oasis:names:tc:SAML:2.0:assertion\"><Issuer>i</Issuer><Subject><NameID>ann</NameID></Subject></Assertion>";
    sandbox.write("assertion.xml", xml);
    assert_eq!(values(&sandbox.run("mapping try s.mapping --input assertion.xml --json").json()), ["ann"]);
    sandbox.write("evil.xml", &format!("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>{xml}"));
    assert!(sandbox.run("mapping try s.mapping --input evil.xml").refusal().contains("DTD"));
}

#[test]
fn a_script_is_tried_like_a_mapping() {
    let sandbox = folder();
    let script = "module.exports = function (raw) { return { id: raw.entryUUID, displayName: raw.givenName, shoe: 42 }; };";
    sandbox.write("profileMapper.js", script);
    let tried = sandbox.run("mapping try profileMapper.js --input entries.ldif --json").json();
    assert_eq!(tried[0]["rules"][0]["gave"], json!({"value": "1"}));
    assert_eq!(tried[0]["extras"], json!({"shoe": 42}));
}

#[test]
fn an_input_that_makes_no_sense_is_named_by_its_line() {
    let sandbox = folder();
    sandbox.write("dump.ndjson", "{\"mail\": \"a\"}\n{\"mail\": \n");
    sandbox.write("broken.ldif", "dn: cn=a\nmail\n");
    sandbox.write("empty.ndjson", "\n");
    let refusal = |input: &str| sandbox.run(&format!("mapping try acme.mapping --input {input}")).refusal().to_owned();
    assert!(refusal("dump.ndjson").starts_with("error: dump.ndjson: line 2: "), "{}", refusal("dump.ndjson"));
    assert!(refusal("broken.ldif").starts_with("error: broken.ldif: line 2: "), "{}", refusal("broken.ldif"));
    assert!(refusal("empty.ndjson").contains("empty.ndjson holds no entry"));
    assert!(refusal("entrees.ldif").contains("did you mean entries.ldif?"));
    let huge = vec![b'x'; 17 * 1024 * 1024];
    let fed = sandbox.run_fed("mapping try acme.mapping --format ndjson --input -", &huge);
    assert!(fed.refusal().contains("line 1 is longer than 16777216 bytes"), "{fed:?}");
}

// --- diff -------------------------------------------------------------------------------------------------------

/// Two mappings and a hundred entries: one address changes, one name is lost, numbers are gained and redacted.
fn two_mappings() -> Sandbox {
    let sandbox = Sandbox::new();
    let old = "mapping a from json to profile\nattrs { id: int, number: string sensitive }\nuser_id = text($id) with create\nemail = $mail\nname = $name\n";
    let new = old.replace("$mail", "lower($mail)").replace("= $name", "= $name when $name != \"Eve\" with create")
        + "app_metadata.number = $number with sensitive\nskip when $id == 7 because \"seven\"\n";
    sandbox.write("old.mapping", old);
    sandbox.write("new.mapping", &new);
    let entry = |id: usize| {
        let (mail, name) = (if id == 3 { "A@X" } else { "a@x" }, if id == 5 { "Eve" } else { "Ann" });
        let number = if id < 2 { json!("secret") } else { Value::Null };
        json!({"id": id, "mail": mail, "name": name, "number": number}).to_string() + "\n"
    };
    sandbox.write("dump.ndjson", &(0..100).map(entry).collect::<String>());
    sandbox
}

#[test]
fn a_difference_is_counted_per_attribute_with_samples() {
    let sandbox = two_mappings();
    let diff = sandbox.run("mapping diff old.mapping new.mapping --input dump.ndjson --json").json();
    assert_eq!((&diff["entries"], &diff["changed"], &diff["over_max_change"]), (&json!(100), &json!(5), &json!(false)));
    let of = |name: &str| {
        let attributes = diff["attributes"].as_array().expect("attributes");
        attributes.iter().find(|attribute| attribute["attribute"] == name).expect("the attribute").clone()
    };
    assert_eq!(of("email")["changing"], 1);
    assert_eq!(of("email")["samples"], json!([{"entry": "3 (line 4)", "old": "\"A@X\"", "new": "\"a@x\""}]));
    assert_eq!(of("name")["losing"], 1);
    assert_eq!(of("app_metadata.number")["gaining"], 2);
    assert_eq!(of("app_metadata.number")["samples"][0]["new"], "‹redacted›");
    assert_eq!(diff["outcomes"][0]["new"], "skip");
    assert!(!diff.to_string().contains("secret"));
    let people = sandbox.run("mapping diff old.mapping new.mapping --input dump.ndjson");
    assert!(people.out.starts_with("5 of 100 entries change\n"), "{people:?}");
    assert!(people.out.contains("rule name: as the connection says, absent keep → create, absent keep\n"), "{people:?}");
    assert!(people.out.contains("profile → skip: 1\n"), "{people:?}");
}

#[test]
fn more_change_than_allowed_is_exit_code_3() {
    let sandbox = two_mappings();
    let code =
        |limit: &str| sandbox.run(&format!("mapping diff old.mapping new.mapping --input dump.ndjson --max-change {limit}")).code;
    assert_eq!([code("5%"), code("4.9%"), code("5"), code("4"), code("0")], [0, 3, 0, 3, 3]);
    assert_eq!(code("many"), 2);
    assert_eq!(sandbox.run("mapping diff old.mapping old.mapping --input dump.ndjson --max-change 0").code, 0);
}

#[test]
fn a_mapping_is_compared_with_the_script_it_replaces() {
    let sandbox = folder();
    let script = "module.exports = function (raw) { return { id: raw.entryUUID, displayName: raw.givenName + ' ' + raw.sn, emails: [{ value: raw.mail }] }; };";
    sandbox.write("profileMapper.js", script);
    let mapping = "mapping m from ldap to profile\nuser_id = $entryUUID\nname = \"{$givenName} {$sn}\"\nemail = lower($mail)\n";
    sandbox.write("m.mapping", mapping);
    let entries = "dn: cn=a\nentryUUID: 1\ngivenName: Ann\nsn: Lee\nmail: Ann@x\n";
    sandbox.write("one.ldif", entries);
    let diff = sandbox.run("mapping diff profileMapper.js m.mapping --input one.ldif --json").json();
    let differing: Vec<&Value> = diff["attributes"].as_array().expect("attributes").iter().map(|one| &one["attribute"]).collect();
    assert_eq!(differing, ["email"]);
}

#[test]
fn mappings_of_different_kinds_and_broken_dumps_are_refused() {
    let sandbox = two_mappings();
    sandbox.write("acme.mapping", ACME);
    let refused = sandbox.run("mapping diff old.mapping acme.mapping --input dump.ndjson");
    assert!(refused.refusal().contains("from json to profile, the other from ldap to profile"));
    sandbox.write("dump.ndjson", "{\"id\": 1}\n[]\n");
    let refused = sandbox.run("mapping diff old.mapping new.mapping --input dump.ndjson");
    assert!(refused.refusal().starts_with("error: dump.ndjson: line 2: "), "{refused:?}");
}

// --- fmt --------------------------------------------------------------------------------------------------------

#[test]
fn formatting_is_checked_done_and_then_rests() {
    let sandbox = Sandbox::new();
    sandbox.write("m.mapping", "mapping   m from ldap to profile\nname=$cn # kept\nnickname  =   $uid\n");
    let checked = sandbox.run("mapping fmt --check m.mapping");
    assert_eq!((checked.code, checked.out.as_str()), (1, "m.mapping\n"));
    assert_eq!(sandbox.run("mapping fmt m.mapping").code, 0);
    let text = std::fs::read_to_string(sandbox.path().join("m.mapping")).expect("there");
    assert!(text.contains("name     = $cn  # kept\nnickname = $uid\n"), "{text}");
    assert_eq!(sandbox.run("mapping fmt --check m.mapping").code, 0);
    assert_eq!(std::fs::read_dir(sandbox.path()).expect("a folder").count(), 1, "nothing is left over");
}

#[test]
fn an_editor_formats_through_standard_input() {
    let sandbox = Sandbox::new();
    let fed = sandbox.run_fed("mapping fmt -", b"mapping m from ldap to profile\nname=$cn\n");
    assert_eq!((fed.code, fed.out.as_str()), (0, "mapping m from ldap to profile\nname = $cn\n"));
    let fed = sandbox.run_fed("mapping fmt -", b"mapping m from ldap to profile\nname = = \n");
    assert!(fed.code == 1 && fed.out.is_empty() && fed.err.contains("error[M001]"), "{fed:?}");
}

// --- explain, functions -----------------------------------------------------------------------------------------

#[test]
fn a_mapping_is_explained_rule_by_rule() {
    let sandbox = folder();
    let explained = sandbox.run("mapping explain acme.mapping --json").json();
    assert_eq!((&explained["from"], &explained["to"]), (&json!("ldap"), &json!("profile")));
    let rule = &explained["rules"][0];
    assert_eq!((&rule["policy"], &rule["policy_from"], &rule["required"]), (&json!("create"), &json!("rule"), &json!(true)));
    assert_eq!(explained["rules"][1]["policy_from"], "connection");
    assert_eq!(explained["rules"][1]["reads"], json!(["mail"]));
    let number = explained["reads"].as_array().expect("reads").iter().find(|slot| slot["name"] == "employeeNumber");
    assert_eq!(number.expect("read")["sensitive"], true);
    let people = sandbox.run("mapping explain acme.mapping").out;
    assert!(people.contains("line 3: skip when \"computer\" in $objectClass[*] because"), "{people}");
}

#[test]
fn a_diagnostic_is_explained_by_its_number() {
    let sandbox = Sandbox::new();
    let explained = sandbox.run("mapping explain m003").out;
    assert!(explained.starts_with("M003: unknown source attribute\n"), "{explained}");
    assert!(explained.contains("    email = $mial\n") && explained.contains("Instead:"), "{explained}");
    assert_eq!(sandbox.run("mapping explain L07 --json").json()["code"], "L07");
    assert!(sandbox.run("mapping explain M0O3").refusal().contains("there is neither a file nor a diagnostic M0O3"));
}

#[test]
fn functions_are_looked_up_by_name() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run("mapping functions int? --json").json()["fallible"], true);
    assert!(sandbox.run("mapping functions lower").out.starts_with("lower("));
    assert!(sandbox.run("mapping functions lowr").refusal().contains("did you mean lower?"));
    assert!(sandbox.run("mapping functions --json").json().as_array().is_some_and(|all| all.len() > 90));
}

// --- list, show, publish ----------------------------------------------------------------------------------------

#[test]
fn a_draft_is_published_version_by_version() {
    let sandbox = gateway();
    let dry = sandbox.run("mapping publish acme --dry-run --json").json();
    assert_eq!((&dry["status"], &dry["version"], &dry["tests"]), (&json!("would_be_published"), &json!(1), &json!(2)));
    assert_eq!(sandbox.run("mapping publish acme").out, "acme version 1: published, 2 tests passed\n");
    assert_eq!(sandbox.run("mapping publish acme --json").json()["status"], "unchanged");
    sandbox.write("mappings/acme.mapping", &ACME.replace("lower($mail)", "$mail[0]").replace("ann@x", "Ann@X"));
    let rows = sandbox.run("mapping list --json").json();
    let row = rows.as_array().expect("rows").iter().find(|row| row["name"] == "acme").expect("acme").clone();
    assert_eq!((&row["version"], &row["draft"], &row["published_by"]), (&json!(1), &json!("differs"), &json!("cli")));
    assert!(sandbox.run("mapping list").err.contains("acme: the file differs from what runs"));
    assert_eq!(sandbox.run("mapping publish acme --json").json()["version"], 2);
    assert_eq!(sandbox.run("mapping show acme --version 1").out, ACME);
    assert!(sandbox.run("mapping show acme").out.contains("$mail[0]"));
    assert!(sandbox.run("mapping show acme --version 3").refusal().contains("acme has no version 3: the newest is 2"));
}

/// Publishing is on record, with who did it: the command by name, the program itself where it published at first use.
async fn is_on_record(url: &str) {
    let sandbox = Sandbox::new();
    let run = |line: &str| sandbox.run_with(line, &[("ROSTERD__DATABASE__URL", url), ("ROSTERD__SECRETS__KEY", KEY)]);
    run("bootstrap --json").succeeded();
    std::fs::create_dir(sandbox.path().join("mappings")).expect("a folder");
    sandbox.write("mappings/acme.mapping", ACME);
    run("mapping publish acme --dry-run").succeeded();
    run("mapping publish acme").succeeded();
    run("mapping publish acme").succeeded();
    let mut database = Database::open(url).await;
    let sql = "SELECT outcome, actor, request_id, detail FROM log WHERE kind = 'mapping.published' ORDER BY id";
    let rows = database.rows(sql).await;
    let told: Vec<(&str, &str, bool)> = rows
        .iter()
        .filter(|row| row["detail"].as_str().is_some_and(|detail| detail.contains("acme version 1")))
        .map(|row| {
            let text = |name: &str| row[name].as_str().expect("text");
            (text("outcome"), text("actor"), text("request_id").is_empty())
        })
        .collect();
    assert_eq!(told, [("ok", "cli", false)], "once: neither a rehearsal nor a repetition publishes; {rows:?}");
    let version = database.rows("SELECT published_by FROM mapping_versions WHERE name = 'acme'").await;
    assert_eq!(version.iter().map(|row| &row["published_by"]).collect::<Vec<_>>(), ["cli"]);
}

const KEY: &str = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=";

#[tokio::test]
async fn publishing_is_on_record_with_who_did_it_on_sqlite() {
    let (options, _folder) = TestStore::sqlite_options();
    is_on_record(options.url.expose()).await;
}

#[tokio::test]
async fn publishing_is_on_record_with_who_did_it_on_postgresql() {
    is_on_record(&cluster().fresh_database().await).await;
}

#[test]
fn a_version_holds_what_it_includes() {
    let sandbox = gateway();
    sandbox.write("mappings/own.mapping", "mapping own from ldap to profile\nuse \"acme.mapping\"\noverride name = $cn\n");
    sandbox.run("mapping publish own").succeeded();
    let shown = sandbox.run("mapping show own --json").json();
    assert_eq!(shown["includes"], json!({ "acme.mapping": ACME }));
    // A change below is a change of the whole.
    sandbox.write("mappings/acme.mapping", &ACME.replace("lower($mail)", "$mail").replace("ann@x", "Ann@X"));
    assert_eq!(sandbox.run("mapping publish own --json").json()["version"], 2);
}

#[test]
fn what_is_not_sound_is_not_published() {
    let sandbox = gateway();
    sandbox.write("mappings/acme.mapping", &ACME.replace("name: \"Ann Lee\"", "name: \"Bob\""));
    let refused = sandbox.run("mapping publish acme");
    assert!(refused.refusal().contains("acme.mapping is not published: 1 of 2 tests failed"), "{refused:?}");
    assert!(refused.err.contains("FAILED  a person"), "{refused:?}");
    sandbox.write("mappings/bad.mapping", "mapping bad from ldap to profile\nname = $x_y\n");
    let refused = sandbox.run("mapping publish bad");
    assert!(
        refused.refusal().contains("error[M003]") && refused.err.contains("bad.mapping is not published: 1 error"),
        "{refused:?}"
    );
    assert!(sandbox.run("mapping show acme").refusal().contains("no mapping acme is published in tenant default"));
    assert_eq!(sandbox.run("mapping publish acme --no-tests").code, 0);
    assert!(sandbox.run("mapping publish acmee").refusal().contains("did you mean acme?"));
    assert!(sandbox.run("mapping publish ../acme").refusal().contains("there is neither"));
    assert!(sandbox.run("mapping list --tenant nobody").refusal().contains("there is no tenant nobody"));
}

#[test]
fn a_configuration_check_says_where_drafts_are_compared() {
    let checked = gateway().run("config check");
    assert!(checked.code == 0 && checked.err.contains("30 mapping drafts; whether they are what runs: `rosterd mapping list`"));
}

#[test]
fn a_gateway_tells_at_its_start_of_drafts_that_are_not_what_runs() {
    let sandbox = gateway();
    sandbox.run("mapping publish acme").succeeded();
    let log = || {
        let mut serving = std::process::Command::new(env!("CARGO_BIN_EXE_rosterd"))
            .current_dir(sandbox.path())
            .arg("serve")
            .env("ROSTERD__SERVER__LISTEN", "127.0.0.1:0")
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        BufReader::new(serving.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        assert!(line.starts_with("listening on "), "{line}");
        serving.kill().expect("it runs");
        String::from_utf8(serving.wait_with_output().expect("it ends").stderr).expect("text")
    };
    assert!(!log().contains("acme"), "the draft is what runs");
    sandbox.write("mappings/acme.mapping", &ACME.replace("lower($mail)", "$mail"));
    let said = log();
    assert!(said.contains("differs from the published version") && said.contains("acme"), "{said}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_mistake() {
    let sandbox = Sandbox::new();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_rosterd"))
        .current_dir(sandbox.path())
        .args(["mapping", "functions", "--markdown"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}
