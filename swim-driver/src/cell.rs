//! The place where a pump publishes its view and where handles find it.
//!
//! Invariants: version and contents change under one lock, so no version is ever ahead of its contents; and once a pump
//! has ended nothing changes any more. Readers hold the lock as long as it takes to count one reference up.

use std::sync::Arc;
use std::time::Duration;

use crate::sync::{Condvar, Mutex, deadline, lock, wait_until};

/// `T` is [`crate::View`]; what it is does not matter here.
#[derive(Debug)]
pub(crate) struct ViewCell<T> {
    state: Mutex<State<T>>,
    /// The view has changed, or the pump has ended.
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    view: Arc<T>,
    closed: bool,
    /// Threads that wait for `changed`. Nobody waiting is the rule, and then nobody need be notified.
    waiting: usize,
}

impl<T> ViewCell<T> {
    pub(crate) fn new(view: T) -> Self {
        Self { state: Mutex::new(State { view: Arc::new(view), closed: false, waiting: 0 }), changed: Condvar::new() }
    }

    pub(crate) fn get(&self) -> Arc<T> {
        Arc::clone(&lock(&self.state).view)
    }

    /// Lets `edit` change the view, and wakes those who wait when it says that it did. What a reader holds is not to
    /// be touched; `Arc::make_mut` sees to that, and copies nothing where nobody reads.
    pub(crate) fn publish(&self, edit: impl FnOnce(&mut Arc<T>) -> bool) {
        let mut state = lock(&self.state);
        let changed = edit(&mut state.view);
        let awaited = state.waiting > 0;
        drop(state);
        if changed && awaited {
            self.changed.notify_all();
        }
    }

    pub(crate) fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_all();
    }

    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    /// Waits until the view is as wanted and returns it; `None` at the timeout or when it can never be.
    pub(crate) fn wait_view(&self, timeout: Duration, wanted: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        self.wait(timeout, |state| {
            if wanted(&state.view) { Some(Some(Arc::clone(&state.view))) } else { state.closed.then_some(None) }
        })
        .flatten()
    }

    /// Waits until the pump has ended; `false` at the timeout.
    pub(crate) fn wait_closed(&self, timeout: Duration) -> bool {
        self.wait(timeout, |state| state.closed.then_some(())).is_some()
    }

    fn wait<R>(&self, timeout: Duration, done: impl Fn(&State<T>) -> Option<R>) -> Option<R> {
        let deadline = deadline(timeout);
        let mut state = lock(&self.state);
        loop {
            let result = done(&state);
            if result.is_some() {
                return result;
            }
            state.waiting += 1;
            let expired;
            (state, expired) = wait_until(&self.changed, state, deadline);
            state.waiting -= 1;
            if expired {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests;
