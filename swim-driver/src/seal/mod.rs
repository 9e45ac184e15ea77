//! The envelope: what is around a frame on the wire (`docs/wire.md`, "Envelope").
//!
//! It decides whether a datagram is ours at all, before the node hears of it: another protocol, another version, another
//! cluster and flipped bits end here. Invariant: what [`Plain::seal`] made, the same cluster's [`Plain::open`] gives back
//! byte for byte, and nothing that differs from it in one, two or three bits is opened (up to 11 kB; a CRC-32 promises no more).
//! The checksum is against accidents; it keeps nobody out who means harm.

// Here and below: what is opened was written by anybody.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used))]

#[cfg(feature = "aead")]
mod bucket;
#[cfg(feature = "aead")]
mod cipher;
#[cfg(feature = "aead")]
mod control;
#[cfg(feature = "aead")]
mod copies;
mod envelope;
#[cfg(feature = "aead")]
mod heard;
#[cfg(feature = "aead")]
mod key;
#[cfg(all(test, feature = "aead", not(loom)))]
mod live_tests;
#[cfg(feature = "aead")]
mod migration;
#[cfg(feature = "aead")]
mod peers;
#[cfg(feature = "aead")]
mod pending;
#[cfg(feature = "aead")]
mod sealed;
#[cfg(feature = "aead")]
mod secrets;
#[cfg(feature = "aead")]
mod session;
#[cfg(feature = "aead")]
mod sizes;
#[cfg(feature = "aead")]
mod window;

use core::fmt;
use core::ops::Range;

use crc32fast::Hasher;

pub(crate) use self::envelope::{Envelope, Opened};
#[cfg(feature = "aead")]
pub use self::heard::KeysHeard;
#[cfg(feature = "aead")]
pub use self::key::{Key, KeyId, KeyTextError, Keyring, KeyringError};
#[cfg(feature = "aead")]
pub(crate) use self::sealed::Sealed;
#[cfg(feature = "aead")]
pub use self::secrets::Secrets;
#[cfg(feature = "aead")]
pub use self::sizes::Sizes;

/// Why a datagram was not heard. Checked in this order; an envelope looks for some of them only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refused {
    /// Shorter than an envelope.
    TooShort,
    /// Another protocol, or another major version of this one.
    Version,
    /// Sealed in a way that this node does not open, or with flags that it does not know.
    Suite,
    /// Not sealed, and only what is sealed is heard.
    Plain,
    /// Meant for another cluster.
    Cluster,
    /// Damaged on the way, or meant for a cluster whose name has the same tag.
    Checksum,
    /// Sealed with a key that is not in the ring.
    Key,
    /// Its tag is wrong: damaged, forged, or meant for another cluster with the same key.
    Tag,
    /// Taken already, or so old that it may have been; or this node's own.
    Replayed,
    /// Sealed before its session showed that it lives, by too long.
    Stale,
    /// Its session never showed that it lives, or there was no room to wait for that.
    Unproven,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooShort => "shorter than an envelope",
            Self::Version => "another protocol or version",
            Self::Suite => "sealed in another way",
            Self::Plain => "not sealed",
            Self::Cluster => "meant for another cluster",
            Self::Checksum => "wrong checksum",
            Self::Key => "sealed with an unknown key",
            Self::Tag => "wrong tag",
            Self::Replayed => "played back",
            Self::Stale => "too old",
            Self::Unproven => "of a session that did not show that it lives",
        })
    }
}

impl std::error::Error for Refused {}

/// The plain envelope, 10 bytes: magic and version, suite and flags, cluster tag, CRC-32 over the cluster's name, the six
/// bytes before it and the frame.
#[derive(Clone, Debug)]
pub struct Plain {
    tag: [u8; 4],
    /// Has read the cluster's name already.
    hasher: Hasher,
}

impl Plain {
    /// Bytes of a plain envelope.
    pub const LEN: usize = 10;

    /// The envelope of this cluster.
    pub fn new(cluster: &str) -> Self {
        let tag = (swim_core::name_hash(cluster.as_bytes()) >> 32) as u32;
        let mut hasher = Hasher::new();
        hasher.update(cluster.as_bytes());
        Self { tag: tag.to_le_bytes(), hasher }
    }

    /// Seals the frame at `buf[LEN..LEN + frame_len]`, and returns the length of the datagram, which starts at the start of
    /// `buf`.
    ///
    /// # Panics
    /// When `buf` is shorter than envelope and frame together.
    #[allow(clippy::indexing_slicing, reason = "such a buffer is the caller's mistake, and a header has its length")]
    pub fn seal(&self, buf: &mut [u8], frame_len: usize) -> usize {
        let len = Self::LEN.saturating_add(frame_len);
        let (header, frame) = buf[..len].split_at_mut(Self::LEN);
        header[0] = MAGIC_AND_VERSION;
        header[1] = SUITE_PLAIN;
        header[2..CRC_AT].copy_from_slice(&self.tag);
        let crc = self.checksum(&header[..CRC_AT], frame);
        header[CRC_AT..].copy_from_slice(&crc);
        len
    }

