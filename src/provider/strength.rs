//! Which classes of a proof an application wants of its people: `acr_values`, a wish, and the claim `acr`, which may be essential and is
//! then the one claim whose lack is an error (OpenID Connect Core §5.5.1.1). Pure.

use super::parameters::Parameters;
use crate::model::proof::is_word;
use serde_json::{Map, Value};

/// Classes that are looked at.
const CLASSES_MAX: usize = 10;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Strength {
    pub(super) classes: Vec<String>,
    /// Nobody goes on without one of them.
    pub(super) is_essential: bool,
}

impl Strength {
    /// What is no word is no class; a claim that names classes says more than `acr_values`.
    pub(super) fn of(parameters: &Parameters) -> Self {
        let words = |all: &mut dyn Iterator<Item = &str>| -> Vec<String> {
            all.filter(|word| is_word(word)).take(CLASSES_MAX).map(str::to_owned).collect()
        };
        let claims: Map<String, Value> =
            parameters.one("claims").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        if let Some(asked) = claims.get("id_token").and_then(|place| place.get("acr")).and_then(Value::as_object) {
            let one = asked.get("value").and_then(Value::as_str);
            let several = asked.get("values").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            let classes = words(&mut one.into_iter().chain(several));
            if !classes.is_empty() {
                return Self { classes, is_essential: asked.get("essential") == Some(&Value::Bool(true)) };
            }
        }
        let wished = parameters.one("acr_values").unwrap_or_default();
        Self { classes: words(&mut wished.split(' ')), is_essential: false }
    }

    /// Whether somebody who proved who they are by this class may go on.
    pub(super) fn is_met_by(&self, acr: Option<&str>) -> bool {
        !self.is_essential || acr.is_some_and(|acr| self.classes.iter().any(|class| class == acr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(claims: &str, wished: &str) -> Strength {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("claims", claims)
            .append_pair("acr_values", wished)
            .finish();
        Strength::of(&Parameters::parse(query.as_bytes()).expect("readable"))
    }

    #[test]
    fn a_wish_keeps_nobody_out_and_an_essential_claim_does() {
        let wish = of("{}", "urn:mfa urn:otp");
        assert_eq!((wish.classes.len(), wish.is_essential), (2, false));
        assert!(wish.is_met_by(None) && wish.is_met_by(Some("urn:pwd")));
        let asked = of(r#"{"id_token":{"acr":{"essential":true,"values":["urn:mfa","urn:otp"]}}}"#, "urn:pwd");
        assert_eq!((asked.classes.len(), asked.is_essential), (2, true));
        assert!(asked.is_met_by(Some("urn:otp")) && !asked.is_met_by(Some("urn:pwd")) && !asked.is_met_by(None));
        let one = of(r#"{"id_token":{"acr":{"essential":true,"value":"urn:mfa"}}}"#, "");
        assert!(one.is_met_by(Some("urn:mfa")) && !one.is_met_by(Some("urn:mfa ")));
    }

    #[test]
    fn essential_without_a_class_is_any_class_and_what_is_no_word_is_none() {
        for claims in [
            r#"{"id_token":{"acr":{"essential":true}}}"#,
            r#"{"id_token":{"acr":null}}"#,
            r#"{"userinfo":{"acr":{"essential":true,"values":["x"]}}}"#,
            r#"{"id_token":{"acr":{"essential":true,"values":["a b",1,""]}}}"#,
            "x",
        ] {
            assert!(!of(claims, "").is_essential, "{claims}");
        }
        assert_eq!(of("{}", &"x ".repeat(50)).classes.len(), CLASSES_MAX);
    }
}
