//! Values that nobody is shown: those of attributes whose names say that they hold a secret. In their place stands a keyed hash,
//! by which two of them can be compared and none be found. Pure.

use crate::model::secret_name::is_secret_name;
use serde_json::{Value, json};

/// A keyed hash of a text.
pub type Keyed<'k> = &'k (dyn Fn(&str) -> String + Send + Sync);

/// How values are hidden.
#[derive(Clone, Copy)]
pub struct Hiding<'k>(pub Keyed<'k>);

impl Hiding<'_> {
    /// The value of the attribute at `path`, as it may be shown.
    pub fn shown(self, path: &str, value: Value) -> Value {
        if value.is_null() {
            return value;
        }
        if is_secret_name(path) {
            return json!({ "hidden": (self.0)(&format!("{path}={value}")) });
        }
        match value {
            Value::Object(members) => {
                members.into_iter().map(|(name, value)| (name.clone(), self.shown(&format!("{path}.{name}"), value))).collect()
            }
            Value::Array(items) => items.into_iter().map(|item| self.shown(path, item)).collect(),
            other => other,
        }
    }

    /// The same of a value that may be missing.
    pub fn shown_if(self, path: &str, value: Option<Value>) -> Value {
        value.map_or(Value::Null, |value| self.shown(path, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_wherever_it_lies_and_the_rest_stays() {
        let keyed = |text: &str| format!("#{}", text.len());
        let hiding = Hiding(&keyed);
        assert_eq!(hiding.shown("email", json!("a@b")), json!("a@b"));
        let shown = hiding.shown("app_metadata", json!({"plan": "gold", "apiToken": "s3cret", "list": [{"pin": 1}]}));
        assert_eq!((&shown["plan"], shown.to_string().contains("s3cret")), (&json!("gold"), false));
        assert!(shown["apiToken"]["hidden"].is_string() && shown["list"][0]["pin"]["hidden"].is_string());
        assert_eq!(hiding.shown_if("app_metadata.apiToken", None), Value::Null);
    }
}
