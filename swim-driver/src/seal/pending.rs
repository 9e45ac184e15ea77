//! Sessions that have not shown yet that they live, and the frames that wait for it.
//!
//! Whoever sends under a session that is not known is a member that has just started, or somebody who plays back what a member
//! once sent: the tag is right either way. So the frame is held, and its sender is asked to say a new number back.
//!
//! Invariants: [`SESSIONS_MAX`] sessions, [`BYTES_MAX`] bytes of frames, [`HELD_MAX`] frames of one session, [`LIFE`] for each;
//! [`ASKS_MAX`] challenges and [`PROOFS_MAX`] proofs for one session, whatever is played back of it and from wherever; every
//! frame that is put in comes out once, or is counted as lost.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use swim_core::Instant;

use super::cipher::{Cipher, Peer};
use super::window::Window;

/// A frame of a session that is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// Where the datagram came from.
    pub(super) from: SocketAddr,
    pub(super) counter: u64,
    pub(super) frame: Box<[u8]>,
}

/// A session that is to show that it lives.
#[derive(Debug)]
pub(super) struct Unproven {
    peer: Peer,
    since: Instant,
    pub(super) cipher: Box<Cipher>,
    /// What it has to say back.
    nonce: u64,
    /// Who was asked, and when.
    asked: [Option<(SocketAddr, Instant)>; ASKED_MAX],
    /// How often somebody was asked.
    asks: usize,
    /// How often it was answered.
    answers: usize,
    /// In the order in which they came.
    pub(super) held: Vec<Held>,
    /// What has come of it, control messages too: none of it counts again when the session is known.
    pub(super) window: Window,
}

impl Unproven {
    /// The number for whoever is at this address, unless he was asked just now, or enough were asked in all, or none `may` be.
    pub(super) fn ask(&mut self, now: Instant, to: SocketAddr, may: impl FnOnce() -> bool) -> Option<u64> {
        let same = |place: &Option<(SocketAddr, Instant)>| place.is_some_and(|(asked, _)| asked == to);
        let place = match self.asked.iter_mut().position(|place| same(place)) {
            Some(at) => self.asked.get_mut(at)?,
            // The one asked longest ago gives way, so whoever plays back from many addresses keeps nobody from being asked.
            None => self.asked.iter_mut().min_by_key(|place| place.map(|(_, at)| at))?,
        };
        if self.asks >= ASKS_MAX || place.is_some_and(|(asked, at)| asked == to && now.since(at) < REPEAT) {
            return None;
        }
        if !may() {
            return None;
        }
        self.asks = self.asks.saturating_add(1);
        *place = Some((to, now));
        Some(self.nonce)
    }

    /// Whether this is what somebody at this address was asked for.
    pub(super) fn is_answered_by(&self, nonce: u64, from: SocketAddr) -> bool {
        self.nonce == nonce && self.asked.iter().flatten().any(|&(asked, _)| asked == from)
    }

    /// Whether the challenge of this counter may be answered: each once, and so many at most. Whoever plays them back gets
    /// from this node no more than that.
    pub(super) fn may_answer(&mut self, counter: u64) -> bool {
        let may = self.answers < PROOFS_MAX && self.window.take(counter);
        self.answers = self.answers.saturating_add(usize::from(may));
        may
    }

    fn bytes(&self) -> usize {
        self.held.iter().map(|held| held.frame.len()).fold(0, usize::saturating_add)
    }
}

/// Why a frame is not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotHeld {
    /// It is held already.
    Twice,
    NoRoom,
}

#[derive(Debug, Default)]
pub(super) struct Pending {
    /// By age, and where each one is.
    sessions: BTreeMap<u64, Unproven>,
    places: HashMap<Peer, u64>,
    next: u64,
    /// Bytes of all frames.
    bytes: usize,
    /// Frames that were held and never will be given out.
    lost: u64,
}

impl Pending {
    pub(super) fn get_mut(&mut self, peer: &Peer) -> Option<&mut Unproven> {
        self.sessions.get_mut(self.places.get(peer)?)
    }

    /// Adds a session that is not there.
    pub(super) fn add(&mut self, now: Instant, peer: Peer, cipher: Box<Cipher>, nonce: u64) {
        while self.sessions.len() >= SESSIONS_MAX {
            self.drop_oldest();
        }
        let (asked, held, window) = ([None; ASKED_MAX], Vec::new(), Window::above(0));
        let unproven = Unproven { peer, since: now, cipher, nonce, asked, asks: 0, answers: 0, held, window };
        self.places.insert(peer, self.next);
        self.sessions.insert(self.next, unproven);
        self.next = self.next.wrapping_add(1);
    }

