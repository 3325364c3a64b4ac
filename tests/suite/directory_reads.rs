//! What a read of a directory hands over and how it says that it saw everything, through the library: against a real
//! OpenLDAP, and against a scripted one for what that does not do.

use crate::support::scripted_directory::{Asked, Say, entry, listen};
use crate::support::slapd::{LIMIT, LIMITED, PASSWORD, SUFFIX, SYNC, Slapd};
use rosterd::ldap::connect::{Session, connect};
use rosterd::ldap::entry::Entry;
use rosterd::ldap::failure::{Cause, Step};
use rosterd::ldap::payload::payload;
use rosterd::ldap::ranges;
use rosterd::ldap::search::{End, Pages, Read};
use rosterd::ldap::settings::Settings;
use rosterd::model::connection_secrets::ConnectionSecrets;
use rosterd::model::directory::{BindMethod, DirectoryOptions, DirectoryServer};
use rosterd::secret::Secret;
use std::time::{Duration, Instant};

fn options(urls: Vec<String>) -> DirectoryOptions {
    DirectoryOptions {
        server: DirectoryServer::OpenLdap,
        urls,
        allow_plaintext: true,
        bind_dn: Some(SYNC.into()),
        user_base: Some(format!("ou=people,{SUFFIX}")),
        connect_timeout_seconds: 2,
        answer_timeout_seconds: 2,
        ..DirectoryOptions::default()
    }
}

fn settings(mut options: DirectoryOptions) -> Settings {
    options.settle();
    let mut secrets = ConnectionSecrets::default();
    if options.bind_method == BindMethod::Simple {
        secrets.set("bind_password", Some(Secret::new(PASSWORD.into())));
    }
    Settings::of(&options, &secrets).expect("these settings make sense")
}

fn scripted(script: impl Fn(&Asked) -> Vec<Say> + Send + 'static) -> Settings {
    settings(DirectoryOptions { page_size: 2, ..options(vec![format!("ldap://127.0.0.1:{}", listen(script))]) })
}

async fn session(settings: &Settings) -> Session {
    match connect(settings).await {
        Ok(connected) => connected.session,
        Err(not) => panic!("{:?}", not.0),
    }
}

/// All entries, the size of each page, and how it ended.
async fn read(settings: &Settings, session: &mut Session, attributes: &[&str]) -> (Vec<Entry>, Vec<usize>, End) {
    let attributes = attributes.iter().map(|name| (*name).to_owned()).collect();
    let mut pages = Pages::new(settings, &settings.users, attributes);
    let (mut entries, mut sizes) = (Vec::new(), Vec::new());
    loop {
        match pages.next(session).await {
            Read::Page(page) => {
                sizes.push(page.entries.len());
                entries.extend(page.entries);
            }
            Read::End(end) => return (entries, sizes, end),
        }
    }
}

fn cause(end: End) -> Cause {
    match end {
        End::Cut(cut) => cut.cause,
        End::Complete(complete) => panic!("complete: {complete:?}"),
    }
}

// --- OpenLDAP ---------------------------------------------------------------------------------------------------

#[tokio::test]
async fn everything_is_read_page_by_page_and_the_end_is_complete() {
    let slapd = Slapd::start(25);
    let settings = settings(DirectoryOptions { page_size: 10, ..options(vec![slapd.ldap()]) });
    let mut session = session(&settings).await;
    let (entries, sizes, end) = read(&settings, &mut session, &["uid"]).await;
    assert_eq!(sizes, [10, 10, 5]);
    let End::Complete(complete) = end else { panic!("{end:?}") };
    assert_eq!((complete.entries(), complete.referrals()), (25, 0));
    let mut uids: Vec<&[u8]> = entries.iter().map(|entry| entry.find("uid").unwrap().values[0].as_slice()).collect();
    uids.sort_unstable();
    uids.dedup();
    assert_eq!(uids.len(), 25);
}

