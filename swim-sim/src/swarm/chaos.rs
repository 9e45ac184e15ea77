//! A plan takes place: who is started when, what befalls whom, and what is put right again.

use std::time::Duration;

use swim_driver::{CommandError, Setup};

use crate::fabric::Way;
use crate::host::{Life as HostLife, NodeIx};
use crate::latency::Latency;
use crate::link::Link;
use crate::swarm::data::{self, Op};
use crate::swarm::fault::{Life, What};
use crate::swarm::plan::{Plan, PlannedFault, PlannedNode};
use crate::swarm::replay::Lives;
use crate::swarm::watch::Watch;
use crate::world::World;

/// A node of the plan in the world.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Where its process runs, or ran last; `None` before it was started.
    ix: Option<NodeIx>,
    /// Whether it is to run when all is over.
    wanted: bool,
    /// The second process of its id.
    rival: Option<NodeIx>,
    /// Two lives of it have had one epoch, so it writes nothing more: what two lives write under the same versions cannot be
    /// told apart.
    doubled: bool,
    meta: usize,
}

/// A world in which a plan takes place.
pub(crate) struct Chaos<'a> {
    pub(crate) world: World,
    plan: &'a Plan,
    places: Vec<Place>,
    /// The cuts, black holes and zones that hold now, by the places of their faults in the plan.
    active: Vec<usize>,
    zones: u16,
    /// Seconds that processes have lived, all together.
    pub(crate) node_micros: u128,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Start(usize),
    Begin(usize),
    End(usize),
    /// What a burst does the so manieth time.
    Write(usize, u64),
}

impl<'a> Chaos<'a> {
    pub(crate) fn new(plan: &'a Plan) -> Self {
        let mut world = World::with_config(plan.seed, plan.config.clone());
        world.link = plan.link;
        world.socket_buffer = plan.socket_buffer;
        world.log_events = false;
        // Processes are numbered as they start.
        let mut order: Vec<&PlannedNode> = plan.nodes.iter().collect();
        order.sort_by_key(|node| (node.start, node.number));
        let recorded = order.iter().position(|node| node.number == plan.recorded).unwrap_or(0);
        let lives = Lives::new(NodeIx::new(recorded), plan.restored_permille);
        world.watch = Some(Box::new(Watch::new(lives, world.header_len)));
        let count = plan.nodes.iter().map(|node| node.number + 1).max().unwrap_or(0);
        let place = |_| Place { ix: None, wanted: false, rival: None, doubled: false, meta: 0 };
        Self { world, plan, places: (0..count).map(place).collect(), active: Vec::new(), zones: 0, node_micros: 0 }
    }

    /// The chaos, up to its end or the first violation.
    pub(crate) fn run(&mut self) {
        let plan = self.plan;
        let mut steps: Vec<(Duration, Step)> = plan.nodes.iter().map(|n| (n.start, Step::Start(n.number))).collect();
        for (i, planned) in plan.faults.iter().enumerate() {
            steps.push((planned.fault.from, Step::Begin(i)));
            steps.push((planned.fault.until.max(planned.fault.from), Step::End(i)));
            let Some(every) = planned.fault.what.every() else { continue };
            let times = std::iter::successors(Some(planned.fault.from), |at| Some(*at + every));
            let times = times.take_while(|at| *at <= planned.fault.until);
            steps.extend(times.zip(0..).map(|(at, time)| (at, Step::Write(i, time))));
        }
        steps.sort();
        for (at, step) in steps {
            if !self.run_for(at.saturating_sub(self.elapsed())) {
                return;
            }
            match step {
                Step::Start(number) => self.start(number),
                Step::Begin(fault) => self.begin(fault),
                Step::End(fault) => self.end(fault),
                Step::Write(burst, time) => self.write(burst, time),
            }
        }
        self.run_for(plan.chaos.saturating_sub(self.elapsed()));
    }

