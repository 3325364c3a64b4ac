//! The random bytes of create-only functions: SHA-256 over (seed, who draws, block), so that what a rule draws depends
//! neither on the other rules nor on their order. Costs nothing until somebody draws.

use crate::plan::Plan;
use sha2::{Digest, Sha256};
use std::cell::Cell;

/// Whose draw it is: a rule by its target, a let by its name.
#[derive(Clone, Copy)]
pub enum Drawer {
    Gates,
    Rule(u16),
    Let(u16),
}

pub struct Stream<'a> {
    plan: &'a Plan,
    seed: [u8; 32],
    /// With the number of blocks drawn.
    drawer: Cell<(Drawer, u32)>,
}

impl<'a> Stream<'a> {
    pub const fn new(plan: &'a Plan, seed: [u8; 32]) -> Self {
        Self { plan, seed, drawer: Cell::new((Drawer::Gates, 0)) }
    }

    /// From here on this one draws; gives what [`Self::resume`] goes back to.
    pub fn begin(&self, drawer: Drawer) -> (Drawer, u32) {
        self.drawer.replace((drawer, 0))
    }

    pub fn resume(&self, state: (Drawer, u32)) {
        self.drawer.set(state);
    }

    pub fn fill(&self, bytes: &mut [u8]) {
        let (drawer, mut block) = self.drawer.get();
        let (kind, name) = match drawer {
            Drawer::Gates => ("gate", ""),
            Drawer::Rule(rule) => ("rule", &*self.plan.rules[usize::from(rule)].target),
            Drawer::Let(index) => ("let", &*self.plan.lets[usize::from(index)].0),
        };
        for chunk in bytes.chunks_mut(32) {
            let hash = Sha256::new()
                .chain_update(self.seed)
                .chain_update(block.to_be_bytes())
                .chain_update(kind)
                .chain_update([0])
                .chain_update(name)
                .finalize();
            chunk.copy_from_slice(&hash[..chunk.len()]);
            block = block.wrapping_add(1);
        }
        self.drawer.set((drawer, block));
    }
}
