//! Why each value of a profile is what it is: per attribute path the event that wrote it and the line of the mapping.
//! Stored beside the document as compact JSON: events once, attributes by number, so a create costs a few hundred
//! bytes. An event no attribute names any more goes.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The event behind a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Name of the connection then.
    pub connection: String,
    pub connection_id: String,
    pub identity_id: String,
    pub mapping: String,
    pub mapping_version: i64,
    /// `scim.user.created`, …
    pub event: String,
    pub history_id: String,
    pub actor: String,
    pub at: i64,
}

impl Source {
    fn to_json(&self) -> Value {
        json!([
            self.connection,
            self.connection_id,
            self.identity_id,
            self.mapping,
            self.mapping_version,
            self.event,
            self.history_id,
            self.actor,
            self.at
        ])
    }

    /// From what [`Provenance::explain`] spelled out.
    fn from_explained(value: &Value) -> Option<(Self, u32)> {
        let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        let source = Self {
            connection: text("connection")?,
            connection_id: text("connection_id")?,
            identity_id: text("identity_id")?,
            mapping: text("mapping")?,
            mapping_version: value.get("mapping_version")?.as_i64()?,
            event: text("event")?,
            history_id: text("history_id")?,
            actor: text("actor")?,
            at: value.get("at")?.as_i64()?,
        };
        Some((source, u32::try_from(value.get("line")?.as_u64()?).ok()?))
    }

    fn from_json(value: &Value) -> Option<Self> {
        let text = |at: usize| value.get(at)?.as_str().map(str::to_owned);
        Some(Self {
            connection: text(0)?,
            connection_id: text(1)?,
            identity_id: text(2)?,
            mapping: text(3)?,
            mapping_version: value.get(4)?.as_i64()?,
            event: text(5)?,
            history_id: text(6)?,
            actor: text(7)?,
            at: value.get(8)?.as_i64()?,
        })
    }
}

/// Per attribute path: who wrote it and by which line. One entry per attribute, newest event only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Provenance {
    sources: Vec<Source>,
    attributes: BTreeMap<String, (usize, u32)>,
}

