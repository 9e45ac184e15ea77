//! A running hash over everything that goes into a node and comes out of it.

use std::net::{IpAddr, SocketAddr};

use swim_core::{Event, Instant, Node};

/// 64 bits that stand for a run so far. `docs/trace.md` ("Digest") defines it. Not meant against an adversary.
///
/// There are two of them. That of the outputs is kept by whoever records, in the order of a step: [`Self::sent`] for each datagram,
/// [`Self::event`] for each event, [`Self::settled`]. That of the inputs needs nothing but the records, so it is left to whoever
/// writes them to a file ([`crate::block::finish`]); it begins anew with each block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u64);

impl Default for Digest {
    /// Of nothing yet.
    fn default() -> Self {
        Self(BEGIN)
    }
}

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

    /// A record of this kind, without its check.
    pub(crate) fn record(&mut self, kind: u8, parts: [&[u8]; 2]) {
        for part in parts {
            self.words(part.len() as u64, kind.into());
            self.bytes(part);
        }
    }

    fn string(&mut self, bytes: &[u8]) {
        self.words(bytes.len() as u64, 0);
        self.bytes(bytes);
    }

    /// A datagram that the node handed out: the frame, without envelope.
    #[inline]
    pub fn sent(&mut self, to: SocketAddr, frame: &[u8]) {
        self.addr(to, frame.len());
        self.bytes(frame);
    }

    /// An event that the node told.
    pub fn event(&mut self, event: &Event) {
        let mut room = [0; 128];
        match postcard::to_slice(event, &mut room) {
            Ok(bytes) => self.string(bytes),
            Err(_) => self.string(format!("{event:?}").as_bytes()),
        }
    }

    /// The step is over: when the node wants to be woken next, and what it believes, are outputs as well.
    #[inline]
    pub fn settled(&mut self, node: &Node) {
        let due = node.poll_timeout().unwrap_or(Instant::NEVER);
        self.0 ^= due.as_micros() ^ node.view_hash().rotate_left(32);
    }

    #[inline]
    fn addr(&mut self, addr: SocketAddr, len: usize) {
        let beside = u64::from(addr.port()) << 32 | len as u64;
        match addr.ip() {
            IpAddr::V4(ip) => self.words(ip.to_bits().into(), beside),
            IpAddr::V6(ip) => {
                let bits = ip.to_bits();
                self.words((bits >> 64) as u64, bits as u64);
                self.words(6 << 32, beside);
            }
        }
    }

    /// Sixteen at a time; the last sixteen overlap those before where the length is no multiple. The length is told before.
    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        let Some(last) = bytes.last_chunk() else { return self.short(bytes) };
        for pair in bytes.chunks_exact(16) {
            self.pair(pair.first_chunk().unwrap_or(last));
        }
        self.pair(last);
    }

    #[cold]
    fn short(&mut self, bytes: &[u8]) {
        let mut last = [0; 16];
        last[..bytes.len()].copy_from_slice(bytes);
        self.pair(&last);
    }

    #[inline]
    fn pair(&mut self, pair: &[u8; 16]) {
        let bits = u128::from_le_bytes(*pair);
        self.words(bits as u64, (bits >> 64) as u64);
    }

    /// The one operation: both words with what was before, as a folded 128-bit product.
    #[inline]
    fn words(&mut self, low: u64, high: u64) {
        let product = u128::from(self.0 ^ low) * u128::from(high ^ FACTOR);
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}

/// The digest of nothing.
const BEGIN: u64 = 0x9e37_79b9_7f4a_7c15;
const FACTOR: u64 = 0xd1b5_4a32_d192_ed03;

/// A number that stands for a node's whole state: of its snapshot.
pub fn state_hash(snapshot: &[u8]) -> u64 {
    let mut digest = Digest::default();
    digest.string(snapshot);
    digest.value()
}
