//! Work that waits for PostgreSQL, writes and look-ups each in lanes of their own: a few at a time are under way, and what
//! waits meanwhile goes together.
//!
//! Owns: who waits, and for how long. Refuses: knowing what the work is; who comes says of which kind it is ([`super::joint`],
//! [`super::look_up`]).
//!
//! Nobody waits for company: work that finds a lane free starts at once, and where the line stands still for a moment, whoever
//! is in it leaves it and goes alone, so that a statement held up by a locked row holds up nobody else for longer than that. A
//! statement costs the database as much to start, commit and answer as a few more rows in it, so whoever has to wait anyway
//! is cheaper taken along. A line that moves is not left, however long it is: those who left it under load would each cost
//! a statement of their own, just when there is the least room for that.

use super::Error;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Statements under way at once. Fewer make larger groups.
const LANES: usize = 2;
/// The longest anybody stands in a line that does not move. Far longer than a statement takes, far shorter than one that waits for
/// a row: then the lanes may all be held up, by another tenant too.
pub(super) const STANDSTILL_MAX: Duration = Duration::from_millis(200);
/// As many go in one statement.
pub(super) const TOGETHER_MAX: usize = 16;

/// What has a line of its own.
pub(super) trait Work: Sized {
    /// What comes of it.
    type Outcome;

    /// May both go in one statement?
    fn goes_with(&self, other: &Self) -> bool;
}

/// Where the outcome of some work goes.
pub(super) type Answer<W> = oneshot::Sender<Result<<W as Work>::Outcome, Error>>;

struct Waiting<W: Work> {
    number: u64,
    work: W,
    answer: Answer<W>,
}

struct State<W: Work> {
    waiting: VecDeque<Waiting<W>>,
    under_way: usize,
    number: u64,
    /// When somebody was last taken from the line, or it began.
    moved_at: Instant,
}

impl<W: Work> State<W> {
    /// Where in line somebody stands: numbers only grow.
    fn place(&self, number: u64) -> Option<usize> {
        self.waiting.binary_search_by_key(&number, |waiting| waiting.number).ok()
    }
}

/// The queue. Cheap to clone; all clones are one.
pub(super) struct Lanes<W: Work> {
    state: Arc<Mutex<State<W>>>,
}

impl<W: Work> Clone for Lanes<W> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state) }
    }
}

impl<W: Work> Default for Lanes<W> {
    fn default() -> Self {
        let state = State { waiting: VecDeque::new(), under_way: 0, number: 0, moved_at: Instant::now() };
        Self { state: Arc::new(Mutex::new(state)) }
    }
}

/// A lane in use. Dropped (also by a panic) it is free again.
pub(super) struct Lane<W: Work> {
    lanes: Lanes<W>,
    ended: bool,
}

impl<W: Work> Drop for Lane<W> {
    fn drop(&mut self) {
        if !self.ended {
            self.lanes.state().under_way -= 1;
        }
    }
}

impl<W: Work> Lanes<W> {
    fn state(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many stand in line.
    pub(super) fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    /// Puts work in line. A lane comes with it if one is free: whoever gets it has to empty the line.
    pub(super) fn push(&self, work: W) -> (Ticket<W>, Option<Lane<W>>) {
        let (answer, outcome) = oneshot::channel();
        let mut state = self.state();
        state.number += 1;
        let number = state.number;
        if state.waiting.is_empty() {
            state.moved_at = Instant::now();
        }
        state.waiting.push_back(Waiting { number, work, answer });
        let lane = (state.under_way < LANES).then(|| {
            state.under_way += 1;
            Lane { lanes: self.clone(), ended: false }
        });
        (Ticket { number, outcome, lanes: self.clone() }, lane)
    }
}

impl<W: Work> Lane<W> {
    /// Who waits longest, and those like them. Where nobody waits the lane ends within the same look, so that whoever
    /// comes next gets it.
    pub(super) fn next(&mut self) -> Option<Vec<(W, Answer<W>)>> {
        let mut state = self.lanes.state();
        let Some(first) = state.waiting.pop_front() else {
            state.under_way -= 1;
            drop(state);
            self.ended = true;
            return None;
        };
        state.moved_at = Instant::now();
        let mut taken = vec![(first.work, first.answer)];
        let mut at = 0;
        while at < state.waiting.len() && taken.len() < TOGETHER_MAX {
            if state.waiting[at].work.goes_with(&taken[0].0) {
                taken.extend(state.waiting.remove(at).map(|like| (like.work, like.answer)));
            } else {
                at += 1;
            }
        }
        Some(taken)
    }
}

/// A place in line. Dropped, it is given up: who went away asked for nothing.
pub(super) struct Ticket<W: Work> {
    number: u64,
    outcome: oneshot::Receiver<Result<W::Outcome, Error>>,
    lanes: Lanes<W>,
}

/// How standing in line ended.
pub(super) enum Ended<W: Work> {
    Answered(Result<W::Outcome, Error>),
    /// The line stood still: nothing was done.
    Left(W),
}

impl<W: Work> Ticket<W> {
    /// Who is in a line that stands still for `standstill` leaves it, who is in one that moves is told after `patience` that it is too
    /// long; who is under way is waited for.
    pub(super) async fn outcome(mut self, standstill: Duration, patience: Duration) -> Ended<W> {
        let gone = || Err(Error::Unavailable { reason: String::from("what was asked of the database was broken off") });
        let (came, mut look) = (Instant::now(), standstill);
        loop {
            if let Ok(outcome) = tokio::time::timeout(look, &mut self.outcome).await {
                return Ended::Answered(outcome.unwrap_or_else(|_| gone()));
            }
            let mut state = self.lanes.state();
            let Some(at) = state.place(self.number) else { break };
            let still = state.moved_at.elapsed();
            let is_too_long = came.elapsed() >= patience;
            if still < standstill && !is_too_long {
                look = standstill - still;
                continue;
            }
            let work = state.waiting.remove(at).map(|waiting| waiting.work);
            return match work {
                Some(work) if still >= standstill => Ended::Left(work),
                _ => Ended::Answered(Err(Error::Busy { what: "too many wait for the database" })),
            };
        }
        Ended::Answered((&mut self.outcome).await.unwrap_or_else(|_| gone()))
    }

