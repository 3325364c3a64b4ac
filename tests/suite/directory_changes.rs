//! What is read of a directory since a place that was kept, and when that place is worth nothing: OpenLDAP as it is, Active
//! Directory and 389 Directory Server as a scripted directory plays them.

use crate::support::domain::{Domain, PEOPLE, ROOT};
use crate::support::scripted_directory::{Asked, Say, entry, listen};
use crate::support::slapd::{PASSWORD, SUFFIX, SYNC, Slapd};
use rosterd::clock::Clock;
use rosterd::ldap::connect::connect;
use rosterd::ldap::delta::cookie::Cookie;
use rosterd::ldap::delta::{Change, Changes, Deletions, Doubt, Step, Strategy, Verdict};
use rosterd::ldap::failure::Cause;
use rosterd::ldap::identity::external_id;
use rosterd::ldap::settings::{Area, Settings};
use rosterd::model::connection_secrets::ConnectionSecrets;
use rosterd::model::directory::{DirectoryOptions, DirectoryServer};
use rosterd::secret::Secret;
use std::collections::BTreeSet;

fn settings(server: DirectoryServer, port: u16, base: &str) -> Settings {
    let mut options = DirectoryOptions {
        server,
        urls: vec![format!("ldap://127.0.0.1:{port}")],
        allow_plaintext: true,
        bind_dn: Some(SYNC.into()),
        user_base: Some(base.to_owned()),
        group_base: Some(format!("ou=groups,{SUFFIX}")),
        page_size: 100,
        connect_timeout_seconds: 2,
        answer_timeout_seconds: 5,
        ..DirectoryOptions::default()
    };
    options.settle();
    let mut secrets = ConnectionSecrets::default();
    secrets.set("bind_password", Some(Secret::new(PASSWORD.into())));
    Settings::of(&options, &secrets).expect("these settings make sense")
}

/// Everything that changed in an area, and how it ended.
async fn since(settings: &Settings, area: &Area, strategy: Strategy, cookie: Option<&Cookie>) -> (Vec<Change>, Verdict) {
    // As it was kept.
    let cookie = cookie.map(|cookie| Cookie::from_bytes(&cookie.to_bytes()).expect("it is whole"));
    let Ok(connected) = connect(settings).await else { panic!("it runs") };
    let mut session = connected.session;
    let attributes = ["cn", "member"].map(String::from).to_vec();
    let mut reader = Changes::new(settings, area, attributes, (strategy, cookie), Clock::system().now()).expect("it fits");
    let mut all = Vec::new();
    loop {
        match reader.next(&mut session).await {
            Step::Changes(changes) => all.extend(changes),
            Step::End(verdict) => return (all, verdict),
        }
    }
}

/// Ids of the entries and of who went, as sets: changes may come twice.
fn ids(changes: &[Change], id_attribute: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut there, mut gone) = (BTreeSet::new(), BTreeSet::new());
    for change in changes {
        match change {
            Change::Entry(entry) => _ = there.insert(external_id(entry, id_attribute).expect("an id")),
            Change::Gone(id) => _ = gone.insert(id.clone()),
            Change::Unreadable(unreadable) => panic!("{unreadable:?}"),
        }
    }
    (there, gone)
}

fn set(ids: &[&String]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).clone()).collect()
}

fn listing(verdict: Verdict) -> Cookie {
    match verdict {
        Verdict::Listing { cookie: Some(cookie), .. } => cookie,
        other => panic!("{other:?}"),
    }
}

fn delta(verdict: Verdict) -> (Cookie, Deletions) {
    match verdict {
        Verdict::Delta { cookie, deletions } => (cookie, deletions),
        other => panic!("{other:?}"),
    }
}

fn doubt(verdict: Verdict) -> Doubt {
    match verdict {
        Verdict::Doubt(doubt) => doubt,
        other => panic!("{other:?}"),
    }
}

// --- OpenLDAP ---------------------------------------------------------------------------------------------------

fn people(slapd: &Slapd) -> Settings {
    settings(DirectoryServer::OpenLdap, slapd.port, &format!("ou=people,{SUFFIX}"))
}

fn dn(number: usize) -> String {
    format!("uid=u{number:06},ou=people,{SUFFIX}")
}

fn change(number: usize) -> String {
    format!("dn: {}\nchangetype: modify\nreplace: title\ntitle: changed\n\n", dn(number))
}