impl Provenance {
    /// Reads stored text.
    pub fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let sources: Vec<Source> = value.get("events")?.as_array()?.iter().map(Source::from_json).collect::<Option<_>>()?;
        let mut attributes = BTreeMap::new();
        for (path, entry) in value.get("attributes")?.as_object()? {
            let source = usize::try_from(entry.get(0)?.as_u64()?).ok()?;
            if source >= sources.len() {
                return None;
            }
            attributes.insert(path.clone(), (source, u32::try_from(entry.get(1)?.as_u64()?).ok()?));
        }
        Some(Self { sources, attributes })
    }

    pub fn to_text(&self) -> String {
        let events: Vec<Value> = self.sources.iter().map(Source::to_json).collect();
        let attributes: Map<String, Value> =
            self.attributes.iter().map(|(path, (source, line))| (path.clone(), json!([source, line]))).collect();
        json!({"events": events, "attributes": attributes}).to_string()
    }

    /// Who wrote `path`, by which line of the mapping.
    pub fn of(&self, path: &str) -> Option<(&Source, u32)> {
        let (source, line) = self.attributes.get(path)?;
        Some((&self.sources[*source], *line))
    }

    /// Every attribute with its entry spelled out.
    pub fn explained(&self) -> Map<String, Value> {
        self.attributes
            .iter()
            .map(|(path, (source, line))| (path.clone(), Self::explain(&self.sources[*source], *line)))
            .collect()
    }

    /// Notes that `source` wrote (or cleared) these paths by these lines.
    pub fn record<'p>(&mut self, source: &Source, paths: impl IntoIterator<Item = (&'p str, u32)>) {
        let at = self.sources.len();
        self.sources.push(source.clone());
        for (path, line) in paths {
            self.attributes.insert(path.to_owned(), (at, line));
        }
        self.drop_unnamed();
    }

    /// Some path that another event than `history_id` wrote, and that event.
    pub fn newest_beside(&self, history_id: &str) -> Option<(&str, &Source)> {
        let mut all = self.attributes.iter().map(|(path, (source, _))| (path.as_str(), &self.sources[*source]));
        all.find(|(_, source)| source.history_id != history_id)
    }

    /// The same of what the identity wrote.
    pub fn newest_of(&self, identity_id: &str, history_id: &str) -> Option<(&str, &Source)> {
        let mut all = self.attributes.iter().map(|(path, (source, _))| (path.as_str(), &self.sources[*source]));
        all.find(|(_, source)| source.identity_id == identity_id && source.history_id != history_id)
    }

    /// Puts back why `path` was so, as [`Provenance::explain`] spelled it out; null: nobody had written it.
    pub fn restore(&mut self, path: &str, explained: &Value) {
        match Source::from_explained(explained) {
            Some((source, line)) => {
                let known = self.sources.iter().position(|known| *known == source);
                let at = known.unwrap_or(self.sources.len());
                if known.is_none() {
                    self.sources.push(source);
                }
                self.attributes.insert(path.to_owned(), (at, line));
            }
            None => drop(self.attributes.remove(path)),
        }
        self.drop_unnamed();
    }

    fn drop_unnamed(&mut self) {
        let mut kept = Vec::with_capacity(self.sources.len());
        let mut moved = vec![None; self.sources.len()];
        for (source, _) in self.attributes.values_mut() {
            let old = *source;
            *source = *moved[old].get_or_insert_with(|| {
                kept.push(self.sources[old].clone());
                kept.len() - 1
            });
        }
        self.sources = kept;
    }

    /// One entry spelled out, for history rows and `users why`; `at` in unix microseconds.
    pub fn explain(source: &Source, line: u32) -> Value {
        json!({
            "connection": source.connection,
            "connection_id": source.connection_id,
            "identity_id": source.identity_id,
            "mapping": source.mapping,
            "mapping_version": source.mapping_version,
            "line": line,
            "event": source.event,
            "history_id": source.history_id,
            "actor": source.actor,
            "at": source.at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(event: &str) -> Source {
        Source {
            connection: "entra".into(),
            connection_id: "con_1".into(),
            identity_id: "i".into(),
            mapping: "scim".into(),
            mapping_version: 1,
            event: event.into(),
            history_id: format!("h-{event}"),
            actor: "token:t".into(),
            at: 7,
        }
    }

    #[test]
    fn the_newest_event_answers_and_forgotten_events_go() {
        let mut provenance = Provenance::default();
        provenance.record(&source("created"), [("email", 9), ("name", 6)]);
        provenance.record(&source("patched"), [("email", 9)]);
        assert_eq!(provenance.of("email").map(|(s, line)| (s.event.as_str(), line)), Some(("patched", 9)));
        assert_eq!(provenance.of("name").map(|(s, _)| s.event.as_str()), Some("created"));
        provenance.record(&source("replaced"), [("email", 9), ("name", 6)]);
        assert_eq!(provenance.sources.len(), 1);
    }

    #[test]
    fn what_was_spelled_out_is_put_back_as_it_was() {
        let mut provenance = Provenance::default();
        provenance.record(&source("created"), [("email", 9), ("name", 6)]);
        let before = provenance.clone();
        let by = Provenance::explain(&source("created"), 9);
        provenance.record(&source("patched"), [("email", 9), ("nickname", 3)]);
        assert_eq!(provenance.newest_beside("h-created").map(|(path, _)| path), Some("email"));
        provenance.restore("email", &by);
        provenance.restore("nickname", &Value::Null);
        assert_eq!(provenance, before);
        assert_eq!(provenance.newest_beside("h-created"), None);
    }

    #[test]
    fn text_round_trips_and_nonsense_is_refused() {
        let mut provenance = Provenance::default();
        provenance.record(&source("created"), [("email", 9), ("app_metadata.title", 15)]);
        assert_eq!(Provenance::parse(&provenance.to_text()), Some(provenance));
        assert_eq!(Provenance::parse(r#"{"events":[],"attributes":{"email":[3,1]}}"#), None);
    }
}
