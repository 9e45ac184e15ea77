//! Getting the rows of others: joining through seeds, and repairing a view that stays different from a peer's.
//!
//! Joining: every seed is sent a pull that carries my own row, again and again with back-off until one answers; its rows
//! are then pulled page by page, one page outstanding. Repair: when every frame of live peers has disagreed with my view
//! hash for `sync_patience`, the rows of the last one are pulled in the same way. Both sides of a disagreement see it, so
//! both pull, and nothing need be pushed.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::cx::Cx;
use crate::identity::Addr;
use crate::outbox::{Intent, What};
use crate::status::NodeId;
use crate::time::Instant;
use crate::wire::PAGE_END;

/// Times a page is asked for before the pull is given up.
const TRIES: u8 = 3;

/// How far the wait between pulls grows while a disagreement lasts.
const BACKOFF_MAX: u32 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    Idle,
    /// The seeds have been sent my row; the first page to come back decides from whom the rest is pulled.
    Contacting {
        nonce: u32,
    },
    /// One page is outstanding.
    Pulling(Pull),
}

/// The page that is asked for, and how it has been going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Pull {
    addr: Addr,
    peer: NodeId,
    nonce: u32,
    cursor: u32,
    /// Times this page was asked for in vain.
    tries: u8,
    /// Asked for with padding: my address is not the one that the peer knows, and its answer must be let grow.
    padded: bool,
    /// Pages taken before this one: a peer cannot go on for ever.
    pages: u32,
}

/// What a page was for this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// The last one of a join.
    Joined,
    /// Any other that was asked for.
    Taken,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Join {
    seeds: Vec<Addr>,
    phase: Phase,
    /// Wants to be in the cluster and has not yet pulled a seed's rows.
    wanted: bool,
    attempts: u32,
    /// When the seeds are contacted again, or the page is asked for again.
    next: Instant,
    /// Since when every live peer has disagreed.
    disagree_since: Instant,
    /// No repair before this.
    repair_after: Instant,
    repairs: u32,
}

impl Join {
    pub(crate) fn new(seeds_max: usize) -> Self {
        Self {
            seeds: Vec::with_capacity(seeds_max),
            phase: Phase::Idle,
            wanted: false,
            attempts: 0,
            next: Instant::NEVER,
            disagree_since: Instant::NEVER,
            repair_after: Instant::ORIGIN,
            repairs: 0,
        }
    }

    pub(crate) fn next_deadline(&self) -> Instant {
        self.next
    }

    /// Remembers these seeds and contacts them now.
    pub(crate) fn on_command(&mut self, seeds: impl Iterator<Item = Addr>, cx: &mut Cx) {
        self.remember(seeds, cx);
        self.attempts = 0;
        self.wanted = !self.seeds.is_empty();
        if self.wanted {
            self.contact(cx);
        }
    }

    /// These are the seeds from now on: their names mean other addresses than they did. While none has answered yet, they
    /// are contacted now.
    pub(crate) fn replace_seeds(&mut self, seeds: impl Iterator<Item = Addr>, cx: &mut Cx) {
        self.seeds.clear();
        self.remember(seeds, cx);
        if self.wanted && !self.seeds.is_empty() && !matches!(self.phase, Phase::Pulling(_)) {
            self.contact(cx);
        }
    }

    fn remember(&mut self, seeds: impl Iterator<Item = Addr>, cx: &mut Cx) {
        for addr in seeds {
            if addr == cx.my_addr || !addr.is_reachable() || self.seeds.contains(&addr) {
                continue;
            }
            if self.seeds.len() < cx.config.seeds_max {
                self.seeds.push(addr);
            } else {
                cx.stats.seeds_refused += 1;
            }
        }
    }

    /// Stops asking: this node leaves.
    pub(crate) fn stop(&mut self) {
        (self.phase, self.wanted, self.next) = (Phase::Idle, false, Instant::NEVER);
    }

    fn contact(&mut self, cx: &mut Cx) {
        let nonce = cx.rng.next_u32();
        self.phase = Phase::Contacting { nonce };
        for &seed in &self.seeds {
            cx.send(Intent::to_stranger(seed, What::Join { nonce }));
        }
        let wait = cx.pace.join_retry.saturating_mul(1 << self.attempts.min(20)).min(cx.pace.join_retry_max);
        self.attempts = self.attempts.saturating_add(1);
        // Between three quarters of the wait and all of it, so that nodes started together spread out.
        self.next = cx.now.plus_micros(wait / 4 * 3 + cx.rng.below(wait / 4 + 1));
    }

