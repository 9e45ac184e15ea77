//! Rumors: what the embedder of some node wants all to hear, once.
//!
//! Decides which rumors are new, which are kept for those who have missed them, and which are told, how often. Each rumor is
//! delivered at most once, in any order: a [`Window`] per origin says which numbers were seen. What was taken is kept in
//! the [`Arena`] until its time is over or others need the room, the oldest first; an origin whose rumors take more than half of
//! it makes room with its own. While it is *hot*, it rides on datagrams ([`Hot`], Demers et al. 1987); who has missed it
//! then, asks with a digest, is given what is kept, and gives up what is not.
//!
//! Times are the driver's: a rumor grows old while this node sleeps. Its age goes with every copy, so all that keep it drop it
//! at about the same time, however it came to them.
//!
//! Everything belongs to a row and its present epoch: with another life or without a row, [`Rumors::forget`] drops windows
//! and rumors. What the current input has brought is never dropped for others, so that an event can be read until the next
//! input: what finds no room beside it is refused, and as it was not marked as seen, comes again with a sync.

mod arena;
mod hot;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod models;
mod read;
mod window;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use self::arena::{Arena, Chain, Kept};
use self::hot::Hot;
use self::window::{Seen, Window};
use crate::config::Config;
use crate::cx::Cx;
use crate::hash::TableKey;
use crate::members::ME;
use crate::mutation::Mutation;
use crate::node::Rumor;
use crate::stats::{count, count_all};
use crate::status::RumorId;
use crate::storage::{Take, make_room};
use crate::time::{Instant, micros};
use crate::wire::DecodeError;

/// How far a rumor of others may raise the Lamport time at once. One that is forged, or flipped on its way, would otherwise
/// use up all time there is. A million rumors a second take twelve days to get that far.
const LAMPORT_JUMP: u64 = 1 << 40;

/// How far beyond the newest number known of an origin a rumor may be that others bring unasked. One of the last numbers there
/// are would otherwise close the window for all that the origin will ever broadcast in this epoch.
const SEQ_JUMP: u32 = 1 << 16;

/// An origin's lowest rumors that are passed over, because the current input has brought them, before the oldest of all
/// makes room instead.
const PASSED_MAX: usize = 8;

/// What became of a rumor that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// It is new: it is kept and told from now on, and to be delivered.
    New,
    /// It was seen before, or given up.
    Known,
    /// It is below the window, so nobody can tell whether it was seen; or it is over.
    Stale,
    /// It is of another epoch than the row, or one of this node's own that it has not broadcast: another life of it did.
    OtherLife,
    /// It is so far ahead of all that is known of its origin that only whoever is asked for it is believed.
    Ahead,
    /// What the same input has brought leaves no room for it. It is not seen, and may come again.
    Full,
}

/// What is known of one origin's rumors.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Origin {
    /// The epoch of all of it.
    epoch: u32,
    window: Window,
    #[serde(skip)]
    chain: Chain,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rumors {
    kept: Arena,
    hot: Hot,
    /// By slot, as far as any has broadcast something.
    origins: Vec<Option<Box<Origin>>>,
    lamport: u64,
    /// Counts inputs, to tell what the current one has brought. Copies are taken between inputs, so it is not written.
    #[serde(skip)]
    input: u64,
}

impl Rumors {
    /// Allocates next to nothing. `key` places ids in the index, and may be that of the table.
    pub(crate) fn new(key: TableKey) -> Self {
        Self { kept: Arena::new(key), hot: Hot::new(), origins: Vec::new(), lamport: 0, input: 0 }
    }

    /// An input begins: what the one before has brought need not stay any longer.
    pub(crate) fn begin_input(&mut self) {
        self.input = self.input.wrapping_add(1);
    }

    /// This node tells all: delivered here, kept and told from now on. Topic and payload have passed
    /// [`Config::check_rumor`].
    ///
    /// # Errors
    /// All numbers of this epoch are used up; the next epoch has new ones.
    pub(crate) fn broadcast(
        &mut self,
        epoch: u32,
        (topic, payload): (&str, &[u8]),
        now: Instant,
        cx: &mut Cx,
    ) -> Result<RumorId, ()> {
        self.begin(epoch, (topic, payload), Duration::ZERO, now, cx)
    }

