//! What a document that was just read changes. Pure: what is in force, the document and the instant go in, a [`Plan`] comes out.
//!
//! A certificate that is added counts at once: that is how an identity provider rolls over, and whoever can write the metadata
//! under a name and a key that were believed before could as well sign with that key. Another name, or not one of the former
//! keys, is somebody else until an administrator says otherwise; meanwhile nothing changes.

use super::certificates::{Counted, Gone};
use crate::clock::Micros;
use rosterd_saml::limits::CERTIFICATES_TRIED_MAX;
use rosterd_saml::metadata::IdpMetadata;
use std::cmp::Reverse;

/// What is in force.
#[derive(Clone, Debug)]
pub struct InForce {
    pub text: String,
    /// What [`text`](Self::text) says, whether or not it may still be believed.
    pub metadata: IdpMetadata,
    pub certificates: Vec<Counted>,
    /// When the metadata was last seen to say so.
    pub seen_at: Micros,
    /// Another document waits for somebody's word.
    pub has_waiting: bool,
}

/// What was just read.
#[derive(Clone, Copy, Debug)]
pub struct Fresh<'a> {
    pub text: &'a str,
    pub metadata: &'a IdpMetadata,
}

/// Who says that this document is the identity provider's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The place it is read from by itself.
    Place,
    /// Somebody who pasted it, set the place it comes from, or approved it.
    Administrator,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// The document in force, again: times move.
    Unchanged,
    Take(Taken),
    /// Nothing changes until somebody approves.
    Hold(Hold),
    Refuse(Refuse),
}

/// What counts from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub certificates: Vec<Counted>,
    /// Fingerprints of those that did not count before.
    pub added: Vec<String>,
    /// Of those that the document does not list any more.
    pub missed: Vec<String>,
    /// Whether anything is worth a line in the log.
    pub is_news: bool,
}

/// Why a document waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It describes another entity.
    OtherEntity,
    /// It lists none of the certificates that count.
    NoFormerKey,
}

/// Why a document is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refuse {
    /// It lists no certificate that can be used: whoever trusted it would believe nobody, or everybody.
    NoCertificate,
}

impl Hold {
    pub const ALL: [Self; 2] = [Self::OtherEntity, Self::NoFormerKey];

    /// The stable word, stored beside the document.
    pub fn code(self) -> &'static str {
        match self {
            Self::OtherEntity => "other_entity",
            Self::NoFormerKey => "no_former_key",
        }
    }

    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hold| hold.code() == code)
    }

    pub fn says(self) -> &'static str {
        match self {
            Self::OtherEntity => "it describes another entity id than the one that is trusted",
            Self::NoFormerKey => "it lists none of the certificates that are trusted",
        }
    }
}

/// What `fresh` changes. `grace`: how long a certificate counts that is no longer listed.
pub fn decide(in_force: Option<&InForce>, fresh: Fresh<'_>, now: Micros, grace: Micros, word: Word) -> Plan {
    let listed = &fresh.metadata.signing;
    if listed.is_empty() {
        return Plan::Refuse(Refuse::NoCertificate);
    }
    let Some(in_force) = in_force else {
        return Plan::Take(Taken {
            certificates: listed.iter().map(|certificate| new(certificate, now)).collect(),
            added: fingerprints(listed.iter()),
            missed: Vec::new(),
            is_news: true,
        });
    };
    let counting: Vec<&Counted> = in_force.certificates.iter().filter(|counted| counted.counts(now, grace)).collect();
    let has_lapsed = counting.len() < in_force.certificates.len();
    // One document may describe several.
    let is_other = in_force.metadata.entity_id != fresh.metadata.entity_id;
    if in_force.text == fresh.text && !is_other && !has_lapsed && !in_force.has_waiting {
        return Plan::Unchanged;
    }
    let shares_a_key = counting.iter().any(|counted| listed.contains(&counted.certificate));
    if word == Word::Place && is_other {
        return Plan::Hold(Hold::OtherEntity);
    }
    // All former ones have lapsed only where the document in force lists none: it always lists one.
    if word == Word::Place && !shares_a_key {
        return Plan::Hold(Hold::NoFormerKey);
    }
    // The keys of somebody else say nothing of this one.
    let former = if is_other { Vec::new() } else { counting };
    let mut certificates: Vec<Counted> = listed
        .iter()
        .map(|certificate| match former.iter().find(|counted| counted.certificate == *certificate) {
            Some(known) => Counted { gone: None, ..(*known).clone() },
            None => new(certificate, now),
        })
        .collect();
    let added = listed.iter().filter(|certificate| !former.iter().any(|counted| counted.certificate == **certificate));
    let added = fingerprints(added);
    let (mut missed, mut leaving) = (Vec::new(), Vec::new());
    for counted in former.iter().filter(|counted| !listed.contains(&counted.certificate)) {
        let gone = counted.gone.unwrap_or_else(|| {
            missed.push(counted.certificate.fingerprint().to_owned());
            Gone { last_seen: in_force.seen_at, since: now }
        });
        let counted = Counted { gone: Some(gone), ..(*counted).clone() };
        if counted.counts(now, grace) {
            leaving.push((gone.since, counted));
        }
    }
    // More than are tried are not kept, however often a document rolls over within the grace: the oldest go first.
    leaving.sort_by_key(|(since, _)| Reverse(*since));
    let room = CERTIFICATES_TRIED_MAX.saturating_sub(certificates.len());
    certificates.extend(leaving.into_iter().take(room).map(|(_, counted)| counted));
    let moved = in_force.metadata.sign_on != fresh.metadata.sign_on || in_force.metadata.logout != fresh.metadata.logout;
    let is_news = is_other || moved || !added.is_empty() || !missed.is_empty() || in_force.has_waiting;
    Plan::Take(Taken { certificates, added, missed, is_news })
}

fn new(certificate: &rosterd_saml::verify::Certificate, now: Micros) -> Counted {
    Counted { certificate: certificate.clone(), first_seen: now, gone: None }
}

fn fingerprints<'a>(certificates: impl Iterator<Item = &'a rosterd_saml::verify::Certificate>) -> Vec<String> {
    certificates.map(|certificate| certificate.fingerprint().to_owned()).collect()
}

#[cfg(test)]
mod tests;
