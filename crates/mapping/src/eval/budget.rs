//! What one entry may cost: steps, bytes of a text, values of a list. Over it is M190, that attribute's own.

use super::Trace;
use super::machine::{Machine, Outcome};
use crate::diagnostic::codes::Code;
use crate::limits::{LIST_VALUES_MAX, STRING_BYTES_MAX};
use crate::plan::NodeId;

impl<'a, T: Trace> Machine<'a, '_, T> {
    #[inline]
    pub fn burn(&mut self, id: NodeId, steps: u32) -> Outcome<'a, ()> {
        match self.fuel.checked_sub(steps) {
            Some(left) if left >= self.reserve => {
                self.fuel = left;
                Ok(())
            }
            _ => Err(self.fault(id, Code::M190, format_args!("takes more steps than one entry may use"))),
        }
    }

    /// Work on long texts counts: a step per 256 bytes.
    #[inline]
    pub fn burn_bytes(&mut self, id: NodeId, bytes: usize) -> Outcome<'a, ()> {
        if bytes < 256 {
            return Ok(());
        }
        self.burn(id, u32::try_from(bytes / 256).unwrap_or(u32::MAX))
    }

    /// A step per item of a list that is walked.
    pub fn burn_items(&mut self, id: NodeId, items: usize) -> Outcome<'a, ()> {
        self.burn(id, u32::try_from(items).unwrap_or(u32::MAX))
    }

    #[inline]
    pub fn bound_text(&mut self, id: NodeId, length: usize) -> Outcome<'a, ()> {
        if length > STRING_BYTES_MAX {
            return Err(self.fault(
                id,
                Code::M190,
                format_args!("text of {length} bytes, at most {STRING_BYTES_MAX} are allowed"),
            ));
        }
        self.burn_bytes(id, length)
    }

    #[inline]
    pub fn bound_list(&mut self, id: NodeId, length: usize) -> Outcome<'a, ()> {
        if length > LIST_VALUES_MAX {
            return Err(self.fault(
                id,
                Code::M190,
                format_args!("list of {length} values, at most {LIST_VALUES_MAX} are allowed"),
            ));
        }
        Ok(())
    }
}