#[tokio::test]
async fn only_what_is_asked_for_comes_and_no_password_ever() {
    let slapd = Slapd::start(1);
    let mut secrets = ConnectionSecrets::default();
    secrets.set("bind_password", Some(Secret::new("secret".into())));
    // As the administrator, who is shown passwords by the server.
    let mut as_admin = options(vec![slapd.ldap()]);
    as_admin.bind_dn = Some(format!("cn=admin,{SUFFIX}"));
    as_admin.settle();
    let as_admin = Settings::of(&as_admin, &secrets).unwrap();
    let mut session = session(&as_admin).await;
    let (entries, _, _) = read(&as_admin, &mut session, &["userPassword", "mail", "jpegPhoto", "entryUUID"]).await;
    let names: Vec<&str> = entries[0].attributes.iter().map(|attribute| attribute.name.as_str()).collect();
    assert_eq!(names, ["mail", "jpegPhoto", "entryUUID"]);
    let payload = payload(&entries[0], &[]);
    assert_eq!(payload["dn"], format!("uid=u000000,ou=people,{SUFFIX}"));
    assert_eq!(payload["mail"], serde_json::json!(["u000000@example.test", "second0@example.test"]));
    assert_eq!(payload["jpegPhoto"], "/9j/4A==");
}

#[tokio::test]
async fn a_size_limit_of_the_directory_cuts_the_read() {
    let slapd = Slapd::start(12);
    let settings = settings(DirectoryOptions { bind_dn: Some(LIMITED.into()), page_size: 3, ..options(vec![slapd.ldap()]) });
    let mut session = session(&settings).await;
    let (entries, _, end) = read(&settings, &mut session, &["uid"]).await;
    assert!(entries.len() <= LIMIT, "{}", entries.len());
    let cause = cause(end);
    assert!(matches!(&cause, Cause::Answer(answer) if answer.code == 4), "{cause:?}");
}

#[tokio::test]
async fn more_entries_than_allowed_here_cut_the_read() {
    let slapd = Slapd::start(12);
    let settings = settings(DirectoryOptions { entries_max: 7, page_size: 5, ..options(vec![slapd.ldap()]) });
    let mut session = session(&settings).await;
    let (_, _, end) = read(&settings, &mut session, &["uid"]).await;
    assert!(matches!(cause(end), Cause::TooMuch { max: 7, .. }));
    // What was still on its way went with the connection, and it stays so however often it is asked.
    for _ in 0..3 {
        let (_, _, end) = read(&settings, &mut session, &["uid"]).await;
        assert_eq!(cause(end), Cause::Closed);
    }
}

#[tokio::test]
async fn a_base_that_is_not_there_cuts_the_read_and_an_empty_one_is_complete() {
    let slapd = Slapd::start(1);
    let at =
        |base: &str| settings(DirectoryOptions { user_base: Some(format!("{base},{SUFFIX}")), ..options(vec![slapd.ldap()]) });
    let nowhere = at("ou=nowhere");
    let mut session = session(&nowhere).await;
    let (_, _, end) = read(&nowhere, &mut session, &["uid"]).await;
    assert!(matches!(cause(end), Cause::Answer(answer) if answer.code == 32 && answer.matched == SUFFIX));
    let (entries, _, end) = read(&at("ou=empty"), &mut session, &["uid"]).await;
    assert!(entries.is_empty() && matches!(end, End::Complete(_)), "{end:?}");
}

#[tokio::test]
async fn a_directory_that_goes_away_between_pages_cuts_the_read() {
    let mut slapd = Slapd::start(12);
    let settings = settings(DirectoryOptions { page_size: 5, ..options(vec![slapd.ldap()]) });
    let mut session = session(&settings).await;
    let mut pages = Pages::new(&settings, &settings.users, vec!["uid".into()]);
    assert!(matches!(pages.next(&mut session).await, Read::Page(page) if !page.cookie.is_empty()));
    slapd.stop();
    let Read::End(end) = pages.next(&mut session).await else { panic!("it was stopped") };
    assert_eq!(cause(end), Cause::Closed);
    // And it stays cut.
    assert!(matches!(pages.next(&mut session).await, Read::End(End::Cut(cut)) if cut.entries == 5));
}

