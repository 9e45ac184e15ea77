//! Everything that crosses threads is built from what this module exports, so that a model checker can take its place:
//! under `cfg(loom)` these are loom's types, and `loom_models` runs what stands on them through all interleavings.
//!
//! Only the two ends, the mailbox, the view cell, the rings of events and rumors, the mirror of the own state, the
//! recorder's ring and the counters use it. What they hand out (`Arc<View>`, the rows in it, rumors, the binding's waker,
//! sealed blocks) is never changed while it is shared, has nothing to interleave, and keeps the standard `Arc`.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(not(loom))]
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};
#[cfg(loom)]
pub(crate) use loom::sync::{Arc, Condvar, Mutex, MutexGuard};

/// Locks, poisoned or not. Nothing under these locks leaves a half-made state behind that a later reader could not
/// bear; and a pump that panics closes all of them while it unwinds, where a second panic would abort the process.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The end of a wait that starts now. `None`, for ever, when the clock cannot express it.
///
/// In a model there is no time: a wait ends at once, when it is for nothing, or never. One that could end by itself would
/// forgive a wake-up that is lost; so it is a deadlock there, and found.
pub(crate) fn deadline(timeout: Duration) -> Option<Instant> {
    let now = Instant::now();
    if cfg!(loom) { timeout.is_zero().then_some(now) } else { now.checked_add(timeout) }
}

/// Waits for a notification, at most until `deadline`. Gives the lock back and whether the deadline has passed;
/// wake-ups without reason are the caller's to bear.
pub(crate) fn wait_until<'a, T>(
    condvar: &Condvar,
    guard: MutexGuard<'a, T>,
    deadline: Option<Instant>,
) -> (MutexGuard<'a, T>, bool) {
    let Some(deadline) = deadline else {
        return (condvar.wait(guard).unwrap_or_else(PoisonError::into_inner), false);
    };
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return (guard, true);
    }
    (condvar.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0, false)
}
