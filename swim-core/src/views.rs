//! What the view hashes that peers report say of this node's own view: whether it is theirs, for how long, and when a sync
//! is due.
//!
//! A local observation: it speaks of the live peers that were heard, since when they were heard, and of nobody else.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::cx::Cx;
use crate::event::Event;
use crate::identity::Addr;
use crate::mutation::Mutation;
use crate::time::Instant;

/// So many times sooner does a sync begin while the embedder has not been told that views agree.
const EAGER: u64 = 4;

/// Most members whose agreement can be asked for; the send budget is below.
const SAME_MAX: usize = 64;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Views {
    /// What all reports say since `since`; `NEVER` before the first one.
    agree: bool,
    since: Instant,
    /// What the embedder was told last.
    told: Option<bool>,
    /// The disagreement counts as lasting from here on.
    lasting_at: Instant,
    /// No sync before this.
    sync_after: Instant,
    fruitless: u32,
    /// Has made way for a peer's sync since the last one of its own.
    yielded: bool,
    /// Where from this node's own view was reported, while `of`, its hash and how much has been news, stayed the same.
    same: Vec<Addr>,
    of: (u64, u64),
}

impl Default for Views {
    fn default() -> Self {
        Self {
            agree: false,
            since: Instant::NEVER,
            told: None,
            lasting_at: Instant::NEVER,
            sync_after: Instant::ORIGIN,
            fruitless: 0,
            yielded: false,
            same: Vec::with_capacity(SAME_MAX),
            of: (0, 0),
        }
    }
}

impl Views {
    /// A live peer has told its view hash; `live` members are known here. Tells whether a sync with it is due.
    pub(crate) fn on_report(&mut self, agrees: bool, live: usize, cx: &mut Cx) -> bool {
        if self.since == Instant::NEVER || self.agree != agrees {
            (self.agree, self.since) = (agrees, cx.now);
            if !agrees {
                // Both sides of a disagreement see it at once, and one of them is enough to end it.
                let patience = self.patience(cx);
                self.lasting_at = cx.now.plus_micros(patience + cx.rng.below(patience / 2 + 1));
            }
        }
        if self.told != Some(agrees) && cx.now.micros_since(self.since) >= cx.pace.sync_patience {
            self.told = Some(agrees);
            cx.events.push(if agrees { Event::Converged { members: live as u32 } } else { Event::Diverged });
        }
        if agrees {
            (self.fruitless, self.yielded) = (0, false);
        }
        !agrees && cx.now >= self.lasting_at && cx.now >= self.sync_after && !cx.mutant(Mutation::SyncNeverBegins)
    }

    /// The live member at this address has this node's own view. Tells whether `enough` addresses have said so since
    /// anything was news; then it counts from the start.
    ///
    /// News that so many members know has been told to as many as a node tells it, be it by others. Different addresses,
    /// because one that repeats this node's hash to it must not silence it.
    pub(crate) fn on_same(&mut self, by: Addr, of: (u64, u64), enough: usize) -> bool {
        if self.of != of {
            self.of = of;
            self.same.clear();
        }
        if !self.same.contains(&by) && self.same.len() < SAME_MAX {
            self.same.push(by);
        }
        let reached = self.same.len() >= enough.min(SAME_MAX);
        if reached {
            self.same.clear();
        }
        reached
    }

    /// Somebody has another view.
    pub(crate) fn on_other(&mut self) {
        self.same.clear();
    }

    /// Takes the room again that a restored copy lacks.
    pub(crate) fn reserve(&mut self) {
        self.same.reserve_exact(SAME_MAX.saturating_sub(self.same.len()));
    }

    /// A view that is known to be behind, as that of a newcomer among newcomers, is not given time to mend by itself.
    fn patience(&self, cx: &Cx) -> u64 {
        if self.told == Some(true) { cx.pace.sync_patience } else { cx.pace.sync_patience / EAGER }
    }

    /// A sync begins: the next one has to wait, the longer the more of them have changed nothing.
    pub(crate) fn on_sync(&mut self, cx: &mut Cx) {
        let wait = (self.patience(cx) / 2).saturating_mul(1 << self.fruitless.min(20)).min(cx.pace.sync_backoff_max);
        self.sync_after = cx.now.plus_micros(wait / 2 + cx.rng.below(wait / 2 + 1));
        self.fruitless = self.fruitless.saturating_add(1);
        self.yielded = false;
    }

    /// A peer asks what differs, which ends the disagreement for both. Once, so that nobody can put off a sync for ever.
    pub(crate) fn on_asked(&mut self, cx: &mut Cx) {
        if !self.yielded {
            self.yielded = true;
            let wait = self.patience(cx) / 2;
            self.sync_after = self.sync_after.max(cx.now.plus_micros(wait / 2 + cx.rng.below(wait / 2 + 1)));
        }
    }

    /// A sync has changed this node's view. There may be more where that came from.
    pub(crate) fn on_fruit(&mut self) {
        self.fruitless = 0;
    }
}