    /// Opens a datagram and returns where its frame is.
    ///
    /// # Errors
    /// The first reason not to hear it.
    pub fn open(&self, datagram: &[u8]) -> Result<Range<usize>, Refused> {
        let Some((header, frame)) = datagram.split_first_chunk::<{ Self::LEN }>() else {
            return Err(Refused::TooShort);
        };
        let (head, crc) = header.split_at(CRC_AT);
        let &[version, suite, ref tag @ ..] = head else { return Err(Refused::TooShort) };
        if version != MAGIC_AND_VERSION {
            return Err(Refused::Version);
        }
        if suite != SUITE_PLAIN {
            return Err(Refused::Suite);
        }
        if tag != self.tag {
            return Err(Refused::Cluster);
        }
        if crc != self.checksum(head, frame) {
            return Err(Refused::Checksum);
        }
        Ok(Self::LEN..datagram.len())
    }

    fn checksum(&self, head: &[u8], frame: &[u8]) -> [u8; 4] {
        let mut hasher = self.hasher.clone();
        hasher.update(head);
        hasher.update(frame);
        hasher.finalize().to_le_bytes()
    }
}

/// High nibble: this protocol. Low nibble: its major version.
const MAGIC_AND_VERSION: u8 = 0x51;
/// High nibble: no encryption. Low nibble: flags, of which there are none.
const SUITE_PLAIN: u8 = 0x00;
const CRC_AT: usize = 6;

#[cfg(test)]
mod tests {
    use quickcheck::QuickCheck;

    use super::*;

    fn sealed(cluster: &str, frame: &[u8]) -> Vec<u8> {
        let mut buf = vec![0; Plain::LEN + frame.len()];
        buf[Plain::LEN..].copy_from_slice(frame);
        let len = Plain::new(cluster).seal(&mut buf, frame.len());
        assert_eq!(len, buf.len());
        buf
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Wire format: these bytes may never change. The checksums were computed by an implementation that is not ours.
    #[test]
    fn golden() {
        assert_eq!(hex(&sealed("prod", b"")), "51009b6c098cad273664");
        assert_eq!(hex(&sealed("prod", b"123456789")), "51009b6c098cf6ea7a75313233343536373839");
        assert_eq!(hex(&sealed("caf\u{e9}", &[0, 1, 0xff])), "5100fc3fc1e0139cc35d0001ff");
    }

    #[test]
    fn what_was_sealed_is_opened() {
        fn round(cluster: String, frame: Vec<u8>) -> bool {
            let datagram = sealed(&cluster, &frame);
            let at = Plain::new(&cluster).open(&datagram).unwrap();
            datagram[at] == frame[..]
        }
        QuickCheck::new().quickcheck(round as fn(String, Vec<u8>) -> bool);
    }

    #[test]
    fn anything_else_is_refused_whatever_it_is() {
        fn noise(bytes: Vec<u8>) -> bool {
            Plain::new("prod").open(&bytes).is_err()
        }
        QuickCheck::new().quickcheck(noise as fn(Vec<u8>) -> bool);
    }

    #[test]
    fn each_reason_is_told_apart() {
        let good = sealed("prod", b"frame");
        let open = |datagram: &[u8]| Plain::new("prod").open(datagram);
        let spoiled = |at: usize, by: u8| {
            let mut d = good.clone();
            d[at] ^= by;
            open(&d)
        };
        assert_eq!(open(&good), Ok(10..15));
        for len in 0..10 {
            assert_eq!(open(&good[..len]), Err(Refused::TooShort));
        }
        assert_eq!(open(&good[..10]), Err(Refused::Checksum), "the frame was cut off");
        assert_eq!(spoiled(0, 0x10), Err(Refused::Version), "another magic");
        assert_eq!(spoiled(0, 0x03), Err(Refused::Version), "another version");
        assert_eq!(spoiled(1, 0x10), Err(Refused::Suite));
        assert_eq!(spoiled(1, 0x01), Err(Refused::Suite), "an unknown flag");
        assert_eq!(open(&sealed("staging", b"frame")), Err(Refused::Cluster));
        assert_eq!(spoiled(9, 1), Err(Refused::Checksum));
        assert_eq!(spoiled(14, 1), Err(Refused::Checksum));
    }

    /// The tag has 32 bits only; the name itself is under the checksum, so even clusters of one tag stay apart.
    #[test]
    fn clusters_of_the_same_tag_do_not_hear_each_other() {
        let mut theirs = Plain::new("staging");
        theirs.tag = Plain::new("prod").tag;
        let mut buf = *b"0123456789frame";
        theirs.seal(&mut buf, 5);
        assert_eq!(Plain::new("prod").open(&buf), Err(Refused::Checksum));
    }

    /// F-S3: one flipped bit in gossiped state that still parsed once took a whole service down.
    #[test]
    fn no_one_or_two_flipped_bits_are_let_through() {
        let plain = Plain::new("prod");
        let frame: Vec<u8> = (0..52_u8).map(|i| i.wrapping_mul(37)).collect();
        let good = sealed("prod", &frame);
        let mut bad = good.clone();
        let bits = bad.len() * 8;
        let flip = |d: &mut [u8], bit: usize| d[bit / 8] ^= 1 << (bit % 8);
        for i in 0..bits {
            flip(&mut bad, i);
            assert!(plain.open(&bad).is_err(), "bit {i}");
            for j in 0..i {
                flip(&mut bad, j);
                assert!(plain.open(&bad).is_err(), "bits {i} and {j}");
                flip(&mut bad, j);
            }
            flip(&mut bad, i);
        }
        assert_eq!(bad, good);
        assert!(plain.open(&bad).is_ok());
    }
}
