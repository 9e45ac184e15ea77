//! The bare core: three nodes and a network of a few lines, on a clock that is counted by hand. No socket, no thread, no
//! runtime; the bindings do nothing else, with a real socket and a real clock.
//!
//! `cargo run -p swim-core --example bare`

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use swim_core::{Command, Config, Event, Identity, Input, Instant, Node, NodeId, Profile, State};

struct Network {
    now: Instant,
    nodes: Vec<Node>,
    on_the_way: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    /// Who has told what.
    log: Vec<(usize, Event)>,
}

impl Network {
    fn new() -> Self {
        Self { now: Instant::ORIGIN, nodes: Vec::new(), on_the_way: VecDeque::new(), log: Vec::new() }
    }

    fn addr(i: usize) -> SocketAddr {
        ([10, 0, 0, i as u8], 7946).into()
    }

    fn spawn(&mut self) -> usize {
        let i = self.nodes.len();
        let name = format!("node-{i}");
        let profile = Profile::new(&name, b"").expect("a short name");
        let me = Identity { id: NodeId::from_name(&name), addr: Self::addr(i), epoch: 1, profile };
        // The last number is the seed of all that the node leaves to chance: the same seed, the same run.
        self.nodes.push(Node::new(me, Config::local("bare"), i as u64, self.now).expect("a preset is valid"));
        i
    }

    /// One input, and all that follows from it.
    fn give(&mut self, i: usize, input: Input<'_>) {
        let node = &mut self.nodes[i];
        node.handle(self.now, input);
        let mut out = vec![0; node.config().mtu];
        while let Some(transmit) = node.poll_transmit(&mut out) {
            self.on_the_way.push_back((Self::addr(i), transmit.to, out[..transmit.len].to_vec()));
        }
        while let Some(event) = node.poll_event() {
            self.log.push((i, event));
        }
    }

    /// Lets time pass: from deadline to deadline, and every datagram arrives at once. Those who are `down` are not there.
    fn run(&mut self, span: Duration, down: &[usize]) {
        let end = self.now + span;
        loop {
            while let Some((from, to, bytes)) = self.on_the_way.pop_front() {
                let there = (0..self.nodes.len()).find(|&i| Self::addr(i) == to && !down.contains(&i));
                if let Some(i) = there {
                    self.give(i, Input::Datagram { from, bytes: &bytes });
                }
            }
            let up = (0..self.nodes.len()).filter(|i| !down.contains(i));
            let Some((at, i)) = up.filter_map(|i| Some((self.nodes[i].poll_timeout()?, i))).min() else { break };
            if at > end {
                break;
            }
            self.now = self.now.max(at);
            self.give(i, Input::Timeout);
        }
        self.now = end;
    }
}

/// What node 0 says of the others in the end.
pub(crate) fn run() -> Vec<(String, State)> {
    let mut network = Network::new();
    let nodes = [network.spawn(), network.spawn(), network.spawn()];
    for &i in &nodes[1..] {
        network.give(i, Input::Command(Command::Join(&[Network::addr(0)])));
    }
    network.run(Duration::from_secs(5), &[]);
    network.run(Duration::from_secs(20), &[2]); // node 2 has crashed
    for (i, event) in &network.log {
        println!("node-{i}: {event:?}");
    }
    network.nodes[0].members().map(|member| (member.name().to_owned(), member.state())).collect()
}

fn main() {
    println!("{:?}", run());
}
