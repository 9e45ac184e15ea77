//! What changes in the states of members, for those whose keys begin in some way.
//!
//! A watch has no queue. It remembers the view up to which it has told everything, and what it tells next is the difference to
//! the view of now; so its memory is bounded by that difference, whoever falls behind finds a larger one, and no difference
//! between two views can be missed. Views share what did not change between them, and so the difference costs by the change.
//!
//! Invariant: whoever applies the changes in order has, each time there is no other, exactly the entries of the view.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_core::Stream;
use swim_core::NodeId;

use crate::cell::ViewCell;
use crate::events::{RecvError, RecvTimeoutError, TryRecvError};
use crate::state::{EntryView, MemberState};
use crate::sync::{Arc as SharedArc, deadline};
use crate::view::View;
use crate::waiters::Place;

/// What has changed in the state of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An entry is there, or has another value than before.
    Set {
        /// Whose.
        member: NodeId,
        /// The entry.
        entry: EntryView,
    },
    /// An entry is gone: deleted, or its ttl is over, or its member is in another life or forgotten.
    Deleted {
        /// Whose.
        member: NodeId,
        /// What was there last.
        last: EntryView,
    },
    /// In what comes next a value that was there for a while is left out, because the consumer was too slow or the node itself
    /// could not tell. Nothing has to be done for a picture of what is there: the changes behind this bring it up to date.
    Resync,
}

/// Follows the entries of all members whose keys begin with a prefix: [`crate::Handle::watch`].
///
/// First comes all that was there when it was made, in no particular order, then every change. Whoever keeps up is given every
/// value that the node has shown. Whoever does not is given the last: of a key whose value has been replaced meanwhile, more
/// than once, only the newest value comes, and [`Change::Resync`] before it says so; of a key that has come and gone
/// meanwhile, nothing. What is there at the end is never missed.
///
/// A member that is dead keeps its entries until it is forgotten, so they are still there; [`crate::View`] says who is dead.
///
/// After the last change of a driver that has ended, everything returns *closed*. A watch does not keep the node in its cluster;
/// handles do.
pub struct Watch {
    view: SharedArc<ViewCell<View>>,
    prefix: Box<str>,
    /// Up to this one, everything is told but for what is in `due`.
    seen: Arc<View>,
    /// There are values between `seen` and the view before it that are left out.
    resync: bool,
    /// Members with differences that are not told yet.
    due: VecDeque<Difference>,
    /// Where the task that reads this waits.
    wait: Place,
}

/// One member's state then and now, as far as it is not told.
struct Difference {
    member: NodeId,
    then: MemberState,
    now: MemberState,
    /// Entries with the prefix that are through, of each.
    told: (usize, usize),
}

impl Watch {
    pub(crate) fn new(view: &SharedArc<ViewCell<View>>, prefix: &str) -> Self {
        let first = view.get();
        let mut watch = Self {
            view: SharedArc::clone(view),
            prefix: prefix.into(),
            seen: Arc::new(first.before()),
            resync: false,
            due: VecDeque::new(),
            wait: Place::default(),
        };
        watch.turn_to(first);
        // What is there at the beginning has come after others, and nobody was there to see them.
        watch.resync = false;
        watch
    }

