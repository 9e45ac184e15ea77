//! What a stage that has been played says of itself.

use std::collections::{BTreeMap, BTreeSet};

use swim_core::{Instant, Member};

use super::super::Who;
use super::super::report::{Agreement, FaultReport, Report, Spread, Traffic, TrafficReport, Unlike};
use super::super::track::{What, ms, spread};
use super::Stage;
use crate::host::{Life, NodeIx};

impl Stage<'_> {
    pub(in crate::drill) fn report(self) -> Report {
        let [true_deaths, apart_deaths, false_deaths] = self.watch.deaths();
        let faults = (0..self.courses.len()).map(|i| self.fault_report(i)).collect();
        let mut faults: Vec<FaultReport> = faults;
        faults.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        Report {
            nodes: self.drill.nodes,
            seed: self.drill.seed,
            duration_s: self.drill.duration.as_secs_f64(),
            forming: self.forming,
            faults,
            false_deaths,
            apart_deaths,
            true_deaths,
            false_suspicions: self.watch.false_suspicions,
            refutations: self.watch.refutations,
            traffic: self.traffic(),
            agreement: self.agreement(),
            digest: format!("{:016x}", self.w.digest()),
            samples: self.samples,
        }
    }

    fn fault_report(&self, i: usize) -> FaultReport {
        let (fault, course) = (&self.drill.faults[i], &self.courses[i]);
        let window = |at: Instant| course.begun.is_some_and(|b| b <= at) && course.right_again.is_none_or(|r| at <= r);
        let suspected = self.watch.suspected.iter().filter(|&&(at, _)| window(at)).map(|&(_, who)| who);
        let spread = |what| spread(&self.watch.tracks, i, what);
        FaultReport {
            fault: fault.label.clone(),
            at_s: fault.at.as_secs_f64(),
            until_s: fault.until.map(|until| until.as_secs_f64()),
            nodes: course.nodes.iter().map(|&node| self.name(node)).collect(),
            wanted: match fault.kind.who() {
                Some(Who::Count(count)) => Some(count),
                _ => None,
            },
            first_suspicion: spread(What::Suspected),
            first_dead: spread(What::FirstDead),
            dead_everywhere: spread(What::DeadEverywhere),
            left_everywhere: spread(What::LeftEverywhere),
            up_everywhere: spread(What::UpEverywhere),
            suspected_members: suspected.collect::<BTreeSet<NodeIx>>().len(),
            refutations: self.watch.refuted.iter().filter(|&&at| window(at)).count() as u64,
            right_again_ms: course.right_again.zip(course.over).map(|(right, over)| ms(right.since(over))),
        }
    }

    fn traffic(&self) -> TrafficReport {
        let mean = |all: &[Traffic]| {
            let sum = all.iter().fold((0.0, 0.0), |sum, t| (sum.0 + t.datagrams, sum.1 + t.bytes));
            let count = all.len().max(1) as f64;
            Traffic { datagrams: sum.0 / count, bytes: sum.1 / count }
        };
        let all: Vec<Traffic> = self.samples.iter().map(|sample| sample.sent).collect();
        let peak = self.samples.iter().max_by(|a, b| a.sent.bytes.total_cmp(&b.sent.bytes).then(b.at.cmp(&a.at)));
        let by_node = |of: fn(&crate::Traffic) -> u64| {
            let rate = |node: NodeIx| {
                let (before, up) = (&self.sent_before[node.index()], self.uptime[node.index()]);
                (up > 0).then(|| (of(&self.w.sent(node)) - of(before)) as f64 / up as f64)
            };
            let rates: Vec<f64> = self.w.nodes().filter_map(rate).collect();
            Spread::of(&rates).unwrap_or(Spread { count: 0, min: 0.0, mean: 0.0, max: 0.0 })
        };
        TrafficReport {
            idle: (!self.idle.is_empty()).then(|| mean(&self.idle)),
            whole: mean(&all),
            peak: peak.map_or(Traffic::default(), |sample| sample.sent),
            peak_at_s: peak.map_or(0.0, |sample| sample.at.as_secs_f64() - 1.0),
            datagrams_by_node: by_node(|traffic| traffic.datagrams),
            bytes_by_node: by_node(crate::Traffic::wire_bytes),
        }
    }

    fn agreement(&self) -> Agreement {
        let there: Vec<NodeIx> = self.w.nodes().filter(|&node| self.w.host(node).life != Life::Ended).collect();
        let ids: BTreeMap<_, NodeIx> = there.iter().map(|&node| (self.w.id(node), node)).collect();
        let running = || there.iter().copied().filter(|&node| self.w.is_running(node));
        let mut hashes: Vec<u64> = running().map(|node| self.w.node(node).view_hash()).collect();
        hashes.sort_unstable();
        let common = hashes.chunk_by(|a, b| a == b).max_by_key(|same| same.len()).map(|same| same[0]);
        let mut unlike = Vec::new();
        for node in running() {
            let live = || self.w.node(node).members().filter(|member| member.state().is_live());
            let seen: BTreeSet<_> = live().map(|member| member.id()).collect();
            let misses: Vec<String> =
                ids.iter().filter(|(id, _)| !seen.contains(id)).map(|(_, &node)| self.name(node)).collect();
            let ghosts: Vec<String> = live()
                .filter(|member| !ids.contains_key(&member.id()))
                .map(|member| member.name().to_owned())
                .collect();
            let behind = |member: &Member<'_>| {
                let &of = ids.get(&member.id())?;
                (self.w.node(of).me().incarnation() != member.incarnation()).then(|| self.name(of))
            };
            let outdated: Vec<String> = live().filter_map(|member| behind(&member)).collect();
            let wrong = !misses.is_empty() || !ghosts.is_empty() || !outdated.is_empty();
            if wrong || Some(self.w.node(node).view_hash()) != common {
                unlike.push((node, seen.len(), misses, ghosts, outdated));
            }
        }
        let some = |mut names: Vec<String>| {
            names.sort_by_key(|name| (name.len(), name.clone()));
            names.truncate(5);
            names
        };
        Agreement {
            converged: unlike.is_empty() && running().next().is_some(),
            running: there.len(),
            unlike_count: unlike.len(),
            unlike: unlike
                .into_iter()
                .take(10)
                .map(|(node, sees, misses, ghosts, outdated)| Unlike {
                    node: self.name(node),
                    sees,
                    misses: some(misses),
                    ghosts: some(ghosts),
                    outdated: some(outdated),
                })
                .collect(),
        }
    }
}