#[tokio::test]
async fn start_tls_and_a_certificate_sign_in() {
    let slapd = Slapd::start(2);
    let (certificate, key) = slapd.client_certificate();
    let text = |path: std::path::PathBuf| Some(path.display().to_string());
    let settings = settings(DirectoryOptions {
        start_tls: true,
        ca_file: text(slapd.ca()),
        bind_method: BindMethod::External,
        bind_dn: None,
        client_cert_file: text(certificate),
        client_key_file: text(key),
        ..options(vec![slapd.ldap()])
    });
    let mut session = session(&settings).await;
    let (entries, _, end) = read(&settings, &mut session, &["uid"]).await;
    assert!(entries.len() == 2 && matches!(end, End::Complete(_)), "{end:?}");
}

#[tokio::test]
async fn a_wrong_password_is_not_tried_at_the_next_server() {
    let (one, two) = (Slapd::start(0), Slapd::start(0));
    let mut options = options(vec![one.ldap(), two.ldap()]);
    options.settle();
    let mut secrets = ConnectionSecrets::default();
    secrets.set("bind_password", Some(Secret::new("wrong".into())));
    let Err(not) = connect(&Settings::of(&options, &secrets).unwrap()).await else { panic!("it is wrong") };
    assert_eq!(not.0.len(), 1);
    assert_eq!(not.0[0].step, Step::Bind);
    assert!(matches!(&not.0[0].cause, Cause::Answer(answer) if answer.code == 49));
}

// --- what OpenLDAP does not do ----------------------------------------------------------------------------------

fn person(number: usize) -> Say {
    entry(&format!("uid={number},ou=people,{SUFFIX}"), &[("uid", &[&number.to_string()])])
}

#[tokio::test]
async fn an_answer_without_its_end_is_cut_wherever_it_stops() {
    for (says, wanted) in [
        (vec![person(1), Say::Close], Cause::Closed),
        (vec![person(1), person(2), Say::Wait(Duration::from_secs(4))], Cause::Timeout { seconds: 2 }),
        (vec![person(1), Say::Done(0, None)], Cause::NoPaging),
        (vec![person(1), person(2), person(3), Say::Done(0, Some(b""))], Cause::NoPaging),
    ] {
        let settings = scripted(move |_| says.clone());
        let mut session = session(&settings).await;
        let (_, _, end) = read(&settings, &mut session, &["uid"]).await;
        assert_eq!(cause(end), wanted);
    }
}

#[tokio::test]
async fn a_directory_that_is_never_heard_of_again_costs_the_timeout_and_no_more() {
    let settings = scripted(|_| vec![Say::Wait(Duration::from_secs(30))]);
    let mut session = session(&settings).await;
    let began = Instant::now();
    let (_, _, end) = read(&settings, &mut session, &["uid"]).await;
    assert_eq!(cause(end), Cause::Timeout { seconds: 2 });
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
}

#[tokio::test]
async fn bytes_that_are_no_ldap_end_the_connection_and_nothing_else() {
    let message = |body: &[u8]| [&[0x30, u8::try_from(body.len()).unwrap()], body].concat();
    for bytes in [
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        // A message without an operation, one whose id is text, a page that is none.
        message(&[2, 1, 2]),
        message(&[4, 1, 2, 0x64, 0]),
        message(&[2, 1, 2, 0x78, 0]),
        message(&[2, 1, 2, 0x64, 2, 4, 0]),
    ] {
        let sent = bytes.clone();
        let settings = scripted(move |_| vec![person(1), Say::Bytes(sent.clone())]);
        let mut session = session(&settings).await;
        let (_, _, end) = read(&settings, &mut session, &["uid"]).await;
        let cause = cause(end);
        assert!(
            matches!(cause, Cause::Malformed(_) | Cause::Io(_) | Cause::Closed | Cause::Timeout { .. }),
            "{bytes:?}: {cause:?}"
        );
    }
}