    /// The same for a text that is of such an age already.
    fn begin(
        &mut self,
        epoch: u32,
        (topic, payload): (&str, &[u8]),
        age: Duration,
        now: Instant,
        cx: &mut Cx,
    ) -> Result<RumorId, ()> {
        self.renew(ME, epoch);
        let seq = self.last(ME).checked_add(1).ok_or(())?;
        let id = RumorId { origin: cx.me, epoch, seq };
        let rumor = Rumor { id, lamport: self.lamport.saturating_add(1), age, topic, payload };
        if !self.make_room(ME, topic.len() + payload.len(), cx) {
            return Err(());
        }
        self.lamport = rumor.lamport;
        self.keep(ME, &rumor, now, cx);
        count(&mut cx.stats.rumors_broadcast);
        Ok(id)
    }

    /// Takes over a rumor whose origin has the row at `slot`, of this epoch, unless it was seen before, or is over. `known`
    /// tells that it comes from its origin, or in answer to a digest: then one that is over is given up, so that it is not
    /// asked for again. Others keep rumors for longer where their configs say so.
    pub(crate) fn offer(
        &mut self,
        (slot, epoch): (u32, u32),
        item: &Rumor<'_>,
        known: bool,
        now: Instant,
        cx: &mut Cx,
    ) -> Offer {
        let len = item.topic.len() + item.payload.len();
        self.renew(slot, epoch);
        let offer = match self.see(slot, epoch, item.id) {
            Offer::Known if cx.mutant(Mutation::RumorsForgotten) && self.kept.find(item.id).is_none() => Offer::New,
            Offer::New if is_over(item, cx) => {
                if known {
                    self.give_up(slot, item.id, cx);
                }
                Offer::Stale
            }
            Offer::New if !known && item.id.seq.saturating_sub(self.last(slot)) > SEQ_JUMP => Offer::Ahead,
            offer => offer,
        };
        let offer = if offer == Offer::New && !self.make_room(slot, len, cx) { Offer::Full } else { offer };
        match offer {
            Offer::New => {
                self.hear(item.lamport, cx);
                self.keep(slot, item, now, cx);
                count(&mut cx.stats.rumors_received);
            }
            Offer::Known => count(&mut cx.stats.rumors_known),
            Offer::Stale | Offer::OtherLife => count(&mut cx.stats.rumors_stale),
            Offer::Ahead => count(&mut cx.stats.rumors_implausible),
            Offer::Full => count(&mut cx.stats.rumors_evicted),
        }
        offer
    }

