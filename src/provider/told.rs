//! What an application is told of a person in one place, an ID token or `/userinfo`: the claims of its scopes, and what its mapping from
//! profile to oidc makes of the profile. Owns what such a mapping may look at, and how much it may add.
//!
//! A claim with a rule is the rule's: where it fails or gives nothing, nothing is told under that name. A `when` that does not hold
//! leaves what the scopes give. `app_metadata` goes out by a mapping alone.

use super::error::Refusal;
use super::{Call, claims};
use crate::mapping::{Claim, ClaimPlace, Given, Input, Mapped, Mapping, ROOTS};
use crate::model::client::ClientOptions;
use crate::model::grant::{Grant, Person};
use crate::model::tenant::Organization;
use crate::provisioning;
use crate::store::{groups, organizations};

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a mapping may add in one place, in bytes of JSON. With the rest an ID token stays small enough to come back as a hint.
const BYTES_MAX: usize = 8 << 10;

/// What is told, of whom, where and to whom.
pub(super) struct Telling<'a> {
    pub(super) client: &'a ClientOptions,
    pub(super) grant: &'a Grant,
    pub(super) person: &'a Person,
    /// Names of claims that scopes and single requests come to.
    pub(super) wanted: BTreeSet<String>,
    /// As it was given.
    pub(super) scope: &'a str,
    pub(super) place: ClaimPlace,
}

/// All claims but those that are the provider's own.
pub(super) async fn claims(call: &Call, telling: Telling<'_>) -> Result<Map<String, Value>, Refusal> {
    let Telling { client, grant, person, wanted, scope, place } = telling;
    let logins = &call.provider.logins;
    let is_told = place == ClaimPlace::Userinfo || client.id_token_claims;
    let mapping = match client.claims_mapping.as_deref().filter(|_| is_told) {
        Some(name) => Some(outgoing(call, name).await?),
        None => None,
    };
    let reads = mapping.as_ref().map(|mapping| mapping.reads().attributes);
    let is_read =
        |name: &str| reads.as_ref().is_some_and(|names| names.as_ref().is_none_or(|names| names.iter().any(|read| read == name)));
    let named = if wanted.contains("groups") || is_read("groups") {
        groups::of_profile_in(&logins.store, &grant.tenant_id, &grant.profile_id, grant.organization_id.as_ref()).await?
    } else {
        vec![]
    };
    let told = claims::of(person, &named, &wanted);
    let Some(mapping) = mapping else { return Ok(told) };
    let organization = match &grant.organization_id {
        Some(id) if is_read("organization") => organizations::find(&logins.store, &grant.tenant_id, id).await?,
        _ => None,
    };
    let mut payload = payload(person, &named);
    if let Some(Organization { id, name, display_name, .. }) = organization {
        payload.insert(String::from("organization"), json!({ "id": id, "name": name, "display_name": display_name }));
    }
    let mapped = mapping.map(&Input { payload: &payload, stored: None, now: call.provider.now(), seed: [0; 32] });
    let (told, left_out) = added(told, mapping.claims(), mapped, place, scope);
    for LeftOut { claim, line, reason } in left_out {
        let (mapping, client) = (mapping.name(), grant.client_id.as_str());
        tracing::warn!(mapping, client, %claim, line, %reason, "a claim is left out");
    }
    Ok(told)
}

/// The mapping of that name as it runs now, if it goes where it should.
async fn outgoing(call: &Call, name: &str) -> Result<Arc<dyn Mapping>, Refusal> {
    let mappings = call.provider.logins.provisioner.mappings();
    let found = match mappings.of(&call.tenant.id, name).await {
        Ok(found) => found,
        Err(provisioning::Error::Store(error)) => return Err(error.into()),
        Err(error) => {
            tracing::error!(mapping = name, %error, "the claims of an application can't be made");
            return Err(Refusal::INTERNAL);
        }
    };
    if found.direction() == Some(("profile", "oidc")) {
        return Ok(found);
    }
    tracing::error!(mapping = name, "the claims of an application can't be made: its mapping does not go from profile to oidc");
    Err(Refusal::INTERNAL)
}

/// What a mapping sees of a person: root attributes, both metadata, and groups.
fn payload(person: &Person, groups: &[String]) -> Map<String, Value> {
    let doc: Map<String, Value> = serde_json::from_str(&person.doc).unwrap_or_default();
    let is_seen = |name: &str| ROOTS.iter().any(|(root, _)| *root == name) || matches!(name, "user_metadata" | "app_metadata");
    let mut seen: Map<String, Value> = doc.into_iter().filter(|(name, _)| is_seen(name)).collect();
    seen.insert(String::from("user_id"), person.user_id.as_str().into());
    seen.insert(String::from("groups"), groups.into());
    seen
}

/// A claim that is not told though it has a rule, and why; the reason never holds a value.
#[derive(Debug, PartialEq, Eq)]
struct LeftOut {
    claim: String,
    line: u32,
    reason: String,
}

