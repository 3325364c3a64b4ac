//! The configuration: `rosterd.toml`, over it the environment (`ROSTERD__SECTION__KEY`), typed and checked.
//!
//! Owns: one file per section (its keys, defaults, limits), where each value came from, and every complaint about it.
//! Refuses: unknown keys (it names the nearest known one), values of another kind, and stopping at the first mistake:
//! all of them are told at once. Reads no file but its own and the key file.

mod database;
mod limits;
mod log;
mod login;
mod mappings;
mod outbound;
mod reader;
mod retention;
mod scim;
mod secrets;
mod server;
mod source;
mod webhooks;

pub use database::{DatabaseConfig, DatabaseUrl};
pub use limits::LimitsConfig;
pub use log::{LogConfig, LogFormat};
pub use login::LoginConfig;
pub use mappings::MappingsConfig;
pub use outbound::OutboundConfig;
pub use reader::Setting;
pub use retention::RetentionConfig;
pub use scim::ScimConfig;
pub use secrets::{KeyError, SecretsConfig};
pub use server::ServerConfig;
pub use source::{Origin, Problem};
pub use webhooks::WebhooksConfig;

use reader::Reader;
use source::Entries;
use std::path::{Path, PathBuf};

/// Where the configuration is looked for when `--config` doesn't say.
pub const DEFAULT_FILE: &str = "rosterd.toml";

/// Everything the gateway can be told, with defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub server: ServerConfig,
    pub database: DatabaseConfig,
    pub secrets: SecretsConfig,
    pub mappings: MappingsConfig,
    pub retention: RetentionConfig,
    pub limits: LimitsConfig,
    pub login: LoginConfig,
    pub outbound: OutboundConfig,
    pub webhooks: WebhooksConfig,
    pub log: LogConfig,
    pub scim: ScimConfig,
}

/// A read configuration: what is in force and where each value came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    /// Every setting in the order of the sections; secrets are shown as `‹secret›`.
    pub settings: Vec<Setting>,
}

/// Everything that is wrong with a configuration. Never empty.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct Problems(pub Vec<Problem>);

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Reads `file` (or [`DEFAULT_FILE`] where that exists) and the variables of `environment` whose names begin with
/// `ROSTERD__`. A named file that can't be read is a problem; a missing default one is not.
pub fn load(file: Option<&Path>, environment: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, Problems> {
    let file = match file {
        Some(path) => Some(path.to_path_buf()),
        None => Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()),
    };
    let mut problems = Vec::new();
    let text = match &file {
        None => String::new(),
        Some(path) => std::fs::read_to_string(path).unwrap_or_else(|error| {
            problems.push(Problem::file(path, format!("can't be read: {error}")));
            String::new()
        }),
    };
    match read(file.as_deref().unwrap_or(Path::new(DEFAULT_FILE)), &text, environment, problems) {
        Ok((config, settings)) => Ok(Loaded { config, file, settings }),
        Err(problems) => Err(Problems(problems)),
    }
}

/// The pure part of [`load`]: `text` is the content of the file called `name`.
fn read(
    name: &Path,
    text: &str,
    environment: impl IntoIterator<Item = (String, String)>,
    mut problems: Vec<Problem>,
) -> Result<(Config, Vec<Setting>), Vec<Problem>> {
    let mut entries = Entries::default();
    entries.add_file(name, text, &mut problems);
    entries.add_environment(environment);
    let mut reader = Reader::new(entries, problems);
    let config = Config {
        server: ServerConfig::read(&mut reader),
        database: DatabaseConfig::read(&mut reader),
        secrets: SecretsConfig::read(&mut reader),
        mappings: MappingsConfig::read(&mut reader),
        retention: RetentionConfig::read(&mut reader),
        limits: LimitsConfig::read(&mut reader),
        login: LoginConfig::read(&mut reader),
        outbound: OutboundConfig::read(&mut reader),
        webhooks: WebhooksConfig::read(&mut reader),
        log: LogConfig::read(&mut reader),
        scim: ScimConfig::read(&mut reader),
    };
    config.check(&mut reader);
    reader.finish().map(|settings| (config, settings))
}

impl Config {
    /// The defaults, as with no file and no environment.
    pub fn defaults() -> Self {
        read(Path::new(DEFAULT_FILE), "", [], Vec::new()).expect("the defaults are valid").0
    }

