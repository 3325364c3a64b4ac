//! `rosterd mapping diff`: what a new mapping would change, counted over captured entries. Both sides are behind the
//! trait, so either may be a script. One entry is in memory at a time; beside it only counts and a few samples.

mod tally;

use super::OVER_THE_LIMIT;
use super::files;
use super::input::{Entries, Format};
use super::progress::Progress;
use super::value::{Share, instant, seed};
use crate::cli::output::{self, printable};
use crate::clock::{Clock, Micros};
use crate::mapping::compiled::reads;
use crate::mapping::{Input, Language, Mapping};
use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use rosterd_mapping::plan::Plan;
use rosterd_mapping::trace::hides;
use serde_json::json;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tally::Tally;

#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The mapping as it is: a .mapping file or a profileMapper.js
    old: PathBuf,
    /// The mapping as it is to be
    new: PathBuf,
    /// Captured entries: LDIF, JSON, NDJSON or a SAML assertion; - is standard input
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// What the input is; without it the file's name or its first bytes tell
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Exit code 3 if more entries change than this: a number like 20, or a share like 5%
    #[arg(long, value_name = "SHARE", value_parser = Share::parse)]
    max_change: Option<Share>,
    /// Examples per attribute
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=1000))]
    samples: u16,
    /// What `now` is, for instance 2026-11-20T23:50:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    at: Option<Micros>,
    /// Decides what uuid() and random_string() give, on both sides
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

/// One of the two mappings.
struct Side {
    mapping: Arc<dyn Mapping>,
    /// A script has none: what it gives is hidden where the other side says so.
    plan: Option<Plan>,
    /// Targets of which no value may be shown.
    hidden: HashSet<Box<str>>,
}

impl Side {
    fn load(path: &Path) -> anyhow::Result<Self> {
        let text = files::read(path)?;
        let mapping = text.load().map_err(|reason| anyhow!("{}: {reason}", text.shown))?;
        let plan = if text.language == Language::Mapping { text.compile().plan } else { None };
        let rules = plan.iter().flat_map(|plan| plan.rules.iter().filter(|rule| hides(plan, rule)));
        let hidden = rules.map(|rule| rule.target.clone()).collect();
        Ok(Self { mapping, plan, hidden })
    }

    fn hides(&self, target: &str) -> bool {
        self.hidden.contains(target)
    }

    fn binary(&self) -> Vec<String> {
        self.plan.as_ref().map(|plan| reads(plan).binary).unwrap_or_default()
    }
}

pub fn run(args: &DiffArgs) -> anyhow::Result<ExitCode> {
    let (old, new) = (Side::load(&args.old)?, Side::load(&args.new)?);
    if let (Some(from), Some(to)) = (&old.plan, &new.plan)
        && (from.from, from.to) != (to.from, to.to)
    {
        let side = |plan: &Plan| format!("from {} to {}", plan.from.as_str(), plan.to.as_str());
        bail!("one mapping goes {}, the other {}: there is nothing to compare", side(from), side(to));
    }
    let now = args.at.unwrap_or_else(|| Clock::system().now());
    let seed = seed(args.seed);
    let mut tally = Tally::new(usize::from(args.samples));
    let mut progress = Progress::new();
    let mut entries = Entries::open(&args.input, args.format, &[old.binary(), new.binary()].concat())?;
    while let Some(entry) = entries.next() {
        let entry = entry.with_context(|| args.input.display().to_string())?;
        let input = Input { payload: &entry.payload, stored: None, now, seed };
        let (before, after) = (old.mapping.map(&input), new.mapping.map(&input));
        tally.add(&entry.place, &before, &after, &|target| old.hides(target) || new.hides(target));
        progress.at(tally.entries, entries.read, entries.size);
    }
    drop(progress);
    if tally.entries == 0 {
        bail!("{} holds no entry", args.input.display());
    }
    let exceeded = args.max_change.is_some_and(|share| share.is_exceeded(tally.changed, tally.entries));
    if args.json {
        let mut object = tally.as_json();
        object["old"] = args.old.display().to_string().into();
        object["new"] = args.new.display().to_string().into();
        object["over_max_change"] = json!(exceeded);
        output::json(&object)?;
    } else {
        print(&tally)?;
        if exceeded {
            eprintln!("more entries change than --max-change allows");
        }
    }
    Ok(if exceeded { ExitCode::from(OVER_THE_LIMIT) } else { ExitCode::SUCCESS })
}

fn print(tally: &Tally) -> anyhow::Result<()> {
    output::line(format_args!("{} of {} entries change", tally.changed, tally.entries))?;
    for (target, old, new) in tally.words() {
        output::line(format_args!("rule {target}: {old} → {new}"))?;
    }
    for ((from, to), outcome) in &tally.outcomes {
        output::line(format_args!("{from} → {to}: {}", outcome.count))?;
        for sample in &outcome.samples {
            output::line(format_args!("  {}: {} → {}", printable(&sample.who), sample.old, sample.new))?;
        }
    }
    let changed: Vec<_> = tally.attributes.iter().filter(|(_, counts)| counts.any()).collect();
    if changed.is_empty() {
        return Ok(());
    }
    output::line("")?;
    let row = |(target, counts): &(&String, &tally::Counts)| {
        let counts = [counts.gaining, counts.losing, counts.changing, counts.failing, counts.mended, counts.absence];
        std::iter::once((*target).clone()).chain(counts.map(|count| count.to_string())).collect()
    };
    let heading = ["ATTRIBUTE", "GAINING", "LOSING", "CHANGING", "NEW ERRORS", "ERRORS GONE", "KEEP/CLEAR"];
    output::table(&heading, &changed.iter().map(row).collect::<Vec<_>>())?;
    for (target, counts) in changed {
        if !counts.samples.is_empty() {
            output::line(format_args!("\n{target}"))?;
        }
        for sample in &counts.samples {
            output::line(format_args!("  {}: {} → {}", printable(&sample.who), sample.old, sample.new))?;
        }
    }
    Ok(())
}