/// `told` with what the rules gave for this place. Pure.
fn added(
    mut told: Map<String, Value>,
    claims: &[Claim],
    mapped: Mapped,
    place: ClaimPlace,
    scope: &str,
) -> (Map<String, Value>, Vec<LeftOut>) {
    let counts = |claim: &Claim| {
        claim.place.is_none_or(|only| only == place)
            && claim.scope.as_ref().is_none_or(|needed| scope.split(' ').any(|given| given == needed))
    };
    let mut left_out = Vec::new();
    if mapped.given.len() != claims.len() {
        // The profile could not be read at all: whatever has a rule is not told.
        for claim in claims.iter().filter(|claim| counts(claim)) {
            remove(&mut told, &claim.path);
        }
        let failed = mapped.given.into_iter().map(|(rule, given)| LeftOut {
            claim: rule.target.to_string(),
            line: rule.line,
            reason: if let Given::Error(reason) = given { reason } else { String::from("the profile can't be read") },
        });
        left_out.extend(failed);
        return (told, left_out);
    }
    let mut bytes = 0;
    for (claim, (rule, given)) in claims.iter().zip(mapped.given).filter(|(claim, _)| counts(claim)) {
        if given == Given::Keep {
            continue;
        }
        remove(&mut told, &claim.path);
        let reason = match given {
            Given::Value(value) => {
                let size = value.to_string().len() + claim.path.iter().map(|name| name.len() + 4).sum::<usize>();
                if bytes + size <= BYTES_MAX {
                    bytes += size;
                    insert(&mut told, &claim.path, value);
                    continue;
                }
                format!("the claims of a mapping have at most {BYTES_MAX} bytes")
            }
            Given::Error(reason) => reason,
            Given::Absent | Given::Keep | Given::FirstFree(_) => continue,
        };
        left_out.push(LeftOut { claim: rule.target.to_string(), line: rule.line, reason });
    }
    (told, left_out)
}

fn remove(told: &mut Map<String, Value>, path: &[String]) {
    if let [name] = path {
        told.remove(name);
        if name == "groups" {
            told.remove("groups_overage");
        }
    }
}

fn insert(told: &mut Map<String, Value>, path: &[String], value: Value) {
    let Some((last, above)) = path.split_last() else { return };
    let mut object = told;
    for name in above {
        let below = object.entry(name.as_str()).or_insert_with(|| Value::Object(Map::new()));
        if !below.is_object() {
            *below = Value::Object(Map::new());
        }
        let Value::Object(below) = below else { return };
        object = below;
    }
    object.insert(last.clone(), value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::compiled::Compiled;
    use crate::mapping::{Language, Published};

    fn compiled(rules: &str) -> Compiled {
        let text = format!("mapping m from profile to oidc\n{rules}\n");
        let language = Language::Mapping;
        Compiled::load(&Published { name: "m".into(), version: 1, language, text, includes: Vec::new() }).expect("compiles")
    }

    fn told(rules: &str, doc: &Value, place: ClaimPlace, scope: &str) -> (Value, Vec<LeftOut>) {
        let person = Person { user_id: String::from("ldap|corp|1"), doc: doc.to_string(), updated_at: 0 };
        let named = [String::from("eng")];
        let standard = claims::of(&person, &named, &claims::wanted(scope, &BTreeSet::new()));
        let mapping = compiled(rules);
        let payload = payload(&person, &named);
        let mapped = mapping.map(&Input { payload: &payload, stored: None, now: 0, seed: [0; 32] });
        let (told, left_out) = added(standard, mapping.claims(), mapped, place, scope);
        (Value::Object(told), left_out)
    }

    #[test]
    fn a_mapping_adds_what_no_scope_gives_and_nothing_goes_out_without_it() {
        let mia = json!({"name": "Mia", "app_metadata": {"roles": ["admin"], "salary": 1}, "password": "x"});
        let rules =
            "\"https://example.com/roles\" = $app_metadata.roles[*]\nid = $user_id\nteams = $groups[*]\nall = sort(keys($all))";
        let (told, left_out) = told(rules, &mia, ClaimPlace::Userinfo, "openid");
        assert_eq!(told["https://example.com/roles"], json!(["admin"]));
        assert_eq!((&told["id"], &told["teams"]), (&json!("ldap|corp|1"), &json!(["eng"])));
        assert_eq!(told["all"], json!(["app_metadata", "groups", "name", "user_id"]), "a password is not seen");
        assert!(left_out.is_empty() && told.get("app_metadata").is_none(), "{left_out:?}");
    }

    #[test]
    fn a_rule_hangs_on_its_scope_and_its_place() {
        let rules =
            "a = \"1\" with scope email\nb = \"2\" with in id_token\nc.d = \"3\"\nc.e = \"4\" with in userinfo, scope openid";
        let of = |place, scope| told(rules, &json!({}), place, scope).0;
        assert_eq!(of(ClaimPlace::IdToken, "openid"), json!({"b": "2", "c": {"d": "3"}}));
        assert_eq!(of(ClaimPlace::Userinfo, "openid email"), json!({"a": "1", "c": {"d": "3", "e": "4"}}));
    }

    #[test]
    fn a_claim_with_a_rule_is_the_rules() {
        let doc = json!({"name": "Mia", "nickname": "mi", "email": "m@x.example", "locale": "en", "app_metadata": {"n": "x"}});
        let rules =
            "name = upper($name)\nnickname = $user_metadata.nick\nlocale = $locale when false\nupdated_at = int($app_metadata.n)";
        let (told, left_out) = told(rules, &doc, ClaimPlace::IdToken, "openid profile email");
        assert_eq!(
            told,
            json!({"name": "MIA", "locale": "en", "email": "m@x.example", "email_verified": false}),
            "an absent result hides, a failing one as well, and `when` leaves what was there"
        );
        assert_eq!((left_out.len(), left_out[0].claim.as_str(), left_out[0].line), (1, "updated_at", 5));
        assert!(!left_out[0].reason.contains('x'), "{}", left_out[0].reason);
    }

    #[test]
    fn what_is_too_much_is_left_out_and_the_rest_is_told() {
        let doc = json!({"app_metadata": {"big": "x".repeat(BYTES_MAX), "small": "y"}});
        let (told, left_out) = told("big = $app_metadata.big\nsmall = $app_metadata.small", &doc, ClaimPlace::IdToken, "openid");
        assert_eq!(told, json!({"small": "y"}));
        assert_eq!((left_out.len(), left_out[0].claim.as_str()), (1, "big"));
    }
}
