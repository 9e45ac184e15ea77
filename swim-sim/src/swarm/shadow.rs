//! What one process looked like after its last input, and the rules about what may have become of it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use swim_core::wire::{Frame, Message};
use swim_core::{Event, Incarnation, Instant, Node, NodeId, Profile, State, Status};
use swim_driver::Pump;

use crate::swarm::coverage::Coverage;
use crate::swarm::turns::Turns;
use crate::swarm::violation::Checker;
use crate::swarm::watch::{Kind, Turn};

pub(crate) type Checked = Result<(), (Checker, String)>;

/// `Node::check` is asked every so many inputs; it looks at everything.
const FULL_CHECK: u64 = 256;
/// More time-outs than this at one instant are a loop.
const TIMEOUTS_MAX: u32 = 8;
/// Members that a leave is told to, or all that there are.
const FAREWELLS: usize = 8;
/// Where more are live before and after a datagram, enough were while it was taken.
pub(super) const MANY: usize = 5;
/// So many datagrams in one period cannot use up the budget for frames that nobody asked for.
const FEW_DATAGRAMS: usize = 4;
/// Where fewer live, nobody can confirm a suspicion.
pub(super) const CONFIRMABLE: usize = 3;
/// Tombstones are looked at every so many turns.
const OLD_CHECK: u64 = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    id: NodeId,
    status: Status,
    detail_at: Incarnation,
    addr: SocketAddr,
}

/// What the events say of a member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) status: Status,
    /// Since when by the node's clock; the origin where that was missed.
    pub(super) since: Instant,
}

#[derive(Debug)]
pub(crate) struct Shadow {
    /// The table, in its order, this node first.
    rows: Vec<Seen>,
    /// What they said of themselves when their rows were looked at last.
    profiles: BTreeMap<NodeId, Profile>,
    told: BTreeMap<NodeId, Told>,
    /// The latest that the clock has shown: a node never goes back.
    pub(super) clock: Instant,
    turns: u64,
    /// Time-outs at this instant of the world.
    timeouts: (Instant, u32),
    /// When it last woke up from a pause, and for how long nobody may be declared dead since then.
    pub(super) woken: Option<(Instant, Duration)>,
    /// Whom it probes.
    probes: Turns,
    /// When it waited to be called, before this turn.
    due: Option<Instant>,
    /// When fewer than [`CONFIRMABLE`] were live last.
    pub(super) few_at: Option<Instant>,
    /// A raised incarnation has to leave by then.
    refute_by: Option<Instant>,
    /// When the last datagrams came.
    arrivals: VecDeque<Instant>,
    silent: bool,
}

impl Shadow {
    pub(crate) fn new(node: &Node, clock: Instant) -> Self {
        Self {
            rows: node.members().map(|member| seen(&member)).collect(),
            profiles: node.members().map(|member| (member.id(), member.profile().clone())).collect(),
            told: BTreeMap::new(),
            clock,
            turns: 0,
            timeouts: (Instant::ORIGIN, 0),
            woken: None,
            probes: Turns::default(),
            due: None,
            few_at: Some(clock),
            refute_by: None,
            arrivals: VecDeque::new(),
            silent: false,
        }
    }

    /// It has just woken up from a pause.
    #[cfg(test)]
    pub(crate) fn wake(&mut self, hold: Duration) {
        self.woken = Some((self.clock, hold));
    }

    /// Its clock shows this.
    #[cfg(test)]
    pub(crate) fn look(&mut self, clock: Instant) {
        self.clock = clock;
    }

    /// Live members elsewhere, as they were before this turn, by distinct addresses.
    fn peers(&self) -> usize {
        let mine = self.rows[0].addr;
        let mut addrs: Vec<SocketAddr> = Vec::new();
        for row in &self.rows[1..] {
            if row.status.is_live() && row.addr != mine && !addrs.contains(&row.addr) {
                addrs.push(row.addr);
            }
        }
        addrs.len()
    }

