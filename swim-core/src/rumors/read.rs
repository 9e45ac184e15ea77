//! What rumors are known and kept, to be looked at.

use super::arena::Kept;
use super::window::Seen;
use super::{Rumors, is_over};
use crate::config::Config;
use crate::cx::Cx;
use crate::members::{ME, ensure};
use crate::node::Rumor;
use crate::status::{NodeId, RumorId};
use crate::time::Instant;

impl Rumors {
    /// A rumor that is kept.
    pub(crate) fn get(&self, id: RumorId, now: Instant) -> Option<Rumor<'_>> {
        self.kept.rumor(self.kept.find(id)?, now)
    }

    /// The Lamport time: that of the newest rumor that this node has heard of.
    pub(crate) fn lamport(&self) -> u64 {
        self.lamport
    }

    pub(crate) fn has_hot(&self) -> bool {
        self.hot.len() > 0
    }

    /// Is any rumor of this origin still told?
    pub(crate) fn tells_of(&self, slot: u32) -> bool {
        self.has_hot() && self.origin(slot).is_some_and(|o| self.kept.of(&o.chain).any(|place| self.hot.is_hot(place)))
    }

    /// Rumors that are told.
    pub(crate) fn hot_len(&self) -> usize {
        self.hot.len()
    }

    /// Most bytes that the next rumor to be told takes in a datagram, 0 where there is none.
    pub(crate) fn largest_waiting(&self) -> usize {
        let next = self.hot.first().and_then(|place| self.kept.get(place));
        next.map_or(0, Kept::wire_len)
    }

    /// Rumors that are kept.
    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Bytes of topics and payloads that are kept.
    pub(crate) fn bytes(&self) -> usize {
        self.kept.bytes()
    }

    /// When the next rumor has been kept long enough. They go in the order in which they came: one that was old when it came
    /// waits for those before it, and is told and given to nobody meanwhile.
    pub(crate) fn next_deadline(&self, cx: &Cx) -> Instant {
        let oldest = self.kept.oldest().and_then(|place| self.kept.get(place));
        oldest.map_or(Instant::NEVER, |kept| kept.at.plus_micros(cx.pace.rumor_ttl.saturating_sub(kept.aged)))
    }

    /// The number of this origin's newest rumor that is known of, 0 where none is.
    pub(crate) fn last(&self, slot: u32) -> u32 {
        self.origin(slot).map_or(0, |o| o.window.newest())
    }

    /// A hash of what was seen of this origin: its newest number, and what is missing below it. 0 where nothing was seen.
    /// Two nodes that have seen, or given up, the same have the same.
    pub(crate) fn mark(&self, slot: u32) -> u64 {
        self.origin(slot).map_or(0, |o| o.window.hash())
    }

    /// What was seen of this origin: all up to the first number, and by bits the 64 behind it.
    pub(crate) fn digest(&self, slot: u32) -> (u32, u64) {
        self.origin(slot).map_or((0, 0), |o| (o.window.floor(), o.window.seen(o.window.floor())))
    }

    /// The greatest number up to which all of this origin's were seen, or given up, and none is kept any more.
    pub(crate) fn kept_floor(&self, slot: u32) -> u32 {
        let Some(origin) = self.origin(slot) else { return 0 };
        let lowest = self.kept.of(&origin.chain).next().and_then(|place| self.kept.get(place));
        origin.window.floor().min(lowest.map_or(u32::MAX, |kept| kept.id.seq.saturating_sub(1)))
    }

    /// Hands the kept rumors of this origin to `f`, by ascending numbers, that one lacks who has seen all up to `floor` and by
    /// bits of `seen` the 64 behind it, until `f` returns `false`; none that is over. Goes through all that are kept of the
    /// origin, which is the slow path of one that has missed something, and bounded by `rumors_max`.
    pub(crate) fn visit_lacking(
        &self,
        slot: u32,
        (floor, seen): (u32, u64),
        now: Instant,
        cx: &Cx,
        mut f: impl FnMut(&Rumor<'_>) -> bool,
    ) {
        let Some(origin) = self.origin(slot) else { return };
        let lacks = |seq: u32| match seq.checked_sub(floor) {
            None | Some(0) => false,
            Some(above @ 1..=64) => seen >> (above - 1) & 1 == 0,
            Some(_) => true,
        };
        for rumor in self.kept.of(&origin.chain).filter_map(|place| self.kept.rumor(place, now)) {
            if lacks(rumor.id.seq) && !is_over(&rumor, cx) && !f(&rumor) {
                return;
            }
        }
    }

    /// Every bound, and every index against its plain meaning. `row` tells the id and the present epoch of the member at a
    /// slot, `None` where there is none.
    pub(crate) fn check(
        &self,
        config: &Config,
        now: Instant,
        row: impl Fn(u32) -> Option<(NodeId, u32)>,
    ) -> Result<(), &'static str> {
        self.kept.check(now)?;
        self.hot.check(&self.kept)?;
        ensure(self.len() <= config.rumors_max, "more rumors than are kept")?;
        ensure(self.bytes() <= config.rumor_bytes, "rumors of more bytes than are kept")?;
        let mut chained = 0;
        for (slot, origin) in self.origins.iter().enumerate() {
            let Some(origin) = origin else { continue };
            let (slot, window) = (slot as u32, &origin.window);
            let (id, epoch) = row(slot).ok_or("rumors are members'")?;
            window.check(config.rumor_window)?;
            ensure(origin.epoch == epoch, "rumors are of the present epoch")?;
            ensure(slot != ME || window.floor() == window.newest(), "none of my own rumors is missing")?;
            self.kept.check_chain(&origin.chain, slot)?;
            chained += origin.chain.len;
            for kept in self.kept.of(&origin.chain).filter_map(|place| self.kept.get(place)) {
                ensure(
                    (kept.id.origin, kept.id.epoch) == (id, epoch),
                    "a rumor is its origin's, of the present epoch",
                )?;
                ensure(window.see(kept.id.seq) != Seen::New, "what is kept was seen")?;
            }
        }
        ensure(chained == self.len(), "a rumor is of an origin that is known")
    }
}
