//! `rosterd connection check` against a real OpenLDAP: what it finds, and for everything that is wrong what it says to
//! change.

use crate::support::binary::{Answer, Sandbox};
use crate::support::slapd::{BLIND, LIMITED, PASSWORD, SUFFIX, SYNC, Slapd, free_port};
use serde_json::{Value, json};
use std::net::TcpListener;

/// A program with a connection `corp` to a directory; `more` beats what stands before it.
fn connected(slapd: &Slapd, more: &[&str]) -> Sandbox {
    let (sandbox, _) = Sandbox::bootstrapped();
    let mut set = vec![
        String::from("server=openldap"),
        format!("ca_file={}", slapd.ca().display()),
        format!("bind_dn={SYNC}"),
        format!("user_base=ou=people,{SUFFIX}"),
        format!("group_base=ou=groups,{SUFFIX}"),
        String::from("connect_timeout_seconds=2"),
        String::from("answer_timeout_seconds=5"),
    ];
    if !more.iter().any(|option| option.starts_with("url=")) {
        set.push(format!("url={}", slapd.ldaps()));
    }
    set.retain(|option| {
        let name = option.split('=').next();
        !more.iter().any(|other| other.split('=').next() == name)
    });
    set.extend(more.iter().filter(|option| !option.ends_with('=')).map(|option| (*option).to_owned()));
    let set: Vec<String> = set.iter().map(|option| format!("--set {option}")).collect();
    let line = format!("connection create corp --kind ldap {} --secret bind_password=env:PASSWORD", set.join(" "));
    sandbox.run_with(&line, &[("PASSWORD", PASSWORD)]).succeeded();
    sandbox
}

fn check(sandbox: &Sandbox) -> (Answer, Value) {
    let answer = sandbox.run("connection check corp --json");
    let report = serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{error}: {answer:?}"));
    (answer, report)
}

/// Step and outcome of each finding.
fn outcomes(report: &Value) -> Vec<(&str, &str)> {
    report["steps"].as_array().unwrap().iter().map(|f| (f["step"].as_str().unwrap(), f["outcome"].as_str().unwrap())).collect()
}

/// The one failure of a check that has to fail: its step, what happened and what to change.
fn failure(sandbox: &Sandbox) -> (String, String, String) {
    let (answer, report) = check(sandbox);
    assert_eq!((answer.code, &report["passed"]), (1, &json!(false)), "{answer:?}");
    assert!(!format!("{answer:?}").contains(PASSWORD));
    let failed: Vec<&Value> = report["steps"].as_array().unwrap().iter().filter(|step| step["outcome"] == "failed").collect();
    assert_eq!(failed.len(), 1, "{report:#}");
    let text = |name: &str| failed[0][name].as_str().unwrap_or_else(|| panic!("no {name}: {report:#}")).to_owned();
    (text("step"), text("detail"), text("advice"))
}

#[track_caller]
fn fails(sandbox: &Sandbox, step: &str, detail: &str, advice: &str) {
    let found = failure(sandbox);
    assert_eq!(found.0, step, "{found:?}");
    assert!(found.1.contains(detail), "{detail:?} is not in {found:?}");
    assert!(found.2.contains(advice), "{advice:?} is not in {found:?}");
}

