//! Our own core.

use std::net::SocketAddr;
use std::time::Duration;

use swim_core::wire::{CHILDREN, Change, Detail, Frame, Item, KeyRange, Message, More, StateEntry, StateHead, Writer};
use swim_core::{Config, Event, Identity, Incarnation, Input, Instant, Node, NodeId, Profile, Rumor, RumorId, Status};

use crate::core::{Core, Member, Said, Sent, Update};
use crate::view::View;

/// Room is not taken before it is needed.
const MEMBERS_MAX: usize = 1 << 20;

/// In microseconds.
const SECOND: u64 = 1_000_000;

const EPOCH: u32 = 1_700_000_000;

pub(crate) struct Swim {
    node: Node,
    /// Of a member that has said all this.
    view: View,
    now: u64,
    buf: Box<[u8; 1_500]>,
    /// How often each member has refuted.
    refuted: Vec<u32>,
    /// Who has been told of, so far.
    named: Vec<bool>,
    /// The version of each member's state.
    versions: Vec<u32>,
    nonce: u32,
    rumors: u32,
    sent: Sent,
    /// The last datagram: to whom, and how long.
    last: (SocketAddr, usize),
    /// Bytes of rumors that were handed to the application.
    told: u64,
}

fn id(member: Member) -> NodeId {
    NodeId::from_name(&format!("member-{member}"))
}

fn addr(member: Member) -> SocketAddr {
    ([10, (member >> 16) as u8, (member >> 8) as u8, member as u8], 7_946).into()
}

fn node(members: Member) -> Node {
    let mut config = Config::lan("bench");
    (config.gossip_fanout, config.members_reserved) = (3, members as usize + 1);
    config.members_max = MEMBERS_MAX;
    let me = Identity { id: id(0), addr: addr(0), epoch: EPOCH, profile: Profile::default() };
    Node::new(me, config, 1, Instant::from_micros(1_000_000)).expect("the config is valid")
}

/// Where a frame has the view hash of a sender of this incarnation, which is of variable length.
fn view_hash_at(incarnation: Incarnation) -> usize {
    let head = |hash| {
        let mut buf = [0; 64];
        Writer::new(&mut buf, NodeId::new(1), incarnation, hash).expect("a head fits");
        buf
    };
    std::iter::zip(head(0), head(u64::MAX)).position(|(a, b)| a != b).expect("a frame has it")
}

impl Swim {
    fn incarnation(&self, member: Member) -> Incarnation {
        Incarnation::new(EPOCH, self.refuted[member as usize])
    }

    fn update(&mut self, update: Update) -> Item<'static> {
        if update.fresh {
            let from = self.incarnation(update.member);
            self.refuted[update.member as usize] += 1;
            self.view.raise(id(update.member), from, self.incarnation(update.member));
        }
        let status = Status::alive(self.incarnation(update.member));
        Item { id: id(update.member), status, more: More::Status }
    }

    fn row(&mut self, member: Member) -> Item<'static> {
        let at = self.incarnation(member);
        assert_eq!(at.refutations(), 0, "a profile is told before it has refuted");
        if !std::mem::replace(&mut self.named[member as usize], true) {
            self.view.add(id(member), at);
        }
        let detail = Detail { at, addr: addr(member), name: "", meta: b"" };
        Item { id: id(member), status: Status::alive(at), more: More::Detail(detail) }
    }

    fn frame(&self, from: Member, write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut buf = vec![0; 1_400];
        let mut writer = Writer::new(&mut buf, id(from), self.incarnation(from), 0).expect("a head fits");
        write(&mut writer);
        let len = writer.written();
        buf.truncate(len);
        buf
    }

    /// The sender knows what it says, and so has the view that the node will have.
    fn agreed(&self, from: Member, mut frame: Vec<u8>) -> Vec<u8> {
        let at = view_hash_at(self.incarnation(from));
        frame[at..at + 8].copy_from_slice(&self.view.hash().to_le_bytes());
        frame
    }

    fn handle(&mut self, input: Input<'_>) {
        self.node.handle(Instant::from_micros(self.now), input);
        while let Some(transmit) = self.node.poll_transmit(&mut self.buf[..]) {
            self.sent.datagrams += 1;
            self.sent.bytes += transmit.len as u64;
            self.last = (transmit.to, transmit.len);
        }
        while let Some(event) = self.node.poll_event() {
            if let Event::Rumor { id } = event {
                self.told += self.node.rumor(id).map_or(0, |rumor| rumor.payload.len() as u64);
            }
        }
    }

    fn last(&self) -> Frame<'_> {
        Frame::parse(&self.buf[..self.last.1]).expect("what nodes send is a frame")
    }

    /// The first member introduces itself, and shows that it is heard.
    fn let_in(&mut self) {
        let rows = [self.row(1)];
        let introduction = self.frame(1, |w| put_rows(w, &rows));
        self.receive(1, &introduction);
        let cookie = self.last().cookie.expect("a stranger is asked");
        let proven = self.frame(1, |w| {
            put_rows(w, &rows);
            assert!(w.proof(cookie), "it fits");
        });
        self.receive(1, &proven);
    }

    /// So many microseconds pass, and whoever is pinged meanwhile answers.
    fn pass(&mut self, micros: u64) {
        let end = Instant::from_micros(self.now + micros);
        while self.node.poll_timeout().is_some_and(|due| due <= end) {
            let probes = self.node.stats().probes;
            self.tick();
            if let Some(pinged) = self.pinged().filter(|_| self.node.stats().probes > probes) {
                let ack = self.write(pinged, Said::Ack);
                self.receive(pinged, &ack);
            }
        }
        self.now = self.now.max(end.as_micros());
    }

    /// Lets all that is due happen. Returns the datagrams that were sent.
    fn tick(&mut self) -> u64 {
        let before = self.sent.datagrams;
        self.now = self.node.poll_timeout().map_or(self.now, Instant::as_micros);
        self.handle(Input::Timeout);
        self.sent.datagrams - before
    }
}

