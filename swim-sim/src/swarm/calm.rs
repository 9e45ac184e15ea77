//! After the chaos: all faults are over, and what was promised must come true within [`Bound`], and last.

use std::time::Duration;

use swim_core::State;

use crate::host::NodeIx;
use crate::rng::mix64;
use crate::swarm::bound::Bound;
use crate::swarm::chaos::Chaos;
use crate::swarm::data::{self, Op};
use crate::swarm::violation::Checker;
use crate::world::World;

/// What does not hold yet, at whom.
pub(crate) type Lack = (Checker, Option<NodeIx>, String);

/// What nodes have done, all together.
#[derive(Clone, Copy, Debug)]
struct Work {
    sent: u64,
    probes: u64,
    knocks: u64,
    suspicions: u64,
}

impl Chaos<'_> {
    /// The calm. Tells how long it took, of what it may take; the world is halted when it was too long.
    pub(crate) fn calm(&mut self, period: Duration) -> (Duration, Bound) {
        self.heal();
        let began = self.world.now();
        let bound = Bound::of(self.plan(), self.world.nodes().len());
        let end = began + bound.total();
        if !self.run_for(bound.settle) {
            return (bound.settle, bound);
        }
        let mut wanted = self.wanted();
        while let Err(lack) = self.is_one(&wanted) {
            if self.world.now() >= end {
                self.report(lack);
                break;
            }
            if self.world.now() >= began + bound.doubt() {
                self.spare(&wanted);
            }
            if !self.run_for(period / 2) {
                break;
            }
            self.revive_parked();
            wanted = self.wanted();
        }
        let took = self.world.now().since(began);
        if !self.world.is_halted() && self.plan().has_data() {
            self.tell_all(&wanted, bound.data);
        }
        if !self.world.is_halted() {
            self.hold(&wanted, period);
        }
        (took, bound)
    }

    /// Somebody says something: that reaches everybody, and then there is rest again. Not by one who has had two lives in one
    /// epoch: where nobody remembers the former, what the later says has the numbers of what the former said.
    pub(crate) fn tell_all(&mut self, wanted: &[NodeIx], bound: Duration) {
        const NUMBER: u64 = u64::MAX - 1;
        let first = mix64(self.plan().seed) as usize % wanted.len();
        let Some(&by) = wanted[first..].iter().chain(&wanted[..first]).find(|&&node| self.may_write(node)) else {
            return;
        };
        self.give(by, Op::Put { key: "calm".into(), value: data::bytes(NUMBER, 20), ttl: None });
        self.give(by, Op::Broadcast { number: NUMBER, len: 20 });
        let end = self.world.now() + bound;
        loop {
            let heard = wanted.iter().find(|&&node| !self.watch().data.has_heard(node, NUMBER));
            let lack = match heard {
                Some(&node) => (Checker::Unheard, Some(node), format!("a rumor by {by:?} does not reach it")),
                None => match self.is_one(wanted) {
                    Ok(()) => return,
                    Err(lack) => lack,
                },
            };
            if self.world.now() >= end {
                return self.report(lack);
            }
            if !self.run_for(self.plan().config.gossip_interval) {
                return;
            }
        }
    }

    /// Whether everybody knows everybody and what he says, and nothing is left to do.
    fn is_one(&mut self, wanted: &[NodeIx]) -> Result<(), Lack> {
        is_one(&self.world, wanted)?;
        let data = &self.watch().data;
        match wanted.iter().find(|&&node| data.is_mortal(node)) {
            Some(&node) => Err((Checker::Settled, Some(node), "something that it says will vanish".into())),
            None => Ok(()),
        }
    }

    /// Whoever runs and is to run may not be declared dead from now on.
    pub(crate) fn spare(&mut self, wanted: &[NodeIx]) {
        let running = wanted.iter().filter(|&&node| self.world.is_running(node));
        let spared = running.map(|&node| {
            let me = self.world.node(node).me();
            (me.id(), (me.incarnation().epoch(), me.addr()))
        });
        self.watch().spared = spared.collect();
    }

    /// Everything holds, so nothing may change any more.
    pub(crate) fn hold(&mut self, wanted: &[NodeIx], period: Duration) {
        let config = &self.plan().config;
        let span = Bound::hold(config, wanted.len());
        // What was news until a moment ago is still told to those whose frames are older.
        if !self.run_for(config.sync_patience) {
            return;
        }
        let before = work(&self.world, wanted);
        if !self.run_for(span) {
            return;
        }
        let after = work(&self.world, wanted);
        let suspicions = after.suspicions - before.suspicions;
        if suspicions > 0 {
            self.report((Checker::Unrest, None, format!("{suspicions} suspicions although all is well")));
        }
        if let Err((checker, node, text)) = self.is_one(wanted) {
            self.report((Checker::Unrest, node, format!("what held does not: {checker}: {text}")));
        }
        // A ping and its ack for every probe, a pull and its page for every knock; probes as many as there are periods; and
        // some more for joins that no seed could answer in the chaos.
        let n = wanted.len() as u64;
        let (probes, knocks) = (after.probes - before.probes, after.knocks - before.knocks);
        let (sent, may) = (after.sent - before.sent, 2 * probes + 2 * knocks + 8 * n);
        let periods = (span.as_micros() / period.as_micros()) as u64 + 2;
        if sent > may || probes > n * periods {
            let text = format!("{sent} datagrams with {probes} probes in {periods} periods and {knocks} knocks");
            self.report((Checker::Idle, None, text));
        }
    }

    fn report(&mut self, (checker, node, text): Lack) {
        let now = self.world.now();
        self.watch().report(checker, node, now, text);
    }
}

