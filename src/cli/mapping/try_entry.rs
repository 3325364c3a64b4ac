//! `rosterd mapping try`: each rule with what it gave, how that came about and what it would do to a stored profile.

use super::change::{By, Effect, Existing, RootAttributes, Writing};
use super::files::{self, Text};
use super::input::{self, Captured, Entries, Format};
use super::render::{self, ColourArg};
use super::value::{cut, instant, seed, short};
use crate::cli::output::{self, printable};
use crate::clock::{Clock, Micros};
use crate::mapping::compiled::Compiled;
use crate::mapping::{self, Gate, Given, Input, Language, Mapped, Mapping, Published, Reads};
use crate::model::fold::fold;
use anyhow::{Context as _, anyhow};
use clap::Args;
use jiff::Timestamp;
use rosterd_mapping::diagnostic::Diagnostic;
use rosterd_mapping::diagnostic::codes::Code;
use rosterd_mapping::eval::{self, Environment, Evaluator};
use rosterd_mapping::plan::Plan;
use rosterd_mapping::said;
use rosterd_mapping::source::{Names, json};
use rosterd_mapping::target::{Kind, WritePolicy};
use rosterd_mapping::trace::{self, Gave, RuleReport, WithTrace};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Columns are not pushed further than this by a long cell.
const VALUE_WIDTH: usize = 44;
const HOW_WIDTH: usize = 72;
/// Attributes named per rule.
const READS_SHOWN: usize = 4;

#[derive(Debug, Args)]
pub struct TryArgs {
    /// The mapping: a .mapping file or a profileMapper.js
    file: PathBuf,
    /// Captured entries: LDIF, JSON, NDJSON or a SAML assertion; - is standard input
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// What the input is; without it the file's name or its first bytes tell
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// A stored profile as JSON: shows what would become of it
    #[arg(long, value_name = "FILE")]
    existing: Option<PathBuf>,
    /// The profile this source gave the last time, as JSON: what is stored, unless --existing says that it was edited since
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,
    /// What the connection's option says where a rule does not
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = RootAttributes::Each)]
    set_user_root_attributes: RootAttributes,
    /// Who hands the entry over; without it a login for saml, oidc and oauth, a push or sync for the others
    #[arg(long, value_enum)]
    by: Option<By>,
    /// What `now` is, for instance 2026-11-20T23:50:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    at: Option<Micros>,
    /// Decides what uuid() and random_string() give
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// A text that another profile bears already, for `first_free`; may be given several times
    #[arg(long, value_name = "TEXT")]
    taken: Vec<String>,
    #[command(flatten)]
    colour: ColourArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

/// One mapping, ready to be tried.
pub struct Subject {
    mapping: Arc<dyn Mapping>,
    /// A script has none, hence no trace.
    plan: Option<(Plan, Names)>,
    evaluator: Evaluator,
    /// Texts that others bear, folded.
    taken: Vec<String>,
}

