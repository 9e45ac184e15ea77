//! The sessions of others that have shown that they live.
//!
//! Invariants: so many at most; a session leaves only when its key is removed, or when nothing came of it for [`IDLE`], so that
//! all that was taken from it is older than what its next proof lets pass (but where a key is removed and comes back at once);
//! the table grows only while few of it are [`DEAD`]; a newcomer costs [`STEPS`] looks at most; and the map is never walked
//! through, so runs can be played again.

use std::collections::HashMap;
use std::time::Duration;

use swim_core::Instant;

use super::cipher::{Cipher, Peer};
use super::session::OLD;
use super::window::Window;

#[derive(Debug)]
pub(super) struct Peers {
    max: usize,
    slots: Vec<Known>,
    /// Where each one is.
    places: HashMap<Peer, usize>,
    /// Where the search for one that may leave goes on.
    hand: usize,
}

#[derive(Debug)]
pub(super) struct Known {
    peer: Peer,
    /// Never moved, so that no copy of its keys stays behind.
    pub(super) cipher: Box<Cipher>,
    pub(super) window: Window,
    /// When something of it was taken last.
    pub(super) heard: Instant,
}

impl Peers {
    pub(super) fn new(max: usize) -> Self {
        Self { max, slots: Vec::new(), places: HashMap::new(), hand: 0 }
    }

    pub(super) fn max(&self) -> usize {
        self.max
    }

    pub(super) fn get_mut(&mut self, peer: &Peer) -> Option<&mut Known> {
        self.slots.get_mut(*self.places.get(peer)?)
    }

    pub(super) fn has(&self, peer: &Peer) -> bool {
        self.places.contains_key(peer)
    }

    /// Each one, and when something of it was taken last. In the order in which they came, more or less.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Peer, Instant)> {
        self.slots.iter().map(|known| (&known.peer, known.heard))
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is room for one more, perhaps in the place of one that is idle.
    #[must_use]
    pub(super) fn add(&mut self, now: Instant, peer: Peer, cipher: Box<Cipher>, window: Window) -> bool {
        let known = Known { peer, cipher, window, heard: now };
        let dead = self.idle(now, DEAD, STEPS_AT_EASE);
        if dead.is_none() && self.slots.len() < self.max {
            self.places.insert(peer, self.slots.len());
            self.slots.push(known);
            return true;
        }
        let Some(at) = dead.or_else(|| self.idle(now, IDLE, STEPS)) else { return false };
        let Some(slot) = self.slots.get_mut(at) else { return false };
        self.places.remove(&slot.peer);
        self.places.insert(peer, at);
        *slot = known;
        true
    }

    /// Keeps these only.
    pub(super) fn retain(&mut self, keep: impl Fn(&Peer) -> bool) {
        self.slots.retain(|known| keep(&known.peer));
        self.places = self.slots.iter().enumerate().map(|(at, known)| (known.peer, at)).collect();
        self.hand = 0;
    }

    /// The first from the hand on of which nothing came for so long, if it is among the next ones. The hand goes on behind
    /// those that were looked at, so the next call looks at others.
    fn idle(&mut self, now: Instant, time: Duration, steps: usize) -> Option<usize> {
        for _ in 0..steps.min(self.slots.len()) {
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            let at = self.hand;
            self.hand = at.wrapping_add(1);
            if self.slots.get(at).is_some_and(|known| now.since(known.heard) > time) {
                return Some(at);
            }
        }
        None
    }
}

/// Twice what a proof calls old, so that marks that are a second apart, and clocks that differ, do no harm.
const IDLE: Duration = Duration::from_secs(2 * OLD.as_secs());

/// A session of which nothing came for so long is mostly one that has ended: its place is taken before there are more.
const DEAD: Duration = Duration::from_secs(600);
/// Sessions that are looked at for a place, when there is none, and when there would be more.
const STEPS: usize = 1_024;
const STEPS_AT_EASE: usize = 4;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::key::Key;
    use super::*;

    fn add(peers: &mut Peers, secs: u64, n: u8) -> bool {
        let cipher = Box::new(Cipher::new(&Key::from_bytes([0; 32]), &[n; 16], "c"));
        peers.add(Instant::from_millis(secs * 1_000), [n; 18], cipher, Window::above(0))
    }

    #[test]
    fn only_the_idle_make_room() {
        let mut peers = Peers::new(3);
        assert!((0..3).all(|n| add(&mut peers, 0, n)));
        assert!(!add(&mut peers, 10, 3), "nobody is idle for more than ten seconds");
        peers.get_mut(&[0; 18]).unwrap().heard = Instant::from_millis(5_000);
        assert!(add(&mut peers, 11, 4) && add(&mut peers, 11, 5) && !add(&mut peers, 11, 6));
        assert!(peers.has(&[0; 18]) && peers.has(&[4; 18]) && peers.has(&[5; 18]) && peers.len() == 3);
        assert!(!peers.has(&[1; 18]) && peers.get_mut(&[2; 18]).is_none());
        peers.retain(|peer| peer[0] != 0);
        assert!(!peers.has(&[0; 18]) && peers.get_mut(&[5; 18]).is_some_and(|known| known.peer == [5; 18]));
        assert!(add(&mut peers, 11, 7) && peers.len() == 3);
    }

    /// Nodes start again all day long, and the table has the size of the cluster.
    #[test]
    fn the_dead_give_way_before_there_are_more() {
        let mut peers = Peers::new(100);
        assert!((0..20).all(|n| add(&mut peers, 0, n)));
        for n in 20..200 {
            assert!(add(&mut peers, 601 + u64::from(n) * 60, n));
        }
        assert_eq!(peers.len(), 20);
        assert!(add(&mut peers, 601 + 199 * 60, 200) && peers.len() == 20);
        let young = (201..=255).filter(|&n| add(&mut peers, 601 + 199 * 60, n)).count();
        assert!(young == 55 && peers.len() > 60, "{}", peers.len());
    }
}
