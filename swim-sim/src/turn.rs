//! How time passes: one happening after the other, each handed to one pump, which is drained before the next.

use std::time::SystemTime;

use swim_core::Instant;
use swim_driver::Pump;

use crate::host::{Held, Life, NodeIx};
use crate::network::Sent;
use crate::pace::Take;
use crate::pool::Slot;
use crate::queue::Happening;
use crate::swarm::Given;
use crate::world::World;

impl World {
    /// Lets everything happen that happens until `end`, which is the time from then on.
    pub(crate) fn run_to(&mut self, end: Instant) {
        self.pass_time(end);
        for ix in self.uncounted.drain(..) {
            let host = &mut self.hosts[ix.index()];
            host.uncounted = false;
            host.pump.publish_counters();
        }
    }

    fn pass_time(&mut self, end: Instant) {
        while let Some((at, what)) = self.net.queue.next_until(end) {
            if self.is_halted() {
                return;
            }
            debug_assert!(at >= self.now, "time runs backwards, from {:?} to {at:?}", self.now);
            self.now = at;
            match what {
                Happening::Arrival(slot) => self.arrive(slot),
                Happening::Alarm(ix) => self.wake(ix),
            }
        }
        self.now = end;
    }

    /// Whether a rule was broken, so that time stands still.
    pub(crate) fn is_halted(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.violation.is_some())
    }

    fn arrive(&mut self, slot: Slot) {
        let to = self.net.pool.to(slot);
        let host = &mut self.hosts[to.index()];
        match host.life {
            Life::Running if !host.is_behind() => self.read(to, slot),
            Life::Running | Life::Paused if host.socket.len() < self.socket_buffer => {
                if !host.can_read() {
                    host.reader.begin(self.now);
                }
                host.socket.push_back(slot);
                self.await_turn(to);
            }
            Life::Running | Life::Paused => {
                self.net.stats.overflowed += 1;
                self.net.pool.free(slot);
            }
            Life::Ended => {
                self.net.stats.unreachable += 1;
                self.net.pool.free(slot);
            }
        }
    }

    /// The process reads a datagram from its socket.
    fn read(&mut self, ix: NodeIx, slot: Slot) {
        self.net.stats.delivered += 1;
        let (from, mut bytes) = self.net.pool.lend(slot);
        self.show(ix, Given::Datagram { from, bytes: &bytes });
        self.turn(ix, |pump, now| pump.datagram(now, from, &mut bytes));
        self.net.pool.give_back(slot, bytes);
    }

    fn wake(&mut self, ix: NodeIx) {
        if self.hosts[ix.index()].pace.is_slow() {
            return self.take_one(ix);
        }
        if self.hosts[ix.index()].next_read() <= self.now {
            return self.read_one(ix);
        }
        self.show(ix, Given::Timeout);
        self.time_out(ix);
        // What a resolver has found waits where commands wait.
        self.take_commands(ix);
        let next = self.hosts[ix.index()].deadline();
        assert!(next > self.now, "{ix:?} would spin: at {:?} it waits for {next:?}", self.now);
    }

    fn time_out(&mut self, ix: NodeIx) {
        self.turn(ix, Pump::timeout);
        // It never waits, and what it has counted is asked for when the world stands still. After every input would be often,
        // where there are ten thousand nodes.
        if !std::mem::replace(&mut self.hosts[ix.index()].uncounted, true) {
            self.uncounted.push(ix);
        }
    }

    /// A slow process is done with an input: what that leads to, and then the next has its time.
    fn take_one(&mut self, ix: NodeIx) {
        let host = &mut self.hosts[ix.index()];
        let (command, due) = (!host.pump.mailbox().is_empty(), host.deadline() <= self.now);
        match host.pace.take(host.can_read(), command, due) {
            Take::Datagram => {
                let slot = host.socket.pop_front().expect("a datagram is taken only where one waits");
                self.read(ix, slot);
            }
            Take::Command => {
                self.show(ix, Given::Command);
                self.turn(ix, Pump::command);
            }
            Take::Timeout => {
                self.show(ix, Given::Timeout);
                self.time_out(ix);
            }
            Take::Nothing => {}
        }
        let host = &mut self.hosts[ix.index()];
        host.pace.done(self.now, host.has_input());
        self.rearm(ix);
    }

    /// A slow reader is done with a datagram, and begins with the next.
    fn read_one(&mut self, ix: NodeIx) {
        let host = &mut self.hosts[ix.index()];
        host.reader.begin(self.now);
        if let Some(slot) = host.socket.pop_front() {
            self.read(ix, slot);
        }
    }

    /// Something has come to a process that is not to take it at once. A paused one notices when it is resumed.
    fn await_turn(&mut self, ix: NodeIx) {
        let host = &mut self.hosts[ix.index()];
        if host.has_input() {
            host.pace.wait(self.now);
        }
        self.rearm(ix);
    }

    /// Lets the checkers know what a process is about to be given.
    pub(crate) fn show(&mut self, ix: NodeIx, given: Given<'_>) {
        if let Some(watch) = &mut self.watch {
            let host = &self.hosts[ix.index()];
            watch.given((self.now, host.clock.at(self.now)), host.pump.node(), given);
        }
    }

    /// One input and everything that follows from it: the loop of every binding, turned once.
    pub(crate) fn turn(&mut self, ix: NodeIx, input: impl FnOnce(&mut Pump, Instant)) {
        let host = &mut self.hosts[ix.index()];
        let now = host.clock.at(self.now);
        if host.pump.wants_date(now) {
            // The machine's clock may drift, jump or stand still; the date is right.
            host.pump.tell_date(now, SystemTime::UNIX_EPOCH + self.now.since(Instant::ORIGIN));
        }
        input(&mut host.pump, now);
        self.drain(ix);
    }

    fn drain(&mut self, ix: NodeIx) {
        let nodes = self.hosts.len();
        let host = &mut self.hosts[ix.index()];
        while let Some(tx) = host.pump.poll_transmit(&mut self.out) {
            host.sent.count(tx.len);
            let bytes = &self.out[..tx.len];
            let sent = Sent { at: self.now, from: ix.addr(), to: tx.to, bytes, header_len: self.header_len };
            self.net.note(ix, &sent);
            if let Some(watch) = &mut self.watch {
                watch.sent(&sent);
            }
            match &mut host.held {
                None => self.net.send(&self.link, nodes, ix, sent),
                Some(held) if held.len() < self.socket_buffer => {
                    held.push_back(Held { to: tx.to, bytes: bytes.to_vec() });
                    self.net.stats.held_back += 1;
                }
                Some(_) => self.net.stats.overflowed += 1,
            }
        }
        // Mostly there are none, and that is known without a look into what is shared.
        if std::mem::replace(&mut host.events_read, host.pump.events_told()) != host.pump.events_told() {
            while let Ok(event) = host.events.try_recv() {
                self.net.digest.event(self.now, ix, &event);
                if let Some(watch) = &mut self.watch {
                    watch.told(event);
                }
                if self.log_events {
                    host.log.push((self.now, event));
                }
            }
        }
        if let Some(watch) = &mut self.watch {
            watch.settled(ix, &host.pump);
        }
        if host.pump.finished() {
            self.end(ix);
        } else {
            self.rearm(ix);
        }
    }

    /// Sets the alarm of a process to its deadline, or unsets it when the process does not run.
    pub(crate) fn rearm(&mut self, ix: NodeIx) {
        let at = self.hosts[ix.index()].alarm(self.now);
        self.net.queue.alarms.set(ix, at);
    }

    /// A process has just been started.
    pub(crate) fn begin(&mut self, ix: NodeIx) {
        let datagram_max = self.hosts[ix.index()].pump.datagram_max();
        if self.out.len() < datagram_max {
            self.out.resize(datagram_max, 0);
        }
        if let Some(watch) = &mut self.watch {
            let host = &self.hosts[ix.index()];
            let recorder = host.handle.as_ref().and_then(|handle| handle.recorder());
            watch.begun(ix, (self.now, host.clock.at(self.now)), recorder, host.pump.node());
        }
        self.drain(ix);
    }

    /// A process has ended; what its socket held is gone with it.
    pub(crate) fn end(&mut self, ix: NodeIx) {
        let host = &mut self.hosts[ix.index()];
        host.life = Life::Ended;
        if let Some(watch) = &mut self.watch {
            watch.ended(ix, self.now, host.pump.node());
        }
        for slot in host.socket.drain(..) {
            self.net.stats.unreachable += 1;
            self.net.pool.free(slot);
        }
        self.net.stats.unreachable += host.held.take().map_or(0, |held| held.len() as u64);
        self.rearm(ix);
    }

    /// What a process has sent while its I/O was blocked leaves.
    pub(crate) fn release(&mut self, ix: NodeIx) {
        let nodes = self.hosts.len();
        for Held { to, bytes } in self.hosts[ix.index()].held.take().into_iter().flatten() {
            let sent = Sent { at: self.now, from: ix.addr(), to, bytes: &bytes, header_len: self.header_len };
            self.net.send(&self.link, nodes, ix, sent);
        }
    }

    /// A process that was paused, blocked or slow is not any more, or not so slow. Timers that are due wait until the world runs,
    /// behind the datagrams of this instant.
    pub(crate) fn wake_up(&mut self, ix: NodeIx) {
        let host = &mut self.hosts[ix.index()];
        if host.pace.is_slow() {
            host.pace.done(self.now, host.has_input());
            return self.rearm(ix);
        }
        host.reader.begin(self.now);
        while !self.hosts[ix.index()].is_behind() {
            let Some(slot) = self.hosts[ix.index()].socket.pop_front() else { break };
            self.read(ix, slot);
        }
        self.take_commands(ix);
        self.rearm(ix);
    }

    /// Lets a process take the commands in its mailbox, unless it is paused. A slow one takes them when it comes to it.
    pub(crate) fn take_commands(&mut self, ix: NodeIx) {
        loop {
            let host = &self.hosts[ix.index()];
            if host.life != Life::Running || host.pump.mailbox().is_empty() {
                return;
            }
            if host.pace.is_slow() {
                return self.await_turn(ix);
            }
            self.show(ix, Given::Command);
            self.turn(ix, Pump::command);
        }
    }

    /// Commands that a test gave through [`World::handle`] are noticed when the world runs next.
    pub(crate) fn take_all_commands(&mut self) {
        for index in 0..self.hosts.len() {
            self.take_commands(NodeIx::new(index));
        }
    }
}
