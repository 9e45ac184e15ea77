//! swim on [async-io](async_io): a node is a future, for smol, for async-std, and for any other executor.
//!
//! ```
//! use bind_async_std::{Setup, bind, swim_core::Config};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # smol::block_on(async {
//! let any = "127.0.0.1:0".parse()?;
//! let (a, driver_a) = bind(any, Setup::new("a", Config::local("demo"))).await?;
//! let (b, driver_b) = bind(any, Setup::new("b", Config::local("demo")).join([a.addr()])).await?;
//! let tasks = [driver_a, driver_b].map(smol::spawn);
//!
//! let view = b.view_when(|view| view.live_count() == 2).await.ok_or("the node has ended")?;
//! assert_eq!(view.member(a.id()).map(|row| row.name()), Some("a"));
//!
//! drop((a, b)); // the last handle says goodbye
//! for task in tasks {
//!     task.await?;
//! }
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # Which runtime
//! async-std is no longer developed (its authors recommend smol), so this crate does not depend on it, and works with both:
//! what they share is async-io, whose reactor runs on a thread of its own when no executor drives it. On async-std write
//! `async_std::task::spawn` in place of `smol::spawn`; new programs take smol.
//!
//! The driver is [`Send`]. Nothing is spawned and no thread is started, but for async-io's one, and the short-lived one that
//! resolves the names of seeds.
//!
//! # What may be given up
//! Every wait of a [`Handle`] and of its [`Events`](swim_driver::Events) may be dropped at any time without a loss, so they
//! can stand in a `select!` or a `race`. So may [`bind`], which leaves nothing behind. A [`Driver`] that is dropped before it
//! has ended, or whose task is cancelled, is a killed node: nobody is told goodbye.

#![forbid(unsafe_code)]

use std::future::Future as _;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use async_io::{Async, Timer};
use swim_driver::{Engine, Reactor, Socket};

pub use swim_driver::{self, BindError, Handle, Resolver, Seed, SeedError, Setup, swim_core};

/// One node on one socket: spawn it. It ends when the node has left ([`Handle::leave`], or the drop of the last handle), or
/// with an error when the socket is lost for good.
pub type Driver<S = Udp> = Engine<S>;

/// Binds a UdpSocket socket and starts a node on it. Nothing runs until the [`Driver`] does.
///
/// With port 0 the system picks one; [`Handle::bound`] tells which. It waits only for the names of seeds to be resolved, and
/// only where that decides which address is advertised ([`Setup::advertise`]).
///
/// # Errors
/// [`BindError`]: the socket cannot be bound, or the node cannot be started.
pub async fn bind(addr: SocketAddr, setup: Setup) -> Result<(Handle, Driver), BindError> {
    watched(swim_driver::bind(addr, setup).await?)
}

/// The same on a socket that is bound already: see [`swim_driver::bind_on`].
///
/// # Errors
/// As [`bind`].
pub async fn bind_on(socket: UdpSocket, setup: Setup) -> Result<(Handle, Driver), BindError> {
    watched(swim_driver::bind_on(socket, setup).await?)
}

fn watched((handle, engine): (Handle, Engine<UdpSocket>)) -> Result<(Handle, Driver), BindError> {
    Ok((handle, engine.try_map_socket(Udp::new).map_err(BindError::Socket)?))
}

/// async-io's UDP socket and timer as a driver uses them.
#[derive(Debug)]
pub struct Udp {
    socket: Async<UdpSocket>,
    deadline: Timer,
}

impl Udp {
    fn new(socket: UdpSocket) -> io::Result<Self> {
        Ok(Self { socket: Async::new_nonblocking(socket)?, deadline: Timer::never() })
    }
}

// The socket itself never blocks, and is asked at once; the reactor is for the waits.
impl Socket for Udp {
    fn recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.get_ref().recv_from(buf)
    }

    fn send_to(&mut self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.socket.get_ref().send_to(bytes, to)
    }
}

impl Reactor for Udp {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_readable(cx)
    }

    fn set_deadline(&mut self, at: Option<Instant>) {
        match at {
            Some(at) => self.deadline.set_at(at),
            None => self.deadline = Timer::never(),
        }
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.deadline).poll(cx).map(|_| ())
    }
}
