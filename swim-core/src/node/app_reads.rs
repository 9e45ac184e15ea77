//! Reading states and rumors.

use super::{Entry, Node, Rumor};
use crate::status::{NodeId, RumorId};

impl Node {
    /// A rumor that is kept: what an event has named is, until the next input.
    pub fn rumor(&self, id: RumorId) -> Option<Rumor<'_>> {
        self.rumors.get(id, self.driver_now())
    }

    /// The Lamport time of the newest rumor that this node knows of.
    pub fn lamport(&self) -> u64 {
        self.rumors.lamport()
    }

    /// Rumors that are still being told.
    pub fn rumors_hot(&self) -> usize {
        self.rumors.hot_len()
    }

    /// Rumors that are kept, told or not.
    pub fn rumors_kept(&self) -> usize {
        self.rumors.len()
    }

    /// The entries of this member's state, oldest write first; what is deleted or has vanished is left out.
    pub fn state(&self, id: NodeId) -> impl Iterator<Item = Entry<'_>> {
        let map = self.table.find(id).and_then(|slot| self.state.map(slot));
        map.into_iter().flat_map(|map| map.iter())
    }

    /// One entry of this member's state.
    pub fn get(&self, id: NodeId, key: &str) -> Option<Entry<'_>> {
        self.state.map(self.table.find(id)?)?.get(key)
    }

    /// The version of this member's state as far as it is known here; 0 where nothing is. It grows with every write of the
    /// member's present life.
    pub fn state_version(&self, id: NodeId) -> u32 {
        self.table.find(id).map_or(0, |slot| self.state.version(slot))
    }

    /// Bytes that the states of all members take here, tombstones and heads of entries included.
    pub fn state_stored(&self) -> usize {
        self.state.stored()
    }

    /// Members whose states are still being told.
    pub fn states_queued(&self) -> usize {
        self.state.news()
    }

    /// What the states and rumors of all live members add up to: nodes with the same hash hold the same. 0 when there is
    /// nothing.
    pub fn app_hash(&self) -> u32 {
        self.table.app_hash()
    }
}
