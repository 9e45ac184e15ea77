//! What took place in the runs of a batch, counted: a batch in which something never happens has not tested it.

use std::collections::BTreeMap;

use serde::Serialize;
use swim_core::{Event, Stats};

use crate::stats::NetworkStats;
use crate::swarm::fault::KINDS;

/// How often each thing happened. Things are named by the counters that count them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Coverage {
    counts: BTreeMap<String, u64>,
}

/// What cannot happen in these runs, and why.
pub(crate) const IMPOSSIBLE: [(&str, &str); 16] = [
    ("node: dropped_malformed", "the envelope's checksum refuses what was damaged before it is a frame"),
    ("node: members_refused", "who is refused is no member, so plans keep `members_max` large"),
    ("node: addresses_refused", "no plan has 64 nodes at one address"),
    ("node: dropped_after_leave", "a process ends with its goodbye"),
    ("node: sends_failed", "the sockets of a world never fail"),
    ("node: outbox_full", "the outbox has room for what an input can ask for at most"),
    ("node: commands_refused", "handles refuse what finds no room, and a process ends with its goodbye"),
    ("node: deltas_implausible", "nobody lies, and nobody writes 65 536 times"),
    ("node: rumors_implausible", "nobody lies, and nobody broadcasts 65 536 times"),
    ("node: lamport_implausible", "nobody broadcasts for twelve days"),
    ("node: state_refused", "whose state is refused is not the same at all, so plans keep `state_total` large"),
    ("node: verdicts_withheld", "no plan gives one address to two machines"),
    ("node: conflicts_untold", "no plan gives away the addresses of 17 members"),
    ("node: introductions_refused", "nobody pretends to be others, who ask again and again"),
    ("network: injected", "nobody forges"),
    ("network: ruled out", "rules are a test's own"),
];

impl Coverage {
    pub(crate) fn count(&mut self, what: &str, times: u64) {
        match self.counts.get_mut(what) {
            Some(count) => *count += times,
            None => drop(self.counts.insert(what.into(), times)),
        }
    }

    /// A process has ended with these counters. All fields there are, so a new one has to happen, too.
    pub(crate) fn life(&mut self, stats: &Stats) {
        let fields = serde_json::to_value(stats).expect("counters can be written");
        for (name, value) in fields.as_object().into_iter().flatten() {
            self.count(&format!("node: {name}"), value.as_u64().unwrap_or(0));
        }
    }

    pub(crate) fn event(&mut self, event: &Event) {
        let name = match event {
            Event::MemberUp { .. } => "event: member up",
            Event::MemberRestarted { .. } => "event: member restarted",
            Event::MemberUpdated { .. } => "event: member updated",
            Event::MemberMoved { .. } => "event: member moved",
            Event::MemberSuspect { .. } => "event: member suspect",
            Event::MemberRefuted { .. } => "event: member refuted",
            Event::MemberDown { left: false, .. } => "event: member dead",
            Event::MemberDown { left: true, .. } => "event: member left",
            Event::MemberForgotten { .. } => "event: member forgotten",
            Event::Refuted { .. } => "event: refuted",
            Event::Conflict { parked: false, .. } => "event: conflict",
            Event::Conflict { parked: true, .. } => "event: conflict, parked",
            Event::Joined { .. } => "event: joined",
            Event::Converged { .. } => "event: converged",
            Event::Diverged => "event: diverged",
            Event::Left => "event: left",
            Event::Health { .. } => "event: health",
            Event::Rumor { .. } => "event: rumor",
            Event::StateChanged { .. } => "event: state changed",
            Event::Lagged { .. } => "event: lagged",
            Event::AddressConflict { .. } => "event: address conflict",
            // The events of the core may become more; a batch that does not count one would not miss it.
            another => panic!("{another:?} is counted nowhere"),
        };
        self.count(name, 1);
    }

    /// What the network has done. Named one by one, so that a new fate has to be looked for, too.
    pub(crate) fn network(&mut self, stats: &NetworkStats) {
        let NetworkStats {
            sent,
            injected,
            duplicated,
            held_back,
            queued,
            corrupted,
            truncated,
            delivered,
            lost,
            lost_in_bursts,
            cut,
            ruled_out,
            too_large,
            clogged,
            overflowed,
            unreachable,
        } = *stats;
        let all = [
            ("network: sent", sent),
            ("network: injected", injected),
            ("network: duplicated", duplicated),
            ("network: held back", held_back),
            ("network: queued", queued),
            ("network: corrupted", corrupted),
            ("network: truncated", truncated),
            ("network: delivered", delivered),
            ("network: lost", lost),
            ("network: lost in bursts", lost_in_bursts),
            ("network: cut", cut),
            ("network: ruled out", ruled_out),
            ("network: too large", too_large),
            ("network: clogged", clogged),
            ("network: overflowed", overflowed),
            ("network: unreachable", unreachable),
        ];
        for (name, times) in all {
            self.count(name, times);
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (name, times) in &other.counts {
            self.count(name, *times);
        }
    }

    /// Everything that was counted, by name.
    pub fn counts(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(name, times)| (name.as_str(), *times))
    }

    /// What could have happened and did not.
    pub fn missing(&self) -> Vec<&str> {
        let possible = |name: &str| IMPOSSIBLE.iter().all(|(impossible, _)| *impossible != name);
        self.counts().filter(|&(name, times)| times == 0 && possible(name)).map(|(name, _)| name).collect()
    }

    /// Everything that is looked for, at zero: what no run has even a counter for is missing, too.
    pub(crate) fn expected() -> Self {
        let mut all = Self::default();
        for event in EVENTS {
            all.count(event, 0);
        }
        all.life(&Stats::default());
        all.network(&NetworkStats::default());
        for kind in KINDS {
            all.count(&format!("fault: {kind}"), 0);
        }
        for what in
            ["writes refused", "deaths refuted", "lives replayed", "lives replayed from a keyframe", "lives restored"]
        {
            all.count(what, 0);
        }
        all
    }
}

const EVENTS: [&str; 21] = [
    "event: member up",
    "event: member restarted",
    "event: member updated",
    "event: member moved",
    "event: member suspect",
    "event: member refuted",
    "event: member dead",
    "event: member left",
    "event: member forgotten",
    "event: refuted",
    "event: conflict",
    "event: conflict, parked",
    "event: joined",
    "event: converged",
    "event: diverged",
    "event: left",
    "event: health",
    "event: rumor",
    "event: state changed",
    "event: lagged",
    "event: address conflict",
];