    /// Holds a frame of a session that is there. When that has too many, what was sealed first goes: nobody can play back
    /// what is newer than the newest.
    pub(super) fn hold(&mut self, peer: &Peer, held: Held) -> Result<(), NotHeld> {
        let place = *self.places.get(peer).ok_or(NotHeld::NoRoom)?;
        let len = held.frame.len();
        while self.bytes.saturating_add(len) > BYTES_MAX
            && self.sessions.first_key_value().is_some_and(|s| *s.0 != place)
        {
            self.drop_oldest();
        }
        let unproven = self.sessions.get_mut(&place).ok_or(NotHeld::NoRoom)?;
        if unproven.held.iter().any(|other| other.counter == held.counter) {
            return Err(NotHeld::Twice);
        }
        if self.bytes.saturating_add(len) > BYTES_MAX {
            return Err(NotHeld::NoRoom);
        }
        if unproven.held.len() >= HELD_MAX {
            let first = unproven.held.iter().enumerate().min_by_key(|(_, other)| other.counter);
            let Some((at, _)) = first.filter(|(_, other)| other.counter < held.counter) else {
                return Err(NotHeld::NoRoom);
            };
            self.bytes = self.bytes.saturating_sub(unproven.held.remove(at).frame.len());
            self.lost = self.lost.saturating_add(1);
        }
        self.bytes = self.bytes.saturating_add(len);
        unproven.held.push(held);
        Ok(())
    }

    /// Takes out a session, with its frames.
    pub(super) fn take(&mut self, peer: &Peer) -> Option<Unproven> {
        let unproven = self.sessions.remove(&self.places.remove(peer)?)?;
        self.bytes = self.bytes.saturating_sub(unproven.bytes());
        Some(unproven)
    }

    /// Lets go of what is too old.
    pub(super) fn expire(&mut self, now: Instant) {
        while self.sessions.first_key_value().is_some_and(|(_, oldest)| now.since(oldest.since) >= LIFE) {
            self.drop_oldest();
        }
    }

    /// Keeps these only.
    pub(super) fn retain(&mut self, keep: impl Fn(&Peer) -> bool) {
        let gone: Vec<Peer> = self.sessions.values().map(|s| s.peer).filter(|peer| !keep(peer)).collect();
        for unproven in gone.iter().filter_map(|peer| self.take(peer)).collect::<Vec<_>>() {
            self.lose(&unproven);
        }
    }

    /// Frames lost so far.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Counts these as lost.
    pub(super) fn lose(&mut self, unproven: &Unproven) {
        self.lost = self.lost.saturating_add(unproven.held.len() as u64);
    }

    fn drop_oldest(&mut self) {
        let oldest = self.sessions.first_key_value().map(|(_, oldest)| oldest.peer);
        if let Some(unproven) = oldest.and_then(|peer| self.take(&peer)) {
            self.lose(&unproven);
        }
    }

    /// Sessions, frames and bytes in it. Counts them, so it is for tests.
    pub(super) fn size(&self) -> (usize, usize, usize) {
        assert_eq!(self.places.len(), self.sessions.len());
        assert_eq!(self.bytes, self.sessions.values().map(Unproven::bytes).sum::<usize>());
        (self.sessions.len(), self.sessions.values().map(|s| s.held.len()).sum(), self.bytes)
    }
}

pub(super) const SESSIONS_MAX: usize = 1_024;
pub(super) const BYTES_MAX: usize = 1 << 20;
pub(super) const HELD_MAX: usize = 4;
/// Addresses of one session that are asked at a time.
const ASKED_MAX: usize = 4;
/// Challenges for one session: more than one address is sent in [`LIFE`].
pub(super) const ASKS_MAX: usize = 24;
/// Proofs for one session: so many may be lost on the way, one in [`REPEAT`].
pub(super) const PROOFS_MAX: usize = 8;
/// How long a session is waited for.
pub(super) const LIFE: Duration = Duration::from_secs(5);
/// From one challenge of an address to the next, when more comes from it.
pub(super) const REPEAT: Duration = Duration::from_millis(250);

#[cfg(all(test, not(loom)))]
mod tests;
