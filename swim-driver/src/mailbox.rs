//! Commands on their way from the embedder's threads to the node, and answers of the resolver on their way to the pump.
//!
//! Invariants: an accepted command is taken exactly once, in the order of acceptance, unless the pump is dropped with the
//! command still inside, and then it is counted as undelivered; an answer is never refused and is taken once, before all
//! commands, unless the mailbox is closed with it inside, and then it is dropped and not counted, since nobody wants to
//! know; either is visible to [`Mailbox::is_empty`] before the waker is called for it, so a driver that looks, then waits,
//! and looks again when it is woken, sleeps through none; and no foreign code (the waker) runs under the lock.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{self, Context, Poll};
use std::time::Duration;

use swim_core::{Command, Profile, TooLong};

use crate::advertise::OnlyHere;
#[cfg(feature = "aead")]
use crate::seal::Keyring;
use crate::seed::Name;
use crate::sync::{AtomicBool, Mutex, Ordering, lock};

/// A command that owns what it speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The names are not the node's business: it is given their addresses by another order once they are known.
    Join {
        addrs: Box<[SocketAddr]>,
        names: Box<[Name]>,
    },
    Seeds(Box<[SocketAddr]>),
    Leave,
    SetProfile(Profile),
    Broadcast {
        topic: Box<str>,
        payload: Box<[u8]>,
    },
    Put {
        key: Box<str>,
        value: Box<[u8]>,
        ttl: Option<Duration>,
    },
    Delete {
        key: Box<str>,
    },
}

impl Order {
    pub(crate) fn as_command(&self) -> Command<'_> {
        match self {
            Self::Join { addrs, .. } => Command::Join(addrs),
            Self::Seeds(addrs) => Command::Seeds(addrs),
            Self::Leave => Command::Leave,
            Self::SetProfile(profile) => Command::SetProfile(profile),
            Self::Broadcast { topic, payload } => Command::Broadcast { topic, payload },
            Self::Put { key, value, ttl } => Command::Put { key, value, ttl: *ttl },
            Self::Delete { key } => Command::Delete { key },
        }
    }

    /// Whether it is one of those that [`crate::own_state::OwnState`] numbers.
    pub(crate) fn is_of_state(&self) -> bool {
        matches!(self, Self::Put { .. } | Self::Delete { .. })
    }
}

/// What the resolver has found for one of the node's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Which name, counted in the order in which the node came to know them.
    pub(crate) at: usize,
    /// Empty when the resolver has failed.
    pub(crate) addrs: Box<[SocketAddr]>,
}

/// Why a command was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CommandError {
    /// The driver has ended, or is gone: nobody will ever take a command again.
    Closed,
    /// [`Mailbox::CAPACITY`] commands are waiting. The driver is not being run, or less often than commands come.
    Full,
    /// A join names more seeds than the node keeps.
    TooManySeeds {
        /// How many it names.
        seeds: usize,
        /// How many are kept: `Config::seeds_max`.
        max: usize,
    },
    /// A join names a seed on another machine, and the node advertises an address that means another node there.
    OnlyHere(OnlyHere),
    /// The node was started without a keyring, and so it stays: start it again with one, and with a date until which it hears
    /// those that have none.
    NotSealed,
    /// A rumor or an entry can never be sent, whoever asks for it.
    TooLong(TooLong),
    /// A put finds no room in this node's state: delete entries first, or make them smaller.
    StateFull {
        /// What all entries would count with it: keys, values, and `Config::ENTRY_COST` each.
        bytes: usize,
        /// How many there may be: `Config::state_bytes`.
        max: usize,
    },
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the driver has ended: bind again to come back"),
            Self::Full => write!(
                f,
                "{} commands are waiting and the driver takes none: make sure it is run, then try again",
                Mailbox::CAPACITY
            ),
            Self::TooManySeeds { seeds, max } => write!(
                f,
                "{seeds} seeds are named, and at most {max} are kept: name fewer (one that is up is enough), or raise \
                 `seeds_max` in the config"
            ),
            Self::OnlyHere(e) => write!(f, "{e}"),
            Self::NotSealed => f.write_str(
                "the node was started without a keyring: start it again with one, and let it migrate while others have none",
            ),
            Self::TooLong(e) => write!(f, "{e}"),
            Self::StateFull { bytes, max } => write!(
                f,
                "this node's state would count {bytes} bytes (keys, values, and {} for each entry), and at most {max} may be \
                 there: delete entries first, or raise `state_bytes` in the config of all nodes",
                swim_core::Config::ENTRY_COST
            ),
        }
    }
}

