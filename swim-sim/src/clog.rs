//! Links with a rate and a queue: where more is sent than passes, datagrams wait, and then are dropped.

use swim_core::Instant;

/// Headers of IPv4 and UDP, which take up the link like the rest.
const HEADERS: u64 = 28;

/// The rate of a clogged link, and what may wait in front of it. Datagrams count with 28 bytes of IPv4 and UDP headers.
///
/// A datagram leaves when all those before it have left, and its own bytes too; only then does its latency begin. When
/// it would make more than `buffer` bytes wait, itself and what is left of the one that is leaving included, it is
/// dropped: so a datagram larger than the buffer never passes. The time in the queue is at most `buffer / rate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clog {
    /// Bytes per second. At 0 nothing passes.
    pub rate: u64,
    /// Bytes that may wait.
    pub buffer: u64,
}

/// What waits in front of one clogged link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// When the last of it will have left, in nanoseconds since the origin: at a high rate a datagram takes less than
    /// a microsecond.
    empty_at: u128,
}

impl Clog {
    /// A datagram of this length comes to the link: how many microseconds pass until it has left, and whether others
    /// were before it; or `None` when it is dropped. What waits already leaves as it was to, also when the rate was
    /// changed.
    pub(crate) fn pass(&self, backlog: &mut Backlog, now: Instant, len: usize) -> Option<(u64, bool)> {
        if self.rate == 0 {
            return None;
        }
        let rate = u128::from(self.rate);
        let now = u128::from(now.as_micros()) * 1_000;
        let ahead = backlog.empty_at.saturating_sub(now);
        let bytes = len as u64 + HEADERS;
        let waiting = ahead.saturating_mul(rate).div_ceil(1_000_000_000) + u128::from(bytes);
        if waiting > u128::from(self.buffer) {
            return None;
        }
        backlog.empty_at = now + ahead + (u128::from(bytes) * 1_000_000_000).div_ceil(rate);
        let micros = (backlog.empty_at - now).div_ceil(1_000);
        Some((u64::try_from(micros).unwrap_or(u64::MAX), ahead > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn delay_grows_with_what_waits_and_shrinks_as_it_leaves() {
        // 100 bytes on the wire take 100 ms each.
        let clog = Clog { rate: 1_000, buffer: 300 };
        let mut backlog = Backlog::default();
        let mut pass = |t| clog.pass(&mut backlog, at(t), 72);
        assert_eq!(pass(0), Some((100_000, false)));
        assert_eq!(pass(0), Some((200_000, true)));
        assert_eq!(pass(0), Some((300_000, true)));
        assert_eq!(pass(0), None, "the buffer is full");
        assert_eq!(pass(99_000), None, "one byte of the first is left");
        assert_eq!(pass(100_000), Some((300_000, true)), "and now there is room for one");
        assert_eq!(pass(400_000), Some((100_000, false)), "all have left");
    }

    /// However often it is asked, no more bytes pass in a second than the rate says.
    #[test]
    fn the_rate_is_kept() {
        for (rate, len) in [(1_000_000_000, 100), (7_777, 33), (125_000, 1_400), (1, 0)] {
            let clog = Clog { rate, buffer: 10_000 };
            let mut backlog = Backlog::default();
            let (mut bytes, mut last) = (0, 0);
            for t in (0..2_000_000).step_by(100) {
                if let Some((wait, _)) = clog.pass(&mut backlog, at(t), len) {
                    bytes += len as u64 + HEADERS;
                    assert!(t + wait >= last, "datagrams keep their order");
                    last = t + wait;
                }
            }
            let passed = u128::from(bytes) * 1_000_000;
            assert!(passed <= u128::from(rate) * u128::from(last), "{bytes} bytes in {last} µs at {rate} per second");
        }
    }

    #[test]
    fn odd_settings_mean_something() {
        let mut backlog = Backlog::default();
        assert_eq!(Clog { rate: 0, buffer: u64::MAX }.pass(&mut backlog, at(0), 1), None);
        assert_eq!(Clog { rate: 9, buffer: 28 }.pass(&mut backlog, at(0), 1), None, "larger than the buffer");
        assert!(Clog { rate: 9, buffer: 28 }.pass(&mut backlog, at(0), 0).is_some());
        let fast = Clog { rate: u64::MAX, buffer: u64::MAX };
        assert_eq!(fast.pass(&mut Backlog::default(), Instant::NEVER, 1_400), Some((1, false)));
    }
}
