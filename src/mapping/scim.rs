//! The shipped SCIM mapping (design §4, "shipped SCIM mapping"), as a table of rules in code. Each rule has a line
//! in [`ScimMapping::text`], written in the mapping language, so that provenance can name it already.

use super::{Absent, Given, Input, Mapped, Mapping, Merge, Rule};
use serde_json::{Map, Value};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

type Payload = Map<String, Value>;

struct Line {
    target: &'static str,
    text: &'static str,
    absent: Absent,
    required: bool,
    run: fn(&Payload) -> Given,
}

const fn line(target: &'static str, text: &'static str, run: fn(&Payload) -> Given) -> Line {
    Line { target, text, absent: Absent::Clear, required: false, run }
}

/// Lines before the first rule in the published text.
const HEADER: &str = "mapping scim from scim to profile\n\n";
const HEADER_LINES: u32 = 2;

/// One line each, in the order of the text. `email` keeps: a push that leaves the address out takes none away.
const LINES: &[Line] = &[
    Line { required: true, ..line("username", "username = $userName with required", |i| text(i, &["userName"], 350)) },
    line("given_name", "given_name = $name.givenName", |i| text(i, &["name", "givenName"], 150)),
    line("family_name", "family_name = $name.familyName", |i| text(i, &["name", "familyName"], 150)),
    line("name", "name = $displayName ?? $name.formatted ?? full_name($name) ?? $nickName ?? $userName", full_name),
    line("nickname", "nickname = $nickName ?? local_part(work_first($emails))", nickname),
    Line { absent: Absent::Keep, ..line("email", "email = work_first($emails) with absent keep, check email", email) },
    line("email_verified", "email_verified = false", |_| Given::Value(Value::Bool(false))),
    line("phone_number", "phone_number = e164?(work_first($phoneNumbers))", phone),
    line("picture", "picture = work_first($photos)", |i| given(preferred(i.get("photos")), 2048)),
    line("locale", "locale = $locale ?? $preferredLanguage", |i| either(i, "locale", "preferredLanguage", 64)),
    line("zoneinfo", "zoneinfo = $timezone", |i| text(i, &["timezone"], 64)),
    line("blocked", "blocked = not $active", blocked),
    line("app_metadata.title", "app_metadata.title = $title", |i| text(i, &["title"], 1024)),
    line("app_metadata.user_type", "app_metadata.user_type = $userType", |i| text(i, &["userType"], 1024)),
    line("app_metadata.roles", "app_metadata.roles = $roles[*].value", roles),
    line("app_metadata.employee_number", "app_metadata.employee_number = $enterprise:employeeNumber", |i| {
        text(i, &[ENTERPRISE, "employeeNumber"], 1024)
    }),
    line("app_metadata.department", "app_metadata.department = $enterprise:department", |i| {
        text(i, &[ENTERPRISE, "department"], 1024)
    }),
    line("app_metadata.division", "app_metadata.division = $enterprise:division", |i| text(i, &[ENTERPRISE, "division"], 1024)),
    line("app_metadata.cost_center", "app_metadata.cost_center = $enterprise:costCenter", |i| {
        text(i, &[ENTERPRISE, "costCenter"], 1024)
    }),
    line("app_metadata.organization", "app_metadata.organization = $enterprise:organization", |i| {
        text(i, &[ENTERPRISE, "organization"], 1024)
    }),
    line("app_metadata.manager", "app_metadata.manager = $enterprise:manager.value", |i| {
        text(i, &[ENTERPRISE, "manager", "value"], 1024)
    }),
];

/// The mapping every SCIM connection starts with.
pub struct ScimMapping;

impl Mapping for ScimMapping {
    fn name(&self) -> &'static str {
        "scim"
    }

    fn version(&self) -> i64 {
        1
    }

    fn text(&self) -> String {
        LINES.iter().fold(HEADER.to_owned(), |text, line| text + line.text + "\n")
    }

    fn map(&self, input: &Input<'_>) -> Mapped {
        let given = (HEADER_LINES + 1..)
            .zip(LINES)
            .map(|(number, line)| {
                let rule = Rule {
                    target: line.target.into(),
                    line: number,
                    policy: None,
                    absent: line.absent,
                    merge: Merge::Replace,
                    required: line.required,
                };
                (rule, (line.run)(input.payload))
            })
            .collect();
        Mapped { given, ..Mapped::default() }
    }
}

