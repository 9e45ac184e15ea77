//! The node: one input in, one visible list of what follows.
//!
//! `Node` owns the components, hands each what it needs, and is the only one that changes membership: `apply` decides it,
//! and `change` does it. The components never see each other.

mod app;
mod app_ingress;
mod app_reads;
mod apply;
mod bounds;
mod change;
mod conflict;
mod doubt;
mod encode;
mod encode_app;
mod encode_sync;
mod ingress;
mod io;
mod leave;
mod opaque;
mod profile;
mod quiet;
mod snapshot;
mod sync;
mod timers;
mod updates;

use alloc::vec::Vec;
use core::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub use self::io::{Command, Entry, Input, Member, Members, Rumor, Transmit};
use self::leave::Leave;
use self::profile::Profiles;
pub use self::snapshot::RestoreError;
use crate::agreement::Agreement;
use crate::budget::Budget;
use crate::config::{Config, ConfigError};
use crate::conflicts::Conflicts;
use crate::cookies::Cookies;
use crate::cx::{Cx, Events, Pace};
use crate::detect::Detect;
use crate::doubts::Doubts;
use crate::echo::Echoes;
use crate::event::Event;
use crate::evidence::{Evidence, Fact, Log};
use crate::fetch::Fetch;
use crate::gossip::Gossip;
use crate::hash::TableKey;
use crate::heal::Heal;
use crate::health::Health;
use crate::identity::{Addr, Identity};
use crate::join::Join;
use crate::members::{ME, Members as Table, Row, ensure};
use crate::mutation::Mutation;
use crate::orphans::Orphans;
use crate::outbox::Outbox;
use crate::recent::Recent;
use crate::rivals::Rivals;
use crate::rng::Rng;
use crate::rumors::Rumors;
use crate::state::State;
use crate::stats::{Stats, count, count_all};
use crate::status::{Incarnation, NodeId, RumorId, Status};
use crate::storage::{Deadlines, NONE};
use crate::suspicion::Suspicions;
use crate::sync::Sync;
use crate::time::Instant;
use crate::verdicts::Verdicts;
use crate::views::{Of, Views};

/// One member of a cluster: a pure state machine.
///
/// Methods come in four kinds: [`Self::handle`] takes one input; `poll_*` hand out what follows from it, and must be
/// drained before the next input; the rest read.
///
/// ```
/// use swim_core::{Command, Config, Identity, Input, Instant, Node, NodeId, Profile};
///
/// let identity = |name: &str, port| Identity {
///     id: NodeId::from_name(name),
///     addr: ([127, 0, 0, 1], port).into(),
///     epoch: 1,
///     profile: Profile::new(name, b"").unwrap(),
/// };
/// let now = Instant::ORIGIN;
/// let mut a = Node::new(identity("a", 1), Config::local("c"), 1, now)?;
/// let mut b = Node::new(identity("b", 2), Config::local("c"), 2, now)?;
/// b.handle(now, Input::Command(Command::Join(&["127.0.0.1:1".parse().unwrap()])));
/// let mut buf = [0; 1400];
/// // The first does not know the other, so it asks for a proof that its answer arrives.
/// for _ in 0..2 {
///     let sent = b.poll_transmit(&mut buf).unwrap();
///     a.handle(now, Input::Datagram { from: "127.0.0.1:2".parse().unwrap(), bytes: &buf[..sent.len] });
///     let sent = a.poll_transmit(&mut buf).unwrap();
///     b.handle(now, Input::Datagram { from: "127.0.0.1:1".parse().unwrap(), bytes: &buf[..sent.len] });
/// }
/// assert_eq!(a.live_count(), 2);
/// # Ok::<(), swim_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Node {
    cx: Cx,
    table: Table,
    detect: Detect,
    /// Members of whose later life others speak, and that were asked.
    doubts: Doubts,
    suspicions: Suspicions,
    health: Health,
    gossip: Gossip,
    join: Join,
    sync: Sync,
    views: Views,
    /// Who has shown to have this node's view.
    same: Agreement,
    state: State,
    rumors: Rumors,
    fetch: Fetch,
    /// What reports say of states and rumors.
    app_views: Views,
    /// Who has shown to know all states and rumors that this node knows.
    app_same: Agreement,
    /// Somebody was held dead and is not, this node or another: what was said of the dead meanwhile went unheard.
    reunited: bool,
    /// Whose states and rumors have changed here of late.
    app_recent: Recent,
    /// Counts the datagrams that carry states and rumors: a follow-up repeats nothing of the one that it follows.
    round: u32,
    /// Slots of which somebody has shown to know less.
    to_tell: Vec<u32>,
    /// Rumors that have just come, and whether they were known.
    feedback: Vec<(RumorId, bool)>,
    budget: Budget,
    /// The question of another node that is being answered.
    asked: Vec<u8>,
    /// Slots whose rows the peer of the sync lacks, or holds in an older state.
    to_push: Vec<u32>,
    heal: Heal,
    leave: Leave,
    profiles: Profiles,
    echoes: Echoes,
    cookies: Cookies,
    rivals: Rivals,
    conflicts: Conflicts,
    evidence: Log,
    /// By slot: when a suspicion runs out, or a tombstone expires.
    deadlines: Deadlines,
    /// The earliest deadline of all, in awake time, as of the end of the last input.
    due: Instant,
    /// The last `now` that was handed in.
    last: Instant,
    /// Own pauses so far, in microseconds: the driver's time less this is awake time.
    slept: u64,
    verdicts: Verdicts,
    /// This node takes no other epoch before this, unless it asked.
    next_epoch_after: Instant,
    /// When this node asks for what the dead have said.
    orphans: Orphans,
}

