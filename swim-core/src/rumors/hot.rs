//! The rumors that are still told, and when that ends (Demers et al., PODC 1987, section 1.4).
//!
//! Rumor mongering stops by a count of copies, by receivers that knew it already (*feedback*, *counter*), or by chance
//! (*coin*). Differs from the paper: whatever the policy, the number of copies is bounded, since behind the rumors stands a
//! sync that finds whoever has missed one.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::arena::Arena;
use super::is_over;
use crate::config::{Config, StopPolicy};
use crate::cx::Cx;
use crate::math::retransmit_limit;
use crate::node::Rumor;
use crate::stats::count;
use crate::storage::{Buckets, Take};
use crate::time::Instant;

/// Rumors that may be passed over per datagram because they do not fit; it bounds the work at the end of a datagram.
const SKIPS_MAX: usize = 8;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Hot {
    /// By place.
    queue: Buckets,
    /// The number of live members that the limit was computed for, and the limit.
    #[serde(skip)]
    limit: Option<(usize, u8)>,
    /// Those that end in the datagram that is being written; kept for its room.
    #[serde(skip)]
    ended: Vec<u32>,
}

impl Hot {
    pub(super) fn new() -> Self {
        Self { queue: Buckets::new(), limit: None, ended: Vec::new() }
    }

    /// This is told from now on. All places are below `places`.
    pub(super) fn enqueue(&mut self, place: u32, places: usize) {
        self.queue.grow(places);
        self.queue.enqueue(place);
    }

    pub(super) fn remove(&mut self, place: u32) {
        self.queue.remove(place);
    }

    /// Is it told?
    pub(super) fn is_hot(&self, place: u32) -> bool {
        self.queue.contains(place)
    }

    /// Is it told, and has no copy been handed out yet?
    pub(super) fn is_untold(&self, place: u32) -> bool {
        self.queue.sent(place) == Some(0)
    }

    /// See [`super::Rumors::fill`].
    pub(super) fn fill(
        &mut self,
        kept: &mut Arena,
        (live, round): (usize, u32),
        now: Instant,
        cx: &mut Cx,
        mut put: impl FnMut(&Rumor<'_>) -> Take,
    ) {
        let limit = self.limit(live, &cx.config);
        let coin = match cx.config.rumor_stop {
            StopPolicy::Coin(k) => Some(k as usize),
            StopPolicy::Budget(_) | StopPolicy::Counter(_) => None,
        };
        let (ended, mut skips) = (&mut self.ended, 0);
        // Those of this round, and those that are over, are passed over without being counted: there are no more than were put in.
        self.queue.visit(limit, usize::MAX, |place, _| {
            let told = kept.get(place).is_some_and(|k| round != 0 && k.round == round);
            let Some(rumor) = kept.rumor(place, now).filter(|_| !told) else { return Take::Skip };
            if is_over(&rumor, cx) {
                ended.push(place);
                return Take::Skip;
            }
            let take = put(&rumor);
            if take == Take::Taken {
                count(&mut cx.stats.rumors_sent);
                if let Some(k) = kept.get_mut(place) {
                    k.round = round;
                }
                if coin.is_some_and(|k| cx.rng.index(k) == 0) {
                    ended.push(place);
                }
            }
            skips += usize::from(take == Take::Skip);
            if skips < SKIPS_MAX { take } else { Take::Stop }
        });
        for place in self.ended.drain(..) {
            self.queue.remove(place);
        }
    }

    /// A receiver knew this already, or did not.
    pub(super) fn feedback(&mut self, kept: &mut Arena, place: u32, known: bool, config: &Config) {
        let (StopPolicy::Counter(k), Some(rumor)) = (config.rumor_stop, kept.get_mut(place)) else { return };
        rumor.knew = if known { rumor.knew.saturating_add(1) } else { 0 };
        if u32::from(rumor.knew) >= k {
            self.queue.remove(place);
        }
    }

    /// See [`super::Rumors::settle`].
    pub(super) fn settle(&mut self, kept: &Arena, lasts: impl Fn(u32) -> bool) -> usize {
        self.queue.retain(|place| kept.get(place).is_some_and(|rumor| lasts(rumor.slot)))
    }

    /// The place of the next one to be told.
    pub(super) fn first(&self) -> Option<u32> {
        self.queue.first()
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn check(&self, kept: &Arena) -> Result<(), &'static str> {
        self.queue.check()?;
        let hot = kept.order().filter(|&place| self.queue.contains(place)).count();
        crate::members::ensure(hot == self.queue.len(), "what is told is kept")
    }

    /// How often each node tells a rumor at most, `live` members being around.
    fn limit(&mut self, live: usize, config: &Config) -> u8 {
        if let Some((_, limit)) = self.limit.filter(|l| l.0 == live) {
            return limit;
        }
        let most = Config::RETRANSMIT_MAX as u64;
        let limit = match config.rumor_stop {
            StopPolicy::Budget(percent) => retransmit_limit(u64::from(percent), live as u64).clamp(1, most),
            StopPolicy::Counter(_) | StopPolicy::Coin(_) => most,
        } as u8;
        self.limit = Some((live, limit));
        limit
    }

    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.ended.capacity()
    }
}