    /// Whether this member had a row, and that address in it.
    pub(crate) fn is_at(&self, id: NodeId, addr: SocketAddr) -> bool {
        self.rows[1..].iter().any(|row| row.id == id && row.addr == addr)
    }

    pub(super) fn live(&self) -> usize {
        self.rows.iter().filter(|row| row.status.is_live()).count()
    }

    /// What holds for one turn, whatever the table.
    pub(crate) fn check_turn(&mut self, turn: &Turn, header_len: usize, pump: &Pump) -> Checked {
        let node = pump.node();
        self.clock = self.clock.max(turn.clock);
        self.turns += 1;
        if turn.largest > node.config().mtu {
            return Err((Checker::TooLarge, format!("{} bytes, the mtu is {}", turn.largest, node.config().mtu)));
        }
        if node.stats().pauses > turn.before.pauses {
            self.woken = Some((self.clock, node.config().suspicion_bounds(self.live()).0));
        }
        self.check_asleep(turn, node)?;
        self.check_spin(turn, pump)?;
        self.check_probes(turn, header_len, node)?;
        self.check_refutation(turn, node)?;
        self.check_goodbye(turn, node)?;
        self.check_old(node)?;
        self.check_bounds(node)
    }

    /// Who is called so late that it must have been asleep shifts its deadlines, and handles none of them as it is.
    fn check_asleep(&mut self, turn: &Turn, node: &Node) -> Checked {
        let late = self.due.map_or(Duration::ZERO, |due| self.clock.since(due));
        self.due = node.poll_timeout();
        let went_on = node.stats().timeouts > turn.before.timeouts && node.stats().pauses == turn.before.pauses;
        if node.config().pause_guard && late > node.config().probe_interval && went_on {
            return Err((Checker::AfterPause, format!("it slept for {late:?}, and has not noticed")));
        }
        Ok(())
    }

    /// Nobody keeps a tombstone beyond its time, but for what it sleeps meanwhile.
    fn check_old(&self, node: &Node) -> Checked {
        let config = node.config();
        if self.turns % OLD_CHECK != 0 || node.stats().pauses > 0 || node.has_left() {
            return Ok(());
        }
        let most = config.tombstone_ttl + config.probe_interval * 2;
        let old = |told: &Told| {
            !told.status.is_live() && told.since != Instant::ORIGIN && self.clock.since(told.since) > most
        };
        match self.told.iter().find(|(_, told)| old(told)) {
            Some((id, told)) => {
                Err((Checker::Tombstone, format!("{id} is kept {:?} after {told:?}", self.clock.since(told.since))))
            }
            None => Ok(()),
        }
    }

    fn check_spin(&mut self, turn: &Turn, pump: &Pump) -> Checked {
        // A damaged datagram is no input, so deadlines that have passed meanwhile are still due.
        if turn.kind != Kind::Datagram && pump.poll_timeout().is_some_and(|at| at <= turn.clock) {
            return Err((Checker::Spin, format!("waits for {:?} at {:?}", pump.poll_timeout(), turn.clock)));
        }
        if turn.kind == Kind::Timeout {
            self.timeouts = if self.timeouts.0 == turn.at { (turn.at, self.timeouts.1 + 1) } else { (turn.at, 1) };
        }
        if self.timeouts.1 > TIMEOUTS_MAX {
            return Err((Checker::Spin, format!("{} time-outs at one instant", self.timeouts.1)));
        }
        Ok(())
    }

