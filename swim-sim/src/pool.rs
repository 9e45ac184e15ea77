//! The datagrams that are under way, or wait in the socket buffer of a node that is paused or slow.
//!
//! Buffers are reused, last freed first, so a steady network allocates nothing and stays in the cache.

use std::net::SocketAddr;

use crate::host::NodeIx;

/// Where in the pool a datagram lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(pub(crate) u32);

/// A datagram under way.
#[derive(Debug)]
pub(crate) struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) to: NodeIx,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug, Default)]
pub(crate) struct Pool {
    slots: Vec<Datagram>,
    free: Vec<Slot>,
}

impl Pool {
    /// Keeps a copy of these bytes.
    pub(crate) fn put(&mut self, from: SocketAddr, to: NodeIx, bytes: &[u8]) -> Slot {
        if let Some(slot) = self.free.pop() {
            let datagram = &mut self.slots[slot.0 as usize];
            datagram.from = from;
            datagram.to = to;
            datagram.bytes.clear();
            datagram.bytes.extend_from_slice(bytes);
            return slot;
        }
        let slot = Slot(u32::try_from(self.slots.len()).expect("memory ends before 2^32 datagrams are under way"));
        self.slots.push(Datagram { from, to, bytes: bytes.to_vec() });
        slot
    }

    /// Whom the datagram is for.
    pub(crate) fn to(&self, slot: Slot) -> NodeIx {
        self.slots[slot.0 as usize].to
    }

    /// The datagram's bytes, to be damaged.
    pub(crate) fn bytes_mut(&mut self, slot: Slot) -> &mut Vec<u8> {
        &mut self.slots[slot.0 as usize].bytes
    }

    /// Lends the datagram's bytes out, so that new ones can be put while it is being read. [`Pool::give_back`] ends
    /// the loan.
    pub(crate) fn lend(&mut self, slot: Slot) -> (SocketAddr, Vec<u8>) {
        let datagram = &mut self.slots[slot.0 as usize];
        (datagram.from, std::mem::take(&mut datagram.bytes))
    }

    /// Frees the slot, and keeps the buffer for the next datagram.
    pub(crate) fn give_back(&mut self, slot: Slot, buffer: Vec<u8>) {
        self.slots[slot.0 as usize].bytes = buffer;
        self.free(slot);
    }

    /// Frees the slot of a datagram that nobody will read.
    pub(crate) fn free(&mut self, slot: Slot) {
        self.free.push(slot);
    }

    /// Datagrams held.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_and_buffers_are_reused() {
        let (a, b) = (NodeIx::new(0), NodeIx::new(1));
        let mut pool = Pool::default();
        let first = pool.put(a.addr(), b, b"a long first datagram");
        let second = pool.put(b.addr(), a, b"second");
        assert_eq!((pool.len(), pool.to(first), pool.to(second)), (2, b, a));

        let (from, bytes) = pool.lend(first);
        assert_eq!((from, &bytes[..]), (a.addr(), &b"a long first datagram"[..]));
        let meanwhile = pool.put(a.addr(), b, b"put while the first is lent");
        assert_ne!(meanwhile, first);
        pool.give_back(first, bytes);
        assert_eq!(pool.len(), 2);

        assert_eq!(pool.put(b.addr(), b, b"third"), first);
        assert_eq!(pool.lend(first), (b.addr(), b"third".to_vec()));
        assert_eq!(pool.lend(second).1, b"second");
    }
}