fn delete(number: usize) -> String {
    format!("dn: {}\nchangetype: delete\n\n", dn(number))
}

fn add(number: usize) -> String {
    format!("dn: {}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: u{number:06}\ncn: New\nsn: New\n\n", dn(number))
}

/// The ids of everybody, by number.
fn by_number(changes: &[Change]) -> Vec<String> {
    let mut all: Vec<(String, String)> = changes
        .iter()
        .map(|change| match change {
            Change::Entry(entry) => (entry.dn.clone(), external_id(entry, "entryUUID").expect("an id")),
            other => panic!("{other:?}"),
        })
        .collect();
    all.sort_unstable();
    all.into_iter().map(|(_, id)| id).collect()
}

#[tokio::test]
async fn syncrepl_tells_everything_then_what_changed_and_who_went() {
    let slapd = Slapd::start(1_200);
    let settings = people(&slapd);
    // given everybody, and a place
    let (all, verdict) = since(&settings, &settings.users, Strategy::SyncRepl, None).await;
    let everybody = by_number(&all);
    assert_eq!(everybody.len(), 1_200);
    let Verdict::Listing { complete, cookie: Some(cookie) } = verdict else { panic!("{verdict:?}") };
    assert_eq!((complete.entries(), complete.nameless().count), (1_200, 0));
    // when nothing happened, then nothing is told, and that was all
    let (changes, verdict) = since(&settings, &settings.users, Strategy::SyncRepl, Some(&cookie)).await;
    assert_eq!((changes, delta(verdict).1), (vec![], Deletions::Told));
    // when one changes, one comes and one goes, then these are told and nobody else
    slapd.modify(&(change(3) + &add(9_000) + &delete(5)));
    let (changes, verdict) = since(&settings, &settings.users, Strategy::SyncRepl, Some(&cookie)).await;
    let (there, gone) = ids(&changes, "entryUUID");
    assert_eq!((there.len(), there.contains(&everybody[3])), (2, true));
    assert_eq!(gone, set(&[&everybody[5]]));
    let (next, deletions) = delta(verdict);
    assert_eq!(deletions, Deletions::Told);
    let (changes, _) = since(&settings, &settings.users, Strategy::SyncRepl, Some(&next)).await;
    assert_eq!(changes, vec![]);
}

#[tokio::test]
async fn after_a_restart_syncrepl_names_who_is_there_and_the_others_went() {
    let mut slapd = Slapd::start(700);
    let settings = people(&slapd);
    let (all, verdict) = since(&settings, &settings.users, Strategy::SyncRepl, None).await;
    let (everybody, cookie) = (by_number(&all), listing(verdict));
    slapd.modify(&(change(3) + &delete(5)));
    slapd.stop();
    slapd.start_again();
    let (changes, verdict) = since(&settings, &settings.users, Strategy::SyncRepl, Some(&cookie)).await;
    let (there, gone) = ids(&changes, "entryUUID");
    assert_eq!((there, gone), (set(&[&everybody[3]]), set(&[])));
    let (_, Deletions::AllBut(there)) = delta(verdict) else { panic!("it forgot who was deleted") };
    let missing: Vec<&String> = everybody.iter().filter(|id| !there.contains(*id)).collect();
    assert_eq!(missing, [&everybody[5]]);
}

#[tokio::test]
async fn a_group_of_three_thousand_comes_whole() {
    let slapd = Slapd::start(3_000);
    let settings = people(&slapd);
    let groups = settings.groups.clone().expect("groups are read");
    for strategy in [Strategy::SyncRepl, Strategy::Modified] {
        let (all, verdict) = since(&settings, &groups, strategy, None).await;
        assert!(matches!(verdict, Verdict::Listing { .. }), "{verdict:?}");
        let members = |change: &Change| match change {
            Change::Entry(group) => group.find("member").map_or(0, |member| member.values.len()),
            other => panic!("{other:?}"),
        };
        assert_eq!(all.iter().map(members).max(), Some(3_000));
    }
}

