//! Questions and answers of syncs, written into a frame.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)]

use alloc::vec::Vec;

use smallvec::SmallVec;

use super::Node;
use super::encode::{detail_item, status_item};
use super::ingress::AMPLIFICATION_MAX;
use super::sync::Held;
use crate::hash::short_hash;
use crate::members::Row;
use crate::outbox::{Hint, Intent, What};
use crate::stats::{count, count_all};
use crate::status::NodeId;
use crate::storage::NONE;
use crate::sync::{HELD_MAX, Question};
use crate::wire::{Frame, HELD_LEN, Item, KeyRange, Message, PAGE_END, SUMMARY_LEN, Writer};

/// Members that a page asks for.
type Wanted = SmallVec<[NodeId; HELD_MAX]>;

/// A page's news of deaths and its wishes take at most one part in so many of it, and leave room for a row, so that rows
/// get on in any case.
const ASIDE: usize = 3;

/// The head of the section of summaries.
const SUMMARIES_HEAD: usize = 3;

/// The head of a section that may be as long as a datagram, with a byte to spare.
const SECTION_HEAD: usize = 4;

/// Bytes of an id.
const ID_LEN: usize = size_of::<u64>();

/// The longest row, and the heads of the sections around it.
const ROW_MAX: usize = 640;

impl Node {
    /// The question of a lane of the sync, as it stands. Returns how long it is to be made in the end.
    pub(super) fn put_question(&self, w: &mut Writer<'_>, lane: u8) -> usize {
        match self.sync.question(lane) {
            None => {}
            Some(Question::Compare { nonce, level, nodes }) => {
                let hashes = |&prefix: &u32| {
                    let sums = self.table.sums(u32::from(level), prefix);
                    (prefix, sums.map(|sum| short_hash(sum, nonce)))
                };
                w.compare(nonce, level, nodes.iter().map(hashes));
            }
            Some(Question::Pull { nonce, ranges, end, padded }) => {
                let below = |r: &KeyRange| KeyRange { to: r.to.min(end), ..*r };
                let ranges = || ranges.iter().map(below).filter(|r| r.from < r.to);
                w.pull(nonce, ranges());
                if padded {
                    self.put_introduction(w);
                }
                self.put_held(w, nonce, ranges());
                if padded {
                    return self.cx.config.mtu.div_ceil(AMPLIFICATION_MAX);
                }
            }
        }
        0
    }

    /// What is held in these ranges, as far as it fits; what is left out is sent in vain, and nothing else.
    fn put_held(&self, w: &mut Writer<'_>, nonce: u32, ranges: impl Iterator<Item = KeyRange>) {
        let most = (w.room().saturating_sub(SECTION_HEAD) / HELD_LEN).min(HELD_MAX);
        let mut held = SmallVec::<[Held; HELD_MAX]>::new();
        for range in ranges {
            self.table.visit_live(range.from, range.to, |slot, _| {
                if let Some(row) = self.table.row(slot).filter(|_| held.len() < most) {
                    let hash = |value| short_hash(value, nonce);
                    held.push((row.id, hash(self.table.row_value(slot)), hash(self.table.mark(slot))));
                }
                held.len() < most
            });
        }
        w.held(held.into_iter());
    }

    /// For each node that was asked about, which children differ.
    pub(super) fn put_differences(&mut self, w: &mut Writer<'_>, nonce: u32) {
        let Ok(frame) = Frame::parse(&self.asked) else { return };
        let Some(Message::Compare { level, .. }) = frame.message else { return };
        let bitmaps = frame.nodes().map(|node| {
            let sums = self.table.sums(u32::from(level), node.prefix);
            let differs = |(&theirs, sum)| short_hash(sum, nonce) != theirs;
            let children = node.hashes.iter().zip(sums).enumerate();
            children.fold(0_u64, |bits, (child, pair)| bits | u64::from(differs(pair)) << child)
        });
        w.differ(nonce, bitmaps);
        self.budget.spend(w.written());
    }

