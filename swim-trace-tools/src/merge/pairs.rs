//! Which datagram that was sent is which that was received.
//!
//! Equal bytes are the condition. Where they occur more than once, as gossip to several peers does, the address decides first and
//! then the time: each sending takes the first receipt that is plausible, and pairs do not overtake each other.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use swim_core::NodeId;

use super::clocks::Clocks;
use crate::decode::DatagramShown;
use crate::life::Life;

/// A datagram that a traced node handed out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sending {
    pub(super) life: usize,
    /// Its place among the life's steps.
    pub(super) step: usize,
    /// By the life's own clock.
    pub(super) at: i64,
    pub(super) to: SocketAddr,
    pub(super) frame: u32,
}

/// A datagram that a traced node was given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    pub(super) life: usize,
    pub(super) step: usize,
    pub(super) at: i64,
    pub(super) from: SocketAddr,
    pub(super) frame: u32,
}

/// What became of a sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Received(usize),
    /// The receiver was traced then and for long enough after it.
    Lost,
    /// Its receiver has a trace, but not of that time.
    NotTraced,
    /// Its receiver has no trace.
    Untraced,
}

/// Where a receipt comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    From(usize),
    /// The network has delivered this sending twice.
    CopyOf(usize),
    /// Its sender has a trace in which it is not: of another time, with a gap there, or it was forged.
    Unexplained,
    /// Its sender has no trace.
    Untraced,
}

/// By sending, and by receipt.
#[derive(Debug)]
pub(super) struct Pairs {
    pub(super) sent: Vec<Sent>,
    pub(super) received: Vec<Received>,
}

impl Pairs {
    pub(super) fn find(
        lives: &[Life],
        sends: &[Sending],
        receipts: &[Receipt],
        clocks: &Clocks,
        frames: &[DatagramShown],
    ) -> Self {
        let mut finder = Finder {
            sends,
            receipts,
            clocks,
            owners: Owners::new(lives, sends, receipts, &clocks.told_apart),
            sending: vec![None; sends.len()],
            receipt: vec![None; receipts.len()],
        };
        for &(send, receipt) in &clocks.told_apart {
            finder.sending[send] = Some(receipt);
            finder.receipt[receipt] = Some(send);
        }
        let groups = by_frame(sends, receipts, frames.len());
        for (sent, received) in &groups {
            finder.pair(lives, sent, received);
        }
        let arrived = finder.arrived();
        let received = (0..receipts.len()).map(|i| finder.origin(i, lives, &arrived, frames)).collect();
        let covered: Vec<Vec<(i64, i64)>> = lives
            .iter()
            .map(|life| life.covered().iter().map(|&(from, to)| (super::micros(from), super::micros(to))).collect())
            .collect();
        let sent = (0..sends.len()).map(|i| finder.fate(i, lives, &covered)).collect();
        Self { sent, received }
    }

    /// Takes a pair apart that cannot be: one of its datagrams would have caused itself.
    pub(super) fn part(&mut self, send: usize, receipt: usize) {
        self.sent[send] = Sent::NotTraced;
        self.received[receipt] = Received::Unexplained;
    }

    /// The sending that this receipt comes from, as the only one or as a copy.
    pub(super) fn sending_of(&self, receipt: usize) -> Option<usize> {
        match self.received[receipt] {
            Received::From(send) => Some(send),
            Received::CopyOf(send) => Some(send).filter(|&send| matches!(self.sent[send], Sent::Received(_))),
            Received::Unexplained | Received::Untraced => None,
        }
    }
}

/// Sendings and receipts of each frame.
type Groups = Vec<(Vec<usize>, Vec<usize>)>;

fn by_frame(sends: &[Sending], receipts: &[Receipt], frames: usize) -> Groups {
    let mut groups = vec![(Vec::new(), Vec::new()); frames];
    sends.iter().enumerate().for_each(|(i, s)| groups[s.frame as usize].0.push(i));
    receipts.iter().enumerate().for_each(|(i, r)| groups[r.frame as usize].1.push(i));
    groups
}

/// Whose an address is: as datagrams that can be told apart have shown, else as the nodes themselves say.
struct Owners {
    shown: HashMap<(usize, SocketAddr), Option<NodeId>>,
    said: HashMap<SocketAddr, Option<NodeId>>,
}

impl Owners {
    fn new(lives: &[Life], sends: &[Sending], receipts: &[Receipt], told_apart: &[(usize, usize)]) -> Self {
        let (mut shown, mut said) = (HashMap::new(), HashMap::new());
        for &(send, receipt) in told_apart {
            let (send, id) = (&sends[send], lives[receipts[receipt].life].id);
            let owner = shown.entry((send.life, send.to)).or_insert(Some(id));
            *owner = owner.filter(|&owner| owner == id);
        }
        for life in lives {
            let owner = said.entry(life.addr).or_insert(Some(life.id));
            *owner = owner.filter(|&owner| owner == life.id);
        }
        Self { shown, said }
    }

    /// The member that this life reaches there; `None` when that is not known.
    fn of(&self, send: &Sending) -> Option<NodeId> {
        let shown = self.shown.get(&(send.life, send.to)).copied();
        shown.unwrap_or_else(|| self.said.get(&send.to).copied().flatten())
    }
}

struct Finder<'a> {
    sends: &'a [Sending],
    receipts: &'a [Receipt],
    clocks: &'a Clocks,
    owners: Owners,
    sending: Vec<Option<usize>>,
    receipt: Vec<Option<usize>>,
}

