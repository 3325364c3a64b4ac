//! How a fixture states what it expects of a JSON value.
//!
//! | in the fixture | means |
//! |---|---|
//! | an object | at least these members, each as stated |
//! | an array | exactly these elements in this order |
//! | `{"$set": […]}` | exactly these elements in any order |
//! | `null` | the member is absent |
//! | `"*"` | there is a value, whichever |
//! | `"{{new:alice}}"` | a text not met before; from here on its name is `alice` |
//! | `"…{{alice}}…"` | the text with the value of that name put in |

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The texts a sequence has given names to: ids of resources, versions, the base address.
#[derive(Clone, Debug, Default)]
pub struct Names(BTreeMap<String, String>);

impl Names {
    pub fn bind(&mut self, name: &str, text: impl Into<String>) {
        self.0.insert(name.to_owned(), text.into());
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The name a text was given, if any.
    pub fn name_of(&self, text: &str) -> Option<&str> {
        self.0.iter().find(|(_, bound)| *bound == text).map(|(name, _)| name.as_str())
    }

    /// Puts the values of `{{names}}` into a text.
    ///
    /// # Errors
    /// A name that was never bound: the fixture is wrong, not the gateway.
    pub fn fill(&self, text: &str) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").ok_or_else(|| format!("unclosed {{{{ in {text:?}"))?;
            filled.push_str(before);
            filled.push_str(self.text(name).ok_or_else(|| format!("{name:?} is not bound in {text:?}"))?);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// [`Self::fill`] for every text and every key of a value.
    ///
    /// # Errors
    /// As [`Self::fill`].
    pub fn fill_value(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => Value::String(self.fill(text)?),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.fill_value(item)).collect::<Result<_, _>>()?),
            Value::Object(members) => {
                let mut filled = Map::new();
                for (key, member) in members {
                    filled.insert(self.fill(key)?, self.fill_value(member)?);
                }
                Value::Object(filled)
            }
            other => other.clone(),
        })
    }
}

/// Every way in which `actual` is not what `expected` states, as readable lines. `at` is the JSON pointer so far.
pub fn differences(expected: &Value, actual: Option<&Value>, at: &str, names: &mut Names) -> Vec<String> {
    let here = if at.is_empty() { "/" } else { at };
    match (expected, actual) {
        (Value::Null, None | Some(Value::Null)) => vec![],
        (Value::Null, Some(actual)) => vec![format!("{here}: expected nothing, found {actual}")],
        (expected, None) => vec![format!("{here}: expected {expected}, found nothing")],
        (Value::Object(members), Some(actual)) => match members.get("$set") {
            Some(Value::Array(items)) => set_differences(items, actual, here, names),
            _ => members
                .iter()
                .flat_map(|(key, expected)| {
                    let pointer = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                    match names.fill(key) {
                        Ok(key) if actual.is_object() => differences(expected, actual.get(&key), &pointer, names),
                        Ok(_) => vec![format!("{here}: expected an object, found {actual}")],
                        Err(wrong) => vec![wrong],
                    }
                })
                .collect(),
        },
        (Value::Array(items), Some(Value::Array(found))) if items.len() == found.len() => items
            .iter()
            .zip(found)
            .enumerate()
            .flat_map(|(index, (expected, actual))| differences(expected, Some(actual), &format!("{at}/{index}"), names))
            .collect(),
        (Value::String(text), Some(actual)) => text_differences(text, actual, here, names),
        (expected, Some(actual)) if expected == actual => vec![],
        (expected, Some(actual)) => vec![format!("{here}: expected {expected}, found {actual}")],
    }
}

fn text_differences(expected: &str, actual: &Value, here: &str, names: &mut Names) -> Vec<String> {
    if expected == "*" {
        return if actual.is_null() { vec![format!("{here}: expected any value, found null")] } else { vec![] };
    }
    if let Some(name) = expected.strip_prefix("{{new:").and_then(|rest| rest.strip_suffix("}}")) {
        let Some(text) = actual.as_str() else { return vec![format!("{here}: expected a new text, found {actual}")] };
        if let Some(older) = names.name_of(text) {
            return vec![format!("{here}: expected a new text for {name:?}, found that of {older:?}: {text:?}")];
        }
        names.bind(name, text);
        return vec![];
    }
    match names.fill(expected) {
        Err(wrong) => vec![format!("{here}: {wrong}")],
        Ok(filled) if actual.as_str() == Some(filled.as_str()) => vec![],
        Ok(filled) => vec![format!("{here}: expected {filled:?}, found {actual}")],
    }
}

/// Pairs every expected element with one that was found and not paired yet.
fn set_differences(expected: &[Value], actual: &Value, here: &str, names: &mut Names) -> Vec<String> {
    let Some(found) = actual.as_array() else { return vec![format!("{here}: expected an array, found {actual}")] };
    let mut left: Vec<&Value> = found.iter().collect();
    let mut wrong = vec![];
    for item in expected {
        let paired = left.iter().position(|candidate| {
            let mut attempt = names.clone();
            let fits = differences(item, Some(candidate), here, &mut attempt).is_empty();
            if fits {
                *names = attempt;
            }
            fits
        });
        match paired {
            Some(index) => drop(left.remove(index)),
            None => wrong.push(format!("{here}: no element is {}", names.fill_value(item).unwrap_or_else(|_| item.clone()))),
        }
    }
    wrong.extend(left.iter().map(|extra| format!("{here}: unexpected element {extra}")));
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn differ(expected: Value, actual: Value) -> Vec<String> {
        differences(&expected, Some(&actual), "", &mut Names::default())
    }

    #[test]
    fn objects_are_subsets_and_arrays_are_exact() {
        assert!(differ(json!({"a": 1}), json!({"a": 1, "b": 2})).is_empty());
        assert_eq!(differ(json!({"a": [1]}), json!({"a": [1, 2]})), ["/a: expected [1], found [1,2]"]);
        assert_eq!(differ(json!({"a": [1, 2]}), json!({"a": [2, 1]})).len(), 2);
    }

    #[test]
    fn null_states_absence() {
        assert!(differ(json!({"a": null}), json!({})).is_empty());
        assert_eq!(differ(json!({"a": null}), json!({"a": 1})), ["/a: expected nothing, found 1"]);
        assert_eq!(differ(json!({"a": 1}), json!({})), ["/a: expected 1, found nothing"]);
    }

    #[test]
    fn a_set_ignores_order_and_misses_nothing() {
        assert!(differ(json!({"$set": [{"v": 1}, {"v": 2}]}), json!([{"v": 2}, {"v": 1, "w": 0}])).is_empty());
        assert_eq!(differ(json!({"$set": [1]}), json!([1, 2])), ["/: unexpected element 2"]);
        assert_eq!(differ(json!({"$set": [1, 1]}), json!([1])), ["/: no element is 1"]);
    }

    #[test]
    fn a_name_binds_once_and_compares_after() {
        let mut names = Names::default();
        assert!(differences(&json!("{{new:alice}}"), Some(&json!("1")), "", &mut names).is_empty());
        assert!(differences(&json!("/Users/{{alice}}"), Some(&json!("/Users/1")), "", &mut names).is_empty());
        assert_eq!(differences(&json!("{{alice}}"), Some(&json!("2")), "", &mut names), [r#"/: expected "1", found "2""#]);
        assert_eq!(differences(&json!("{{new:bob}}"), Some(&json!("1")), "", &mut names).len(), 1);
        assert_eq!(differences(&json!("{{carol}}"), Some(&json!("1")), "", &mut names).len(), 1);
    }
}
