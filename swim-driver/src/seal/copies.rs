//! Whether this process may be going on twice: its machine was put to sleep, or copied while it ran.
//!
//! The clock of the driver stands still meanwhile on some systems, so a pause alone does not show it; the date does, once the
//! system has set it right. What was copied and goes on before that cannot be told.

use std::time::{Duration, SystemTime};

use swim_core::Instant;

/// What both clocks said last.
#[derive(Debug, Default)]
pub(super) struct Copies {
    seen: Option<(Instant, SystemTime)>,
}

impl Copies {
    /// Whether the date is to be looked at now. To read it costs as much as a tenth of a datagram, and a burst can share one.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.seen.is_none_or(|(at, _)| now.since(at) >= LOOK_EVERY)
    }

    /// Whether one clock has gone so much further than the other since the last call, or the date went back.
    pub(super) fn have_parted(&mut self, now: Instant, date: SystemTime, much: Duration) -> bool {
        let Some((before, former)) = self.seen.replace((now, date)) else { return false };
        match date.duration_since(former) {
            Ok(by) => by.abs_diff(now.since(before)) > much,
            Err(back) => back.duration() > much,
        }
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(1);

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_part_are_noticed_once() {
        let much = Duration::from_secs(5);
        let mut date = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let mut copies = Copies::default();
        let mut now = Instant::ORIGIN;
        assert!(!copies.have_parted(now, date, much), "there is nothing to compare with");
        let mut go = |by: u64, date_by: i64| {
            now = now + Duration::from_secs(by);
            let step = Duration::from_secs(date_by.unsigned_abs());
            date = if date_by < 0 { date - step } else { date + step };
            copies.have_parted(now, date, much)
        };
        assert!(!go(1, 1) && !go(3_600, 3_600) && !go(1, 6) && !go(6, 1) && !go(0, -5), "steps of a clock that is set");
        assert!(go(0, 6) && !go(1, 1), "asleep, with a clock that stood still");
        assert!(go(60, 1) && go(1, -6) && !go(1, 1));
    }

    #[test]
    fn a_burst_shares_one_look() {
        let mut copies = Copies::default();
        let at = |us| Instant::ORIGIN + Duration::from_micros(us);
        assert!(copies.is_due(at(7)));
        copies.have_parted(at(7), SystemTime::UNIX_EPOCH, Duration::ZERO);
        assert!(!copies.is_due(at(7)) && !copies.is_due(at(1_006)) && copies.is_due(at(1_007)));
    }
}
