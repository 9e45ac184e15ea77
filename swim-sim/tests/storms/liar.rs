//! One member that says what is not so, in frames that are well-formed, and answers questions the same way.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use swim_core::wire::{
    Accusers, Change, Detail, Frame, Item, Message, More, PAGE_END, StateEntry, StateHead, Summary, Writer,
};
use swim_core::{Incarnation, NodeId, Rumor, RumorId, State, Status};
use swim_sim::{NodeIx, World};

use crate::draw::Draw;

/// So many members are made up.
const MADE_UP: usize = 20_000;

/// The latest epoch that it speaks of: a member that is made to go past the last one has none left, see "Not there yet" in
/// `docs/protocol.md`.
const FAR: u32 = 1 << 31;

/// Questions that wait for an answer: whose, and the frame.
type Asked = Rc<RefCell<Vec<(SocketAddr, Vec<u8>)>>>;

/// Who lies, and what it has been asked.
pub(crate) struct Liar {
    node: NodeIx,
    honest: Vec<NodeIx>,
    draw: Draw,
    asked: Asked,
}

/// What an untrue claim is about.
#[derive(Clone, Copy)]
enum Lie {
    /// An honest member is suspected, dead or gone, at an incarnation that it may have come to.
    Fate,
    /// The same at one that it cannot have come to.
    Beyond,
    /// Somebody who is not there.
    Nobody,
    /// An honest member is elsewhere, is called something else, or lives another life.
    Elsewhere,
}

const LIES: [Lie; 4] = [Lie::Fate, Lie::Beyond, Lie::Nobody, Lie::Elsewhere];

impl Liar {
    /// A member of a cluster of honest ones; it is asked from now on.
    pub(crate) fn new(w: &mut World, seed: u64, node: NodeIx, honest: &[NodeIx]) -> Self {
        let asked = Asked::default();
        let (tap, here) = (Rc::clone(&asked), node.addr());
        w.tap(move |sent| {
            if sent.to == here && sent.from != here {
                tap.borrow_mut().push((sent.from, sent.frame().to_vec()));
            }
        });
        Self { node, honest: honest.to_vec(), draw: Draw(seed), asked }
    }

    /// Tells one honest member something, if that has asked for nothing: else that is answered, before the process that runs
    /// at this address has heard of it.
    pub(crate) fn speak(&mut self, w: &mut World) {
        let question = self.asked.borrow_mut().pop();
        let (to, said) = match question {
            Some((from, frame)) => (NodeIx::at(from).expect("who asks is a node"), self.answer(w, from, &frame)),
            None => {
                let to = self.draw.pick(&self.honest);
                (to, self.gossip(w, to))
            }
        };
        w.inject(to, self.node.addr(), &said);
    }

