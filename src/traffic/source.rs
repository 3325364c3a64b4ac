//! Who sends to a connection, from the signs of its newest requests: many weak signs may add up, one strong sign is enough,
//! and one stray request (an administrator's curl, a test from another product) turns nothing round.

use super::sign::Sign;
use std::collections::BTreeMap;

/// The products that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Idp {
    Entra,
    Okta,
    OneLogin,
    Google,
    JumpCloud,
    Ping,
    Authentik,
    Keycloak,
    Rippling,
    Workday,
    ScimGateway,
    /// Nothing told it apart from any client that follows the RFC.
    Unknown,
}

impl Idp {
    pub const ALL: [Self; 12] = [
        Self::Entra,
        Self::Okta,
        Self::OneLogin,
        Self::Google,
        Self::JumpCloud,
        Self::Ping,
        Self::Authentik,
        Self::Keycloak,
        Self::Rippling,
        Self::Workday,
        Self::ScimGateway,
        Self::Unknown,
    ];

    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Entra => "entra",
            Self::Okta => "okta",
            Self::OneLogin => "onelogin",
            Self::Google => "google",
            Self::JumpCloud => "jumpcloud",
            Self::Ping => "ping",
            Self::Authentik => "authentik",
            Self::Keycloak => "keycloak",
            Self::Rippling => "rippling",
            Self::Workday => "workday",
            Self::ScimGateway => "scimgateway",
            Self::Unknown => "unknown",
        }
    }

    /// What its administrators call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Entra => "Microsoft Entra ID",
            Self::Okta => "Okta",
            Self::OneLogin => "OneLogin",
            Self::Google => "Google Workspace",
            Self::JumpCloud => "JumpCloud",
            Self::Ping => "PingFederate or PingOne",
            Self::Authentik => "authentik",
            Self::Keycloak => "Keycloak",
            Self::Rippling => "Rippling",
            Self::Workday => "Workday",
            Self::ScimGateway => "scimgateway",
            Self::Unknown => "an unrecognised SCIM client",
        }
    }
}

/// Ways in which one product speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// Entra without a flag: capital operations, booleans as text, one operation per attribute.
    EntraDefault,
    /// Entra with `aadOptscim062020`: as the RFC has it, values folded.
    EntraFlag,
    /// Okta, an application of the App Integration Wizard: PUT for everything about a user.
    OktaWizard,
    /// Okta, an application of its catalogue (OIN): PATCH for activation and passwords.
    OktaCatalogue,
    /// URNs and words of SCIM 1 in SCIM 2 requests.
    Legacy,
}

impl Dialect {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EntraDefault => "default",
            Self::EntraFlag => "aadOptscim062020",
            Self::OktaWizard => "aiw",
            Self::OktaCatalogue => "oin",
            Self::Legacy => "scim1",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::EntraDefault => "default dialect",
            Self::EntraFlag => "dialect of aadOptscim062020",
            Self::OktaWizard => "application of the App Integration Wizard (PUT)",
            Self::OktaCatalogue => "application of the catalogue, OIN (PATCH)",
            Self::Legacy => "words of SCIM 1",
        }
    }
}

/// Points at which a product is named: one sign of its own, or two that others might show too.
const ENOUGH: u32 = 4;
/// So often a sign counts: beyond that it proves nothing new, and rare strong signs must not drown.
const SEEN_MAX: u32 = 3;
/// Requests that are looked at.
pub const WINDOW: i64 = 500;
const REASONS_MAX: usize = 4;

/// Whose sign it is, and how much it says.
fn weight(sign: Sign) -> &'static [(Idp, u32)] {
    match sign {
        Sign::AgentOkta => &[(Idp::Okta, 20)],
        Sign::AgentOneLogin => &[(Idp::OneLogin, 20)],
        Sign::AgentGoogle => &[(Idp::Google, 20)],
        Sign::AgentJumpCloud => &[(Idp::JumpCloud, 20)],
        Sign::AgentPing => &[(Idp::Ping, 20)],
        Sign::AgentAuthentik => &[(Idp::Authentik, 20)],
        Sign::AgentKeycloak => &[(Idp::Keycloak, 20)],
        Sign::AgentRippling => &[(Idp::Rippling, 20)],
        Sign::AgentWorkday => &[(Idp::Workday, 20)],
        Sign::AgentScimGateway => &[(Idp::ScimGateway, 20)],
        Sign::MicrosoftFlag | Sign::MicrosoftReverseFlag | Sign::MicrosoftUrn => &[(Idp::Entra, 10)],
        Sign::CapitalOperations | Sign::GuestName | Sign::MemberTest => &[(Idp::Entra, 6)],
        Sign::CapitalBooleans | Sign::NullReferences | Sign::FoldedKeys => &[(Idp::Entra, 5)],
        Sign::NoAgentScimUtf8 | Sign::GroupsWithoutMembers | Sign::RandomProbe => &[(Idp::Entra, 4)],
        Sign::OktaExternalId | Sign::PasswordAndGroups | Sign::RenameWithId => &[(Idp::Okta, 4)],
        Sign::FilterWithPage => &[(Idp::Okta, 3)],
        Sign::EchoPut => &[(Idp::Okta, 2)],
        Sign::ActiveWithoutPath => &[(Idp::Okta, 1), (Idp::Google, 1)],
        Sign::AgentEmpty | Sign::QuestionMark | Sign::NullId => &[(Idp::OneLogin, 4)],
        Sign::ManagerId => &[(Idp::OneLogin, 3)],
        Sign::LowerBooleans => &[(Idp::OneLogin, 2)],
        Sign::LegacyUrn => &[(Idp::OneLogin, 1), (Idp::JumpCloud, 1)],
        Sign::TestUser => &[(Idp::JumpCloud, 10)],
        Sign::WholeEmails | Sign::SingleMember => &[(Idp::Ping, 4)],
        Sign::BareFilter => &[(Idp::Ping, 3)],
        Sign::SlashBeforeQuery => &[(Idp::Ping, 2)],
        Sign::NullPath => &[(Idp::Authentik, 5)],
        Sign::ReadsDiscovery => &[(Idp::Authentik, 1), (Idp::Keycloak, 1)],
        Sign::UserPut => &[],
    }
}

