//! A year of joiners, movers and leavers in a real Active Directory (a Samba), followed week by week: after each run the
//! roster is what a full run over an empty store makes of the same directory, and nobody became another person on the way.
//! On PostgreSQL with the mapping that is shipped, which asks for the time, by DirSync; on SQLite with one that does not, by the
//! count of changes.

use crate::support::anew::{Survivors, View};
use crate::support::corp::Corp;
use crate::support::samba::{ADMINISTRATOR, OF_THE_ADMINISTRATOR, Ou, ROOT, domain_controller, unit};
use crate::support::year::{Server, Special, Year, seed};
use serde_json::json;
use std::thread;

const WEEKS: usize = 30;
const CHANGES_A_WEEK: usize = 8;
const FULL_EVERY: usize = 6;
/// From this week on contractors are not read.
const FILTERED: usize = 16;

const WITHOUT_CLOCK: &str = r#"mapping own from ldap to profile

attrs { objectGUID: guid, proxyAddresses: string list, userAccountControl: int }

user_id        = $objectGUID with create, required
email          = lower($mail) ?? lower($userPrincipalName) with required
email_verified = present($mail)
username       = $sAMAccountName
name           = $displayName ?? $cn
given_name     = $givenName
family_name    = $sn
blocked        = uac($userAccountControl, ACCOUNTDISABLE)

app_metadata.ous     = rdns($dn, "OU")
app_metadata.aliases = [ a.drop_prefix("smtp:") for a in $proxyAddresses[*] if a.starts_with("smtp:") ]
"#;

/// What every year holds, whatever is drawn. What asks the server comes first in its week.
fn special(week: usize) -> &'static [Special] {
    match week {
        4 | 13 => &[("a folder is renamed", Year::a_folder_is_renamed)],
        7 | 20 => &[("groups make a ring", Year::groups_make_a_ring)],
        10 | 23 => &[("a ring is opened", Year::a_ring_is_opened)],
        18 => &[("a group is made again", Year::a_group_is_made_again)],
        12 | 21 | 27 => &[("is brought back", |year| year.is_brought_back(undelete))],
        5 | 9 | 15 | 22 | 26 => &[("has another primary group", |year| year.has_a_primary_group(number_of))],
        _ => &[],
    }
}

fn undelete(login: &str, to: &str) {
    let found = domain_controller().search(&format!("CN=Deleted Objects,{ROOT}"), &format!("(sAMAccountName={login})"), &["dn"]);
    let line = found.lines().find(|line| line.starts_with("dn:")).unwrap_or_else(|| panic!("{login} is not deleted"));
    domain_controller().undelete(line, to);
}

fn number_of(group: &str) -> String {
    let told = domain_controller().search(group, "(objectClass=group)", &["primaryGroupToken"]);
    told.lines().find_map(|line| line.strip_prefix("primaryGroupToken: ")).expect("a number").to_owned()
}

/// A gateway that follows the directory, the empty one beside it, and whom it met.
struct Follower {
    lived: Corp,
    /// Never runs itself: each week a copy of it does.
    anew: Corp,
    survivors: Survivors,
    /// Whoever expires is blocked.
    by_the_clock: bool,
}

impl Follower {
    async fn of(ou: &Ou, by_the_clock: bool) -> Self {
        let options = format!("--set page_size=20 --set delta={}", if by_the_clock { "DirSync" } else { "uSNChanged" });
        let (lived, anew) = (Corp::in_domain(by_the_clock, ou, &options).await, Corp::in_domain(false, ou, &options).await);
        for corp in [&lived, &anew] {
            // Who is shown what is deleted, and may replicate.
            corp.sandbox.write("administrator", OF_THE_ADMINISTRATOR);
            corp.run(&format!("connection update corp --set bind_dn={ADMINISTRATOR} --secret bind_password=file:administrator"))
                .succeeded();
        }
        if !by_the_clock {
            for corp in [&lived, &anew] {
                corp.mapping(WITHOUT_CLOCK);
                corp.run("connection update corp --mapping own").succeeded();
            }
        }
        Self { lived, anew, survivors: Survivors::default(), by_the_clock }
    }

    /// Who is asked for no more is held, and goes by somebody's word.
    fn reads_no_contractors(&self) {
        let filter = "user_filter=(&(objectCategory=person)(objectClass=user)(!(employeeType=contractor)))";
        self.anew.set(filter);
        self.lived.set(filter);
        let held = self.lived.sync_ends(3, "");
        assert_eq!(held["summary"]["why"][0]["reason"], "area_changed", "{held}");
        let done = self.lived.sync_ends(0, &format!("--confirm {}", held["run_id"].as_str().unwrap()));
        assert_ne!(done["summary"]["people"]["left"], json!(null), "{done}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_every_week_of_a_year_the_roster_is_what_an_empty_one_would_be() {
    let seed = seed();
    let (samba, ou, outside) = (domain_controller(), Ou::new(), Ou::new());
    let groups = format!("OU=groups,{}", ou.dn);
    samba.modify(&unit(&groups));
    let mut year = Year::new(Server::ActiveDirectory, &ou.dn, &groups, &outside.dn, &ou.login(""), seed);
    let mut followers = [Follower::of(&ou, false).await, Follower::of(&ou, true).await];
    let mut deltas = 0;
    samba.modify(&year.founding(45));
    for week in 0..WEEKS {
        let mut when = format!("week {week}, ROSTERD_STORY_SEED={seed}");
        if week > 0 {
            let (changes, happened) = year.week(CHANGES_A_WEEK, special(week));
            samba.modify(&changes);
            when += &format!(": {}", happened.join(", "));
        }
        if week == FILTERED {
            followers.iter().for_each(Follower::reads_no_contractors);
        }
        let full = if week % FULL_EVERY == 0 { "--full" } else { "" };
        let empty = [followers[0].anew.copied().await, followers[1].anew.copied().await];
        deltas += thread::scope(|scope| {
            let lived = followers.iter().map(|follower| (&follower.lived, full));
            let all = lived.chain(empty.iter().map(|empty| (empty, "--full")));
            let runs: Vec<_> = all.map(|(corp, full)| scope.spawn(move || corp.sync_ends(0, full))).collect();
            let kinds = runs.into_iter().map(|run| run.join().unwrap_or_else(|_| panic!("a run failed in {when}")));
            kinds.filter(|report| report["summary"]["kind"] == "delta").count()
        });
        for (follower, empty) in followers.iter_mut().zip(&empty) {
            let (view, expected) = (View::of(&follower.lived).await, View::of(empty).await);
            assert!(expected.people.len() > 25 && expected.groups.len() > 3, "{when}: there is something to compare");
            let differences = view.differences(&expected);
            assert!(differences.is_empty(), "{when}\n{}", differences.join("\n"));
            let listed = year.listed(week < FILTERED, follower.by_the_clock);
            assert_eq!(view.names(), listed, "{when}: what was written is what is read");
            follower.survivors.met(&view, &when);
        }
    }
    assert!(deltas > WEEKS, "by both ways most runs read what changed: {deltas}");
    assert!(followers.iter().all(|follower| follower.survivors.len() > 60), "people came and went");
}
