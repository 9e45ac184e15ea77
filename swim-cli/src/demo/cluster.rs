//! Five real nodes in one process: a thread and a socket each, and one stream of what they report.
//!
//! Each thread polls by itself, with its node as a guest ([`Driver::register`], [`Driver::turn`]), so that it can be
//! killed: the flag is raised, the poll is woken, and the thread drops the driver. Its socket is closed then and nobody
//! has heard a goodbye.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bind_mio::swim_core::{Config, Event, NodeId, State};
use bind_mio::swim_driver::{Events, View};
use bind_mio::{BindError, Driver, Handle, Setup, Turn, bind};
use mio::{Poll, Token, Waker};

use crate::output::Failure;

pub(super) struct Cluster {
    /// When the first node started.
    pub(super) start: Instant,
    /// When all must be over.
    end: Instant,
    config: Config,
    nodes: Vec<Running>,
    reporter: SyncSender<Report>,
    reports: Receiver<Report>,
    /// Everything that was reported, in the order of arrival.
    seen: Vec<Seen>,
}

/// An event of a node: at index `node` of the cluster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) at: Instant,
    pub(super) node: usize,
    pub(super) event: Event,
}

struct Report {
    node: usize,
    at: Instant,
    /// An event, or why the node has ended.
    what: Result<Event, io::Error>,
}

struct Running {
    name: &'static str,
    handle: Handle,
    kill: Arc<AtomicBool>,
    waker: Arc<Waker>,
    /// `None` once it has been joined.
    thread: Option<JoinHandle<()>>,
}

