//! Faults of a node's socket, as a scenario orders them: errors, floods, reads that are cut off, and readiness for nothing.
//!
//! The layer asks here before it asks the socket, so what fails here the socket never hears of, and nothing is lost that a
//! scenario does not see lost. Invariant: what is ordered holds from the driver's next call on.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

/// What is wrong with the socket of one node, from the next call of its driver on, until it is ordered otherwise or the node
/// is started anew.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
}

/// An error as the system would return it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketError {
    /// One that has a kind.
    Kind(ErrorKind),
    /// One that has only a number.
    Code(i32),
}

impl SocketError {
    /// No buffers, which a busy system says.
    pub const NO_BUFFERS: Self = Self::Code(if cfg!(windows) {
        10_055
    } else if cfg!(any(target_os = "linux", target_os = "android")) {
        105
    } else {
        55
    });
    /// The datagram is longer than the way to its destination allows.
    pub const TOO_LONG: Self = Self::Code(if cfg!(windows) {
        10_040
    } else if cfg!(any(target_os = "linux", target_os = "android")) {
        90
    } else {
        40
    });
    /// Nothing to read, or no room to send.
    pub const WOULD_BLOCK: Self = Self::Kind(ErrorKind::WouldBlock);
}

impl From<SocketError> for io::Error {
    fn from(error: SocketError) -> Self {
        match error {
            SocketError::Kind(kind) => kind.into(),
            SocketError::Code(code) => Self::from_raw_os_error(code),
        }
    }
}

/// Which calls fail, of those that could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// All.
    Always,
    /// The next so many.
    Next(u64),
    /// The first so many of every so many.
    Of(u64, u64),
}

/// Which datagrams cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sends {
    /// All.
    All,
    /// Those to this address.
    To(SocketAddr),
    /// Those that have more bytes.
    Longer(usize),
}

/// What has come of the faults, since the node was last started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Reads that were begun, failed ones included.
    pub reads: u64,
    /// Of these, reads that failed by order.
    pub reads_failed: u64,
    /// Datagrams of which a copy was read that was cut off.
    pub cut_off: u64,
    /// Sends that were begun, failed ones included.
    pub sends: u64,
    /// Of these, sends that failed by order, other than for want of room.
    pub sends_failed: u64,
    /// Of these, sends for which there was no room.
    pub sends_blocked: u64,
    /// Datagrams that were sent between one for which there was no room and that one.
    pub overtaken: u64,
    /// How often the driver has asked its timer, which it does before it waits. None where it is no task.
    pub waits: u64,
}

impl Faults {
    /// These reads fail so, whatever there is to read.
    pub fn fail_reads(&self, error: SocketError, times: Times) {
        self.plan().reads = Some(Fault { error, times, seen: 0 });
    }

    /// These datagrams fail to be sent. Only one order for sends holds at a time.
    pub fn fail_sends(&self, error: SocketError, which: Sends, times: Times) {
        self.plan().sends = Some((which, Fault { error, times, seen: 0 }));
    }

    /// Before each datagram comes a copy of it that is cut off: behind no byte, one, two, and so on by turns.
    pub fn cut_off_copies(&self) {
        self.plan().cuts = true;
    }

    /// Before what there is to read comes so much junk, as if the system had kept it all.
    pub fn put_junk_first(&self, datagrams: u64) {
        self.plan().junk = datagrams;
    }

    /// The next so many times, a driver that is a task is told that there is something to read, at once.
    pub fn be_ready_for_nothing(&self, times: u64) {
        self.plan().ready = times;
    }

    /// Nothing is wrong any more.
    pub fn clear(&self) {
        let mut plan = self.plan();
        (plan.reads, plan.sends, plan.cuts, plan.junk, plan.ready) = (None, None, false, 0, 0);
    }

    /// What has come of them.
    pub fn counts(&self) -> FaultCounts {
        self.plan().counts
    }

    /// What a read returns instead of what there is to read.
    pub(super) fn on_read(&self, buf: &mut [u8]) -> Option<io::Result<(usize, SocketAddr)>> {
        let mut plan = self.plan();
        plan.counts.reads += 1;
        if let Some(error) = plan.reads.as_mut().and_then(Fault::strikes) {
            plan.counts.reads_failed += 1;
            return Some(Err(error.into()));
        }
        if let Some((from, bytes)) = plan.whole.take() {
            buf[..bytes.len()].copy_from_slice(&bytes);
            return Some(Ok((bytes.len(), from)));
        }
        plan.junk.checked_sub(1).map(|left| {
            plan.junk = left;
            buf[..JUNK.len()].copy_from_slice(JUNK);
            Ok((JUNK.len(), ([127, 0, 0, 1], 9).into()))
        })
    }

    /// How much of this datagram is read at first; the whole comes with the next read.
    pub(super) fn on_received(&self, bytes: &[u8], from: SocketAddr) -> usize {
        let mut plan = self.plan();
        if !plan.cuts || bytes.is_empty() {
            return bytes.len();
        }
        let len = plan.counts.cut_off as usize % bytes.len();
        plan.counts.cut_off += 1;
        plan.whole = Some((from, bytes.into()));
        len
    }

    /// Why this datagram cannot be sent, if it cannot.
    pub(super) fn on_send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        let mut plan = self.plan();
        plan.counts.sends += 1;
        if plan.blocked.as_ref().is_some_and(|(whom, what)| *whom != to || **what != *bytes) {
            plan.counts.overtaken += 1;
        }
        plan.blocked = None;
        let hit = |which: Sends| match which {
            Sends::All => true,
            Sends::To(addr) => addr == to,
            Sends::Longer(len) => bytes.len() > len,
        };
        let fault = plan.sends.as_mut().filter(|(which, _)| hit(*which));
        let Some(error) = fault.and_then(|(_, fault)| fault.strikes()) else { return Ok(()) };
        if error == SocketError::WOULD_BLOCK || error == SocketError::NO_BUFFERS {
            plan.counts.sends_blocked += 1;
            plan.blocked = Some((to, bytes.into()));
        } else {
            plan.counts.sends_failed += 1;
        }
        Err(error.into())
    }

    /// Whether the driver is told that there is something to read, though that may not be so.
    pub(super) fn on_poll_readable(&self) -> bool {
        let mut plan = self.plan();
        let ready = plan.ready > 0;
        plan.ready -= u64::from(ready);
        ready
    }

    pub(super) fn on_poll_deadline(&self) {
        self.plan().counts.waits += 1;
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().expect("nobody panics while holding it")
    }
}

#[derive(Debug, Default)]
struct Plan {
    reads: Option<Fault>,
    sends: Option<(Sends, Fault)>,
    cuts: bool,
    junk: u64,
    ready: u64,
    /// The datagram of which a copy was cut off.
    whole: Option<(SocketAddr, Box<[u8]>)>,
    /// The datagram for which there was no room. What is sent next should be that.
    blocked: Option<(SocketAddr, Box<[u8]>)>,
    counts: FaultCounts,
}

#[derive(Debug)]
struct Fault {
    error: SocketError,
    times: Times,
    /// Calls so far that could fail.
    seen: u64,
}

impl Fault {
    fn strikes(&mut self) -> Option<SocketError> {
        let strikes = match self.times {
            Times::Always => true,
            Times::Next(n) => self.seen < n,
            Times::Of(k, n) => self.seen % n < k,
        };
        self.seen += 1;
        strikes.then_some(self.error)
    }
}

/// Another protocol's, by its first byte.
const JUNK: &[u8] = &[0xa5; 60];

#[cfg(test)]
mod tests;
