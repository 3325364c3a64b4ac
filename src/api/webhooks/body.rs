//! What a body may say of a webhook.

use super::super::problem::Problem;
use crate::events::webhooks::decide::Wanted;
use serde_json::{Map, Value};

/// Longest list of types.
const TYPES_MAX: usize = 64;

pub(super) fn wanted(members: &Map<String, Value>) -> Result<Wanted, Problem> {
    let mut wanted = Wanted::default();
    for (name, value) in members {
        match name.as_str() {
            "url" => wanted.url = Some(text(name, value)?),
            "description" => wanted.description = Some(text(name, value)?),
            "enabled" => {
                let flag = value.as_bool().ok_or_else(|| Problem::member(name, "Expected type boolean"))?;
                wanted.enabled = Some(flag);
            }
            "types" => wanted.types = Some(types(name, value)?),
            _ => return Err(unknown(name)),
        }
    }
    Ok(wanted)
}

fn types(name: &str, value: &Value) -> Result<Vec<String>, Problem> {
    let wrong = || Problem::member(name, "Expected an array of strings");
    let items = value.as_array().filter(|items| items.len() <= TYPES_MAX).ok_or_else(wrong)?;
    items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>().ok_or_else(wrong)
}

pub(super) fn text(name: &str, value: &Value) -> Result<String, Problem> {
    let text = value.as_str().ok_or_else(|| Problem::member(name, "Expected type string"))?;
    if text.contains('\0') {
        return Err(Problem::member(name, "wanted a text without U+0000"));
    }
    Ok(text.to_owned())
}

pub(super) fn unknown(path: &str) -> Problem {
    // Of what was sent no more than a name's length comes back.
    let name: String = path.chars().take(64).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    Problem::member(&name, format!("Additional properties not allowed: {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_unknown_or_of_another_kind_is_refused_by_name() {
        for (body, member) in [
            (json!({"ulr": "https://a.example/"}), "ulr"),
            (json!({"secret": "whsec_mine"}), "secret"),
            (json!({"allow_plaintext": true}), "allow_plaintext"),
            (json!({"url": 1}), "url"),
            (json!({"enabled": "yes"}), "enabled"),
            (json!({"types": "user.created"}), "types"),
            (json!({"types": [1]}), "types"),
            (json!({"description": "a\u{0}b"}), "description"),
        ] {
            let Value::Object(members) = &body else { panic!("an object") };
            let problem = format!("{:?}", wanted(members).expect_err("refused"));
            assert!(problem.contains(&format!("on property {member}\"")), "{body}: {problem}");
        }
    }
}
