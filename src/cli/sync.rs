//! `rosterd sync`: one run over a directory. So far as a trial: everything is read and compared, nothing is written.

use super::connection::secrets;
use super::context::{Context, PAGE, TenantArg};
use super::mapping::progress::Progress;
use super::mapping::value::seed;
use super::{Global, output};
use crate::ldap::advice::advice;
use crate::ldap::connect::{Session, connect};
use crate::ldap::entry::Entry;
use crate::ldap::failure::{Cause, Failure, Step};
use crate::ldap::identity::external_id;
use crate::ldap::payload::payload;
use crate::ldap::search::{Complete, End, Pages, Read, Unreadable};
use crate::ldap::settings::Settings;
use crate::mapping::{self, Absent, Gate, Given, Input, Mapped, Mapping};
use crate::model::connection::{Connection, ConnectionKind};
use crate::provisioning::decide::raw_hash;
use crate::store::identities;
use crate::sync::comparison::{Comparison, Held, Met};
use crate::sync::wanted;
use anyhow::{anyhow, bail};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

/// Entries a plan lists; the rest is counted.
const LISTED_MAX: usize = 1_000;

#[derive(Debug, Args)]
pub struct SyncArgs {
    /// Name or id of the connection
    connection: String,
    /// Read and compare everything, and print what a run would do. The only form there is yet: runs do not write
    #[arg(long, required = true)]
    dry_run: bool,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

/// What would become of one entry.
struct Line {
    change: &'static str,
    external_id: String,
    name: String,
    reason: Option<String>,
}

#[derive(Default)]
struct Plan {
    /// By kind of change.
    counts: BTreeMap<&'static str, usize>,
    /// All but the unchanged, up to [`LISTED_MAX`].
    lines: Vec<Line>,
    /// Groups read, and members they name.
    groups: Option<(usize, usize)>,
    held: Option<Held>,
}

pub async fn run(global: &Global, args: SyncArgs) -> anyhow::Result<ExitCode> {
    let context = Context::open(global).await?;
    let outcome = answer(&context, &args).await;
    context.store.close().await;
    outcome
}

async fn answer(context: &Context, args: &SyncArgs) -> anyhow::Result<ExitCode> {
    let tenant = context.tenant(&args.tenant).await?;
    let connection = context.find_connection(&tenant, &args.connection).await?.connection;
    if connection.kind != ConnectionKind::Ldap {
        bail!("connection {} is of kind {}; only a directory (ldap) is synced", connection.name, connection.kind.as_str());
    }
    let settings = Settings::of(&connection.options.directory, &secrets::of(context, &connection).await?);
    let settings = settings.map_err(|all| anyhow!(all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
    let name = &connection.options.mapping;
    let Some((published, _)) = context.mapping_in_force(&tenant.id, name).await? else { bail!("there is no mapping {name}") };
    let mapping = mapping::compile(&published).map_err(|reason| anyhow!("mapping {name} can't run: {reason}"))?;
    let mut comparison = Comparison::new(known(context, &connection).await?, mapping.name(), mapping.version());
    let connected = connect(&settings).await.map_err(|not| {
        let told: Vec<String> = not.0.iter().map(|failure| unusable(&settings, failure)).collect();
        anyhow!(told.join("\n"))
    })?;
    let plan = read(context, (&connection, &settings, &mapping), connected.session, &mut comparison).await?;
    if args.json {
        plan.print_json(&connection)?;
    } else {
        plan.print()?;
    }
    Ok(if plan.held.is_some() { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

fn unusable(settings: &Settings, failure: &Failure) -> String {
    format!("{failure}\n{}", advice(settings, failure.step, &failure.cause, "user_base"))
}

/// A read that did not see everything: nothing is concluded from it.
fn cut(settings: &Settings, what: &str, cause: &Cause, base: &'static str) -> anyhow::Error {
    anyhow!(
        "{what} were not read to the end: {cause}\n{}\nNothing is concluded from a part.",
        advice(settings, Step::Search, cause, base)
    )
}

/// Everybody stored of the connection under an id of the directory.
async fn known(context: &Context, connection: &Connection) -> anyhow::Result<Vec<identities::Followed>> {
    let mut all: Vec<identities::Followed> = Vec::new();
    loop {
        let after = all.last().map(|followed| followed.external_id.clone()).unwrap_or_default();
        let page = identities::followed(&context.store, connection, &after, PAGE * 10).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

async fn read(
    context: &Context,
    (connection, settings, mapping): (&Connection, &Settings, &Arc<dyn Mapping>),
    mut session: Session,
    comparison: &mut Comparison,
) -> anyhow::Result<Plan> {
    let reads = mapping.reads();
    let id_attribute = &settings.users.id_attribute;
    let mut pages = Pages::new(settings, &settings.users, wanted::attributes(&reads, id_attribute));
    let (mut plan, mut progress, mut count) = (Plan::default(), Progress::new(), 0);
    let complete = loop {
        let page = match pages.next(&mut session).await {
            Read::Page(page) => page,
            Read::End(End::Complete(complete)) => break complete,
            Read::End(End::Cut(cut_short)) => return Err(cut(settings, "people", &cut_short.cause, "user_base")),
        };
        for one in page.unreadable {
            plan.add(unreadable(one, comparison));
            count += 1;
        }
        for entry in &page.entries {
            plan.add(line(entry, id_attribute, &reads.binary, comparison, (&**mapping, context.clock.now())));
            count += 1;
            progress.at(count, 0, None);
        }
    };
    drop(progress);
    plan.groups = groups(settings, &mut session).await?;
    plan.conclude(comparison, connection, &complete);
    Ok(plan)
}

/// Groups, and how many members they name.
async fn groups(settings: &Settings, session: &mut Session) -> anyhow::Result<Option<(usize, usize)>> {
    let Some(area) = &settings.groups else { return Ok(None) };
    let members = settings.server.member_attributes();
    let mut pages = Pages::new(settings, area, members.iter().map(|name| (*name).to_owned()).collect());
    let mut named = 0;
    loop {
        match pages.next(session).await {
            Read::Page(page) => {
                for group in &page.entries {
                    named += members.iter().filter_map(|name| group.find(name)).map(|found| found.values.len()).sum::<usize>();
                }
            }
            Read::End(End::Complete(complete)) => return Ok(Some((complete.entries(), named))),
            Read::End(End::Cut(cut_short)) => return Err(cut(settings, "groups", &cut_short.cause, "group_base")),
        }
    }
}

/// An entry that is there, so that its person is not missing.
fn unreadable(entry: Unreadable, comparison: &mut Comparison) -> Line {
    let external_id = entry.external_id.unwrap_or_default();
    if !external_id.is_empty() {
        comparison.meet(&external_id, "");
    }
    Line { change: "unreadable", external_id, name: entry.dn, reason: Some(entry.cause.to_string()) }
}

fn line(
    entry: &Entry,
    id_attribute: &str,
    binary: &[String],
    comparison: &mut Comparison,
    (mapping, now): (&dyn Mapping, i64),
) -> Line {
    let name = entry.dn.clone();
    let external_id = match external_id(entry, id_attribute) {
        Ok(id) => id,
        Err(why) => {
            return Line {
                change: "without_id",
                external_id: String::new(),
                name,
                reason: Some(format!("{id_attribute} {why}")),
            };
        }
    };
    let payload = payload(entry, binary);
    let change = match comparison.meet(&external_id, &raw_hash(&payload)) {
        Met::Unchanged => return Line { change: "unchanged", external_id, name, reason: None },
        Met::Twice => {
            return Line { change: "rejected", external_id, name, reason: Some(String::from("another entry has the same id")) };
        }
        Met::New => "create",
        Met::Returning => "return",
        Met::Changed => "update",
    };
    let mapped = mapping.map(&Input { payload: &payload, stored: None, now, seed: seed(0) });
    match refused(&mapped) {
        Some((change, reason)) => Line { change, external_id, name, reason: Some(reason) },
        None => Line { change, external_id, name, reason: None },
    }
}

/// What keeps an entry out of the roster, or its person from signing in.
fn refused(mapped: &Mapped) -> Option<(&'static str, String)> {
    match &mapped.gate {
        Some(Gate::Skip { reason }) => return Some(("skip", reason.clone())),
        Some(Gate::Deny { reason }) => return Some(("deny", reason.clone())),
        None => {}
    }
    let fails = |(rule, given): &&(mapping::Rule, Given)| {
        let missing = matches!(given, Given::Absent | Given::Error(_));
        missing && (rule.required || (rule.absent == Absent::Reject && *given == Given::Absent))
    };
    let (rule, given) = mapped.given.iter().find(fails)?;
    let why = if let Given::Error(why) = given { why.as_str() } else { "has no value" };
    Some(("rejected", format!("{}: {why}", rule.target)))
}

impl Plan {
    fn add(&mut self, line: Line) {
        *self.counts.entry(line.change).or_default() += 1;
        if line.change != "unchanged" && self.lines.len() < LISTED_MAX {
            self.lines.push(line);
        }
    }

    /// What only a complete read may say.
    fn conclude(&mut self, comparison: &Comparison, connection: &Connection, complete: &Complete) {
        let missing = comparison.missing(complete);
        self.held = comparison.held(missing.len(), connection.options.budget);
        for id in missing {
            self.add(Line { change: "missing", external_id: id.to_owned(), name: String::from("-"), reason: None });
        }
    }

    fn held_in_words(&self) -> Option<String> {
        Some(match self.held? {
            Held::Empty => String::from("the directory shows nobody, and people are known"),
            Held::OverBudget { allowed } => format!("more are missing than the budget of the connection allows ({allowed})"),
        })
    }

    fn print(&self) -> anyhow::Result<()> {
        if !self.lines.is_empty() {
            let row = |line: &Line| {
                let reason = line.reason.clone().unwrap_or_default();
                vec![line.change.to_owned(), line.name.clone(), line.external_id.clone(), reason]
            };
            output::table(&["CHANGE", "NAME", "ID", "WHY"], &self.lines.iter().map(row).collect::<Vec<_>>())?;
            output::line("")?;
        }
        let all: usize = self.counts.iter().filter(|(change, _)| **change != "unchanged").map(|(_, count)| count).sum();
        if all > self.lines.len() {
            output::line(format_args!("{} more are not listed", all - self.lines.len()))?;
        }
        let counts: Vec<String> = self.counts.iter().map(|(change, count)| format!("{count} {change}")).collect();
        output::line(format_args!("people: {}", if counts.is_empty() { String::from("none") } else { counts.join(", ") }))?;
        if let Some((groups, members)) = self.groups {
            output::line(format_args!("groups: {groups} with {members} members"))?;
        }
        if let Some(why) = self.held_in_words() {
            output::line(format_args!("The run would be held: {why}."))?;
        }
        output::line("Nothing was written.")?;
        Ok(())
    }

    fn print_json(&self, connection: &Connection) -> anyhow::Result<()> {
        let line = |line: &Line| json!({ "change": line.change, "dn": line.name, "external_id": line.external_id, "reason": line.reason });
        output::json(&json!({
            "connection": connection.name,
            "complete": true,
            "people": self.counts,
            "groups": self.groups.map(|(count, members)| json!({ "count": count, "members": members })),
            "held": self.held_in_words(),
            "entries": self.lines.iter().map(line).collect::<Vec<Value>>(),
        }))?;
        Ok(())
    }
}
