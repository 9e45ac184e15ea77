//! Which seeds the node is given, and when their names are resolved.
//!
//! Addresses go to the node at once, names follow. The names are asked for in rounds, one after the other: when the
//! embedder joins, then with back-off while no seed has answered or the node is alone, and at a slow steady pace while some
//! name's address is no live member's, since the name may mean another by then. A name that has not answered within
//! `join_retry` is stepped over, in later rounds at once, until it has. A round ends with one list of everything, which the
//! node is given when it differs from the last; an answer that comes between rounds makes such a list, too.
//!
//! Invariants: each name has at most one query under way, whatever becomes of it, and no name waits for ever for another;
//! a name that cannot be resolved keeps its last addresses; without names nothing is ever due; and after a leave the node
//! is given nothing before the embedder joins again, since a join would bring it back.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use swim_core::{Event, Instant, Node, name_hash};

use crate::mailbox::Order;
use crate::seed::{Name, canonical, is_reachable};

pub(crate) struct Seeds {
    me: SocketAddr,
    /// Most addresses kept, and most names.
    max: usize,
    retry: Duration,
    retry_max: Duration,
    /// Sets the waits of different nodes apart.
    salt: u64,
    addrs: Vec<SocketAddr>,
    names: Vec<Known>,
    /// What the node has, sorted; when that is more than `max`, it has kept some of it.
    given: Vec<SocketAddr>,
    /// The list may differ from what was given.
    news: bool,
    /// Has joined, or wants to: not before the first join, and not after a leave.
    active: bool,
    /// No seed has answered since the last join.
    unanswered: bool,
    alone: bool,
    /// In a round: the name whose turn it is.
    asking: Option<usize>,
    /// Rounds since there was need of one.
    rounds: u32,
    /// In a round: when that name is stepped over. Else when the next round begins.
    due: Instant,
}

/// A name, and what it meant when it was resolved last.
struct Known {
    name: Name,
    addrs: Box<[SocketAddr]>,
    /// Asked for, and not yet answered.
    under_way: bool,
}

impl Seeds {
    pub(crate) fn new(node: &Node) -> Self {
        let (me, config) = (node.me(), node.config());
        Self {
            me: canonical(me.addr()),
            max: config.seeds_max,
            retry: config.join_retry,
            retry_max: config.join_retry_max,
            salt: me.id().as_u64(),
            addrs: Vec::new(),
            names: Vec::new(),
            given: Vec::new(),
            news: false,
            active: false,
            unanswered: false,
            alone: true,
            asking: None,
            rounds: 0,
            due: Instant::NEVER,
        }
    }

    /// The embedder joins. The node is given the addresses by the same order, and adds them to those that it has. Returns
    /// how many names are too many.
    pub(crate) fn on_join(&mut self, now: Instant, addrs: &[SocketAddr], names: &[Name]) -> u64 {
        for addr in addrs.iter().copied().map(canonical).filter(|&addr| is_reachable(addr) && addr != self.me) {
            if !self.addrs.contains(&addr) && self.addrs.len() < self.max {
                self.addrs.push(addr);
            }
            // A node that is full, perhaps with what names mean, takes no more: then the next list brings the address.
            if !self.given.contains(&addr) && self.given.len() < self.max {
                self.given.push(addr);
            }
        }
        self.given.sort_unstable();
        self.news = true;
        let mut refused = 0;
        for name in names {
            if self.names.iter().any(|known| known.name == *name) {
                continue;
            }
            if self.names.len() < self.max {
                self.names.push(Known { name: name.clone(), addrs: Box::default(), under_way: false });
            } else {
                refused += 1;
            }
        }
        (self.active, self.unanswered, self.rounds) = (true, true, 0);
        self.begin_round(now);
        refused
    }

    /// The query for this name has been answered, in its turn or later: with canonical addresses, or none.
    pub(crate) fn on_answer(&mut self, now: Instant, at: usize, addrs: Box<[SocketAddr]>) {
        let known = &mut self.names[at];
        debug_assert!(known.under_way, "a query is answered once, and only what was asked is");
        known.under_way = false;
        if !addrs.is_empty() {
            known.addrs = addrs;
            self.news = true;
        }
        if self.asking == Some(at) {
            self.step(now, at + 1);
        }
    }

