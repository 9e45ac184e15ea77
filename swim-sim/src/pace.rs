//! How fast a process is: at once, or so long for every input.
//!
//! A slow process works on one input at a time, and the node is given it when the work is done. What comes meanwhile
//! waits, deadlines included; and then a datagram goes before a command, and a command before a deadline, as in the
//! loops of the bindings.

use std::time::Duration;

use swim_core::Instant;

use crate::latency::micros;

/// The bindings read so many datagrams at most before they look at commands and deadlines.
const READS_IN_A_ROW: u32 = 256;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Microseconds for each input. 0: it is not slow, and nothing below matters.
    per_input: u64,
    /// When the last input was done.
    done: Instant,
    /// Since when something waits in socket or mailbox; `NEVER` when nothing does.
    waiting: Instant,
    /// Datagrams since the last input of another kind.
    reads: u32,
}

/// How fast a process reads that has a thread for that and nothing else: its timers are not held up by what it reads.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reader {
    /// Microseconds for each datagram. 0: it reads at once.
    per_datagram: u64,
    /// When the last datagram was read, or the reader began to wait for one.
    done: Instant,
}

impl Reader {
    pub(crate) fn of(per_datagram: Duration) -> Self {
        Self { per_datagram: micros(per_datagram), done: Instant::ORIGIN }
    }

    pub(crate) fn is_slow(&self) -> bool {
        self.per_datagram > 0
    }

    /// Its work begins: the first datagram has come, or the last is read and others wait.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.done = now;
    }

    /// When the datagram that it works on is read.
    pub(crate) fn next(&self) -> Instant {
        self.done.plus_micros(self.per_datagram)
    }
}

/// What a slow process takes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    Datagram,
    Command,
    Timeout,
    Nothing,
}

impl Default for Pace {
    fn default() -> Self {
        Self::of(Duration::ZERO)
    }
}

impl Pace {
    pub(crate) fn of(per_input: Duration) -> Self {
        Self { per_input: micros(per_input), done: Instant::ORIGIN, waiting: Instant::NEVER, reads: 0 }
    }

    pub(crate) fn is_slow(&self) -> bool {
        self.per_input > 0
    }

    /// Something waits from now on, if nothing did before.
    pub(crate) fn wait(&mut self, now: Instant) {
        self.waiting = self.waiting.min(now);
    }

    /// An input is done; `more` tells whether others wait.
    pub(crate) fn done(&mut self, now: Instant, more: bool) {
        self.done = now;
        self.waiting = if more { now } else { Instant::NEVER };
    }

    /// When the next input is done, if this is the deadline and nothing else comes.
    pub(crate) fn next(&self, deadline: Instant) -> Instant {
        if !self.is_slow() {
            return deadline;
        }
        match deadline.min(self.waiting) {
            Instant::NEVER => Instant::NEVER,
            wanted => wanted.max(self.done).plus_micros(self.per_input),
        }
    }

    /// Which input that is, out of those that wait.
    pub(crate) fn take(&mut self, datagram: bool, command: bool, due: bool) -> Take {
        let enough = self.reads >= READS_IN_A_ROW && (command || due);
        self.reads = if datagram && !enough { self.reads + 1 } else { 0 };
        match (datagram && !enough, command, due) {
            (true, ..) => Take::Datagram,
            // After many datagrams a deadline goes first, or commands without end would hold it up for ever.
            (_, true, false) => Take::Command,
            (_, true, true) if !enough => Take::Command,
            (_, _, true) => Take::Timeout,
            (_, false, false) => Take::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn who_is_not_slow_waits_for_deadlines_only() {
        let mut pace = Pace::default();
        pace.wait(at(3));
        assert_eq!((pace.next(at(9)), pace.next(Instant::NEVER)), (at(9), Instant::NEVER));
    }

    #[test]
    fn one_input_after_the_other_each_takes_its_time() {
        let mut pace = Pace::of(Duration::from_micros(100));
        assert_eq!((pace.next(Instant::NEVER), pace.next(at(50))), (Instant::NEVER, at(150)));
        pace.wait(at(20));
        pace.wait(at(90));
        assert_eq!(pace.next(at(50)), at(120), "from when the first came");
        pace.done(at(120), true);
        assert_eq!(pace.next(at(50)), at(220), "the next begins when the last is done");
        pace.done(at(220), false);
        assert_eq!((pace.next(at(50)), pace.next(at(400))), (at(320), at(500)));
    }

    #[test]
    fn datagrams_go_first_but_hold_nothing_up_for_ever() {
        let mut pace = Pace::of(Duration::from_micros(1));
        let mut row =
            |n, datagram, command, due| -> Vec<Take> { (0..n).map(|_| pace.take(datagram, command, due)).collect() };
        assert_eq!(row(1, false, true, true), [Take::Command]);
        assert_eq!(row(2, false, false, true), [Take::Timeout; 2]);
        let flood = row(2 * 257, true, true, true);
        for turn in flood.chunks(257) {
            assert!(turn[..256].iter().all(|&t| t == Take::Datagram));
            assert_eq!(turn[256], Take::Timeout);
        }
        assert_eq!(row(300, true, false, false)[299], Take::Datagram, "nothing else waits");
        assert_eq!(row(1, true, true, false), [Take::Command]);
        assert_eq!(row(1, false, false, false), [Take::Nothing]);
    }
}
