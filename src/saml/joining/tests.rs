use super::*;
use crate::model::connection::Options;
use crate::model::ids::{ConnectionId, OrganizationId, TenantId};

fn connection(name: &str, kind: ConnectionKind, set: &str) -> Connection {
    let pairs = set.split_whitespace();
    let set = crate::model::options::assignments(pairs).expect("pairs");
    Connection {
        tenant_id: TenantId::new("default"),
        id: ConnectionId::new("con_1"),
        name: name.to_owned(),
        kind,
        organization_id: None,
        options: Options::parse(kind, &set).expect("options"),
        version: 1,
        created_at: 0,
        updated_at: 0,
    }
}

const NOTHING: Around<'_> =
    Around { has_scim_side: false, joined: None, has_domain: false, gives_username: false, gives_verified_email: false };

/// What is said of a connection with these options, by a piece of each sentence.
#[track_caller]
fn says(set: &str, around: Around<'_>, expected: &[&str]) {
    let said = will_not_join(&connection("acme", ConnectionKind::Samlp, set), &around);
    let fits = said.len() == expected.len() && said.iter().zip(expected).all(|(said, piece)| said.contains(piece));
    assert!(fits, "{set}\n{said:#?}\n{expected:?}");
}

#[test]
fn a_login_alone_has_nobody_to_join() {
    says("", NOTHING, &[]);
    says("user_id_attribute=http://schemas.microsoft.com/identity/claims/objectidentifier", NOTHING, &[]);
    let transient = "name_id_format=urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
    says(transient, NOTHING, &["nobody gets in"]);
    says(&format!("{transient} user_id_attribute=uid"), NOTHING, &[]);
}

#[test]
fn the_two_sides_of_a_connection_need_one_id() {
    let pushed = Around { has_scim_side: true, ..NOTHING };
    let entra = "user_id_attribute=http://schemas.microsoft.com/identity/claims/objectidentifier";
    let (by_name, by_id) = ("scim_user_id_attribute=userName", "scim_user_id_attribute=externalId");
    let format = |last: &str, version| format!("name_id_format=urn:oasis:names:tc:SAML:{version}:nameid-format:{last}");
    for (login, push, expected) in [
        // As a connection begins.
        ("", "", None),
        ("", by_name, None),
        ("", by_id, Some("which is hardly ever the same value")),
        (entra, "", Some("(Entra ID: objectId)")),
        (entra, by_name, Some("Set scim_user_id_attribute=externalId")),
        (entra, by_id, None),
        (
            &*format("persistent", "2.0"),
            by_name,
            Some("a NameID of the format urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"),
        ),
        (&*format("persistent", "2.0"), by_id, None),
        (&*format("emailAddress", "1.1"), by_name, None),
        (&*format("emailAddress", "1.1"), by_id, Some("externalId, which is hardly ever")),
        ("user_id_attribute=urn:oasis:names:tc:SAML:attribute:subject-id", by_name, Some("externalId")),
        ("user_id_attribute=urn:oid:1.3.6.1.4.1.5923.1.1.1.6", by_name, None),
        ("user_id_attribute=urn:oid:1.3.6.1.4.1.5923.1.1.1.6", by_id, Some("externalId")),
        ("user_id_attribute=User.email", by_id, Some("externalId")),
        ("user_id_attribute=PersonImmutableID", by_name, Some("externalId")),
        // Nobody knows what is in it.
        ("user_id_attribute=staffNumber", by_name, None),
        ("user_id_attribute=staffNumber", by_id, None),
    ] {
        says(&format!("{login} {push}"), pushed, expected.as_slice());
    }
}

#[test]
fn another_connection_has_ids_of_its_own() {
    let entra = "user_id_attribute=http://schemas.microsoft.com/identity/claims/objectidentifier";
    let hr = connection("hr", ConnectionKind::Scim, "");
    let by_name = connection("hr", ConnectionKind::Scim, "scim_user_id_attribute=userName");
    let directory = connection("hr", ConnectionKind::Ldap, "");
    let by_sid = connection("hr", ConnectionKind::Ldap, "id_attribute=objectSid");
    let by_consistency = connection("hr", ConnectionKind::Ldap, "id_attribute=mS-DS-ConsistencyGuid");
    let other = connection("hr", ConnectionKind::Oidc, "");
    for (joined, login, expected) in [
        (&hr, "", Some("those of hr by externalId")),
        (&hr, entra, None),
        (&by_name, "", None),
        (&by_name, entra, Some("those of hr by userName")),
        (&directory, "", Some("those of hr by objectGUID")),
        (&directory, entra, Some("those of hr by objectGUID")),
        (&directory, "user_id_attribute=http://corp.example/claims/objectGUID", Some("in base64: set user_id_format=guid")),
        (&directory, "user_id_attribute=onpremisesimmutableid", Some("in base64: set user_id_format=guid")),
        (&directory, "user_id_attribute=http://corp.example/claims/objectGUID user_id_format=guid", None),
        (&directory, "user_id_format=guid", None),
        (&directory, &format!("{entra} user_id_format=guid"), Some("those of hr by objectGUID")),
        (&by_consistency, "user_id_attribute=ImmutableID", Some("by mS-DS-ConsistencyGuid as text")),
        (&by_consistency, "user_id_attribute=ImmutableID user_id_format=guid", None),
        (&directory, "user_id_attribute=staffNumber", None),
        (&by_sid, "user_id_attribute=http://schemas.microsoft.com/ws/2008/06/identity/claims/primarysid", None),
        (&other, entra, None),
    ] {
        says(&format!("join=hr {login}"), Around { joined: Some(joined), ..NOTHING }, expected.as_slice());
    }
    says("join=hr", NOTHING, &["join names hr, and there is no connection of that name"]);
}

#[test]
fn a_user_name_has_to_be_there_on_both_sides() {
    let hr = connection("hr", ConnectionKind::Scim, "");
    let directory = connection("hr", ConnectionKind::Ldap, "");
    let named = Around { gives_username: true, ..NOTHING };
    says("join=hr join_on=username", Around { joined: Some(&hr), ..named }, &[]);
    says("join=hr join_on=username", Around { joined: Some(&hr), ..NOTHING }, &["entra-saml has no rule for username"]);
    says("join=hr join_on=username", Around { joined: Some(&directory), ..named }, &["set join_on=external_id"]);
}

#[test]
fn an_address_counts_verified_and_in_a_proven_domain() {
    let with = |organization: Option<&str>, has_domain, gives_verified_email| {
        let mut hr = connection("hr", ConnectionKind::Scim, "");
        let mut acme = connection("acme", ConnectionKind::Samlp, "join=hr join_on=email");
        hr.organization_id = organization.map(OrganizationId::new);
        acme.organization_id = hr.organization_id.clone();
        will_not_join(&acme, &Around { joined: Some(&hr), has_domain, gives_verified_email, ..NOTHING })
    };
    assert_eq!(with(Some("org_1"), true, true), Vec::<String>::new());
    for (said, piece) in [
        (with(None, false, true), "needs an organization"),
        (with(Some("org_1"), false, true), "and that a domain"),
        (with(Some("org_1"), true, false), "entra-saml says email_verified = true"),
    ] {
        assert!(matches!(&*said, [only] if only.contains(piece)), "{said:?}");
    }
}

#[test]
fn nobody_joins_across_organizations() {
    let mut hr = connection("hr", ConnectionKind::Scim, "scim_user_id_attribute=userName");
    hr.organization_id = Some(OrganizationId::new("org_1"));
    says("join=hr", Around { joined: Some(&hr), ..NOTHING }, &["hr belongs to another organization"]);
}
