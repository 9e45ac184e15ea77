//! Open, node, publish, seal: what is between a socket and a node, whatever the runtime.
//!
//! It decides the order of things. Invariants: one input at a time, and the next only when everything that follows from
//! the last is handed out; the view is published before the events that explain it; both before the binding waits again.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used))]

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc as StdArc;
use std::time::SystemTime;

use swim_core::{Event, Incarnation, Input, Instant, Node, Status, Transmit};

use crate::advertise;
use crate::alerts::{Alarm, AlertRing};
use crate::cell::ViewCell;
use crate::events::EventRing;
use crate::mailbox::{Answer, Mailbox, Order};
use crate::own_state::OwnState;
use crate::recorder::Tap;
use crate::resolver::{Query, Resolver};
use crate::rumors::{Heard, RumorRing};
use crate::seal::{Envelope, Opened, Refused};
use crate::seeds::Seeds;
use crate::socket::Speaks;
use crate::stats::{Counters, DriverStats};
use crate::sync::{Arc, Mutex, lock};
use crate::view::View;
use crate::waiters::Woken;

/// A node with its envelope and its handles, without socket and clock. What a binding does with it:
///
/// 1. [`Self::poll_transmit`] until `None`, sending each datagram; a send that fails at once is told by
///    [`Self::send_failed`];
/// 2. when it is [`Self::finished`], end;
/// 3. wait for a datagram, at most until [`Self::poll_timeout`], and only when [`Self::mailbox`] is empty;
/// 4. hand in exactly one input with [`Self::datagram`], [`Self::command`] or [`Self::timeout`], and before it the date, when
///    [`Self::wants_date`], with [`Self::tell_date`]: the pump reads no clock; then 1 again;
/// 5. before a wait, [`Self::publish_counters`].
///
/// Where a datagram can be read and the deadline has passed, the datagram comes first: a late process would suspect peers
/// whose acks wait in its own socket.
pub struct Pump {
    node: Node,
    seal: Envelope,
    seeds: Seeds,
    resolver: Resolver,
    mailbox: Arc<Mailbox>,
    view: Arc<ViewCell<View>>,
    events: Arc<EventRing>,
    rumors: Arc<RumorRing>,
    alarm: Alarm,
    /// How much room handles think that the node's own state has.
    own: Arc<OwnState>,
    /// Orders of it that the node was given.
    given: u64,
    /// What the node had counted as refused when `own` was last made anew.
    refused: u64,
    /// What the socket can send to.
    speaks: Speaks,
    /// The time of the last input.
    now: Instant,
    /// What the published view shows of this node itself.
    me: (Status, Incarnation, SocketAddr),
    /// The events of one drain.
    batch: Vec<Event>,
    /// How many events were told.
    events_told: u64,
    /// Addresses to which sending has failed, not yet told to the node. At most [`FAILURES_MAX`].
    failed: Vec<SocketAddr>,
    /// Failures told to the node since the last input. At most [`FAILURES_MAX`], or two that cause each other would
    /// never let the drain end.
    told: usize,
    /// The binding holds something that it was handed.
    holds: bool,
    finished: bool,
    stats: DriverStats,
    /// Something was counted that handles cannot see yet.
    counted: bool,
    /// Where handles find what was counted.
    counters: Arc<Mutex<Counters>>,
    /// Where everything that the node is given, and all that comes out, passes a recorder.
    tap: Option<Box<Tap>>,
}

/// What a pump shares with its handles.
#[derive(Clone)]
pub(crate) struct Ends {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) view: Arc<ViewCell<View>>,
    pub(crate) events: Arc<EventRing>,
    pub(crate) rumors: Arc<RumorRing>,
    pub(crate) alerts: Arc<AlertRing>,
    pub(crate) own: Arc<OwnState>,
    pub(crate) counters: Arc<Mutex<Counters>>,
}

impl Pump {
    pub(crate) fn new(
        node: Node,
        seal: Envelope,
        resolver: Resolver,
        speaks: Speaks,
        now: Instant,
        Ends { mailbox, view, events, rumors, alerts, own, counters }: Ends,
        tap: Option<Tap>,
    ) -> Self {
        let (me, seeds) = (own_row(&node), Seeds::new(&node));
        Self {
            node,
            seal,
            seeds,
            resolver,
            mailbox,
            view,
            events,
            rumors,
            alarm: Alarm::new(alerts),
            own,
            given: 0,
            refused: 0,
            speaks,
            now,
            me,
            batch: Vec::new(),
            events_told: 0,
            failed: Vec::new(),
            told: 0,
            holds: false,
            finished: false,
            stats: DriverStats::default(),
            counted: true,
            counters,
            tap: tap.map(Box::new),
        }
    }

