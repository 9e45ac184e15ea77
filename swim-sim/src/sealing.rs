//! Nodes that seal what they send (`docs/security.md`).

use swim_driver::{Keyring, Secrets};

use crate::host::NodeIx;
use crate::world::World;

impl World {
    /// Nodes that are spawned from now on have this keyring, unless [`World::spawn_with`] gives them another; those that run
    /// stay as they are. Faults of the network befall sealed bytes then.
    ///
    /// Sessions and challenges follow from the world's seed, so a run of a sealed world can be repeated byte for byte, too.
    pub fn seal(&mut self, ring: Keyring) {
        self.keyring = Some(ring);
    }

    /// Gives a node another keyring, as whoever exchanges a key does: its process has it at once, and so have its next lives.
    ///
    /// # Panics
    /// When the node was started without one.
    pub fn set_keyring(&mut self, node: NodeIx, ring: Keyring) {
        self.host_mut(node).setup.keyring = Some(ring.clone());
        self.command(node, |handle| handle.set_keyring(ring));
    }

    /// What the next process takes its sessions and challenges from. It has one in a plain world, too, where it uses none.
    pub(crate) fn next_secrets(&mut self) -> Secrets {
        Secrets::Fixed(self.secrets.next_u64())
    }
}
