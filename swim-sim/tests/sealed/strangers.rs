//! A million datagrams from strangers, in the midst of a cluster that goes on.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;

use swim_core::{Config, Event, Instant, Stats};
use swim_driver::DriverStats;
use swim_sim::{NodeIx, World, millis, secs};

use crate::cluster::*;
use crate::heap;

const COUNT: u64 = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
/// In every ten milliseconds.
const AT_ONCE: u64 = 200;

/// Five nodes that have written and told something, two of which were started again, and what they have sent to each other.
fn recorded_cluster(seal: Seal) -> (World, Vec<NodeIx>, Vec<Recorded>) {
    let mut w = world(5, seal, Config::lan("sim"));
    let recorded = record(&mut w);
    let nodes = start(&mut w, 5);
    settle(&mut w, 5);
    let mut restarted = Vec::new();
    for minute in 0..size(2, 10) {
        let writer = w.handle(nodes[minute % 5]);
        writer.put("key", &[minute as u8; 200]).expect("there is room");
        writer.broadcast("minute", &[minute as u8; 40]).expect("there is room");
        w.run(secs(30));
        if let (0, again) | (1, again) = (minute, nodes[3 - minute % 2]) {
            w.restart(again);
            w.join(again, &nodes[..1]);
            restarted.push((again, w.now()));
        }
        w.run(secs(30));
    }
    settle(&mut w, 5);
    w.untap();
    let mut recorded = recorded.take();
    // What a former life was sent last, the new one may hear once more.
    for (node, at) in restarted {
        recorded.retain(|sent| sent.to != node || sent.at > at || sent.at + secs(7) < at);
    }
    (w, nodes, recorded)
}

/// Who makes datagrams up.
struct Stranger<'a> {
    draw: Draw,
    recorded: &'a [Recorded],
}

impl Stranger<'_> {
    /// Random bytes, some of which begin like a datagram; recorded ones with changes; and recorded ones.
    fn makes(&mut self) -> (NodeIx, SocketAddr, Vec<u8>) {
        let it = &self.recorded[self.draw.below(self.recorded.len())];
        let mut bytes = it.bytes.clone();
        match self.draw.below(7) {
            0 => self.random(&mut bytes, 0),
            1 => self.random(&mut bytes, 2),
            2 => self.random(&mut bytes, 20),
            3 => bytes.truncate(self.draw.below(it.bytes.len())),
            4 => bytes.extend((0..=self.draw.below(50)).map(|_| 0)),
            5 => self.change(&mut bytes),
            _ => {}
        }
        let from = if self.draw.below(4) == 0 { it.from } else { Self::stranger(self.draw.below(STRANGERS)) };
        (it.to, from, bytes)
    }

    fn random(&mut self, bytes: &mut Vec<u8>, kept: usize) {
        bytes.resize(self.draw.below(1_400).max(kept), 0);
        self.draw.fill(&mut bytes[kept..]);
    }

    fn change(&mut self, bytes: &mut [u8]) {
        for _ in 0..=self.draw.below(4) {
            let at = self.draw.below(bytes.len());
            bytes[at] ^= 1 + self.draw.below(255) as u8;
        }
    }

    /// An address at which nobody is.
    fn stranger(n: usize) -> SocketAddr {
        ([198, 18, (n >> 8) as u8, n as u8], 4_000).into()
    }
}

const STRANGERS: usize = 1_024;

/// Bytes from and to each stranger.
type Strangers = HashMap<SocketAddr, (u64, u64)>;

/// What came of it.
struct End {
    known: Vec<Known>,
    driven: Vec<DriverStats>,
    /// The least and the most that was on the heap, since a tenth of it was over.
    heap: (isize, isize),
    strangers: Strangers,
    bytes_in: u64,
    /// Probes, and those of them that were answered in their period.
    probes: (u64, u64),
    suspected: usize,
    live: Vec<usize>,
}

