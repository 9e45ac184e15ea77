//! A running hash over everything that a world lets out: the proof that two runs were the same.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, SocketAddr};

use swim_core::{Event, Instant};

use crate::host::NodeIx;
use crate::rng::mix64;

/// Every step is a bijection of the state, so a difference once made is not undone by equal words that follow. Not
/// meant against an adversary.
#[derive(Clone, Debug, Default)]
pub(crate) struct Digest {
    state: u64,
}

impl Digest {
    /// What has gone in so far, as one number.
    pub(crate) fn value(&self) -> u64 {
        mix64(self.state)
    }

    /// A datagram that a node sent.
    pub(crate) fn sent(&mut self, at: Instant, from: NodeIx, to: SocketAddr, datagram: &[u8]) {
        self.word(at.as_micros());
        self.word(from.index() as u64);
        self.addr(to);
        self.bytes(datagram);
    }

    /// An event that a node told. Spelt out for the events that come by the million, as text for the others, which
    /// covers kinds that do not exist yet.
    pub(crate) fn event(&mut self, at: Instant, node: NodeIx, event: &Event) {
        self.word(at.as_micros());
        self.word(!(node.index() as u64));
        match *event {
            Event::MemberUp { id, incarnation } => self.words([1, id.as_u64(), incarnation.as_u64()]),
            Event::MemberRefuted { id, incarnation } => self.words([2, id.as_u64(), incarnation.as_u64()]),
            Event::MemberDown { id, incarnation, left } => {
                self.words([3 + u64::from(left), id.as_u64(), incarnation.as_u64()]);
            }
            ref other => write!(self, "{other:?}").expect("a digest takes everything"),
        }
    }

    fn words<const N: usize>(&mut self, words: [u64; N]) {
        for word in words {
            self.word(word);
        }
    }

    fn addr(&mut self, addr: SocketAddr) {
        match addr.ip() {
            IpAddr::V4(ip) => self.word(u64::from(ip.to_bits()) << 16 | u64::from(addr.port())),
            IpAddr::V6(ip) => {
                let bits = ip.to_bits();
                self.words([(bits >> 64) as u64, bits as u64, u64::from(addr.port())]);
            }
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.word(u64::from_le_bytes(word.try_into().expect("a chunk of eight is eight bytes")));
        }
        let mut last = [0; 8];
        last[..words.remainder().len()].copy_from_slice(words.remainder());
        self.word(u64::from_le_bytes(last));
    }

    fn word(&mut self, word: u64) {
        self.state = (self.state ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
}

impl fmt::Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use swim_core::{Incarnation, NodeId};

    use super::*;

    fn after(feed: impl FnOnce(&mut Digest)) -> u64 {
        let mut digest = Digest::default();
        feed(&mut digest);
        digest.value()
    }

    #[test]
    fn every_part_of_a_datagram_counts() {
        let (t0, t1) = (Instant::from_micros(0), Instant::from_micros(1));
        let (a, b) = (NodeIx::new(0), NodeIx::new(1));
        let six: SocketAddr = "[::1]:7946".parse().unwrap();
        let values = [
            after(|_| ()),
            after(|d| d.sent(t0, a, b.addr(), b"")),
            after(|d| d.sent(t0, a, b.addr(), b"\0")),
            after(|d| d.sent(t0, a, b.addr(), b"ping four!")),
            after(|d| d.sent(t0, a, b.addr(), b"ping four?")),
            after(|d| d.sent(t1, a, b.addr(), b"ping four!")),
            after(|d| d.sent(t0, b, b.addr(), b"ping four!")),
            after(|d| d.sent(t0, a, a.addr(), b"ping four!")),
            after(|d| d.sent(t0, a, six, b"ping four!")),
        ];
        for (i, value) in values.iter().enumerate() {
            assert!(!values[..i].contains(value), "{i}: {values:x?}");
        }
    }

    #[test]
    fn every_part_of_an_event_counts() {
        let (id, other) = (NodeId::new(1), NodeId::new(2));
        let incarnation = Incarnation::new(1, 0);
        let events = [
            Event::MemberUp { id, incarnation },
            Event::MemberUp { id: other, incarnation },
            Event::MemberUp { id, incarnation: incarnation.next() },
            Event::MemberRefuted { id, incarnation },
            Event::MemberDown { id, incarnation, left: false },
            Event::MemberDown { id, incarnation, left: true },
            Event::MemberSuspect { id, incarnation, by: None },
            Event::MemberSuspect { id, incarnation, by: Some(other) },
            Event::Health { score: 1 },
            Event::Health { score: 2 },
            Event::Left,
        ];
        let values = events.map(|e| after(|d| d.event(Instant::ORIGIN, NodeIx::new(0), &e)));
        for (i, value) in values.iter().enumerate() {
            assert!(!values[..i].contains(value), "{:?}: {values:x?}", events[i]);
        }
    }
}
