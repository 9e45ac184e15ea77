//! What somebody does who is no member, as the embedder hears of it.
//!
//! Invariant: one alert of a kind in [`QUIET`], whatever comes; none takes memory; and none is answered on the wire.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used))]

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use swim_core::Instant;

use crate::receives::receives;
use crate::ring::{Item, Ring, Subscription};
#[cfg(feature = "aead")]
use crate::seal::KeyId;
use crate::seal::Refused;
use crate::sync::Arc;
use crate::waiters::Woken;

pub(crate) type AlertRing = Ring<Alert>;

/// A datagram came that was not heard, and that perhaps somebody should look into. At most one of a kind in ten seconds;
/// `suppressed` says how many more of this kind there were since the last one that was told. All are counted in
/// [`crate::DriverStats`].
///
/// Addresses are what the datagram says: nothing shows that it came from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Alert {
    /// Sealed with a key that is not in the ring: a former member, or one that has got a key too early or too late.
    #[cfg(feature = "aead")]
    UnknownKey {
        /// Where it says it came from.
        from: SocketAddr,
        /// What the key is called.
        key: KeyId,
        /// More of this kind since the last.
        suppressed: u64,
    },
    /// Not sealed, and of a cluster of another name.
    WrongCluster {
        /// Where it says it came from.
        from: SocketAddr,
        /// The high 32 bits of the hash of the other cluster's name.
        tag: u32,
        /// More of this kind since the last.
        suppressed: u64,
    },
    /// Not sealed, and only what is sealed is heard: a node that has got no key yet.
    PlainRefused {
        /// Where it says it came from.
        from: SocketAddr,
        /// More of this kind since the last.
        suppressed: u64,
    },
    /// Sealed with a key that is called like one of the ring, and its tag is wrong: damaged, forged, or of another cluster.
    Undecipherable {
        /// Where it says it came from.
        from: SocketAddr,
        /// More of this kind since the last.
        suppressed: u64,
    },
    /// It was heard before, or may have been: played back, or delivered twice by the network, as networks may.
    Replayed {
        /// Where it says it came from.
        from: SocketAddr,
        /// More of this kind since the last.
        suppressed: u64,
    },
    /// Alerts were missed, because the subscriber was more than 64 behind.
    Lagged {
        /// How many.
        missed: u64,
    },
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tell = |from: &SocketAddr, what: &dyn fmt::Display, suppressed: u64| {
            write!(f, "a datagram that says it is from {from} is not heard: {what}")?;
            if suppressed > 0 { write!(f, " ({suppressed} more since the last)") } else { Ok(()) }
        };
        match self {
            #[cfg(feature = "aead")]
            Self::UnknownKey { from, key, suppressed } => {
                tell(from, &format_args!("sealed with the unknown key {key}"), *suppressed)
            }
            Self::WrongCluster { from, tag, suppressed } => {
                tell(from, &format_args!("meant for another cluster, of tag {tag:08x}"), *suppressed)
            }
            Self::PlainRefused { from, suppressed } => tell(from, &"not sealed", *suppressed),
            Self::Undecipherable { from, suppressed } => tell(from, &"its tag is wrong", *suppressed),
            Self::Replayed { from, suppressed } => tell(from, &"it may have been heard before", *suppressed),
            Self::Lagged { missed } => write!(f, "{missed} alerts were missed"),
        }
    }
}

impl Item for Alert {
    type Wanted = ();

    const CAPACITY: usize = if cfg!(loom) { 2 } else { 64 };

    fn lagged(missed: u64) -> Self {
        Self::Lagged { missed }
    }

    fn weight(&self) -> u64 {
        match *self {
            Self::Lagged { missed } => missed,
            _ => 1,
        }
    }

    fn is_wanted(&self, (): &()) -> bool {
        true
    }
}

/// Where the pump raises alerts.
pub(crate) struct Alarm {
    ring: Arc<AlertRing>,
    kinds: [Kind; KINDS],
}

/// What was told of one kind.
#[derive(Clone, Copy, Default)]
struct Kind {
    last: Option<Instant>,
    suppressed: u64,
}

impl Alarm {
    pub(crate) fn new(ring: Arc<AlertRing>) -> Self {
        Self { ring, kinds: [Kind::default(); KINDS] }
    }

