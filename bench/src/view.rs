//! Which view hash a table has, added up as `docs/wire.md` ("View hash") says: a second node that heard the same would
//! take as much of the cache as the one that is measured.

use swim_core::{Incarnation, NodeId};

/// The sum over rows whose addresses and profiles were written at refutation 0.
pub(crate) struct View(u64);

impl View {
    /// Of nobody.
    pub(crate) fn empty() -> Self {
        Self(0)
    }

    pub(crate) fn add(&mut self, id: NodeId, at: Incarnation) {
        self.0 = self.0.wrapping_add(row_hash(id, at));
    }

    /// The member was at `from`.
    pub(crate) fn raise(&mut self, id: NodeId, from: Incarnation, to: Incarnation) {
        self.0 = self.0.wrapping_sub(row_hash(id, from));
        self.add(id, to);
    }

    pub(crate) fn hash(&self) -> u64 {
        self.0
    }
}

fn row_hash(id: NodeId, at: Incarnation) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let hash = mix64(mix64(id.as_u64()).wrapping_add(at.as_u64().wrapping_mul(ODD)));
    let written = Incarnation::new(at.epoch(), 0);
    mix64(hash.wrapping_add(written.as_u64().wrapping_mul(ODD)))
}

fn mix64(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
