//! The rules of the roster, decision by decision: design §3 and the table of `profile.md` §11. What is stored stands
//! in a [`World`], which takes each plan in as the store would.

mod arrivals;
mod entries;
mod events_and_states;
mod logins;
mod profiles;
mod replays;
mod sequences;
mod undoing;

use super::*;
use crate::mapping::{Absent, Gate, Given, Merge, Reads, Rule, WritePolicy};
use crate::model::connection::{ConnectionKind, Options};
use crate::model::ids::{ConnectionId, TenantId};
use crate::model::user::BlockKind;
use crate::profile::Side;
use crate::provisioning::apply;
use crate::provisioning::provenance::Provenance;
use crate::store::batch::Write;
use crate::store::{Batch, Value as Bound};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A mapping whose input says what comes out: a member per target, `{"error": reason}` for a failure, `skip` and
/// `deny` for the gates.
struct Said {
    version: i64,
    rules: Vec<Rule>,
}

fn rule(target: &str) -> Rule {
    Rule { target: target.into(), line: 7, policy: None, absent: Absent::Clear, merge: Merge::Replace, required: false }
}

impl Said {
    fn new() -> Self {
        let rules = vec![
            rule("name"),
            Rule { absent: Absent::Keep, ..rule("email") },
            Rule { policy: Some(WritePolicy::Create), ..rule("nickname") },
            Rule { policy: Some(WritePolicy::IfEmpty), ..rule("locale") },
            rule("app_metadata.title"),
            rule("blocked"),
        ];
        Self { version: 1, rules }
    }

    fn with(rules: Vec<Rule>) -> Self {
        Self { version: 1, rules }
    }
}

/// [`super::create`] with what the mapping gives, as the shell calls it.
fn create(desk: &Desk<'_>, record: &SourceRecord, id: IdentityId, newcomer: Newcomer) -> Decision<UserPlan> {
    super::create(desk, record, map(desk, record), id, newcomer)
}

/// [`super::write`] likewise.
fn write(desk: &Desk<'_>, event: UserEvent, known: Known, record: &SourceRecord, newcomer: Newcomer) -> Decision<UserPlan> {
    super::write(desk, event, known, record, Some((newcomer, map(desk, record))))
}

impl Mapping for Said {
    fn name(&self) -> &'static str {
        "said"
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn text(&self) -> String {
        String::new()
    }

    fn reads(&self) -> Reads {
        Reads::default()
    }

    fn map(&self, input: &Input<'_>) -> Mapped {
        let input = input.payload;
        let reason = |gate: &str| input.get(gate).and_then(Value::as_str).map(str::to_owned);
        let gate = reason("skip").map(|reason| Gate::Skip { reason });
        let given = |rule: &Rule| match input.get(&*rule.target) {
            None => Given::Absent,
            Some(Value::Object(failure)) => Given::Error(failure["error"].as_str().unwrap_or_default().to_owned()),
            Some(value) => Given::Value(value.clone()),
        };
        Mapped {
            given: self.rules.iter().map(|rule| (rule.clone(), given(rule))).collect(),
            extras: Map::new(),
            gate: gate.or_else(|| reason("deny").map(|reason| Gate::Deny { reason })),
        }
    }
}

/// One connection, and the one person of it that a test is about.
struct World {
    connection: Connection,
    mapping: Said,
    entropy: Entropy,
    now: Micros,
    known: Option<Known>,
}

const NOW: Micros = 1_764_000_000_000_000;

/// Each call gives other bytes, each run the same.
pub(in crate::provisioning) fn seeded() -> Entropy {
    let calls = Arc::new(AtomicU64::new(1));
    Entropy::from_fn(move |bytes| {
        for chunk in bytes.chunks_mut(8) {
            let call = calls.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            chunk.copy_from_slice(&call.to_be_bytes()[..chunk.len()]);
        }
    })
}