impl Node {
    /// Places members and rumors in this node's tables by this key, 128 bits that nobody else knows. Whoever knew it could
    /// choose ids that all have one place, and finding one of them would take as long as going through all.
    ///
    /// A driver gives it from the operating system's entropy, and from nothing that is written down: neither snapshot nor
    /// trace has it, and no decision depends on it, so a copy with another key does the same, bit for bit. Without it, the key
    /// follows from `rng_seed`.
    pub fn place_by(&mut self, key: [u64; 2]) {
        let key = TableKey(key[0], key[1]);
        self.table.place_by(key);
        self.rumors.place_by(key);
    }

    /// A node of this identity. It is alone until it joins or is joined.
    ///
    /// # Errors
    /// [`ConfigError`] when the config or the identity's address cannot work.
    pub fn new(me: Identity, config: Config, rng_seed: u64, now: Instant) -> Result<Self, ConfigError> {
        config.validate()?;
        let my_addr = Addr::from(me.addr);
        if !my_addr.is_reachable() {
            return Err(ConfigError::new(
                "addr",
                "must be an address and a port that others can send to",
                "advertise the machine's own address, not the unspecified one or port 0",
            ));
        }
        let mut rng = Rng::new(rng_seed);
        let key = TableKey(rng.next_u64(), rng.next_u64());
        let incarnation = Incarnation::new(me.epoch, 0);
        let row = Row {
            id: me.id,
            status: Status::alive(incarnation),
            detail_at: incarnation,
            addr: my_addr,
            next: NONE,
            profile: me.profile,
        };
        let table = Table::new(row, config.members_max, config.members_reserved, key);
        let mut node = Self {
            table,
            detect: Detect::new(config.indirect_probes, config.relays_max),
            doubts: Doubts::default(),
            suspicions: Suspicions::new(config.suspicions_max),
            health: Health::default(),
            gossip: Gossip::new(),
            join: Join::new(config.seeds_max),
            sync: Sync::new(me.id, my_addr),
            views: Views::new(Of::Rows),
            same: Agreement::new(),
            state: State::new(),
            rumors: Rumors::new(key),
            fetch: Fetch::new(my_addr),
            orphans: Orphans::default(),
            app_views: Views::new(Of::App),
            app_same: Agreement::new(),
            reunited: false,
            app_recent: Recent::new(),
            round: 0,
            to_tell: Vec::new(),
            feedback: Vec::new(),
            budget: Budget::default(),
            asked: Vec::with_capacity(config.mtu),
            to_push: Vec::with_capacity(sync::PUSHES_MAX),
            heal: Heal::new(config.lost_max),
            leave: Leave::default(),
            profiles: Profiles::new(),
            echoes: Echoes::default(),
            cookies: Cookies::new(rng_seed),
            rivals: Rivals::default(),
            conflicts: Conflicts::new(),
            evidence: Log::new(config.evidence_max),
            deadlines: Deadlines::new(),
            due: Instant::NEVER,
            last: now,
            slept: 0,
            verdicts: Verdicts::default(),
            next_epoch_after: Instant::ORIGIN,
            cx: Cx {
                now,
                me: me.id,
                my_addr,
                rng,
                outbox: Outbox::new(Outbox::bound(&config)),
                events: Events::new(config.events_max),
                stats: Stats::default(),
                pace: Pace::new(&config),
                config,
            },
        };
        node.grow(node.cx.config.members_reserved.max(1));
        Ok(node)
    }

