//! Five real nodes in one process, on all the bindings: a thread and a socket each, and one stream of what they report.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use bind_mio::swim_core::{Config, Event, NodeId, State};
use bind_mio::swim_driver::{Recording, View};
use bind_mio::{BindError, Handle, Setup};

use super::replayed::{self, Life, Replayed};
use super::runtimes::{self, Running, Runtime, StartError};
use crate::output::Failure;

pub(super) struct Cluster {
    /// When the first node started.
    pub(super) start: Instant,
    /// When all must be over.
    end: Instant,
    config: Config,
    nodes: Vec<Node>,
    /// Of the nodes, in the order of their starts.
    lives: Vec<Life>,
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

struct Node {
    name: &'static str,
    runtime: Runtime,
    running: Running,
}

/// Reports what one node tells, and why it has ended when that was an error.
struct Reporter {
    node: usize,
    to: SyncSender<Report>,
}

impl Cluster {
    /// One node of each name, on loopback ports that the system chooses. Each is alone yet.
    pub(super) fn start(names: &[(&'static str, Runtime)], limit: Duration) -> Result<Self, Failure> {
        let start = Instant::now();
        let (reporter, reports) = sync_channel(REPORTS_MAX);
        // Two demos at a time are two clusters, whatever ports the system gives them.
        let config = Config::local(&format!("demo-{}", std::process::id()));
        let nodes = Vec::with_capacity(names.len());
        let (end, lives, seen) = (start + limit, Vec::new(), Vec::new());
        let mut cluster = Self { start, end, config, nodes, lives, reporter, reports, seen };
        for &(name, runtime) in names {
            let running = cluster.spawn(cluster.nodes.len(), (name, runtime), ANY_PORT.into(), FIRST_EPOCH)?;
            cluster.nodes.push(Node { name, runtime, running });
        }
        Ok(cluster)
    }

    /// The demo counts lives itself: the clock's seconds, which are the default, read less well.
    fn spawn(
        &mut self,
        node: usize,
        (name, runtime): (&'static str, Runtime),
        addr: SocketAddr,
        epoch: u32,
    ) -> Result<Running, Failure> {
        let mut setup = Setup::new(name, self.config.clone());
        setup.epoch = Some(epoch);
        setup.record = Some(Recording::default());
        let reporter = Reporter { node, to: self.reporter.clone() };
        let running = Running::start(runtime, name, addr, setup, reporter).map_err(|e| match e {
            StartError::Bind(e) => no_socket(name, &e),
            StartError::Short(e) => Failure::Runtime(format!(
                "{name} cannot be run: {e}; the system is short of something, try again later"
            )),
        })?;
        let recorder = running.handle.recorder().cloned().expect("it was asked to be recorded");
        self.lives.push(Life { name, recorder });
        Ok(running)
    }

    /// Ends the node without a goodbye. Its socket is closed when this returns.
    pub(super) fn kill(&mut self, node: usize) {
        self.nodes[node].running.kill();
    }

    /// Starts a node that was killed again: same name, same address, next life.
    pub(super) fn restart(&mut self, node: usize) -> Result<(), Failure> {
        let Node { name, runtime, ref running } = self.nodes[node];
        let epoch = running.handle.view().me().incarnation().epoch() + 1;
        let addr = running.handle.addr();
        self.nodes[node].running = self.spawn(node, (name, runtime), addr, epoch)?;
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn name(&self, node: usize) -> &'static str {
        self.nodes[node].name
    }

    pub(super) fn runtime(&self, node: usize) -> Runtime {
        self.nodes[node].runtime
    }

    pub(super) fn handle(&self, node: usize) -> &Handle {
        &self.nodes[node].running.handle
    }

    pub(super) fn view(&self, node: usize) -> Arc<View> {
        self.handle(node).view()
    }

    /// The index of a member.
    pub(super) fn index(&self, id: NodeId) -> Option<usize> {
        self.nodes.iter().position(|node| node.running.handle.id() == id)
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

    /// The next report; `None` when none has come by the deadline, and from the end of all on, though some may wait there.
    pub(super) fn next(&mut self, deadline: Instant) -> Result<Option<Seen>, Failure> {
        let now = Instant::now();
        if now >= self.end {
            return Ok(None);
        }
        let left = deadline.min(self.end).saturating_duration_since(now);
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
            let _ = node.running.handle.leave();
        }
        let deadline = Instant::now() + PARTING_MAX;
        for node in &self.nodes {
            node.running.handle.wait_closed(deadline.saturating_duration_since(Instant::now()));
        }
    }

    /// Plays again what the nodes have seen in all their lives.
    pub(super) fn replay(&self) -> Result<Replayed, Failure> {
        replayed::replay(&self.lives)
    }

    #[cfg(test)]
    pub(super) fn end_now(&mut self) {
        self.end = Instant::now();
    }
}

impl runtimes::Report for Reporter {
    /// A node that waited for its observer would be suspected by the others: it reports, or it fails.
    fn event(&mut self, event: Event) -> io::Result<()> {
        match self.to.try_send(Report { node: self.node, at: Instant::now(), what: Ok(event) }) {
            Err(TrySendError::Full(_)) => Err(io::Error::other("nobody takes its events")),
            // The demo is over.
            Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
        }
    }

    fn ended(self, why: io::Result<()>) {
        if let Err(e) = why {
            // Where there is no room for it, the demo misses the node all the same, and says so.
            let _ = self.to.try_send(Report { node: self.node, at: Instant::now(), what: Err(e) });
        }
    }
}

fn no_socket(name: &str, error: &BindError) -> Failure {
    Failure::Runtime(format!(
        "{name} cannot be started: {error}; the demo needs UDP ports on the loopback interface: run it where it may \
         have them, and again if one was taken from it meanwhile"
    ))
}

const ANY_PORT: ([u8; 4], u16) = ([127, 0, 0, 1], 0);
const FIRST_EPOCH: u32 = 1;
/// Some hundred are reported in all.
const REPORTS_MAX: usize = 4_096;
const PARTING_MAX: Duration = Duration::from_millis(500);
