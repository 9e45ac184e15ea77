//! The network of a [`crate::Real`]: every datagram passes a relay, which can lose, double, hold back and delay it.
//!
//! Each node has a socket here, whose address it advertises. What comes there is for that node, and is forwarded from the
//! sender's socket here. So all see the advertised addresses and nothing else, wherever the nodes' own sockets are bound.
//!
//! Invariant: what is set holds for every datagram that the relay reads from then on. What it has read before goes the way
//! that was open then.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::io::{self, ErrorKind};
use std::net::{self, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Registry, Token, Waker};

use super::excuse;
use crate::harness::{Link, Way};
use crate::run::mix;

/// A thread that forwards between nodes, which are named by the order in which they were added.
#[derive(Debug)]
pub(super) struct Relay {
    shared: Arc<Shared>,
    registry: Registry,
    waker: Waker,
    thread: Option<JoinHandle<io::Result<()>>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    ends: AtomicBool,
}

impl Relay {
    /// A network of nobody, whose faults are drawn from this seed.
    pub(super) fn new(seed: u64) -> io::Result<Self> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = Waker::new(&registry, WAKE)?;
        let shared = Arc::new(Shared { state: Mutex::new(State::new(seed)), ends: AtomicBool::new(false) });
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new().name("relay".into()).spawn(move || theirs.run(poll))?;
        Ok(Self { shared, registry, waker, thread: Some(thread) })
    }

    /// Adds a node whose own socket is bound to this address: the address to advertise.
    pub(super) fn add(&self, bound: SocketAddr) -> io::Result<SocketAddr> {
        let socket = net::UdpSocket::bind((bound.ip(), 0))?;
        socket.set_nonblocking(true)?;
        let addr = socket.local_addr()?;
        let mut socket = UdpSocket::from_std(socket);
        // What comes at once finds the node there.
        let mut state = self.state();
        let node = state.nodes.len();
        self.registry.register(&mut socket, Token(node), Interest::READABLE)?;
        state.at.insert(bound, node);
        state.nodes.push(Node { socket, bound });
        Ok(addr)
    }

    /// From now on the node's own socket is bound to this address.
    pub(super) fn rebind(&self, node: usize, bound: SocketAddr) {
        let mut state = self.state();
        let former = std::mem::replace(&mut state.nodes[node].bound, bound);
        state.at.remove(&former);
        state.at.insert(bound, node);
    }

    /// Cuts the ways between two groups, on top of what is cut already.
    pub(super) fn cut(&self, these: &[usize], those: &[usize], way: Way) {
        let mut state = self.state();
        for (&this, &that) in these.iter().flat_map(|this| those.iter().map(move |that| (this, that))) {
            if way != Way::From {
                state.rules.cuts.insert((this, that));
            }
            if way != Way::To {
                state.rules.cuts.insert((that, this));
            }
        }
    }

    /// Undoes all cuts.
    pub(super) fn heal(&self) {
        self.state().rules.cuts.clear();
    }

    /// What every direction does that has no link of its own.
    pub(super) fn set_network(&self, link: Link) {
        self.state().rules.all = link;
    }

    /// Gives one direction a link of its own.
    pub(super) fn set_link(&self, from: usize, to: usize, link: Link) {
        self.state().rules.links.insert((from, to), link);
    }

    /// Datagrams that came from elsewhere than a node's own socket. They go nowhere.
    pub(super) fn unknown(&self) -> u64 {
        self.state().unknown
    }

    /// The longest time that the machine did not let it run when it was to. Nodes are held up as it is.
    pub(super) fn held_up(&self) -> Duration {
        self.state().held_up
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        let ended = self.waker.wake().and_then(|()| match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            _ => Err(io::Error::other("it panicked")),
        });
        let Err(e) = ended else { return };
        excuse::failed();
        if !thread::panicking() {
            panic!("the relay failed: {e}");
        }
    }
}

impl Shared {
    fn run(&self, mut poll: Poll) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        let (mut wait, mut looked, mut left) = (TICK, Instant::now(), Vec::new());
        loop {
            match poll.poll(&mut events, Some(wait)) {
                Err(e) if e.kind() != ErrorKind::Interrupted => return Err(e),
                _ => {}
            }
            if self.ends.load(Ordering::Relaxed) {
                return Ok(());
            }
            let mut state = self.state.lock().expect("the harness does not panic while it sets something");
            state.held_up = state.held_up.max(looked.elapsed().saturating_sub(TICK));
            looked = Instant::now();
            let told = events.iter().map(|event| event.token()).filter(|&token| token != WAKE);
            let mut nodes: Vec<usize> = std::mem::take(&mut left);
            nodes.extend(told.map(|token| token.0));
            // Who is not read to the end is not told of again.
            left = nodes.into_iter().filter(|&node| !state.receive(node)).collect();
            wait = state.release().unwrap_or(TICK).min(if left.is_empty() { TICK } else { Duration::ZERO });
        }
    }
}