impl Cluster {
    /// One node of each name, on loopback ports that the system chooses. Each is alone yet.
    pub(super) fn start(names: &[&'static str], limit: Duration) -> Result<Self, Failure> {
        let start = Instant::now();
        let (reporter, reports) = sync_channel(REPORTS_MAX);
        // Two demos at a time are two clusters, whatever ports the system gives them.
        let config = Config::local(&format!("demo-{}", std::process::id()));
        let nodes = Vec::with_capacity(names.len());
        let mut cluster = Self { start, end: start + limit, config, nodes, reporter, reports, seen: Vec::new() };
        for name in names {
            let node = cluster.spawn(cluster.nodes.len(), name, ANY_PORT.into(), FIRST_EPOCH)?;
            cluster.nodes.push(node);
        }
        Ok(cluster)
    }

    /// The demo counts lives itself: the clock's seconds, which are the default, read less well.
    fn spawn(&self, index: usize, name: &'static str, addr: SocketAddr, epoch: u32) -> Result<Running, Failure> {
        let mut setup = Setup::new(name, self.config.clone());
        setup.epoch = Some(epoch);
        let (handle, mut driver) = bind(addr, setup).map_err(|e| no_socket(name, &e))?;
        let guest = || {
            let poll = Poll::new()?;
            let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
            driver.register(poll.registry(), SOCKET, Arc::clone(&waker))?;
            let kill = Arc::new(AtomicBool::new(false));
            let (killed, reporter, events) = (Arc::clone(&kill), self.reporter.clone(), handle.events());
            let body = move || report(index, &reporter, serve(index, driver, poll, events, &killed, &reporter));
            let thread = thread::Builder::new().name(name.into()).spawn(body)?;
            Ok((kill, waker, thread))
        };
        let (kill, waker, thread) = guest().map_err(|e: io::Error| {
            Failure::Runtime(format!("{name} cannot be run: {e}; the system is short of something, try again later"))
        })?;
        Ok(Running { name, handle, kill, waker, thread: Some(thread) })
    }

    /// Ends the node without a goodbye. Its socket is closed when this returns.
    pub(super) fn kill(&mut self, node: usize) {
        self.nodes[node].kill();
    }

    /// Starts a node that was killed again: same name, same address, next life.
    pub(super) fn restart(&mut self, node: usize) -> Result<(), Failure> {
        let Running { name, ref handle, .. } = self.nodes[node];
        let epoch = handle.view().me().incarnation().epoch() + 1;
        self.nodes[node] = self.spawn(node, name, handle.addr(), epoch)?;
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn name(&self, node: usize) -> &'static str {
        self.nodes[node].name
    }

    pub(super) fn handle(&self, node: usize) -> &Handle {
        &self.nodes[node].handle
    }

    pub(super) fn view(&self, node: usize) -> Arc<View> {
        self.nodes[node].handle.view()
    }

    /// The index of a member.
    pub(super) fn index(&self, id: NodeId) -> Option<usize> {
        self.nodes.iter().position(|node| node.handle.id() == id)
    }

    /// The members that this node sees alive.
    pub(super) fn alive(&self, node: usize) -> usize {
        self.view(node).members().filter(|row| row.state() == State::Alive).count()
    }

    /// How many others this node has reported to be there, ever.
    pub(super) fn met(&self, node: usize) -> usize {
        let ups = self.seen.iter().filter(|seen| seen.node == node).filter_map(|seen| match seen.event {
            Event::MemberUp { id, .. } => Some(id),
            _ => None,
        });
        ups.collect::<HashSet<_>>().len()
    }

    /// What was reported from a point on, which [`Self::now`] gave.
    pub(super) fn seen(&self, since: usize) -> &[Seen] {
        &self.seen[since..]
    }

    /// The point between what was reported and what will be.
    pub(super) fn now(&self) -> usize {
        self.seen.len()
    }

    /// The next report; `None` at the deadline, or at the end of all.
    pub(super) fn next(&mut self, deadline: Instant) -> Result<Option<Seen>, Failure> {
        let left = deadline.min(self.end).saturating_duration_since(Instant::now());
        let Ok(Report { node, at, what }) = self.reports.recv_timeout(left) else { return Ok(None) };
        let event = what.map_err(|e| {
            Failure::Runtime(format!("{} was lost: {e}; try again, with --verbose for more", self.name(node)))
        })?;
        let seen = Seen { at, node, event };
        self.seen.push(seen);
        Ok(Some(seen))
    }

    /// Lets every node say goodbye. Not waited for longer than it takes when all is well.
    pub(super) fn part(&self) {
        for node in &self.nodes {
            // Those that have left or were killed are closed, which is what is wanted.
            let _ = node.handle.leave();
        }
        let deadline = Instant::now() + PARTING_MAX;
        for node in &self.nodes {
            node.handle.wait_closed(deadline.saturating_duration_since(Instant::now()));
        }
    }

    #[cfg(test)]
    pub(super) fn end_now(&mut self) {
        self.end = Instant::now();
    }
}

impl Running {
    fn kill(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.kill.store(true, Ordering::Release);
        // Without a wake-up it looks at the flag at its next deadline, and none is further than a probe interval.
        let _ = self.waker.wake();
        let _ = thread.join();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The thread of one node. Returns when it is killed or has left.
fn serve(
    node: usize,
    mut driver: Driver,
    mut poll: Poll,
    mut events: Events,
    killed: &AtomicBool,
    reporter: &SyncSender<Report>,
) -> io::Result<()> {
    let mut ready = mio::Events::with_capacity(2);
    while !killed.load(Ordering::Acquire) {
        let turn = driver.turn()?;
        while let Ok(event) = events.try_recv() {
            send(reporter, Report { node, at: Instant::now(), what: Ok(event) })?;
        }
        let Turn::Wait(timeout) = turn else { return Ok(()) };
        match poll.poll(&mut ready, timeout) {
            Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

/// A node that waited for its observer would be suspected by the others: it reports, or it fails.
fn send(reporter: &SyncSender<Report>, report: Report) -> io::Result<()> {
    match reporter.try_send(report) {
        Err(TrySendError::Full(_)) => Err(io::Error::other("nobody takes its events")),
        // The demo is over.
        Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
    }
}

fn report(node: usize, reporter: &SyncSender<Report>, ended: io::Result<()>) {
    if let Err(e) = ended {
        // Where there is no room for it, the demo misses the node all the same, and says so.
        let _ = reporter.try_send(Report { node, at: Instant::now(), what: Err(e) });
    }
}

fn no_socket(name: &str, error: &BindError) -> Failure {
    Failure::Runtime(format!(
        "{name} cannot be started: {error}; the demo needs UDP ports on the loopback interface: run it where it may \
         have them, and again if one was taken from it meanwhile"
    ))
}

const SOCKET: Token = Token(0);
const WAKE: Token = Token(1);
const ANY_PORT: ([u8; 4], u16) = ([127, 0, 0, 1], 0);
const FIRST_EPOCH: u32 = 1;
/// Some hundred are reported in all.
const REPORTS_MAX: usize = 4_096;
const PARTING_MAX: Duration = Duration::from_millis(500);
