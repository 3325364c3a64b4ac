//! An evaluation as JSON: text without a tree in between, or a map. Values only: what is absent, kept, failed or still
//! to be chosen by the store (`first_free`) has no member. Dotted targets nest.

use crate::decode;
use crate::plan::{Evaluation, Given, Plan};
use crate::value::Value;
use bumpalo::Bump;
use serde_json::{Map, Value as Json};

/// The members of a plan's result with their names already in JSON. Made once per plan.
#[derive(Clone, Debug)]
pub struct Writer {
    members: Vec<Member>,
}

#[derive(Clone, Debug)]
struct Member {
    /// `"name":`
    key: Box<[u8]>,
    rule: Option<usize>,
    below: Vec<Self>,
}

impl Writer {
    /// Members come in the order of the rules; those below one root stand at the place of the first.
    pub fn new(plan: &Plan) -> Self {
        let mut members = Vec::new();
        for (rule, at) in plan.rules.iter().zip(0..) {
            place(&mut members, &rule.path, at);
        }
        Self { members }
    }

    /// Appends the evaluation as one JSON object to `out`.
    pub fn write(&self, evaluation: &Evaluation<'_>, out: &mut Vec<u8>) {
        out.push(b'{');
        let start = out.len();
        for member in &self.members {
            member.write(evaluation, start, out);
        }
        out.push(b'}');
    }
}

fn place(members: &mut Vec<Member>, path: &[Box<str>], rule: usize) {
    let Some((first, rest)) = path.split_first() else { return };
    let mut key = Vec::new();
    write_text(first, &mut key);
    key.push(b':');
    let at = members.iter().position(|member| *member.key == *key).unwrap_or_else(|| {
        members.push(Member { key: key.into(), rule: None, below: Vec::new() });
        members.len() - 1
    });
    if rest.is_empty() {
        members[at].rule = Some(rule);
    } else {
        place(&mut members[at].below, rest, rule);
    }
}

impl Member {
    /// Writes the member if there is anything in it; `start` is where its object's members begin.
    fn write(&self, evaluation: &Evaluation<'_>, start: usize, out: &mut Vec<u8>) {
        let before = out.len();
        if before > start {
            out.push(b',');
        }
        out.extend_from_slice(&self.key);
        if let Some(Given::Value(value)) = self.rule.and_then(|rule| evaluation.given.get(rule)) {
            write_value(*value, out);
            return;
        }
        out.push(b'{');
        let inside = out.len();
        for member in &self.below {
            member.write(evaluation, inside, out);
        }
        if out.len() == inside {
            out.truncate(before);
        } else {
            out.push(b'}');
        }
    }
}

/// A value as JSON text: instants in RFC 3339, durations in ISO 8601, bytes in base64.
pub fn write_value(value: Value<'_>, out: &mut Vec<u8>) {
    use std::io::Write as _;
    match value {
        Value::Absent | Value::Keep | Value::Null | Value::Regex(_) | Value::Table(_) => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::String(text) => write_text(text, out),
        // Writing to a Vec can't fail, here and below.
        Value::Int(number) => drop(serde_json::to_writer(out, &number)),
        Value::Float(number) => drop(serde_json::to_writer(out, &number)),
        Value::DateTime(at) => drop(write!(out, "\"{at}\"")),
        Value::Duration(by) => drop(write!(out, "\"{by}\"")),
        Value::Binary(bytes) => write_text(decode::base64_text(&Bump::new(), bytes), out),
        Value::List(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_value(*item, out);
            }
            out.push(b']');
        }
        Value::Record(members) => {
            out.push(b'{');
            for (at, (name, value)) in members.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_text(name, out);
                out.push(b':');
                write_value(*value, out);
            }
            out.push(b'}');
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    // Most text needs no escape: then it is one copy. Looked at without a branch per byte, so 16 bytes at a time.
    if text.bytes().fold(false, |any, byte| any | (byte < 0x20) | (byte == b'"') | (byte == b'\\')) {
        drop(serde_json::to_writer(out, text));
    } else {
        out.reserve(text.len() + 2);
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    }
}

/// The evaluation as a map.
pub fn to_map(plan: &Plan, evaluation: &Evaluation<'_>) -> Map<String, Json> {
    let mut map = Map::new();
    for (rule, given) in plan.rules.iter().zip(evaluation.given) {
        if let (Given::Value(value), Some((last, above))) = (given, rule.path.split_last()) {
            let mut object = &mut map;
            for segment in above {
                let below = object.entry(&**segment).or_insert_with(|| Json::Object(Map::new()));
                if !below.is_object() {
                    *below = Json::Object(Map::new());
                }
                let Json::Object(below) = below else { return map };
                object = below;
            }
            object.insert(last.to_string(), to_json(*value));
        }
    }
    map
}

/// A value as JSON, like [`write_value`].
pub fn to_json(value: Value<'_>) -> Json {
    match value {
        Value::Absent | Value::Keep | Value::Null | Value::Regex(_) | Value::Table(_) => Json::Null,
        Value::Bool(value) => Json::Bool(value),
        Value::Int(number) => number.into(),
        Value::Float(number) => number.into(),
        Value::String(text) => text.into(),
        Value::DateTime(at) => at.to_string().into(),
        Value::Duration(by) => by.to_string().into(),
        Value::Binary(bytes) => decode::base64_text(&Bump::new(), bytes).into(),
        Value::List(items) => items.iter().map(|item| to_json(*item)).collect(),
        Value::Record(members) => {
            Json::Object(members.iter().map(|(name, value)| ((*name).to_owned(), to_json(*value))).collect())
        }
    }
}
