//! What a flight recorder costs: a node of a cluster of N is given the same inputs with a recorder or without one, and what it
//! executes is counted by whoever runs this. `.ci/recording-cost` does, by callgrind, which counts instructions.
//!
//! ```sh
//! cargo run --release -p swim-driver --example recording_cost -- off 100 10
//! ```
//!
//! Arguments: `on`, `off` or `figures`, members, minutes. The nodes are those of a `lan` cluster in steady state: each is probed once
//! a period by some other member, probes one itself, and is answered. With `on` and `off` the number of inputs is printed; with
//! `figures` what an idle node's recording takes, and how fast it is replayed.

use std::collections::{BTreeSet, VecDeque};
use std::env;
use std::net::SocketAddr;
use std::time::Duration;

use swim_driver::swim_core::{Config, Instant};
use swim_driver::swim_trace::{Replay, Trace};
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
    wires: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    deadlines: BTreeSet<(Instant, usize)>,
    due: Vec<Instant>,
}

impl Net {
    /// All join through the first.
    fn new(members: usize, recording: Option<&Recording>) -> Self {
        let now = Instant::ORIGIN;
        let nodes: Vec<_> = (0..members).map(|i| start(i, recording.cloned(), now)).collect();
        let (wires, deadlines) = (VecDeque::new(), BTreeSet::new());
        let mut net = Self { nodes, now, wires, deadlines, due: vec![Instant::NEVER; members] };
        for i in 0..members {
            if i > 0 {
                net.nodes[i].0.join(&[addr(0)]).expect("a seed");
                net.nodes[i].1.command(now);
            }
            net.drain(i);
        }
        net
    }

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

/// What a recording of an idle node takes on average, and how fast one is replayed.
fn figures(net: &mut Net, minutes: u64) {
    let bytes = |net: &Net| -> u64 {
        net.nodes.iter().filter_map(|(handle, _)| handle.recorder()).map(|recorder| recorder.stats().bytes).sum()
    };
    let before = bytes(net);
    net.run(Duration::from_secs(minutes * 60));
    let members = net.nodes.len();
    let hourly = (bytes(net) - before) * 60 / minutes / members as u64;
    let snapshot = net.nodes[0].1.node().snapshot().len();
    println!(
        "{members} members, idle, lan: {:.2} MB per hour and node; a keyframe has {snapshot} bytes",
        hourly as f64 / 1e6
    );

    let trace = net.nodes[1].0.recorder().expect("all are recorded").trace();
    let begun = std::time::Instant::now();
    let trace = Trace::open(&trace).expect("a recorder writes traces");
    let (summary, error) = Replay::new(&trace).expect("it can be played").run();
    assert_eq!((error, summary.divergences), (None, 0));
    let (took, recorded) = (begun.elapsed(), summary.duration());
    println!(
        "replay: {} steps of {:.0} s in {:.1} ms, {:.0} times real time",
        summary.steps,
        recorded.as_secs_f64(),
        took.as_secs_f64() * 1e3,
        recorded.as_secs_f64() / took.as_secs_f64()
    );
}

fn main() {
    let args: Vec<String> = env::args().collect();
    let [_, mode, members, minutes] = &args[..] else {
        eprintln!("usage: recording_cost on|off|figures MEMBERS MINUTES");
        std::process::exit(2);
    };
    let number = |text: &String| text.parse::<usize>().expect("a number");
    let (members, minutes) = (number(members), number(minutes) as u64);
    // All are recorded: what the others execute is counted as well.
    let recording = (mode != "off").then(Recording::default);
    let mut net = Net::new(members, recording.as_ref());
    if mode == "figures" {
        // Until all know each other, and nobody has anything to tell.
        net.run(Duration::from_secs(300));
        return figures(&mut net, minutes);
    }
    net.run(Duration::from_secs(minutes * 60));
    let stats = net.nodes.iter().map(|(_, pump)| (pump.stats().datagrams_received, pump.node().stats().timeouts));
    let inputs: u64 = stats.map(|(datagrams, timeouts)| datagrams + timeouts).sum();
    println!("{inputs}");
}
