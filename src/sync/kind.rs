//! Whether a run may read changes alone, or has to read everything. Pure: what is known of the last runs in, a word out. In
//! doubt everything is read.

use crate::clock::Micros;

/// What a run reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Delta,
    Full(Why),
}

/// Why everything is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// `--full`.
    Asked,
    /// `delta=off`.
    Off,
    /// Nothing was read to its end so far.
    First,
    /// The last complete read is too old.
    Due,
    /// A run is held, or was let through: its list is one of everybody.
    Waits,
    /// The connection or a mapping is another one.
    Changed,
    /// The clock changes what the mapping says of too many people.
    Clock,
    /// There is no place to go on from.
    NoPlace,
    /// Changes were read, and could not be gone on with: why.
    Fell(String),
}

impl Why {
    pub fn words(&self) -> String {
        String::from(match self {
            Self::Asked => "it was asked for",
            Self::Off => "delta=off",
            Self::First => "nothing was read to its end so far",
            Self::Due => "the last complete read is older than full_every",
            Self::Waits => "a run is held, or was let through",
            Self::Changed => "the connection or a mapping is another one than at the last complete read",
            Self::Clock => "the clock alone changes what the mapping says of too many people",
            Self::NoPlace => "there is no place to go on from",
            Self::Fell(why) => return format!("the delta could not be gone on with: {why}"),
        })
    }

    /// Is it the complete read's turn? One that stands in for a delta counts with the deltas: neither the budget nor the next
    /// complete read begins anew with it. Nor with one that is there because somebody's word is waited for: what was held for a
    /// budget that is used up would go without that word.
    pub fn is_its_turn(&self) -> bool {
        !matches!(self, Self::Fell(_) | Self::Waits)
    }

    /// Are the places from which it might go on worth nothing?
    pub fn is_in_doubt(&self) -> bool {
        matches!(self, Self::Fell(_))
    }
}

/// What is known.
#[derive(Clone, Debug)]
pub struct Facts<'f> {
    pub asked: bool,
    pub off: bool,
    pub now: Micros,
    /// When everything was last read in its turn, and how old that may be.
    pub full_at: Option<Micros>,
    pub full_every: Micros,
    /// When the connection was last changed.
    pub changed_at: Micros,
    pub waits: bool,
    /// A hash of what is asked and what is made of it, and the one at the last complete read.
    pub question: &'f str,
    pub question_before: Option<&'f str>,
    /// The places that are needed are there.
    pub has_places: bool,
    /// It is known whom the clock changes.
    pub knows_the_restless: bool,
}

/// What the next run reads.
pub fn kind(facts: &Facts<'_>) -> Kind {
    let Some(full_at) = facts.full_at else {
        let why = if facts.off {
            Why::Off
        } else if facts.asked {
            Why::Asked
        } else {
            Why::First
        };
        return Kind::Full(why);
    };
    let age = facts.now.saturating_sub(full_at);
    let reasons = [
        (facts.asked, Why::Asked),
        (facts.off, Why::Off),
        (facts.waits, Why::Waits),
        // A clock that was ahead once says nothing of how old it is.
        (age < 0 || age >= facts.full_every, Why::Due),
        (facts.question_before != Some(facts.question) || facts.changed_at > full_at, Why::Changed),
        (!facts.has_places, Why::NoPlace),
        (!facts.knows_the_restless, Why::Clock),
    ];
    match reasons.into_iter().find(|(holds, _)| *holds) {
        Some((_, why)) => Kind::Full(why),
        None => Kind::Delta,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts<'static> {
        Facts {
            asked: false,
            off: false,
            now: 1_000,
            full_at: Some(900),
            full_every: 500,
            changed_at: 10,
            waits: false,
            question: "q",
            question_before: Some("q"),
            has_places: true,
            knows_the_restless: true,
        }
    }

    #[test]
    fn changes_are_read_while_everything_is_as_it_was_at_the_last_complete_read() {
        assert_eq!(kind(&facts()), Kind::Delta);
    }

    #[test]
    fn any_doubt_means_reading_everything() {
        for (one, why) in [
            (Facts { asked: true, ..facts() }, Why::Asked),
            (Facts { off: true, ..facts() }, Why::Off),
            (Facts { full_at: None, ..facts() }, Why::First),
            (Facts { full_at: None, off: true, ..facts() }, Why::Off),
            (Facts { now: 1_400, ..facts() }, Why::Due),
            (Facts { now: 800, ..facts() }, Why::Due),
            (Facts { waits: true, ..facts() }, Why::Waits),
            (Facts { question: "other", ..facts() }, Why::Changed),
            (Facts { question_before: None, ..facts() }, Why::Changed),
            (Facts { changed_at: 950, ..facts() }, Why::Changed),
            (Facts { has_places: false, ..facts() }, Why::NoPlace),
            (Facts { knows_the_restless: false, ..facts() }, Why::Clock),
        ] {
            assert_eq!(kind(&one), Kind::Full(why));
        }
    }

    #[test]
    fn a_complete_read_that_stands_in_for_a_delta_is_not_its_turn() {
        assert!(!Why::Fell("it is Tuesday".into()).is_its_turn());
        assert!(Why::Due.is_its_turn() && Why::NoPlace.is_its_turn());
    }

    #[test]
    fn what_waits_for_a_word_waits_on_in_the_next_run() {
        assert!(!Why::Waits.is_its_turn() && !Why::Waits.is_in_doubt());
        // However long: it is no complete read's turn while something is held.
        assert_eq!(kind(&Facts { waits: true, now: 9_000, ..facts() }), Kind::Full(Why::Waits));
    }
}
