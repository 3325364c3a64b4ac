//! `[log]`: what the process says about itself on stderr.

use super::reader::Reader;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A level, or directives like `info,rosterd::http=debug`.
    pub level: String,
    pub format: LogFormat,
}

impl LogConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let format = |text: &str| match text {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        };
        let level = |text: &str| {
            let valid = !text.is_empty() && tracing_subscriber::EnvFilter::try_new(text).is_ok();
            valid.then(|| text.to_owned())
        };
        Self {
            level: reader.parsed("log.level", "info", "error, warn, info, debug, trace or directives", level),
            format: reader.parsed("log.format", "text", "text or json", format),
        }
    }
}
