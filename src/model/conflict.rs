//! What waits for a person's decision: kinds, states, and what may be decided of which. Pure.

/// What a row of the inbox is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConflictKind {
    /// Somebody who is pushed or synced has the address of a profile that another connection feeds. Nothing of them is stored. Or
    /// somebody logged in, has a profile of their own by now, and may be the same person.
    EmailMatch,
    /// A pushed user name is that of somebody else of the connection.
    UserNameTaken,
    /// Several profiles could be the one that a newcomer joins.
    JoinAmbiguous,
    /// A rule of the mapping failed; the value of before stays.
    AttributeError,
    /// An entry of a directory of which the mapping makes nobody.
    SyncRejected,
    SyncIdTwice,
    SyncWithoutId,
    SyncFailed,
    SyncGroup,
    /// A run holds a list.
    HeldRun,
}

impl ConflictKind {
    pub const ALL: [Self; 10] = [
        Self::EmailMatch,
        Self::UserNameTaken,
        Self::JoinAmbiguous,
        Self::AttributeError,
        Self::SyncRejected,
        Self::SyncIdTwice,
        Self::SyncWithoutId,
        Self::SyncFailed,
        Self::SyncGroup,
        Self::HeldRun,
    ];
    /// Its words, for whoever lists them.
    pub const WORDS: [&'static str; 10] = [
        "email_match",
        "user_name_taken",
        "join_ambiguous",
        "attribute_error",
        "sync_rejected",
        "sync_id_twice",
        "sync_without_id",
        "sync_failed",
        "sync_group",
        "held_run",
    ];

    pub fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// What is wrong, in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::EmailMatch => "the address is that of a profile that another connection of the same organization feeds",
            Self::UserNameTaken => "the user name is that of somebody else on the connection",
            Self::JoinAmbiguous => "several profiles could be the one to join: joining any of them would be a guess",
            Self::AttributeError => "a rule of the mapping failed, and the value of before stays",
            Self::SyncRejected => "the mapping makes nobody of an entry of the directory",
            Self::SyncIdTwice => "two entries of the directory have one id",
            Self::SyncWithoutId => "an entry of the directory has no id to be known by",
            Self::SyncFailed => "an entry of the directory could not be stored",
            Self::SyncGroup => "a group of the directory could not be taken",
            Self::HeldRun => "a run would take away more than it may without somebody's word",
        }
    }
}

/// Where a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictState {
    Open,
    /// The reason went, or somebody decided.
    Resolved,
    /// Somebody has seen it and wants to hear no more of the same.
    Dismissed,
}

impl ConflictState {
    pub const WORDS: [&'static str; 3] = ["open", "resolved", "dismissed"];

    pub fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Open, Self::Resolved, Self::Dismissed].into_iter().find(|state| state.as_str() == text)
    }
}

/// What a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// They are two people: the source's next attempt makes a profile beside the other.
    CreateNew,
    /// They are one person: the source's next attempt joins the profile.
    Link,
    /// The reason is mended: look again.
    Retry,
    /// Nothing is to be done, and the same is not to be told again.
    Dismiss,
}

impl Resolution {
    pub const ALL: [Self; 4] = [Self::CreateNew, Self::Link, Self::Retry, Self::Dismiss];
    pub const WORDS: [&'static str; 4] = ["create_new", "link", "retry", "dismiss"];

    pub fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resolution| resolution.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_read_as_what_says_it() {
        for kind in ConflictKind::ALL {
            assert_eq!(ConflictKind::parse(kind.as_str()), Some(kind));
            assert!(kind.reason().len() > 20);
        }
        for resolution in Resolution::ALL {
            assert_eq!(Resolution::parse(resolution.as_str()), Some(resolution));
        }
        for word in ConflictState::WORDS {
            assert_eq!(ConflictState::parse(word).map(ConflictState::as_str), Some(word));
        }
        assert_eq!((ConflictKind::parse("nothing"), Resolution::parse("adopt")), (None, None));
    }
}
