//! The scenarios of the crate `conformance` on the virtual network: `cargo test -p swim-sim --test conformance a1_`.
//!
//! What every node saw is replayed at the end of its world: see `lives.rs`. Golden traces are made here: see `golden.rs`.
//!
//! `SWIM_SEEDS=1000` runs more seeds of each, `SWIM_SEED=17` that one. Figures are printed with `-- --nocapture`.

#[path = "conformance/golden.rs"]
mod golden;
#[path = "conformance/lives.rs"]
mod lives;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use conformance::{Harness, Inspect, Link, Peer, Sent, Spec, Traffic, Way};
use swim_core::{Config, Event, Instant, Node, NodeId};
use swim_driver::{DriverStats, Handle, Setup, View};
use swim_sim::{NodeIx, World, millis, percent};

use lives::Lives;

conformance::suite!(Sim);
conformance::suite_inspect!(Sim);

/// A world whose links take 5 ms when nothing is wrong.
struct Sim {
    w: World,
    config: Config,
    specs: Vec<Spec>,
    /// Below the world, so that all in it has ended when these are dropped.
    lives: Lives,
}

/// What [`World::run_until`] takes between two looks, too.
const GRAIN: Duration = millis(10);

impl Sim {
    fn ix(&self, p: Peer) -> NodeIx {
        self.w.nodes().nth(p.index()).expect("peers are spawned in the order of their indices")
    }

    fn ixs(&self, these: &[Peer]) -> Vec<NodeIx> {
        these.iter().map(|&p| self.ix(p)).collect()
    }
}

/// Applies what a spec says; what it does not say stays as the world has it.
fn prepare(setup: &mut Setup, spec: &Spec) {
    setup.name.clone_from(&spec.name);
    setup.meta.clone_from(&spec.meta);
    setup.epoch = spec.epoch.or(setup.epoch);
    setup.publish_members = true;
    if let Some(config) = &spec.config {
        setup.config = config.clone();
    }
}

fn link(link: Link) -> swim_sim::Link {
    let latency = millis(5) + link.delay;
    swim_sim::Link {
        loss: percent(link.loss),
        duplicate: percent(link.duplicate),
        reorder: percent(link.reorder),
        latency_min: latency,
        latency_max: latency,
        ..swim_sim::Link::default()
    }
}

impl Harness for Sim {
    fn new(seed: u64, config: Config) -> Self {
        let mut w = World::with_config(seed, config.clone());
        w.link = link(Link::default());
        Self { w, config, specs: Vec::new(), lives: Lives::new(seed) }
    }

    fn base_config() -> Config {
        Config::lan("sim")
    }

    /// Unoptimised, a twentieth of them, and a hundredth of the long ones: each takes three times as long, and `.ci/run` plays
    /// them optimised.
    fn seeds(wanted: u64, capped: bool) -> u64 {
        if cfg!(debug_assertions) { wanted.div_ceil(if capped { 100 } else { 20 }) } else { wanted }
    }

    fn config(&self) -> &Config {
        &self.config
    }

    fn spawn(&mut self, spec: Spec) -> Peer {
        let index = self.specs.len();
        let record = self.lives.recording(index);
        let ix = self.w.spawn_with(&spec.name, |setup| {
            prepare(setup, &spec);
            setup.record = record;
        });
        self.lives.begun(index, &spec.name, self.w.handle(ix).recorder());
        self.specs.push(spec);
        Peer::new(index)
    }

    fn restart(&mut self, p: Peer, spec: Spec) {
        let ix = self.ix(p);
        let record = self.lives.recording(p.index());
        self.w.restart_with(ix, |setup| {
            prepare(setup, &spec);
            setup.record = record;
        });
        self.lives.begun(p.index(), &spec.name, self.w.handle(ix).recorder());
        self.specs[p.index()] = spec;
    }

    fn spec(&self, p: Peer) -> Spec {
        self.specs[p.index()].clone()
    }

    fn peers(&self) -> Vec<Peer> {
        (0..self.specs.len()).map(Peer::new).collect()
    }

