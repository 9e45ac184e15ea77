//! What is told of many crashes, wherever they were: how soon the first of the others took the crashed one for dead,
//! and all did, and who of those that ran was taken for dead as well.

use crate::table::{Mean, Row, mean, p99_of, percentile, runs, spread, spread_of};
use crate::views::Views;

/// What came of one crash.
pub(crate) struct Outcome {
    /// Periods from the crash to the first Dead, and from that until all knew: infinite when it was not within the
    /// time.
    first: f64,
    all: f64,
    /// Who had not heard of it in the end.
    missing: usize,
    /// Running ones taken for dead, since that is counted: how often, by all together, and how many of them.
    false_dead: u64,
    befell: usize,
}

impl Outcome {
    /// With a period of so many microseconds; `None` when none has crashed.
    pub(crate) fn of(views: &Views, period: u64) -> Option<Self> {
        let crash = views.crash?;
        // Threads that tell of one moment may do so in any order.
        let periods =
            |from: u64, to: Option<u64>| to.map_or(f64::INFINITY, |to| to.saturating_sub(from) as f64 / period as f64);
        Some(Self {
            first: periods(crash.at, crash.first),
            all: periods(crash.first.unwrap_or(crash.at), crash.last),
            missing: views.missing(),
            false_dead: views.false_dead,
            befell: views.befell(),
        })
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} + {:.2}", self.first, self.all)
    }
}

/// Crashes of ours and of a peer's nodes under the same conditions.
pub(crate) struct Crashes<'a> {
    /// The conditions, as rows name them.
    pub(crate) under: String,
    pub(crate) nodes: usize,
    pub(crate) period: String,
    /// Periods that were waited for after a crash.
    pub(crate) window: u64,
    /// How long false deaths were counted.
    pub(crate) counted: String,
    /// Whether it is said how soon the first Dead is to be.
    pub(crate) is_target: bool,
    /// As many false deaths ours may have in these runs.
    pub(crate) false_most: u64,
    pub(crate) ours: &'a [Outcome],
    pub(crate) theirs: &'a [Outcome],
}

impl Crashes<'_> {
    /// First one question under all conditions, then the next.
    pub(crate) fn rows(all: &[Self]) -> Vec<Row> {
        let questions = [Self::first, Self::false_dead, Self::all_know, Self::missing];
        questions.iter().flat_map(|row| all.iter().map(row)).collect()
    }

    fn runs(&self) -> String {
        runs(self.ours.len(), self.theirs.len())
    }

    fn first(&self) -> Row {
        let of = |all: &[Outcome]| -> Mean { mean(all.iter().map(|outcome| outcome.first)) };
        let (ours, theirs) = (of(self.ours), of(self.theirs));
        let ratio = ours.mean / theirs.mean;
        let is_safe = false_deaths(self.ours) <= self.false_most;
        let target = |text: &str| if self.is_target { text.to_owned() } else { String::new() };
        Row {
            what: format!(
                "crash → first Dead, N={}, {}: periods of {}, mean of {}",
                self.nodes,
                self.under,
                self.period,
                self.runs()
            ),
            ours: ours.to_string(),
            theirs: theirs.to_string(),
            ratio: Some(ratio).filter(|_| theirs.mean.is_finite()),
            gate: target("≤ 0.8 ×, no more false Dead"),
            aim: target("0.6 ×"),
            holds: self.is_target.then_some((ratio <= 0.8 && is_safe, ratio <= 0.6 && is_safe)),
        }
    }

    fn false_dead(&self) -> Row {
        let told = |all: &[Outcome]| {
            let befell: usize = all.iter().map(|outcome| outcome.befell).sum();
            let sum = false_deaths(all);
            if sum == 0 { "none".into() } else { format!("{sum} (of {befell} nodes)") }
        };
        let (ours, theirs) = (false_deaths(self.ours), false_deaths(self.theirs));
        Row {
            what: format!("the same runs, {}, {}: false Dead, by all nodes together", self.counted, self.under),
            ours: told(self.ours),
            theirs: told(self.theirs),
            ratio: (theirs > 0).then(|| ours as f64 / theirs as f64),
            ..Row::default()
        }
    }

    fn all_know(&self) -> Row {
        let of = |all: &[Outcome]| -> Vec<f64> { all.iter().map(|outcome| outcome.all).collect() };
        let (ours, theirs) = (of(self.ours), of(self.theirs));
        let least = ours.len().min(theirs.len());
        let (p99, all_know) = (percentile(&ours, 99), self.all_heard());
        Row {
            what: format!("all know − first Dead, {}: periods, {} of {}", self.under, spread_of(least), self.runs()),
            ours: spread(&ours, least, self.waited(self.ours)),
            theirs: spread(&theirs, least, self.waited(self.theirs)),
            ratio: Some(p99 / percentile(&theirs, 99)).filter(|ratio| *ratio > 0.0),
            gate: format!("{} ≤ 2, none missing", p99_of(least)),
            aim: "1.2".into(),
            holds: Some((p99 <= 2.0 && all_know, p99 <= 1.2 && all_know)),
        }
    }

    fn all_heard(&self) -> bool {
        self.ours.iter().all(|outcome| outcome.missing == 0)
    }

    /// Periods from the first Dead to the end where not all knew by then: the fewest of all such runs.
    fn waited(&self, all: &[Outcome]) -> f64 {
        let window = self.window as f64;
        let unfinished = all.iter().filter(|outcome| outcome.all.is_infinite() && outcome.first.is_finite());
        unfinished.map(|outcome| (window - outcome.first).floor()).fold(window, f64::min)
    }

    fn missing(&self) -> Row {
        let told = |all: &[Outcome]| {
            if all.iter().all(|outcome| outcome.missing == 0) {
                return "none".to_owned();
            }
            let runs = all.iter().filter(|outcome| outcome.missing > 0).count();
            let missing: usize = all.iter().map(|outcome| outcome.missing).sum();
            let most = all.iter().map(|outcome| outcome.missing).max().unwrap_or(0);
            format!("{missing} in {runs} of {} runs, at most {most}", all.len())
        };
        Row {
            what: format!("who has not heard of it after {} periods, {}, {}", self.window, self.under, self.runs()),
            ours: told(self.ours),
            theirs: told(self.theirs),
            gate: "none".into(),
            holds: Some((self.all_heard(), false)),
            ..Row::default()
        }
    }
}

/// By all nodes of all runs.
pub(crate) fn false_deaths(all: &[Outcome]) -> u64 {
    all.iter().map(|outcome| outcome.false_dead).sum()
}
