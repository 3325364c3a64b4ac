//! How somebody proved who they are, in the words of whoever saw it: what applications read as `acr` and `amr`. Pure.
//!
//! Refuses to say more than was said: where nobody named a class there is none.

use serde::{Deserialize, Serialize};

/// Longest word.
const WORD_BYTES_MAX: usize = 255;
/// Ways of one proof.
const WAYS_MAX: usize = 10;

/// One proof: the JSON of `sessions.proof`, `codes.proof` and `grants.proof`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Its class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// By which ways (RFC 8176).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
}

impl Proof {
    /// What is no word, too long or too much is left out: it comes from outside, and goes into each ID token.
    pub fn new(acr: Option<&str>, amr: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let ways = amr.into_iter().filter(|way| is_word(way.as_ref())).take(WAYS_MAX);
        Self { acr: acr.filter(|acr| is_word(acr)).map(str::to_owned), amr: ways.map(|way| way.as_ref().to_owned()).collect() }
    }

    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("plain texts")
    }

    pub fn from_text(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}

/// One that can be asked for among others with a space between.
pub fn is_word(text: &str) -> bool {
    (1..=WORD_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_short_and_of_words() {
        let long = "x".repeat(256);
        assert_eq!(Proof::new(Some("urn:mfa"), ["pwd", "otp"]).to_text(), r#"{"acr":"urn:mfa","amr":["pwd","otp"]}"#);
        assert_eq!(Proof::new(Some(&long), ["", "a b", &long, "\u{e9}"]), Proof::default());
        assert_eq!(Proof::new(None, vec!["x"; 20]).amr.len(), WAYS_MAX);
        let proof = Proof::new(Some("1"), ["pwd"]);
        assert_eq!(Proof::from_text(&proof.to_text()), proof);
        assert_eq!(Proof::from_text("x"), Proof::default());
    }
}
