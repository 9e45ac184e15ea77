//! What can be done to machines and to the ways between them, beside [`crate::world`]'s cuts and kills.

use std::collections::VecDeque;
use std::time::Duration;

use swim_core::Instant;
use swim_driver::{Pump, Setup};

use crate::clog::Clog;
use crate::host::{Life, NodeIx};
use crate::latency::Latency;
use crate::link::Link;
use crate::network::Sent;
use crate::pace::{Pace, Reader};
use crate::rule::Verdict;
use crate::shared::Shared;
use crate::swarm::Given;
use crate::world::{SOCKET_BUFFER, World};

/// All at once.
impl World {
    /// Ends every fault: links are [`Link::default`]'s and nothing is cut, no zone, uplink, rule or link differs from another,
    /// sockets hold what they hold at first, paused processes are resumed, no machine is slow, and clocks go right.
    ///
    /// What has happened stays: ended processes do not run again, datagrams under way arrive when they were to, and a clock
    /// that was put forward or back is only no worse from now on. A process whose clock was put back stands still until it
    /// has caught up.
    pub fn calm(&mut self) {
        self.link = Link::default();
        self.socket_buffer = SOCKET_BUFFER;
        self.net.calm();
        for node in self.nodes() {
            self.drift(node, 0);
            self.set_slow(node, Duration::ZERO);
            self.set_slow_reader(node, Duration::ZERO);
            if self.host(node).life == Life::Paused {
                self.resume(node);
            }
            if self.is_blocked(node) {
                self.unblock(node);
            }
        }
    }
}

/// The network.
impl World {
    /// Puts a node into a zone: a rack, a site, a continent. All are in zone 0 at first.
    pub fn set_zone(&mut self, node: NodeIx, zone: u16) {
        self.host(node);
        self.net.fabric.set_zone(node, zone);
    }

    /// The zone of a node.
    pub fn zone(&self, node: NodeIx) -> u16 {
        self.host(node);
        self.net.fabric.zone(node)
    }

    /// Gives the direction from one zone to another, or within one, latencies of its own, or with `None` those of
    /// [`World::link`] again, from which everything else is taken. [`World::set_link`] goes before it.
    pub fn set_zone_latency(&mut self, from: u16, to: u16, latency: Option<Latency>) {
        self.net.fabric.set_zone_latency(from, to, latency);
    }

    /// Gives everything that a node sends, to whomever, one rate and one queue, or with `None` takes them away. What is
    /// queued already leaves as it was to. Where a link is clogged too, datagrams pass both.
    pub fn set_uplink(&mut self, node: NodeIx, clog: Option<Clog>) {
        self.host(node);
        self.net.set_uplink(node, clog);
    }

    /// Lets `rule` decide about datagrams from now on, behind the rules that there are: for each that is not cut off
    /// they are asked in their order, until one says something. Forged datagrams pass all of them.
    ///
    /// A rule that is to repeat with the world's seed decides by what it is shown, and by nothing from outside.
    pub fn add_rule(&mut self, rule: impl FnMut(&Sent<'_>) -> Verdict + 'static) {
        self.net.rules.push(Box::new(rule));
    }

    /// Gives the address of `owner` to another node, too: what is sent there from now on comes to `owner` for so long, then to
    /// `other` for so long, and so on from the world's origin, or datagram by datagram where `turn` is [`Duration::ZERO`];
    /// and what `other` sends says that it is from there. Cuts and links are those of whoever it comes to.
    ///
    /// For two machines that were given one address, spawn `other` with [`Setup::advertise`] at `owner`'s.
    pub fn share_address(&mut self, owner: NodeIx, other: NodeIx, turn: Duration) {
        self.host(owner);
        self.host(other);
        self.net.shared.push(Shared::new(owner, other, turn));
    }

    /// Takes all rules away again.
    pub fn clear_rules(&mut self) {
        self.net.rules.clear();
    }
}

/// Machines.
impl World {
    /// Makes a node's machine slow, or with [`Duration::ZERO`] quick again: its process takes so long for each input,
    /// and one at a time, be it a datagram, a command or a timer. What comes meanwhile waits, datagrams in the socket
    /// buffer ([`World::socket_buffer`]). What an input leads to is seen when its time has passed.
    pub fn set_slow(&mut self, node: NodeIx, per_input: Duration) {
        let host = self.host_mut(node);
        host.pace = Pace::of(per_input);
        if host.life == Life::Running {
            self.wake_up(node);
        }
    }

