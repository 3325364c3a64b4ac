//! One directory entry, decoded: only the attributes that the mapping reads, each already in the shape the mapping reads it
//! in. Text borrows from the line; text that JSON had to escape lies in the arena. Present without a value counts as absent.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

#[derive(Default)]
pub struct Entry<'e> {
    pub dn: Option<&'e str>,
    pub cn: Option<&'e str>,
    pub sn: Option<&'e str>,
    pub given_name: Option<&'e str>,
    pub display_name: Option<&'e str>,
    pub sam_account_name: Option<&'e str>,
    pub user_principal_name: Option<&'e str>,
    pub mail: Option<&'e str>,
    pub telephone_number: Option<&'e str>,
    pub mobile: Option<&'e str>,
    pub c: Option<&'e str>,
    pub department: Option<&'e str>,
    pub manager: Option<&'e str>,
    pub user_account_control: Option<&'e str>,
    pub account_expires: Option<&'e str>,
    pub object_guid: Option<&'e str>,
    pub object_sid: Option<&'e str>,
    pub thumbnail_photo: Option<&'e str>,
    pub member_of: &'e [&'e str],
    pub proxy_addresses: &'e [&'e str],
}

/// The entry of one line. The lines are the generator's: another form is a defect of the benchmark.
pub fn decode<'e>(line: &'e [u8], arena: &'e Bump) -> Entry<'e> {
    // UTF-8 is checked once for the line, not once for each string: a fifth of the time from bytes to JSON (measured).
    let line = str::from_utf8(line).expect("the generator writes UTF-8");
    let mut json = serde_json::Deserializer::from_str(line);
    json.deserialize_map(EntryVisitor(arena)).expect("the generator writes objects of strings and lists of strings")
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum Attribute {
    #[serde(rename = "dn")]
    Dn,
    #[serde(rename = "cn")]
    Cn,
    #[serde(rename = "sn")]
    Sn,
    #[serde(rename = "givenName")]
    GivenName,
    #[serde(rename = "displayName")]
    DisplayName,
    #[serde(rename = "sAMAccountName")]
    SamAccountName,
    #[serde(rename = "userPrincipalName")]
    UserPrincipalName,
    #[serde(rename = "mail")]
    Mail,
    #[serde(rename = "telephoneNumber")]
    TelephoneNumber,
    #[serde(rename = "mobile")]
    Mobile,
    #[serde(rename = "c")]
    C,
    #[serde(rename = "department")]
    Department,
    #[serde(rename = "manager")]
    Manager,
    #[serde(rename = "userAccountControl")]
    UserAccountControl,
    #[serde(rename = "accountExpires")]
    AccountExpires,
    #[serde(rename = "objectGUID")]
    ObjectGuid,
    #[serde(rename = "objectSid")]
    ObjectSid,
    #[serde(rename = "thumbnailPhoto")]
    ThumbnailPhoto,
    #[serde(rename = "memberOf")]
    MemberOf,
    #[serde(rename = "proxyAddresses")]
    ProxyAddresses,
    #[serde(other)]
    NotRead,
}

struct EntryVisitor<'e>(&'e Bump);

impl<'e> Visitor<'e> for EntryVisitor<'e> {
    type Value = Entry<'e>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an entry")
    }

    fn visit_map<A: MapAccess<'e>>(self, mut map: A) -> Result<Entry<'e>, A::Error> {
        let mut entry = Entry::default();
        while let Some(attribute) = map.next_key()? {
            let field = match attribute {
                Attribute::Dn => &mut entry.dn,
                Attribute::Cn => &mut entry.cn,
                Attribute::Sn => &mut entry.sn,
                Attribute::GivenName => &mut entry.given_name,
                Attribute::DisplayName => &mut entry.display_name,
                Attribute::SamAccountName => &mut entry.sam_account_name,
                Attribute::UserPrincipalName => &mut entry.user_principal_name,
                Attribute::Mail => &mut entry.mail,
                Attribute::TelephoneNumber => &mut entry.telephone_number,
                Attribute::Mobile => &mut entry.mobile,
                Attribute::C => &mut entry.c,
                Attribute::Department => &mut entry.department,
                Attribute::Manager => &mut entry.manager,
                Attribute::UserAccountControl => &mut entry.user_account_control,
                Attribute::AccountExpires => &mut entry.account_expires,
                Attribute::ObjectGuid => &mut entry.object_guid,
                Attribute::ObjectSid => &mut entry.object_sid,
                Attribute::ThumbnailPhoto => &mut entry.thumbnail_photo,
                Attribute::MemberOf => {
                    entry.member_of = map.next_value_seed(All(self.0))?;
                    continue;
                }
                Attribute::ProxyAddresses => {
                    entry.proxy_addresses = map.next_value_seed(All(self.0))?;
                    continue;
                }
                Attribute::NotRead => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *field = map.next_value_seed(First(self.0))?;
        }
        Ok(entry)
    }
}

/// A string, or a list of which the first counts.
struct First<'e>(&'e Bump);

impl<'e> DeserializeSeed<'e> for First<'e> {
    type Value = Option<&'e str>;

    fn deserialize<D: Deserializer<'e>>(self, value: D) -> Result<Self::Value, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'e> Visitor<'e> for First<'e> {
    type Value = Option<&'e str>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a string or a list of strings")
    }

    fn visit_borrowed_str<E>(self, text: &'e str) -> Result<Self::Value, E> {
        Ok((!text.is_empty()).then_some(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok((!text.is_empty()).then(|| &*self.0.alloc_str(text)))
    }

    fn visit_seq<A: SeqAccess<'e>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let first = list.next_element_seed(First(self.0))?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first.flatten())
    }
}

/// A list of strings, or one string.
struct All<'e>(&'e Bump);

impl<'e> DeserializeSeed<'e> for All<'e> {
    type Value = &'e [&'e str];

    fn deserialize<D: Deserializer<'e>>(self, value: D) -> Result<Self::Value, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'e> Visitor<'e> for All<'e> {
    type Value = &'e [&'e str];

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a string or a list of strings")
    }

    fn visit_borrowed_str<E>(self, text: &'e str) -> Result<Self::Value, E> {
        Ok(if text.is_empty() { &[] } else { self.0.alloc_slice_copy(&[text]) })
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        let text: &'e str = self.0.alloc_str(text);
        Ok(if text.is_empty() { &[] } else { self.0.alloc_slice_copy(&[text]) })
    }

    fn visit_seq<A: SeqAccess<'e>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        // Most lists fit; a longer one moves within the arena.
        let mut values = BumpVec::with_capacity_in(24, self.0);
        while let Some(value) = list.next_element_seed(First(self.0))? {
            values.extend(value);
        }
        Ok(values.into_bump_slice())
    }
}
