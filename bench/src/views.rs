//! The account of who sees whom in a cluster, from what its nodes tell.

/// Who sees whom.
pub(crate) struct Views {
    sees: Vec<bool>,
    /// How many running nodes see each.
    seen_by: Vec<usize>,
    runs: Vec<bool>,
    running: usize,
    /// Pairs of running nodes of which the one sees the other.
    pairs: usize,
    /// How often a running node took a running one for dead, and how many of them it befell.
    pub(crate) false_dead: u64,
    befell: Vec<bool>,
    pub(crate) crash: Option<Crash>,
}

/// What became of a crash: times in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crash {
    pub(crate) node: usize,
    pub(crate) at: u64,
    /// When the first one that runs took it for dead.
    pub(crate) first: Option<u64>,
    /// When none that runs saw it any more.
    pub(crate) last: Option<u64>,
}

impl Views {
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            sees: vec![false; nodes * nodes],
            seen_by: vec![0; nodes],
            runs: vec![false; nodes],
            running: 0,
            pairs: 0,
            false_dead: 0,
            befell: vec![false; nodes],
            crash: None,
        }
    }

    pub(crate) fn started(&mut self, node: usize) {
        self.runs[node] = true;
        self.running += 1;
        self.pairs += self.seen_by[node];
    }

    /// At this time, in microseconds, one sees another come or go.
    pub(crate) fn tell(&mut self, now: u64, by: usize, of: usize, is_up: bool) {
        let sees = &mut self.sees[by * self.runs.len() + of];
        if by == of || *sees == is_up {
            return;
        }
        *sees = is_up;
        let change = |count: &mut usize| *count = if is_up { *count + 1 } else { *count - 1 };
        change(&mut self.seen_by[of]);
        if self.runs[of] {
            change(&mut self.pairs);
            if !is_up {
                self.false_dead += 1;
                self.befell[of] = true;
            }
        } else if let Some(crash) = self.crash.as_mut().filter(|crash| crash.node == of && !is_up) {
            crash.first = crash.first.or(Some(now));
            crash.last = crash.last.or((self.seen_by[of] == 0).then_some(now));
        }
    }

    /// From now on this node does not run, and what it saw does not count.
    pub(crate) fn crashed(&mut self, now: u64, node: usize) {
        (self.runs[node], self.running) = (false, self.running - 1);
        self.pairs -= self.seen_by[node];
        for (of, sees) in self.sees[node * self.runs.len()..][..self.runs.len()].iter_mut().enumerate() {
            if std::mem::take(sees) {
                self.seen_by[of] -= 1;
                self.pairs -= usize::from(self.runs[of]);
            }
        }
        self.crash = Some(Crash { node, at: now, first: None, last: None });
    }

    /// Who was taken for dead till now does not count.
    pub(crate) fn forget_false(&mut self) {
        self.false_dead = 0;
        self.befell.fill(false);
    }

    /// How many that run still see the crashed one.
    pub(crate) fn missing(&self) -> usize {
        self.crash.map_or(0, |crash| self.seen_by[crash.node])
    }

    /// How many running nodes somebody has taken for dead.
    pub(crate) fn befell(&self) -> usize {
        self.befell.iter().filter(|&&befell| befell).count()
    }

    /// Those that all others see.
    pub(crate) fn seen_by_all(&self) -> Vec<usize> {
        (0..self.runs.len()).filter(|&node| self.runs[node] && self.seen_by[node] == self.running - 1).collect()
    }

    pub(crate) fn all_see_all(&self) -> bool {
        self.running == self.runs.len() && self.unseen() == 0
    }

    /// Pairs of running nodes of which the one does not see the other.
    pub(crate) fn unseen(&self) -> usize {
        self.running * self.running.saturating_sub(1) - self.pairs
    }
}
