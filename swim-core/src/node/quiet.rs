//! The short way of what nearly every datagram is while nothing is new: a ping, and a message with nothing beside it.
//!
//! It does what the long way would do, step by step, after a look at all that could make a difference: the bytes of golden
//! traces and of the story are those that the long way wrote.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)]

use super::Node;
use crate::identity::Addr;
use crate::mutation::Mutation;
use crate::outbox::{Hint, Intent, What};
use crate::stats::count;
use crate::status::{State, Status};
use crate::storage::NONE;
use crate::wire::Message;
use crate::wire::probe::Probe;

/// What has become of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Nothing: it is for the long way.
    Not,
    /// It was a ping, which sets no deadline.
    Ping,
    Ack,
}

impl Node {
    /// Answers a ping, or takes the ack of the probe, when there is nothing else in the datagram, when it is of a member that is
    /// where and what it is known to be, and when all that both know is the same.
    #[inline]
    pub(super) fn take_quietly(&mut self, from: Addr, bytes: &[u8]) -> Taken {
        let Some(probe) = Probe::read(bytes) else { return Taken::Not };
        let same = probe.view_hash == self.table.view_hash()
            && probe.app_hash == self.table.app_hash()
            && self.has_no_news()
            && !self.leave.has_begun()
            && probe.sender != self.cx.me;
        // An ack is nearly always the target's of the probe under way, whose slot is known: to find it by the index is to wait for
        // memory two times more, and the row is still in the cache.
        let known = match probe.message {
            Message::Ack { .. } => self.table.row_at(self.detect.target_slot(), probe.sender),
            _ => None,
        };
        let Some((peer, row)) = known.or_else(|| self.table.find_row(probe.sender)) else { return Taken::Not };
        if same && row.status == Status::alive(probe.incarnation) && row.addr == from {
            return self.take_probe(from, &probe, peer);
        }
        Taken::Not
    }

    #[inline]
    fn take_probe(&mut self, from: Addr, probe: &Probe, peer: u32) -> Taken {
        let taken = match probe.message {
            Message::Ping { target, nonce } if target == self.cx.me => {
                if self.cx.mutant(Mutation::PingsAnsweredTwice) {
                    return Taken::Not;
                }
                self.cx.send(Intent::to_member(from, peer, What::Message(Message::Ack { nonce })));
                Taken::Ping
            }
            Message::Ack { nonce } if self.detect.is_ack(from, probe.sender, probe.incarnation, nonce, &self.cx) => {
                let live = self.table.live();
                self.views.on_report(true, live, &mut self.cx);
                self.app_views.on_report(true, live, &mut self.cx);
                self.on_probe_answered();
                Taken::Ack
            }
            _ => return Taken::Not,
        };
        count(&mut self.cx.stats.datagrams_accepted);
        self.to_tell.clear();
        taken
    }

    /// The message of this intent if nothing goes with it but the hash of states and rumors.
    pub(super) fn bare_message(&self, intent: &Intent) -> Option<Message> {
        let What::Message(message) = intent.what else { return None };
        let bare = intent.hint == Hint::Nothing && self.has_no_news() && self.to_tell.is_empty();
        let nothing_of_it =
            intent.peer == NONE || self.table.row(intent.peer).is_some_and(|r| r.state() == State::Alive);
        (bare && nothing_of_it).then_some(message)
    }

    /// Nothing is to be told, of rows, states or rumors.
    fn has_no_news(&self) -> bool {
        self.gossip.len() == 0 && !self.has_app_news()
    }
}
