//! A profile while it is changed: each value that moves leaves what it was, and why it was so, for the history. Pure.

use super::{Metadata, Refused, Writer};
use crate::model::fold::fold;
use crate::model::user::{Block, BlockKind, User};
use crate::profile::Profile;
use crate::provisioning::decide::{PROFILE_BYTES_MAX, block_json};
use crate::provisioning::plan::ProfileWrite;
use crate::provisioning::provenance::{Provenance, Source};
use serde_json::{Map, Value, json};

/// The two metadata objects.
pub const USER: &str = "user_metadata";
pub const APP: &str = "app_metadata";

/// What became of a profile.
#[derive(Debug)]
pub struct Changed {
    pub write: ProfileWrite,
    pub history_id: String,
    /// JSON text of the history row.
    pub before: String,
    pub names: Vec<String>,
    pub blocks: Vec<Block>,
    pub lifts: Vec<(BlockKind, String)>,
}

#[derive(Debug)]
pub struct Draft {
    pub user: User,
    pub doc: Profile,
    pub provenance: Provenance,
    pub stands: Vec<Block>,
    before: Map<String, Value>,
    blocks: Vec<Block>,
    lifts: Vec<(BlockKind, String)>,
}

impl Draft {
    pub fn of(user: User, stands: Vec<Block>) -> Self {
        let doc = Profile::parse(&user.doc).unwrap_or_default();
        let provenance = Provenance::parse(&user.provenance).unwrap_or_default();
        Self { user, doc, provenance, stands, before: Map::new(), blocks: Vec::new(), lifts: Vec::new() }
    }

    /// Keeps what stands at `path` now for the history.
    pub fn note(&mut self, path: &str, value: Value) {
        let by = self.provenance.of(path).map_or(Value::Null, |(source, line)| Provenance::explain(source, line));
        self.before.insert(path.to_owned(), json!({"before": value, "by": by}));
    }

    /// Sets or removes the value at `path`, unless it is so already.
    pub fn put(&mut self, path: &str, value: Option<Value>) {
        let stored = self.doc.value(path).cloned();
        if stored == value {
            return;
        }
        self.note(path, stored.unwrap_or(Value::Null));
        match value {
            Some(value) => self.doc.set(path, value),
            None => self.doc.clear(path),
        }
    }

    /// `object` is [`USER`] or [`APP`].
    pub fn put_metadata(&mut self, object: &str, said: &Metadata) {
        let stored = self.doc.value(object).and_then(Value::as_object).cloned().unwrap_or_default();
        let path = |key: &str| format!("{object}.{key}");
        match said {
            Metadata::Merge(members) => {
                for (key, value) in members {
                    self.put(&path(key), (!value.is_null()).then(|| value.clone()));
                }
            }
            Metadata::Deep(members) => {
                for (key, patch) in members {
                    let value = (!patch.is_null()).then(|| merged(stored.get(key), patch));
                    self.put(&path(key), value);
                }
            }
            Metadata::Replace(members) => {
                for key in stored.keys().filter(|key| !members.contains_key(*key)) {
                    self.put(&path(key), None);
                }
                for (key, value) in members {
                    self.put(&path(key), Some(value.clone()));
                }
            }
            Metadata::Clear => stored.keys().for_each(|key| self.put(&path(key), None)),
        }
    }

    /// An administrator's own block, and nobody else's.
    pub fn block(&mut self, writer: &Writer<'_>, blocked: bool) {
        let stands = self.stands.iter().any(|block| block.kind == BlockKind::Admin);
        match (blocked, stands) {
            (true, false) => self.blocks.push(Block {
                kind: BlockKind::Admin,
                origin: String::new(),
                since: writer.moment.now,
                actor: writer.moment.actor.to_owned(),
                reason: "blocked by an administrator".into(),
                expires_at: None,
            }),
            (false, true) => self.lifts.push((BlockKind::Admin, String::new())),
            _ => {}
        }
    }

    /// Something that bars them besides.
    pub fn adds(&mut self, block: Block) {
        self.blocks.push(block);
    }

    /// Something that bars somebody else from now on.
    pub fn lifts(&mut self, block: (BlockKind, String)) {
        self.lifts.push(block);
    }

    /// What moved until now, as the history will have it.
    pub const fn befores(&self) -> &Map<String, Value> {
        &self.before
    }

    /// More about something that was noted.
    pub fn note_besides(&mut self, path: &str, name: &str, value: Value) {
        if let Some(Value::Object(entry)) = self.before.get_mut(path) {
            entry.insert(name.to_owned(), value);
        }
    }

