//! How many rounds it takes until all know, when nobody ever stops.
//!
//! Push: Frieze and Grimmett, "The shortest-path problem for graphs with random arc-lengths", Discrete Applied
//! Mathematics 1985, and Pittel, "On spreading a rumor", SIAM J. Appl. Math. 1987: log2 N + ln N + O(1). Push and pull
//! together: Karp, Schindelhauer, Shenker, Vöcking, "Randomized rumor spreading", FOCS 2000: log3 N + O(ln ln N).

use super::exact::expected_rounds;
use super::table::{Cell, Table};
use super::tally::Tally;
use super::{at_least_two, draws, other};
use crate::rng::Stream;

/// Who tells whom in a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Who knows tells those it contacts.
    Push = 1,
    /// Who does not know asks those it contacts.
    Pull = 2,
    /// Both.
    PushPull = 3,
}

/// What to measure for a table of rounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundsArgs {
    /// All draws come from this.
    pub seed: u64,
    /// How often every row is tried; none counts as one.
    pub trials: u32,
    /// The modes, for each of which there are rows.
    pub modes: Vec<Mode>,
    /// How often a node contacts another in a round, each time any other with the same chance; zero counts as one.
    pub fan_outs: Vec<u32>,
    /// The numbers of nodes; fewer than two count as two.
    pub sizes: Vec<u32>,
}

impl Default for RoundsArgs {
    fn default() -> Self {
        Self {
            seed: 1,
            trials: 300,
            modes: vec![Mode::Push, Mode::Pull, Mode::PushPull],
            fan_outs: vec![1, 2, 3],
            sizes: vec![10, 100, 1000, 10_000, 100_000],
        }
    }
}

/// Up to so many nodes the expectation is computed; it takes a second or so there, and eight times that at twice as
/// many.
const EXACT_UP_TO: usize = 1000;

/// Synchronous rounds from one node that knows to all, for every mode, fan-out and size, beside the expectation and
/// the leading terms of theory.
pub fn rounds(args: &RoundsArgs) -> Table {
    let columns = ["mode", "fan-out", "nodes", "trials", "rounds", "leading terms"];
    let mut table = Table::new("Rounds until all know".to_owned(), &columns);
    let trials = args.trials.max(1);
    for &mode in &args.modes {
        for f in args.fan_outs.iter().map(|&f| f.max(1) as usize) {
            for n in args.sizes.iter().map(|&n| at_least_two(n)) {
                let mut epidemic = Epidemic::new(args.seed, mode, f, n);
                let mut tally = Tally::default();
                (0..trials).for_each(|_| tally.add(epidemic.run()));
                table.row([
                    Cell::text(mode.name()),
                    Cell::Count(f as u64),
                    Cell::Count(n as u64),
                    Cell::Count(u64::from(trials)),
                    tally.cell(1, (n <= EXACT_UP_TO).then(|| expected_rounds(mode, f, n))),
                    Cell::computed(leading_terms(mode, f, n)),
                ]);
            }
        }
    }
    table.note(format!("mean ±standard error (exact expectation, computed up to {EXACT_UP_TO} nodes)"));
    table.note("rounds are synchronous: what is learned in a round is passed on in the next");
    table.note("each contact is any other node with the same chance, also one contacted in the same round already");
    table.note("leading terms, push: log(1+f) N + (ln N)/f (f = 1: Frieze and Grimmett 1985, Pittel 1987)");
    table.note("leading terms, pull: log(1+f) N + log(1+f) ln N; push-pull: log(1+2f) N (f = 1: Karp et al. 2000)");
    table.note("theory adds a constant to push and to pull, and O(ln ln N) to push-pull");
    table.note(format!("seed {}", args.seed));
    table
}

fn leading_terms(mode: Mode, f: usize, n: usize) -> f64 {
    let (f, ln) = (f as f64, (n as f64).ln());
    match mode {
        Mode::Push => ln / (1.0 + f).ln() + ln / f,
        Mode::Pull => (ln + ln.ln()) / (1.0 + f).ln(),
        Mode::PushPull => ln / (1.0 + 2.0 * f).ln(),
    }
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Pull => "pull",
            Self::PushPull => "push-pull",
        }
    }
}

/// One run until all know; the memory is used again for the next.
struct Epidemic {
    mode: Mode,
    f: usize,
    draws: Stream,
    knows: Vec<bool>,
    aware: Vec<u32>,
    unaware: Vec<u32>,
    /// Who learned in this round: nobody can be told by them before the next.
    learned: Vec<u32>,
}

impl Epidemic {
    fn new(seed: u64, mode: Mode, f: usize, n: usize) -> Self {
        Self {
            mode,
            f,
            draws: draws(seed, &[mode as u64, f as u64, n as u64]),
            knows: vec![false; n],
            aware: Vec::with_capacity(n),
            unaware: Vec::with_capacity(n),
            learned: Vec::with_capacity(n),
        }
    }

    /// How many rounds it took.
    fn run(&mut self) -> u64 {
        let n = self.knows.len();
        self.knows.fill(false);
        self.knows[0] = true;
        self.aware.clear();
        self.aware.push(0);
        self.unaware.clear();
        self.unaware.extend(1..n as u32);
        let mut rounds = 0;
        while self.aware.len() < n {
            rounds += 1;
            // Pulls come first: they must see who knew at the start of the round, whereas pushes go by `aware`.
            if self.mode != Mode::Push {
                self.pull();
            }
            if self.mode != Mode::Pull {
                self.push();
            }
            self.end_round();
        }
        rounds
    }

    fn pull(&mut self) {
        for i in 0..self.unaware.len() {
            let asker = self.unaware[i];
            if (0..self.f).any(|_| self.knows[other(&mut self.draws, self.knows.len(), asker as usize)]) {
                self.learned.push(asker);
            }
        }
        // Who pulled it in is told only now, after all pulls.
        self.learned.iter().for_each(|&node| self.knows[node as usize] = true);
    }

    fn push(&mut self) {
        for i in 0..self.aware.len() {
            for _ in 0..self.f {
                let target = other(&mut self.draws, self.knows.len(), self.aware[i] as usize);
                if !std::mem::replace(&mut self.knows[target], true) {
                    self.learned.push(target as u32);
                }
            }
        }
    }

    fn end_round(&mut self) {
        if !self.learned.is_empty() {
            self.aware.append(&mut self.learned);
            self.unaware.retain(|&node| !self.knows[node as usize]);
        }
    }
}
