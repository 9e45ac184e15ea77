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
    /// They were written by a version of the crate that lays its state out in another way.
    Version {
        /// The layout's version: [`Node::SNAPSHOT_VERSION`] of the node that wrote it.
        found: u16,
    },
    /// They decode, but what they describe cannot be: this does not hold.
    Inconsistent(&'static str),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("not a snapshot"),
            Self::Version { found } => write!(
                f,
                "a snapshot of version {found}, and this build reads version {}: use the build that has written it",
                Node::SNAPSHOT_VERSION
            ),
            Self::Inconsistent(what) => write!(f, "the snapshot contradicts itself: {what}"),
        }
    }
}

impl core::error::Error for RestoreError {}

/// How a snapshot begins, so that nothing else is taken for one; the version follows.
const MAGIC: [u8; 2] = *b"NS";

impl Node {
    /// Which layout of the state [`Self::snapshot`] writes and [`Self::restore`] reads. It changes whenever a field of any
    /// component does; there is no reading of older ones.
    pub const SNAPSHOT_VERSION: u16 = 8;

    /// Everything that decides what the node does next: generator, deadlines, queues, table, evidence. Two magic bytes and
    /// [`Self::SNAPSHOT_VERSION`], then postcard.
    ///
    /// Take it when all outputs are drained, as before any other input.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.snapshot_into(&mut bytes);
        bytes
    }

    /// As [`Self::snapshot`], into a buffer that is kept: what it held is gone, what it has room for is used.
    pub fn snapshot_into(&self, bytes: &mut Vec<u8>) {
        bytes.clear();
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&Self::SNAPSHOT_VERSION.to_le_bytes());
        let to = Appended(core::mem::take(bytes));
        *bytes = postcard::serialize_with_flavor(self, to)
            .expect("writing into a growing vector cannot fail, and all state serialises");
    }

    /// The node that was written: it behaves identically ever after.
    ///
    /// # Errors
    /// [`RestoreError`] when the bytes are not a snapshot, are of another version, or contradict themselves.
    pub fn restore(bytes: &[u8]) -> Result<Self, RestoreError> {
        let state = bytes.strip_prefix(&MAGIC).ok_or(RestoreError::Malformed)?;
        let (version, state) = state.split_first_chunk().ok_or(RestoreError::Malformed)?;
        let found = u16::from_le_bytes(*version);
        if found != Self::SNAPSHOT_VERSION {
            return Err(RestoreError::Version { found });
        }
        let (mut node, rest) = postcard::take_from_bytes::<Self>(state).map_err(|_| RestoreError::Malformed)?;
        if !rest.is_empty() {
            return Err(RestoreError::Malformed);
        }
        node.cx.config.validate().map_err(|_| RestoreError::Inconsistent("the config is not valid"))?;
        if node.cx.pace != Pace::new(&node.cx.config) {
            return Err(RestoreError::Inconsistent("the times are not the config's"));
        }
        if !node.cx.outbox.is_empty() || !node.cx.events.is_empty() {
            return Err(RestoreError::Inconsistent("outputs are not drained"));
        }
        node.table.rebuild().map_err(RestoreError::Inconsistent)?;
        node.rumors.rebuild().map_err(RestoreError::Inconsistent)?;
        node.check().map_err(RestoreError::Inconsistent)?;
        node.cx.outbox.reserve();
        node.cx.events.reserve();
        node.grow(node.table.slots());
        node.suspicions.reserve();
        node.sync.reserve();
        node.gossip.reserve();
        node.same.reserve();
        node.app_same.reserve();
        node.app_recent.reserve();
        node.state.reserve();
        node.reserve_answers();
        node.profiles.reserve();
        node.heal.reserve();
        node.conflicts.reserve();
        node.evidence.reserve();
        node.detect.reserve(node.cx.config.indirect_probes);
        // The decoder takes longer forms of a number. A state has one encoding, as a frame does.
        postcard::serialize_with_flavor(&node, Same(state)).map_err(|_| RestoreError::Malformed)?;
        Ok(node)
    }
}

/// A vector that is written behind what it holds.
struct Appended(Vec<u8>);

impl postcard::ser_flavors::Flavor for Appended {
    type Output = Vec<u8>;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.0)
    }
}

/// Takes these bytes and no others.
struct Same<'a>(&'a [u8]);

impl postcard::ser_flavors::Flavor for Same<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0 = self.0.strip_prefix(bytes).ok_or(postcard::Error::SerializeBufferFull)?;
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(postcard::Error::SerializeBufferFull) }
    }
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;

    use super::*;
    use crate::config::Config;
    use crate::identity::{Identity, Profile};
    use crate::node::{Command, Input};
    use crate::status::NodeId;
    use crate::time::Instant;

    /// What follows from the rest of the state is not taken from a snapshot that says otherwise: a node that does not know when it
    /// is due might answer pings for ever, and never send one.
    #[test]
    fn what_follows_from_the_rest_is_held_to_it() {
        let me =
            Identity { id: NodeId::new(1), addr: ([10, 0, 0, 1], 1).into(), epoch: 1, profile: Profile::default() };
        let now = Instant::from_millis(1_000);
        let mut node = Node::new(me, Config::lan("c"), 1, now).unwrap();
        let seed: SocketAddr = ([10, 0, 0, 2], 1).into();
        node.handle(now, Input::Command(Command::Join(&[seed])));
        while node.poll_transmit(&mut [0; 1_400]).is_some() {}
        while node.poll_event().is_some() {}
        assert!(Node::restore(&node.snapshot()).is_ok() && node.due != Instant::NEVER);
        let breaks: [fn(&mut Node); 3] = [
            |node| node.due = Instant::NEVER,
            |node| node.due = node.due.plus_micros(1),
            |node| node.cx.config.members_max -= 1,
        ];
        for (i, break_it) in breaks.iter().enumerate() {
            let mut broken = node.clone();
            break_it(&mut broken);
            let refused = Node::restore(&broken.snapshot());
            assert!(matches!(refused, Err(RestoreError::Inconsistent(_))), "break {i}: {:?}", refused.err());
        }
    }
}
