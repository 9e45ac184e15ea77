//! What a process sends: to whom, how much for how little, and whether its counters say so.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;

use swim_core::wire::{Frame, Message};
use swim_core::{Event, Node};
use swim_driver::Pump;

use crate::swarm::shadow::{Checked, Shadow};
use crate::swarm::violation::Checker;
use crate::swarm::watch::{Kind, Turn};

/// An answer to a source that nobody is known to be at has at most so many times the bytes of the question.
const AMPLIFICATION_MAX: usize = 3;
/// Questions to relays that are remembered: more than can be under way.
const ASKED_MAX: usize = 256;

/// A datagram that was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    pub(crate) to: SocketAddr,
    /// Bytes, envelope included.
    pub(crate) len: usize,
    pub(crate) message: Option<Message>,
}

/// What a process has reason to send to.
#[derive(Debug, Default)]
pub(crate) struct Sends {
    /// Seeds, wherever it has ever known a member, since the lost are knocked at for ever, and wherever a question of its own
    /// was answered from.
    known: BTreeSet<SocketAddr>,
    /// Who has asked it to relay, under which nonce, most recent last.
    asked: VecDeque<(SocketAddr, u32)>,
    /// What the node of the present process had been given when it began: a restored one counts on.
    given_before: u64,
    /// Datagrams that have come to the present process.
    came: u64,
}

impl Sends {
    /// A process begins.
    pub(crate) fn begin(&mut self, node: &Node) {
        self.begin_at(node.stats().datagrams_received, 0);
        self.known.extend(node.members().map(|row| row.addr()));
    }

    /// Its node was given so many by others before, and so many have come to it since.
    pub(crate) fn begin_at(&mut self, given_before: u64, came: u64) {
        (self.given_before, self.came) = (given_before, came);
    }

    /// It is told of these.
    pub(crate) fn learn(&mut self, addrs: impl Iterator<Item = SocketAddr>) {
        self.known.extend(addrs);
    }

    /// `before` is what it looked like before this turn.
    pub(crate) fn check(&mut self, turn: &Turn, header_len: usize, before: &Shadow, pump: &Pump) -> Checked {
        self.came += u64::from(turn.kind == Kind::Datagram);
        self.check_counters(turn, pump)?;
        let question = match turn.kind {
            Kind::Datagram => turn.datagram.get(header_len..).and_then(|frame| Frame::parse(frame).ok()),
            _ => None,
        };
        if let (Some(Message::PingReq { nonce, .. }), Some(from)) = (question.and_then(|q| q.message), turn.from) {
            self.asked.push_back((from, nonce));
            if self.asked.len() > ASKED_MAX {
                self.asked.pop_front();
            }
        }
        if let Some(question) = &question {
            check_hearsay(turn, question)?;
        }
        // A seed may answer from another address than it was asked at; what more is to be asked is asked there.
        let answered = pump.node().stats().pages_received > turn.before.pages_received;
        self.known.extend(turn.from.filter(|_| answered));
        // Whoever comes or moves is told by an event.
        if !turn.events.is_empty() {
            self.known.extend(pump.node().members().map(|row| row.addr()));
        }
        if turn.out.is_empty() {
            return Ok(());
        }
        for out in &turn.out {
            self.check_destination(out, turn)?;
        }
        let known = question.is_some_and(|q| turn.from.is_some_and(|from| before.is_at(q.sender, from)));
        check_answers(turn, known)?;
        // Whom the datagram has shown to be there is told more than it has asked.
        let is_unknown = turn.from.is_some_and(|from| !self.known.contains(&from));
        if is_unknown { check_unknown(turn) } else { Ok(()) }
    }

