//! A layer between a driver and its socket, through which the harness holds the driver: it counts, and it can make the
//! driver's thread stand still or end. What is wrong with the socket, by order, stands in `faults.rs`.
//!
//! Both happen in a read, which is where every turn begins: a driver that stands has read nothing that came since, as a
//! process that was stopped by a signal. To make a driver read at once, the harness pokes it: it sends an empty datagram,
//! which the layer keeps to itself.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use swim_driver::{Reactor, Socket};

use super::faults::Faults;

/// What a binding puts around the socket of a node that runs in a [`crate::Real`]: give [`Self::around`] to its
/// `map_socket`.
#[derive(Clone, Debug)]
pub struct Layer {
    gate: Arc<Gate>,
    faults: Faults,
}

impl Layer {
    /// The layer of a driver that stands still until it is let go. Empty datagrams from `poker` are not for the driver.
    pub(super) fn new(poker: SocketAddr) -> Self {
        let state = State { order: Order::Stand, stands: false, reads: 0, counts: Counts::default() };
        let gate = Arc::new(Gate { poker, state: Mutex::new(state), changed: Condvar::new() });
        Self { gate, faults: Faults::default() }
    }

    /// This socket behind the layer.
    pub fn around<S>(self, socket: S) -> Layered<S> {
        Layered { socket, gate: self.gate, faults: self.faults }
    }

    /// What the driver is to do from its next read on.
    pub(super) fn order(&self, order: Order) {
        let mut state = self.gate.lock();
        state.order = order;
        state.stands &= order == Order::Stand;
        drop(state);
        self.gate.changed.notify_all();
    }

    /// Waits until the driver stands; `false` when it does not within this time.
    pub(super) fn await_standing(&self, most: Duration) -> bool {
        let state = self.gate.lock();
        let waited = self.gate.changed.wait_timeout_while(state, most, |state| !state.stands);
        waited.expect(UNHARMED).0.stands
    }

    /// How often the driver has begun a read.
    pub(super) fn reads(&self) -> u64 {
        self.gate.lock().reads
    }

    /// Waits until it has begun another than these; `false` when it does not within this time.
    pub(super) fn await_read(&self, seen: u64, most: Duration) -> bool {
        let state = self.gate.lock();
        let waited = self.gate.changed.wait_timeout_while(state, most, |state| state.reads == seen);
        waited.expect(UNHARMED).0.reads != seen
    }

    pub(super) fn counts(&self) -> Counts {
        self.gate.lock().counts
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }
}

/// What a driver is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Run,
    /// Stand still: the whole thread, whatever else runs on it.
    Stand,
    /// End, without a goodbye.
    End,
}

/// What a node's socket was used for, since the node was last started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Reads that found nothing. A turn ends with one, so this is how often the driver was awake, without the turns that
    /// the harness made it take.
    pub idle: u64,
    /// Datagrams that were read.
    pub received: u64,
    /// Datagrams that were sent.
    pub sent: u64,
}

/// A socket behind a [`Layer`].
#[derive(Debug)]
pub struct Layered<S> {
    socket: S,
    gate: Arc<Gate>,
    faults: Faults,
}

impl<S: Socket> Socket for Layered<S> {
    fn recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let mut poked = false;
        loop {
            self.gate.pass()?;
            if let Some(injected) = self.faults.on_read(buf) {
                return injected;
            }
            let mut received = self.socket.recv_from(buf);
            match &mut received {
                Ok((0, from)) if *from == self.gate.poker => {
                    poked = true;
                    continue;
                }
                Ok((len, from)) => {
                    self.gate.lock().counts.received += 1;
                    *len = self.faults.on_received(&buf[..*len], *from);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock && !poked => self.gate.lock().counts.idle += 1,
                Err(_) => {}
            }
            return received;
        }
    }

    fn send_to(&mut self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.faults.on_send(bytes, to)?;
        let sent = self.socket.send_to(bytes, to)?;
        self.gate.lock().counts.sent += 1;
        Ok(sent)
    }
}

impl<S: Reactor> Reactor for Layered<S> {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.faults.on_poll_readable() { Poll::Ready(Ok(())) } else { self.socket.poll_readable(cx) }
    }

    fn set_deadline(&mut self, at: Option<Instant>) {
        self.socket.set_deadline(at);
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.faults.on_poll_deadline();
        self.socket.poll_deadline(cx)
    }
}

/// For bindings that need the runtime's socket, to register it somewhere.
impl<S: AsMut<T>, T: ?Sized> AsMut<T> for Layered<S> {
    fn as_mut(&mut self) -> &mut T {
        self.socket.as_mut()
    }
}

/// Why a driver ends that was killed; any other error is its own.
#[derive(Debug)]
pub(super) struct Killed;

impl fmt::Display for Killed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("killed")
    }
}

impl Error for Killed {}

#[derive(Debug)]
struct Gate {
    poker: SocketAddr,
    state: Mutex<State>,
    /// The order is another, the driver stands, or it has begun a read.
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    order: Order,
    stands: bool,
    /// Reads that were begun.
    reads: u64,
    counts: Counts,
}

impl Gate {
    /// Returns when the driver may read, or with an error that ends it.
    fn pass(&self) -> io::Result<()> {
        let mut state = self.lock();
        state.reads += 1;
        // Costs nothing while nobody waits.
        self.changed.notify_all();
        loop {
            match state.order {
                Order::Run => return Ok(()),
                // To a driver this means that its socket is lost for good.
                Order::End => return Err(io::Error::new(ErrorKind::NotConnected, Killed)),
                Order::Stand => {
                    if !state.stands {
                        state.stands = true;
                        self.changed.notify_all();
                    }
                    state = self.changed.wait(state).expect(UNHARMED);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(UNHARMED)
    }
}

const UNHARMED: &str = "nobody panics while holding it";

#[cfg(test)]
mod tests;