    /// Offers the hot rumors for a place in a datagram, least told first, each at most once per `round`: datagrams to the same
    /// receiver in one go share a round, which is not 0 and not the last ones'. 0 is a round of its own. `put` says what became
    /// of a rumor; what was taken as often as the policy has it, `live` members being around, is told no longer.
    pub(crate) fn fill(
        &mut self,
        (live, round): (usize, u32),
        now: Instant,
        cx: &mut Cx,
        put: impl FnMut(&Rumor<'_>) -> Take,
    ) {
        self.hot.fill(&mut self.kept, (live, round), now, cx, put);
    }

    /// A receiver answered that it knew this rumor already, or did not.
    pub(crate) fn feedback(&mut self, id: RumorId, known: bool, cx: &Cx) {
        if let Some(place) = self.kept.find(id) {
            self.hot.feedback(&mut self.kept, place, known, &cx.config);
        }
    }

    /// None is told any longer but those whose origin `lasts`, be it as seldom as it was; all stay kept. Returns how many end.
    pub(crate) fn settle(&mut self, lasts: impl Fn(u32) -> bool) -> usize {
        self.hot.settle(&self.kept, lasts)
    }

    /// A member of which `of` holds, and of which a rumor is kept: see [`crate::storage::Slab::some_near`].
    pub(crate) fn some_of(&self, at: u32, of: impl Fn(u32) -> bool) -> Option<u32> {
        self.kept.some_of(at, of)
    }

    /// The row is gone, or its next epoch has begun: window and rumors go.
    pub(crate) fn forget(&mut self, slot: u32) {
        let Some(mut origin) = self.origins.get_mut(slot as usize).and_then(Option::take) else { return };
        while let Some(place) = { self.kept.of(&origin.chain).next() } {
            self.hot.remove(place);
            self.kept.remove(place, &mut origin.chain);
        }
    }

    /// This node is in another life. What it has broadcast and nobody can have heard yet is of that life from now on, under new
    /// numbers. The rest may have been heard, and goes: told again, it could be delivered twice.
    pub(crate) fn restart(&mut self, epoch: u32, now: Instant, cx: &mut Cx) {
        let Some(origin) = self.origin(ME) else { return };
        let untold = self.kept.of(&origin.chain).filter(|&place| self.hot.is_untold(place));
        let untold: Vec<(String, Vec<u8>, Duration)> = untold
            .filter_map(|place| self.kept.rumor(place, now))
            .filter(|rumor| !is_over(rumor, cx))
            .map(|rumor| (rumor.topic.into(), rumor.payload.into(), rumor.age))
            .collect();
        self.forget(ME);
        for (topic, payload, age) in untold {
            // They were there just now, so there are numbers and room for them.
            let _ = self.begin(epoch, (&topic, &payload), age, now, cx);
        }
    }

    /// Nobody who was asked keeps what is missing up to `floor` of this origin, in this epoch: it is given up. Of my own, none
    /// is missing, whatever others say.
    pub(crate) fn close(&mut self, slot: u32, epoch: u32, floor: u32, cx: &mut Cx) {
        self.renew(slot, epoch);
        if slot != ME && floor > self.digest(slot).0 {
            let origin = admitted(&mut self.origins, slot, epoch, &cx.config);
            count_all(&mut cx.stats.rumors_missed, u64::from(origin.window.close(floor)));
        }
    }

    /// Drops what was kept long enough.
    pub(crate) fn on_due(&mut self, now: Instant, cx: &Cx) {
        while let Some(place) = self.kept.oldest().filter(|_| self.next_deadline(cx) <= now) {
            self.drop_kept(place);
        }
    }

    /// Places the kept rumors by this key. Nothing that is decided depends on it.
    pub(crate) fn place_by(&mut self, key: TableKey) {
        self.kept.place_by(key);
    }

    /// Builds what a restored copy lacks. To be called before anything else, [`Self::check`] included.
    ///
    /// # Errors
    /// What contradicts itself.
    pub(crate) fn rebuild(&mut self) -> Result<(), &'static str> {
        self.begin_input();
        self.kept.place_by(TableKey::default());
        for (slot, place) in self.kept.by_origin() {
            let origin = self.origins.get_mut(slot as usize).and_then(Option::as_deref_mut);
            self.kept.chain(place, &mut origin.ok_or("rumors are kept of an origin that has none")?.chain);
        }
        Ok(())
    }

    /// Hands every topic (`false`) and payload (`true`) that is kept to `f`, which may replace it by another of the same length.
    /// Empty ones are left out.
    ///
    /// # Errors
    /// [`DecodeError::Value`] when a topic is no UTF-8 any more. The rumors cannot be used then.
    pub(crate) fn map_opaque(&mut self, f: &mut dyn FnMut(bool, &mut [u8])) -> Result<(), DecodeError> {
        self.kept.map_opaque(f)
    }

    /// What a rumor is to this node, whether there is room for it or not.
    fn see(&self, slot: u32, epoch: u32, id: RumorId) -> Offer {
        let seen = match self.origin(slot) {
            Some(origin) => origin.window.see(id.seq),
            None if id.seq > 0 => Seen::New,
            None => Seen::TooOld,
        };
        match seen {
            _ if id.epoch != epoch => Offer::OtherLife,
            Seen::New if slot == ME => Offer::OtherLife,
            Seen::New => Offer::New,
            Seen::Known => Offer::Known,
            Seen::TooOld => Offer::Stale,
        }
    }