fn at<'i>(input: &'i Payload, path: &[&str]) -> Option<&'i str> {
    let (first, rest) = path.split_first()?;
    let mut value = input.get(*first)?;
    for key in rest {
        value = value.get(key)?;
    }
    value.as_str().filter(|text| !text.is_empty())
}

fn given(value: Option<&str>, bytes_max: usize) -> Given {
    match value {
        None => Given::Absent,
        Some(text) if text.len() > bytes_max => Given::Error(format!("longer than {bytes_max} bytes")),
        Some(text) => Given::Value(text.into()),
    }
}

fn text(input: &Payload, path: &[&str], bytes_max: usize) -> Given {
    given(at(input, path), bytes_max)
}

fn either(input: &Payload, first: &str, second: &str, bytes_max: usize) -> Given {
    given(at(input, &[first]).or_else(|| at(input, &[second])), bytes_max)
}

/// The primary element's value, else the work one's, else the first's.
fn preferred(list: Option<&Value>) -> Option<&str> {
    let elements = list?.as_array()?;
    let valued = || elements.iter().filter(|e| e.get("value").and_then(Value::as_str).is_some_and(|text| !text.is_empty()));
    let is_work = |e: &&Value| e.get("type").and_then(Value::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("work"));
    valued()
        .find(|e| e.get("primary") == Some(&Value::Bool(true)))
        .or_else(|| valued().find(is_work))
        .or_else(|| valued().next())
        .and_then(|e| e["value"].as_str())
}

fn full_name(input: &Payload) -> Given {
    let joined = || match (at(input, &["name", "givenName"]), at(input, &["name", "familyName"])) {
        (Some(first), Some(last)) => Some(format!("{first} {last}")),
        (one, other) => one.or(other).map(str::to_owned),
    };
    let name = at(input, &["displayName"])
        .or_else(|| at(input, &["name", "formatted"]))
        .map(str::to_owned)
        .or_else(joined)
        .or_else(|| at(input, &["nickName"]).map(str::to_owned))
        .or_else(|| at(input, &["userName"]).map(str::to_owned));
    given(name.as_deref(), 600)
}

fn nickname(input: &Payload) -> Given {
    let local_part = || preferred(input.get("emails")).and_then(|email| email.split_once('@')).map(|(local, _)| local);
    given(at(input, &["nickName"]).or_else(local_part), 350)
}

fn email(input: &Payload) -> Given {
    match preferred(input.get("emails")) {
        None => Given::Absent,
        Some(address) if is_address(address) => Given::Value(address.into()),
        Some(_) => Given::Error("not an e-mail address".into()),
    }
}

/// RFC 5321 §4.5.3.1 lengths and one `@` with something on both sides; more would refuse real addresses.
pub(super) fn is_address(text: &str) -> bool {
    let parts = text.rsplit_once('@');
    parts.is_some_and(|(local, domain)| (1..=64).contains(&local.len()) && !domain.is_empty() && text.len() <= 254)
}

/// `+` and digits once separators are gone; anything else is absent, not an error: sources send local formats.
fn phone(input: &Payload) -> Given {
    let Some(sent) = preferred(input.get("phoneNumbers")) else { return Given::Absent };
    let sent = sent.strip_prefix("tel:").unwrap_or(sent);
    let bare: String = sent.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/')).collect();
    match bare.strip_prefix('+') {
        Some(digits) if (1..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) => {
            Given::Value(bare.into())
        }
        _ => Given::Absent,
    }
}

/// Unassigned says nothing: a client that removes `active` does not let a blocked person in.
fn blocked(input: &Payload) -> Given {
    input.get("active").and_then(Value::as_bool).map_or(Given::Absent, |active| Given::Value(Value::Bool(!active)))
}

fn roles(input: &Payload) -> Given {
    let values: Vec<Value> = input
        .get("roles")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|role| role.get("value").filter(|v| v.as_str().is_some_and(|text| !text.is_empty())).cloned())
        .collect();
    if values.is_empty() { Given::Absent } else { Given::Value(Value::Array(values)) }
}
