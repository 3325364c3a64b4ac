//! What the gateway calls by itself, against a server that does what an attacker would: every test is named after the attack. A name
//! stands for what the test says; a connection goes to the test's server, whatever address was judged, and which was is noted.

use crate::support::slapd::certificates;
use crate::support::web::{Said, Web, answer};
use rosterd::model::network::peers;
use rosterd::outbound::address::Reach;
use rosterd::outbound::tls::trusting;
use rosterd::outbound::{Answer, Ask, Error, Limits, Outbound};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpStream;

const PUBLIC: &str = "93.184.215.14";
const BODY: &str = "<metadata/>";

/// Certificates of `idp.example.com` and `next.example.com`, of an authority of the tests' own.
fn folder() -> &'static TempDir {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        certificates(folder.path(), "DNS:idp.example.com,DNS:next.example.com,IP:93.184.215.14,IP:127.0.0.1");
        folder
    })
}

/// A gateway's side of the wire.
struct Site {
    outbound: Outbound,
    dialled: Arc<Mutex<Vec<SocketAddr>>>,
    resolved: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// Every connection ends at `web`. `stands_for`: what each look-up answers, in order, the last for ever.
    fn new(web: &Web, opened: &str, stands_for: &[&[&str]]) -> Self {
        let (dialled, resolved): (Arc<Mutex<Vec<SocketAddr>>>, Arc<Mutex<Vec<String>>>) = (Arc::default(), Arc::default());
        let answers: VecDeque<Vec<String>> =
            stands_for.iter().map(|all| all.iter().map(|text| (*text).to_owned()).collect()).collect();
        let (answers, asked, reached, port) = (Mutex::new(answers), Arc::clone(&resolved), Arc::clone(&dialled), web.port);
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(folder().path().join("ca.pem")).expect("an authority")).expect("a root");
        let outbound = Outbound::new(&peers(opened).expect("peers"))
            .trusting(trusting(roots))
            .resolving_by(Arc::new(move |host, port| {
                asked.lock().unwrap().push(host);
                let mut answers = answers.lock().unwrap();
                let now = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
                let found =
                    now.unwrap_or_default().iter().map(|ip| SocketAddr::new(ip.parse().expect("an address"), port)).collect();
                Box::pin(async move { Ok(found) })
            }))
            .dialling_by(Arc::new(move |address| {
                reached.lock().unwrap().push(address);
                Box::pin(TcpStream::connect(("127.0.0.1", port)))
            }));
        Self { outbound, dialled, resolved }
    }

    async fn get(&self, url: &str) -> Result<Answer, Error> {
        self.outbound.get(&ask(url, false)).await
    }

    fn dialled(&self) -> Vec<String> {
        self.dialled.lock().unwrap().iter().map(ToString::to_string).collect()
    }
}

fn ask(url: &str, allow_plaintext: bool) -> Ask {
    Ask { url: url.to_owned(), allow_plaintext, accept: "*/*", ..Ask::default() }
}

fn body(found: Result<Answer, Error>) -> String {
    match found {
        Ok(Answer::Found { body, .. }) => String::from_utf8(body).expect("text"),
        other => panic!("{other:?}"),
    }
}

async fn serving() -> Web {
    Web::tls(folder().path(), |_| answer("200 OK", &[], BODY)).await
}

/// A server that sends everybody on.
async fn sending_to(location: &'static str) -> Web {
    Web::tls(folder().path(), move |_| answer("302 Found", &[&format!("location: {location}")], "")).await
}

#[tokio::test]
async fn a_public_address_is_called_and_asked_for_nothing_but_the_document() {
    let web = serving().await;
    let site = Site::new(&web, "", &[&[PUBLIC]]);
    assert_eq!(body(site.get("https://idp.example.com/metadata?appid=1").await), BODY);
    assert_eq!(site.dialled(), ["93.184.215.14:443"]);
    let head = web.heads().remove(0).to_lowercase();
    assert!(head.starts_with("get /metadata?appid=1 http/1.1\r\n") && head.contains("\r\nhost: idp.example.com\r\n"), "{head}");
    assert!(head.contains("accept-encoding: identity") && !head.contains("cookie") && !head.contains("authorization"), "{head}");
    assert_eq!(body(site.get("https://93.184.215.14/").await), BODY);
}

