//! What tokens for applications are signed with: the algorithms, and the life of a key.

use crate::clock::Micros;
use serde::{Deserialize, Serialize};

/// An algorithm we sign with (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SigningAlg {
    /// Every relying party has it.
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl SigningAlg {
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// The word in a token's header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.as_str() == text)
    }
}

/// Where a key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// Published, so that relying parties know it before they meet it.
    Next,
    /// Signs.
    Active,
    /// Signed what is still about.
    Retired,
}

impl KeyState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Next, Self::Active, Self::Retired].into_iter().find(|state| state.as_str() == text)
    }
}

/// What of a key decides on its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyLife {
    /// RFC 7638 thumbprint.
    pub kid: String,
    pub alg: SigningAlg,
    /// From 1, of its algorithm.
    pub number: i64,
    pub state: KeyState,
    pub created_at: Micros,
    /// When it came into this state.
    pub state_since: Micros,
}
