//! An engine as a task of an asynchronous runtime, whichever it is.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use crate::engine::{Engine, Socket, Step};

/// What a task waits with: a runtime's socket and its timer.
pub trait Reactor: Socket {
    /// Ready when the socket may have something to read; until then the task is woken when it has. Asked only after a read
    /// that found nothing.
    ///
    /// # Errors
    /// Nobody will ever tell: the runtime that watches the socket is gone, for example. It ends the node.
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// From now on [`Self::poll_deadline`] is about this point in time; `None` is never.
    fn set_deadline(&mut self, at: Option<Instant>);

    /// Ready when the deadline has passed; until then the task is woken when it does. Nobody asks again then before the
    /// next is set.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// What a task has asked its reactor for.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    /// The deadline that is set and has not passed. A timer that is left alone costs nothing.
    armed: Option<Option<Instant>>,
}

/// Runs the node until it has left: a [`crate::Handle::leave`], or the last handle was dropped.
///
/// Dropped before, it is gone without a goodbye, and its socket is closed: a task is to be cancelled only to be killed.
/// It never blocks, and yields after a bounded amount of work.
///
/// # Errors
/// The socket is lost for good, or the runtime that watches it. The node is gone then, without a goodbye.
impl<S: Reactor + Unpin> Future for Engine<S> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        for _ in 0..STEPS_PER_POLL {
            match self.step()? {
                Step::Finished => return Poll::Ready(Ok(())),
                Step::Again => {}
                Step::Wait(until) => {
                    ready!(self.poll_wake(cx, until))?;
                }
            }
        }
        // Others on this thread have their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: Reactor> Engine<S> {
    /// Ready when the next step has something to do. All three are asked, so that each wakes the task.
    fn poll_wake(&mut self, cx: &mut Context<'_>, until: Option<Instant>) -> Poll<io::Result<()>> {
        let readable = match self.is_resting() {
            false => self.socket_mut().poll_readable(cx)?.is_ready(),
            true => false,
        };
        let told = self.pump().mailbox().poll_pending(cx).is_ready();
        if self.waits.armed != Some(until) {
            self.socket_mut().set_deadline(until);
            self.waits.armed = Some(until);
        }
        let due = self.socket_mut().poll_deadline(cx).is_ready();
        if due {
            self.waits.armed = None;
        }
        if readable || told || due { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

/// A step is bounded by itself; a few of them spare a round through the runtime.
const STEPS_PER_POLL: usize = 4;

#[cfg(all(test, not(loom)))]
mod tests;
