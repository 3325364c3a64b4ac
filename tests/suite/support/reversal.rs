//! A recorded request with one of its effects turned round: what a gateway that did the opposite would have done.
//!
//! Every reversal is named by where it is and what was done there: `/Operations/0 dropped`, `/name/givenName changed`. A
//! reversed request stays one a client might send, so that it is told by its effect and not by a refusal. `schemas`, and
//! the `op` and `path` of a PATCH, say what a request is about and have no opposite; a boolean is inverted, not left out.

use serde_json::{Map, Value, json};

use super::sequence::{Request, Step};

/// One way to turn round one effect of a step.
#[derive(Clone, Debug)]
pub struct Reversal {
    /// Where in the recorded body, as a JSON pointer; empty = the request as a whole.
    pub at: String,
    /// `dropped`, `changed`, `left out`…
    pub done: &'static str,
    pub request: Request,
    /// False if the request was put aside for a GET: an answer to that is no answer to this, so only rows count.
    pub answer_counts: bool,
}

impl Reversal {
    pub fn name(&self) -> String {
        format!("{} {}", self.at, self.done)
    }

    /// The operation or top-level attribute it turns round.
    pub fn operation(&self) -> String {
        let depth = if self.request.method == "PATCH" || self.at.starts_with("/Operations/") { 3 } else { 2 };
        self.at.split('/').take(depth).collect::<Vec<_>>().join("/")
    }

    /// Whether an entry of a step's `idle` speaks of it: its name, or a pointer to it or to something around it.
    pub fn is_covered_by(&self, entry: &str) -> bool {
        let fits = |(part, wanted): (&str, &str)| wanted == "*" || part == wanted;
        let (mut parts, wanted) = (self.at.split('/'), entry.split('/'));
        let around = wanted.clone().all(|wanted| parts.next().is_some_and(|part| fits((part, wanted))));
        entry == self.name() || around
    }
}

/// What a request may send and the gateway, by its documentation, pays no attention to; `*` = any one part of a pointer.
pub const UNHEEDED: [(&str, &str); 7] = [
    ("/id", "read-only: the server's (RFC 7643 §3.1)"),
    ("/meta", "read-only: the server's (RFC 7643 §3.1)"),
    ("/groups", "read-only: membership is changed at the group (RFC 7643 §4.1.2)"),
    ("/password", "taken, stored nowhere, answered never"),
    ("/Operations/*/value/password", "taken, stored nowhere, answered never"),
    ("/members/*/display", "a member is its value; the name is looked up"),
    ("/Operations/*/value/*/display", "a member is its value; the name is looked up"),
];

/// The users there are, by name: those in the group that a request is about, and the rest.
#[derive(Debug, Default)]
pub struct Users {
    pub inside: Vec<String>,
    pub outside: Vec<String>,
}

/// Every reversal of a step. A user the request does not speak of takes the place of one it does: one from outside the
/// group where members are set, one from inside where they are removed.
pub fn reversals(step: &Step, users: &Users) -> Vec<Reversal> {
    let request = &step.request;
    let spoken_of = request.body.as_ref().map_or_else(String::new, Value::to_string);
    let first_of = |first: &[String], second: &[String]| {
        let mut names = first.iter().chain(second).map(|name| format!("{{{{{name}}}}}"));
        names.find(|placeholder| !spoken_of.contains(placeholder))
    };
    let maker =
        Maker { request, newcomer: first_of(&users.outside, &users.inside), member: first_of(&users.inside, &users.outside) };
    match (request.method.as_str(), &request.body) {
        ("DELETE", _) => vec![maker.aside(String::new(), "dropped")],
        ("PATCH", Some(body)) => maker.of_patch(body),
        ("POST" | "PUT", Some(Value::Object(attributes))) => maker.of_resource(attributes),
        _ => vec![],
    }
}

struct Maker<'a> {
    request: &'a Request,
    /// Users the request does not speak of, as placeholders.
    newcomer: Option<String>,
    member: Option<String>,
}

