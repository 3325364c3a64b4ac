//! A connection to a directory as it is set up by the command line: what it takes, what it refuses, what it shows.

use crate::support::binary::Sandbox;
use crate::support::postgres::cluster;
use serde_json::{Value, json};

/// Enough of a connection for a directory that nobody talks to here.
const WHOLE: &str = "--set url=ldaps://dc1.example.com --set bind_dn=cn=sync,dc=example,dc=com --set user_base=dc=example,dc=com";

fn create(sandbox: &Sandbox, more: &str) -> crate::support::binary::Answer {
    let line = format!("connection create corp --kind ldap {WHOLE} --secret bind_password=env:PASSWORD {more}");
    sandbox.run_with(&line, &[("PASSWORD", "s3cret-of-the-account")])
}

#[test]
fn a_directory_is_set_up_with_the_defaults_of_its_server() {
    let (sandbox, _) = Sandbox::bootstrapped();
    let made = create(&sandbox, "--set server=openldap --set url=ldaps://dc2.example.com:1636 --json").json();
    let options = &made["options"];
    assert_eq!(options["url"], json!(["ldaps://dc1.example.com", "ldaps://dc2.example.com:1636"]));
    assert_eq!((&options["id_attribute"], &options["mapping"]), (&json!("entryUUID"), &json!("openldap")));
    assert_eq!(options["user_filter"], "(objectClass=inetOrgPerson)");
    assert_eq!(options["group_id_attribute"], "entryUUID");
    assert_eq!((&options["page_size"], &options["start_tls"]), (&json!(500), &json!(false)));
    let changed = sandbox.run("connection update corp --set server=ad --set page_size=1000 --json").json();
    assert_eq!(
        (&changed["options"]["id_attribute"], &changed["options"]["mapping"]),
        (&json!("objectGUID"), &json!("active-directory"))
    );
    assert_eq!(sandbox.run("connection show corp --json").json()["options"], changed["options"]);
}

#[test]
fn a_secret_is_shown_by_name_alone_and_stored_sealed() {
    let (sandbox, _) = Sandbox::bootstrapped();
    let made = create(&sandbox, "--json");
    assert_eq!(made.json()["secrets"], json!(["bind_password"]));
    let shown = sandbox.run("connection show corp");
    assert!(shown.out.contains("bind_password") && shown.out.contains("‹secret›"), "{shown:?}");
    let listed = sandbox.run("connection list --json");
    assert!(!format!("{made:?}{shown:?}{listed:?}").contains("s3cret"));
    let stored = std::fs::read(sandbox.path().join("rosterd.db")).expect("a file");
    assert!(!stored.windows(6).any(|window| window == b"s3cret"));
    let database = rusqlite::Connection::open(sandbox.path().join("rosterd.db")).expect("opens");
    let sealed = "SELECT length(secrets) FROM connections WHERE name = 'corp'";
    assert!(database.query_row(sealed, [], |row| row.get::<_, i64>(0)).expect("sealed") > 40);
}

#[test]
fn a_secret_comes_from_a_file_the_environment_or_standard_input_and_never_as_an_argument() {
    let (sandbox, _) = Sandbox::bootstrapped();
    let secrets = |answer: crate::support::binary::Answer| answer.json()["secrets"].clone();
    sandbox.write("password", "from a file\n");
    let line =
        |source: &str, name: &str| format!("connection create {name} --kind ldap {WHOLE} --secret bind_password={source} --json");
    assert_eq!(secrets(sandbox.run(&line("file:password", "a"))), json!(["bind_password"]));
    assert_eq!(secrets(sandbox.run_fed(&line("stdin", "b"), b"from a pipe")), json!(["bind_password"]));
    for (source, input, says) in [
        ("file:nowhere", "", "nowhere"),
        ("env:NOTHING", "", "NOTHING"),
        ("stdin", "\n", "it is empty"),
        ("stdin", &"x".repeat(5_000), "longer than 4096 bytes"),
        ("hunter2", "", "--secret bind_password=file:PATH"),
    ] {
        let refused = sandbox.run_fed(&line(source, "c"), input.as_bytes());
        assert!(refused.refusal().contains(says), "{refused:?}");
        assert!(!refused.err.contains("hunter2"), "{refused:?}");
    }
    let argument = sandbox.run(&format!("connection create d --kind ldap {WHOLE} --set bind_password=hunter2"));
    assert!(argument.refusal().contains("bind_password: is a secret and never an argument"), "{argument:?}");
    assert!(!argument.err.contains("hunter2"));
    let unknown = sandbox.run_fed("connection update a --secret bind_pasword=stdin", b"x");
    assert!(unknown.refusal().contains("did you mean bind_password?"), "{unknown:?}");
}

