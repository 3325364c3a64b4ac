//! The recordings are sharp: whichever effect of a recorded request is turned round, the replay fails.
//!
//! A gateway that did the opposite of one operation would answer and store what the real one does when it is sent the
//! opposite. So that is sent, at the moment of the recording the operation belongs to, and the recording's expectations
//! are kept. SQLite only: what is examined is the expectations, and `idp_sequences` holds them against both databases.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use super::support::gateway::{Gateway, Store};
use super::support::reversal::{Reversal, UNHEEDED, Users, reversals};
use super::support::rows::{Database, Snapshot};
use super::support::sequence::{Player, Sent, Sequence, Step, VENDORS, of_vendor};

/// How many replays go on at a time.
const THREADS: usize = 12;
/// Fewer reversals than these, and the test has lost most of what it examines.
const REVERSALS_MIN: usize = 1_000;

/// The moment before a step: a copy of the database, and how far the recording has come.
struct Moment<'a> {
    file: PathBuf,
    stem: &'a str,
    sequence: &'a Sequence,
    index: usize,
    gateway: &'a Gateway,
    player: Player<'a>,
    rows: Snapshot,
    users: Users,
}

/// Where a replay failed: at the reversed step or after it.
struct Failure {
    index: usize,
    status: Option<u16>,
    report: String,
}

impl Moment<'_> {
    fn step(&self) -> &Step {
        &self.sequence.steps[self.index]
    }

    fn place(&self) -> String {
        format!("{}/{}.json, step {} \"{}\"", self.sequence.vendor, self.stem, self.index + 1, self.step().name)
    }

    /// Goes on from here on a copy, with `sent` in place of this step's request, until `end` or the first failure.
    async fn go_on(&self, sent: &Sent<'_>, end: usize) -> Result<(), Failure> {
        let mut gateway = Gateway::on_copy(&self.file, self.gateway);
        let mut database = Database::open(gateway.database_url()).await;
        let mut player = self.player.at(&gateway);
        let mut rows = None;
        let mut outcome = Ok(());
        for (index, step) in self.sequence.steps.iter().enumerate().take(end).skip(self.index) {
            let recorded = Sent::as_recorded(step);
            let sent = if index == self.index { sent } else { &recorded };
            let before = rows.as_ref().unwrap_or(&self.rows);
            match player.take(&mut database, self.sequence, step, sent, before).await {
                Ok(taken) => rows = Some(taken.after),
                Err(missed) => {
                    outcome = Err(Failure { index, status: missed.status, report: missed.to_string() });
                    break;
                }
            }
        }
        // Nothing is in flight and nothing of it is kept: no need to wait for an orderly end.
        gateway.kill9();
        outcome
    }
}

/// Plays a recording once and keeps every moment before a step.
async fn moments<'a>(stem: &'a str, sequence: &'a Sequence, gateway: &'a Gateway, folder: &TempDir) -> Vec<Moment<'a>> {
    let mut database = Database::open(gateway.database_url()).await;
    let mut player = Player::prepare(gateway, stem, sequence).await.unwrap_or_else(|wrong| panic!("{stem}: {wrong}"));
    let mut rows = Snapshot::of(&mut database).await;
    let mut kept = vec![];
    for (index, step) in sequence.steps.iter().enumerate() {
        let file = folder.path().join(format!("{}-{stem}-{index}.db", sequence.vendor));
        database.copy_to(&file);
        let users = users_at(step, &player, &rows);
        let moment = Moment { file, stem, sequence, index, gateway, player: player.at(gateway), rows, users };
        match player.take(&mut database, sequence, step, &Sent::as_recorded(step), &moment.rows).await {
            Ok(taken) => rows = taken.after,
            Err(missed) => panic!("{}: as it was recorded it fails; see idp_sequences\n{missed}", moment.place()),
        }
        kept.push(moment);
    }
    kept
}

/// The users that have a name, by whether they are in the group of the request's path.
fn users_at(step: &Step, player: &Player<'_>, rows: &Snapshot) -> Users {
    let group =
        step.request.path.split(['/', '?']).find_map(|part| player.names.text(part.strip_prefix("{{")?.strip_suffix("}}")?));
    let inside = |id: &str| rows.members.iter().any(|(of, member, _)| Some(of.as_str()) == group && member == id);
    let mut users = Users::default();
    for id in rows.identities.keys() {
        if let Some(name) = player.names.name_of(id) {
            let side = if inside(id) { &mut users.inside } else { &mut users.outside };
            side.push(name.to_owned());
        }
    }
    users
}

