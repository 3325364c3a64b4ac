//! A person's change: which attribute may be written under whose policy (profile.md §4, design §3), what stays the source's, and
//! what an administrator's block is. Pure. Every refusal comes before anything is written.

use super::draft::{APP, Draft, USER};
use super::{Act, HANDLES, Members, Refused, Writer, create::stored, handles, plan};
use crate::mapping::{Mapping, WritePolicy};
use crate::model::connection::{Connection, ConnectionKind, SetUserRootAttributes};
use crate::model::identity::Identity;
use crate::model::user::{Block, User};
use crate::profile::{Side, is_root};
use crate::provisioning::plan::{Decision, IdentityWrite, UserPlan, ValueDiff};
use crate::provisioning::policy;
use serde_json::{Map, Value};

/// Roots that hang on one identity and not on the profile, which a change names by its connection.
const OF_IDENTITY: [&str; 5] = ["email", "email_verified", "username", "phone_number", "phone_verified"];

/// A person as a decision meets them.
#[derive(Clone, Debug)]
pub struct Person {
    pub user: User,
    pub blocks: Vec<Block>,
    /// The primary one first.
    pub identities: Vec<Held>,
}

/// An identity and whose it is.
#[derive(Clone, Debug)]
pub struct Held {
    pub identity: Identity,
    pub connection: Connection,
}

/// Roots that the source of the primary identity writes whenever it says something, each with the word that decides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Owned(pub Vec<(String, String)>);

impl Owned {
    /// Of one side of a connection. A script says only by running what it writes: what it gave last time counts.
    pub fn add(&mut self, mapping: &dyn Mapping, side: Side, option: SetUserRootAttributes, given: Option<&str>) {
        let inherited = || format!("set_user_root_attributes={}", word(option));
        match mapping.rules() {
            Some(rules) => {
                for rule in rules.iter().filter(|rule| is_root(&rule.target)) {
                    if policy::effective(rule, side, option) == Some(WritePolicy::Always) {
                        let own = format!("mapping {} line {}: always", mapping.name(), rule.line);
                        self.0.push((rule.target.to_string(), if rule.policy.is_some() { own } else { inherited() }));
                    }
                }
            }
            None if policy::inherited(side, option) == Some(WritePolicy::Always) => {
                let given = given.and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok()).unwrap_or_default();
                self.0.extend(given.into_iter().filter(|(name, _)| is_root(name)).map(|(name, _)| (name, inherited())));
            }
            None => {}
        }
    }

    fn policy_of(&self, attribute: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == attribute).map(|(_, policy)| policy.as_str())
    }
}

const fn word(option: SetUserRootAttributes) -> &'static str {
    match option {
        SetUserRootAttributes::OnEachLogin => "on_each_login",
        SetUserRootAttributes::OnFirstLogin => "on_first_login",
        SetUserRootAttributes::NeverOnLogin => "never_on_login",
    }
}

/// Which of the person's identities a change means: the one of the connection it names, else the primary one.
///
/// # Errors
/// [`Refused::NoIdentity`].
pub fn meant<'p>(person: &'p Person, edit: &Members) -> Result<&'p Held, Refused> {
    let named = |held: &&Held| edit.connection.as_deref().is_none_or(|name| held.connection.name == name);
    // Of several at the named connection the first in line: the primary one, if it is of it.
    let found = person.identities.iter().find(named);
    let connection = edit.connection.clone().unwrap_or_default();
    found.ok_or(Refused::NoIdentity { connection })
}

/// What has to be looked up for [`update`]: handles that the identity does not have yet.
pub fn gained(held: &Held, edit: &Members) -> Vec<(String, String)> {
    let new = |name: &&&str| edit.root(name).is_some();
    let wanted: Map<String, Value> = HANDLES
        .iter()
        .filter(new)
        .filter_map(|name| Some(((*name).to_owned(), stored(name, edit.root(name)?.clone()))))
        .collect();
    ValueDiff::between(&handles(&mapped(&held.identity)), &handles(&wanted)).new
}

