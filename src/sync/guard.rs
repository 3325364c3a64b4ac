//! What of a surveyed run may happen at once, and what waits for somebody's word. Pure: numbers in, reasons out. Absence
//! that comes of a mistake (a filter, a right, a server that lags behind, an empty answer) looks like people who left; here
//! it is told from them as far as numbers can, and held where they can't.

use crate::model::connection::Budget;
use crate::provisioning::budget::allowed;

/// From this share of the known people on, missing people are held however few they are: a directory that shows less than
/// 40 % of what it did is looked at by somebody first.
const MOST_PERCENT: i64 = 60;

/// Why something waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The directory shows nobody, and people are known.
    Empty { known: i64 },
    /// The directory shows no group, and groups are known.
    NoGroups { known: i64 },
    /// Most of the known people are missing.
    MostGone { missing: i64, known: i64 },
    /// More would go than the budget allows: people who are missing, people who are disabled, members who leave groups.
    OverBudget { wanted: i64, spent: i64, allowed: i64 },
    /// Entries without an id: one of them may be whoever is missing.
    WithoutId { entries: i64, attribute: String },
    /// Base, filter or server kind are not those of the last run: who is missing may only not be asked for.
    Area,
    /// People are recognised by another attribute than until now: everybody would be new, and everybody missing.
    IdAttribute { before: String, now: String },
    /// A server answered that does not know of changes that were seen before.
    Older { server: String },
    /// One attribute changes for more people than the budget allows to go.
    MassChange { attribute: String, people: i64, allowed: i64 },
}

impl Why {
    /// Stable: what a program goes by.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty { .. } => "empty",
            Self::NoGroups { .. } => "no_groups",
            Self::MostGone { .. } => "most_gone",
            Self::OverBudget { .. } => "over_budget",
            Self::WithoutId { .. } => "without_id",
            Self::Area => "area_changed",
            Self::IdAttribute { .. } => "id_attribute_changed",
            Self::Older { .. } => "older_state",
            Self::MassChange { .. } => "mass_change",
        }
    }

    pub fn words(&self) -> String {
        match self {
            Self::Empty { .. } => String::from("the directory shows nobody, and people are known"),
            Self::NoGroups { .. } => String::from("the directory shows no group, and groups are known"),
            Self::MostGone { missing, known } => format!("{missing} of {known} known people are missing"),
            Self::OverBudget { wanted, spent: 0, allowed } => {
                format!("more would go ({wanted}) than the budget of the connection allows ({allowed})")
            }
            Self::OverBudget { wanted, spent, allowed } => format!(
                "{wanted} would go, and {spent} went since the last complete read: more than the budget of the connection allows ({allowed})"
            ),
            Self::WithoutId { entries, attribute } => format!(
                "{entries} entries have no {attribute}, and whoever is missing may be one of them; leave them out by user_filter"
            ),
            Self::Area => String::from(
                "what is read (base, filter or kind of server) is not what the last run read, and people are missing",
            ),
            Self::IdAttribute { before, now } => {
                format!(
                    "people are recognised by {now} now and were by {before}: everybody would come anew, and everybody known go"
                )
            }
            Self::Older { server } => {
                format!("{server} does not know of changes that another server of the directory showed before: it lags behind")
            }
            Self::MassChange { attribute, people, allowed } => {
                format!("{attribute} changes for {people} people at once, and the budget of the connection is {allowed}")
            }
        }
    }
}

/// What a survey found; what somebody has confirmed is left out of all counts but `known`, `met` and `missing_in_all`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// People in the roster by this directory, before the run.
    pub known: i64,
    /// Entries with an id.
    pub met: i64,
    /// Known and not met, with those that are confirmed.
    pub missing_in_all: i64,
    /// Known and not met.
    pub missing: i64,
    /// Of those, who has been missing long enough to go.
    pub leaving: i64,
    /// Known people whom their entry bars from now on.
    pub barring: i64,
    /// Members that leave groups, those of groups that go included.
    pub removals: i64,
    /// What runs that read changes alone took of the budget since the last complete read: many small ones are no way around it.
    pub spent: i64,
    /// Groups in the roster by this directory, and groups it shows.
    pub known_groups: i64,
    pub met_groups: i64,
    /// Entries without a readable id whose DN nobody known has.
    pub without_id: i64,
    pub id_attribute: String,
    pub area_changed: bool,
    /// The attribute until now, if it was another.
    pub id_attribute_before: Option<String>,
    /// The server that shows an older state, if it does.
    pub older: Option<String>,
    /// The attribute that changes for the most people who had a value of it, and for how many.
    pub mass: Option<(String, i64)>,
}

