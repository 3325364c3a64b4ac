//! What a record comes to in the profile: which values, blocks and rows move, or why it is refused. Owns the order of
//! the questions (what the mapping refuses, its gates, joining, the address, the policy). Refuses to know the verbs.

use super::rows::email_elsewhere;
use super::{Desk, Joined, Newcomer, UserEvent};
use crate::mapping::{Gate, Mapped};
use crate::model::connection::OnEmailMatch;
use crate::model::fold::fold;
use crate::model::identity::Identity;
use crate::model::ids::ProfileId;
use crate::model::user::{Block, BlockKind, User};
use crate::profile::{Profile, Side, SourceRecord};
use crate::provisioning::plan::{ProfileWrite, Refusal};
use crate::provisioning::policy::{self, Changes};
use crate::provisioning::provenance::{Provenance, Source};
use serde_json::{Map, Value, json};

/// Largest profile document in bytes; what would pass it is refused, never cut.
pub const PROFILE_BYTES_MAX: usize = 64 * 1024;

/// Whom a record meets.
pub(super) enum Target {
    /// No profile yet: one is joined or made, unless a gate skips.
    Nobody(Newcomer),
    Has(Box<Stored>),
}

/// What comes of the profile.
pub(super) struct ProfileOutcome {
    pub write: ProfileWrite,
    pub changes: Changes,
    pub blocks: Vec<Block>,
    pub lifts: Vec<(BlockKind, String)>,
    /// Names for the outbox; empty = the profile did not move.
    pub changed: Vec<String>,
    /// JSON text for the history row.
    pub before: Option<String>,
    pub history_id: String,
    pub skipped: Option<String>,
    /// The mapping refuses the record: nothing of it is taken but that its source bars the person.
    pub rejected: Option<Vec<(String, String)>>,
    /// An identity joins the profile or leaves it.
    pub membership: Option<Membership>,
    /// The groups that a login gives changed.
    pub groups: Option<GroupsBefore>,
}

/// What a login gave as groups until now, and the line that gives others.
pub(super) struct GroupsBefore {
    pub before: Value,
    pub line: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Membership {
    Joins,
    Leaves,
}

impl ProfileOutcome {
    pub(super) fn nothing(desk: &Desk<'_>) -> Self {
        Self {
            write: ProfileWrite::None,
            changes: Changes::default(),
            blocks: Vec::new(),
            lifts: Vec::new(),
            changed: Vec::new(),
            before: None,
            history_id: desk.moment.id(),
            skipped: None,
            rejected: None,
            membership: None,
            groups: None,
        }
    }
}

/// A mapping's result beside what this identity's mapping gave last time.
#[derive(Clone, Copy)]
pub(super) struct Results<'a> {
    pub mapped: &'a Mapped,
    pub previous: Option<&'a Map<String, Value>>,
}

/// The mapping's refusals first, then its `skip`, then joining, then the address, then the policy.
pub(super) fn profile(
    desk: &Desk<'_>,
    event: UserEvent,
    record: &SourceRecord,
    identity: &mut Identity,
    results: Results<'_>,
    target: Target,
) -> Result<ProfileOutcome, Refusal> {
    let mut outcome = ProfileOutcome::nothing(desk);
    let stored = match target {
        Target::Has(stored) => *stored,
        Target::Nobody(Newcomer { user_id, joined, by_email, .. }) => match joined {
            Some(Joined { user, position, blocks }) if !skips(results.mapped) => {
                identity.position = position;
                identity.profile_id = Some(user.id.clone());
                outcome.membership = Some(Membership::Joins);
                Stored::read(user, blocks)
            }
            _ => {
                outcome.changes = changes(desk, identity, results, None)?;
                if let Some(Gate::Skip { reason }) = &results.mapped.gate {
                    outcome.skipped = Some(reason.clone());
                    return Ok(outcome);
                }
                if let Some((profile, user_id)) = by_email
                    && desk.connection.options.on_email_match == OnEmailMatch::Conflict
                {
                    let subject = record.external_id.as_deref().or(record.user_name.as_deref()).unwrap_or_default();
                    let (inbox, log) = email_elsewhere(desk, subject, record.user_name.as_deref(), &profile, &user_id);
                    return Err(Refusal::EmailElsewhere { inbox, log });
                }
                made(desk, event, identity, results.mapped, user_id, &mut outcome)?;
                return Ok(outcome);
            }
        },
    };
    let bars_known = desk.side == Side::Sync && outcome.membership.is_none() && bars(results.mapped);
    outcome.changes = match changes(desk, identity, results, Some((&stored.doc, &stored.provenance))) {
        Err(Refusal::Rejected { reasons }) if bars_known => {
            return barred(desk, event, identity, stored, results.mapped, reasons);
        }
        changes => changes?,
    };
    if event == UserEvent::Revived && desk.side == Side::Sync && outcome.changes.blocked.is_none() {
        // Back in the directory: the block of having left it goes, where no rule has a word of its own.
        outcome.changes.blocked = Some(false);
    }
    if let Some(Gate::Skip { reason }) = &results.mapped.gate {
        // Not imported any more; who is in the roster already is left alone, but for a push that says inactive: that
        // blocks at once, whatever a mapping leaves out.
        outcome.skipped = Some(reason.clone());
        outcome.changes = Changes { blocked: outcome.changes.blocked.filter(|blocked| *blocked), ..Changes::default() };
        if outcome.changes.blocked.is_none() {
            return Ok(outcome);
        }
    }
    (outcome.blocks, outcome.lifts) = block_diff(desk, identity, results.mapped, &outcome.changes, &stored.blocks);
    let as_it_was = bars_known.then(|| stored.clone());
    match (written(desk, event, identity, stored, results.mapped, &mut outcome), as_it_was) {
        (Err(Refusal::TooLarge { bytes_max }), Some(stored)) => {
            let reasons = vec![(String::new(), format!("the profile would be larger than {bytes_max} bytes"))];
            barred(desk, event, identity, stored, results.mapped, reasons)
        }
        (done, _) => done.map(|()| outcome),
    }
}

