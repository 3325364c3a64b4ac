//! How much a connection's pushes may remove in an hour (design §3, "Budget"). Over it nothing is done and what would
//! go is held as a run; what a person confirmed passes without being counted. Owns the rule and the reads around it.
//! Refuses to count `active:false`: who has to be locked out is locked out at once.

use super::decide::Moment;
use super::plan::Refusal;
use super::user_id::hex;
use super::{Error, Provisioner, Request};
use crate::clock::{Micros, SECOND};
use crate::model::connection::Budget;
use crate::model::event::LogEntry;
use crate::store::runs::{self, NewItem, Run};
use crate::store::{Batch, events, groups};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const HOUR: Micros = 3_600 * SECOND;
/// Changes one run holds; more are only counted.
pub const ITEMS_MAX: usize = 1_000;
/// Changes of a run read at a time.
const ITEMS_PER_READ: i64 = 1_000;

/// One thing that would go, and what it takes of the budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// `user.delete`, `group.delete` or `member.remove`.
    pub action: &'static str,
    /// The id; for a member `{group}/{member}`.
    pub subject: String,
    pub cost: i64,
}

impl Removal {
    pub fn of_user(id: &str) -> Self {
        Self { action: "user.delete", subject: id.to_owned(), cost: 1 }
    }

    /// A group costs as much as it has members, for they all lose it.
    pub fn of_group(id: &str, members: i64) -> Self {
        Self { action: "group.delete", subject: id.to_owned(), cost: members.max(1) }
    }

    pub fn of_member(group: &str, member: &str) -> Self {
        Self { action: "member.remove", subject: format!("{group}/{member}"), cost: 1 }
    }

    fn id(&self) -> String {
        format!("{}:{}", self.action, self.subject)
    }
}

/// What the rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Within,
    /// Not in this hour, which ends so many seconds from now.
    Over {
        retry_after_seconds: u64,
    },
}

/// How many removals an hour may hold: the larger of the number and the share of `listed`. None: as many as they like.
pub fn allowed(budget: Budget, listed: i64) -> Option<i64> {
    match budget {
        Budget::Off => None,
        Budget::Limit { count, percent } => Some(i64::from(count).max(listed.max(0).saturating_mul(i64::from(percent)) / 100)),
    }
}

/// May `cost` more go where `used` of `allowed` went already?
pub fn verdict(allowed: i64, used: i64, cost: i64, now: Micros) -> Verdict {
    if cost == 0 || used.saturating_add(cost) <= allowed {
        return Verdict::Within;
    }
    let left = HOUR - now.rem_euclid(HOUR);
    Verdict::Over { retry_after_seconds: u64::try_from((left + SECOND - 1) / SECOND).unwrap_or(1) }
}

/// The counter of the hour `now` is in.
pub fn counter(now: Micros) -> String {
    format!("budget:{}", now.div_euclid(HOUR))
}

/// What a confirmation has to name: all that a run holds, in order of id.
pub fn list_hash(items: &[String]) -> String {
    hex(&Sha256::digest(items.join("\n")))[..32].to_owned()
}

impl Provisioner {
    /// Asks for `removals`. The answer belongs into the batch that makes them; over the budget they are held and
    /// refused. Only for connections that have a budget.
    pub(super) async fn spend(&self, request: &Request<'_>, removals: &[Removal]) -> Result<Batch, Error> {
        let connection = request.connection;
        let mut batch = Batch::default();
        if connection.options.budget == Budget::Off || removals.is_empty() {
            return Ok(batch);
        }
        let moment = self.moment(request);
        let listed = groups::total(&self.store, connection, "user").await?;
        let Some(allowed) = allowed(connection.options.budget, listed) else { return Ok(batch) };
        let ids: Vec<String> = removals.iter().map(Removal::id).collect();
        let confirmed = runs::find_confirmed(&self.store, connection, &ids).await?;
        let counted: Vec<&Removal> = removals.iter().filter(|removal| !confirmed.contains_key(&removal.id())).collect();
        let cost = counted.iter().map(|removal| removal.cost).sum();
        let counter = counter(moment.now);
        let used = groups::total(&self.store, connection, &counter).await?;
        if let Verdict::Over { retry_after_seconds } = verdict(allowed, used, cost, moment.now) {
            self.hold(request, &moment, &counted).await?;
            return Err(Refusal::OverBudget { retry_after_seconds }.into());
        }
        if cost > 0 {
            runs::spend(&mut batch, connection, &counter, cost, allowed);
        }
        let done: Vec<(&str, &str)> = confirmed.iter().map(|(item, run)| (run.as_str(), item.as_str())).collect();
        runs::finish(&mut batch, &connection.tenant_id, &done);
        Ok(batch)
    }

