//! Changes of profiles, at a bounded rate: this node's own, and those of others that it tells on.
//!
//! A profile may have six hundred bytes, and every change of it is told by everybody several times. So a node changes its
//! own once per second at most, and what is set in between is told a second after: the last one wins. A member that does
//! otherwise is believed as fast as it speaks, and told on at that pace.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Node;
use crate::cx::Cx;
use crate::event::Event;
use crate::identity::Profile;
use crate::members::{ME, ensure};
use crate::time::Instant;

/// Microseconds between two changes of one profile that are told.
const APART: u64 = 1_000_000;

/// Members whose changes are told apart. Beyond that a change is told at once: so many members that change are news.
const TRACKED_MAX: usize = 64;

/// A member's profile has changed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Changed {
    slot: u32,
    /// The next change is told from then on.
    until: Instant,
    /// It has changed again before that.
    again: bool,
}

impl Changed {
    /// Is its next change told later?
    fn waits(&self, now: Instant) -> bool {
        self.again || now < self.until
    }
}

/// Changes that wait.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Profiles {
    /// What this node will say about itself.
    mine: Option<Profile>,
    /// This node changes its profile from then on.
    mine_from: Instant,
    /// Others whose profile has changed of late, oldest first.
    others: Vec<Changed>,
}

impl Profiles {
    pub(super) fn new() -> Self {
        Self { mine: None, mine_from: Instant::ORIGIN, others: Vec::with_capacity(TRACKED_MAX) }
    }

    /// Takes the room again that a restored copy lacks.
    pub(super) fn reserve(&mut self) {
        self.others.reserve_exact(TRACKED_MAX.saturating_sub(self.others.len()));
    }

    pub(super) fn next_deadline(&self) -> Instant {
        let mine = self.mine.as_ref().map_or(Instant::NEVER, |_| self.mine_from);
        // All wait equally long, so they are in the order of their times.
        let first = self.others.iter().find(|changed| changed.again);
        mine.min(first.map_or(Instant::NEVER, |changed| changed.until))
    }

    /// A member's profile has changed; tells whether that is told now. If not, it is later.
    pub(super) fn on_changed(&mut self, slot: u32, cx: &Cx) -> bool {
        if let Some(changed) = self.others.iter_mut().find(|changed| changed.slot == slot && changed.waits(cx.now)) {
            changed.again = true;
            return false;
        }
        self.others.retain(|changed| changed.waits(cx.now));
        if self.others.len() < TRACKED_MAX {
            self.others.push(Changed { slot, until: cx.now.plus_micros(APART), again: false });
        }
        true
    }

    /// A member whose last change is to be told now.
    fn pop_due(&mut self, now: Instant) -> Option<u32> {
        let i = self.others.iter().position(|changed| changed.again && changed.until <= now)?;
        let slot = self.others.remove(i).slot;
        self.others.push(Changed { slot, until: now.plus_micros(APART), again: false });
        Some(slot)
    }

    /// The row of this slot goes.
    pub(super) fn forget(&mut self, slot: u32) {
        self.others.retain(|changed| changed.slot != slot);
    }

    /// Replaces what this node will say about itself.
    pub(super) fn map_mine<E>(&mut self, map: impl FnOnce(&Profile) -> Result<Profile, E>) -> Result<(), E> {
        if let Some(mine) = &mut self.mine {
            *mine = map(mine)?;
        }
        Ok(())
    }

    pub(super) fn check(&self, is_member: impl Fn(u32) -> bool) -> Result<(), &'static str> {
        ensure(self.others.len() <= TRACKED_MAX, "the bound of changed profiles")?;
        ensure(self.others.is_sorted_by_key(|changed| changed.until), "changes are in the order of their times")?;
        let other = |changed: &Changed| changed.slot != ME && is_member(changed.slot);
        ensure(self.others.iter().all(other), "a changed profile is another member's")
    }
}

impl Node {
    /// Says this about itself from now on: at once after a quiet second, and while nobody listens; else when that second is
    /// over.
    pub(super) fn set_profile(&mut self, profile: Profile) {
        self.profiles.mine = (self.table[ME].profile != profile).then_some(profile);
        if self.cx.now >= self.profiles.mine_from || self.table.peers() == 0 {
            self.change_profile();
        }
    }

    /// Takes over what this node is to say about itself, if anything waits. What I say about myself is keyed by the
    /// incarnation that says it, so a change takes the next one.
    pub(super) fn change_profile(&mut self) {
        let Some(profile) = self.profiles.mine.take() else { return };
        self.profiles.mine_from = self.cx.now.plus_micros(APART);
        let next = self.table[ME].status.incarnation().next();
        self.raise_me(next);
        // Slot 0 has no address entry, so writing its detail is never refused.
        let _ = self.table.set_detail(ME, next, self.cx.my_addr, profile);
        self.gossip.enqueue(ME, true, &self.cx);
        self.cx.events.push(Event::MemberUpdated { id: self.cx.me });
    }

    /// A change that was put off is due.
    pub(super) fn on_profile_due(&mut self) {
        if self.cx.now >= self.profiles.mine_from {
            self.change_profile();
        }
        if let Some(slot) = self.profiles.pop_due(self.cx.now) {
            self.gossip.enqueue(slot, true, &self.cx);
        }
    }
}
