//! Dissemination: which rows have news, and when to tell them to whom (SWIM §4.1).
//!
//! The queues hold slots, not bytes: what is sent is the row as it stands when the datagram is written, so a newer status
//! replaces an older one by construction. News rides on every datagram to a member; beyond that, a gossip tick sends it
//! to a few random members, only while there is something to tell.
//!
//! Statuses have a queue of their own. A suspicion that its subject must refute in time, or a leave, takes some twenty
//! bytes; it waits behind no address and profile, which take up to six hundred. The two queues take turns in going
//! first, and whoever does leaves up to half of the room to the other, so neither starves.

use serde::{Deserialize, Serialize};

use crate::cx::Cx;
use crate::members::{ME, Members};
use crate::mutation::Mutation;
use crate::outbox::{Intent, What};
use crate::recent::Recent;
use crate::storage::{Pair, Take};
use crate::time::Instant;

/// Items that may be passed over per datagram because they do not fit; it bounds the work at the end of a datagram.
const SKIPS_MAX: usize = 8;

/// What an item takes, about: a status with an accuser, and an address with a short profile.
const STATUS_BYTES: usize = 24;
const DETAIL_BYTES: usize = 64;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Gossip {
    /// Whose status is news, which is small; and whose address and profile are, which are large: their status goes with them.
    queues: Pair,
    /// Which of the two goes first in the next datagram.
    details_first: bool,
    recent: Recent,
    /// How often anything became news.
    news: u64,
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
            queues: Pair::new(),
            details_first: false,
            recent: Recent::new(),
            news: 0,
            next: Instant::NEVER,
            last: Instant::ORIGIN,
            limit: 0,
            limit_for: usize::MAX,
        }
    }

    pub(crate) fn grow(&mut self, slots: usize) {
        self.queues.grow(slots);
    }

    pub(crate) fn next_deadline(&self) -> Instant {
        self.next
    }

    /// This row has news: its status, or (`detail`) address and profile with it. That is told from the start again.
    pub(crate) fn enqueue(&mut self, slot: u32, detail: bool, cx: &Cx) {
        self.news = self.news.wrapping_add(1);
        self.queues.enqueue(slot, detail);
        self.wake(cx);
    }

    /// There is something to tell: the next tick comes, if none is due yet.
    pub(crate) fn wake(&mut self, cx: &Cx) {
        if self.next == Instant::NEVER {
            self.next = cx.now.max(self.last.plus_micros(cx.pace.gossip_interval));
        }
    }

    /// Somebody is there: what became news while there was nobody to tell has no tick.
    pub(crate) fn on_peer(&mut self, cx: &Cx) {
        if self.len() > 0 {
            self.wake(cx);
        }
    }

    pub(crate) fn remove(&mut self, slot: u32) {
        self.queues.remove(slot);
        self.recent.remove(slot);
    }

    /// Pieces of news that this row has: 0 to 2.
    pub(crate) fn queued(&self, slot: u32) -> usize {
        usize::from(self.queues.contains(slot, false)) + usize::from(self.queues.contains(slot, true))
    }

    pub(crate) fn has_detail(&self, slot: u32) -> bool {
        self.queues.contains(slot, true)
    }

    /// Pieces of news.
    pub(crate) fn len(&self) -> usize {
        self.queues.len(false) + self.queues.len(true)
    }

    /// How often each node tells one update, `live` members being around. The logarithm is taken when that number changes.
    pub(crate) fn limit(&mut self, live: usize, cx: &Cx) -> u8 {
        if self.limit_for != live {
            self.limit_for = live;
            self.limit = cx.config.retransmit_limit(live) as u8;
        }
        self.limit
    }

    /// The tick: news goes to a few random members. `more`: there is news besides that of the rows.
    pub(crate) fn on_tick(&mut self, members: &Members, more: bool, cx: &mut Cx) {
        if self.len() == 0 && !more || members.peers() == 0 {
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
    pub(crate) fn count_own(&mut self, limit: u8, cx: &Cx) {
        for detail in [false, true] {
            if self.queues.count(ME, detail, limit) {
                self.recent.note(ME, detail, cx.now);
            }
        }
    }

    /// Offers the queued slots for a place in `room` bytes, least sent first, each at most once from each queue. `put` is
    /// told which of the two it is and how much room is to be left, and says what became of it.
    pub(crate) fn fill(&mut self, limit: u8, room: usize, cx: &Cx, mut put: impl FnMut(u32, bool, usize) -> Take) {
        self.details_first = !self.details_first;
        let others = if self.details_first {
            STATUS_BYTES * self.queues.len(false)
        } else {
            DETAIL_BYTES * self.queues.len(true)
        };
        let mut spare = others.min(room / 2);
        for detail in [self.details_first, !self.details_first] {
            self.queues.visit(detail, limit, SKIPS_MAX, |slot, last| {
                let take = put(slot, detail, spare);
                if last && cx.mutant(Mutation::NewsNeverEnds) {
                    return Take::Skip;
                }
                if last && take == Take::Taken {
                    self.recent.note(slot, detail, cx.now);
                }
                take
            });
            spare = 0;
        }
    }

    /// What is no longer told by itself, but was until not so long ago that syncs would have brought it to whoever missed
    /// it: slots and whether address and profile belong to it, newest first.
    pub(crate) fn recent(&self, cx: &Cx) -> impl Iterator<Item = (u32, bool)> {
        let since = self.recent.between(cx.now.minus_micros(cx.pace.sync_patience), cx.now);
        since.filter(|&(slot, detail)| !self.queues.contains(slot, detail))
    }

    /// Takes the room again that a restored copy lacks.
    pub(crate) fn reserve(&mut self) {
        self.recent.reserve();
    }

    /// How often anything became news.
    pub(crate) fn news(&self) -> u64 {
        self.news
    }

    /// Ends all news but what `lasts`; returns how much it was. It is recent from now on.
    pub(crate) fn settle(&mut self, lasts: impl Fn(u32) -> bool, cx: &Cx) -> usize {
        let mut settled = 0;
        for detail in [false, true] {
            settled += self.queues.retain(detail, |slot| {
                let lasts = lasts(slot);
                if !lasts {
                    self.recent.note(slot, detail, cx.now);
                }
                lasts
            });
        }
        settled
    }

    /// Takes back what is news, or was until a moment ago, of these rows: nobody is told.
    pub(crate) fn drop_untold(&mut self, of: impl Fn(u32) -> bool) {
        self.queues.retain(false, |slot| !of(slot));
        self.queues.retain(true, |slot| !of(slot));
        self.recent.retain(|slot| !of(slot));
    }

    /// Every index against its plain meaning.
    pub(crate) fn check(&self, is_member: impl FnMut(u32) -> bool) -> Result<(), &'static str> {
        self.recent.check(is_member)?;
        self.queues.check()
    }
}
