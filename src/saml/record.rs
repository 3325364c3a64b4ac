//! What a verified assertion says of a person, as the record of a login: who it is, and everything it said in
//! the JSON form in which a mapping meets it, the same as `rosterd mapping try` makes of a captured assertion. Pure.
//!
//! Refuses ids that are other ones tomorrow, that name several people, or that the identity provider may not give: a login that
//! can't be known again makes no profile.

use super::known::{Known, is_scoped};
use super::not_a_record::{NotARecord, Reason};
use crate::model::saml::{SamlOptions, UserIdFormat};
use crate::profile::verified::{EXTERNAL_ID_BYTES_MAX, LoginRecord, RecordError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rosterd_saml::protocol::VerifiedAssertion;
use rosterd_saml::read::{Attribute, AttributeValue, NameId};
use serde_json::{Map, Value};
use uuid::Uuid;

pub const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
pub const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";

/// What a mapping reads beside attributes. No attribute of an assertion passes for one of these.
const PSEUDO: [&str; 3] = ["name_id", "name_id_format", "issuer"];

/// The record of a login.
///
/// # Errors
/// Why nobody can be known by it.
pub fn record(assertion: &VerifiedAssertion, options: &SamlOptions, idp: &Known<'_>) -> Result<LoginRecord, NotARecord> {
    Said::of(assertion).record(options.user_id_attribute.as_deref(), options.user_id_format, idp)
}

/// Values that were dropped because their scope is not the identity provider's, with the names of their attributes: what an
/// administrator asks for who misses them.
pub fn dropped<'a>(assertion: &'a VerifiedAssertion, idp: &Known<'_>) -> Vec<(&'a str, &'a str)> {
    let all = assertion.attributes().iter().flat_map(|attribute| attribute.values.iter().map(move |value| (attribute, value)));
    let foreign = all.filter(|(attribute, value)| is_foreign(attribute, value, idp));
    foreign.filter_map(|(attribute, value)| Some((attribute.name.as_str(), text_of(value)?))).collect()
}

/// The parts of an assertion that make a record.
struct Said<'a> {
    issuer: &'a str,
    name_id: Option<&'a NameId>,
    attributes: &'a [Attribute],
}

impl<'a> Said<'a> {
    fn of(assertion: &'a VerifiedAssertion) -> Self {
        Self { issuer: assertion.issuer(), name_id: assertion.name_id(), attributes: assertion.attributes() }
    }

    fn record(&self, user_id_attribute: Option<&str>, format: UserIdFormat, idp: &Known<'_>) -> Result<LoginRecord, NotARecord> {
        let sent = match user_id_attribute {
            Some(name) => self.id_by_attribute(name, idp)?,
            None => self.id_by_name_id(idp)?,
        };
        let external_id = match format {
            UserIdFormat::AsSent => sent,
            UserIdFormat::Guid => guid(&sent).ok_or_else(|| Reason::NotAGuid.because().received(sent))?,
        };
        if external_id.len() > EXTERNAL_ID_BYTES_MAX {
            let at_most = format!("at most {EXTERNAL_ID_BYTES_MAX} bytes");
            return Err(Reason::IdTooLong.because().expected(at_most).received(external_id));
        }
        LoginRecord::new(external_id, self.payload(idp)).map_err(|error| match error {
            RecordError::ExternalId => Reason::AttributeEmpty.because(),
            // XML has no such character, so nothing here can.
            RecordError::NulCharacter => Reason::Characters.because(),
        })
    }

    fn id_by_name_id(&self, idp: &Known<'_>) -> Result<String, NotARecord> {
        let Some(name_id) = self.name_id else { return Err(Reason::NoNameId.because()) };
        self.is_lasting(name_id, idp)?;
        Ok(name_id.value.clone())
    }

    /// The one value of the attribute, whose name is compared as SAML compares names: case counts, and a FriendlyName is none.
    fn id_by_attribute(&self, name: &str, idp: &Known<'_>) -> Result<String, NotARecord> {
        let named: Vec<&Attribute> = self.attributes.iter().filter(|attribute| attribute.name == name).collect();
        if named.is_empty() {
            return Err(Reason::AttributeMissing.because().expected(name).received(self.names()));
        }
        let (mut ids, mut foreign) = (Vec::new(), None);
        for (attribute, value) in named.iter().flat_map(|attribute| attribute.values.iter().map(move |value| (attribute, value)))
        {
            let id = value
                .identifier()
                .map_err(|refusal| Reason::Characters.because().expected(name).received_any(refusal.received))?;
            let Some(id) = id else { continue };
            if is_foreign(attribute, value, idp) {
                foreign = Some(id);
                continue;
            }
            if let AttributeValue::NameId(name_id) = value {
                self.is_lasting(name_id, idp)?;
            }
            ids.push(id);
        }
        match (ids.len(), foreign) {
            (1, _) => Ok(ids.remove(0)),
            (0, Some(foreign)) => Err(Reason::ForeignScope.because().expected(idp.scopes_listed()).received(foreign)),
            (0, None) => Err(Reason::AttributeEmpty.because().expected(name)),
            (_, _) => Err(Reason::AttributeSeveral.because().expected(name).received(ids.join(", "))),
        }
    }

