//! A run that is ended at a counted point, wherever that is: between two statements, with one under way, in the middle of a
//! write to a file, or with its connections gone. The next run ends where an undisturbed one would have, nobody left or was
//! locked out by it, and no event was told twice. So of a first import, and of a run that reads what changed.
//!
//! [`sync_faults`](super::sync_faults) ends runs by the clock; here every phase of a run has its points.

use crate::support::anew::View;
use crate::support::corp::Corp;
use crate::support::counted::{Counted, End, Wire, ended_at_write};
use crate::support::postgres::cluster;
use crate::support::slapd::{SUFFIX, Slapd};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use tokio::runtime::Handle;

const PEOPLE: usize = 120;
const GROUPS: usize = 10;
/// Points per phase, on PostgreSQL.
const POINTS: usize = 10;
/// Points per run, on SQLite.
const WRITES: usize = 25;
/// Gateways at a time.
const TOGETHER: usize = 3;

/// The parts of a run, by what it asks and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Lease,
    Look,
    People,
    LetGo,
    Groups,
    Finish,
}

/// Told by what each part asks for first.
fn phases(texts: &[String]) -> Vec<Phase> {
    let (mut phase, mut phases) = (Phase::Lease, Vec::new());
    for text in texts {
        let has = |part: &str| text.contains(part);
        // A person with the profile: one by one where they are let go, else several at once.
        let is_of_people = has("u.provenance");
        phase = match phase {
            Phase::Look if is_of_people => Phase::People,
            Phase::People if is_of_people && has("i.external_id = $3") => Phase::LetGo,
            Phase::People | Phase::LetGo if has("FROM groups g ") => Phase::Groups,
            Phase::Groups if has("r.kind = 'sync'") => Phase::Finish,
            phase => phase,
        };
        phases.push(phase);
        if phase == Phase::Lease && has("INSERT INTO runs") {
            phase = Phase::Look;
        }
    }
    phases
}

/// What a run left: what there is of the directory, who left or is locked out, and what was told.
struct Left {
    view: View,
    gone: BTreeSet<String>,
    blocked: BTreeSet<String>,
    /// Kind and whom or what it is about, and how often.
    events: BTreeMap<(String, String), usize>,
}

impl Left {
    /// # Panics
    /// If an event was told twice, or somebody is not whole: profile, history, log and event.
    async fn by(corp: &Corp) -> Self {
        let events = "SELECT o.kind, o.version, coalesce(i.external_id, g.external_id) AS subject FROM outbox o \
            LEFT JOIN identities i ON i.tenant_id = o.tenant_id AND i.profile_id = o.profile_id \
            LEFT JOIN groups g ON g.tenant_id = o.tenant_id AND g.id = o.group_id";
        let (mut told, mut once) = (BTreeMap::new(), BTreeSet::new());
        for row in corp.rows(events).await {
            let text = |column: &str| row[column].as_str().unwrap_or_default().to_owned();
            let event = (text("kind"), text("subject"));
            assert!(once.insert((event.clone(), row["version"].as_i64())), "told twice: {row:?}");
            *told.entry(event).or_default() += 1;
        }
        let whole = "SELECT (SELECT count(*) FROM identities) AS people, (SELECT count(*) FROM users) AS users, \
            (SELECT count(DISTINCT profile_id) FROM history) AS history, \
            (SELECT count(*) FROM log WHERE kind = 'sync.user.created') AS log, \
            (SELECT count(*) FROM outbox WHERE kind = 'user.created') AS outbox";
        let row = corp.rows(whole).await.pop().expect("a row");
        assert!(row.values().all(|count| *count == row["people"]), "somebody is not whole: {row:?}");
        let ids = async |sql: &str| corp.list(sql).await.iter().map(|id| id.as_str().unwrap().to_owned()).collect();
        let gone = ids("SELECT external_id FROM identities WHERE NOT listed").await;
        let blocked = "SELECT i.external_id FROM identities i JOIN blocks b ON b.profile_id = i.profile_id";
        Self { view: View::of(corp).await, gone, blocked: ids(blocked).await, events: told }
    }

    /// What there is that an undisturbed run would not have brought.
    fn faults(&self, undisturbed: &Self) -> Vec<String> {
        let mut all = Vec::new();
        if !self.gone.is_subset(&undisturbed.gone) || !self.blocked.is_subset(&undisturbed.blocked) {
            all.push(format!("{:?} are gone, {:?} are blocked", self.gone, self.blocked));
        }
        let more = self.events.iter().filter(|(event, count)| **count > undisturbed.events.get(*event).copied().unwrap_or(0));
        all.extend(more.map(|(event, count)| format!("{event:?} was told {count} times")));
        all
    }

    /// The same of a run that was ended and one after it.
    fn differences(&self, undisturbed: &Self) -> Vec<String> {
        let mut all = self.view.differences(&undisturbed.view);
        all.extend(self.faults(undisturbed));
        if (&self.gone, &self.blocked, &self.events) != (&undisturbed.gone, &undisturbed.blocked, &undisturbed.events) {
            let missing: Vec<_> =
                undisturbed.events.iter().filter(|(event, count)| self.events.get(*event) != Some(*count)).collect();
            all.push(format!("{:?} are gone, {:?} are blocked, not told: {missing:?}", self.gone, self.blocked));
        }
        all
    }
}

