//! Runs an Auth0 AD/LDAP connector's `profileMapper.js` as it is, behind the [`Mapping`] trait: [`entry`] is what comes
//! in, `raw_data` its shape for the script, `engine` one run of QuickJS, [`sandbox`] the threads and their limits,
//! `profile` what comes out. Refuses: modules, files, network, timers, the real time, and anything a script remembers
//! from one person to the next (docs/decisions/0014). A script that fails rejects its entry, with message and line.

pub mod entry;
pub mod failure;
pub mod sandbox;

mod engine;
mod profile;
mod raw_data;

#[cfg(test)]
mod tests;

use crate::clock::Micros;
use crate::mapping::{Input, Mapped, Mapping, Published, Reads};
use engine::Script;
use entry::Entry;
use failure::Failure;
use sandbox::Sandbox;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What positions in a script are printed with.
const FILE: &str = "profileMapper.js";

/// What a script may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Of the text.
    pub script_bytes_max: usize,
    pub memory_bytes_max: usize,
    pub stack_bytes_max: usize,
    /// For one entry.
    pub time: Duration,
    /// Of the profile as JSON.
    pub output_bytes_max: usize,
    pub depth_max: usize,
    /// Of what it throws.
    pub message_chars_max: usize,
    /// How long the caller waits for a script that can't be interrupted.
    pub patience: Duration,
    /// How many threads may be lost to such scripts at one time.
    pub lost_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            script_bytes_max: 256 * 1024,
            memory_bytes_max: 32 * 1024 * 1024,
            stack_bytes_max: 256 * 1024,
            time: Duration::from_millis(20),
            output_bytes_max: 4 * 1024 * 1024,
            depth_max: 64,
            message_chars_max: 500,
            patience: Duration::from_secs(2),
            lost_max: 4,
        }
    }
}

/// One version of a `profileMapper.js`.
pub struct JavascriptMapping {
    name: String,
    version: i64,
    text: String,
    /// Where it exports its function.
    line: u32,
    script: Arc<Script>,
    sandbox: Arc<Sandbox>,
    /// It kept a thread once, and would keep another with every entry.
    stuck: AtomicBool,
}

/// What became of one entry.
#[derive(Debug)]
pub struct Run {
    pub outcome: Result<Mapped, Failure>,
    /// What the script wrote on its console, at most 100 lines of 500 characters.
    pub trace: String,
    /// What was left out of the profile, and why.
    pub notes: Vec<String>,
}

impl JavascriptMapping {
    /// Reads the text and runs it once without an entry, at the beginning of 1970. Errors: everything that can be wrong with it before it is
    /// called, with file, line and column.
    pub fn load(published: &Published, sandbox: Arc<Sandbox>) -> Result<Self, Failure> {
        let text = &published.text;
        let script = Arc::new(Script::new(text, sandbox.limits())?);
        sandbox.run(&script, None, 0).outcome?;
        let line = text.lines().position(|line| line.contains("module.exports")).unwrap_or_default() + 1;
        Ok(Self {
            name: published.name.clone(),
            version: published.version,
            text: text.clone(),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            script,
            sandbox,
            stuck: AtomicBool::new(false),
        })
    }

    /// Maps one entry; `now` is the only time the script sees.
    pub fn run(&self, entry: &Entry, now: Micros) -> Run {
        if self.stuck.load(Ordering::SeqCst) {
            return Run { outcome: Err(Failure::Stuck), trace: String::new(), notes: Vec::new() };
        }
        let ran = self.sandbox.run(&self.script, Some(raw_data::input(entry)), now);
        if ran.outcome == Err(Failure::Stuck) {
            self.stuck.store(true, Ordering::SeqCst);
        }
        match ran.outcome.and_then(|json| profile::mapped(&json, self.line, self.sandbox.limits())) {
            Ok((mapped, notes)) => Run { outcome: Ok(mapped), trace: ran.trace, notes },
            Err(failure) => Run { outcome: Err(failure), trace: ran.trace, notes: Vec::new() },
        }
    }
}

impl Mapping for JavascriptMapping {
    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn text(&self) -> String {
        self.text.clone()
    }

    /// A script may look at anything.
    fn reads(&self) -> Reads {
        Reads::default()
    }

    fn is_connector_script(&self) -> bool {
        true
    }

    fn reads_stored(&self) -> bool {
        false
    }

    /// The payload is the raw entry as stored: [`Entry::from_json`]. A script sees no stored profile.
    fn map(&self, input: &Input<'_>) -> Mapped {
        let outcome = Entry::from_json(input.payload).and_then(|entry| self.run(&entry, input.now).outcome);
        outcome.unwrap_or_else(|failure| profile::rejected(&failure, self.line))
    }
}

/// A value's kind with its article, for messages that must not hold the value.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
