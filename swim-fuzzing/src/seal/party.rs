//! One who seals: its keys, its lives, and what it has heard.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use swim_core::{Config, Instant};
use swim_driver::fuzzing::End;
use swim_driver::{Key, Keyring, Secrets};

/// Whose word counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A member that does what the envelope says.
    Honest,
    /// A member that says anything: what it says may be heard, and heard again.
    Liar,
    /// Has another key, or is of another cluster with the same key: nobody hears it.
    Stranger,
}

/// One of those who take part.
#[derive(Debug)]
pub(crate) struct Party {
    /// Its end in this life.
    pub(crate) end: End,
    /// Where it is.
    pub(crate) addr: SocketAddr,
    /// Whose word counts.
    pub(crate) kind: Kind,
    /// The numbers of the keys that it opens with.
    pub(crate) keys: Vec<u8>,
    /// When this life began.
    pub(crate) born: Instant,
    /// Until when it hears plain datagrams, too, in this life.
    pub(crate) until: Option<Instant>,
    /// Of this life: frames that it has heard, as it was given the datagram.
    pub(crate) heard: u64,
    /// How often it has forgotten the sessions of a key: it removed the key.
    pub(crate) forgot: BTreeMap<u8, u32>,
    /// Of this life: which frame, and how often its session was forgotten or shown anew by then.
    pub(crate) frames: BTreeSet<(usize, u32)>,
    /// Of this life: when sessions were shown to live while hellos were answered.
    pub(crate) greeted: BTreeMap<[u8; 18], Vec<Instant>>,
    config: Config,
    room: usize,
    number: u8,
    life: u8,
}

impl Party {
    /// It starts for the first time.
    pub(crate) fn new(
        number: u8,
        kind: Kind,
        cluster: &str,
        keys: &[u8],
        room: usize,
        addr: SocketAddr,
        now: Instant,
    ) -> Self {
        let config = Config::local(cluster);
        let end = start(&config, keys[0], keys, (number, 0), room, now);
        Self {
            end,
            addr,
            kind,
            keys: keys.to_vec(),
            born: now,
            until: None,
            heard: 0,
            forgot: BTreeMap::new(),
            frames: BTreeSet::new(),
            greeted: BTreeMap::new(),
            config,
            room,
            number,
            life: 0,
        }
    }

    /// It starts anew with the same keys, and has forgotten everything.
    pub(crate) fn restart(&mut self, now: Instant) {
        self.life += 1;
        let in_use = self.keys[0];
        self.end = start(&self.config, in_use, &self.keys, (self.number, self.life), self.room, now);
        (self.born, self.until, self.heard) = (now, None, 0);
        self.frames.clear();
        self.greeted.clear();
    }

    /// Until then it hears and speaks plain.
    pub(crate) fn migrate(&mut self, now: Instant, until: Instant) {
        let end = start(&self.config, self.keys[0], &self.keys, (self.number, self.life), self.room, now);
        self.end = end.migrating(until);
        self.until = Some(until);
    }

    /// Other keys, of which the first is in use.
    pub(crate) fn set_keys(&mut self, keys: Vec<u8>) {
        for gone in self.keys.iter().filter(|key| !keys.contains(key)) {
            *self.forgot.entry(*gone).or_default() += 1;
        }
        self.end.set_keyring(ring(keys[0], &keys));
        self.keys = keys;
    }

    /// It has been in so many lives as a number allows.
    pub(crate) fn is_old(&self) -> bool {
        self.life == u8::MAX
    }
}

fn start(config: &Config, in_use: u8, keys: &[u8], (number, life): (u8, u8), room: usize, now: Instant) -> End {
    let secrets = Secrets::Fixed(u64::from(number) << 8 | u64::from(life));
    let end = End::new(config, ring(in_use, keys), secrets, now).expect("fixed secrets are always there");
    end.with_room(room)
}

fn ring(in_use: u8, keys: &[u8]) -> Keyring {
    let mut ring = Keyring::new(key(in_use));
    keys.iter().filter(|&&n| n != in_use).for_each(|&n| ring.add(key(n)).expect("it fits"));
    ring
}

/// The key of this number.
pub(crate) fn key(n: u8) -> Key {
    Key::from_bytes([n; 32])
}
