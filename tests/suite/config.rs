//! The configuration as an operator meets it: `rosterd config check` and the start of every command.

use crate::support::binary::Sandbox;

#[test]
fn without_a_file_the_defaults_are_in_force() {
    let checked = Sandbox::new().run("config check --json").json();
    let setting = |key: &str| {
        let all = checked["settings"].as_array().expect("a list");
        all.iter().find(|setting| setting["key"] == key).unwrap_or_else(|| panic!("{key}")).clone()
    };
    assert_eq!(setting("server.listen")["value"], "127.0.0.1:8080");
    assert_eq!(setting("database.url")["value"], "sqlite://rosterd.db");
    assert_eq!(setting("retention.log_days")["value"], "90");
    assert_eq!(setting("mappings.dir")["origin"], "default");
}

#[test]
fn config_check_opens_no_database_and_makes_no_key() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run("config check").code, 0);
    assert_eq!(std::fs::read_dir(sandbox.path()).expect("a folder").count(), 0);
}

#[test]
fn each_value_says_where_it_was_set() {
    let sandbox = Sandbox::new();
    sandbox.write("rosterd.toml", "[server]\nlisten = \"127.0.0.1:9001\"\n\n[retention]\nlog_days = 30\n");
    let out = sandbox.run_with("config check", &[("ROSTERD__RETENTION__LOG_DAYS", "7")]).out;
    let line = |key: &str| out.lines().find(|line| line.starts_with(key)).expect("a line").to_owned();
    assert!(line("server.listen").ends_with("rosterd.toml:2"), "{out}");
    assert!(line("retention.log_days").contains(" 7 "), "{out}");
    assert!(line("retention.log_days").ends_with("environment ROSTERD__RETENTION__LOG_DAYS"), "{out}");
}

#[test]
fn every_mistake_is_told_with_its_line_and_the_nearest_key() {
    let sandbox = Sandbox::new();
    sandbox.write("my.toml", "[server]\nlistn = \"127.0.0.1:1\"\nshutdown_seconds = \"long\"\n\n[databse]\nurl = \"x\"\n");
    let checked = sandbox.run("--config my.toml config check");
    for line in [
        "my.toml:2: server.listn: unknown key; did you mean server.listen?",
        "my.toml:3: server.shutdown_seconds: wanted a whole number from 1 to 300, got string \"long\"",
        "my.toml:6: databse.url: unknown key; did you mean database.url?",
    ] {
        assert!(checked.refusal().contains(line), "{line}\nnot in\n{}", checked.err);
    }
}

#[test]
fn a_command_does_not_run_on_a_configuration_with_mistakes() {
    let sandbox = Sandbox::new();
    let refused = sandbox.run_with("bootstrap", &[("ROSTERD__SERVER__PORT", "1")]);
    assert!(refused.refusal().contains("environment ROSTERD__SERVER__PORT: server.port: unknown key"), "{refused:?}");
    assert!(!sandbox.path().join("rosterd.db").exists());
}

#[test]
fn a_named_file_that_is_missing_is_a_mistake() {
    assert!(Sandbox::new().run("--config none.toml config check").refusal().contains("none.toml: can't be read"));
}

#[test]
fn secrets_are_never_shown() {
    let sandbox = Sandbox::new();
    let key = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=";
    sandbox.write("rosterd.toml", &format!("[secrets]\nkey = \"{key}\"\n[database]\nurl = \"postgres://me:hunter2@db/r\"\n"));
    let checked = sandbox.run("config check");
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(!checked.out.contains(key) && !checked.out.contains("hunter2"), "{}", checked.out);
    assert!(checked.out.contains("postgres://‹secret›@db/r"), "{}", checked.out);
}

#[test]
fn a_lost_key_file_is_told_instead_of_replaced() {
    let (sandbox, _) = Sandbox::bootstrapped();
    std::fs::remove_file(sandbox.path().join("rosterd.key")).expect("removed");
    assert!(sandbox.run("token list").refusal().contains("its key file rosterd.key is missing"));
}
