//! The drill's world: carries out the timeline, and looks at the nodes between one thing and the next.

mod outcome;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use swim_core::Instant;

use super::report::{Forming, Sample, Traffic};
use super::track::{Track, Wanted, ms};
use super::watch::Watch;
use super::{Drill, Fault, Kind, NotFormed, Progress, Who};
use crate::fabric::Way;
use crate::host::{Life, NodeIx};
use crate::rng::{Purpose, Stream};
use crate::world::World;
use crate::{millis, secs};

pub(super) struct Stage<'a> {
    drill: &'a Drill,
    w: World,
    watch: Watch,
    draws: Stream,
    /// When the cluster had formed.
    start: Instant,
    forming: Forming,
    /// What is still to happen; the number keeps the order of what happens at one moment.
    steps: BTreeMap<(Instant, usize), Step>,
    planned: usize,
    /// By fault.
    courses: Vec<Course>,
    /// Cuts that hold, by fault.
    cuts: BTreeMap<usize, Way>,
    leaving: Vec<NodeIx>,
    joined: usize,
    /// What each had sent when the drill began, and for how many seconds it has run since.
    sent_before: Vec<crate::Traffic>,
    uptime: Vec<u64>,
    /// What all had sent at the last full second, and whether a fault was going on since.
    sent_last: crate::Traffic,
    busy: bool,
    idle: Vec<Traffic>,
    samples: Vec<Sample>,
}

/// What has become of a fault.
#[derive(Debug, Default)]
struct Course {
    nodes: Vec<NodeIx>,
    begun: Option<Instant>,
    /// Nothing of it is still to happen.
    over: Option<Instant>,
    right_again: Option<Instant>,
    /// Nobody has anything to tell of it any more.
    quiet: bool,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Begin(usize),
    Kill(usize, NodeIx),
    Start(usize, NodeIx),
    Join(usize),
    End(usize),
}

/// How often the nodes are looked at.
const GRAIN: Duration = millis(50);
/// How long a cluster may take to form.
const FORMING_MAX: Duration = secs(600);
/// Whoever restarts or joins later knows so many addresses, as an operator would give them.
const SEEDS: usize = 3;

impl<'a> Stage<'a> {
    /// Starts all nodes within a second, through the first one, and waits until they see each other.
    pub(super) fn formed(drill: &'a Drill, progress: &mut dyn FnMut(Progress)) -> Result<Self, NotFormed> {
        let mut w = World::with_config(drill.seed, drill.config.clone());
        w.link = drill.link;
        // All that is told meanwhile is that the others come.
        w.log_events = false;
        let gap = secs(1) / u32::try_from(drill.nodes.max(1)).unwrap_or(u32::MAX);
        for i in 0..drill.nodes {
            let node = w.spawn(&format!("n{}", i + 1));
            if i > 0 {
                w.join(node, &[NodeIx::FIRST]);
            }
            w.run(gap);
            progress(Progress::Forming { started: i + 1 });
        }
        let (n, mut looks) = (drill.nodes, 0);
        let all_there = w.run_until(FORMING_MAX, |w| {
            looks += 1;
            if looks % 10 == 0 {
                progress(Progress::Forming { started: n });
            }
            w.all_see(n)
        });
        if all_there.is_none() {
            let fewest = w.nodes().map(|node| w.node(node).live_count()).min().unwrap_or_default();
            return Err(NotFormed { waited: w.now().since(Instant::ORIGIN), fewest });
        }
        let forming = Forming {
            formed_ms: ms(w.now().since(Instant::ORIGIN)),
            bytes_per_node: w.sent_total().wire_bytes() as f64 / n as f64,
            seed_bytes: w.sent(NodeIx::FIRST).wire_bytes() as f64,
        };
        // Under loss there may always be something to tell.
        w.run_until(secs(60), |w| settled(w) && w.nodes().all(|node| w.node(node).gossip_queued() == 0));
        w.log_events = true;
        Ok(Self::opened(drill, w, forming))
    }

