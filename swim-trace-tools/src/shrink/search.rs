//! Less and less, as long as it holds.

use swim_core::{Instant, Profile};
use swim_trace::Recorded;

use super::Predicate;
use super::case::{Case, Given};
use super::frame::Parts;

pub(super) struct Search<'p> {
    predicates: &'p [Predicate],
    /// The smallest so far.
    pub(super) best: Case,
    /// Tries so far, and how many there may be.
    pub(super) used: usize,
    tries: usize,
}

const MILLISECOND: u64 = 1_000;

impl<'p> Search<'p> {
    /// Of a case in which the predicates hold.
    pub(super) fn new(case: Case, predicates: &'p [Predicate], tries: usize) -> Self {
        Self { predicates, best: case, used: 0, tries }
    }

    /// Until nothing more goes, or the tries are used up; tells whether no single input can be left out.
    pub(super) fn run(&mut self) -> bool {
        let mut parts = 2;
        loop {
            let before = self.best.inputs.clone();
            self.leave_out(parts);
            self.simplify();
            self.draw_together();
            if self.is_over() {
                return false;
            }
            if self.best.inputs == before {
                return true;
            }
            // What was halved once is not halved again: single inputs only, which is what minimal means.
            parts = usize::MAX;
        }
    }

    fn is_over(&self) -> bool {
        self.used >= self.tries
    }

    /// Takes these inputs, as far as they are needed, when all holds with them.
    fn attempt(&mut self, mut inputs: Vec<Given>) -> bool {
        if self.is_over() {
            return false;
        }
        self.used += 1;
        let holds = self.best.holds(&inputs, self.predicates);
        if let Some(count) = holds {
            inputs.truncate(count);
            self.best.inputs = inputs;
        }
        holds.is_some()
    }

    /// ddmin: one of so many parts alone, or all but one of them; when neither does, parts of half the size.
    fn leave_out(&mut self, parts: usize) {
        let mut parts = parts;
        if !self.best.inputs.is_empty() && self.attempt(Vec::new()) {
            return;
        }
        while self.best.inputs.len() > 1 && !self.is_over() {
            let count = self.best.inputs.len();
            parts = parts.min(count);
            if parts > 2 || count > 2 {
                // At the finest, a part alone is one input, which was a half of two before.
                if parts < count && self.one_of(parts) {
                    parts = 2;
                    continue;
                }
            }
            if self.all_but_one_of(parts) {
                parts = (parts - 1).max(2);
            } else if parts == count {
                return;
            } else {
                parts = parts.saturating_mul(2);
            }
        }
    }

    fn one_of(&mut self, parts: usize) -> bool {
        let size = self.best.inputs.len().div_ceil(parts);
        let chunks: Vec<Vec<Given>> = self.best.inputs.chunks(size).map(<[Given]>::to_vec).collect();
        chunks.into_iter().any(|chunk| self.attempt(chunk))
    }

    /// From the end on: what was needed last is most likely needed. Goes through all parts, so that a pass at the finest in which
    /// nothing goes has tried every single input.
    fn all_but_one_of(&mut self, parts: usize) -> bool {
        let size = self.best.inputs.len().div_ceil(parts);
        let (mut end, mut any) = (self.best.inputs.len(), false);
        while end > 0 && !self.is_over() {
            let from = end.saturating_sub(size);
            let all = &self.best.inputs;
            any |= self.attempt([&all[..from], &all[end.min(all.len())..]].concat());
            end = from.min(self.best.inputs.len());
        }
        any
    }

    /// Less in every input.
    fn simplify(&mut self) {
        let mut i = 0;
        while i < self.best.inputs.len() && !self.is_over() {
            match self.best.inputs[i].input.clone() {
                Recorded::Join(seeds) => self.fewer(i, seeds, Recorded::Join),
                Recorded::Seeds(seeds) => self.fewer(i, seeds, Recorded::Seeds),
                Recorded::SetProfile(profile) => {
                    let less = Profile::new(profile.name(), b"").unwrap_or_default();
                    if less != profile {
                        self.replace(i, Recorded::SetProfile(less));
                    }
                }
                Recorded::Datagram { .. } => self.simplify_frame(i),
                _ => {}
            }
            i += 1;
        }
    }

    fn replace(&mut self, i: usize, input: Recorded<'static>) -> bool {
        let mut inputs = self.best.inputs.clone();
        let Some(given) = inputs.get_mut(i) else { return false };
        given.input = input;
        self.attempt(inputs)
    }

