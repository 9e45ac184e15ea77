//! One life of one node, as its trace replays: what went in, what came out, and what it believed after each step.
//!
//! Damage, gaps and divergences end or interrupt a life; what is known before and after them is kept, and they are counted.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use swim_core::{Event, Fact, Instant, Node, NodeId, Status};
use swim_trace::{Outputs, Recorded, Replay, ReplayError, Trace};

use crate::decode::Names;
use crate::frames::Frames;

/// A life, replayed.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) id: NodeId,
    pub(crate) name: String,
    pub(crate) addr: SocketAddr,
    pub(crate) epoch: u32,
    pub(crate) core: String,
    pub(crate) began: Instant,
    pub(crate) unix_micros: u64,
    /// Ascending by number.
    pub(crate) steps: Vec<Step>,
    pub(crate) skipped: u64,
    pub(crate) divergences: u64,
    pub(crate) first_divergence: Option<u64>,
    /// Why the replay ended before the trace did.
    pub(crate) error: Option<ReplayError>,
}

/// One step of it.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) number: u64,
    pub(crate) at: Instant,
    pub(crate) input: Given,
    pub(crate) sent: Vec<(SocketAddr, u32)>,
    pub(crate) events: Vec<Event>,
    /// What is believed of whom from here on, where that has changed; `None`: the row is gone.
    pub(crate) beliefs: Vec<(NodeId, Option<Status>)>,
    /// The earlier step of this life that led here, where the input itself does not say.
    pub(crate) because: Option<u64>,
    /// The replay took another way than the run here; what was recorded is what stands here, if it was.
    pub(crate) diverged: bool,
}

/// An input.
#[derive(Debug)]
pub(crate) enum Given {
    Datagram { from: SocketAddr, frame: u32 },
    Other(Recorded<'static>),
}

impl Given {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Datagram { .. } => "datagram",
            Self::Other(input) => input.name(),
        }
    }
}

/// Replays a trace. The names of all members that turn up in it are added to `names`.
pub(crate) fn play(trace: &Trace<'_>, frames: &mut Frames, names: &mut Names) -> Life {
    let header = trace.header();
    let name = match header.profile.name() {
        "" => header.id.to_string(),
        name => name.to_owned(),
    };
    let mut life = Life {
        id: header.id,
        name,
        addr: header.addr,
        epoch: header.epoch,
        core: header.core.clone(),
        began: header.began,
        unix_micros: header.unix_micros,
        steps: Vec::new(),
        skipped: 0,
        divergences: 0,
        first_divergence: None,
        error: None,
    };
    match Replay::new(trace) {
        Ok(replay) => life.take(replay, frames, names),
        Err(e) => life.error = Some(e),
    }
    life
}

impl Life {
    fn take(&mut self, mut replay: Replay<'_>, frames: &mut Frames, names: &mut Names) {
        let mut views = View::default();
        let mut causes = Causes::default();
        loop {
            let step = match replay.step() {
                None => break,
                Some(Ok(step)) => step,
                Some(Err(e)) => {
                    self.error = Some(e);
                    break;
                }
            };
            let outputs = step.recorded.filter(|_| step.diverged).unwrap_or(step.outputs);
            let fresh = self.steps.last().is_none_or(|last| last.number.checked_add(1) != Some(step.number));
            let input = match step.input {
                Recorded::Datagram { from, bytes } => Given::Datagram { from: *from, frame: frames.number(bytes) },
                other => Given::Other(other.clone()),
            };
            let mut next = Step {
                number: step.number,
                at: step.at,
                input,
                sent: outputs.sent().map(|(to, frame)| (to, frames.number(frame))).collect(),
                events: outputs.events().to_vec(),
                beliefs: views.changes(step.node, outputs.events(), fresh, names),
                because: None,
                diverged: step.diverged,
            };
            next.because = causes.of(step.node, self.id, &next, outputs);
            self.steps.push(next);
        }
        let summary = replay.summary();
        (self.skipped, self.divergences) = (summary.skipped, summary.divergences);
        self.first_divergence = summary.first.map(|first| first.step);
    }

