//! Time: awake time, own pauses, and whatever is due, in the order of its deadlines.

use super::Node;
use crate::detect::{Failure, Target};
use crate::event::Event;
use crate::evidence::{Evidence, Fact};
use crate::members::{ME, ensure};
use crate::mutation::Mutation;
use crate::stats::count;
use crate::status::{State, Status};
use crate::time::Instant;
use crate::wire::Item;

/// Deadlines handled per call; whatever is left is due at once in the next.
const WORK_MAX: usize = 256;

/// What can be due, in the order in which ties are handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Period,
    AskRelays,
    Relay,
    Row,
    Suspicion,
    Doubt,
    Join,
    Sync,
    Fetch,
    State,
    Rumor,
    Heal,
    Profile,
    Gossip,
}

impl Node {
    /// Takes the driver's time. All components live in awake time, from which own pauses are cut out: when the machine
    /// is handed a time far beyond its own deadline, it was asleep, and for the protocol that time has not passed.
    pub(super) fn advance(&mut self, now: Instant) {
        if now < self.last {
            count(&mut self.cx.stats.clock_backwards);
        }
        self.last = self.last.max(now);
        if self.leave.is_complete() {
            // While this node is gone, no time passes for it: a return finds its deadlines where they were.
            self.slept = self.last.micros_since(self.cx.now);
            return;
        }
        // `NEVER` saturates, so nobody is late for it.
        let late = self.last.micros_since(self.due.plus_micros(self.slept));
        let notices = self.cx.config.pause_guard && !self.cx.mutant(Mutation::PauseUnnoticed);
        if late > self.cx.pace.probe_interval && notices {
            self.slept = self.slept.saturating_add(late);
            self.cx.now = self.cx.now.max(self.last.minus_micros(self.slept));
            self.on_woken();
            self.due = self.next_deadline();
        }
        self.cx.now = self.cx.now.max(self.last.minus_micros(self.slept));
    }

    /// This node was asleep. It convicts nobody for that interval, trusts itself less, and gathers evidence anew: the
    /// shortest suspicion must pass before any suspicion runs out.
    fn on_woken(&mut self) {
        count(&mut self.cx.stats.pauses);
        self.detect.abandon();
        self.health.worsen(1, &mut self.cx);
        self.verdicts.hold(self.table.live(), &self.cx);
    }

    /// Sets a row's deadline; the end of time is no deadline, so it is one microsecond before.
    pub(super) fn set_deadline(&mut self, slot: u32, at: Instant) {
        self.deadlines.set(slot, at.min(Instant::NEVER.minus_micros(1)));
    }

    /// The earliest deadline, in awake time.
    pub(super) fn next_deadline(&self) -> Instant {
        if self.leave.is_complete() {
            return Instant::NEVER;
        }
        let probes = self.period_at().min(self.detect.ask_at()).min(self.detect.relay_at());
        let row = self.deadlines.peek().map_or(Instant::NEVER, |(at, _)| at);
        let others = self.join.next_deadline().min(self.sync.next_deadline()).min(self.heal.next_deadline());
        let app = self.fetch.next_deadline().min(self.state_at()).min(self.rumor_at());
        let others = others.min(self.profiles.next_deadline());
        let told = self.suspicions.tell_at().min(self.doubts.next_deadline());
        probes.min(row).min(told).min(others).min(app).min(self.gossip_at())
    }

    /// When the next entry of a state vanishes, in awake time.
    fn state_at(&self) -> Instant {
        self.to_awake(self.state.next_deadline())
    }

    /// When the next rumor has been kept long enough, in awake time.
    fn rumor_at(&self) -> Instant {
        self.to_awake(self.rumors.next_deadline(&self.cx))
    }

    /// A deadline in the driver's time, in which values and rumors grow old while a node sleeps.
    fn to_awake(&self, at: Instant) -> Instant {
        if at == Instant::NEVER { at } else { at.minus_micros(self.slept) }
    }

    /// When the period ends. While nothing can be sent, one whose probe has no answer goes on: whoever sends from a loop is
    /// stuck in it.
    fn period_at(&self) -> Instant {
        let stuck = self.verdicts.is_blocked() && self.detect.is_waiting();
        if stuck { Instant::NEVER } else { self.detect.period_at() }
    }

