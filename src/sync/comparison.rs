//! The people a directory shows beside those that are stored of it. Pure. Unchanged is what has the same document and was
//! seen by the same version of the mapping; missing may only be asked for with the proof that everything was read.

use crate::ldap::search::Complete;
use crate::model::connection::Budget;
use crate::model::identity::IdentityState;
use crate::provisioning::budget::allowed;
use crate::store::identities::Followed;
use std::collections::{HashMap, HashSet};

/// What an entry is to the roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    New,
    Changed,
    /// Was deleted by the source, and is there again.
    Returning,
    Unchanged,
    /// An id that another entry of this read has: nobody can say who is meant.
    Twice,
}

/// Who is stored, and who of them was met.
pub struct Comparison {
    known: HashMap<String, Followed>,
    met: HashSet<String>,
    /// The mapping that runs: what another version saw has to be seen again.
    mapping: (String, i64),
}

/// Why a run waits for somebody's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// The directory shows nobody, and people are known.
    Empty,
    OverBudget {
        allowed: i64,
    },
}

impl Comparison {
    pub fn new(known: impl IntoIterator<Item = Followed>, mapping: &str, version: i64) -> Self {
        let known = known.into_iter().map(|followed| (followed.external_id.clone(), followed)).collect();
        Self { known, met: HashSet::new(), mapping: (mapping.to_owned(), version) }
    }

    /// Places one entry.
    pub fn meet(&mut self, external_id: &str, raw_hash: &str) -> Met {
        if !self.met.insert(external_id.to_owned()) {
            return Met::Twice;
        }
        let Some(known) = self.known.get(external_id) else { return Met::New };
        if known.state == IdentityState::Deleted {
            return Met::Returning;
        }
        let same_mapping = known.mapping.as_deref() == Some(&self.mapping.0) && known.mapping_version == Some(self.mapping.1);
        if same_mapping && known.raw_hash.as_deref() == Some(raw_hash) { Met::Unchanged } else { Met::Changed }
    }

    /// Who is stored and was not met, by id.
    pub fn missing(&self, _proof: &Complete) -> Vec<&str> {
        let mut missing: Vec<&str> = self
            .present()
            .filter(|known| !self.met.contains(&known.external_id))
            .map(|known| known.external_id.as_str())
            .collect();
        missing.sort_unstable();
        missing
    }

    /// Whether so many missing people are too many to act on at once.
    pub fn held(&self, missing: usize, budget: Budget) -> Option<Held> {
        let present = self.present().count();
        if self.met.is_empty() && present > 0 {
            return Some(Held::Empty);
        }
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let allowed = allowed(budget, number(present))?;
        (number(missing) > allowed).then_some(Held::OverBudget { allowed })
    }

    fn present(&self) -> impl Iterator<Item = &Followed> {
        self.known.values().filter(|known| known.state != IdentityState::Deleted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(id: &str, state: IdentityState, hash: &str, version: i64) -> Followed {
        Followed {
            external_id: id.into(),
            state,
            raw_hash: Some(hash.into()),
            mapping: Some("openldap".into()),
            mapping_version: Some(version),
        }
    }

    #[test]
    fn an_entry_is_new_changed_returning_unchanged_or_twice() {
        let known = [
            followed("same", IdentityState::Active, "h1", 2),
            followed("other", IdentityState::DisabledAtSource, "h1", 2),
            followed("older", IdentityState::Active, "h1", 1),
            followed("gone", IdentityState::Deleted, "h1", 2),
        ];
        let mut comparison = Comparison::new(known, "openldap", 2);
        for (id, hash, wanted) in [
            ("same", "h1", Met::Unchanged),
            ("other", "h2", Met::Changed),
            ("older", "h1", Met::Changed),
            ("gone", "h1", Met::Returning),
            ("new", "h1", Met::New),
            ("new", "h1", Met::Twice),
            ("same", "h1", Met::Twice),
        ] {
            assert_eq!(comparison.meet(id, hash), wanted, "{id}");
        }
    }

    #[test]
    fn nobody_at_all_is_held_whatever_the_budget_says() {
        let known = || [followed("a", IdentityState::Active, "h", 1)];
        assert_eq!(Comparison::new(known(), "m", 1).held(1, Budget::Off), Some(Held::Empty));
        assert_eq!(Comparison::new([], "m", 1).held(0, Budget::Off), None);
        let gone = [followed("a", IdentityState::Deleted, "h", 1)];
        assert_eq!(Comparison::new(gone, "m", 1).held(0, Budget::Off), None);
    }

    #[test]
    fn more_missing_than_the_larger_of_number_and_share_is_held() {
        let known = (0..100).map(|number| followed(&number.to_string(), IdentityState::Active, "h", 1));
        let mut comparison = Comparison::new(known, "m", 1);
        comparison.meet("0", "h");
        let budget = |count, percent| Budget::Limit { count, percent };
        assert_eq!(comparison.held(20, budget(20, 10)), None);
        assert_eq!(comparison.held(21, budget(20, 10)), Some(Held::OverBudget { allowed: 20 }));
        assert_eq!(comparison.held(30, budget(20, 30)), None);
    }
}
