//! What is known about the two sides of a login beside the assertion: our name, and the domains for which the identity provider
//! may state scoped values (`shibmd:Scope` of its metadata). Owns which attributes are scoped and how a scope is compared.
//!
//! Refuses by not matching: a pattern that can't be read, or that is too large, is nobody's scope.

use regex::{Regex, RegexBuilder};
use rosterd_saml::metadata::Scope;

/// Patterns beyond these are not tried, however many metadata has.
const PATTERNS_MAX: usize = 32;
const PATTERN_BYTES_MAX: usize = 512;
/// Of a compiled pattern.
const PROGRAM_BYTES_MAX: usize = 64 * 1024;

/// What is known beside the assertion.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Our entity id, as this identity provider knows it.
    pub sp_entity_id: &'a str,
    /// Empty: its metadata does not say, and nothing is held against it.
    pub scopes: &'a Scopes,
}

/// The attributes whose values are scoped, by every name they are sent under: eduPerson's as OIDs and under the names that
/// directories give them, the subject identifiers of SAML by their only one.
const SCOPED: [&str; 12] = [
    "urn:oasis:names:tc:SAML:attribute:subject-id",
    "urn:oasis:names:tc:SAML:attribute:pairwise-id",
    "urn:oid:1.3.6.1.4.1.5923.1.1.1.6",
    "urn:oid:1.3.6.1.4.1.5923.1.1.1.9",
    "urn:oid:1.3.6.1.4.1.5923.1.1.1.13",
    "eduPersonPrincipalName",
    "eduPersonScopedAffiliation",
    "eduPersonUniqueId",
    "urn:mace:dir:attribute-def:eduPersonPrincipalName",
    "urn:mace:dir:attribute-def:eduPersonScopedAffiliation",
    "urn:mace:dir:attribute-def:eduPersonUniqueId",
    // Former principal names, of the same scope.
    "urn:oid:1.3.6.1.4.1.5923.1.1.1.12",
];

/// Without case, unlike other names: a mapping finds attributes without case, and another spelling must not be a way around.
pub fn is_scoped(name: &str) -> bool {
    SCOPED.iter().any(|scoped| scoped.eq_ignore_ascii_case(name))
}

/// The domains of one identity provider. Made once, when its metadata is read: a pattern may cost a lot to compile, and somebody
/// else wrote it.
#[derive(Clone, Debug, Default)]
pub struct Scopes {
    /// In lower case.
    names: Vec<String>,
    patterns: Vec<Regex>,
    /// Also those that nobody can read: who has one has said something.
    listed: String,
}

impl Scopes {
    pub fn of(scopes: &[Scope]) -> Self {
        let names = scopes.iter().filter(|scope| !scope.is_pattern).map(|scope| scope.value.to_ascii_lowercase());
        let patterns = scopes.iter().filter(|scope| scope.is_pattern).take(PATTERNS_MAX);
        Self {
            names: names.collect(),
            patterns: patterns.filter_map(|scope| anchored(&scope.value)).collect(),
            listed: scopes.iter().map(|scope| scope.value.as_str()).collect::<Vec<_>>().join(", "),
        }
    }

    fn is_silent(&self) -> bool {
        self.listed.is_empty() && self.names.is_empty()
    }
}

impl Known<'_> {
    /// Whether the identity provider may state the scoped value. The scope begins behind the first `@` (eduPerson), so that
    /// `a@evil.example@uni.example` is not of `uni.example`. A value without one is nobody's, where scopes are known.
    pub fn may_say(&self, value: &str) -> bool {
        if self.scopes.is_silent() || value.is_empty() {
            return true;
        }
        let Some((_, scope)) = value.split_once('@') else { return false };
        let is_named = || self.scopes.names.iter().any(|known| known.eq_ignore_ascii_case(scope));
        !scope.is_empty() && (is_named() || self.scopes.patterns.iter().any(|known| known.is_match(scope)))
    }

    /// For the administrator.
    pub(super) fn scopes_listed(&self) -> &str {
        &self.scopes.listed
    }
}

/// The pattern for all of a scope: half of it would let `uni.example.evil.example` in. `None`: it is none.
fn anchored(pattern: &str) -> Option<Regex> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return None;
    }
    // On its own first: `a)|(b` is a pattern only between the brackets of the anchored one.
    RegexBuilder::new(pattern).size_limit(PROGRAM_BYTES_MAX).build().ok()?;
    let whole = format!(r"\A(?:{pattern})\z");
    RegexBuilder::new(&whole).case_insensitive(true).size_limit(PROGRAM_BYTES_MAX).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_say(scopes: &[(&str, bool)], value: &str) -> bool {
        let scopes: Vec<Scope> =
            scopes.iter().map(|(value, is_pattern)| Scope { value: (*value).to_owned(), is_pattern: *is_pattern }).collect();
        Known { sp_entity_id: "urn:us", scopes: &Scopes::of(&scopes) }.may_say(value)
    }

    #[test]
    fn a_scope_is_one_of_the_metadata_or_nobody_is_asked() {
        let uni = [("uni.example", false), ("med.uni.example", false)];
        for (value, may) in [
            ("ann@uni.example", true),
            ("ann@UNI.example", true),
            ("ann@med.uni.example", true),
            ("ann@law.uni.example", false),
            ("ann@other.example", false),
            ("ann@evil.example@uni.example", false),
            ("ann@uni.example@evil.example", false),
            ("ann@uni.example ", false),
            ("ann@", false),
            ("ann", false),
            // Says nothing.
            ("", true),
        ] {
            assert_eq!(may_say(&uni, value), may, "{value}");
            assert!(may_say(&[], value), "{value}");
        }
    }

    #[test]
    fn a_pattern_stands_for_the_whole_scope() {
        for (pattern, scope, may) in [
            (r"^.+\.uni\.example$", "law.uni.example", true),
            (r".+\.uni\.example", "law.uni.example", true),
            (r"uni\.example", "uni.example.evil.example", false),
            (r"uni\.example", "evil-uni.example", false),
            (r"^uni\.example$", "uni.example", true),
            (r"^uni\.example$", "uni.example\nevil.example", false),
            (r"a|uni\.example", "x-uni.example", false),
            // Nothing to lean on: what closes our bracket is no pattern.
            (r"a)|(?:.*", "evil.example", false),
            (r"(", "uni.example", false),
            // Java's, which looks ahead: read by nobody here.
            (r"(?!evil).*", "uni.example", false),
            (r"(?:a{1000}){1000}", "uni.example", false),
        ] {
            assert_eq!(may_say(&[(pattern, true)], &format!("ann@{scope}")), may, "{pattern} {scope}");
        }
        let long = format!("(?:{}|uni\\.example)", "x".repeat(PATTERN_BYTES_MAX));
        assert!(!may_say(&[(&long, true)], "ann@uni.example"));
        // A literal one is none.
        assert!(!may_say(&[(".*", false)], "ann@uni.example"));
    }

    #[test]
    fn metadata_with_many_patterns_costs_no_more_than_some() {
        let mut many = vec![("no", true); PATTERNS_MAX];
        many.push((".*", true));
        assert!(!may_say(&many, "ann@uni.example"));
    }
}
