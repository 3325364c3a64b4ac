//! `rosterd mapping explain`: of a mapping what it reads, writes and costs, with the words in force and where they come
//! from; of a diagnostic's number what it means and the way out.

use super::files::{self, Checked};
use super::render::{self, ColourArg, number};
use crate::cli::output;
use crate::model::nearest::nearest;
use anyhow::bail;
use clap::Args;
use rosterd_mapping::check::{Compiled, RuleFacts};
use rosterd_mapping::diagnostic::Severity;
use rosterd_mapping::diagnostic::codes::Code;
use rosterd_mapping::diagnostic::explanations::explanation;
use rosterd_mapping::plan::{Gate, Plan, Rule, SlotSpec};
use rosterd_mapping::target::{Absent, Merge, WritePolicy};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A mapping, or the number of a diagnostic: M003, L07, N01
    #[arg(value_name = "FILE|CODE")]
    what: PathBuf,
    #[command(flatten)]
    colour: ColourArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

pub fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let word = args.what.to_string_lossy();
    if let Some(code) = Code::ALL.iter().find(|code| code.as_str().eq_ignore_ascii_case(&word)) {
        return of_code(*code, args.json);
    }
    if !args.what.exists() && !word.contains(['/', '.']) {
        let hint = nearest(&word.to_uppercase(), Code::ALL.iter().map(|code| code.as_str()));
        let hint = hint.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        bail!("there is neither a file nor a diagnostic {word}{hint}");
    }
    of_file(&args.what, args.colour.wanted(), args.json)
}

