//! What only a virtual network can do: look into nodes and datagrams, and forge them.

use std::cell::{RefCell, RefMut};
use std::net::SocketAddr;
use std::rc::Rc;

use swim_core::wire::Frame;
use swim_core::{Event, Instant, Node};
use swim_driver::DriverStats;

use crate::harness::{Harness, Peer};

/// A datagram as a node sends it, before the network has touched it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent<'a> {
    /// When.
    pub at: Instant,
    /// Where from.
    pub from: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
    /// The whole datagram.
    pub bytes: &'a [u8],
    /// The frame in it.
    pub frame: &'a [u8],
}

impl<'a> Sent<'a> {
    /// The frame, parsed.
    ///
    /// # Panics
    /// When it is none: every datagram that is sent must parse.
    pub fn parsed(&self) -> Frame<'a> {
        Frame::parse(self.frame).unwrap_or_else(|e| panic!("{} sent what is no frame: {e}", self.from))
    }
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams, lost ones included.
    pub datagrams: u64,
    /// Their bytes, with 28 bytes of IPv4 and UDP header for each.
    pub wire_bytes: u64,
}

/// A harness on virtual time that can be looked into.
pub trait Inspect: Harness {
    /// The time since the world began.
    fn now(&self) -> Instant;

    /// A node's state machine; that of an ended process as it was in the end.
    fn node(&self, p: Peer) -> &Node;

    /// What was counted before datagrams reached the machine.
    fn driver_stats(&self, p: Peer) -> DriverStats;

    /// All that a node has told, with the time of each.
    fn log(&self, p: Peer) -> &[(Instant, Event)];

    /// What a node has sent since it was spawned, over all its restarts.
    fn sent(&self, p: Peer) -> Traffic;

    /// Shows every datagram that is sent from now on to `look`, lost ones included. Only one tap at a time.
    fn tap(&mut self, look: impl FnMut(&Sent<'_>) + 'static);

    /// Takes the tap off again.
    fn untap(&mut self);

    /// Seals this frame, and lets it arrive at a node at once, as if it came from `from`, whatever is cut. The node has
    /// handled it when this returns.
    fn forge(&mut self, to: Peer, from: SocketAddr, frame: &[u8]);

    /// The same with a whole datagram, which may be damaged.
    fn deliver(&mut self, to: Peer, from: SocketAddr, datagram: &[u8]);

    /// What all nodes have sent.
    fn sent_total(&self) -> Traffic {
        self.peers().into_iter().map(|p| self.sent(p)).fold(Traffic::default(), |a, b| Traffic {
            datagrams: a.datagrams + b.datagrams,
            wire_bytes: a.wire_bytes + b.wire_bytes,
        })
    }

    /// Whether nobody that runs has news to tell.
    fn is_quiet(&self) -> bool {
        self.running().into_iter().all(|p| self.node(p).gossip_queued() == 0)
    }

    /// Opens a tap that writes into what it returns.
    fn tap_into<T: Default + 'static>(&mut self, mut look: impl FnMut(&mut T, &Sent<'_>) + 'static) -> Shared<T> {
        let shared = Shared::default();
        let writer = Shared::clone(&shared);
        self.tap(move |sent| look(&mut writer.get(), sent));
        shared
    }
}

/// What a tap writes and a scenario reads.
#[derive(Debug, Default)]
pub struct Shared<T>(Rc<RefCell<T>>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> Shared<T> {
    /// The value, for a look or a change; not while time passes.
    pub fn get(&self) -> RefMut<'_, T> {
        self.0.borrow_mut()
    }

    /// The value so far; it begins anew.
    pub fn take(&self) -> T
    where
        T: Default,
    {
        self.0.take()
    }
}
