//! What is written down after some events were sent. Pure: who was tried and what came of it goes in, rows come out. Of what was taken
//! nothing is kept but how far the webhook got.

use super::schedule::Schedule;
use crate::clock::Micros;
use crate::store::webhook_deliveries::Waiting;
use crate::store::webhooks::Fares;

/// An event to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    pub row: Waiting,
    /// It has a row already.
    pub is_stored: bool,
    /// It is not this round's: it stands here so that it is next.
    pub is_held: bool,
}

/// What came of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Taken,
    Failed(Failure),
    /// Not sent: something before it failed, or there was no time.
    Untried,
    /// Not sent: something of the same person waits that is not due.
    Behind,
    /// Retention took the event before it could be sent.
    Lost,
}

/// Why an event was not taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    pub status: Option<u16>,
    /// In words, short.
    pub error: String,
    pub retry_after: Option<Micros>,
}

impl Failure {
    /// The receiver says that it is gone for good.
    pub fn is_goodbye(&self) -> bool {
        self.status == Some(410)
    }

    /// Whether it asks for a rest as a whole, and how long.
    pub fn rest(&self) -> Option<Micros> {
        self.retry_after.filter(|_| matches!(self.status, Some(429 | 503)))
    }
}

/// Events of one person or group, in their order, with what came of each.
pub type Chain = Vec<(Task, Outcome)>;

/// What to write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    pub insert: Vec<Waiting>,
    pub update: Vec<Waiting>,
    pub delete: Vec<i64>,
    pub fares: Fares,
    /// The receiver said goodbye.
    pub disabled: bool,
    pub delivered: u64,
    pub failed: u64,
    pub dead: u64,
    pub lost: u64,
    /// The receiver seemed to be away and is back.
    pub is_back: bool,
}

/// `fares` as it was, `reached` how far the announcements were read, `chance` any bytes.
pub fn books(
    fares: &Fares,
    reached: i64,
    chains: Vec<Chain>,
    schedule: &Schedule,
    now: Micros,
    mut chance: impl FnMut() -> u8,
) -> Books {
    let mut books = Books { fares: Fares { position: reached, ..Fares::default() }, ..Books::default() };
    let (mut rest, mut failures, mut delivered) = (None, 0, false);
    for chain in chains {
        // Whether something before it of the same person waits.
        let mut behind = false;
        for (mut task, outcome) in chain {
            match outcome {
                Outcome::Taken => {
                    books.delivered += 1;
                    (delivered, failures) = (true, 0);
                    if task.is_stored {
                        books.delete.push(task.row.position);
                    }
                    continue;
                }
                Outcome::Lost => {
                    books.lost += 1;
                    if task.is_stored {
                        books.delete.push(task.row.position);
                    }
                    continue;
                }
                Outcome::Behind => task.row.next_at = None,
                Outcome::Untried => task.row.next_at = (!behind).then_some(now),
                Outcome::Failed(failure) => {
                    books.failed += 1;
                    failures += 1;
                    rest = rest.max(failure.rest());
                    books.disabled |= failure.is_goodbye();
                    books.fares.last_error = Some(failure.error.clone());
                    tried(&mut task.row, &failure, schedule, now, chance());
                    books.dead += u64::from(task.row.dead_at.is_some());
                }
            }
            behind |= task.row.dead_at.is_none();
            if task.is_stored { books.update.push(task.row) } else { books.insert.push(task.row) }
        }
    }
    let failures = if delivered { failures } else { fares.failures.saturating_add(failures) };
    books.fares.failures = failures;
    books.fares.paused_until = schedule.rest(failures, now, rest, chance());
    books.fares.delivered_at = delivered.then_some(now);
    books.fares.failed_at = (books.failed > 0).then_some(now);
    books.is_back = delivered && fares.failures >= super::schedule::AWAY_AFTER;
    books
}