impl Finder<'_> {
    /// Pairs what is equal: first what was sent to the receiver's address, then what was sent to an address of nobody known; and
    /// first what the clocks allow as they are estimated, then what they allow if they are as wrong as can be.
    fn pair(&mut self, lives: &[Life], sent: &[usize], received: &[usize]) {
        for (known, vague) in [(true, false), (false, false), (true, true), (false, true)] {
            let mut by_life: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            for &i in received.iter().filter(|&&i| self.receipt[i].is_none()) {
                by_life.entry(self.receipts[i].life).or_default().push(i);
            }
            for (life, receipts) in by_life {
                let id = lives[life].id;
                let fits = |owner: Option<NodeId>| if known { owner == Some(id) } else { owner.is_none() };
                let candidates = sent.iter().copied().filter(|&i| self.sending[i].is_none());
                let sends: Vec<usize> = candidates.filter(|&i| fits(self.owners.of(&self.sends[i]))).collect();
                self.pair_by_time(life, sends, receipts, vague);
            }
        }
    }

    fn pair_by_time(&mut self, life: usize, mut sends: Vec<usize>, mut receipts: Vec<usize>, vague: bool) {
        let sent_at = |i: usize| self.clocks.at(self.sends[i].life, self.sends[i].at);
        let received_at = |i: usize| self.clocks.at(life, self.receipts[i].at);
        sends.sort_by_key(|&i| sent_at(i));
        receipts.sort_by_key(|&i| received_at(i));
        // From the last sending on, each takes the first of those receipts that are not before it and are not taken.
        let (mut open, mut taken) = (Vec::new(), (Vec::new(), Vec::new()));
        for &send in sends.iter().rev() {
            let from = self.sends[send].life;
            let early = if vague { self.clocks.tolerance(from, life) } else { self.clocks.error(from, life) };
            let earliest = sent_at(send).saturating_sub(early);
            while receipts.last().is_some_and(|&receipt| received_at(receipt) >= earliest) {
                open.extend(receipts.pop());
            }
            let latest = sent_at(send).saturating_add(self.clocks.patience(from, life));
            if open.last().is_some_and(|&receipt| received_at(receipt) <= latest) {
                taken.0.push(send);
                taken.1.extend(open.pop());
            }
        }
        // Those that are taken, in their order: that is no less plausible for any of them.
        taken.0.sort_by_key(|&i| sent_at(i));
        taken.1.sort_by_key(|&i| received_at(i));
        for (send, receipt) in taken.0.into_iter().zip(taken.1) {
            self.sending[send] = Some(receipt);
            self.receipt[receipt] = Some(send);
        }
    }

    /// What arrived where, by time.
    fn arrived(&self) -> Arrived {
        let mut arrived = Arrived::new();
        for (send, receipt) in self.sending.iter().enumerate() {
            let Some(receipt) = *receipt else { continue };
            let (s, life) = (&self.sends[send], self.receipts[receipt].life);
            let earliest = self.clocks.at(s.life, s.at).saturating_sub(self.clocks.error(s.life, life));
            arrived.entry((s.frame, life)).or_default().push((earliest, send));
        }
        arrived.values_mut().for_each(|sends| sends.sort_unstable());
        arrived
    }

    fn origin(&self, receipt: usize, lives: &[Life], arrived: &Arrived, frames: &[DatagramShown]) -> Received {
        if let Some(send) = self.receipt[receipt] {
            return Received::From(send);
        }
        let r = &self.receipts[receipt];
        let at = self.clocks.at(r.life, r.at);
        let sends = arrived.get(&(r.frame, r.life)).map_or(&[][..], Vec::as_slice);
        let before = sends.partition_point(|&(earliest, _)| earliest <= at);
        // Before all of them it is a copy of the first one, if clocks can be as wrong as that.
        let last = before.checked_sub(1).and_then(|i| sends.get(i));
        let first = sends.first().filter(|&&(earliest, send)| {
            earliest.saturating_sub(self.clocks.tolerance(self.sends[send].life, r.life)) <= at
        });
        let sender = frames[r.frame as usize].frame.as_ref().map(|frame| frame.sender.id.0);
        match last.or(first) {
            Some(&(_, send)) => Received::CopyOf(send),
            None if lives.iter().any(|life| sender == Some(life.id)) => Received::Unexplained,
            None => Received::Untraced,
        }
    }

    fn fate(&self, send: usize, lives: &[Life], covered: &[Vec<(i64, i64)>]) -> Sent {
        if let Some(receipt) = self.sending[send] {
            return Sent::Received(receipt);
        }
        let s = &self.sends[send];
        let Some(owner) = self.owners.of(s) else { return Sent::Untraced };
        let heard = |life: usize| {
            let at = self.clocks.at(s.life, s.at);
            let earliest = at.saturating_sub(self.clocks.tolerance(s.life, life));
            let latest = at.saturating_add(self.clocks.patience(s.life, life));
            let begun = covered[life].partition_point(|&(from, _)| self.clocks.at(life, from) <= earliest);
            let last = begun.checked_sub(1).and_then(|i| covered[life].get(i));
            last.is_some_and(|&(_, to)| self.clocks.at(life, to) >= latest)
        };
        let mut of_owner = (0..lives.len()).filter(|&life| lives[life].id == owner);
        if of_owner.any(heard) { Sent::Lost } else { Sent::NotTraced }
    }
}

/// By frame and receiver: the sendings that arrived, and when each can have at the earliest.
type Arrived = HashMap<(u32, usize), Vec<(i64, usize)>>;