/// What came of one reversal.
struct Tried<'a> {
    moment: &'a Moment<'a>,
    reversal: Reversal,
    outcome: Result<(), Failure>,
}

impl Tried<'_> {
    fn is_noticed(&self) -> bool {
        self.outcome.is_err()
    }

    /// Noticed by the refusal of what should have been accepted, which says little of the effect. A conflict says that the
    /// request was understood.
    fn is_refused(&self) -> bool {
        let no_effect = |status: u16| status >= 400 && status != 409;
        let refused = |failure: &Failure| failure.index == self.moment.index && failure.status.is_none_or(no_effect);
        self.moment.step().expect.status < 400 && self.outcome.as_ref().is_err_and(refused)
    }

    fn is_idle(&self) -> bool {
        let unheeded = UNHEEDED.iter().map(|(pointer, _)| *pointer);
        let idle = self.moment.step().idle.values().flatten().map(String::as_str);
        idle.chain(unheeded).any(|entry| self.reversal.is_covered_by(entry))
    }
}

/// What came of turning round everything in some recordings.
struct Report {
    reversals: usize,
    /// Steps with anything to turn round.
    steps: usize,
    noticed: usize,
    refused: usize,
    idle: usize,
    /// What is wrong, one line each.
    findings: Vec<String>,
}

fn turn_round(recordings: &[(String, Sequence)]) -> Report {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let gateways = on_threads(recordings, async |_| Gateway::start(Store::Sqlite).await);
    let staged: Vec<_> = recordings.iter().zip(&gateways).collect();
    let played = on_threads(&staged, async |((stem, sequence), gateway)| moments(stem, sequence, gateway, &folder).await);
    let moments: Vec<Moment> = played.into_iter().flatten().collect();

    // On a copy each of these steps still goes as recorded: what fails below fails for the reversal.
    let turned: Vec<&Moment> = moments.iter().filter(|moment| !reversals(moment.step(), &moment.users).is_empty()).collect();
    let spoilt = on_threads(&turned, async |moment| {
        let outcome = moment.go_on(&Sent::as_recorded(moment.step()), moment.index + 1).await;
        outcome.err().map(|failure| format!("a copy does not go on as its original: {}\n{}", moment.place(), failure.report))
    });

    let made: Vec<(&Moment, Reversal)> = moments
        .iter()
        .flat_map(|moment| reversals(moment.step(), &moment.users).into_iter().map(move |reversal| (moment, reversal)))
        .collect();
    let outcomes = on_threads(&made, async |(moment, reversal)| {
        let sent = Sent { request: &reversal.request, answer_counts: reversal.answer_counts };
        moment.go_on(&sent, moment.sequence.steps.len()).await
    });
    let tried: Vec<Tried> =
        made.into_iter().zip(outcomes).map(|((moment, reversal), outcome)| Tried { moment, reversal, outcome }).collect();

    let count = |holds: &dyn Fn(&Tried) -> bool| tried.iter().filter(|one| holds(one)).count();
    Report {
        reversals: tried.len(),
        steps: turned.len(),
        noticed: count(&|one| one.is_noticed()),
        refused: count(&|one| one.is_refused()),
        idle: count(&|one| one.is_idle()),
        findings: [spoilt.into_iter().flatten().collect(), holes(&tried), stale(&moments, &tried), only_refused(&tried)].concat(),
    }
}

#[test]
fn whatever_a_recorded_request_does_the_opposite_of_it_is_noticed() {
    let recordings: Vec<(String, Sequence)> = VENDORS.iter().flat_map(|vendor| of_vendor(vendor)).map(untimed).collect();
    let Report { reversals, steps, noticed, refused, idle, findings } = turn_round(&recordings);
    eprintln!("{reversals} reversals of {steps} steps: {noticed} noticed ({refused} of them by a refusal), {idle} named idle");
    assert!(findings.is_empty(), "{} findings\n{}\n", findings.len(), findings.join("\n"));
    assert!(reversals >= REVERSALS_MIN, "only {reversals} reversals");
}

