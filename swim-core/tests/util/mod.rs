//! One node on a bench: the test plays all its peers, at times of its own choosing.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

pub mod data;

use std::net::SocketAddr;
use std::time::Duration;

use swim_core::wire::{Accusers, Detail, Frame, Item, Message, More, Writer};
use swim_core::{Command, Config, Event, Identity, Incarnation, Input, Instant, Node, NodeId, Profile, State, Status};

/// A peer that the test plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub id: NodeId,
    pub addr: SocketAddr,
    pub incarnation: Incarnation,
}

/// What the node has sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub at: Instant,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

impl Sent {
    pub fn frame(&self) -> Frame<'_> {
        Frame::parse(&self.bytes).expect("every datagram sent must parse (F4)")
    }

    pub fn message(&self) -> Option<Message> {
        self.frame().message
    }

    pub fn update_of(&self, id: NodeId) -> Option<Status> {
        self.frame().updates().find(|i| i.id == id).map(|i| i.status)
    }
}

pub struct Bench {
    pub node: Node,
    pub now: Instant,
    pub sent: Vec<Sent>,
    pub events: Vec<Event>,
    pub wakeups: u64,
    /// How often the node said that its view is not its peers'.
    pub diverged: u32,
    /// The nonce of the ping that `next_ping` returned last.
    pub last_ping: Option<u32>,
    /// Peers whose frames are written without a view hash report this node's own.
    pub agree: bool,
}

pub const EPOCH: u32 = 100;

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub fn inc(refutations: u32) -> Incarnation {
    Incarnation::new(EPOCH, refutations)
}

pub fn status(refutations: u32, state: State) -> Status {
    Status::new(inc(refutations), state)
}

pub fn addr(n: u32) -> SocketAddr {
    SocketAddr::from(([10, 1, (n >> 8) as u8, n as u8], 7946))
}

pub fn peer(n: u32) -> Peer {
    Peer { id: NodeId::new(1_000 + u64::from(n)), addr: addr(n), incarnation: inc(0) }
}

pub fn row(p: &Peer) -> Item<'static> {
    let more = More::Detail(Detail { at: p.incarnation, addr: p.addr, name: "", meta: b"" });
    Item { id: p.id, status: Status::alive(p.incarnation), more }
}

/// A frame whose head is this peer's.
pub fn written(p: &Peer, write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buf = vec![0; 65_000];
    let mut w = Writer::new(&mut buf, p.id, p.incarnation, 0).unwrap();
    write(&mut w);
    let n = w.written();
    buf.truncate(n);
    buf
}

/// Where a frame has its sender's view hash.
fn view_hash_at() -> usize {
    let head = |hash| {
        let mut buf = [0; 64];
        Writer::new(&mut buf, NodeId::new(1), inc(0), hash).unwrap();
        buf
    };
    std::iter::zip(head(0), head(u64::MAX)).position(|(a, b)| a != b).expect("a frame has it")
}

/// A frame as this peer would write it.
pub fn frame(p: &Peer, message: Option<Message>, updates: &[Item<'_>], rows: &[Item<'_>]) -> Vec<u8> {
    written(p, |w| {
        assert!(message.is_none_or(|m| w.message(m)));
        for (section, items) in [updates, rows].into_iter().enumerate() {
            assert!(if section == 0 { w.open_updates() } else { w.open_rows() });
            assert!(items.iter().all(|i| w.item(i)));
            w.close_section();
        }
    })
}

/// The frame with this cookie behind it.
pub fn proven(mut frame: Vec<u8>, cookie: u64) -> Vec<u8> {
    frame.extend([26, 8]);
    frame.extend(cookie.to_le_bytes());
    frame
}

/// The cookie that a datagram asks to see again.
pub fn cookie_in(bytes: &[u8]) -> Option<u64> {
    Frame::parse(bytes).expect("every datagram sent must parse (F4)").cookie
}

pub fn accused<'a>(id: NodeId, status: Status, accusers: &'a [NodeId]) -> Item<'a> {
    Item { id, status, more: Accusers::new(accusers).map_or(More::Status, More::Accused) }
}

