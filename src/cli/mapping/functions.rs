//! `rosterd mapping functions`: the reference of the mapping language's functions, from the registry that runs them.
//! `docs/mapping/functions.md` is the output of `--markdown`; a test compares them.

use super::value::cut;
use crate::cli::output;
use anyhow::bail;
use clap::Args;
use rosterd_mapping::functions::{self, Function, Group};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub struct FunctionsArgs {
    /// One function; without it all of them
    name: Option<String>,
    #[arg(long, conflicts_with = "markdown", help = "Print JSON")]
    json: bool,
    /// Print Markdown
    #[arg(long)]
    markdown: bool,
}

pub fn run(args: &FunctionsArgs) -> anyhow::Result<ExitCode> {
    let chosen: Vec<&'static Function> = match &args.name {
        None => functions::all().to_vec(),
        // Whoever asks for `int?` means `int`.
        Some(name) => match functions::find(name.trim_end_matches('?')) {
            Some(found) => vec![found],
            None => {
                let hint = functions::nearest(name).map(|near| format!("; did you mean {}?", near.name));
                bail!("there is no function {name}{}", hint.unwrap_or_default());
            }
        },
    };
    if args.json {
        let objects: Vec<Value> = chosen.iter().map(|function| as_json(function)).collect();
        output::json(&match (&args.name, objects.as_slice()) {
            (Some(_), [one]) => one.clone(),
            _ => objects.into(),
        })?;
    } else if args.markdown {
        output::text(format_args!(
            "{}",
            if args.name.is_some() { chosen.iter().map(|function| section(function)).collect() } else { page(&chosen) }
        ))?;
    } else if args.name.is_some() {
        chosen.iter().try_for_each(|function| print(function))?;
    } else {
        let row = |function: &&Function| vec![function.name.into(), title(function.group).into(), cut(function.summary)];
        output::table(&["FUNCTION", "GROUP", "GIVES"], &chosen.iter().map(row).collect::<Vec<_>>())?;
    }
    Ok(ExitCode::SUCCESS)
}

const fn title(group: Group) -> &'static str {
    match group {
        Group::Presence => "Presence",
        Group::String => "Text",
        Group::Regex => "Regular expressions",
        Group::List => "Lists",
        Group::DistinguishedName => "Distinguished names",
        Group::Number => "Numbers and bits",
        Group::Date => "Dates",
        Group::Binary => "Bytes and identifiers",
        Group::Structure => "Records and JSON",
        Group::PhoneAndLocale => "Telephone, country, language",
        Group::CreateOnly => "Made up on creation",
    }
}

/// What has to be known before it is called.
fn remarks(function: &Function) -> Vec<String> {
    let mut remarks = Vec::new();
    if function.fallible {
        remarks.push(format!("Can fail; `{}?` gives absent instead.", function.name));
    }
    if function.create_only {
        remarks.push("Only in a rule with `create`.".to_owned());
    }
    if function.may_be_absent {
        remarks.push("May be absent though no argument is.".to_owned());
    }
    remarks
}

fn print(function: &Function) -> std::io::Result<()> {
    output::line(format_args!("{}\n\n{}", function.signature, function.summary))?;
    for remark in remarks(function) {
        output::line(format_args!("{remark}"))?;
    }
    if !function.examples.is_empty() {
        output::line("")?;
    }
    for example in function.examples {
        output::line(format_args!("    {}  →  {}", example.call, example.gives))?;
    }
    Ok(())
}

fn as_json(function: &Function) -> Value {
    let example = |example: &functions::Example| json!({ "call": example.call, "gives": example.gives });
    json!({
        "name": function.name,
        "group": title(function.group),
        "signature": function.signature,
        "summary": function.summary,
        "fallible": function.fallible,
        "create_only": function.create_only,
        "may_be_absent": function.may_be_absent,
        "examples": function.examples.iter().map(example).collect::<Vec<_>>(),
    })
}

fn page(all: &[&Function]) -> String {
    let mut page = String::from(
        "# Functions of the mapping language\n\n\
         Every function is deterministic and bounded. `f(x, y)` and `x.f(y)` mean the same. Unless its description says\n\
         otherwise a function of something absent is absent. This page is printed by `rosterd mapping functions --markdown`.\n",
    );
    let mut group = None;
    for function in all {
        if group != Some(function.group) {
            group = Some(function.group);
            // Writing to a String can't fail, here and below.
            let _ = write!(page, "\n## {}\n", title(function.group));
        }
        let _ = write!(page, "\n{}", section(function));
    }
    page
}

fn section(function: &Function) -> String {
    let mut section = format!("### {}\n\n`{}`\n\n{}\n", function.name, function.signature, function.summary);
    for remark in remarks(function) {
        let _ = writeln!(section, "{remark}");
    }
    if !function.examples.is_empty() {
        section.push_str("\n| expression | gives |\n|---|---|\n");
    }
    for example in function.examples {
        let _ = writeln!(section, "| {} | {} |", code(example.call), code(example.gives));
    }
    section
}

/// In a cell a bar would end it, and a backtick the code.
fn code(text: &str) -> String {
    let text = text.replace('|', "\\|");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}
