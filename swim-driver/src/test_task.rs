//! A task without a runtime, for tests of what tasks wait for.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Polls, and counts how often it is woken.
pub(crate) struct Task {
    woken: Arc<Woken>,
    waker: Waker,
}

struct Woken {
    count: AtomicUsize,
    /// How many wakers there were when it was woken last, that one and the task's own among them.
    wakers: AtomicUsize,
    /// What else a wake does.
    then: Box<dyn Fn() + Send + Sync>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.wakers.store(Arc::strong_count(&self) - 1, Ordering::SeqCst);
        (self.then)();
    }
}

impl Task {
    pub(crate) fn new() -> Self {
        Self::when_woken(|| ())
    }

    /// One whose waker runs this, too.
    pub(crate) fn when_woken(then: impl Fn() + Send + Sync + 'static) -> Self {
        let woken = Arc::new(Woken { count: AtomicUsize::new(0), wakers: AtomicUsize::new(0), then: Box::new(then) });
        let waker = Waker::from(Arc::clone(&woken));
        Self { woken, waker }
    }

    pub(crate) fn poll<F: Future + Unpin>(&self, future: &mut F) -> Poll<F::Output> {
        Pin::new(future).poll(&mut self.cx())
    }

    pub(crate) fn cx(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }

    /// How often it was woken since this was asked last.
    pub(crate) fn wakes(&self) -> usize {
        self.woken.count.swap(0, Ordering::SeqCst)
    }

    /// Whether others than the one that was woken by still had its waker then.
    pub(crate) fn was_copied(&self) -> bool {
        self.woken.wakers.load(Ordering::SeqCst) > 2
    }

    /// Whether nobody keeps a waker of it.
    pub(crate) fn is_forgotten(&self) -> bool {
        Arc::strong_count(&self.woken) == 2
    }
}