/// One rule over one entry.
struct Row {
    target: String,
    gave: Value,
    /// As `gave`, on one line.
    value: String,
    place: String,
    how: String,
    policy: Option<WritePolicy>,
    /// The word that counts, and who says it.
    in_force: (Option<WritePolicy>, &'static str),
    effect: Option<Effect>,
    notes: Vec<String>,
}

/// One mapping over one entry.
pub struct Trial {
    gate: Option<(&'static str, String)>,
    rows: Vec<Row>,
    extras: Map<String, Value>,
    unused: Vec<String>,
    /// What failed, and why.
    said: Vec<Diagnostic>,
}

pub fn run(args: &TryArgs) -> anyhow::Result<ExitCode> {
    let text = files::read(&args.file)?;
    let mut subject = Subject::load(&text, &args.taken)?;
    let colour = args.colour.wanted();
    let previous = args.previous.as_deref().map(input::object).transpose()?;
    let stored = args.existing.as_deref().map(input::object).transpose()?;
    let existing = stored.or_else(|| previous.clone()).map(|stored| Existing::new(stored, previous));
    let by = args.by.unwrap_or_else(|| subject.usually_by());
    let writing = Writing { by, root_attributes: args.set_user_root_attributes };
    let now = args.at.unwrap_or_else(|| Clock::system().now());
    let mut count = 0;
    for entry in Entries::open(&args.input, args.format, &subject.binary())? {
        let entry = entry.with_context(|| args.input.display().to_string())?;
        let trial = subject.run(&entry.payload, (existing.as_ref(), writing), now, seed(args.seed))?;
        if args.json {
            // One array, of which only one element is ever in memory.
            output::line(format_args!(
                "{}{}",
                if count == 0 { "[" } else { "," },
                serde_json::to_string_pretty(&trial.as_json(&entry, &subject)?)?
            ))?;
        } else {
            trial.print(&entry, count > 0)?;
            if let (Some((plan, _)), false) = (&subject.plan, trial.said.is_empty()) {
                output::text(format_args!("\n{}", render::terminal(&trial.said, plan, colour)))?;
            }
        }
        count += 1;
    }
    match (args.json, count) {
        (true, 0) => output::line(format_args!("[]"))?,
        (true, _) => output::line(format_args!("]"))?,
        (false, 0) => return Err(anyhow!("{} holds no entry", args.input.display())),
        (false, _) => {}
    }
    Ok(ExitCode::SUCCESS)
}

impl Subject {
    /// A mapping as a connection would run it.
    ///
    /// # Errors
    /// The first mistakes, in words.
    pub fn of(published: &Published) -> Result<Self, String> {
        let mapping = mapping::compile(published)?;
        let plan = match published.language {
            Language::Mapping => Some(Compiled::load(published)?.into_plan()),
            Language::JavaScript => None,
        };
        let plan = plan.map(|plan| {
            let names = Names::new(&plan);
            (plan, names)
        });
        Ok(Self { mapping, plan, evaluator: Evaluator::new(), taken: Vec::new() })
    }

    /// What kind of source it is written for; a script is for a directory's.
    pub fn from(&self) -> Kind {
        self.plan.as_ref().map_or(Kind::Ldap, |(plan, _)| plan.from)
    }

    pub fn reads(&self) -> Reads {
        self.mapping.reads()
    }

    /// What it makes of an entry that a directory has, before anything is stored of it.
    ///
    /// # Errors
    /// The entry is none that the mapping language takes.
    pub fn first_sight(&mut self, payload: &Map<String, Value>, now: Micros) -> anyhow::Result<Trial> {
        self.run(payload, (None, Writing { by: By::Push, root_attributes: RootAttributes::Each }), now, seed(0))
    }

    fn load(text: &Text, taken: &[String]) -> anyhow::Result<Self> {
        let mapping = text.load().map_err(|reason| anyhow!("{}: {reason}", text.shown))?;
        let plan = match text.language {
            Language::Mapping => text.compile().plan,
            Language::JavaScript => None,
        };
        let plan = plan.map(|plan| {
            let names = Names::new(&plan);
            (plan, names)
        });
        let taken = taken.iter().map(|text| fold(text)).collect();
        Ok(Self { mapping, plan, evaluator: Evaluator::new(), taken })
    }

    fn binary(&self) -> Vec<String> {
        self.reads().binary
    }

    /// A login where nothing else is known of the kind; a script is of a directory's connector.
    fn usually_by(&self) -> By {
        match self.plan.as_ref().map(|(plan, _)| plan.from) {
            Some(Kind::Saml | Kind::Oidc | Kind::Oauth) => By::Login,
            _ => By::Push,
        }
    }