/// What waits, each for its reasons; what has none may happen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Nothing at all is written.
    pub everything: Vec<Why>,
    /// Nobody goes for being missing.
    pub absence: Vec<Why>,
    /// No member leaves a group, and no group goes.
    pub removals: Vec<Why>,
    /// Nobody is barred.
    pub barring: Vec<Why>,
    /// No known person changes.
    pub changes: Vec<Why>,
}

impl Seen {
    /// What would be taken of the budget.
    pub fn wanted(&self) -> i64 {
        self.leaving + self.barring + self.removals
    }

    /// What is taken of it where this is held.
    pub fn taken(&self, held: &Held) -> i64 {
        let free = |why: &[Why], count: i64| if why.is_empty() && held.everything.is_empty() { count } else { 0 };
        free(&held.absence, self.leaving) + free(&held.barring, self.barring) + free(&held.removals, self.removals)
    }
}

impl Held {
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Each reason once.
    pub fn reasons(&self) -> Vec<&Why> {
        let mut all: Vec<&Why> = Vec::new();
        for why in self.everything.iter().chain(&self.absence).chain(&self.removals).chain(&self.barring).chain(&self.changes) {
            if !all.contains(&why) {
                all.push(why);
            }
        }
        all
    }
}

/// The verdict.
pub fn held(seen: &Seen, budget: Budget) -> Held {
    let mut held = Held::default();
    let allowed = allowed(budget, seen.known);
    if let Some(before) = seen.id_attribute_before.clone().filter(|_| seen.known > 0) {
        held.everything.push(Why::IdAttribute { before, now: seen.id_attribute.clone() });
    }
    if let Some(server) = seen.older.clone() {
        held.everything.push(Why::Older { server });
    }
    if seen.missing > 0 {
        if seen.met == 0 {
            held.absence.push(Why::Empty { known: seen.known });
        } else if seen.missing_in_all.saturating_mul(100) >= seen.known.saturating_mul(MOST_PERCENT) {
            held.absence.push(Why::MostGone { missing: seen.missing_in_all, known: seen.known });
        }
        if seen.without_id > 0 {
            held.absence.push(Why::WithoutId { entries: seen.without_id, attribute: seen.id_attribute.clone() });
        }
        if seen.area_changed {
            held.absence.push(Why::Area);
        }
    }
    if seen.removals > 0 {
        // A part of the people is a part of the members.
        held.removals.clone_from(&held.absence);
        if seen.area_changed && held.removals.is_empty() {
            held.removals.push(Why::Area);
        }
        if seen.known_groups > 0 && seen.met_groups == 0 {
            held.removals.push(Why::NoGroups { known: seen.known_groups });
        }
    }
    let (wanted, spent) = (seen.wanted(), seen.spent);
    if let Some(allowed) = allowed.filter(|allowed| wanted > 0 && wanted + spent > *allowed) {
        let why = Why::OverBudget { wanted, spent, allowed };
        held.absence.push(why.clone());
        held.removals.push(why.clone());
        held.barring.push(why);
    }
    if let (Some(allowed), Some((attribute, people))) = (allowed, &seen.mass)
        && *people > allowed
    {
        held.changes.push(Why::MassChange { attribute: attribute.clone(), people: *people, allowed });
    }
    held
}

/// What one more complete read without somebody comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// So many reads in a row by now; not enough.
    Waits(i64),
    Leaves,
}

/// `missing_runs` = in how many complete reads in a row a person has to be missing.
pub fn absence(missed_before: i64, missing_runs: u32) -> Absence {
    let missed = missed_before.max(0).saturating_add(1);
    if missed >= i64::from(missing_runs.max(1)) { Absence::Leaves } else { Absence::Waits(missed) }
}