    /// Are both of the same process? Then their steps have the same numbers.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let key = |life: &Self| (life.id, life.epoch, life.addr, life.began, life.unix_micros);
        key(self) == key(other)
    }

    /// Adds what another trace of the same life has beyond this one.
    pub(crate) fn join(&mut self, other: Self) {
        let mut steps = BTreeMap::new();
        for step in self.steps.drain(..).chain(other.steps) {
            steps.entry(step.number).or_insert(step);
        }
        self.steps = steps.into_values().collect();
        self.skipped = self.skipped.max(other.skipped);
        self.divergences = self.divergences.max(other.divergences);
        self.first_divergence = self.first_divergence.or(other.first_divergence);
        self.error = self.error.take().or(other.error);
    }

    /// The times in which its steps follow each other without any missing, from the first to the last step of each.
    pub(crate) fn covered(&self) -> Vec<(Instant, Instant)> {
        let mut covered: Vec<(Instant, Instant)> = Vec::new();
        let mut last: Option<u64> = None;
        for step in &self.steps {
            let follows = last.is_some_and(|last| last.checked_add(1) == Some(step.number));
            match covered.last_mut().filter(|_| follows) {
                Some((_, to)) => *to = step.at,
                // Before its first step a node has only been constructed.
                None => covered.push((if step.number == 0 { self.began } else { step.at }, step.at)),
            }
            last = Some(step.number);
        }
        covered
    }

    /// Steps that are missing: how many times, and how many in all.
    pub(crate) fn missing(&self) -> (u64, u64) {
        let holes = self.steps.windows(2).filter_map(|pair| match pair {
            [a, b] => b.number.checked_sub(a.number)?.checked_sub(1).filter(|&n| n > 0),
            _ => None,
        });
        holes.fold((0, 0_u64), |(count, sum), n| (count + 1, sum.saturating_add(n)))
    }
}

/// What was believed after the step before.
#[derive(Default)]
struct View(BTreeMap<NodeId, Status>);

impl View {
    /// Every change to a row is told by an event, so only those that events name are looked at; all, when the state before
    /// is not known.
    fn changes(
        &mut self,
        node: &Node,
        events: &[Event],
        fresh: bool,
        names: &mut Names,
    ) -> Vec<(NodeId, Option<Status>)> {
        let all = fresh || events.iter().any(|event| matches!(event, Event::Lagged { .. }));
        let mut about: Vec<NodeId> = if all {
            self.0.keys().copied().chain(node.members().map(|member| member.id())).collect()
        } else {
            events.iter().map(|event| event.member().unwrap_or(node.me().id())).collect()
        };
        about.sort_unstable();
        about.dedup();
        let mut changed = Vec::new();
        for id in about {
            let member = node.member(id);
            if let Some(name) = member.map(|member| member.name()).filter(|_| names.get(id).is_none()) {
                names.see(id, name);
            }
            let now = member.map(|member| member.status());
            let before = match now {
                Some(status) => self.0.insert(id, status),
                None => self.0.remove(&id),
            };
            if before != now {
                changed.push((id, now));
            }
        }
        changed
    }
}

/// Which step led to what a time-out finds.
#[derive(Default)]
struct Causes {
    /// By nonce: the step that sent the ping.
    pings: BTreeMap<u32, u64>,
    suspected: BTreeMap<NodeId, u64>,
}

impl Causes {
    fn of(&mut self, node: &Node, me: NodeId, step: &Step, outputs: &Outputs) -> Option<u64> {
        let mut because = None;
        for event in &step.events {
            match *event {
                Event::MemberSuspect { id, by, .. } => {
                    because = because.or_else(|| self.failed_probe(node, id).filter(|_| by == Some(me)));
                    self.suspected.insert(id, step.number);
                }
                Event::MemberDown { id, left: false, .. } => because = because.or(self.suspected.remove(&id)),
                _ => {}
            }
        }
        for (_, frame) in outputs.sent() {
            if let Some(swim_core::wire::Message::Ping { nonce, .. }) =
                swim_core::wire::Frame::parse(frame).ok().and_then(|frame| frame.message)
            {
                // A probe that goes on sends its ping again.
                self.pings.entry(nonce).or_insert(step.number);
            }
        }
        because.filter(|_| matches!(step.input, Given::Other(Recorded::Timeout)))
    }

    fn failed_probe(&self, node: &Node, id: NodeId) -> Option<u64> {
        let nonces = node.why(id).filter_map(|evidence| match evidence.fact {
            Fact::ProbeFailed { nonce, .. } => Some(nonce),
            _ => None,
        });
        self.pings.get(&nonces.last()?).copied()
    }
}
