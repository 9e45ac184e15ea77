//! Anti-entropy: finds the rows in which this node's table differs from a peer's, and exchanges those.
//!
//! The tree of hashes over the ids' keys is compared from the root: a question holds the hashes of some nodes' children,
//! the answer says which of them differ. A child with few rows here is not narrowed further: its range is pulled, with a
//! list of what is held in it, and the page brings what is lacking and asks for what the peer lacks. So the cost follows
//! the difference, not the table; a table of which nothing is known is pulled as a few long ranges, which is how a node
//! joins.
//!
//! The side that asks keeps all the state, and asks again what is not answered. One exchange at a time, of up to [`LANES`]
//! questions under way, so that neither side is flooded.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::cx::Cx;
use crate::identity::Addr;
use crate::members::{Members, ensure};
use crate::outbox::{Intent, What};
use crate::stats::{count, count_all};
use crate::status::NodeId;
use crate::storage::{FAN, KEY_END, LEVELS, range_of};
use crate::time::Instant;
use crate::wire::{KeyRange, PAGE_END};

/// Questions under way at a time.
const LANES: usize = 8;

/// Times a question is asked. At 50 % loss, where one in four is answered, all but three in a hundred are so.
const TRIES: u8 = 12;

/// Most nodes in one question; an `mtu` of 1400 has room for five.
pub(crate) const NODES_MAX: usize = 8;

/// Most ranges in one question.
const RANGES_MAX: usize = 32;

/// A child with so many live rows is pulled; listing them costs no more than comparing its children.
const LIST_MAX: usize = 24;

/// How often a page may bring rows and yet not get beyond its first key, before that is left out.
const STUCK_MAX: u8 = 32;

/// Most members listed as held in one question.
pub(crate) const HELD_MAX: usize = 128;

/// Bytes of a datagram that are not the question's own: envelope, head, the heads of sections.
const OVERHEAD: usize = 100;

