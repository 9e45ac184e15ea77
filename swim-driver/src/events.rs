//! Events on their way to the embedder's threads.
//!
//! One bounded ring for all subscribers, each of which remembers its place in it. Invariant: a subscriber is given every
//! event from its beginning on, in order, or is told how many it has missed; the pump never waits for one.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use swim_core::Event;

use crate::sync::{Arc, Condvar, Mutex, MutexGuard, deadline, lock, wait_until};
use crate::waiters::{self, Waiters, Woken};

/// A point in the stream of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    /// Events before it.
    index: u64,
    /// The same, but with those that the node had dropped itself in the place of its `Lagged`.
    weight: u64,
}

impl Place {
    fn pass(&mut self, event: &Event) {
        self.index += 1;
        self.weight = self.weight.saturating_add(match *event {
            Event::Lagged { missed } => missed,
            _ => 1,
        });
    }
}

#[derive(Debug, Default)]
pub(crate) struct EventRing {
    state: Mutex<State>,
    /// There are events, or there will be none any more.
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The events from `first` to `next`; none while nobody listens, nor when a sole subscriber has had all.
    events: VecDeque<Event>,
    first: Place,
    next: Place,
    subscribers: usize,
    /// Threads that wait for `arrived`. Nobody waiting is the rule, and then nobody need be notified.
    waiting: usize,
    /// Tasks that wait for the same.
    tasks: Waiters,
    closed: bool,
    /// Events that subscribers were told they have missed.
    missed: u64,
}

impl EventRing {
    /// Events that a subscriber may be behind before it misses the oldest.
    #[cfg(not(loom))]
    pub(crate) const CAPACITY: usize = 1_024;
    /// So few that a model laps them.
    #[cfg(loom)]
    pub(crate) const CAPACITY: usize = 2;

    pub(crate) fn push(&self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        let mut state = lock(&self.state);
        if state.subscribers == 0 {
            return;
        }
        for event in events {
            state.push(event);
        }
        let (awaited, tasks) = (state.waiting > 0, state.tasks.take());
        drop(state);
        if awaited {
            self.arrived.notify_all();
        }
        tasks.wake();
    }

    /// No more events will come; those that are in the ring can still be received. Returns the tasks that wait, for the
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

impl State {
    fn push(&mut self, event: &Event) {
        if self.events.len() == EventRing::CAPACITY {
            let oldest = self.events.pop_front().expect("a full ring is not empty");
            self.first.pass(&oldest);
        }
        self.events.push_back(*event);
        self.next.pass(event);
    }

    /// The event at this place, which moves on; `None` when it has not come yet.
    fn receive(&mut self, at: &mut Place) -> Option<Event> {
        let Some(offset) = at.index.checked_sub(self.first.index) else {
            let missed = self.first.weight - at.weight;
            self.missed += missed;
            *at = self.first;
            return Some(Event::Lagged { missed });
        };
        let event = *self.events.get(usize::try_from(offset).ok()?)?;
        at.pass(&event);
        if self.subscribers == 1 && at.index == self.next.index {
            // Nobody else is to be given them, and who subscribes now is not.
            self.events.clear();
            self.first = self.next;
        }
        Some(event)
    }
}

/// A subscription to a node's events, from the moment it was made on.
///
/// Every subscription is given every event. One that is more than 1024 events behind is given [`Event::Lagged`] in place
/// of those it has missed; then read [`crate::Handle::view`] afresh. Whoever subscribes first and reads the view then
/// misses nothing between the two. When an event is received, the view contains its effect already (as far as it
/// shows members at all: [`crate::Setup::publish_members`]).
///
/// After the last event of a driver that has ended, everything returns *closed*. A subscription does not keep the node
/// in its cluster; handles do.
pub struct Events {
    ring: Arc<EventRing>,
    at: Place,
    /// Where the task that reads this waits.
    wait: waiters::Place,
}

impl Events {
    pub(crate) fn new(ring: &Arc<EventRing>) -> Self {
        let mut state = lock(&ring.state);
        state.subscribers += 1;
        let at = state.next;
        drop(state);
        Self { ring: Arc::clone(ring), at, wait: waiters::Place::default() }
    }