#[tokio::test]
async fn an_address_of_a_private_network_is_not_called_however_it_is_spelled() {
    let web = serving().await;
    let site = Site::new(&web, "", &[&["10.0.0.5"]]);
    for host in [
        "10.0.0.5",
        "0x0a000005",
        "167772165",
        "012.0.0.5",
        "10.5",
        "[::ffff:10.0.0.5]",
        "[::ffff:a00:5]",
        "[64:ff9b::10.0.0.5]",
        "[fd00::1]",
        "192.168.0.1",
        "172.16.0.1",
        "100.64.0.1",
        "idp.example.com",
        "IDP.example.com.",
    ] {
        let refused = site.get(&format!("https://{host}/metadata")).await;
        assert!(matches!(refused, Err(Error::Inside { reach: Reach::Private, .. })), "{host}: {refused:?}");
    }
    assert_eq!(site.dialled(), Vec::<String>::new());
}

#[tokio::test]
async fn this_machine_is_not_called_however_it_is_spelled() {
    let web = serving().await;
    let site = Site::new(&web, "0.0.0.0/0, ::/0, localhost", &[&["127.0.0.1"]]);
    for host in ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "localhost", "idp.example.com"]
    {
        let refused = site.get(&format!("https://{host}/metadata")).await;
        assert!(matches!(refused, Err(Error::Inside { reach: Reach::Loopback, .. })), "{host}: {refused:?}");
    }
    assert_eq!(site.dialled(), Vec::<String>::new());
}

#[tokio::test]
async fn addresses_where_clouds_keep_credentials_are_not_called_even_if_all_is_opened() {
    let web = serving().await;
    let site = Site::new(&web, "0.0.0.0/0, ::/0", &[&["169.254.169.254"]]);
    for host in [
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[fe80::1]",
        "0.0.0.0",
        "[::]",
        "[2002:a00:1::]",
        "idp.example.com",
    ] {
        let refused = site.outbound.get(&ask(&format!("https://{host}/latest/meta-data"), true)).await;
        assert!(matches!(refused, Err(Error::Nobodys { .. })), "{host}: {refused:?}");
    }
    assert_eq!(site.dialled(), Vec::<String>::new());
}

#[tokio::test]
async fn one_bad_address_among_good_ones_is_enough() {
    let web = serving().await;
    let site = Site::new(&web, "", &[&[PUBLIC, "10.0.0.5"]]);
    assert!(matches!(site.get("https://idp.example.com/").await, Err(Error::Inside { .. })));
    assert_eq!(site.dialled(), Vec::<String>::new());
}

#[tokio::test]
async fn a_network_that_the_operator_opened_is_called() {
    let web = serving().await;
    for opened in ["10.0.0.0/24", "idp.example.com"] {
        let site = Site::new(&web, opened, &[&["10.0.0.5"]]);
        assert_eq!(body(site.get("https://idp.example.com/").await), BODY, "{opened}");
    }
    let site = Site::new(&web, "10.1.0.0/24, other.example.com", &[&["10.0.0.5"]]);
    let refused = site.get("https://idp.example.com/").await.expect_err("refused");
    assert!(refused.advice().contains("outbound.allow"), "{refused}");
}

#[tokio::test]
async fn a_name_that_stands_for_something_else_the_second_time_is_looked_up_once() {
    let web = serving().await;
    let site = Site::new(&web, "", &[&[PUBLIC], &["127.0.0.1"]]);
    assert_eq!(body(site.get("https://idp.example.com/").await), BODY);
    assert_eq!(site.dialled(), ["93.184.215.14:443"], "the address that was judged");
    assert_eq!(site.resolved.lock().unwrap().len(), 1);
    // The next call is judged anew.
    assert!(matches!(site.get("https://idp.example.com/").await, Err(Error::Inside { .. })));
}

