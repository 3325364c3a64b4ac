use super::*;
use crate::model::connection::{ConnectionKind, Options};
use serde_json::Map;

fn connection(name: &str) -> Arc<Connection> {
    Arc::new(Connection {
        tenant_id: TenantId::new(DEFAULT_TENANT),
        id: ConnectionId::new(format!("con_{name}")),
        name: name.to_owned(),
        kind: ConnectionKind::Scim,
        organization_id: None,
        options: Options::parse(ConnectionKind::Scim, &Map::new()).expect("the defaults"),
        version: 1,
        created_at: 0,
        updated_at: 0,
    })
}

fn asked(at: Micros) -> Asked {
    Asked::new(at, String::from("r"), &Method::GET, &Uri::from_static("/connections/a/Users"), &HeaderMap::new())
}

fn seen(connection: &Arc<Connection>, at: Micros, status: u16, bytes: usize) -> Seen {
    let body = Some(Bytes::from(vec![b' '; bytes]));
    let answered = Answered { status, scim_type: None, cause: None, detail: None, body, body_bytes: bytes, took: Duration::ZERO };
    Seen {
        connection: Arc::clone(connection),
        token: Some(TokenId::new("t")),
        asked: asked(at),
        answered,
        secrets: Arc::default(),
    }
}

fn stranger(named: &str) -> Stranger {
    let answered =
        Answered { status: 401, scim_type: None, cause: None, detail: None, body: None, body_bytes: 0, took: Duration::ZERO };
    Stranger { named: named.to_owned(), asked: asked(0), answered }
}

#[test]
fn of_a_large_answer_only_its_size_waits() {
    let page = Bytes::from(vec![b' '; ANSWER_BYTES_MAX + 1]);
    assert_eq!(answer_body(Some(&page)), (None, ANSWER_BYTES_MAX + 1));
    let one = page.slice(1..);
    assert_eq!(answer_body(Some(&one)), (Some(one.clone()), ANSWER_BYTES_MAX));
    assert_eq!(answer_body(None), (None, 0));
}

#[test]
fn of_answered_requests_the_newest_wait_and_none_counts_as_lost() {
    let (mut waiting, a) = (Waiting::default(), connection("a"));
    for at in 0..1_500 {
        assert_eq!(waiting.add(seen(&a, at, 200, 10)), Dropped::default());
    }
    assert_eq!((waiting.success_count, waiting.bytes), (SUCCESSES_MAX, SUCCESSES_MAX * 10));
    let work = waiting.take_all();
    assert_eq!(work.seen.first().map(|seen| seen.asked.at), Some(500));
    assert_eq!((waiting.success_count, waiting.bytes), (0, 0));
}

#[test]
fn under_pressure_answered_requests_go_first_and_are_counted() {
    let (mut waiting, a) = (Waiting::default(), connection("a"));
    let third = WAITING_BYTES_MAX / 3;
    for at in 0..3 {
        waiting.add(seen(&a, at, 200, third));
    }
    assert_eq!(waiting.add(seen(&a, 3, 200, third)), Dropped { successes: 1, refusals: 0 }, "no room for one more");
    assert_eq!(waiting.add(seen(&a, 4, 409, third)), Dropped { successes: 3, refusals: 0 }, "a refusal makes room");
    assert_eq!(waiting.take_all().seen.iter().map(|seen| seen.answered.status).collect::<Vec<_>>(), [409]);
}

#[test]
fn a_refusal_without_room_for_its_body_is_kept_without_it() {
    let (mut waiting, a) = (Waiting::default(), connection("a"));
    waiting.add(seen(&a, 0, 409, WAITING_BYTES_MAX));
    assert_eq!(waiting.add(seen(&a, 1, 409, 10)), Dropped::default());
    let bodies: Vec<bool> = waiting.take_all().seen.iter().map(|seen| seen.answered.body.is_some()).collect();
    assert_eq!(bodies, [true, false]);
}

#[test]
fn refusals_that_wait_are_bounded_and_the_oldest_goes_counted() {
    let (mut waiting, a) = (Waiting::default(), connection("a"));
    for at in 0..REFUSALS_WAITING_MAX {
        waiting.add(seen(&a, i64::try_from(at).expect("small"), 400, 0));
    }
    assert_eq!(waiting.add(seen(&a, -1, 400, 0)), Dropped { successes: 0, refusals: 1 });
    assert_eq!(waiting.refusals.len(), REFUSALS_WAITING_MAX);
}

#[test]
fn requests_without_a_token_are_noted_rarely_however_many_come() {
    let (mut waiting, a) = (Waiting::default(), connection("a"));
    waiting.add(seen(&a, 0, 200, 0));
    for name in ["a", "con_a"] {
        let noted = (0..10_000).filter(|_| waiting.add_stranger(stranger(name), 0)).count();
        assert_eq!(noted, 20, "{name}");
    }
    waiting.know("a", &a.tenant_id, &a.id, 30 * 86_400 * SECOND);
    let month = 30 * 86_400;
    let noted = (0..month).filter(|second| {
        waiting.know("a", &a.tenant_id, &a.id, second * SECOND);
        waiting.add_stranger(stranger("a"), second * SECOND)
    });
    let noted = noted.count();
    assert!(noted < REFUSALS_MAX, "{noted} in a month would push out what is worth keeping");
}

#[test]
fn made_up_addresses_wait_for_a_look_up_in_small_numbers() {
    let mut waiting = Waiting::default();
    let noted = (0..10_000).filter(|number| waiting.add_stranger(stranger(&format!("made-up-{number}")), 0)).count();
    assert_eq!((noted, waiting.names.len()), (UNKNOWN_MAX, 0));
}

#[test]
fn under_load_answered_requests_are_written_at_longer_intervals_and_refusals_at_once() {
    let (mut waiting, a) = (Waiting::default(), connection("a"));
    let load = |waiting: &mut Waiting| {
        for at in 0..500 {
            waiting.add(seen(&a, at, 200, 1));
        }
        waiting.add(seen(&a, 0, 409, 1));
    };
    load(&mut waiting);
    let (work, left) = waiting.take(100 * SECOND);
    assert_eq!((work.seen.len(), left), (501, false));
    load(&mut waiting);
    let (work, left) = waiting.take(101 * SECOND);
    assert_eq!((work.seen.len(), left, waiting.bytes), (1, true, 500));
    let (work, left) = waiting.take(106 * SECOND);
    assert_eq!((work.seen.len(), left), (500, false));
}

#[test]
fn a_flood_of_refusals_is_written_in_parts() {
    let (mut waiting, a) = (Waiting::default(), connection("a"));
    for at in 0..1_200 {
        waiting.add(seen(&a, at, 400, 1));
    }
    let rounds: Vec<_> = (0..3).map(|_| waiting.take(0)).map(|(work, left)| (work.seen.len(), left)).collect();
    assert_eq!(rounds, [(500, true), (500, true), (200, false)]);
    assert_eq!(waiting.bytes, 0);
}
