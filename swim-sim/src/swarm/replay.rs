//! One node's inputs are recorded, and played back into another: a node is a function of them, and of nothing else.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;

use swim_core::{Command, Event, Identity, Input, Instant, Node, NodeId, Profile};
use swim_driver::{Plain, Seal, Setup};

use crate::digest::Digest;
use crate::host::NodeIx;
use crate::network::Sent;
use crate::swarm::violation::Checker;
use crate::swarm::watch::Given;

/// What an embedder told the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Join(Vec<SocketAddr>),
    Leave,
    Profile(Profile),
}

#[derive(Clone, Debug)]
enum Recorded {
    Datagram { from: SocketAddr, frame: Range<usize> },
    Order(Order),
    Timeout,
    SendBlocked,
    SendResumed,
}

/// One life of the node, from its first input on.
struct Tape {
    setup: Setup,
    begun: Instant,
    inputs: Vec<(Instant, Recorded)>,
    /// The frames of all datagrams, one behind the other.
    frames: Vec<u8>,
    seal: Plain,
    header_len: usize,
    /// Everything that came out.
    digest: Digest,
}

/// Records the lives of one node of the world, one after the other. A life that began with a snapshot is left out.
pub(crate) struct Recorder {
    node: NodeIx,
    restored_permille: usize,
    /// Given and not yet taken.
    orders: VecDeque<Order>,
    tape: Option<Tape>,
    /// Lives that were played back.
    pub(crate) replayed: u64,
    /// Those of them that were written to a snapshot and read back meanwhile: all that were given something.
    pub(crate) restored: u64,
}

impl Recorder {
    /// Records this node, once there is one; a replay is written and read back after so many thousandths of its inputs.
    pub(crate) fn new(node: NodeIx, restored_permille: usize) -> Self {
        Self { node, restored_permille, orders: VecDeque::new(), tape: None, replayed: 0, restored: 0 }
    }

    /// A command is given to a process, which takes it when it comes to it.
    pub(crate) fn order(&mut self, ix: NodeIx, order: Order) {
        if ix == self.node {
            self.orders.push_back(order);
        }
    }

    pub(crate) fn begun(&mut self, ix: NodeIx, clock: Instant, setup: &Setup) {
        if ix != self.node {
            return;
        }
        self.orders.clear();
        let seal = Plain::new(&setup.config.cluster);
        let header_len = seal.header_len();
        self.tape = Some(Tape {
            setup: setup.clone(),
            begun: clock,
            inputs: Vec::new(),
            frames: Vec::new(),
            seal,
            header_len,
            digest: Digest::default(),
        });
    }

    pub(crate) fn given(&mut self, ix: NodeIx, clock: Instant, given: Given<'_>) {
        let Some(tape) = self.tape.as_mut().filter(|_| ix == self.node) else { return };
        let recorded = match given {
            Given::Start => return,
            Given::Timeout => Recorded::Timeout,
            Given::SendBlocked => Recorded::SendBlocked,
            Given::SendResumed => Recorded::SendResumed,
            Given::Datagram { from, bytes } => {
                let mut datagram = bytes.to_vec();
                // What cannot be opened never reaches the node.
                let Ok(frame) = tape.seal.open(&mut datagram) else { return };
                let begin = tape.frames.len();
                tape.frames.extend_from_slice(&datagram[frame]);
                Recorded::Datagram { from, frame: begin..tape.frames.len() }
            }
            Given::Command => match self.orders.pop_front() {
                Some(order) => Recorded::Order(order),
                // Nobody but itself has told it to: it was resumed.
                None => return self.tape = None,
            },
        };
        tape.inputs.push((clock, recorded));
    }

    pub(crate) fn sent(&mut self, ix: NodeIx, sent: &Sent<'_>) {
        if let Some(tape) = self.tape.as_mut().filter(|_| ix == self.node) {
            tape.digest.sent(Instant::ORIGIN, ix, sent.to, sent.frame());
        }
    }

    pub(crate) fn told(&mut self, ix: NodeIx, event: &Event) {
        if let Some(tape) = self.tape.as_mut().filter(|_| ix == self.node) {
            tape.digest.event(Instant::ORIGIN, ix, event);
        }
    }

    /// The life is over: played back, it has to have been the same.
    pub(crate) fn ended(&mut self, ix: NodeIx, node: &Node) -> Result<(), (Checker, String)> {
        let Some(tape) = self.tape.take_if(|_| ix == self.node) else { return Ok(()) };
        self.replayed += 1;
        let (was, state) = (tape.digest.value(), node.snapshot());
        let inputs = tape.inputs.len();
        let restored_after = inputs * self.restored_permille / 1_000;
        self.restored += u64::from(restored_after < inputs);
        if tape.play(ix, Some(restored_after)) == Ok((was, state.clone())) {
            return Ok(());
        }
        match tape.play(ix, None) {
            Ok(again) if again == (was, state) => {
                Err((Checker::Restore, format!("read back after {restored_after} of {inputs} inputs")))
            }
            Ok(_) => Err((Checker::Replay, format!("{inputs} inputs gave something else the second time"))),
            Err(e) => Err((Checker::Replay, e)),
        }
    }
}

impl Tape {
    /// Plays it to a new node; tells the digest of what came out, and the final state.
    fn play(&self, ix: NodeIx, restored_after: Option<usize>) -> Result<(u64, Vec<u8>), String> {
        let setup = &self.setup;
        let profile = Profile::new(&setup.name, &setup.meta).map_err(|e| e.to_string())?;
        let identity = Identity {
            id: setup.id.unwrap_or_else(|| NodeId::from_name(&setup.name)),
            addr: ix.addr(),
            epoch: setup.epoch.unwrap_or_default(),
            profile,
        };
        let rng_seed = setup.rng_seed.unwrap_or_default();
        let mut node = Node::new(identity, setup.config.clone(), rng_seed, self.begun).map_err(|e| e.to_string())?;
        let mut digest = Digest::default();
        let mut out = vec![0; setup.config.mtu - self.header_len - self.seal.trailer_len()];
        for (i, (clock, input)) in self.inputs.iter().enumerate() {
            if restored_after == Some(i) {
                node = Node::restore(&node.snapshot()).map_err(|e| e.to_string())?;
            }
            node.handle(*clock, self.input(input));
            while let Some(tx) = node.poll_transmit(&mut out) {
                digest.sent(Instant::ORIGIN, ix, tx.to, &out[..tx.len]);
            }
            while let Some(event) = node.poll_event() {
                digest.event(Instant::ORIGIN, ix, &event);
            }
        }
        Ok((digest.value(), node.snapshot()))
    }

    fn input<'a>(&'a self, recorded: &'a Recorded) -> Input<'a> {
        match recorded {
            Recorded::Timeout => Input::Timeout,
            Recorded::SendBlocked => Input::SendBlocked,
            Recorded::SendResumed => Input::SendResumed,
            Recorded::Datagram { from, frame } => Input::Datagram { from: *from, bytes: &self.frames[frame.clone()] },
            Recorded::Order(Order::Join(seeds)) => Input::Command(Command::Join(seeds)),
            Recorded::Order(Order::Leave) => Input::Command(Command::Leave),
            Recorded::Order(Order::Profile(profile)) => Input::Command(Command::SetProfile(profile)),
        }
    }
}
