//! Documents that would drift from the program if nobody looked.

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
