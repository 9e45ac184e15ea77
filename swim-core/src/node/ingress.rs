//! One datagram: parsed whole, then its claims, then its message.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)]

use super::Node;
use super::apply::Via;
use super::quiet::Taken;
use crate::config::Buddy;
use crate::detect::Requester;
use crate::identity::Addr;
use crate::mutation::Mutation;
use crate::outbox::{Hint, Intent, What};
use crate::stats::{count, count_all};
use crate::status::{NodeId, State, Status};
use crate::storage::NONE;
use crate::wire::{Frame, Item, Message};

/// An answer to an address that is not a known member's is at most this many times the request.
pub(super) const AMPLIFICATION_MAX: usize = 3;

/// The most that an answer which is bounded so may have; the number after it stands for no bound.
const ROOM_MAX: usize = u16::MAX as usize - 1;

impl Node {
    /// Tells whether it has set no deadline, as most have not.
    pub(super) fn on_datagram(&mut self, from: Addr, bytes: &[u8]) -> bool {
        count(&mut self.cx.stats.datagrams_received);
        count_all(&mut self.cx.stats.bytes_received, bytes.len() as u64);
        let taken = self.take_quietly(from, bytes);
        if taken == Taken::Not {
            self.on_any_datagram(from, bytes);
        }
        taken == Taken::Ping
    }

    fn on_any_datagram(&mut self, from: Addr, bytes: &[u8]) {
        let stats = &mut self.cx.stats;
        if self.leave.has_begun() {
            count(&mut stats.dropped_after_leave);
            return;
        }
        #[cfg(all(swim_mutations, feature = "std"))]
        crate::wire::TAKES_OVERLONG.set(self.cx.config.mutant(Mutation::OverlongVarintTaken));
        let Ok(frame) = Frame::parse(bytes) else {
            count(&mut stats.dropped_malformed);
            return;
        };
        if frame.sender == self.cx.me {
            if !self.cx.config.mutant(Mutation::DropUncounted) {
                count(&mut stats.dropped_from_self);
            }
            if let Some(Message::Pull { nonce }) = frame.message {
                self.join.on_own(nonce, &self.cx);
            }
            return;
        }
        count(&mut stats.datagrams_accepted);
        self.to_tell.clear();
        // Decided before the frame has any effect: what may be answered, and whether it answers something of mine.
        let peer = self.table.find(frame.sender);
        let room = match peer {
            Some(slot) if self.table.row(slot).is_some_and(|row| row.addr == from) => u16::MAX,
            _ if self.cx.mutant(Mutation::AmplifiesStrangers) => u16::MAX,
            // Spoofing a source that is nobody's gains nothing.
            _ => bytes.len().saturating_mul(AMPLIFICATION_MAX).min(ROOM_MAX) as u16,
        };
        let bound = self.is_answer(from, &frame);
        let before = self.table.view_hash();
        let peer = self.apply_frame(from, &frame, peer, bound).unwrap_or(NONE);
        // The frame may have shown that another process is this member.
        if !self.leave.has_begun() {
            self.keep_question(&frame, bytes);
            self.on_message(from, &frame, peer, room);
            if frame.is_sync() && self.table.view_hash() != before {
                self.views.on_fruit();
            }
        }
    }

    /// Does the frame answer a question that this node has asked, with its nonce?
    fn is_answer(&self, from: Addr, frame: &Frame<'_>) -> bool {
        let (sender, cx) = (frame.sender, &self.cx);
        match frame.message {
            Some(Message::Ack { .. }) => self.is_answer_to_probe(from, frame),
            Some(Message::RelayedAck { nonce, incarnation }) => {
                self.detect.is_relayed_ack(from, sender, incarnation, nonce, cx)
            }
            Some(Message::Page { nonce, .. }) => {
                self.join.is_answer(nonce) || self.sync.lane_of_page(from, sender, nonce).is_some()
            }
            _ => false,
        }
    }

