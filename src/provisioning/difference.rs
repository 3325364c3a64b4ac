//! What a decision about what is stored would change of a person, told and counted from the plan itself: what a preview says is
//! what a replay with the same plan does. Pure. Also the person as the plan leaves them, for the next decision about them.

use super::decide::Known;
use super::decide::replay::Replayed;
use super::plan::{Decision, IdentityWrite, ProfileWrite, Refusal, UserPlan};
use crate::model::identity::Identity;
use crate::model::user::{Block, BlockKind, User};
use crate::profile::{Profile, Side};
use serde_json::{Map, Value};

/// What becomes of a person by one side.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// This version made it of the same already.
    Unchanged,
    /// The identity takes the version; nothing of the profile moves.
    Derived,
    Changed,
    /// They had no profile, and get or join one.
    LetIn,
    /// The mapping's `skip`: who has a profile keeps it as it is.
    Skipped {
        reason: String,
    },
    /// Nothing is taken: attributes with reasons.
    Refused {
        code: &'static str,
        reasons: Vec<(String, String)>,
    },
    /// The same login would not get in.
    WouldNotEnter {
        code: &'static str,
        because: String,
    },
    /// Nothing is stored of the side, or the person left.
    NotMeant,
}

/// One attribute: `None` is no value.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    pub path: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// All that changes by one side of one person.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    pub fate: Fate,
    pub moved: Vec<Moved>,
    /// Blocks that come, with why, and blocks that go.
    pub blocks: Vec<(BlockKind, String)>,
    pub lifts: Vec<BlockKind>,
    /// Attributes that fail and stay as they are, with why.
    pub errors: Vec<(String, String)>,
    /// What the mapping would call somebody new, where it says something else now. Whoever has a `user_id` keeps it.
    pub user_id: Option<(Value, Value)>,
}

impl Difference {
    fn only(fate: Fate) -> Self {
        Self { fate, moved: Vec::new(), blocks: Vec::new(), lifts: Vec::new(), errors: Vec::new(), user_id: None }
    }

    /// What changes between `known` and what was decided of it by `side`.
    pub fn of(known: &Known, replayed: &Replayed, side: Side) -> Self {
        match replayed {
            Replayed::NotMeant => Self::only(Fate::NotMeant),
            Replayed::Decided(Decision::Nothing) => Self::only(Fate::Unchanged),
            Replayed::WouldNotEnter(denial) => {
                let because = denial.detail().remove("because").map(|because| in_words(&because)).unwrap_or_default();
                Self::only(Fate::WouldNotEnter { code: denial.code(), because })
            }
            Replayed::Decided(Decision::Refused(refusal)) => {
                Self::only(Fate::Refused { code: code(refusal), reasons: refusal.reasons() })
            }
            Replayed::Decided(Decision::Write(plan)) => written(known, plan, side),
        }
    }
}

fn written(known: &Known, plan: &UserPlan, side: Side) -> Difference {
    let (before, after) = (mapped(&known.identity, side), mapped(plan.identity.identity(), side));
    let is_new = known.identity.profile_id.is_none() && plan.identity.identity().profile_id.is_some();
    let moved = moved(known, plan, (&before, &after));
    let skipped =
        plan.log.first().and_then(|entry| detail(entry.detail.as_deref())).and_then(|mut detail| detail.remove("skipped"));
    let fate = match (&plan.rejected, skipped) {
        (Some(reasons), _) => Fate::Refused { code: "rejected", reasons: reasons.clone() },
        (None, Some(reason)) => Fate::Skipped { reason: in_words(&reason) },
        (None, None) if is_new => Fate::LetIn,
        (None, None) if matches!(plan.profile, ProfileWrite::None) => Fate::Derived,
        (None, None) => Fate::Changed,
    };
    let (old_id, new_id) = (before.get("user_id"), after.get("user_id"));
    let user_id = (old_id != new_id && !before.is_empty())
        .then(|| (old_id.cloned().unwrap_or_default(), new_id.cloned().unwrap_or_default()));
    let error = |text: &str| {
        let entry = detail(Some(text))?;
        Some((in_words(entry.get("attribute")?), in_words(entry.get("reason")?)))
    };
    Difference {
        fate,
        moved,
        blocks: plan.blocks.iter().map(|block| (block.kind, block.reason.clone())).collect(),
        lifts: plan.lifts.iter().map(|(kind, _)| *kind).collect(),
        errors: plan.inbox.iter().filter(|row| row.kind == "attribute_error").filter_map(|row| error(&row.detail)).collect(),
        user_id,
    }
}