    fn run(
        &mut self,
        payload: &Map<String, Value>,
        (existing, writing): (Option<&Existing>, Writing),
        now: Micros,
        seed: [u8; 32],
    ) -> anyhow::Result<Trial> {
        let stored = existing.map(Existing::document);
        let mut mapped = self.mapping.map(&Input { payload, stored, now, seed });
        let none_free = if self.taken.is_empty() { Vec::new() } else { choose(&mut mapped, &self.taken) };
        let mut trial = match &self.plan {
            None => untraced(&mapped),
            Some((plan, names)) => {
                let arena = self.evaluator.fresh();
                let entry = json::read_map(arena, names, payload)?;
                let now = Timestamp::from_microsecond(now)?;
                let environment = Environment { seed, stored, ..Environment::at(now) };
                let mut trace = WithTrace::new(plan);
                let evaluation = eval::run(arena, plan, &entry, &environment, &mut trace);
                let mut said = said::of_run(plan, &evaluation);
                said.extend(none_free.iter().filter_map(|rule| Some(said::none_is_free(plan, plan.rules.get(*rule)?))));
                let unused = trace::unused(names, attributes(plan, payload));
                Trial { said, ..traced(plan, trace.report(&evaluation), &mapped, unused) }
            }
        };
        trial.rows.iter_mut().zip(&mapped.given).for_each(|(row, (rule, _))| row.in_force = writing.in_force(rule));
        if let Some(existing) = existing
            && trial.gate.is_none()
        {
            let hidden = |target: &str| self.plan.as_ref().is_some_and(|(plan, _)| is_hidden(plan, target));
            let effects = existing.effects(&mapped, writing, hidden);
            trial.rows.iter_mut().zip(effects).for_each(|(row, effect)| row.effect = Some(effect));
        }
        Ok(trial)
    }
}

/// Candidates become the first that nobody bears, as a gateway would have it; the rules of which none is free.
fn choose(mapped: &mut Mapped, taken: &[String]) -> Vec<usize> {
    let mut none_free = Vec::new();
    for (index, (_, given)) in mapped.given.iter_mut().enumerate() {
        let Given::FirstFree(candidates) = given else { continue };
        let count = candidates.len();
        let free = candidates.iter().position(|candidate| !taken.contains(&fold(candidate)));
        *given = match free {
            Some(at) => Given::Value(candidates.swap_remove(at).into()),
            None => {
                none_free.push(index);
                Given::Error(said::none_of(count))
            }
        };
    }
    none_free
}

/// The source's own attributes: neither the DN nor what a reader adds under `$`.
fn attributes<'p>(plan: &Plan, payload: &'p Map<String, Value>) -> impl Iterator<Item = &'p str> {
    let of_directory = plan.from == Kind::Ldap;
    payload.keys().map(String::as_str).filter(move |name| !(name.starts_with('$') || of_directory && *name == "dn"))
}

/// Whether what is written to `target` may not be shown.
fn is_hidden(plan: &Plan, target: &str) -> bool {
    plan.rules.iter().any(|rule| &*rule.target == target && trace::hides(plan, rule))
}

fn gate_of(mapped: &Mapped) -> Option<(&'static str, String)> {
    mapped.gate.as_ref().map(|gate| match gate {
        Gate::Skip { reason } => ("skip", reason.clone()),
        Gate::Deny { reason } => ("deny", reason.clone()),
    })
}

/// What a mapping gave, as a trace of a script would be.
fn untraced(mapped: &Mapped) -> Trial {
    let row = |(rule, given): &(mapping::Rule, Given)| {
        let (gave, value) = match given {
            Given::Value(value) => (json!({ "value": value }), short(value)),
            Given::Absent => (json!({ "absent": true }), "absent".into()),
            Given::Keep => (json!({ "keep": true }), "keep".into()),
            Given::FirstFree(texts) => (json!({ "first_free": texts }), cut(&format!("first free of {}", texts.join(", ")))),
            Given::Error(reason) => (json!({ "error": { "message": reason } }), format!("error: {}", cut(reason))),
        };
        let place = format!("line {}", rule.line);
        let target = rule.target.to_string();
        let (policy, in_force) = (rule.policy, (rule.policy, "rule"));
        Row { target, gave, value, place, how: String::new(), policy, in_force, effect: None, notes: Vec::new() }
    };
    let rows = mapped.given.iter().map(row).collect();
    Trial { gate: gate_of(mapped), rows, extras: mapped.extras.clone(), unused: Vec::new(), said: Vec::new() }
}

