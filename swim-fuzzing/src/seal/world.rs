//! Everybody who seals, everything that was ever said, and what has to hold: see [`World::give`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::OnceLock;
use std::time::Duration;

use swim_core::Instant;
use swim_driver::fuzzing::End;
use swim_driver::{Plain, Refused};

use super::party::{Kind, Party, key};
use crate::bytes::Bytes;

/// The member that lies. All before it are honest.
pub(crate) const LIAR: usize = 3;
/// Who has another key, and who is of another cluster.
pub(crate) const STRANGERS: Range<usize> = 4..6;

/// A datagram that was really said.
#[derive(Debug)]
pub(crate) struct Said {
    /// Who sealed it.
    pub(crate) by: usize,
    /// From where it is said.
    pub(crate) from: SocketAddr,
    /// For whom it is.
    pub(crate) to: usize,
    /// All of it.
    pub(crate) bytes: Vec<u8>,
    /// When.
    at: Instant,
    /// What is in it; `None` for a control message.
    frame: Option<Vec<u8>>,
}

impl Said {
    fn is_plain(&self) -> bool {
        self.bytes[1] == 0
    }

    /// Key and session.
    fn peer(&self) -> [u8; 18] {
        self.bytes[2..20].try_into().expect("it is sealed")
    }
}

/// Everybody, the time, and all that was said.
#[derive(Debug)]
pub(crate) struct World {
    now: Instant,
    parties: Vec<Party>,
    said: Vec<Said>,
    /// The datagram that a frame is in.
    frames: BTreeMap<Vec<u8>, usize>,
    /// Key, session and counter of everything that was sealed.
    nonces: BTreeSet<[u8; 24]>,
    /// When a session has last shown that it lives.
    proofs: BTreeMap<[u8; 18], Instant>,
    /// Who was given what from where.
    given: BTreeSet<(usize, usize, SocketAddr)>,
    numbers: u64,
}

impl World {
    /// All have just started; one may be migrating. Something was said.
    pub(crate) fn new(script: &mut Bytes<'_>) -> Self {
        let now = Instant::from_millis(1_000);
        let room = 1 + script.below(4);
        let party = |n: usize, kind, cluster, keys: &[u8]| {
            Party::new(n as u8, kind, cluster, keys, room, address(n as u8), now)
        };
        let mut parties: Vec<Party> = (0..LIAR).map(|n| party(n, Kind::Honest, "fuzz", &[1])).collect();
        parties.push(party(LIAR, Kind::Liar, "fuzz", &[1]));
        parties.push(party(STRANGERS.start, Kind::Stranger, "fuzz", &[9]));
        parties.push(party(STRANGERS.start + 1, Kind::Stranger, "elsewhere", &[1]));
        let migrating = script.u8();
        for (n, party) in parties.iter_mut().enumerate().take(LIAR) {
            if migrating >> 5 == 7 && migrating >> n & 1 == 1 {
                party.migrate(now, now + Duration::from_secs(u64::from(script.u8())));
            }
        }
        let (said, frames, given) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        let (nonces, proofs) = (BTreeSet::new(), BTreeMap::new());
        let mut world = Self { now, parties, said, frames, nonces, proofs, given, numbers: 0 };
        world.say(0, 1, 40);
        world
    }

    /// How many take part.
    pub(crate) fn len(&self) -> usize {
        self.parties.len()
    }

    /// Whose word counts.
    pub(crate) fn kind(&self, who: usize) -> Kind {
        self.parties[who].kind
    }

    /// How many datagrams were said: one at least.
    pub(crate) fn count(&self) -> usize {
        self.said.len()
    }

    /// One of them.
    pub(crate) fn said(&self, at: usize) -> &Said {
        &self.said[at]
    }

    /// Seals a frame of so many bytes that is like no other, for somebody. Returns its number; `None` when so much was said
    /// that nothing more is.
    pub(crate) fn say(&mut self, by: usize, to: usize, len: usize) -> Option<usize> {
        if self.said.len() >= SAID_MAX {
            return None;
        }
        let frame = self.frame(len);
        let (bytes, at) = self.seal(by, to, &frame)?;
        self.frames.insert(frame.clone(), self.said.len());
        self.note(Said { by, from: self.parties[by].addr, to, bytes, at, frame: Some(frame) });
        let said = self.said.len() - 1;
        self.drain_controls(by, Some((self.parties[to].addr, usize::MAX)));
        Some(said)
    }