    /// The claims in a frame. A stranger's count only when it was asked, or when it introduces itself. Returns the sender's
    /// slot, which it may have just got.
    fn apply_frame(&mut self, from: Addr, frame: &Frame<'_>, peer: Option<u32>, bound: bool) -> Option<u32> {
        let heard = bound || self.is_heard(from, frame, peer.unwrap_or(NONE));
        if let Some(row) = peer.and_then(|slot| self.table.row(slot)) {
            // The head is the sender's own word: it lives, at this incarnation. From elsewhere it says no more than that the
            // life which is known goes on.
            let alive = Status::alive(frame.incarnation);
            let goes_on = row.status.is_live() && row.status.incarnation().epoch() == frame.incarnation.epoch();
            if alive > row.status && (heard || goes_on) {
                self.apply(&Item::status(frame.sender, alive), frame.sender, Via::Subject, bound);
            }
        }
        if self.cx.mutant(Mutation::HeadClearsSuspicion) {
            self.clear_suspicion(frame, peer);
        }
        let pushed = frame.message == Some(Message::Push) && peer.is_some_and(|slot| self.is_at(slot, from));
        for row in frame.rows() {
            let introduces_itself = is_introduction(frame, &row);
            if introduces_itself && !heard && self.is_news(peer.unwrap_or(NONE), &row) {
                count(&mut self.cx.stats.introductions_unproven);
            } else if bound || introduces_itself || pushed {
                self.apply(&row, frame.sender, if introduces_itself { Via::Subject } else { Via::Rows }, bound);
            } else {
                count(&mut self.cx.stats.claims_from_strangers);
            }
        }
        let was_there = peer.is_some_and(|slot| self.table.is_live_at(slot));
        let peer = peer.or_else(|| self.table.find(frame.sender));
        let live = peer.is_some_and(|slot| self.table.is_live_at(slot));
        self.apply_updates(frame, bound || live, peer.is_some(), bound);
        if frame.has_app() {
            // What a leaver says last comes with its leave.
            match peer.filter(|_| live || was_there) {
                Some(slot) => self.apply_app(from, frame, slot),
                None => count(&mut self.cx.stats.claims_from_strangers),
            }
        }
        peer
    }

    /// A planted bug: who is suspected and says nothing of it is taken to have refuted.
    fn clear_suspicion(&mut self, frame: &Frame<'_>, peer: Option<u32>) {
        let suspect = Status::new(frame.incarnation, State::Suspect);
        if let Some(slot) = peer.filter(|&slot| self.table.row(slot).is_some_and(|row| row.status == suspect)) {
            self.change(slot, Status::alive(frame.incarnation), None);
        }
    }

    fn on_message(&mut self, from: Addr, frame: &Frame<'_>, peer: u32, room: u16) {
        let differs = self.compare_views(from, frame, peer);
        let hint = match self.hint(from, frame, peer) {
            Hint::Nothing if differs => Hint::News,
            hint => hint,
        };
        let app_differs = self.compare_app(from, frame, peer);
        let answer = Intent { to: from, peer, room, hint, what: What::Gossip };
        // Who asks for a proof gets it with the pull that it has answered so.
        let proves = matches!(frame.message, Some(Message::Prove { nonce }) if self.join.is_answer(nonce));
        if frame.asks_who && !proves && self.table.get(peer).is_some_and(|r| r.addr == from) {
            if self.echoes.take_introduction(&self.cx) {
                self.cx.send(Intent::to_member(from, peer, What::Introduction { proof: frame.cookie }));
            } else {
                count(&mut self.cx.stats.introductions_refused);
            }
        }
        // Before the answer has any effect.
        let told_at_once = match hint {
            Hint::Nothing => false,
            // Once per probe of mine, so this neither adds up nor goes to and fro.
            Hint::News => self.is_answer_to_probe(from, frame) && self.gossip.recent(&self.cx).next().is_some(),
            Hint::Belief | Hint::Row | Hint::WhoAreYou { .. } => !is_answered(frame),
        };
        let answered = frame.message.is_some_and(|message| self.on_kind(message, frame, answer, differs, app_differs));
        // Whoever writes in a member's name from elsewhere is a stranger in this.
        if told_at_once && !answered && self.echoes.take_for(room == u16::MAX, &self.cx) {
            self.cx.send(answer);
        }
    }

