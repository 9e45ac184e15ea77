//! How a plan is drawn: which faults exist in this run at all, and how strong, so that no run is the average of all.

use std::time::Duration;

use swim_core::Config;

use crate::burst::Bursts;
use crate::clog::Clog;
use crate::damage::Damage;
use crate::fabric::Way;
use crate::latency::{Latency, micros};
use crate::link::{Link, millis, percent, secs};
use crate::rng::{Purpose, Stream};
use crate::swarm::data;
use crate::swarm::fault::{Fault, Life, What};
use crate::swarm::plan::{ANCHORS, Plan, PlannedFault, PlannedNode};
use crate::world::SOCKET_BUFFER;

pub(crate) fn plan(seed: u64) -> Plan {
    let mut draws = Stream::new(seed, Purpose::Swarm);
    let count = if draws.chance(percent(88)) { 2 + draws.below(11) } else { 13 + draws.below(28) };
    let (preset, mut config) = match draws.below(10) {
        0..4 => ("local", Config::local("sim")),
        4..8 => ("lan", Config::lan("sim")),
        _ => ("wan", Config::wan("sim")),
    };
    perturb(&mut config, &mut draws);
    // Large clusters have shorter chaos, so that no run takes much longer than another.
    let periods = if count > 12 { 30 + draws.below(40) } else { 40 + draws.below(140) };
    let chaos = config.probe_interval * periods as u32;
    let quiet = draws.chance(percent(7));
    let nodes = nodes(count, chaos, config.seeds_max, quiet, &mut draws);
    let link = if quiet || draws.chance(percent(25)) { Link::default() } else { weather(&config, &mut draws) };
    let mut faults = if quiet { Vec::new() } else { Faults { count, chaos, config: &config, draws: &mut draws }.all() };
    faults.extend(data::draw(seed, (count, chaos), &mut config, &faults));
    let faults = faults.into_iter().enumerate();
    Plan {
        seed,
        preset,
        link,
        socket_buffer: if draws.chance(percent(80)) { SOCKET_BUFFER } else { 3 + draws.below(40) },
        nodes,
        faults: faults.map(|(number, fault)| PlannedFault { number, fault }).collect(),
        chaos,
        recorded: draws.below(count),
        restored_permille: draws.below(1_000),
        config,
    }
}

/// Changes some fields of the preset, each to something that an embedder may choose. Bounds that decide whether lost members
/// can be found again keep room for all of them; `members_max` is large, because who is refused is no member.
fn perturb(c: &mut Config, draws: &mut Stream) {
    let mut now_and_then = |change: &mut dyn FnMut(&mut Stream)| {
        if draws.chance(percent(20)) {
            change(draws);
        }
    };
    now_and_then(&mut |d| c.indirect_probes = d.below(6));
    now_and_then(&mut |d| c.suspicion_alpha_percent = 100 * (2 + d.below(5) as u32));
    now_and_then(&mut |d| c.suspicion_beta = 1 + d.below(8) as u32);
    now_and_then(&mut |d| c.suspicion_confirmations = d.below(4));
    now_and_then(&mut |d| c.gossip_fanout = 1 + d.below(5));
    now_and_then(&mut |d| c.mtu = d.pick(&[800, 1_000, 1_300, 9_000]));
    now_and_then(&mut |d| c.health_max = d.below(9) as u32);
    now_and_then(&mut |d| c.retransmit_lambda_percent = 100 + d.below(201) as u32);
    now_and_then(&mut |d| c.relays_max = 1 + d.below(3));
    now_and_then(&mut |d| c.suspicions_max = 1 + d.below(3));
    now_and_then(&mut |d| c.seeds_max = 1 + d.below(4));
    now_and_then(&mut |d| c.evidence_max = 32 + d.below(64));
    now_and_then(&mut |d| c.sync_rate = 4_096 + d.below(60_000) as u32);
    now_and_then(&mut |d| c.join_retry_max = c.join_retry * (1 + d.below(10) as u32));
    now_and_then(&mut |d| c.probe_timeout = c.probe_interval * (20 + d.below(60) as u32) / 100);
    if draws.chance(percent(30)) {
        // So few that a join to a larger cluster loses some.
        c.events_max = 16;
    }
    if draws.chance(percent(50)) {
        // From the shortest that is accepted to sixty times that, which is longer than the preset's.
        let spread = c.gossip_interval * 2 * c.retransmit_limit(c.members_max) as u32;
        c.tombstone_ttl = spread * (1 + draws.below(60) as u32);
    }
}

