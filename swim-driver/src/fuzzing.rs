//! One end of the sealed envelope without a node, and tokens of any content: for the fuzzer, and for what measures sealing.
//!
//! It is public because those are other crates, and hidden because it is no part of the interface: whoever embeds a node gives
//! it a [`Keyring`] ([`crate::Setup::keyring`]), and its pump does all of this in its order.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::SystemTime;

use swim_core::{Config, Instant, Transmit};

use crate::seal::{Keyring, Opened, Refused, Sealed, Secrets};
use crate::stats::DriverStats;

pub use crate::seal::Sizes;
pub use crate::token::text_of as token_text;

/// One end: what it seals and opens, what it says itself, and what it has counted.
pub struct End {
    sealed: Sealed,
    /// What the pump counts beside the envelope.
    stats: DriverStats,
}

impl End {
    /// Bytes in front of a frame that is sealed.
    pub const HEADER_LEN: usize = Sealed::HEADER_LEN;
    /// Bytes behind it.
    pub const TRAILER_LEN: usize = Sealed::TRAILER_LEN;

    /// An end of the cluster that the config names, which has just started.
    ///
    /// # Errors
    /// There are no random numbers.
    pub fn new(config: &Config, ring: Keyring, secrets: Secrets, now: Instant) -> io::Result<Self> {
        Ok(Self { sealed: Sealed::new(config, ring, secrets, now)?, stats: DriverStats::default() })
    }

    /// The same, with room for so many sessions of others: tables are full sooner.
    #[must_use]
    pub fn with_room(mut self, sessions: usize) -> Self {
        self.sealed.limit_sessions(sessions);
        self
    }

    /// The same, which hears and speaks plain, too, until then.
    #[must_use]
    pub fn migrating(mut self, until: Instant) -> Self {
        self.sealed.migrate(until, None);
        self
    }

    /// Whether [`Self::on_date`] is to come before [`Self::on_input`], as in [`crate::Pump::wants_date`].
    pub fn wants_date(&self, now: Instant) -> bool {
        self.sealed.wants_date(now)
    }

    /// At this time this is the date.
    pub fn on_date(&mut self, now: Instant, date: SystemTime) {
        self.sealed.on_date(now, date);
    }

    /// It is so late. Whatever follows is at this time.
    pub fn on_input(&mut self, now: Instant) {
        self.sealed.on_input(now);
    }

    /// Seals the frame that stands in `buf` behind the room for a header. Returns the length of the datagram, at the start of
    /// `buf`; `None` when it cannot be sealed.
    pub fn seal(&mut self, to: SocketAddr, buf: &mut [u8], frame_len: usize) -> Option<usize> {
        self.sealed.seal(to, buf, frame_len)
    }

    /// The same, as a control datagram with any body: what a member that lies can make.
    pub fn forge(&mut self, buf: &mut [u8], body_len: usize) -> Option<usize> {
        self.sealed.seal_own(true, buf, body_len)
    }

    /// Opens a datagram in place. `None`: its frame is held, or it was for the envelope itself.
    ///
    /// # Errors
    /// Why it is not heard.
    pub fn open(&mut self, from: SocketAddr, datagram: &mut [u8]) -> Result<Option<Range<usize>>, Refused> {
        self.stats.datagrams_received += 1;
        match self.sealed.open(from, datagram) {
            Ok(Opened::Frame(at)) => Ok(Some(at)),
            Ok(Opened::Kept) => Ok(None),
            Err(reason) => {
                self.stats.refuse(reason);
                Err(reason)
            }
        }
    }

    /// The next datagram that it has to say itself: the first `len` bytes of `out`, which has room for 63.
    pub fn poll_control(&mut self, out: &mut [u8]) -> Option<Transmit> {
        self.sealed.poll_control(out)
    }

    /// The next frame that was held and is heard now, and where it came from.
    pub fn release(&mut self) -> Option<(SocketAddr, Box<[u8]>)> {
        self.sealed.release()
    }

    /// Opens and seals with these keys from now on.
    pub fn set_keyring(&mut self, ring: Keyring) {
        self.sealed.set_keyring(ring);
    }

    /// What it has counted, as a pump would have.
    pub fn stats(&self) -> DriverStats {
        let mut stats = self.stats;
        self.sealed.count(&mut stats);
        stats
    }

    /// How much it keeps.
    pub fn sizes(&self) -> Sizes {
        self.sealed.sizes()
    }
}

impl fmt::Debug for End {
    /// As the envelope shows itself: without a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sealed.fmt(f)
    }
}
