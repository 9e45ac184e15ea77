//! The machine's clock as the core wants it: microseconds since the driver started.

use std::time::{Duration, SystemTime};

use swim_core::Instant;

/// A monotonic clock whose origin is its creation.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: std::time::Instant,
    /// How far the date has jumped ahead.
    #[cfg(all(test, not(loom)))]
    pub(crate) date_ahead: Duration,
}

impl Clock {
    /// A clock that starts at [`Instant::ORIGIN`] now.
    pub fn new() -> Self {
        Self {
            origin: std::time::Instant::now(),
            #[cfg(all(test, not(loom)))]
            date_ahead: Duration::ZERO,
        }
    }

    /// The time. Saturates after half a million years.
    pub fn now(&self) -> Instant {
        Instant::ORIGIN + self.origin.elapsed()
    }

    /// What the system takes for the date, for [`crate::Pump::tell_date`].
    pub fn date(&self) -> SystemTime {
        let date = SystemTime::now();
        #[cfg(all(test, not(loom)))]
        let date = date + self.date_ahead;
        date
    }

    /// How long it is until `at`; zero when it has passed.
    pub fn until(&self, at: Instant) -> Duration {
        at.since(self.now())
    }

    /// A clock that says so much more.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn later(self, time: Duration) -> Self {
        let origin = self.origin.checked_sub(time).expect("the machine runs for longer");
        // The date goes on with it.
        Self { origin, date_ahead: self.date_ahead + time }
    }

    /// The same point on the system's clock; `None` when that cannot express it.
    pub(crate) fn system(&self, at: Instant) -> Option<std::time::Instant> {
        self.origin.checked_add(at.since(Instant::ORIGIN))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_starts_at_the_origin_and_never_turns() {
        let clock = Clock::new();
        let (a, b) = (clock.now(), clock.now());
        assert!(Instant::ORIGIN <= a && a <= b);
    }

    #[test]
    fn what_has_passed_is_now_and_never_is_far() {
        let clock = Clock::new();
        assert_eq!(clock.until(Instant::ORIGIN), Duration::ZERO);
        assert_eq!(clock.until(clock.now()), Duration::ZERO);
        let far = clock.until(clock.now() + Duration::from_secs(60));
        assert!(far <= Duration::from_secs(60) && !far.is_zero());
        assert!(clock.until(Instant::NEVER) > Duration::from_secs(1 << 40));
    }
}
