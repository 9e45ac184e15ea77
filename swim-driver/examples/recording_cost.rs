//! What a flight recorder costs: a node of a cluster of N is given the same inputs with a recorder or without one, and what it
//! executes is counted by whoever runs this. `.ci/recording-cost` does, by callgrind, which counts instructions.
//!
//! ```sh
//! cargo run --release -p swim-driver --example recording_cost -- off 100 10
//! ```
//!
//! Arguments: `on` or `off`, members, minutes. The node is one of a `lan` cluster in steady state: it is probed once a period by
//! some other member, probes one itself, and is answered.

use std::env;
use std::net::SocketAddr;
use std::time::Duration;

use swim_driver::swim_core::{Config, Instant};
use swim_driver::{Handle, Pump, Recording, Setup};

fn addr(i: usize) -> SocketAddr {
    ([10, (i >> 16) as u8, (i >> 8) as u8, i as u8], 7_946).into()
}

fn start(i: usize, recording: Option<Recording>, now: Instant) -> (Handle, Pump) {
    let mut setup = Setup::new(format!("node-{i}"), Config::lan("cost"));
    (setup.epoch, setup.rng_seed, setup.record) = (Some(1), Some(i as u64), recording);
    setup.start(addr(i), now).expect("a set-up that works")
}

/// All nodes on a network that takes a tenth of a millisecond.
struct Net {
    nodes: Vec<(Handle, Pump)>,
    now: Instant,
    wires: std::collections::VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    deadlines: std::collections::BTreeSet<(Instant, usize)>,
    due: Vec<Instant>,
}

impl Net {
    fn drain(&mut self, i: usize) {
        let mut out = [0; 1_400];
        let pump = &mut self.nodes[i].1;
        while let Some(tx) = pump.poll_transmit(&mut out) {
            self.wires.push_back((addr(i), tx.to, out[..tx.len].to_vec()));
        }
        let due = pump.poll_timeout().unwrap_or(Instant::NEVER);
        self.deadlines.remove(&(self.due[i], i));
        self.due[i] = due;
        self.deadlines.insert((due, i));
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            if let Some((from, to, mut bytes)) = self.wires.pop_front() {
                self.now = self.now.plus_micros(100);
                let SocketAddr::V4(v4) = to else { continue };
                let [_, high, middle, low] = v4.ip().octets();
                let i = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                let now = self.now;
                self.nodes[i].1.datagram(now, from, &mut bytes);
                self.drain(i);
                continue;
            }
            let Some(&(due, i)) = self.deadlines.first() else { return };
            self.now = self.now.max(due.min(end));
            let now = self.now;
            if now < end {
                self.nodes[i].1.timeout(now);
                self.drain(i);
            }
        }
    }
}

fn main() {
    let args: Vec<String> = env::args().collect();
    let [_, recording, members, minutes] = &args[..] else {
        eprintln!("usage: recording_cost on|off MEMBERS MINUTES");
        std::process::exit(2);
    };
    let number = |text: &String| text.parse::<usize>().expect("a number");
    let (members, minutes) = (number(members), number(minutes));
    let now = Instant::ORIGIN;
    // All are recorded: what the others execute is counted as well.
    let recording = (recording == "on").then(Recording::default);
    let nodes: Vec<_> = (0..members).map(|i| start(i, recording.clone(), now)).collect();
    let due = vec![Instant::NEVER; members];
    let mut net = Net { nodes, now, wires: Default::default(), deadlines: Default::default(), due };
    for i in 0..members {
        if i > 0 {
            net.nodes[i].0.join(&[addr(0)]).expect("a seed");
        }
        while !net.nodes[i].1.mailbox().is_empty() {
            net.nodes[i].1.command(now);
            net.drain(i);
        }
        net.drain(i);
    }
    net.run(Duration::from_secs(minutes as u64 * 60));
    let live = net.nodes.iter().map(|(_, pump)| pump.node().live_count()).min();
    let stats = net.nodes[0].0.recorder().map(|recorder| recorder.stats());
    println!("{members} members for {minutes} min, of whom everybody knows {}: {stats:?}", live.unwrap_or(0));
}