#[tokio::test]
async fn empty_pages_are_gone_through_but_not_without_end() {
    // given a directory that finds nothing for a while, and one that never comes to an end
    let rounds = std::sync::atomic::AtomicUsize::new(0);
    let slow = scripted(move |_| match rounds.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0..=20 => vec![Say::Done(0, Some(b"more"))],
        _ => vec![person(1), Say::Done(0, Some(b""))],
    });
    let endless = scripted(|_| vec![Say::Done(0, Some(b"more"))]);
    // when both are read, then the one is complete and the other cut
    let (entries, _, end) = read(&slow, &mut session(&slow).await, &["uid"]).await;
    assert!(entries.len() == 1 && matches!(end, End::Complete(_)), "{end:?}");
    let (_, pages, end) = read(&endless, &mut session(&endless).await, &["uid"]).await;
    assert_eq!(pages.len(), 100);
    assert!(matches!(cause(end), Cause::TooMuch { max: 100, .. }));
}

#[tokio::test]
async fn references_to_other_servers_are_counted_and_never_followed() {
    let settings = scripted(|_| vec![person(1), Say::Reference("ldap://10.255.255.1/dc=x".into()), Say::Done(0, Some(b""))]);
    let mut session = session(&settings).await;
    let (entries, _, end) = read(&settings, &mut session, &["uid"]).await;
    let End::Complete(complete) = end else { panic!("{end:?}") };
    assert_eq!((entries.len(), complete.referrals()), (1, 1));
}

#[tokio::test]
async fn a_long_attribute_is_read_range_by_range_to_its_end() {
    let settings = scripted(|asked| {
        let range = asked.attributes.iter().find_map(|name| name.strip_prefix("member;range="));
        let (first, last) = match (asked.scope, range) {
            (0, Some("2-*")) => ("member;range=2-3", false),
            (0, Some("4-*")) => ("member;range=4-*", true),
            _ => ("member;range=0-1", false),
        };
        let from: usize = first[13..14].parse().unwrap();
        let values: Vec<String> = (from..if last { 5 } else { from + 2 }).map(|n| format!("uid={n}")).collect();
        let group = Say::Entry("cn=g".into(), vec![("member".into(), vec![]), (first.into(), values)]);
        vec![group, Say::Done(0, asked.cookie.as_ref().map(|_| &b""[..]))]
    });
    let mut session = session(&settings).await;
    let (mut entries, _, _) = read(&settings, &mut session, &["member"]).await;
    ranges::complete(&mut session, &mut entries[0]).await.expect("read to the end");
    let members = entries[0].find("member").unwrap();
    let texts: Vec<&str> = members.values.iter().map(|value| std::str::from_utf8(value).unwrap()).collect();
    assert_eq!(texts, ["uid=0", "uid=1", "uid=2", "uid=3", "uid=4"]);
    assert_eq!(members.more_from, None);
}

#[tokio::test]
async fn a_range_that_goes_in_circles_or_breaks_off_is_refused() {
    for (end, says) in [(Say::Done(0, None), "does not go on"), (Say::Done(80, None), "answers 80")] {
        let settings = scripted(move |asked| {
            let group = entry("cn=g", &[("member;range=0-1", &["a", "b"])]);
            if asked.scope == 0 { vec![group, end.clone()] } else { vec![group, Say::Done(0, Some(b""))] }
        });
        let mut session = session(&settings).await;
        let (mut entries, _, _) = read(&settings, &mut session, &["member"]).await;
        let refused = ranges::complete(&mut session, &mut entries[0]).await.expect_err("it is not all there");
        assert!(refused.to_string().contains(says), "{refused}");
    }
}
