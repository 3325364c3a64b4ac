//! The certificates of a connection with their past, and how they are kept. Pure.

use crate::clock::{Micros, SECOND};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rosterd_saml::verify::Certificate;
use serde_json::{Value, json};

pub const DAY: Micros = 86_400 * SECOND;

/// Days before the last certificate ends at which somebody is told.
pub const WARNED_AT_DAYS: [i64; 5] = [60, 30, 14, 7, 1];

/// One that metadata listed at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    pub certificate: Certificate,
    pub first_seen: Micros,
    /// `None`: the metadata lists it.
    pub gone: Option<Gone>,
}

/// It is no longer listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// When it was last found in the metadata.
    pub last_seen: Micros,
    /// When it was first missed: its grace begins.
    pub since: Micros,
}

impl Counted {
    /// Whether a signature by it is one. The grace of one that is gone ends by itself, whoever looks.
    pub fn counts(&self, now: Micros, grace: Micros) -> bool {
        self.gone.is_none_or(|gone| now < gone.since.saturating_add(grace))
    }

    /// When its owner meant to have replaced it.
    pub fn not_after(&self) -> Option<Micros> {
        self.certificate.not_after().map(|at| at.as_microsecond())
    }
}

/// The grace of a connection's options.
pub fn grace(days: u32) -> Micros {
    i64::from(days) * DAY
}

/// What is stored of them.
pub fn to_json(all: &[Counted]) -> String {
    let one = |counted: &Counted| {
        json!({
            "der": STANDARD.encode(counted.certificate.der()),
            "first_seen": counted.first_seen,
            "last_seen": counted.gone.map(|gone| gone.last_seen),
            "gone_since": counted.gone.map(|gone| gone.since),
        })
    };
    Value::Array(all.iter().map(one).collect()).to_string()
}

/// `None`: it is not what [`to_json`] wrote.
pub fn from_json(text: &str) -> Option<Vec<Counted>> {
    let Value::Array(all) = serde_json::from_str(text).ok()? else { return None };
    all.iter().map(one_from_json).collect()
}

/// Those that can be read, of whatever is stored.
pub fn legible(text: &str) -> Vec<Counted> {
    let Ok(Value::Array(all)) = serde_json::from_str(text) else { return Vec::new() };
    all.iter().filter_map(one_from_json).collect()
}

fn one_from_json(one: &Value) -> Option<Counted> {
    let der = STANDARD.decode(one["der"].as_str()?).ok()?;
    let gone = match (one["last_seen"].as_i64(), one["gone_since"].as_i64()) {
        (Some(last_seen), Some(since)) => Some(Gone { last_seen, since }),
        _ => None,
    };
    Some(Counted { certificate: Certificate::from_der(&der).ok()?, first_seen: one["first_seen"].as_i64()?, gone })
}

/// When the last of those that the metadata lists ends, by its own word.
pub fn last_end(all: &[Counted]) -> Option<Micros> {
    all.iter().filter(|counted| counted.gone.is_none()).filter_map(Counted::not_after).max()
}

/// The whole days until `end`; negative once it is over.
pub fn days_left(end: Micros, now: Micros) -> i64 {
    (end - now).div_euclid(DAY)
}

/// The tightest of [`WARNED_AT_DAYS`] that `end` has come within; 0 once it is over.
pub fn warned_at(end: Micros, now: Micros) -> Option<i64> {
    if end <= now {
        return Some(0);
    }
    WARNED_AT_DAYS.into_iter().filter(|days| end - now <= days * DAY).min()
}

/// The same, if it has come so near only since `before`: each is told once.
pub fn warned_since(end: Micros, before: Micros, now: Micros) -> Option<i64> {
    warned_at(end, now).filter(|at| warned_at(end, before) != Some(*at))
}
