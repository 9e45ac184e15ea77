//! swim on tokio: a node is a future, which the embedder spawns or awaits wherever it likes.
//!
//! ```
//! use bind_tokio::{Setup, bind, swim_core::Config};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let any = "127.0.0.1:0".parse()?;
//! let (a, driver_a) = bind(any, Setup::new("a", Config::local("demo"))).await?;
//! let (b, driver_b) = bind(any, Setup::new("b", Config::local("demo")).join([a.addr()])).await?;
//! let tasks = [driver_a, driver_b].map(tokio::spawn);
//!
//! let view = b.view_when(|view| view.live_count() == 2).await.ok_or("the node has ended")?;
//! assert_eq!(view.member(a.id()).map(|row| row.name()), Some("a"));
//!
//! drop((a, b)); // the last handle says goodbye
//! for task in tasks {
//!     task.await??;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Runtime
//! Both flavours serve, with I/O and time enabled (`enable_all`). The driver is [`Send`]; on a current-thread runtime, or
//! within a `LocalSet`, it may run beside what is not. Nothing is spawned and no thread is started, but for the short-lived
//! one that resolves the names of seeds.
//!
//! Bind on the runtime that runs the driver: its socket is watched there, and when that runtime ends, so does the driver, with
//! an error. The driver goes by the system's clock; on a runtime whose own is paused (`start_paused`) its timers don't fit.
//!
//! # What may be given up
//! Every wait of a [`Handle`] and of its [`Events`](swim_driver::Events) may be dropped at any time without a loss, so they
//! can stand in a `select!`. So may [`bind`], which leaves nothing behind. A [`Driver`] that is dropped before it has ended is
//! a killed node: nobody is told goodbye.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use swim_driver::{Engine, Reactor, Socket};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time::{Sleep, sleep_until};

pub use swim_driver::{self, BindError, Handle, Resolver, Seed, SeedError, Setup, swim_core};

/// One node on one socket: spawn it. It ends when the node has left ([`Handle::leave`], or the drop of the last handle), or
/// with an error when the socket is lost for good.
///
/// # Panics
/// When it is polled outside of a tokio runtime, or in one without time.
pub type Driver<S = Udp> = Engine<S>;

/// Binds a std::net::UdpSocket socket and starts a node on it. Nothing runs until the [`Driver`] does.
///
/// With port 0 the system picks one; [`Handle::bound`] tells which. It waits only for the names of seeds to be resolved, and
/// only where that decides which address is advertised ([`Setup::advertise`]).
///
/// # Errors
/// [`BindError`]: the socket cannot be bound, or the node cannot be started.
///
/// # Panics
/// Outside of a tokio runtime, or in one without I/O.
pub async fn bind(addr: SocketAddr, setup: Setup) -> Result<(Handle, Driver), BindError> {
    watched(swim_driver::bind(addr, setup).await?)
}

/// The same on a socket that is bound already: see [`swim_driver::bind_on`].
///
/// # Errors
/// As [`bind`].
///
/// # Panics
/// Outside of a tokio runtime, or in one without I/O.
pub async fn bind_on(socket: std::net::UdpSocket, setup: Setup) -> Result<(Handle, Driver), BindError> {
    watched(swim_driver::bind_on(socket, setup).await?)
}

fn watched((handle, engine): (Handle, Engine<std::net::UdpSocket>)) -> Result<(Handle, Driver), BindError> {
    Ok((handle, engine.try_map_socket(Udp::new).map_err(BindError::Socket)?))
}

/// tokio's UDP socket and timer as a driver uses them.
pub struct Udp {
    /// Tells when there is something to read.
    watched: UdpSocket,
    /// The same socket, for what tokio's own does only once its reactor has told that it can: a node that has been late
    /// looks itself whether something is there to read before it draws conclusions, and sends without having waited.
    socket: std::net::UdpSocket,
    deadline: Option<Instant>,
    /// Made for the first deadline, and moved for the others.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Udp {
    fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        let watched = UdpSocket::from_std(socket.try_clone()?)?;
        Ok(Self { watched, socket, deadline: None, sleep: None })
    }
}

impl Socket for Udp {
    fn recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let mut asked = false;
        // So that the reactor learns when nothing is left, and tells of what comes then.
        let received = self.watched.try_io(Interest::READABLE, || {
            asked = true;
            self.socket.recv_from(buf)
        });
        if asked { received } else { self.socket.recv_from(buf) }
    }

    fn send_to(&mut self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.socket.send_to(bytes, to)
    }
}

impl Reactor for Udp {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.watched.poll_recv_ready(cx)
    }

    fn set_deadline(&mut self, at: Option<Instant>) {
        self.deadline = at;
        if let (Some(at), Some(sleep)) = (at, &mut self.sleep) {
            sleep.as_mut().reset(at.into());
        }
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.deadline else { return Poll::Pending };
        self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at.into()))).as_mut().poll(cx)
    }
}

impl fmt::Debug for Udp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}
