//! Hearsay of a later life of a member that is believed alive: the member itself is asked before it is taken over.
//!
//! Whoever restarts says so in the head of its next frame, which is believed at once. What others say of it is answered with a
//! ping to where the member is known to be. The new life answers with its head; the former one, if it still lives, with
//! the epoch that is known, and then the hearsay is dropped. Silence for a time-out means that it is not there any more.
//!
//! Who has not denied it by the time that a second member says the same is not waited for: whoever tells it has found it
//! confirmed. So a restart at another address, where nobody answers at the former one, spreads nearly as fast as other news.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)]

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::cx::Cx;
use crate::identity::{Addr, Profile};
use crate::members::{Row, ensure};
use crate::outbox::{Intent, What};
use crate::status::{Incarnation, NodeId, Status};
use crate::time::Instant;
use crate::wire::{Detail, Item, Message, More};

/// Most members that are asked at the same time. One that answers for its new life makes room at once.
pub(crate) const DOUBTS_MAX: usize = 32;

/// Address and profile of the life that is doubted.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Written {
    at: Incarnation,
    addr: Addr,
    profile: Profile,
}

/// One member that was asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Doubt {
    pub(crate) id: NodeId,
    /// The epoch in which it was known when it was asked.
    pub(crate) epoch: u32,
    addr: Addr,
    nonce: u32,
    /// What others say of it, and who was the first to say so.
    status: Status,
    by: NodeId,
    written: Option<Written>,
    /// It has answered in the epoch that is known. It is not asked again within a period.
    denied: bool,
    /// Till then it may answer, or is left in peace.
    until: Instant,
}

impl Doubt {
    /// What was said, unless it was denied.
    pub(crate) fn item(&self) -> Option<Item<'_>> {
        let more = self.written.as_ref().map_or(More::Status, |w| {
            More::Detail(Detail { at: w.at, addr: w.addr.into(), name: w.profile.name(), meta: w.profile.meta() })
        });
        (!self.denied).then_some(Item { id: self.id, status: self.status, more })
    }

    /// The most that was said holds. Tells whether somebody else has said the same.
    fn hear(&mut self, item: &Item<'_>, by: NodeId) -> bool {
        let (before, said) = (self.status.incarnation().epoch(), item.status.incarnation().epoch());
        if said > before {
            self.by = by;
        }
        self.status = self.status.merge(item.status);
        let known = self.written.as_ref().map(|w| w.at);
        if let Some(d) = item.detail().filter(|d| known.is_none_or(|at| d.at > at)) {
            self.written = Some(Written { at: d.at, addr: d.addr.into(), profile: Profile::pack(d.name, d.meta) });
        }
        said == before && by != self.by && !self.denied
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Doubts(Vec<Doubt>);

impl Doubts {
    /// When the time of one that was asked is over.
    pub(crate) fn next_deadline(&self) -> Instant {
        self.0.iter().map(|doubt| doubt.until).min().unwrap_or(Instant::NEVER)
    }

    /// This node leaves: nobody is waited for.
    pub(crate) fn stop(&mut self) {
        self.0.clear();
    }

    /// Others speak of a later life of this member: it is asked, unless it is being asked, or has just denied it, or too many
    /// are asked already. Returns what two members have said by now.
    pub(crate) fn on_hearsay(
        &mut self,
        slot: u32,
        row: &Row,
        item: &Item<'_>,
        by: NodeId,
        cx: &mut Cx,
    ) -> Option<Doubt> {
        if let Some(at) = self.0.iter().position(|doubt| doubt.id == row.id) {
            let confirmed = self.0.get_mut(at).is_some_and(|doubt| doubt.hear(item, by));
            return confirmed.then(|| self.0.swap_remove(at));
        }
        // Whoever was at my own address is there no more; there is nobody to ask, and the time begins all the same.
        let nonce = cx.rng.next_u32();
        let ping = What::Message(Message::Ping { target: row.id, nonce });
        let asked = self.0.len() < DOUBTS_MAX
            && (row.addr == cx.my_addr || cx.try_send(Intent::to_member(row.addr, slot, ping)));
        if asked {
            let mut doubt = Doubt {
                id: row.id,
                epoch: row.status.incarnation().epoch(),
                addr: row.addr,
                nonce,
                status: item.status,
                by,
                written: None,
                denied: false,
                until: cx.now.plus_micros(cx.pace.probe_timeout),
            };
            doubt.hear(item, by);
            self.0.push(doubt);
        }
        None
    }

    /// Is this an answer by one that was asked? In the epoch that was known it denies what is said; in a later one it has
    /// spoken for itself, and there is nothing to wait for.
    pub(crate) fn on_ack(&mut self, from: Addr, sender: NodeId, incarnation: Incarnation, nonce: u32, cx: &Cx) -> bool {
        let hit = |doubt: &Doubt| (doubt.nonce, doubt.id, doubt.addr) == (nonce, sender, from);
        let Some(at) = self.0.iter().position(hit) else { return false };
        if let Some(doubt) = self.0.get_mut(at).filter(|doubt| doubt.epoch >= incarnation.epoch()) {
            (doubt.denied, doubt.until) = (true, cx.now.plus_micros(cx.pace.probe_interval));
        } else {
            self.0.swap_remove(at);
        }
        true
    }

    /// Somebody else answers at an address: who was asked there?
    pub(crate) fn asked_at(&self, from: Addr, nonce: u32) -> Option<NodeId> {
        self.0.iter().find(|doubt| (doubt.nonce, doubt.addr) == (nonce, from)).map(|doubt| doubt.id)
    }

    /// One whose time is over.
    pub(crate) fn pop_due(&mut self, cx: &Cx) -> Option<Doubt> {
        let at = self.0.iter().position(|doubt| doubt.until <= cx.now)?;
        Some(self.0.swap_remove(at))
    }

    /// Replaces the profiles that were said.
    pub(crate) fn map_profiles<E>(&mut self, mut map: impl FnMut(&Profile) -> Result<Profile, E>) -> Result<(), E> {
        self.0.iter_mut().filter_map(|doubt| doubt.written.as_mut()).try_for_each(|written| {
            written.profile = map(&written.profile)?;
            Ok(())
        })
    }

    /// Invariants.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        ensure(self.0.len() <= DOUBTS_MAX, "more members asked than may be")
    }
}