    /// What spans sections.
    fn check(&self, reader: &mut Reader) {
        let keyless = self.secrets.key.is_none() && self.secrets.key_file.is_none();
        if keyless && matches!(self.database.url, DatabaseUrl::Postgres(_)) {
            reader.complain(
                "secrets.key",
                "is required with PostgreSQL: every replica needs the same key. Make one with `openssl rand -base64 32` \
                 and set secrets.key or secrets.key_file",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        match read(Path::new("rosterd.toml"), text, environment, Vec::new()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    fn config_of(text: &str, environment: &[(&str, &str)]) -> Config {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        read(Path::new("rosterd.toml"), text, environment, Vec::new()).expect("valid").0
    }

    #[test]
    fn nothing_set_gives_the_documented_defaults() {
        let config = Config::defaults();
        assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.database.url.expose(), "sqlite://rosterd.db");
        assert_eq!((config.retention.log_days, config.retention.events_days, config.retention.traffic), (90, 30, 30));
        assert_eq!(config.mappings.dir, Path::new("mappings"));
    }

    #[test]
    fn the_environment_beats_the_file() {
        let config = config_of("[server]\nlisten = \"127.0.0.1:1\"\n", &[("ROSTERD__SERVER__LISTEN", "127.0.0.1:2")]);
        assert_eq!(config.server.listen.port(), 2);
    }

    #[test]
    fn numbers_and_booleans_come_from_the_environment_as_text() {
        let config =
            config_of("", &[("ROSTERD__DATABASE__MIGRATE", "false"), ("ROSTERD__RETENTION__LOG_DAYS", "7"), ("OTHER", "x")]);
        assert!(!config.database.migrate);
        assert_eq!(config.retention.log_days, 7);
    }

    #[test]
    fn an_unknown_key_names_its_path_line_and_the_nearest_known_key() {
        assert_eq!(
            problems_of("[server]\n\nlistne = \"127.0.0.1:1\"\n", &[]),
            ["rosterd.toml:3: server.listne: unknown key; did you mean server.listen?"]
        );
    }

    #[test]
    fn an_unknown_section_is_told_once() {
        assert_eq!(
            problems_of("[serverr]\nlisten = \"127.0.0.1:1\"\n", &[]),
            ["rosterd.toml:2: serverr.listen: unknown key; did you mean server.listen?"]
        );
        assert_eq!(problems_of("verbose = true\n", &[]).len(), 1);
    }

    #[test]
    fn an_unknown_variable_is_named_as_such() {
        assert_eq!(
            problems_of("", &[("ROSTERD__DATABASE__ULR", "x")]),
            ["environment ROSTERD__DATABASE__ULR: database.ulr: unknown key; did you mean database.url?"]
        );
    }

    #[test]
    fn a_wrong_kind_names_what_is_wanted_and_all_mistakes_are_told() {
        let text = "[server]\nlisten = 8080\nshutdown_seconds = \"soon\"\n[retention]\nlog_days = -1\n[log]\nformat = \"xml\"\n";
        assert_eq!(
            problems_of(text, &[]),
            [
                "rosterd.toml:2: server.listen: wanted an address and port like 127.0.0.1:8080, got integer 8080",
                "rosterd.toml:3: server.shutdown_seconds: wanted a whole number from 1 to 300, got string \"soon\"",
                "rosterd.toml:5: retention.log_days: wanted a whole number from 1 to 3650, got integer -1",
                "rosterd.toml:7: log.format: wanted text or json, got string \"xml\"",
            ]
        );
    }

    #[test]
    fn a_page_is_by_default_at_most_as_large_as_pages_may_be() {
        let config = config_of("[scim]\npage_size_default = 50\npage_size_max = 50\n", &[]);
        assert_eq!((config.scim.page_size_default, config.scim.page_size_max), (50, 50));
        assert_eq!(
            problems_of("[scim]\npage_size_default = 51\npage_size_max = 50\n", &[]),
            ["rosterd.toml:2: scim.page_size_default: is larger than scim.page_size_max"]
        );
    }

    #[test]
    fn a_setting_that_nothing_reads_is_unknown() {
        for text in ["[scim]\nsort = true\n", "[retention]\ntraffic_days = 30\n"] {
            let problems = problems_of(text, &[]);
            assert!(problems.len() == 1 && problems[0].contains("unknown key"), "{problems:?}");
        }
    }

    #[test]
    fn text_that_is_no_toml_names_the_line() {
        let problems = problems_of("[server]\nlisten = \n", &[]);
        assert!(problems[0].starts_with("rosterd.toml:2: "), "{problems:?}");
    }

    #[test]
    fn a_secret_is_never_repeated_in_a_complaint() {
        let problems = problems_of("[secrets]\nkey = \"hunter2\"\n[database]\nurl = \"mysql://root:hunter2@db\"\n", &[]);
        assert_eq!(problems.len(), 2);
        assert!(!problems.join(" ").contains("hunter2"), "{problems:?}");
    }

    #[test]
    fn secrets_show_as_such_in_what_is_in_force() {
        let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [7_u8; 32]);
        let text = format!("[secrets]\nkey = \"{key}\"\n[database]\nurl = \"postgres://u:hunter2@db/r\"\n");
        let (config, settings) = read(Path::new("rosterd.toml"), &text, [], Vec::new()).expect("valid");
        let shown = format!("{settings:?} {config:?}");
        assert!(!shown.contains(&key) && !shown.contains("hunter2"), "{shown}");
        assert!(settings.iter().any(|setting| setting.path == "secrets.key" && setting.shown == "‹secret›"));
    }

    #[test]
    fn postgresql_needs_a_key() {
        let problems = problems_of("[database]\nurl = \"postgres://db/rosterd\"\n", &[]);
        assert!(problems[0].starts_with("secrets.key: is required with PostgreSQL"), "{problems:?}");
    }
}
