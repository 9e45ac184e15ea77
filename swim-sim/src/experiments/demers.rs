//! Rumor mongering: how many never hear of an update when everybody stops passing it on too early.
//!
//! Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", PODC 1987, section 1.4, tables 1 to 3.
//! With feedback "a sender loses interest only if the recipient already knows the rumor".
//!
//! Two rules are not in the paper, and its table 1 comes out with these only: a contact is useful when the other was
//! susceptible at the *start* of the cycle, even if somebody else was faster within it; and a useful contact sets the
//! counter back to zero.

use super::published::{self, DEMERS_NODES};
use super::table::{Cell, Table};
use super::tally::Tally;
use super::{at_least_two, draws, other};
use crate::rng::Stream;

/// Who passes an update on, and what makes it stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rumor {
    /// Table 1: who knows the update sends it to one other in every cycle, and stops when `k` contacts in a row were
    /// useless.
    PushCounter = 1,
    /// Table 2: the same, but it stops after each send with chance `1/k`, useful or not.
    PushCoin = 2,
    /// Table 3: everybody asks one other in every cycle. A node stops to answer when those who asked it knew the update
    /// already in `k` of the cycles in which it was asked, in a row; one who did not sets the counter back.
    PullCounter = 3,
}

/// What to measure for a table of rumor mongering. The default is the paper's table 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemersArgs {
    /// All draws come from this.
    pub seed: u64,
    /// How often every row is tried; none counts as one.
    pub trials: u32,
    /// Which table.
    pub rumor: Rumor,
    /// The counters or coins `k`, a row each; zero counts as one.
    pub ks: Vec<u32>,
    /// The number of nodes. The paper has 1000, and only those have published values beside them.
    pub nodes: u32,
}

impl Default for DemersArgs {
    fn default() -> Self {
        Self { seed: 1, trials: 10_000, rumor: Rumor::PushCounter, ks: (1..=5).collect(), nodes: DEMERS_NODES }
    }
}

/// Residue, traffic and delay of rumor mongering, beside the values of Demers et al. 1987, tables 1 to 3.
pub fn demers(args: &DemersArgs) -> Table {
    let DemersArgs { seed, rumor, nodes, .. } = *args;
    let what = match rumor {
        Rumor::PushCounter => "push, feedback and counter (table 1)",
        Rumor::PushCoin => "push, blind and coin (table 2)",
        Rumor::PullCounter => "pull, feedback and counter (table 3)",
    };
    let title = format!("Rumor mongering by Demers et al. 1987, {what}: N = {nodes}");
    let mut table = Table::new(title, &["k", "trials", "residue s", "traffic m", "t_ave", "t_last"]);
    for k in args.ks.iter().map(|&k| k.max(1)) {
        let published = published::demers(rumor, k).filter(|_| nodes == DEMERS_NODES);
        let trials = args.trials.max(1);
        let sums = Sums::of(trials, &mut Epidemic::new(args, k));
        let nodes = at_least_two(nodes) as u64;
        table.row([
            Cell::Count(u64::from(k)),
            Cell::Count(u64::from(trials)),
            sums.missed.cell(nodes, published.map(|p| p.s)),
            sums.sent.cell(nodes, published.map(|p| p.m)),
            sums.mean_delay.cell(MILLIONTHS, published.and_then(|p| p.t_ave)),
            sums.last.cell(1, published.map(|p| p.t_last)),
        ]);
    }
    table.note("mean ±standard error (published); cycles are synchronous, and one node knows the update at the start");
    table.note(
        "s: share of nodes that never learn it; m: updates sent per node; delays in cycles, of those who learn it",
    );
    if rumor != Rumor::PushCoin {
        table.note("useful: the other did not know it at the start of the cycle; this sets the counter back to zero");
    }
    if rumor != Rumor::PullCounter && nodes == DEMERS_NODES {
        table.note("t_ave is of first arrivals; the published one is up to three cycles more, by a definition that is not known here");
    }
    table.note("±0: all trials came out alike");
    table.note(format!("seed {seed}"));
    table
}

/// Mean delays are added up as millionths of a cycle, to stay whole numbers.
const MILLIONTHS: u64 = 1_000_000;

#[derive(Default)]
struct Sums {
    missed: Tally,
    sent: Tally,
    mean_delay: Tally,
    last: Tally,
}

