//! Why a mapper gave no profile. Whatever a script does ends here as a value: it rejects its entry and nothing else.

use std::fmt;

/// What stopped a script, while loading or over one entry. The text is for the administrator who owns the script; a
/// message it throws may hold what it was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("{message}{at}")]
    Thrown { message: String, at: Position },
    #[error("the script is {bytes} bytes long; at most {bytes_max} are read")]
    TooLong { bytes: usize, bytes_max: usize },
    #[error("the script holds a NUL character; save it as UTF-8 text")]
    NotText,
    #[error("module.exports is {kind}, not a function; write module.exports = function (raw_data) {{ … }}")]
    NoMapper { kind: String },
    #[error("ran longer than {ms} ms{at}")]
    Time { ms: u128, at: Position },
    #[error("took more than {bytes_max} bytes of memory{at}")]
    Memory { bytes_max: usize, at: Position },
    #[error("calls nest too deeply for {bytes_max} bytes of stack{at}")]
    Stack { bytes_max: usize, at: Position },
    #[error("the profile is {bytes} bytes of JSON; at most {bytes_max} are taken")]
    Output { bytes: usize, bytes_max: usize },
    #[error("the profile nests deeper than {depth_max} levels")]
    Depth { depth_max: usize },
    #[error("gave {kind}, not a profile")]
    NoProfile { kind: String },
    #[error("never called its callback; a function with one parameter returns its profile instead")]
    NoAnswer,
    #[error("attribute `{attribute}` holds {kind}; an entry has texts and lists of texts")]
    Input { attribute: String, kind: &'static str },
    #[error("did not stop when told to; this version runs no more. Publish one without the call that never ends")]
    Stuck,
    #[error("no thread is left to run scripts on: {lost} did not stop when told to. Restart after correcting them")]
    NoThread { lost: usize },
    #[error("the engine failed: {reason}")]
    Engine { reason: String },
}

impl Failure {
    /// The line of the script it is about, from 1, if it names one.
    pub fn line(&self) -> Option<u32> {
        match self {
            Self::Thrown { at, .. } | Self::Time { at, .. } | Self::Memory { at, .. } | Self::Stack { at, .. } => {
                at.0.map(|(line, _)| line)
            }
            _ => None,
        }
    }
}

/// Line and column in the script, from 1, where known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position(pub Option<(u32, u32)>);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((line, column)) => write!(f, " ({}:{line}:{column})", super::FILE),
            None => Ok(()),
        }
    }
}