#[test]
fn a_whole_set_up_passes_every_step_and_shows_what_the_mapping_makes_of_three_people() {
    let slapd = Slapd::start(12);
    let (answer, report) = check(&connected(&slapd, &["page_size=5"]));
    assert_eq!((answer.code, &report["passed"]), (0, &json!(true)), "{report:#}");
    let steps = ["settings", "reach", "tls", "bind", "server", "users", "groups", "groups", "mapping"];
    assert_eq!(outcomes(&report), steps.map(|step| (step, "ok")));
    let details: Vec<&str> = report["steps"].as_array().unwrap().iter().map(|step| step["detail"].as_str().unwrap()).collect();
    assert_eq!(details[4], "OpenLDAP; changes can be followed by modifyTimestamp, syncrepl");
    assert_eq!(details[5], "12 people, read to the end");
    assert_eq!(details[6], "2 groups, read to the end");
    assert_eq!(details[7], "members of the first: 12, 1");
    let samples = report["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 3);
    assert_eq!(samples[0]["external_id"].as_str().map(str::len), Some(36));
    let rule = |target: &str| samples[0]["rules"].as_array().unwrap().iter().find(|rule| rule["target"] == target).unwrap();
    assert_eq!(rule("email")["gave"], json!({"value": "u000000@example.test"}));
    assert_eq!(rule("user_id")["gave"], json!({"value": samples[0]["external_id"]}));
    assert_eq!(rule("app_metadata.other_mail")["gave"], json!({"value": ["second0@example.test"]}));
}

#[test]
fn what_is_printed_names_each_step_and_the_values() {
    let slapd = Slapd::start(1);
    let printed = connected(&slapd, &[]).run("connection check corp");
    assert_eq!(printed.code, 0, "{printed:?}");
    for part in [
        "ok       reach     ldaps://127.0.0.1:",
        "ok       users     1 person, read to the end",
        "Ann Lee 0",
        "The connection can be used.",
    ] {
        assert!(printed.out.contains(part), "{part:?} is not in\n{}", printed.out);
    }
}

#[test]
fn a_check_stores_nothing() {
    let slapd = Slapd::start(1);
    let sandbox = connected(&slapd, &[]);
    let rows = || {
        let database = rusqlite::Connection::open(sandbox.path().join("rosterd.db")).expect("opens");
        let count =
            |table: &str| database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).unwrap();
        ["mapping_versions", "identities", "users", "log", "outbox"].map(count)
    };
    let before = rows();
    assert_eq!(check(&sandbox).0.code, 0);
    assert_eq!(rows(), before);
}

#[test]
fn start_tls_with_an_authority_of_ones_own_passes() {
    let slapd = Slapd::start(1);
    let (answer, report) = check(&connected(&slapd, &[&format!("url={}", slapd.ldap()), "start_tls=true"]));
    assert_eq!(answer.code, 0, "{report:#}");
    assert!(report["steps"][2]["detail"].as_str().unwrap().starts_with("StartTLS, a certificate that comes from"), "{report:#}");
}

#[test]
fn without_groups_the_step_is_skipped() {
    let slapd = Slapd::start(1);
    let (answer, report) = check(&connected(&slapd, &["group_base="]));
    assert_eq!(answer.code, 0, "{report:#}");
    assert!(outcomes(&report).contains(&("groups", "skipped")));
}

#[test]
fn a_second_server_is_taken_and_the_first_one_told() {
    let (slapd, nobody) = (Slapd::start(1), free_port());
    let sandbox = connected(&slapd, &[&format!("url=ldaps://127.0.0.1:{nobody}"), &format!("url={}", slapd.ldaps())]);
    let (answer, report) = check(&sandbox);
    assert_eq!(answer.code, 0, "{report:#}");
    assert_eq!(outcomes(&report)[1..3], [("reach", "warning"), ("reach", "ok")]);
    let warning = &report["steps"][1];
    assert!(warning["detail"].as_str().unwrap().contains("nothing listens there"), "{warning}");
    assert!(warning["advice"].as_str().unwrap().starts_with("Another one serves meanwhile."), "{warning}");
}

#[test]
fn every_server_is_looked_at_and_not_only_the_one_that_serves() {
    let (first, second) = (Slapd::start(1), Slapd::start(1));
    // Of the second we do not know the authority.
    let sandbox = connected(&first, &[&format!("url={}", first.ldaps()), &format!("url={}", second.ldaps())]);
    let (answer, report) = check(&sandbox);
    assert_eq!(answer.code, 0, "{report:#}");
    let steps = report["steps"].as_array().unwrap();
    let warning = steps.iter().find(|step| step["outcome"] == "warning").expect("a warning");
    assert_eq!(warning["step"], "tls", "{report:#}");
    assert!(warning["detail"].as_str().unwrap().starts_with(&second.ldaps()), "{warning}");
}

#[test]
fn a_refused_account_is_not_tried_at_the_other_servers() {
    let (one, two) = (Slapd::start(0), Slapd::start(0));
    let urls = [format!("url={}", one.ldaps()), format!("url={}", two.ldaps())];
    let sandbox = connected(&one, &[&urls[0], &urls[1]]);
    sandbox.run_with("connection update corp --secret bind_password=env:WRONG", &[("WRONG", "not-it")]).succeeded();
    fails(&sandbox, "bind", "the directory answers 49 (invalidCredentials)", "--secret bind_password=");
    let (_, report) = check(&sandbox);
    let told = report["steps"].as_array().unwrap().iter().any(|step| step["detail"].as_str().unwrap().contains("was not tried"));
    assert!(told, "{report:#}");
}

