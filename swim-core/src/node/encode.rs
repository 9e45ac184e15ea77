//! Writing one datagram: the head, the message, then sections by priority until it is full.
//!
//! Priority is fixed here: the message; my own refutation or leave; what I believe of the very peer I am writing to, when
//! it is not what the peer says (Lifeguard's buddy); rows that were asked for; updates. A message, my status and a belief
//! always fit (`Config::MTU_MIN`), so none starves another; updates get all the room that is left.

use super::Node;
use crate::config::Buddy;
use crate::identity::Addr;
use crate::members::{ME, Row};
use crate::mutation::Mutation;
use crate::outbox::{Hint, Intent, What};
use crate::status::{NodeId, State};
use crate::storage::{NONE, Take};
use crate::wire::probe::write_ack;
use crate::wire::{APP_HASH_LEN, Accusers, Detail, Item, Message, More, Writer};

/// The shortest item.
const ITEM_MIN: usize = 13;

impl Node {
    /// Writes the frame of an intent; `None` when there is nothing to say.
    pub(super) fn encode(&mut self, intent: &Intent, buf: &mut [u8]) -> Option<usize> {
        let room = self.cx.config.mtu.min(buf.len()).min(usize::from(intent.room));
        let buf = buf.get_mut(..room)?;
        let me = self.table[ME].status.incarnation();
        let bare = self.bare_message(intent);
        if let Some(Message::Ack { nonce }) = bare {
            let hashes = (self.table.view_hash(), self.table.app_hash());
            if let Some(len) = write_ack(buf, (self.cx.me, me), hashes, nonce) {
                return Some(len);
            }
        }
        let mut w = Writer::new(buf, self.cx.me, me, self.table.view_hash())?;
        let orphan = self.orphan(intent);
        if let Some(message) = bare.filter(|_| orphan.is_none()) {
            let hash = self.table.app_hash();
            w.hold(if hash == 0 { 0 } else { APP_HASH_LEN });
            let fits = w.message(message);
            w.release();
            w.app_hash(hash);
            return fits.then(|| w.written());
        }
        let before = w.written();
        let mut padded = 0;
        let floor = self.app_floor(intent, w.room());
        // A page asks who in front of what it wants.
        let who = Some(intent.hint).filter(|_| !matches!(intent.what, What::Page { .. }));
        w.hold(floor + who.map_or(0, Hint::who_len));
        match intent.what {
            What::Message(message) => {
                if !w.message(message) {
                    return None;
                }
                if self.has_updates(intent) {
                    self.put_updates(&mut w, intent);
                }
            }
            What::Gossip | What::Farewell if self.has_updates(intent) => self.put_updates(&mut w, intent),
            What::Farewell if intent.peer == NONE && w.open_updates() => {
                w.item(&status_item(&self.table[ME], &[]));
                w.close_section();
            }
            What::Gossip | What::Farewell => {}
            What::Join { nonce, .. } => {
                w.message(Message::Pull { nonce });
                self.put_introduction(&mut w);
            }
            What::Introduction { .. } => self.put_introduction(&mut w),
            What::Ask { lane } => padded = self.put_question(&mut w, lane),
            What::Page { nonce } => self.put_page(&mut w, intent, nonce)?,
            What::Differ { nonce } => self.put_differences(&mut w, nonce),
            What::Push { from } => self.put_push(&mut w, intent, from),
            What::Digest { lane } => self.put_digest(&mut w, lane),
            What::Delta { nonce } => _ = w.message(Message::Delta { nonce }),
            What::More { .. } | What::Summaries | What::Known => {}
        }
        w.hold(floor);
        if let Some(Hint::WhoAreYou { cookie }) = who {
            w.ask_who(Some(cookie));
        }
        w.release();
        let said = w.written() > before;
        let said = self.put_app(&mut w, intent, orphan) || said;
        if let What::Join { proof: Some(proof), .. } | What::Introduction { proof: Some(proof) } = intent.what {
            w.proof(proof);
        }
        if padded > 0 {
            w.pad_to(padded);
        }
        said.then(|| w.written())
    }

    /// Is there anything to put into a section of updates? Mostly there is not; a stranger gets the bare message.
    fn has_updates(&self, intent: &Intent) -> bool {
        let said = match intent.hint {
            Hint::Nothing | Hint::WhoAreYou { .. } => intent.what == What::Farewell,
            Hint::News => self.gossip.recent(&self.cx).next().is_some(),
            Hint::Belief | Hint::Row => true,
        } || self.gossip.len() > 0;
        intent.peer != NONE && (said || self.tells_belief(intent))
    }