fn nodes(count: usize, chaos: Duration, seeds_max: usize, quiet: bool, draws: &mut Stream) -> Vec<PlannedNode> {
    let late = if quiet { 0 } else { draws.pick(&[0, 0, percent(20), percent(60)]) };
    let node = |number: usize| {
        let first = draws.below(ANCHORS);
        let anchor = if number < ANCHORS { 1 - number } else { first };
        let mut seeds = vec![anchor];
        for _ in 0..draws.below(3) {
            let other = draws.below(count);
            if other != number && !seeds.contains(&other) && seeds.len() < seeds_max {
                seeds.push(other);
            }
        }
        let late = number >= ANCHORS && draws.chance(late);
        let start = match number {
            0 => Duration::ZERO,
            1 => within(draws, Duration::ZERO, FIRST),
            _ => within(draws, FIRST, if late { chaos } else { secs(2).min(chaos) }),
        };
        PlannedNode { number, start, seeds, meta: draws.pick(&[0, 0, 10, 100, 512]) }
    };
    (0..count).map(node).collect()
}

/// By then the anchors are started.
const FIRST: Duration = millis(200);

fn within(draws: &mut Stream, low: Duration, high: Duration) -> Duration {
    Duration::from_micros(draws.within(micros(low), micros(high)))
}

/// What all links do, one thing or several.
fn weather(config: &Config, draws: &mut Stream) -> Link {
    let timeout = config.probe_timeout;
    let mut link = Link::default();
    let mut now_and_then = |chance, change: &mut dyn FnMut(&mut Stream)| {
        if draws.chance(percent(chance)) {
            change(draws);
        }
    };
    now_and_then(50, &mut |d| link.loss = d.pick(&[percent(1), percent(5), percent(10), percent(25), percent(50)]));
    let mut latency = None;
    now_and_then(40, &mut |d| latency = Some(Latency::uniform(millis(1), within(d, millis(2), timeout))));
    now_and_then(15, &mut |d| latency = Some(Latency::long_tailed(millis(1), secs(3), percent(d.pick(&[25, 50, 70])))));
    if let Some(latency) = latency {
        link = link.with_latency(latency);
    }
    let mut now_and_then = |chance, change: &mut dyn FnMut(&mut Stream)| {
        if draws.chance(percent(chance)) {
            change(draws);
        }
    };
    now_and_then(25, &mut |d| {
        let enter = percent(1 + d.below(5) as u32);
        link.bursts = Some(Bursts { enter, leave: percent(5 + d.below(40) as u32), loss: percent(90) });
    });
    now_and_then(25, &mut |d| link.duplicate = percent(1 + d.below(30) as u32));
    now_and_then(25, &mut |d| {
        link.reorder = percent(1 + d.below(30) as u32);
        link.reorder_delay = within(d, millis(10), config.probe_interval * 3);
    });
    now_and_then(25, &mut |d| {
        let (flip, truncate) = (percent(d.below(8) as u32), percent(d.below(4) as u32));
        link.damage = Damage { flip, flips_max: 1 + d.below(8) as u16, truncate };
    });
    now_and_then(10, &mut |d| {
        link.clog = Some(Clog { rate: 500 + d.below(5_000) as u64, buffer: 2_000 + d.below(8_000) as u64 });
    });
    now_and_then(10, &mut |d| link.mtu = Some(300 + d.below(900)));
    link
}

struct Faults<'a> {
    count: usize,
    chaos: Duration,
    config: &'a Config,
    draws: &'a mut Stream,
}