    fn addr(&self, p: Peer) -> SocketAddr {
        self.ix(p).addr()
    }

    fn id(&self, p: Peer) -> NodeId {
        self.w.id(self.ix(p))
    }

    fn join(&mut self, p: Peer, seeds: &[SocketAddr]) {
        self.w.handle(self.ix(p)).join(seeds).expect("a node that runs takes a command");
        self.w.run(Duration::ZERO);
    }

    fn leave(&mut self, p: Peer) {
        self.w.leave(self.ix(p));
    }

    fn set_meta(&mut self, p: Peer, meta: &[u8]) {
        self.w.set_meta(self.ix(p), meta);
    }

    fn kill(&mut self, p: Peer) {
        self.w.kill(self.ix(p));
    }

    fn pause(&mut self, p: Peer) {
        self.w.pause(self.ix(p));
    }

    fn resume(&mut self, p: Peer) {
        self.w.resume(self.ix(p));
    }

    fn is_running(&self, p: Peer) -> bool {
        self.w.is_running(self.ix(p))
    }

    fn view(&self, p: Peer) -> Arc<View> {
        self.w.pump(self.ix(p)).view()
    }

    fn handle(&self, p: Peer) -> Handle {
        self.w.handle(self.ix(p)).clone()
    }

    fn let_go(&mut self, p: Peer) {
        self.w.let_go(self.ix(p));
    }

    fn events_after(&self, p: Peer, skip: usize) -> Vec<Event> {
        self.log(p).iter().skip(skip).map(|(_, event)| *event).collect()
    }

    fn run(&mut self, span: Duration) {
        self.w.run(span);
    }

    fn until(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> Option<Duration> {
        let start = self.w.now();
        loop {
            if done(self) {
                return Some(self.w.now().since(start));
            }
            let left = limit.saturating_sub(self.w.now().since(start));
            if left.is_zero() {
                return None;
            }
            self.w.run(GRAIN.min(left));
        }
    }

    fn cut(&mut self, these: &[Peer], those: &[Peer], way: Way) {
        let way = match way {
            Way::Both => swim_sim::Way::Both,
            Way::To => swim_sim::Way::To,
            Way::From => swim_sim::Way::From,
        };
        self.w.cut(&self.ixs(these), &self.ixs(those), way);
    }

    fn heal(&mut self) {
        self.w.heal();
    }

    fn set_network(&mut self, all: Link) {
        self.w.link = link(all);
    }

    fn set_link(&mut self, from: Peer, to: Peer, one: Link) {
        self.w.set_link(self.ix(from), self.ix(to), Some(link(one)));
    }
}

impl Inspect for Sim {
    fn now(&self) -> Instant {
        self.w.now()
    }

    fn node(&self, p: Peer) -> &Node {
        self.w.node(self.ix(p))
    }

    fn driver_stats(&self, p: Peer) -> DriverStats {
        self.w.pump(self.ix(p)).stats()
    }

    fn log(&self, p: Peer) -> &[(Instant, Event)] {
        self.w.events(self.ix(p))
    }

    fn sent(&self, p: Peer) -> Traffic {
        let sent = self.w.sent(self.ix(p));
        Traffic { datagrams: sent.datagrams, wire_bytes: sent.wire_bytes() }
    }

    fn tap(&mut self, mut look: impl FnMut(&Sent<'_>) + 'static) {
        self.w.tap(move |s| look(&Sent { at: s.at, from: s.from, to: s.to, bytes: s.bytes, frame: s.frame() }));
    }

    fn untap(&mut self) {
        self.w.untap();
    }

    fn forge(&mut self, to: Peer, from: SocketAddr, frame: &[u8]) {
        self.w.inject(self.ix(to), from, frame);
        self.w.run(Duration::ZERO);
    }

    fn deliver(&mut self, to: Peer, from: SocketAddr, datagram: &[u8]) {
        self.w.inject_datagram(self.ix(to), from, datagram);
        self.w.run(Duration::ZERO);
    }
}
