//! `rosterd connection traffic NAME`: what the connection's client asked and was answered, and what to change where it was
//! refused. Reads the database, so it works beside a running gateway; what a gateway noted is there after about a second.

use super::context::{Context, TenantArg};
use super::mapping::render::ColourArg;
use super::output;
use super::span::Expiry;
use crate::clock::{Micros, SECOND, rfc3339};
use crate::model::connection::{Connection, ConnectionKind};
use crate::model::ids::first_id_of;
use crate::model::traffic::Exchange;
use crate::store::tokens;
use crate::store::traffic::{self as rows, Wanted};
use crate::traffic::source::{self, Source};
use crate::traffic::{advice::Advice, shown};
use anyhow::bail;
use clap::Args;
use serde_json::Value;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

/// Rows read at a time.
const PAGE: i64 = 200;
const LIMIT_MAX: u32 = 10_000;
/// Between two looks with --follow.
const POLL: Duration = Duration::from_millis(500);
/// Rows may be written so much later than others that came after them: under load, and by another replica.
const LATE: Micros = 15 * SECOND;
/// Looks after which the client is recognised anew.
const RECOGNISE_EVERY: u32 = 20;
const PATH_CHARS: usize = 48;
const SENTENCE_CHARS: usize = 100;

#[derive(Debug, Args)]
pub struct TrafficArgs {
    /// Name or id
    name: String,
    /// Go on printing requests as they come, until interrupted
    #[arg(long)]
    follow: bool,
    /// Only what was refused
    #[arg(long)]
    refused: bool,
    /// At most so many of the newest requests
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(LIMIT_MAX)))]
    limit: u32,
    /// Nothing older: 30m, 12h, 7d, or an instant like 2027-01-31T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = past)]
    since: Option<Expiry>,
    /// Print bodies and queries too; secrets are never in them
    #[arg(long)]
    bodies: bool,
    #[command(flatten)]
    colour: ColourArg,
    #[command(flatten)]
    tenant: TenantArg,
    /// Print JSON: one array, the newest first; with --follow one object a line
    #[arg(long)]
    json: bool,
}

fn past(text: &str) -> Result<Expiry, String> {
    match text.parse()? {
        Expiry::Never => Err(String::from("`never` is no time to begin at: wanted a span like 7d, or an instant")),
        expiry => Ok(expiry),
    }
}

pub async fn run(context: &Context, args: TrafficArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let connection = context.find_connection(&tenant, &args.name).await?.connection;
    let now = context.clock.now();
    let since = match args.since {
        Some(Expiry::After(span)) => now.saturating_sub(span),
        Some(Expiry::At(at)) if at > now => bail!("--since lies in the future"),
        Some(Expiry::At(at)) => at,
        _ => 0,
    };
    let found = newest(context, &connection, &args, since).await?;
    let source = recognised(context, &connection).await?;
    if args.json && !args.follow {
        output::json(&found.iter().map(|row| shown::exchange(row, source.idp, true)).collect())?;
        return Ok(());
    }
    let printer = Printer { json: args.json, bodies: args.bodies, colour: args.colour.wanted(), source };
    if !args.json {
        printer.heading(&connection, is_pushed_to(context, &connection).await?)?;
    }
    for row in found.iter().rev() {
        printer.row(row)?;
    }
    if args.follow {
        return follow(context, &connection, &args, printer, &found, since).await;
    }
    Ok(())
}