impl Maker<'_> {
    /// The same that takes another user from inside.
    fn removing(&self) -> Self {
        Maker { request: self.request, newcomer: self.member.clone(), member: self.member.clone() }
    }

    fn with_body(&self, at: String, done: &'static str, body: Value) -> Reversal {
        Reversal { at, done, request: Request { body: Some(body), ..self.request.clone() }, answer_counts: true }
    }

    /// A GET in place of the request.
    fn aside(&self, at: String, done: &'static str) -> Reversal {
        let request = Request { method: "GET".to_owned(), body: None, text: None, ..self.request.clone() };
        Reversal { at, done, request, answer_counts: false }
    }

    fn of_resource(&self, attributes: &Map<String, Value>) -> Vec<Reversal> {
        let body = Value::Object(attributes.clone());
        let mut made = vec![];
        for (key, value) in attributes.iter().filter(|(key, _)| *key != "schemas") {
            let at = format!("/{}", escaped(key));
            made.extend(self.changes(&body, &at, value, key));
            if is_given(value) && !is_boolean(value) {
                let mut rest = attributes.clone();
                rest.shift_remove(key);
                made.push(self.with_body(at, "left out", rest.into()));
            }
        }
        made
    }

    fn of_patch(&self, body: &Value) -> Vec<Reversal> {
        let Some(operations) = body["Operations"].as_array() else { return vec![] };
        let mut made = vec![];
        for (index, operation) in operations.iter().enumerate() {
            let at = format!("/Operations/{index}");
            let with = |instead: &[Value]| {
                let mut body = body.clone();
                body["Operations"] = [&operations[..index], instead, &operations[index + 1..]].concat().into();
                body
            };
            made.push(match operations.len() {
                1 => self.aside(at.clone(), "dropped"),
                _ => self.with_body(at.clone(), "dropped", with(&[])),
            });
            let path = operation["path"].as_str();
            let attribute = path.map_or("", |path| path.rsplit([':', '.']).next().unwrap_or(path));
            let value = operation.get("value");
            if operation["op"].as_str().is_some_and(|op| op.eq_ignore_ascii_case("remove")) {
                made.extend(self.of_removal(&at, operation, &with));
                if let Some(value) = value.filter(|value| is_given(value)) {
                    made.extend(self.removing().changes(body, &format!("{at}/value"), value, attribute));
                }
                continue;
            }
            match (path, value) {
                (Some(path), Some(value)) => {
                    made.extend(self.changes(body, &format!("{at}/value"), value, attribute));
                    if is_given(value) && !is_boolean(value) {
                        let mut opposite = json!({"op": "remove", "path": path});
                        if path == "members" && operation["op"].as_str().is_some_and(|op| op.eq_ignore_ascii_case("add")) {
                            opposite["value"] = value.clone();
                        }
                        made.push(self.with_body(at.clone(), "turned to remove", with(&[opposite])));
                    }
                }
                (None, Some(Value::Object(folded))) => made.extend(self.of_folded(body, &at, operation, folded, &with)),
                _ => {}
            }
        }
        made
    }

    /// Of an operation without a path: every attribute in it is one of its own.
    fn of_folded(
        &self,
        body: &Value,
        at: &str,
        operation: &Value,
        folded: &Map<String, Value>,
        with: &impl Fn(&[Value]) -> Value,
    ) -> Vec<Reversal> {
        let mut made = vec![];
        for (key, value) in folded.iter().filter(|(key, _)| *key != "schemas") {
            let at = format!("{at}/value/{}", escaped(key));
            made.extend(self.changes(body, &at, value, key.rsplit([':', '.']).next().unwrap_or(key)));
            if !is_given(value) || is_boolean(value) {
                continue;
            }
            let mut rest = operation.clone();
            if let Some(members) = rest["value"].as_object_mut() {
                members.shift_remove(key);
            }
            let removal = json!({"op": "remove", "path": key});
            if folded.len() > 1 {
                made.push(self.with_body(at.clone(), "left out", with(std::slice::from_ref(&rest))));
                made.push(self.with_body(at, "turned to remove", with(&[rest, removal])));
            } else {
                made.push(self.with_body(at, "turned to remove", with(&[removal])));
            }
        }
        made
    }

    /// Of a removal, beside dropping it: those it names are added, all leave instead, another leaves instead.
    fn of_removal(&self, at: &str, operation: &Value, with: &impl Fn(&[Value]) -> Value) -> Vec<Reversal> {
        let mut made = vec![];
        let path = operation["path"].as_str().unwrap_or_default();
        if let Some(value) = operation.get("value") {
            if is_given(value) {
                made.push(self.with_body(
                    at.to_owned(),
                    "turned to add",
                    with(&[json!({"op": "add", "path": path, "value": value})]),
                ));
            }
            made.push(self.with_body(at.to_owned(), "turned to remove all", with(&[json!({"op": "remove", "path": path})])));
        }
        if let (Some((attribute, filter)), Some(member)) = (path.split_once('['), &self.member)
            && let Some(of) = filter.find("{{")
            && let Some(length) = filter[of..].find("}}")
        {
            let other = format!("{attribute}[{}{member}{}", &filter[..of], &filter[of + length + 2..]);
            made.push(self.with_body(at.to_owned(), "turned on another", with(&[json!({"op": "remove", "path": other})])));
        }
        made
    }

    /// Every leaf of the value at a pointer of the body changed in turn.
    fn changes(&self, body: &Value, at: &str, value: &Value, key: &str) -> Vec<Reversal> {
        let deeper = |made: &mut Vec<Reversal>, step: &str, key: &str, value: &Value| {
            made.extend(self.changes(body, &format!("{at}/{}", escaped(step)), value, key));
        };
        let mut made = vec![];
        let instead = match value {
            Value::Object(members) => {
                // `$ref` follows from `value` (RFC 7643 §2.4).
                for (key, member) in members.iter().filter(|(key, _)| !key.starts_with('$')) {
                    deeper(&mut made, key, key, member);
                }
                None
            }
            Value::Array(items) if items.is_empty() => {
                let text = if key == "members" { self.newcomer.clone() } else { Some("turned".to_owned()) };
                text.map(|text| json!([{"value": text}]))
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    deeper(&mut made, &index.to_string(), key, item);
                }
                (key == "members" && self.sets(at)).then(|| json!([]))
            }
            Value::Null => Some(json!("turned")),
            Value::Bool(flag) => Some(json!(!flag)),
            Value::Number(number) => Some(json!(number.as_f64().unwrap_or_default() + 1.0)),
            Value::String(text) => self.another(key, text).map(Value::String),
        };
        if let Some(instead) = instead {
            let mut body = body.clone();
            *body.pointer_mut(at).expect("the value was found in the body") = instead;
            made.push(self.with_body(at.to_owned(), "changed", body));
        }
        made
    }

    /// Whether what stands at a pointer takes the place of what was there before: no list is as good as an empty one to
    /// the operations that add and remove.
    fn sets(&self, at: &str) -> bool {
        let operation = at.split('/').take(3).collect::<Vec<_>>().join("/");
        let op = self.request.body.as_ref().and_then(|body| body.pointer(&operation)?.get("op")?.as_str());
        op.is_none_or(|op| op.eq_ignore_ascii_case("replace"))
    }

    /// Another text of the same kind.
    fn another(&self, key: &str, text: &str) -> Option<String> {
        if let Some(inverse) = inverted(text) {
            return Some(inverse.to_owned());
        }
        let is_reference = text.starts_with("{{") && text.ends_with("}}");
        match key {
            "members" | "value" if self.request.path.starts_with("/Groups") => self.newcomer.clone(),
            _ if is_reference && self.newcomer.is_some() => self.newcomer.clone(),
            "type" if text == "work" => Some("home".to_owned()),
            "type" => Some("work".to_owned()),
            "locale" | "preferredLanguage" if text == "fr-FR" => Some("en-US".to_owned()),
            "locale" | "preferredLanguage" => Some("fr-FR".to_owned()),
            _ if text.contains('@') => Some(format!("turned.{text}")),
            _ => Some(format!("{text}-turned")),
        }
    }
}