    /// A page: what the pull asks for and does not hold, until the datagram is full, and what to ask for in turn.
    /// Of whom the puller holds other application data it is told behind them.
    pub(super) fn put_page(&mut self, w: &mut Writer<'_>, intent: &Intent, nonce: u32) -> Option<()> {
        self.to_tell.clear();
        let mut to_tell = core::mem::take(&mut self.to_tell);
        let pull = Frame::parse(&self.asked).ok()?;
        let wanted = self.put_rows(w, intent, nonce, &pull, &mut to_tell);
        self.to_tell = to_tell;
        if let Hint::WhoAreYou { cookie } = intent.hint {
            w.ask_who(Some(cookie));
        }
        w.wanted(wanted.into_iter());
        count(&mut self.cx.stats.pages_sent);
        self.budget.spend(self.to_tell.len().saturating_mul(SUMMARY_LEN).saturating_add(w.written()));
        Some(())
    }

    fn put_rows(
        &self,
        w: &mut Writer<'_>,
        intent: &Intent,
        nonce: u32,
        pull: &Frame<'_>,
        to_tell: &mut Vec<u32>,
    ) -> Wanted {
        // Until rows are in it, the page has not got on: asked with padding, it may.
        let first = pull.ranges().next().map_or(PAGE_END, |r| r.from);
        if !w.message(Message::Page { nonce, next: first }) {
            return Wanted::new();
        }
        let message_end = w.written();
        let mut complete = true;
        if intent.peer != NONE && w.open_updates() {
            complete = self.put_belief(w, intent);
            w.close_section();
        }
        if !complete {
            return Wanted::new();
        }
        let held: SmallVec<[Held; HELD_MAX]> = pull.held().take(HELD_MAX).collect();
        let mut lacking = self.lacking(&held);
        let aside = (w.room() / ASIDE).min(w.room().saturating_sub(ROW_MAX) / 2);
        lacking.wanted.truncate(aside / ID_LEN);
        // What is wanted, and the question who.
        let wanted = lacking.wanted.len().saturating_mul(ID_LEN).saturating_add(SECTION_HEAD);
        let kept = wanted.saturating_add(intent.hint.who_len());
        if !w.open_rows() {
            return Wanted::new();
        }
        let floor = w.room().saturating_sub(aside);
        for &slot in &lacking.dead {
            if let Some(row) = self.table.row(slot).filter(|_| w.room() > floor) {
                w.item(&status_item(row, &[]));
            }
        }
        let mut next = PAGE_END;
        for range in pull.ranges() {
            let all = self.table.visit_live(range.from, range.to, |slot, key| {
                // What a puller that lists nothing holds is its own row at least.
                let (same_row, same_app) = self.holds(&held, slot, nonce);
                let theirs = slot == intent.peer && held.is_empty() || same_row;
                // What is told of its state goes with it; a page without rows has room for it in any case.
                let summaries = to_tell.len().saturating_add(usize::from(!same_app)).saturating_mul(SUMMARY_LEN);
                let kept = kept.saturating_add(summaries).saturating_add(SUMMARIES_HEAD);
                let fits = match theirs {
                    true => same_app || w.room() >= kept,
                    false => self.table.row(slot).is_none_or(|row| w.item_leaving(kept, &detail_item(row))),
                };
                next = if fits { next } else { key };
                if fits && !same_app {
                    to_tell.push(slot);
                }
                fits
            });
            if !all {
                break;
            }
        }
        w.close_section();
        w.set_next(message_end, next);
        lacking.wanted
    }

    /// Rows that the peer of the sync lacks, as many as fit; the others follow in another datagram.
    pub(super) fn put_push(&mut self, w: &mut Writer<'_>, intent: &Intent, from: u32) {
        w.message(Message::Push);
        if !w.open_rows() {
            return;
        }
        let from = from as usize;
        let mut at = from;
        while let Some(&slot) = self.to_push.get(at) {
            if self.table.get(slot).is_some_and(|row| !w.item(&pushed_item(row))) {
                break;
            }
            at = at.saturating_add(1);
        }
        w.close_section();
        count_all(&mut self.cx.stats.rows_pushed, at.saturating_sub(from) as u64);
        self.budget.spend(w.written());
        // To an address that is nobody's there is one datagram, see `on_datagram`.
        if at > from && at < self.to_push.len() && intent.room == u16::MAX {
            self.answer_sync(Intent { what: What::Push { from: at as u32 }, ..*intent });
        }
    }
}

/// The dead need no address.
fn pushed_item(row: &Row) -> Item<'_> {
    if row.status.is_live() { detail_item(row) } else { status_item(row, &[]) }
}
