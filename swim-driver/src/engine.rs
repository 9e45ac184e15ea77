//! The loop of every binding, turned once: what there is to do with a socket that never blocks.
//!
//! Invariants: datagrams come before commands and those before the deadline, because a late process would suspect peers
//! whose acks wait in its own socket; all that follows from one input is handed out before the next; and a turn is
//! bounded, so neither a flood nor a broken socket keeps the rest waiting, nor whoever else runs on the thread.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::held::Held;
use crate::pump::Pump;
use crate::reads::{Next, Reads};

/// A UDP socket that never blocks: what is not possible at once fails with [`ErrorKind::WouldBlock`].
///
/// A layer that counts, marks or disturbs is a socket around another: see [`Engine::map_socket`].
pub trait Socket {
    /// Receives one datagram: how many bytes of it are in `buf`, and its source.
    ///
    /// The socket itself is asked, not what the runtime knows of it: a deadline that has passed counts only when nothing
    /// is there to read.
    ///
    /// # Errors
    /// What the system says. None of it ends a node but that this is no socket (any more).
    fn recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    /// Sends one datagram.
    ///
    /// # Errors
    /// What the system says. After [`ErrorKind::WouldBlock`], and when the system is short of buffers, the datagram is held
    /// and sent again soon; otherwise it is lost, which the protocol bears.
    fn send_to(&mut self, bytes: &[u8], to: SocketAddr) -> io::Result<usize>;
}

impl Socket for std::net::UdpSocket {
    fn recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        Self::recv_from(self, buf)
    }

    fn send_to(&mut self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        Self::send_to(self, bytes, to)
    }
}

/// A node on a socket. A binding takes a [`Self::turn`], waits as that says, and takes the next; where the socket is a
/// [`crate::Reactor`], the engine is a future that does so by itself. Dropping it closes the socket without a goodbye.
pub struct Engine<S> {
    socket: S,
    clock: Clock,
    pump: Pump,
    rx: Vec<u8>,
    out: Vec<u8>,
    /// What the socket would not take yet.
    held: Held,
    /// The node knows that nothing can be sent.
    blocked: bool,
    /// The socket returns errors without end, and is not to be asked before then.
    resting: Option<swim_core::Instant>,
    /// A deadline that is due, and the news that sending goes on, which wait for what is left to read.
    deadline: PutOff,
    resumption: PutOff,
    pub(crate) waits: crate::task::Waits,
}

/// What [`Engine::turn`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Wait until the socket is readable or the mailbox has called its waker, for at most so long; then take the next turn,
    /// whatever the wait has brought.
    Wait(Option<Duration>),
    /// The node has left and everything is handed out. Drop the engine, and with it the socket.
    Finished,
}

/// The same, with a point in time that stays the same as long as nothing happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Again,
    Wait(Option<Instant>),
    Finished,
}

impl<S: Socket> Engine<S> {
    /// A node that was started with this clock, on its socket.
    pub fn new(socket: S, clock: Clock, pump: Pump) -> Self {
        let out = vec![0; pump.datagram_max()];
        let (held, waits) = (Held::default(), crate::task::Waits::default());
        let (rx, deadline, resumption) = (vec![0; DATAGRAM_MAX], PutOff::default(), PutOff::default());
        Self { socket, clock, pump, rx, out, held, blocked: false, resting: None, deadline, resumption, waits }
    }

    /// Does all that is due: datagrams first, then commands, then the deadline, each with everything that follows from
    /// it before the next. Bounded: when more is there, it asks to be called again at once.
    ///
    /// # Errors
    /// The socket is lost for good. Datagrams that cannot be sent or received are not errors: they are counted
    /// ([`Pump::stats`]), and the protocol bears them.
    pub fn turn(&mut self) -> io::Result<Turn> {
        Ok(match self.step()? {
            Step::Again => Turn::Wait(Some(Duration::ZERO)),
            Step::Wait(until) => Turn::Wait(until.map(|at| at.saturating_duration_since(Instant::now()))),
            Step::Finished => Turn::Finished,
        })
    }