    /// Does this datagram tell its receiver what is believed of it, without being asked to? The dead must hear it to come
    /// back.
    fn tells_belief(&self, intent: &Intent) -> bool {
        match self.table[intent.peer].state() {
            State::Alive => false,
            State::Suspect => match self.cx.config.buddy {
                Buddy::Never => false,
                Buddy::Pings => matches!(intent.what, What::Message(Message::Ping { .. })),
                Buddy::Always => true,
            },
            State::Dead | State::Left => true,
        }
    }

    /// My own row, alone.
    pub(super) fn put_introduction(&self, w: &mut Writer<'_>) {
        if w.open_rows() {
            w.item(&detail_item(&self.table[ME]));
            w.close_section();
        }
    }

    /// The section of updates: my own and the peer's first, then news, least sent first.
    fn put_updates(&mut self, w: &mut Writer<'_>, intent: &Intent) {
        if !w.open_updates() {
            return;
        }
        let limit = self.limit();
        self.put_own(w, intent, limit);
        self.put_belief(w, intent);
        let (table, suspicions, peer) = (&self.table, &self.suspicions, intent.peer);
        // Without the buddy system a suspicion is news to the accused as it is to everybody else.
        let ordinary = table[peer].state() == State::Suspect && !self.tells_belief(intent);
        if table[peer].status.is_live() {
            self.gossip.fill(limit, w.room(), &self.cx, |slot, with_detail, spare| {
                // My own has gone ahead. The peer's own news is told by this datagram, as its belief if it needs it:
                // otherwise news that nobody but its subject can hear would stay for ever.
                if slot == ME || slot == peer && !ordinary {
                    return if slot == ME { Take::Skip } else { Take::Taken };
                }
                if w.room() <= spare {
                    return Take::Stop;
                }
                let row = &table[slot];
                let fits = if with_detail {
                    w.item(&detail_item(row))
                } else if row.state() == State::Suspect {
                    w.item(&status_item(row, suspicions.accusers(slot)))
                } else {
                    w.status(row.id, row.status)
                };
                match fits {
                    true => Take::Taken,
                    // A shorter item may still fit, but not when there is no room for any.
                    false if w.room() >= ITEM_MIN => Take::Skip,
                    false => Take::Stop,
                }
            });
        }
        if intent.hint == Hint::News {
            self.put_recent(w, intent.peer);
        }
        w.close_section();
    }

    /// What was news until a moment ago, as far as there is room.
    fn put_recent(&self, w: &mut Writer<'_>, peer: u32) {
        for (slot, detail) in self.gossip.recent(&self.cx).filter(|&(slot, _)| slot != peer) {
            let row = &self.table[slot];
            let item = if detail { detail_item(row) } else { status_item(row, self.suspicions.accusers(slot)) };
            if !w.item(&item) && w.room() < ITEM_MIN {
                return;
            }
        }
    }

    fn put_own(&mut self, w: &mut Writer<'_>, intent: &Intent, limit: u8) {
        if self.gossip.queued(ME) > 0 || intent.what == What::Farewell {
            let row = &self.table[ME];
            let item = if self.gossip.has_detail(ME) { detail_item(row) } else { status_item(row, &[]) };
            if w.item(&item) {
                self.gossip.count_own(limit, &self.cx);
            }
        }
    }

    /// What I believe of the receiver, unless it is what it last said of itself; `false` when that does not fit.
    pub(super) fn put_belief(&self, w: &mut Writer<'_>, intent: &Intent) -> bool {
        if self.cx.mutant(Mutation::StaleAliveUnanswered) {
            return true;
        }
        let row = &self.table[intent.peer];
        if intent.hint == Hint::Row && !w.item(&detail_item(row)) {
            // Too long for this answer: at least what is believed.
            w.item(&status_item(row, &[]));
            false
        } else if intent.hint == Hint::Row {
            true
        } else if self.tells_belief(intent) || intent.hint == Hint::Belief {
            w.item(&status_item(row, self.suspicions.accusers(intent.peer)))
        } else {
            true
        }
    }
}

pub(super) fn status_item<'a>(row: &'a Row, accusers: &'a [NodeId]) -> Item<'a> {
    let more = match Accusers::new(accusers) {
        Some(accusers) if row.state() == State::Suspect => More::Accused(accusers),
        _ => More::Status,
    };
    Item { id: row.id, status: row.status, more }
}

pub(super) fn detail_item(row: &Row) -> Item<'_> {
    let detail =
        Detail { at: row.detail_at, addr: Addr::into(row.addr), name: row.profile.name(), meta: row.profile.meta() };
    Item { id: row.id, status: row.status, more: More::Detail(detail) }
}