#[tokio::test]
async fn stamps_tell_what_changed_and_not_who_went() {
    // given people whom nobody changed for years
    let slapd = Slapd::start(250);
    let settings = people(&slapd);
    let (all, verdict) = since(&settings, &settings.users, Strategy::Modified, None).await;
    let (everybody, cookie) = (by_number(&all), listing(verdict));
    let stampless = |change: &Change| matches!(change, Change::Entry(entry) if entry.find("modifyTimestamp").is_none());
    assert!(all.iter().all(stampless), "nobody asked for the stamp");
    // when one changes and one goes
    slapd.modify(&(change(3) + &delete(5)));
    let (changes, verdict) = since(&settings, &settings.users, Strategy::Modified, Some(&cookie)).await;
    assert!(ids(&changes, "entryUUID").0.contains(&everybody[3]));
    let (next, deletions) = delta(verdict);
    assert_eq!(deletions, Deletions::Unseen);
    // then the next read begins there, a little before
    slapd.modify(&change(7));
    let (changes, verdict) = since(&settings, &settings.users, Strategy::Modified, Some(&next)).await;
    assert_eq!(ids(&changes, "entryUUID"), (set(&[&everybody[3], &everybody[7]]), set(&[])));
    assert_eq!(delta(verdict).1, Deletions::Unseen);
}

#[tokio::test]
async fn a_stamp_of_a_clock_gone_wrong_does_not_hide_what_follows() {
    // given a directory in which somebody was changed in the year 2099
    let port = listen(|asked| {
        let sees_2020 = asked.filter().windows(8).any(|part| part == b"20200101");
        let stamped = |id: &str, stamp: &str| entry(id, &[("entryUUID", &[UUID]), ("modifyTimestamp", &[stamp])]);
        let page = Say::Done(0, asked.cookie.as_ref().map(|_| &b""[..]));
        match asked.scope {
            0 => vec![page],
            _ if asked.filter().windows(15).any(|part| part == b"modifyTimestamp") && !sees_2020 => vec![page],
            _ => vec![stamped("uid=1", "20990101000000Z"), stamped("uid=2", "20200101000500Z"), page],
        }
    });
    let settings = settings(DirectoryServer::OpenLdap, port, &format!("ou=people,{SUFFIX}"));
    let cookie = listing(since(&settings, &settings.users, Strategy::Modified, None).await.1);
    // then the next read begins at the newest stamp that can be
    let (changes, verdict) = since(&settings, &settings.users, Strategy::Modified, Some(&cookie)).await;
    assert_eq!((changes.len(), delta(verdict).1), (2, Deletions::Unseen));
}

#[tokio::test]
async fn a_place_belongs_to_its_question() {
    let (slapd, other) = (Slapd::start(2), Slapd::start(2));
    let settings = people(&slapd);
    for strategy in [Strategy::SyncRepl, Strategy::Modified] {
        let cookie = listing(since(&settings, &settings.users, strategy, None).await.1);
        let narrower = Area { filter: "(uid=u000001)".into(), ..settings.users.clone() };
        assert_eq!(doubt(since(&settings, &narrower, strategy, Some(&cookie)).await.1), Doubt::OtherQuestion);
        let elsewhere = people(&other);
        assert_eq!(doubt(since(&elsewhere, &elsewhere.users, strategy, Some(&cookie)).await.1), Doubt::OtherQuestion);
        let mut bytes = cookie.to_bytes();
        bytes[50] ^= 1;
        assert_eq!(Cookie::from_bytes(&bytes), Err(Doubt::Damaged));
    }
}

// --- syncrepl as OpenLDAP does not have it ----------------------------------------------------------------------

const UUID: &str = "30313233-3435-3637-3839-616263646566";

fn state(say: Say) -> Say {
    let mut value = vec![0x30, 21, 0x0a, 1, 1, 4, 16];
    value.extend(b"0123456789abcdef");
    Say::With(Box::new(say), vec![("1.3.6.1.4.1.4203.1.9.1.2", value)])
}

fn done(code: u32, refresh_deletes: bool) -> Say {
    let value = vec![0x30, 6, 4, 1, b'c', 1, 1, u8::from(refresh_deletes)];
    Say::With(Box::new(Say::Done(code, None)), vec![("1.3.6.1.4.1.4203.1.9.1.3", value)])
}

/// A server that gives one entry and a place, then answers whoever shows the place.
fn refreshed(server: DirectoryServer, then: impl Fn(&Asked) -> Vec<Say> + Send + 'static) -> Settings {
    let port = listen(move |asked| {
        let has_place = asked.control("1.3.6.1.4.1.4203.1.9.1.1").is_some_and(|value| value.len() > 8);
        let id = if asked.attributes.iter().any(|name| name == "nsUniqueId") { "nsUniqueId" } else { "entryUUID" };
        if has_place { then(asked) } else { vec![state(entry("uid=1", &[(id, &[UUID])])), done(0, false)] }
    });
    settings(server, port, &format!("ou=people,{SUFFIX}"))
}