    /// The next gossip tick; there is none while nothing can be sent.
    fn gossip_at(&self) -> Instant {
        if self.verdicts.is_blocked() { Instant::NEVER } else { self.gossip.next_deadline() }
    }

    /// What was held has left, and what waited has been read. After a long time that is as after an own pause: others
    /// could not hear what this node suspected, nor this node what they refuted.
    pub(super) fn on_send_resumed(&mut self) {
        let mute = self.verdicts.is_mute(&self.cx);
        self.verdicts.unblock();
        if self.leave.is_complete() {
            return;
        }
        if mute {
            count(&mut self.cx.stats.send_blocks);
            self.health.worsen(1, &mut self.cx);
            self.verdicts.hold(self.table.live(), &self.cx);
        }
        if self.cx.config.pause_guard && self.detect.is_waiting() && self.detect.period_at() <= self.cx.now {
            // Its ping may have been held all the time.
            count(&mut self.cx.stats.stalls);
            self.detect.abandon();
        }
    }

    /// The earliest deadline, and what it is for.
    fn next_due(&self) -> (Instant, Due) {
        let row = self.deadlines.peek().map_or(Instant::NEVER, |(at, _)| at);
        let mut first = (self.period_at(), Due::Period);
        let mut also = |at: Instant, due: Due| {
            if at < first.0 {
                first = (at, due);
            }
        };
        also(self.detect.ask_at(), Due::AskRelays);
        also(self.detect.relay_at(), Due::Relay);
        also(row, Due::Row);
        also(self.suspicions.tell_at(), Due::Suspicion);
        also(self.doubts.next_deadline(), Due::Doubt);
        also(self.join.next_deadline(), Due::Join);
        also(self.sync.next_deadline(), Due::Sync);
        also(self.fetch.next_deadline(), Due::Fetch);
        also(self.state_at(), Due::State);
        also(self.rumor_at(), Due::Rumor);
        also(self.heal.next_deadline(), Due::Heal);
        also(self.profiles.next_deadline(), Due::Profile);
        also(self.gossip_at(), Due::Gossip);
        first
    }

    /// Handles what is due, the earliest deadline first. Returns the next one, unless there is more to do.
    pub(super) fn on_timeout(&mut self) -> Option<Instant> {
        for _ in 0..WORK_MAX {
            if self.leave.is_complete() {
                return None;
            }
            let (at, due) = self.next_due();
            if at > self.cx.now || at == Instant::NEVER {
                return Some(at);
            }
            count(&mut self.cx.stats.timeouts);
            match due {
                Due::Period => self.on_period(),
                Due::AskRelays => self.detect.ask_relays(&self.table, &mut self.cx),
                Due::Relay => self.detect.on_relay_due(&mut self.cx),
                Due::Row => self.on_row_due(),
                Due::Suspicion => self.tell_again(),
                Due::Doubt => self.on_doubt_due(),
                Due::Join => self.join.on_due(self.sync.is_busy(), &mut self.cx),
                Due::Sync => {
                    let ended = self.sync.on_due(&mut self.cx);
                    self.on_sync_ended(ended);
                }
                Due::Fetch => {
                    self.fetch.on_due(&self.table, &mut self.cx);
                    self.ask_on();
                }
                Due::State => self.on_state_due(),
                Due::Rumor => self.on_rumor_due(),
                Due::Heal => {
                    if let Some(addr) = self.heal.on_due(self.join.idle_seeds(), &self.table, &mut self.cx) {
                        self.join.knock(addr, &mut self.cx);
                    }
                }
                Due::Profile => self.on_profile_due(),
                Due::Gossip => {
                    let more = self.has_app_news();
                    self.gossip.on_tick(&self.table, more, &mut self.cx);
                }
            }
        }
        None
    }

