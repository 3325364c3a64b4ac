//! What is to be done with a tenant's keys now. Pure.
//!
//! Relying parties keep what `/jwks.json` said for an hour and more: a key is published a day before it signs, and stays for as long
//! as somebody may still show a token that it signed (an ID token as a hint at the end of a session).

use crate::clock::{Micros, SECOND};
use crate::model::provider_key::{KeyLife, KeyState, SigningAlg};
use crate::model::session;

const DAY: Micros = 86_400 * SECOND;
/// How long a key signs.
pub(super) const SIGNS_FOR: Micros = 90 * DAY;
/// How long the next one is published at least before it signs.
pub(super) const PUBLISHED_FOR: Micros = DAY;
/// When the next one is made, before the other is done.
const MADE_BEFORE: Micros = 3 * DAY;
/// How long one that signed stays: the last session in which it did.
pub(super) const KEPT_FOR: Micros = session::ABSOLUTE + DAY;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Make { alg: SigningAlg, number: i64, state: KeyState },
    Move { key: KeyLife, to: KeyState },
    Forget { key: KeyLife },
}

/// `keys`: each with whether it can be opened here. What can't is left to whoever can, and signs nothing here: a process that was
/// given another key than the rest must not take theirs away. It retires by age, as if it had been followed.
pub(super) fn decide(keys: &[(&KeyLife, bool)], now: Micros) -> Vec<Change> {
    let is_left = |(key, opens): &&(&KeyLife, bool)| {
        !opens && key.state != KeyState::Retired && now.saturating_sub(key.state_since) >= SIGNS_FOR + KEPT_FOR
    };
    let left = keys.iter().filter(is_left).map(|(key, _)| Change::Move { key: (*key).clone(), to: KeyState::Retired });
    let mut changes: Vec<Change> = left.collect();
    for alg in SigningAlg::ALL {
        let own = || keys.iter().map(|(key, _)| *key).filter(move |key| key.alg == alg);
        let of = |state: KeyState| {
            keys.iter().find(|(key, opens)| *opens && key.alg == alg && key.state == state).map(|(key, _)| *key)
        };
        let number = own().map(|key| key.number).max().unwrap_or(0) + 1;
        let since = |key: &KeyLife| now.saturating_sub(key.state_since);
        match (of(KeyState::Active), of(KeyState::Next)) {
            (None, None) => changes.push(Change::Make { alg, number, state: KeyState::Active }),
            (None, Some(next)) => changes.push(Change::Move { key: next.clone(), to: KeyState::Active }),
            (Some(active), Some(next)) if since(active) >= SIGNS_FOR && since(next) >= PUBLISHED_FOR => {
                changes.push(Change::Move { key: active.clone(), to: KeyState::Retired });
                changes.push(Change::Move { key: next.clone(), to: KeyState::Active });
            }
            (Some(active), None) if since(active) >= SIGNS_FOR - MADE_BEFORE => {
                changes.push(Change::Make { alg, number, state: KeyState::Next });
            }
            _ => {}
        }
        let gone = own().filter(|key| key.state == KeyState::Retired && since(key) >= KEPT_FOR);
        changes.extend(gone.map(|key| Change::Forget { key: key.clone() }));
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: i64, state: KeyState, state_since: Micros) -> KeyLife {
        KeyLife { kid: number.to_string(), alg: SigningAlg::Rs256, number, state, created_at: 0, state_since }
    }

    /// What is decided on keys of one algorithm.
    fn of(keys: &[KeyLife], now: Micros) -> Vec<Change> {
        let is_own = |change: &Change| match change {
            Change::Make { alg, .. } => *alg == SigningAlg::Rs256,
            _ => true,
        };
        let keys: Vec<_> = keys.iter().map(|key| (key, true)).collect();
        decide(&keys, now).into_iter().filter(is_own).collect()
    }

    #[test]
    fn the_first_key_of_each_algorithm_signs_at_once() {
        let made = decide(&[], 0);
        assert_eq!(made.len(), 3);
        assert!(made.iter().all(|change| matches!(change, Change::Make { number: 1, state: KeyState::Active, .. })));
    }

    #[test]
    fn the_next_is_made_before_it_is_needed_and_signs_only_after_a_day_in_public() {
        let active = key(1, KeyState::Active, 0);
        assert_eq!(of(std::slice::from_ref(&active), SIGNS_FOR - MADE_BEFORE - 1), []);
        let make = Change::Make { alg: SigningAlg::Rs256, number: 2, state: KeyState::Next };
        assert_eq!(of(std::slice::from_ref(&active), SIGNS_FOR - MADE_BEFORE), [make]);
        // made late, since nobody asked: it waits all the same
        let late = key(2, KeyState::Next, SIGNS_FOR);
        let both = [active.clone(), late.clone()];
        assert_eq!(of(&both, SIGNS_FOR + PUBLISHED_FOR - 1), []);
        let moves = [Change::Move { key: active, to: KeyState::Retired }, Change::Move { key: late, to: KeyState::Active }];
        assert_eq!(of(&both, SIGNS_FOR + PUBLISHED_FOR), moves);
    }

    #[test]
    fn one_that_cant_be_opened_here_is_left_alone_and_another_signs_here() {
        let (active, next) = (key(1, KeyState::Active, 0), key(2, KeyState::Next, 0));
        let of = |keys: &[(&KeyLife, bool)], now| -> Vec<Change> {
            let is_own = |change: &Change| !matches!(change, Change::Make { alg, .. } if *alg != SigningAlg::Rs256);
            decide(keys, now).into_iter().filter(is_own).collect()
        };
        let make = |number| Change::Make { alg: SigningAlg::Rs256, number, state: KeyState::Active };
        assert_eq!(of(&[(&active, false)], 0), [make(2)]);
        assert_eq!(of(&[(&active, false), (&next, false)], 0), [make(3)], "of a number nobody has");
        assert_eq!(of(&[(&active, false), (&key(2, KeyState::Active, 0), true)], 0), []);
        let late = SIGNS_FOR + KEPT_FOR;
        let mine = key(2, KeyState::Active, late);
        let retired = Change::Move { key: active.clone(), to: KeyState::Retired };
        assert_eq!(of(&[(&active, false), (&mine, true)], late), [retired], "nobody followed it");
        assert_eq!(of(&[(&active, false), (&mine, true)], late - 1), []);
    }

    #[test]
    fn one_that_signed_stays_until_its_last_session_is_over() {
        let keys = [key(1, KeyState::Retired, 0), key(2, KeyState::Active, 0)];
        assert_eq!(of(&keys, KEPT_FOR - 1), []);
        assert_eq!(of(&keys, KEPT_FOR), [Change::Forget { key: keys[0].clone() }]);
    }
}
