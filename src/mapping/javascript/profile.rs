//! From the profile a mapper gave to [`Mapped`]: seven members of it have a target, everything else is an extra that
//! stays in `identities.mapped`. Text is wanted of the targets; a list gives its first value, as `$attribute` does in
//! the mapping language, and a note says so.

use super::failure::Failure;
use super::{Limits, kind_of};
use crate::mapping::{Absent, Given, Mapped, Merge, Rule};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Members of the profile that become targets whole or in part.
const READ: [&str; 6] = ["id", "displayName", "name", "nickname", "groups", "emails"];

/// Targets that `name`, `emails` and `id` turn into; a member called like one must not pass for it.
const TAKEN: [&str; 4] = ["user_id", "family_name", "given_name", "email"];

/// The most groups one person may be in.
const GROUPS_MAX: usize = 20_000;

/// Reads the JSON text of a profile.
///
/// `line` is where the script exports its function: every value comes from there. Notes tell of values that were left
/// out on the way.
pub(super) fn mapped(json: &str, line: u32, limits: &Limits) -> Result<(Mapped, Vec<String>), Failure> {
    if json.len() > limits.output_bytes_max {
        return Err(Failure::Output { bytes: json.len(), bytes_max: limits.output_bytes_max });
    }
    if depth(json) > limits.depth_max {
        return Err(Failure::Depth { depth_max: limits.depth_max });
    }
    let profile: Map<String, Value> =
        serde_json::from_str(&well_formed(json)).map_err(|error| Failure::Engine { reason: error.to_string() })?;
    let mut reader = Reader { notes: Vec::new() };
    let name = |part: &str| profile.get("name").and_then(|name| name.get(part));
    let targets = [
        ("user_id", Absent::Keep, reader.text("id", profile.get("id"), 1_024)),
        ("name", Absent::Clear, reader.text("displayName", profile.get("displayName"), 600)),
        ("family_name", Absent::Clear, reader.text("name.familyName", name("familyName"), 150)),
        ("given_name", Absent::Clear, reader.text("name.givenName", name("givenName"), 150)),
        ("nickname", Absent::Clear, reader.text("nickname", profile.get("nickname"), 350)),
        ("groups", Absent::Clear, groups(profile.get("groups"))),
        ("email", Absent::Keep, reader.email(profile.get("emails"))),
    ];
    let given = targets.into_iter().map(|(target, absent, given)| (rule(target, line, absent), given)).collect();
    let extras = reader.extras(profile);
    Ok((Mapped { given, extras, gate: None }, reader.notes))
}

/// The result of a script that failed: one required rule in error, which rejects the entry.
pub(super) fn rejected(failure: &Failure, line: u32) -> Mapped {
    let rule = Rule { required: true, ..rule("profile", failure.line().unwrap_or(line), Absent::Reject) };
    Mapped { given: vec![(rule, Given::Error(failure.to_string()))], ..Mapped::default() }
}

fn rule(target: &str, line: u32, absent: Absent) -> Rule {
    // `owned` is the language's default for groups as well.
    let merge = if target == "groups" { Merge::Owned } else { Merge::Replace };
    Rule { target: target.into(), line, policy: None, absent, merge, required: false }
}

struct Reader {
    notes: Vec<String>,
}

impl Reader {
    fn text(&mut self, member: &str, value: Option<&Value>, bytes_max: usize) -> Given {
        match value {
            None | Some(Value::Null) => Given::Absent,
            Some(Value::String(text)) if text.is_empty() => Given::Absent,
            Some(Value::String(text)) if text.len() > bytes_max => Given::Error(format!("longer than {bytes_max} bytes")),
            Some(Value::String(text)) => Given::Value(text.as_str().into()),
            Some(Value::Array(list)) if !list.first().is_some_and(Value::is_array) => {
                if list.len() > 1 {
                    self.notes.push(format!("`{member}` has {} values: the first is taken", list.len()));
                }
                self.text(member, list.first(), bytes_max)
            }
            Some(other) => Given::Error(format!("{} where a text is wanted", kind_of(other))),
        }
    }

