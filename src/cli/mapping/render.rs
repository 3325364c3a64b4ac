//! Diagnostics on a terminal, in colour where that is wanted, and as JSON.

use clap::{Args, ValueEnum};
use rosterd_mapping::check::Compiled;
use rosterd_mapping::diagnostic::render::{self, Source};
use rosterd_mapping::diagnostic::{Diagnostic, Severity};
use rosterd_mapping::plan::Plan;
use serde_json::{Value, json};
use std::io::IsTerminal;

#[derive(Debug, Args)]
pub struct ColourArg {
    /// Whether to print in colour; auto: on a terminal, unless NO_COLOR is set
    #[arg(long = "color", value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    colour: Colour,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Colour {
    Auto,
    Always,
    Never,
}

impl ColourArg {
    /// Whether what goes to stdout is coloured. <https://no-color.org>: set and not empty.
    pub fn wanted(&self) -> bool {
        let refused = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match self.colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => std::io::stdout().is_terminal() && !refused(),
        }
    }
}

/// What a text was read from: a mapping that was compiled, or a plan of one.
pub trait Texts {
    fn files(&self) -> &[(Box<str>, Box<str>)];
}

impl Texts for Compiled {
    fn files(&self) -> &[(Box<str>, Box<str>)] {
        &self.files
    }
}

impl Texts for Plan {
    fn files(&self) -> &[(Box<str>, Box<str>)] {
        &self.files
    }
}

fn sources(texts: &impl Texts) -> Vec<Source<'_>> {
    texts.files().iter().map(|(name, text)| Source { name, text }).collect()
}

pub fn terminal(diagnostics: &[Diagnostic], texts: &impl Texts, colour: bool) -> String {
    render::terminal(diagnostics, &sources(texts), colour)
}

pub fn reports(diagnostics: &[Diagnostic], texts: &impl Texts) -> anyhow::Result<Vec<Value>> {
    let sources = sources(texts);
    Ok(render::reports(diagnostics, &sources).iter().map(serde_json::to_value).collect::<Result<_, _>>()?)
}

/// The complaint about a text that is no language of ours to point into.
pub fn report_of_text(file: &str, reason: &str) -> Value {
    json!({ "code": null, "severity": "error", "file": file, "message": reason })
}

pub fn count(diagnostics: &[Diagnostic], severity: Severity) -> usize {
    diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count()
}

/// `1 error`, `2 errors`.
pub fn number(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}