/// What a server shows of when things changed, as text of 14 digits (`YYYYMMDDHHMMSS`).
#[derive(Clone, Copy, Debug)]
pub struct Marks<'m> {
    /// The latest change that the last run saw.
    pub before: Option<&'m str>,
    /// The latest that this one sees.
    pub newest: Option<&'m str>,
    /// What this one sees of the entry that had the latest change before.
    pub of_newest_before: Option<&'m str>,
    /// Another URL answers than last time.
    pub other_server: bool,
    /// Servers put their own time on a change when it reaches them (Active Directory), so that an hour says nothing.
    pub of_its_own: bool,
}

/// Does a server show an older state than the last run saw? An entry that went back in time says so by itself; that the
/// latest change is not there is only told from its deletion where another server answers.
pub fn is_older(marks: Marks<'_>) -> bool {
    let earlier = |mark: Option<&str>| match (marks.before, mark) {
        (Some(before), Some(mark)) if marks.of_its_own => plus_an_hour(mark).is_some_and(|later| *later < *before),
        (Some(before), Some(mark)) => mark < before,
        _ => false,
    };
    earlier(marks.of_newest_before) || marks.other_server && earlier(marks.newest)
}

/// An hour later, within a day or on the next; the calendar is jiff's.
fn plus_an_hour(mark: &str) -> Option<String> {
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", mark).ok()?;
    let later = time.checked_add(jiff::SignedDuration::from_hours(1)).ok()?;
    Some(later.strftime("%Y%m%d%H%M%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Budget = Budget::Limit { count: 20, percent: 10 };

    fn seen(known: i64, missing: i64) -> Seen {
        let id_attribute = "entryUUID".into();
        Seen { known, met: known - missing, missing_in_all: missing, missing, leaving: missing, id_attribute, ..Seen::default() }
    }

    fn codes(seen: &Seen, budget: Budget) -> Vec<&'static str> {
        held(seen, budget).reasons().iter().map(|why| why.code()).collect()
    }

    #[test]
    fn missing_people_are_held_by_number_share_and_size_of_the_directory() {
        for (known, missing, wanted) in [
            (0, 0, vec![]),
            (1, 1, vec!["empty"]),
            (2, 1, vec![]),
            (3, 2, vec!["most_gone"]),
            (5, 3, vec!["most_gone"]),
            (10, 5, vec![]),
            (10, 6, vec!["most_gone"]),
            (30, 30, vec!["empty", "over_budget"]),
            (33, 19, vec![]),
            (100, 20, vec![]),
            (100, 21, vec!["over_budget"]),
            (1_000, 100, vec![]),
            (1_000, 101, vec!["over_budget"]),
            (1_000, 600, vec!["most_gone", "over_budget"]),
        ] {
            assert_eq!(codes(&seen(known, missing), BUDGET), wanted, "{missing} of {known}");
        }
    }

    #[test]
    fn without_a_budget_an_empty_answer_and_one_without_most_people_are_held_all_the_same() {
        assert_eq!(codes(&seen(4, 4), Budget::Off), ["empty"]);
        assert_eq!(codes(&seen(100, 60), Budget::Off), ["most_gone"]);
        assert_eq!(codes(&seen(100, 59), Budget::Off), Vec::<&str>::new());
    }

    #[test]
    fn the_budget_counts_whoever_goes_is_barred_or_leaves_a_group_together() {
        let some = Seen { leaving: 7, barring: 7, removals: 6, ..seen(100, 7) };
        assert!(held(&some, BUDGET).is_none());
        let more = Seen { removals: 7, ..some };
        let held = held(&more, BUDGET);
        assert_eq!(held.absence, [Why::OverBudget { wanted: 21, spent: 0, allowed: 20 }]);
        assert_eq!(held.barring, held.absence);
        assert!(held.changes.is_empty() && held.everything.is_empty());
    }

    #[test]
    fn what_deltas_took_of_the_budget_is_gone_and_alone_holds_nothing() {
        let spent = |spent, missing| Seen { spent, ..seen(100, missing) };
        assert!(held(&spent(15, 5), BUDGET).is_none());
        assert_eq!(held(&spent(15, 6), BUDGET).absence, [Why::OverBudget { wanted: 6, spent: 15, allowed: 20 }]);
        assert!(held(&spent(30, 0), BUDGET).is_none(), "the budget was lowered since");
    }

    #[test]
    fn an_entry_without_an_id_or_another_area_holds_whoever_is_missing_and_nobody_else() {
        for one in [Seen { without_id: 1, ..seen(50, 1) }, Seen { area_changed: true, ..seen(50, 1) }] {
            assert_eq!(held(&one, BUDGET).absence.len(), 1);
            let nobody = Seen { missing: 0, leaving: 0, missing_in_all: 0, ..one };
            assert!(held(&nobody, BUDGET).is_none());
        }
    }

    #[test]
    fn members_wait_where_people_do_and_where_no_group_is_shown() {
        let some = Seen { removals: 1, known_groups: 2, met_groups: 2, ..seen(50, 0) };
        assert!(held(&some, BUDGET).is_none());
        for one in [
            Seen { met_groups: 0, ..some.clone() },
            Seen { area_changed: true, ..some.clone() },
            Seen { removals: 1, ..seen(5, 5) },
        ] {
            assert_eq!(held(&one, BUDGET).removals.len(), 1, "{one:?}");
        }
    }

    #[test]
    fn another_id_attribute_or_an_older_state_lets_nothing_through() {
        let other = Seen { id_attribute_before: Some("uid".into()), ..seen(3, 0) };
        assert_eq!(held(&other, Budget::Off).everything.len(), 1);
        assert!(held(&Seen { known: 0, ..other }, Budget::Off).is_none(), "nobody is known yet");
        let older = Seen { older: Some("ldaps://dc2".into()), ..seen(3, 0) };
        assert_eq!(codes(&older, Budget::Off), ["older_state"]);
    }

    #[test]
    fn one_attribute_that_changes_for_many_is_held() {
        let changing = |people| Seen { mass: Some(("email".into(), people)), ..seen(100, 0) };
        assert!(held(&changing(20), BUDGET).is_none());
        assert_eq!(held(&changing(21), BUDGET).changes.len(), 1);
        assert!(held(&changing(100), Budget::Off).is_none());
    }

    #[test]
    fn what_somebody_confirmed_is_no_reason_any_more() {
        let confirmed = Seen { missing: 0, leaving: 0, ..seen(10, 10) };
        assert!(held(&confirmed, BUDGET).is_none());
        let one_more = Seen { missing: 1, leaving: 1, ..seen(10, 10) };
        assert_eq!(codes(&one_more, BUDGET), ["empty"]);
    }

    #[test]
    fn a_person_leaves_after_so_many_complete_reads_in_a_row() {
        assert_eq!(absence(0, 1), Absence::Leaves);
        assert_eq!(absence(0, 3), Absence::Waits(1));
        assert_eq!(absence(1, 3), Absence::Waits(2));
        assert_eq!(absence(2, 3), Absence::Leaves);
        assert_eq!((absence(7, 1), absence(-1, 2), absence(0, 0)), (Absence::Leaves, Absence::Waits(1), Absence::Leaves));
    }

    #[test]
    fn a_server_that_lags_behind_is_told_from_one_whose_newest_entry_went() {
        let (before, earlier, later) = (Some("20260102000000"), Some("20260101000000"), Some("20260103000000"));
        for (newest, of_newest_before, other_server, older) in [
            (later, later, true, false),
            (before, before, true, false),
            // The entry is there as it was before its change.
            (earlier, earlier, false, true),
            (later, earlier, false, true),
            // The entry is not there: deleted, or not there yet.
            (earlier, None, false, false),
            (earlier, None, true, true),
            (later, None, true, false),
            (None, None, true, false),
        ] {
            let marks = Marks { before, newest, of_newest_before, other_server, of_its_own: false };
            assert_eq!(is_older(marks), older, "{marks:?}");
            assert!(!is_older(Marks { before: None, ..marks }), "nothing was seen before");
            assert_eq!(is_older(Marks { of_its_own: true, ..marks }), older, "a day is more than an hour");
        }
        let near = Marks {
            before: Some("20260102000500"),
            newest: Some("20260101233000"),
            of_newest_before: Some("20260101233000"),
            other_server: true,
            of_its_own: true,
        };
        assert!(!is_older(near));
        assert!(is_older(Marks { of_its_own: false, ..near }));
    }
}