/// Where a run starts from, on one store: every point has a copy of it.
struct Start {
    corp: Corp,
    /// By way of which everybody reads the directory.
    directory: Arc<Wire>,
    undisturbed: Left,
    /// How many runs ended in the middle of a write.
    killed: AtomicUsize,
}

impl Start {
    async fn of(corp: &Corp, directory: &Arc<Wire>, kind: &str) -> Self {
        let (corp, copy) = (corp.copied().await, corp.copied().await);
        let report = copy.sync_ends(0, "");
        assert_eq!(report["summary"]["kind"], kind, "{report}");
        Self { corp, directory: Arc::clone(directory), undisturbed: Left::by(&copy).await, killed: AtomicUsize::default() }
    }

    /// What is wrong with what an ended run left, and with what the next one made of it.
    async fn faults(&self, corp: &Corp) -> Vec<String> {
        let mut faults = Left::by(corp).await.faults(&self.undisturbed);
        corp.lease_runs_out().await;
        corp.sync();
        faults.extend(Left::by(corp).await.differences(&self.undisturbed));
        if corp.count("runs WHERE state = 'running'").await > 0 {
            faults.push("a run is under way for good".into());
        }
        faults
    }

    /// The statements of an undisturbed run on PostgreSQL, each with its phase.
    async fn statements(&self) -> Vec<Phase> {
        let copy = self.corp.copied().await;
        let counted = Counted::before(cluster().port, None, None);
        let run = copy.spawn_sync_with(&[("ROSTERD__DATABASE__URL", counted.url(&copy.database, cluster().port))]);
        let output = run.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let texts = counted.texts();
        cluster().drop_database(&copy.database).await;
        phases(&texts)
    }

    /// A run that ends at a statement, and the next one.
    async fn at_statement(&self, at: usize, end: End) -> Vec<String> {
        let copy = self.corp.copied().await;
        let counted = Counted::before(cluster().port, Some((at, end)), Some(Arc::clone(&self.directory)));
        let run = copy.spawn_sync_with(&[("ROSTERD__DATABASE__URL", counted.url(&copy.database, cluster().port))]);
        counted.kills(run.id());
        let output = run.wait_with_output().expect("it ends");
        let is_killed = output.status.signal() == Some(libc::SIGKILL);
        assert_eq!(is_killed, matches!(end, End::KilledBefore | End::KilledAfter), "statement {at}: {output:?}");
        assert!(counted.texts().len() > at, "statement {at} was never sent: {output:?}");
        let faults = self.faults(&copy).await;
        cluster().drop_database(&copy.database).await;
        faults
    }

    /// How often an undisturbed run writes to the files of SQLite.
    async fn writes(&self) -> usize {
        let copy = self.corp.copied().await;
        let told = copy.sandbox.path().join("writes");
        let output = copy.spawn_sync_with(&ended_at_write(0, &told)).wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read_to_string(told).expect("told").parse().expect("a number")
    }

    /// A run that ends in the middle of a write, and the next one.
    async fn at_write(&self, at: usize) -> Vec<String> {
        let copy = self.corp.copied().await;
        let told = copy.sandbox.path().join("writes");
        let output = copy.spawn_sync_with(&ended_at_write(at, &told)).wait_with_output().expect("it ends");
        match output.status.signal() {
            Some(libc::SIGKILL) => drop(self.killed.fetch_add(1, Ordering::SeqCst)),
            _ => assert!(output.status.success(), "write {at}: {output:?}"),
        }
        self.faults(&copy).await
    }
}

/// A directory whose groups name everybody several times.
fn founding() -> String {
    let mut ldif = String::new();
    for group in 0..GROUPS - 2 {
        let _ = write!(ldif, "dn: cn=g{group},ou=groups,{SUFFIX}\nchangetype: add\nobjectClass: groupOfNames\ncn: g{group}\n");
        for one in 0..10 {
            let _ = writeln!(ldif, "member: uid=u{:06},ou=people,{SUFFIX}", group * 10 + one);
        }
        // And the group after it, which is not there when this one is read.
        let _ = writeln!(ldif, "member: cn=g{},ou=groups,{SUFFIX}\n", group + 1);
    }
    ldif
}