    fn fewer<T: Clone>(&mut self, i: usize, all: Vec<T>, input: fn(Vec<T>) -> Recorded<'static>) {
        let mut kept = all;
        let mut size = kept.len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            while at < kept.len() {
                let less = [&kept[..at], &kept[(at + size).min(kept.len())..]].concat();
                if self.replace(i, input(less.clone())) {
                    kept = less;
                } else {
                    at += size;
                }
            }
            size /= 2;
        }
    }

    /// Sections, then single items of what is left of them.
    fn simplify_frame(&mut self, i: usize) {
        let Some(Given { input: Recorded::Datagram { from, bytes }, .. }) = self.best.inputs.get(i).cloned() else {
            return;
        };
        let mut next = 0;
        let mut now = bytes;
        loop {
            let Some(less) = Parts::of(&now).and_then(|parts| parts.without(next)) else { return };
            // The same without what every version skips, as padding is.
            let shorter = less.len() < now.len();
            if shorter && self.replace(i, Recorded::Datagram { from, bytes: less.clone().into() }) {
                now = less.into();
            } else {
                next += 1;
            }
        }
    }

    /// Times in whole milliseconds, and as close together as they can be.
    fn draw_together(&mut self) {
        let rounded: Vec<Given> =
            self.best.inputs.iter().map(|given| Given { at: round_up(given.at), ..given.clone() }).collect();
        if rounded != self.best.inputs && !self.attempt(rounded) {
            for i in 0..self.best.inputs.len() {
                let at = round_up(self.best.inputs.get(i).map_or(Instant::ORIGIN, |given| given.at));
                self.move_to(i, at);
            }
        }
        let mut i = 0;
        while i < self.best.inputs.len() && !self.is_over() {
            self.draw_back(i);
            i += 1;
        }
    }

    /// One input as early as it can be, all behind it with it.
    fn draw_back(&mut self, i: usize) {
        let before = i.checked_sub(1).and_then(|i| self.best.inputs.get(i)).map_or(self.best.began(), |given| given.at);
        let Some(now) = self.best.inputs.get(i).map(|given| given.at.as_micros()) else { return };
        let least = round_up(before).as_micros();
        if least >= now || self.shift(i, now - least) {
            return;
        }
        // It holds at `high`, and not at `low`.
        let (mut low, mut high) = (least / MILLISECOND, now / MILLISECOND);
        while low + 1 < high && !self.is_over() {
            let middle = low + (high - low) / 2;
            let Some(at) = self.best.inputs.get(i).map(|given| given.at.as_micros()) else { return };
            let by = at.saturating_sub(middle * MILLISECOND);
            if by > 0 && self.shift(i, by) {
                high = middle;
            } else {
                low = middle;
            }
        }
    }

    /// Everything from this input on so many microseconds earlier.
    fn shift(&mut self, i: usize, micros: u64) -> bool {
        let mut inputs = self.best.inputs.clone();
        for given in inputs.iter_mut().skip(i) {
            given.at = Instant::from_micros(given.at.as_micros().saturating_sub(micros));
        }
        self.attempt(inputs)
    }

    /// This input at another time, between those around it.
    fn move_to(&mut self, i: usize, at: Instant) {
        let behind = self.best.inputs.get(i + 1).map_or(Instant::NEVER, |given| given.at);
        let mut inputs = self.best.inputs.clone();
        if let Some(given) = inputs.get_mut(i).filter(|given| given.at != at && at <= behind) {
            given.at = at;
            self.attempt(inputs);
        }
    }
}

