//! Prints results: JSON for machines, tables for people. Asks before something is destroyed.

use crate::clock::rfc3339;
use serde_json::Value;
use std::io::{self, BufRead, IsTerminal, Write};

/// Prints one value as JSON.
pub fn json(value: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)
}

/// Prints one line. A reader that has gone away (`| head`) is an error like any other, which ends the command quietly.
pub fn line(text: impl std::fmt::Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Prints text as it is.
pub fn text(text: impl std::fmt::Display) -> io::Result<()> {
    write!(io::stdout().lock(), "{text}")
}

/// Prints rows under a heading, columns as wide as they have to be; what can't be printed is left out.
pub fn table(heading: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let heading: Vec<String> = heading.iter().map(|text| (*text).to_owned()).collect();
    let widths: Vec<usize> = (0..heading.len())
        .map(|column| std::iter::once(&heading).chain(rows).map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    for row in std::iter::once(&heading).chain(rows) {
        let mut line = String::new();
        for (text, width) in row.iter().zip(&widths) {
            let text = printable(text);
            let space = width.saturating_sub(text.chars().count()) + 2;
            line.push_str(&text);
            line.extend(std::iter::repeat_n(' ', space));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Prints `name: value` lines, aligned.
pub fn fields(fields: &[(&str, String)]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let width = fields.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in fields {
        writeln!(out, "{name:<width$}  {}", printable(value))?;
    }
    Ok(())
}

/// Text from outside may hold control characters; a terminal must not obey them.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A time for people, or `-`.
pub fn time(at: Option<i64>) -> String {
    at.map_or_else(|| String::from("-"), rfc3339)
}

/// A time for machines, or null.
pub fn time_json(at: Option<i64>) -> Value {
    at.map_or(Value::Null, |at| Value::String(rfc3339(at)))
}

/// Text, or `-` for nothing.
pub fn or_dash(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}

/// Whether to go on with something that can't be undone: `yes` was given, or the person at the terminal says so.
/// Without a terminal the answer is no.
pub fn confirmed(what: &str, yes: bool) -> io::Result<bool> {
    if yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        eprintln!("{what}: not done without --yes");
        return Ok(false);
    }
    eprint!("{what}? This can't be undone. [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
