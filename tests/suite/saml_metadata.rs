//! What a connection comes to know of its identity provider, on both stores and with a clock of the test's own: by hand, by file
//! and by URL, through a roll-over and everything that must not be taken for one.

use crate::support::idp_metadata::{IDP, Publisher, federation, metadata};
use crate::support::rows::Database;
use crate::support::stores::{TestStore, on_both};
use rosterd::clock::{Clock, Entropy, SECOND};
use rosterd::model::connection::{Connection, ConnectionKind, Options};
use rosterd::model::ids::{ConnectionId, TenantId};
use rosterd::outbound::Outbound;
use rosterd::saml::metadata::decide::Hold;
use rosterd::saml::metadata::place::{Failure, digest};
use rosterd::saml::metadata::refresh::{Approval, Outcome, Refresher};
use rosterd::saml::metadata::{IdentityProvider, IdentityProviders, Unusable};
use rosterd::store::saml_metadata::{MetadataRow, find};
use rosterd::store::{Batch, Store, Value, connections};
use rosterd_saml::rule::Rule;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 86_400 * SECOND;
const NOW: i64 = 1_795_000_000 * SECOND;

/// One replica.
struct Replica {
    refresher: Refresher,
    providers: IdentityProviders,
    hand: Arc<AtomicI64>,
}

impl Replica {
    fn of(store: &Store) -> Self {
        let (clock, hand) = Clock::manual(NOW);
        // Ids are each another, also of another replica; nothing is drawn of times.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let entropy = Entropy::from_fn(|bytes| {
            bytes.fill(0);
            if let Some(at) = bytes.len().checked_sub(8) {
                bytes[at..].copy_from_slice(&NEXT.fetch_add(1, Ordering::SeqCst).to_be_bytes());
            }
        });
        let refresher = Refresher { store: store.clone(), outbound: Outbound::new(&[]), clock, entropy };
        Self { refresher, providers: IdentityProviders::new(store.clone()), hand }
    }

    fn at(&self, now: i64) {
        self.hand.store(now, Ordering::SeqCst);
    }

    async fn refresh(&self, connection: &Connection) -> Outcome {
        self.refresher.refresh(connection, "schedule").await.expect("the store answers")
    }

    async fn paste(&self, connection: &Connection, text: &str) -> Outcome {
        self.refresher.paste(connection, text.as_bytes().to_vec(), "cli").await.expect("the store answers")
    }

    async fn known(&self, connection: &Connection) -> Result<IdentityProvider, Unusable> {
        self.providers.known(connection, self.hand.load(Ordering::SeqCst)).await.expect("the store answers")
    }

    /// How many certificates count.
    async fn counting(&self, connection: &Connection) -> usize {
        self.known(connection).await.expect("known").certificates.iter().count()
    }

    async fn row(&self, connection: &Connection) -> MetadataRow {
        find(&self.refresher.store, connection).await.expect("the store answers").expect("a row")
    }
}

/// Connections `acme` of two tenants, with options like `metadata_url=…`.
async fn connections(test: &TestStore, options: &[(&str, &str)]) -> [Connection; 2] {
    let set = options.iter().map(|(name, value)| ((*name).to_owned(), serde_json::Value::from(*value))).collect();
    let options = Options::parse(ConnectionKind::Samlp, &set).expect("options");
    let of = |tenant: &str, id: &str| Connection {
        tenant_id: TenantId::new(tenant),
        id: ConnectionId::new(id),
        name: String::from("acme"),
        kind: ConnectionKind::Samlp,
        organization_id: None,
        options: options.clone(),
        version: 1,
        created_at: 0,
        updated_at: 0,
    };
    let both = [of("t", "con_1"), of("rival", "con_2")];
    for connection in &both {
        let (tenant, id) = (connection.tenant_id.as_str(), connection.id.as_str());
        let mut batch = Batch::default();
        let sql = "INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ($1, $1, 0, 0)";
        batch.one(sql, vec![Value::from(tenant)]);
        let sql = "INSERT INTO connections (tenant_id, id, name, kind, options, created_at, updated_at) \
            VALUES ($1, $2, 'acme', 'samlp', $3, 0, 0)";
        batch.one(
            sql,
            vec![Value::from(tenant), Value::from(id), Value::from(serde_json::Value::Object(set.clone()).to_string())],
        );
        test.store.apply(batch).await.expect("a connection");
    }
    both
}

