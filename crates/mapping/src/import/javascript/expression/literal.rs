//! Literals and what is made with `new`: whole numbers, patterns, the dates of Active Directory, buffers.

use super::Scope;
use crate::import::draft::Draft;
use crate::import::javascript::tree::{Kind, Node};
use crate::import::javascript::value::{self, Code, Made, Ty, Val, why, why_but};

/// The milliseconds between 1601 and 1970.
const EPOCH_MILLISECONDS: i64 = 11_644_473_600_000;

impl Scope<'_> {
    /// `new Date(x / 1e4 - 11644473600000)`, `new Buffer(x)`
    pub(super) fn construct(&mut self, class: &Node, arguments: &[Node]) -> Made<Val> {
        if class.is_name("Buffer") && !arguments.is_empty() {
            return self.value(&arguments[0]);
        }
        if !class.is_name("Date") {
            return why(format!("`new {}`", class.text));
        }
        let [moment] = arguments else { return why_but("the present time", "format_date(now, \"…\")") };
        if let Kind::Binary(minus, ticks, epoch) = &moment.kind
            && &**minus == "-"
            && self.number(epoch) == Some(EPOCH_MILLISECONDS)
            && let Kind::Binary(by, ticks, divisor) = &ticks.kind
            && &**by == "/"
            && self.number(divisor) == Some(10_000)
        {
            self.draft.differs("a time of Active Directory that means never (0, 2^63-1) is left out; the original writes a date");
            let ticks = self.value(ticks)?;
            let ticks = value::int(self.draft, &ticks)?;
            return Ok(Val::Code(Code::call(format!("filetime?({})", ticks.text), Ty::Date, &ticks, false)));
        }
        why_but("a date made in a way that is not known", "datetime(x, \"pattern\"), filetime(x), gentime(x) or unix(x)")
    }
}

pub(super) fn is_literal(node: &Node) -> bool {
    matches!(node.kind, Kind::Text(_) | Kind::Number(_) | Kind::Bool(_) | Kind::Null | Kind::Undefined)
}

#[expect(clippy::cast_possible_truncation, reason = "only what is whole and small enough to be exact gets there")]
pub(super) fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_991.0).then_some(number as i64)
}

pub(super) fn regex(draft: &mut Draft, pattern: &str, flags: &str) -> Made<Val> {
    if let Some(flag) = flags.chars().find(|flag| !matches!(flag, 'g' | 'i')) {
        return why(format!("the flag `{flag}` of a pattern"));
    }
    if pattern.contains(['\n', '\r']) {
        return why("a pattern of several lines");
    }
    if ["\\d", "\\w", "\\s", "\\b"].iter().any(|class| pattern.contains(class)) {
        draft.differs("`\\d`, `\\w` and `\\b` in a pattern know all alphabets here, in the original ASCII alone");
    }
    let ignore_case = if flags.contains('i') { "i" } else { "" };
    Ok(Val::Regex { pattern: format!("/{pattern}/{ignore_case}"), all: flags.contains('g') })
}