    /// Whom it asks to relay, and which acks end its probes.
    fn check_probes(&mut self, turn: &Turn, header_len: usize, node: &Node) -> Checked {
        let (stats, before) = (node.stats(), &turn.before);
        if stats.probes_acked > before.probes_acked {
            let frame = turn.datagram.get(header_len..).and_then(|frame| Frame::parse(frame).ok());
            let acked = match frame.and_then(|frame| frame.message) {
                Some(Message::Ack { nonce } | Message::RelayedAck { nonce, .. }) => Some(nonce),
                _ => None,
            };
            let nonce = self.probes.nonce();
            if acked.is_none() || acked != nonce {
                return Err((Checker::Ack, format!("the probe {nonce:?} was ended by the ack {acked:?}")));
            }
            self.probes.check_ack(self.clock)?;
        }
        self.probes.check(turn, self.clock, node)?;
        for &(to, message) in &turn.probes {
            let Message::PingReq { target, .. } = message else { continue };
            let at = node.member(target).map(|member| member.addr());
            if at == Some(to) || to == node.me().addr() {
                return Err((Checker::Relay, format!("{to} is asked to relay to {at:?}")));
            }
        }
        Ok(())
    }

    fn check_refutation(&mut self, turn: &Turn, node: &Node) -> Checked {
        let (config, me) = (node.config(), node.me().incarnation());
        let raised = me > self.rows[0].status.incarnation();
        let full = node.stats().outbox_full > turn.before.outbox_full;
        let mut checked = Ok(());
        if turn.sent > 0 {
            self.refute_by = None;
            let head = Frame::parse(&turn.first_frame).map(|frame| frame.incarnation);
            if raised && head != Ok(me) {
                checked = Err((Checker::Refutation, format!("{me:?} was taken, and {head:?} told")));
            }
        } else if raised && turn.kind == Kind::Datagram && self.peers() > 0 && !node.has_left() && !full {
            if self.has_budget(config.probe_interval) {
                checked = Err((Checker::Refutation, format!("{me:?} was taken, and nobody told")));
            }
            self.refute_by = Some(self.clock + config.gossip_interval);
        } else if turn.kind == Kind::Timeout && node.stats().pauses == turn.before.pauses {
            let late = self.refute_by.take_if(|by| *by < self.clock).is_some();
            if late && self.peers() > 0 && !node.has_left() {
                checked = Err((Checker::Refutation, format!("{me:?} was not told with the tick")));
            }
        } else if node.stats().pauses > turn.before.pauses {
            self.refute_by = None;
        }
        if turn.kind == Kind::Datagram {
            self.arrivals.push_back(self.clock);
            if self.arrivals.len() > FEW_DATAGRAMS {
                self.arrivals.pop_front();
            }
        }
        checked
    }

    /// Whether the frames that nobody asked for cannot have been used up in this period.
    fn has_budget(&self, period: Duration) -> bool {
        let few = self.arrivals.len() < FEW_DATAGRAMS || self.clock.since(self.arrivals[0]) > period;
        few && self.woken.is_none_or(|(at, _)| self.clock.since(at) > period * 2)
    }

    fn check_goodbye(&mut self, turn: &Turn, node: &Node) -> Checked {
        if self.silent && turn.sent > 0 {
            return Err((Checker::Goodbye, format!("{} datagrams after the end", turn.sent)));
        }
        self.silent |= node.has_left();
        let leaves = node.me().state() == State::Left && self.rows[0].status.state() != State::Left;
        let owed = self.peers().min(FAREWELLS);
        if leaves && turn.sent < owed && node.stats().outbox_full == turn.before.outbox_full {
            return Err((Checker::Goodbye, format!("{owed} had to be told, {} were", turn.sent)));
        }
        Ok(())
    }

    fn check_bounds(&self, node: &Node) -> Checked {
        let checked = if self.turns % FULL_CHECK == 0 { node.check() } else { node.check_bounds() };
        checked.map_err(|e| (Checker::Bounds, e.to_string()))
    }

