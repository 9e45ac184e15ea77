//! Syncs on their way through the node: when one begins, what its answers bring, and what others' questions are answered.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)]

use smallvec::SmallVec;

use super::Node;
use crate::event::Event;
use crate::hash::short_hash;
use crate::identity::Addr;
use crate::members::{ME, Row};
use crate::outbox::{Intent, What};
use crate::stats::count;
use crate::status::{NodeId, State};
use crate::sync::{Ended, HELD_MAX, NODES_MAX};
use crate::wire::{Frame, Item, Message, PAGE_END};

/// Rows pushed after one page: those of a page, and those that the peer wants.
pub(super) const PUSHES_MAX: usize = 256;

/// A live member that a puller holds, the short hash of its row, and that of its application data.
pub(super) type Held = (NodeId, u32, u32);

/// Bitmaps that are taken of one answer: one more than there can be nodes, so that too many are seen to be.
const BITMAPS_MAX: usize = NODES_MAX + 1;

/// The longest question that is kept to be answered: the payload of a UDP datagram.
const QUESTION_MAX: usize = 65_507;

/// What a puller holds and this node does not.
#[derive(Debug, Default)]
pub(super) struct Lacking {
    /// Of these it has a tombstone.
    pub(super) dead: SmallVec<[u32; HELD_MAX]>,
    /// Of these it has nothing.
    pub(super) wanted: SmallVec<[NodeId; HELD_MAX]>,
}

impl Node {
    /// Takes the room again that a restored copy lacks.
    pub(super) fn reserve_answers(&mut self) {
        self.asked.reserve_exact(self.cx.config.mtu.saturating_sub(self.asked.len()));
        self.to_push.reserve_exact(PUSHES_MAX.saturating_sub(self.to_push.len()));
    }

    /// A live peer's view hash against mine. Only at its own address: a question may follow, and it goes there. Tells
    /// whether they differ.
    pub(super) fn compare_views(&mut self, from: Addr, frame: &Frame<'_>, peer: u32) -> bool {
        let live = self.table.get(peer).is_some_and(|r| r.status.is_live() && r.addr == from);
        if !live {
            return false;
        }
        let agrees = frame.view_hash == self.table.view_hash();
        if !agrees {
            self.same.on_other();
        } else if self.gossip.len() > 0 {
            self.settle_news(from, frame.view_hash);
        }
        // Anybody can say that its view is mine; whom I ask is my own draw, so none can hide what the others say.
        let counts = !agrees || self.is_answer_to_probe(from, frame);
        let due = counts && self.views.on_report(agrees, self.table.live(), &mut self.cx);
        // Who asks what differs ends the disagreement for both.
        let asks = matches!(frame.message, Some(Message::Compare { .. }));
        if due && !asks && !self.sync.is_busy() {
            self.start_sync(from, frame.sender);
        }
        !agrees
    }

    /// One more member has this node's view, with all that is news in it.
    fn settle_news(&mut self, from: Addr, hash: u64) {
        let enough = usize::from(self.limit());
        if self.same.on_same(from, (hash, self.gossip.news()), enough) {
            let table = &self.table;
            // What I say of myself is for those who doubt me, and suspicions are in no view hash.
            let lasts = |slot: u32| slot == ME || table.row(slot).is_some_and(|row| row.state() == State::Suspect);
            let settled = self.gossip.settle(lasts, &self.cx);
            self.cx.stats.news_settled = self.cx.stats.news_settled.saturating_add(settled as u64);
        }
    }

    fn start_sync(&mut self, addr: Addr, peer: NodeId) {
        self.views.on_sync(&mut self.cx);
        self.sync.start(addr, peer, &mut self.cx);
    }

    /// Keeps a question until its answer is written, which is before the next input.
    pub(super) fn keep_question(&mut self, frame: &Frame<'_>, bytes: &[u8]) {
        if let Some(Message::Pull { .. } | Message::Compare { .. } | Message::Digest { .. }) = frame.message {
            self.asked.clear();
            self.asked.extend_from_slice(bytes.get(..QUESTION_MAX.min(bytes.len())).unwrap_or(&[]));
        }
    }

    /// Answers others within the budget for it; tells whether there was any left.
    pub(super) fn answer_sync(&mut self, answer: Intent) -> bool {
        self.answer_within(answer, answer.room != u16::MAX)
    }

    /// The same, of what strangers may have or of what members may.
    pub(super) fn answer_within(&mut self, answer: Intent, to_stranger: bool) -> bool {
        let allowed = self.budget.allows(to_stranger, &self.cx);
        if allowed {
            self.cx.send(answer);
        } else {
            count(&mut self.cx.stats.syncs_refused);
        }
        allowed
    }