impl World {
    fn new() -> Self {
        let connection = Connection {
            tenant_id: TenantId::new("default"),
            id: ConnectionId::new("con_1"),
            name: "acme".into(),
            kind: ConnectionKind::Scim,
            organization_id: None,
            options: Options::defaults(ConnectionKind::Scim),
            version: 1,
            created_at: NOW,
            updated_at: NOW,
        };
        Self { connection, mapping: Said::new(), entropy: seeded(), now: NOW, known: None }
    }

    fn with(set: impl FnOnce(&mut Options)) -> Self {
        let mut world = Self::new();
        set(&mut world.connection.options);
        world
    }

    fn desk(&self) -> Desk<'_> {
        let moment = Moment { now: self.now, instant: self.now, actor: "token:t", request_id: "r-1", entropy: &self.entropy };
        let root_attributes = self.connection.options.root_attributes(true);
        Desk { moment, connection: &self.connection, mapping: &self.mapping, side: Side::Push, root_attributes }
    }

    fn known(&self) -> Known {
        self.known.clone().expect("somebody is there")
    }

    fn user(&self) -> User {
        self.known().user.expect("a profile is there")
    }

    fn value(&self, path: &str) -> Value {
        Profile::parse(&self.user().doc).and_then(|profile| profile.value(path).cloned()).unwrap_or_default()
    }

    fn provenance_of(&self, path: &str) -> Option<String> {
        let provenance = Provenance::parse(&self.user().provenance)?;
        provenance.of(path).map(|(source, _)| source.identity_id.clone())
    }

    fn blocks(&self) -> Vec<(BlockKind, String)> {
        self.known().blocks.into_iter().map(|block| (block.kind, block.reason)).collect()
    }

    /// What the store would say of a POST of `record` while this person is all there is on the connection.
    fn claims(&self, record: &SourceRecord) -> Claims {
        let mut claims = Claims::default();
        let Some(identity) = self.known.as_ref().map(|known| &known.identity) else { return claims };
        let entry = (identity.id.clone(), identity.external_id.clone());
        if identity.external_id.is_some() && identity.external_id == record.external_id {
            claims.by_external_id = Some(identity.id.clone());
        }
        if identity.user_name_key.is_some() && identity.user_name_key == record.user_name.as_deref().map(fold) {
            if identity.listed {
                claims.by_user_name = Some(entry);
            } else if identity.deleted_at.is_some() {
                claims.by_former_name.push(entry);
            }
        }
        claims
    }

    fn newcomer(&self, record: &SourceRecord) -> Newcomer {
        let wanted = user_id::wanted(&self.connection, record.external_id.as_deref(), "new");
        Newcomer::new(&wanted, &Claims::default(), None)
    }

    /// A POST as the shell runs it. What comes of it is taken in.
    fn post(&mut self, record: &SourceRecord) -> Decision<UserPlan> {
        let decision = self.post_undecided(record);
        self.take(decision)
    }

    fn post_undecided(&self, record: &SourceRecord) -> Decision<UserPlan> {
        let desk = self.desk();
        let arrived =
            arrival(record, &self.claims(record), self.connection.options.scim_user_id_attribute).and_then(
                |arrival| match arrival {
                    Arrival::New => Ok(None),
                    Arrival::Known(_) => repost(&self.known(), record, self.connection.options.repost).map(Some),
                },
            );
        match arrived {
            Err(refusal) => Decision::Refused(refusal),
            Ok(Some(event)) => write(&desk, event, self.known(), record, self.newcomer(record)),
            Ok(None) => create(&desk, record, IdentityId::new(desk.moment.id()), self.newcomer(record)),
        }
    }

    fn put(&mut self, record: &SourceRecord) -> Decision<UserPlan> {
        let decision = write(&self.desk(), UserEvent::Replaced, self.known(), record, self.newcomer(record));
        self.take(decision)
    }

    fn delete(&mut self, last: bool) -> Decision<UserPlan> {
        let decision = delete(&self.desk(), self.known(), last);
        self.take(decision)
    }

    fn end_grace(&mut self, before: Micros, last: bool) -> Decision<UserPlan> {
        let decision = end_grace(&self.desk(), self.known(), before, last);
        self.take(decision)
    }

    /// Stores a plan. Every plan of every test is held to what holds for all of them.
    fn take(&mut self, decision: Decision<UserPlan>) -> Decision<UserPlan> {
        let Decision::Write(plan) = &decision else { return decision };
        holds_together(plan);
        let before = self.known.take();
        let identity = match &plan.identity {
            IdentityWrite::Insert(identity) => identity.clone(),
            IdentityWrite::Update { identity, expected } | IdentityWrite::Login { identity, expected } => {
                Identity { version: expected + 1, ..identity.clone() }
            }
            IdentityWrite::Seen(identity) | IdentityWrite::Untouched(identity) => identity.clone(),
            IdentityWrite::Remove { .. } => return decision,
        };
        let (mut user, mut blocks, mut values) =
            before.map_or_else(Default::default, |known| (known.user, known.blocks, known.values));
        match &plan.profile {
            ProfileWrite::Insert(made) => user = Some(User { was: Some(made.doc.clone()), ..made.clone() }),
            ProfileWrite::Update { user: changed, expected } => {
                user = Some(User { version: expected + 1, was: Some(changed.doc.clone()), ..changed.clone() });
            }
            ProfileWrite::None | ProfileWrite::Remove { .. } => {}
        }
        blocks.retain(|block| !plan.lifts.contains(&(block.kind, block.origin.clone())));
        blocks.extend(plan.blocks.iter().cloned());
        values.retain(|row| identity.listed && !plan.values.gone.contains(row));
        values.extend(plan.values.new.iter().cloned());
        self.known = Some(Known { identity, user, blocks, values, in_groups: false });
        decision
    }

    /// An administrator's block, as the management API leaves it.
    fn block_by_administrator(&mut self) {
        let known = self.known.as_mut().expect("somebody is there");
        let (kind, origin, actor) = (BlockKind::Admin, String::new(), "token:admin".into());
        known.blocks.push(Block { kind, origin, since: NOW, actor, reason: "left the company".into(), expires_at: None });
        let user = known.user.as_mut().expect("a profile is there");
        user.blocked = true;
        user.version += 1;
    }
}