    /// What a message asks for or answers; `answer` is an answer to it without its contents. Tells whether a message that
    /// need not be answered was.
    fn on_kind(
        &mut self,
        message: Message,
        frame: &Frame<'_>,
        answer: Intent,
        differs: bool,
        app_differs: bool,
    ) -> bool {
        let from = answer.to;
        match message {
            Message::Ping { target, nonce } if target == self.cx.me => {
                let to = self.source_or_row(from, answer.peer, Mutation::AcksGoToTheRow);
                let ack = Intent { to, what: What::Message(Message::Ack { nonce }), ..answer };
                self.cx.send(ack);
                if self.cx.mutant(Mutation::PingsAnsweredTwice) {
                    self.cx.send(ack);
                }
            }
            Message::Ping { nonce, .. } => {
                count(&mut self.cx.stats.misdirected_pings);
                self.cx.send(Intent { what: What::Message(Message::NotMe { nonce }), ..answer });
            }
            Message::Ack { nonce } => self.on_ack(from, frame, nonce),
            Message::PingReq { target, nonce } => {
                let addr = self.source_or_row(from, answer.peer, Mutation::RelaysAnswerTheRow);
                self.on_ping_req(Requester { addr, nonce, room: answer.room, peer: answer.peer }, target);
            }
            Message::RelayedAck { nonce, incarnation } => {
                if self.detect.is_relayed_ack(from, frame.sender, incarnation, nonce, &self.cx) {
                    self.on_probe_answered();
                } else {
                    count(&mut self.cx.stats.stray_acks);
                }
            }
            Message::Nack { nonce } => self.detect.on_nack(from, frame.sender, nonce, &mut self.cx),
            Message::NotMe { .. } if self.cx.mutant(Mutation::AnyAnswerIsAnAck) && self.detect.is_waiting() => {
                self.on_probe_answered();
            }
            Message::NotMe { nonce } => {
                if self.detect.on_refusal(from, frame.sender, nonce, &self.cx) {
                    return false;
                }
                match self.doubts.asked_at(from, nonce).or_else(|| self.detect.asked_at(from, nonce)) {
                    Some(id) => self.on_wrong_responder(id, frame.sender),
                    None => count(&mut self.cx.stats.stray_acks),
                }
            }
            // Let in without a proof, whoever writes under many names from addresses where it is not would fill the table. Bare, so
            // that no answer is longer than the question; what is believed of it, it hears with the page.
            Message::Pull { nonce } if self.is_unproven(from, frame, answer.peer) => {
                let (hint, what) = (self.who(from, frame), What::Message(Message::Prove { nonce }));
                self.cx.send(Intent { peer: NONE, hint, what, ..answer });
            }
            Message::Prove { nonce } => {
                if !frame.cookie.is_some_and(|cookie| self.join.on_prove(nonce, cookie, &mut self.cx)) {
                    count(&mut self.cx.stats.stray_acks);
                }
            }
            // Strangers who ask and are nowhere to be heard do not use up what newcomers need.
            Message::Pull { nonce } => {
                let heard = self.is_heard(from, frame, answer.peer);
                self.answer_within(Intent { what: What::Page { nonce }, ..answer }, !heard);
            }
            Message::Compare { nonce, .. } => {
                let answered = self.answer_sync(Intent { what: What::Differ { nonce }, ..answer });
                if answered && differs {
                    self.views.on_asked(&mut self.cx);
                }
                if answered && app_differs {
                    self.app_views.on_asked(&mut self.cx);
                }
            }
            Message::Page { nonce, next } => return self.on_page(from, frame, nonce, next, answer.room),
            Message::Differ { nonce } => self.on_differ(from, frame, nonce),
            Message::Digest { nonce } => self.on_digest(nonce, answer),
            Message::Delta { nonce } => self.on_delta(from, frame, nonce),
            // Its rows have been taken over.
            Message::Push => {}
        }
        false
    }

    /// What the sender must hear: what is believed of it if it says less, or that it is not known. A node that knows others
    /// and is not known by them would else stay so: its gossip is a stranger's.
    fn hint(&self, from: Addr, frame: &Frame<'_>, peer: u32) -> Hint {
        match self.table.get(peer) {
            None => self.who(from, frame),
            Some(row) if frame.rows().any(|r| r.id == frame.sender && row.contradicts(&r)) => Hint::Row,
            // Another life of it: where that one is tells it whether the life is over.
            Some(row) if row.status.incarnation().epoch() > frame.incarnation.epoch() => Hint::Row,
            // It says what it has to be heard for where it comes from.
            Some(row) if Status::alive(frame.incarnation) > row.status && row.addr != from => self.who(from, frame),
            Some(_) if self.is_unproven(from, frame, peer) => self.who(from, frame),
            // Where it is behind a translated address its introduction says what the row says. Else the row is that of another
            // life under the same incarnation, which nothing but the introduction shows while relays reach the member.
            Some(row) if row.addr != from && is_sample(frame) => self.who(from, frame),
            // What it says of its incarnation is what I believe; that it is suspected it hears as the config says.
            Some(row)
                if row.state() == State::Suspect
                    && row.status.incarnation() == frame.incarnation
                    && self.cx.config.buddy != Buddy::Always =>
            {
                Hint::Nothing
            }
            Some(row) if row.status > Status::alive(frame.incarnation) => Hint::Belief,
            Some(_) => Hint::Nothing,
        }
    }