/// The newest rows, as many as asked for, the newest first.
async fn newest(context: &Context, connection: &Connection, args: &TrafficArgs, since: Micros) -> anyhow::Result<Vec<Exchange>> {
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let mut found: Vec<Exchange> = Vec::new();
    let after = if since > 0 { first_id_of(since) } else { String::new() };
    while found.len() < limit {
        let before = found.last().map(|row| row.id.clone()).unwrap_or_default();
        let wanted = Wanted { refused_only: args.refused, before, after: after.clone() };
        let page = rows::list(&context.store, &connection.tenant_id, &connection.id, &wanted, PAGE).await?;
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    found.truncate(limit);
    Ok(found)
}

/// Who sends to the connection, from its newest requests.
pub(super) async fn recognised(context: &Context, connection: &Connection) -> anyhow::Result<Source> {
    let signs = rows::recent_signs(&context.store, &connection.tenant_id, &connection.id, source::WINDOW).await?;
    Ok(source::recognise(signs.iter().map(String::as_str)))
}

/// Whether there is a client to be recognised: a connection that people sign in through has a SCIM side only once it has a token.
pub(super) async fn is_pushed_to(context: &Context, connection: &Connection) -> anyhow::Result<bool> {
    match connection.kind {
        kind if kind == ConnectionKind::Samlp || kind.is_oauth() => {
            Ok(tokens::has_any(&context.store, &connection.tenant_id, &connection.id).await?)
        }
        _ => Ok(true),
    }
}

/// Prints what is new, until interrupted. A row that was written late is printed late, and none twice. Time is the gateways',
/// as their rows tell it: this machine's clock may go otherwise.
async fn follow(
    context: &Context,
    connection: &Connection,
    args: &TrafficArgs,
    mut printer: Printer,
    printed: &[Exchange],
    since: Micros,
) -> anyhow::Result<()> {
    let mut known: HashMap<String, Micros> = printed.iter().map(|row| (row.id.clone(), row.created_at)).collect();
    // With nothing found whatever comes is new; else what lies before the first printed row was left out by --limit.
    let mut newest = printed.first().map(|row| row.created_at);
    let oldest = printed.last().map(|row| row.id.clone()).unwrap_or_default();
    let mut looks = 0_u32;
    loop {
        tokio::time::sleep(POLL).await;
        looks += 1;
        if looks.is_multiple_of(RECOGNISE_EVERY) {
            printer.source = recognised(context, connection).await?;
        }
        let from = newest.map_or(since, |at| (at - LATE).max(since));
        for row in unseen(context, connection, args, from).await?.iter().rev() {
            if row.id > oldest && !known.contains_key(&row.id) {
                printer.row(row)?;
                known.insert(row.id.clone(), row.created_at);
                newest = newest.max(Some(row.created_at));
            }
        }
        known.retain(|_, at| *at >= from - SECOND);
    }
}

/// All rows since a moment, the newest first.
async fn unseen(context: &Context, connection: &Connection, args: &TrafficArgs, from: Micros) -> anyhow::Result<Vec<Exchange>> {
    let after = if from > 0 { first_id_of(from) } else { String::new() };
    let mut found: Vec<Exchange> = Vec::new();
    loop {
        let before = found.last().map(|row| row.id.clone()).unwrap_or_default();
        let wanted = Wanted { refused_only: args.refused, before, after: after.clone() };
        let page = rows::list(&context.store, &connection.tenant_id, &connection.id, &wanted, PAGE).await?;
        let last = i64::try_from(page.len()).is_ok_and(|count| count < PAGE);
        found.extend(page);
        if last {
            return Ok(found);
        }
    }
}

/// Prints rows one below the other, the same way at once and while following.
struct Printer {
    json: bool,
    bodies: bool,
    colour: bool,
    source: Source,
}

impl Printer {
    fn heading(&self, connection: &Connection, is_pushed_to: bool) -> std::io::Result<()> {
        let name = output::printable(&connection.name);
        match is_pushed_to {
            true => output::line(format!("{name}: {}\n", output::printable(&self.source.line())))?,
            false => output::line(format!("{name}\n"))?,
        }
        let heading = format!("{:<24}  {:<6}  {:<6}  {:<PATH_CHARS$}  {:>9}  REQUEST", "TIME", "STATUS", "METHOD", "PATH", "MS");
        output::line(heading)
    }

    fn row(&self, row: &Exchange) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        if self.json {
            let object: Value = shown::exchange(row, self.source.idp, true);
            writeln!(out, "{object}")?;
            return out.flush();
        }
        out.write_all(self.text(row).as_bytes())?;
        out.flush()
    }

    fn text(&self, row: &Exchange) -> String {
        let path = output::printable(&row.path);
        let path =
            if path.chars().count() > PATH_CHARS { path.chars().take(PATH_CHARS - 1).chain(['…']).collect() } else { path };
        let micros = row.duration_us.max(0);
        let status = self.painted(&format!("{:<6}", row.status), if row.refused { "31" } else { "32" });
        let mut text = String::new();
        let line = format!(
            "{}  {status}  {:<6}  {path:<PATH_CHARS$}  {:>5}.{:03}  {}",
            rfc3339(row.created_at),
            output::printable(&row.method),
            micros / 1_000,
            micros % 1_000,
            output::printable(&row.request_id)
        );
        // Writing to a String can't fail.
        let _ = writeln!(text, "{}", line.trim_end());
        if let Some(detail) = &row.detail {
            let kind = row.scim_type.as_deref().map(|kind| format!(" ({kind})")).unwrap_or_default();
            let _ = writeln!(text, "    {}{kind}", output::printable(detail));
        }
        if let Some(Advice { why, change }) = shown::advice_for(row, self.source.idp) {
            self.paragraph(&mut text, "why", why, "0");
            self.paragraph(&mut text, "change", change, "1");
        }
        if self.bodies {
            for (name, body) in [("query", &row.query), ("asked", &row.request_body), ("answer", &row.response_body)] {
                if let Some(body) = body {
                    let _ = writeln!(text, "    {name:<7} {}", output::printable(body));
                }
            }
        }
        text
    }

    /// A sentence in lines that a terminal shows whole, below the row it is about.
    fn paragraph(&self, text: &mut String, name: &str, sentence: &str, code: &str) {
        for (number, line) in wrapped(sentence, SENTENCE_CHARS).iter().enumerate() {
            let name = if number == 0 { name } else { "" };
            let _ = writeln!(text, "    {name:<7} {}", self.painted(line, code));
        }
    }

    fn painted(&self, text: &str, code: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// `text` in lines of at most `width` characters, broken at blanks.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_break_at_blanks_and_lose_no_word() {
        let lines = wrapped("one two three averyverylongword x", 9);
        assert_eq!(lines, ["one two", "three", "averyverylongword", "x"]);
        assert_eq!(wrapped("", 9), [""]);
    }
}