fn put_rows(w: &mut Writer<'_>, rows: &[Item<'_>]) {
    assert!(w.open_rows() && rows.iter().all(|row| w.item(row)), "they fit");
    w.close_section();
}

fn put_updates(w: &mut Writer<'_>, updates: &[Item<'_>]) {
    assert!(w.open_updates() && updates.iter().all(|update| w.item(update)), "they fit");
    w.close_section();
}

impl Core for Swim {
    const NAME: &'static str = "swim";
    const SYNCS: bool = true;

    fn alone(members: Member) -> Self {
        let known = members as usize + 1;
        let mut view = View::empty();
        view.add(id(0), Incarnation::new(EPOCH, 0));
        let mut alone = Self {
            node: node(members),
            view,
            now: 1_000_000,
            buf: Box::new([0; 1_500]),
            refuted: vec![0; known],
            named: vec![false; known],
            versions: vec![0; known],
            nonce: 0,
            rumors: 0,
            sent: Sent::default(),
            last: (addr(0), 0),
            told: 0,
        };
        alone.let_in();
        alone
    }

    fn renew(&mut self, room: Member) {
        self.node = node(room);
        self.let_in();
    }

    fn know(&mut self, members: &[Member]) {
        let rows = self.write(1, Said::Members(members));
        self.receive(1, &rows);
    }

    fn write(&mut self, from: Member, said: Said<'_>) -> Vec<u8> {
        self.nonce += 1;
        let nonce = self.nonce;
        let frame = match said {
            Said::Ping(updates) => {
                let updates: Vec<_> = updates.iter().map(|&update| self.update(update)).collect();
                self.frame(from, |w| {
                    assert!(w.message(Message::Ping { target: id(0), nonce }), "it fits");
                    put_updates(w, &updates);
                })
            }
            Said::Ack => {
                let Some(Message::Ping { nonce, .. }) = self.last().message else { panic!("nobody was pinged") };
                self.now += 500;
                self.frame(from, |w| assert!(w.message(Message::Ack { nonce }), "it fits"))
            }
            Said::Gossip(updates) => {
                let updates: Vec<_> = updates.iter().map(|&update| self.update(update)).collect();
                self.frame(from, |w| put_updates(w, &updates))
            }
            Said::Members(members) => {
                let rows: Vec<_> = members.iter().map(|&member| self.row(member)).collect();
                self.frame(from, |w| {
                    assert!(w.message(Message::Push), "it fits");
                    put_rows(w, &rows);
                })
            }
            Said::Rumor(len) => {
                // So that as many grow old as come.
                self.pass(SECOND);
                self.rumors += 1;
                let id = RumorId { origin: id(from), epoch: EPOCH, seq: self.rumors };
                let payload = vec![7; len];
                let lamport = self.node.lamport() + 1;
                let rumor = Rumor { id, lamport, age: Duration::ZERO, topic: "load", payload: &payload };
                self.frame(from, |w| {
                    assert!(w.open_rumors() && w.rumor(&rumor), "it fits");
                    w.close_section();
                })
            }
            Said::Compare => {
                // So that the answer is within what a node spends on syncs.
                self.pass(SECOND);
                self.frame(from, |w| assert!(w.compare(nonce, 0, [(0, [0; CHILDREN])].into_iter()), "it fits"))
            }
            Said::Pull => {
                self.pass(SECOND);
                self.frame(from, |w| assert!(w.pull(nonce, [KeyRange::ALL].into_iter()), "it fits"))
            }
            Said::Delta(value) => {
                let version = self.versions[from as usize] + 1;
                self.versions[from as usize] = version;
                let head = StateHead { id: id(from), epoch: EPOCH, version, gc: 0, from: version - 1 };
                let entry = StateEntry { version, key: "load", change: Change::Put { value, ttl_ms: None } };
                self.frame(from, |w| {
                    assert!(
                        w.open_states() && w.state(&head, usize::MAX, [entry].into_iter()) == Some(version),
                        "it fits"
                    );
                    w.close_section();
                })
            }
        };
        self.agreed(from, frame)
    }

    fn receive(&mut self, from: Member, datagram: &[u8]) {
        self.handle(Input::Datagram { from: addr(from), bytes: datagram });
    }

    fn probe(&mut self) {
        let before = self.node.stats().probes;
        while self.node.stats().probes == before {
            self.tick();
        }
    }

    fn pinged(&self) -> Option<Member> {
        let is_ping = matches!(self.last().message, Some(Message::Ping { .. }));
        is_ping.then(|| member_at(self.last.0))
    }

    fn gossip(&mut self) -> bool {
        let probes = self.node.stats().probes;
        self.tick() == 3 && self.node.stats().probes == probes
    }

    fn queued(&self) -> usize {
        assert_eq!(self.node.view_hash(), self.view.hash(), "all agree");
        self.node.gossip_queued() + self.node.rumors_hot()
    }

    fn visit(&self) -> u64 {
        self.node.members().map(|member| u64::from(member.addr().port())).sum()
    }

    fn told(&self) -> u64 {
        self.told
    }

    fn members(&self) -> usize {
        assert_eq!(self.node.view_hash(), self.view.hash(), "all agree");
        self.node.members().len() - 1
    }

    fn sent(&self) -> Sent {
        self.sent
    }
}

fn member_at(addr: SocketAddr) -> Member {
    let SocketAddr::V4(addr) = addr else { panic!("all addresses are IPv4") };
    addr.ip().to_bits() & 0xff_ffff
}
