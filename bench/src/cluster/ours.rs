//! Our own core, driven bare: no pump and no envelope, whose bytes are counted all the same.

use std::net::SocketAddr;

use swim_core::{Command, Event, Identity, Input, Instant, Node, NodeId, Profile};

use super::net::Net;
use super::peer::{PORT, Peer, address, node_at};
use crate::tuning::Tuning;

/// Its times begin later than the network's: a node is not asked what was before its origin.
const ORIGIN: u64 = 1_000_000_000;
const EPOCH: u32 = 1_700_000_000;

pub(super) struct Ours {
    node: Node,
    /// When the earliest timer that is under way is due.
    armed: Option<u64>,
}

fn addr(node: usize) -> SocketAddr {
    (address(node), PORT).into()
}

fn index(addr: SocketAddr) -> usize {
    let SocketAddr::V4(addr) = addr else { panic!("all addresses are IPv4") };
    node_at(addr.ip().octets())
}

impl Ours {
    fn handle(&mut self, input: Input<'_>, net: &mut Net<()>) {
        let mut buf = [0; 1_400];
        self.node.handle(Instant::from_micros(ORIGIN + net.now()), input);
        while let Some(transmit) = self.node.poll_transmit(&mut buf) {
            net.send(index(transmit.to), &buf[..transmit.len]);
        }
        while let Some(event) = self.node.poll_event() {
            let (id, is_up) = match event {
                Event::MemberUp { id, .. } => (id, true),
                Event::MemberDown { id, .. } => (id, false),
                _ => continue,
            };
            let member = self.node.member(id).expect("whom an event names has a row until the next input");
            net.tell(index(member.addr()), is_up);
        }
        self.arm(net);
    }

    /// A timer that comes too early is harmless, one that comes too late is not.
    fn arm(&mut self, net: &mut Net<()>) {
        let Some(due) = self.node.poll_timeout().map(|due| due.as_micros() - ORIGIN) else { return };
        if self.armed.is_none_or(|armed| due < armed) {
            self.armed = Some(due);
            net.remind(due, 0, ());
        }
    }
}

impl Peer for Ours {
    type Timer = ();

    const NAME: &'static str = "ours";
    /// Magic, version, suite, tag and checksum: the plain envelope.
    const ENVELOPE: u64 = 10;

    fn start(me: usize, nodes: usize, seed: u64, tuning: Tuning, net: &mut Net<()>) -> Self {
        let mut config = tuning.config();
        config.members_reserved = nodes;
        let identity = Identity {
            id: NodeId::from_name(&format!("node-{me}")),
            addr: addr(me),
            epoch: EPOCH,
            profile: Profile::default(),
        };
        let now = Instant::from_micros(ORIGIN + net.now());
        let node = Node::new(identity, config, seed, now).expect("the config is valid");
        Self { node, armed: None }
    }

    fn join(&mut self, seed: usize, net: &mut Net<()>) {
        self.handle(Input::Command(Command::Join(&[addr(seed)])), net);
    }

    fn datagram(&mut self, from: usize, bytes: &[u8], net: &mut Net<()>) {
        self.handle(Input::Datagram { from: addr(from), bytes }, net);
    }

    fn timer(&mut self, (): (), net: &mut Net<()>) {
        if self.armed == Some(net.now()) {
            self.armed = None;
        }
        if self.node.poll_timeout().is_some_and(|due| due.as_micros() <= ORIGIN + net.now()) {
            self.handle(Input::Timeout, net);
        } else {
            self.arm(net);
        }
    }

    fn queued(&self) -> usize {
        self.node.gossip_queued()
    }
}
