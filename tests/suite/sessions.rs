//! `/session` on both stores: whose profile it shows, how long, and what ends it.

use crate::support::caller::on_both_gateways;
use crate::support::gateway::Store;
use crate::support::login_site::{LoginSite, cookie};
use crate::support::rows::Database;
use crate::support::slapd::{PASSWORD, SUFFIX, Slapd};
use serde_json::json;

/// Hours as the store counts time.
const HOUR: i64 = 3_600_000_000;

async fn signed_in(site: &LoginSite, name: &str) -> String {
    let answer = site.log_in(name, PASSWORD).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    cookie(&answer)
}

async fn change(site: &LoginSite, sql: &str) {
    Database::change(site.gateway.database_url(), sql).await;
}

/// A gateway that follows this directory; a title of "gone" blocks.
async fn followed(store: Store, slapd: &Slapd) -> LoginSite {
    let site = LoginSite::without_connection(store, &[]).await;
    std::fs::create_dir_all(site.gateway.folder().join("mappings")).expect("a folder");
    let mapping = "mapping own from ldap to profile\nusername = $uid\nemail = $mail[0]\nblocked = $title == \"gone\"\n";
    std::fs::write(site.gateway.folder().join("mappings/own.mapping"), mapping).expect("written");
    site.connect("corp", slapd, &["mapping=own"]);
    site
}

fn titled(name: &str, title: &str) -> String {
    format!("dn: uid={name},ou=people,{SUFFIX}\nchangetype: modify\nreplace: title\ntitle: {title}\n")
}

fn moved(name: &str, from: &str, to: &str) -> String {
    let rename = format!("changetype: modrdn\nnewrdn: uid={name}\ndeleteoldrdn: 0");
    format!("dn: uid={name},ou={from},{SUFFIX}\n{rename}\nnewsuperior: ou={to},{SUFFIX}\n")
}

