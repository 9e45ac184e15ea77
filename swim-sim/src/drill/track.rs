//! What is waited for after a fault: that everybody else knows of one member's new state.

use std::collections::BTreeSet;
use std::time::Duration;

use swim_core::{Event, Instant};

use super::report::Spread;
use crate::host::NodeIx;

/// What others are to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// That it is dead.
    Dead,
    /// That it has left.
    Left,
    /// That it is there in this epoch or a later one.
    Up(u32),
}

/// One member, and those who are to hear.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) fault: usize,
    pub(super) subject: NodeIx,
    pub(super) wanted: Wanted,
    since: Instant,
    unaware: BTreeSet<NodeIx>,
    observers: BTreeSet<NodeIx>,
    suspected: Option<Instant>,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Track {
    pub(super) fn new(
        fault: usize,
        subject: NodeIx,
        wanted: Wanted,
        since: Instant,
        observers: BTreeSet<NodeIx>,
    ) -> Self {
        let unaware = observers.clone();
        Self { fault, subject, wanted, since, unaware, observers, suspected: None, first: None, last: None }
    }

    /// An observer has told something about the subject.
    pub(super) fn on_event(&mut self, at: Instant, observer: NodeIx, event: &Event) {
        if !self.observers.contains(&observer) || at < self.since {
            return;
        }
        if matches!(event, Event::MemberSuspect { .. }) {
            self.suspected.get_or_insert(at);
        }
        let heard = match (self.wanted, event) {
            (Wanted::Dead, Event::MemberDown { left, .. }) => !left,
            (Wanted::Left, Event::MemberDown { left, .. }) => *left,
            (Wanted::Up(epoch), Event::MemberUp { incarnation, .. } | Event::MemberRestarted { incarnation, .. }) => {
                incarnation.epoch() >= epoch
            }
            _ => false,
        };
        if heard && self.unaware.remove(&observer) {
            self.first.get_or_insert(at);
            self.last = Some(at);
        }
    }

    /// An observer ends, and will hear nothing more.
    pub(super) fn on_end(&mut self, observer: NodeIx) {
        self.unaware.remove(&observer);
    }

    fn everywhere(&self) -> Option<Instant> {
        self.last.filter(|_| self.unaware.is_empty())
    }

    fn after(&self, at: Option<Instant>) -> Option<f64> {
        at.map(|at| ms(at.since(self.since)))
    }
}

/// How long it took after a fault, over the members of which something like that was wanted.
pub(super) fn spread(tracks: &[Track], fault: usize, what: What) -> Option<Spread> {
    let took = |track: &Track| match (what, track.wanted) {
        (What::Suspected, Wanted::Dead) => track.after(track.suspected),
        (What::FirstDead, Wanted::Dead) => track.after(track.first),
        (What::DeadEverywhere, Wanted::Dead)
        | (What::LeftEverywhere, Wanted::Left)
        | (What::UpEverywhere, Wanted::Up(_)) => track.after(track.everywhere()),
        _ => None,
    };
    let all: Vec<f64> = tracks.iter().filter(|track| track.fault == fault).filter_map(took).collect();
    Spread::of(&all)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Suspected,
    FirstDead,
    DeadEverywhere,
    LeftEverywhere,
    UpEverywhere,
}

pub(super) fn ms(span: Duration) -> f64 {
    span.as_micros() as f64 / 1e3
}