    pub(crate) fn step(&mut self) -> io::Result<Step> {
        self.send_held();
        self.drain();
        let mut retry = self.receive()?;
        let more = retry == Some(Duration::ZERO);
        if self.blocked && self.held.is_empty() && !self.resumption.waits(more) {
            // Only now: what was answered while nothing could be sent has been read.
            self.blocked = false;
            let now = self.now();
            self.pump.send_resumed(now);
            self.drain();
        }
        for _ in 0..COMMANDS_PER_TURN {
            if self.pump.mailbox().is_empty() {
                break;
            }
            let now = self.now();
            self.pump.command(now);
            self.drain();
        }
        let now = self.now();
        if self.pump.poll_timeout().is_some_and(|at| at <= now) && !self.deadline.waits(more) {
            self.pump.timeout(now);
            self.drain();
        }
        self.pump.publish_counters();
        if self.pump.finished() {
            return Ok(Step::Finished);
        }
        if !self.held.is_empty() {
            retry = retry.into_iter().chain([HELD_PAUSE]).min();
        }
        if more || !self.pump.mailbox().is_empty() {
            return Ok(Step::Again);
        }
        let deadline = self.pump.poll_timeout().and_then(|at| self.clock.system(at));
        let retry = retry.and_then(|pause| self.clock.system(self.clock.now() + pause));
        Ok(Step::Wait(deadline.into_iter().chain(retry).min()))
    }

    /// The time of an input. The date comes before it, where the pump wants that.
    fn now(&mut self) -> swim_core::Instant {
        let now = self.clock.now();
        if self.pump.wants_date(now) {
            self.pump.tell_date(now, self.clock.date());
        }
        now
    }

    /// The same node on a socket that is made from its own, by wrapping it for example.
    pub fn map_socket<T: Socket>(self, wrap: impl FnOnce(S) -> T) -> Engine<T> {
        self.try_map_socket(|socket| Ok(wrap(socket))).expect("wrapping does not fail")
    }

    /// The same where this may fail; then the node is gone, without a goodbye.
    ///
    /// # Errors
    /// What `wrap` returns.
    pub fn try_map_socket<T: Socket>(self, wrap: impl FnOnce(S) -> io::Result<T>) -> io::Result<Engine<T>> {
        let Self { socket, clock, pump, rx, out, held, blocked, resting, deadline, resumption, waits: _ } = self;
        // The new socket was not asked for anything yet.
        let waits = crate::task::Waits::default();
        let socket = wrap(socket)?;
        Ok(Engine { socket, clock, pump, rx, out, held, blocked, resting, deadline, resumption, waits })
    }

    /// What is between socket and handle, to look at.
    pub fn pump(&self) -> &Pump {
        &self.pump
    }

    /// The socket.
    pub fn socket(&self) -> &S {
        &self.socket
    }

    /// The socket, to be registered somewhere.
    pub fn socket_mut(&mut self) -> &mut S {
        &mut self.socket
    }

    /// Whether the socket returns errors without end: then it is no good to wait for it, which would return at once.
    pub(crate) fn is_resting(&self) -> bool {
        self.resting.is_some()
    }