    /// What holds for the rows, against what they were, and what was told of them.
    pub(crate) fn check_table(
        &mut self,
        turn: &Turn,
        node: &Node,
        taken: &BTreeMap<NodeId, Incarnation>,
        coverage: &mut Coverage,
    ) -> Checked {
        if self.live().min(node.live_count()) < CONFIRMABLE {
            self.few_at = Some(self.clock);
        }
        if turn.events.is_empty() && node.members().map(|member| seen(&member)).eq(self.rows.iter().copied()) {
            return Ok(());
        }
        let rows: Vec<Seen> = node.members().map(|member| seen(&member)).collect();
        self.check_me(&rows, node)?;
        let mut lagged = false;
        let (mut moved, mut updated, mut anew) = (Vec::new(), Vec::new(), Vec::new());
        for event in &turn.events {
            match *event {
                Event::MemberMoved { id, .. } => moved.push(id),
                Event::MemberUpdated { id } => updated.push(id),
                Event::Lagged { .. } => lagged = true,
                _ => self.fold(event, turn, node, coverage)?,
            }
            if let Event::MemberForgotten { id } = *event {
                anew.push(id);
            }
        }
        if lagged {
            let ttl = node.config().tombstone_ttl;
            anew.extend(self.rows[1..].iter().filter(|row| self.may_be_forgotten(row, ttl)).map(|row| row.id));
            let told = |row: &Seen| (row.id, Told { status: row.status, since: Instant::ORIGIN });
            self.told = rows[1..].iter().map(told).collect();
        }
        for row in &rows[1..] {
            self.check_row(row, taken, lagged || moved.contains(&row.id), anew.contains(&row.id))?;
            self.check_profile(row, node, lagged || anew.contains(&row.id), updated.contains(&row.id))?;
        }
        self.profiles.retain(|id, _| node.member(*id).is_some());
        if self.told.len() + 1 != rows.len() {
            return Err((Checker::Untold, format!("{} rows, and {} were told", rows.len() - 1, self.told.len())));
        }
        let live = rows.iter().filter(|row| row.status.is_live()).count();
        if live != node.live_count() {
            return Err((Checker::Bounds, format!("{live} live rows, and it counts {}", node.live_count())));
        }
        self.rows = rows;
        Ok(())
    }

    fn check_me(&self, rows: &[Seen], node: &Node) -> Checked {
        let (now, before) = (&rows[0], &self.rows[0]);
        let left = now.status.state() == State::Left && node.has_left();
        let fits = now.id == before.id && now.addr == before.addr && now.status >= before.status;
        if !fits || !(left || now.status.state() == State::Alive) {
            return Err((Checker::Oneself, format!("it was {before:?}, and is {now:?}")));
        }
        Ok(())
    }

    /// Whether the row may have been dropped in a turn of which events were lost: that of a tombstone whose time is over, or
    /// of which nobody knows how old it is.
    fn may_be_forgotten(&self, row: &Seen, ttl: Duration) -> bool {
        let old = |told: &Told| told.since == Instant::ORIGIN || self.clock.since(told.since) >= ttl;
        !row.status.is_live() && self.told.get(&row.id).is_none_or(old)
    }

    /// `anew`: the row before may have been forgotten in this turn, and this one says nothing of it.
    fn check_row(&self, row: &Seen, taken: &BTreeMap<NodeId, Incarnation>, moved: bool, anew: bool) -> Checked {
        let ever = taken.get(&row.id).copied();
        if ever.is_none_or(|ever| row.status.incarnation() > ever || row.detail_at > ever) {
            return Err((Checker::NotItsOwn, format!("{row:?}, and it has never been beyond {ever:?}")));
        }
        if self.told.get(&row.id).map(|told| told.status) != Some(row.status) {
            let told = self.told.get(&row.id);
            return Err((Checker::Untold, format!("{row:?}, and what was told is {told:?}")));
        }
        let before = self.rows[1..].iter().find(|before| before.id == row.id);
        let Some(before) = before.filter(|_| !anew) else { return Ok(()) };
        if row.status < before.status {
            return Err((Checker::StatusFell, format!("{before:?} became {row:?}")));
        }
        if row.detail_at < before.detail_at {
            return Err((Checker::StatusFell, format!("the detail of {before:?} became that of {row:?}")));
        }
        if row.addr != before.addr && !moved {
            return Err((Checker::Untold, format!("it was at {}, and is {row:?}", before.addr)));
        }
        Ok(())
    }

