//! A year of joiners, movers and leavers in a real OpenLDAP, followed week by week on both stores: after each run the roster
//! is what a full run over an empty store makes of the same directory, and nobody became another person on the way.

use crate::support::anew::{Survivors, View};
use crate::support::corp::Corp;
use crate::support::slapd::{SUFFIX, Slapd};
use crate::support::year::{Server, Special, Year, seed};
use serde_json::json;
use std::thread;

const WEEKS: usize = 40;
const CHANGES_A_WEEK: usize = 8;
const FULL_EVERY: usize = 6;
/// From this week on contractors are not read.
const FILTERED: usize = 22;

/// What every year holds, whatever is drawn.
fn special(week: usize) -> &'static [Special] {
    match week {
        4 | 17 => &[("a folder is renamed", Year::a_folder_is_renamed)],
        8 | 27 => &[("groups make a ring", Year::groups_make_a_ring)],
        13 | 32 => &[("a ring is opened", Year::a_ring_is_opened)],
        25 => &[("a group is made again", Year::a_group_is_made_again)],
        _ => &[],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_every_week_of_a_year_the_roster_is_what_an_empty_one_would_be() {
    let seed = seed();
    let slapd = Slapd::start_with(0, "moduleload ppolicy\n", "overlay ppolicy\n");
    let [people, groups, outside] = ["people", "groups", "empty"].map(|ou| format!("ou={ou},{SUFFIX}"));
    let mut year = Year::new(Server::OpenLdap, &people, &groups, &outside, "", seed);
    let options = "--set page_size=20 --set delta=syncrepl";
    let lived = [Corp::with_groups(false, &slapd, options).await, Corp::with_groups(true, &slapd, options).await];
    // Never runs itself: each week a copy of it does.
    let anew = Corp::with_groups(false, &slapd, options).await;
    let mut survivors = [Survivors::default(), Survivors::default()];
    let mut deltas = 0;
    slapd.modify(&year.founding(60));
    for week in 0..WEEKS {
        let mut when = format!("week {week}, ROSTERD_STORY_SEED={seed}");
        if week > 0 {
            let (changes, happened) = year.week(CHANGES_A_WEEK, special(week));
            slapd.modify(&changes);
            when += &format!(": {}", happened.join(", "));
        }
        if week == FILTERED {
            another_filter(&lived, &anew).await;
        }
        let full = if week % FULL_EVERY == 0 { "--full" } else { "" };
        let empty = anew.copied().await;
        deltas += thread::scope(|scope| {
            let of_empty = scope.spawn(|| empty.sync_ends(0, "--full"));
            let runs = lived.each_ref().map(|corp| scope.spawn(move || corp.sync_ends(0, full)));
            of_empty.join().unwrap_or_else(|_| panic!("a run over an empty store failed in {when}"));
            let kinds =
                runs.map(|run| run.join().unwrap_or_else(|_| panic!("a run failed in {when}"))["summary"]["kind"].clone());
            kinds.iter().filter(|kind| *kind == "delta").count()
        });
        let expected = View::of(&empty).await;
        assert!(expected.people.len() > 30 && expected.groups.len() > 3, "{when}: there is something to compare");
        for (corp, survivors) in lived.iter().zip(&mut survivors) {
            let view = View::of(corp).await;
            let differences = view.differences(&expected);
            assert!(differences.is_empty(), "{when}\n{}", differences.join("\n"));
            assert_eq!(view.names(), year.listed(week < FILTERED, false), "{when}: what was written is what is read");
            survivors.met(&view, &when);
        }
    }
    assert!(deltas > WEEKS, "on both stores most runs read what changed: {deltas}");
    assert!(survivors.iter().all(|all| all.len() > 80), "people came and went");
}

/// Who is asked for no more is held, and goes by somebody's word.
async fn another_filter(lived: &[Corp; 2], anew: &Corp) {
    let filter = "user_filter=(&(objectClass=inetOrgPerson)(!(employeeType=contractor)))";
    anew.set(filter);
    for corp in lived {
        corp.set(filter);
        let before = corp.count("identities WHERE listed").await;
        let held = corp.sync_ends(3, "");
        assert_eq!(held["summary"]["why"][0]["reason"], "area_changed", "{held}");
        assert!(corp.count("identities WHERE listed").await >= before, "nobody left");
        let run = held["run_id"].as_str().unwrap();
        let done = corp.sync_ends(0, &format!("--confirm {run}"));
        assert_ne!(done["summary"]["people"]["left"], json!(null), "{done}");
    }
}
