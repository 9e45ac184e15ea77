//! What is kept of rumors against plain models, for the fuzzer and for tests.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::arena::{Arena, Chain, Kept};
use super::window::{Seen, Window};
use crate::hash::TableKey;
use crate::node::Rumor;
use crate::status::{NodeId, RumorId};
use crate::time::Instant;

/// Origins in an arena.
const ORIGINS: u32 = 4;

/// A window in plain words.
#[derive(Default)]
struct Model {
    size: u32,
    seen: BTreeSet<u32>,
    newest: u32,
    given_up: u64,
}

impl Model {
    fn low(&self) -> u32 {
        self.newest.saturating_sub(self.size - 1).max(1)
    }

    fn see(&self, seq: u32) -> Seen {
        match seq {
            _ if seq > self.newest => Seen::New,
            _ if seq < self.low() => Seen::TooOld,
            _ if self.seen.contains(&seq) => Seen::Known,
            _ => Seen::New,
        }
    }

    /// The window moves up; what is missing below it is given up.
    fn raise(&mut self, newest: u32) {
        let (first, old_low, old_newest) = (self.newest == 0, self.low(), self.newest);
        self.newest = self.newest.max(newest);
        let low = self.low();
        if !first && low > old_low {
            let were_in = u64::from(low.min(old_newest.saturating_add(1)) - old_low);
            let seen = self.seen.range(old_low..low).count() as u64;
            self.given_up += were_in - seen + u64::from(low - 1).saturating_sub(u64::from(old_newest));
        }
        self.seen = self.seen.split_off(&low);
    }

    fn offer(&mut self, seq: u32) {
        self.raise(seq);
        self.seen.insert(seq);
    }

    fn close(&mut self, floor: u32) {
        let first = self.newest == 0;
        self.raise(floor);
        for seq in self.low()..=floor {
            let new = self.seen.insert(seq);
            self.given_up += u64::from(new && !first);
        }
    }

    fn missing(&self) -> impl Iterator<Item = u32> {
        (self.low()..=self.newest).filter(|s| !self.seen.contains(s))
    }
}

/// A window and its model, to which the same is done. After every step both say the same.
pub(crate) struct PlayedWindow {
    window: Window,
    model: Model,
    /// What the window has said that it gave up.
    given_up: u64,
    /// Where the numbers begin.
    near: u32,
}

impl PlayedWindow {
    /// Windows of so many numbers, a multiple of 64; `start` chooses where they begin.
    pub(crate) fn new(size: usize, start: u8) -> Self {
        let near = [0, 1, 60, 4_000, u32::MAX - 300][usize::from(start) % 5];
        let model = Model { size: size as u32, ..Model::default() };
        Self { window: Window::new(size), model, given_up: 0, near }
    }

    /// A number, near to the newest or far from it, comes, or all up to it are given up.
    ///
    /// # Panics
    /// When the two are not the same.
    pub(crate) fn step(&mut self, op: u8, x: u8) {
        let Self { window, model, given_up, near } = self;
        let (top, x) = (model.newest.max(*near), u32::from(x));
        let seq = match op % 16 {
            0 => top.saturating_add(x),
            1 => top.saturating_add(model.size - 3 + x % 6),
            2..=7 => top.saturating_add(x % 5),
            8 => x,
            _ => top.saturating_sub(x),
        };
        if op % 32 == 15 {
            *given_up += u64::from(window.close(seq));
            model.close(seq);
        } else if seq > 0 {
            assert_eq!(window.see(seq), model.see(seq));
            if window.see(seq) == Seen::New {
                *given_up += u64::from(window.mark(seq));
                model.offer(seq);
            }
        }
        let floor = model.missing().next().map_or(model.newest, |s| s - 1);
        let known = |i: u32| floor.checked_add(1 + i).is_some_and(|s| model.seen.contains(&s));
        let seen = (0..64).filter(|&i| known(i)).fold(0, |bits, i| bits | 1_u64 << i);
        assert_eq!((window.newest(), window.floor(), window.seen(floor)), (model.newest, floor, seen));
        assert_eq!((window.lacking as usize, *given_up), (model.missing().count(), model.given_up));
        assert_eq!(window.check(model.size as usize), Ok(()));
    }
}

