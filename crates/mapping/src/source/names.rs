//! The attribute names a plan reads, for finding a slot while decoding: one probe, exact or without case as the kind
//! of source compares names. Made once per plan.

use crate::plan::{Plan, SlotId};
use crate::types::Type;

/// A name's place in [`Names`].
pub type Found = u16;

#[derive(Clone, Debug)]
pub struct Names {
    /// How many slots an entry has.
    pub(super) slots: usize,
    /// The slot of `$all`.
    pub(super) all: Option<SlotId>,
    folds: bool,
    names: Vec<Name>,
    /// Open addressing over a hash without case; `u16::MAX` = free. The keys are the author's, so nobody can crowd it.
    table: Box<[u16]>,
}

#[derive(Clone, Debug)]
struct Name {
    name: Box<str>,
    /// `dn` for `$dn`: only where a source's own attributes can't take the place of a pseudo-attribute.
    is_alias: bool,
    /// Declared as bytes: not to be read as text though it may look like some.
    is_binary: bool,
    /// The first slot, and others of the same name: `$x` and `nested($x[*])`.
    slot: SlotId,
    is_nested: bool,
    others: Box<[(SlotId, bool)]>,
}

const FREE: u16 = u16::MAX;

impl Names {
    pub fn new(plan: &Plan) -> Self {
        let folds = plan.from.folds_case();
        let mut names: Vec<Name> = Vec::new();
        let mut all = None;
        for (slot, spec) in (0..).zip(&plan.slots) {
            if &*spec.name == "$all" {
                all = Some(slot);
                continue;
            }
            let is_binary = matches!(spec.ty.ty.item(), Type::Binary | Type::Guid | Type::Sid);
            let same = |name: &&mut Name| same_name(&name.name, &spec.name, folds);
            match names.iter_mut().find(same) {
                Some(known) => {
                    let mut others = std::mem::take(&mut known.others).into_vec();
                    others.push((slot, spec.nested));
                    known.others = others.into();
                    known.is_binary |= is_binary;
                }
                None => names.push(Name {
                    name: spec.name.clone(),
                    is_alias: false,
                    is_binary,
                    slot,
                    is_nested: spec.nested,
                    others: Box::default(),
                }),
            }
        }
        let bare = |name: &Name| Some(Name { name: name.name.strip_prefix('$')?.into(), is_alias: true, ..name.clone() });
        let aliases: Vec<Name> = names.iter().filter_map(bare).collect();
        names.extend(aliases.into_iter().filter(|alias| !plan.slots.iter().any(|spec| spec.name == alias.name)));
        let mut table = vec![FREE; (4 * names.len()).next_power_of_two().max(4)].into_boxed_slice();
        for (found, name) in (0..).zip(&names) {
            let mut at = hash(name.name.as_bytes()) & (table.len() - 1);
            while table[at] != FREE {
                at = (at + 1) & (table.len() - 1);
            }
            table[at] = found;
        }
        Self { slots: plan.slots.len(), all, folds, names, table }
    }

    /// The place of a name of the source's own; pseudo-attributes with their `$`.
    #[inline]
    pub fn find(&self, name: &str) -> Option<Found> {
        self.find_any(name).filter(|found| !self.names[usize::from(*found)].is_alias)
    }

    /// The place of an LDAP attribute: `;binary` says how a value came, not what it is.
    pub fn find_option(&self, name: &str) -> Option<Found> {
        self.find(name).or_else(|| self.find(name.strip_suffix(";binary")?))
    }

    /// Declared as bytes, a GUID or a security identifier.
    pub fn is_binary(&self, found: Found) -> bool {
        self.names[usize::from(found)].is_binary
    }

    /// The same where somebody writes an entry down: `dn` is `$dn`.
    #[inline]
    pub fn find_any(&self, name: &str) -> Option<Found> {
        let mut at = hash(name.as_bytes()) & (self.table.len() - 1);
        loop {
            let found = self.table[at];
            if found == FREE {
                return None;
            }
            if same_name(&self.names[usize::from(found)].name, name, self.folds) {
                return Some(found);
            }
            at = (at + 1) & (self.table.len() - 1);
        }
    }

    /// As the mapping writes it.
    pub fn text(&self, found: Found) -> &str {
        &self.names[usize::from(found)].name
    }

    /// The slot of a name that has no other, which is nearly every name.
    #[inline]
    pub fn only_slot(&self, found: Found) -> Option<SlotId> {
        let name = &self.names[usize::from(found)];
        (!name.is_nested && name.others.is_empty()).then_some(name.slot)
    }

    pub fn direct(&self, found: Found) -> impl Iterator<Item = SlotId> + '_ {
        self.slots_of(found).filter(|(_, nested)| !nested).map(|(slot, _)| slot)
    }

    pub fn nested(&self, found: Found) -> impl Iterator<Item = SlotId> + '_ {
        self.slots_of(found).filter(|(_, nested)| *nested).map(|(slot, _)| slot)
    }

    fn slots_of(&self, found: Found) -> impl Iterator<Item = (SlotId, bool)> + '_ {
        let name = &self.names[usize::from(found)];
        std::iter::once((name.slot, name.is_nested)).chain(name.others.iter().copied())
    }
}

#[inline]
fn same_name(known: &str, name: &str, folds: bool) -> bool {
    known.len() == name.len() && (known == name || (folds && known.eq_ignore_ascii_case(name)))
}

/// Length, first and last eight bytes, letters in one case: enough to tell attribute names and URIs apart.
#[inline]
fn hash(name: &[u8]) -> usize {
    const LOWER: u64 = 0x2020_2020_2020_2020;
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let (head, tail) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => (name.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 0),
    };
    let length = name.len() as u64;
    let mixed = ((head | LOWER) ^ (tail | LOWER).rotate_left(29) ^ length).wrapping_mul(MIX);
    usize::try_from(mixed >> 40).unwrap_or(0)
}
