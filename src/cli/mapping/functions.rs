//! `rosterd mapping functions`: the reference of the mapping language's functions, from the registry that runs them.
//! `docs/mapping/functions.md` is the output of `--markdown`; a test compares them.

use super::value::cut;
use crate::cli::output;
use anyhow::bail;
use clap::Args;
use rosterd_mapping::functions::{self, Function, reference};
use serde_json::{Value, json};
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
            if args.name.is_some() {
                chosen.iter().map(|function| reference::section(function)).collect()
            } else {
                reference::markdown()
            }
        ))?;
    } else if args.name.is_some() {
        chosen.iter().try_for_each(|function| print(function))?;
    } else {
        let row =
            |function: &&Function| vec![function.name.into(), reference::title(function.group).into(), cut(function.summary)];
        output::table(&["FUNCTION", "GROUP", "GIVES"], &chosen.iter().map(row).collect::<Vec<_>>())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(function: &Function) -> std::io::Result<()> {
    output::line(format_args!("{}\n\n{}", function.signature, function.summary))?;
    for remark in reference::remarks(function) {
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
        "group": reference::title(function.group),
        "signature": function.signature,
        "summary": function.summary,
        "fallible": function.fallible,
        "create_only": function.create_only,
        "may_be_absent": function.may_be_absent,
        "examples": function.examples.iter().map(example).collect::<Vec<_>>(),
    })
}