    /// The same so often, and nothing of it is ever delivered: counters go on.
    pub(crate) fn skip(&mut self, by: usize, count: usize) {
        for _ in 0..count {
            let frame = self.frame(0);
            let Some((bytes, _)) = self.seal(by, by, &frame) else { return };
            self.mark(&bytes);
            self.drain_controls(by, Some((self.parties[by].addr, usize::MAX)));
        }
    }

    fn seal(&mut self, by: usize, to: usize, frame: &[u8]) -> Option<(Vec<u8>, Instant)> {
        let (now, to) = (self.now, self.parties[to].addr);
        let party = &mut self.parties[by];
        party.end.on_input(now);
        let mut buf = vec![0; End::HEADER_LEN + frame.len() + End::TRAILER_LEN];
        buf[End::HEADER_LEN..][..frame.len()].copy_from_slice(frame);
        let len = party.end.seal(to, &mut buf, frame.len())?;
        buf.truncate(len);
        if buf[1] == 0 {
            assert!(party.until.is_some_and(|until| now < until), "plain, and it does not migrate");
            assert_eq!(len, Plain::LEN + frame.len());
        } else {
            assert_eq!(len, End::HEADER_LEN + frame.len() + End::TRAILER_LEN);
            assert!(len - frame.len() <= 46, "what sealing adds");
            assert!(!buf.windows(16).any(|part| *part == frame[..16]), "plaintext in a sealed datagram");
        }
        Some((buf, now))
    }

    /// A control message with any body, by somebody who lies.
    pub(crate) fn forge(&mut self, by: usize, to: usize, body: &[u8]) -> Option<usize> {
        if self.said.len() >= SAID_MAX {
            return None;
        }
        let now = self.now;
        let party = &mut self.parties[by];
        party.end.on_input(now);
        let mut buf = vec![0; End::HEADER_LEN + body.len() + End::TRAILER_LEN];
        buf[End::HEADER_LEN..][..body.len()].copy_from_slice(body);
        let len = party.end.forge(&mut buf, body.len())?;
        buf.truncate(len);
        self.note(Said { by, from: self.parties[by].addr, to, bytes: buf, at: now, frame: None });
        Some(self.said.len() - 1)
    }

    /// Plain, of this cluster, by whoever can write a checksum.
    pub(crate) fn plain(&self, frame: &[u8]) -> Vec<u8> {
        let mut buf = [&[0; Plain::LEN][..], frame].concat();
        let len = Plain::new("fuzz").seal(&mut buf, frame.len());
        buf.truncate(len);
        buf
    }

    fn frame(&mut self, more: usize) -> Vec<u8> {
        self.numbers += 1;
        let mut x = self.numbers;
        let mix = move || {
            x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ 0x5a5a;
            x.to_le_bytes()
        };
        let random: Vec<u8> = std::iter::repeat_with(mix).take(3).flatten().chain(self.numbers.to_le_bytes()).collect();
        random.into_iter().chain(std::iter::repeat_n(0x77, more)).collect()
    }

    fn note(&mut self, said: Said) {
        self.mark(&said.bytes);
        self.said.push(said);
    }

    /// No two datagrams are sealed under one key, session and counter.
    fn mark(&mut self, bytes: &[u8]) {
        if bytes[1] != 0 {
            let nonce = bytes[2..26].try_into().expect("24 bytes");
            assert!(self.nonces.insert(nonce), "a nonce is used twice: {:02x?}", &bytes[..26]);
        }
    }

    /// All that was said from this one on comes to whom it is for, and what is answered, too.
    pub(crate) fn deliver_from(&mut self, first: usize) {
        for at in first.. {
            // Two that ask each other without end would be a bug, too.
            assert!(at - first < 16, "one datagram leads to no more than a handshake");
            let Some(said) = self.said.get(at) else { return };
            let (to, from, bytes) = (said.to, said.from, said.bytes.clone());
            self.give(to, from, &bytes);
        }
    }