fn traced(plan: &Plan, report: trace::Report, mapped: &Mapped, unused: Vec<&str>) -> Trial {
    let gate = report.gate.map(|gate| {
        let word = if gate.deny { "deny" } else { "skip" };
        let failed = gate.failed.map(|code| format!(" (it could not be decided: {code})")).unwrap_or_default();
        let bars = if gate.bars && !gate.deny { "; blocked all the same" } else { "" };
        (word, format!("line {}: {}{failed}{bars}", gate.line, gate.reason))
    });
    let mut rows: Vec<Row> = report.rules.iter().map(|rule| row(plan, rule)).collect();
    for ((row, report), (rule, given)) in rows.iter_mut().zip(&report.rules).zip(&mapped.given) {
        let chosen = matches!(report.gave, Gave::FirstFree(_));
        match given {
            Given::Value(_) if is_hidden(plan, &rule.target) => {}
            // The trace holds excerpts; a program wants the value itself, unless nobody may see it.
            Given::Value(value) => {
                row.gave = json!({ "value": value });
                if chosen {
                    row.value = short(value);
                }
            }
            Given::Error(reason) if chosen => {
                row.gave = json!({ "error": { "code": Code::M114.as_str(), "message": reason } });
                row.value = format!("error {}", Code::M114);
            }
            _ => {}
        }
    }
    Trial { gate, rows, extras: Map::new(), unused: unused.into_iter().map(str::to_owned).collect(), said: Vec::new() }
}

fn row(plan: &Plan, rule: &RuleReport) -> Row {
    let place = match rule.file {
        0 => format!("line {}", rule.line),
        file => format!("{}:{}", plan.files.get(usize::from(file)).map_or("?", |(name, _)| name), rule.line),
    };
    let (gave, value) = match &rule.gave {
        Gave::Value(text) => (json!({ "value": text }), text.clone()),
        Gave::Absent => (json!({ "absent": true }), "absent".into()),
        Gave::Keep => (json!({ "keep": true }), "keep".into()),
        Gave::FirstFree(texts) => (json!({ "first_free": texts }), format!("first free of {}", texts.join(", "))),
        Gave::Failed { code, message, .. } => {
            (json!({ "error": { "code": code.as_str(), "message": message } }), format!("error {code}"))
        }
    };
    Row {
        target: rule.target.clone(),
        gave,
        value: printable(&value),
        place,
        how: how(rule),
        policy: rule.policy,
        in_force: (rule.policy, "rule"),
        effect: None,
        notes: notes(rule),
    }
}

/// `displayName absent → "…" ← givenName[0]="Ann", sn[0]="Lee"`
fn how(rule: &RuleReport) -> String {
    let mut how: String = match (&rule.gave, rule.fallbacks.as_slice()) {
        (Gave::Failed { message, .. }, _) => format!("{}: {message}", rule.text),
        (_, []) => rule.text.clone(),
        (_, fallbacks) => {
            let absent: Vec<&str> = fallbacks.iter().map(|fallback| fallback.absent.as_str()).collect();
            let taken = fallbacks.last().map_or("", |fallback| fallback.taken.as_str());
            format!("{} absent → {taken}", absent.join(", "))
        }
    };
    let read = |read: &trace::Read| match &read.first {
        Some(first) => format!("{}[0]={first}", read.attribute),
        None => format!("{} absent", read.attribute),
    };
    let reads: Vec<String> = rule.reads.iter().take(READS_SHOWN).map(read).collect();
    if !reads.is_empty() {
        how.push_str(" ← ");
        how.push_str(&reads.join(", "));
    }
    if rule.reads.len() > READS_SHOWN {
        how.push_str(&format!(" and {} more", rule.reads.len() - READS_SHOWN));
    }
    printable(&how)
}

