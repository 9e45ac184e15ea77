//! The whole state of a node, written and read back.

use alloc::vec::Vec;
use core::fmt;

use super::Node;
use crate::cx::Pace;

/// Why bytes are not a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestoreError {
    /// They do not decode.
    Malformed,
    /// They decode, but what they describe cannot be: this does not hold.
    Inconsistent(&'static str),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("not a snapshot of this version"),
            Self::Inconsistent(what) => write!(f, "the snapshot contradicts itself: {what}"),
        }
    }
}

impl core::error::Error for RestoreError {}

impl Node {
    /// Everything that decides what the node does next: generator, deadlines, queues, table. As postcard; the format is
    /// that of this version of the crate.
    pub fn snapshot(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("writing into a growing vector cannot fail, and all state serialises")
    }

    /// The node that was written: it behaves identically ever after.
    ///
    /// # Errors
    /// [`RestoreError`] when the bytes are not a snapshot, or contradict themselves.
    pub fn restore(bytes: &[u8]) -> Result<Self, RestoreError> {
        let (mut node, rest) = postcard::take_from_bytes::<Self>(bytes).map_err(|_| RestoreError::Malformed)?;
        if !rest.is_empty() {
            return Err(RestoreError::Malformed);
        }
        node.cx.config.validate().map_err(|_| RestoreError::Inconsistent("the config is not valid"))?;
        if node.cx.pace != Pace::new(&node.cx.config) {
            return Err(RestoreError::Inconsistent("the times are not the config's"));
        }
        node.table.rebuild().map_err(RestoreError::Inconsistent)?;
        node.check().map_err(RestoreError::Inconsistent)?;
        node.grow(node.table.slots());
        node.suspicions.reserve();
        node.sync.reserve();
        node.gossip.reserve();
        node.views.reserve();
        node.reserve_answers();
        node.heal.reserve();
        node.evidence.reserve();
        node.detect.reserve(node.cx.config.indirect_probes);
        Ok(node)
    }
}
