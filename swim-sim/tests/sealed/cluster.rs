//! A cluster that seals, what goes over its wires, and what its nodes know.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use swim_core::{Config, Event, Instant, Stats};
use swim_driver::{DriverStats, Key, Keyring};
use swim_sim::{Link, NodeIx, World, millis, secs};

pub(crate) use crate::draw::Draw;

/// Whether what is sent is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seal {
    Sealed,
    Plain,
}

/// One of two sizes: the second where all is optimised.
pub(crate) fn size<T>(debug: T, release: T) -> T {
    if cfg!(debug_assertions) { debug } else { release }
}

pub(crate) fn key(n: u8) -> Key {
    Key::from_bytes([n; Key::LEN])
}

/// A ring of these keys.
pub(crate) fn ring(keys: &[u8], in_use: u8) -> Keyring {
    let mut ring = Keyring::new(key(keys[0]));
    keys[1..].iter().for_each(|&n| ring.add(key(n)).expect("keys differ"));
    ring.use_key(key(in_use).id()).expect("the key is there");
    ring
}

/// An empty world whose links leave nothing to chance.
pub(crate) fn world(seed: u64, seal: Seal, config: Config) -> World {
    let mut w = World::with_config(seed, config);
    w.link = Link { latency_min: millis(5), latency_max: millis(5), ..Link::default() };
    if seal == Seal::Sealed {
        w.seal(ring(&[1], 1));
    }
    w
}

/// Starts so many nodes, 20 ms apart, and lets them join through the first.
pub(crate) fn start(w: &mut World, n: usize) -> Vec<NodeIx> {
    let start = |i: usize| {
        let node = w.spawn(&format!("n{i}"));
        if i > 0 {
            w.join(node, &[NodeIx::FIRST]);
        }
        w.run(millis(20));
        node
    };
    (0..n).map(start).collect()
}

/// Runs until all that run see each other and have nothing to tell.
pub(crate) fn settle(w: &mut World, live: usize) -> Duration {
    w.run_until(secs(180), |w| w.all_see(live) && w.is_at_rest()).expect("the cluster is whole and at rest")
}

/// A datagram as somebody on the path has it.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) at: Instant,
    pub(crate) from: SocketAddr,
    pub(crate) to: NodeIx,
    pub(crate) bytes: Vec<u8>,
}

impl Recorded {
    /// Key and session of what is sealed.
    pub(crate) fn session(&self) -> &[u8] {
        &self.bytes[2..20]
    }

    /// Where it stands in its session.
    pub(crate) fn counter(&self) -> u64 {
        self.bytes[20..26].iter().rev().fold(0, |counter, &byte| counter << 8 | u64::from(byte))
    }
}

pub(crate) type Record = Rc<RefCell<Vec<Recorded>>>;

/// Records what is sent to nodes from now on.
pub(crate) fn record(w: &mut World) -> Record {
    let record = Record::default();
    let tap = Rc::clone(&record);
    w.tap(move |sent| {
        if let Some(to) = NodeIx::at(sent.to) {
            let (at, from, bytes) = (sent.at, sent.from, sent.bytes.to_vec());
            tap.borrow_mut().push(Recorded { at, from, to, bytes });
        }
    });
    record
}

/// Sealed, whatever is in it.
pub(crate) fn is_sealed(datagram: &[u8]) -> bool {
    datagram[0] == 0x51 && datagram[1] & 0xfe == 0x10
}

pub(crate) fn is_control(datagram: &[u8]) -> bool {
    datagram[..2] == [0x51, 0x11]
}

/// What a node knows, what it has counted, and what it has told.
#[derive(PartialEq, Eq)]
pub(crate) struct Known {
    /// Everything that decides what it does next.
    snapshot: Vec<u8>,
    stats: Stats,
    events: Vec<(Instant, Event)>,
}

pub(crate) fn known(w: &World, node: NodeIx) -> Known {
    let it = w.node(node);
    Known { snapshot: it.snapshot(), stats: *it.stats(), events: w.events(node).to_vec() }
}

pub(crate) fn all_known(w: &World) -> Vec<Known> {
    w.nodes().map(|node| known(w, node)).collect()
}

/// Says where they differ, which ten thousand bytes would not.
#[track_caller]
pub(crate) fn assert_same(these: &[Known], those: &[Known], what: &str) {
    assert_eq!(these.len(), those.len());
    for (i, (a, b)) in these.iter().zip(those).enumerate() {
        assert_eq!(a.stats, b.stats, "{what}: node {i}");
        assert_eq!(a.events, b.events, "{what}: node {i}");
        assert!(a.snapshot == b.snapshot, "{what}: node {i} has another state");
    }
}

pub(crate) fn driver(w: &World, node: NodeIx) -> DriverStats {
    w.pump(node).stats()
}

pub(crate) fn driven(w: &World) -> Vec<DriverStats> {
    w.nodes().map(|node| driver(w, node)).collect()
}
