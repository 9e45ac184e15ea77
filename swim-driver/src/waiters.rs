//! Tasks that wait for something which happens under a lock.
//!
//! Invariants: a task is in here at most once per wait, and not after its wait has ended; and wakers, which are foreign
//! code, are neither cloned, called nor dropped under the lock.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Those who wait. It belongs into the state that the lock protects.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    next: u64,
    tasks: BTreeMap<u64, Waker>,
}

/// One wait's place, from its first poll on.
#[derive(Debug, Default)]
pub(crate) struct Place(Option<u64>);

impl Waiters {
    /// Enters a task, or replaces its waker. Returns the former one, to be dropped when the lock is no longer held.
    #[must_use]
    pub(crate) fn enter(&mut self, place: &mut Place, waker: Waker) -> Option<Waker> {
        let key = *place.0.get_or_insert_with(|| {
            self.next += 1;
            self.next
        });
        self.tasks.insert(key, waker)
    }

    /// The wait has ended, or is given up. Returns the waker, to be dropped when the lock is no longer held.
    #[must_use]
    pub(crate) fn leave(&mut self, place: &mut Place) -> Option<Waker> {
        place.0.take().and_then(|key| self.tasks.remove(&key))
    }

    /// Takes all out, to be woken when the lock is no longer held. Costs nothing when nobody waits.
    #[must_use]
    pub(crate) fn take(&mut self) -> Woken {
        Woken(std::mem::take(&mut self.tasks))
    }
}

#[cfg(test)]
impl Waiters {
    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }
}

impl Place {
    /// Whether its wait has been entered and not left, so that there is something to leave.
    pub(crate) fn is_taken(&self) -> bool {
        self.0.is_some()
    }
}

/// Those who are to be woken, and are: nobody else would wake them.
#[derive(Debug)]
pub(crate) struct Woken(BTreeMap<u64, Waker>);

impl Woken {
    pub(crate) fn wake(mut self) {
        while let Some((_, waker)) = self.0.pop_first() {
            waker.wake();
        }
    }
}

impl Drop for Woken {
    /// A waker has panicked, which is no reason for the others to sleep on.
    fn drop(&mut self) {
        while let Some((_, waker)) = self.0.pop_first() {
            // One panic is under way, and is enough.
            let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