#[test]
fn a_recording_that_states_too_little_is_found_out() {
    let all = of_vendor("jumpcloud").into_iter().map(untimed);
    let mut recordings: Vec<_> = all.filter(|(stem, _)| stem == "deactivate").collect();
    let [_, deactivates, returns] = &mut recordings[0].1.steps[..] else { panic!("three steps") };
    // Given: one step says that what it sends has no effect, another states nothing of its answer.
    deactivates.idle.insert("as if".to_owned(), ["/active".to_owned()].into());
    returns.expect.body = None;

    let findings = turn_round(&recordings).findings;

    let found = |start: &str, end: &str| findings.iter().any(|line| line.starts_with(start) && line.contains(end));
    assert!(found("stale: jumpcloud/deactivate.json, step 2 ", "but /active changed of"), "{findings:#?}");
    assert!(found("unnoticed: jumpcloud/deactivate.json, step 3 ", ": /displayName left out"), "{findings:#?}");
}

/// Time is not what is examined, and many replays at once take theirs.
fn untimed((stem, mut sequence): (String, Sequence)) -> (String, Sequence) {
    for step in &mut sequence.steps {
        step.expect.within_ms = None;
    }
    (stem, sequence)
}

/// Reversals that no expectation notices. Of what a recording sends to be refused, one way to turn round an operation is
/// enough: that the refusal comes of it.
fn holes(tried: &[Tried]) -> Vec<String> {
    let mut noticed: BTreeSet<(String, String)> = BTreeSet::new();
    for one in tried.iter().filter(|one| one.is_noticed() && one.moment.step().expect.status >= 400) {
        noticed.insert((one.moment.place(), one.reversal.operation()));
    }
    tried
        .iter()
        .filter(|one| !one.is_noticed() && !one.is_idle())
        .filter(|one| !noticed.contains(&(one.moment.place(), one.reversal.operation())))
        .map(|one| format!("unnoticed: {}: {}", one.moment.place(), one.reversal.name()))
        .collect()
}

/// Entries of `idle` and of [`UNHEEDED`] that name nothing, or something whose reversal is noticed.
fn stale(moments: &[Moment], tried: &[Tried]) -> Vec<String> {
    let of_steps = moments.iter().flat_map(|moment| {
        let of_it = tried.iter().filter(|one| std::ptr::eq(one.moment, moment)).collect::<Vec<_>>();
        let entries = moment.step().idle.values().flatten();
        entries.map(move |entry| (format!("{}: idle {entry:?}", moment.place()), entry.as_str(), of_it.clone()))
    });
    let of_all = UNHEEDED.iter().map(|(entry, _)| (format!("UNHEEDED {entry:?}"), *entry, tried.iter().collect()));
    of_steps
        .chain(of_all)
        .flat_map(|(what, entry, mut named)| {
            named.retain(|one| one.reversal.is_covered_by(entry));
            let nothing = named.is_empty().then(|| format!("stale: {what} names nothing that is turned round"));
            let noticed = named.into_iter().filter(|one| one.is_noticed());
            let noticed = noticed
                .map(move |one| format!("stale: {what}, but {} of {} is noticed", one.reversal.name(), one.moment.place()));
            nothing.into_iter().chain(noticed).collect::<Vec<_>>()
        })
        .collect()
}

/// Operations of accepted requests all of whose reversals were refused: their effect was not examined.
fn only_refused(tried: &[Tried]) -> Vec<String> {
    let mut accepted: BTreeMap<(String, String), bool> = BTreeMap::new();
    for one in tried.iter().filter(|one| one.moment.step().expect.status < 400) {
        *accepted.entry((one.moment.place(), one.reversal.operation())).or_default() |= !one.is_refused();
    }
    accepted
        .into_iter()
        .filter(|(_, accepted)| !accepted)
        .map(|((place, operation), _)| format!("refused: {place}: every reversal of {operation:?} is refused"))
        .collect()
}

/// Does the work of every job, a few at a time; results in the order of the jobs.
fn on_threads<'a, J: Sync, R: Send>(jobs: &'a [J], work: impl AsyncFn(&'a J) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results: Mutex<BTreeMap<usize, R>> = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(index) else { return };
                    let result = runtime.block_on(work(job));
                    results.lock().expect("no worker panics while it holds this").insert(index, result);
                }
            });
        }
    });
    results.into_inner().expect("every worker has ended well").into_values().collect()
}
