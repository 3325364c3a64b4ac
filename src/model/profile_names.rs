//! What a profile is called where nobody said it: `name` and `nickname` are always there (profile reference §1). One place, so
//! that what is shown, sorted by and searched for is the same.

use serde_json::{Map, Value};

/// The name a source or somebody gave, else given and family name, else the nickname, the address, the `user_id`.
pub fn name(doc: &Map<String, Value>, user_id: &str) -> String {
    if let Some(name) = text(doc, "name") {
        return name.to_owned();
    }
    let parts: Vec<&str> = [text(doc, "given_name"), text(doc, "family_name")].into_iter().flatten().collect();
    if !parts.is_empty() {
        return parts.join(" ");
    }
    text(doc, "nickname").or_else(|| text(doc, "email")).unwrap_or(user_id).to_owned()
}

/// The nickname somebody gave, else what stands before the `@` of the address, the user name, the name.
pub fn nickname(doc: &Map<String, Value>, user_id: &str) -> String {
    let local =
        text(doc, "email").and_then(|email| email.rsplit_once('@')).map(|(local, _)| local).filter(|local| !local.is_empty());
    match text(doc, "nickname").or(local).or_else(|| text(doc, "username")) {
        Some(nickname) => nickname.to_owned(),
        None => name(doc, user_id),
    }
}

fn text<'d>(doc: &'d Map<String, Value>, member: &str) -> Option<&'d str> {
    doc.get(member)?.as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn somebody_is_always_called_something() {
        for (doc, named, nicknamed) in [
            (json!({}), "scim|a|1", "scim|a|1"),
            (json!({"email": "ana@acme.example"}), "ana@acme.example", "ana"),
            (json!({"username": "ana"}), "scim|a|1", "ana"),
            (json!({"email": "a@x.example", "nickname": "Annie"}), "Annie", "Annie"),
            (json!({"family_name": "Lee", "nickname": "Annie"}), "Lee", "Annie"),
            (json!({"given_name": "Ana", "family_name": "Lee"}), "Ana Lee", "Ana Lee"),
            (json!({"name": "Dr. Lee", "given_name": "Ana", "nickname": ""}), "Dr. Lee", "Dr. Lee"),
            (json!({"email": "@x.example"}), "@x.example", "@x.example"),
        ] {
            let Value::Object(doc) = doc else { unreachable!() };
            assert_eq!((name(&doc, "scim|a|1").as_str(), nickname(&doc, "scim|a|1").as_str()), (named, nicknamed), "{doc:?}");
        }
    }
}
