//! What happens, on its way to the embedder's threads.
//!
//! One bounded ring for all subscribers, each of which remembers its place in it. Invariant: a subscriber is given every
//! item from its beginning on that it wants, in order, or is told how many it has missed; the pump never waits for one.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::events::{RecvError, RecvTimeoutError, TryRecvError};
use crate::sync::{Arc, Condvar, Mutex, MutexGuard, deadline, lock, wait_until};
use crate::waiters::{self, Waiters, Woken};

/// What goes through a ring.
pub(crate) trait Item: Clone {
    /// What a subscriber may leave out.
    type Wanted;

    /// Items that a subscriber may be behind before it misses the oldest.
    const CAPACITY: usize = CAPACITY;

    /// What stands for so many that a subscriber has missed.
    fn lagged(missed: u64) -> Self;

    /// How many it stands for: one, or what it says that are missing.
    fn weight(&self) -> u64;

    /// Whether this subscriber is given it. One that says that others are missing always is.
    fn is_wanted(&self, wanted: &Self::Wanted) -> bool;
}

/// A point in the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    /// Items before it.
    index: u64,
    /// The same, but with those that were missing before, in the place of what says so.
    weight: u64,
}

impl Place {
    fn pass(&mut self, item: &impl Item) {
        self.index += 1;
        self.weight = self.weight.saturating_add(item.weight());
    }
}

#[derive(Debug)]
pub(crate) struct Ring<T> {
    state: Mutex<State<T>>,
    /// There are items, or there will be none any more.
    arrived: Condvar,
}

#[derive(Debug)]
struct State<T> {
    /// The items from `first` to `next`; none while nobody listens, nor when a sole subscriber has had all.
    items: VecDeque<T>,
    first: Place,
    next: Place,
    subscribers: usize,
    /// Threads that wait for `arrived`. Nobody waiting is the rule, and then nobody need be notified.
    waiting: usize,
    /// Tasks that wait for the same.
    tasks: Waiters,
    closed: bool,
    /// Items that subscribers were told they have missed.
    missed: u64,
}

impl<T: Item> Ring<T> {
    pub(crate) const CAPACITY: usize = T::CAPACITY;

    pub(crate) fn push(&self, items: &[T]) {
        if items.is_empty() {
            return;
        }
        let mut state = lock(&self.state);
        if state.subscribers == 0 {
            return;
        }
        for item in items {
            state.push(item);
        }
        let (awaited, tasks) = (state.waiting > 0, state.tasks.take());
        drop(state);
        if awaited {
            self.arrived.notify_all();
        }
        tasks.wake();
    }

    /// Whether anybody listens. Who subscribes afterwards is given nothing of what was before.
    pub(crate) fn is_heard(&self) -> bool {
        lock(&self.state).subscribers > 0
    }

    /// No more items will come; those that are in the ring can still be received. Returns the tasks that wait, for the
    /// caller to wake.
    pub(crate) fn close(&self) -> Woken {
        let mut state = lock(&self.state);
        state.closed = true;
        let tasks = state.tasks.take();
        drop(state);
        self.arrived.notify_all();
        tasks
    }

    /// How many tasks wait.
    #[cfg(test)]
    pub(crate) fn tasks(&self) -> usize {
        lock(&self.state).tasks.len()
    }

    pub(crate) fn missed(&self) -> u64 {
        lock(&self.state).missed
    }
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        let state = State {
            items: VecDeque::new(),
            first: Place::default(),
            next: Place::default(),
            subscribers: 0,
            waiting: 0,
            tasks: Waiters::default(),
            closed: false,
            missed: 0,
        };
        Self { state: Mutex::new(state), arrived: Condvar::new() }
    }
}

impl<T: Item> State<T> {
    fn push(&mut self, item: &T) {
        if self.items.len() == Ring::<T>::CAPACITY {
            let oldest = self.items.pop_front().expect("a full ring is not empty");
            self.first.pass(&oldest);
        }
        self.items.push_back(item.clone());
        self.next.pass(item);
    }

    /// The item at this place, which moves on, past those that are not wanted; `None` when it has not come yet.
    fn receive(&mut self, at: &mut Place, wanted: &T::Wanted) -> Option<T> {
        loop {
            let Some(offset) = at.index.checked_sub(self.first.index) else {
                let missed = self.first.weight - at.weight;
                self.missed += missed;
                *at = self.first;
                return Some(T::lagged(missed));
            };
            let item = self.items.get(usize::try_from(offset).ok()?)?;
            at.pass(item);
            let found = item.is_wanted(wanted).then(|| item.clone());
            if self.subscribers == 1 && at.index == self.next.index {
                // Nobody else is to be given them, and who subscribes now is not.
                self.items.clear();
                self.first = self.next;
            }
            if found.is_some() {
                return found;
            }
        }
    }
}