fn notes(rule: &RuleReport) -> Vec<String> {
    let several = rule.reads.iter().filter(|read| read.count > 1);
    let several: Vec<String> = several.map(|read| format!("{} has {}", read.attribute, read.count)).collect();
    let mut notes: Vec<String> =
        rule.notes.iter().map(|code| format!("{code} {}: {}", code.title(), several.join(", "))).collect();
    if let (Some((kept, all)), [read]) = (rule.kept, rule.reads.as_slice())
        && kept < all
    {
        notes.push(format!("{kept} of {all} {} values kept", read.attribute));
    }
    notes
}

impl Trial {
    /// Targets whose rule failed.
    pub fn failed(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().filter(|row| row.gave.get("error").is_some()).map(|row| row.target.as_str())
    }

    pub fn as_json(&self, entry: &Captured, subject: &Subject) -> anyhow::Result<Value> {
        let said = match &subject.plan {
            Some((plan, _)) => render::reports(&self.said, plan)?,
            None => Vec::new(),
        };
        let row = |row: &Row| {
            let mut object = json!({
                "target": row.target,
                "place": row.place,
                "gave": row.gave,
                "how": row.how,
                "policy": row.policy.map(WritePolicy::as_str),
                "notes": row.notes,
            });
            if let Some(effect) = &row.effect {
                object["effect"] = effect.words.as_str().into();
                object["outcome"] = json!(effect.outcome);
                object["in_force"] = json!({ "policy": row.in_force.0.map(WritePolicy::as_str), "by": row.in_force.1 });
            }
            object
        };
        Ok(json!({
            "entry": entry.place,
            "gate": self.gate.as_ref().map(|(word, reason)| json!({ "kind": word, "reason": reason })),
            "rules": self.rows.iter().map(row).collect::<Vec<_>>(),
            "extras": self.extras,
            "unused": self.unused,
            "said": said,
        }))
    }

    pub fn print(&self, entry: &Captured, follows: bool) -> std::io::Result<()> {
        if follows {
            output::line("")?;
        }
        let name = ["dn", "userName", "sub", "name_id", "user_id"].iter().find_map(|name| entry.payload.get(*name)?.as_str());
        output::line(format_args!("--- {}{}", entry.place, name.map(|name| format!(": {}", cut(name))).unwrap_or_default()))?;
        if let Some((word, reason)) = &self.gate {
            output::line(format_args!("{word}  {}", printable(reason)))?;
            return Ok(());
        }
        let width = |cell: fn(&Row) -> &str, most: usize| {
            self.rows.iter().map(|row| cell(row).chars().count()).filter(|width| *width <= most).max().unwrap_or(0)
        };
        let (target, value) = (width(|row| &row.target, VALUE_WIDTH), width(|row| &row.value, VALUE_WIDTH));
        let (place, how) = (width(|row| &row.place, VALUE_WIDTH), width(|row| &row.how, HOW_WIDTH));
        for row in &self.rows {
            let policy = row.in_force.0.map_or(row.in_force.1, WritePolicy::as_str);
            let effect = row.effect.as_ref().map(|effect| effect.words.as_str()).unwrap_or_default();
            let line = format!(
                "{:target$}  {:value$}  {:place$}  {:how$}  {policy:9}  {effect}",
                row.target, row.value, row.place, row.how
            );
            output::line(format_args!("{}", line.trim_end()))?;
            for note in &row.notes {
                output::line(format_args!("{:target$}  {note}", ""))?;
            }
        }
        if !self.extras.is_empty() {
            output::line(format_args!("beside the profile: {}", short(&Value::Object(self.extras.clone()))))?;
        }
        if !self.unused.is_empty() {
            output::line(format_args!("unused source attributes: {}", printable(&self.unused.join(", "))))?;
        }
        Ok(())
    }
}
