//! Recorded sequences: what an IdP sends, what it must get back, and the rows every request leaves.
//!
//! `fixtures/README.md` describes the format for the people who write one; the types here are that format. A field the
//! types do not know is an error, so that a misspelt expectation is not silently none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::gateway::{Answer, Gateway};
use super::matching::{Names, differences};
use super::rows::{Database, Snapshot, added, names};
use super::trail::broken_rules;
use super::wire::broken_promises;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    pub vendor: String,
    /// One or two sentences: what this recording is there to show.
    pub shows: String,
    /// Options of the connection it runs on.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Headers of every request, as this client sends them.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Resources that exist before the first step, by name. A member `repeat` makes that many, `name-1`, `name-2`…;
    /// `connection` puts it on another connection of that name.
    #[serde(default)]
    pub given: Map<String, Value>,
    pub steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub name: String,
    /// Tags of `fixtures/COVERAGE.md` that this step serves.
    #[serde(default)]
    pub covers: Vec<String>,
    pub request: Request,
    pub expect: Expect,
    pub rows: Rows,
    /// What in the request changes nothing, by the reason why; see [`super::reversal`].
    #[serde(default)]
    pub idle: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    pub method: String,
    /// Below the connection's base address.
    pub path: String,
    /// Beside the sequence's; `null` leaves one out. The token goes along unless `authorization` is given.
    #[serde(default)]
    pub headers: BTreeMap<String, Option<String>>,
    pub body: Option<Value>,
    /// A body that is not JSON, sent as it stands.
    pub text: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    pub status: u16,
    /// By lower-case name; `null` = the header is absent.
    #[serde(default)]
    pub headers: BTreeMap<String, Option<String>>,
    pub body: Option<Value>,
    /// JSON pointers that must lead nowhere.
    #[serde(default)]
    pub absent: Vec<String>,
    pub within_ms: Option<u64>,
}

/// What the step leaves. A table that is not named gains and loses nothing; `{}` = not a single row is touched.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    #[serde(default)]
    pub users: i64,
    #[serde(default)]
    pub identities: i64,
    #[serde(default)]
    pub groups: i64,
    #[serde(default)]
    pub members: i64,
    /// Questions opened for a person.
    #[serde(default)]
    pub inbox: i64,
    /// One list of changed attribute names per new row; `["*"]` = whichever.
    #[serde(default)]
    pub history: Vec<BTreeSet<String>>,
    /// One kind per new row whose outcome is `ok`; another outcome follows the kind.
    #[serde(default)]
    pub log: Vec<String>,
    /// Per new row its kind, or `{kind: [changed names]}`.
    #[serde(default)]
    pub outbox: Vec<OutboxRow>,
    /// By name: columns of the rows of a user or group after the step, see [`Snapshot::view`].
    #[serde(default)]
    pub of: Map<String, Value>,
}

impl Rows {
    fn is_empty(&self) -> bool {
        self.log.is_empty() && self.history.is_empty() && self.outbox.is_empty()
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum OutboxRow {
    Kind(String),
    Changed(BTreeMap<String, BTreeSet<String>>),
}

/// Whose recordings there are, each vendor's in the folder of its name.
pub const VENDORS: [&str; 8] = ["entra", "okta", "onelogin", "jumpcloud", "ping", "google", "rippling", "authentik"];

/// The folder of all recordings.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The recordings of one vendor by file name, in order.
pub fn of_vendor(vendor: &str) -> Vec<(String, Sequence)> {
    let folder = folder().join(vendor);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
        .iter()
        .map(|file| {
            let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let sequence: Sequence = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert_eq!(sequence.vendor, vendor, "{} names another vendor than its folder", file.display());
            let stem = file.file_stem().expect("a file name").to_string_lossy().into_owned();
            (stem, sequence)
        })
        .collect()
}

/// Replays one recording on a connection of its own.
///
/// # Errors
/// The first step that went otherwise, with everything about it that did: later steps build on it.
pub async fn replay(gateway: &Gateway, database: &mut Database, stem: &str, sequence: &Sequence) -> Result<(), String> {
    play(gateway, database, stem, sequence)
        .await
        .map_err(|failure| format!("fixtures/{}/{stem}.json, {failure}", sequence.vendor))
}

async fn play(gateway: &Gateway, database: &mut Database, stem: &str, sequence: &Sequence) -> Result<(), String> {
    let mut player = Player::prepare(gateway, stem, sequence).await?;
    let mut before = Snapshot::of(database).await;
    for (index, step) in sequence.steps.iter().enumerate() {
        let outcome = player.take(database, sequence, step, &Sent::as_recorded(step), &before).await;
        before = outcome.map_err(|missed| format!("step {} {missed}", index + 1))?.after;
    }
    Ok(())
}

/// What is sent in place of a step's request, and what of its expectations is heeded.
pub struct Sent<'a> {
    pub request: &'a Request,
    /// Whether the answer is held against the step's, or only the rows are.
    pub answer_counts: bool,
}

impl<'a> Sent<'a> {
    pub fn as_recorded(step: &'a Step) -> Self {
        Self { request: &step.request, answer_counts: true }
    }
}

/// A step that went as it should.
pub struct Taken {
    pub status: u16,
    pub after: Snapshot,
}

/// A step that went otherwise: how it was answered, and everything that differs.
pub struct Missed {
    /// None if it could not be sent.
    pub status: Option<u16>,
    report: String,
}

impl std::fmt::Display for Missed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.report)
    }
}