    /// Tells of a datagram that was refused, if that is worth it and not too soon.
    pub(crate) fn raise(&mut self, now: Instant, from: SocketAddr, reason: Refused, datagram: &[u8]) {
        let kind = match reason {
            Refused::Key => 0,
            Refused::Cluster => 1,
            Refused::Plain => 2,
            Refused::Tag => 3,
            Refused::Replayed => 4,
            Refused::TooShort
            | Refused::Version
            | Refused::Suite
            | Refused::Checksum
            | Refused::Stale
            | Refused::Unproven => return,
        };
        let Some(Kind { last, suppressed }) = self.kinds.get_mut(kind) else { return };
        if last.is_some_and(|last| now.since(last) < QUIET) {
            *suppressed = suppressed.saturating_add(1);
            return;
        }
        *last = Some(now);
        let suppressed = std::mem::take(suppressed);
        let Some(alert) = told(from, reason, datagram, suppressed) else { return };
        tracing::warn!("{alert}");
        self.ring.push(&[alert]);
    }

    /// Alerts that subscribers were told they have missed.
    pub(crate) fn missed(&self) -> u64 {
        self.ring.missed()
    }

    pub(crate) fn close(&self) -> Woken {
        self.ring.close()
    }
}

fn told(from: SocketAddr, reason: Refused, datagram: &[u8], suppressed: u64) -> Option<Alert> {
    Some(match reason {
        #[cfg(feature = "aead")]
        Refused::Key => {
            let key = KeyId::from_le_bytes(*datagram.get(2..)?.first_chunk()?);
            Alert::UnknownKey { from, key, suppressed }
        }
        Refused::Cluster => {
            let tag = u32::from_le_bytes(*datagram.get(2..)?.first_chunk()?);
            Alert::WrongCluster { from, tag, suppressed }
        }
        Refused::Plain => Alert::PlainRefused { from, suppressed },
        Refused::Tag => Alert::Undecipherable { from, suppressed },
        Refused::Replayed => Alert::Replayed { from, suppressed },
        _ => return None,
    })
}

/// A subscription to a node's alerts, from the moment it was made on.
///
/// One that is more than 64 alerts behind is given [`Alert::Lagged`] in place of those it has missed. After the last alert of a
/// driver that has ended, everything returns *closed*. A subscription does not keep the node in its cluster; handles do.
#[derive(Debug)]
pub struct Alerts(Subscription<Alert>);

impl Alerts {
    pub(crate) fn new(ring: &Arc<AlertRing>) -> Self {
        Self(Subscription::new(ring, ()))
    }
}

receives!(Alerts, Alert, "alert", "an alert");

/// From one alert of a kind to the next.
const QUIET: Duration = Duration::from_secs(10);
const KINDS: usize = 5;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::TryRecvError;

    #[test]
    fn one_of_a_kind_in_ten_seconds_and_the_rest_is_counted() {
        let ring = Arc::new(AlertRing::default());
        let (mut alerts, mut alarm) = (Alerts::new(&ring), Alarm::new(Arc::clone(&ring)));
        let from = SocketAddr::from(([10, 0, 0, 1], 7));
        let at = |ms| Instant::from_millis(ms);
        for ms in [0, 1, 9_999] {
            alarm.raise(at(ms), from, Refused::Tag, &[]);
            alarm.raise(at(ms), from, Refused::Suite, &[]);
        }
        alarm.raise(at(5), from, Refused::Cluster, &[0x51, 0, 1, 2, 3, 4, 5]);
        alarm.raise(at(10_000), from, Refused::Tag, &[]);
        alarm.raise(at(20_000), from, Refused::Tag, &[]);
        let told: Vec<Alert> = std::iter::from_fn(|| alerts.try_recv().ok()).collect();
        let tag = |suppressed| Alert::Undecipherable { from, suppressed };
        assert_eq!(told, [tag(0), Alert::WrongCluster { from, tag: 0x0403_0201, suppressed: 0 }, tag(2), tag(0)]);
        assert!(told[2].to_string().contains("10.0.0.1:7") && told[2].to_string().contains("(2 more"), "{}", told[2]);
        for n in 0..100 {
            alarm.raise(at(30_000 + n * 10_000), from, Refused::Plain, &[]);
        }
        assert_eq!(alarm.missed(), 0, "nobody was told yet");
        assert_eq!(alerts.try_recv(), Ok(Alert::Lagged { missed: 36 }));
        assert_eq!(alarm.missed(), 36);
        drop(alarm.close());
        assert_eq!(std::iter::from_fn(|| alerts.try_recv().ok()).count(), 64);
        assert_eq!(alerts.try_recv(), Err(TryRecvError::Closed));
    }
}
