//! The data of the page: columns and places in lists, because ten thousand steps of five nodes are to fit.

use std::collections::HashMap;

use serde::Serialize;
use swim_core::NodeId;

use crate::json::event_name;
use crate::merge::{Named, Row, Story, Totals};
use crate::spans::spans;
use crate::words;

#[derive(Serialize)]
struct Data<'a> {
    start: i64,
    end: i64,
    totals: Totals,
    nodes: Vec<Node<'a>>,
    /// Id and name.
    members: Vec<(String, &'a str)>,
    moments: Moments,
    /// Moment, kind, member or -1, text.
    events: Vec<(usize, usize, i64, usize)>,
    /// Moment, member, state (4: none), incarnation.
    beliefs: Vec<(usize, usize, u8, usize)>,
    /// Frame, moment sent, moment received or -1, fate, address, microseconds.
    datagrams: Vec<(usize, usize, i64, u8, usize, i64)>,
    /// Kind, bytes, lines.
    frames: Vec<(usize, usize, Vec<usize>)>,
    /// Kind, moment, end, what ended it, member.
    spans: Vec<(usize, usize, i64, usize, i64)>,
    strings: Vec<String>,
}

#[derive(Serialize)]
struct Node<'a> {
    id: String,
    name: &'a str,
    addr: String,
    epoch: u32,
    offset: i64,
    clock: String,
    steps: u64,
    sent: u64,
    lost: u64,
    received: u64,
    from: i64,
    to: i64,
    /// Its first step is its first of all.
    first: bool,
    notes: Vec<String>,
}

/// By moment.
#[derive(Default, Serialize)]
struct Moments {
    at: Vec<i64>,
    node: Vec<usize>,
    step: Vec<u64>,
    input: Vec<usize>,
    /// -1: none.
    because: Vec<i64>,
    datagram: Vec<i64>,
    frame: Vec<i64>,
    source: Vec<i64>,
    /// 1 behind a gap, 2 diverged, 4 the sender's trace does not have the datagram.
    flags: Vec<u8>,
}

/// As JSON that may stand between the tags of a script: no `<` in it begins or ends anything.
pub(super) fn json(story: &Story) -> String {
    let mut strings = Strings::default();
    let times = || story.timeline.iter().map(|moment| moment.at_us);
    let listed = members(story);
    let members: HashMap<NodeId, usize> = listed.iter().enumerate().map(|(i, member)| (member.id, i)).collect();
    let member = |id: Option<NodeId>| id.and_then(|id| members.get(&id)).map_or(-1, |&i| i as i64);
    let mut data = Data {
        start: times().min().unwrap_or(0),
        end: times().max().unwrap_or(0),
        totals: story.totals,
        nodes: story.nodes.iter().enumerate().map(|(i, row)| node(story, i, row)).collect(),
        members: listed.iter().map(|member| (member.id.to_string(), &*member.name)).collect(),
        moments: moments(story, &mut strings),
        events: Vec::new(),
        beliefs: Vec::new(),
        datagrams: Vec::new(),
        frames: Vec::new(),
        spans: Vec::new(),
        strings: Vec::new(),
    };
    for (place, moment) in story.timeline.iter().enumerate() {
        for told in &moment.events {
            let (kind, text) = (strings.number(event_name(&told.event)), strings.number(&words::event(told)));
            data.events.push((place, kind, member(told.event.member()), text));
        }
        for belief in &moment.beliefs {
            let incarnation = belief.incarnation.map(|incarnation| incarnation.to_string()).unwrap_or_default();
            let of = members.get(&belief.member).copied().unwrap_or(0);
            data.beliefs.push((place, of, belief.state.map_or(4, |state| state as u8), strings.number(&incarnation)));
        }
    }
    for datagram in &story.datagrams {
        let received = datagram.received.map_or(-1, |moment| moment as i64);
        let to = strings.number(&datagram.to.to_string());
        let took = datagram.one_way_us.unwrap_or(0);
        data.datagrams.push((datagram.frame, datagram.sent, received, datagram.fate as u8, to, took));
    }
    for frame in &story.frames {
        let says = words::lines(frame).iter().map(|line| strings.number(line)).collect();
        data.frames.push((strings.number(frame.message()), frame.len, says));
    }
    for span in spans(story) {
        let (kind, by) = (strings.number(span.kind.name()), strings.number(span.by));
        data.spans.push((kind, span.begins, span.ends_us, by, member(Some(span.member))));
    }
    data.strings = strings.list;
    let json = serde_json::to_string(&data).expect("numbers and strings are always JSON");
    json.replace('<', "\\u003c").replace('>', "\\u003e")
}

/// Those that have traces first, in the order of these.
fn members(story: &Story) -> Vec<&Named> {
    let place = |member: &&Named| story.nodes.iter().position(|row| row.id == member.id).unwrap_or(usize::MAX);
    let mut members: Vec<&Named> = story.members.iter().collect();
    members.sort_by_key(place);
    members
}

fn node<'a>(story: &Story, i: usize, row: &'a Row) -> Node<'a> {
    let first = story.timeline.iter().find(|moment| moment.node == i);
    Node {
        id: row.id.to_string(),
        name: &row.name,
        addr: row.addr.to_string(),
        epoch: row.epoch,
        offset: row.offset_us,
        clock: words::clock(row),
        steps: row.steps,
        sent: row.sent,
        lost: row.lost,
        received: row.received,
        from: row.from_us.unwrap_or(0),
        to: row.to_us.unwrap_or(0),
        first: first.is_some_and(|moment| moment.step == 0),
        notes: row.problems(),
    }
}

fn moments(story: &Story, strings: &mut Strings) -> Moments {
    let mut moments = Moments::default();
    let place = |place: Option<usize>| place.map_or(-1, |place| place as i64);
    for moment in &story.timeline {
        moments.at.push(moment.at_us);
        moments.node.push(moment.node);
        moments.step.push(moment.step);
        moments.input.push(strings.number(moment.input));
        moments.because.push(place(moment.because));
        moments.datagram.push(place(moment.origin.and_then(|origin| origin.datagram)));
        moments.frame.push(place(moment.origin.map(|origin| origin.frame)));
        moments.source.push(place(moment.origin.map(|origin| strings.number(&origin.from.to_string()))));
        let unexplained = moment.origin.is_some_and(|origin| origin.unexplained);
        moments.flags.push(u8::from(moment.after_gap) | u8::from(moment.diverged) << 1 | u8::from(unexplained) << 2);
    }
    moments
}

/// Texts, each of them once.
#[derive(Default)]
struct Strings {
    numbers: HashMap<String, usize>,
    list: Vec<String>,
}

impl Strings {
    fn number(&mut self, text: &str) -> usize {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        self.numbers.insert(text.to_owned(), self.list.len());
        self.list.push(text.to_owned());
        self.list.len() - 1
    }
}