/// One recording being replayed.
pub struct Player<'a> {
    gateway: &'a Gateway,
    token: String,
    connection: String,
    pub names: Names,
    /// Passwords the client has sent so far.
    secrets: Vec<String>,
}

impl<'a> Player<'a> {
    /// Makes the recording's connection and what it takes as given.
    ///
    /// # Errors
    /// A given resource that could not be created.
    pub async fn prepare(gateway: &'a Gateway, stem: &str, sequence: &Sequence) -> Result<Self, String> {
        let connection = format!("{}-{stem}", sequence.vendor);
        let options: Vec<_> = sequence.options.clone().into_iter().collect();
        let token = gateway.connect(&connection, &options);
        let mut player = Player { gateway, token, connection, names: Names::default(), secrets: vec![] };
        player.names.bind("base", gateway.scim_url(&player.connection));
        player.names.bind("connection", player.connection.clone());
        for (name, resource) in &sequence.given {
            player.provide(name, resource).await?;
        }
        Ok(player)
    }

    /// The same moment of the same recording at another gateway, which has a copy of the database.
    pub fn at<'b>(&self, gateway: &'b Gateway) -> Player<'b> {
        let mut names = self.names.clone();
        names.bind("base", gateway.scim_url(&self.connection));
        Player { gateway, token: self.token.clone(), connection: self.connection.clone(), names, secrets: self.secrets.clone() }
    }

    /// Sends a request and holds what comes of it against what the step expects.
    ///
    /// # Errors
    /// Everything that went otherwise.
    pub async fn take(
        &mut self,
        database: &mut Database,
        sequence: &Sequence,
        step: &Step,
        sent: &Sent<'_>,
        before: &Snapshot,
    ) -> Result<Taken, Missed> {
        let answer = self
            .ask(sequence, sent.request)
            .await
            .map_err(|wrong| Missed { status: None, report: format!("\"{}\": {wrong}", step.name) })?;
        let mut wrong = if sent.answer_counts { self.answer_differences(step, &answer) } else { vec![] };
        let after = Snapshot::of(database).await;
        wrong.extend(row_differences(&step.rows, before, &after, &mut self.names));
        if wrong.is_empty() {
            return Ok(Taken { status: answer.status, after });
        }
        Err(Missed { status: Some(answer.status), report: report(&step.name, sent.request, &answer, &wrong) })
    }

    /// Creates what a sequence takes as given: a user if it has a `userName`, else a group.
    async fn provide(&mut self, name: &str, resource: &Value) -> Result<(), String> {
        let mut resource = resource.clone();
        let mut take = |member: &str| resource.as_object_mut().and_then(|members| members.remove(member));
        let count = take("repeat").as_ref().and_then(Value::as_u64);
        let (connection, token) = match take("connection").as_ref().and_then(Value::as_str) {
            None => (self.connection.clone(), self.token.clone()),
            Some(other) => {
                let connection = format!("{}-{other}", self.connection);
                let token = self.gateway.connect(&connection, &[]);
                (connection, token)
            }
        };
        for n in 1..=count.unwrap_or(1) {
            let name = if count.is_some() { format!("{name}-{n}") } else { name.to_owned() };
            self.names.bind("n", n.to_string());
            let body = self.names.fill_value(&resource)?;
            let path = if body.get("userName").is_some() { "/Users" } else { "/Groups" };
            let headers = [
                ("authorization".to_owned(), format!("Bearer {token}")),
                ("content-type".to_owned(), "application/scim+json".to_owned()),
            ];
            let answer = self.gateway.request("POST", &connection, path, &headers, Some(body.to_string())).await;
            if answer.status != 201 {
                return Err(format!("given {name}: {} {}", answer.status, answer.text));
            }
            let id = answer.json()["id"].as_str().map(str::to_owned).ok_or_else(|| format!("given {name}: no id"))?;
            self.names.bind(&name, id);
        }
        Ok(())
    }

    /// Sends a request as this client would.
    async fn ask(&mut self, sequence: &Sequence, request: &Request) -> Result<Answer, String> {
        let mut headers: BTreeMap<String, String> = sequence.headers.clone();
        headers.insert("authorization".to_owned(), format!("Bearer {}", self.token));
        for (name, value) in &request.headers {
            match value {
                Some(value) => headers.insert(name.clone(), self.names.fill(value)?),
                None => headers.remove(name),
            };
        }
        let body = match (&request.body, &request.text) {
            (Some(body), _) => Some(self.names.fill_value(body)?.to_string()),
            (None, Some(text)) => Some(self.names.fill(text)?),
            (None, None) => None,
        };
        if body.is_none() {
            headers.remove("content-type");
        }
        collect_passwords(request.body.as_ref(), &mut self.secrets);
        let headers: Vec<(String, String)> = headers.into_iter().collect();
        let path = self.names.fill(&request.path)?;
        Ok(self.gateway.request(&request.method, &self.connection, &path, &headers, body).await)
    }

    fn answer_differences(&mut self, step: &Step, answer: &Answer) -> Vec<String> {
        let expect = &step.expect;
        let mut wrong = vec![];
        if answer.status != expect.status {
            wrong.push(format!("status: expected {}, found {}", expect.status, answer.status));
        }
        wrong.extend(broken_promises(&step.request.method, answer, &self.secrets));
        for (name, expected) in &expect.headers {
            let expected = expected.clone().map_or(Value::Null, Value::String);
            let found = answer.header(name).map(|value| json!(value));
            wrong.extend(differences(&expected, found.as_ref(), &format!("header {name}"), &mut self.names));
        }
        let body: Value = serde_json::from_str(&answer.text).unwrap_or(Value::Null);
        if let Some(expected) = &expect.body {
            wrong.extend(differences(expected, Some(&body), "", &mut self.names));
        }
        for pointer in &expect.absent {
            if let Some(found) = body.pointer(pointer) {
                wrong.push(format!("{pointer}: expected nothing, found {found}"));
            }
        }
        if let Some(limit) = expect.within_ms
            && answer.took.as_millis() > u128::from(limit)
        {
            wrong.push(format!("took {} ms, expected at most {limit}", answer.took.as_millis()));
        }
        wrong
    }
}

