//! A `profileMapper.js` written for Auth0's AD/LDAP connector, on a connection of ours and on both stores: at a login it is handed
//! what that connector hands over, in a sync what that connector has for a list. The script is in the shape of the one that
//! connector ships; `seen` shows what it was given.

use crate::support::caller::on_both_gateways;
use crate::support::gateway::Store;
use crate::support::login_site::LoginSite;
use crate::support::scripted_directory::{Say, entry, listen_to_sign_ins};
use crate::support::slapd::{PASSWORD, SUFFIX, SYNC, Slapd};
use serde_json::{Map, Value, json};

const MAPPER: &str = "\
module.exports = function (raw_data) {
  var profile = {
    id: raw_data.objectGUID || raw_data.uid || raw_data.cn,
    displayName: raw_data.displayName,
    name: { familyName: raw_data.sn, givenName: raw_data.givenName },
    nickname: raw_data['sAMAccountName'] || raw_data['cn'] || raw_data['commonName'],
    groups: raw_data['groups'],
    emails: (raw_data.mail ? [{ value: raw_data.mail }] : undefined)
  };
  ['dn', 'department', 'telephoneNumber', 'organizationUnits'].forEach(function (name) { profile[name] = raw_data[name]; });
  profile.seen = raw_data;
  return profile;
};
";

async fn with_mapper(store: Store) -> LoginSite {
    let site = LoginSite::without_connection(store, &[]).await;
    std::fs::create_dir_all(site.gateway.folder().join("mappings")).expect("a folder");
    std::fs::write(site.gateway.folder().join("mappings/connector.js"), MAPPER).expect("written");
    site
}

/// What the script gave, and `raw_data` as it saw it.
async fn mapped(site: &LoginSite) -> (Map<String, Value>, Value) {
    let row = site.rows("SELECT login_mapped FROM identities").await.remove(0);
    let mut mapped = match &row["login_mapped"] {
        Value::String(text) => serde_json::from_str(text).expect("JSON"),
        other => other.clone(),
    };
    let Value::Object(mut mapped) = mapped.take() else { panic!("an object: {row:?}") };
    let seen = mapped.remove("seen").expect("what it saw");
    (mapped, seen)
}

on_both_gateways! {
    async fn a_login_at_openldap(store) {
        let slapd = Slapd::start(2);
        // A group in a group, and one that holds itself.
        slapd.modify(&format!(
            "dn: cn=all,ou=groups,{SUFFIX}\nchangetype: add\nobjectClass: groupOfNames\ncn: all\nmember: cn=first,ou=groups,{SUFFIX}\n\
             member: cn=all,ou=groups,{SUFFIX}\n\ndn: cn=others,ou=groups,{SUFFIX}\nchangetype: add\nobjectClass: groupOfUniqueNames\n\
             cn: others\nuniqueMember: uid=u000001,ou=people,{SUFFIX}\n"
        ));
        let site = with_mapper(store).await;
        site.connect("corp", &slapd, &["mapping=connector", &format!("group_base=ou=groups,{SUFFIX}")]);
        let answer = site.log_in("u000000", PASSWORD).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let profile = answer.json();
        assert_eq!(
            [&profile["user_id"], &profile["name"], &profile["given_name"], &profile["family_name"], &profile["nickname"], &profile["email"]],
            ["ldap|corp|u000000", "Ann Lee 0", "Ann", "Lee 0", "Ann 0", "u000000@example.test"],
        );
        let (mapped, seen) = mapped(&site).await;
        let dn = format!("uid=u000000,ou=people,{SUFFIX}");
        assert_eq!((&mapped["dn"], &mapped["telephoneNumber"]), (&json!(dn), &json!("+49 30 100000")), "extras are kept");
        assert_eq!(seen["cn"], "Ann 0", "one value is a text");
        assert_eq!(seen["mail"], json!(["u000000@example.test", "second0@example.test"]), "several are a list");
        assert_eq!((&seen["dn"], &seen["organizationUnits"], &seen["controls"]), (&json!(dn), &json!(dn), &json!([])));
        assert_eq!((&seen["groups"], &seen["ldapStatus"]), (&json!(["all", "first", "staff"]), &json!("active")));
        assert!(seen.get("userPassword").is_none());
        // Whoever is in which group is known from the rows of groups, where groups are read.
        assert_eq!((&profile["groups"], mapped.get("groups")), (&json!([]), None));
    }

    async fn a_login_at_active_directory(store) {
        let ann = entry(
            "CN=Lee\\, Ann,OU=Users,DC=example,DC=test",
            &[
                ("objectGUID", &["ABCDEFGHIJKLMNOP"]),
                ("sAMAccountName", &["ann"]),
                ("displayName", &["Ann Lee"]),
                ("mail", &["ann@example.test"]),
                ("memberOf", &["CN=Sales\\, West,OU=Groups,DC=example,DC=test", "CN=Wiki,OU=Groups,DC=example,DC=test"]),
            ],
        );
        let port = listen_to_sign_ins(|_| vec![Say::Signed(0, String::new(), None)], move |_| vec![ann.clone(), Say::Done(0, None)]);
        let site = with_mapper(store).await;
        let (url, dn) = (format!("url=ldap://127.0.0.1:{port}"), format!("bind_dn={SYNC}"));
        let options = ["server=ad", &url, "allow_plaintext=true", &dn, "user_base=DC=example,DC=test", "mapping=connector"];
        site.describe("corp", &options);
        let profile = site.log_in("ann", PASSWORD).await.json();
        let guid = "44434241-4645-4847-494a-4b4c4d4e4f50";
        assert_eq!((&profile["user_id"], &profile["nickname"]), (&json!(format!("ldap|corp|{guid}")), &json!("ann")));
        // Without `group_base` the script's groups count, as that connector's do.
        assert_eq!(profile["groups"], json!(["Sales, West", "Wiki"]));
        let (_, seen) = mapped(&site).await;
        assert_eq!(seen["objectGUID"], guid);
        assert_eq!(seen["memberOf"].as_array().map(Vec::len), Some(2));
    }

    async fn a_sync_hands_over_what_the_connector_has_for_a_list(store) {
        let slapd = Slapd::start(2);
        let site = with_mapper(store).await;
        let wanting = MAPPER.replace("var profile", "if (raw_data.groups || raw_data.ldapStatus) throw new Error('only at a login');\n  var profile");
        std::fs::write(site.gateway.folder().join("mappings/connector.js"), wanting).expect("written");
        site.connect("corp", &slapd, &["mapping=connector", &format!("group_base=ou=groups,{SUFFIX}")]);
        let planned: Value = serde_json::from_str(&site.gateway.cli(&["sync", "corp", "--dry-run", "--json"])).expect("JSON");
        assert_eq!(planned["people"], json!({"create": 2}), "{planned}");
        assert_eq!(site.log_in("u000000", PASSWORD).await.status, 401, "a script that fails lets nobody in");
        assert_eq!(site.reasons().await, ["rejected"]);
    }
}