/// A pushed record. `said` is the mapping's result; `active` too becomes the mapped `blocked`, as in the shipped mapping.
fn record(external_id: Option<&str>, user_name: &str, active: bool, said: Value) -> SourceRecord {
    let Value::Object(mut payload) = said else { panic!("an object") };
    payload.insert("blocked".into(), (!active).into());
    payload.insert("userName".into(), user_name.into());
    if let Some(external_id) = external_id {
        payload.insert("externalId".into(), external_id.into());
    }
    SourceRecord {
        side: Side::Push,
        payload,
        external_id: external_id.map(str::to_owned),
        user_name: Some(user_name.to_owned()),
        label: Some(user_name.to_owned()),
        active: Some(active),
        values: vec![("userName".into(), fold(user_name))],
    }
}

fn anna(active: bool) -> SourceRecord {
    record(Some("e1"), "anna", active, json!({"name": "Anna", "email": "anna@acme.example"}))
}

fn plan(decision: Decision<UserPlan>) -> UserPlan {
    match decision {
        Decision::Write(plan) => *plan,
        other => panic!("nothing is written: {other:?}"),
    }
}

fn refusal(decision: Decision<UserPlan>) -> Refusal {
    match decision {
        Decision::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn kinds(plan: &UserPlan) -> Vec<&'static str> {
    plan.log.iter().map(|entry| entry.kind).collect()
}

fn announced(plan: &UserPlan) -> Vec<&'static str> {
    plan.outbox.iter().map(|announcement| announcement.kind).collect()
}