/// Every value of a `password` anywhere in a body.
fn collect_passwords(body: Option<&Value>, secrets: &mut Vec<String>) {
    match body {
        Some(Value::Object(members)) => {
            for (key, value) in members {
                match value.as_str() {
                    Some(password) if key.eq_ignore_ascii_case("password") => secrets.push(password.to_owned()),
                    _ => collect_passwords(Some(value), secrets),
                }
            }
            let path = members.get("path").and_then(Value::as_str);
            if let (Some("password"), Some(password)) = (path, members.get("value").and_then(Value::as_str)) {
                secrets.push(password.to_owned());
            }
        }
        Some(Value::Array(items)) => items.iter().for_each(|item| collect_passwords(Some(item), secrets)),
        _ => {}
    }
}

/// In what the rows differ from what the step says it leaves.
fn row_differences(rows: &Rows, before: &Snapshot, after: &Snapshot, names: &mut Names) -> Vec<String> {
    let mut wrong = vec![];
    let counts = [
        ("users", rows.users, before.users.len(), after.users.len()),
        ("identities", rows.identities, before.identities.len(), after.identities.len()),
        ("groups", rows.groups, before.groups.len(), after.groups.len()),
        ("members", rows.members, before.members.len(), after.members.len()),
        ("inbox", rows.inbox, before.inbox.len(), after.inbox.len()),
    ];
    for (table, expected, then, now) in counts {
        let found = now.cast_signed() - then.cast_signed();
        if i64::try_from(found) != Ok(expected) {
            wrong.push(format!("rows {table}: expected {expected:+}, found {found:+}"));
        }
    }
    wrong.extend(log_differences(&rows.log, before, after));
    wrong.extend(history_differences(&rows.history, before, after));
    wrong.extend(outbox_differences(&rows.outbox, before, after));
    wrong.extend(broken_rules(before, after));
    if rows.is_empty()
        && let Some(change) = after.first_change_since(before)
    {
        wrong.push(format!("rows {change}, though the step writes nothing"));
    }
    for (name, expected) in &rows.of {
        let Some(id) = names.text(name).map(str::to_owned) else {
            wrong.push(format!("rows of {name}: no such name"));
            continue;
        };
        match after.view(&id, before) {
            Some(view) => wrong.extend(differences(&with_member_ids(expected), Some(&view), &format!("rows of {name}"), names)),
            None => wrong.push(format!("rows of {name}: neither an identity nor a group")),
        }
    }
    wrong
}

