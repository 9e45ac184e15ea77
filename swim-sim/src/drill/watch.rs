//! What nodes tell, laid beside what is so.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use swim_core::{Event, Instant, NodeId};

use super::report::Deaths;
use super::track::Track;
use crate::host::{Life, NodeIx};
use crate::world::World;

/// Everything that was heard, folded as it came.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Looked up by id; nodes that come back at their address keep theirs.
    nodes: BTreeMap<NodeId, NodeIx>,
    /// By node: the epoch of its running life, and whether it was told to leave.
    lives: Vec<(u32, bool)>,
    /// By node: its process runs, but only these can talk with it; see [`Watch::set_apart`].
    apart: Vec<Apart>,
    /// Who suspects whom now.
    suspects: BTreeSet<(NodeIx, NodeIx)>,
    suspected_by: Vec<usize>,
    /// Of each suspicion and each death of a life: what was so when it was told first.
    begun: BTreeMap<(NodeIx, u64), Truth>,
    declared: BTreeMap<(NodeIx, u64), Truth>,
    reports: [u64; 3],
    pub(super) refutations: u64,
    pub(super) false_suspicions: u64,
    /// Suspicions as they began, and refutations, for the faults to count.
    pub(super) suspected: Vec<(Instant, NodeIx)>,
    pub(super) refuted: Vec<Instant>,
    pub(super) tracks: Vec<Track>,
}

/// What was so when somebody said that a member does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Truth {
    /// That life was over.
    Ended,
    /// It ran, but whoever said so could not reach it.
    Apart,
    /// It ran, and could be reached.
    Healthy,
}

/// Which side of each cut that holds a node is on, and whether it is paused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Apart {
    pub(super) sides: BTreeSet<usize>,
    pub(super) paused: bool,
}

impl Watch {
    /// A node's process has been started.
    pub(super) fn on_start(&mut self, w: &World, node: NodeIx) {
        let life = (w.node(node).me().incarnation().epoch(), false);
        if node.index() < self.lives.len() {
            self.lives[node.index()] = life;
            return;
        }
        self.nodes.insert(w.id(node), node);
        self.lives.push(life);
        self.apart.push(Apart::default());
        self.suspected_by.push(0);
    }

    /// It was told to leave: who says that it is gone is right.
    pub(super) fn on_leave(&mut self, node: NodeIx) {
        self.lives[node.index()].1 = true;
    }

    /// It has ended, and neither suspects nor hears any more.
    pub(super) fn on_end(&mut self, node: NodeIx) {
        let its: Vec<_> = self.suspects.iter().copied().filter(|(_, observer)| *observer == node).collect();
        its.into_iter().for_each(|(subject, observer)| self.clear(subject, observer));
        self.tracks.iter_mut().for_each(|track| track.on_end(node));
        self.apart[node.index()].paused = false;
    }

    pub(super) fn apart_mut(&mut self, node: NodeIx) -> &mut Apart {
        &mut self.apart[node.index()]
    }

    /// Members that at least one node suspects.
    pub(super) fn suspected_now(&self) -> usize {
        self.suspected_by.iter().filter(|&&by| by > 0).count()
    }

    /// Takes all that has been told since the last time, out of the nodes' logs, so that a run of days needs no more memory
    /// than one of minutes. Faults change only between two calls.
    pub(super) fn take(&mut self, w: &mut World) {
        let mut told: Vec<(Instant, NodeIx, Event)> = Vec::new();
        for node in w.nodes() {
            told.extend(w.host_mut(node).log.drain(..).map(|(at, event)| (at, node, event)));
        }
        // Who told first decides; at one moment the order of the nodes does.
        told.sort_by_key(|&(at, node, _)| (at, node));
        for (at, observer, event) in told {
            self.on_event(w, at, observer, event);
        }
    }

    fn on_event(&mut self, w: &World, at: Instant, observer: NodeIx, event: Event) {
        if let Event::Refuted { .. } = event {
            self.refutations += 1;
            self.refuted.push(at);
        }
        let Some(subject) = event.member().and_then(|id| self.nodes.get(&id).copied()) else { return };
        for track in self.tracks.iter_mut().filter(|track| track.subject == subject) {
            track.on_event(at, observer, &event);
        }
        match event {
            Event::MemberSuspect { incarnation, .. } => {
                if self.suspects.insert((subject, observer)) {
                    self.suspected_by[subject.index()] += 1;
                }
                let truth = self.truth(w, observer, subject, incarnation.epoch());
                if let Entry::Vacant(first) = self.begun.entry((subject, incarnation.as_u64())) {
                    first.insert(truth);
                    self.suspected.push((at, subject));
                    self.false_suspicions += u64::from(truth == Truth::Healthy);
                }
            }
            Event::MemberDown { incarnation, left, .. } => {
                self.clear(subject, observer);
                if !left {
                    self.on_death(w, observer, subject, incarnation.epoch(), incarnation.as_u64());
                }
            }
            Event::MemberUp { .. } | Event::MemberRestarted { .. } | Event::MemberRefuted { .. } => {
                self.clear(subject, observer);
            }
            _ => {}
        }
    }

    /// Whoever hears of a death has not judged it: the first who told decides for all. And a death is owed to what was so
    /// when the suspicion began, too, since a cut that ends leaves little time to refute.
    fn on_death(&mut self, w: &World, observer: NodeIx, subject: NodeIx, epoch: u32, incarnation: u64) {
        let now = self.truth(w, observer, subject, epoch);
        let begun = self.begun.get(&(subject, incarnation)).copied().unwrap_or(now);
        let truth = *self.declared.entry((subject, incarnation)).or_insert(now.min(begun));
        self.reports[truth as usize] += 1;
    }

    fn clear(&mut self, subject: NodeIx, observer: NodeIx) {
        if self.suspects.remove(&(subject, observer)) {
            self.suspected_by[subject.index()] -= 1;
        }
    }

    fn truth(&self, w: &World, observer: NodeIx, subject: NodeIx, epoch: u32) -> Truth {
        let (life, leaves) = self.lives[subject.index()];
        let (theirs, mine) = (&self.apart[subject.index()], &self.apart[observer.index()]);
        if epoch < life || leaves || w.host(subject).life == Life::Ended {
            Truth::Ended
        } else if theirs.sides != mine.sides || theirs.paused || mine.paused {
            Truth::Apart
        } else {
            Truth::Healthy
        }
    }

    /// Lives that were declared dead when that was so: ended, apart, healthy.
    pub(super) fn deaths(&self) -> [Deaths; 3] {
        [Truth::Ended, Truth::Apart, Truth::Healthy].map(|truth| Deaths {
            members: self.declared.values().filter(|&&t| t == truth).count(),
            reports: self.reports[truth as usize],
        })
    }
}