    /// Whether [`Self::tell_date`] is to come before the next input. Cheap; once a millisecond at most, and for nodes that seal.
    pub fn wants_date(&self, now: Instant) -> bool {
        self.seal.wants_date(now)
    }

    /// At this time this is the date. When the two clocks part, the process was perhaps copied, and it seals under a new session
    /// from now on; and a date ends what is heard plain ([`crate::Setup::migrate_until`]). No input: nothing follows from it.
    pub fn tell_date(&mut self, now: Instant, date: SystemTime) {
        self.counted = true;
        self.seal.on_date(now, date);
    }

    /// A datagram came from the socket. It is opened in place; what cannot be opened is counted and forgotten.
    ///
    /// The buffer it was received into should have 65 535 bytes, or a datagram that is cut off passes for a damaged one.
    pub fn datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) {
        self.begin(now);
        bump(&mut self.stats.datagrams_received);
        let opened = self.seal.open(from, datagram);
        // A planted bug, in builds that have them.
        #[cfg(swim_mutations)]
        let opened = opened.or_else(|reason| {
            let unread = self.node.config().mutation == Some(swim_core::Mutation::ChecksumUnread);
            let taken = unread && reason == Refused::Checksum;
            taken.then(|| Opened::Frame(self.seal.header_len()..datagram.len())).ok_or(reason)
        });
        match opened {
            Ok(Opened::Frame(at)) => {
                // It is always there; a frame of no bytes would be counted by the node.
                let bytes = datagram.get(at).unwrap_or_default();
                self.give(Input::Datagram { from, bytes });
            }
            Ok(Opened::Kept) => {}
            Err(reason) => self.refuse(from, reason, datagram),
        }
    }

    /// Gives the node one command out of the mailbox, if there is one, or notes what the resolver has found for one name.
    pub fn command(&mut self, now: Instant) {
        if self.take_keyring(now) {
            bump(&mut self.stats.commands);
        } else if let Some(Answer { at, addrs }) = self.mailbox.take_answer() {
            self.begin(now);
            let usable = self.usable(addrs);
            self.stats.resolve_failures = self.stats.resolve_failures.saturating_add(usable.is_empty().into());
            self.seeds.on_answer(now, at, usable);
        } else if let Some(order) = self.mailbox.take() {
            bump(&mut self.stats.commands);
            if let Order::Join { addrs, names } = &order {
                let refused = self.seeds.on_join(now, addrs, names);
                self.stats.names_refused = self.stats.names_refused.saturating_add(refused);
            }
            self.given = self.given.saturating_add(order.is_of_state().into());
            self.input(now, Input::Command(order.as_command()));
        }
        self.resolve();
    }

    /// The time of [`Self::poll_timeout`] has come. Harmless when it has not.
    pub fn timeout(&mut self, now: Instant) {
        self.input(now, Input::Timeout);
        self.seeds.on_timeout(now, &self.node);
        self.resolve();
    }

    /// Sending to this address failed at once. Remembered, and told to the node at the end of the drain.
    pub fn send_failed(&mut self, to: SocketAddr) {
        bump(&mut self.stats.send_failures);
        if self.failed.contains(&to) {
            return;
        }
        if self.told.saturating_add(self.failed.len()) < FAILURES_MAX {
            self.failed.push(to);
        } else {
            bump(&mut self.stats.send_failures_untold);
        }
    }

    /// The socket takes nothing, and the binding holds what it is handed, until [`Self::send_resumed`]. An input: drain
    /// afterwards, as after every other.
    pub fn send_blocked(&mut self, now: Instant) {
        self.input(now, Input::SendBlocked);
    }

    /// All that was held has left, and the socket is read. An input: drain afterwards, as after every other.
    pub fn send_resumed(&mut self, now: Instant) {
        self.input(now, Input::SendResumed);
    }

    /// Whether the binding holds something that it was handed. A node that has left is not finished before it has left, too.
    pub fn set_holding(&mut self, holds: bool) {
        self.holds = holds;
    }

    /// The socket returned an error instead of a datagram.
    pub fn receive_failed(&mut self) {
        self.counted = true;
        bump(&mut self.stats.receive_failures);
    }

    /// The next datagram to send: the first `len` bytes of `out`. At `None` everything that follows from the last input
    /// is handed out: the view is published, then the events, and those who wait for either are woken.
    ///
    /// # Panics
    /// When `out` is shorter than [`Self::datagram_max`].
    #[allow(
        clippy::indexing_slicing,
        reason = "`out` has the length that is asserted, and a frame is as long as its room"
    )]
    pub fn poll_transmit(&mut self, out: &mut [u8]) -> Option<Transmit> {
        let max = self.datagram_max();
        assert!(out.len() >= max, "a datagram may have {max} bytes, and the buffer for it has {}", out.len());
        let frame = self.seal.header_len()..max.saturating_sub(self.seal.trailer_len());
        loop {
            if let Some(Transmit { to, len }) = self.seal.poll_control(out) {
                bump(&mut self.stats.datagrams_sent);
                return Some(Transmit { to: self.reached_at(to), len });
            }
            if let Some(Transmit { to, len }) = self.node.poll_transmit(&mut out[frame.clone()]) {
                if let Some(tap) = &mut self.tap {
                    tap.sent(to, &out[frame.start..][..len]);
                }
                let Some(len) = self.seal.seal(to, out, len) else { continue };
                bump(&mut self.stats.datagrams_sent);
                return Some(Transmit { to: self.reached_at(to), len });
            }
            self.publish();
            // These follow from an input of the binding, and are inputs themselves, so they come when that is handed out.
            if let Some((from, frame)) = self.seal.release() {
                self.give(Input::Datagram { from, bytes: &frame });
            } else if let Some(order) = self.seeds.give() {
                self.give(Input::Command(order.as_command()));
            } else if let Some(to) = self.failed.pop() {
                self.told = self.told.saturating_add(1);
                self.give(Input::SendFailed { to });
            } else {
                break;
            }
        }
        // A command that was accepted meanwhile is delivered first; it may be one to join again.
        // And a goodbye that is held has to leave before it counts as said.
        if self.node.has_left() && !self.holds && !self.finished && self.mailbox.close_if_delivered() {
            self.finish();
        }
        None
    }

    /// The point at which [`Self::timeout`] is due, if nothing comes before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let seeds = Some(self.seeds.next_deadline()).filter(|&at| at != Instant::NEVER);
        self.node.poll_timeout().into_iter().chain(seeds).min()
    }

    /// How many events were told so far, whether anybody subscribes or not. Who drives the pump and reads its events need not look for one while this
    /// stays the same.
    pub fn events_told(&self) -> u64 {
        self.events_told
    }

    /// The node has left, every accepted command was delivered, and everything is handed out: the driver ends.
    pub fn finished(&self) -> bool {
        self.finished
    }

    /// Where commands wait.
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// The view that handles show, for a binding whose embedder has dropped the last of them.
    pub fn view(&self) -> StdArc<View> {
        self.view.get()
    }

    /// The node.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// What was counted so far.
    pub fn stats(&self) -> DriverStats {
        let mut stats = self.stats;
        (stats.events_missed, stats.rumors_missed) = (self.events.missed(), self.rumors.missed());
        stats.alerts_missed = self.alarm.missed();
        self.seal.count(&mut stats);
        stats
    }

    /// The largest datagram that is ever sent, envelope included.
    pub fn datagram_max(&self) -> usize {
        self.node.config().mtu
    }

    fn input(&mut self, now: Instant, input: Input<'_>) {
        self.begin(now);
        self.give(input);
    }

    /// The one place where the node is given anything.
    fn give(&mut self, input: Input<'_>) {
        if let Some(tap) = &mut self.tap {
            tap.input(&self.node, self.now, &input);
        }
        self.node.handle(self.now, input);
    }

    fn begin(&mut self, now: Instant) {
        self.counted = true;
        self.now = now;
        self.told = 0;
        self.seal.on_input(now);
    }

    /// Whether there was a keyring to seal with from now on.
    #[cfg(feature = "aead")]
    fn take_keyring(&mut self, now: Instant) -> bool {
        let Some(ring) = self.mailbox.take_keyring() else { return false };
        self.begin(now);
        self.seal.set_keyring(ring);
        true
    }

    #[cfg(not(feature = "aead"))]
    fn take_keyring(&mut self, _now: Instant) -> bool {
        false
    }

    /// Asks for the name whose turn it is, if one is to be resolved.
    fn resolve(&mut self) {
        if let Some(name) = self.seeds.ask() {
            bump(&mut self.stats.resolutions);
            self.resolver.ask(Query::new(name, self.speaks, Arc::clone(&self.mailbox)));
        }
    }

    /// Those of a seed's addresses that are where this node's own has a meaning.
    fn usable(&self, addrs: Box<[SocketAddr]>) -> Box<[SocketAddr]> {
        let Err(e) = advertise::check(self.node.me().addr(), &addrs) else { return addrs };
        tracing::warn!("a name is of no use as a seed: {e}");
        addrs.into_iter().filter(|&addr| advertise::check(self.node.me().addr(), &[addr]).is_ok()).collect()
    }

    /// Counts a datagram that is not heard, and lets handles know where it was meant ill.
    fn refuse(&mut self, from: SocketAddr, reason: Refused, datagram: &[u8]) {
        self.stats.refuse(reason);
        self.alarm.raise(self.now, from, reason, datagram);
    }

    /// Brings view and events to where the node is. The view first: whoever is given an event finds its effect there.
    fn publish(&mut self) {
        while let Some(event) = self.node.poll_event() {
            self.batch.push(event);
        }
        if let Some(tap) = &mut self.tap {
            self.batch.iter().for_each(|event| tap.event(event));
            tap.drained();
        }
        self.follow_own_state();
        let me = own_row(&self.node);
        if self.batch.is_empty() && self.me == me {
            return;
        }
        self.me = me;
        self.seeds.on_events(self.now, &self.batch, &self.node);
        self.view.publish(|view| View::follow(view, &self.node, &self.batch));
        if self.batch.iter().any(Heard::is_told_by) && self.rumors.is_heard() {
            Heard::in_events(&self.batch, &self.node, |heard| self.rumors.push(heard));
        }
        self.events.push(&self.batch);
        self.events_told = self.events_told.saturating_add(self.batch.len() as u64);
        self.batch.clear();
    }

    /// Lets handles know what has become of this node's state that no order of theirs says.
    fn follow_own_state(&mut self) {
        let Self { node, own, .. } = self;
        let me = node.me().id();
        let is_own = |event: &Event| matches!(*event, Event::StateChanged { id } if id == me);
        if self.batch.iter().any(|event| is_own(event) || matches!(event, Event::Lagged { .. })) {
            own.vanished(self.given, |key| node.get(me, key).is_some());
        }
        let refused = node.stats().commands_refused;
        if self.refused != refused && own.anew(self.given, node.state(me).map(|e| (e.key, e.value.len()))) {
            self.refused = refused;
        }
    }

    /// The address to hand to the socket for this peer.
    fn reached_at(&self, to: SocketAddr) -> SocketAddr {
        match to.ip() {
            IpAddr::V4(ip) if self.speaks == Speaks::Both => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
            _ => to,
        }
    }

    /// Lets handles see what was counted. Once per turn of a binding, so that inputs are not burdened with it.
    pub fn publish_counters(&mut self) {
        if std::mem::take(&mut self.counted) {
            *lock(&self.counters) = Counters {
                node: *self.node.stats(),
                driver: self.stats(),
                #[cfg(feature = "aead")]
                keys: self.seal.keys_heard(),
            };
        }
    }

    fn finish(&mut self) {
        self.finished = true;
        self.counted = true;
        // Dropped when it has been told that this was all.
        if let Some(mut tap) = self.tap.take() {
            tap.finish(&self.node);
        }
        self.publish_counters();
        self.mailbox.close();
        // All is closed before any task is woken: a waker is foreign code, and may panic.
        let waiting = [self.events.close(), self.rumors.close(), self.alarm.close(), self.view.close()];
        waiting.into_iter().for_each(Woken::wake);
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.finish();
    }
}

impl fmt::Debug for Pump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pump").field("me", &self.node.me()).field("stats", &self.stats).finish_non_exhaustive()
    }
}

fn bump(count: &mut u64) {
    *count = count.saturating_add(1);
}

/// What a view shows of the node itself; the profile is as old as the incarnation that wrote it.
fn own_row(node: &Node) -> (Status, Incarnation, SocketAddr) {
    let me = node.me();
    (me.status(), me.detail_at(), me.addr())
}

/// More failures than any one input makes a node send (relays and gossip fan-out have their own bounds).
const FAILURES_MAX: usize = 64;

#[cfg(all(test, not(loom)))]
mod tests;
