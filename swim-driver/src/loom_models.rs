//! What crosses threads, run through all interleavings (`cfg(loom)`): a wake-up that is lost is a deadlock here, and found.
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --release --target-dir target/loom -p swim-driver --lib loom
//! ```
//!
//! A model is a story of few threads and few steps, since all its orders are tried. Who waits in one waits without end: it
//! goes on because it is woken, or for no reason at all, which loom tries, too, but never because time passes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc as StdArc;
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::Notify;

mod cell;
mod events;
mod mailbox;
mod pump;
mod recorder;
mod state;

/// What a thread sleeps on, and is woken by.
struct Sleeper(StdArc<Bell>);

struct Bell(Notify);

impl Wake for Bell {
    fn wake(self: StdArc<Self>) {
        self.0.notify();
    }
}

impl Sleeper {
    fn new() -> Self {
        Self(StdArc::new(Bell(Notify::new())))
    }

    fn sleep(&self) {
        self.0.0.wait();
    }

    /// As a thread that waits in a poll is woken.
    fn thread_waker(&self) -> crate::Waker {
        let bell = StdArc::clone(&self.0);
        StdArc::new(move || bell.0.notify())
    }

    /// As a task is woken.
    fn poll<F: Future>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&Waker::from(StdArc::clone(&self.0))))
    }

    /// Nobody keeps a waker.
    fn is_forgotten(&self) -> bool {
        StdArc::strong_count(&self.0) == 1
    }
}