/// A node whose answer has come: which of its children differ and have not yet been looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Branch {
    level: u8,
    prefix: u32,
    differing: u64,
}

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Asked {
    Nothing,
    /// Nodes of this level, in `nodes`.
    Nodes {
        level: u8,
    },
    /// What lies below this key in `ranges`.
    Ranges {
        end: u32,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Lane {
    asked: Asked,
    nonce: u32,
    due: Instant,
    /// When it was asked first.
    asked_at: Instant,
    tries: u8,
    /// Asked for with padding: my address is not the one that the peer knows, and its answer must be let grow.
    padded: bool,
    stuck: u8,
    /// Deepest last; those of one level descend, so that the last is the lowest.
    branches: Vec<Branch>,
    nodes: Vec<u32>,
    ranges: Vec<KeyRange>,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All that differed was exchanged.
    Done,
    /// Something was not answered.
    Failed,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sync {
    addr: Addr,
    peer: NodeId,
    lanes: Vec<Lane>,
    next: Instant,
    /// How long an answer takes at most, in microseconds, as far as this exchange has shown.
    round_trip: u64,
    /// Pages taken in this exchange: a peer cannot go on for ever.
    pages: usize,
    /// It ends here at the latest: nor can a peer keep others waiting by answering slowly.
    until: Instant,
    /// Some question was given up.
    failed: bool,
}

/// A question as it is to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Question<'a> {
    Compare { nonce: u32, level: u8, nodes: &'a [u32] },
    Pull { nonce: u32, ranges: &'a [KeyRange], end: u32, padded: bool },
}

impl Sync {
    pub(crate) fn new(me: NodeId, my_addr: Addr) -> Self {
        let lane = Lane {
            asked: Asked::Nothing,
            nonce: 0,
            due: Instant::NEVER,
            asked_at: Instant::ORIGIN,
            tries: 0,
            padded: false,
            stuck: 0,
            branches: Vec::new(),
            nodes: Vec::new(),
            ranges: Vec::new(),
        };
        let mut sync = Self {
            addr: my_addr,
            peer: me,
            lanes: alloc::vec![lane; LANES],
            next: Instant::NEVER,
            round_trip: 0,
            pages: 0,
            until: Instant::NEVER,
            failed: false,
        };
        sync.reserve();
        sync
    }

    /// Takes the room again that a restored copy lacks.
    pub(crate) fn reserve(&mut self) {
        // Each level but the root's may have a whole question's nodes open.
        let branches_max = 1 + (LEVELS as usize - 1) * NODES_MAX;
        for lane in &mut self.lanes {
            lane.branches.reserve_exact(branches_max.saturating_sub(lane.branches.len()));
            lane.nodes.reserve_exact(NODES_MAX.saturating_sub(lane.nodes.len()));
            lane.ranges.reserve_exact(RANGES_MAX.saturating_sub(lane.ranges.len()));
        }
    }

    pub(crate) fn next_deadline(&self) -> Instant {
        self.next
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.next != Instant::NEVER
    }

    /// Compares the whole table with this peer's.
    pub(crate) fn start(&mut self, addr: Addr, peer: NodeId, cx: &mut Cx) {
        self.stop();
        (self.addr, self.peer, self.pages, self.failed) = (addr, peer, 0, false);
        self.round_trip = cx.pace.probe_timeout / 8;
        self.until = cx.now.plus_micros(cx.pace.sync_backoff_max);
        count(&mut cx.stats.syncs);
        let lane = &mut self.lanes[0];
        lane.nodes.push(0);
        lane.asked = Asked::Nodes { level: 0 };
        self.ask(0, cx);
        self.settle();
    }

    /// Forgets the exchange that is under way.
    pub(crate) fn stop(&mut self) {
        for lane in &mut self.lanes {
            lane.branches.clear();
            lane.rest();
            (lane.padded, lane.stuck) = (false, 0);
        }
        self.settle();
    }

    fn settle(&mut self) {
        self.next = self.lanes.iter().map(|l| l.due).min().unwrap_or(Instant::NEVER);
    }

    /// Sends the question of a lane, for the first time or again.
    fn ask(&mut self, lane: usize, cx: &mut Cx) {
        let to = self.addr;
        let l = &mut self.lanes[lane];
        if l.tries == 0 {
            // The same one when it is asked again, so that a late answer is one.
            (l.nonce, l.asked_at) = (cx.rng.next_u32(), cx.now);
        }
        // The end of time is no deadline, so it is one microsecond before.
        let due = cx.now.plus_micros(cx.pace.answer_wait(self.round_trip, l.tries));
        l.due = due.min(Instant::NEVER.minus_micros(1));
        count(&mut cx.stats.sync_questions);
        cx.send(Intent::to_stranger(to, What::Ask { lane: lane as u8 }));
    }

    /// A lane has its answer. What was asked several times may have been answered the first time.
    fn on_answered(&mut self, lane: usize, cx: &Cx) {
        self.round_trip = self.round_trip.min(cx.now.micros_since(self.lanes[lane].asked_at));
    }

    /// The question of a lane; `None` when it has none any more.
    pub(crate) fn question(&self, lane: u8) -> Option<Question<'_>> {
        let l = self.lanes.get(usize::from(lane))?;
        match l.asked {
            Asked::Nothing => None,
            Asked::Nodes { level } => Some(Question::Compare { nonce: l.nonce, level, nodes: &l.nodes }),
            Asked::Ranges { end } => Some(Question::Pull { nonce: l.nonce, ranges: &l.ranges, end, padded: l.padded }),
        }
    }

    /// Whose pull does this page answer?
    pub(crate) fn lane_of_page(&self, from: Addr, sender: NodeId, nonce: u32) -> Option<usize> {
        self.lane_of(from, sender, nonce, |asked| matches!(asked, Asked::Ranges { .. }))
    }

    /// Whose comparison does this answer?
    pub(crate) fn lane_of_differ(&self, from: Addr, sender: NodeId, nonce: u32) -> Option<usize> {
        self.lane_of(from, sender, nonce, |asked| matches!(asked, Asked::Nodes { .. }))
    }

    fn lane_of(&self, from: Addr, sender: NodeId, nonce: u32, kind: fn(Asked) -> bool) -> Option<usize> {
        let theirs = from == self.addr && sender == self.peer;
        self.lanes.iter().position(|l| l.nonce == nonce && kind(l.asked)).filter(|_| theirs)
    }

    /// The answer to a comparison: which children of the nodes differ. Another number of answers than of nodes is none.
    pub(crate) fn on_differ(
        &mut self,
        lane: usize,
        bitmaps: impl Iterator<Item = u64> + Clone,
        members: &Members,
        cx: &mut Cx,
    ) -> Option<Ended> {
        let l = &mut self.lanes[lane];
        let Asked::Nodes { level } = l.asked else { return None };
        if bitmaps.clone().count() != l.nodes.len() {
            return None;
        }
        if cx.now >= self.until {
            self.failed = true;
            self.stop();
            return self.ended(cx);
        }
        self.on_answered(lane, cx);
        let l = &mut self.lanes[lane];
        let from = l.branches.len();
        for (&prefix, differing) in l.nodes.iter().zip(bitmaps) {
            if differing != 0 {
                l.branches.push(Branch { level, prefix, differing });
            }
        }
        l.branches[from..].reverse();
        if level == 0 {
            self.share_out();
            for lane in 0..LANES {
                self.advance(lane, members, cx);
            }
        } else {
            self.advance(lane, members, cx);
        }
        self.ended(cx)
    }

    /// Gives each lane its part of the root's differing children, if there are many.
    fn share_out(&mut self) {
        let Some(Branch { mut differing, .. }) = self.lanes[0].branches.pop() else { return };
        let share = (differing.count_ones() as usize).div_ceil(LANES).max(NODES_MAX);
        for lane in &mut self.lanes {
            let mut part = 0;
            for _ in 0..share {
                part |= differing & differing.wrapping_neg();
                differing &= differing.wrapping_sub(1);
            }
            if part != 0 {
                lane.branches.push(Branch { level: 0, prefix: 0, differing: part });
            }
        }
    }

    /// A page has come, and what it says has been taken over: everything below `next` is done.
    pub(crate) fn on_page(
        &mut self,
        lane: usize,
        next: u32,
        has_rows: bool,
        members: &Members,
        cx: &mut Cx,
    ) -> Option<Ended> {
        self.pages = self.pages.saturating_add(1);
        if self.pages > cx.config.members_max || cx.now >= self.until {
            self.failed = true;
            self.stop();
            return self.ended(cx);
        }
        self.on_answered(lane, cx);
        let l = &mut self.lanes[lane];
        let (Asked::Ranges { end }, Some(first)) = (l.asked, l.ranges.first().map(|r| r.from)) else { return None };
        let mut done = if next == PAGE_END { end } else { next.min(end) };
        if done > first {
            l.stuck = 0;
        } else if has_rows && l.stuck < STUCK_MAX {
            // Members that share a key: those that have come are listed as held now.
            l.stuck += 1;
        } else if l.padded {
            // Even so the peer does not get on. What it could say here is left out, and the rest is asked for.
            done = end;
        } else {
            l.padded = true;
        }
        l.ranges.retain_mut(|r| {
            r.from = r.from.max(done);
            r.from < r.to
        });
        if l.ranges.is_empty() {
            self.advance(lane, members, cx);
        } else {
            self.pull(lane, members, cx);
        }
        self.ended(cx)
    }

    /// The next question of a lane, or its end.
    fn advance(&mut self, lane: usize, members: &Members, cx: &mut Cx) {
        let nodes_max = ((cx.config.mtu - OVERHEAD) / (4 + 4 * FAN)).clamp(1, NODES_MAX);
        let l = &mut self.lanes[lane];
        l.rest();
        l.gather(nodes_max, members);
        if !l.ranges.is_empty() {
            self.pull(lane, members, cx);
        } else if !l.nodes.is_empty() {
            self.ask(lane, cx);
        }
        self.settle();
    }

    /// Pulls what is left of a lane's ranges, as far as what is held there can be listed in one question.
    fn pull(&mut self, lane: usize, members: &Members, cx: &mut Cx) {
        let l = &mut self.lanes[lane];
        let room = cx.config.mtu.saturating_sub(OVERHEAD + 8 * l.ranges.len());
        let most = (room / 16).min(HELD_MAX);
        let (mut held, mut end) = (0, PAGE_END);
        for range in &l.ranges {
            let all = members.visit_live(range.from, range.to, |_, key| {
                // One key at least, or nothing would ever get on.
                if held >= most && key > l.ranges[0].from {
                    end = key;
                    return false;
                }
                held += 1;
                true
            });
            if !all {
                break;
            }
        }
        (l.asked, l.tries) = (Asked::Ranges { end }, 0);
        self.ask(lane, cx);
        self.settle();
    }

    /// Some question has waited in vain.
    pub(crate) fn on_due(&mut self, cx: &mut Cx) -> Option<Ended> {
        for lane in 0..LANES {
            let l = &mut self.lanes[lane];
            if l.due > cx.now || l.asked == Asked::Nothing {
                continue;
            }
            l.tries = l.tries.saturating_add(1);
            if l.tries < TRIES {
                self.ask(lane, cx);
            } else {
                l.branches.clear();
                l.rest();
                self.failed = true;
            }
        }
        self.settle();
        self.ended(cx)
    }

    fn ended(&self, cx: &mut Cx) -> Option<Ended> {
        if self.is_busy() {
            return None;
        }
        count_all(&mut cx.stats.syncs_failed, u64::from(self.failed));
        Some(if self.failed { Ended::Failed } else { Ended::Done })
    }

    /// Invariants.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        ensure(self.lanes.len() == LANES, "as many lanes as there are")?;
        for l in &self.lanes {
            ensure(l.tries < TRIES, "a question is asked so often")?;
            ensure((l.asked == Asked::Nothing) == (l.due == Instant::NEVER), "a question has a deadline")?;
            let within = |level: u8, prefix: u32| u32::from(level) < LEVELS && prefix >> (6 * level) == 0;
            let branches = l.branches.iter().all(|b| within(b.level, b.prefix) && b.differing != 0);
            ensure(branches && l.nodes.len() <= NODES_MAX && l.ranges.len() <= RANGES_MAX, "a lane within its bounds")?;
            let ranges = l.ranges.iter().all(|r| r.from < r.to && r.to <= KEY_END);
            ensure(ranges && l.ranges.is_sorted_by_key(|r| r.from), "ranges that ascend")?;
            let asked = match l.asked {
                Asked::Nothing => l.nodes.is_empty() && l.ranges.is_empty(),
                Asked::Nodes { level } => !l.nodes.is_empty() && l.nodes.iter().all(|&p| within(level, p)),
                Asked::Ranges { end } => l.ranges.first().is_some_and(|r| r.from < end),
            };
            ensure(asked, "what is asked is there")?;
        }
        let next = self.lanes.iter().map(|l| l.due).min();
        ensure(next == Some(self.next), "the earliest deadline of all lanes")
    }
}

impl Lane {
    /// Nothing is asked.
    fn rest(&mut self) {
        (self.asked, self.due, self.tries) = (Asked::Nothing, Instant::NEVER, 0);
        self.nodes.clear();
        self.ranges.clear();
    }

    /// Takes the next children that differ, all of one level and one kind: nodes to be compared, or ranges to be pulled.
    fn gather(&mut self, nodes_max: usize, members: &Members) {
        let Some(level) = self.branches.last().map(|b| b.level) else { return };
        let mut kind = None;
        'question: for at in (0..self.branches.len()).rev() {
            let Branch { prefix, differing, level: l } = self.branches[at];
            if l != level {
                break;
            }
            for child in (0..FAN as u32).filter(|c| differing >> c & 1 != 0) {
                let node = prefix * FAN as u32 + child;
                let (from, to) = range_of(u32::from(level) + 1, node);
                let few = u32::from(level) + 1 == LEVELS || has_few(members, from, to);
                if *kind.get_or_insert(few) != few {
                    continue;
                }
                if few && !self.add_range(KeyRange { from, to }) || !few && self.nodes.len() >= nodes_max {
                    break 'question;
                }
                if !few {
                    self.nodes.push(node);
                }
                self.branches[at].differing &= !(1 << child);
            }
        }
        self.branches.retain(|b| b.differing != 0);
        self.asked = match kind {
            None => Asked::Nothing,
            Some(true) => Asked::Ranges { end: PAGE_END },
            Some(false) => Asked::Nodes { level: level + 1 },
        };
    }

    /// Ranges come in ascending order, and join when they touch.
    fn add_range(&mut self, range: KeyRange) -> bool {
        let full = self.ranges.len() >= RANGES_MAX;
        match self.ranges.last_mut() {
            Some(last) if last.to == range.from => last.to = range.to,
            _ if full => return false,
            _ => self.ranges.push(range),
        }
        true
    }
}

fn has_few(members: &Members, from: u32, to: u32) -> bool {
    let mut count = 0;
    members.visit_live(from, to, |_, _| {
        count += 1;
        count <= LIST_MAX
    })
}