/// One second per period, 500 ms time-out, fixed fields that the tests count on.
pub fn config() -> Config {
    let mut c = Config::lan("bench");
    (c.suspicion_alpha_percent, c.indirect_probes) = (400, 3);
    c.suspicion_beta = 6;
    c
}

impl Bench {
    pub fn new(config: Config) -> Self {
        Self::seeded(config, 1)
    }

    pub fn seeded(config: Config, seed: u64) -> Self {
        let me = Identity {
            id: NodeId::from_name("me"),
            addr: addr(0),
            epoch: EPOCH,
            profile: Profile::new("me", b"").unwrap(),
        };
        let now = Instant::from_millis(1_000);
        let node = Node::new(me, config, seed, now).unwrap();
        Self { node, now, sent: Vec::new(), events: Vec::new(), wakeups: 0, diverged: 0, last_ping: None, agree: true }
    }

    /// A node that has admitted `n` peers, and has nothing more to tell about them.
    pub fn with_peers(config: Config, n: u32) -> (Self, Vec<Peer>) {
        let mut b = Self::new(config);
        let peers: Vec<Peer> = (1..=n).map(peer).collect();
        for p in &peers {
            b.admit(p);
        }
        b.quiesce(&peers);
        (b, peers)
    }

    pub fn me(&self) -> NodeId {
        self.node.me().id()
    }

    pub fn handle(&mut self, input: Input<'_>) {
        self.node.handle(self.now, input);
        let mut buf = [0; 65_535];
        while let Some(t) = self.node.poll_transmit(&mut buf) {
            assert!(t.len <= self.node.config().mtu, "no datagram above the mtu");
            assert_ne!(t.to, self.node.me().addr(), "nothing is ever sent to oneself");
            self.sent.push(Sent { at: self.now, to: t.to, bytes: buf[..t.len].to_vec() });
        }
        while let Some(e) = self.node.poll_event() {
            // What the peers that a test plays report of their views is made up.
            match e {
                Event::Converged { .. } => {}
                Event::Diverged => self.diverged += 1,
                e => self.events.push(e),
            }
        }
        if let Some(at) = self.node.poll_timeout() {
            assert!(at > self.now, "a deadline is strictly in the future (I10)");
        }
    }

    pub fn recv_from(&mut self, from: SocketAddr, bytes: &[u8]) {
        let at = view_hash_at();
        if self.agree && bytes.get(at..at + 8) == Some(&[0; 8]) {
            let mut bytes = bytes.to_vec();
            bytes[at..at + 8].copy_from_slice(&self.node.view_hash().to_le_bytes());
            return self.handle(Input::Datagram { from, bytes: &bytes });
        }
        self.handle(Input::Datagram { from, bytes });
    }

