//! One operation of one core among so many members: what is prepared, what is measured, and what is cleared away.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::alloc::heap;
use crate::core::{Core, Member, Said, Update};
use crate::draw::Draw;
use crate::foca_core::FocaCore;
use crate::swim::Swim;

/// So many members at least, so that one can tell of another, and at most: what both cores take.
pub(crate) const MEMBERS: RangeInclusive<i64> = 3..=1_000_000;

/// What is measured. Senders and subjects are drawn over all members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// A ping with so many updates, known or fresh ones, is answered.
    Ping { updates: usize, fresh: bool },
    /// The ack of a probe.
    Ack,
    /// A whole period: the ping goes out, the ack comes, and all that is due until the next ping.
    Round,
    /// News goes to three members; so many members are news, or nearly all: nineteen in twenty at least, since the last ones would have
    /// to be looked for.
    Gossip(Option<usize>),
    /// The table is learned, each datagram as full as it can be.
    Ingest,
    /// All members are gone through.
    Visit,
    /// A rumor of 100 bytes that was not heard before.
    Rumor,
    /// A comparison of tables is answered.
    Compare,
    /// A page of the table is sent to one who knows nobody.
    Page,
    /// A member's one key has another value of 100 bytes.
    Delta,
}

impl Op {
    pub(crate) const ALL: [Self; 17] = [
        Self::Ping { updates: 0, fresh: false },
        Self::Ping { updates: 1, fresh: false },
        Self::Ping { updates: 5, fresh: false },
        Self::Ping { updates: 20, fresh: false },
        Self::Ping { updates: 1, fresh: true },
        Self::Ping { updates: 5, fresh: true },
        Self::Ping { updates: 20, fresh: true },
        Self::Ack,
        Self::Round,
        Self::Gossip(Some(20)),
        Self::Gossip(None),
        Self::Ingest,
        Self::Visit,
        Self::Rumor,
        Self::Compare,
        Self::Page,
        Self::Delta,
    ];

    /// Of a core that may have no syncs.
    pub(crate) fn is_of<C: Core>(self) -> bool {
        C::SYNCS || !matches!(self, Self::Compare | Self::Page | Self::Delta)
    }

    /// Batches until what it finds is a steady state: rumors that come are kept for a minute and more.
    pub(crate) fn warm_up(self) -> usize {
        match self {
            Self::Rumor => 300,
            // It begins anew each time.
            Self::Ingest => 0,
            _ => 1,
        }
    }

    /// Calls that are measured together: those after which nothing has to be cleared away.
    fn batch(self) -> usize {
        match self {
            Self::Ping { fresh: false, .. } => 64,
            Self::Visit => 16,
            _ => 1,
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping { updates: 0, .. } => f.write_str("ping"),
            Self::Ping { updates, fresh: false } => write!(f, "ping-{updates}-known"),
            Self::Ping { updates, fresh: true } => write!(f, "ping-{updates}-fresh"),
            Self::Ack => f.write_str("ack"),
            Self::Round => f.write_str("probe-round"),
            Self::Gossip(Some(queued)) => write!(f, "gossip-{queued}-queued"),
            Self::Gossip(None) => f.write_str("gossip-all-queued"),
            Self::Ingest => f.write_str("ingest"),
            Self::Visit => f.write_str("visit"),
            Self::Rumor => f.write_str("rumor"),
            Self::Compare => f.write_str("sync-compare"),
            Self::Page => f.write_str("sync-page"),
            Self::Delta => f.write_str("state-delta"),
        }
    }
}

/// What one or more operations took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) ops: u64,
    pub(crate) time: Duration,
    pub(crate) allocations: u64,
    pub(crate) allocated: u64,
    /// Datagrams sent, and their bytes.
    pub(crate) datagrams: u64,
    pub(crate) bytes: u64,
}

/// The one place in which a core is measured: callgrind counts what is executed inside of it.
#[inline(never)]
pub(crate) fn measured<R>(call: impl FnOnce() -> R) -> R {
    call()
}

/// A core in a steady state, and what is done with it.
pub(crate) struct Case<C> {
    core: C,
    op: Op,
    members: Member,
    draw: Draw,
    /// Who is news next, where all are to be.
    next: Member,
    /// What it takes to look at the clock twice.
    clock: Duration,
}