    /// Gives somebody a datagram. What is asserted: what is heard was said so, by a member, under a key that is in the ring now,
    /// in a session that has shown that it lives since this life began; and once in this life, unless the key was gone in between.
    /// What was held was said a few seconds ago. What cannot be opened is left as it came. There is one answer at most, to where
    /// the datagram came from, and no longer than it is. Every datagram is counted once, and all that is kept has its bound.
    ///
    /// # Panics
    /// When there is a bug.
    pub(crate) fn give(&mut self, to: usize, from: SocketAddr, bytes: &[u8]) {
        let now = self.now;
        self.parties[to].end.on_input(now);
        if let Some(at) = self.said.iter().rposition(|said| said.bytes == bytes) {
            self.given.insert((to, at, from));
        }
        let mut buf = bytes.to_vec();
        let proven = self.parties[to].end.stats().sessions_proven;
        match self.parties[to].end.open(from, &mut buf) {
            Ok(Some(at)) if bytes[1] == 0 => {
                assert!(self.parties[to].until.is_some_and(|until| now < until), "plain is heard");
                assert_eq!(buf[at], bytes[Plain::LEN..]);
                self.parties[to].heard += 1;
            }
            Ok(Some(at)) => {
                let frame = &buf[at];
                let said = *self.frames.get(frame).expect("nobody has said it");
                assert!(self.said[said].bytes == bytes, "something else was opened as it");
                self.hear(to, said);
            }
            Ok(None) => {}
            Err(Refused::Replayed | Refused::Unproven) => {}
            Err(_) => assert!(buf == bytes, "what is not opened is left as it came"),
        }
        if self.parties[to].end.stats().sessions_proven > proven {
            self.greet(to, bytes);
        }
        // Whoever speaks plain, and may be anybody, gets at most three times what he sent.
        let most = if bytes.get(1) == Some(&0) { 3 * bytes.len() } else { bytes.len() };
        self.drain_controls(to, Some((from, most)));
        self.drain_released(to);
        self.check(to);
    }

    fn hear(&mut self, to: usize, at: usize) {
        let (said, now) = (&self.said[at], self.now);
        let by = self.kind(said.by);
        let party = &mut self.parties[to];
        party.heard += 1;
        assert!(party.kind != Kind::Stranger && by != Kind::Stranger, "a stranger is heard, or hears");
        let key = key_of(said).expect("it is one of these keys");
        assert!(party.keys.contains(&key), "key {key} is not in the ring");
        if by == Kind::Liar {
            return;
        }
        let proof = self.proofs.get(&said.peer());
        assert!(proof.is_some_and(|&at| at >= party.born && at <= now), "nothing has shown that its session lives");
        let forgot = party.forgot.get(&key).copied().unwrap_or_default();
        // The answer to a hello shows that a session lives that was forgotten, and its window begins anew.
        let anew = party.greeted.get(&said.peer()).into_iter().flatten().filter(|&&shown| shown <= said.at + HELLO);
        let again = forgot + anew.count() as u32;
        assert!(party.frames.insert((at, again)), "it was heard before: {at}");
    }

    /// Somebody who migrates, or did a moment ago, was shown that this session lives, perhaps in answer to a hello.
    fn greet(&mut self, who: usize, bytes: &[u8]) {
        let (now, party) = (self.now, &mut self.parties[who]);
        if party.until.is_some_and(|until| now < until + HELLO) {
            let peer = bytes[2..20].try_into().expect("it is sealed");
            party.greeted.entry(peer).or_default().push(now);
        }
    }

    /// What it says itself: one answer at most, there and so long.
    fn drain_controls(&mut self, by: usize, answer: Option<(SocketAddr, usize)>) {
        let mut out = [0; CONTROL_LEN];
        let mut most = 1;
        loop {
            let before = self.parties[by].end.stats().proofs_sent;
            let Some(tx) = self.parties[by].end.poll_control(&mut out) else { return };
            let (to, len) = answer.expect("nobody has asked");
            assert!(most > 0, "there are two answers");
            assert!(tx.to == to && tx.len <= len, "{} bytes to {}, for {len} from {to}", tx.len, tx.to);
            most -= 1;
            let bytes = out[..tx.len].to_vec();
            assert!(tx.len == CONTROL_LEN && bytes[1] == 0x11);
            let party = &self.parties[by];
            let to = self.parties.iter().position(|other| other.addr == tx.to).unwrap_or(by);
            let said = Said { by, from: party.addr, to, bytes, at: self.now, frame: None };
            if party.end.stats().proofs_sent > before {
                self.proofs.insert(said.peer(), self.now);
            }
            self.note(said);
        }
    }

