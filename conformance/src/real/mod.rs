//! A network of real nodes, on threads and loopback sockets, whatever they are bound with.
//!
//! A binding shows in its tests how it runs one node ([`Binding`], some thirty lines), and plays the scenarios:
//!
//! ```text
//! struct Tokio;
//! impl conformance::Binding for Tokio { .. }
//! conformance::suite!(conformance::Real<Tokio>);
//! ```
//!
//! Each node has a thread, a socket of its own, and a place in a relay that all datagrams pass (`relay.rs`); between driver
//! and socket there is a layer that makes the node stand still, or end as if it were killed (`layer.rs`), and that fails as
//! a socket may ([`Faults`]). Time is real, so nothing is exact, and nobody can look into a node.

mod excuse;
mod faults;
mod layer;
mod process;
mod relay;
mod spurious;

use std::cell::RefCell;
use std::io;
use std::marker::PhantomData;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use swim_core::{Config, Event, NodeId, Profile};
use swim_driver::{BindError, Handle, Recorder, Setup, View};

use crate::harness::{Harness, Link, Peer, Spec, Way};
use crate::replayed;
use crate::run::mix;

use excuse::fail;
pub use faults::{FaultCounts, Faults, Sends, SocketError, Times};
pub use layer::{Counts, Layer, Layered};
use process::Process;
use relay::Relay;
pub use spurious::polled_for_nothing;

/// How a binding runs one node.
pub trait Binding: 'static {
    /// How many networks of it make sense at a time, where all nodes of a process share something of the runtime.
    const AT_A_TIME: usize = usize::MAX;

    /// Binds a node to this address, tells what has come of it, puts the layer around its socket, and runs the driver to its
    /// end; all on this thread, which is the node's own. Whatever runtime it takes is gone when this returns.
    ///
    /// # Errors
    /// What ends the driver.
    fn run(addr: SocketAddr, setup: Setup, layer: Layer, ready: Ready) -> io::Result<()>;
}

/// Where a binding hands over what [`Binding::run`] has bound.
pub struct Ready(Sender<Result<Handle, BindError>>);

impl Ready {
    /// Gives the handle to the harness, and back the driver, which is to be run; none when there is none.
    pub fn tell<D>(self, bound: Result<(Handle, D), BindError>) -> Option<D> {
        let (told, driver) = match bound {
            Ok((handle, driver)) => (Ok(handle), Some(driver)),
            Err(e) => (Err(e), None),
        };
        // When nobody waits for it any more, dropping the handle ends the driver.
        let _ = self.0.send(told);
        driver
    }
}

/// A network of nodes of this binding.
///
/// Random choices are drawn from the seed, but when something happens is up to the machine: no two runs are the same.
pub struct Real<B> {
    seed: u64,
    config: Config,
    relay: Relay,
    /// Sends what makes drivers read.
    poker: UdpSocket,
    poker_addr: SocketAddr,
    hosts: Vec<Host>,
    /// Wakes the thread that plays the scenario.
    waker: Waker,
    binding: PhantomData<fn(B)>,
    /// Given back last, when nothing of this network is left.
    _turn: Turn,
}

/// A place in the network where one process runs at a time.
struct Host {
    spec: Spec,
    /// What others send to.
    addr: SocketAddr,
    /// Keeps the port of the node's own socket while there is none, so that no other test is given it.
    port: Option<UdpSocket>,
    process: Process,
    lives: u64,
    /// What those of them saw that have ended: replayed when nothing runs any more that it could hold up.
    ended: Vec<Recorder>,
    /// All that its processes have told.
    log: RefCell<Vec<Event>>,
}

/// A network of nodes on sockets that can be made to fail.
pub trait Sockets: Harness {
    /// What the node's socket was used for, since the node was last started.
    fn counts(&self, p: Peer) -> Counts;

    /// What is wrong with the node's socket: to be ordered, and to be looked at.
    fn faults(&self, p: Peer) -> Faults;

    /// Where its own socket is, behind all that disturbs its datagrams on the way.
    fn bound(&self, p: Peer) -> SocketAddr;