/// Whoever the directory disables is locked out at once, whatever is wrong with the rest of the entry, of which nothing is
/// taken.
pub(super) fn barred(
    desk: &Desk<'_>,
    event: UserEvent,
    identity: &Identity,
    stored: Stored,
    mapped: &Mapped,
    reasons: Vec<(String, String)>,
) -> Result<ProfileOutcome, Refusal> {
    let changes = Changes { blocked: Some(true), ..Changes::default() };
    let (blocks, _) = block_diff(desk, identity, mapped, &changes, &stored.blocks);
    let mut outcome = ProfileOutcome { changes, blocks, rejected: Some(reasons), ..ProfileOutcome::nothing(desk) };
    written(desk, event, identity, stored, mapped, &mut outcome)?;
    Ok(outcome)
}

/// Does the mapping say that the source bars the person?
pub(super) fn bars(mapped: &Mapped) -> bool {
    mapped.is_true("blocked")
}

fn skips(mapped: &Mapped) -> bool {
    matches!(mapped.gate, Some(Gate::Skip { .. }))
}

/// What the policy lets through; refused with all reasons if the mapping refuses the record.
pub(super) fn changes(
    desk: &Desk<'_>,
    identity: &Identity,
    results: Results<'_>,
    stored: Option<(&Profile, &Provenance)>,
) -> Result<Changes, Refusal> {
    let context = policy::Context {
        side: desk.side,
        option: desk.root_attributes,
        primary: stored.is_none() || identity.position == 0,
        identity_id: identity.id.as_str(),
        stored,
        previous: stored.and(results.previous),
    };
    let changes = policy::changes(results.mapped, &context);
    if changes.rejected.is_empty() {
        return Ok(changes);
    }
    let reasons = changes.rejected.iter().map(|(rule, reason)| (rule.target.to_string(), reason.clone())).collect();
    Err(Refusal::Rejected { reasons })
}

/// A profile made by this identity.
pub(super) fn made(
    desk: &Desk<'_>,
    event: UserEvent,
    identity: &mut Identity,
    mapped: &Mapped,
    user_id: String,
    outcome: &mut ProfileOutcome,
) -> Result<(), Refusal> {
    let moment = &desk.moment;
    let mut doc = Profile::default();
    let mut provenance = Provenance::default();
    for (rule, value) in &outcome.changes.set {
        doc.set(&rule.target, value.clone());
    }
    (outcome.blocks, _) = block_diff(desk, identity, mapped, &outcome.changes, &[]);
    let mut wrote: Vec<(&str, u32)> = outcome.changes.set.iter().map(|(rule, _)| (&*rule.target, rule.line)).collect();
    if !outcome.blocks.is_empty() {
        wrote.push(("blocked", blocked_line(mapped, outcome)));
    }
    if let Some(groups) = &outcome.groups {
        wrote.push(("groups", groups.line));
    }
    provenance.record(&source(desk, event, identity, &outcome.history_id), wrote.iter().copied());
    let names: Vec<String> = wrote.iter().map(|(path, _)| (*path).to_owned()).collect();
    outcome.before = Some(json!({"created": names}).to_string());
    outcome.changed = names;
    let user = User {
        tenant_id: identity.tenant_id.clone(),
        id: ProfileId::new(moment.id()),
        user_id,
        organization_id: desk.connection.organization_id.clone(),
        email: None,
        email_key: None,
        email_trusted: false,
        username_key: None,
        blocked: !outcome.blocks.is_empty(),
        doc: String::new(),
        was: None,
        provenance: provenance.to_text(),
        version: 1,
        created_at: moment.now,
        updated_at: moment.now,
    };
    identity.profile_id = Some(user.id.clone());
    identity.position = 0;
    outcome.write = ProfileWrite::Insert(with_document(desk, user, &doc, mapped, &outcome.changes)?);
    Ok(())
}

