//! What a merge tells.

use std::net::SocketAddr;

use serde::Serialize;
use swim_core::{Incarnation, NodeId, State};
use swim_trace::TraceError;

use super::clocks::Clocks;
use super::micros;
use super::pairs::{Pairs, Receipt, Received, Sending, Sent};
use crate::decode::{DatagramShown, EventShown, Names};
use crate::json;
use crate::life::{Given, Life, Step};

/// Several nodes' traces as one. Times called `at_us` are microseconds by the reference's clock, and can be negative; lives, moments,
/// datagrams and frames are named by their places in the lists here.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Story {
    /// The lives, in the order in which their traces were given; the first one's clock is the reference.
    pub nodes: Vec<Row>,
    /// How many datagrams came to what.
    pub totals: Totals,
    /// The clocks contradict each other by so many microseconds, because they do not run equally fast; 0: they do not.
    pub clocks_apart_us: i64,
    /// The names of all members that turn up anywhere.
    pub members: Vec<Named>,
    #[serde(skip)]
    names: Names,
    /// Every step of every life, by time, and no receipt before its sending.
    pub timeline: Vec<Moment>,
    /// Every datagram that was sent by a traced node, by life and step.
    pub datagrams: Vec<Datagram>,
    /// What was in them and in what was received, once each.
    pub frames: Vec<DatagramShown>,
    /// Which traces, by their places from 0, cannot be read to their ends, and why.
    #[serde(skip)]
    pub damage: Vec<(usize, TraceError)>,
}

impl Story {
    /// The names of all members.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }
}

/// A member's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Named {
    /// Who.
    #[serde(serialize_with = "json::text")]
    pub id: NodeId,
    /// Its name, else its id.
    pub name: String,
}

/// One life of one node.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// Who.
    #[serde(serialize_with = "json::text")]
    pub id: NodeId,
    /// Its name, else its id.
    pub name: String,
    /// The address that it advertised.
    pub addr: SocketAddr,
    /// Which life.
    pub epoch: u32,
    /// The version of `swim-core` that ran.
    pub core: String,
    /// What is added to its clock's times, in microseconds.
    pub offset_us: i64,
    /// The offset is wrong by at most this, in microseconds; `None`: nothing is known of that.
    pub bound_us: Option<i64>,
    /// What the offset comes from.
    pub clock: ClockFrom,
    /// Steps that were replayed.
    pub steps: u64,
    /// The first step's time.
    pub from_us: Option<i64>,
    /// The last step's time.
    pub to_us: Option<i64>,
    /// Times that steps are missing between others.
    pub gaps: u64,
    /// Steps that are missing there.
    pub missing: u64,
    /// Recorded inputs that could not be replayed, because the state before them is not known.
    pub skipped: u64,
    /// Times that the replay left the run.
    pub divergences: u64,
    /// The step of the first of them.
    pub first_divergence: Option<u64>,
    /// Why the replay ended before the trace did.
    pub error: Option<String>,
    /// Datagrams that it sent.
    pub sent: u64,
    /// Of these, those that another traced node received.
    pub matched: u64,
    /// Of these, those that were lost.
    pub lost: u64,
    /// Datagrams that it received.
    pub received: u64,
}

impl Row {
    /// What is wrong with its trace, a line each.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.gaps > 0 {
            problems.push(format!("{} steps are missing in {} gaps", self.missing, self.gaps));
        }
        if let Some(step) = self.first_divergence {
            problems.push(format!("the replay diverges {} times, first in step {step}", self.divergences));
        }
        if self.skipped > 0 {
            problems.push(format!("{} steps are passed over: the state before them is not known", self.skipped));
        }
        problems.extend(self.error.clone());
        problems
    }
}

/// What an offset comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockFrom {
    /// It is the reference.
    Reference,
    /// From datagrams both ways, directly or by way of other nodes.
    Datagrams,
    /// From the time of day in the header, because there are not enough datagrams.
    UnixMicros,
    /// From nothing: there are no datagrams, and the header does not know the time of day. The offset is 0.
    Nothing,
}

/// How many datagrams came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Totals {
    /// By traced nodes.
    pub sent: u64,
    /// Sent and received.
    pub matched: u64,
    /// Sent to a node that was traced at that time, and not received.
    pub lost: u64,
    /// Sent to a node that has a trace, but not of that time.
    pub to_not_traced: u64,
    /// Sent to an address of no node that has a trace.
    pub to_untraced: u64,
    /// By traced nodes.
    pub received: u64,
    /// Received once more than they were sent.
    pub copies: u64,
    /// Received from a node that has a trace without them.
    pub unexplained: u64,
    /// Received from nodes that have no trace.
    pub from_untraced: u64,
}