impl std::error::Error for CommandError {}

/// Wakes the thread that runs the pump. It is called from any thread and must not block.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// The bounded queue of commands between handles and pump, and the place where resolved names come back.
///
/// A binding's part: give a waker before the first wait, wait only when [`Self::is_empty`], and let
/// [`crate::Pump::command`] take one command at a time until it is empty.
pub struct Mailbox {
    /// Whether there is something to take. Written under the lock, read without it.
    pending: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Order>,
    /// What the resolver has found. A name has one query under way at a time, so there are never more than names.
    answers: VecDeque<Answer>,
    /// The keyring to seal with from now on. Only the newest counts, so this needs no place in the queue.
    #[cfg(feature = "aead")]
    keyring: Option<Keyring>,
    /// The last handle is gone: one more leave is due, behind everything that was accepted. It needs no place in the
    /// queue, so it cannot be refused.
    goodbye: bool,
    closed: bool,
    /// Accepted, and still inside when the pump was dropped; and keyrings whose place a newer one has taken.
    undelivered: usize,
    waker: Option<Wake>,
}

/// Whom to tell: a thread, or a task.
enum Wake {
    Thread(Waker),
    Task(task::Waker),
}

impl Wake {
    fn wake(self) {
        match self {
            Self::Thread(waker) => waker(),
            Self::Task(waker) => waker.wake(),
        }
    }
}

/// Whom to wake for an order that was accepted, once no lock is held.
#[must_use]
pub(crate) struct Due(Option<Wake>);

impl Due {
    pub(crate) fn wake(self) {
        wake(self.0);
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.answers.is_empty() && !self.goodbye && !self.has_keyring()
    }

    #[cfg(feature = "aead")]
    fn has_keyring(&self) -> bool {
        self.keyring.is_some()
    }

    #[cfg(not(feature = "aead"))]
    fn has_keyring(&self) -> bool {
        false
    }

    /// Whom to wake for what was put in: a thread each time; a task once, since it asks again before it waits again. To
    /// clone its waker would be foreign code under the lock.
    fn whom_to_wake(&mut self) -> Option<Wake> {
        match &self.waker {
            Some(Wake::Thread(waker)) => Some(Wake::Thread(Arc::clone(waker))),
            Some(Wake::Task(_)) | None => self.waker.take(),
        }
    }
}

impl Mailbox {
    /// Most commands that wait at a time.
    pub const CAPACITY: usize = 1_024;

    pub(crate) fn new() -> Self {
        Self { pending: AtomicBool::new(false), state: Mutex::default() }
    }

    /// Sets the waker, in place of the one before. It is called after every command that is accepted from now on and
    /// every answer of the resolver, and at once when something is waiting already. It may be called once more just after
    /// it was replaced or the pump has ended.
    pub fn set_waker(&self, waker: Waker) {
        let mut state = lock(&self.state);
        if state.closed {
            return;
        }
        let due = !state.is_empty();
        // The former waker is foreign code too: it is dropped when the lock is no longer held.
        let former = state.waker.replace(Wake::Thread(Arc::clone(&waker)));
        drop(state);
        drop(former);
        if due {
            waker();
        }
    }

    /// For a pump that runs as a task: ready when there is something to take; until then the task is woken when there is. It
    /// takes the place of [`Self::set_waker`], and the last caller is the one that is woken.
    pub fn poll_pending(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_empty() {
            return Poll::Ready(());
        }
        // Cloned and dropped when the lock is not held: it is foreign code.
        let waker = cx.waker().clone();
        let mut state = lock(&self.state);
        if !state.is_empty() {
            return Poll::Ready(());
        }
        if state.closed {
            return Poll::Pending;
        }
        let former = state.waker.replace(Wake::Task(waker));
        drop(state);
        drop(former);
        Poll::Pending
    }

    /// Whether there is nothing to take: one atomic load. When it says so, the waker is called after the next command or
    /// answer was put in.
    pub fn is_empty(&self) -> bool {
        !self.pending.load(Ordering::Acquire)
    }

