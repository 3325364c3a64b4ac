//! Writes that wait for PostgreSQL: a few at a time are under way, and what waits meanwhile goes together.
//!
//! Owns: who waits, and for how long. Refuses: knowing what a write is; that is asked of [`Lanes::take`]'s caller.
//!
//! Nobody waits for company: a write that finds a lane free starts at once. A statement costs the database as much to
//! start, commit and answer as a few more rows in it, so whoever has to wait anyway is cheaper taken along.

use super::Error;
use super::batch::Batch;
use super::joint::Kind;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Statements under way at once. Fewer make larger groups; with one, a write that waits for a row of another process
/// would hold up all others.
const LANES: usize = 2;
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
        // Who is there no more to be answered asked for nothing.
        state.waiting.retain(|waiting| !waiting.answer.is_closed());
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

/// A place in line.
pub(super) struct Ticket {
    number: u64,
    outcome: oneshot::Receiver<Result<(), Error>>,
    lanes: Lanes,
}

impl Ticket {
    /// The outcome. Who is still in line after `patience` leaves it; who is under way is waited for.
    pub(super) async fn outcome(mut self, patience: Duration) -> Result<(), Error> {
        let gone = || Err(Error::Unavailable { reason: String::from("the write was broken off") });
        if let Ok(outcome) = tokio::time::timeout(patience, &mut self.outcome).await {
            return outcome.unwrap_or_else(|_| gone());
        }
        let in_line = {
            let mut state = self.lanes.state();
            let at = state.waiting.iter().position(|waiting| waiting.number == self.number);
            at.is_some_and(|at| state.waiting.remove(at).is_some())
        };
        if in_line {
            return Err(Error::Busy { what: "no connection came free in time" });
        }
        (&mut self.outcome).await.unwrap_or_else(|_| gone())
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
    async fn who_waits_too_long_leaves_and_is_not_written() {
        let lanes = Lanes::default();
        let (ticket, lane) = push(&lanes, "a");
        assert!(matches!(ticket.outcome(SOON).await, Err(Error::Busy { .. })));
        assert_eq!(counts(&mut lane.expect("a free lane")), [0_usize; 0]);
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
        assert!(outcome.is_ok());
        let (ticket, lane) = push(&lanes, "a");
        drop(lane.expect("a free lane").next());
        assert!(matches!(ticket.outcome(SOON).await, Err(Error::Unavailable { .. })));
    }
}