    fn drain_released(&mut self, to: usize) {
        while let Some((from, frame)) = self.parties[to].end.release() {
            let at = *self.frames.get(&*frame).expect("nobody has said it");
            assert!(self.given.contains(&(to, at, from)), "it came from elsewhere");
            let (said, party) = (&self.said[at], &self.parties[to]);
            // It was proven by a number that is asked for during five seconds, ten while migrating, to be at most six seconds old.
            let old = if party.until.is_some() { HELLO } else { Duration::from_secs(11) };
            let is_lie = self.kind(said.by) == Kind::Liar;
            assert!(!said.is_plain() && said.frame.as_deref() == Some(&*frame));
            assert!(is_lie || self.now.since(said.at) <= old, "held until it was old: {:?}", self.now.since(said.at));
            self.hear(to, at);
        }
    }

    fn check(&self, who: usize) {
        let party = &self.parties[who];
        let (stats, sizes) = (party.end.stats(), party.end.sizes());
        assert!(sizes.are_bounded() && sizes.ready == 0 && sizes.replies.0 == 0, "{sizes:?}");
        let counted = party.heard + stats.refused() + stats.controls_received + sizes.frames.0 as u64;
        assert_eq!(stats.datagrams_received, counted, "{who}: {} heard, {sizes:?}, {stats:?}", party.heard);
        assert!(stats.controls_sent <= stats.challenges_sent + stats.proofs_sent);
        assert!(party.until.is_some() || stats.plain_sent == 0);
    }

    /// Time goes by. Those whose bit is set are not running meanwhile; all others are given something every second.
    pub(crate) fn pass(&mut self, time: Duration, asleep: u8) {
        let end = self.now + time;
        while self.now < end {
            self.now = (self.now + Duration::from_secs(1)).min(end);
            for n in 0..self.parties.len() {
                if asleep >> n & 1 == 0 {
                    self.parties[n].end.on_input(self.now);
                    self.drain_controls(n, None);
                    self.drain_released(n);
                    self.check(n);
                }
            }
        }
    }

    /// Somebody starts anew.
    pub(crate) fn restart(&mut self, who: usize) {
        if self.parties[who].is_old() {
            return;
        }
        self.parties[who].restart(self.now);
        self.given.retain(|&(to, ..)| to != who);
    }

    /// A member has these keys from now on, and seals with one of them.
    pub(crate) fn set_keys(&mut self, who: usize, keys: &[u8], in_use: u8) {
        let now = self.now;
        let party = &mut self.parties[who];
        party.end.on_input(now);
        let mut keys = keys.to_vec();
        keys.sort_by_key(|&n| n != in_use);
        party.set_keys(keys);
        self.drain_controls(who, None);
        self.drain_released(who);
        self.check(who);
    }
}

/// The number of the key that it is sealed with.
fn key_of(said: &Said) -> Option<u8> {
    static IDS: OnceLock<[String; 9]> = OnceLock::new();
    let ids = IDS.get_or_init(|| std::array::from_fn(|n| key(n as u8 + 1).id().to_string()));
    let id = format!("{:02x}{:02x}", said.bytes[3], said.bytes[2]);
    ids.iter().position(|other| *other == id).map(|at| at as u8 + 1)
}

/// Where somebody is; nobody is at those from 6 on.
pub(crate) fn address(n: u8) -> SocketAddr {
    ([10, 0, 0, n], 7_946).into()
}

/// How old a datagram can be that is heard because of a hello: that is answered for ten seconds, and shows that what was said up
/// to six seconds before is no older than its session.
const HELLO: Duration = Duration::from_secs(16);
/// Bytes of a control datagram.
const CONTROL_LEN: usize = 63;
/// Nothing is said beyond so much.
const SAID_MAX: usize = 2_000;