    /// Whether its driver has ended and is gone: its port was free then, and is kept for its next life.
    fn has_ended(&self, p: Peer) -> bool;

    /// Wakes its driver though there is nothing to do, and waits until it has looked.
    fn wake_for_nothing(&self, p: Peer);
}

impl<B: Binding> Sockets for Real<B> {
    fn counts(&self, p: Peer) -> Counts {
        self.process(p).counts()
    }

    fn faults(&self, p: Peer) -> Faults {
        self.process(p).faults().clone()
    }

    fn bound(&self, p: Peer) -> SocketAddr {
        self.process(p).bound()
    }

    fn has_ended(&self, p: Peer) -> bool {
        self.process(p).is_joined()
    }

    fn wake_for_nothing(&self, p: Peer) {
        self.process(p).settle(&self.poker);
    }
}

impl<B: Binding> Real<B> {
    fn process(&self, p: Peer) -> &Process {
        &self.hosts[p.index()].process
    }

    fn process_mut(&mut self, p: Peer) -> &mut Process {
        &mut self.hosts[p.index()].process
    }

    fn profile(&self, p: Peer, meta: &[u8]) -> Profile {
        Profile::new(&self.hosts[p.index()].spec.name, meta).expect("a scenario's profiles are short enough")
    }

    /// Starts a process, at its port or, when somebody was given that in between, at another: nobody but the relay knows.
    fn start(
        &self,
        index: usize,
        addr: SocketAddr,
        port: UdpSocket,
        spec: &Spec,
        (life, epoch): (u64, u32),
    ) -> Process {
        let mut setup = Setup::new(&*spec.name, spec.config.as_ref().unwrap_or(&self.config).clone());
        setup.meta.clone_from(&spec.meta);
        setup.epoch = Some(epoch);
        setup.advertise = Some(addr);
        setup.rng_seed = Some(mix(mix(self.seed, index as u64), life));
        setup.record = Some(replayed::recording(self.seed, index, life, RING));
        let mut port = Some(port);
        for _ in 0..PORTS_TRIED {
            let bound = local_addr(&port.take().unwrap_or_else(|| {
                let another = a_port();
                self.relay.rebind(index, local_addr(&another));
                another
            }));
            match Process::start::<B>(bound, setup.clone(), self.poker_addr) {
                Ok(process) => return process,
                Err(e) => eprintln!("{bound} is taken meanwhile: {e}"),
            }
        }
        fail(&format!("{PORTS_TRIED} ports in a row were free, and then were not"))
    }

    /// Takes what the nodes have told, and joins the threads of those that have ended.
    fn tend(&mut self) {
        for host in &mut self.hosts {
            host.process.drain(&mut host.log.borrow_mut(), &self.waker);
            if host.process.is_to_be_joined() {
                host.end(&self.poker).unwrap_or_else(|e| fail(&e));
            }
        }
    }

    /// Sees to it that nothing shows in a view that the node has not told: on a virtual network that is always so.
    fn settle(&mut self) {
        self.hosts.iter().for_each(|host| host.process.settle(&self.poker));
        self.tend();
    }

    /// Lets time pass until `done` holds, or this point in time.
    fn wait(&mut self, until: Instant, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        loop {
            self.tend();
            if done(self) {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            // Events wake this thread; a change that nobody is told of, as of a node's own row, does not.
            thread::park_timeout(left.min(LOOK_AGAIN));
        }
    }
}

impl Host {
    /// Waits until the process has ended, and keeps its port.
    fn end(&mut self, poker: &UdpSocket) -> Result<(), String> {
        let bound = self.process.bound();
        self.process.await_end(poker)?;
        self.ended.push(self.process.recorder().clone());
        let port = UdpSocket::bind(bound)
            .map_err(|e| format!("{} has ended, and {bound} is not free: {e}", self.spec.name))?;
        self.port = Some(port);
        Ok(())
    }
}

impl<B: Binding> Harness for Real<B> {
    fn new(seed: u64, config: Config) -> Self {
        let turn = Turn::await_one(B::AT_A_TIME);
        let poker = a_port();
        Self {
            seed,
            config,
            relay: Relay::new(seed).expect("the system has descriptors and threads"),
            poker_addr: local_addr(&poker),
            poker,
            hosts: Vec::new(),
            waker: Waker::from(Arc::new(Unpark(thread::current()))),
            binding: PhantomData,
            _turn: turn,
        }
    }

