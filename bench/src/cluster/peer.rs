//! What the virtual network asks of a node, whoever wrote it.

use super::net::Net;
use crate::tuning::Tuning;

/// The port that every node has.
pub(super) const PORT: u16 = 7_946;

/// A node of a cluster. It is told the time by the network that it is driven in, and hands all that it wants to it:
/// datagrams, timers, and whom it sees come and go.
pub(super) trait Peer: Sized {
    /// What it asks to be reminded of.
    type Timer;

    /// How it is called in tables.
    const NAME: &'static str;
    /// Bytes that its driver puts around each datagram that the core writes.
    const ENVELOPE: u64;

    /// Node `me` of so many, which knows nobody. All that it draws follows from the seed.
    fn start(me: usize, nodes: usize, seed: u64, tuning: Tuning, net: &mut Net<Self::Timer>) -> Self;

    /// It is told to join the cluster of this node.
    fn join(&mut self, seed: usize, net: &mut Net<Self::Timer>);

    /// It is told of all nodes at once, and tells nobody of them. False when it has no such input: then it has to join.
    fn meet(&mut self, _nodes: usize, _net: &mut Net<Self::Timer>) -> bool {
        false
    }

    /// A datagram has come.
    fn datagram(&mut self, from: usize, bytes: &[u8], net: &mut Net<Self::Timer>);

    /// A timer that it has asked for is due.
    fn timer(&mut self, timer: Self::Timer, net: &mut Net<Self::Timer>);

    /// What is left to tell others.
    fn queued(&self) -> usize;
}

/// The last three bytes of a node's address.
pub(super) fn address(node: usize) -> [u8; 4] {
    let [.., a, b, c] = node.to_be_bytes();
    [10, a, b, c]
}

/// Whose address it is.
pub(super) fn node_at([_, a, b, c]: [u8; 4]) -> usize {
    usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c)
}
