//! Asking for what this node lacks of members' states and rumors: digests out, deltas in.
//!
//! Gossip and syncs show who is ahead of this node; whom it asks is whoever has shown it, or the member itself when that one
//! does not answer. What is wanted waits in a queue, first come first served, and goes out in digests of a few members each,
//! [`LANES`] at a time. An answer holds a little of each member first and more only when all have some, and who got
//! something but not all goes to the end of the queue: so the first keys of every member come before anybody's bulk, and no
//! member starves however much another writes.
//!
//! The side that asks keeps all the state, and asks again what is not answered.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::cx::Cx;
use crate::identity::Addr;
use crate::members::{Members, ensure};
use crate::outbox::{Intent, What};
use crate::stats::count;
use crate::status::NodeId;
use crate::storage::{NONE, make_room};
use crate::time::Instant;

/// Digests under way at a time.
const LANES: usize = 4;

/// Members in one digest: with the first keys of each, their answer fills about one datagram.
pub(crate) const DIGEST_MAX: usize = 16;

/// Wants looked through for more of the same peer.
const LOOK_MAX: usize = 256;

/// Wants for which room is taken in advance: as many as are under way when a few datagrams were lost.
const QUEUE_ROOM: usize = LANES * DIGEST_MAX;

/// Times a digest is asked.
const TRIES: u8 = 8;

/// So many digests that ask for the same are given up before it is no longer wanted. A live peer whose answers are used up
/// (`sync_rate`) has some again soon, and may not show again what it has; one that never answers is not live for long.
const DIGESTS_IN_VAIN: u8 = 16;

/// Members whose state or rumors can be wanted at a time; what is beyond is shown again by a later sync.
const WANTS_MAX: usize = 1 << 16;

/// Of whom something is wanted, and from whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Want {
    pub(crate) slot: u32,
    /// The peer that has it: its slot, and its id, since slots are given again.
    peer: u32,
    peer_id: NodeId,
    /// How far the peer has shown to be: the version of the state, and the newest rumor.
    pub(crate) version: u32,
    pub(crate) last: u32,
    /// It is news, and told on when it comes.
    pub(crate) news: bool,
    /// Digests that were given up since something of it came.
    in_vain: u8,
}