    pub(crate) fn push(&self, order: Order) -> Result<(), CommandError> {
        self.enqueue(order).map(Due::wake)
    }

    /// The same, for a caller that holds a lock and must wake nobody meanwhile.
    pub(crate) fn enqueue(&self, order: Order) -> Result<Due, CommandError> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(CommandError::Closed);
        }
        if state.queue.len() >= Self::CAPACITY {
            return Err(CommandError::Full);
        }
        state.queue.push_back(order);
        self.pending.store(true, Ordering::Release);
        Ok(Due(state.whom_to_wake()))
    }

    /// A keyring for the envelope, in the place of one that was not taken yet. It is taken before everything else.
    #[cfg(feature = "aead")]
    pub(crate) fn put_keyring(&self, ring: Keyring) -> Result<(), CommandError> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(CommandError::Closed);
        }
        let former = state.keyring.replace(ring);
        state.undelivered += usize::from(former.is_some());
        self.pending.store(true, Ordering::Release);
        let waker = state.whom_to_wake();
        drop(state);
        drop(former);
        wake(waker);
        Ok(())
    }

    #[cfg(feature = "aead")]
    pub(crate) fn take_keyring(&self) -> Option<Keyring> {
        if self.is_empty() {
            return None;
        }
        let mut state = lock(&self.state);
        let ring = state.keyring.take();
        self.pending.store(!state.is_empty(), Ordering::Release);
        ring
    }

    /// The last handle is gone: the node is asked to leave after everything else.
    pub(crate) fn goodbye(&self) {
        let mut state = lock(&self.state);
        if state.closed {
            return;
        }
        state.goodbye = true;
        self.pending.store(true, Ordering::Release);
        let waker = state.whom_to_wake();
        drop(state);
        wake(waker);
    }

    /// A query that was under way is answered. It is no command, so it is neither refused nor counted; whoever has closed
    /// does not want to know.
    pub(crate) fn answer(&self, answer: Answer) {
        let mut state = lock(&self.state);
        if state.closed {
            return;
        }
        debug_assert!(
            state.answers.iter().all(|other| other.at != answer.at),
            "a name has one query under way at a time"
        );
        state.answers.push_back(answer);
        self.pending.store(true, Ordering::Release);
        let waker = state.whom_to_wake();
        drop(state);
        wake(waker);
    }

    pub(crate) fn take_answer(&self) -> Option<Answer> {
        if self.is_empty() {
            return None;
        }
        let mut state = lock(&self.state);
        let answer = state.answers.pop_front();
        self.pending.store(!state.is_empty(), Ordering::Release);
        answer
    }

    pub(crate) fn take(&self) -> Option<Order> {
        if self.is_empty() {
            return None;
        }
        let mut state = lock(&self.state);
        let order = match state.queue.pop_front() {
            Some(order) => Some(order),
            None => std::mem::take(&mut state.goodbye).then_some(Order::Leave),
        };
        self.pending.store(!state.is_empty(), Ordering::Release);
        order
    }

    /// Closes, unless an accepted command is still to be delivered. Says whether it is closed.
    ///
    /// A goodbye does not count as one: this is asked once the node has left, and then it has been granted.
    pub(crate) fn close_if_delivered(&self) -> bool {
        let mut state = lock(&self.state);
        if !state.queue.is_empty() || state.has_keyring() {
            return false;
        }
        let waker = self.shut(&mut state);
        drop(state);
        drop(waker);
        true
    }

    /// Closes, come what may. What is still inside is counted as undelivered.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        let waker = self.shut(&mut state);
        drop(state);
        drop(waker);
    }

    /// Returns the waker, which nobody needs any more, to be dropped when the lock is no longer held.
    #[must_use]
    fn shut(&self, state: &mut State) -> Option<Wake> {
        state.closed = true;
        state.goodbye = false;
        state.undelivered += state.queue.len() + usize::from(state.has_keyring());
        state.queue = VecDeque::new();
        state.answers = VecDeque::new();
        #[cfg(feature = "aead")]
        drop(state.keyring.take());
        self.pending.store(false, Ordering::Release);
        state.waker.take()
    }

    pub(crate) fn undelivered(&self) -> usize {
        lock(&self.state).undelivered
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.state);
        f.debug_struct("Mailbox").field("waiting", &state.queue.len()).field("closed", &state.closed).finish()
    }
}

fn wake(waker: Option<Wake>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