    /// The seeds that were named, when they are not being contacted anyway.
    pub(crate) fn idle_seeds(&self) -> &[Addr] {
        if self.wanted { &[] } else { &self.seeds }
    }

    /// Contacts one address, as if it were a seed, unless rows are being pulled.
    pub(crate) fn knock(&mut self, addr: Addr, cx: &mut Cx) {
        let nonce = match self.phase {
            Phase::Pulling(_) => return,
            // The seeds are being contacted, perhaps in vain: one address more.
            Phase::Contacting { nonce } => nonce,
            Phase::Idle => {
                let nonce = cx.rng.next_u32();
                self.phase = Phase::Contacting { nonce };
                self.next = cx.now.plus_micros(cx.pace.probe_timeout.saturating_mul(2));
                nonce
            }
        };
        cx.stats.knocks += 1;
        cx.send(Intent::to_stranger(addr, What::Join { nonce }));
    }

    /// Is this frame an answer to something that was asked of others?
    pub(crate) fn is_answer(&self, from: Addr, sender: NodeId, nonce: u32) -> bool {
        match self.phase {
            Phase::Idle => false,
            // A seed with several addresses may answer from another than it was asked at; the nonce decides.
            Phase::Contacting { nonce: n } => n == nonce,
            Phase::Pulling(p) => p.nonce == nonce && p.addr == from && p.peer == sender,
        }
    }

    /// A page that was asked for has come, and its rows have been taken over. When the views agree now, there is nothing more
    /// to learn from its sender, except that a joiner wants to have seen all rows.
    pub(crate) fn on_page(&mut self, from: Addr, sender: NodeId, next: u32, agrees: bool, cx: &mut Cx) -> Page {
        cx.stats.pages_received += 1;
        let first = Pull { addr: from, peer: sender, nonce: 0, cursor: 0, tries: 0, padded: false, pages: 0 };
        let asked = if let Phase::Pulling(p) = self.phase { p } else { first };
        if next == PAGE_END || agrees && !self.wanted {
            (self.phase, self.next) = (Phase::Idle, Instant::NEVER);
            return if core::mem::take(&mut self.wanted) { Page::Joined } else { Page::Taken };
        }
        let pages = asked.pages.saturating_add(1);
        if next > asked.cursor && (pages as usize) <= cx.config.members_max {
            self.pull(Pull { cursor: next, tries: 0, pages, ..asked }, cx);
        } else if next == asked.cursor && !asked.padded {
            self.pull(Pull { padded: true, tries: 0, pages, ..asked }, cx);
        }
        // A peer that goes back or does not get on is not asked again before the time-out.
        Page::Taken
    }

    fn pull(&mut self, pull: Pull, cx: &mut Cx) {
        let pull = Pull { nonce: cx.rng.next_u32(), ..pull };
        self.phase = Phase::Pulling(pull);
        self.next = cx.now.plus_micros(cx.pace.probe_timeout.saturating_mul(2));
        let Pull { addr, nonce, cursor, padded, .. } = pull;
        cx.send(Intent::to_stranger(addr, What::Pull { nonce, cursor, padded }));
    }

    /// No answer in time.
    pub(crate) fn on_due(&mut self, cx: &mut Cx) {
        match self.phase {
            Phase::Pulling(p) if p.tries.saturating_add(1) < TRIES => {
                self.pull(Pull { tries: p.tries.saturating_add(1), ..p }, cx);
            }
            _ if self.wanted => self.contact(cx),
            _ => (self.phase, self.next) = (Phase::Idle, Instant::NEVER),
        }
    }

    /// A live peer has told its view hash.
    pub(crate) fn on_view_hash(&mut self, agrees: bool, from: Addr, peer: NodeId, cx: &mut Cx) {
        if agrees {
            (self.disagree_since, self.repairs) = (Instant::NEVER, 0);
            return;
        }
        if self.disagree_since == Instant::NEVER {
            self.disagree_since = cx.now;
        }
        let lasting = cx.now.micros_since(self.disagree_since) >= cx.pace.sync_patience;
        if lasting && cx.now >= self.repair_after && self.phase == Phase::Idle {
            let wait = cx.pace.sync_interval.saturating_mul(1 << self.repairs.min(BACKOFF_MAX));
            self.repair_after = cx.now.plus_micros(wait / 2 + cx.rng.below(wait / 2 + 1));
            self.repairs = self.repairs.saturating_add(1);
            cx.stats.repairs += 1;
            self.pull(Pull { addr: from, peer, nonce: 0, cursor: 0, tries: 0, padded: false, pages: 0 }, cx);
        }
    }
}
