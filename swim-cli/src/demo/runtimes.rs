//! One node on one thread, on any of the bindings; and how it is killed.
//!
//! A node is killed by dropping its driver: its socket is closed then and nobody has heard a goodbye.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::task::Poll;
use std::thread::{self, JoinHandle};

use bind_mio::swim_core::Event;
use bind_mio::swim_driver::Events;
use bind_mio::{BindError, Handle, Setup, Turn};
use mio::{Poll as MioPoll, Token, Waker};
use tokio::sync::oneshot;

/// What a node runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runtime {
    /// A guest in a poll of the demo's.
    Mio,
    /// A task on a runtime of one thread.
    TokioCurrent,
    /// A task on a runtime of several.
    TokioMulti,
    /// A future on the thread that polls it.
    Smol,
}

impl Runtime {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Mio => "mio",
            Self::TokioCurrent => "tokio, current thread",
            Self::TokioMulti => "tokio, multi-thread",
            Self::Smol => "smol",
        }
    }
}

/// Why a node does not run.
pub(super) enum StartError {
    Bind(BindError),
    /// The system is short of something.
    Short(io::Error),
}

/// A node that runs. Dropped, it is killed.
pub(super) struct Running {
    pub(super) handle: Handle,
    kill: Option<Kill>,
    /// `None` once it has been joined.
    thread: Option<JoinHandle<()>>,
}

/// Makes a thread drop its driver.
enum Kill {
    Mio(Arc<AtomicBool>, Arc<Waker>),
    Task(oneshot::Sender<()>),
}

/// What is done with the events of a node, on its thread. An error ends the node.
pub(super) trait Report: Send + 'static {
    fn event(&mut self, event: Event) -> io::Result<()>;
    fn ended(self, why: io::Result<()>);
}

impl Running {
    pub(super) fn start(
        runtime: Runtime,
        name: &'static str,
        addr: SocketAddr,
        setup: Setup,
        report: impl Report,
    ) -> Result<Self, StartError> {
        let (started, start) = sync_channel(1);
        let body = move || match runtime {
            Runtime::Mio => on_mio(addr, setup, report, &started),
            Runtime::TokioCurrent | Runtime::TokioMulti => on_tokio(runtime, addr, setup, report, started),
            Runtime::Smol => smol::block_on(async {
                attend(bind_async_std::bind(addr, setup).await, report, &started).await;
            }),
        };
        let thread = thread::Builder::new().name(name.into()).spawn(body).map_err(StartError::Short)?;
        let (handle, kill) = start
            .recv()
            .unwrap_or_else(|_| Err(StartError::Short(io::Error::other("its thread has ended before it began"))))?;
        Ok(Self { handle, kill: Some(kill), thread: Some(thread) })
    }

    /// Ends the node without a goodbye. Its socket is closed when this returns.
    pub(super) fn kill(&mut self) {
        match self.kill.take() {
            Some(Kill::Mio(killed, waker)) => {
                killed.store(true, Ordering::Release);
                // Without a wake-up it looks at the flag when it is woken for another reason.
                let _ = waker.wake();
            }
            // It has ended already when it does not listen.
            Some(Kill::Task(kill)) => drop(kill.send(())),
            None => {}
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a thread says of its node when it has started.
type Started = Result<(Handle, Kill), StartError>;

fn on_mio(addr: SocketAddr, setup: Setup, mut report: impl Report, started: &SyncSender<Started>) {
    let bound = bind_mio::bind(addr, setup).map_err(StartError::Bind).and_then(|(handle, mut driver)| {
        let mut registered = || {
            let poll = MioPoll::new()?;
            let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
            driver.register(poll.registry(), SOCKET, Arc::clone(&waker))?;
            Ok((poll, waker))
        };
        let (poll, waker) = registered().map_err(StartError::Short)?;
        Ok((handle, driver, poll, waker))
    });
    let (handle, driver, poll, waker) = match bound {
        Ok(all) => all,
        Err(e) => {
            // Who started it has waited for that.
            let _ = started.send(Err(e));
            return;
        }
    };
    let (killed, events) = (Arc::new(AtomicBool::new(false)), handle.events());
    if started.send(Ok((handle, Kill::Mio(Arc::clone(&killed), waker)))).is_ok() {
        let ended = serve(driver, poll, events, &killed, &mut report);
        report.ended(ended);
    }
}

/// Returns when the node is killed or has left.
fn serve(
    mut driver: bind_mio::Driver,
    mut poll: MioPoll,
    mut events: Events,
    killed: &AtomicBool,
    report: &mut impl Report,
) -> io::Result<()> {
    let mut ready = mio::Events::with_capacity(2);
    while !killed.load(Ordering::Acquire) {
        let turn = driver.turn()?;
        while let Ok(event) = events.try_recv() {
            report.event(event)?;
        }
        let Turn::Wait(timeout) = turn else { return Ok(()) };
        match poll.poll(&mut ready, timeout) {
            Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

fn on_tokio(runtime: Runtime, addr: SocketAddr, setup: Setup, report: impl Report, started: SyncSender<Started>) {
    let mut builder = match runtime {
        Runtime::TokioMulti => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    match builder.worker_threads(2).enable_all().build() {
        // As a task: on the thread that blocks it would not run on those of the runtime.
        Ok(tokio) => tokio.block_on(async {
            let task = tokio::spawn(async move {
                let bound = bind_tokio::bind(addr, setup).await;
                attend(bound, report, &started).await;
            });
            if let Err(e) = task.await {
                std::panic::resume_unwind(e.into_panic());
            }
        }),
        Err(e) => {
            let _ = started.send(Err(StartError::Short(e)));
        }
    }
}

/// Runs a driver and reports what its node tells, until it has left or is killed. The same on every executor.
async fn attend<D: Future<Output = io::Result<()>> + Unpin>(
    bound: Result<(Handle, D), BindError>,
    mut report: impl Report,
    started: &SyncSender<Started>,
) {
    let (handle, mut driver) = match bound {
        Ok(both) => both,
        Err(e) => {
            let _ = started.send(Err(StartError::Bind(e)));
            return;
        }
    };
    let (kill, killed) = oneshot::channel();
    let mut events = handle.events();
    if started.send(Ok((handle, Kill::Task(kill)))).is_err() {
        return;
    }
    let ended = {
        let (mut driver, mut killed) = (pin!(&mut driver), pin!(killed));
        poll_fn(|cx| {
            if killed.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let ended = driver.as_mut().poll(cx);
            while let Poll::Ready(Ok(event)) = events.poll_recv(cx) {
                report.event(event)?;
            }
            ended
        })
        .await
    };
    report.ended(ended);
}

const SOCKET: Token = Token(0);
const WAKE: Token = Token(1);