    fn email(&mut self, emails: Option<&Value>) -> Given {
        let first = match emails {
            None | Some(Value::Null) => return Given::Absent,
            Some(Value::Array(list)) => list.first(),
            Some(other) => return Given::Error(format!("{} where a list of {{value}} is wanted", kind_of(other))),
        };
        let value = match first {
            None | Some(Value::Null) => return Given::Absent,
            Some(Value::Object(email)) => email.get("value"),
            Some(other) => return Given::Error(format!("{} where {{value}} is wanted", kind_of(other))),
        };
        match self.text("emails[0].value", value, 254) {
            Given::Value(Value::String(address)) if !is_address(&address) => Given::Error("not an e-mail address".into()),
            given => given,
        }
    }

    /// What no target took, under its own name.
    fn extras(&mut self, profile: Map<String, Value>) -> Map<String, Value> {
        let mut extras = Map::new();
        for (member, value) in profile {
            match (member.as_str(), value) {
                ("name", Value::Object(name)) => {
                    let rest = name.into_iter().filter(|(part, _)| !matches!(part.as_str(), "familyName" | "givenName"));
                    extras.extend(rest.map(|(part, value)| (format!("name.{part}"), value)));
                }
                ("name", Value::Null) => {}
                ("name", value) => {
                    let kind = kind_of(&value);
                    self.notes.push(format!("`name` is {kind}: it is read for familyName and givenName, and left out"));
                }
                ("emails", Value::Array(emails)) if more_than_an_address(&emails) => {
                    extras.insert(member, Value::Array(emails));
                }
                (read, _) if READ.contains(&read) => {}
                (taken, _) if TAKEN.contains(&taken) => {
                    self.notes.push(format!("`{member}` is left out: the contract gives that value another name"));
                }
                (_, value) => {
                    extras.insert(member, value);
                }
            }
        }
        extras
    }
}

fn more_than_an_address(emails: &[Value]) -> bool {
    emails.len() > 1 || emails.iter().any(|email| email.as_object().is_some_and(|email| email.keys().any(|key| key != "value")))
}

/// Names, or records where the connector reads several group properties. An empty list says "in no group"; that groups
/// are off is absence.
fn groups(value: Option<&Value>) -> Given {
    match value {
        None | Some(Value::Null) => Given::Absent,
        Some(Value::String(group)) => Given::Value(Value::Array(vec![group.as_str().into()])),
        Some(Value::Array(list)) if list.len() > GROUPS_MAX => Given::Error(format!("more than {GROUPS_MAX} groups")),
        Some(Value::Array(list)) => {
            let groups: Vec<Value> = list.iter().filter(|group| !group.is_null()).cloned().collect();
            match groups.iter().find(|group| !group.is_string() && !group.is_object()) {
                Some(other) => Given::Error(format!("{} where a group's name is wanted", kind_of(other))),
                None => Given::Value(Value::Array(groups)),
            }
        }
        Some(other) => Given::Error(format!("{} where a list of groups is wanted", kind_of(other))),
    }
}

/// How deep objects and lists nest in JSON text, found without recursion.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A script may cut a character of two units in half. JSON.stringify writes such a half as `\udxxx`, and no other escape
/// begins like that: it becomes U+FFFD.
fn well_formed(json: &str) -> Cow<'_, str> {
    if !json.contains("\\ud") {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        // A backslash is followed by an ASCII character, after `u` by four.
        let end = at + if rest[at..].starts_with("\\u") { 6 } else { 2 };
        let escape = &rest[at..end];
        out.push_str(if escape.starts_with("\\ud") { "\u{fffd}" } else { escape });
        rest = &rest[end..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// RFC 5321 §4.5.3.1 lengths and one `@` with something on both sides; more would refuse real addresses.
fn is_address(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    !local.is_empty() && !domain.is_empty() && local.len() <= 64 && address.len() <= 254
}