fn work(world: &World, wanted: &[NodeIx]) -> Work {
    let mut work = Work { sent: 0, probes: 0, knocks: 0, suspicions: 0 };
    for &node in wanted {
        let stats = world.node(node).stats();
        work.sent += stats.datagrams_sent;
        work.probes += stats.probes;
        work.knocks += stats.knocks;
        work.suspicions += stats.suspicions;
    }
    work
}

/// Whether everybody who is to run knows exactly everybody who is to run, as they are, and nothing is left to do.
pub(crate) fn is_one(world: &World, wanted: &[NodeIx]) -> Result<(), Lack> {
    for &node in wanted {
        if !world.is_running(node) {
            return Err((Checker::Liveness, Some(node), "it does not run".into()));
        }
        knows_all(world, node, wanted)?;
    }
    for &node in wanted {
        let (n, first) = (world.node(node), world.node(wanted[0]));
        if n.view_hash() != first.view_hash() {
            let text = format!("its view hash is not that of {:?}, though they hold the same", wanted[0]);
            return Err((Checker::Agreement, Some(node), text));
        }
        same_data(world, node, wanted)?;
        if n.states_queued() + n.rumors_hot() > 0 {
            let text = format!("{} states and {} rumors are left to tell", n.states_queued(), n.rumors_hot());
            return Err((Checker::Settled, Some(node), text));
        }
        if n.gossip_queued() > 0 || n.health() > 0 {
            let text = format!("{} pieces of news are left, and local health is {}", n.gossip_queued(), n.health());
            return Err((Checker::Settled, Some(node), text));
        }
    }
    Ok(())
}

/// Whether it holds of everybody what that one has written, and what the first holds of all.
fn same_data(world: &World, node: NodeIx, wanted: &[NodeIx]) -> Result<(), Lack> {
    let (n, first) = (world.node(node), world.node(wanted[0]));
    for &peer in wanted {
        let (owner, id) = (world.node(peer), world.node(peer).me().id());
        let version = (owner.state_version(id), n.state_version(id));
        if version.0 != version.1 || !owner.state(id).eq(n.state(id)) {
            let text = format!("it is at version {} of {} of what {peer:?} says", version.1, version.0);
            return Err((Checker::Agreement, Some(node), text));
        }
    }
    if n.app_hash() != first.app_hash() {
        let text = format!("its hash of states and rumors is not that of {:?}", wanted[0]);
        return Err((Checker::Agreement, Some(node), text));
    }
    Ok(())
}

fn knows_all(world: &World, node: NodeIx, wanted: &[NodeIx]) -> Result<(), Lack> {
    let n = world.node(node);
    for &peer in wanted {
        let other = world.node(peer).me();
        let Some(row) = n.member(other.id()).filter(|row| row.state() == State::Alive) else {
            let state = n.member(other.id()).map(|row| row.status());
            return Err((Checker::Liveness, Some(node), format!("{peer:?} runs, and is {state:?} to it")));
        };
        let same = row.incarnation() == other.incarnation()
            && row.addr() == other.addr()
            && row.detail_at() == other.detail_at()
            && row.profile() == other.profile();
        if !same {
            return Err((Checker::Agreement, Some(node), format!("{peer:?} is {other:?}, and {row:?} to it")));
        }
    }
    if n.live_count() != wanted.len() {
        let runs = |id| wanted.iter().any(|&peer| world.node(peer).me().id() == id);
        let ghost = n.members().find(|row| row.status().is_live() && !runs(row.id()));
        return Err((Checker::Ghost, Some(node), format!("{ghost:?} lives to it, and does not")));
    }
    Ok(())
}