/// Waits until it is noted that the session was used after `created_at`, which is done after the answer.
async fn is_noted_as_used(site: &LoginSite, created_at: i64) {
    for _ in 0..100 {
        let seen = site.rows("SELECT last_seen_at FROM sessions").await.remove(0);
        if seen["last_seen_at"].as_i64() >= Some(created_at) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

on_both_gateways! {
    async fn without_a_session_nobody_is_signed_in(store) {
        let site = LoginSite::without_connection(store, &[]).await;
        for cookie in ["", "rosterd_session=", "rosterd_session=x", "other=1"] {
            let answer = site.session(cookie).await;
            assert_eq!((answer.status, &answer.json()["errorCode"]), (401, &json!("login_required")), "{cookie}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
        assert_eq!(site.send("DELETE", "/session", &[], None).await.status, 204, "there is nothing to end");
        assert_eq!(site.send("PUT", "/session", &[], None).await.status, 405);
    }

    async fn a_logout_ends_this_session_and_no_other(store) {
        let slapd = Slapd::start(1);
        let site = LoginSite::start(store, &slapd, &[]).await;
        let (here, there) = (signed_in(&site, "u000000").await, signed_in(&site, "u000000").await);
        let out = site.send("DELETE", "/session", &[("cookie", &here)], None).await;
        assert_eq!(out.status, 204);
        assert_eq!(out.header("set-cookie"), Some("rosterd_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"));
        assert_eq!((site.session(&here).await.status, site.session(&there).await.status), (401, 200));
        let log = site.rows("SELECT profile_id, outcome FROM log WHERE kind = 'logout'").await;
        assert_eq!((log.len(), &log[0]["outcome"], log[0]["profile_id"].is_string()), (1, &json!("ok"), true));
    }

    async fn a_session_rests_no_longer_than_72_hours_and_lasts_a_week_at_most(store) {
        let slapd = Slapd::start(1);
        let site = LoginSite::start(store, &slapd, &[]).await;
        let cookie = signed_in(&site, "u000000").await;
        let times = site.rows("SELECT created_at, last_seen_at, expires_at FROM sessions").await.remove(0);
        let time = |name: &str| times[name].as_i64().expect("a time");
        assert_eq!((time("last_seen_at"), time("expires_at") - time("created_at")), (time("created_at"), 168 * HOUR));

        change(&site, &format!("UPDATE sessions SET last_seen_at = last_seen_at - {}", 71 * HOUR)).await;
        assert_eq!(site.session(&cookie).await.status, 200);
        is_noted_as_used(&site, time("created_at")).await;
        change(&site, &format!("UPDATE sessions SET last_seen_at = last_seen_at - {}", 71 * HOUR)).await;
        assert_eq!(site.session(&cookie).await.status, 200, "used a moment ago, it is not older than that");
        is_noted_as_used(&site, time("created_at")).await;
        change(&site, &format!("UPDATE sessions SET last_seen_at = {} - {}", time("created_at"), 73 * HOUR)).await;
        assert_eq!(site.session(&cookie).await.status, 401);

        change(&site, &format!("UPDATE sessions SET last_seen_at = {0}, expires_at = {0}", time("created_at"))).await;
        assert_eq!(site.session(&cookie).await.status, 401);
    }

    async fn a_stolen_cookie_opens_nothing_after_its_owner_comes_back(store) {
        let slapd = Slapd::start(5);
        let site = followed(store, &slapd).await;
        site.sync();
        for leaves in [false, true] {
            let stolen = signed_in(&site, "u000000").await;
            // when they are blocked, or leave
            let (goes, comes) = if leaves {
                (moved("u000000", "people", "empty"), moved("u000000", "empty", "people"))
            } else {
                (titled("u000000", "gone"), titled("u000000", "back"))
            };
            slapd.modify(&goes);
            site.sync();
            assert_eq!(site.session(&stolen).await.status, 401);
            assert!(site.rows("SELECT id FROM sessions").await.is_empty(), "it ended, and does not rest");
            // and come back
            slapd.modify(&comes);
            site.sync();
            // then their old session is none, and a new one is
            assert_eq!(site.session(&stolen).await.status, 401);
            let new = signed_in(&site, "u000000").await;
            assert_eq!(site.session(&new).await.status, 200);
        }
    }

    async fn a_block_that_is_lifted_ends_what_began_in_its_moment(store) {
        let slapd = Slapd::start(5);
        let site = followed(store, &slapd).await;
        site.sync();
        let stolen = signed_in(&site, "u000000").await;
        // A login whose row the block's batch did not see: it is there again behind it.
        change(&site, "CREATE TABLE beside AS SELECT * FROM sessions").await;
        slapd.modify(&titled("u000000", "gone"));
        site.sync();
        change(&site, "INSERT INTO sessions SELECT * FROM beside").await;
        assert_eq!(site.session(&stolen).await.status, 401);
        slapd.modify(&titled("u000000", "back"));
        site.sync();
        assert_eq!(site.session(&stolen).await.status, 401);
    }

    /// The second line: whatever wrote it.
    async fn nobody_who_is_blocked_or_left_is_signed_in_whatever_sessions_there_are(store) {
        let slapd = Slapd::start(1);
        let site = LoginSite::start(store, &slapd, &[]).await;
        for (ends, undo) in [
            ("UPDATE users SET blocked = TRUE", "UPDATE users SET blocked = FALSE"),
            ("UPDATE identities SET state = 'disabled_at_source'", "UPDATE identities SET state = 'active'"),
            ("UPDATE identities SET state = 'deleted'", "UPDATE identities SET state = 'active'"),
            ("UPDATE identities SET profile_id = NULL", "UPDATE identities SET profile_id = (SELECT id FROM users)"),
        ] {
            let cookie = signed_in(&site, "u000000").await;
            change(&site, ends).await;
            assert_eq!(site.session(&cookie).await.status, 401, "{ends}");
            change(&site, undo).await;
            assert_eq!(site.session(&cookie).await.status, 200, "{undo}");
        }
        let cookie = signed_in(&site, "u000000").await;
        change(&site, "DELETE FROM users").await;
        assert_eq!(site.session(&cookie).await.status, 401);
        assert!(site.rows("SELECT id FROM sessions").await.is_empty(), "they go with the person");
    }

    async fn whoever_a_sync_finds_disabled_or_gone_is_signed_out_by_it(store) {
        let slapd = Slapd::start(5);
        let site = followed(store, &slapd).await;
        // One who was here before the first run, and two of it.
        let disabled = signed_in(&site, "u000000").await;
        site.sync();
        let (gone, stays) = (signed_in(&site, "u000001").await, signed_in(&site, "u000002").await);
        slapd.modify(&titled("u000000", "gone"));
        slapd.modify(&moved("u000001", "people", "empty"));
        assert_eq!((site.session(&disabled).await.status, site.session(&gone).await.status), (200, 200), "no run has seen it yet");
        site.sync();
        for (cookie, status) in [(&disabled, 401), (&gone, 401), (&stays, 200)] {
            assert_eq!(site.session(cookie).await.status, status);
        }
        for name in ["u000000", "u000001"] {
            assert_eq!(site.log_in(name, PASSWORD).await.status, 401, "{name}");
        }
        assert_eq!(site.reasons().await, ["blocked", "unknown_user"]);

        slapd.modify(&titled("u000000", "back"));
        slapd.modify(&moved("u000001", "empty", "people"));
        assert_eq!(site.log_in("u000001", PASSWORD).await.status, 401, "no login brings back whom a run saw leave");
        site.sync();
        assert_eq!(site.session(&signed_in(&site, "u000000").await).await.status, 200);
        assert_eq!(site.session(&signed_in(&site, "u000001").await).await.status, 200);
        assert_eq!(site.rows("SELECT id FROM users").await.len(), 5, "they are who they were");
    }

    async fn a_person_has_a_hundred_sessions_and_then_the_oldest_goes(store) {
        let slapd = Slapd::start(1);
        let site = LoginSite::start(store, &slapd, &[]).await;
        let first = signed_in(&site, "u000000").await;
        let copy = |n: i64| format!(
            "INSERT INTO sessions (tenant_id, id, hash, profile_id, identity_id, data, created_at, last_seen_at, expires_at, auth_time) \
             SELECT tenant_id, id || '-{n:03}', hash, profile_id, identity_id, data, created_at, 0, expires_at, auth_time FROM sessions \
             ORDER BY id LIMIT 1"
        );
        for n in 1..100 {
            change(&site, &copy(n)).await;
        }
        assert_eq!(site.session(&first).await.status, 200);
        let last = signed_in(&site, "u000000").await;
        assert_eq!((site.session(&first).await.status, site.session(&last).await.status), (401, 200));
        assert_eq!(site.rows("SELECT id FROM sessions").await.len(), 100);
    }

    async fn what_a_mapping_gives_the_session_is_there_and_not_in_the_profile(store) {
        let slapd = Slapd::start(1);
        let site = LoginSite::without_connection(store, &[]).await;
        std::fs::create_dir_all(site.gateway.folder().join("mappings")).expect("a folder");
        let mapping = "mapping own from ldap to profile\nuser_id = $entryUUID with create, required\nname = $displayName\n\
             app_metadata.cn = $cn\nsession.cn = $cn\n";
        std::fs::write(site.gateway.folder().join("mappings/own.mapping"), mapping).expect("written");
        site.connect("corp", &slapd, &["mapping=own"]);
        let shown = site.log_in("u000000", PASSWORD).await.json();
        assert_eq!(shown["session"]["cn"], "Ann 0", "{shown}");
        assert!(shown.get("cn").is_none() && shown.get("app_metadata").is_none(), "{shown}");
    }
}