    fn leave(&self) {
        let mut state = self.lanes.state();
        if let Some(at) = state.place(self.number) {
            state.waiting.remove(at);
        }
    }
}

impl<W: Work> Drop for Ticket<W> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(10);
    const LATE: Duration = Duration::from_secs(2);

    struct Named(&'static str);

    impl Work for Named {
        type Outcome = ();

        fn goes_with(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }

    type Lanes = super::Lanes<Named>;
    type Lane = super::Lane<Named>;

    fn push(lanes: &Lanes, kind: &'static str) -> (Ticket<Named>, Option<Lane>) {
        lanes.push(Named(kind))
    }

    fn counts(lane: &mut Lane) -> Vec<usize> {
        std::iter::from_fn(|| lane.next()).map(|group| group.len()).collect()
    }

    #[test]
    fn few_are_under_way_and_who_waits_goes_with_those_like_them() {
        let lanes = Lanes::default();
        let (_first, lane) = push(&lanes, "a");
        let mut lane = lane.expect("a free lane");
        assert_eq!(lane.next().expect("one").len(), 1);
        let others: Vec<_> = (1..LANES).map(|_| push(&lanes, "a").1.expect("a free lane")).collect();
        let waiting: Vec<_> = ["a", "b", "a", "b", "c"].map(|kind| push(&lanes, kind)).into_iter().collect();
        assert!(waiting.iter().all(|(_, lane)| lane.is_none()));
        drop(others);
        // Those whose tickets are gone are not among them.
        assert_eq!(counts(&mut lane), [2, 2, 1]);
    }

    #[test]
    fn a_statement_takes_no_more_than_its_share() {
        let lanes = Lanes::default();
        let (ticket, lane) = push(&lanes, "a");
        let mut tickets = vec![ticket];
        tickets.extend((0..TOGETHER_MAX).map(|_| push(&lanes, "a").0));
        assert_eq!(counts(&mut lane.expect("a free lane")), [TOGETHER_MAX, 1]);
    }

    #[test]
    fn a_lane_that_ended_or_broke_is_free_again() {
        let lanes = Lanes::default();
        let open = || (0..LANES).map(|_| push(&lanes, "a").1.expect("a free lane")).collect::<Vec<_>>();
        drop(open());
        for lane in &mut open() {
            while lane.next().is_some() {}
        }
        assert_eq!(open().len(), LANES);
    }

    #[tokio::test]
    async fn who_waits_too_long_leaves_with_the_work_and_it_is_not_done_twice() {
        let lanes = Lanes::default();
        let (ticket, lane) = push(&lanes, "a");
        assert!(matches!(ticket.outcome(SOON, LATE).await, Ended::Left(Named("a"))));
        assert_eq!(counts(&mut lane.expect("a free lane")), [0_usize; 0]);
    }

    #[tokio::test]
    async fn who_is_in_a_line_that_moves_stays_in_it_until_it_is_too_long() {
        let lanes = Lanes::default();
        let mut lane = push(&lanes, "a").1.expect("a free lane");
        let mut other = push(&lanes, "b").1.expect("a free lane");
        let (last, _) = push(&lanes, "last");
        // Nobody takes the last one, and the line moves all the same.
        let moving = async {
            loop {
                tokio::time::sleep(SOON / 2).await;
                lanes.state().moved_at = Instant::now();
            }
        };
        let came = Instant::now();
        let ended = tokio::select! {
            ended = last.outcome(SOON * 30, SOON * 36) => ended,
            () = moving => unreachable!("it moves for ever"),
        };
        assert!(matches!(ended, Ended::Answered(Err(Error::Busy { .. }))));
        assert!(came.elapsed() >= SOON * 36);
        assert_eq!([counts(&mut lane), counts(&mut other)], [vec![0; 0], vec![]], "it is in line no more");
    }

    #[test]
    fn who_goes_away_leaves_nothing_in_line_though_no_lane_looks() {
        let lanes = Lanes::default();
        let held: Vec<_> = (0..LANES).map(|_| push(&lanes, "a").1.expect("a free lane")).collect();
        (0..100).for_each(|_| drop(push(&lanes, "a")));
        assert_eq!(lanes.waiting(), 0);
        drop(held);
    }

    #[tokio::test]
    async fn who_is_under_way_is_waited_for_and_a_lost_outcome_is_no_success() {
        let lanes = Lanes::default();
        let (ticket, lane) = push(&lanes, "a");
        let group = lane.expect("a free lane").next().expect("one");
        let answers = async move {
            tokio::time::sleep(SOON * 5).await;
            group.into_iter().for_each(|(_, answer)| drop(answer.send(Ok(()))));
        };
        let (outcome, ()) = tokio::join!(ticket.outcome(SOON, LATE), answers);
        assert!(matches!(outcome, Ended::Answered(Ok(()))));
        let (ticket, lane) = push(&lanes, "a");
        drop(lane.expect("a free lane").next());
        assert!(matches!(ticket.outcome(SOON, LATE).await, Ended::Answered(Err(Error::Unavailable { .. }))));
    }
}