async fn after_a_place(server: DirectoryServer, then: impl Fn(&Asked) -> Vec<Say> + Send + 'static) -> Verdict {
    let settings = refreshed(server, then);
    let cookie = listing(since(&settings, &settings.users, Strategy::SyncRepl, None).await.1);
    since(&settings, &settings.users, Strategy::SyncRepl, Some(&cookie)).await.1
}

#[tokio::test]
async fn a_place_that_the_server_refuses_means_reading_everything() {
    for code in [4096, 2, 12, 53] {
        let verdict = after_a_place(DirectoryServer::OpenLdap, move |_| vec![Say::Done(code, None)]).await;
        assert!(matches!(doubt(verdict), Doubt::Refused(answer) if answer.code == code), "{code}");
    }
    let busy = after_a_place(DirectoryServer::OpenLdap, |_| vec![Say::Done(51, None)]).await;
    assert!(matches!(&busy, Verdict::Cut(cut) if matches!(&cut.cause, Cause::Answer(answer) if answer.code == 51)), "{busy:?}");
}

#[tokio::test]
async fn a_delta_of_389_that_names_nobody_is_concluded_from_by_nobody() {
    let one = |_: &Asked| vec![state(entry("uid=1", &[("nsUniqueId", &[UUID])])), done(0, false)];
    assert_eq!(doubt(after_a_place(DirectoryServer::Ds389, one).await), Doubt::NothingNamed);
}

#[tokio::test]
async fn a_server_that_names_entries_by_another_number_is_not_believed() {
    let other =
        |_: &Asked| vec![state(entry("uid=1", &[("entryUUID", &["00000000-0000-0000-0000-000000000001"])])), done(0, true)];
    assert_eq!(doubt(after_a_place(DirectoryServer::OpenLdap, other).await), Doubt::OtherIds("entryUUID".into()));
}

#[tokio::test]
async fn what_is_no_refresh_cuts_it() {
    let odd = |says: fn() -> Vec<Say>| after_a_place(DirectoryServer::OpenLdap, move |_| says());
    for verdict in [
        odd(|| vec![Say::SyncInfo(vec![0xa3, 2, 0x31, 9]), done(0, true)]).await,
        odd(|| vec![Say::With(Box::new(entry("uid=1", &[])), vec![("1.3.6.1.4.1.4203.1.9.1.2", vec![0x30])])]).await,
        odd(|| vec![Say::SyncInfo(vec![0x80, 1, b'd']), Say::Close]).await,
        odd(|| vec![Say::Reference("ldap://elsewhere".into()), done(0, true)]).await,
    ] {
        let Verdict::Cut(cut) = verdict else { panic!("{verdict:?}") };
        assert!(matches!(cut.cause, Cause::Malformed(_) | Cause::Closed | Cause::References { .. }), "{:?}", cut.cause);
    }
    let stateless = odd(|| vec![entry("uid=1", &[]), done(0, true)]).await;
    assert!(matches!(doubt(stateless), Doubt::Contradiction(_)));
}

// --- Active Directory -------------------------------------------------------------------------------------------

const BOTH: [Strategy; 2] = [Strategy::Usn, Strategy::DirSync];

fn domain() -> (Domain, Settings) {
    let (domain, port) = Domain::start();
    let settings = settings(DirectoryServer::ActiveDirectory, port, PEOPLE);
    (domain, settings)
}

async fn users(
    settings: &Settings,
    strategy: Strategy,
    cookie: Option<&Cookie>,
) -> ((BTreeSet<String>, BTreeSet<String>), Verdict) {
    let (changes, verdict) = since(settings, &settings.users, strategy, cookie).await;
    (ids(&changes, "objectGUID"), verdict)
}