fn round_up(at: Instant) -> Instant {
    Instant::from_micros(at.as_micros().checked_next_multiple_of(MILLISECOND).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::panic::{set_hook, take_hook};
    use std::sync::Mutex;

    use swim_core::{Command, Config, Identity, Input, Node, NodeId};
    use swim_trace::{Header, Replay, Trace};

    use super::*;

    fn case(inputs: Vec<Given>) -> Case {
        let me = Identity {
            id: NodeId::from_name("a"),
            addr: "127.0.0.1:1".parse().unwrap(),
            epoch: 1,
            profile: Profile::default(),
        };
        let header = Header::new(&me, &Config::local("c"), 1, Instant::ORIGIN);
        let node = header.node().unwrap().unwrap();
        Case::new(header, node, None, inputs)
    }

    /// The panics are what is looked for, and nobody wants to read of them. The hook is the process's.
    fn quietly<T>(work: impl FnOnce() -> T) -> T {
        static HOOK: Mutex<()> = Mutex::new(());
        let _held = HOOK.lock();
        let hook = take_hook();
        set_hook(Box::new(|_| {}));
        let done = work();
        set_hook(hook);
        done
    }

    /// A node that cannot bear this input, which ours always can: when it is given after that.
    fn cannot_bear(node: &mut Node, now: Instant, input: Input<'_>) {
        let joins = matches!(input, Input::Command(Command::Seeds(seeds)) if seeds.iter().any(|s| s.port() == 13));
        assert!(!joins || node.me().profile().meta().is_empty(), "it cannot bear that");
        node.handle(now, input);
    }

    /// Of a hundred inputs two are needed, and of one of these a part; the trace ends with the input that was not survived.
    #[test]
    fn a_panic_is_found_and_recorded() {
        let seeds = |ports: std::ops::Range<u16>| ports.map(|p| ([127, 0, 0, 1], p).into()).collect::<Vec<_>>();
        let input = |i: u64| match i {
            40 => Recorded::SetProfile(Profile::new("a", b"meta").unwrap()),
            80 => Recorded::Seeds(seeds(1..40)),
            i if i % 3 == 0 => Recorded::SendFailed { to: ([127, 0, 0, 1], 9).into() },
            _ => Recorded::Timeout,
        };
        let inputs = (0..100).map(|i| Given { at: Instant::from_micros(1_500 * i + 7), input: input(i) }).collect();
        let predicates = [Predicate::Panic];
        let mut search = Search::new(case(inputs).given_by(cannot_bear), &predicates, 4_000);
        let (minimal, bytes) = quietly(|| (search.run(), search.best.recorded()));
        let at = Instant::ORIGIN;
        let left = [
            Given { at, input: Recorded::SetProfile(Profile::new("a", b"meta").unwrap()) },
            Given { at, input: Recorded::Seeds(seeds(13..14)) },
        ];
        assert_eq!((minimal, &search.best.inputs[..]), (true, &left[..]));
        let trace = Trace::open(&bytes).unwrap();
        let (summary, error) = Replay::new(&trace).unwrap().run();
        // A node that bears it is told nothing of how that step should end.
        assert_eq!((error, summary.steps, summary.unchecked, summary.divergences), (None, 2, 1, 0));
    }

    /// Whichever of eight inputs are needed: those are left, and no other.
    #[test]
    fn exactly_what_is_needed_is_left() {
        thread_local! {
            static NEEDED: Cell<u16> = const { Cell::new(0) };
            static GIVEN: Cell<u16> = const { Cell::new(0) };
        }
        let give = |node: &mut Node, now: Instant, input: Input<'_>| {
            let before = if node.stats().sends_failed == 0 { 0 } else { GIVEN.get() };
            if let Input::SendFailed { to } = input {
                GIVEN.set(before | 1 << to.port());
            }
            node.handle(now, input);
            assert!(GIVEN.get() & NEEDED.get() != NEEDED.get(), "that is all");
        };
        let failed = |i: u16| Recorded::SendFailed { to: ([127, 0, 0, 1], i).into() };
        let predicates = [Predicate::Panic];
        let differs = |needed: u16| {
            NEEDED.set(needed);
            let inputs = (0..8).map(|i| Given { at: Instant::ORIGIN, input: failed(i) }).collect();
            let mut search = Search::new(case(inputs).given_by(give), &predicates, 4_000);
            let minimal = search.run();
            let wanted = (0..8).filter(|i| needed >> i & 1 == 1).map(failed);
            !minimal || !search.best.inputs.iter().map(|given| given.input.clone()).eq(wanted)
        };
        let found = quietly(|| (1..256).find(|&needed| differs(needed)));
        assert_eq!(found, None, "by the inputs that are needed, as bits");
    }

    /// Any two of three, each by itself, are not enough: nothing is left out that is needed together.
    #[test]
    fn what_is_needed_together_stays() {
        let seed = |port: u16| Recorded::Seeds(vec![([127, 0, 0, 1], port).into()]);
        let input = |i: u16| if [3, 31, 59].contains(&i) { seed(i) } else { Recorded::Timeout };
        let give = |node: &mut Node, now: Instant, input: Input<'_>| {
            // Three of these, however far apart: counted where a node counts.
            let failed = matches!(input, Input::Command(Command::Seeds(_)));
            let counted = if failed { Input::SendFailed { to: ([127, 0, 0, 1], 9).into() } } else { input };
            node.handle(now, counted);
            assert!(node.stats().sends_failed < 3, "the third is too much");
        };
        let inputs = (0..64).map(|i| Given { at: Instant::from_millis(i.into()), input: input(i) }).collect();
        let predicates = [Predicate::Panic];
        let mut search = Search::new(case(inputs).given_by(give), &predicates, 4_000);
        let minimal = quietly(|| search.run());
        assert!(minimal && search.used < 400, "{}", search.used);
        assert_eq!(search.best.inputs.len(), 3);
        assert!(search.best.inputs.iter().all(|given| given.at == Instant::ORIGIN), "{:?}", search.best.inputs);
    }
}