#[tokio::test]
async fn a_redirect_is_followed_like_a_first_address() {
    let web = Web::tls(folder().path(), |head| match head.starts_with("GET /old ") {
        true => answer("301 Moved", &["location: //next.example.com/new"], ""),
        false => answer("200 OK", &[], BODY),
    })
    .await;
    let site = Site::new(&web, "", &[&[PUBLIC], &["93.184.215.99"]]);
    assert_eq!(body(site.get("https://idp.example.com/old").await), BODY);
    assert_eq!(site.dialled(), ["93.184.215.14:443", "93.184.215.99:443"]);
    assert_eq!(*site.resolved.lock().unwrap(), ["idp.example.com", "next.example.com"]);
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_not_followed() {
    for location in ["https://10.0.0.5/", "https://0x0a000005/", "//10.0.0.5:8443/", "https://[::ffff:10.0.0.5]/"] {
        let web = sending_to(location).await;
        // Not even where the operator opened it: only who sets the address may name it.
        for opened in ["", "10.0.0.0/8"] {
            let site = Site::new(&web, opened, &[&[PUBLIC]]);
            let refused = site.get("https://idp.example.com/").await;
            assert!(matches!(refused, Err(Error::Inside { .. })), "{location}: {refused:?}");
            assert_eq!(site.dialled(), ["93.184.215.14:443"]);
        }
    }
}

#[tokio::test]
async fn a_redirect_to_this_machine_is_not_followed_even_with_allow_plaintext() {
    let web = sending_to("https://127.0.0.1:8443/").await;
    let site = Site::new(&web, "", &[&[PUBLIC]]);
    let refused = site.outbound.get(&ask("https://idp.example.com/", true)).await;
    assert!(matches!(refused, Err(Error::Inside { reach: Reach::Loopback, .. })), "{refused:?}");
}

#[tokio::test]
async fn a_redirect_that_resolves_to_a_private_address_is_not_followed() {
    let web = sending_to("https://next.example.com/").await;
    let site = Site::new(&web, "", &[&[PUBLIC], &["192.168.1.1"]]);
    assert!(matches!(site.get("https://idp.example.com/").await, Err(Error::Inside { .. })));
    assert_eq!(site.dialled(), ["93.184.215.14:443"]);
}

#[tokio::test]
async fn a_redirect_from_https_to_http_is_not_followed() {
    let web = sending_to("http://idp.example.com/").await;
    let site = Site::new(&web, "", &[&[PUBLIC]]);
    assert_eq!(site.get("https://idp.example.com/").await, Err(Error::Downgrade));
    assert_eq!(site.outbound.get(&ask("https://idp.example.com/", true)).await, Err(Error::Downgrade));
}

#[tokio::test]
async fn redirects_with_other_schemes_ports_and_credentials_are_not_followed() {
    for location in
        ["file:///etc/passwd", "gopher://idp.example.com/", "https://idp.example.com:22/", "https://a:b@idp.example.com/"]
    {
        let web = sending_to(location).await;
        let site = Site::new(&web, "", &[&[PUBLIC]]);
        let refused = site.get("https://idp.example.com/").await;
        assert!(
            matches!(refused, Err(Error::Scheme { .. } | Error::Port { .. } | Error::Credentials)),
            "{location}: {refused:?}"
        );
        assert_eq!(site.dialled().len(), 1);
    }
}

#[tokio::test]
async fn redirects_without_end_are_given_up_after_three() {
    let web = sending_to("/again").await;
    let site = Site::new(&web, "", &[&[PUBLIC]]);
    assert_eq!(site.get("https://idp.example.com/").await, Err(Error::Redirects { max: 3 }));
    assert_eq!(site.dialled().len(), 4);
}

#[test]
fn a_call_has_ten_seconds_two_mebibytes_and_three_redirects() {
    let Limits { time, bytes_max, redirects_max, .. } = Limits::default();
    assert_eq!((time, bytes_max, redirects_max), (Duration::from_secs(10), 2 << 20, 3));
}

#[tokio::test]
async fn plaintext_is_for_this_machine_alone_and_only_if_allowed() {
    let web = Web::plain(|_| answer("200 OK", &[], BODY)).await;
    let site = Site::new(&web, "", &[&[PUBLIC]]);
    let here = format!("http://127.0.0.1:{}/", web.port);
    assert_eq!(site.get(&here).await, Err(Error::Plaintext));
    assert_eq!(body(site.outbound.get(&ask(&here, true)).await), BODY);
    assert_eq!(site.outbound.get(&ask("http://idp.example.com/", true)).await, Err(Error::Plaintext));
    let inside = Site::new(&web, "10.0.0.0/8", &[&["10.0.0.5"]]);
    assert_eq!(inside.outbound.get(&ask("http://idp.example.com/", true)).await, Err(Error::Plaintext));
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_given_up_while_it_is_read() {
    let limits = Limits { bytes_max: 1_000, ..Limits::default() };
    let announced = |_: &str| Said::from(String::from("HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n"));
    let unannounced = |_: &str| {
        let piece = format!("1f4\r\n{}\r\n", "x".repeat(500)).into_bytes();
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        // It would never end.
        Said { pieces: std::iter::once(head).chain(std::iter::repeat_n(piece, 1_000)).collect(), pause: Duration::from_millis(1) }
    };
    for web in [Web::tls(folder().path(), announced).await, Web::tls(folder().path(), unannounced).await] {
        let site = Site::new(&web, "", &[&[PUBLIC]]);
        let began = Instant::now();
        let refused = site.outbound.clone().within(limits).get(&ask("https://idp.example.com/", false)).await;
        assert_eq!(refused, Err(Error::TooLarge { bytes_max: 1_000 }));
        assert!(began.elapsed() < Duration::from_millis(800), "{:?}", began.elapsed());
    }
    let whole = Web::tls(folder().path(), |_| answer("200 OK", &[], &"x".repeat(1_000))).await;
    let site = Site::new(&whole, "", &[&[PUBLIC]]);
    assert_eq!(body(site.outbound.clone().within(limits).get(&ask("https://idp.example.com/", false)).await).len(), 1_000);
}

#[tokio::test]
async fn an_answer_in_drops_is_given_up_when_its_time_is_over() {
    let drops = |_: &str| {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n".to_vec();
        let drops = std::iter::repeat_n(b"x".to_vec(), 1_000);
        Said { pieces: std::iter::once(head).chain(drops).collect(), pause: Duration::from_millis(50) }
    };
    let silence = |_: &str| Said { pieces: vec![Vec::new()], pause: Duration::from_secs(30) };
    let headers = |_: &str| {
        let drops = std::iter::repeat_n(b"a: b\r\n".to_vec(), 1_000);
        Said { pieces: std::iter::once(b"HTTP/1.1 200 OK\r\n".to_vec()).chain(drops).collect(), pause: Duration::from_millis(50) }
    };
    let [drops, silence, headers] = [
        Web::tls(folder().path(), drops).await,
        Web::tls(folder().path(), silence).await,
        Web::tls(folder().path(), headers).await,
    ];
    for web in [drops, silence, headers] {
        let limits = Limits { time: Duration::from_millis(600), ..Limits::default() };
        let site = Site::new(&web, "", &[&[PUBLIC]]);
        let began = Instant::now();
        let refused = site.outbound.clone().within(limits).get(&ask("https://idp.example.com/", false)).await;
        assert!(matches!(refused, Err(Error::TimedOut { .. })), "{refused:?}");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn the_time_of_a_call_is_that_of_all_its_redirects() {
    let web = Web::tls(folder().path(), |_| {
        let Said { pieces, .. } = answer("302 Found", &["location: /again"], "");
        Said { pieces: vec![Vec::new(), pieces.concat()], pause: Duration::from_millis(250) }
    })
    .await;
    let limits = Limits { time: Duration::from_millis(600), ..Limits::default() };
    let site = Site::new(&web, "", &[&[PUBLIC]]);
    let refused = site.outbound.clone().within(limits).get(&ask("https://idp.example.com/", false)).await;
    assert!(matches!(refused, Err(Error::TimedOut { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_compressed_answer_is_not_unpacked() {
    for encoding in ["gzip", "deflate", "br", "zstd", "gzip, identity"] {
        let header = format!("content-encoding: {encoding}");
        let web = Web::tls(folder().path(), move |_| answer("200 OK", &[&header], BODY)).await;
        let site = Site::new(&web, "", &[&[PUBLIC]]);
        let refused = site.get("https://idp.example.com/").await;
        assert!(matches!(refused, Err(Error::Encoded { .. })), "{encoding}: {refused:?}");
    }
}

#[tokio::test]
async fn heads_without_end_and_answers_that_are_cut_are_no_answers() {
    let many = |_: &str| Said::from(format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(500)));
    let long = |_: &str| Said::from(format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(200_000)));
    let cut = |_: &str| Said::from(String::from("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n<half"));
    let none = |_: &str| Said::from(String::from("+OK POP3 ready\r\n"));
    let webs = [
        Web::tls(folder().path(), many).await,
        Web::tls(folder().path(), long).await,
        Web::tls(folder().path(), cut).await,
        Web::tls(folder().path(), none).await,
    ];
    for web in webs {
        let refused = Site::new(&web, "", &[&[PUBLIC]]).get("https://idp.example.com/").await;
        assert!(matches!(refused, Err(Error::Broken { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn a_certificate_for_another_host_or_of_a_stranger_is_refused() {
    let web = serving().await;
    let site = Site::new(&web, "", &[&[PUBLIC]]);
    assert!(matches!(site.get("https://other.example.com/").await, Err(Error::Tls { .. })));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder().path().join("other-ca.pem")).expect("an authority")).expect("a root");
    let stranger = site.outbound.clone().trusting(trusting(roots));
    assert!(matches!(stranger.get(&ask("https://idp.example.com/", false)).await, Err(Error::Tls { .. })));
    assert_eq!(web.heads(), Vec::<String>::new(), "nothing was asked");
}

#[tokio::test]
async fn a_document_that_did_not_change_is_not_sent_again() {
    let web = Web::tls(folder().path(), |head| match head.to_lowercase().contains("if-none-match: \"v1\"") {
        true => Said::from(String::from("HTTP/1.1 304 Not Modified\r\n\r\n")),
        false => answer("200 OK", &["etag: \"v1\"", "last-modified: Sat, 28 Nov 2026 01:00:00 GMT"], BODY),
    })
    .await;
    let site = Site::new(&web, "", &[&[PUBLIC]]);
    let Ok(Answer::Found { validators, .. }) = site.get("https://idp.example.com/").await else { panic!("found") };
    assert_eq!(validators.etag.as_deref(), Some("\"v1\""));
    let known = Ask { known: validators, ..ask("https://idp.example.com/", false) };
    assert_eq!(site.outbound.get(&known).await, Ok(Answer::NotModified));
    assert!(web.heads()[1].contains("Sat, 28 Nov 2026 01:00:00 GMT"));
}

#[tokio::test]
async fn what_is_no_answer_says_what_to_change() {
    for (status, advice) in
        [("403 Forbidden", "has to be public"), ("404 Not Found", "in a browser"), ("304 Not Modified", "in a browser")]
    {
        let web = Web::tls(folder().path(), move |_| answer(status, &[], "")).await;
        let refused = Site::new(&web, "", &[&[PUBLIC]]).get("https://idp.example.com/").await.expect_err(status);
        assert!(matches!(refused, Error::Status { .. }) && refused.advice().contains(advice), "{refused:?}");
    }
    let web = serving().await;
    let nobody = Site::new(&web, "", &[&[]]).get("https://idp.example.com/").await;
    assert!(matches!(nobody, Err(Error::Unresolved { .. })), "{nobody:?}");
}

#[tokio::test]
async fn an_address_that_does_not_answer_leaves_it_to_the_next() {
    let web = serving().await;
    let site = Site::new(&web, "", &[&["93.184.215.13", PUBLIC]]);
    let (port, first) = (web.port, Mutex::new(true));
    let outbound = site.outbound.clone().dialling_by(Arc::new(move |_| {
        let is_first = std::mem::take(&mut *first.lock().unwrap());
        Box::pin(async move {
            if is_first { Err(std::io::Error::other("refused")) } else { TcpStream::connect(("127.0.0.1", port)).await }
        })
    }));
    assert_eq!(body(outbound.get(&ask("https://idp.example.com/", false)).await), BODY);
}
