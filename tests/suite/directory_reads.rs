//! What a read of a directory hands over and how it says that it saw everything, through the library: against a real
//! OpenLDAP, and against a scripted one for what that does not do.

use crate::support::scripted_directory::{Asked, Say, entry, listen, refusing};
use crate::support::slapd::{LIMIT, LIMITED, PASSWORD, SUFFIX, SYNC, Slapd};
use rosterd::ldap::connect::{Session, connect};
use rosterd::ldap::entry::Entry;
use rosterd::ldap::failure::{Cause, Step};
use rosterd::ldap::payload::payload;
use rosterd::ldap::search::{End, Pages, Read, Unreadable};
use rosterd::ldap::settings::Settings;
use rosterd::model::connection_secrets::ConnectionSecrets;
use rosterd::model::directory::{BindMethod, DirectoryOptions, DirectoryServer};
use rosterd::secret::Secret;
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
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
    assert_eq!((complete.entries(), complete.references(), complete.nameless().count), (25, 0, 0));
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
    let rounds = AtomicUsize::new(0);
    let slow = scripted(move |_| match rounds.fetch_add(1, Ordering::Relaxed) {
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

fn expecting(expect_references: bool) -> Settings {
    let port = listen(|_| vec![person(1), Say::Reference("ldap://10.255.255.1/dc=x".into()), Say::Done(0, Some(b""))]);
    settings(DirectoryOptions { expect_references, ..options(vec![format!("ldap://127.0.0.1:{port}")]) })
}

#[tokio::test]
async fn what_lies_on_other_servers_was_not_seen_so_the_read_is_cut() {
    let settings = expecting(false);
    let (entries, _, end) = read(&settings, &mut session(&settings).await, &["uid"]).await;
    assert_eq!(entries.len(), 1);
    assert_eq!(cause(end), Cause::References { count: 1, first: "ldap://10.255.255.1/dc=x".into() });
}

#[tokio::test]
async fn references_that_are_expected_are_counted_and_never_followed() {
    let settings = expecting(true);
    let (entries, _, end) = read(&settings, &mut session(&settings).await, &["uid"]).await;
    let End::Complete(complete) = end else { panic!("{end:?}") };
    assert_eq!((entries.len(), complete.references()), (1, 1));
}

#[tokio::test]
async fn active_directory_is_asked_for_no_references() {
    let port = listen(|asked| match asked.control("1.2.840.113556.1.4.1339") {
        Some(_) => vec![person(1), Say::Done(0, Some(b""))],
        None => vec![person(1), Say::Reference("ldap://DomainDnsZones.x".into()), Say::Done(0, Some(b""))],
    });
    let server = DirectoryServer::ActiveDirectory;
    let settings = settings(DirectoryOptions { server, ..options(vec![format!("ldap://127.0.0.1:{port}")]) });
    let (_, _, end) = read(&settings, &mut session(&settings).await, &["uid"]).await;
    assert!(matches!(end, End::Complete(_)), "{end:?}");
}

#[tokio::test]
async fn messages_that_are_no_entry_have_a_bound() {
    let settings = scripted(|_| (0..2_000).map(|number| Say::Reference(format!("ldap://h{number}"))).collect());
    let (_, _, end) = read(&settings, &mut session(&settings).await, &["uid"]).await;
    assert!(matches!(cause(end), Cause::TooMuch { max: 1_000, .. }));
}

#[tokio::test]
async fn a_page_that_drips_is_ended_though_it_never_stands_still() {
    let settings = settings(DirectoryOptions {
        answer_timeout_seconds: 1,
        page_size: 500,
        ..options(vec![format!(
            "ldap://127.0.0.1:{}",
            listen(|_| (0..100).flat_map(|number| [person(number), Say::Wait(Duration::from_millis(500))]).collect())
        )])
    });
    let began = Instant::now();
    let (_, _, end) = read(&settings, &mut session(&settings).await, &["uid"]).await;
    assert_eq!(cause(end), Cause::TooSlow { seconds: 10 });
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_entry_without_an_id_is_counted_so_that_nobody_is_called_missing() {
    let settings = scripted(|_| vec![with_id(1), entry("uid=2", &[("uid", &["2"])]), Say::Done(0, Some(b""))]);
    let (entries, _, end) = read(&settings, &mut session(&settings).await, &["uid"]).await;
    let End::Complete(complete) = end else { panic!("{end:?}") };
    assert_eq!((entries.len(), complete.entries()), (2, 2));
    assert_eq!((complete.nameless().count, &*complete.nameless().samples), (1, &["uid=2".to_owned()][..]));
}

#[tokio::test]
async fn one_odd_attribute_is_the_matter_of_its_entry_alone() {
    // given a person of whom one attribute comes twice
    let settings = scripted(|_| {
        let odd = entry("uid=1", &[("mail", &["a"]), ("MAIL", &["b"]), ("entryUUID", &[&id(1)])]);
        vec![odd, with_id(2), Say::Done(0, Some(b""))]
    });
    // when everything is read
    let mut session = session(&settings).await;
    let mut pages = Pages::new(&settings, &settings.users, vec!["mail".into()]);
    let Read::Page(page) = pages.next(&mut session).await else { panic!("a page") };
    // then the person is told as one that is there, and the other one read
    assert_eq!(page.entries.len(), 1);
    let [Unreadable { dn, external_id, cause }] = &page.unreadable[..] else { panic!("{:?}", page.unreadable) };
    assert_eq!((dn.as_str(), external_id.as_deref()), ("uid=1", Some(&*id(1))));
    assert!(matches!(cause, Cause::Malformed(_)), "{cause:?}");
    let Read::End(End::Complete(complete)) = pages.next(&mut session).await else { panic!("complete") };
    assert_eq!((complete.entries(), complete.unreadable().count, complete.nameless().count), (2, 1, 0));
}

fn id(number: usize) -> String {
    format!("00000000-0000-0000-0000-{number:012}")
}

fn with_id(number: usize) -> Say {
    entry(&format!("uid={number}"), &[("entryUUID", &[&id(number)])])
}

/// A group of `size` members `m0`, `m1` and so on, two at a time. `turn` is told how many questions came before, and may
/// answer otherwise.
fn group(size: usize, turn: impl Fn(usize, &Asked) -> Option<Vec<Say>> + Send + 'static) -> Settings {
    let questions = AtomicUsize::new(0);
    scripted(move |asked| {
        let number = questions.fetch_add(1, Ordering::Relaxed);
        turn(number, asked).unwrap_or_else(|| ranges(asked, size, 0, "7"))
    })
}

/// The answer of Active Directory to a question for members, or a part of them. `shift`: how many went from the front.
fn ranges(asked: &Asked, size: usize, shift: usize, stamp: &str) -> Vec<Say> {
    let asked_from = asked.attributes.iter().find_map(|name| name.strip_prefix("member;range=")?.strip_suffix("-*"));
    let wants_members = asked.attributes.iter().any(|name| name.starts_with("member"));
    let from: usize = asked_from.map_or(0, |from| from.parse().unwrap());
    let to = (from + 2).min(size);
    let name = if to == size { format!("member;range={from}-*") } else { format!("member;range={from}-{}", to - 1) };
    let mut attributes = vec![("uSNChanged".to_owned(), vec![stamp.to_owned()]), ("entryUUID".to_owned(), vec![id(1)])];
    if wants_members && from < to {
        attributes.push(("member".into(), vec![]));
        attributes.push((name, (from..to).map(|number| format!("m{}", number + shift)).collect()));
    }
    vec![Say::Entry("cn=g".into(), attributes), Say::Done(0, asked.cookie.as_ref().map(|_| &b""[..]))]
}

/// The one group of a read: its members, or why it could not be read.
async fn members(settings: &Settings) -> Result<Vec<String>, Unreadable> {
    let mut session = session(settings).await;
    let mut pages = Pages::new(settings, &settings.users, vec!["member".into()]);
    let Read::Page(mut page) = pages.next(&mut session).await else { panic!("a page") };
    let Read::End(End::Complete(complete)) = pages.next(&mut session).await else { panic!("the read goes on past it") };
    assert_eq!(complete.entries(), 1);
    if let Some(unreadable) = page.unreadable.pop() {
        return Err(unreadable);
    }
    let text = |value: &Vec<u8>| String::from_utf8(value.clone()).unwrap();
    Ok(page.entries[0].find("member").unwrap().values.iter().map(text).collect())
}

#[tokio::test]
async fn a_long_attribute_is_read_range_by_range_to_its_end() {
    for size in [3, 4, 5, 9] {
        let wanted: Vec<String> = (0..size).map(|number| format!("m{number}")).collect();
        assert_eq!(members(&group(size, |_, _| None)).await, Ok(wanted));
    }
}

#[tokio::test]
async fn a_group_that_changes_while_it_is_read_is_read_anew() {
    // given a group with another stamp at the end of the first reading, and one of which the first member goes meanwhile
    let changed = group(5, |number, asked| (number > 2).then(|| ranges(asked, 5, 0, "8")));
    let moved = group(5, |number, asked| (number > 2).then(|| ranges(asked, 4, 1, "7")));
    // then the second reading is the one that counts
    assert_eq!(members(&changed).await.map(|all| all.len()), Ok(5));
    assert_eq!(members(&moved).await, Ok(["m1", "m2", "m3", "m4"].map(String::from).to_vec()));
}

#[tokio::test]
async fn nothing_is_concluded_of_a_group_that_can_not_be_read_to_its_end() {
    let stampless = |_: usize, _: &Asked| Some(vec![entry("cn=g", &[("member;range=0-0", &["m0"]), ("entryUUID", &[&id(1)])])]);
    let done = |asked: &Asked, mut says: Vec<Say>| {
        says.push(Say::Done(0, asked.cookie.as_ref().map(|_| &b""[..])));
        says
    };
    for (settings, why) in [
        (group(5, |number, asked| Some(ranges(asked, 5, 0, &number.to_string()))), "was changed each time"),
        (group(5, |number, _| (number == 2).then(|| vec![Say::Done(32, None)])), "answers 32"),
        (
            group(5, move |number, asked| {
                (number == 2).then(|| {
                    let odd = entry("cn=g", &[("member;range=2-*", &["m2"]), ("uSNChanged", &["7"])]);
                    done(asked, vec![odd])
                })
            }),
            "a range from 2 where one from 1 was asked for",
        ),
        (group(5, move |number, asked| stampless(number, asked).map(|says| done(asked, says))), "neither uSNChanged"),
    ] {
        let unreadable = members(&settings).await.expect_err("it is not all there");
        assert!(unreadable.cause.to_string().contains(why), "{:?}", unreadable.cause);
        assert_eq!(unreadable.external_id.as_deref(), Some(&*id(1)));
    }
}

#[tokio::test]
async fn a_connection_that_ends_in_the_middle_of_a_group_cuts_the_read() {
    let settings = group(5, |number, _| (number == 2).then(|| vec![Say::Close]));
    let (_, _, end) = read(&settings, &mut session(&settings).await, &["member"]).await;
    assert_eq!(cause(end), Cause::Closed);
}

#[tokio::test]
async fn a_server_in_a_state_of_its_own_is_passed_over_and_one_that_refuses_the_account_is_not() {
    let serves = || format!("ldap://127.0.0.1:{}", listen(|_| vec![Say::Done(0, Some(b""))]));
    for code in [3, 11, 51, 52, 53, 80] {
        let both = settings(options(vec![format!("ldap://127.0.0.1:{}", refusing(code)), serves()]));
        let Ok(connected) = connect(&both).await else { panic!("{code}") };
        assert_eq!(connected.passed_over.len(), 1, "{code}");
    }
    for code in [7, 8, 13, 19, 34, 48, 49, 50] {
        let both = settings(options(vec![format!("ldap://127.0.0.1:{}", refusing(code)), serves()]));
        let Err(not) = connect(&both).await else { panic!("{code} was asked again elsewhere") };
        assert_eq!((not.0.len(), not.refuses_the_account()), (1, true), "{code}");
    }
}

/// Answers whatever comes first with these bytes, then listens on.
fn answering(bytes: Vec<u8>) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut asked = [0; 1_024];
            let _gone = stream.read(&mut asked).and_then(|_| stream.write_all(&bytes)).and_then(|()| stream.read(&mut asked));
        }
    });
    port
}

#[tokio::test]
async fn without_tls_nothing_is_sent_or_taken_in() {
    // given a server that refuses StartTLS, one that goes on in the clear, and one whose answer is deeper than a stack
    let yes: &[u8] = &[0x30, 12, 2, 1, 1, 0x78, 7, 0x0a, 1, 0, 4, 0, 4, 0];
    let no = [&yes[..9], &[52], &yes[10..]].concat();
    let deep = [&[0x30, 0x83, 0xf, 0xff, 0xff][..], &[0x30, 0x80].repeat(500_000)].concat();
    for (says, wanted) in [(no, "StartTLS"), ([yes, yes].concat(), "TLS"), (deep, "no LDAP")] {
        let port = answering(says);
        let settings = settings(DirectoryOptions { start_tls: true, ..options(vec![format!("ldap://127.0.0.1:{port}")]) });
        // then it is left at that step, before the password is sent
        let Err(not) = connect(&settings).await else { panic!("{wanted}") };
        let [failure] = &not.0[..] else { panic!("{:?}", not.0) };
        assert_eq!(failure.step, Step::Tls, "{failure}");
        assert!(failure.cause.to_string().contains(wanted), "{wanted}: {failure}");
    }
}