    /// Puts what would go on the hour's run. Asked again, it finds everything there and writes nothing.
    async fn hold(&self, request: &Request<'_>, moment: &Moment<'_>, removals: &[&Removal]) -> Result<(), Error> {
        let connection = request.connection;
        let tenant = &connection.tenant_id;
        let id = run_id(connection.id.as_str(), moment.now);
        let before = runs::find(&self.store, tenant, &id).await?;
        let mut held = Vec::new();
        let mut after = String::new();
        loop {
            let page = runs::list_items(&self.store, tenant, &id, &after, ITEMS_PER_READ).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.id);
            held.extend(page.into_iter().filter(|item| item.state == "held").map(|item| item.id));
        }
        let mut new: Vec<NewItem<'_>> = removals
            .iter()
            .map(|removal| NewItem { id: removal.id(), action: removal.action, subject: &removal.subject })
            .filter(|item| held.binary_search(&item.id).is_err())
            .collect();
        if new.is_empty() && before.is_some() {
            return Ok(());
        }
        let room = ITEMS_MAX.saturating_sub(held.len());
        let beyond = new.len().saturating_sub(room);
        new.truncate(room);
        held.extend(new.iter().map(|item| item.id.clone()));
        held.sort_unstable();
        // A run that was confirmed begins a new list.
        let standing = before.as_ref().filter(|run| run.state == "held");
        let unlisted = standing.map_or(0, |run| unlisted(&run.summary)) + beyond as u64;
        let summary = json!({"held": held.len(), "unlisted": unlisted});
        let run = Run {
            id,
            connection_id: connection.id.clone(),
            kind: "push".into(),
            state: "held".into(),
            summary: summary.to_string(),
            list_hash: Some(list_hash(&held)),
            version: before.map_or(0, |run| run.version),
            created_at: moment.now,
            updated_at: moment.now,
            finished_at: None,
        };
        let mut batch = Batch::default();
        runs::hold(&mut batch, tenant, &run, &new);
        let inbox = runs::held_row(moment.id(), &connection.id, &run.id, &run.summary, moment.now);
        events::open_conflicts(&mut batch, tenant, &[inbox]);
        events::insert_log(&mut batch, tenant, &[held_entry(request, moment, &run)]);
        tracing::warn!(connection = %connection.id, run = run.id, held = held.len(), "pushes are over the budget and held");
        Ok(self.store.apply(batch).await?)
    }
}

/// Of the run that holds what this connection's pushes may not remove in this hour.
fn run_id(connection: &str, now: Micros) -> String {
    let digest = hex(&Sha256::digest(format!("{connection}|{}", counter(now))));
    // The hour first, so that a list is in order of time.
    format!("run_{}_{}", now.div_euclid(HOUR), &digest[..12])
}

fn unlisted(summary: &str) -> u64 {
    serde_json::from_str::<Value>(summary).ok().and_then(|summary| summary["unlisted"].as_u64()).unwrap_or(0)
}

fn held_entry(request: &Request<'_>, moment: &Moment<'_>, run: &Run) -> LogEntry {
    LogEntry {
        id: moment.id(),
        kind: "run.held",
        outcome: "refused",
        connection_id: Some(request.connection.id.clone()),
        actor: moment.actor.to_owned(),
        request_id: moment.request_id.to_owned(),
        detail: Some(json!({"subject": run.id}).to_string()),
        at: moment.now,
        ..LogEntry::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Micros = 490_000 * HOUR;

    #[test]
    fn the_larger_of_number_and_share_is_allowed() {
        let budget = Budget::Limit { count: 20, percent: 10 };
        assert_eq!(allowed(budget, 100), Some(20));
        assert_eq!(allowed(budget, 1_009), Some(100));
        assert_eq!(allowed(budget, -3), Some(20), "a count that went astray is no credit");
        assert_eq!(allowed(Budget::Off, 100), None);
    }

    #[test]
    fn the_last_one_passes_and_one_more_does_not() {
        assert_eq!(verdict(20, 19, 1, NOON), Verdict::Within);
        assert_eq!(verdict(20, 20, 1, NOON), Verdict::Over { retry_after_seconds: 3_600 });
        assert_eq!(verdict(20, 0, 21, NOON), Verdict::Over { retry_after_seconds: 3_600 });
    }

    #[test]
    fn what_costs_nothing_passes_even_when_the_hour_is_used_up() {
        assert_eq!(verdict(20, 25, 0, NOON), Verdict::Within);
    }

    #[test]
    fn the_wait_lasts_to_the_end_of_the_hour_and_never_less_than_a_second() {
        let over = |at| verdict(0, 0, 1, at);
        assert_eq!(over(NOON + 1_800 * SECOND), Verdict::Over { retry_after_seconds: 1_800 });
        assert_eq!(over(NOON + HOUR - 1), Verdict::Over { retry_after_seconds: 1 });
    }

    #[test]
    fn the_next_hour_has_a_counter_and_a_run_of_its_own() {
        assert_eq!(counter(NOON), counter(NOON + HOUR - 1));
        assert_ne!(counter(NOON), counter(NOON + HOUR));
        assert_eq!(run_id("con_1", NOON), run_id("con_1", NOON + HOUR - 1));
        assert_ne!(run_id("con_1", NOON), run_id("con_1", NOON + HOUR));
        assert_ne!(run_id("con_1", NOON), run_id("con_2", NOON));
    }

    #[test]
    fn a_group_costs_its_members_and_at_least_one() {
        assert_eq!(Removal::of_group("g", 0).cost, 1);
        assert_eq!(Removal::of_group("g", 40).cost, 40);
    }
}