/// A measured thing, whatever its core.
pub(crate) trait Measure {
    /// Measures some operations.
    fn batch(&mut self) -> Sample;
}

/// Members that have a state.
const OWNERS: Member = 10_000;

impl<C: Core> Case<C> {
    pub(crate) fn new(op: Op, members: Member) -> Self {
        let mut case = Self { core: C::alone(members), op, members, draw: Draw::new(7), next: 0, clock: clock() };
        if op != Op::Ingest {
            feed(members).iter().for_each(|some| case.core.know(some));
            case.settle();
            assert_eq!(case.core.members(), members as usize, "all are known");
        }
        if op == Op::Delta {
            for owner in 1..=members.min(OWNERS) {
                let datagram = case.core.write(owner, Said::Delta(&[0; 100]));
                case.core.receive(owner, &datagram);
                case.settle();
            }
        }
        case
    }

    fn any(&mut self) -> Member {
        1 + self.draw.below(u64::from(self.members)) as Member
    }

    fn updates(&mut self, count: usize, fresh: bool) -> Vec<Update> {
        (0..count).map(|_| Update { member: self.any(), fresh }).collect()
    }

    /// Members ping until nothing is news.
    fn settle(&mut self) {
        for _ in 0..1_000_000 {
            if self.core.queued() == 0 {
                return;
            }
            let from = self.any();
            let ping = self.core.write(from, Said::Ping(&[]));
            self.core.receive(from, &ping);
        }
        panic!("it has still {} to tell", self.core.queued());
    }

    /// So many members are news, or nearly all.
    fn queue(&mut self, queued: Option<usize>) {
        let members = self.members as usize;
        let enough = queued.map_or(members * 19 / 20, |queued| queued.min(members));
        while self.core.queued() < enough {
            let from = self.any();
            let missing = (members.min(queued.unwrap_or(members)) - self.core.queued()).min(50);
            // Drawn, the last ones of all would be drawn for long.
            let updates = if queued.is_some_and(|queued| queued < members) {
                self.updates(missing, true)
            } else {
                self.next = (self.next + missing as Member) % self.members;
                let member = |i: Member| 1 + (self.next + i) % self.members;
                (0..missing as Member).map(|i| Update { member: member(i), fresh: true }).collect()
            };
            let datagram = self.core.write(from, Said::Gossip(&updates));
            self.core.receive(from, &datagram);
        }
    }

    /// Measures this many operations of one call.
    fn time<R>(&mut self, sample: &mut Sample, call: impl FnOnce(&mut C) -> R) -> R {
        let (heap_before, sent) = (heap(), self.core.sent());
        let start = Instant::now();
        let result = measured(|| call(&mut self.core));
        sample.time += start.elapsed().saturating_sub(self.clock);
        let (heap_after, now_sent) = (heap(), self.core.sent());
        sample.allocations += heap_after.calls - heap_before.calls;
        sample.allocated += heap_after.bytes - heap_before.bytes;
        sample.datagrams += now_sent.datagrams - sent.datagrams;
        sample.bytes += now_sent.bytes - sent.bytes;
        result
    }

    /// One datagram is handled.
    fn hear(&mut self, sample: &mut Sample, from: Member, said: Said<'_>) {
        let datagram = self.core.write(from, said);
        self.time(sample, |core| core.receive(from, &datagram));
        sample.ops += 1;
    }

    fn pings(&mut self, sample: &mut Sample, updates: usize, fresh: bool) {
        let mut pings = Vec::new();
        for _ in 0..self.op.batch() {
            let (from, updates) = (self.any(), self.updates(updates, fresh));
            pings.push((from, self.core.write(from, Said::Ping(&updates))));
        }
        self.time(sample, |core| pings.iter().for_each(|(from, ping)| core.receive(*from, ping)));
        sample.ops += pings.len() as u64;
        assert!(sample.datagrams >= sample.ops, "each is answered");
        assert!(!fresh || self.core.queued() > 0, "what is fresh is told on");
    }

    fn emission(&mut self, sample: &mut Sample, queued: Option<usize>) {
        loop {
            self.queue(queued);
            let mut one = Sample::default();
            if self.time(&mut one, C::gossip) {
                *sample = Sample { ops: 1, ..one };
                return;
            }
            // A probe that was due is answered.
            let mut round = Sample::default();
            self.answer(&mut round);
        }
    }