    /// The node has handed out these events.
    pub(crate) fn on_events(&mut self, now: Instant, events: &[Event], node: &Node) {
        if node.has_left() {
            // Queries that are under way are awaited all the same, or a name might have two some time.
            (self.active, self.asking, self.due) = (false, None, Instant::NEVER);
        }
        let alone = node.live_count() == 1;
        // Among events that were lost there may be the one that matters; who has company has had an answer.
        let answers = |e: &Event| matches!(e, Event::Joined { .. }) || !alone && matches!(e, Event::Lagged { .. });
        self.unanswered &= !events.iter().any(answers);
        if alone && !self.alone && self.asking.is_none() && self.due != Instant::NEVER {
            // What was due at the slow pace matters now.
            self.rounds = 0;
            self.due = self.due.min(now + self.wait(self.retry));
        }
        self.alone = alone;
    }

    /// Steps over a name that has not answered in time; or begins a round when it is time for one and the node needs it.
    pub(crate) fn on_timeout(&mut self, now: Instant, node: &Node) {
        if now < self.due {
            return;
        }
        match self.asking {
            Some(at) => self.step(now, at + 1),
            None if self.is_urgent() || self.is_missed(node) => self.begin_round(now),
            None => self.end_round(now),
        }
    }

    /// The name to ask for now, and which one it is. Its query is under way from then on.
    pub(crate) fn ask(&mut self) -> Option<(usize, Name)> {
        let at = self.asking.filter(|&at| !self.names[at].under_way)?;
        self.names[at].under_way = true;
        Some((at, self.names[at].name.clone()))
    }

    /// What the node is to be given, if it is anything new.
    pub(crate) fn give(&mut self) -> Option<Order> {
        // Without any address the node has not begun to join, and has to be told to; the first one is worth a hurry.
        let idle = self.unanswered && self.given.is_empty();
        if !self.news || !self.active || self.asking.is_some() && !idle {
            return None;
        }
        self.news = false;
        let list = self.list();
        // Name servers turn the order at each answer, which is no news.
        let mut sorted = list.clone();
        sorted.sort_unstable();
        if sorted == self.given {
            return None;
        }
        self.given = sorted;
        let list = list.into();
        Some(if idle { Order::Join { addrs: list, names: Box::default() } } else { Order::Seeds(list) })
    }

    /// When [`Self::on_timeout`] is due.
    pub(crate) fn next_deadline(&self) -> Instant {
        self.due
    }

    fn begin_round(&mut self, now: Instant) {
        if self.asking.is_none() && !self.names.is_empty() {
            self.step(now, 0);
        }
    }

    /// On to the first name from this one on that can be asked for, or to the end of the round.
    fn step(&mut self, now: Instant, from: usize) {
        self.asking = (from..self.names.len()).find(|&at| !self.names[at].under_way);
        match self.asking {
            Some(_) => self.due = now + self.retry,
            None => self.end_round(now),
        }
    }

    fn end_round(&mut self, now: Instant) {
        let wait = if self.is_urgent() {
            let doubled = self.retry.saturating_mul(1 << self.rounds.min(20));
            self.rounds = self.rounds.saturating_add(1);
            doubled.min(self.retry_max)
        } else {
            self.rounds = 0;
            self.retry_max
        };
        self.due = now + self.wait(wait);
    }

    /// Between three quarters of the wait and all of it, so that nodes started together spread out.
    fn wait(&self, most: Duration) -> Duration {
        let drawn = name_hash(&(self.salt ^ u64::from(self.rounds)).to_le_bytes()) as u32 % 256;
        most - most / 1_024 * drawn
    }

    fn is_urgent(&self) -> bool {
        self.unanswered || self.alone
    }

    /// Whether some name has no address, or one that is no live member's.
    fn is_missed(&self, node: &Node) -> bool {
        let mut missed: HashSet<SocketAddr> = self.names.iter().flat_map(|known| known.addrs.iter().copied()).collect();
        missed.retain(|&addr| !node.is_own_addr(addr));
        for member in node.members().filter(|member| member.state().is_live()) {
            missed.remove(&member.addr());
        }
        !missed.is_empty() || self.names.iter().any(|known| known.addrs.is_empty())
    }

    /// Addresses, then the first of each name, then the second of each, and so on: the node keeps so many only, and no
    /// name is to crowd out another. Each once, without this node's own.
    fn list(&self) -> Vec<SocketAddr> {
        let most = self.names.iter().map(|known| known.addrs.len()).max().unwrap_or(0);
        let nth = |n: usize| self.names.iter().filter_map(move |known| known.addrs.get(n));
        let mut seen = HashSet::from([self.me]);
        self.addrs.iter().chain((0..most).flat_map(nth)).copied().filter(|&addr| seen.insert(addr)).collect()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
