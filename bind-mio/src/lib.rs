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
//! let view = b.wait_view(Duration::from_secs(10), |view| view.live_count() == 2).ok_or("nobody there")?;
//! assert_eq!(view.member(a.id()).map(|row| row.name()), Some("a"));
//!
//! drop((a, b)); // the last handle says goodbye
//! for thread in threads {
//!     thread.join().expect("a driver does not panic")?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use swim_driver::{Engine, Pump, Socket};

pub use swim_driver::{self, BindError, Handle, Resolver, Seed, SeedError, Setup, Turn, swim_core};

/// Binds a UDP socket and starts a node on it. Nothing runs until the [`Driver`] is run.
///
/// With port 0 the system picks one; [`Handle::bound`] tells which. It blocks only for the names of seeds to be resolved, and
/// only where that decides which address is advertised ([`Setup::advertise`]).
///
/// # Errors
/// [`BindError`]: the socket cannot be bound, or the node cannot be started.
pub fn bind(addr: SocketAddr, setup: Setup) -> Result<(Handle, Driver), BindError> {
    Ok(registrable(swim_driver::bind_blocking(addr, setup)?))
}

/// The same on a socket that is bound already: see [`swim_driver::bind_on`].
///
/// # Errors
/// As [`bind`].
pub fn bind_on(socket: std::net::UdpSocket, setup: Setup) -> Result<(Handle, Driver), BindError> {
    Ok(registrable(swim_driver::bind_on_blocking(socket, setup)?))
}

fn registrable((handle, engine): (Handle, Engine<std::net::UdpSocket>)) -> (Handle, Driver) {
    (handle, Driver { engine: engine.map_socket(|socket| Udp(UdpSocket::from_std(socket))) })
}

/// Runs one node on one socket. Either [`Self::run`] it, or [`Self::register`] it in a [`Poll`] of your own and take
/// [`Self::turn`]s. Dropping it closes the socket without a goodbye.
#[derive(Debug)]
pub struct Driver<S = Udp> {
    engine: Engine<S>,
}

impl<S: Socket + AsMut<UdpSocket>> Driver<S> {
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
        registry.register(self.engine.socket_mut().as_mut(), socket, Interest::READABLE)?;
        self.engine.pump().mailbox().set_waker(Arc::new(move || {
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
    /// The socket is lost for good: drop the driver. Datagrams that cannot be sent or received are not errors: they are counted
    /// ([`Pump::stats`]), and the protocol bears them.
    pub fn turn(&mut self) -> io::Result<Turn> {
        self.engine.turn()
    }

    /// What is between socket and handle, to look at.
    pub fn pump(&self) -> &Pump {
        self.engine.pump()
    }

    /// The same node behind a layer of the embedder's: a socket around the socket. Before it is registered.
    pub fn map_socket<T: Socket>(self, wrap: impl FnOnce(S) -> T) -> Driver<T> {
        Driver { engine: self.engine.map_socket(wrap) }
    }
}

/// mio's UDP socket as a driver uses it.
#[derive(Debug)]
pub struct Udp(UdpSocket);

impl Socket for Udp {
    fn recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.recv_from(buf)
    }

    fn send_to(&mut self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.0.send_to(bytes, to)
    }
}

impl AsMut<UdpSocket> for Udp {
    fn as_mut(&mut self) -> &mut UdpSocket {
        &mut self.0
    }
}

const SOCKET: Token = Token(0);
const WAKE: Token = Token(1);
