//! `rosterd connection check`, of a directory: goes the way a sync would go, up to what the mapping makes of three entries, and
//! says of each step what to change. Reads everything below both bases once, names only, since the usual trap is a directory that
//! answers with a part. Writes nothing, not even a first version of the mapping.

use super::report::{Report, STEPS, Sample};
use super::secrets;
use super::servers;
use super::{check_oidc, check_saml};
use crate::cli::context::{Context, TenantArg};
use crate::cli::mapping::input::Captured;
use crate::cli::mapping::try_entry::Subject;
use crate::cli::output;
use crate::ldap::advice::advice;
use crate::ldap::connect::Session;
use crate::ldap::entry::Entry;
use crate::ldap::failure::{Cause, Step};
use crate::ldap::identity::{LASTING, Lasting, external_id, lasting};
use crate::ldap::payload::payload;
use crate::ldap::search::{End, Pages, Read, Tally};
use crate::ldap::settings::{Area, Settings};
use crate::model::connection::{Connection, ConnectionKind};
use crate::sync::wanted;
use anyhow::bail;
use clap::Args;
use rosterd_mapping::target::Kind;
use std::process::ExitCode;

/// Entries looked at in full, of each sort.
const SAMPLES: u32 = 3;

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Name or id
    name: String,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

pub async fn run(context: &Context, args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let tenant = context.tenant(&args.tenant).await?;
    let connection = context.find_connection(&tenant, &args.name).await?.connection;
    let (mut report, subject) = match connection.kind {
        ConnectionKind::Ldap => {
            let mut report = Report::of(&connection.name, &STEPS);
            let subject = check(context, &connection, &mut report).await?;
            (report, subject)
        }
        ConnectionKind::Samlp => {
            let mut report = Report::of(&connection.name, &check_saml::STEPS);
            check_saml::check(context, &tenant, &connection, &mut report).await?;
            (report, None)
        }
        other @ (ConnectionKind::Scim | ConnectionKind::Database) => {
            bail!("connection {} is of kind {}; ldap, samlp and those by OAuth can be checked", connection.name, other.as_str())
        }
        _ => {
            let mut report = Report::of(&connection.name, &check_oidc::STEPS);
            check_oidc::check(context, &tenant, &connection, &mut report).await?;
            (report, None)
        }
    };
    report.close();
    if args.json {
        output::json(&report.as_json(subject.as_ref())?)?;
    } else {
        report.print()?;
    }
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Goes as far as it gets; the mapping, if it was come to.
async fn check(context: &Context, connection: &Connection, report: &mut Report) -> anyhow::Result<Option<Subject>> {
    let secrets = secrets::of(context, connection).await?;
    let settings = match Settings::of(&connection.options.directory, &secrets) {
        Ok(settings) => settings,
        Err(all) => {
            for invalid in all {
                report.failed("settings", invalid.to_string(), "`rosterd connection update` sets it.");
            }
            return Ok(None);
        }
    };
    report.ok("settings", "whole");
    doubtful_ids(&settings, report);
    let Some(mut session) = servers::visit(&settings, report).await else { return Ok(None) };
    if !users(&settings, &mut session, report).await || !groups(&settings, &mut session, report).await {
        return Ok(None);
    }
    let Some(mut subject) = mapping(context, connection, Kind::Ldap, report).await? else { return Ok(None) };
    try_samples(context, &settings, &mut session, (&mut subject, &connection.options.mapping), report).await?;
    Ok(Some(subject))
}

/// An id that people type, or that another account may be given.
fn doubtful_ids(settings: &Settings, report: &mut Report) {
    for (area, names) in [(Some(&settings.users), USERS), (settings.groups.as_ref(), GROUPS)] {
        let Some(area) = area else { continue };
        if let Lasting::Doubtful(why) = lasting(&area.id_attribute) {
            let advice = format!("{LASTING} is given by the directory and never changes.");
            report.warning("settings", format!("{} {} {why}", names.id_option, area.id_attribute), advice);
        }
    }
}

/// Reads every entry of an area by its id alone.
async fn census(settings: &Settings, area: &Area, session: &mut Session) -> End {
    let mut pages = Pages::new(settings, area, Vec::new());
    loop {
        if let Read::End(end) = pages.next(session).await {
            return end;
        }
    }
}

/// Says what a census found; whether to go on.
fn counted(settings: &Settings, area: &Area, end: End, names: Names, report: &mut Report) -> bool {
    let Names { step, one, base, id_option } = names;
    let complete = match end {
        End::Cut(cut) => {
            let detail = format!("cut after {}: {}", number(cut.entries, one), cut.cause);
            report.failed(step, detail, advice(settings, Step::Search, &cut.cause, base));
            return false;
        }
        End::Complete(complete) => complete,
    };
    let all = complete.entries();
    let mut detail = format!("{}, read to the end", number(all, one));
    if complete.references() > 0 {
        detail += &format!("; {} to other servers not followed, as expected", number(complete.references(), "reference"));
    }
    let unreadable = complete.unreadable();
    if unreadable.count > 0 {
        let detail = format!("{} can't be read whole", number(unreadable.count, one));
        report.warning(step, detail, format!("They are left as they are: {}", listed(unreadable)));
    }
    let id = &area.id_attribute;
    let nameless = complete.nameless();
    match nameless.count {
        _ if all == 0 => {
            let advice =
                format!("The directory shows the account nothing: look at {base}, at the filter, and at the rights below it.");
            let detail = format!("no {one} found");
            // There may be no groups yet; without people there is nothing to sync.
            let is_usual = step == GROUPS.step;
            if is_usual {
                report.warning(step, detail, advice);
            } else {
                report.failed(step, detail, advice);
            }
            is_usual
        }
        0 => {
            report.ok(step, detail);
            true
        }
        without if without == all => {
            let advice = format!(
                "Without it nobody is recognised again. The directory does not have {id}, or hides it from the account: set \
                 {id_option} to what names an entry for good there, or grant reading it."
            );
            report.failed(step, format!("{detail}; none of them has a usable {id}"), advice);
            false
        }
        without => {
            let advice = format!(
                "They are passed over, and while there are any nobody counts as missing, since it may be one of them: {}",
                listed(nameless)
            );
            report.warning(step, format!("{detail}; {without} have no usable {id}"), advice);
            true
        }
    }
}

/// The names of the first.
fn listed(tally: &Tally) -> String {
    tally.samples.join("; ") + if tally.count > tally.samples.len() { "; …" } else { "" }
}

/// How an area is called in a report.
#[derive(Clone, Copy)]
struct Names {
    step: &'static str,
    one: &'static str,
    base: &'static str,
    id_option: &'static str,
}

const USERS: Names = Names { step: "users", one: "person", base: "user_base", id_option: "id_attribute" };
const GROUPS: Names = Names { step: "groups", one: "group", base: "group_base", id_option: "group_id_attribute" };

fn number(count: usize, one: &str) -> String {
    match (count, one) {
        (1, one) => format!("1 {one}"),
        (count, "person") => format!("{count} people"),
        (count, one) => format!("{count} {one}s"),
    }
}

async fn users(settings: &Settings, session: &mut Session, report: &mut Report) -> bool {
    let census = census(settings, &settings.users, session).await;
    counted(settings, &settings.users, census, USERS, report)
}

async fn groups(settings: &Settings, session: &mut Session, report: &mut Report) -> bool {
    let Some(area) = &settings.groups else {
        report.skipped("groups", "none are read: group_base is not set");
        return true;
    };
    let census = census(settings, area, session).await;
    let is_empty = matches!(&census, End::Complete(complete) if complete.entries() == 0);
    if !counted(settings, area, census, GROUPS, report) {
        return false;
    }
    if is_empty {
        return true;
    }
    let members = settings.server.member_attributes();
    let wanted = members.iter().map(|name| (*name).to_owned()).chain([area.id_attribute.clone()]).collect();
    match first(settings, area, wanted, session).await {
        Ok(groups) => {
            let count =
                |entry: &Entry| -> usize { members.iter().filter_map(|name| entry.find(name)).map(|a| a.values.len()).sum() };
            let counts: Vec<String> = groups.iter().map(|group| count(group).to_string()).collect();
            report.ok("groups", format!("members of the first: {}", counts.join(", ")));
            true
        }
        Err(cause) => {
            report.failed("groups", cause.to_string(), advice(settings, Step::Search, &cause, "group_base"));
            false
        }
    }
}

/// The first entries of an area.
async fn first(settings: &Settings, area: &Area, attributes: Vec<String>, session: &mut Session) -> Result<Vec<Entry>, Cause> {
    let mut pages = Pages::new(settings, area, attributes).of_size(SAMPLES);
    match pages.next(session).await {
        Read::Page(page) => Ok(page.entries),
        Read::End(End::Cut(cut)) => Err(cut.cause),
        Read::End(End::Complete(_)) => Ok(Vec::new()),
    }
}

/// The mapping that the connection would run: the newest published version, else the draft that its first use would publish.
pub(super) async fn mapping(
    context: &Context,
    connection: &Connection,
    from: Kind,
    report: &mut Report,
) -> anyhow::Result<Option<Subject>> {
    let (name, from) = (&connection.options.mapping, (from, from.as_str()));
    let Some((published, origin)) = context.mapping_in_force(&connection.tenant_id, name).await? else {
        let advice = "Set mapping to one that `rosterd mapping list` shows, or put the file into mappings.dir.";
        report.failed("mapping", format!("there is no mapping {name}"), advice);
        return Ok(None);
    };
    match Subject::of(&published) {
        Err(reason) => {
            let advice = format!("`rosterd mapping check` shows where; then `rosterd mapping publish {name}`.");
            report.failed("mapping", format!("{name} ({origin}) can't run: {reason}"), advice);
            Ok(None)
        }
        Ok(subject) if subject.from() != from.0 => {
            let advice = format!("Set mapping to one whose first line says `from {}`.", from.1);
            report.failed(
                "mapping",
                format!("{name} ({origin}) is from {}, not from {}", subject.from().as_str(), from.1),
                advice,
            );
            Ok(None)
        }
        Ok(subject) => {
            report.ok("mapping", format!("{name} ({origin})"));
            Ok(Some(subject))
        }
    }
}

async fn try_samples(
    context: &Context,
    settings: &Settings,
    session: &mut Session,
    (subject, name): (&mut Subject, &str),
    report: &mut Report,
) -> anyhow::Result<()> {
    let reads = subject.reads();
    let entries = match first(settings, &settings.users, wanted::attributes(&reads, &settings.users.id_attribute), session).await
    {
        Ok(entries) => entries,
        Err(cause) => {
            report.failed("mapping", cause.to_string(), advice(settings, Step::Search, &cause, "user_base"));
            return Ok(());
        }
    };
    let (mut failing, mut rejected) = (Vec::new(), 0);
    for entry in &entries {
        let payload = payload(entry, &reads.binary);
        let trial = match subject.first_sight(&payload, context.clock.now()) {
            Ok(trial) => trial,
            Err(error) => {
                let advice = "Take this entry out by user_filter, or look at the attributes the mapping reads.";
                report.failed("mapping", format!("{}: {error:#}", entry.dn), advice);
                continue;
            }
        };
        rejected += usize::from(trial.failed().next().is_some());
        failing.extend(trial.failed().map(str::to_owned));
        let external_id = external_id(entry, &settings.users.id_attribute).ok();
        let place = external_id.clone().unwrap_or_else(|| entry.dn.clone());
        report.samples.push(Sample { entry: Captured { place, payload }, external_id, trial });
    }
    failing.sort_unstable();
    failing.dedup();
    if !failing.is_empty() {
        let is_all = rejected == report.samples.len() && rejected > 1;
        let some = if is_all { "none has a usable" } else { "some have no" };
        let detail = format!("of {} samples {some} {}", report.samples.len(), failing.join(", "));
        let advice =
            format!("Below is why. Where that is usual, change the rule: `rosterd mapping show {name}` prints the text.");
        report.warning("mapping", detail, advice);
    }
    Ok(())
}