/// The connection after an administrator set `option` to `value`.
async fn set(store: &Store, connection: &Connection, option: &str, value: &str) -> Connection {
    let stored = connections::find(store, &connection.tenant_id, &connection.id).await.expect("read").expect("a connection");
    let mut set = stored.set;
    set.insert(option.to_owned(), serde_json::Value::from(value));
    let mut batch = Batch::default();
    let sql = "UPDATE connections SET options = $3 WHERE tenant_id = $1 AND id = $2";
    let text = serde_json::Value::Object(set).to_string();
    let (tenant, id) = (connection.tenant_id.as_str(), connection.id.as_str());
    batch.one(sql, vec![Value::from(tenant), Value::from(id), Value::from(text.as_str())]);
    store.apply(batch).await.expect("set");
    connections::find(store, &connection.tenant_id, &connection.id).await.expect("read").expect("a connection").connection
}

/// Sets columns of what is known, behind the gateway's back.
async fn change(test: &TestStore, set: &str) {
    Database::change(test.options.url.expose(), &format!("UPDATE saml_metadata SET {set}")).await;
}

async fn by_url(test: &TestStore, publisher: &Publisher) -> [Connection; 2] {
    connections(test, &[("metadata_url", &publisher.url()), ("allow_plaintext", "true")]).await
}

fn is_taken(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Taken { .. })
}

impl Replica {
    async fn approve(&self, connection: &Connection, shown: &str) -> Approval {
        self.refresher.approve(connection, shown, "cli").await.expect("the store answers")
    }

    async fn refetch(&self, connection: &Connection, used: i64) -> bool {
        self.refresher.refetch_after_failed_signature(connection, used).await.expect("the store answers")
    }
}

async fn logged(store: &Store) -> Vec<String> {
    let rows = store.read("SELECT kind FROM log WHERE tenant_id = 't' ORDER BY id", vec![]).await.expect("read");
    rows.iter().map(|row| row.text(0).expect("text")).collect()
}

