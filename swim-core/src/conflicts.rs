//! Members whose address another member answers: two machines were given one address, or one took over the other's.
//!
//! While what is sent there comes now to the one and now to the other, both fail probes, refute, and fail the next, without
//! end; and whoever of them is deaf for the moment finds all others silent. The operator has to hear of that, and the
//! cluster must not be kept busy with it. So a member that has refuted again and again meanwhile is not accused for a while
//! because of its address. One that is gone for good refutes nothing, and dies as fast as any other.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)]

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::cx::Cx;
use crate::members::ensure;
use crate::stats::count;
use crate::status::NodeId;
use crate::time::Instant;

/// Members that are kept in mind. While all of them are in conflict, another is not told of.
const CONFLICTS_MAX: usize = 16;

/// From one event about a member to the next, and how long one sign of a conflict counts, in microseconds.
const TOLD_EVERY: u64 = 60_000_000;

/// So long after its last refutation a member in conflict is not accused, in microseconds; without a sign for so long, a
/// conflict is over. Two of them on one address, accused twice each at first and then once in that time, are less than one
/// suspicion per minute.
const SPARED: u64 = 300_000_000;

/// Refutations after which a member in conflict is spared. The last one of a member that has just been replaced may be heard
/// of late.
const LIVES_MIN: u8 = 2;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Conflict {
    id: NodeId,
    /// When another answered in its place, last.
    seen: Option<Instant>,
    /// When that was told, last.
    told: Option<Instant>,
    /// How often it has shown since that it is there, and when it did last; or when the conflict was noticed.
    lives: u8,
    lived: Instant,
}

impl Conflict {
    fn new(id: NodeId, cx: &Cx) -> Self {
        Self { id, seen: None, told: None, lives: 0, lived: cx.now }
    }

    /// The last sign of it.
    fn last(&self) -> Instant {
        self.seen.map_or(self.lived, |seen| seen.max(self.lived))
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Conflicts(Vec<Conflict>);

impl Conflicts {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(CONFLICTS_MAX))
    }

    /// Takes the room again that a restored copy lacks.
    pub(crate) fn reserve(&mut self) {
        self.0.reserve_exact(CONFLICTS_MAX.saturating_sub(self.0.len()));
    }

    /// Another member has answered in the place of this one, or its address is this node's own (`mine`). Tells whether that is to
    /// be told. A former holder of this node's address is nothing unusual, before it shows that it is still there.
    pub(crate) fn on_wrong(&mut self, id: NodeId, mine: bool, cx: &mut Cx) -> bool {
        let Some(conflict) = self.place(id, true, cx) else {
            count(&mut cx.stats.conflicts_untold);
            return false;
        };
        if !mine && conflict.seen.is_none_or(|seen| cx.now.micros_since(seen) >= SPARED) {
            // What it has shown before had other reasons.
            conflict.lives = 0;
        }
        conflict.seen = Some(cx.now);
        let due = conflict.told.is_none_or(|told| cx.now.micros_since(told) >= TOLD_EVERY);
        let tells = due && (!mine || conflict.lives > 0);
        if tells {
            conflict.told = Some(cx.now);
        }
        tells
    }

    /// What is kept of this member, perhaps in the place of the one whose conflict is the oldest. For one in whose place another
    /// `answered`, those make room of whom that is not known.
    fn place(&mut self, id: NodeId, answered: bool, cx: &Cx) -> Option<&mut Conflict> {
        let since = |at: Instant| cx.now.micros_since(at);
        if let Some(at) = self.0.iter().position(|conflict| conflict.id == id) {
            let conflict = self.0.get_mut(at)?;
            if since(conflict.last()) >= SPARED {
                conflict.lives = 0;
            }
            return Some(conflict);
        }
        if self.0.len() < CONFLICTS_MAX {
            self.0.push(Conflict::new(id, cx));
            return self.0.last_mut();
        }
        let oldest = self.0.iter_mut().min_by_key(|conflict| (conflict.seen.is_some(), conflict.last()))?;
        if since(oldest.last()) < TOLD_EVERY && (oldest.seen.is_some() || !answered) {
            return None;
        }
        *oldest = Conflict::new(id, cx);
        Some(oldest)
    }

    /// This member has raised its incarnation: it is there. Where another live member has its address (`shares`) that may be the
    /// begin of a conflict.
    pub(crate) fn on_life(&mut self, id: NodeId, shares: bool, cx: &Cx) {
        if shares || self.0.iter().any(|conflict| conflict.id == id) {
            if let Some(conflict) = self.place(id, false, cx) {
                (conflict.lives, conflict.lived) = (conflict.lives.saturating_add(1), cx.now);
            }
        }
    }

    /// Is a failed probe of this member no reason to accuse it?
    pub(crate) fn spares(&self, id: NodeId, cx: &Cx) -> bool {
        let within = |at: Instant, span| cx.now.micros_since(at) < span;
        let spared = |c: &Conflict| {
            c.lives >= LIVES_MIN && within(c.lived, SPARED) && c.seen.is_some_and(|seen| within(seen, TOLD_EVERY))
        };
        self.0.iter().any(|conflict| conflict.id == id && spared(conflict))
    }

    /// The members in conflict that have shown of late that they are there.
    pub(crate) fn living(&self, cx: &Cx) -> impl Iterator<Item = NodeId> {
        let living = |c: &&Conflict| c.lives > 0 && cx.now.micros_since(c.last()) < SPARED;
        self.0.iter().filter(living).map(|conflict| conflict.id)
    }

    /// Invariants.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        ensure(self.0.len() <= CONFLICTS_MAX, "more conflicts than are kept")
    }
}