    /// The one that was pinged answers. Tells whether somebody was.
    fn answer(&mut self, sample: &mut Sample) -> bool {
        let Some(pinged) = self.core.pinged() else { return false };
        let ack = self.core.write(pinged, Said::Ack);
        self.time(sample, |core| core.receive(pinged, &ack));
        true
    }

    fn ingest(&mut self, sample: &mut Sample) {
        self.core = C::alone(self.members);
        let datagrams: Vec<_> = feed(self.members).iter().map(|some| self.core.write(1, Said::Members(some))).collect();
        self.time(sample, |core| datagrams.iter().for_each(|datagram| core.receive(1, datagram)));
        assert_eq!(self.core.members(), self.members as usize, "all are known");
        sample.ops = 1;
    }
}

impl<C: Core> Measure for Case<C> {
    fn batch(&mut self) -> Sample {
        if self.core.is_spent() {
            *self = Self::new(self.op, self.members);
        }
        let mut sample = Sample::default();
        let from = self.any();
        match self.op {
            Op::Ping { updates, fresh } => self.pings(&mut sample, updates, fresh),
            Op::Ack => {
                self.core.probe();
                assert!(self.answer(&mut sample), "somebody is probed");
                sample.ops = 1;
            }
            Op::Round => {
                self.time(&mut sample, C::probe);
                assert!(self.answer(&mut sample), "somebody is probed");
                sample.ops = 1;
            }
            Op::Gossip(queued) => self.emission(&mut sample, queued),
            Op::Ingest => self.ingest(&mut sample),
            Op::Visit => {
                let times = self.op.batch() as u64;
                sample.ops = times;
                let ports: u64 = self.time(&mut sample, |core| (0..times).map(|_| core.visit()).sum());
                assert!(ports >= times * u64::from(self.members) * 7_946, "all were seen");
            }
            Op::Rumor => {
                let told = self.core.told();
                self.hear(&mut sample, from, Said::Rumor(100));
                assert_eq!(self.core.told() - told, 100, "the application is handed it");
            }
            Op::Compare | Op::Page => {
                let asked = if self.op == Op::Compare { Said::Compare } else { Said::Pull };
                self.hear(&mut sample, from, asked);
                assert!(sample.datagrams > 0, "it is answered");
            }
            Op::Delta => {
                let (owner, value) = (1 + from % self.members.min(OWNERS), [self.draw.below(255) as u8; 100]);
                self.hear(&mut sample, owner, Said::Delta(&value));
            }
        }
        if !matches!(self.op, Op::Gossip(_)) {
            self.settle();
        }
        sample
    }
}

/// Bytes of heap that each of so many members takes.
pub(crate) struct Heap {
    pub(crate) members: Member,
    /// When room for all was made at the start, and for none.
    pub(crate) ours: (f64, f64),
    /// The same of foca.
    pub(crate) peers: (f64, f64),
}

impl Heap {
    pub(crate) fn of(members: Member) -> Self {
        fn both<C: Core>(members: Member) -> (f64, f64) {
            (heap_per_member::<C>(members, true), heap_per_member::<C>(members, false))
        }
        Self { members, ours: both::<Swim>(members), peers: both::<FocaCore>(members) }
    }
}

fn heap_per_member<C: Core>(members: Member, reserved: bool) -> f64 {
    let mut core = C::alone(members);
    let datagrams: Vec<_> = feed(members).iter().map(|some| core.write(1, Said::Members(some))).collect();
    core.renew(1);
    let alone = heap().live;
    core.renew(if reserved { members } else { 1 });
    datagrams.iter().for_each(|datagram| core.receive(1, datagram));
    assert_eq!(core.members(), members as usize, "all are known");
    (heap().live - alone) as f64 / f64::from(members - 1)
}

/// All members but the first, by as many as fit into a datagram of either core.
pub(crate) fn feed(members: Member) -> Vec<Vec<Member>> {
    let all: Vec<Member> = (2..=members).collect();
    all.chunks(30).map(<[Member]>::to_vec).collect()
}

#[inline(never)]
fn nothing() {}

/// What it takes to look at the clock twice.
fn clock() -> Duration {
    let mut taken: Vec<Duration> = (0..1_001)
        .map(|_| {
            let start = Instant::now();
            nothing();
            start.elapsed()
        })
        .collect();
    taken.sort_unstable();
    taken[500]
}
