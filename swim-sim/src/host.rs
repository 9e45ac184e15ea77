//! One machine of the world: an address, and the process that runs there.

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use swim_core::{Event, Instant};
use swim_driver::{Events, Handle, Pump, Setup};

use crate::clock::Clock;
use crate::pace::{Pace, Reader};
use crate::pool::Slot;

/// A node of a [`crate::World`], by the order in which they were spawned.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIx(u32);

/// The port of every node.
const PORT: u16 = 7946;
/// Node 0 is 10.0.0.1.
const FIRST_IP: u32 = 0x0a00_0001;
/// 10.255.255.254 is the last address.
const NODES_MAX: u32 = 0x00ff_fffe;

impl NodeIx {
    /// The node that was spawned first.
    pub const FIRST: Self = Self(0);

    pub(crate) fn new(index: usize) -> Self {
        assert!(index < NODES_MAX as usize, "a world has at most {NODES_MAX} nodes: addresses end at 10.255.255.254");
        Self(index as u32)
    }

    /// 0 for the first node spawned, 1 for the second, ...
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Its address: 10.0.0.1:7946 for the first node, and counting up. It stays the same over restarts.
    pub const fn addr(self) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::from_bits(FIRST_IP + self.0)), PORT)
    }

    /// The node that has this address, if such an address can be a node's: the inverse of [`NodeIx::addr`].
    pub const fn at(addr: SocketAddr) -> Option<Self> {
        let SocketAddr::V4(v4) = addr else { return None };
        let index = v4.ip().to_bits().wrapping_sub(FIRST_IP);
        if v4.port() == PORT && index < NODES_MAX { Some(Self(index)) } else { None }
    }
}

impl fmt::Debug for NodeIx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}", self.0)
    }
}

/// What a node has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams, lost ones included.
    pub datagrams: u64,
    /// Their bytes, envelope included, headers of IP and UDP not.
    pub bytes: u64,
}

impl Traffic {
    /// Bytes on the wire: with 28 bytes of IPv4 and UDP header for each datagram.
    pub const fn wire_bytes(&self) -> u64 {
        self.bytes + 28 * self.datagrams
    }

    pub(crate) fn count(&mut self, bytes: usize) {
        self.datagrams += 1;
        self.bytes += bytes as u64;
    }
}

/// Whether the process of a host runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Running,
    /// It exists, but gets no processor: datagrams wait in its socket buffer.
    Paused,
    /// Killed, or its leave is complete.
    Ended,
}

/// A datagram that a process has sent and that has not left its machine.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// A host and its process, or what is left of it.
pub(crate) struct Host {
    /// What the process was started with; a restart starts from it.
    pub(crate) setup: Setup,
    pub(crate) pump: Pump,
    /// Kept so that the node is not asked to leave, which dropping the last handle does; `None` once that was wanted.
    pub(crate) handle: Option<Handle>,
    pub(crate) events: Events,
    /// How many of them the pump had told when they were last read.
    pub(crate) events_read: u64,
    pub(crate) life: Life,
    /// What came while it was paused, or faster than it is, oldest first.
    pub(crate) socket: VecDeque<Slot>,
    /// `Some` while its I/O is blocked: what it has sent meanwhile, oldest first.
    pub(crate) held: Option<VecDeque<Held>>,
    /// The machine's, so it goes on over restarts; like `pace`.
    pub(crate) clock: Clock,
    pub(crate) pace: Pace,
    pub(crate) reader: Reader,
    pub(crate) sent: Traffic,
    pub(crate) log: Vec<(Instant, Event)>,
    /// It is one of `World::uncounted`.
    pub(crate) uncounted: bool,
}

impl Host {
    /// A running process of this set-up at this address, on a machine with this clock, perhaps with what a former one
    /// knew.
    pub(crate) fn start(setup: Setup, ix: NodeIx, now: Instant, clock: Clock, snapshot: Option<&[u8]>) -> Self {
        let started = match snapshot {
            Some(snapshot) => setup.clone().resume(snapshot, ix.addr(), clock.at(now)),
            None => setup.clone().start(ix.addr(), clock.at(now)),
        };
        let (handle, pump) = match started {
            Ok(started) => started,
            Err(e) => panic!("{ix:?} ({}) cannot start: {e}", setup.name),
        };
        Self {
            setup,
            events: handle.events(),
            events_read: 0,
            handle: Some(handle),
            pump,
            life: Life::Running,
            socket: VecDeque::new(),
            held: None,
            clock,
            pace: Pace::default(),
            reader: Reader::default(),
            sent: Traffic::default(),
            log: Vec::new(),
            uncounted: false,
        }
    }

    /// When in the world its deadline comes, by its own clock; `NEVER` when it has none.
    pub(crate) fn deadline(&self) -> Instant {
        self.pump.poll_timeout().map_or(Instant::NEVER, |at| self.clock.when(at))
    }

    /// Whether anything waits for the process to take it, its deadline aside.
    pub(crate) fn has_input(&self) -> bool {
        self.can_read() || !self.pump.mailbox().is_empty()
    }

    /// Whether a datagram waits that the process can read.
    pub(crate) fn can_read(&self) -> bool {
        self.held.is_none() && !self.socket.is_empty()
    }

    /// When a slow reader has read its next datagram; `NEVER` when none waits, or it is not a slow reader.
    pub(crate) fn next_read(&self) -> Instant {
        if self.reader.is_slow() && !self.pace.is_slow() && self.can_read() {
            self.reader.next()
        } else {
            Instant::NEVER
        }
    }

    /// Whether what arrives has to wait in the socket.
    pub(crate) fn is_behind(&self) -> bool {
        self.life == Life::Paused || self.pace.is_slow() || self.reader.is_slow() || self.held.is_some()
    }

    /// When its alarm has to go off. A process that was away for long may have a deadline that has passed.
    pub(crate) fn alarm(&self, now: Instant) -> Instant {
        let wanted = match self.life {
            Life::Running => self.pace.next(self.deadline()).min(self.next_read()),
            Life::Paused | Life::Ended => Instant::NEVER,
        };
        wanted.max(now)
    }

    /// What the node's next life is started with, but for the seed of its choices and its secrets.
    pub(crate) fn next_life(&self) -> Setup {
        let mut setup = self.setup.clone();
        // The process may have raised its epoch itself, as one does that meets a claim of its own from the future.
        setup.epoch = Some(self.pump.node().me().incarnation().epoch().saturating_add(1));
        setup
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_nodes_are_one_to_one() {
        assert_eq!(NodeIx::new(0).addr(), "10.0.0.1:7946".parse().unwrap());
        for index in [0, 1, 254, 255, 65_535, 1_000_000, NODES_MAX as usize - 1] {
            let ix = NodeIx::new(index);
            assert_eq!((ix.index(), NodeIx::at(ix.addr())), (index, Some(ix)));
        }
        for other in ["10.0.0.0:7946", "10.255.255.255:7946", "10.0.0.1:7947", "9.255.255.255:7946", "[::1]:7946"] {
            assert_eq!(NodeIx::at(other.parse().unwrap()), None, "{other}");
        }
    }

    #[test]
    fn headers_are_counted_on_request() {
        let mut sent = Traffic::default();
        sent.count(50);
        sent.count(0);
        assert_eq!((sent.datagrams, sent.bytes, sent.wire_bytes()), (2, 50, 106));
    }
}