    /// A protocol period is over, and the next begins.
    fn on_period(&mut self) {
        if let Some(failure) = self.detect.conclude(&mut self.cx) {
            self.note_failure(&failure);
            self.health.worsen(failure.penalty, &mut self.cx);
            let mut suspect = failure.suspect;
            if self.cx.mutant(Mutation::AccusesThePresent) {
                let known = self.table.find_row(failure.id).map_or(suspect, |(_, row)| row.status);
                suspect = Status::new(known.incarnation(), State::Suspect);
            }
            if self.speaks_against(failure.id) {
                self.accuse(&Item::status(failure.id, suspect));
            }
        }
        if core::mem::take(&mut self.reunited) {
            self.announce_dead();
        }
        if self.has_app_news() {
            // It may have come while there was nobody to tell.
            self.gossip.wake(&self.cx);
        }
        let drawn = self.cx.mutant(Mutation::ProbesAtRandom);
        let next = match drawn {
            true => self.table.pick(&mut self.cx.rng, 1, |_| false).first().copied(),
            false => self.table.next_probe(&mut self.cx.rng),
        };
        let target = next.and_then(|slot| self.target(slot));
        self.detect.start(target, self.health.factor(), &mut self.cx);
    }

    fn note_failure(&mut self, f: &Failure) {
        let relays = self.detect.relays_asked().len() as u32;
        let (sent, deadline) = (self.to_driver(f.sent), self.to_driver(f.deadline));
        self.note(f.id, Fact::ProbeFailed { nonce: f.nonce, sent, deadline, relays });
        let (at, health) = (self.last, self.health.score());
        for (relay, nacked) in self.detect.relays_asked() {
            let fact = if nacked { Fact::RelayNacked { relay } } else { Fact::RelaySilent { relay } };
            self.evidence.note(f.id, Evidence { at, health, fact });
        }
    }

    pub(super) fn target(&self, slot: u32) -> Option<Target> {
        let row = self.table.row(slot)?;
        Some(Target { slot, id: row.id, incarnation: row.status.incarnation(), addr: row.addr })
    }

    /// A suspicion has run out, or a tombstone has expired.
    fn on_row_due(&mut self) {
        let Some((at, slot)) = self.deadlines.pop_due(self.cx.now) else { return };
        if self.verdicts.is_mute(&self.cx) {
            // Nobody could have heard of the suspicion from this node.
            self.verdicts.hold(self.table.live(), &self.cx);
        }
        let status = self.table[slot].status;
        match (status.state(), self.verdicts.postpones(at)) {
            (State::Suspect, Some(until)) => self.set_deadline(slot, until),
            (State::Suspect, None) => {
                count(&mut self.cx.stats.deaths_declared);
                let me = self.cx.me;
                self.change(slot, Status::new(status.incarnation(), State::Dead), Some(me));
            }
            (State::Dead | State::Left, _) => self.forget(slot),
            (State::Alive, _) if self.cx.mutant(Mutation::RefutedSuspicionRunsOut) => {
                self.change(slot, Status::new(status.incarnation(), State::Dead), None);
            }
            // An alive row has no deadline; `check_slots` holds that.
            (State::Alive, _) => {}
        }
    }

    /// Nobody has confirmed a suspicion of mine: perhaps nobody has heard of it.
    fn tell_again(&mut self) {
        if let Some(slot) = self.suspicions.pop_untold(self.table.live(), &self.cx) {
            count(&mut self.cx.stats.suspicions_retold);
            self.gossip.enqueue(slot, false, &self.cx);
        }
    }

    fn forget(&mut self, slot: u32) {
        let id = self.table[slot].id;
        self.gossip.remove(slot);
        self.suspicions.disarm(slot);
        self.deadlines.cancel(slot);
        self.detect.on_slot_freed(slot);
        self.forget_app(slot);
        self.profiles.forget(slot);
        self.table.forget(slot);
        self.cx.events.push(Event::MemberForgotten { id });
    }

    /// A row has a deadline exactly when it is not alive; whatever is kept by slot belongs to a row.
    pub(super) fn check_slots(&self) -> Result<(), &'static str> {
        let (mut armed, mut queued, mut suspected) = (0, 0, 0);
        for (slot, row) in self.table.iter() {
            let waits = slot != ME && row.state() != State::Alive;
            ensure(self.deadlines.get(slot).is_some() == waits, "a row that is not alive has a deadline, no other")?;
            armed += usize::from(waits);
            queued += self.gossip.queued(slot);
            suspected += usize::from(self.suspicions.is_tracked(slot));
        }
        ensure(armed == self.deadlines.len(), "a deadline without a row")?;
        ensure(queued == self.gossip.len(), "news without a row")?;
        ensure(suspected == self.suspicions.len(), "a suspicion without a row")
    }
}