impl Faults<'_> {
    fn all(&mut self) -> Vec<Fault> {
        let wanted = self.draws.below(8 + self.count / 4);
        // A run has some kinds of faults only: others would hide what these do.
        let kinds: Vec<usize> = (0..KINDS).filter(|_| self.draws.chance(percent(35))).collect();
        let mut faults = Vec::new();
        while faults.len() < wanted && !kinds.is_empty() {
            let kind = self.draws.pick(&kinds);
            self.add(kind, &mut faults);
        }
        // Two lives of one epoch that say different things of themselves under one incarnation cannot be told apart by their
        // peers; only where that shows, in an address at which nobody answers, is it found out.
        if faults.iter().any(|fault| fault.what.shares_epoch()) {
            faults.retain(|fault| !matches!(fault.what, What::Meta { .. }));
        }
        faults
    }

    /// From any moment on, or soon after the one before, so that one meets what the other has led to; for a short time, some
    /// time, or long.
    fn times(&mut self, last: Option<&Fault>) -> (Duration, Duration) {
        let period = self.config.probe_interval;
        let mut from = within(self.draws, Duration::ZERO, self.chaos * 9 / 10);
        if let Some(last) = last.filter(|_| self.draws.chance(percent(40))) {
            from = (last.from + within(self.draws, Duration::ZERO, period * 8)).min(self.chaos);
        }
        let longest = self.draws.pick(&[period * 3, period * 30, self.chaos]);
        let until = (from + within(self.draws, millis(1), longest)).min(self.chaos);
        (from, until)
    }

    fn node(&mut self) -> usize {
        self.draws.below(self.count)
    }

    /// A node that may be gone in the end.
    fn mortal(&mut self) -> Option<usize> {
        (self.count > ANCHORS).then(|| ANCHORS + self.draws.below(self.count - ANCHORS))
    }

    /// One node or more, in their order.
    fn some(&mut self) -> Vec<usize> {
        let one = self.node();
        let chance = self.draws.pick(&[percent(10), percent(30), percent(50)]);
        (0..self.count).filter(|&node| node == one || self.draws.chance(chance)).collect()
    }

    fn life(&mut self) -> Life {
        self.draws.pick(&[Life::Next, Life::SameEpoch, Life::FirstEpoch, Life::WithState])
    }

    fn add(&mut self, kind: usize, faults: &mut Vec<Fault>) {
        let (from, until) = self.times(faults.last());
        let what = match kind {
            0 => self.cut(),
            1 => Some(self.cut_pair()),
            2 => Some(What::Slow { node: self.node(), per_input: self.slowness() }),
            3 => Some(What::Pause { node: self.node() }),
            4 => Some(What::Drift { node: self.node(), ppm: self.draws.within(0, 1_300_000) as i32 - 300_000 }),
            5 => Some(self.clock()),
            6 => Some(What::Kill { nodes: vec![self.node()], back: Some(self.life()) }),
            7 => self.mortal().map(|node| What::Kill { nodes: vec![node], back: None }),
            8 => Some(What::Kill { nodes: self.some(), back: Some(self.life()) }),
            9 => return self.roll(from, until, faults),
            10 => self.mortal().map(|node| What::Relocate { node }),
            11 => self.mortal().map(|node| What::Leave { node, back: false }),
            12 => Some(What::Leave { node: self.node(), back: true }),
            13 => Some(What::Meta { node: self.node(), len: self.draws.pick(&[0, 1, 50, 300, 512]) }),
            14 => Some(self.uplink()),
            15 => self.black_hole(),
            16 => self.mortal().map(|node| What::Conflict { node, second_stays: self.draws.chance(percent(50)) }),
            17 => Some(What::Zone { nodes: self.some(), latency: within(self.draws, millis(5), secs(1)) }),
            18 => Some(What::Replace { node: self.node() }),
            19 => Some(What::Block { node: self.node() }),
            _ => self.join_again(),
        };
        faults.extend(what.map(|what| Fault { what, from, until }));
    }

    fn way(&mut self) -> Way {
        self.draws.pick(&[Way::Both, Way::Both, Way::To, Way::From])
    }

    /// A group and all others.
    fn cut(&mut self) -> Option<What> {
        let these = self.some();
        let those: Vec<usize> = (0..self.count).filter(|node| !these.contains(node)).collect();
        (!those.is_empty()).then(|| What::Cut { these, those, way: self.way() })
    }

    /// Only between two, whom the others still see.
    fn cut_pair(&mut self) -> What {
        let this = self.node();
        let that = (this + 1 + self.draws.below(self.count - 1)) % self.count;
        What::Cut { these: vec![this], those: vec![that], way: self.way() }
    }

    /// From hardly noticed to slower than the network.
    fn slowness(&mut self) -> Duration {
        let most = self.draws.pick(&[millis(1), self.config.probe_timeout / 10, self.config.probe_timeout]);
        within(self.draws, Duration::from_micros(50), most)
    }

    fn clock(&mut self) -> What {
        let node = self.node();
        let longest = self.draws.pick(&[self.config.probe_interval, self.config.probe_interval * 20]);
        let by = within(self.draws, millis(1), longest);
        if self.draws.chance(percent(50)) { What::ClockForth { node, by } } else { What::ClockBack { node, by } }
    }

    /// A rolling restart: one node after the other, each down for a while.
    fn roll(&mut self, from: Duration, until: Duration, faults: &mut Vec<Fault>) {
        let (nodes, back) = (self.some(), self.life());
        let down = within(self.draws, millis(1), self.config.probe_interval * 5);
        let step = (until - from) / nodes.len() as u32;
        for (i, node) in nodes.into_iter().enumerate() {
            let from = from + step * i as u32;
            let until = (from + down).min(self.chaos);
            faults.push(Fault { what: What::Kill { nodes: vec![node], back: Some(back) }, from, until });
        }
    }

    fn uplink(&mut self) -> What {
        let clog = Clog { rate: 200 + self.draws.below(5_000) as u64, buffer: 1_500 + self.draws.below(8_000) as u64 };
        What::Uplink { node: self.node(), clog }
    }

    fn black_hole(&mut self) -> Option<What> {
        let (node, peer) = (self.node(), self.node());
        (node != peer).then(|| What::BlackHole { node, peer, mtu: 100 + self.draws.below(700) })
    }

    fn join_again(&mut self) -> Option<What> {
        let node = self.node();
        let seeds: Vec<usize> = self.some().into_iter().filter(|&seed| seed != node).collect();
        (!seeds.is_empty()).then(|| What::Join { node, seeds: seeds.into_iter().take(self.config.seeds_max).collect() })
    }
}

const KINDS: usize = 21;
