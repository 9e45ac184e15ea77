//! Who has shown to know all that this node has to tell: then it need not be told any longer.
//!
//! News that as many members know as a node tells it to has been told, be it by others. Different addresses count, because
//! one that repeats this node's hash to it must not silence it.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)]

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::identity::Addr;

/// Most members whose agreement can be asked for; the send budget is below.
const SAME_MAX: usize = 64;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Agreement {
    /// Where from this node's own hash was reported, while `of`, the hash and how much has been news, stayed the same.
    same: Vec<Addr>,
    of: (u64, u64),
}

impl Agreement {
    pub(crate) fn new() -> Self {
        Self { same: Vec::with_capacity(SAME_MAX), of: (0, 0) }
    }

    /// The live member at this address has this node's own hash. Tells whether `enough` addresses have said so since
    /// anything was news; then it counts from the start.
    pub(crate) fn on_same(&mut self, by: Addr, of: (u64, u64), enough: usize) -> bool {
        if self.of != of {
            self.of = of;
            self.same.clear();
        }
        if !self.same.contains(&by) && self.same.len() < SAME_MAX {
            self.same.push(by);
        }
        let reached = self.same.len() >= enough.min(SAME_MAX);
        if reached {
            self.same.clear();
        }
        reached
    }

    /// Somebody has another hash.
    pub(crate) fn on_other(&mut self) {
        self.same.clear();
    }

    /// Takes the room again that a restored copy lacks.
    pub(crate) fn reserve(&mut self) {
        self.same.reserve_exact(SAME_MAX.saturating_sub(self.same.len()));
    }
}