#[test]
fn a_server_of_another_kind_and_a_base_it_does_not_hold_are_told() {
    let slapd = Slapd::start(1);
    let sandbox = connected(&slapd, &["server=389", "id_attribute=entryUUID", "group_base=ou=groups,dc=elsewhere"]);
    let (_, report) = check(&sandbox);
    let steps = report["steps"].as_array().unwrap();
    let warned: Vec<&str> =
        steps.iter().filter(|step| step["outcome"] == "warning").map(|step| step["detail"].as_str().unwrap()).collect();
    assert!(warned.iter().any(|detail| detail.contains("is OpenLDAP, and server is 389")), "{report:#}");
    assert!(warned.iter().any(|detail| detail.contains("group_base ou=groups,dc=elsewhere lies in nothing")), "{report:#}");
}

#[test]
fn a_directory_without_groups_can_be_used() {
    let slapd = Slapd::start(1);
    let (answer, report) = check(&connected(&slapd, &[&format!("group_base=ou=empty,{SUFFIX}")]));
    assert_eq!((answer.code, &report["passed"]), (0, &json!(true)), "{report:#}");
    assert!(outcomes(&report).contains(&("groups", "warning")), "{report:#}");
    assert!(outcomes(&report).contains(&("mapping", "ok")), "{report:#}");
}

#[test]
fn a_directory_that_is_away_is_told_and_what_follows_is_skipped() {
    let mut slapd = Slapd::start(1);
    let sandbox = connected(&slapd, &[]);
    slapd.stop();
    fails(&sandbox, "reach", "nothing listens there", "Is the directory running");
    let (_, report) = check(&sandbox);
    assert!(outcomes(&report).ends_with(&[
        ("tls", "skipped"),
        ("bind", "skipped"),
        ("server", "skipped"),
        ("users", "skipped"),
        ("groups", "skipped"),
        ("mapping", "skipped")
    ]));
}

#[test]
fn a_host_nobody_knows_is_told() {
    let slapd = Slapd::start(0);
    fails(
        &connected(&slapd, &["url=ldaps://directory.invalid"]),
        "reach",
        "the name directory.invalid is not found",
        "getent hosts directory.invalid",
    );
}

#[test]
fn a_server_that_never_answers_is_left_after_its_time() {
    let slapd = Slapd::start(0);
    // Takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("url=ldaps://{}", silent.local_addr().unwrap());
    fails(&connected(&slapd, &[&url]), "tls", "no answer within 2 s", "does not answer TLS");
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let slapd = Slapd::start(1);
    let other = format!("ca_file={}", slapd.other_ca().display());
    fails(&connected(&slapd, &[&other]), "tls", "comes from nobody we trust", "other-ca.pem is not the authority");
    fails(&connected(&slapd, &["ca_file="]), "tls", "trust", "ca_file");
    fails(&connected(&slapd, &["ca_file=/nowhere/ca.pem"]), "tls", "/nowhere/ca.pem can't be read", "Set ca_file");
    let start_tls = connected(&slapd, &[&other, &format!("url={}", slapd.ldap()), "start_tls=true"]);
    fails(&start_tls, "tls", "comes from nobody we trust", "other-ca.pem");
}

#[test]
fn a_certificate_for_another_name_is_refused_with_the_names_it_has() {
    let slapd = Slapd::start(1);
    let relay = relay(slapd.tls_port);
    fails(&connected(&slapd, &[&format!("url=ldaps://127.0.0.2:{relay}")]), "tls", "its certificate is for", "localhost");
}

/// 127.0.0.2 in front of the same server.
fn relay(to: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.2:0").expect("loopback is a whole network");
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (Ok(client), Ok(server)) = (client, std::net::TcpStream::connect(("127.0.0.1", to))) else { return };
            for (mut from, mut into) in [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)] {
                std::thread::spawn(move || std::io::copy(&mut from, &mut into));
            }
        }
    });
    port
}

#[test]
fn ldaps_to_a_plain_port_is_told_apart_from_a_bad_certificate() {
    let slapd = Slapd::start(1);
    fails(&connected(&slapd, &[&format!("url=ldaps://127.0.0.1:{}", slapd.port)]), "tls", "does not speak TLS", "start_tls=true");
}