    fn opened(drill: &'a Drill, w: World, forming: Forming) -> Self {
        let mut watch = Watch::default();
        w.nodes().for_each(|node| watch.on_start(&w, node));
        let mut stage = Self {
            drill,
            watch,
            draws: Stream::new(drill.seed, Purpose::Drill),
            start: w.now(),
            forming,
            steps: BTreeMap::new(),
            planned: 0,
            courses: drill.faults.iter().map(|_| Course::default()).collect(),
            cuts: BTreeMap::new(),
            leaving: Vec::new(),
            joined: 0,
            sent_before: w.nodes().map(|node| w.sent(node)).collect(),
            uptime: vec![0; drill.nodes],
            sent_last: w.sent_total(),
            busy: false,
            idle: Vec::new(),
            samples: Vec::new(),
            w,
        };
        for (i, fault) in drill.faults.iter().enumerate() {
            stage.plan(fault.at, Step::Begin(i));
        }
        stage
    }

    /// Everything until the end.
    pub(super) fn play(&mut self, progress: &mut dyn FnMut(Progress)) {
        let end = self.start + self.drill.duration;
        let mut look = self.start;
        loop {
            let step = self.steps.first_key_value().map_or(Instant::NEVER, |(&(at, _), _)| at);
            let next = step.min(look).min(end);
            self.w.run(next.since(self.w.now()));
            self.watch.take(&mut self.w);
            if next == look {
                self.look(progress);
                look = look + GRAIN;
            }
            if next == end && step > end {
                break;
            }
            if next == step {
                let (_, step) = self.steps.pop_first().expect("it was there");
                self.carry_out(step);
            }
        }
        self.look(progress);
    }

    fn plan(&mut self, at: Duration, step: Step) {
        // At one moment in the order of planning.
        let order = self.planned;
        self.planned += 1;
        self.steps.insert((self.start + at, order), step);
    }

    fn look(&mut self, progress: &mut dyn FnMut(Progress)) {
        let now = self.w.now();
        let (gone, leaving) = self.leaving.iter().partition(|&&node| self.w.host(node).life == Life::Ended);
        self.leaving = leaving;
        let gone: Vec<NodeIx> = gone;
        gone.into_iter().for_each(|node| self.watch.on_end(node));
        if self.courses.iter().any(|course| course.over.is_some() && course.right_again.is_none()) && settled(&self.w) {
            for course in self.courses.iter_mut().filter(|course| course.over.is_some()) {
                course.right_again.get_or_insert(now);
            }
        }
        if self.courses.iter().any(|course| course.right_again.is_some() && !course.quiet)
            && self.w.nodes().filter(|&node| self.w.is_running(node)).all(|node| self.w.node(node).gossip_queued() == 0)
        {
            self.courses.iter_mut().for_each(|course| course.quiet = course.right_again.is_some());
        }
        self.busy |= self.courses.iter().any(|course| course.begun.is_some() && !course.quiet);
        let passed = now.since(self.start);
        if passed > self.samples.last().map_or(Duration::ZERO, |sample| sample.at) && passed.subsec_nanos() == 0 {
            self.sample(passed);
            progress(Progress::Running { passed });
        }
    }

    fn sample(&mut self, at: Duration) {
        let running: Vec<NodeIx> = self.w.nodes().filter(|&node| self.w.is_running(node)).collect();
        running.iter().for_each(|node| self.uptime[node.index()] += 1);
        let mut live: Vec<usize> = running.iter().map(|&node| self.w.node(node).live_count()).collect();
        live.sort_unstable();
        let live = match live.as_slice() {
            [] => [0; 3],
            all => [all[0], all[all.len() / 2], all[all.len() - 1]],
        };
        let total = self.w.sent_total();
        let per_node = |bytes: u64| bytes as f64 / running.len().max(1) as f64;
        let sent = Traffic {
            datagrams: per_node(total.datagrams - self.sent_last.datagrams),
            bytes: per_node(total.wire_bytes() - self.sent_last.wire_bytes()),
        };
        self.sent_last = total;
        if !std::mem::take(&mut self.busy) {
            self.idle.push(sent);
        }
        let suspected = self.watch.suspected_now();
        self.samples.push(Sample { at, running: running.len(), live, suspected, sent });
    }

    fn carry_out(&mut self, step: Step) {
        match step {
            Step::Begin(i) => self.begin(i),
            Step::Kill(i, node) => {
                if self.w.host(node).life != Life::Ended {
                    self.track(i, node, Wanted::Dead, &[node]);
                    self.kill(node);
                }
            }
            Step::Start(i, node) => self.start_again(i, node),
            Step::Join(i) => self.join(i),
            Step::End(i) => self.end(i),
        }
    }