fn of_code(code: Code, json: bool) -> anyhow::Result<ExitCode> {
    let found = explanation(code);
    if json {
        output::json(&json!({
            "code": code.as_str(),
            "title": code.title(),
            "explanation": found.text,
            "example": found.example,
            "instead": found.instead,
        }))?;
    } else {
        output::line(format_args!("{code}: {}\n\n{}\n\n{}\n", code.title(), found.text, indented(found.example)))?;
        output::line(format_args!("Instead:\n\n{}", indented(found.instead)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

fn of_file(path: &Path, colour: bool, json: bool) -> anyhow::Result<ExitCode> {
    let text = files::read(path)?;
    match text.check() {
        Checked::Script(Err(reason)) => bail!("{}: {reason}", text.shown),
        Checked::Script(Ok(mapping)) => {
            if json {
                output::json(&json!({ "file": text.shown, "name": mapping.name(), "language": "javascript" }))?;
            } else {
                output::line(format_args!(
                    "{} is a script: what it reads and writes shows only when it runs (`rosterd mapping try`)",
                    text.shown
                ))?;
            }
        }
        Checked::Language(compiled) => match &compiled.plan {
            None => {
                eprint!("{}", render::terminal(&compiled.diagnostics, &compiled, colour));
                bail!(
                    "{} does not compile: {}",
                    text.shown,
                    number(render::count(&compiled.diagnostics, Severity::Error), "error")
                );
            }
            Some(plan) if json => output::json(&as_json(&text.shown, plan, &compiled))?,
            Some(plan) => print(plan, &compiled)?,
        },
    }
    Ok(ExitCode::SUCCESS)
}

fn print(plan: &Plan, compiled: &Compiled) -> anyhow::Result<()> {
    let cost: usize = compiled.facts.iter().map(|facts| facts.cost).sum();
    output::line(format_args!("mapping {} from {} to {}", plan.name, plan.from.as_str(), plan.to.as_str()))?;
    output::line(format_args!("{}, {cost} steps at most per entry, lists aside", number(plan.rules.len(), "rule")))?;
    for (name, _) in plan.files.iter().skip(1) {
        output::line(format_args!("includes {name}"))?;
    }
    for gate in &plan.gates {
        output::line(format_args!("line {}: {}", gate.line, one_line(plan.text_at(gate.span))))?;
    }
    output::line("")?;
    let row = |(rule, facts): (&Rule, &RuleFacts)| {
        vec![
            rule.target.to_string(),
            place(plan, rule),
            policy(rule, facts),
            absent(rule.absent).to_owned(),
            if rule.ty.ty.is_list() { merge(rule.merge).to_owned() } else { String::from("-") },
            flags(rule),
            facts.cost.to_string(),
            reads(plan, facts).join(", "),
        ]
    };
    let rows: Vec<Vec<String>> = plan.rules.iter().zip(&compiled.facts).map(row).collect();
    output::table(&["TARGET", "PLACE", "POLICY", "ABSENT", "MERGE", "ALSO", "COST", "READS"], &rows)?;
    output::line("")?;
    let row = |slot: &SlotSpec| {
        let kinds = [(slot.sensitive, "sensitive"), (slot.nested, "nested")];
        let kinds: Vec<&str> = kinds.into_iter().filter_map(|(is, word)| is.then_some(word)).collect();
        vec![slot.name.to_string(), type_of(slot), kinds.join(", ")]
    };
    output::table(&["READS", "TYPE", ""], &plan.slots.iter().map(row).collect::<Vec<_>>())?;
    Ok(())
}

fn as_json(file: &str, plan: &Plan, compiled: &Compiled) -> Value {
    let rule = |(rule, facts): (&Rule, &RuleFacts)| {
        let origin = match rule.policy {
            None => "connection",
            Some(_) if facts.policy_by_default => "default",
            Some(_) => "rule",
        };
        json!({
            "target": rule.target,
            "place": place(plan, rule),
            "policy": rule.policy.map(WritePolicy::as_str),
            "policy_from": origin,
            "absent": absent(rule.absent),
            "merge": rule.ty.ty.is_list().then(|| merge(rule.merge)),
            "required": rule.required,
            "sensitive": rule.sensitive,
            "max_bytes": rule.max_bytes,
            "checks": rule.checks.len(),
            "cost": facts.cost,
            "reads": reads(plan, facts),
        })
    };
    let slot =
        |slot: &SlotSpec| json!({ "name": slot.name, "type": type_of(slot), "sensitive": slot.sensitive, "nested": slot.nested });
    let gate = |gate: &Gate| json!({ "kind": kind(gate), "line": gate.line, "text": one_line(plan.text_at(gate.span)) });
    json!({
        "file": file,
        "name": plan.name,
        "language": "mapping",
        "from": plan.from.as_str(),
        "to": plan.to.as_str(),
        "cost": compiled.facts.iter().map(|facts| facts.cost).sum::<usize>(),
        "includes": plan.files.iter().skip(1).map(|(name, _)| name).collect::<Vec<_>>(),
        "gates": plan.gates.iter().map(gate).collect::<Vec<_>>(),
        "rules": plan.rules.iter().zip(&compiled.facts).map(rule).collect::<Vec<_>>(),
        "reads": plan.slots.iter().map(slot).collect::<Vec<_>>(),
    })
}

const fn kind(gate: &Gate) -> &'static str {
    if gate.deny { "deny" } else { "skip" }
}

fn place(plan: &Plan, rule: &Rule) -> String {
    match rule.span.file.0 {
        0 => format!("line {}", rule.line),
        file => format!("{}:{}", plan.files.get(usize::from(file)).map_or("?", |(name, _)| name), rule.line),
    }
}

fn policy(rule: &Rule, facts: &RuleFacts) -> String {
    match rule.policy {
        None => "as the connection says".into(),
        Some(policy) if facts.policy_by_default => format!("{} (default of the file)", policy.as_str()),
        Some(policy) => policy.as_str().into(),
    }
}

const fn absent(absent: Absent) -> &'static str {
    match absent {
        Absent::Clear => "clear",
        Absent::Keep => "keep",
        Absent::Reject => "reject",
    }
}

const fn merge(merge: Merge) -> &'static str {
    match merge {
        Merge::Owned => "owned",
        Merge::Replace => "replace",
        Merge::Union => "union",
    }
}

fn flags(rule: &Rule) -> String {
    let mut words = Vec::new();
    for (is, word) in [(rule.required, "required"), (rule.sensitive, "sensitive"), (rule.strict, "strict")] {
        if is {
            words.push(word.to_owned());
        }
    }
    if !rule.checks.is_empty() {
        words.push(number(rule.checks.len(), "check"));
    }
    words.extend(rule.max_bytes.map(|bytes| format!("max {bytes} bytes")));
    words.extend(rule.attributes.iter().map(|(word, value)| format!("{word} {value}")));
    output::or_dash((!words.is_empty()).then(|| words.join(", ")).as_deref())
}

fn reads(plan: &Plan, facts: &RuleFacts) -> Vec<String> {
    facts.reads.iter().filter_map(|slot| plan.slots.get(usize::from(*slot))).map(|slot| slot.name.to_string()).collect()
}

fn type_of(slot: &SlotSpec) -> String {
    if slot.list { format!("list<{}>", slot.ty.ty.item()) } else { slot.ty.ty.to_string() }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