/// A profile as loaded, read.
#[derive(Clone)]
pub(super) struct Stored {
    pub user: User,
    pub doc: Profile,
    pub provenance: Provenance,
    pub blocks: Vec<Block>,
}

impl Stored {
    pub(super) fn read(user: User, blocks: Vec<Block>) -> Self {
        let doc = Profile::parse(&user.doc).unwrap_or_default();
        let provenance = Provenance::parse(&user.provenance).unwrap_or_default();
        Self { user, doc, provenance, blocks }
    }
}

/// Applies the changes to a stored profile, if there are any.
pub(super) fn written(
    desk: &Desk<'_>,
    event: UserEvent,
    identity: &Identity,
    stored: Stored,
    mapped: &Mapped,
    outcome: &mut ProfileOutcome,
) -> Result<(), Refusal> {
    let Stored { user, mut doc, mut provenance, blocks } = stored;
    let blocked =
        !outcome.blocks.is_empty() || blocks.iter().any(|block| !outcome.lifts.contains(&(block.kind, block.origin.clone())));
    let moves_blocks = !outcome.blocks.is_empty() || !outcome.lifts.is_empty();
    let moves_values = !outcome.changes.set.is_empty() || !outcome.changes.clear.is_empty() || outcome.groups.is_some();
    if !moves_values && !moves_blocks && outcome.membership.is_none() {
        return Ok(());
    }
    let mut before = Map::new();
    let mut note = |path: &str, value: Value, provenance: &Provenance| {
        let by = provenance.of(path).map_or(Value::Null, |(source, line)| Provenance::explain(source, line));
        before.insert(path.to_owned(), json!({"before": value, "by": by}));
    };
    let mut wrote: Vec<(&str, u32)> = Vec::new();
    for (rule, value) in &outcome.changes.set {
        note(&rule.target, doc.value(&rule.target).cloned().unwrap_or(Value::Null), &provenance);
        doc.set(&rule.target, value.clone());
        wrote.push((&*rule.target, rule.line));
    }
    for rule in &outcome.changes.clear {
        note(&rule.target, doc.value(&rule.target).cloned().unwrap_or(Value::Null), &provenance);
        doc.clear(&rule.target);
        wrote.push((&*rule.target, rule.line));
    }
    if moves_blocks {
        note("blocked", user.blocked.into(), &provenance);
        wrote.push(("blocked", blocked_line(mapped, outcome)));
    }
    if let Some(groups) = &outcome.groups {
        note("groups", groups.before.clone(), &provenance);
        wrote.push(("groups", groups.line));
    }
    if outcome.membership.is_some() {
        note("identities", Value::Null, &provenance);
    }
    provenance.record(&source(desk, event, identity, &outcome.history_id), wrote.iter().copied());
    // Of a block that goes nothing else is left to put back.
    let lifted = blocks.iter().filter(|block| outcome.lifts.contains(&(block.kind, block.origin.clone())));
    let lifted: Vec<Value> = lifted.map(block_json).collect();
    if let (Some(Value::Object(entry)), false) = (before.get_mut("blocked"), lifted.is_empty()) {
        entry.insert("lifted".into(), lifted.into());
    }
    outcome.changed = before.keys().cloned().collect();
    outcome.before = Some(Value::Object(before).to_string());
    let expected = user.version;
    let mut user = with_document(desk, user, &doc, mapped, &outcome.changes)?;
    user.blocked = blocked;
    user.provenance = provenance.to_text();
    user.updated_at = desk.moment.now;
    outcome.write = ProfileWrite::Update { user, expected };
    Ok(())
}