#[tokio::test]
async fn active_directory_tells_who_came_changed_and_was_deleted() {
    for strategy in BOTH {
        let (domain, settings) = domain();
        let (ann, bob, cay) = (domain.person("ann", PEOPLE), domain.person("bob", PEOPLE), domain.person("cay", PEOPLE));
        let (found, verdict) = users(&settings, strategy, None).await;
        assert_eq!(found, (set(&[&ann, &bob, &cay]), set(&[])), "{strategy:?}");
        let cookie = listing(verdict);
        // Changes of others, in more than one answer.
        for name in ["x", "y", "z"] {
            domain.person(name, &format!("OU=Other,{ROOT}"));
        }
        domain.touch(&format!("CN=ann,{PEOPLE}"));
        domain.delete(&format!("CN=bob,{PEOPLE}"));
        let dan = domain.person("dan", PEOPLE);
        let ((there, gone), verdict) = users(&settings, strategy, Some(&cookie)).await;
        assert_eq!(there, set(&[&ann, &dan]), "{strategy:?}");
        assert!(gone.contains(&bob) && !gone.contains(&ann) && !gone.contains(&cay), "{strategy:?}");
        let (next, deletions) = delta(verdict);
        assert_eq!(deletions, Deletions::Told, "{strategy:?}");
        let (nothing, _) = users(&settings, strategy, Some(&next)).await;
        assert_eq!(nothing, (set(&[]), set(&[])), "{strategy:?}");
    }
}

#[tokio::test]
async fn who_leaves_the_area_is_gone_and_who_comes_into_it_is_there() {
    for strategy in BOTH {
        let (domain, settings) = domain();
        let elsewhere = format!("OU=Leavers,{ROOT}");
        let (ann, bob) = (domain.person("ann", PEOPLE), domain.person("bob", &elsewhere));
        let cookie = listing(users(&settings, strategy, None).await.1);
        domain.rename(&format!("CN=ann,{PEOPLE}"), &format!("CN=ann,{elsewhere}"));
        domain.rename(&format!("CN=bob,{elsewhere}"), &format!("CN=bob,{PEOPLE}"));
        let (found, _) = users(&settings, strategy, Some(&cookie)).await;
        assert_eq!(found, (set(&[&bob]), set(&[&ann])), "{strategy:?}");
    }
}

#[tokio::test]
async fn a_folder_that_is_renamed_or_moved_out_takes_those_in_it_along() {
    for strategy in BOTH {
        let (domain, settings) = domain();
        let (staff, guests) = (format!("OU=Staff,{PEOPLE}"), format!("OU=Guests,{PEOPLE}"));
        domain.add(&staff, "organizationalUnit");
        domain.add(&guests, "organizationalUnit");
        let (ann, bob, cay) = (domain.person("ann", &staff), domain.person("bob", &guests), domain.person("cay", PEOPLE));
        let cookie = listing(users(&settings, strategy, None).await.1);
        domain.rename(&staff, &format!("OU=Crew,{PEOPLE}"));
        domain.rename(&guests, &format!("OU=Guests,{ROOT}"));
        let ((there, gone), _) = users(&settings, strategy, Some(&cookie)).await;
        assert_eq!(there, set(&[&ann]), "{strategy:?}");
        assert!(gone.contains(&bob) && !gone.contains(&ann) && !gone.contains(&cay), "{strategy:?}: {gone:?}");
    }
}

#[tokio::test]
async fn an_account_without_the_right_is_told_of_no_deletions_and_says_so() {
    for strategy in BOTH {
        let (domain, settings) = domain();
        (domain.state().shows_deleted, domain.state().may_replicate) = (false, false);
        let ann = domain.person("ann", PEOPLE);
        domain.person("bob", PEOPLE);
        let cookie = listing(users(&settings, strategy, None).await.1);
        domain.touch(&format!("CN=ann,{PEOPLE}"));
        domain.delete(&format!("CN=bob,{PEOPLE}"));
        let (found, verdict) = users(&settings, strategy, Some(&cookie)).await;
        assert_eq!(found, (set(&[&ann]), set(&[])), "{strategy:?}");
        assert_eq!(delta(verdict).1, Deletions::Unseen, "{strategy:?}");
    }
}

#[tokio::test]
async fn another_database_or_one_that_went_back_means_reading_everything() {
    for strategy in BOTH {
        let (domain, settings) = domain();
        domain.person("ann", PEOPLE);
        let cookie = listing(users(&settings, strategy, None).await.1);
        domain.state().invocation = "invocation-two-2";
        assert_eq!(doubt(users(&settings, strategy, Some(&cookie)).await.1), Doubt::OtherServer, "{strategy:?}");
    }
    let (domain, settings) = domain();
    domain.person("ann", PEOPLE);
    let cookie = listing(users(&settings, Strategy::Usn, None).await.1);
    domain.state().highest -= 1;
    assert!(matches!(doubt(users(&settings, Strategy::Usn, Some(&cookie)).await.1), Doubt::WentBack { .. }));
}
