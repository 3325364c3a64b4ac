//! `[ g.rdn(kind) for g in … if g.under(base) ]` in one pass over each name. Owns the places it has met: the groups of a
//! directory lie in few, so what a name ends in mostly has been judged before. A place is learnt by looking closely and
//! never forgotten; there is room for few, so that no source can make it grow. Not having met one costs time, nothing else.

use super::super::Call;
use super::parse::{PlainKind, common_tail, ends_apart, plain_first_up_to, plain_leaf};
use super::reads;
use std::sync::OnceLock;

/// A power of two. Directories keep their groups in a handful of places.
const PLACES: usize = 64;
/// A longer one is looked at every time.
const PLACE_BYTES_MAX: usize = 256;

/// A base and the type of the value that is asked for, with what is known of the directory. Shared by all workers.
#[derive(Debug)]
pub struct Below {
    base: Box<str>,
    kind: Box<str>,
    plain: PlainKind,
    /// How much of the base follows its first RDN.
    above: usize,
    /// By the last bytes before that: see [`Self::rooms`].
    places: Box<[OnceLock<Place>; PLACES]>,
}

/// What names end in, from a comma on.
#[derive(Debug)]
struct Place {
    tail: Box<[u8]>,
    is_below: bool,
}

impl Place {
    /// Where it begins in a name that ends in it.
    #[inline(always)]
    fn of(&self, name: &[u8]) -> Option<(usize, bool)> {
        let comma = name.len().checked_sub(self.tail.len())?;
        let (head, end) = name.split_at(comma);
        // Most are of this length: two looks that overlap, where comparing at any length has to find out which it is.
        let is_there = if (16..=32).contains(&self.tail.len()) {
            end.first_chunk::<16>() == self.tail.first_chunk() && end.last_chunk::<16>() == self.tail.last_chunk()
        } else {
            *end == *self.tail
        };
        // An escaped comma begins nothing.
        (is_there && head.last().is_some_and(|last| *last != b'\\')).then_some((comma, self.is_below))
    }
}

impl Below {
    /// `None` for a base that is no name, or a type with more than one spelling.
    pub(crate) fn new(base: &str, kind: &str) -> Option<Self> {
        let plain = PlainKind::new(kind)?;
        reads(base).then(|| Self {
            base: base.into(),
            kind: kind.into(),
            plain,
            above: base.find(',').map_or(0, |comma| base.len() - comma),
            places: Box::new([const { OnceLock::new() }; PLACES]),
        })
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn kind(&self) -> &str {
        &self.kind
    }

    /// Of a name below the base, the value of its first part of the type: `under` and `rdn` at once. The inner `None` = not
    /// below; the outer = ask those two.
    #[inline(always)]
    pub(crate) fn value<'a>(&'a self, call: &Call<'a>, name: &'a str) -> Option<Option<&'a str>> {
        let comma = match self.met(name.as_bytes()) {
            Some((_, false)) => return Some(None),
            Some((comma, true)) => comma,
            None => match self.look(name.as_bytes())? {
                Judged::Apart => return Some(None),
                Judged::MayBeBelow(comma) => comma,
            },
        };
        if let Some(value) = plain_leaf(name, comma, self.plain) {
            return Some(Some(value));
        }
        plain_first_up_to(name, comma, &self.kind, self.plain).map(|part| Some(part.text(call)))
    }

    /// Where the place of a name begins that has been met before, and whether it is the base.
    #[inline(always)]
    fn met(&self, name: &[u8]) -> Option<(usize, bool)> {
        let [first, second] = self.rooms(name)?;
        let met = first.get().and_then(|place| place.of(name));
        if met.is_some() { met } else { second.get().and_then(|place| place.of(name)) }
    }

    /// Two, by the four bytes where the base's first RDN ends: in them places differ, and the names within one do not.
    #[inline(always)]
    fn rooms(&self, name: &[u8]) -> Option<[&OnceLock<Place>; 2]> {
        let from = name.len().checked_sub(self.above + 4)?;
        let bytes = name.get(from..)?.first_chunk::<4>()?;
        let spread = u32::from_le_bytes(*bytes).wrapping_mul(0x9e37_79b1) as usize;
        let shift = 32 - PLACES.ilog2();
        Some([&self.places[spread >> shift & (PLACES - 1)], &self.places[spread >> (shift - 8) & (PLACES - 1)]])
    }

    /// Looks at a name whose place has not been met, and learns it if there is room.
    #[cold]
    #[inline(never)]
    fn look(&self, name: &[u8]) -> Option<Judged> {
        let base = self.base.as_bytes();
        let common = common_tail(name, base);
        if common < base.len() {
            let comma = ends_apart(name, base, common, &mut 0)?;
            self.learn(name, comma, false);
            return Some(Judged::Apart);
        }
        // It ends in the base but for ASCII case; whether that begins an RDN, the names before it will show.
        let comma = name.len().checked_sub(base.len() + 1)?;
        self.learn(name, comma, true);
        Some(Judged::MayBeBelow(comma))
    }

    fn learn(&self, name: &[u8], comma: usize, is_below: bool) {
        let tail = &name[comma..];
        if tail.starts_with(b",")
            && tail.len() <= PLACE_BYTES_MAX
            && let Some(rooms) = self.rooms(name)
            && let Some(free) = rooms.into_iter().find(|room| room.get().is_none())
        {
            // Whoever came first stays, another worker too.
            free.get_or_init(|| Place { tail: tail.into(), is_below });
        }
    }
}

enum Judged {
    Apart,
    /// If the names before this comma read.
    MayBeBelow(usize),
}