/// `"members": ["alice"]` of a group is short for the set of their ids.
fn with_member_ids(expected: &Value) -> Value {
    let mut expected = expected.clone();
    if let Some(Value::Array(members)) = expected.get_mut("members") {
        let ids: Vec<String> = members.iter().filter_map(Value::as_str).map(|name| format!("{{{{{name}}}}}")).collect();
        expected["members"] = json!({ "$set": ids });
    }
    expected
}

fn log_differences(expected: &[String], before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let mut found: Vec<String> = added(&after.log, &before.log)
        .iter()
        .map(|row| match (row["kind"].as_str(), row["outcome"].as_str()) {
            (Some(kind), Some("ok")) => kind.to_owned(),
            (kind, outcome) => format!("{} {}", kind.unwrap_or("?"), outcome.unwrap_or("?")),
        })
        .collect();
    let mut expected = expected.to_vec();
    found.sort();
    expected.sort();
    if found == expected { vec![] } else { vec![format!("rows log: expected {expected:?}, found {found:?}")] }
}

fn history_differences(expected: &[BTreeSet<String>], before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let found: Vec<BTreeSet<String>> = added(&after.history, &before.history).iter().map(|row| names(&row["changes"])).collect();
    let fits = found.len() == expected.len()
        && expected.iter().all(|wanted| wanted.contains("*") || found.iter().any(|names| names == wanted));
    if fits { vec![] } else { vec![format!("rows history: expected {expected:?}, found {found:?}")] }
}

fn outbox_differences(expected: &[OutboxRow], before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let mut found: Vec<(String, BTreeSet<String>)> = added(&after.outbox, &before.outbox)
        .iter()
        .map(|row| (row["kind"].as_str().unwrap_or("?").to_owned(), names(&row["changed"])))
        .collect();
    let all = format!("{found:?}");
    for row in expected {
        let fitting = found.iter().position(|(kind, changed)| match row {
            OutboxRow::Kind(wanted) => kind == wanted,
            OutboxRow::Changed(wanted) => wanted.len() == 1 && wanted.get(kind) == Some(changed),
        });
        match fitting {
            Some(index) => drop(found.remove(index)),
            None => return vec![format!("rows outbox: expected {expected:?}, found {all}")],
        }
    }
    if found.is_empty() { vec![] } else { vec![format!("rows outbox: expected {expected:?}, found {all}")] }
}

fn report(name: &str, request: &Request, answer: &Answer, wrong: &[String]) -> String {
    let body = request.body.as_ref().map_or_else(String::new, |body| format!("\n    {body}"));
    format!(
        "\"{name}\"\n    {} {}{body}\n  answered {} {}\n  but\n    {}",
        request.method,
        request.path,
        answer.status,
        answer.text,
        wrong.join("\n    ")
    )
}
