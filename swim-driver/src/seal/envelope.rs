//! The envelope as the pump has it: plain, or sealed with a keyring.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::SystemTime;

use swim_core::{Instant, Transmit};

#[cfg(feature = "aead")]
use super::sealed::Sealed;
use super::{Plain, Refused};
use crate::stats::DriverStats;

/// What became of a datagram that was not refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// Its frame is there.
    Frame(Range<usize>),
    /// It was for the envelope itself, or is held until its sender has shown that he lives.
    #[cfg_attr(not(feature = "aead"), allow(dead_code, reason = "nothing plain is held"))]
    Kept,
}

/// A frame that was held: where it came from, and what it is.
pub(crate) type Released = (SocketAddr, Box<[u8]>);

#[derive(Debug)]
pub(crate) enum Envelope {
    Plain(Plain),
    #[cfg(feature = "aead")]
    Sealed(Box<Sealed>),
}

impl Envelope {
    /// Bytes in front of a frame that is to be sealed.
    pub(crate) fn header_len(&self) -> usize {
        match self {
            Self::Plain(_) => Plain::LEN,
            #[cfg(feature = "aead")]
            Self::Sealed(_) => Sealed::HEADER_LEN,
        }
    }

    /// Bytes behind it.
    pub(crate) fn trailer_len(&self) -> usize {
        match self {
            Self::Plain(_) => 0,
            #[cfg(feature = "aead")]
            Self::Sealed(_) => Sealed::TRAILER_LEN,
        }
    }

    /// Something is handed in, at this time.
    #[cfg_attr(not(feature = "aead"), allow(unused_variables, reason = "nothing plain depends on time"))]
    pub(crate) fn on_input(&mut self, now: Instant) {
        match self {
            Self::Plain(_) => {}
            #[cfg(feature = "aead")]
            Self::Sealed(sealed) => sealed.on_input(now),
        }
    }

    /// Whether [`Self::on_date`] is to come before the next input.
    #[cfg_attr(not(feature = "aead"), allow(unused_variables, reason = "nothing plain depends on the date"))]
    pub(crate) fn wants_date(&self, now: Instant) -> bool {
        match self {
            Self::Plain(_) => false,
            #[cfg(feature = "aead")]
            Self::Sealed(sealed) => sealed.wants_date(now),
        }
    }

    /// At this time this is the date.
    #[cfg_attr(not(feature = "aead"), allow(unused_variables, reason = "nothing plain depends on the date"))]
    pub(crate) fn on_date(&mut self, now: Instant, date: SystemTime) {
        match self {
            Self::Plain(_) => {}
            #[cfg(feature = "aead")]
            Self::Sealed(sealed) => sealed.on_date(now, date),
        }
    }

    /// Opens a datagram in place.
    #[cfg_attr(not(feature = "aead"), allow(unused_variables, reason = "nothing plain is answered"))]
    pub(crate) fn open(&mut self, from: SocketAddr, datagram: &mut [u8]) -> Result<Opened, Refused> {
        match self {
            Self::Plain(plain) => plain.open(datagram).map(Opened::Frame),
            #[cfg(feature = "aead")]
            Self::Sealed(sealed) => sealed.open(from, datagram),
        }
    }

    /// Seals the frame that stands in `buf` behind the room for a header. Returns the length of the datagram, which starts at
    /// the start of `buf`; `None` when it cannot be sealed.
    #[cfg_attr(not(feature = "aead"), allow(unused_variables, reason = "everybody is sent the same"))]
    pub(crate) fn seal(&mut self, to: SocketAddr, buf: &mut [u8], frame_len: usize) -> Option<usize> {
        match self {
            Self::Plain(plain) => Some(plain.seal(buf, frame_len)),
            #[cfg(feature = "aead")]
            Self::Sealed(sealed) => sealed.seal(to, buf, frame_len),
        }
    }

    /// The next datagram that the envelope itself has to send.
    #[cfg_attr(not(feature = "aead"), allow(unused_variables, reason = "a plain one never has"))]
    pub(crate) fn poll_control(&mut self, out: &mut [u8]) -> Option<Transmit> {
        match self {
            Self::Plain(_) => None,
            #[cfg(feature = "aead")]
            Self::Sealed(sealed) => sealed.poll_control(out),
        }
    }

    /// The next frame that was held and is to be heard now.
    pub(crate) fn release(&mut self) -> Option<Released> {
        match self {
            Self::Plain(_) => None,
            #[cfg(feature = "aead")]
            Self::Sealed(sealed) => sealed.release(),
        }
    }

    /// Adds what the envelope has counted itself.
    #[cfg_attr(not(feature = "aead"), allow(unused_variables, reason = "a plain one counts nothing"))]
    pub(crate) fn count(&self, stats: &mut DriverStats) {
        match self {
            Self::Plain(_) => {}
            #[cfg(feature = "aead")]
            Self::Sealed(sealed) => sealed.count(stats),
        }
    }

    /// Which keys others seal with: none where nothing is sealed.
    #[cfg(feature = "aead")]
    pub(crate) fn keys_heard(&mut self) -> super::KeysHeard {
        match self {
            Self::Plain(_) => super::KeysHeard::default(),
            Self::Sealed(sealed) => sealed.keys_heard(),
        }
    }

    /// Opens and seals with this ring from now on.
    #[cfg(feature = "aead")]
    pub(crate) fn set_keyring(&mut self, ring: super::Keyring) {
        if let Self::Sealed(sealed) = self {
            sealed.set_keyring(ring);
        }
    }
}