/// The other boolean in the same spelling, if the text is one.
fn inverted(text: &str) -> Option<&'static str> {
    [("true", "false"), ("True", "False"), ("TRUE", "FALSE")].into_iter().find_map(|(yes, no)| match text {
        _ if text == yes => Some(no),
        _ if text == no => Some(yes),
        _ => None,
    })
}

fn is_boolean(value: &Value) -> bool {
    value.is_boolean() || value.as_str().is_some_and(|text| inverted(text).is_some())
}

/// Whether there is anything that could be left out: null and an empty list are as good as absent (RFC 7643 §2.5).
fn is_given(value: &Value) -> bool {
    !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty())
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &str, body: Value, users: &Users) -> Vec<(String, Value)> {
        let request = json!({"method": method, "path": "/Groups/{{g}}", "body": body});
        let step = json!({"name": "", "request": request, "expect": {"status": 200}, "rows": {}});
        let step: Step = serde_json::from_value(step).expect("a step");
        let sent = |reversal: Reversal| (reversal.name(), reversal.request.body.unwrap_or(Value::Null));
        reversals(&step, users).into_iter().map(sent).collect()
    }

    fn of_operation(operation: Value, users: &Users) -> Vec<(String, Value)> {
        let made = of("PATCH", json!({"Operations": [operation]}), users);
        made.into_iter().map(|(name, body)| (name, body["Operations"].clone())).collect()
    }

    #[test]
    fn every_leaf_is_changed_and_every_attribute_left_out() {
        let made =
            of("PUT", json!({"schemas": ["s"], "active": "True", "name": {"givenName": "A"}, "title": null}), &Users::default());
        let names: Vec<&str> = made.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["/active changed", "/name/givenName changed", "/name left out", "/title changed"]);
        assert_eq!(made[0].1["active"], "False", "in the same spelling");
        assert_eq!(made[1].1["name"]["givenName"], "A-turned");
        assert_eq!(made[2].1, json!({"schemas": ["s"], "active": "True", "title": null}));
    }

    #[test]
    fn adding_becomes_removing_and_another_joins() {
        let users = Users { inside: vec!["in".into()], outside: vec!["bob".into(), "out".into()] };
        let made = of_operation(json!({"op": "Add", "path": "members", "value": [{"value": "{{bob}}"}]}), &users);
        assert_eq!(made[0], ("/Operations/0 dropped".into(), Value::Null), "by a GET: a PATCH of nothing is malformed");
        assert_eq!(made[1].1[0]["value"], json!([{"value": "{{out}}"}]));
        assert_eq!(made[2].1, json!([{"op": "remove", "path": "members", "value": [{"value": "{{bob}}"}]}]));
        assert_eq!(made.len(), 3);
    }

    #[test]
    fn removing_becomes_adding_removing_all_and_removing_another() {
        let users = Users { inside: vec!["bob".into(), "in".into()], outside: vec!["out".into()] };
        let made = of_operation(json!({"op": "remove", "path": "members", "value": [{"value": "{{bob}}"}]}), &users);
        let operations: Vec<&Value> = made[1..].iter().map(|(_, operations)| &operations[0]).collect();
        assert_eq!(operations[0]["op"], "add");
        assert_eq!(operations[1], &json!({"op": "remove", "path": "members"}));
        assert_eq!(operations[2]["value"], json!([{"value": "{{in}}"}]));
        let made = of_operation(json!({"op": "remove", "path": "members[value eq \"{{bob}}\"]"}), &users);
        assert_eq!(made[1].1[0]["path"], "members[value eq \"{{in}}\"]");
    }

    #[test]
    fn attributes_folded_into_one_operation_are_turned_round_one_by_one() {
        let made = of_operation(json!({"op": "replace", "value": {"active": false, "name.givenName": "A"}}), &Users::default());
        let names: Vec<&str> = made.iter().map(|(name, _)| name.as_str()).collect();
        let given_name = "/Operations/0/value/name.givenName";
        assert_eq!(names[..2], ["/Operations/0 dropped", "/Operations/0/value/active changed"]);
        assert_eq!(names[2..], ["changed", "left out", "turned to remove"].map(|done| format!("{given_name} {done}")));
        assert_eq!(made[1].1[0]["value"], json!({"active": true, "name.givenName": "A"}));
        assert_eq!(made[4].1, json!([{"op": "replace", "value": {"active": false}}, {"op": "remove", "path": "name.givenName"}]));
    }

    #[test]
    fn an_entry_covers_a_name_a_pointer_and_what_is_below_it() {
        let request = json!({"method": "PUT", "path": "/Users/{{u}}"});
        let request = serde_json::from_value(request).expect("a request");
        let reversal = Reversal { at: "/members/0/display".into(), done: "changed", request, answer_counts: true };
        for entry in ["", "/members", "/members/*/display", "/members/0/display changed"] {
            assert!(reversal.is_covered_by(entry), "{entry}");
        }
        for entry in ["/member", "/members/0/display left out", "/members/*/display/x"] {
            assert!(!reversal.is_covered_by(entry), "{entry}");
        }
    }
}