on_both! {
    async fn what_is_pasted_is_what_a_login_may_believe(test) {
        let [acme, other] = connections(&test, &[]).await;
        let replica = Replica::of(&test.store);
        assert_eq!(replica.known(&acme).await.unwrap_err(), Unusable::NoMetadata);
        assert_eq!(replica.refresh(&acme).await, Outcome::Failed(Failure::Nowhere));
        assert!(is_taken(&replica.paste(&acme, &metadata(IDP, &["one"])).await));
        let known = replica.known(&acme).await.expect("known");
        assert_eq!((known.entity_id.as_str(), known.wants_signed_requests, known.valid_until), (IDP, true, None));
        assert_eq!((known.sign_on.len(), known.logout.len()), (1, 1));
        assert_eq!(replica.row(&acme).await.origin.as_deref(), Some("paste"));
        assert_eq!(logged(&test.store).await, ["connection.metadata_taken"]);
        // Read again in its turn it stays.
        replica.at(NOW + DAY);
        assert_eq!(replica.refresh(&acme).await, Outcome::Unchanged);
        // And nobody else's connection knows of it.
        assert_eq!(replica.known(&other).await.unwrap_err(), Unusable::NoMetadata);
        assert!(find(&test.store, &other).await.expect("read").is_none());
    }

    async fn a_file_is_read_and_a_broken_one_leaves_the_last_good_in_force(test) {
        let path = test.folder.path().join("idp.xml");
        let [acme, _] = connections(&test, &[("metadata_file", path.to_str().expect("text"))]).await;
        let replica = Replica::of(&test.store);
        assert!(matches!(replica.refresh(&acme).await, Outcome::Failed(Failure::File { .. })));
        std::fs::write(&path, format!("\u{feff}{}", metadata(IDP, &["one"]))).expect("written");
        assert!(is_taken(&replica.refresh(&acme).await));
        std::fs::write(&path, &metadata(IDP, &["one", "two"])[..300]).expect("written");
        assert!(matches!(replica.refresh(&acme).await, Outcome::Failed(Failure::Refused(refusal)) if refusal.rule == Rule::Truncated));
        assert_eq!(replica.counting(&acme).await, 1);
        let row = replica.row(&acme).await;
        assert_eq!((row.failures, row.next_at), (1, NOW + 2 * MINUTE));
        std::fs::write(&path, metadata(IDP, &["one", "two"])).expect("written");
        assert!(is_taken(&replica.refresh(&acme).await));
        assert_eq!((replica.counting(&acme).await, replica.row(&acme).await.failures), (2, 0));
    }

    async fn a_url_is_asked_whether_it_changed_and_moves_times_alone_if_not(test) {
        let publisher = Publisher::of(&metadata(IDP, &["one"])).await;
        let [acme, _] = by_url(&test, &publisher).await;
        let replica = Replica::of(&test.store);
        assert!(is_taken(&replica.refresh(&acme).await));
        let taken = replica.row(&acme).await;
        assert_eq!((taken.next_at, taken.fetched_at), (NOW + DAY, Some(NOW)));
        replica.at(NOW + DAY);
        assert_eq!(replica.refresh(&acme).await, Outcome::Unchanged);
        assert!(publisher.web.heads()[1].contains("if-none-match"), "{:?}", publisher.web.heads());
        let again = replica.row(&acme).await;
        assert_eq!((again.fetched_at, again.next_at), (Some(NOW + DAY), NOW + 2 * DAY));
        let times = |row: MetadataRow| MetadataRow { fetched_at: None, next_at: 0, ..row };
        assert_eq!(times(again), times(taken), "version and document stay");
    }

    async fn a_roll_over_costs_no_login(test) {
        let publisher = Publisher::of(&metadata(IDP, &["one"])).await;
        let [acme, _] = by_url(&test, &publisher).await;
        let replica = Replica::of(&test.store);
        replica.refresh(&acme).await;
        publisher.publish(&metadata(IDP, &["one", "two"]));
        assert!(matches!(replica.refresh(&acme).await, Outcome::Taken { added, missed } if added.len() == 1 && missed.is_empty()));
        assert_eq!(replica.counting(&acme).await, 2);
        publisher.publish(&metadata(IDP, &["two"]));
        replica.at(NOW + DAY);
        assert!(matches!(replica.refresh(&acme).await, Outcome::Taken { added, missed } if added.is_empty() && missed.len() == 1));
        assert_eq!(replica.counting(&acme).await, 2, "the former one has its grace");
        replica.at(NOW + 8 * DAY - 1);
        assert_eq!(replica.counting(&acme).await, 2);
        replica.at(NOW + 8 * DAY);
        assert_eq!(replica.counting(&acme).await, 1, "which ends though nobody looked");
        replica.refresh(&acme).await;
        assert!(!replica.row(&acme).await.certificates.contains("gone_since\":1"), "and is forgotten then");
        assert_eq!(logged(&test.store).await, ["connection.metadata_taken"; 3]);
    }

    async fn another_entity_waits_until_it_is_approved(test) {
        let publisher = Publisher::of(&metadata(IDP, &["one"])).await;
        let [acme, _] = by_url(&test, &publisher).await;
        let replica = Replica::of(&test.store);
        replica.refresh(&acme).await;
        publisher.publish(&metadata("https://other.example.com", &["one", "two"]));
        for _ in 0..2 {
            assert_eq!(replica.refresh(&acme).await, Outcome::Held(Hold::OtherEntity));
            let known = replica.known(&acme).await.expect("known");
            assert_eq!((known.entity_id.as_str(), known.certificates.iter().count()), (IDP, 1));
        }
        assert_eq!(logged(&test.store).await, ["connection.metadata_taken", "connection.metadata_held"], "told once");
        let shown = digest(&publisher.published());
        assert!(matches!(replica.approve(&acme, &shown).await, Approval::Approved(outcome) if is_taken(&outcome)));
        let known = replica.known(&acme).await.expect("known");
        assert_eq!((known.entity_id.as_str(), known.certificates.iter().count()), ("https://other.example.com", 2));
        assert_eq!(replica.approve(&acme, &shown).await, Approval::NothingWaits);
        assert_eq!(replica.refresh(&acme).await, Outcome::Unchanged);
    }

    async fn a_document_without_a_former_key_waits_and_may_be_taken_back(test) {
        let publisher = Publisher::of(&metadata(IDP, &["one"])).await;
        let [acme, _] = by_url(&test, &publisher).await;
        let replica = Replica::of(&test.store);
        replica.refresh(&acme).await;
        publisher.publish(&metadata(IDP, &["two", "three"]));
        assert_eq!(replica.refresh(&acme).await, Outcome::Held(Hold::NoFormerKey));
        assert_eq!(replica.counting(&acme).await, 1);
        publisher.publish(&metadata(IDP, &["one"]));
        assert!(is_taken(&replica.refresh(&acme).await));
        assert_eq!(replica.row(&acme).await.waiting_document, None);
    }

    async fn a_place_that_an_administrator_sets_is_his_word(test) {
        let publisher = Publisher::of(&metadata(IDP, &["one"])).await;
        let other = Publisher::of(&metadata("https://other.example.com", &["two"])).await;
        let [acme, _] = by_url(&test, &publisher).await;
        let replica = Replica::of(&test.store);
        replica.refresh(&acme).await;
        let moved = set(&test.store, &acme, "metadata_url", &other.url()).await;
        assert!(is_taken(&replica.refresh(&moved).await));
        assert!(!other.web.heads()[0].contains("if-none-match"), "another server's word is nobody's here");
        assert_eq!(replica.counting(&moved).await, 1);
    }

    async fn nothing_is_believed_after_valid_until(test) {
        let until = NOW + 2 * DAY;
        let text = metadata(IDP, &["one"]);
        let at = jiff::Timestamp::from_microsecond(until).expect("an instant");
        let publisher = Publisher::of(&text.replacen("<EntityDescriptor", &format!("<EntityDescriptor validUntil=\"{at}\""), 1)).await;
        let [acme, _] = by_url(&test, &publisher).await;
        let replica = Replica::of(&test.store);
        replica.refresh(&acme).await;
        replica.at(until - 1);
        assert!(replica.known(&acme).await.is_ok());
        replica.at(until);
        assert_eq!(replica.known(&acme).await.unwrap_err(), Unusable::Expired);
        // Sent once more it is no longer taken; renewed it is.
        publisher.publish(&format!("{} ", publisher.published()));
        assert!(matches!(replica.refresh(&acme).await, Outcome::Failed(Failure::Refused(refusal)) if refusal.rule == Rule::MetadataExpired));
        publisher.publish(&text);
        assert!(is_taken(&replica.refresh(&acme).await));
        assert!(replica.known(&acme).await.is_ok());
    }

    async fn a_certificate_that_ended_counts_all_the_same(test) {
        let [acme, _] = connections(&test, &[]).await;
        let replica = Replica::of(&test.store);
        replica.at(NOW + 20 * 365 * DAY);
        assert!(is_taken(&replica.paste(&acme, &metadata(IDP, &["one", "soon"])).await));
        let known = replica.known(&acme).await.expect("known");
        let ended = known.certificates.iter().filter(|one| one.not_after().is_some_and(|end| end.as_microsecond() < NOW + 20 * 365 * DAY));
        assert_eq!((ended.count(), known.certificates.iter().count()), (2, 2));
    }

    async fn metadata_is_read_again_by_its_own_word(test) {
        let text = metadata(IDP, &["one"]).replacen("<EntityDescriptor", "<EntityDescriptor cacheDuration=\"PT2H\"", 1);
        let publisher = Publisher::of(&text).await;
        let [acme, _] = by_url(&test, &publisher).await;
        let replica = Replica::of(&test.store);
        replica.refresh(&acme).await;
        assert_eq!(replica.row(&acme).await.next_at, NOW + 120 * MINUTE);
        publisher.publish("");
        for minutes in [2, 4, 8] {
            assert!(matches!(replica.refresh(&acme).await, Outcome::Failed(Failure::Outbound(_))));
            assert_eq!(replica.row(&acme).await.next_at, NOW + minutes * MINUTE);
        }
        assert!(replica.row(&acme).await.last_error.expect("told").contains("500"));
        assert_eq!(replica.counting(&acme).await, 1);
    }

    async fn documents_that_are_none_are_refused(test) {
        let [acme, _] = connections(&test, &[]).await;
        let replica = Replica::of(&test.store);
        replica.paste(&acme, &metadata(IDP, &["one"])).await;
        let good = metadata(IDP, &["one", "two"]);
        let doctype = format!("<!DOCTYPE md [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>{good}");
        assert!(matches!(replica.paste(&acme, &doctype).await, Outcome::Failed(Failure::Refused(refusal)) if refusal.rule == Rule::Doctype));
        let page = "<!DOCTYPE html><html><body>Sign in</body></html>";
        assert_eq!(replica.paste(&acme, page).await, Outcome::Failed(Failure::Page));
        assert!(matches!(replica.paste(&acme, &metadata(IDP, &[])).await, Outcome::Failed(Failure::NoCertificate(_))));
        assert_eq!(replica.paste(&acme, &format!("{good}\0")).await, Outcome::Failed(Failure::NotText));
        let large = format!("{good}<!-- {} -->", "x".repeat(2 << 20));
        assert_eq!(replica.paste(&acme, &large).await, Outcome::Failed(Failure::TooLarge));
        assert_eq!(replica.counting(&acme).await, 1);
    }

    async fn of_a_federation_the_one_that_is_meant_is_taken(test) {
        let text = federation(&[metadata(IDP, &["one"]), metadata("https://other.example.com", &["two"])]);
        let [acme, _] = connections(&test, &[]).await;
        let replica = Replica::of(&test.store);
        assert!(matches!(replica.paste(&acme, &text).await, Outcome::Failed(Failure::Refused(refusal)) if refusal.rule == Rule::EntityAmbiguous));
        let meant = set(&test.store, &acme, "idp_entity_id", IDP).await;
        assert!(is_taken(&replica.paste(&meant, &text).await));
        assert_eq!(replica.known(&meant).await.expect("known").entity_id, IDP);
        // Another one of the same document, which the option names now.
        let other = set(&test.store, &acme, "idp_entity_id", "https://other.example.com").await;
        assert!(is_taken(&replica.refresh(&other).await));
        let known = replica.known(&other).await.expect("known");
        assert_eq!((known.entity_id.as_str(), known.certificates.iter().count()), ("https://other.example.com", 1));
    }

    async fn a_wrong_signature_fetches_once_in_ten_minutes_whichever_replica_sees_it(test) {
        let publisher = Publisher::of(&metadata(IDP, &["one"])).await;
        let [acme, _] = by_url(&test, &publisher).await;
        let (one, two) = (Replica::of(&test.store), Replica::of(&Store::open(&test.options).await.expect("opens")));
        one.refresh(&acme).await;
        let used = one.known(&acme).await.expect("known").version;
        let refetch = async |replica: &Replica, used| replica.refetch(&acme, used).await;
        // Anybody can send a wrong signature: many at once are one fetch.
        let both = tokio::join!(refetch(&one, used), refetch(&two, used), refetch(&one, used), refetch(&two, used));
        assert_eq!((both, publisher.asked()), ((false, false, false, false), 2));
        publisher.publish(&metadata(IDP, &["one", "two"]));
        one.at(NOW + 10 * MINUTE - 1);
        assert!(!refetch(&one, used).await);
        one.at(NOW + 10 * MINUTE);
        assert!(refetch(&one, used).await, "a certificate was added");
        assert_eq!(publisher.asked(), 3);
        assert!(!publisher.web.heads()[2].contains("if-none-match"));
        // Whoever checked with what was known before has something new to check with, without asking.
        assert!(refetch(&two, used).await);
        let used = two.known(&acme).await.expect("known").version;
        assert!(!refetch(&two, used).await);
        assert_eq!((publisher.asked(), two.counting(&acme).await), (3, 2));
    }

    async fn a_word_is_for_the_document_that_was_looked_at_and_no_other(test) {
        let publisher = Publisher::of(&metadata(IDP, &["one"])).await;
        let [acme, _] = by_url(&test, &publisher).await;
        let replica = Replica::of(&test.store);
        replica.refresh(&acme).await;
        publisher.publish(&metadata(IDP, &["two"]));
        assert_eq!(replica.refresh(&acme).await, Outcome::Held(Hold::NoFormerKey));
        let shown = digest(&publisher.published());
        // Whoever publishes puts another one in its place while somebody looks.
        publisher.publish(&metadata(IDP, &["three"]));
        assert_eq!(replica.refresh(&acme).await, Outcome::Held(Hold::NoFormerKey));
        assert_eq!(replica.approve(&acme, &shown).await, Approval::AnotherWaits);
        assert_eq!((replica.counting(&acme).await, replica.row(&acme).await.waiting_document), (1, Some(publisher.published())));
        assert_eq!(
            logged(&test.store).await,
            ["connection.metadata_taken", "connection.metadata_held", "connection.metadata_held"],
            "each that waits is told"
        );
        let whole = digest(&publisher.published());
        for part in [&whole[..12], &whole[..63], "", &whole.to_uppercase()] {
            assert_eq!(replica.approve(&acme, part).await, Approval::AnotherWaits, "{part}: two that begin alike can be made");
        }
        assert!(matches!(replica.approve(&acme, &whole).await, Approval::Approved(outcome) if is_taken(&outcome)));
    }

    async fn logins_beside_the_one_fetch_wait_for_what_it_finds(test) {
        let publisher = Publisher::of(&metadata(IDP, &["one"])).await;
        let [acme, _] = by_url(&test, &publisher).await;
        let (one, two) = (Replica::of(&test.store), Replica::of(&Store::open(&test.options).await.expect("opens")));
        one.refresh(&acme).await;
        let used = one.known(&acme).await.expect("known").version;
        publisher.publish(&metadata(IDP, &["one", "two"]));
        one.at(NOW + SECOND);
        two.at(NOW + SECOND);
        publisher.dawdle(Duration::from_millis(700));
        let all = tokio::join!(one.refetch(&acme, used), two.refetch(&acme, used), one.refetch(&acme, used), two.refetch(&acme, used));
        assert_eq!((all, publisher.asked()), ((true, true, true, true), 2));
    }

    async fn a_fetch_that_another_replica_was_faster_than_has_something_new_too(test) {
        let publisher = Publisher::of(&metadata(IDP, &["one"])).await;
        let [acme, _] = by_url(&test, &publisher).await;
        let (one, two) = (Replica::of(&test.store), Replica::of(&Store::open(&test.options).await.expect("opens")));
        one.refresh(&acme).await;
        let used = one.known(&acme).await.expect("known").version;
        publisher.publish(&metadata(IDP, &["one", "two"]));
        one.at(NOW + SECOND);
        publisher.dawdle(Duration::from_millis(700));
        let scheduled = async {
            // Its answer comes while the other still waits for its own.
            tokio::time::sleep(Duration::from_millis(200)).await;
            publisher.dawdle(Duration::ZERO);
            two.refresh(&acme).await
        };
        let (has_new, outcome) = tokio::join!(one.refetch(&acme, used), scheduled);
        assert!(has_new && is_taken(&outcome), "{has_new} {outcome:?}");
    }

    async fn a_fetch_that_hangs_is_not_waited_for_without_end(test) {
        let publisher = Publisher::of(&metadata(IDP, &["one"])).await;
        let [acme, _] = by_url(&test, &publisher).await;
        let replica = Replica::of(&test.store);
        replica.refresh(&acme).await;
        let used = replica.known(&acme).await.expect("known").version;
        // As if another replica had begun one and died.
        replica.at(NOW + 9 * SECOND);
        change(&test, &format!("refetched_at = {}", NOW + SECOND)).await;
        let began = Instant::now();
        assert!(!replica.refetch(&acme, used).await);
        assert!(began.elapsed() < Duration::from_secs(5) && began.elapsed() > Duration::from_secs(1), "{:?}", began.elapsed());
        replica.at(NOW + 11 * SECOND);
        let began = Instant::now();
        assert!(!replica.refetch(&acme, used).await);
        assert!(began.elapsed() < Duration::from_secs(1), "an old one is nobody's to wait for: {:?}", began.elapsed());
        assert_eq!(publisher.asked(), 1);
    }

    async fn wrong_signatures_write_nothing_while_no_fetch_is_due(test) {
        let publisher = Publisher::of(&metadata(IDP, &["one"])).await;
        let [acme, _] = by_url(&test, &publisher).await;
        let replica = Replica::of(&test.store);
        replica.refresh(&acme).await;
        let used = replica.known(&acme).await.expect("known").version;
        assert!(!replica.refetch(&acme, used).await);
        let _held = Database::held(test.options.url.expose(), "saml_metadata").await;
        let in_time = async || tokio::time::timeout(Duration::from_secs(2), replica.refetch(&acme, used)).await.ok();
        assert_eq!(in_time().await, Some(false), "nothing waits for a write");
        replica.at(NOW + 10 * MINUTE);
        assert_eq!(in_time().await, None, "but the one that is due");
    }

    async fn a_stored_document_that_can_not_be_read_any_more_gives_way_to_an_administrators_word(test) {
        let publisher = Publisher::of(&metadata(IDP, &["one"])).await;
        let [acme, _] = by_url(&test, &publisher).await;
        let replica = Replica::of(&test.store);
        let spoil = async || change(&test, "document = '<!DOCTYPE x><x/>', version = version + 1").await;
        replica.refresh(&acme).await;
        spoil().await;
        assert_eq!(replica.known(&acme).await.unwrap_err(), Unusable::Unreadable);
        // Without a key that counted before it could be anybody's.
        publisher.publish(&metadata(IDP, &["two"]));
        assert_eq!(replica.refresh(&acme).await, Outcome::Held(Hold::NoFormerKey));
        assert!(is_taken(&replica.paste(&acme, &metadata(IDP, &["two"])).await));
        assert_eq!(replica.counting(&acme).await, 1);

        publisher.publish(&metadata(IDP, &["three"]));
        assert_eq!(replica.refresh(&acme).await, Outcome::Held(Hold::NoFormerKey));
        spoil().await;
        assert!(matches!(replica.approve(&acme, &digest(&publisher.published())).await, Approval::Approved(outcome) if is_taken(&outcome)));
        spoil().await;
        let other = Publisher::of(&metadata(IDP, &["one"])).await;
        let moved = set(&test.store, &acme, "metadata_url", &other.url()).await;
        assert!(is_taken(&replica.refresh(&moved).await));
        assert_eq!(replica.counting(&moved).await, 1);
    }

    async fn a_stored_document_that_can_not_be_read_any_more_is_replaced_by_one_that_lists_a_key_that_counted(test) {
        let publisher = Publisher::of(&metadata(IDP, &["one", "two"])).await;
        let [acme, _] = by_url(&test, &publisher).await;
        let replica = Replica::of(&test.store);
        let spoil = async |set: &str| change(&test, &format!("{set}, version = version + 1")).await;
        replica.refresh(&acme).await;
        spoil("document = '<!DOCTYPE x><x/>'").await;
        // The very document that was read last: the server is not asked whether it changed.
        assert!(is_taken(&replica.refresh(&acme).await));
        assert!(!publisher.web.heads().last().expect("asked").contains("if-none-match"));
        assert_eq!((replica.counting(&acme).await, replica.refresh(&acme).await), (2, Outcome::Unchanged));

        // One that rolled over meanwhile. What it lists no more has its grace.
        spoil("document = ''").await;
        publisher.publish(&metadata(IDP, &["two", "three"]));
        assert!(is_taken(&replica.refresh(&acme).await));
        assert_eq!(replica.counting(&acme).await, 3);

        // Another entity, or nothing that is left to compare with: that is an administrator's to say.
        spoil("document = ''").await;
        publisher.publish(&metadata("https://other.example.com", &["two"]));
        assert_eq!(replica.refresh(&acme).await, Outcome::Held(Hold::OtherEntity));
        publisher.publish(&metadata(IDP, &["two"]));
        spoil("certificates = '[]', waiting_document = NULL, waiting_reason = NULL, waiting_since = NULL").await;
        assert_eq!(replica.refresh(&acme).await, Outcome::Held(Hold::NoFormerKey));
        assert!(replica.refresher.has_waiting(&acme).await.expect("the store answers"));
        assert!(matches!(replica.approve(&acme, &digest(&publisher.published())).await, Approval::Approved(outcome) if is_taken(&outcome)));
        assert!(!replica.refresher.has_waiting(&acme).await.expect("the store answers"));
        assert_eq!(replica.counting(&acme).await, 1);
    }

    async fn a_slow_read_of_a_former_place_takes_nothing_from_the_one_that_was_set(test) {
        let former = Publisher::of(&metadata("https://former.example.com", &["one"])).await;
        let other = Publisher::of(&metadata(IDP, &["two"])).await;
        let [acme, _] = by_url(&test, &former).await;
        let replica = Replica::of(&test.store);
        replica.refresh(&acme).await;
        for published in [former.published(), format!("{} ", former.published()), String::new()] {
            former.publish(&published);
            former.dawdle(Duration::from_millis(700));
            let administrator = async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                let moved = set(&test.store, &acme, "metadata_url", &other.url()).await;
                replica.refresh(&moved).await
            };
            let (slow, _) = tokio::join!(replica.refresh(&acme), administrator);
            assert_eq!(slow, Outcome::Superseded);
            let row = replica.row(&acme).await;
            assert_eq!((row.entity_id.as_deref(), row.failures), (Some(IDP), 0));
            assert_eq!(row.asked, Some(format!("url {}", other.url())));
            // The place is set back for the next round.
            former.publish(&metadata("https://former.example.com", &["one"]));
            former.dawdle(Duration::ZERO);
            assert!(is_taken(&replica.refresh(&set(&test.store, &acme, "metadata_url", &former.url()).await).await));
        }
    }

    async fn what_is_kept_read_follows_the_store(test) {
        let [acme, _] = connections(&test, &[]).await;
        let (one, two) = (Replica::of(&test.store), Replica::of(&Store::open(&test.options).await.expect("opens")));
        one.paste(&acme, &metadata(IDP, &["one"])).await;
        assert_eq!((one.counting(&acme).await, two.counting(&acme).await), (1, 1));
        one.paste(&acme, &metadata(IDP, &["one", "two"])).await;
        assert_eq!((one.counting(&acme).await, two.counting(&acme).await), (2, 2), "the next login knows, in every process");
        let mut batch = Batch::default();
        batch.one("DELETE FROM connections WHERE tenant_id = $1 AND id = $2", vec![Value::from("t"), Value::from("con_1")]);
        test.store.apply(batch).await.expect("deleted");
        assert_eq!(two.known(&acme).await.unwrap_err(), Unusable::NoMetadata, "the row went with its connection");
    }
}