/// The attributes that history tells of. Of a profile that is made it tells names alone, and none is counted.
fn moved(known: &Known, plan: &UserPlan, (before, after): (&Map<String, Value>, &Map<String, Value>)) -> Vec<Moved> {
    let (Some(history), ProfileWrite::Update { user, .. }) = (&plan.history, &plan.profile) else { return Vec::new() };
    let Some(changes) = detail(Some(&history.changes)) else { return Vec::new() };
    let old = known.user.as_ref().and_then(|user| Profile::parse(&user.doc)).unwrap_or_default();
    let new = Profile::parse(&user.doc).unwrap_or_default();
    let value = |path: &str| match path {
        // No value of the document: what the side's mapping gave.
        "groups" => (before.get(path).cloned(), after.get(path).cloned()),
        path => (old.value(path).cloned(), new.value(path).cloned()),
    };
    let paths = changes.into_iter().map(|(path, _)| path).filter(|path| !matches!(path.as_str(), "blocked" | "identities"));
    paths
        .map(|path| {
            let (before, after) = value(&path);
            Moved { path, before, after }
        })
        .collect()
}

/// The person as the plan leaves them, versions included.
pub fn after(known: Known, plan: &UserPlan) -> Known {
    let Known { identity, user, mut blocks, values, in_groups } = known;
    let identity = match &plan.identity {
        IdentityWrite::Update { identity, expected } | IdentityWrite::Login { identity, expected } => {
            Identity { version: expected + 1, ..identity.clone() }
        }
        IdentityWrite::Insert(new) => new.clone(),
        IdentityWrite::Seen(_) | IdentityWrite::Untouched(_) | IdentityWrite::Remove { .. } => identity,
    };
    let user = match &plan.profile {
        ProfileWrite::Insert(user) => Some(User { was: Some(user.doc.clone()), ..user.clone() }),
        ProfileWrite::Update { user, expected } => {
            Some(User { version: expected + 1, was: Some(user.doc.clone()), ..user.clone() })
        }
        ProfileWrite::None => user,
        ProfileWrite::Remove { .. } => None,
    };
    blocks.retain(|block: &Block| !plan.lifts.contains(&(block.kind, block.origin.clone())));
    blocks.extend(plan.blocks.iter().cloned());
    Known { identity, user, blocks, values, in_groups }
}

/// What the side's mapping gave.
fn mapped(identity: &Identity, side: Side) -> Map<String, Value> {
    let text = match side {
        Side::Login => identity.login.as_ref().map(|login| login.mapped.as_str()),
        Side::Push | Side::Sync => identity.mapped.as_deref(),
    };
    detail(text).unwrap_or_default()
}

fn detail(text: Option<&str>) -> Option<Map<String, Value>> {
    serde_json::from_str(text?).ok()
}

fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(in_words).collect::<Vec<_>>().join("; "),
        Value::Object(entry) => entry.values().map(in_words).collect::<Vec<_>>().join(": "),
        other => other.to_string(),
    }
}

/// A refusal's stable word.
fn code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Rejected { .. } => "rejected",
        Refusal::TooLarge { .. } => "too_large",
        Refusal::EmailElsewhere { .. } => "email_elsewhere",
        Refusal::Taken { .. } => "taken",
        Refusal::Erased => "erased",
        _ => "refused",
    }
}