    /// The question who the sender is, with the cookie that shows where it is heard.
    fn who(&self, from: Addr, frame: &Frame<'_>) -> Hint {
        Hint::WhoAreYou { cookie: self.cookies.give(from, frame.sender, self.cx.now) }
    }

    /// Is the sender heard where it comes from? Its row says so, or its cookie shows it.
    fn is_heard(&self, from: Addr, frame: &Frame<'_>, peer: u32) -> bool {
        let is_there =
            self.table.get(peer).is_some_and(|row| row.addr == from) || self.cx.mutant(Mutation::CookieUnread);
        is_there || frame.proof.is_some_and(|cookie| self.cookies.proves(cookie, from, frame.sender, self.cx.now))
    }

    /// Does the sender introduce itself as somebody that is not known, here or there or in this life, without being heard where
    /// it comes from?
    fn is_unproven(&self, from: Addr, frame: &Frame<'_>, peer: u32) -> bool {
        let news = frame.rows().any(|row| is_introduction(frame, &row) && self.is_news(peer, &row));
        news && !self.is_heard(from, frame, peer)
    }

    /// Does this say more of the member than is known of it?
    fn is_news(&self, peer: u32, item: &Item<'_>) -> bool {
        let row = self.table.get(peer);
        row.is_none_or(|row| item.status > row.status || item.detail().is_some_and(|d| d.at > row.detail_at))
    }

    pub(super) fn is_answer_to_probe(&self, from: Addr, frame: &Frame<'_>) -> bool {
        let Some(Message::Ack { nonce }) = frame.message else { return false };
        self.detect.is_ack(from, frame.sender, frame.incarnation, nonce, &self.cx)
    }

    fn on_ack(&mut self, from: Addr, frame: &Frame<'_>, nonce: u32) {
        let (sender, incarnation) = (frame.sender, frame.incarnation);
        if self.detect.is_ack(from, sender, incarnation, nonce, &self.cx) {
            self.on_probe_answered();
        } else if !self.doubts.on_ack(from, sender, incarnation, nonce, &self.cx)
            && !self.detect.on_relay_ack(from, sender, incarnation, nonce, &mut self.cx)
        {
            count(&mut self.cx.stats.stray_acks);
        }
    }

    /// Where an answer goes: to the source of the question, whatever the table says; but for a planted bug.
    fn source_or_row(&self, from: Addr, peer: u32, bug: Mutation) -> Addr {
        if self.cx.mutant(bug) { self.table.get(peer).map_or(from, |row| row.addr) } else { from }
    }

    pub(super) fn on_probe_answered(&mut self) {
        self.detect.succeed(&mut self.cx);
        self.health.improve(&mut self.cx);
    }

    fn on_ping_req(&mut self, requester: Requester, target: NodeId) {
        if target == self.cx.me {
            let incarnation = self.table.me().status.incarnation();
            let ack = What::Message(Message::RelayedAck { nonce: requester.nonce, incarnation });
            let Requester { addr: to, peer, room, .. } = requester;
            return self.cx.send(Intent { to, peer, room, hint: Hint::Nothing, what: ack });
        }
        // A stranger could have a member pinged with all its news for a small request that nobody sees the source of.
        let is_known = self.table.get(requester.peer).is_some();
        let live = self.table.find(target).filter(|&slot| is_known && self.table.is_live_at(slot));
        let target = live.and_then(|slot| self.target(slot));
        self.detect.on_ping_req(requester, target, &mut self.cx);
    }
}

/// Does the sender introduce itself with this row? In a page it is a row like others, which was asked for.
fn is_introduction(frame: &Frame<'_>, row: &Item<'_>) -> bool {
    let paged = matches!(frame.message, Some(Message::Page { .. }));
    !paged && row.id == frame.sender && row.status.state() == State::Alive
}

/// One ping in eight: an introduction for every ping of a member behind a translated address would be half as much again of
/// what it sends.
fn is_sample(frame: &Frame<'_>) -> bool {
    matches!(frame.message, Some(Message::Ping { nonce, .. }) if nonce % 8 == 0)
}

/// Is there an answer anyway? A hint rides on it, or comes another time: one answer to one datagram.
fn is_answered(frame: &Frame<'_>) -> bool {
    let Some(message) = frame.message else { return false };
    matches!(
        message,
        Message::Ping { .. }
            | Message::Prove { .. }
            | Message::PingReq { .. }
            | Message::Pull { .. }
            | Message::Compare { .. }
            | Message::Digest { .. }
    )
}
