//! Work that waits for PostgreSQL, writes and look-ups each in lanes of their own: a few at a time are under way, and what
//! waits meanwhile goes together.
//!
//! Owns: who waits, and for how long. Refuses: knowing what the work is; who comes says of which kind it is ([`super::joint`],
//! [`super::look_up`]).
//!
//! Nobody waits for company: work that finds a lane free starts at once, and what is still in line after a moment
//! leaves it and goes alone, so that a statement held up by a locked row holds up nobody else for longer than that. A
//! statement costs the database as much to start, commit and answer as a few more rows in it, so whoever has to wait anyway
//! is cheaper taken along.

use super::Error;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Statements under way at once. Fewer make larger groups.
const LANES: usize = 2;
/// The longest anybody stands in line. Far longer than a statement takes, far shorter than one that waits for a row: then
/// the lanes may all be held up, by another tenant too.
pub(super) const IN_LINE_MAX: Duration = Duration::from_millis(200);
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
        Self { state: Arc::new(Mutex::new(State { waiting: VecDeque::new(), under_way: 0, number: 0 })) }
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
    /// It took too long: nothing was done.
    Left(W),
}

impl<W: Work> Ticket<W> {
    /// Who is still in line after `patience` leaves it; who is under way is waited for.
    pub(super) async fn outcome(mut self, patience: Duration) -> Ended<W> {
        let gone = || Err(Error::Unavailable { reason: String::from("what was asked of the database was broken off") });
        if let Ok(outcome) = tokio::time::timeout(patience, &mut self.outcome).await {
            return Ended::Answered(outcome.unwrap_or_else(|_| gone()));
        }
        if let Some(work) = self.leave() {
            return Ended::Left(work);
        }
        Ended::Answered((&mut self.outcome).await.unwrap_or_else(|_| gone()))
    }

    /// The work, if it still stood in line.
    fn leave(&self) -> Option<W> {
        let mut state = self.lanes.state();
        let at = state.waiting.iter().position(|waiting| waiting.number == self.number)?;
        state.waiting.remove(at).map(|waiting| waiting.work)
    }
}

impl<W: Work> Drop for Ticket<W> {
    fn drop(&mut self) {
        drop(self.leave());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(10);

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
        assert!(matches!(ticket.outcome(SOON).await, Ended::Left(Named("a"))));
        assert_eq!(counts(&mut lane.expect("a free lane")), [0_usize; 0]);
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
        let (outcome, ()) = tokio::join!(ticket.outcome(SOON), answers);
        assert!(matches!(outcome, Ended::Answered(Ok(()))));
        let (ticket, lane) = push(&lanes, "a");
        drop(lane.expect("a free lane").next());
        assert!(matches!(ticket.outcome(SOON).await, Ended::Answered(Err(Error::Unavailable { .. }))));
    }
}