    fn begin(&mut self, i: usize) {
        let fault = &self.drill.faults[i];
        let nodes = self.befallen(&fault.kind);
        self.courses[i] = Course { nodes: nodes.clone(), begun: Some(self.w.now()), ..Course::default() };
        self.busy = true;
        let span = fault.until.map_or(Duration::ZERO, |until| until.saturating_sub(fault.at));
        // When in the span the one of these, evenly.
        let turn = |at: usize, of: usize| fault.at + span * at as u32 / of.max(1) as u32;
        let mut end = if fault.kind.lasts() { fault.until } else { Some(fault.at) };
        match fault.kind {
            Kind::Crash(_) => nodes.iter().for_each(|&node| {
                self.track(i, node, Wanted::Dead, &nodes);
                self.kill(node);
            }),
            Kind::Restart(_) => {
                nodes.iter().for_each(|&node| {
                    if fault.until.is_some() {
                        self.track(i, node, Wanted::Dead, &nodes);
                    }
                    self.kill(node);
                    self.plan(fault.until.unwrap_or(fault.at), Step::Start(i, node));
                });
                end = Some(fault.until.unwrap_or(fault.at));
            }
            Kind::RollingRestart(_, down) => {
                for (at, &node) in nodes.iter().enumerate() {
                    self.plan(turn(at, nodes.len()), Step::Kill(i, node));
                    self.plan(turn(at, nodes.len()) + down, Step::Start(i, node));
                }
                let last = turn(nodes.len().saturating_sub(1), nodes.len()) + down;
                end = Some(last.max(fault.until.unwrap_or(fault.at)));
            }
            Kind::Leave(_) => nodes.iter().for_each(|&node| {
                self.track(i, node, Wanted::Left, &nodes);
                self.watch.on_leave(node);
                self.leaving.push(node);
                self.w.leave(node);
            }),
            Kind::Join(count) => {
                (0..count).for_each(|at| self.plan(turn(at as usize, count as usize), Step::Join(i)));
                end = Some(fault.until.unwrap_or(fault.at));
            }
            Kind::Cut(_) | Kind::Mute(_) | Kind::Deaf(_) | Kind::Pause(_) => {
                nodes.iter().for_each(|&node| self.track(i, node, Wanted::Dead, &nodes));
                self.hold(i, fault, true);
            }
            _ => self.hold(i, fault, true),
        }
        if let Some(end) = end {
            self.plan(end, Step::End(i));
        }
    }

    /// Nothing of it is still to happen; what lasts ends.
    fn end(&mut self, i: usize) {
        self.hold(i, &self.drill.faults[i], false);
        self.courses[i].over = Some(self.w.now());
    }

    /// Switches on, or off again, what acts on machines and ways.
    fn hold(&mut self, i: usize, fault: &Fault, on: bool) {
        let nodes = self.courses[i].nodes.clone();
        match fault.kind {
            Kind::Cut(_) | Kind::Mute(_) | Kind::Deaf(_) => {
                let way = match fault.kind {
                    Kind::Cut(_) => Way::Both,
                    Kind::Mute(_) => Way::To,
                    _ => Way::From,
                };
                if on {
                    self.cuts.insert(i, way)
                } else {
                    self.cuts.remove(&i)
                };
                for &node in &nodes {
                    let sides = &mut self.watch.apart_mut(node).sides;
                    if on {
                        sides.insert(i)
                    } else {
                        sides.remove(&i)
                    };
                }
                self.cut_anew();
            }
            Kind::Slow(_, per_input) => {
                let per_input = if on { per_input } else { Duration::ZERO };
                nodes.iter().for_each(|&node| self.w.set_slow(node, per_input));
            }
            Kind::Pause(_) => nodes.iter().for_each(|&node| match (on, self.w.host(node).life) {
                (true, Life::Running) => {
                    self.w.pause(node);
                    self.watch.apart_mut(node).paused = true;
                }
                (false, Life::Paused) => {
                    self.w.resume(node);
                    self.watch.apart_mut(node).paused = false;
                }
                _ => {}
            }),
            Kind::Loss(_) | Kind::Latency(..) => self.link_anew(on.then_some(i), (!on).then_some(i)),
            Kind::ClockForth(_, by) if on => nodes.iter().for_each(|&node| self.w.clock_forth(node, by)),
            Kind::ClockBack(_, by) if on => nodes.iter().for_each(|&node| self.w.clock_back(node, by)),
            Kind::Drift(_, ppm) => nodes.iter().for_each(|&node| self.w.drift(node, if on { ppm } else { 0 })),
            _ => {}
        }
    }