    /// Makes the reader of a node's process slow, or with [`Duration::ZERO`] quick again: it takes so long for each datagram,
    /// which waits in the socket meanwhile. Its timers are not held up, as in a program that reads in a thread of its own;
    /// [`World::set_slow`] is for one that does not, and goes before this.
    pub fn set_slow_reader(&mut self, node: NodeIx, per_datagram: Duration) {
        let host = self.host_mut(node);
        host.reader = Reader::of(per_datagram);
        if host.life == Life::Running {
            self.wake_up(node);
        }
    }

    /// Blocks the I/O of a node's process, as in the experiments of the Lifeguard paper: its timers fire, but what it sends
    /// waits, and what arrives waits in its socket. The process is told that its socket takes nothing. An end of the
    /// process, be it killed or restarted, ends this.
    ///
    /// # Panics
    /// When it does not run, or is blocked already.
    pub fn block(&mut self, node: NodeIx) {
        let host = self.host_mut(node);
        assert!(
            host.life == Life::Running && host.held.is_none(),
            "{node:?} cannot be blocked: it is not running freely"
        );
        host.held = Some(VecDeque::new());
        self.show(node, Given::SendBlocked);
        self.turn(node, Pump::send_blocked);
    }

    /// Ends that: what waits leaves in the order in which it was sent, then the process reads what its socket holds, is
    /// told that sending goes on, and then its timers fire.
    ///
    /// # Panics
    /// When it does not run, or is not blocked.
    pub fn unblock(&mut self, node: NodeIx) {
        let host = self.host(node);
        assert!(host.life == Life::Running && host.held.is_some(), "{node:?} cannot be unblocked: it is not blocked");
        self.release(node);
        self.wake_up(node);
        if self.host(node).life == Life::Running {
            self.show(node, Given::SendResumed);
            self.turn(node, Pump::send_resumed);
        }
    }

    /// Whether its process runs, and its I/O is blocked.
    pub(crate) fn is_blocked(&self, node: NodeIx) -> bool {
        let host = self.host(node);
        host.life == Life::Running && host.held.is_some()
    }

    /// Lets the clock of a node's machine go fast or slow from now on, by so many microseconds in a million: at 50 000
    /// it gains 3 s a minute, at 0 it goes right again, but does not show the right time. A quartz is off by 100 at
    /// most.
    ///
    /// # Panics
    /// At -1 000 000 and below: a clock goes forward.
    pub fn drift(&mut self, node: NodeIx, ppm: i32) {
        let now = self.now;
        self.host_mut(node).clock.drift(now, ppm);
        self.rearm(node);
    }

    /// Puts the clock of a node's machine forward. Its timers are due the sooner, as after a machine's sleep.
    ///
    /// For a clock that is wrong from the start, do it between [`World::kill`] and [`World::restart`].
    pub fn clock_forth(&mut self, node: NodeIx, by: Duration) {
        self.set_clock(node, |shown| shown + by);
    }

    /// Puts the clock of a node's machine back, at most to its origin. A node goes by the latest time that it was given,
    /// so its timers stand still until the clock has caught up.
    pub fn clock_back(&mut self, node: NodeIx, by: Duration) {
        self.set_clock(node, |shown| shown.minus_micros(crate::latency::micros(by)));
    }

    fn set_clock(&mut self, node: NodeIx, change: impl FnOnce(Instant) -> Instant) {
        let (now, shown) = (self.now, self.clock(node));
        self.host_mut(node).clock.set(now, change(shown));
        self.rearm(node);
    }

    /// What the clock of a node's machine shows. It shows the world's time until it is told otherwise.
    pub fn clock(&self, node: NodeIx) -> Instant {
        self.host(node).clock.at(self.now)
    }

    /// Moves a node to another address: kills its process if it still runs, and starts its next life, with the same
    /// identity and nothing that it knew, as a new node of the world. That is alone until it joins, on a machine that is
    /// quick, has a clock that is right, and stands in zone 0.
    pub fn relocate(&mut self, node: NodeIx) -> NodeIx {
        self.relocate_with(node, |_| ())
    }

    /// Relocates a node after `change` has had its say on how its next life starts.
    ///
    /// # Panics
    /// When the set-up is refused.
    pub fn relocate_with(&mut self, node: NodeIx, change: impl FnOnce(&mut Setup)) -> NodeIx {
        if self.host(node).life != Life::Ended {
            self.end(node);
        }
        let mut next = self.host(node).next_life();
        // Where others were to reach it before is where it was.
        next.advertise = None;
        self.spawn_with(&next.name.clone(), |setup| {
            (next.rng_seed, next.secrets) = (setup.rng_seed, setup.secrets);
            *setup = next;
            change(setup);
        })
    }
}