/// How `idp` speaks, by the sign that shows it.
fn dialect_shown(sign: Sign, idp: Idp) -> Option<(Dialect, u32)> {
    match (idp, sign) {
        (Idp::Entra, Sign::CapitalOperations) => Some((Dialect::EntraDefault, 2)),
        (Idp::Entra, Sign::CapitalBooleans | Sign::MicrosoftReverseFlag) => Some((Dialect::EntraDefault, 1)),
        (Idp::Entra, Sign::MicrosoftFlag | Sign::FoldedKeys) => Some((Dialect::EntraFlag, 4)),
        // A catalogue application PUTs profiles too, so one such PATCH outweighs any number of PUTs.
        (Idp::Okta, Sign::ActiveWithoutPath) => Some((Dialect::OktaCatalogue, 1_000)),
        (Idp::Okta, Sign::UserPut) => Some((Dialect::OktaWizard, 1)),
        (Idp::OneLogin | Idp::JumpCloud, Sign::LegacyUrn) => Some((Dialect::Legacy, 1)),
        _ => None,
    }
}

/// Who sends, as far as it can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub idp: Idp,
    pub dialect: Option<Dialect>,
    /// What it was told by, the strongest first: sentences for people.
    pub reasons: Vec<String>,
    /// Requests that were looked at.
    pub requests: usize,
}

impl Source {
    /// One line for people.
    pub fn line(&self) -> String {
        let mut line = self.idp.name().to_owned();
        if let Some(dialect) = self.dialect {
            line.push_str(", ");
            line.push_str(dialect.name());
        }
        if self.requests == 0 {
            return String::from("nothing recorded yet");
        }
        if self.reasons.is_empty() { line } else { format!("{line} ({})", self.reasons.join("; ")) }
    }
}

/// Judges the signs of a connection's newest requests, one text of words for each.
pub fn recognise<'a>(requests: impl IntoIterator<Item = &'a str>) -> Source {
    let (mut counts, mut total) = (BTreeMap::new(), 0);
    for words in requests {
        total += 1;
        for sign in words.split_whitespace().filter_map(Sign::parse) {
            *counts.entry(sign).or_insert(0_u32) += 1;
        }
    }
    judge(&counts, total)
}

fn judge(counts: &BTreeMap<Sign, u32>, requests: usize) -> Source {
    let mut points: BTreeMap<Idp, u32> = BTreeMap::new();
    for (sign, count) in counts {
        for (idp, weight) in weight(*sign) {
            *points.entry(*idp).or_default() += weight * (*count).min(SEEN_MAX);
        }
    }
    // The first of those with most points, in the order of the enum: the same signs give the same answer.
    let best = points.iter().rev().max_by_key(|(_, points)| **points).filter(|(_, points)| **points >= ENOUGH);
    let Some((idp, _)) = best else { return Source { idp: Idp::Unknown, dialect: None, reasons: Vec::new(), requests } };
    let idp = *idp;
    let mut dialects: BTreeMap<Dialect, u64> = BTreeMap::new();
    for (sign, count) in counts {
        if let Some((dialect, weight)) = dialect_shown(*sign, idp) {
            *dialects.entry(dialect).or_default() += u64::from(weight) * u64::from(*count);
        }
    }
    let dialect = dialects.iter().max_by_key(|(_, points)| **points).map(|(dialect, _)| *dialect);
    let of = |sign: &Sign| weight(*sign).iter().find(|(whose, _)| *whose == idp).map_or(0, |(_, weight)| *weight);
    let mut shown: Vec<(&Sign, &u32)> =
        counts.iter().filter(|(sign, _)| of(sign) > 0 || dialect_shown(**sign, idp).is_some()).collect();
    shown.sort_by_key(|(sign, count)| std::cmp::Reverse((of(sign), **count)));
    let reasons =
        shown.iter().take(REASONS_MAX).map(|(sign, count)| format!("{} in {count} of {requests}", sign.seen())).collect();
    Source { idp, dialect, reasons, requests }
}

#[cfg(test)]
mod tests;