    /// It is so much later, without a wait.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn let_pass(&mut self, time: Duration) {
        self.clock = self.clock.later(time);
    }

    /// The date is so much later than the clock says.
    #[cfg(all(test, not(loom), feature = "aead"))]
    pub(crate) fn let_date_jump(&mut self, time: Duration) {
        self.clock.date_ahead += time;
    }

    /// Reads until the socket is empty, or as much as a turn allows; then says when to read again. Who waits for the socket
    /// is told of what comes later, not always of what is left.
    fn receive(&mut self) -> io::Result<Option<Duration>> {
        let now = self.clock.now();
        if let Some(until) = self.resting.filter(|until| *until > now) {
            return Ok(Some(until.since(now)));
        }
        let mut reads = Reads::default();
        loop {
            let received = self.socket.recv_from(&mut self.rx);
            let next = reads.after(&received);
            match received {
                Ok((len, from)) => {
                    let now = self.now();
                    self.pump.datagram(now, from, &mut self.rx[..len]);
                    self.drain();
                }
                Err(e) if next == Next::Lost => return Err(e),
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(e) => {
                    tracing::debug!("nothing received: {e}");
                    self.pump.receive_failed();
                }
            }
            if let Next::Wait(retry) = next {
                self.resting = retry.filter(|pause| !pause.is_zero()).map(|pause| self.clock.now() + pause);
                return Ok(retry);
            }
        }
    }

    /// Hands out everything that follows from the last input. When that is more than the socket takes, the rest is held,
    /// and the node is told: what it asked then nobody has heard, and that nobody answers says nothing.
    fn drain(&mut self) {
        self.hand_out();
        if !self.held.is_empty() && !self.blocked {
            self.blocked = true;
            let now = self.now();
            self.pump.send_blocked(now);
            self.hand_out();
        }
    }

    fn hand_out(&mut self) {
        while let Some(tx) = self.pump.poll_transmit(&mut self.out) {
            let bytes = &self.out[..tx.len];
            let sent = if self.held.is_empty() {
                self.socket.send_to(bytes, tx.to).map(|_| ())
            } else {
                Err(ErrorKind::WouldBlock.into())
            };
            let Err(e) = sent else { continue };
            if !takes_nothing(&e) || !self.held.push(tx.to, bytes) {
                tracing::debug!("{} bytes to {} are not sent: {e}", tx.len, tx.to);
                self.pump.send_failed(tx.to);
            }
            self.pump.set_holding(!self.held.is_empty());
        }
    }

    /// Sends what is held, in the order in which it was handed out, as far as the socket takes it.
    fn send_held(&mut self) {
        while let Some((to, bytes)) = self.held.front() {
            match self.socket.send_to(bytes, to) {
                Err(e) if takes_nothing(&e) => {
                    if self.held.gives_up(self.pump.node().has_left(), self.clock.now()) {
                        tracing::debug!("the goodbyes are not sent: {e}");
                        self.held.addrs().for_each(|to| self.pump.send_failed(to));
                        self.held.clear();
                        self.pump.set_holding(false);
                    }
                    return;
                }
                Err(e) => {
                    tracing::debug!("{} bytes to {to} are not sent: {e}", bytes.len());
                    self.pump.send_failed(to);
                }
                Ok(_) => {}
            }
            self.held.pop();
            self.pump.set_holding(!self.held.is_empty());
        }
    }
}

/// Something that is due, and waits because more may be there to read: a refutation behind a flood, for example. Not for ever,
/// or a flood without end would stop the clock.
#[derive(Debug, Default)]
struct PutOff(u32);

impl PutOff {
    fn waits(&mut self, more: bool) -> bool {
        let waits = more && self.0 < PUT_OFF_MAX;
        self.0 = if waits { self.0 + 1 } else { 0 };
        waits
    }
}

/// Whether a send error says that nothing can be sent to anybody just now, rather than to this address: the socket's buffer is
/// full, or an interface's queue, which not all systems wait for.
fn takes_nothing(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::OutOfMemory) || e.raw_os_error() == NO_BUFFERS
}

/// No buffers. It has no `ErrorKind`.
const NO_BUFFERS: Option<i32> = if cfg!(windows) {
    Some(10_055)
} else if cfg!(any(target_os = "linux", target_os = "android")) {
    Some(105)
} else if cfg!(unix) {
    Some(55)
} else {
    None
};

impl<S: fmt::Debug> fmt::Debug for Engine<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("socket", &self.socket).field("pump", &self.pump).finish_non_exhaustive()
    }
}

/// No datagram is larger, so none is cut off unnoticed.
const DATAGRAM_MAX: usize = 65_535;
/// More than that, and a busy embedder keeps the node from its datagrams.
const COMMANDS_PER_TURN: usize = 64;
/// So many turns read as many small datagrams as fit into the buffer that a socket has by default: 1 MiB, of which Linux
/// grants twice as much and takes 768 bytes for each. So what came while the process stood still is read before the deadline.
const PUT_OFF_MAX: u32 = 11;
/// Until a socket that took nothing is tried again. To be told when it takes something would cost a wake-up after every
/// datagram that is sent: systems report a UDP socket writable whenever one has left its buffer.
const HELD_PAUSE: Duration = Duration::from_millis(5);

#[cfg(all(test, not(loom)))]
mod tests;
