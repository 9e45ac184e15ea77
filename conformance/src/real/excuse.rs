//! When a run that has failed shows nothing, because the machine stood still; and when that is no excuse.

use std::cell::Cell;
use std::time::Duration;

thread_local! {
    /// The longest time that one of the networks of this thread was held up, since that was asked last.
    static HELD_UP: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    /// Something has failed, since that was asked last, that no machine is the reason of.
    static FAILED: Cell<bool> = const { Cell::new(false) };
}

/// A network was held up for so long, at most.
pub(super) fn held_up(longest: Duration) {
    HELD_UP.set(HELD_UP.get().max(longest));
}

/// Ends the run for a reason that is never excused: a driver that fails or hangs, a port that is not free.
pub(super) fn fail(why: &str) -> ! {
    failed();
    panic!("{why}");
}

/// The same for who cannot panic.
pub(super) fn failed() {
    FAILED.set(true);
}

/// The excuse for the runs of this thread since this was asked last, if there is one.
pub(super) fn take() -> Option<String> {
    let (held_up, failed) = (HELD_UP.take(), FAILED.take());
    (held_up >= HELD_UP_MAX && !failed).then(|| format!("the machine held everything up for {held_up:?}"))
}

/// A ping and its ack are four of these, and take less than a probe time-out. Where everybody waits for longer, the living
/// are suspected, as they should be.
const HELD_UP_MAX: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_its_own_is_never_excused() {
        assert_eq!(take(), None);
        held_up(HELD_UP_MAX / 2);
        assert_eq!(take(), None, "that is borne");
        held_up(HELD_UP_MAX);
        assert!(take().is_some() && take().is_none(), "of each run its own");
        held_up(HELD_UP_MAX);
        assert!(std::panic::catch_unwind(|| fail("a driver hangs")).is_err());
        assert_eq!(take(), None);
    }
}