#[test]
fn a_wrong_password_and_an_unknown_account_are_told_alike() {
    let slapd = Slapd::start(1);
    let sandbox = connected(&slapd, &[]);
    sandbox.run_with("connection update corp --secret bind_password=env:WRONG", &[("WRONG", "not-it")]).succeeded();
    fails(&sandbox, "bind", "the directory answers 49 (invalidCredentials)", "--secret bind_password=");
    let unknown = connected(&slapd, &[&format!("bind_dn=uid=nobody,{SUFFIX}")]);
    fails(&unknown, "bind", "the directory answers 49 (invalidCredentials)", "--secret bind_password=");
    fails(&connected(&slapd, &["bind_dn=nobody"]), "bind", "the directory answers 34 (invalidDNSyntax)", "bind_dn is not a name");
}

#[test]
fn a_base_that_is_not_there_is_told_with_how_far_it_was_known() {
    let slapd = Slapd::start(1);
    let wrong = format!("user_base=ou=poeple,{SUFFIX}");
    fails(
        &connected(&slapd, &[&wrong]),
        "users",
        "the directory answers 32 (noSuchObject)",
        &format!("no more of it than `{SUFFIX}`"),
    );
    let groups = format!("group_base=ou=gruops,{SUFFIX}");
    fails(&connected(&slapd, &[&groups]), "groups", "the directory answers 32 (noSuchObject)", "group_base");
}

#[test]
fn a_directory_that_answers_with_a_part_never_passes() {
    let slapd = Slapd::start(12);
    let limited = connected(&slapd, &[&format!("bind_dn={LIMITED}"), "page_size=3"]);
    fails(&limited, "users", "the directory answers 4 (sizeLimitExceeded)", "size.prtotal=unlimited");
    let too_many = connected(&slapd, &["entries_max=7", "page_size=5"]);
    fails(&too_many, "users", "more than 7 entries", "raise entries_max");
}

#[test]
fn an_account_that_sees_nobody_is_told_though_the_directory_says_success() {
    let slapd = Slapd::start(3);
    fails(&connected(&slapd, &["user_filter=(uid=nobody)"]), "users", "no person found", "at the filter");
    let blind = connected(&slapd, &[&format!("bind_dn={BLIND}")]);
    fails(&blind, "users", "", "rights");
}

#[test]
fn an_attribute_the_directory_does_not_have_can_name_nobody() {
    let slapd = Slapd::start(3);
    fails(&connected(&slapd, &["id_attribute=objectGUID"]), "users", "none of them has a usable objectGUID", "set id_attribute");
}

#[test]
fn people_without_an_id_are_named_and_the_rest_passes() {
    let slapd = Slapd::start(3);
    slapd.modify(&format!("dn: uid=u000001,ou=people,{SUFFIX}\nchangetype: modify\nadd: employeeNumber\nemployeeNumber: 7\n"));
    let (answer, report) = check(&connected(&slapd, &["id_attribute=employeeNumber"]));
    assert_eq!(answer.code, 0, "{report:#}");
    let warnings: Vec<&Value> = report["steps"].as_array().unwrap().iter().filter(|step| step["outcome"] == "warning").collect();
    let [of_the_option, of_the_people] = warnings[..] else { panic!("{warnings:?}") };
    assert_eq!(of_the_option["step"], "settings");
    assert!(of_the_option["detail"].as_str().unwrap().starts_with("id_attribute employeeNumber is typed by people"));
    assert!(of_the_people["detail"].as_str().unwrap().contains("2 have no usable employeeNumber"), "{of_the_people}");
    assert!(of_the_people["advice"].as_str().unwrap().contains("uid=u000000"), "{of_the_people}");
}

#[test]
fn a_mapping_that_is_not_for_directories_or_fails_on_the_samples_is_told() {
    let slapd = Slapd::start(2);
    fails(&connected(&slapd, &["mapping=scim"]), "mapping", "is from scim, not from ldap", "from ldap");
    slapd.modify(&format!("dn: uid=u000000,ou=people,{SUFFIX}\nchangetype: modify\ndelete: mail\n"));
    let (answer, report) = check(&connected(&slapd, &[]));
    assert_eq!(answer.code, 0, "{report:#}");
    let warning = report["steps"].as_array().unwrap().iter().find(|step| step["outcome"] == "warning").unwrap();
    assert!(warning["detail"].as_str().unwrap().contains("email"), "{warning}");
}

#[test]
fn a_connection_that_is_pushed_to_has_nothing_to_check() {
    let (sandbox, _) = Sandbox::bootstrapped();
    assert!(sandbox.run("connection check scim").refusal().contains("ldap, samlp and those by OAuth can be checked"));
}
