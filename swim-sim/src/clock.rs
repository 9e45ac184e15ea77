//! The clock of one machine: a function of the world's time, and the way back.
//!
//! Invariant: the alarm for a deadline goes off at the first microsecond of the world at which the clock shows it or a
//! later time. One earlier and a node would be woken, find nothing due, and spin.

use swim_core::Instant;

/// A clock is true until it is told to drift or to jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    /// The last change, by the world's time.
    since: Instant,
    /// What the clock showed then.
    shown: Instant,
    /// Microseconds that it goes on in a million of the world's. Never 0: a deadline would not come.
    rate: u32,
}

const MILLION: u32 = 1_000_000;

impl Clock {
    /// A clock that shows the world's time.
    pub(crate) const TRUE: Self = Self { since: Instant::ORIGIN, shown: Instant::ORIGIN, rate: MILLION };

    /// Goes fast or slow from now on, by so many microseconds in a million.
    ///
    /// # Panics
    /// When it would stand still or run backwards.
    pub(crate) fn drift(&mut self, world: Instant, ppm: i32) {
        let Some(rate) = MILLION.checked_add_signed(ppm).filter(|&rate| rate > 0) else {
            panic!("a clock that drifts by {ppm} ppm does not go forward");
        };
        *self = Self { since: world, shown: self.at(world), rate };
    }

    /// Shows another time from now on, and goes on at the same rate.
    pub(crate) fn set(&mut self, world: Instant, shown: Instant) {
        *self = Self { since: world, shown, ..*self };
    }

    /// What it shows at this time of the world.
    pub(crate) fn at(&self, world: Instant) -> Instant {
        let gone = u128::from(world.micros_since(self.since)) * u128::from(self.rate) / u128::from(MILLION);
        self.shown.plus_micros(saturate(gone))
    }

    /// When in the world it first shows this time, or a later one.
    pub(crate) fn when(&self, shown: Instant) -> Instant {
        if shown == Instant::NEVER {
            return Instant::NEVER;
        }
        let to_go = u128::from(shown.micros_since(self.shown)) * u128::from(MILLION);
        self.since.plus_micros(saturate(to_go.div_ceil(u128::from(self.rate))))
    }
}

fn saturate(micros: u128) -> u64 {
    u64::try_from(micros).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Stream};

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn a_true_clock_shows_the_worlds_time() {
        for t in [0, 1, 999_999, u64::MAX - 1, u64::MAX] {
            assert_eq!((Clock::TRUE.at(at(t)), Clock::TRUE.when(at(t))), (at(t), at(t)));
        }
    }

    #[test]
    fn it_drifts_and_jumps_from_where_it_is() {
        let mut clock = Clock::TRUE;
        clock.drift(at(1_000_000), 100_000);
        assert_eq!(clock.at(at(2_000_000)), at(2_100_000));
        clock.set(at(2_000_000), at(500_000));
        assert_eq!((clock.at(at(2_000_000)), clock.at(at(3_000_000))), (at(500_000), at(1_600_000)));
        clock.drift(at(3_000_000), -500_000);
        assert_eq!(clock.at(at(5_000_000)), at(2_600_000));
        assert_eq!(clock.when(at(2_600_000)), at(5_000_000));
    }

    /// The invariant, at rates from a millionth to thousandfold.
    #[test]
    fn an_alarm_goes_off_at_the_first_moment_that_shows_its_deadline() {
        let mut draws = Stream::new(1, Purpose::Network);
        for ppm in [-999_999, -999_000, -300_000, -1, 0, 1, 7, 333_333, 1_000_000, 999_000_000] {
            let mut clock = Clock::TRUE;
            clock.set(at(12_345), at(draws.within(0, 1_000_000)));
            clock.drift(at(23_456), ppm);
            for _ in 0..1_000 {
                let now = at(draws.within(23_456, 10_000_000));
                let deadline = clock.at(now).plus_micros(draws.within(1, 1_000_000));
                let alarm = clock.when(deadline);
                assert!(alarm > now && clock.at(alarm) >= deadline, "{ppm} ppm, at {now:?} for {deadline:?}");
                assert!(clock.at(alarm.minus_micros(1)) < deadline, "{ppm} ppm: {alarm:?} is late for {deadline:?}");
            }
        }
    }

    #[test]
    fn what_it_has_passed_is_due_and_never_is_never() {
        let mut clock = Clock::TRUE;
        clock.set(at(10), at(1_000));
        assert_eq!(clock.when(at(999)), at(10));
        assert_eq!(clock.when(Instant::NEVER), Instant::NEVER);
        clock.drift(at(10), -999_999);
        assert_eq!(clock.when(at(u64::MAX - 1)), Instant::NEVER, "further than time goes");
    }

    #[test]
    #[should_panic(expected = "does not go forward")]
    fn it_cannot_stand_still() {
        let mut clock = Clock::TRUE;
        clock.drift(at(0), -1_000_000);
    }
}