/// Document and the columns read from it. Matching may see an address that a directory feeds (whatever is pushed, an
/// LDAP entry) or that the login's source has verified.
pub(super) fn with_document(
    desk: &Desk<'_>,
    mut user: User,
    doc: &Profile,
    mapped: &Mapped,
    changes: &Changes,
) -> Result<User, Refusal> {
    user.doc = doc.to_text();
    if user.doc.len() > PROFILE_BYTES_MAX {
        return Err(Refusal::TooLarge { bytes_max: PROFILE_BYTES_MAX });
    }
    user.email = doc.text("email").map(str::to_owned);
    user.email_key = user.email.as_deref().map(fold);
    user.username_key = doc.text("username").map(fold);
    let sets = |target: &str| changes.set.iter().any(|(rule, _)| &*rule.target == target);
    let clears = |target: &str| changes.clear.iter().any(|rule| &*rule.target == target);
    if sets("email") || desk.side == Side::Login && (sets("email_verified") || clears("email_verified")) {
        user.email_trusted = is_trusted(desk, mapped);
    }
    Ok(user)
}

/// May matching see the address this record gives?
pub(super) fn is_trusted(desk: &Desk<'_>, mapped: &Mapped) -> bool {
    matches!(desk.side, Side::Push | Side::Sync) || desk.connection.kind.is_directory() || mapped.is_true("email_verified")
}

/// A mapping's `blocked` sets or lifts the source block of its own identity and no other; a `deny` gate likewise its
/// policy block.
pub(super) fn block_diff(
    desk: &Desk<'_>,
    identity: &Identity,
    mapped: &Mapped,
    changes: &Changes,
    blocks: &[Block],
) -> (Vec<Block>, Vec<(BlockKind, String)>) {
    let origin = identity.id.as_str();
    let denied = match &mapped.gate {
        Some(Gate::Deny { reason }) => Some(reason.clone()),
        _ => None,
    };
    let wanted = [
        (BlockKind::Source, changes.blocked.map(|blocked| blocked.then(|| "inactive at the source".to_owned()))),
        (BlockKind::Policy, Some(denied)),
    ];
    let (mut added, mut lifted) = (Vec::new(), Vec::new());
    for (kind, wish) in wanted {
        let stands = blocks.iter().any(|block| block.kind == kind && block.origin == origin);
        match wish {
            Some(Some(reason)) if !stands => added.push(Block {
                kind,
                origin: origin.to_owned(),
                since: desk.moment.now,
                actor: desk.moment.actor.to_owned(),
                reason,
                expires_at: None,
            }),
            Some(None) if stands => lifted.push((kind, origin.to_owned())),
            _ => {}
        }
    }
    (added, lifted)
}

/// A block as a history row keeps it.
pub(in crate::provisioning) fn block_json(block: &Block) -> Value {
    json!({
        "kind": block.kind.as_str(),
        "origin": block.origin,
        "since": block.since,
        "actor": block.actor,
        "reason": block.reason,
        "expires_at": block.expires_at,
    })
}

/// The same, read.
pub(in crate::provisioning) fn block_of(value: &Value) -> Option<Block> {
    let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
    Some(Block {
        kind: BlockKind::parse(&text("kind")?)?,
        origin: text("origin")?,
        since: value.get("since")?.as_i64()?,
        actor: text("actor")?,
        reason: text("reason")?,
        expires_at: value.get("expires_at").and_then(Value::as_i64),
    })
}

/// The line that moved a source block; 0 where a gate or the source's DELETE moved the blocks.
fn blocked_line(mapped: &Mapped, outcome: &ProfileOutcome) -> u32 {
    let by_source = outcome.blocks.iter().any(|block| block.kind == BlockKind::Source)
        || outcome.lifts.iter().any(|(kind, _)| *kind == BlockKind::Source);
    let rule = mapped.given.iter().find(|(rule, _)| &*rule.target == "blocked");
    rule.filter(|_| by_source).map_or(0, |(rule, _)| rule.line)
}

fn source(desk: &Desk<'_>, event: UserEvent, identity: &Identity, history_id: &str) -> Source {
    Source {
        connection: desk.connection.name.clone(),
        connection_id: desk.connection.id.to_string(),
        identity_id: identity.id.to_string(),
        mapping: desk.mapping.name().to_owned(),
        mapping_version: desk.mapping.version(),
        event: event.of(desk.side).to_owned(),
        history_id: history_id.to_owned(),
        actor: desk.moment.actor.to_owned(),
        at: desk.moment.now,
    }
}