    /// Whatever a node says of itself is told in its own name, or in that of one that it has made up.
    fn frame(&mut self, w: &World, sender: Option<NodeId>, write: impl FnOnce(&mut Self, &mut Writer<'_>)) -> Vec<u8> {
        let me = w.node(self.node).me();
        let life = if sender.is_some() { Incarnation::new(1, 0) } else { me.incarnation() };
        let mut buf = vec![0; 1_390];
        let mut out = Writer::new(&mut buf, sender.unwrap_or(me.id()), life, self.draw.next()).expect("a head fits");
        write(self, &mut out);
        let written = out.written();
        buf.truncate(written);
        buf
    }

    fn gossip(&mut self, w: &World, to: NodeIx) -> Vec<u8> {
        let (kind, lie) = (self.draw.below(8), self.draw.pick(&LIES));
        self.frame(w, None, |it, out| match kind {
            0..=3 => it.updates(w, to, out, Some(lie)),
            4 => {
                out.message(it.draw.pick(&[Message::Push, Message::Page { nonce: 7, next: PAGE_END }]));
                it.rows(w, to, out);
            }
            5 => it.states(w, to, out),
            6 => it.rumors(w, to, out),
            _ => it.summaries(w, out),
        })
    }

    /// What answers a question counts for more: an ack, a page, a delta.
    fn answer(&mut self, w: &World, from: SocketAddr, frame: &[u8]) -> Vec<u8> {
        let to = NodeIx::at(from).expect("who asks is a node");
        let message = Frame::parse(frame).expect("nodes send frames").message;
        let target = match message {
            Some(Message::Ping { target, .. }) => Some(target).filter(|&id| id != w.id(self.node)),
            _ => None,
        };
        self.frame(w, target, |it, out| match message {
            Some(Message::Ping { nonce, .. }) => {
                out.message(Message::Ack { nonce });
                it.updates(w, to, out, None);
            }
            Some(Message::PingReq { target, nonce }) => {
                let known = w.node(to).member(target).map_or(Incarnation::new(1, 0), |row| row.incarnation());
                let incarnation = it.draw.pick(&[known, known.next(), known.next_epoch()]);
                out.message(it.draw.pick(&[Message::RelayedAck { nonce, incarnation }, Message::Nack { nonce }]));
                it.updates(w, to, out, None);
            }
            Some(Message::Pull { nonce }) => {
                out.message(Message::Page { nonce, next: PAGE_END });
                it.rows(w, to, out);
            }
            Some(Message::Compare { nonce, .. }) => {
                let bitmaps: Vec<u64> = (0..1 + it.draw.below(8)).map(|_| it.draw.next()).collect();
                out.differ(nonce, bitmaps.into_iter());
            }
            Some(Message::Digest { nonce }) => {
                out.message(Message::Delta { nonce });
                it.states(w, to, out);
                it.rumors(w, to, out);
            }
            _ => it.updates(w, to, out, None),
        })
    }

    fn updates(&mut self, w: &World, to: NodeIx, out: &mut Writer<'_>, lie: Option<Lie>) {
        if out.open_updates() {
            (0..1 + self.draw.below(4)).for_each(|_| self.claim(w, to, out, lie));
            out.close_section();
        }
    }

    fn rows(&mut self, w: &World, to: NodeIx, out: &mut Writer<'_>) {
        if out.open_rows() {
            (0..1 + self.draw.below(6)).for_each(|_| self.claim(w, to, out, None));
            out.close_section();
        }
    }

    /// One claim about somebody, `to` included.
    fn claim(&mut self, w: &World, to: NodeIx, out: &mut Writer<'_>, lie: Option<Lie>) {
        let lie = lie.unwrap_or_else(|| self.draw.pick(&LIES));
        let about = w.id(self.draw.pick(&self.honest));
        let known = w.node(to).member(about).map_or(Incarnation::new(1, 0), |row| row.incarnation());
        let fate = self.draw.pick(&[State::Suspect, State::Dead, State::Left]);
        match lie {
            Lie::Fate => {
                let ahead = self.draw.pick(&[0, 0, 0, 1, 2, 64]);
                let at = Incarnation::new(known.epoch(), known.refutations().saturating_add(ahead));
                let by = [(); 4].map(|()| w.id(self.draw.pick(&self.honest)));
                let by = Some(&by[..self.draw.below(5)]).filter(|_| fate == State::Suspect).and_then(Accusers::new);
                let more = by.map_or(More::Status, More::Accused);
                out.item(&Item { id: about, status: Status::new(at, fate), more });
            }
            Lie::Beyond => {
                let most = Incarnation::MAX_REFUTATIONS - self.draw.below(1_100) as u32;
                let far = known.refutations().saturating_add(65 + self.draw.below(1_000) as u32);
                let epoch = self.draw.pick(&[known.epoch(), known.epoch(), known.epoch() + 1, FAR]);
                let at = Incarnation::new(epoch, self.draw.pick(&[most, far]));
                out.item(&Item::status(about, Status::new(at, fate)));
            }
            Lie::Nobody => {
                let id = self.nobody();
                let at = Incarnation::new(1, self.draw.below(2) as u32);
                let state = self.draw.pick(&[State::Alive, State::Alive, State::Suspect]);
                self.detailed(out, id, Status::new(at, state), at);
            }
            Lie::Elsewhere => {
                let later = Incarnation::new(known.epoch() + 1 + self.draw.below(9) as u32, 0);
                let at = self.draw.pick(&[known, known.next(), later]);
                self.detailed(out, about, Status::alive(at), at);
            }
        }
    }

    fn nobody(&mut self) -> NodeId {
        NodeId::new(1 << 40 | self.draw.below(MADE_UP) as u64)
    }

    fn detailed(&mut self, out: &mut Writer<'_>, id: NodeId, status: Status, at: Incarnation) {
        let addr = match self.draw.below(8) {
            0 => self.node.addr(),
            1 => self.draw.pick(&self.honest).addr(),
            n => ([10, 200, n as u8, self.draw.below(250) as u8], 7_946).into(),
        };
        let mut meta = [0; 60];
        self.draw.fill(&mut meta);
        let meta = &meta[..self.draw.below(60)];
        out.item(&Item { id, status, more: More::Detail(Detail { at, addr, name: "a lie", meta }) });
    }

    /// Somebody's id and epoch, most often as they are known.
    fn owner(&mut self, w: &World) -> (NodeId, u32) {
        if self.draw.below(4) == 0 {
            return (self.nobody(), 1);
        }
        let of = self.draw.pick(&self.honest);
        let epoch = w.node(of).me().incarnation().epoch();
        (w.id(of), self.draw.pick(&[epoch, epoch, epoch, epoch + 1]))
    }

    fn states(&mut self, w: &World, to: NodeIx, out: &mut Writer<'_>) {
        if !out.open_states() {
            return;
        }
        for _ in 0..1 + self.draw.below(2) {
            let (id, epoch) = self.owner(w);
            let known = w.node(to).state_version(id);
            let from = self.draw.pick(&[known, known, 0]);
            let step = self.draw.pick(&[1, 1, 3, 1 << 20]);
            let version = from.saturating_add(step);
            let value = [7; 90];
            let change = match self.draw.below(4) {
                0 => Change::Delete { ttl_ms: 600_000 },
                n => Change::Put { value: &value[n..], ttl_ms: None },
            };
            let key = self.draw.pick(&["before", "meanwhile", "forged", "x"]);
            let head = StateHead { id, epoch, version, gc: self.draw.pick(&[0, 0, from]), from };
            out.state(&head, 800, [StateEntry { version, key, change }].into_iter());
        }
        out.close_section();
    }

    fn rumors(&mut self, w: &World, to: NodeIx, out: &mut Writer<'_>) {
        if !out.open_rumors() {
            return;
        }
        for _ in 0..1 + self.draw.below(3) {
            let (origin, epoch) = self.owner(w);
            let near = 1 + self.draw.below(300) as u32;
            let seq = self.draw.pick(&[near, near, near, u32::MAX - near]);
            let lamport = self.draw.pick(&[w.node(to).lamport().saturating_add(1), u64::MAX]);
            let id = RumorId { origin, epoch, seq };
            let payload = [9; 200];
            out.rumor(&Rumor { id, lamport, age: Duration::ZERO, topic: "lie", payload: &payload });
        }
        out.close_section();
    }

    fn summaries(&mut self, w: &World, out: &mut Writer<'_>) {
        let said: Vec<Summary> = (0..4)
            .map(|_| {
                let (id, epoch) = self.owner(w);
                let [version, last] = [(); 2].map(|()| self.draw.below(1 << 16) as u32);
                Summary { id, epoch, version, last, floor: last / 2 }
            })
            .collect();
        out.app_hash(1 + self.draw.below(1 << 30) as u32);
        out.summaries(said.into_iter());
    }
}