    /// Ten periods a second: half the times of the preset for nodes on one machine, and less patience after failures, which
    /// scenarios wait for.
    fn base_config() -> Config {
        let mut config = Config::local("conformance");
        config.probe_interval /= 2;
        config.probe_timeout /= 2;
        config.gossip_interval /= 2;
        config.tombstone_ttl /= 2;
        config.join_retry /= 2;
        config.join_retry_max = config.join_retry * 10;
        config.sync_patience /= 2;
        config.sync_backoff_max = config.sync_patience * 12;
        config
    }

    fn seeds(_: u64, _: bool) -> u64 {
        1
    }

    fn excuse() -> Option<String> {
        excuse::take()
    }

    fn grace(&self) -> Duration {
        self.periods(40)
    }

    fn long(&self, n: u32) -> Duration {
        self.periods(n * 2 / 3)
    }

    fn config(&self) -> &Config {
        &self.config
    }

    fn spawn(&mut self, spec: Spec) -> Peer {
        let (index, port) = (self.hosts.len(), a_port());
        let addr = self.relay.add(local_addr(&port)).expect("the system has descriptors");
        let process = self.start(index, addr, port, &spec, (1, spec.epoch.unwrap_or(1)));
        let (ended, log) = (Vec::new(), RefCell::default());
        self.hosts.push(Host { spec, addr, port: None, process, lives: 1, ended, log });
        Peer::new(index)
    }

    fn restart(&mut self, p: Peer, spec: Spec) {
        self.kill(p);
        let host = &mut self.hosts[p.index()];
        host.lives += 1;
        let next = host.process.view().me().incarnation().epoch().saturating_add(1);
        let port = host.port.take().expect("a process that has ended leaves its port");
        let (addr, life) = (host.addr, (host.lives, spec.epoch.unwrap_or(next)));
        let process = self.start(p.index(), addr, port, &spec, life);
        let host = &mut self.hosts[p.index()];
        (host.process, host.spec) = (process, spec);
    }

    fn spec(&self, p: Peer) -> Spec {
        self.hosts[p.index()].spec.clone()
    }

    fn peers(&self) -> Vec<Peer> {
        (0..self.hosts.len()).map(Peer::new).collect()
    }

    fn addr(&self, p: Peer) -> SocketAddr {
        self.hosts[p.index()].addr
    }

    fn id(&self, p: Peer) -> NodeId {
        self.process(p).id()
    }

    fn handle(&self, p: Peer) -> Handle {
        self.process(p).handle().clone()
    }

    fn let_go(&mut self, p: Peer) {
        self.process_mut(p).let_go();
    }

    fn join(&mut self, p: Peer, seeds: &[SocketAddr]) {
        self.process(p).handle().join(seeds).expect("a node that runs takes a command");
    }

    fn leave(&mut self, p: Peer) {
        self.process(p).handle().leave().expect("a node that runs takes a command");
    }

    fn set_meta(&mut self, p: Peer, meta: &[u8]) {
        self.process(p).handle().set_profile(self.profile(p, meta)).expect("a node that runs takes a command");
    }

    fn kill(&mut self, p: Peer) {
        let host = &mut self.hosts[p.index()];
        if !host.process.is_joined() {
            host.process.kill(&self.poker);
            host.end(&self.poker).unwrap_or_else(|e| fail(&e));
        }
        host.process.drain(&mut host.log.borrow_mut(), &self.waker);
    }

    fn pause(&mut self, p: Peer) {
        let host = &mut self.hosts[p.index()];
        host.process.pause(&self.poker);
    }

