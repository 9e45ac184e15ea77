//! The place where a pump publishes its view and where handles find it.
//!
//! Invariants: version and contents change under one lock, so no version is ever ahead of its contents; and once a pump
//! has ended nothing changes any more. Readers hold the lock as long as it takes to count one reference up.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::sync::{Condvar, Mutex, deadline, lock, wait_until};
use crate::waiters::{Place, Waiters, Woken};

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
    /// Tasks that wait for the same.
    tasks: Waiters,
}

impl<T> ViewCell<T> {
    pub(crate) fn new(view: T) -> Self {
        Self {
            state: Mutex::new(State { view: Arc::new(view), closed: false, waiting: 0, tasks: Waiters::default() }),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn get(&self) -> Arc<T> {
        Arc::clone(&lock(&self.state).view)
    }

    /// Lets `edit` change the view, and wakes those who wait when it says that it did. What a reader holds is not to
    /// be touched; `Arc::make_mut` sees to that, and copies nothing where nobody reads.
    pub(crate) fn publish(&self, edit: impl FnOnce(&mut Arc<T>) -> bool) {
        let mut state = lock(&self.state);
        let changed = edit(&mut state.view);
        if !changed {
            return;
        }
        let (awaited, tasks) = (state.waiting > 0, state.tasks.take());
        drop(state);
        if awaited {
            self.changed.notify_all();
        }
        tasks.wake();
    }

    /// The pump has ended. Returns the tasks that wait, for the caller to wake.
    pub(crate) fn close(&self) -> Woken {
        let mut state = lock(&self.state);
        state.closed = true;
        let tasks = state.tasks.take();
        drop(state);
        self.changed.notify_all();
        tasks
    }

    /// How many tasks wait.
    #[cfg(test)]
    pub(crate) fn tasks(&self) -> usize {
        lock(&self.state).tasks.len()
    }

    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    /// Waits until the view is as wanted and returns it; `None` at the timeout or when it can never be.
    pub(crate) fn wait_view(&self, timeout: Duration, wanted: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        self.wait(timeout, |state| state.wanted(&wanted)).flatten()
    }

    /// The same for a task, without a time-out. Given up at any time, it leaves nothing behind.
    pub(crate) async fn view_when(&self, wanted: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        self.when(|state| state.wanted(&wanted)).await
    }

    /// Waits until the pump has ended; `false` at the timeout.
    pub(crate) fn wait_closed(&self, timeout: Duration) -> bool {
        self.wait(timeout, |state| state.closed.then_some(())).is_some()
    }

    /// The same for a task, without a time-out.
    pub(crate) async fn closed(&self) {
        self.when(|state| state.closed.then_some(())).await;
    }

    /// The same for a task that keeps its place from one poll to the next, and has to [`Self::leave`] it.
    pub(crate) fn poll_view(
        &self,
        place: &mut Place,
        cx: &Context<'_>,
        wanted: impl Fn(&T) -> bool,
    ) -> Poll<Option<Arc<T>>> {
        self.poll(place, cx, |state| state.wanted(&wanted))
    }

    /// Whoever waits there does so no longer.
    pub(crate) fn leave(&self, place: &mut Place) {
        if place.is_taken() {
            let former = lock(&self.state).tasks.leave(place);
            drop(former);
        }
    }

    async fn when<R>(&self, done: impl Fn(&State<T>) -> Option<R>) -> R {
        let mut wait = Wait { cell: self, place: Place::default() };
        poll_fn(|cx| self.poll(&mut wait.place, cx, &done)).await
    }

    fn poll<R>(&self, place: &mut Place, cx: &Context<'_>, done: impl Fn(&State<T>) -> Option<R>) -> Poll<R> {
        let waker = cx.waker().clone();
        let mut state = lock(&self.state);
        if let Some(result) = done(&state) {
            return Poll::Ready(result);
        }
        let former = state.tasks.enter(place, waker);
        drop(state);
        drop(former);
        Poll::Pending
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

impl<T> State<T> {
    /// The view if it is as wanted, and none if it never will be.
    fn wanted(&self, wanted: impl Fn(&T) -> bool) -> Option<Option<Arc<T>>> {
        if wanted(&self.view) { Some(Some(Arc::clone(&self.view))) } else { self.closed.then_some(None) }
    }
}

/// One task's wait. Dropped, it is forgotten here.
struct Wait<'a, T> {
    cell: &'a ViewCell<T>,
    place: Place,
}

impl<T> Drop for Wait<'_, T> {
    fn drop(&mut self) {
        self.cell.leave(&mut self.place);
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