fn play(seal: Seal, attacked: bool) -> End {
    let (mut w, nodes, recorded) = recorded_cluster(seal);
    let strangers: Strangers = (0..STRANGERS).map(|n| (Stranger::stranger(n), (0, 0))).collect();
    let strangers = Rc::new(RefCell::new(strangers));
    let tap = Rc::clone(&strangers);
    w.tap(move |sent| {
        if let Some((_, out)) = tap.borrow_mut().get_mut(&sent.to) {
            *out += sent.bytes.len() as u64;
        }
    });
    let mut stranger = Stranger { draw: Draw(9), recorded: &recorded };
    let probes = |w: &World| {
        let sum = |of: fn(&Stats) -> u64| nodes.iter().map(|&node| of(w.node(node).stats())).sum::<u64>();
        (sum(|s| s.probes), sum(|s| s.probes_acked))
    };
    let (before, begun) = (probes(&w), w.now());
    let (mut heap, mut bytes_in) = ((isize::MAX, 0), 0);
    for i in 0..COUNT / AT_ONCE {
        for _ in 0..if attacked { AT_ONCE } else { 0 } {
            let (to, from, bytes) = stranger.makes();
            w.inject_datagram(to, from, &bytes);
            bytes_in += bytes.len() as u64;
            strangers.borrow_mut().entry(from).or_default().0 += bytes.len() as u64;
        }
        w.run(millis(10));
        if i > COUNT / AT_ONCE / 10 {
            let live = heap::live();
            heap = (heap.0.min(live), heap.1.max(live));
        }
    }
    let after = probes(&w);
    let probes = (after.0 - before.0, after.1 - before.1);
    let suspects = |(at, event): &&(Instant, Event)| *at > begun && matches!(event, Event::MemberSuspect { .. });
    let suspected = nodes.iter().map(|&node| w.events(node).iter().filter(suspects).count()).sum();
    w.run(secs(10));
    let live = nodes.iter().map(|&node| w.node(node).live_count()).collect();
    w.untap();
    let strangers = strangers.take();
    End { known: all_known(&w), driven: driven(&w), heap, strangers, bytes_in, probes, suspected, live }
}

impl End {
    /// What was sent to strangers, and the most of it for what one of them had sent.
    fn out(&self) -> (u64, f64) {
        let nobody = |addr: &SocketAddr| NodeIx::at(*addr).is_none();
        let strangers = || self.strangers.iter().filter(|(addr, _)| nobody(addr)).map(|(_, bytes)| bytes);
        let most = strangers().map(|&(came, went)| went as f64 / came.max(1) as f64).fold(0.0, f64::max);
        (strangers().map(|(_, went)| went).sum(), most)
    }

    fn print(&self, what: &str) {
        let ((out, most), (least, peak)) = (self.out(), self.heap);
        println!(
            "{what}: {COUNT} datagrams, {} bytes in, {out} out to strangers, {most:.3} times what one sent at most; heap \
             {least} to {peak} bytes; {} of {} probes answered in their period",
            self.bytes_in, self.probes.1, self.probes.0
        );
    }
}

/// Nothing of it is heard: nodes are what they are without it, to the byte.
#[test]
fn sealed_strangers_change_nothing() {
    let (quiet, attacked) = (play(Seal::Sealed, false), play(Seal::Sealed, true));
    attacked.print("sealed");
    assert_same(&attacked.known, &quiet.known, "with strangers and without");
    let sum = |end: &End, of: fn(&DriverStats) -> u64| end.driven.iter().map(of).sum::<u64>();
    let more = |of| sum(&attacked, of) - sum(&quiet, of);
    assert!(more(DriverStats::refused) > COUNT * 9 / 10, "{:?}", attacked.driven);
    assert!(more(|s| s.refused_tag) > 0 && more(|s| s.refused_replayed) > 0 && more(|s| s.refused_unproven) > 0);
    let (out, most) = attacked.out();
    assert!(out * 20 < attacked.bytes_in && most <= 1.0, "{out} bytes, {most}");
    let (least, peak) = attacked.heap;
    assert!(peak - least < 256 << 10, "{least} to {peak} bytes on the heap");
    // All but those whose period has not ended.
    assert!(attacked.probes.0 - attacked.probes.1 <= 5 && attacked.suspected == 0, "{:?}", attacked.probes);
}

/// Replayed frames are heard, harm nobody, and are answered within bounds.
#[test]
fn plain_strangers_get_little() {
    let end = play(Seal::Plain, true);
    end.print("plain");
    let (out, most) = end.out();
    assert!(out > 0 && most <= 3.0, "{out} bytes, {most}");
    let (least, peak) = end.heap;
    assert!(peak - least < 256 << 10, "{least} to {peak} bytes on the heap");
    assert!(end.probes.0 - end.probes.1 <= 5 && end.suspected == 0, "{:?}", end.probes);
    assert_eq!(end.live, [5; 5]);
}