    fn resume(&mut self, p: Peer) {
        self.process_mut(p).resume();
    }

    fn is_running(&self, p: Peer) -> bool {
        let host = &self.hosts[p.index()];
        host.process.drain(&mut host.log.borrow_mut(), &self.waker);
        host.process.is_running()
    }

    fn view(&self, p: Peer) -> Arc<View> {
        self.process(p).view()
    }

    fn events_after(&self, p: Peer, skip: usize) -> Vec<Event> {
        let host = &self.hosts[p.index()];
        let mut log = host.log.borrow_mut();
        host.process.drain(&mut log, &self.waker);
        log.iter().skip(skip).copied().collect()
    }

    fn run(&mut self, span: Duration) {
        self.wait(Instant::now() + span, |_| false);
    }

    fn until(&mut self, limit: Duration, done: impl FnMut(&mut Self) -> bool) -> Option<Duration> {
        let start = Instant::now();
        let took = self.wait(start + limit, done).then(|| start.elapsed())?;
        self.settle();
        Some(took)
    }

    fn cut(&mut self, these: &[Peer], those: &[Peer], way: Way) {
        let [these, those] = [these, those].map(|group| group.iter().map(|p| p.index()).collect::<Vec<_>>());
        self.relay.cut(&these, &those, way);
    }

    fn heal(&mut self) {
        self.relay.heal();
    }

    fn set_network(&mut self, link: Link) {
        self.relay.set_network(link);
    }

    fn set_link(&mut self, from: Peer, to: Peer, link: Link) {
        self.relay.set_link(from.index(), to.index(), link);
    }
}

impl<B> Drop for Real<B> {
    /// Ends all threads, also when the scenario has panicked, and replays what their nodes saw.
    fn drop(&mut self) {
        for host in self.hosts.iter_mut().filter(|host| !host.process.is_joined()) {
            host.process.kill(&self.poker);
        }
        let mut failures = Vec::new();
        for host in self.hosts.iter_mut().filter(|host| !host.process.is_joined()) {
            failures.extend(host.end(&self.poker).err());
        }
        let lives = self.hosts.iter().flat_map(|host| host.ended.iter().map(|life| (&host.spec.name, life)));
        failures.extend(lives.filter_map(|(name, life)| replayed::replay(name, life).err()));
        excuse::held_up(self.relay.held_up());
        if failures.is_empty() {
            return;
        }
        excuse::failed();
        if thread::panicking() {
            failures.iter().for_each(|e| eprintln!("{e}"));
            eprintln!("{} datagrams came from strangers", self.relay.unknown());
        } else {
            panic!("{failures:?}");
        }
    }
}

/// One of the networks that run at a time.
struct Turn;

static RUNNING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

impl Turn {
    fn await_one(most: usize) -> Self {
        let running = RUNNING.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut running = RUNNING.1.wait_while(running, |n| *n >= most).unwrap_or_else(PoisonError::into_inner);
        *running += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *RUNNING.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        RUNNING.1.notify_all();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A socket at a port that was free, below those that the system picks from: nobody is given it by chance once a node has
/// ended, so one that is not free then was not freed.
fn a_port() -> UdpSocket {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..PORTS {
        let place = std::process::id().wrapping_mul(97).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS;
        let port = FIRST_PORT + u16::try_from(place).expect("there are fewer");
        match UdpSocket::bind((Ipv4Addr::LOCALHOST, port)) {
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => {}
            bound => return bound.expect("the loopback interface has UDP ports"),
        }
    }
    fail("all ports are taken")
}

fn local_addr(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().expect("a bound socket has an address")
}

/// Another process that is given a port just then is rare, and twice in a row does not happen.
const PORTS_TRIED: usize = 5;
/// Bytes that keep the whole life of a node in most scenarios.
const RING: usize = 16 << 20;
/// How often a condition is looked at when there are no events.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests;
/// Below the ports that systems give by themselves, and above those of services.
const FIRST_PORT: u16 = 20_000;
const PORTS: u32 = 12_000;