    /// Takes one input. Never fails and never panics on remote data: what cannot be used is counted in [`Self::stats`].
    ///
    /// `now` may stand still; when it goes back, the last one counts. Before the next call, [`Self::poll_transmit`] and
    /// [`Self::poll_event`] must have returned `None`.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        debug_assert!(
            self.cx.outbox.is_empty() && self.cx.events.is_empty(),
            "drain all outputs before the next input"
        );
        self.advance(now);
        self.rumors.begin_input();
        let due = self.take(input).unwrap_or_else(|| self.next_deadline());
        debug_assert_eq!(due.max(self.cx.now), self.next_deadline().max(self.cx.now), "what is known is right");
        // An input can set a deadline in the past, as a confirmation does that comes late. Nobody has slept through that.
        self.due = due.max(self.cx.now);
        #[cfg(debug_assertions)]
        self.check_now_and_then();
    }

    /// Returns the next deadline where it is known: most inputs are pings, which set none.
    fn take(&mut self, input: Input<'_>) -> Option<Instant> {
        match input {
            Input::Datagram { from, bytes } => return self.on_datagram(from.into(), bytes).then_some(self.due),
            Input::Timeout => return self.on_timeout(),
            Input::Command(command) => self.on_command(command),
            Input::SendFailed { to } => self.on_send_failed(to.into()),
            Input::SendBlocked => self.verdicts.block(&self.cx),
            Input::SendResumed => self.on_send_resumed(),
        }
        None
    }

    /// After every input of a small cluster; in larger ones, where it would take most of the time, what has gone wrong is
    /// still wrong a few inputs later.
    #[cfg(debug_assertions)]
    fn check_now_and_then(&self) {
        let every = match self.table.len() {
            // Interpreted, a check takes as long as many inputs.
            0..6 if cfg!(miri) => 16,
            0..6 => 1,
            6..40 => 4,
            _ => 64,
        };
        // A counter that a snapshot has at its end stays there.
        if self.cx.stats.timeouts.wrapping_add(self.cx.stats.datagrams_received) % every == 0 {
            self.check().expect("every index agrees with what it stands for");
        }
    }

    /// Encodes the next datagram at the start of `buf` and tells where it goes; `None` when there is nothing more to
    /// send. A frame has at most `buf.len()` bytes, and at most the config's `mtu`.
    #[inline]
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Option<Transmit> {
        if self.cx.outbox.is_empty() { None } else { self.transmit(buf) }
    }

    fn transmit(&mut self, buf: &mut [u8]) -> Option<Transmit> {
        loop {
            let mut intent = self.cx.outbox.pop()?;
            // Its row may have been forgotten in the same call that made the intent.
            if self.table.get(intent.peer).is_none() {
                intent.peer = NONE;
            }
            let len = self.encode(&intent, buf);
            self.on_handed_out(&intent);
            if let Some(len) = len {
                count(&mut self.cx.stats.datagrams_sent);
                count_all(&mut self.cx.stats.bytes_sent, len as u64);
                return Some(Transmit { to: intent.to.into(), len });
            }
        }
    }

    /// The next thing that has happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        let untold = self.cx.mutant(Mutation::MissedUntold);
        self.cx.events.pop().filter(|event| !(untold && matches!(event, Event::Lagged { .. })))
    }

    /// When [`Input::Timeout`] is due: later than the last `now`, or `None` when nothing is.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.due {
            Instant::NEVER => None,
            _ if self.has_left() => None,
            due => Some(due.plus_micros(self.slept).max(self.last.plus_micros(1))),
        }
    }

    fn on_command(&mut self, command: Command<'_>) {
        match command {
            Command::Join(seeds) => self.on_join(seeds),
            Command::Seeds(seeds) if !self.leave.has_begun() => {
                self.join.replace_seeds(seeds.iter().map(|&a| a.into()), &mut self.cx);
                self.heal.arm(self.table.live(), &mut self.cx);
            }
            Command::Seeds(_) => {}
            Command::Leave => self.on_leave(),
            Command::SetProfile(profile) if !self.has_left() => self.set_profile(profile.clone()),
            Command::SetProfile(_) => {}
            Command::Broadcast { topic, payload } => self.on_broadcast(topic, payload),
            Command::Put { key, value, ttl } => self.on_put(key, value, ttl),
            Command::Delete { key } => self.on_delete(key),
        }
    }

    fn on_join(&mut self, seeds: &[SocketAddr]) {
        self.return_from_leave();
        self.join.on_command(seeds.iter().map(|&a| a.into()), self.table.peers(), &mut self.cx);
    }

    fn on_send_failed(&mut self, to: Addr) {
        count(&mut self.cx.stats.sends_failed);
        self.detect.on_send_failed(to, &self.cx);
    }

    /// Makes room for slots below `slots` in everything that is indexed by slot.
    fn grow(&mut self, slots: usize) {
        self.gossip.grow(slots);
        self.suspicions.grow(slots);
        self.deadlines.grow(slots);
    }

    /// Notes a fact for [`Self::why`].
    fn note(&mut self, about: NodeId, fact: Fact) {
        self.evidence.note(about, Evidence { at: self.last, health: self.health.score(), fact });
    }

    /// A point in awake time as the driver counts it.
    fn to_driver(&self, awake: Instant) -> Instant {
        awake.plus_micros(self.slept)
    }

    // --- reading

    /// Every row: live members, this node included, and the tombstones of dead and left ones.
    pub fn members(&self) -> Members<'_> {
        Members::of(&self.table)
    }

    /// The row of this member.
    pub fn member(&self, id: NodeId) -> Option<Member<'_>> {
        self.table.find(id).map(|slot| Member { row: &self.table[slot] })
    }

    /// What led to the present status of this member, oldest first: bounded, so it may begin in the middle.
    pub fn why(&self, id: NodeId) -> impl Iterator<Item = &Evidence> {
        self.evidence.about(id)
    }

    /// This node's own row.
    pub fn me(&self) -> Member<'_> {
        Member { row: &self.table[ME] }
    }

    /// Alive and suspect members, this node included.
    pub fn live_count(&self) -> usize {
        self.table.live()
    }

    /// The sum of the live rows' hashes: two nodes whose view hashes agree have nothing to tell each other.
    pub fn view_hash(&self) -> u64 {
        self.table.view_hash()
    }

    /// Local health: 0 is healthy (Lifeguard's LHM score).
    pub fn health(&self) -> u32 {
        self.health.score()
    }

    /// Is this an address of this node's own? The one that it tells the others is, and those seeds at which it has met
    /// itself.
    pub fn is_own_addr(&self, addr: SocketAddr) -> bool {
        let addr = Addr::from(addr);
        addr == self.cx.my_addr || self.join.is_own(addr)
    }

    /// Pieces of news that are still being told: a status, or an address and profile.
    pub fn gossip_queued(&self) -> usize {
        self.gossip.len()
    }

    /// Has the leave been handed out? Then nothing is answered, and nothing is due.
    pub fn has_left(&self) -> bool {
        self.leave.is_complete()
    }

    /// The counters.
    pub fn stats(&self) -> &Stats {
        &self.cx.stats
    }

    /// The config.
    pub fn config(&self) -> &Config {
        &self.cx.config
    }

    /// Every index of every component against its plain meaning; for tests, fuzzing and restored snapshots.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(&self) -> Result<(), &'static str> {
        self.cx.outbox.check(&self.cx.config)?;
        self.cx.events.check(&self.cx.config)?;
        self.cx.stats.check()?;
        self.table.check()?;
        ensure(self.table.rows_max() == self.cx.config.members_max, "the table takes as many rows as the config says")?;
        let mine = |row: &Row| (row.id, row.addr) == (self.cx.me, self.cx.my_addr);
        ensure(self.table.get(ME).is_some_and(mine), "this node's own row is its own")?;
        ensure(self.leave.fits(self.table.me().state()), "this node's own state is that of its leave")?;
        self.detect.check(&self.cx.config)?;
        self.doubts.check()?;
        self.suspicions.check(&self.cx.config)?;
        self.gossip.check(|s| self.table.get(s).is_some())?;
        self.deadlines.check()?;
        self.sync.check()?;
        self.check_app()?;
        self.heal.check(&self.cx.config)?;
        self.conflicts.check()?;
        self.evidence.check(&self.cx.config)?;
        self.profiles.check(|s| self.table.get(s).is_some())?;
        ensure(self.due == self.next_deadline().max(self.cx.now), "the next deadline is known")?;
        self.check_bounds()?;
        self.check_slots()
    }
}