    /// The next event, if it is there.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] when there is none now, [`TryRecvError::Closed`] when there will be none any more.
    pub fn try_recv(&mut self) -> Result<Event, TryRecvError> {
        let mut state = lock(&self.ring.state);
        match state.receive(&mut self.at) {
            Some(event) => Ok(event),
            None if state.closed => Err(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }

    /// The next event; blocks the thread until it comes.
    ///
    /// # Errors
    /// [`RecvError`] when there will be none any more.
    pub fn recv(&mut self) -> Result<Event, RecvError> {
        loop {
            // A wait without end ends for one reason only.
            match self.recv_timeout(Duration::MAX) {
                Ok(event) => return Ok(event),
                Err(RecvTimeoutError::Closed) => return Err(RecvError),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// The next event; blocks the thread until it comes, but no longer than `timeout`.
    ///
    /// # Errors
    /// [`RecvTimeoutError::Timeout`] when none came in time, [`RecvTimeoutError::Closed`] when there will be none any
    /// more.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Event, RecvTimeoutError> {
        let deadline = deadline(timeout);
        let mut state = lock(&self.ring.state);
        loop {
            if let Some(event) = state.receive(&mut self.at) {
                return Ok(event);
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

    /// The next event; the task waits until it comes.
    ///
    /// May be given up at any time, in a `select!` for example: an event is received by whoever was ready, or by the next
    /// call.
    ///
    /// # Errors
    /// [`RecvError`] when there will be none any more.
    pub async fn recv_async(&mut self) -> Result<Event, RecvError> {
        let wait = Wait(self);
        poll_fn(|cx| wait.0.poll_recv(cx)).await
    }

    /// The next event; when there is none yet the task is woken when it comes. The last task that has asked is the one that
    /// is woken.
    ///
    /// # Errors
    /// [`RecvError`] when there will be none any more.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, RecvError>> {
        match self.try_recv() {
            Ok(event) => return Poll::Ready(Ok(event)),
            Err(TryRecvError::Closed) => return Poll::Ready(Err(RecvError)),
            Err(TryRecvError::Empty) => {}
        }
        // Cloned when the lock is not held: it is foreign code. So it is looked once more.
        let waker = cx.waker().clone();
        let mut state = lock(&self.ring.state);
        if let Some(event) = state.receive(&mut self.at) {
            return Poll::Ready(Ok(event));
        }
        if state.closed {
            return Poll::Ready(Err(RecvError));
        }
        let former = state.tasks.enter(&mut self.wait, waker);
        drop(state);
        drop(former);
        Poll::Pending
    }

    /// Whoever waits here does so no longer.
    fn forget_task(&mut self) {
        if self.wait.is_taken() {
            let former = lock(&self.ring.state).tasks.leave(&mut self.wait);
            drop(former);
        }
    }

    fn wait<'a>(
        ring: &'a EventRing,
        mut state: MutexGuard<'a, State>,
        deadline: Option<std::time::Instant>,
    ) -> (MutexGuard<'a, State>, bool) {
        state.waiting += 1;
        let (mut state, expired) = wait_until(&ring.arrived, state, deadline);
        state.waiting -= 1;
        (state, expired)
    }
}

/// One call's wait. Given up, the task is forgotten here.
struct Wait<'a>(&'a mut Events);

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.0.forget_task();
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let mut state = lock(&self.ring.state);
        state.subscribers -= 1;
        if state.subscribers == 0 {
            state.events = VecDeque::new();
            state.first = state.next;
        }
        let former = state.tasks.leave(&mut self.wait);
        drop(state);
        drop(former);
    }
}

/// All events, until there will be none any more.
impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_recv(cx).map(Result::ok)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let behind = lock(&self.ring.state).next.index - self.at.index;
        f.debug_struct("Events").field("behind", &behind).finish_non_exhaustive()
    }
}

/// Why there is no event now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TryRecvError {
    /// None has come since the last.
    Empty,
    /// The driver has ended and all its events were received.
    Closed,
}

/// Why no event was received in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecvTimeoutError {
    /// None came in time.
    Timeout,
    /// The driver has ended and all its events were received.
    Closed,
}

/// The driver has ended and all its events were received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecvError;

const CLOSED: &str = "the driver has ended, and so have its events";

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "no event has come since the last",
            Self::Closed => CLOSED,
        })
    }
}

impl fmt::Display for RecvTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "no event came in time",
            Self::Closed => CLOSED,
        })
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CLOSED)
    }
}

impl std::error::Error for TryRecvError {}
impl std::error::Error for RecvTimeoutError {}
impl std::error::Error for RecvError {}

#[cfg(all(test, not(loom)))]
mod tests;