/// One step of one life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Moment {
    /// When, by the reference's clock.
    pub at_us: i64,
    /// Which life.
    pub node: usize,
    /// The step's number in its trace.
    pub step: u64,
    /// When, by its own clock.
    pub own_us: i64,
    /// The kind of input: `datagram`, `timeout`, `join` and so on.
    pub input: &'static str,
    /// For a datagram, where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// What it sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sent: Vec<usize>,
    /// What it told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventShown>,
    /// What it believes from here on that it did not before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beliefs: Vec<Belief>,
    /// The earlier moment of this life that led here: for a suspicion the ping without answer, for a death the suspicion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<usize>,
    /// Steps before this one are missing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub after_gap: bool,
    /// The replay left the run here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub diverged: bool,
}

/// Where a datagram that was received comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Origin {
    /// Its source address.
    pub from: SocketAddr,
    /// What it says.
    pub frame: usize,
    /// The datagram that was sent; `None` when it is in no trace.
    pub datagram: Option<usize>,
    /// It had been received before.
    pub copy: bool,
    /// Its sender has a trace, in which it is not.
    pub unexplained: bool,
}

/// What is believed of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Belief {
    /// Of whom.
    #[serde(serialize_with = "json::text")]
    pub member: NodeId,
    /// `None`: nothing any more.
    #[serde(serialize_with = "json::maybe_text")]
    pub state: Option<State>,
    /// At which incarnation.
    #[serde(serialize_with = "json::maybe_text")]
    pub incarnation: Option<Incarnation>,
}

/// A datagram that a traced node has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Datagram {
    /// The moment in which it was sent.
    pub sent: usize,
    /// The sender's life.
    pub from: usize,
    /// Where to.
    pub to: SocketAddr,
    /// What it says.
    pub frame: usize,
    /// What became of it.
    pub fate: Fate,
    /// The moment in which it was received.
    pub received: Option<usize>,
    /// From the one to the other, as far as the clocks are known: by chance below zero where they are not.
    pub one_way_us: Option<i64>,
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// A traced node received it.
    Received,
    /// Its receiver was traced then, and did not receive it.
    Lost,
    /// Its receiver has a trace, but not of that time.
    NotTraced,
    /// Its receiver has no trace.
    Untraced,
}

/// All that a story is made of.
pub(super) struct Parts {
    pub(super) lives: Vec<Life>,
    pub(super) names: Names,
    pub(super) sends: Vec<Sending>,
    pub(super) receipts: Vec<Receipt>,
    pub(super) frames: Vec<DatagramShown>,
    pub(super) clocks: Clocks,
    pub(super) pairs: Pairs,
    pub(super) order: Vec<(usize, usize)>,
    pub(super) damage: Vec<(usize, TraceError)>,
}

pub(super) fn tell(parts: Parts) -> Story {
    // Where each step stands in the timeline.
    let mut places: Vec<Vec<usize>> = parts.lives.iter().map(|life| vec![0; life.steps.len()]).collect();
    for (place, &(life, step)) in parts.order.iter().enumerate() {
        places[life][step] = place;
    }
    let mut timeline: Vec<Moment> = parts.order.iter().map(|&at| moment(&parts, at, &places)).collect();
    let datagrams: Vec<Datagram> = (0..parts.sends.len()).map(|i| datagram(&parts, i, &places)).collect();
    for (i, datagram) in datagrams.iter().enumerate() {
        timeline[datagram.sent].sent.push(i);
    }
    for (i, receipt) in parts.receipts.iter().enumerate() {
        timeline[places[receipt.life][receipt.step]].origin = Some(origin(&parts, i));
    }
    let members = parts.names.iter().map(|(id, name)| Named { id, name: name.into() }).collect();
    Story {
        nodes: (0..parts.lives.len()).map(|life| row(&parts, life)).collect(),
        totals: totals(&parts.pairs, &timeline),
        clocks_apart_us: parts.clocks.contradiction,
        members,
        names: parts.names,
        timeline,
        datagrams,
        frames: parts.frames,
        damage: parts.damage,
    }
}