/// A rumor in an arena, in plain words.
struct Plain {
    place: u32,
    id: RumorId,
    topic: String,
    payload: Vec<u8>,
    at: Instant,
}

/// An arena and its model, which has the rumors in the order in which they came.
pub(crate) struct PlayedArena {
    arena: Arena,
    chains: Vec<Chain>,
    model: Vec<Plain>,
    now: u64,
}

impl PlayedArena {
    /// Both are empty.
    pub(crate) fn new() -> Self {
        let chains = (0..ORIGINS).map(|_| Chain::default()).collect();
        Self { arena: Arena::new(TableKey::default()), chains, model: Vec::new(), now: 0 }
    }

    /// A rumor is kept, one is dropped, or all is written and read again.
    ///
    /// # Panics
    /// When the two are not the same.
    pub(crate) fn step(&mut self, op: u8, which: u8, len: u8) {
        self.now += u64::from(op >> 4);
        match op % 8 {
            0..=3 => self.insert(which, len),
            // Most often the oldest, as when there is no room.
            4 | 5 => self.remove(0),
            6 => self.remove(usize::from(which) % self.model.len().max(1)),
            _ => self.arena.place_by(TableKey::default()),
        }
        self.check();
    }

    fn insert(&mut self, which: u8, len: u8) {
        let slot = u32::from(which) % ORIGINS;
        let id = RumorId { origin: NodeId::new(u64::from(slot)), epoch: 1, seq: 1 + u32::from(which) / ORIGINS };
        if self.model.iter().any(|rumor| rumor.id == id) {
            return;
        }
        let (at, topic) = (Instant::from_micros(self.now), "topic"[..usize::from(len) % 6].into());
        let rumor = Plain { place: 0, id, topic, payload: vec![which ^ len; usize::from(len) * 3], at };
        let (topic, payload) = (rumor.topic.as_str(), rumor.payload.as_slice());
        let kept = Kept::new(&Rumor { id, lamport: u64::from(len), age: Duration::ZERO, topic, payload }, slot, at, 0);
        let place = self.arena.insert(kept, topic, payload, &mut self.chains[slot as usize]);
        assert!(self.model.iter().all(|other| other.place != place), "the place is taken");
        self.model.push(Plain { place, ..rumor });
    }

    fn remove(&mut self, at: usize) {
        if at < self.model.len() {
            let gone = self.model.remove(at);
            self.arena.remove(gone.place, &mut self.chains[gone.id.origin.as_u64() as usize]);
            assert!(self.arena.get(gone.place).is_none() && self.arena.find(gone.id).is_none(), "it is gone");
        }
    }

    fn check(&self) {
        let (arena, model, now) = (&self.arena, &self.model, Instant::from_micros(self.now));
        assert_eq!(arena.check(now), Ok(()));
        let bytes = |rumor: &Plain| rumor.topic.len() + rumor.payload.len();
        assert_eq!((arena.len(), arena.bytes()), (model.len(), model.iter().map(bytes).sum::<usize>()));
        assert!(arena.order().eq(model.iter().map(|rumor| rumor.place)), "they lie in the order in which they came");
        assert_eq!(arena.oldest(), model.first().map(|rumor| rumor.place));
        for rumor in model {
            assert_eq!(arena.find(rumor.id), Some(rumor.place));
            let kept = arena.rumor(rumor.place, now).expect("it is kept");
            let age = Duration::from_micros(now.micros_since(rumor.at));
            assert_eq!((kept.id, kept.age), (rumor.id, age));
            assert!(kept.topic == rumor.topic && kept.payload == rumor.payload, "{:?} is another", rumor.id);
        }
        for (slot, chain) in self.chains.iter().enumerate() {
            assert_eq!(arena.check_chain(chain, slot as u32), Ok(()));
            let own = model.iter().filter(|rumor| rumor.id.origin.as_u64() == slot as u64);
            let want: BTreeMap<u32, u32> = own.map(|rumor| (rumor.id.seq, rumor.place)).collect();
            assert!(arena.of(chain).eq(want.into_values()), "by ascending numbers");
        }
    }
}
