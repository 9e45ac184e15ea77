//! Whether this process may be going on twice: its machine was put to sleep, or copied while it ran.
//!
//! The clock of the driver stands still meanwhile on some systems, so a pause alone does not show it; the date does, once the
//! system has set it right. What was copied and goes on before that cannot be told.

use std::time::{Duration, SystemTime};

use swim_core::Instant;

/// What both clocks said last.
#[derive(Debug)]
pub(super) struct Copies {
    now: Instant,
    date: SystemTime,
}

impl Copies {
    pub(super) fn new(now: Instant, date: SystemTime) -> Self {
        Self { now, date }
    }

    /// Whether one clock has gone so much further than the other since the last call, or the date went back.
    pub(super) fn have_parted(&mut self, now: Instant, date: SystemTime, much: Duration) -> bool {
        let (before, former) = (std::mem::replace(&mut self.now, now), std::mem::replace(&mut self.date, date));
        match date.duration_since(former) {
            Ok(by) => by.abs_diff(now.since(before)) > much,
            Err(back) => back.duration() > much,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_part_are_noticed_once() {
        let much = Duration::from_secs(5);
        let mut date = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let mut copies = Copies::new(Instant::ORIGIN, date);
        let mut now = Instant::ORIGIN;
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
}