#[derive(Debug)]
struct State {
    nodes: Vec<Node>,
    /// Nodes by the addresses that their own sockets are bound to.
    at: HashMap<SocketAddr, usize>,
    rules: Rules,
    unknown: u64,
    held_up: Duration,
    /// Those that are under way. The earliest is the greatest.
    held: BinaryHeap<Reverse<Held>>,
    buf: Vec<u8>,
}

#[derive(Debug)]
struct Node {
    /// What others send to, and what this node's datagrams come from.
    socket: UdpSocket,
    /// Where its own socket is.
    bound: SocketAddr,
}

impl State {
    fn new(seed: u64) -> Self {
        let rules = Rules { all: Link::default(), links: HashMap::new(), cuts: HashSet::new(), seed, drawn: 0 };
        Self {
            nodes: Vec::new(),
            at: HashMap::new(),
            rules,
            unknown: 0,
            held_up: Duration::ZERO,
            held: BinaryHeap::new(),
            buf: vec![0; 65_535],
        }
    }

    /// Reads what has come for a node; whether that was all. A flood does not keep the others waiting.
    fn receive(&mut self, to: usize) -> bool {
        for _ in 0..READS_MAX {
            let (len, source) = match self.nodes[to].socket.recv_from(&mut self.buf) {
                Ok(received) => received,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return true,
                // Some systems tell here that a datagram found nobody, of which a network knows nothing.
                Err(_) => continue,
            };
            let Some(&from) = self.at.get(&source) else {
                self.unknown += 1;
                continue;
            };
            for delay in self.rules.copies(from, to).into_iter().flatten() {
                if delay.is_zero() {
                    self.forward(from, to, &self.buf[..len]);
                    continue;
                }
                let bytes = self.buf[..len].into();
                self.held.push(Reverse(Held { due: Instant::now() + delay, from, to, bytes }));
            }
        }
        false
    }

    /// Forwards what is due, and says how long it is until the next is.
    fn release(&mut self) -> Option<Duration> {
        loop {
            let left = self.held.peek()?.0.due.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                return Some(left);
            }
            if let Some(Reverse(Held { from, to, bytes, .. })) = self.held.pop() {
                self.forward(from, to, &bytes);
            }
        }
    }

    fn forward(&self, from: usize, to: usize, bytes: &[u8]) {
        // What a full buffer does not take is lost, as in any network. So is what goes to a node that is down.
        let _ = self.nodes[from].socket.send_to(bytes, self.nodes[to].bound);
    }
}

/// More than any buffer holds would be read at once otherwise.
const READS_MAX: usize = 1_024;

/// What the network does.
#[derive(Debug)]
struct Rules {
    all: Link,
    links: HashMap<(usize, usize), Link>,
    cuts: HashSet<(usize, usize)>,
    seed: u64,
    drawn: u64,
}

impl Rules {
    /// What becomes of a datagram: how long each copy of it takes, if there is any.
    fn copies(&mut self, from: usize, to: usize) -> [Option<Duration>; 2] {
        if self.cuts.contains(&(from, to)) {
            return [None, None];
        }
        let link = self.links.get(&(from, to)).copied().unwrap_or(self.all);
        if self.happens(link.loss) {
            return [None, None];
        }
        let first = self.delay(link);
        [Some(first), self.happens(link.duplicate).then(|| self.delay(link))]
    }

    fn delay(&mut self, link: Link) -> Duration {
        let held_back = if self.happens(link.reorder) {
            HELD_BACK_MIN + (HELD_BACK_MAX - HELD_BACK_MIN) * self.below(1_000) / 1_000
        } else {
            Duration::ZERO
        };
        link.delay + held_back
    }

    fn happens(&mut self, percent: u32) -> bool {
        percent > 0 && self.below(100) < percent
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.drawn += 1;
        (mix(self.seed, self.drawn) % u64::from(bound)) as u32
    }
}

/// A datagram that is under way.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    due: Instant,
    from: usize,
    to: usize,
    bytes: Box<[u8]>,
}

/// No node has this number.
const WAKE: Token = Token(usize::MAX);
/// How often it looks at the clock when nothing comes.
const TICK: Duration = Duration::from_millis(5);
/// Long enough for what comes later to overtake, short against the periods of nodes in a test.
const HELD_BACK_MIN: Duration = Duration::from_millis(3);
const HELD_BACK_MAX: Duration = Duration::from_millis(30);

#[cfg(test)]
mod tests;