/// A place in a ring: what [`crate::Events`] and [`crate::Rumors`] are.
pub(crate) struct Subscription<T: Item> {
    ring: Arc<Ring<T>>,
    at: Place,
    wanted: T::Wanted,
    /// Where the task that reads this waits.
    wait: waiters::Place,
}

impl<T: Item> Subscription<T> {
    pub(crate) fn new(ring: &Arc<Ring<T>>, wanted: T::Wanted) -> Self {
        let mut state = lock(&ring.state);
        state.subscribers += 1;
        let at = state.next;
        drop(state);
        Self { ring: Arc::clone(ring), at, wanted, wait: waiters::Place::default() }
    }

    pub(crate) fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let mut state = lock(&self.ring.state);
        match state.receive(&mut self.at, &self.wanted) {
            Some(item) => Ok(item),
            None if state.closed => Err(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }

    pub(crate) fn recv(&mut self) -> Result<T, RecvError> {
        loop {
            // A wait without end ends for one reason only.
            match self.recv_timeout(Duration::MAX) {
                Ok(item) => return Ok(item),
                Err(RecvTimeoutError::Closed) => return Err(RecvError),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    pub(crate) fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        let deadline = deadline(timeout);
        let mut state = lock(&self.ring.state);
        loop {
            if let Some(item) = state.receive(&mut self.at, &self.wanted) {
                return Ok(item);
            }
            if state.closed {
                return Err(RecvTimeoutError::Closed);
            }
            let expired;
            (state, expired) = Self::wait(&self.ring, state, deadline);
            if expired {
                return Err(RecvTimeoutError::Timeout);
            }
        }
    }

    /// Given up at any time, it leaves nothing behind.
    pub(crate) async fn recv_async(&mut self) -> Result<T, RecvError> {
        let wait = Wait(self);
        poll_fn(|cx| wait.0.poll_recv(cx)).await
    }

    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, RecvError>> {
        match self.try_recv() {
            Ok(item) => return Poll::Ready(Ok(item)),
            Err(TryRecvError::Closed) => return Poll::Ready(Err(RecvError)),
            Err(TryRecvError::Empty) => {}
        }
        // Cloned when the lock is not held: it is foreign code. So it is looked once more.
        let waker = cx.waker().clone();
        let mut state = lock(&self.ring.state);
        if let Some(item) = state.receive(&mut self.at, &self.wanted) {
            return Poll::Ready(Ok(item));
        }
        if state.closed {
            return Poll::Ready(Err(RecvError));
        }
        let former = state.tasks.enter(&mut self.wait, waker);
        drop(state);
        drop(former);
        Poll::Pending
    }

    /// Items between its place and the newest, wanted or not.
    fn behind(&self) -> u64 {
        lock(&self.ring.state).next.index - self.at.index
    }

    /// Whoever waits here does so no longer.
    fn forget_task(&mut self) {
        if self.wait.is_taken() {
            let former = lock(&self.ring.state).tasks.leave(&mut self.wait);
            drop(former);
        }
    }

    fn wait<'a>(
        ring: &'a Ring<T>,
        mut state: MutexGuard<'a, State<T>>,
        deadline: Option<std::time::Instant>,
    ) -> (MutexGuard<'a, State<T>>, bool) {
        state.waiting += 1;
        let (mut state, expired) = wait_until(&ring.arrived, state, deadline);
        state.waiting -= 1;
        (state, expired)
    }
}

/// One call's wait. Given up, the task is forgotten here.
struct Wait<'a, T: Item>(&'a mut Subscription<T>);

impl<T: Item> Drop for Wait<'_, T> {
    fn drop(&mut self) {
        self.0.forget_task();
    }
}

impl<T: Item> Drop for Subscription<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.ring.state);
        state.subscribers -= 1;
        if state.subscribers == 0 {
            state.items = VecDeque::new();
            state.first = state.next;
        }
        let former = state.tasks.leave(&mut self.wait);
        drop(state);
        drop(former);
    }
}

impl<T: Item> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("behind", &self.behind()).finish_non_exhaustive()
    }
}

#[cfg(not(loom))]
const CAPACITY: usize = 1_024;
/// So few that a model laps them.
#[cfg(loom)]
const CAPACITY: usize = 2;

#[cfg(all(test, not(loom)))]
mod tests;