    /// Cuts add up in a world, and are healed all at once.
    fn cut_anew(&mut self) {
        self.w.heal();
        for (&i, &way) in &self.cuts {
            let these = &self.courses[i].nodes;
            let those: Vec<NodeIx> = self.w.nodes().filter(|node| !these.contains(node)).collect();
            self.w.cut(these, &those, way);
        }
    }

    /// The drill's own link, and on top of it what holds now.
    fn link_anew(&mut self, begins: Option<usize>, ends: Option<usize>) {
        let mut link = self.drill.link;
        for (i, (fault, course)) in self.drill.faults.iter().zip(&self.courses).enumerate() {
            let holds = begins == Some(i) || course.begun.is_some() && course.over.is_none() && ends != Some(i);
            match fault.kind {
                Kind::Loss(loss) if holds => link.loss = link.loss.max(loss),
                Kind::Latency(min, max) if holds => (link.latency_min, link.latency_max) = (min, max),
                _ => {}
            }
        }
        self.w.link = link;
    }

    /// Draws whom it befalls.
    fn befallen(&mut self, kind: &Kind) -> Vec<NodeIx> {
        let Some(who) = kind.who() else { return Vec::new() };
        let under = |node: &NodeIx| {
            let course = |course: &Course| course.over.is_none() && course.nodes.contains(node);
            self.courses.iter().any(course) || self.leaving.contains(node)
        };
        let running = self.w.nodes().filter(|&node| self.w.is_running(node));
        let (mut spoken_for, mut free): (Vec<NodeIx>, Vec<NodeIx>) = running.partition(under);
        let all = spoken_for.len() + free.len();
        let wanted = match who {
            Who::Count(count) => count as usize,
            Who::Percent(percent) => ((all * percent as usize + 50) / 100).max(1),
            Who::All => all,
        };
        let mut drawn = Vec::new();
        for pool in [&mut free, &mut spoken_for] {
            while drawn.len() < wanted && !pool.is_empty() {
                let at = self.draws.within(0, pool.len() as u64 - 1) as usize;
                drawn.push(pool.swap_remove(at));
            }
        }
        drawn.sort_unstable();
        drawn
    }

    /// Waits for all who run, but for those, to hear it.
    fn track(&mut self, fault: usize, subject: NodeIx, wanted: Wanted, but: &[NodeIx]) {
        let observers: BTreeSet<NodeIx> =
            self.w.nodes().filter(|node| self.w.is_running(*node) && !but.contains(node) && *node != subject).collect();
        self.watch.tracks.push(Track::new(fault, subject, wanted, self.w.now(), observers));
    }

    fn kill(&mut self, node: NodeIx) {
        if self.w.host(node).life != Life::Ended {
            self.w.kill(node);
            self.watch.on_end(node);
        }
    }

    fn start_again(&mut self, fault: usize, node: NodeIx) {
        self.kill(node);
        self.w.restart(node);
        let seeds = self.seeds();
        self.w.join(node, &seeds);
        self.started(fault, node);
    }

    fn join(&mut self, fault: usize) {
        self.joined += 1;
        let node = self.w.spawn(&format!("n{}", self.drill.nodes + self.joined));
        let seeds = self.seeds();
        self.w.join(node, &seeds);
        self.sent_before.push(crate::Traffic::default());
        self.uptime.push(0);
        self.courses[fault].nodes.push(node);
        self.started(fault, node);
        // Whom a cut divides includes those that come later.
        self.cut_anew();
    }

    fn started(&mut self, fault: usize, node: NodeIx) {
        self.watch.on_start(&self.w, node);
        let epoch = self.w.node(node).me().incarnation().epoch();
        self.track(fault, node, Wanted::Up(epoch), &[]);
    }

    fn seeds(&self) -> Vec<NodeIx> {
        self.w.nodes().take(SEEDS).collect()
    }

    #[cfg(test)]
    pub(super) fn world(&self) -> &World {
        &self.w
    }

    fn name(&self, node: NodeIx) -> String {
        self.w.host(node).setup.name.clone()
    }
}

/// All running nodes see exactly those whose process has not ended, at the same incarnations.
fn settled(w: &World) -> bool {
    let there = w.nodes().filter(|&node| w.host(node).life != Life::Ended).count();
    w.all_see(there) && w.all_agree()
}