    pub(super) fn on_differ(&mut self, from: Addr, frame: &Frame<'_>, nonce: u32) {
        let Some(lane) = self.sync.lane_of_differ(from, frame.sender, nonce) else {
            count(&mut self.cx.stats.stray_acks);
            return;
        };
        let bitmaps: SmallVec<[u64; BITMAPS_MAX]> = frame.bitmaps().take(BITMAPS_MAX).collect();
        let ended = self.sync.on_differ(lane, bitmaps.iter().copied(), &self.table, &mut self.cx);
        self.on_sync_ended(ended);
    }

    /// A page: its rows have been taken over. Tells whether it was answered with rows.
    pub(super) fn on_page(&mut self, from: Addr, frame: &Frame<'_>, nonce: u32, next: u32, room: u16) -> bool {
        let lane = self.sync.lane_of_page(from, frame.sender, nonce);
        if lane.is_none() && !self.join.is_answer(nonce) {
            count(&mut self.cx.stats.stray_acks);
            return false;
        }
        count(&mut self.cx.stats.pages_received);
        let answered = self.push_back(from, frame, room);
        let agrees = frame.view_hash == self.table.view_hash() && frame.app_hash == self.table.app_hash();
        let ended = match lane {
            Some(_) if agrees => {
                self.sync.stop();
                Some(Ended::Done)
            }
            Some(lane) => {
                let has_rows = !frame.rows().is_empty();
                self.sync.on_page(lane, next, has_rows, &self.table, &mut self.cx)
            }
            None => {
                let asked_at = self.join.contacted(nonce);
                self.join.on_answer();
                let complete = agrees || next == PAGE_END;
                // Who knew nothing has nothing to tell but itself, which it has.
                let all_told = complete && self.join.is_catching_up();
                let wanted = !agrees && !all_told && (self.join.is_wanted() || !self.sync.is_busy());
                // It may have answered from another address than it was asked at. Questions go where it is known to be.
                let row = self.table.find_row(frame.sender).map(|(_, row)| row.addr);
                if let Some(addr) = asked_at.filter(|&a| a == from).or(row).filter(|_| wanted) {
                    self.start_sync(addr, frame.sender);
                }
                complete.then_some(Ended::Done)
            }
        };
        self.on_sync_ended(ended);
        answered
    }

    /// All that a peer knows has been seen, or it has fallen silent. Then the seeds are contacted again in time.
    pub(super) fn on_sync_ended(&mut self, ended: Option<Ended>) {
        if ended == Some(Ended::Done) && self.join.finish() {
            let members = self.table.live() as u32;
            // From now on a seed that is missing is one to be looked for.
            self.heal.arm(self.table.live(), &mut self.cx);
            self.cx.events.push(Event::Joined { members });
        }
    }

    /// Sends back what the page shows its sender to lack: what it asks for, and rows that I know better. Tells whether there
    /// was anything.
    fn push_back(&mut self, to: Addr, frame: &Frame<'_>, room: u16) -> bool {
        self.to_push.clear();
        for row in frame.rows() {
            let slot = self.table.find_row(row.id).filter(|(_, mine)| is_newer(mine, &row)).map(|(slot, _)| slot);
            self.to_push.extend(slot.filter(|_| self.to_push.len() < PUSHES_MAX));
        }
        for id in frame.wanted() {
            let slot = self.table.find(id).filter(|&slot| self.table.is_live_at(slot));
            self.to_push.extend(slot.filter(|_| self.to_push.len() < PUSHES_MAX));
        }
        !self.to_push.is_empty() && self.answer_sync(Intent { room, ..Intent::to_stranger(to, What::Push { from: 0 }) })
    }

    /// What the puller holds and this node does not have live.
    pub(super) fn lacking(&self, held: &[Held]) -> Lacking {
        let mut lacking = Lacking::default();
        for &(id, ..) in held {
            match self.table.find_row(id) {
                None => lacking.wanted.push(id),
                Some((slot, row)) if !row.status.is_live() => lacking.dead.push(slot),
                Some(_) => {}
            }
        }
        lacking
    }

    /// Does the puller hold exactly this row, and exactly this member's application data?
    pub(super) fn holds(&self, held: &[Held], slot: u32, nonce: u32) -> (bool, bool) {
        let id = self.table.row(slot).map(|row| row.id);
        match held.iter().find(|held| Some(held.0) == id) {
            Some(&(_, row, app)) => {
                (short_hash(self.table.row_value(slot), nonce) == row, short_hash(self.table.mark(slot), nonce) == app)
            }
            None => (false, self.table.mark(slot) == 0),
        }
    }
}

/// Does my row say more than this one?
fn is_newer(mine: &Row, theirs: &Item<'_>) -> bool {
    let detail_at = theirs.detail().map_or(mine.detail_at, |d| d.at);
    mine.status > theirs.status || mine.detail_at > detail_at
}