/// What a second run finds: people who come, change, are renamed, are locked out and leave; groups that come, change and go.
fn changes() -> String {
    let dn = |one: usize| format!("dn: uid=u{one:06},ou=people,{SUFFIX}\nchangetype:");
    let group = |group: usize| format!("dn: cn=g{group},ou=groups,{SUFFIX}\nchangetype:");
    let mut ldif = String::new();
    for one in 0..5 {
        let _ = write!(ldif, "{} delete\n\n", dn(one));
        let _ = write!(ldif, "{} modify\nreplace: displayName\ndisplayName: Eve {one}\n\n", dn(10 + one));
        let _ = write!(ldif, "{} modify\nreplace: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n\n", dn(20 + one));
        let _ = write!(
            ldif,
            "dn: uid=new{one},ou=people,{SUFFIX}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: new{one}\ncn: New\nsn: New\n\
             mail: new{one}@example.test\n\n"
        );
        let _ = write!(ldif, "{} modify\nadd: member\nmember: uid=new{one},ou=people,{SUFFIX}\n\n", group(one + 2));
    }
    let swapped = |one: usize, other: usize| format!("{} modify\nreplace: mail\nmail: u{other:06}@example.test\n\n", dn(one));
    ldif += &(swapped(30, 31) + &swapped(31, 30));
    let _ = write!(ldif, "{} modrdn\nnewrdn: uid=renamed\ndeleteoldrdn: 1\n\n", dn(119));
    let _ = write!(ldif, "{} delete\n\n", group(7));
    let _ = write!(ldif, "{} modify\ndelete: member\nmember: uid=u000055,ou=people,{SUFFIX}\n\n", group(5));
    let _ = write!(ldif, "{} modrdn\nnewrdn: cn=club\ndeleteoldrdn: 1\n\n", group(6));
    ldif + &format!(
        "dn: cn=late,ou=groups,{SUFFIX}\nchangetype: add\nobjectClass: groupOfNames\ncn: late\nmember: uid=u000040,ou=people,{SUFFIX}\n\n"
    )
}

/// Every phase has its points: statements of it in turn, ended in every way in turn.
fn points(phases: &[Phase]) -> Vec<(usize, End)> {
    const ENDS: [End; 5] = [End::KilledBefore, End::CutAfter, End::KilledAfter, End::DirectoryCut, End::CutBefore];
    let mut points = Vec::new();
    for phase in [Phase::Lease, Phase::Look, Phase::People, Phase::LetGo, Phase::Groups, Phase::Finish] {
        let all: Vec<usize> = (0..phases.len()).filter(|at| phases[*at] == phase).collect();
        let of_it = (0..POINTS * usize::from(!all.is_empty())).map(|point| (all[point * all.len() / POINTS], ENDS[point % 5]));
        points.extend(of_it);
    }
    points
}

/// Some gateways at a time, until all points are done; panics with all that was wrong.
fn at_all<P: Copy + Send + std::fmt::Debug>(together: usize, points: Vec<P>, at: impl AsyncFn(P) -> Vec<String> + Sync) {
    let (handle, waiting, faults) = (Handle::current(), Mutex::new(points), Mutex::new(Vec::new()));
    tokio::task::block_in_place(|| {
        thread::scope(|scope| {
            for _ in 0..together {
                scope.spawn(|| {
                    loop {
                        let Some(point) = waiting.lock().unwrap().pop() else { return };
                        let found = handle.block_on(at(point));
                        faults.lock().unwrap().extend(found.into_iter().map(|fault| format!("{point:?}: {fault}")));
                    }
                });
            }
        });
    });
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

async fn slapd_and_corp(postgres: bool) -> (Slapd, Arc<Wire>, Corp) {
    let slapd = Slapd::start_with(PEOPLE, "moduleload ppolicy\n", "overlay ppolicy\n");
    slapd.modify(&founding());
    let corp = Corp::with_groups(postgres, &slapd, "--set page_size=50 --set budget=60,0% --set delta=syncrepl").await;
    let directory = Wire::to(slapd.tls_port);
    corp.set(&format!("url=ldaps://127.0.0.1:{}", directory.port()));
    (slapd, directory, corp)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ends_at_any_statement_on_postgres_is_finished_by_the_next() {
    let (slapd, directory, corp) = slapd_and_corp(true).await;
    for second in [false, true] {
        if second {
            corp.sync();
            slapd.modify(&changes());
        }
        let start = Start::of(&corp, &directory, if second { "delta" } else { "full" }).await;
        let phases = start.statements().await;
        let points = points(&phases);
        eprintln!("{} statements, {} points", phases.len(), points.len());
        assert!(points.len() >= 50, "every phase has its points: {phases:?}");
        // Whoever cuts the directory cuts it for all who read it.
        let (alone, others) = points.into_iter().partition(|(_, end)| *end == End::DirectoryCut);
        at_all(TOGETHER, others, async |(at, end)| start.at_statement(at, end).await);
        at_all(1, alone, async |(at, end)| start.at_statement(at, end).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ends_in_any_write_on_sqlite_is_finished_by_the_next() {
    let (slapd, directory, corp) = slapd_and_corp(false).await;
    for second in [false, true] {
        if second {
            corp.sync();
            slapd.modify(&changes());
        }
        let start = Start::of(&corp, &directory, if second { "delta" } else { "full" }).await;
        let writes = start.writes().await;
        eprintln!("{writes} writes");
        assert!(writes > 2 * WRITES, "there are enough to end in");
        at_all(TOGETHER, (0..WRITES).map(|point| 1 + point * writes / WRITES).collect(), async |at| start.at_write(at).await);
        // A run that ends without tidying up writes less than another.
        assert!(start.killed.load(Ordering::SeqCst) * 4 >= WRITES * 3, "most of them ended in a write");
    }
}
