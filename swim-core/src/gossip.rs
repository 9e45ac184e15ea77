//! Dissemination: which rows have news, and when to tell them to whom (SWIM §4.1).
//!
//! The queue holds slots, not bytes: what is sent is the row as it stands when the datagram is written, so a newer status
//! replaces an older one by construction. News rides on every datagram to a member; beyond that, a gossip tick sends it
//! to a few random members, only while there is something to tell.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::cx::Cx;
use crate::members::{ME, Members, ensure};
use crate::outbox::{Intent, What};
use crate::storage::{Buckets, Take};
use crate::time::Instant;

/// Items that may be passed over per datagram because they do not fit; it bounds the work at the end of a datagram.
const SKIPS_MAX: usize = 8;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Gossip {
    queue: Buckets,
    /// By slot: is address and profile part of the news?
    with_detail: Vec<bool>,
    /// The next tick; `NEVER` while there is nothing to tell.
    next: Instant,
    last: Instant,
    limit: u8,
    /// The number of live members that `limit` holds for.
    limit_for: usize,
}

impl Gossip {
    pub(crate) fn new() -> Self {
        Self {
            queue: Buckets::new(),
            with_detail: Vec::new(),
            next: Instant::NEVER,
            last: Instant::ORIGIN,
            limit: 0,
            limit_for: usize::MAX,
        }
    }

    pub(crate) fn grow(&mut self, slots: usize) {
        self.queue.grow(slots);
        if self.with_detail.len() < slots {
            self.with_detail.resize(slots, false);
        }
    }

    pub(crate) fn next_deadline(&self) -> Instant {
        self.next
    }

    /// This row has news: it is told from the start again.
    pub(crate) fn enqueue(&mut self, slot: u32, detail: bool, cx: &Cx) {
        let Some(flag) = self.with_detail.get_mut(slot as usize) else { return };
        // News of the detail that is still under way stays news.
        *flag = detail || (*flag && self.queue.contains(slot));
        self.queue.enqueue(slot);
        if self.next == Instant::NEVER {
            self.next = cx.now.max(self.last.plus_micros(cx.pace.gossip_interval));
        }
    }

    pub(crate) fn remove(&mut self, slot: u32) {
        self.queue.remove(slot);
    }

    pub(crate) fn is_queued(&self, slot: u32) -> bool {
        self.queue.contains(slot)
    }

    pub(crate) fn has_detail(&self, slot: u32) -> bool {
        self.with_detail.get(slot as usize).copied().unwrap_or(false)
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// How often each node tells one update, `live` members being around. The logarithm is taken when that number changes.
    pub(crate) fn limit(&mut self, live: usize, cx: &Cx) -> u8 {
        if self.limit_for != live {
            self.limit_for = live;
            self.limit = cx.config.retransmit_limit(live) as u8;
        }
        self.limit
    }

    /// The tick: news goes to a few random members.
    pub(crate) fn on_tick(&mut self, members: &Members, cx: &mut Cx) {
        if self.queue.is_empty() || members.peers() == 0 {
            self.next = Instant::NEVER;
            return;
        }
        self.last = cx.now;
        self.next = cx.now.plus_micros(cx.pace.gossip_interval);
        self.spread(members, cx);
    }

    /// Sends news to a few random members now.
    pub(crate) fn spread(&self, members: &Members, cx: &mut Cx) {
        for slot in members.pick(&mut cx.rng, cx.config.gossip_fanout, |_| false) {
            cx.send(Intent::to_member(members[slot].addr, slot, What::Gossip));
        }
    }

    /// My own news was put into a datagram ahead of the others.
    pub(crate) fn count_own(&mut self, limit: u8) {
        self.queue.count(ME, limit);
    }

    /// Offers the queued slots, least sent first, each at most once; `put` says what became of it.
    pub(crate) fn fill(&mut self, limit: u8, mut put: impl FnMut(u32, bool) -> Take) {
        let with_detail = &self.with_detail;
        self.queue.visit(limit, SKIPS_MAX, |slot| put(slot, with_detail.get(slot as usize).copied().unwrap_or(false)));
    }

    /// Every index against its plain meaning.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        self.queue.check()?;
        ensure(self.queue.is_empty() || self.with_detail.len() >= self.queue.len(), "a queued slot without its flag")
    }
}