/// How far this node is: what a digest says of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) version: u32,
    pub(crate) gc: u32,
    pub(crate) rumors: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Asked {
    want: Want,
    /// How far this node was when it asked.
    at: Progress,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Lane {
    asked: SmallVec<[Asked; DIGEST_MAX]>,
    addr: Addr,
    nonce: u32,
    due: Instant,
    asked_at: Instant,
    tries: u8,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Fetch {
    /// Slots that wait to be asked about.
    queue: VecDeque<u32>,
    /// By slot: something of it is wanted, in the queue or in a lane; the furthest that was shown, and by whom.
    wanted: Vec<Option<Want>>,
    /// Not in the node itself, which is moved as it is made.
    lanes: Vec<Lane>,
    next: Instant,
    /// How long an answer takes at most, in microseconds, as far as has been seen.
    round_trip: u64,
}

impl Fetch {
    pub(crate) fn new(my_addr: Addr) -> Self {
        let lane = Lane {
            asked: SmallVec::new(),
            addr: my_addr,
            nonce: 0,
            due: Instant::NEVER,
            asked_at: Instant::ORIGIN,
            tries: 0,
        };
        Self {
            queue: VecDeque::new(),
            wanted: Vec::new(),
            lanes: alloc::vec![lane; LANES],
            next: Instant::NEVER,
            round_trip: u64::MAX,
        }
    }

    pub(crate) fn next_deadline(&self) -> Instant {
        self.next
    }

    /// Is something new of this member asked for, or will it be?
    pub(crate) fn is_wanted(&self, slot: u32) -> bool {
        self.wanted(slot).is_some()
    }

    /// There is something of this member, so it may be wanted: takes the room for that now.
    pub(crate) fn admit(&mut self, slot: u32) {
        if self.wanted.len() <= slot as usize {
            make_room(&mut self.wanted, slot as usize + 1);
            self.wanted.resize(slot as usize + 1, None);
        }
        self.queue.reserve(QUEUE_ROOM.saturating_sub(self.queue.len()));
    }

    fn wanted(&self, slot: u32) -> Option<Want> {
        self.wanted.get(slot as usize).copied().flatten()
    }

    fn unwant(&mut self, slot: u32) {
        if let Some(wanted) = self.wanted.get_mut(slot as usize) {
            *wanted = None;
        }
    }

    /// This live peer has more of this member than this node: its state up to `version`, its rumors up to `last`. While it is
    /// wanted already, the furthest that is shown counts: it may not be shown again. Where digests were given up, whoever shows
    /// as much is asked next.
    pub(crate) fn want(&mut self, slot: u32, (peer, peer_id): (u32, NodeId), ahead: (u32, u32), news: bool) {
        self.admit(slot);
        let Some(wanted) = self.wanted.get_mut(slot as usize) else { return };
        if let Some(want) = wanted {
            let (version, last) = (want.version.max(ahead.0), want.last.max(ahead.1));
            let further = (version, last) != (want.version, want.last);
            if (version, last) == ahead && (further || want.in_vain > 0) {
                (want.peer, want.peer_id) = (peer, peer_id);
            }
            (want.version, want.last, want.news) = (version, last, want.news || news);
        } else if self.queue.len() < WANTS_MAX {
            *wanted = Some(Want { slot, peer, peer_id, version: ahead.0, last: ahead.1, news, in_vain: 0 });
            self.queue.push_back(slot);
        }
    }

    /// Sends digests as long as a lane is free and something is wanted. `progress` tells how far this node is.
    pub(crate) fn advance(&mut self, members: &Members, progress: impl Fn(u32) -> Progress, cx: &mut Cx) {
        for lane in 0..LANES {
            while self.lanes[lane].asked.is_empty() && !self.queue.is_empty() {
                self.gather(lane, members, &progress);
                if !self.lanes[lane].asked.is_empty() {
                    self.ask(lane, cx);
                }
            }
        }
        self.settle();
    }

    /// Puts the first want and others of the same peer into a lane. Those of a peer that is not live any more are dropped: a
    /// sync with another shows them again.
    fn gather(&mut self, lane: usize, members: &Members, progress: impl Fn(u32) -> Progress) {
        let Some(&slot) = self.queue.front() else { return };
        let Some(first) = self.wanted(slot) else {
            self.queue.pop_front();
            return;
        };
        let peer = members.get(first.peer).filter(|row| row.id == first.peer_id && row.status.is_live());
        let Some(addr) = peer.map(|row| row.addr) else {
            self.queue.pop_front();
            self.unwant(slot);
            return;
        };
        self.lanes[lane].addr = addr;
        // A few wants share the free lanes, since each lane brings one datagram per round trip.
        let free = self.lanes.iter().skip(lane).filter(|l| l.asked.is_empty()).count().max(1);
        let most = self.queue.len().div_ceil(free).min(DIGEST_MAX);
        let (mut at, mut looked) = (0, 0);
        while at < self.queue.len() && looked < LOOK_MAX && self.lanes[lane].asked.len() < most {
            looked += 1;
            let slot = self.queue[at];
            let Some(want) = self.wanted(slot).filter(|_| members.get(slot).is_some()) else {
                self.queue.remove(at);
                self.unwant(slot);
                continue;
            };
            if (want.peer, want.peer_id) != (first.peer, first.peer_id) {
                at += 1;
                continue;
            }
            self.queue.remove(at);
            self.lanes[lane].asked.push(Asked { want, at: progress(slot) });
        }
    }

    fn ask(&mut self, lane: usize, cx: &mut Cx) {
        let l = &mut self.lanes[lane];
        if l.tries == 0 {
            // The same one when it is asked again, so that a late answer is one.
            (l.nonce, l.asked_at) = (cx.rng.next_u32(), cx.now);
        }
        let wait = cx.pace.answer_wait(self.round_trip, l.tries);
        l.due = cx.now.plus_micros(wait).min(Instant::NEVER.minus_micros(1));
        count(&mut cx.stats.digests_sent);
        cx.send(Intent::to_stranger(l.addr, What::Digest { lane: lane as u8 }));
    }

    /// What a lane asks, and its nonce.
    pub(crate) fn question(&self, lane: u8) -> Option<(u32, impl Iterator<Item = u32>)> {
        let l = self.lanes.get(usize::from(lane)).filter(|l| !l.asked.is_empty())?;
        Some((l.nonce, l.asked.iter().map(|asked| asked.want.slot)))
    }

    /// Whose digest does this delta answer?
    pub(crate) fn lane_of(&self, from: Addr, sender: NodeId, nonce: u32) -> Option<usize> {
        self.lanes.iter().position(|l| {
            l.nonce == nonce && l.addr == from && l.asked.first().is_some_and(|a| a.want.peer_id == sender)
        })
    }

    /// Does this lane ask about the member?
    pub(crate) fn asks_about(&self, lane: usize, slot: u32) -> bool {
        self.lanes.get(lane).is_some_and(|l| l.asked.iter().any(|a| a.want.slot == slot))
    }

    /// Is what this lane gets of the member news, to be told on?
    pub(crate) fn is_news(&self, lane: usize, slot: u32) -> bool {
        self.lanes.get(lane).is_some_and(|l| l.asked.iter().any(|a| a.want.slot == slot && a.want.news))
    }

    /// A delta has come, and what it says has been taken over. `done` tells of a member that the peer has no more of it,
    /// `has` that what was wanted has come.
    pub(crate) fn on_delta(
        &mut self,
        lane: usize,
        progress: impl Fn(u32) -> Progress,
        done: impl Fn(u32) -> bool,
        has: impl Fn(&Want) -> bool,
        cx: &Cx,
    ) {
        let Some(l) = self.lanes.get_mut(lane) else { return };
        self.round_trip = self.round_trip.min(cx.now.micros_since(l.asked_at));
        let asked = core::mem::take(&mut l.asked);
        (l.due, l.tries) = (Instant::NEVER, 0);
        // Who was told only now that something is gone goes on behind that.
        let ended = |a: &Asked| done(a.want.slot) && progress(a.want.slot) == a.at;
        // An answer with nothing for anybody: the peer cannot, or will not.
        let fruitless = asked.iter().all(|a| !done(a.want.slot) && !has(&a.want) && progress(a.want.slot) == a.at);
        for a in asked.iter().rev() {
            let slot = a.want.slot;
            let Some(furthest) = self.wanted.get_mut(slot as usize).and_then(Option::as_mut) else { continue };
            furthest.in_vain = 0;
            let furthest = *furthest;
            let another = (furthest.peer, furthest.peer_id) != (a.want.peer, a.want.peer_id);
            if has(&furthest) || (ended(a) || fruitless) && !another {
                self.unwant(slot);
            } else if progress(slot) != a.at || another {
                self.queue.push_back(slot);
            } else {
                // Who got nothing has waited longest, and is asked for first.
                self.queue.push_front(slot);
            }
        }
        self.settle();
    }

    /// A digest has waited in vain.
    pub(crate) fn on_due(&mut self, members: &Members, cx: &mut Cx) {
        for lane in 0..LANES {
            let l = &mut self.lanes[lane];
            if l.due > cx.now || l.asked.is_empty() {
                continue;
            }
            l.tries = l.tries.saturating_add(1);
            if l.tries < TRIES {
                self.ask(lane, cx);
                continue;
            }
            let asked = core::mem::take(&mut l.asked);
            (l.due, l.tries) = (Instant::NEVER, 0);
            asked.iter().for_each(|a| self.on_vain(a.want.slot, members));
        }
        self.settle();
    }

    /// What a digest asked for in vain is asked for again when it is its turn, for a while. Then of the member itself, which
    /// has all of it: the answers of whoever has shown it may be used up by others, while those of the owners are not.
    fn on_vain(&mut self, slot: u32, members: &Members) {
        let Some(want) = self.wanted.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        want.in_vain = want.in_vain.saturating_add(1);
        if let Some(owner) = members.get(slot).filter(|row| row.status.is_live()) {
            (want.peer, want.peer_id) = (slot, owner.id);
        }
        if want.in_vain < DIGESTS_IN_VAIN {
            self.queue.push_back(slot);
        } else {
            self.unwant(slot);
        }
    }

    /// The row is dropped: its slot will be another's.
    pub(crate) fn forget(&mut self, slot: u32) {
        if self.wanted(slot).is_some() {
            self.queue.retain(|&wanted| wanted != slot);
            self.lanes.iter_mut().for_each(|l| l.asked.retain(|a| a.want.slot != slot));
            self.unwant(slot);
            self.lanes.iter_mut().filter(|l| l.asked.is_empty()).for_each(|l| (l.due, l.tries) = (Instant::NEVER, 0));
            self.settle();
        }
    }

    pub(crate) fn stop(&mut self) {
        self.queue.clear();
        self.wanted.iter_mut().for_each(|wanted| *wanted = None);
        self.lanes.iter_mut().for_each(|l| {
            l.asked.clear();
            (l.due, l.tries) = (Instant::NEVER, 0);
        });
        self.settle();
    }

    fn settle(&mut self) {
        self.next = self.lanes.iter().map(|l| l.due).min().unwrap_or(Instant::NEVER);
    }

    /// Invariants.
    pub(crate) fn check(&self, is_member: impl Fn(u32) -> bool) -> Result<(), &'static str> {
        ensure(self.lanes.len() == LANES, "as many digests as there are lanes")?;
        let mut wants = 0;
        let asked = self.lanes.iter().flat_map(|l| l.asked.iter().map(|a| a.want.slot));
        for slot in self.queue.iter().copied().chain(asked) {
            ensure(slot != NONE && is_member(slot), "what is wanted is a member's")?;
            ensure(self.wanted(slot).is_some_and(|want| want.slot == slot), "what is wanted is marked")?;
            wants += 1;
        }
        ensure(wants == self.wanted.iter().flatten().count(), "each is wanted once")?;
        ensure(self.queue.len() <= WANTS_MAX + LANES * DIGEST_MAX, "wants within their bound")?;
        for l in &self.lanes {
            ensure(l.asked.is_empty() == (l.due == Instant::NEVER), "a digest has a deadline")?;
            ensure(l.asked.len() <= DIGEST_MAX && l.tries < TRIES, "a digest within its bounds")?;
            let peers = l.asked.first().is_none_or(|first| l.asked.iter().all(|a| a.want.peer == first.want.peer));
            ensure(peers, "a digest is for one peer")?;
        }
        let next = self.lanes.iter().map(|l| l.due).min();
        ensure(next == Some(self.next), "the earliest deadline of all digests")
    }
}
