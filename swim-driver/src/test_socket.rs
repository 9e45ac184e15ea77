//! A socket, and a reactor, whose every answer a test decides.

use std::cell::{RefCell, RefMut};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use swim_core::Config;

use crate::clock::Clock;
use crate::engine::{Engine, Socket};
use crate::task::Reactor;
use crate::{Handle, Pump, Setup};

/// One end is the engine's, the other the test's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire(Rc<RefCell<Ends>>);

#[derive(Debug, Default)]
pub(crate) struct Ends {
    /// What is to be read. When it is empty a read fails, by `broken` or because nothing is there.
    pub(crate) inbox: VecDeque<(SocketAddr, Vec<u8>)>,
    pub(crate) broken: Option<ErrorKind>,
    /// What is sent, unless every send fails so.
    pub(crate) sent: Vec<SocketAddr>,
    pub(crate) refuses: Option<ErrorKind>,
    /// How often a read, a send, and the readiness to be read were asked for.
    pub(crate) reads: usize,
    pub(crate) sends: usize,
    pub(crate) polls: usize,
    /// All deadlines that were set.
    pub(crate) deadlines: Vec<Option<Instant>>,
    pub(crate) is_due: bool,
    pub(crate) readable: Option<Waker>,
    pub(crate) timer: Option<Waker>,
}

impl Wire {
    pub(crate) fn ends(&self) -> RefMut<'_, Ends> {
        self.0.borrow_mut()
    }

    /// Where was sent to since this was asked last.
    pub(crate) fn sent(&self) -> Vec<SocketAddr> {
        std::mem::take(&mut self.ends().sent)
    }
}

impl Socket for Wire {
    fn recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let mut ends = self.ends();
        ends.reads += 1;
        let Some((from, bytes)) = ends.inbox.pop_front() else {
            return Err(ends.broken.unwrap_or(ErrorKind::WouldBlock).into());
        };
        buf[..bytes.len()].copy_from_slice(&bytes);
        Ok((bytes.len(), from))
    }

    fn send_to(&mut self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        let mut ends = self.ends();
        ends.sends += 1;
        if let Some(kind) = ends.refuses {
            return Err(kind.into());
        }
        ends.sent.push(to);
        Ok(bytes.len())
    }
}

impl Reactor for Wire {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut ends = self.ends();
        ends.polls += 1;
        if !ends.inbox.is_empty() || ends.broken.is_some() {
            return Poll::Ready(Ok(()));
        }
        ends.readable = Some(cx.waker().clone());
        Poll::Pending
    }

    fn set_deadline(&mut self, at: Option<Instant>) {
        self.ends().deadlines.push(at);
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut ends = self.ends();
        if std::mem::take(&mut ends.is_due) {
            return Poll::Ready(());
        }
        ends.timer = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// A node on such a socket.
pub(crate) fn engine() -> (Handle, Engine<Wire>, Wire) {
    let (wire, clock) = (Wire::default(), Clock::new());
    engine_of(slow_node(), clock, wire)
}

/// The same, and it seals.
#[cfg(feature = "aead")]
pub(crate) fn sealed_engine() -> (Handle, Engine<Wire>, Wire) {
    let mut setup = slow_node();
    setup.keyring = Some(crate::Keyring::new(crate::Key::from_bytes([1; 32])));
    engine_of(setup, Clock::new(), Wire::default())
}

fn engine_of(setup: Setup, clock: Clock, wire: Wire) -> (Handle, Engine<Wire>, Wire) {
    let (handle, pump) = setup.start(addr(0), clock.now()).unwrap();
    (handle, Engine::new(wire.clone(), clock, pump), wire)
}

/// Its periods are so long that nothing is due before a test lets time pass.
fn slow_node() -> Setup {
    let long = Duration::from_secs(300);
    let mut config = Config::local("c");
    (config.probe_interval, config.gossip_interval) = (long, long);
    (config.join_retry, config.join_retry_max) = (long, long);
    (config.sync_patience, config.sync_backoff_max, config.tombstone_ttl) = (long, long, 1_000 * long);
    let mut setup = Setup::new("a", config);
    (setup.epoch, setup.rng_seed) = (Some(1), Some(1));
    setup
}

/// What a peer says to the node of [`engine`], which answers it, to be let in: the cookie in it is that of another node of the
/// same seed.
pub(crate) fn greeting(peer: SocketAddr) -> (SocketAddr, Vec<u8>) {
    let mut setup = Setup::new(format!("{peer}"), Config::local("c"));
    (setup.epoch, setup.rng_seed) = (Some(1), Some(1));
    let now = swim_core::Instant::ORIGIN;
    let (handle, mut pump) = setup.start(peer, now).unwrap();
    handle.join(&[addr(0)]).unwrap();
    pump.command(now);
    let (_seed, mut seed) = slow_node().start(addr(0), now).unwrap();
    seed.datagram(now, peer, &mut said(&mut pump));
    pump.datagram(now, addr(0), &mut said(&mut seed));
    (peer, said(&mut pump))
}

/// The first of all that it sends.
fn said(pump: &mut Pump) -> Vec<u8> {
    let mut out = vec![0; pump.datagram_max()];
    let len = pump.poll_transmit(&mut out).expect("it says something").len;
    out.truncate(len);
    while pump.poll_transmit(&mut vec![0; pump.datagram_max()]).is_some() {}
    out
}

pub(crate) fn addr(n: u8) -> SocketAddr {
    ([10, 0, 0, n], 7_946).into()
}