impl Sums {
    fn of(trials: u32, epidemic: &mut Epidemic) -> Self {
        let mut sums = Self::default();
        for _ in 0..trials {
            epidemic.run();
            let (mut reached, mut delays, mut last) = (0, 0, 0);
            for &cycle in epidemic.learned.iter().filter(|&&cycle| cycle != NEVER) {
                reached += 1;
                delays += u64::from(cycle);
                last = last.max(u64::from(cycle));
            }
            sums.missed.add(epidemic.learned.len() as u64 - reached);
            sums.sent.add(epidemic.sent);
            sums.mean_delay.add(delays * MILLIONTHS / reached);
            sums.last.add(last);
        }
        sums
    }
}

const NEVER: u32 = u32::MAX;

/// One run of a rumor; the memory is used again for the next.
struct Epidemic {
    rumor: Rumor,
    k: u32,
    draws: Stream,
    /// The cycle in which a node learned the update.
    learned: Vec<u32>,
    /// Useless contacts in a row.
    counter: Vec<u32>,
    /// Who passes the update on, and who will from the next cycle.
    hot: Vec<usize>,
    next: Vec<usize>,
    sent: u64,
    /// For pulls: what those who asked a node in this cycle made of its answer.
    answers: Vec<Answer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// It does not answer: it does not know the update, or has lost interest in it.
    Silent,
    /// It would have answered, and nobody asked.
    NotAsked,
    Useless,
    Useful,
}

impl Epidemic {
    fn new(args: &DemersArgs, k: u32) -> Self {
        let nodes = at_least_two(args.nodes);
        Self {
            rumor: args.rumor,
            k,
            draws: draws(args.seed, &[args.rumor as u64, u64::from(k), nodes as u64]),
            learned: vec![NEVER; nodes],
            counter: vec![0; nodes],
            hot: Vec::new(),
            next: Vec::new(),
            sent: 0,
            answers: vec![Answer::Silent; nodes],
        }
    }

    /// From one node that knows the update to none that passes it on.
    fn run(&mut self) {
        self.learned.fill(NEVER);
        self.counter.fill(0);
        self.answers.fill(Answer::Silent);
        self.sent = 0;
        self.hot.clear();
        self.learned[0] = 0;
        self.hot.push(0);
        for cycle in 1.. {
            match self.rumor {
                Rumor::PushCounter | Rumor::PushCoin => self.push(cycle),
                Rumor::PullCounter => self.pull(cycle),
            }
            std::mem::swap(&mut self.hot, &mut self.next);
            self.next.clear();
            if self.hot.is_empty() {
                return;
            }
        }
    }

    fn push(&mut self, cycle: u32) {
        for i in 0..self.hot.len() {
            let sender = self.hot[i];
            let target = other(&mut self.draws, self.learned.len(), sender);
            self.sent += 1;
            // Whoever learned it in this very cycle was susceptible at its start.
            let useful = self.learned[target] >= cycle;
            if self.learned[target] == NEVER {
                self.learned[target] = cycle;
                self.next.push(target);
            }
            let stays = match self.rumor {
                Rumor::PushCoin => self.draws.within(1, u64::from(self.k)) != 1,
                Rumor::PushCounter | Rumor::PullCounter => self.counts(sender, useful),
            };
            if stays {
                self.next.push(sender);
            }
        }
    }

    fn pull(&mut self, cycle: u32) {
        self.hot.iter().for_each(|&node| self.answers[node] = Answer::NotAsked);
        for asker in 0..self.learned.len() {
            let asked = other(&mut self.draws, self.learned.len(), asker);
            if self.answers[asked] == Answer::Silent {
                continue;
            }
            self.sent += 1;
            if self.learned[asker] == NEVER {
                self.learned[asker] = cycle;
                self.next.push(asker);
                self.answers[asked] = Answer::Useful;
            } else if self.answers[asked] == Answer::NotAsked {
                self.answers[asked] = Answer::Useless;
            }
        }
        for i in 0..self.hot.len() {
            let node = self.hot[i];
            let answer = std::mem::replace(&mut self.answers[node], Answer::Silent);
            if answer == Answer::NotAsked || self.counts(node, answer == Answer::Useful) {
                self.next.push(node);
            }
        }
    }

    /// Counts a contact, and says whether the node is still interested.
    fn counts(&mut self, node: usize, useful: bool) -> bool {
        self.counter[node] = if useful { 0 } else { self.counter[node] + 1 };
        self.counter[node] < self.k
    }
}