    fn check_counters(&self, turn: &Turn, pump: &Pump) -> Checked {
        let (node, driver) = (pump.node().stats(), pump.stats());
        let uncounted = |text: String| Err((Checker::Uncounted, text));
        let (taken, dropped) = (node.datagrams_accepted, node.dropped());
        if node.datagrams_received != taken + dropped {
            return uncounted(format!("{} came, {taken} were taken, {dropped} dropped", node.datagrams_received));
        }
        let (given, refused) = (node.datagrams_received - self.given_before, driver.refused());
        if driver.datagrams_received != self.came {
            return uncounted(format!("{} have come, and {} were counted", self.came, driver.datagrams_received));
        }
        if driver.datagrams_received != given + refused {
            return uncounted(format!("{} came, {given} were given on, {refused} refused", driver.datagrams_received));
        }
        let (left, sent) = (turn.out.len() as u64, node.datagrams_sent - turn.before.datagrams_sent);
        if left != sent {
            return uncounted(format!("{left} datagrams have left, and {sent} were counted"));
        }
        Ok(())
    }

    fn check_destination(&self, out: &Out, turn: &Turn) -> Checked {
        let wrong = |what: &str| Err((Checker::Destination, format!("{:?} goes to {}, {what}", out.message, out.to)));
        match out.message {
            Some(message) if is_answer(&message) && Some(out.to) != turn.from => {
                return wrong(&format!("and what it answers came from {:?}", turn.from));
            }
            // What a relay says may be said later, and goes where the question came from.
            Some(Message::Nack { nonce } | Message::RelayedAck { nonce, .. }) => {
                let was_asked = self.asked.contains(&(out.to, nonce));
                return if was_asked { Ok(()) } else { wrong("from where nobody has asked it") };
            }
            _ => {}
        }
        if Some(out.to) == turn.from || self.known.contains(&out.to) {
            return Ok(());
        }
        wrong("where nobody is known to be")
    }
}

/// Rows that were asked for are hearsay of unknown age: nobody is dead at once because of them.
fn check_hearsay(turn: &Turn, frame: &Frame<'_>) -> Checked {
    if !matches!(frame.message, Some(Message::Page { .. } | Message::Push)) {
        return Ok(());
    }
    for event in &turn.events {
        let Event::MemberDown { id, left: false, .. } = *event else { continue };
        if !frame.updates().any(|item| item.id == id) {
            return Err((Checker::TooSoon, format!("{id} is dead because rows that were asked for say so")));
        }
    }
    Ok(())
}

/// Does it answer what was read in this very turn?
fn is_answer(message: &Message) -> bool {
    matches!(
        message,
        Message::Ack { .. }
            | Message::NotMe { .. }
            | Message::Page { .. }
            | Message::Differ { .. }
            | Message::Delta { .. }
            | Message::Prove { .. }
    )
}

/// How much is said in answer to one datagram. `known`: its sender is known to be at its source.
fn check_answers(turn: &Turn, known: bool) -> Checked {
    let Some(from) = turn.from else { return Ok(()) };
    let acks = turn.out.iter().filter(|out| matches!(out.message, Some(Message::Ack { .. }))).count();
    if acks > 1 {
        return Err((Checker::Amplified, format!("{acks} acks to one datagram")));
    }
    if known {
        return Ok(());
    }
    let relays = |m: &Message| matches!(m, Message::Nack { .. } | Message::RelayedAck { .. } | Message::Push);
    let answers = |out: &&Out| out.to == from && out.message.is_some_and(|m| is_answer(&m) || relays(&m));
    let (count, bytes) =
        turn.out.iter().filter(answers).fold((0, 0), |(count, bytes), out| (count + 1, bytes + out.len));
    if count > 1 || bytes > AMPLIFICATION_MAX * turn.datagram.len() {
        let text = format!("{bytes} bytes in {count} datagrams to {from} for {}", turn.datagram.len());
        return Err((Checker::Amplified, text));
    }
    Ok(())
}

/// Where nobody was ever known to be, and no answer to a question came from, nothing goes but one answer, which is no larger
/// than the question allows, whatever is in it.
fn check_unknown(turn: &Turn) -> Checked {
    let sent: Vec<usize> = turn.out.iter().filter(|out| Some(out.to) == turn.from).map(|out| out.len).collect();
    if sent.len() > 1 || sent.iter().sum::<usize>() > AMPLIFICATION_MAX * turn.datagram.len() {
        let text =
            format!("{sent:?} bytes to {:?}, where nobody is known to be, for {}", turn.from, turn.datagram.len());
        return Err((Checker::Amplified, text));
    }
    Ok(())
}
