//! What is refused as a whole, and how the importers read shapes; inputs as they look in the field are in tests/import.

use super::*;

fn refused(format: Format, text: &str) -> String {
    import("x", text, format, &[]).map_or_else(|error| error.to_string(), |imported| panic!("imported: {}", imported.text))
}

fn script(body: &str) -> Imported {
    import("m.js", &format!("module.exports = function (raw) {{\n{body}\n}};"), Format::ProfileMapper, &[]).expect("a script")
}

/// The rules of a script's return value, without the comments.
fn rules(body: &str) -> Vec<String> {
    let imported = script(body);
    assert_eq!(imported.untranslated, [], "{body}");
    let rules = imported.text.lines().filter(|line| line.contains(" = ") && !line.starts_with('#'));
    rules.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// What one expression becomes as an attribute of its own.
fn expression(code: &str) -> String {
    let rules = rules(&format!("return {{ x: {code} }};"));
    rules.concat().trim_start_matches("app_metadata.x = ").to_owned()
}

/// Why one expression is left out.
fn left(code: &str) -> String {
    let imported = script(&format!("return {{ x: {code} }};"));
    assert!(!imported.text.lines().any(|line| line.starts_with("app_metadata")), "{}", imported.text);
    imported.untranslated.first().map(|left| left.why.clone()).unwrap_or_default()
}

#[test]
fn text_that_is_no_map_is_refused_with_the_place() {
    for (format, text, said) in [
        (Format::Auth0Saml, "{", "not JSON: EOF"),
        (Format::Auth0Saml, "[]", "the file: a list, where an object of profile attributes is wanted"),
        (Format::Auth0Saml, r#"{"email": 1}"#, "email: a number, where a text or a list of texts is wanted"),
        (
            Format::Auth0Saml,
            r#"{"options": {"fieldsMap": {"email": ["a", null]}}}"#,
            "options.fieldsMap.email.1: null, where a text",
        ),
        (Format::Auth0Saml, r#"{"strategy": "samlp", "options": {}}"#, "options.fieldsMap: a connection without a map"),
        (Format::Auth0Scim, "[]", "an empty list"),
        (Format::Auth0Scim, r#"{"mapping": {}}"#, "mapping: an object, where a list of {auth0, scim}"),
        (Format::Auth0Scim, r#"[{"auth0": "email"}]"#, "0: an object without `scim`"),
        (Format::Auth0Scim, r#"[{"auth0": "email", "scim": 7}]"#, "0.scim: a number"),
        (Format::Auth0Oauth, r#"{"attribute_map": {"attributes": {"a": {}}}}"#, "attribute_map.attributes.a: an object"),
        (Format::ProfileMapper, "var x = 1;", "module.exports: nothing that can be called"),
        (Format::ProfileMapper, "module.exports = {\n  a: (\n};", "line 2"),
        (Format::ProfileMapper, "module.exports = function (a) { return { x: ; } }", "not JavaScript"),
    ] {
        let refused = refused(format, text);
        assert!(refused.contains(said), "{text}: {refused}");
    }
}

#[test]
fn a_name_with_a_line_end_stays_in_the_comment_it_is_listed_in() {
    // given members of which no rule can be made, under names that would end a comment
    for name in ["a\nemail = $x", "a\r\nskip when true because \"x\"", "a\u{2028}b: c", "a\u{1b}[2Jb"] {
        let map = serde_json::json!({ "attributes": { name: "${context.request.ip}", "email": "${context.userinfo.email}" } });
        let connection = serde_json::json!({ "strategy": "oidc", "options": { "attribute_map": map } });
        // when it is imported
        let imported = import("map.json", &connection.to_string(), Format::Auth0Oauth, &[]).expect("imports");
        // then there is the one rule, and the other is listed
        assert_eq!(imported.untranslated.len(), 1, "{name:?}");
        let rules = imported.text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        assert_eq!(rules.skip(1).collect::<Vec<_>>(), ["email = $email"], "{name:?}");
        assert!(!imported.untranslated[0].at.to_string().contains(char::is_control), "{name:?}");
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let large = format!("{{\"email\": \"{}\"}}", "x".repeat(10 * 1024 * 1024));
    for format in Format::ALL {
        assert!(refused(format, &large).contains("at most 1048576 are read"), "{}", format.as_str());
    }
    let lists = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(refused(Format::Auth0Saml, &lists).contains("recursion limit"));
    assert!(detect(&lists).is_err());
    for (open, close) in [("(", ")"), ("[", "]"), ("!", ""), ("f(", ")")] {
        let deep = format!("module.exports = r => ({}r.a{});", open.repeat(60_000), close.repeat(60_000));
        assert!(refused(Format::ProfileMapper, &deep).contains("inside one another"), "{open}");
    }
    let unbalanced = format!("module.exports = {}", "({[".repeat(60_000));
    assert!(refused(Format::ProfileMapper, &unbalanced).contains("not JavaScript"));
}

#[test]
fn a_helper_that_calls_itself_ends() {
    let body = "function f(x) { return f(x) + f(x); }\nreturn { x: f(raw.a), y: raw.b };";
    let imported = script(body);
    assert!(imported.untranslated[0].why.contains("without end"), "{:?}", imported.untranslated);
    assert!(imported.text.contains("app_metadata.y = $b"));
}

#[test]
fn text_that_doubles_is_left_out_before_it_fills_the_memory() {
    let doubling: String = (0..40).map(|n| format!("var a{} = a{n} + a{n};\n", n + 1)).collect();
    let imported = script(&format!("var a0 = raw.cn + '';\n{doubling}return {{ x: a40, y: raw.b }};"));
    assert!(imported.untranslated.iter().any(|left| left.why.contains("too large")), "{:?}", imported.untranslated);
    assert!(imported.text.contains("app_metadata.y = $b"));
}

#[test]
fn the_format_shows_in_the_text() {
    for (text, format) in [
        (r#"{"email": ["http://x/email"]}"#, Format::Auth0Saml),
        (r#"{"email": "urn:oid:1"}"#, Format::Auth0Saml),
        (r#"{"email": "email"}"#, Format::Auth0Oauth),
        (r#"{"strategy": "samlp", "options": {"fieldsMap": {"email": "email"}}}"#, Format::Auth0Saml),
        (r#"{"options": {"attribute_map": {}}}"#, Format::Auth0Oauth),
        (r#"{"scim": "userName", "auth0": "username"}"#, Format::Auth0Scim),
        ("\u{feff} [{\"scim\": \"a\", \"auth0\": \"b\"}]", Format::Auth0Scim),
        ("// a mapper\nmodule.exports = x => x", Format::ProfileMapper),
    ] {
        assert_eq!(detect(text).expect(text), format, "{text}");
    }
    for (text, said) in [
        (r#"{"strategy": "auth0"}"#, "strategy \"auth0\""),
        (r#"{"mappings": {"email": "http://x"}}"#, "outgoing map"),
        ("{}", "the map is empty"),
        ("[1]", "it is a list"),
    ] {
        assert!(detect(text).unwrap_err().to_string().contains(said), "{text}");
    }
}

#[test]
fn expressions_of_a_script_have_their_counterpart() {
    for (script, ours) in [
        ("raw.cn", "$cn"),
        ("raw['msDS-Thing']", "$\"msDS-Thing\""),
        ("raw.a || raw.b || 'none'", "$a ?? $b ?? \"none\""),
        ("raw.a ? raw.a : raw.b", "$a ?? $b"),
        ("!raw.a ? raw.b : raw.a", "$a ?? $b"),
        ("raw.a && raw.a.trim()", "trim($a) ?? absent"),
        ("Array.isArray(raw.a) ? raw.a[0] : raw.a", "$a"),
        ("Array.isArray(raw.a) ? raw.a : [raw.a]", "$a[*] ?? absent"),
        ("raw.givenName + ' ' + raw.sn", "\"{$givenName} {$sn}\""),
        ("`${raw.l}{`", "\"{$l}\\{\""),
        ("[raw.a, raw.b].filter(Boolean).join(', ')", "join(\", \", $a, $b)"),
        ("[raw.a, raw.b].join('/')", "\"{$a?}/{$b?}\""),
        ("raw.a.replace(/x/gi, 'y')", "replace($a, /x/i, \"y\") ?? absent"),
        ("raw.a.replace('x', 'y')", "replace_first($a, \"x\", \"y\") ?? absent"),
        ("raw.a.substring(2, 5)", "slice($a, 2, 5) ?? absent"),
        ("raw.a.substr(2, 5)", "slice($a, 2, 7) ?? absent"),
        ("raw.a.split('@').pop()", "last(split($a, \"@\")) ?? absent"),
        ("raw.a === 'x'", "$a == \"x\""),
        ("raw.a !== 'x'", "not ($a == \"x\")"),
        ("raw.a === undefined", "not has($a)"),
        ("typeof raw.a === 'undefined'", "not has($a)"),
        ("'a' in raw", "has($a)"),
        ("!!raw.a", "present($a)"),
        ("(raw.userAccountControl & 2) === 2", "bit($userAccountControl, 2) == true"),
        ("(raw.userAccountControl & 2) ? 'off' : 'on'", "if bit($userAccountControl, 2) then \"off\" else \"on\""),
        ("!(raw.userAccountControl & 2)", "not bit($userAccountControl, 2)"),
        ("raw.userAccountControl & 2", "band($userAccountControl, 2) ?? 0"),
        ("raw.a ? 1 : raw.b ? 2 : undefined", "if present($a) then 1 else if present($b) then 2 else absent"),
        ("parseInt(raw.a, 10) > 5", "int?($a) > 5"),
        ("raw.a.indexOf('x') === -1", "not contains($a, \"x\")"),
        ("raw.a.indexOf('x') === 0", "starts_with($a, \"x\")"),
        ("raw.memberOf.indexOf('x') > -1", "\"x\" in $memberOf[*]"),
        ("/^a/.test(raw.b)", "$b ~ /^a/"),
        ("raw.memberOf.map(dn => dn.split(',')[0].replace('CN=', ''))", "[ rdn(dn, \"CN\") for dn in $memberOf[*] ] ?? absent"),
        ("raw.thumbnailPhoto.toString('base64')", "base64($thumbnailPhoto)"),
        ("new Date(raw.pwdLastSet / 10000 - 11644473600000)", "filetime?($pwdLastSet)"),
        ("raw.accountExpires", "text($accountExpires)"),
        ("true", "true"),
        ("7", "7"),
    ] {
        assert_eq!(expression(script), ours, "{script}");
    }
}

#[test]
fn what_has_no_counterpart_is_left_out_with_the_reason() {
    for (script, said) in [
        ("raw.a * 2", "arithmetic"),
        ("Math.random()", "`random`"),
        ("raw.a.codePointAt(0)", "`.codePointAt(…)`"),
        ("raw.jpegPhoto", "bytes"),
        ("raw.a.length", "one value"),
        ("new Date()", "present time"),
        ("raw.ldapStatus", "the reader has no"),
        ("raw.a.replace(/(?<=a)b/, '')", "would be wrong"),
        ("raw.a.replace('a', '$&')", "special meaning"),
        ("'\\uD83D'", "half a character"),
        ("[{ a: raw.b }]", "a list of objects"),
        ("unknown(raw.a)", "not known here"),
        ("{ ...raw }", "`...`"),
    ] {
        let why = left(script);
        assert!(why.contains(said), "{script}: {why}");
    }
}

#[test]
fn branches_become_one_value() {
    let body = "var p = { x: 'a' };\nif (raw.a) { p.x = raw.a; p.y = 'set'; } else { p.z = 'not'; }\nif (raw.b === 'q') p.x = 'q';\nreturn p;";
    assert_eq!(
        rules(body),
        [
            "app_metadata.x = if $b == \"q\" then \"q\" else $a ?? \"a\"",
            "app_metadata.z = if present($a) then absent else \"not\"",
            "app_metadata.y = if present($a) then \"set\" else absent",
        ]
    );
}

/// The gates and rules of a script that is called with `raw` and `done`.
fn whole(body: &str) -> (Vec<String>, Vec<Untranslated>) {
    let text = format!("module.exports = function (raw, done) {{\n{body}\n}};");
    let imported = import("m.js", &text, Format::ProfileMapper, &[]).expect("a script");
    let lines =
        imported.text.lines().filter(|line| line.starts_with("skip when") || line.contains(" = ") && !line.starts_with('#'));
    (lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect(), imported.untranslated)
}

#[test]
fn an_error_or_no_profile_becomes_a_gate() {
    for (body, gate) in [
        ("if (!raw.mail) { return done(new Error('no mail')); }", "skip when not present($mail) because \"no mail\""),
        ("if (!raw.mail) throw new Error(`${raw.cn}: no mail`);", "skip when not present($mail) because \"{$cn?}: no mail\""),
        ("if (raw.title === 'x') { done('an x'); return; }", "skip when $title == \"x\" because \"an x\""),
        ("if (raw.title === 'x') return;", "skip when $title == \"x\" because \"refused in line 2 of the script\""),
        (
            "if (raw.title === 'x') return done(null, null);",
            "skip when $title == \"x\" because \"refused in line 2 of the script\"",
        ),
        (
            "if (raw.mail) { if (raw.title === 'x') throw 'both'; }",
            "skip when present($mail) and $title == \"x\" because \"both\"",
        ),
        ("if (raw.mail) { } else { throw Error('no mail') }", "skip when not present($mail) because \"no mail\""),
    ] {
        let (lines, left) = whole(&format!("{body}\ndone(null, {{ displayName: raw.cn }});"));
        assert_eq!((lines, left), (vec![gate.to_owned(), "name = $cn".to_owned()], vec![]), "{body}");
    }
}

#[test]
fn another_profile_becomes_a_choice_and_a_profile_on_one_way_only_a_gate() {
    let (lines, left) =
        whole("if (raw.title === 'x') return done(null, { displayName: raw.cn });\ndone(null, { displayName: raw.sn });");
    assert_eq!((lines, left), (vec!["name = if $title == \"x\" then $cn else $sn".to_owned()], vec![]));
    let (lines, left) = whole("if (raw.mail) { done(null, { displayName: raw.cn }); }");
    let gate = "skip when not present($mail) because \"refused in line 2 of the script\"";
    assert_eq!((lines, left), (vec![gate.to_owned(), "name = $cn".to_owned()], vec![]));
    let body =
        "var p = {};\n['cn', 'sn'].forEach(function (name) { if (!raw[name]) return; p[name] = raw[name]; });\ndone(null, p);";
    assert_eq!(whole(body), (vec!["app_metadata.cn = $cn".to_owned(), "app_metadata.sn = $sn".to_owned()], vec![]));
}

#[test]
fn leaving_from_inside_what_is_not_followed_is_listed_with_the_reason() {
    for (body, why) in [
        ("for (var i = 0; i < 2; i++) { if (raw.mail) return done(new Error('x')); }", "a loop, in which the script may end"),
        ("try { if (raw.mail) throw new Error('x'); } catch (e) { return done(e); }", "try … catch, in which the script may end"),
        ("if (Math.random() > 0.5) throw new Error('x');", "`random`"),
        ("function f(x) { if (!x) throw 'x'; return x; }\nvar y = f(raw.mail);", "a function that does more than choose"),
    ] {
        let (lines, left) = whole(&format!("{body}\ndone(null, {{ displayName: raw.cn }});"));
        assert_eq!(lines, ["name = $cn"], "{body}");
        assert!(left[0].why.contains(why), "{body}: {left:?}");
    }
}

#[test]
fn ways_through_a_script_are_bounded() {
    let forks: String =
        (0..60).map(|n| format!("if (raw.a{n}) {{ p.x = 'v{n}'; if (raw.b{n}) return done(null, p); }}\n")).collect();
    let (_, left) = whole(&format!("var p = {{ displayName: raw.cn }};\n{forks}done(null, p);"));
    assert!(
        left.iter().any(|left| left.why.contains("too many ways") || left.why.contains("too long to be followed")),
        "{left:?}"
    );
}

#[test]
fn what_an_unknown_statement_may_have_written_is_left_out_too() {
    let imported = script("var p = { x: raw.a, y: raw.b };\nfor (var i = 0; i < 3; i++) { p.x = p.x + '!'; }\nreturn p;");
    assert!(imported.text.contains("app_metadata.y = $b") && !imported.text.contains("app_metadata.x ="), "{}", imported.text);
    let lines: Vec<String> = imported.untranslated.iter().map(|left| left.at.to_string()).collect();
    assert!(lines.contains(&"line 3".to_owned()), "{lines:?}");
    let handed = script("var p = { x: raw.a };\nenrich(p);\nreturn p;");
    assert!(!handed.text.contains("app_metadata.x ="), "{}", handed.text);
}

#[test]
fn members_the_connector_reads_have_their_targets() {
    assert_eq!(
        rules(
            "return { id: raw.uid, displayName: raw.cn, name: { familyName: raw.sn, givenName: raw.givenName }, emails: raw.mail ? [{ value: raw.mail }] : undefined, email_verified: true, blocked: !!(raw.userAccountControl & 2), user_metadata: { a: { b: raw.l } } };"
        ),
        [
            "user_id = $uid with create",
            "name = $cn",
            "family_name = $sn",
            "given_name = $givenName",
            "email = $mail",
            "email_verified = true",
            "blocked = bit($userAccountControl, 2) == true",
            "user_metadata.a.b = $l",
        ]
    );
    let imported = script("return { email: raw.mail, identities: raw.a, 'a.b': raw.c };");
    let said: Vec<&str> = imported.untranslated.iter().map(|left| &*left.why).collect();
    assert!(said[0].contains("does not read `email`") && said[1].contains("kept by the store") && said.len() == 3, "{said:?}");
}
