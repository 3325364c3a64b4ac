//! Writes that wait for PostgreSQL: a few at a time are under way, and what waits meanwhile goes together.
//!
//! Owns: who waits, and for how long. Refuses: knowing what a write is; who comes says of which kind its batch is ([`super::joint`]).
//!
//! Nobody waits for company: a write that finds a lane free starts at once, and one that is still in line after a moment
//! leaves it and goes alone, so that a statement held up by a locked row holds up nobody else for longer than that. A
//! statement costs the database as much to start, commit and answer as a few more rows in it, so whoever has to wait anyway
//! is cheaper taken along.

use super::Error;
use super::batch::Batch;
use super::joint::Kind;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Statements under way at once. Fewer make larger groups.
const LANES: usize = 2;
/// The longest anybody stands in line. Far longer than a statement takes, far shorter than one that waits for a row: then
/// the lanes may all be held up, by another tenant too.
pub(super) const IN_LINE_MAX: Duration = Duration::from_millis(200);
/// Writes in one statement.
pub(super) const TOGETHER_MAX: usize = 16;

pub(super) type Answer = oneshot::Sender<Result<(), Error>>;

struct Waiting {
    number: u64,
    kind: Kind,
    batch: Batch,
    answer: Answer,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    under_way: usize,
    number: u64,
}

/// The queue. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub(super) struct Lanes {
    state: Arc<Mutex<State>>,
}

/// A lane in use. Dropped (also by a panic) it is free again.
pub(super) struct Lane {
    lanes: Lanes,
    ended: bool,
}

impl Drop for Lane {
    fn drop(&mut self) {
        if !self.ended {
            self.lanes.state().under_way -= 1;
        }
    }
}

impl Lanes {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many stand in line.
    pub(super) fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    /// Puts a batch in line. A lane comes with it if one is free: whoever gets it has to empty the line.
    pub(super) fn push(&self, kind: Kind, batch: Batch) -> (Ticket, Option<Lane>) {
        let (answer, outcome) = oneshot::channel();
        let mut state = self.state();
        state.number += 1;
        let number = state.number;
        state.waiting.push_back(Waiting { number, kind, batch, answer });
        let lane = (state.under_way < LANES).then(|| {
            state.under_way += 1;
            Lane { lanes: self.clone(), ended: false }
        });
        (Ticket { number, outcome, lanes: self.clone() }, lane)
    }
}

impl Lane {
    /// Who waits longest, and those like them. Where nobody waits the lane ends within the same look, so that whoever
    /// comes next gets it.
    pub(super) fn next(&mut self) -> Option<Vec<(Batch, Answer)>> {
        let mut state = self.lanes.state();
        let Some(first) = state.waiting.pop_front() else {
            state.under_way -= 1;
            drop(state);
            self.ended = true;
            return None;
        };
        let kind = first.kind;
        let mut taken = vec![(first.batch, first.answer)];
        let mut at = 0;
        while at < state.waiting.len() && taken.len() < TOGETHER_MAX {
            if state.waiting[at].kind == kind {
                taken.extend(state.waiting.remove(at).map(|like| (like.batch, like.answer)));
            } else {
                at += 1;
            }
        }
        Some(taken)
    }
}

/// A place in line. Dropped, it is given up: who went away asked for nothing.
pub(super) struct Ticket {
    number: u64,
    outcome: oneshot::Receiver<Result<(), Error>>,
    lanes: Lanes,
}

/// How standing in line ended.
#[derive(Debug)]
pub(super) enum Ended {
    Answered(Result<(), Error>),
    /// It took too long: nothing was done with the batch.
    Left(Batch),
}

impl Ticket {
    /// Who is still in line after `patience` leaves it; who is under way is waited for.
    pub(super) async fn outcome(mut self, patience: Duration) -> Ended {
        let gone = || Err(Error::Unavailable { reason: String::from("the write was broken off") });
        if let Ok(outcome) = tokio::time::timeout(patience, &mut self.outcome).await {
            return Ended::Answered(outcome.unwrap_or_else(|_| gone()));
        }
        if let Some(batch) = self.leave() {
            return Ended::Left(batch);
        }
        Ended::Answered((&mut self.outcome).await.unwrap_or_else(|_| gone()))
    }

    /// The batch, if it still stood in line.
    fn leave(&self) -> Option<Batch> {
        let mut state = self.lanes.state();
        let at = state.waiting.iter().position(|waiting| waiting.number == self.number)?;
        state.waiting.remove(at).map(|waiting| waiting.batch)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        drop(self.leave());
    }
}

#[cfg(test)]
mod tests {
    use super::super::joint::Rules;
    use super::*;
    use crate::args;

    const SOON: Duration = Duration::from_millis(10);

    fn push(lanes: &Lanes, tenant: &str) -> (Ticket, Option<Lane>) {
        let mut batch = Batch::default();
        batch.one("INSERT INTO t (tenant_id, id) VALUES ($1, $2)", args![tenant, "x"]);
        lanes.push(Rules::default().kind(&batch.0).expect("goes together"), batch)
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
        let waiting: Vec<_> = ["a", "b", "a", "b", "c"].map(|tenant| push(&lanes, tenant)).into_iter().collect();
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
    async fn who_waits_too_long_leaves_with_the_batch_and_is_not_written_twice() {
        let lanes = Lanes::default();
        let (ticket, lane) = push(&lanes, "a");
        assert!(matches!(ticket.outcome(SOON).await, Ended::Left(batch) if batch.0.len() == 1));
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