    pub fn recv(&mut self, p: &Peer, message: Option<Message>, updates: &[Item<'_>]) {
        self.recv_from(p.addr, &frame(p, message, updates, &[]));
    }

    pub fn gossip(&mut self, p: &Peer, updates: &[Item<'_>]) {
        self.recv(p, None, updates);
    }

    pub fn admit(&mut self, p: &Peer) {
        self.introduce(p.addr, p, &row(p));
    }

    /// A peer introduces itself from this address: with a pull, and with the cookie for it if it is asked for one.
    pub fn introduce(&mut self, from: SocketAddr, p: &Peer, row: &Item<'_>) {
        self.proving(from, frame(p, Some(Message::Pull { nonce: 1 }), &[], std::slice::from_ref(row)));
    }

    /// A datagram comes, and comes again with the cookie for it if there is one in what follows.
    pub fn proving(&mut self, from: SocketAddr, bytes: Vec<u8>) {
        let seen = self.sent.len();
        self.recv_from(from, &bytes);
        let asks = |s: &Sent| cookie_in(&s.bytes).filter(|_| s.to == from);
        if let Some(cookie) = self.sent[seen..].iter().find_map(asks) {
            self.recv_from(from, &proven(bytes, cookie));
        }
    }

    pub fn command(&mut self, c: Command<'_>) {
        self.handle(Input::Command(c));
    }

    /// Lets time pass to the next deadline, at most to `end`; tells whether there was one.
    pub fn step(&mut self, end: Instant) -> bool {
        match self.node.poll_timeout() {
            Some(at) if at <= end => {
                self.now = at;
                self.wakeups += 1;
                self.handle(Input::Timeout);
                true
            }
            _ => {
                self.now = self.now.max(end);
                false
            }
        }
    }

    pub fn run(&mut self, d: Duration) {
        let end = self.now + d;
        while self.step(end) {}
    }

    /// Lets time pass while the given peers answer every ping, and everything else stays unanswered.
    pub fn run_with(&mut self, d: Duration, alive: &[Peer]) {
        let end = self.now + d;
        while self.step(end) {
            self.answer_pings(alive);
        }
    }

    /// Answers every ping that was sent to one of these peers and has not been answered.
    pub fn answer_pings(&mut self, alive: &[Peer]) {
        let sent = std::mem::take(&mut self.sent);
        for s in &sent {
            if let (Some(Message::Ping { target, nonce }), Some(p)) =
                (s.message(), alive.iter().find(|p| p.addr == s.to))
            {
                if p.id == target && s.at == self.now {
                    self.recv(p, Some(Message::Ack { nonce }), &[]);
                }
            }
        }
        let new = std::mem::replace(&mut self.sent, sent);
        self.sent.extend(new);
    }

    /// Lets all news be told, with every peer answering, and forgets what was sent and said.
    pub fn quiesce(&mut self, peers: &[Peer]) {
        for _ in 0..1_000 {
            if self.node.gossip_queued() == 0 {
                break;
            }
            self.run_with(ms(100), peers);
        }
        assert_eq!(self.node.gossip_queued(), 0);
        self.sent.clear();
        self.events.clear();
    }

    /// Runs to the next ping and returns it: when, to whom, with which nonce.
    pub fn next_ping(&mut self, peers: &[Peer]) -> (Peer, u32) {
        for _ in 0..1_000 {
            let seen = self.sent.len();
            self.step(Instant::NEVER);
            for i in seen..self.sent.len() {
                if let Some(Message::Ping { target, nonce }) = self.sent[i].message() {
                    let asks = |s: &Sent| s.message() == Some(Message::Ping { target, nonce });
                    if self.last_ping.replace(nonce) == Some(nonce) || self.sent[..i].iter().any(asks) {
                        // The same question, once more.
                        continue;
                    }
                    let s = &self.sent[i];
                    let p = peers.iter().find(|p| p.id == target).expect("a known peer is pinged");
                    assert_eq!(s.to, p.addr);
                    return (*p, nonce);
                }
            }
        }
        panic!("no ping was sent");
    }

    /// Runs until this very peer is pinged, all others answering.
    pub fn ping_to(&mut self, target: &Peer, peers: &[Peer]) -> u32 {
        for _ in 0..10 * peers.len() + 10 {
            let (p, nonce) = self.next_ping(peers);
            if p.id == target.id {
                return nonce;
            }
            self.recv(&p, Some(Message::Ack { nonce }), &[]);
        }
        panic!("{target:?} was never pinged");
    }

    /// The relays asked since `seen` datagrams had been sent.
    pub fn ping_reqs(&self, seen: usize) -> Vec<(SocketAddr, NodeId, u32)> {
        let all = self.sent[seen..].iter();
        all.filter_map(|s| match s.message() {
            Some(Message::PingReq { target, nonce }) => Some((s.to, target, nonce)),
            _ => None,
        })
        .collect()
    }

    pub fn state(&self, p: &Peer) -> Option<State> {
        self.node.member(p.id).map(|m| m.state())
    }

    pub fn suspects(&self) -> usize {
        self.events.iter().filter(|e| matches!(e, Event::MemberSuspect { .. })).count()
    }

    pub fn downs(&self) -> usize {
        self.events.iter().filter(|e| matches!(e, Event::MemberDown { .. })).count()
    }

    pub fn clear(&mut self) {
        self.sent.clear();
        self.events.clear();
    }
}
