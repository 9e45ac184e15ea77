//! A running hash over everything that goes into a node and comes out of it.

use std::net::{IpAddr, SocketAddr};

use swim_core::{Command, Event, Input, Instant, Node, Profile};

/// 64 bits that stand for a run so far: equal ones mean equal inputs, at equal times, with equal outputs. `docs/trace.md`
/// ("Digest") defines it. Not meant against an adversary.
///
/// The order of calls is that of a step: [`Self::input`], [`Self::sent`] for each datagram, [`Self::event`] for each event,
/// [`Self::settled`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest(u64);

impl Digest {
    /// Goes on from a value.
    pub const fn from_value(value: u64) -> Self {
        Self(value)
    }

    /// What has gone in so far, as one number.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// As much of it as stands at every input of a trace.
    pub const fn check(self) -> u32 {
        self.0 as u32
    }

    /// An input that the node is about to be given.
    #[inline]
    pub fn input(&mut self, at: Instant, input: &Input<'_>) {
        match *input {
            Input::Datagram { from, bytes } => {
                self.words(at.as_micros(), 1);
                self.addr(from);
                self.bytes(bytes);
            }
            Input::Timeout => self.words(at.as_micros(), 2),
            ref other => self.rare(at, other),
        }
    }

    #[cold]
    fn rare(&mut self, at: Instant, input: &Input<'_>) {
        match *input {
            Input::Datagram { .. } | Input::Timeout => {}
            Input::Command(Command::Join(seeds)) => self.seeds(at, 3, seeds),
            Input::Command(Command::Seeds(seeds)) => self.seeds(at, 4, seeds),
            Input::Command(Command::Leave) => self.words(at.as_micros(), 5),
            Input::Command(Command::SetProfile(profile)) => {
                self.words(at.as_micros(), 6);
                self.profile(profile);
            }
            Input::SendFailed { to } => {
                self.words(at.as_micros(), 7);
                self.addr(to);
            }
            Input::SendBlocked => self.words(at.as_micros(), 8),
            Input::SendResumed => self.words(at.as_micros(), 9),
            // Inputs that this version of the format does not know: they differ from all others, and from nothing else.
            ref other => {
                self.words(at.as_micros(), 0);
                self.bytes(format!("{other:?}").as_bytes());
            }
        }
    }

    fn seeds(&mut self, at: Instant, kind: u64, seeds: &[SocketAddr]) {
        self.words(at.as_micros(), kind);
        self.words(seeds.len() as u64, 0);
        seeds.iter().for_each(|&seed| self.addr(seed));
    }

    fn profile(&mut self, profile: &Profile) {
        self.bytes(profile.name().as_bytes());
        self.bytes(profile.meta());
    }

    /// A datagram that the node handed out: the frame, without envelope.
    #[inline]
    pub fn sent(&mut self, to: SocketAddr, frame: &[u8]) {
        self.addr(to);
        self.bytes(frame);
    }

    /// An event that the node told.
    pub fn event(&mut self, event: &Event) {
        let mut room = [0; 128];
        match postcard::to_slice(event, &mut room) {
            Ok(bytes) => self.bytes(bytes),
            Err(_) => self.bytes(format!("{event:?}").as_bytes()),
        }
    }

    /// The step is over: when the node wants to be woken next, and what it believes, are outputs as well.
    #[inline]
    pub fn settled(&mut self, node: &Node) {
        let due = node.poll_timeout().unwrap_or(Instant::NEVER);
        self.words(due.as_micros(), node.view_hash());
    }

    #[inline]
    fn addr(&mut self, addr: SocketAddr) {
        match addr.ip() {
            IpAddr::V4(ip) => self.words(u64::from(ip.to_bits()) << 16 | u64::from(addr.port()), 4),
            IpAddr::V6(ip) => {
                let bits = ip.to_bits();
                self.words((bits >> 64) as u64, bits as u64);
                self.words(u64::from(addr.port()), 6);
            }
        }
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        let mut pairs = bytes.chunks_exact(16);
        for pair in &mut pairs {
            let (low, high) = pair.split_at(8);
            self.words(word(low), word(high));
        }
        let mut rest = [0; 16];
        rest[..pairs.remainder().len()].copy_from_slice(pairs.remainder());
        let (low, high) = rest.split_at(8);
        // The length last, so that zeros at the end count.
        self.words(word(low), word(high) ^ (bytes.len() as u64) << 32);
    }

    /// The one operation: both words with what was before, as a folded 128-bit product.
    #[inline]
    fn words(&mut self, low: u64, high: u64) {
        const A: u64 = 0x9e37_79b9_7f4a_7c15;
        const B: u64 = 0xd1b5_4a32_d192_ed03;
        let product = u128::from(self.0 ^ low ^ A) * u128::from(self.0.rotate_left(32) ^ high ^ B);
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}

fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap_or_default())
}

/// A number that stands for a node's whole state: of its snapshot.
pub fn state_hash(snapshot: &[u8]) -> u64 {
    let mut digest = Digest::default();
    digest.bytes(snapshot);
    digest.value()
}
