//! The session that a node seals under.
//!
//! Invariants: no counter is used twice under one cipher; and [`Session::behind`] leaves nothing out that was sealed
//! [`OLD`] + [`MARK_EVERY`] ago or earlier, and leaves out everything that was sealed less than [`OLD`] ago.

use std::fmt;
use std::time::Duration;

use swim_core::Instant;

use super::cipher::{Aad, COUNTER_MAX, Cipher, Header, Peer, parts, peer};
use super::key::{Key, KeyId};

pub(super) struct Session {
    peer: Peer,
    cipher: Cipher,
    /// The last that was used.
    counter: u64,
    /// When something was sealed last.
    sealed: Option<Instant>,
    marks: Marks,
}

impl Session {
    pub(super) fn new(key: &Key, id: &[u8; 16], cluster: &str) -> Self {
        let cipher = Cipher::new(key, id, cluster);
        Self { peer: peer(key.id(), id), cipher, counter: 0, sealed: None, marks: Marks::default() }
    }

    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    pub(super) fn key(&self) -> KeyId {
        parts(&self.peer).0
    }

    pub(super) fn cipher(&self) -> &Cipher {
        &self.cipher
    }

    /// Whether it is time for another one.
    pub(super) fn is_worn(&self) -> bool {
        self.counter >= WORN
    }

    /// Seals nothing any more.
    pub(super) fn give_up(&mut self) {
        self.counter = COUNTER_MAX;
    }

    /// Seals what stands in `buf` behind the room for a header and before that for a tag. Says whether it could.
    pub(super) fn seal(&mut self, now: Instant, aad: &mut Aad, is_control: bool, buf: &mut [u8]) -> bool {
        if self.counter >= COUNTER_MAX {
            return false;
        }
        if let Some(last) = self.sealed {
            self.marks.note(now, last, self.counter);
        }
        self.counter = self.counter.saturating_add(1);
        self.sealed = Some(now);
        self.cipher.seal(aad, Header { is_control, peer: self.peer, counter: self.counter }, buf)
    }

    /// How far behind the counter that comes next everything is that was sealed [`OLD`] ago or earlier.
    pub(super) fn behind(&self, now: Instant) -> u32 {
        let old = now.minus_micros(OLD.as_micros() as u64);
        let is_old = |at: Instant| now.since(Instant::ORIGIN) >= OLD && at <= old;
        let floor = if self.sealed.is_some_and(is_old) { self.counter } else { self.marks.floor(is_old) };
        // A floor that is nearer than it is may cost a frame, and never lets an old one pass.
        u32::try_from(self.counter.saturating_add(1).saturating_sub(floor)).unwrap_or(u32::MAX)
    }
}

impl fmt::Debug for Session {
    /// Its id is nobody's business who is not on the wire.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("key", &self.key()).field("counter", &self.counter).finish_non_exhaustive()
    }
}

/// How far the counter had come, and when: about once a second, and only when something is sealed.
#[derive(Debug, Default)]
struct Marks {
    /// Everything up to this counter was sealed at that time or before. In a ring.
    marks: [Option<(Instant, u64)>; MARKS],
    next: usize,
    made: Option<Instant>,
}

impl Marks {
    /// Everything up to this counter was sealed at `last` or before.
    fn note(&mut self, now: Instant, last: Instant, counter: u64) {
        if self.made.is_none_or(|made| now.since(made) >= MARK_EVERY) {
            self.made = Some(now);
            if let Some(mark) = self.marks.get_mut(self.next) {
                *mark = Some((last, counter));
            }
            self.next = self.next.wrapping_add(1) % MARKS;
        }
    }

    fn floor(&self, is_old: impl Fn(Instant) -> bool) -> u64 {
        self.marks.iter().flatten().filter(|(at, _)| is_old(*at)).map(|&(_, counter)| counter).max().unwrap_or(0)
    }
}

/// What was sealed so long ago is refused from a session that was not known.
pub(super) const OLD: Duration = Duration::from_secs(5);
const MARK_EVERY: Duration = Duration::from_secs(1);
/// The newest of so many marks that is [`OLD`] is never overwritten: seven seconds lie between the first and the last.
const MARKS: usize = 8;
const _: () = assert!((MARKS as u64 - 1) * MARK_EVERY.as_secs() > OLD.as_secs());
/// Datagrams after which a session is replaced.
const WORN: u64 = 1 << 47;

#[cfg(all(test, not(loom)))]
mod tests {
    use quickcheck::QuickCheck;

    use super::super::cipher::{HEADER_LEN, TAG_LEN};
    use super::*;

    fn session() -> (Session, Aad) {
        (Session::new(&Key::from_bytes([7; 32]), &[1; 16], "c"), Aad::new("c"))
    }

    /// The floor is between what was sealed six seconds ago and what was sealed five ago, however datagrams come.
    #[test]
    fn the_floor_is_five_to_six_seconds_old() {
        fn holds(pauses: Vec<u16>) -> bool {
            let (mut session, mut aad) = session();
            let (mut now, mut sealed) = (Instant::ORIGIN, Vec::new());
            pauses.iter().all(|&pause| {
                // Mostly short ones, and now and then one that is longer than everything else.
                now = now.plus_micros(if pause % 16 == 0 { u64::from(pause) * 400 } else { u64::from(pause) * 10 });
                let up_to =
                    |age: u64| sealed.iter().filter(|&&at: &&Instant| now.micros_since(at) >= age).count() as u64;
                let floor = session.counter + 1 - u64::from(session.behind(now));
                let right = up_to(6_000_000) <= floor && floor <= up_to(5_000_000);
                assert!(session.seal(now, &mut aad, false, &mut [0; HEADER_LEN + TAG_LEN]));
                sealed.push(now);
                right
            })
        }
        let mut check = QuickCheck::new().rng(quickcheck::Gen::new(400)).tests(300);
        check.quickcheck(holds as fn(Vec<u16>) -> bool);
    }

    #[test]
    fn a_counter_is_used_once_and_the_last_is_the_end() {
        let (mut session, mut aad) = session();
        let mut seen = std::collections::BTreeSet::new();
        let mut seal = |session: &mut Session| {
            let mut buf = [0; HEADER_LEN + TAG_LEN];
            let sealed = session.seal(Instant::ORIGIN, &mut aad, false, &mut buf);
            sealed.then(|| Header::read(buf.first_chunk().unwrap()).unwrap().counter)
        };
        assert!((0..100).all(|_| seen.insert(seal(&mut session).unwrap())));
        assert_eq!((seen.first(), seen.last()), (Some(&1), Some(&100)));
        session.counter = WORN - 1;
        assert!(!session.is_worn() && seal(&mut session).is_some() && session.is_worn());
        session.counter = COUNTER_MAX - 1;
        assert_eq!(seal(&mut session), Some(COUNTER_MAX));
        assert_eq!(seal(&mut session), None);
    }
}
