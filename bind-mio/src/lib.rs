//! swim on mio: a loop that blocks its thread, or a guest in the embedder's own [`mio::Poll`].
//!
//! ```
//! use std::{thread, time::Duration};
//! use bind_mio::{Setup, bind, swim_core::Config};
//!
//! let any = "127.0.0.1:0".parse()?;
//! let (a, driver_a) = bind(any, Setup::new("a", Config::local("demo")))?;
//! let (b, driver_b) = bind(any, Setup::new("b", Config::local("demo")))?;
//! let threads = [driver_a, driver_b].map(|driver| thread::spawn(move || driver.run()));
//!
//! b.join(&[a.addr()])?;
//! let mut view = b.view();
//! while view.live_count() < 2 {
//!     view = b.wait_changed(view.version(), Duration::from_secs(10)).ok_or("nobody there")?;
//! }
//! assert_eq!(view.member(a.id()).map(|row| row.name()), Some("a"));
//!
//! drop((a, b)); // the last handle says goodbye
//! for thread in threads {
//!     thread.join().expect("a driver does not panic")?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod error;
mod reads;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use swim_driver::{Clock, Pump};

pub use error::BindError;
pub use swim_driver::{self, Handle, Resolver, Seed, SeedError, Setup, swim_core};

use crate::reads::{Next, Reads};

// The README's example stands for this binding: it must compile and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// Binds a UDP socket and starts a node on it. Nothing runs until the [`Driver`] is run.
///
/// With port 0 the system picks one; [`Handle::addr`] tells which.
///
/// # Errors
/// [`BindError`]: the socket cannot be bound, or the node cannot be started.
pub fn bind(addr: SocketAddr, setup: Setup) -> Result<(Handle, Driver), BindError> {
    let failed = |source| BindError::Bind { addr, source };
    let socket = UdpSocket::bind(addr).map_err(failed)?;
    let bound = socket.local_addr().map_err(failed)?;
    let clock = Clock::new();
    let (handle, pump) = setup.start(bound, clock.now()).map_err(BindError::Setup)?;
    let out = vec![0; pump.datagram_max()];
    Ok((handle, Driver { socket, clock, pump, rx: vec![0; DATAGRAM_MAX], out }))
}

/// Runs one node on one socket. Either [`Self::run`] it, or [`Self::register`] it in a [`Poll`] of your own and take
/// [`Self::turn`]s. Dropping it closes the socket without a goodbye.
pub struct Driver {
    socket: UdpSocket,
    clock: Clock,
    pump: Pump,
    rx: Vec<u8>,
    out: Vec<u8>,
}

/// What [`Driver::turn`] asks of the embedder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Poll again, for at most so long, and take the next turn whatever the poll has brought.
    Wait(Option<Duration>),
    /// The node has left and everything is handed out. Drop the driver.
    Finished,
}

impl Driver {
    /// Runs until the node has left: a [`Handle::leave`], or the last handle was dropped.
    ///
    /// # Errors
    /// What the system says when no poll can be made, or when the socket is lost for good. The node is gone then,
    /// without a goodbye.
    pub fn run(mut self) -> io::Result<()> {
        let mut poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        self.register(poll.registry(), SOCKET, waker)?;
        let mut events = Events::with_capacity(2);
        while let Turn::Wait(timeout) = self.turn()? {
            match poll.poll(&mut events, timeout) {
                // A signal: the turn finds out whether anything is due.
                Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }

    /// Registers the socket in a poll of the embedder's, under a token of its choice, and takes the waker of that poll,
    /// which is called when a handle has a command. (A poll can have one waker only; drivers may share it.)
    ///
    /// Take a first [`Self::turn`] then, and another after every return of the poll, whatever it returned for.
    ///
    /// # Errors
    /// What [`Registry::register`] says: the socket is registered already.
    pub fn register(&mut self, registry: &Registry, socket: Token, waker: Arc<Waker>) -> io::Result<()> {
        registry.register(&mut self.socket, socket, Interest::READABLE)?;
        self.pump.mailbox().set_waker(Arc::new(move || {
            // When it fails, the poll is broken, and whoever polls is told.
            if let Err(e) = waker.wake() {
                tracing::warn!("a waiting driver cannot be woken: {e}");
            }
        }));
        Ok(())
    }

    /// Does all that is due: datagrams first, then commands, then the deadline, each with everything that follows from
    /// it before the next. Bounded: when more is there, it asks to be called again at once.
    ///
    /// # Errors
    /// The socket is lost for good. Datagrams that cannot be sent or received are not errors: they are counted
    /// ([`Pump::stats`]), and the protocol bears them.
    pub fn turn(&mut self) -> io::Result<Turn> {
        self.drain();
        let retry = self.receive()?;
        for _ in 0..COMMANDS_PER_TURN {
            if self.pump.mailbox().is_empty() {
                break;
            }
            self.pump.command(self.clock.now());
            self.drain();
        }
        let now = self.clock.now();
        if self.pump.poll_timeout().is_some_and(|at| at <= now) {
            self.pump.timeout(now);
            self.drain();
        }
        if self.pump.finished() {
            return Ok(Turn::Finished);
        }
        if !self.pump.mailbox().is_empty() {
            return Ok(Turn::Wait(Some(Duration::ZERO)));
        }
        let deadline = self.pump.poll_timeout().map(|at| self.clock.until(at));
        Ok(Turn::Wait(deadline.into_iter().chain(retry).min()))
    }

    /// What is between socket and handle, to look at.
    pub fn pump(&self) -> &Pump {
        &self.pump
    }

    /// Reads until the socket is empty, or as much as a turn allows; then says when to read again. The poll tells of
    /// what comes later only, not of what is left.
    fn receive(&mut self) -> io::Result<Option<Duration>> {
        let mut reads = Reads::default();
        loop {
            let received = self.socket.recv_from(&mut self.rx);
            let next = reads.after(&received);
            match received {
                Ok((len, from)) => {
                    self.pump.datagram(self.clock.now(), from, &mut self.rx[..len]);
                    self.drain();
                }
                Err(e) if next == Next::Lost => return Err(e),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => {
                    tracing::debug!("nothing received: {e}");
                    self.pump.receive_failed();
                }
            }
            if let Next::Wait(retry) = next {
                return Ok(retry);
            }
        }
    }

    /// Hands out everything that follows from the last input.
    fn drain(&mut self) {
        while let Some(tx) = self.pump.poll_transmit(&mut self.out) {
            // A socket whose buffer is full is no exception: what would be sent later would be old by then.
            if let Err(e) = self.socket.send_to(&self.out[..tx.len], tx.to) {
                tracing::debug!("{} bytes to {} are not sent: {e}", tx.len, tx.to);
                self.pump.send_failed(tx.to);
            }
        }
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("socket", &self.socket).field("pump", &self.pump).finish_non_exhaustive()
    }
}

const SOCKET: Token = Token(0);
const WAKE: Token = Token(1);
/// No datagram is larger, so none is cut off unnoticed.
const DATAGRAM_MAX: usize = 65_535;
/// More than that, and a busy embedder keeps the node from its datagrams.
const COMMANDS_PER_TURN: usize = 64;