#[test]
fn everything_that_is_missing_or_does_not_fit_is_told_by_option_and_nothing_is_stored() {
    let (sandbox, _) = Sandbox::bootstrapped();
    let bare = sandbox.run("connection create corp --kind ldap");
    for option in ["url: is not set", "bind_dn: is not set", "bind_password: is not set", "user_base: is not set"] {
        assert!(bare.refusal().contains(option), "{option}: {bare:?}");
    }
    let wrong =
        create(&sandbox, "--set url=ldap://dc2.example.com --set user_filter=(cn=a --set group_base=groups --set ca_file=ca.pem");
    for option in [
        "url: `ldap://dc2.example.com` would show the password",
        "user_filter: `(cn=a` is no filter",
        "group_base: `groups` is no DN",
    ] {
        assert!(wrong.refusal().contains(option), "{option}: {wrong:?}");
    }
    let number = create(&sandbox, "--set page_size=5000 --set server=novell");
    assert!(number.refusal().contains("page_size: wanted a whole number from 1 to 1000, got \"5000\""), "{number:?}");
    assert!(number.refusal().contains("server: wanted ad, openldap, 389 or generic"), "{number:?}");
    assert_eq!(sandbox.run("connection list --json").json().as_array().map(Vec::len), Some(1));
}

#[test]
fn a_change_that_leaves_no_way_in_is_refused_as_a_whole() {
    let (sandbox, _) = Sandbox::bootstrapped();
    create(&sandbox, "").succeeded();
    let before = sandbox.run("connection show corp --json").json();
    for line in
        ["--secret bind_password=", "--set bind_dn=", "--set url=", "--set bind_method=external", "--set url=ldap://10.0.0.1"]
    {
        let refused = sandbox.run(&format!("connection update corp {line} --set page_size=7"));
        assert_eq!(refused.code, 1, "{line}: {refused:?}");
    }
    assert_eq!(sandbox.run("connection show corp --json").json(), before);
    let external = "connection update corp --set bind_method=external --set bind_dn= --secret bind_password= \
                    --set client_cert_file=c.pem --set client_key_file=k.pem --json";
    assert_eq!(sandbox.run(external).json()["secrets"], json!([]));
}

#[test]
fn an_option_given_twice_is_a_list_and_only_url_is_one() {
    let (sandbox, _) = Sandbox::bootstrapped();
    let refused = create(&sandbox, "--set page_size=5 --set page_size=6");
    assert!(refused.refusal().contains("page_size: wanted a whole number from 1 to 1000, got [\"5\",\"6\"]"), "{refused:?}");
}

#[test]
fn secrets_are_listed_among_the_options_of_the_kind() {
    let listed = Sandbox::new().run("connection options ldap --json").json();
    let option =
        |name: &str| listed.as_array().unwrap().iter().find(|option| option["name"] == name).cloned().unwrap_or(Value::Null);
    assert_eq!((&option("bind_password")["type"], &option("url")["type"]), (&json!("secret"), &json!("list")));
    assert_eq!(option("strict"), Value::Null);
    assert!(Sandbox::new().run("connection options scim").out.find("bind_password").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_is_set_up_alike_on_postgresql() {
    let url = cluster().fresh_database().await;
    let sandbox = Sandbox::new();
    let key = ("ROSTERD__SECRETS__KEY", "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=");
    let environment = [("ROSTERD__DATABASE__URL", url.as_str()), key, ("PASSWORD", "s3cret")];
    sandbox.run_with("bootstrap", &environment).succeeded();
    let line = format!("connection create corp --kind ldap {WHOLE} --secret bind_password=env:PASSWORD --json");
    assert_eq!(sandbox.run_with(&line, &environment).json()["secrets"], json!(["bind_password"]));
    let changed =
        sandbox.run_with("connection update corp --secret bind_password=env:PASSWORD --set page_size=7 --json", &environment);
    assert_eq!((&changed.json()["secrets"], &changed.json()["options"]["page_size"]), (&json!(["bind_password"]), &json!(7)));
    let other_key = ("ROSTERD__SECRETS__KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let with_other_key = [environment[0], other_key, ("PASSWORD", "s3cret")];
    let shown = sandbox.run_with("connection show corp --json", &with_other_key);
    assert!(shown.err.contains("secrets of connection corp can't be read"), "{shown:?}");
    assert_eq!(shown.json()["secrets"], Value::Null);
    let refused = sandbox.run_with("connection update corp --set page_size=8", &with_other_key);
    assert!(refused.refusal().contains("can't be read"), "{refused:?}");
    let anew = sandbox.run_with("connection update corp --secret bind_password=env:PASSWORD --json", &with_other_key);
    assert_eq!(anew.json()["secrets"], json!(["bind_password"]));
}

#[test]
fn for_389_directory_server_there_is_a_mapping_and_an_id_of_its_own() {
    let (sandbox, _) = Sandbox::bootstrapped();
    let made = create(&sandbox, "--set server=389 --json").json();
    assert_eq!((&made["options"]["id_attribute"], &made["options"]["mapping"]), (&json!("nsUniqueId"), &json!("directory-389")));
}