    pub fn is_changed(&self) -> bool {
        !self.before.is_empty() || !self.blocks.is_empty() || !self.lifts.is_empty()
    }

    /// Does `path` move?
    pub fn moves(&self, path: &str) -> bool {
        self.before.contains_key(path)
    }

    /// The profile as it is to be stored over the one that was read.
    ///
    /// # Errors
    /// [`Refused::TooLarge`].
    pub fn update(mut self, writer: &Writer<'_>, event: &'static str) -> Result<Changed, Refused> {
        if !self.blocks.is_empty() || !self.lifts.is_empty() {
            self.note("blocked", self.user.blocked.into());
            let lifts = self.lifts.clone();
            let is_lifted = |block: &&Block| lifts.contains(&(block.kind, block.origin.clone()));
            let lifted: Vec<Value> = self.stands.iter().filter(is_lifted).map(block_json).collect();
            if let (Some(Value::Object(entry)), false) = (self.before.get_mut("blocked"), lifted.is_empty()) {
                entry.insert("lifted".into(), lifted.into());
            }
        }
        let names: Vec<String> = self.before.keys().cloned().collect();
        let before = Value::Object(std::mem::take(&mut self.before)).to_string();
        let expected = self.user.version;
        let stays = |block: &&Block| !self.lifts.contains(&(block.kind, block.origin.clone()));
        let blocked = !self.blocks.is_empty() || self.stands.iter().any(|block| stays(&block));
        let (history_id, mut user) = self.written(writer, event, &names)?;
        user.blocked = blocked;
        user.updated_at = writer.moment.now;
        let (blocks, lifts) = (self.blocks, self.lifts);
        Ok(Changed { write: ProfileWrite::Update { user, expected }, history_id, before, names, blocks, lifts })
    }

    /// The profile as a new one.
    ///
    /// # Errors
    /// [`Refused::TooLarge`].
    pub fn insert(mut self, writer: &Writer<'_>, event: &'static str) -> Result<Changed, Refused> {
        let mut names: Vec<String> = std::mem::take(&mut self.before).into_iter().map(|(path, _)| path).collect();
        if !self.blocks.is_empty() {
            names.push("blocked".into());
        }
        let before = json!({"created": names}).to_string();
        let (history_id, mut user) = self.written(writer, event, &names)?;
        user.blocked = !self.blocks.is_empty();
        Ok(Changed { write: ProfileWrite::Insert(user), history_id, before, names, blocks: self.blocks, lifts: Vec::new() })
    }

    fn written(&mut self, writer: &Writer<'_>, event: &'static str, names: &[String]) -> Result<(String, User), Refused> {
        let history_id = writer.moment.id();
        let paths = names.iter().filter(|name| !name.starts_with("identities")).map(|name| (name.as_str(), 0));
        self.provenance.record(&source(writer, event, &history_id), paths);
        let mut user = self.user.clone();
        user.doc = self.doc.to_text();
        if user.doc.len() > PROFILE_BYTES_MAX {
            return Err(Refused::TooLarge { bytes_max: PROFILE_BYTES_MAX });
        }
        user.provenance = self.provenance.to_text();
        user.email = self.doc.text("email").map(str::to_owned);
        user.email_key = user.email.as_deref().map(fold);
        user.username_key = self.doc.text("username").map(fold);
        if names.iter().any(|name| name == "email" || name == "email_verified") {
            // Nobody vouches for an address here but who says that it was verified.
            user.email_trusted = user.email.is_some() && self.doc.value("email_verified") == Some(&Value::Bool(true));
        }
        Ok((history_id, user))
    }
}

/// RFC 7396.
fn merged(stored: Option<&Value>, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut result = stored.and_then(Value::as_object).cloned().unwrap_or_default();
    for (key, value) in patch {
        if value.is_null() {
            result.shift_remove(key);
        } else {
            let value = merged(result.get(key), value);
            result.insert(key.clone(), value);
        }
    }
    Value::Object(result)
}

/// Whoever writes here is no source of the roster's: no connection, no mapping. So what a mapping gives up is never taken for
/// what was written here.
fn source(writer: &Writer<'_>, event: &'static str, history_id: &str) -> Source {
    Source {
        connection: String::new(),
        connection_id: String::new(),
        identity_id: String::new(),
        mapping: String::new(),
        mapping_version: 0,
        event: event.to_owned(),
        history_id: history_id.to_owned(),
        actor: writer.moment.actor.to_owned(),
        at: writer.moment.now,
    }
}