    /// Whether a name is the same person's tomorrow, and ours to go by.
    fn is_lasting(&self, name_id: &NameId, idp: &Known<'_>) -> Result<(), NotARecord> {
        let is_of = |format: &str| name_id.format.as_deref().is_some_and(|given| given.eq_ignore_ascii_case(format));
        if is_of(TRANSIENT) {
            return Err(Reason::Transient.because().received(TRANSIENT));
        }
        if !is_of(PERSISTENT) {
            // The standard gives qualifiers of other formats no meaning.
            return Ok(());
        }
        let is_other =
            |given: &Option<String>, ours: &str| given.as_deref().is_some_and(|given| !given.is_empty() && given != ours);
        if is_other(&name_id.name_qualifier, self.issuer) {
            return Err(Reason::NameQualifier.because().expected(self.issuer).received_any(name_id.name_qualifier.clone()));
        }
        if is_other(&name_id.sp_name_qualifier, idp.sp_entity_id) {
            let refused = Reason::SpNameQualifier.because().expected(idp.sp_entity_id);
            return Err(refused.received_any(name_id.sp_name_qualifier.clone()));
        }
        Ok(())
    }

    /// What it has, for whoever looks for what it has not.
    fn names(&self) -> String {
        let named = self.attributes.iter().map(|attribute| match &attribute.friendly_name {
            Some(friendly) => format!("{} ({friendly})", attribute.name),
            None => attribute.name.clone(),
        });
        named.collect::<Vec<_>>().join(", ")
    }

    /// Who and by whom, then the attributes in one order, so that the same person is the same text however an identity provider
    /// lists them. One value as itself, several as a list; an attribute may come in several pieces.
    fn payload(&self, idp: &Known<'_>) -> Map<String, Value> {
        let mut payload = Map::new();
        payload.insert(String::from("issuer"), self.issuer.into());
        if let Some(name_id) = self.name_id {
            payload.insert(String::from("name_id"), name_id.value.as_str().into());
            if let Some(format) = &name_id.format {
                payload.insert(String::from("name_id_format"), format.as_str().into());
            }
        }
        let is_own = |attribute: &&Attribute| !attribute.name.is_empty() && !is_pseudo(&attribute.name);
        let mut attributes: Vec<&Attribute> = self.attributes.iter().filter(is_own).collect();
        // Stable: pieces of one attribute stay in their order.
        attributes.sort_by(|one, other| one.name.cmp(&other.name));
        for pieces in attributes.chunk_by(|one, other| one.name == other.name) {
            let all = || pieces.iter().flat_map(|piece| piece.values.iter().map(move |value| (*piece, value)));
            let kept: Vec<Value> =
                all().filter(|(piece, value)| !is_foreign(piece, value, idp)).map(|(_, value)| json(value)).collect();
            // Of nothing but foreign values nothing was said.
            if kept.is_empty() && all().next().is_some() {
                continue;
            }
            payload.insert(pieces[0].name.clone(), one_or_several(kept));
        }
        payload
    }
}

/// The usual text of a GUID: out of base64 of the bytes in Active Directory's order (MS-DTYP §2.3.4.2), or of text in any of its
/// forms. One of zeroes only names nobody.
fn guid(sent: &str) -> Option<String> {
    let bytes = || <[u8; 16]>::try_from(STANDARD.decode(sent).ok()?).ok();
    let guid = Uuid::try_parse(sent).ok().or_else(|| bytes().map(Uuid::from_bytes_le))?;
    (!guid.is_nil()).then(|| guid.to_string())
}

/// Mappings find attributes without case, with and without a `$`.
fn is_pseudo(name: &str) -> bool {
    let name = name.strip_prefix('$').unwrap_or(name);
    PSEUDO.iter().any(|pseudo| pseudo.eq_ignore_ascii_case(name))
}

fn is_foreign(attribute: &Attribute, value: &AttributeValue, idp: &Known<'_>) -> bool {
    is_scoped(&attribute.name) && text_of(value).is_some_and(|text| !idp.may_say(text))
}

fn text_of(value: &AttributeValue) -> Option<&str> {
    match value {
        AttributeValue::Text(text) => Some(text),
        AttributeValue::NameId(name_id) => Some(&name_id.value),
        AttributeValue::Nil | AttributeValue::Structured(_) => None,
    }
}

fn one_or_several(mut values: Vec<Value>) -> Value {
    if values.len() == 1 { values.remove(0) } else { Value::Array(values) }
}

/// Markup is a record of its elements, as the mapping language reads it.
fn json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Text(text) => Value::String(text.clone()),
        AttributeValue::NameId(name_id) => {
            Value::Object(Map::from_iter([(String::from("NameID"), name_id.value.as_str().into())]))
        }
        AttributeValue::Nil => Value::Null,
        AttributeValue::Structured(inside) => {
            let mut members: Map<String, Value> = Map::new();
            for (name, _) in inside {
                if !members.contains_key(name) {
                    let of_name = inside.iter().filter(|(other, _)| other == name).map(|(_, value)| json(value));
                    members.insert(name.clone(), one_or_several(of_name.collect()));
                }
            }
            Value::Object(members)
        }
    }
}

#[cfg(test)]
mod tests;