/// What every plan keeps: one transaction that writes no row twice, tells of itself once, and has its history row.
fn holds_together(plan: &UserPlan) {
    let batch = apply::user(plan);
    let rows = rows_of(&batch);
    for (at, one) in rows.iter().enumerate() {
        for other in &rows[at + 1..] {
            assert!(!overlap(one, other), "one row is written twice: {one:?} and {other:?}");
        }
    }
    let count = |table: &str| rows.iter().filter(|(name, _)| name == table).count();
    let (history, announcements) = match &plan.profile {
        ProfileWrite::None => (0, 0),
        // History lives as long as the user.
        ProfileWrite::Remove { .. } => (0, 1),
        ProfileWrite::Insert(_) | ProfileWrite::Update { .. } => (1, 1),
    };
    assert_eq!((count("history"), count("outbox")), (history, announcements), "{plan:?}");
    assert!(!plan.log.is_empty(), "everything written is logged");
    for entry in &plan.log {
        assert_eq!((entry.actor.as_str(), entry.request_id.as_str(), entry.outcome), ("token:t", "r-1", "ok"));
        assert_eq!(entry.history_id, plan.history.as_ref().map(|history| history.id.clone()));
    }
    for announcement in &plan.outbox {
        assert_eq!(announcement.log_id, plan.log[0].id, "an announcement names its log row");
        assert!(announcement.kind == "user.created" || announcement.changed != "[]", "an update names what changed");
    }
}

/// A written row: its table and what the statement says of the key.
pub(in crate::provisioning) type Touched = (String, BTreeMap<String, Bound>);

/// Whether two writes meet the same row, by the key columns both name. Where they have none in common (all members
/// of a group, all groups of a member) the store's suite looks.
pub(in crate::provisioning) fn overlap((table, key): &Touched, (other_table, other): &Touched) -> bool {
    let mut shared = key.iter().filter_map(|(column, value)| Some((value, other.get(column)?))).peekable();
    table == other_table && shared.peek().is_some() && shared.all(|(value, other)| value == other)
}

/// The columns of each table's primary key, without the tenant.
fn key_columns(table: &str) -> &'static [&'static str] {
    match table {
        "identities" | "users" | "groups" | "log" | "outbox" | "history" | "sessions" | "grants" => &["id"],
        "identity_values" => &["attribute", "value_key", "identity_id"],
        "user_values" => &["attribute", "value_key", "profile_id"],
        "members" => &["group_id", "member_id"],
        "blocks" => &["profile_id", "kind", "origin"],
        "conflicts" => &["connection_id", "kind", "subject"],
        "counters" => &["scope", "kind", "slot"],
        "tombstones" => &["kind", "subject"],
        other => panic!("add the key of {other} here"),
    }
}

/// Every row a batch writes, read from the statements themselves.
pub(in crate::provisioning) fn rows_of(batch: &Batch) -> Vec<Touched> {
    batch
        .0
        .iter()
        .flat_map(|write| match write {
            Write::One { sql, args, .. } | Write::Add { sql, args, .. } => vec![touched(sql, args)],
            Write::Each { sql, rows, .. } => rows.iter().map(|args| touched(sql, args)).collect(),
        })
        .collect()
}

fn touched(sql: &str, args: &[Bound]) -> Touched {
    let argument = |place: &str| Some(args[place.trim().strip_prefix('$')?.parse::<usize>().ok()? - 1].clone());
    let words: Vec<&str> = sql.split_whitespace().collect();
    let table = if words[0] == "UPDATE" { words[1] } else { words[2] };
    let pairs: Vec<(&str, &str)> = if words[0] == "INSERT" {
        let (columns, values) = sql.split_once("VALUES").expect("an INSERT of values");
        listed(columns).into_iter().zip(listed(values)).collect()
    } else {
        let condition = sql.split_once("WHERE").expect("a condition").1;
        condition.split(" AND ").filter_map(|part| part.split_once(" = ")).map(|(column, place)| (column.trim(), place)).collect()
    };
    let wanted = key_columns(table);
    let key = pairs
        .into_iter()
        .filter(|(column, _)| wanted.contains(column))
        .filter_map(|(column, place)| Some((column.to_owned(), argument(place)?)))
        .collect();
    (table.to_owned(), key)
}

/// What stands in the first parentheses.
fn listed(text: &str) -> Vec<&str> {
    let inside = text.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("", |(inside, _)| inside);
    inside.split(',').map(str::trim).collect()
}