fn moment(parts: &Parts, (life, step): (usize, usize), places: &[Vec<usize>]) -> Moment {
    let of = &parts.lives[life];
    let it: &Step = &of.steps[step];
    let before = step.checked_sub(1).and_then(|i| of.steps.get(i));
    let because = it.because.and_then(|number| of.steps.binary_search_by_key(&number, |step| step.number).ok());
    let belief = |&(member, status): &(NodeId, Option<swim_core::Status>)| Belief {
        member,
        state: status.map(swim_core::Status::state),
        incarnation: status.map(swim_core::Status::incarnation),
    };
    Moment {
        at_us: parts.clocks.at(life, micros(it.at)),
        node: life,
        step: it.number,
        own_us: micros(it.at),
        input: it.input.name(),
        origin: None,
        sent: Vec::new(),
        events: it.events.iter().map(|event| EventShown::of(event, &parts.names)).collect(),
        beliefs: it.beliefs.iter().map(belief).collect(),
        because: because.map(|i| places[life][i]),
        after_gap: before.map_or(it.number > 0, |before| before.number.checked_add(1) != Some(it.number)),
        diverged: it.diverged,
    }
}

fn datagram(parts: &Parts, i: usize, places: &[Vec<usize>]) -> Datagram {
    let send = &parts.sends[i];
    let receipt = match parts.pairs.sent[i] {
        Sent::Received(receipt) => Some(&parts.receipts[receipt]),
        _ => None,
    };
    let at = |life, at| parts.clocks.at(life, at);
    Datagram {
        sent: places[send.life][send.step],
        from: send.life,
        to: send.to,
        frame: send.frame as usize,
        fate: match parts.pairs.sent[i] {
            Sent::Received(_) => Fate::Received,
            Sent::Lost => Fate::Lost,
            Sent::NotTraced => Fate::NotTraced,
            Sent::Untraced => Fate::Untraced,
        },
        received: receipt.map(|r| places[r.life][r.step]),
        one_way_us: receipt.map(|r| at(r.life, r.at).saturating_sub(at(send.life, send.at))),
    }
}

fn origin(parts: &Parts, i: usize) -> Origin {
    let (receipt, received, datagram) = (&parts.receipts[i], parts.pairs.received[i], parts.pairs.sending_of(i));
    Origin {
        from: receipt.from,
        frame: receipt.frame as usize,
        datagram,
        copy: datagram.is_some() && matches!(received, Received::CopyOf(_)),
        unexplained: datagram.is_none() && received != Received::Untraced,
    }
}

fn row(parts: &Parts, life: usize) -> Row {
    let of = &parts.lives[life];
    let at = |step: &Step| parts.clocks.at(life, micros(step.at));
    let sent = || parts.sends.iter().zip(&parts.pairs.sent).filter(|(send, _)| send.life == life);
    let (gaps, missing) = of.missing();
    Row {
        id: of.id,
        name: of.name.clone(),
        addr: of.addr,
        epoch: of.epoch,
        core: of.core.clone(),
        offset_us: parts.clocks.offsets[life],
        bound_us: parts.clocks.bounds[life],
        clock: parts.clocks.from[life],
        steps: of.steps.len() as u64,
        from_us: of.steps.first().map(at),
        to_us: of.steps.last().map(at),
        gaps,
        missing,
        skipped: of.skipped,
        divergences: of.divergences,
        first_divergence: of.first_divergence,
        error: of.error.as_ref().map(ToString::to_string),
        sent: sent().count() as u64,
        matched: sent().filter(|(_, fate)| matches!(fate, Sent::Received(_))).count() as u64,
        lost: sent().filter(|(_, fate)| matches!(fate, Sent::Lost)).count() as u64,
        received: of.steps.iter().filter(|step| matches!(step.input, Given::Datagram { .. })).count() as u64,
    }
}

fn totals(pairs: &Pairs, timeline: &[Moment]) -> Totals {
    let sent = |wanted: fn(&Sent) -> bool| pairs.sent.iter().filter(|sent| wanted(sent)).count() as u64;
    let received = |wanted: fn(&Origin) -> bool| {
        timeline.iter().filter_map(|moment| moment.origin.as_ref()).filter(|origin| wanted(origin)).count() as u64
    };
    Totals {
        sent: sent(|_| true),
        matched: sent(|sent| matches!(sent, Sent::Received(_))),
        lost: sent(|sent| matches!(sent, Sent::Lost)),
        to_not_traced: sent(|sent| matches!(sent, Sent::NotTraced)),
        to_untraced: sent(|sent| matches!(sent, Sent::Untraced)),
        received: received(|_| true),
        copies: received(|origin| origin.copy),
        unexplained: received(|origin| origin.unexplained),
        from_untraced: received(|origin| origin.datagram.is_none() && !origin.unexplained),
    }
}