    /// That it says something else of itself is told, and nothing else is. `unclear`: the row is another one, or events are
    /// missing.
    fn check_profile(&mut self, row: &Seen, node: &Node, unclear: bool, told: bool) -> Checked {
        let before = self.rows[1..].iter().find(|before| before.id == row.id);
        let wrote = before.is_none_or(|before| before.detail_at < row.detail_at);
        if !wrote && !unclear {
            return if told {
                Err((Checker::Untold, format!("{row:?} has said nothing new, and it was told")))
            } else {
                Ok(())
            };
        }
        let Some(profile) = node.member(row.id).map(|member| member.profile()) else { return Ok(()) };
        if self.profiles.get(&row.id) == Some(profile) {
            return Ok(());
        }
        let former = self.profiles.insert(row.id, profile.clone());
        if let Some(former) = former.filter(|_| !told && !unclear) {
            return Err((Checker::Untold, format!("{former:?} is {profile:?}, and nobody was told: {row:?}")));
        }
        Ok(())
    }

    /// One event more: may it follow, and what is the state after it?
    fn fold(&mut self, event: &Event, turn: &Turn, node: &Node, coverage: &mut Coverage) -> Checked {
        let (id, status) = match *event {
            Event::MemberUp { id, incarnation }
            | Event::MemberRefuted { id, incarnation }
            | Event::MemberRestarted { id, incarnation } => (id, Status::alive(incarnation)),
            Event::MemberSuspect { id, incarnation, .. } => (id, Status::new(incarnation, State::Suspect)),
            Event::MemberDown { id, incarnation, left } => {
                (id, Status::new(incarnation, if left { State::Left } else { State::Dead }))
            }
            Event::MemberForgotten { id } => return self.forget(id, node),
            _ => return Ok(()),
        };
        let before = self.told.get(&id).copied();
        if let Some(before) = before {
            if status <= before.status {
                return Err((Checker::StatusFell, format!("{id}: {:?} became {status:?}", before.status)));
            }
            let same_life = before.status.incarnation().epoch() == status.incarnation().epoch();
            if before.status.state() == State::Dead && status.is_live() && same_life {
                coverage.count("deaths refuted", 1);
            }
        }
        let was_live = before.is_some_and(|before| before.status.is_live());
        let fits = match event {
            Event::MemberUp { .. } => !was_live,
            Event::MemberDown { .. } => before.is_some(),
            _ => was_live,
        };
        if !fits {
            return Err((Checker::Untold, format!("{event:?}, of whom was told {before:?}")));
        }
        if status.state() == State::Suspect {
            self.check_suspicion(id, status.incarnation(), node)?;
        }
        // What a time-out makes dead is this node's own verdict.
        if status.state() == State::Dead && turn.kind == Kind::Timeout {
            self.check_verdict(id, status, before, node)?;
        }
        self.told.insert(id, Told { status, since: self.clock });
        Ok(())
    }

    fn forget(&mut self, id: NodeId, node: &Node) -> Checked {
        let Some(told) = self.told.remove(&id).filter(|told| !told.status.is_live()) else {
            return Err((Checker::Untold, format!("{id} is forgotten, who was not told to be gone")));
        };
        let (kept, ttl) = (self.clock.since(told.since), node.config().tombstone_ttl);
        if told.since != Instant::ORIGIN && kept < ttl {
            return Err((Checker::Tombstone, format!("{id} is forgotten after {kept:?} of {ttl:?}")));
        }
        Ok(())
    }
}

fn seen(member: &swim_core::Member<'_>) -> Seen {
    Seen { id: member.id(), status: member.status(), detail_at: member.detail_at(), addr: member.addr() }
}