    pub(crate) fn plan(&self) -> &'a Plan {
        self.plan
    }

    fn elapsed(&self) -> Duration {
        self.world.now().since(swim_core::Instant::ORIGIN)
    }

    /// Lets time pass; tells whether no rule was broken.
    pub(crate) fn run_for(&mut self, span: Duration) -> bool {
        let living = self.world.nodes().filter(|&node| self.world.host(node).life != HostLife::Ended).count();
        self.node_micros += span.as_micros() * living as u128;
        self.world.run(span);
        !self.world.is_halted()
    }

    /// All faults are over, and who is to run runs.
    pub(crate) fn heal(&mut self) {
        self.active.clear();
        self.world.calm();
        for number in 0..self.places.len() {
            if self.places[number].wanted {
                self.revive(number, Life::Next);
            } else {
                self.kill(number);
            }
        }
    }

    /// A process that had a rival may find that it has lost only when the rival is killed already. It falls silent, says so to
    /// its embedder, and is started anew.
    pub(crate) fn revive_parked(&mut self) {
        let rivals = self.plan.faults.iter().filter_map(|planned| match planned.fault.what {
            What::Conflict { node, .. } => Some(node),
            _ => None,
        });
        for number in rivals {
            self.revive(number, Life::Next);
        }
    }

    /// The processes that are to run, by the numbers of their nodes.
    pub(crate) fn wanted(&self) -> Vec<NodeIx> {
        self.places.iter().filter(|place| place.wanted).filter_map(|place| place.ix).collect()
    }

    pub(crate) fn watch(&mut self) -> &mut Watch {
        self.world.watch.as_mut().expect("a run is watched from its beginning")
    }

    // --- processes

    fn planned(&self, number: usize) -> &'a PlannedNode {
        let found = self.plan.nodes.iter().find(|node| node.number == number);
        found.expect("what a plan speaks of is in the plan")
    }

    fn start(&mut self, number: usize) {
        let meta = self.planned(number).meta;
        let recorded = number == self.plan.recorded;
        let ix = self.world.spawn_with(&format!("n{number}"), |setup| {
            setup.meta = bytes(meta);
            setup.record = recorded.then(|| Lives::recording(self.plan.restored_permille));
        });
        self.places[number] = Place { ix: Some(ix), wanted: true, meta, ..self.places[number] };
        self.join(ix, &self.planned(number).seeds.clone());
        self.apply_network();
    }

    /// Seeds that were never started have no address; their places in the list stay theirs. Tells whether there is one to ask.
    fn join(&mut self, ix: NodeIx, seeds: &[usize]) -> bool {
        let seeds: Vec<NodeIx> = seeds.iter().filter_map(|&seed| self.places[seed].ix).collect();
        if seeds.is_empty() {
            return false;
        }
        self.world.join(ix, &seeds);
        true
    }

    /// Where the node's process runs or is paused, if it does.
    fn living(&self, number: usize) -> Option<NodeIx> {
        self.places[number].ix.filter(|&ix| self.world.host(ix).life != HostLife::Ended)
    }

    fn kill(&mut self, number: usize) {
        if let Some(ix) = self.living(number) {
            self.world.kill(ix);
        }
    }

    /// Brings the node back if it is to run and does not.
    fn revive(&mut self, number: usize, life: Life) {
        let place = &self.places[number];
        let Some(ix) = place.ix.filter(|_| place.wanted && self.living(number).is_none()) else { return };
        let meta = place.meta;
        match life {
            Life::Next => self.world.restart_with(ix, |setup| setup.meta = bytes(meta)),
            Life::SameEpoch | Life::FirstEpoch => {
                let last = self.world.host(ix).setup.epoch;
                let epoch = if life == Life::SameEpoch { last } else { Some(1) };
                self.world.restart_with(ix, |setup: &mut Setup| {
                    (setup.epoch, setup.meta) = (epoch, bytes(meta));
                });
            }
            Life::WithState => {
                let anchored = self.knows_an_anchor(ix);
                self.world.restart_with_state(ix);
                if anchored {
                    return;
                }
            }
        }
        self.join(ix, &self.planned(number).seeds.clone());
    }

    /// Whether what it knows is enough to come back: somebody who will be there.
    fn knows_an_anchor(&self, ix: NodeIx) -> bool {
        let mut known = self.world.node(ix).members().filter(|member| member.status().is_live()).map(|m| m.addr());
        let half = self.plan.config.seeds_max / 2;
        known.any(|addr| self.places[..2].iter().any(|place| place.ix.is_some_and(|a| a != ix && a.addr() == addr)))
            && half >= self.plan.nodes.len()
    }

    // --- faults

    fn begin(&mut self, fault: usize) {
        let what = &self.plan.faults[fault].fault.what;
        if self.strike(fault, what) {
            self.watch().coverage.count(&format!("fault: {}", what.kind()), 1);
        }
    }

    /// Tells whether anybody was there whom it could befall.
    fn strike(&mut self, fault: usize, what: &What) -> bool {
        match what {
            What::Cut { these, those, .. } => self.part(fault, &[these, those]),
            What::BlackHole { node, peer, .. } => self.part(fault, &[&[*node], &[*peer]]),
            What::Zone { nodes, .. } => self.part(fault, &[nodes]),
            What::Slow { node, per_input } => self.each(*node, |world, ix| world.set_slow(ix, *per_input)),
            What::Drift { node, ppm } => self.each(*node, |world, ix| world.drift(ix, *ppm)),
            What::ClockForth { node, by } => self.each(*node, |world, ix| world.clock_forth(ix, *by)),
            What::ClockBack { node, by } => self.each(*node, |world, ix| world.clock_back(ix, *by)),
            What::Uplink { node, clog } => self.each(*node, |world, ix| world.set_uplink(ix, Some(*clog))),
            What::Pause { node } => {
                let runs = self.places[*node].ix.filter(|&ix| self.world.is_running(ix));
                runs.map(|ix| self.world.pause(ix)).is_some()
            }
            What::Block { node } => {
                let free = |ix: &NodeIx| self.world.is_running(*ix) && !self.world.is_blocked(*ix);
                self.places[*node].ix.filter(free).map(|ix| self.world.block(ix)).is_some()
            }
            What::Kill { nodes, back } => {
                let mut struck = false;
                for &node in nodes {
                    struck |= self.living(node).is_some();
                    self.places[node].doubled |= matches!(back, Some(Life::SameEpoch | Life::FirstEpoch));
                    self.kill(node);
                    self.places[node].wanted &= back.is_some();
                }
                struck
            }
            What::Relocate { node } => self.relocate(*node),
            What::Replace { node } => self.replace(*node),
            What::Leave { node, back } => {
                let living = self.living(*node);
                if let Some(ix) = living {
                    self.world.leave(ix);
                }
                self.places[*node].wanted &= *back;
                living.is_some()
            }
            What::Meta { node, len } => self.set_meta(*node, *len),
            What::Join { node, seeds } => self.living(*node).is_some_and(|ix| self.join(ix, seeds)),
            What::Conflict { node, .. } => self.double(*node),
            What::Put { nodes, .. } | What::Delete { nodes, .. } | What::Broadcast { nodes, .. } => {
                nodes.iter().any(|&node| self.living(node).is_some())
            }
        }
    }

    /// Whether what this process writes is told apart from what others have written in its name.
    pub(crate) fn may_write(&self, ix: NodeIx) -> bool {
        !self.places.iter().any(|place| place.doubled && (place.ix == Some(ix) || place.rival == Some(ix)))
    }

    fn write(&mut self, burst: usize, time: u64) {
        let PlannedFault { number, fault } = &self.plan.faults[burst];
        let Some((node, op)) = data::op((self.plan.seed, *number), &fault.what, time) else { return };
        if let Some(ix) = self.living(node).filter(|_| !self.places[node].doubled) {
            self.give(ix, op);
        }
    }

    /// An application gives its process a command. It may be too much for a process that is paused, or for its state.
    pub(crate) fn give(&mut self, ix: NodeIx, op: Op) {
        let handle = self.world.handle(ix);
        let given = match &op {
            Op::Put { key, value, ttl: None } => handle.put(key, value),
            Op::Put { key, value, ttl: Some(ttl) } => handle.put_with_ttl(key, value, *ttl),
            Op::Delete { key } => handle.delete(key),
            Op::Broadcast { number, len } => handle.broadcast(&format!("{number:x}"), &data::bytes(*number, *len)),
            Op::Other => return,
        };
        match given {
            Ok(()) => {
                self.world.note_command(ix, op);
                self.world.take_commands(ix);
            }
            Err(CommandError::Full | CommandError::StateFull { .. }) => {
                self.watch().coverage.count("writes refused", 1);
            }
            Err(e) => panic!("{ix:?} takes no {op:?}: {e}"),
        }
    }

    /// A fault of the network holds from now on. It strikes where there is a process at every end.
    fn part(&mut self, fault: usize, ends: &[&[usize]]) -> bool {
        self.active.push(fault);
        self.apply_network();
        ends.iter().all(|end| end.iter().any(|&node| self.living(node).is_some()))
    }

    fn end(&mut self, fault: usize) {
        match &self.plan.faults[fault].fault.what {
            What::Cut { .. } | What::BlackHole { .. } | What::Zone { .. } => {
                self.active.retain(|&active| active != fault);
                self.apply_network();
            }
            What::Slow { node, .. } => drop(self.each(*node, |world, ix| world.set_slow(ix, Duration::ZERO))),
            What::Drift { node, .. } => drop(self.each(*node, |world, ix| world.drift(ix, 0))),
            What::Uplink { node, .. } => drop(self.each(*node, |world, ix| world.set_uplink(ix, None))),
            What::Pause { node } => {
                let paused = |ix: &NodeIx| self.world.host(*ix).life == HostLife::Paused;
                if let Some(ix) = self.places[*node].ix.filter(paused) {
                    self.world.resume(ix);
                }
            }
            What::Block { node } => {
                // One that is paused meanwhile stays blocked until all faults end.
                if let Some(ix) = self.places[*node].ix.filter(|&ix| self.world.is_blocked(ix)) {
                    self.world.unblock(ix);
                }
            }
            What::Kill { nodes, back } => {
                for &node in nodes {
                    self.revive(node, back.unwrap_or(Life::Next));
                }
            }
            What::Leave { node, back: true } => {
                // One that is paused or slow has not said it yet, and never will.
                self.kill(*node);
                self.revive(*node, Life::Next);
            }
            What::Conflict { node, second_stays } => self.settle(*node, *second_stays),
            What::ClockForth { .. }
            | What::ClockBack { .. }
            | What::Relocate { .. }
            | What::Replace { .. }
            | What::Leave { back: false, .. }
            | What::Meta { .. }
            | What::Join { .. }
            | What::Put { .. }
            | What::Delete { .. }
            | What::Broadcast { .. } => {}
        }
    }

    /// What befalls a machine befalls it whether a process runs there or not. Tells whether one does.
    fn each(&mut self, number: usize, strike: impl FnOnce(&mut World, NodeIx)) -> bool {
        if let Some(ix) = self.places[number].ix {
            strike(&mut self.world, ix);
        }
        self.living(number).is_some()
    }

    fn set_meta(&mut self, number: usize, len: usize) -> bool {
        self.places[number].meta = len;
        let living = self.living(number);
        if let Some(ix) = living {
            self.world.set_meta(ix, &bytes(len));
        }
        living.is_some()
    }

    fn relocate(&mut self, number: usize) -> bool {
        let place = &self.places[number];
        let Some(ix) = place.ix.filter(|_| place.wanted) else { return false };
        let meta = place.meta;
        let new = self.world.relocate_with(ix, |setup| setup.meta = bytes(meta));
        self.places[number].ix = Some(new);
        self.join(new, &self.planned(number).seeds.clone());
        self.apply_network();
        true
    }

    /// Another node takes over the machine. What the former one was is no more.
    fn replace(&mut self, number: usize) -> bool {
        let place = &self.places[number];
        let Some(ix) = place.ix.filter(|_| place.wanted && place.rival.is_none()) else { return false };
        let meta = place.meta;
        self.world.restart_with(ix, |setup| {
            setup.name += "'";
            (setup.epoch, setup.meta) = (Some(1), bytes(meta));
        });
        self.join(ix, &self.planned(number).seeds.clone());
        true
    }

    /// A second process of the node's id starts; the first is among those that it asks.
    fn double(&mut self, number: usize) -> bool {
        let place = &self.places[number];
        let Some(ix) = place.ix.filter(|_| place.wanted && place.rival.is_none()) else { return false };
        let (name, epoch) = (self.world.host(ix).setup.name.clone(), self.world.host(ix).setup.epoch);
        let meta = place.meta;
        self.places[number].doubled = true;
        let rival = self.world.spawn_with(&name, |setup| (setup.epoch, setup.meta) = (epoch, bytes(meta)));
        self.places[number].rival = Some(rival);
        let mut seeds = self.planned(number).seeds.clone();
        if seeds.len() < self.plan.config.seeds_max {
            seeds.push(number);
        }
        self.join(rival, &seeds);
        self.apply_network();
        true
    }

    /// One of the two is killed, if it has not fallen silent.
    fn settle(&mut self, number: usize, second_stays: bool) {
        let Some(rival) = self.places[number].rival.take() else { return };
        let lives = self.world.host(rival).life != HostLife::Ended;
        if lives && second_stays && self.places[number].wanted {
            self.kill(number);
            self.places[number].ix = Some(rival);
        } else if lives {
            self.world.kill(rival);
        }
        self.revive(number, Life::Next);
        self.apply_network();
    }

    /// Cuts, black holes and zones as they hold now, for the machines on which nodes are now.
    fn apply_network(&mut self) {
        self.world.heal();
        self.world.net.fabric.clear_links();
        self.zones = 0;
        for node in self.world.nodes() {
            self.world.set_zone(node, 0);
        }
        for &fault in &self.active.clone() {
            match &self.plan.faults[fault].fault.what {
                What::Cut { these, those, way } => self.cut(these, those, *way),
                What::BlackHole { node, peer, mtu } => {
                    let link = Link { mtu: Some(*mtu), ..self.plan.link };
                    for (a, b) in self.machines(&[*node]).into_iter().zip(self.machines(&[*peer])) {
                        self.world.set_link(a, b, Some(link));
                        self.world.set_link(b, a, Some(link));
                    }
                }
                What::Zone { nodes, latency } => self.set_apart(nodes, *latency),
                _ => {}
            }
        }
    }

    fn machines(&self, numbers: &[usize]) -> Vec<NodeIx> {
        let machines = |&number: &usize| [self.places[number].ix, self.places[number].rival];
        numbers.iter().flat_map(machines).flatten().collect()
    }

    fn cut(&mut self, these: &[usize], those: &[usize], way: Way) {
        let (these, those) = (self.machines(these), self.machines(those));
        self.world.cut(&these, &those, way);
    }

    /// A zone of its own, so far from every other.
    fn set_apart(&mut self, numbers: &[usize], latency: Duration) {
        self.zones += 1;
        let zone = self.zones;
        for node in self.machines(numbers) {
            self.world.set_zone(node, zone);
        }
        for other in 0..zone {
            let far = Some(Latency::uniform(latency, latency * 5 / 4));
            self.world.set_zone_latency(zone, other, far);
            self.world.set_zone_latency(other, zone, far);
        }
    }
}

fn bytes(len: usize) -> Vec<u8> {
    vec![len as u8; len]
}
