//! Documents that would drift from the program if nobody looked.

use crate::support::binary::Sandbox;
use std::path::Path;

use rosterd::config::{Config, load};

/// `rosterd.example.toml` says of itself that it holds every setting with its default.
#[test]
fn the_example_configuration_holds_every_setting_with_its_default() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("rosterd.example.toml");
    let loaded = load(Some(&example), []).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.config, Config::defaults());

    let text = std::fs::read_to_string(&example).expect("the example is there");
    let mut section = "";
    let mut written: Vec<String> = Vec::new();
    for line in text.lines() {
        // A setting without a default stands there as a comment: `# key = "…"`.
        let line = line.trim_start_matches("# ");
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((key, _)) = line.split_once(" = ")
            && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        {
            written.push(format!("{section}.{key}"));
        }
    }
    written.sort_unstable();
    let mut known: Vec<String> = loaded.settings.iter().map(|setting| setting.path.clone()).collect();
    known.sort_unstable();
    assert_eq!(written, known);
}

/// `docs/mapping/functions.md` says of itself where it comes from.
#[test]
fn the_page_of_functions_is_what_the_program_prints() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/mapping/functions.md");
    let written = std::fs::read_to_string(&page).expect("the page is there");
    let printed = Sandbox::new().run("mapping functions --markdown");
    assert_eq!(printed.code, 0, "{printed:?}");
    assert!(written == printed.out, "print it again: rosterd mapping functions --markdown > docs/mapping/functions.md");
}

/// What the guide has somebody type is taken as it stands there, and its Apache is told the address that was registered.
#[test]
fn the_guide_to_protect_an_app_can_be_typed_as_it_stands_there() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides/protect-an-app.md");
    let text = std::fs::read_to_string(&page).expect("the page is there");
    let joined = text.replace("\\\n", " ");
    let typed: Vec<&str> = joined.lines().filter_map(|line| line.strip_prefix("    rosterd ")).collect();
    assert_eq!(typed.len(), 4, "{typed:?}");
    let (sandbox, _) = Sandbox::bootstrapped();
    sandbox.write("acme.secret", "what they gave you");
    for line in typed {
        sandbox.run(line).succeeded();
    }
    let made = sandbox.run("client show shop --json").json();
    let address = made["callbacks"][0].as_str().expect("an address");
    let told = joined.lines().any(|line| line.trim_start().starts_with("OIDCRedirectURI") && line.ends_with(address));
    assert!(told, "OIDCRedirectURI is not {address}");
    let connections = sandbox.run("connection list --json").json();
    let of_acme = connections
        .as_array()
        .expect("a list")
        .iter()
        .filter(|one| one["name"].as_str().is_some_and(|name| name.starts_with("acme-")));
    assert_eq!(of_acme.count(), 2);
}