    /// The next change, if there is one.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] when there is none now, [`TryRecvError::Closed`] when there will be none any more.
    pub fn try_recv(&mut self) -> Result<Change, TryRecvError> {
        // Whether it has ended is asked first: what the last view shows is there by then.
        let closed = self.view.is_closed();
        let view = self.view.get();
        match self.next(&view) {
            Some(change) => Ok(change),
            None if closed => Err(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }

    /// The next change; blocks the thread until it comes.
    ///
    /// # Errors
    /// [`RecvError`] when there will be none any more.
    pub fn recv(&mut self) -> Result<Change, RecvError> {
        loop {
            // A wait without end ends for one reason only.
            match self.recv_timeout(Duration::MAX) {
                Ok(change) => return Ok(change),
                Err(RecvTimeoutError::Closed) => return Err(RecvError),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// The next change; blocks the thread until it comes, but no longer than `timeout`.
    ///
    /// # Errors
    /// [`RecvTimeoutError::Timeout`] when none came in time, [`RecvTimeoutError::Closed`] when there will be none any more.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Change, RecvTimeoutError> {
        let end = deadline(timeout);
        loop {
            match self.try_recv() {
                Ok(change) => return Ok(change),
                Err(TryRecvError::Closed) => return Err(RecvTimeoutError::Closed),
                Err(TryRecvError::Empty) => {}
            }
            // A view in which nothing of this prefix has changed is no reason to wait for longer.
            let left = end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
            let seen = self.seen.version();
            let newer = self.view.wait_view(left, |view| view.version() != seen);
            if newer.is_none() && !self.view.is_closed() {
                return Err(RecvTimeoutError::Timeout);
            }
        }
    }

    /// The next change; the task waits until it comes.
    ///
    /// May be given up at any time, in a `select!` for example: a change is received by whoever was ready, or by the next
    /// call.
    ///
    /// # Errors
    /// [`RecvError`] when there will be none any more.
    pub async fn recv_async(&mut self) -> Result<Change, RecvError> {
        loop {
            match self.try_recv() {
                Ok(change) => return Ok(change),
                Err(TryRecvError::Closed) => return Err(RecvError),
                Err(TryRecvError::Empty) => {}
            }
            let seen = self.seen.version();
            self.view.view_when(|view| view.version() != seen).await;
        }
    }

    /// The next change; when there is none yet the task is woken when there may be one. The last task that has asked is the one
    /// that is woken.
    ///
    /// # Errors
    /// [`RecvError`] when there will be none any more.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Change, RecvError>> {
        loop {
            match self.try_recv() {
                Ok(change) => return Poll::Ready(Ok(change)),
                Err(TryRecvError::Closed) => return Poll::Ready(Err(RecvError)),
                Err(TryRecvError::Empty) => {}
            }
            let seen = self.seen.version();
            if self.view.poll_view(&mut self.wait, cx, |view| view.version() != seen).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// The next change on the way to this view.
    fn next(&mut self, view: &Arc<View>) -> Option<Change> {
        loop {
            if let Some(first) = self.due.front_mut() {
                if std::mem::take(&mut self.resync) {
                    return Some(Change::Resync);
                }
                match first.next(&self.prefix) {
                    Some(change) => return Some(change),
                    None => drop(self.due.pop_front()),
                }
            } else if Arc::ptr_eq(&self.seen, view) {
                return None;
            } else {
                self.turn_to(Arc::clone(view));
            }
        }
    }

    /// All is told: finds what is to be told up to this view.
    fn turn_to(&mut self, view: Arc<View>) {
        let (due, resync, prefix) = (&mut self.due, &mut self.resync, &*self.prefix);
        self.seen.states_differing(&view, |member, then, now| {
            let difference = Difference { member, then, now, told: (0, 0) };
            let mut all = Difference { then: difference.then.clone(), now: difference.now.clone(), ..difference };
            let mut any = false;
            while let Some(change) = all.next(prefix) {
                any = true;
                *resync |= match change {
                    Change::Set { entry, .. } => !entry.follows(all.then.find(entry.key())),
                    _ => false,
                };
            }
            if any {
                due.push_back(difference);
            }
        });
        self.seen = view;
    }
}

impl Difference {
    /// Walks through both, which are in the order of their keys.
    fn next(&mut self, prefix: &str) -> Option<Change> {
        let (then, now) = (self.then.with_prefix(prefix), self.now.with_prefix(prefix));
        let (member, told) = (self.member, &mut self.told);
        loop {
            return match (then.get(told.0), now.get(told.1)) {
                (Some(last), Some(entry)) if last.key() == entry.key() => {
                    *told = (told.0 + 1, told.1 + 1);
                    if last.is(entry) {
                        continue;
                    }
                    Some(Change::Set { member, entry: entry.clone() })
                }
                (Some(last), entry) if entry.is_none_or(|entry| last.key() < entry.key()) => {
                    told.0 += 1;
                    Some(Change::Deleted { member, last: last.clone() })
                }
                (_, entry) => {
                    told.1 += 1;
                    entry.map(|entry| Change::Set { member, entry: entry.clone() })
                }
            };
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.view.leave(&mut self.wait);
    }
}

/// All changes, until there will be none any more.
impl Stream for Watch {
    type Item = Change;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Change>> {
        self.poll_recv(cx).map(Result::ok)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("prefix", &self.prefix).field("due", &self.due.len()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