    /// The Lamport time is no less than that of what was heard, unless that is too far ahead: then order suffers, and
    /// nothing else.
    fn hear(&mut self, lamport: u64, cx: &mut Cx) {
        let most = self.lamport.saturating_add(LAMPORT_JUMP);
        if lamport > most {
            count(&mut cx.stats.lamport_implausible);
        }
        self.lamport = self.lamport.max(lamport.min(most));
    }

    /// Drops what has to go for a rumor of this origin; `false` when the current input leaves no room.
    fn make_room(&mut self, slot: u32, len: usize, cx: &mut Cx) -> bool {
        if len > cx.config.rumor_bytes {
            return false;
        }
        while self.len() >= cx.config.rumors_max || self.bytes() + len > cx.config.rumor_bytes {
            let Some(place) = self.dispensable(slot, len, &cx.config) else { return false };
            self.drop_kept(place);
            count(&mut cx.stats.rumors_evicted);
        }
        true
    }

    /// The rumor that makes room for one of this origin: the origin's lowest when it takes more than half, or else the
    /// oldest of all.
    fn dispensable(&self, slot: u32, len: usize, config: &Config) -> Option<u32> {
        let over = |used: usize, bound: usize| used > bound / 2;
        let greedy = |c: &&Chain| over(c.len + 1, config.rumors_max) || over(c.bytes + len, config.rumor_bytes);
        let own = self.origin(slot).map(|o| &o.chain).filter(greedy);
        let lowest = own.and_then(|chain| self.kept.of(chain).take(PASSED_MAX).find(|&place| !self.is_current(place)));
        lowest.or_else(|| self.kept.oldest().filter(|&place| !self.is_current(place)))
    }

    /// Has the current input brought it?
    fn is_current(&self, place: u32) -> bool {
        self.kept.get(place).is_some_and(|kept| kept.input == self.input)
    }

    /// Counts a new rumor as missed, and marks it as seen.
    fn give_up(&mut self, slot: u32, id: RumorId, cx: &mut Cx) {
        let origin = admitted(&mut self.origins, slot, id.epoch, &cx.config);
        count_all(&mut cx.stats.rumors_missed, u64::from(origin.window.mark(id.seq)) + 1);
    }

    /// Marks a new rumor as seen, keeps it and tells it. There is room.
    fn keep(&mut self, slot: u32, rumor: &Rumor<'_>, now: Instant, cx: &mut Cx) {
        let kept = Kept::new(rumor, slot, now, self.input);
        let origin = admitted(&mut self.origins, slot, rumor.id.epoch, &cx.config);
        count_all(&mut cx.stats.rumors_missed, u64::from(origin.window.mark(rumor.id.seq)));
        let place = self.kept.insert(kept, rumor.topic, rumor.payload, &mut origin.chain);
        self.hot.enqueue(place, self.kept.places());
    }

    /// Nothing of another life stays.
    fn renew(&mut self, slot: u32, epoch: u32) {
        if self.origin(slot).is_some_and(|origin| origin.epoch != epoch) {
            self.forget(slot);
        }
    }

    fn drop_kept(&mut self, place: u32) {
        self.hot.remove(place);
        let slot = self.kept.get(place).map_or(u32::MAX, |kept| kept.slot);
        if let Some(origin) = self.origins.get_mut(slot as usize).and_then(Option::as_deref_mut) {
            self.kept.remove(place, &mut origin.chain);
        }
    }

    fn origin(&self, slot: u32) -> Option<&Origin> {
        self.origins.get(slot as usize)?.as_deref()
    }
}

/// Has it been told long enough? Its age counts, whoever has kept it.
fn is_over(rumor: &Rumor<'_>, cx: &Cx) -> bool {
    micros(rumor.age) >= cx.pace.rumor_ttl
}

/// What is known of this origin; nothing yet when it is heard of for the first time.
fn admitted<'a>(origins: &'a mut Vec<Option<Box<Origin>>>, slot: u32, epoch: u32, config: &Config) -> &'a mut Origin {
    let place = slot as usize;
    if place >= origins.len() {
        make_room(origins, place + 1);
        origins.resize_with(place + 1, || None);
    }
    origins[place].get_or_insert_with(|| {
        Box::new(Origin { epoch, window: Window::new(config.rumor_window), chain: Chain::default() })
    })
}

#[cfg(test)]
mod tests;