fn tried(row: &mut Waiting, failure: &Failure, schedule: &Schedule, now: Micros, chance: u8) {
    if row.attempts == 0 {
        row.first_at = now;
    }
    row.attempts = row.attempts.saturating_add(1);
    row.last_at = Some(now);
    row.status = failure.status.map(i64::from);
    row.error = Some(failure.error.clone());
    // Whoever said goodbye gets what waited if somebody switches it on again.
    let retry_after = failure.retry_after.filter(|_| !failure.is_goodbye());
    row.next_at = schedule.next(row.attempts, row.first_at, now, retry_after, chance);
    row.dead_at = row.next_at.is_none().then_some(now);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;

    const NOW: Micros = 1_000 * SECOND;
    const SCHEDULE: Schedule = Schedule { first: 10 * SECOND, most: 100 * SECOND, total: 500 * SECOND };

    fn new(position: i64, subject: &str) -> Task {
        let row = Waiting {
            position,
            event_id: format!("e{position}"),
            subject: subject.into(),
            attempts: 0,
            first_at: NOW,
            last_at: None,
            next_at: None,
            dead_at: None,
            status: None,
            error: None,
        };
        Task { row, is_stored: false, is_held: false }
    }

    fn stored(position: i64, subject: &str, attempts: i64, first_at: Micros) -> Task {
        let mut task = new(position, subject);
        (task.is_stored, task.row.attempts, task.row.first_at, task.row.next_at) = (true, attempts, first_at, Some(NOW));
        task
    }

    fn failed(status: u16) -> Outcome {
        Outcome::Failed(Failure { status: Some(status), error: format!("the answer is {status}"), retry_after: None })
    }

    fn of(fares: &Fares, reached: i64, chains: Vec<Chain>) -> Books {
        books(fares, reached, chains, &SCHEDULE, NOW, || 0)
    }

    #[test]
    fn of_what_is_taken_at_once_only_the_place_is_kept() {
        let books = of(&Fares::default(), 9, vec![vec![(new(7, "a"), Outcome::Taken), (new(9, "a"), Outcome::Taken)]]);
        assert_eq!((books.insert.len(), books.update.len(), books.delete.len(), books.fares.position), (0, 0, 0, 9));
        assert_eq!((books.delivered, books.fares.delivered_at, books.fares.paused_until), (2, Some(NOW), None));
    }

    #[test]
    fn a_failure_holds_back_what_follows_of_the_same_person_and_nobody_else() {
        let chains = vec![
            vec![(new(1, "a"), failed(500)), (new(3, "a"), Outcome::Untried), (new(5, "a"), Outcome::Untried)],
            vec![(new(2, "b"), Outcome::Taken), (new(4, "b"), Outcome::Taken)],
        ];
        let books = of(&Fares::default(), 5, chains);
        let rows: Vec<_> = books.insert.iter().map(|row| (row.position, row.attempts, row.next_at)).collect();
        assert_eq!(rows, [(1, 1, Some(NOW + 8 * SECOND)), (3, 0, None), (5, 0, None)]);
        assert_eq!((books.fares.position, books.delivered, books.failed, books.fares.failures), (5, 2, 1, 0));
    }

    #[test]
    fn what_waited_goes_when_it_is_taken_and_what_waited_behind_it_goes_on() {
        let chain =
            vec![(stored(1, "a", 2, 0), Outcome::Taken), (stored(3, "a", 0, 0), Outcome::Taken), (new(9, "a"), failed(503))];
        let books = of(&Fares::default(), 9, vec![chain]);
        assert_eq!((books.delete, books.insert.len()), (vec![1, 3], 1));
    }

    #[test]
    fn the_last_try_makes_it_dead_and_what_follows_is_not_held_back_by_it() {
        let chain = vec![(stored(1, "a", 6, NOW - 499 * SECOND), failed(500)), (new(9, "a"), Outcome::Taken)];
        let books = of(&Fares::default(), 9, vec![chain]);
        assert_eq!((books.update[0].dead_at, books.update[0].next_at, books.dead, books.delivered), (Some(NOW), None, 1, 1));
        let chain = vec![(stored(1, "a", 6, NOW - 499 * SECOND), failed(500)), (new(9, "a"), Outcome::Untried)];
        assert_eq!(of(&Fares::default(), 9, vec![chain]).insert[0].next_at, Some(NOW), "it is next now");
    }

    #[test]
    fn what_there_was_no_time_for_is_due_at_once_in_order() {
        let books = of(&Fares::default(), 9, vec![vec![(new(1, "a"), Outcome::Untried), (new(2, "a"), Outcome::Untried)]]);
        assert_eq!(books.insert.iter().map(|row| row.next_at).collect::<Vec<_>>(), [Some(NOW), None]);
        assert_eq!(books.insert[0].attempts, 0);
    }

    #[test]
    fn what_comes_behind_somebody_who_waits_waits_too() {
        let books = of(&Fares::default(), 9, vec![vec![(new(8, "a"), Outcome::Behind), (new(9, "a"), Outcome::Behind)]]);
        assert_eq!(books.insert.iter().map(|row| row.next_at).collect::<Vec<_>>(), [None, None]);
    }

    #[test]
    fn failures_in_a_row_end_in_a_rest_and_whoever_is_back_is_told() {
        let chains = |count: i64| (0..count).map(|n| vec![(new(n, &n.to_string()), failed(500))]).collect::<Vec<_>>();
        assert_eq!(of(&Fares::default(), 9, chains(4)).fares.paused_until, None);
        let away = of(&Fares::default(), 9, chains(5));
        assert_eq!((away.fares.failures, away.fares.paused_until, away.is_back), (5, Some(NOW + 8 * SECOND), false));
        let away = of(&away.fares, 9, chains(1));
        assert_eq!((away.fares.failures, away.fares.paused_until), (6, Some(NOW + 16 * SECOND)));
        let back = of(&away.fares, 9, vec![vec![(new(9, "z"), Outcome::Taken)]]);
        assert_eq!((back.fares.failures, back.fares.paused_until, back.is_back), (0, None, true));
    }

    #[test]
    fn a_receiver_that_asks_for_a_rest_gets_it_as_a_whole_and_one_that_says_goodbye_is_switched_off() {
        let busy = Failure { status: Some(429), error: "busy".into(), retry_after: Some(60 * SECOND) };
        let books = of(&Fares::default(), 9, vec![vec![(new(1, "a"), Outcome::Failed(busy))]]);
        assert_eq!((books.fares.paused_until, books.insert[0].next_at), (Some(NOW + 60 * SECOND), Some(NOW + 60 * SECOND)));
        let books = of(&Fares::default(), 9, vec![vec![(new(1, "a"), failed(410))]]);
        assert!(books.disabled && books.insert[0].dead_at.is_none(), "and what it did not take is kept");
    }

    #[test]
    fn an_event_that_retention_took_is_let_go() {
        let books =
            of(&Fares::default(), 9, vec![vec![(stored(1, "a", 1, 0), Outcome::Lost), (stored(2, "a", 0, 0), Outcome::Taken)]]);
        assert_eq!((books.lost, books.delete), (1, vec![1, 2]));
    }
}
