//! What was told not long ago: news that somebody may have missed by bad luck.
//!
//! Told λ·ln(n+1) times by everybody, an update misses some member in one of two hundred cases, and at 25 % loss in one of
//! seven. Who has missed something shows it with the view hash in every frame, and is told what was news last in the
//! datagrams that it gets anyway. What is older, or too much, is left to a sync.

use alloc::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::members::ensure;
use crate::time::Instant;

/// Most pieces kept; a datagram has room for some fifty.
const RECENT_MAX: usize = 128;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Piece {
    slot: u32,
    detail: bool,
    at: Instant,
}

/// Oldest first, each piece once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Recent(VecDeque<Piece>);

impl Recent {
    pub(crate) fn new() -> Self {
        Self(VecDeque::with_capacity(RECENT_MAX))
    }

    /// Takes the room again that a restored copy lacks.
    pub(crate) fn reserve(&mut self) {
        self.0.reserve_exact(RECENT_MAX.saturating_sub(self.0.len()));
    }

    /// This has just been told for the last time.
    pub(crate) fn note(&mut self, slot: u32, detail: bool, at: Instant) {
        if let Some(i) = self.0.iter().position(|p| (p.slot, p.detail) == (slot, detail)) {
            self.0.remove(i);
        }
        if self.0.len() == RECENT_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Piece { slot, detail, at });
    }

    pub(crate) fn check(&self, mut is_member: impl FnMut(u32) -> bool) -> Result<(), &'static str> {
        ensure(self.0.len() <= RECENT_MAX, "too much that was news")?;
        ensure(self.0.iter().all(|p| is_member(p.slot)), "what was news is a member's")
    }

    /// The slot is another's from now on.
    pub(crate) fn remove(&mut self, slot: u32) {
        self.retain(|other| other != slot);
    }

    /// Keeps what is of these slots.
    pub(crate) fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        self.0.retain(|p| keep(p.slot));
    }

    /// The pieces told for the last time after `since` and before `now`, newest first. Those of this very moment may be in
    /// the datagram that is being written.
    pub(crate) fn between(&self, since: Instant, now: Instant) -> impl Iterator<Item = (u32, bool)> {
        let young = self.0.iter().rev().take_while(move |p| p.at > since);
        young.filter(move |p| p.at < now).map(|p| (p.slot, p.detail))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn each_piece_once_and_no_more_than_so_many() {
        let mut recent = Recent::new();
        let all =
            |r: &Recent, since| r.between(Instant::from_micros(since), Instant::from_micros(10)).collect::<Vec<_>>();
        for (at, slot) in [(1, 7), (2, 8), (3, 7)] {
            recent.note(slot, false, Instant::from_micros(at));
        }
        recent.note(7, true, Instant::from_micros(4));
        assert_eq!(all(&recent, 0), [(7, true), (7, false), (8, false)]);
        assert_eq!(all(&recent, 2), [(7, true), (7, false)]);
        assert_eq!(recent.between(Instant::ORIGIN, Instant::from_micros(4)).next(), Some((7, false)));
        recent.remove(7);
        assert_eq!(all(&recent, 0), [(8, false)]);
        for slot in 0..1_000 {
            recent.note(slot, false, Instant::from_micros(9));
        }
        assert_eq!(all(&recent, 0), (1_000 - RECENT_MAX as u32..1_000).rev().map(|s| (s, false)).collect::<Vec<_>>());
    }
}