fn mapped(identity: &Identity) -> Map<String, Value> {
    identity.mapped.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Changes what is mentioned. `taken`: which handles are somebody else's on the connection that is meant.
///
/// # Errors
/// Why not, before anything is written.
pub fn update(
    writer: &Writer<'_>,
    person: &Person,
    edit: &Members,
    owned: &Owned,
    taken: &[String],
) -> Result<Decision<UserPlan>, Refused> {
    let held = meant(person, edit)?;
    let primary = person.identities.first().ok_or(Refused::NotFound)?;
    let is_primary = held.identity.id == primary.identity.id;
    allowed(edit, held, (primary, is_primary), owned)?;
    if let Some(attribute) = HANDLES.into_iter().find(|attribute| taken.iter().any(|taken| taken == attribute)) {
        return Err(Refused::Exists { attribute });
    }
    let keeps_itself = |held: &Held| held.connection.kind == ConnectionKind::Database;
    let mut draft = Draft::of(person.user.clone(), person.blocks.clone());
    let before = mapped(&held.identity);
    let mut own = before.clone();
    for (name, value) in said(edit, held) {
        let of_identity = OF_IDENTITY.contains(&name);
        if of_identity && keeps_itself(held) || !of_identity && is_primary && keeps_itself(primary) {
            match &value {
                Some(value) => own.insert(name.to_owned(), value.clone()),
                None => own.shift_remove(name),
            };
        }
        if !of_identity || is_primary {
            draft.put(name, value);
        }
    }
    for (object, metadata) in [(USER, &edit.user_metadata), (APP, &edit.app_metadata)] {
        if let Some(metadata) = metadata {
            draft.put_metadata(object, metadata);
        }
    }
    if let Some(blocked) = edit.blocked {
        draft.block(writer, blocked);
    }
    let moves_identity = own != before;
    if moves_identity && !is_primary {
        draft.note(&format!("identities.{}", held.connection.name), Value::Object(before.clone()));
    }
    if !draft.is_changed() {
        return Ok(Decision::Nothing);
    }
    let changed = draft.update(writer, writer.by.event(Act::Updated))?;
    let moved = ValueDiff::between(&handles(&before), &handles(&own));
    let identity = held.identity.clone();
    let write = if moves_identity {
        IdentityWrite::Update { expected: identity.version, identity: with(identity, own, writer) }
    } else {
        IdentityWrite::Untouched(identity)
    };
    Ok(Decision::Write(Box::new(plan(writer, Act::Updated, write, moved, changed))))
}

/// The roots that are said, as they will be stored. An address that is another one now is not verified because the former was.
fn said(edit: &Members, held: &Held) -> Vec<(&'static str, Option<Value>)> {
    let is_own = held.connection.kind == ConnectionKind::Database;
    let mut said: Vec<(&'static str, Option<Value>)> = edit.roots.clone();
    if is_own {
        for (name, value) in &mut said {
            *value = value.take().map(|value| stored(name, value));
        }
        let known = mapped(&held.identity);
        for (of, flag) in [("email", "email_verified"), ("phone_number", "phone_verified")] {
            let new = said.iter().find(|(name, _)| *name == of).map(|(_, value)| value.clone());
            if let Some(new) = new
                && new.as_ref() != known.get(of)
                && !edit.mentions(flag)
            {
                said.push((flag, new.is_some().then(|| false.into())));
            }
        }
    }
    said
}

fn with(mut identity: Identity, own: Map<String, Value>, writer: &Writer<'_>) -> Identity {
    let text = |name: &str| own.get(name).and_then(Value::as_str).map(str::to_owned);
    identity.user_name = text("username");
    identity.label = text("name").or_else(|| text("username")).or_else(|| text("email"));
    identity.mapped = Some(Value::Object(own).to_string());
    identity.last_source = writer.by.source().into();
    identity.updated_at = writer.moment.now;
    identity
}

/// The table of profile.md §4 for a PATCH.
fn allowed(edit: &Members, held: &Held, (primary, is_primary): (&Held, bool), owned: &Owned) -> Result<(), Refused> {
    let Connection { name: connection, kind, .. } = &held.connection;
    let of_database = |attribute| Refused::OfDatabase { attribute, connection: connection.clone(), strategy: kind.strategy() };
    if edit.password.is_some() && *kind != ConnectionKind::Database {
        return Err(of_database("password"));
    }
    for (attribute, _) in &edit.roots {
        let of_identity = OF_IDENTITY.contains(attribute);
        let is_flag = matches!(*attribute, "email_verified" | "phone_verified");
        // One provider for everybody says little of who owns an address; a customer's says it for its own people.
        let may_vouch = is_flag && kind.is_social() && is_primary;
        if of_identity && *kind != ConnectionKind::Database && !may_vouch {
            return Err(of_database(attribute));
        }
        let (whose, is_its_own) = if of_identity { (held, is_primary) } else { (primary, true) };
        if let Some(policy) = owned.policy_of(attribute).filter(|_| is_its_own) {
            let (connection, policy) = (whose.connection.name.clone(), policy.to_owned());
            return Err(Refused::Owned { attribute, connection, policy });
        }
    }
    Ok(())
}
