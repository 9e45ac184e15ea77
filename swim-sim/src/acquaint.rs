//! A large cluster without the time that it takes to form one.

use swim_core::wire::{Detail, Frame, Item, Message, More, Writer};
use swim_core::{Input, Instant, Node};

use crate::host::{Life, NodeIx};
use crate::world::World;

impl World {
    /// Lets all these nodes know each other at once: each is pushed the rows of all by the first, and the first by the
    /// second, in frames such as nodes write. No time passes, and nothing is lost: they arrive as by [`World::inject`].
    ///
    /// Joins are what to simulate where it matters how a cluster forms. Where only its size matters, this takes a tenth
    /// of the time, since nobody is told anything twice. What is left of it is over in a few seconds: until as many
    /// members have shown each other that they know the same, the rows are news to be told.
    ///
    /// # Panics
    /// When one of the nodes does not run.
    pub fn acquaint(&mut self, nodes: &[NodeIx]) {
        let &[first, second, ..] = nodes else { return };
        let frames = self.pushes(second, nodes);
        self.push(second, first, &frames);
        // Only now does the first know what it says that it knows.
        let frames = self.pushes(first, nodes);
        for &node in &nodes[1..] {
            self.push(first, node, &frames);
        }
    }

    fn push(&mut self, from: NodeIx, to: NodeIx, frames: &[Vec<u8>]) {
        assert!(self.host(to).life == Life::Running, "{to:?} meets nobody: it does not run");
        self.introduce(from, to, None);
        let cookie = self.cookie_of(from, to);
        self.introduce(from, to, cookie);
        for frame in frames {
            self.inject(to, from.addr(), frame);
        }
        self.run_to(self.now);
    }

    /// A node introduces itself: it is believed when it can show that it is heard.
    fn introduce(&mut self, from: NodeIx, to: NodeIx, proof: Option<u64>) {
        let sender = self.node(from);
        let (frame, _) = self.frame(sender, None, &[own_row(sender)], proof);
        self.inject(to, from.addr(), &frame);
        self.run_to(self.now);
    }

    /// The cookie that a node is to send back to another, if that does not know it. It is read out of what a copy of
    /// that other one answers, since the answer itself is still on its way.
    fn cookie_of(&self, from: NodeIx, to: NodeIx) -> Option<u64> {
        let (asker, mut twin) = (self.node(from), self.node(to).clone());
        // Its time is that of its last input.
        let pull = Message::Pull { nonce: 0 };
        let (bytes, _) = self.frame(asker, Some(pull), &[own_row(asker)], None);
        twin.handle(Instant::ORIGIN, Input::Datagram { from: from.addr(), bytes: &bytes });
        let mut buf = vec![0; twin.config().mtu];
        let asked = twin.poll_transmit(&mut buf).expect("a pull is answered");
        Frame::parse(&buf[..asked.len]).expect("what nodes send is a frame").cookie
    }

    /// The frames in which a node pushes the rows of these.
    fn pushes(&self, by: NodeIx, rows_of: &[NodeIx]) -> Vec<Vec<u8>> {
        let sender = self.node(by);
        let rows: Vec<Item<'_>> = rows_of.iter().map(|&node| own_row(self.node(node))).collect();
        let mut frames = Vec::new();
        let mut rest = &rows[..];
        while !rest.is_empty() {
            let (frame, taken) = self.frame(sender, Some(Message::Push), rest, None);
            assert!(taken > 0, "a row fits into a datagram");
            frames.push(frame);
            rest = &rest[taken..];
        }
        frames
    }

    /// A frame with as many of these rows as fit, and how many that are.
    fn frame(
        &self,
        sender: &Node,
        message: Option<Message>,
        rows: &[Item<'_>],
        proof: Option<u64>,
    ) -> (Vec<u8>, usize) {
        let me = sender.me();
        let mut buf = vec![0; sender.config().mtu - self.envelope_len()];
        let mut w = Writer::new(&mut buf, me.id(), me.incarnation(), sender.view_hash()).expect("a head fits");
        assert!(message.is_none_or(|message| w.message(message)) && w.open_rows(), "and so does what follows");
        let taken = rows.iter().take_while(|row| w.item(row)).count();
        w.close_section();
        assert!(proof.is_none_or(|proof| w.proof(proof)), "a proof fits behind an introduction");
        let len = w.written();
        buf.truncate(len);
        (buf, taken)
    }
}

/// What a node says of itself.
fn own_row(node: &Node) -> Item<'_> {
    let me = node.me();
    let detail = Detail { at: me.detail_at(), addr: me.addr(), name: me.name(), meta: me.profile().meta() };
    Item { id: me.id(), status: me.status(), more: More::Detail(detail) }
}
