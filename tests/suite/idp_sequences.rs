//! What the IdPs really send, replayed against the released binary on both databases: answers and rows.
//!
//! The recordings are `fixtures/<vendor>/*.json`; `fixtures/COVERAGE.md` lists what must occur in them.

use std::collections::{BTreeMap, BTreeSet};

use super::support::gateway::{Gateway, Store};
use super::support::rows::Database;
use super::support::sequence::{VENDORS, folder, of_vendor, replay};

/// Replays every recording of a vendor, each on a connection of its own, and reports all that went otherwise.
async fn replay_all(vendor: &str, store: Store) {
    let gateway = Gateway::start(store).await;
    let mut database = Database::open(gateway.database_url()).await;
    let mut failures = vec![];
    let sequences = of_vendor(vendor);
    for (stem, sequence) in &sequences {
        if let Err(failure) = replay(&gateway, &mut database, stem, sequence).await {
            failures.push(failure);
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} recordings of {vendor} on {store:?} went otherwise\n\n{}\n",
        failures.len(),
        sequences.len(),
        failures.join("\n\n")
    );
}

macro_rules! replays {
    ($($vendor:ident),+) => {$(
        mod $vendor {
            use super::{Store, replay_all};

            #[tokio::test]
            async fn replays_on_sqlite() {
                replay_all(stringify!($vendor), Store::Sqlite).await;
            }

            #[tokio::test]
            async fn replays_on_postgres() {
                replay_all(stringify!($vendor), Store::Postgres).await;
            }
        }
    )+};
}

replays!(entra, okta, onelogin, jumpcloud, ping, google, rippling, authentik);

/// The tags `COVERAGE.md` lists: what stands in back quotes at the start of a list item.
fn listed_tags() -> BTreeSet<String> {
    let file = folder().join("COVERAGE.md");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let tags = text.lines().filter_map(|line| line.strip_prefix("- `")?.split_once('`'));
    tags.map(|(tag, _)| tag.to_owned()).collect()
}

#[test]
fn every_listed_behaviour_occurs_and_no_claim_is_unknown() {
    let mut claimed: BTreeMap<String, String> = BTreeMap::new();
    for vendor in VENDORS {
        for (stem, sequence) in of_vendor(vendor) {
            for step in sequence.steps {
                for tag in step.covers {
                    claimed.insert(tag, format!("{vendor}/{stem}.json, \"{}\"", step.name));
                }
            }
        }
    }
    let listed = listed_tags();
    let missing: Vec<_> = listed.iter().filter(|tag| !claimed.contains_key(*tag)).collect();
    let unknown: Vec<_> = claimed.iter().filter(|(tag, _)| !listed.contains(*tag)).collect();
    assert!(missing.is_empty(), "listed in COVERAGE.md, shown by no step: {missing:?}");
    assert!(unknown.is_empty(), "claimed by a step, not listed in COVERAGE.md: {unknown:?}");
}

#[test]
fn every_recording_says_what_it_shows() {
    for vendor in VENDORS {
        let readme = std::fs::read_to_string(folder().join(vendor).join("README.md")).unwrap_or_default();
        for (stem, sequence) in of_vendor(vendor) {
            assert!(!sequence.shows.is_empty() && !sequence.steps.is_empty(), "{vendor}/{stem}.json shows nothing");
            assert!(readme.contains(&format!("{stem}.json")), "{vendor}/README.md does not speak of {stem}.json");
        }
    }
}
