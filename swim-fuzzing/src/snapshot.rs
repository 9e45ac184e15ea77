//! Target: any bytes as a snapshot.

use std::net::SocketAddr;
use std::time::Duration;

use swim_core::wire::{Item, Message, Writer};
use swim_core::{Command, Config, Incarnation, Input, Instant, Node, State, Status};

use crate::bench::Bench;
use crate::cast::{EPOCH, addr, id};

/// Deadlines that a restored node lives through.
const DEADLINES: usize = 12;

/// Refused with an error, or a node that has just these bytes as its snapshot and works for a while.
///
/// # Panics
/// When there is a bug.
pub fn target(data: &[u8]) {
    look(data);
    // Without these no mutation gets beyond the first bytes.
    let mut whole = data.to_vec();
    if whole.len() >= 4 {
        whole[..2].copy_from_slice(b"NS");
        whole[2..4].copy_from_slice(&Node::SNAPSHOT_VERSION.to_le_bytes());
        look(&whole);
    }
}

fn look(data: &[u8]) {
    let node = match Node::restore(data) {
        Ok(node) => node,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert_eq!(node.check(), Ok(()));
    assert!(node.snapshot() == data, "what is restored has one encoding");
    if plays(node.config()) {
        live(node);
    }
}

/// What a node may take by its config is tested elsewhere; here thousands of them come by in a second.
fn plays(config: &Config) -> bool {
    const FEW: usize = 4_096;
    config.members_max <= 1 << 16 && config.events_max <= FEW && config.suspicions_max <= FEW && config.mtu <= 1_400
}

/// What most of what comes is: the ping of a member that knows the same.
fn quiet_ping(node: &Node) -> Option<(SocketAddr, Vec<u8>)> {
    let peer = node.members().find(|member| member.state() == State::Alive && member.id() != node.me().id())?;
    let mut buf = [0; 64];
    let mut w = Writer::new(&mut buf, peer.id(), peer.incarnation(), node.view_hash()).expect("a head fits");
    assert!(w.message(Message::Ping { target: node.me().id(), nonce: 8 }) && w.app_hash(node.app_hash()), "it fits");
    let len = w.written();
    Some((peer.addr(), buf[..len].to_vec()))
}

fn live(node: Node) {
    let now = node.poll_timeout().unwrap_or(Instant::from_millis(1_000));
    let first = node.poll_timeout();
    let mut bench = Bench::of_restored(node, Instant::ORIGIN);
    if let Some((from, ping)) = quiet_ping(&bench.node) {
        bench.give(Input::Datagram { from, bytes: &ping });
    }
    bench.give(Input::SendResumed);
    // From the end of time there is nowhere to go.
    if first.is_some_and(|due| due > Instant::from_micros(1 << 62)) {
        return;
    }
    bench.now = now.minus_micros(1);
    (0..DEADLINES).for_each(|_| _ = bench.step(Duration::from_secs(5)));
    for n in [1, 2, 3] {
        let life = bench.node.member(id(n)).map_or(Incarnation::new(EPOCH, 0), |member| member.incarnation());
        let mut buf = [0; 256];
        let mut w = Writer::new(&mut buf, id(n), life, 7).expect("a head fits");
        assert!(w.message(Message::Ping { target: bench.node.me().id(), nonce: 9 }) && w.open_updates());
        assert!(w.item(&Item::status(id(n + 1), Status::alive(life.next()))));
        w.close_section();
        let len = w.written();
        bench.give(Input::Datagram { from: addr(n), bytes: &buf[..len] });
    }
    bench.give(Input::Command(Command::Put { key: "key", value: b"value", ttl: None }));
    bench.give(Input::Command(Command::Broadcast { topic: "topic", payload: b"payload" }));
    bench.fork();
    (0..DEADLINES).for_each(|_| _ = bench.step(Duration::from_secs(5)));
    bench.give(Input::Command(Command::Leave));
    bench.finish();
}
