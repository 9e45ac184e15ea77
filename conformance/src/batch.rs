//! Batches over seeds, on all cores, and the figures that come out of them.

use std::fmt;
use std::io::{self, Write as _};
use std::ops::RangeInclusive;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::harness::Harness;
use crate::replayed::{self, Replayed};
use crate::run::Run;

/// How many seeds a scenario is run with: by default, and at most, whatever the environment asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeds {
    few: u64,
    most: u64,
}

impl From<u64> for Seeds {
    /// So many, and as many as the environment asks.
    fn from(few: u64) -> Self {
        Self { few, most: u64::MAX }
    }
}

impl From<RangeInclusive<u64>> for Seeds {
    /// So many, and at most so many, because a run is long or draws nothing.
    fn from(range: RangeInclusive<u64>) -> Self {
        Self { few: *range.start(), most: *range.end() }
    }
}

impl Seeds {
    /// The seeds themselves: `SWIM_SEED` alone, or the first `SWIM_SEEDS`, or the default, of which as many as make sense.
    fn list(self, again: &str, sensible: impl Fn(u64, bool) -> u64) -> Vec<u64> {
        let read = |name| {
            std::env::var(name).ok().map(|v| v.parse::<u64>().unwrap_or_else(|_| panic!("{name}={v}: not a number")))
        };
        // FNV-1a: the same on every machine.
        let own = again
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        self.chosen(read("SWIM_SEED"), read("SWIM_SEEDS"), own >> 32, sensible)
    }

    fn chosen(self, one: Option<u64>, many: Option<u64>, own: u64, sensible: impl Fn(u64, bool) -> u64) -> Vec<u64> {
        match (one, many) {
            (Some(one), _) => vec![one],
            (None, Some(n)) => (1..=n.min(self.most)).collect(),
            (None, None) => match sensible(self.few, self.most < u64::MAX) {
                all if all == self.few => (1..=all).collect(),
                // Where few are played, each test has others, so that what is left to chance comes out in all ways somewhere.
                some => (0..some).map(|i| 1 + (own + i) % self.few).collect(),
            },
        }
    }
}

/// Runs a scenario with its seeds, and prints the figures that it notes, and how much of the lives in it was replayed. `again` is
/// the command that reruns it.
///
/// # Panics
/// When the scenario does; then it has said with which seed. When there is no seed, or no life was replayed.
pub fn batch<H: Harness>(seeds: impl Into<Seeds>, again: &str, scenario: fn(&mut Run)) {
    let runs = over(seeds.into().list(again, H::seeds), again, |seed| play(seed, H::excuse, scenario, tell));
    let (figures, replayed): (Vec<_>, Vec<Replayed>) = runs.into_iter().unzip();
    let replayed: Replayed = replayed.into_iter().sum();
    // A node that is alone may have seen nothing, and has lived all the same.
    assert!(replayed.lives > 0, "no life was replayed");
    println!("replayed: {replayed}");
    let all: Vec<(&str, f64)> = figures.into_iter().flatten().collect();
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in &all {
        if !names.contains(name) {
            names.push(name);
        }
    }
    for name in names {
        println!("{name}: {}", summary(all.iter().filter(|(n, _)| *n == name).map(|(_, value)| *value)));
    }
}

/// Plays a scenario with one seed, and again when it fails and there is an excuse: the figures that it notes, and what was
/// replayed.
fn play(seed: u64, excuse: fn() -> Option<String>, scenario: fn(&mut Run), tell: fn(&str)) -> Played {
    // Of the run before, which is no excuse for this one.
    let _ = excuse();
    let mut attempt = 1;
    loop {
        let _ = replayed::take();
        let mut run = Run::new(seed);
        // Nothing of a run that failed is looked at again.
        match panic::catch_unwind(AssertUnwindSafe(|| scenario(&mut run))) {
            Ok(()) => return (run.into_figures(), replayed::take()),
            Err(failure) => match excuse() {
                Some(excuse) if attempt < ATTEMPTS && !run.is_never_excused() => {
                    tell(&format!("attempt {attempt} at seed {seed} shows nothing: {excuse}"));
                }
                _ => panic::resume_unwind(failure),
            },
        }
        attempt += 1;
    }
}

/// The figures of a run, and what was replayed of it.
type Played = (Vec<(&'static str, f64)>, Replayed);

/// Not captured, as what a test prints is: it has to be seen how often a run is excused.
fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// What fails so often has another reason than the machine, or tells nothing on this one.
const ATTEMPTS: u32 = 3;

/// The command that reruns a test, of a test program that may have modules.
#[doc(hidden)]
pub fn rerun((package, program): (&str, &str), module: &str, test: &str) -> String {
    let below = module.split_once("::").map_or(String::new(), |(_, path)| format!("{path}::"));
    format!("cargo test -p {package} --test {program} {below}{test}")
}

/// Runs `f` for every seed, on all cores; results come in the order of the seeds. A failure names its seed.
///
/// # Panics
/// When `f` does. When there is no seed.
pub fn over_seeds<T: Send>(seeds: impl Into<Seeds>, f: impl Fn(u64) -> T + Sync) -> Vec<T> {
    over(seeds.into().list("", |n, _| n), "and the name of this test", f)
}

fn over<T: Send>(seeds: Vec<u64>, again: &str, f: impl Fn(u64) -> T + Sync) -> Vec<T> {
    // A test of nothing would pass.
    assert!(!seeds.is_empty(), "no seed, so nothing was shown");
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(seeds.len());
    let work = || {
        let mut done = Vec::new();
        while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
            let hint = Hint { seed, again };
            done.push((seed, f(seed)));
            std::mem::forget(hint);
        }
        done
    };
    let mut all: Vec<(u64, T)> = std::thread::scope(|s| {
        let workers: Vec<_> = (0..threads).map(|_| s.spawn(work)).collect();
        workers.into_iter().flat_map(|w| w.join().unwrap_or_else(|e| panic::resume_unwind(e))).collect()
    });
    all.sort_by_key(|(seed, _)| *seed);
    all.into_iter().map(|(_, t)| t).collect()
}

/// Dropped only by a panic: then it says how to run that seed alone.
struct Hint<'a> {
    seed: u64,
    again: &'a str,
}

impl Drop for Hint<'_> {
    fn drop(&mut self) {
        eprintln!("failed at seed {0}; rerun with SWIM_SEED={0} {1}", self.seed, self.again);
    }
}

/// Mean, standard error, median, 99th percentile and maximum.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// The mean.
    pub mean: f64,
    /// The standard error of the mean.
    pub error: f64,
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The greatest value.
    pub max: f64,
}

/// The summary of these values.
///
/// # Panics
/// When there are none.
pub fn summary(values: impl IntoIterator<Item = f64>) -> Summary {
    let mut v: Vec<f64> = values.into_iter().collect();
    assert!(!v.is_empty(), "nothing to sum up");
    v.sort_by(f64::total_cmp);
    let n = v.len() as f64;
    let mean = v.iter().sum::<f64>() / n;
    let variance = v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    let at = |q: f64| v[((n - 1.0) * q).round() as usize];
    Summary { mean, error: (variance / n).sqrt(), p50: at(0.5), p99: at(0.99), max: at(1.0) }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mean, error, p50, p99, max } = self;
        write!(f, "mean {mean:.3} ± {error:.3} (standard error), median {p50:.3}, p99 {p99:.3}, max {max:.3}")
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn every_seed_is_run_once_and_in_order() {
        let ran = over(vec![3, 1, 2, 9], "", |seed| seed * 10);
        assert_eq!(ran, [10, 20, 30, 90]);
    }

    #[test]
    fn the_command_names_the_module() {
        let rerun = |module| rerun(("bind-x", "conformance"), module, "a1_");
        assert_eq!(rerun("conformance"), "cargo test -p bind-x --test conformance a1_");
        assert_eq!(rerun("conformance::own::loops"), "cargo test -p bind-x --test conformance own::loops::a1_");
    }

    #[test]
    fn a_failing_seed_fails_the_batch() {
        let batch = || over((1..=8).collect(), "", |seed| assert_ne!(seed, 5));
        assert!(panic::catch_unwind(batch).is_err());
    }

    #[test]
    fn a_failure_counts_unless_it_is_excused_and_at_last_it_does() {
        thread_local! { static PLAYED: Cell<u32> = const { Cell::new(0) } }
        let played = |excuse: fn() -> Option<String>, scenario: fn(&mut Run)| {
            PLAYED.set(0);
            let result = panic::catch_unwind(|| {
                play(1, excuse, scenario, |text| assert!(text.ends_with("it rained"), "{text}"))
            });
            (result.is_ok(), PLAYED.get())
        };
        let fails = |_: &mut Run| {
            PLAYED.set(PLAYED.get() + 1);
            panic!("on purpose");
        };
        let fails_twice = |_: &mut Run| {
            PLAYED.set(PLAYED.get() + 1);
            assert!(PLAYED.get() > 2, "on purpose");
        };
        assert_eq!(played(|| None, fails), (false, 1));
        assert_eq!(played(|| Some("it rained".into()), fails), (false, ATTEMPTS));
        assert_eq!(played(|| Some("it rained".into()), fails_twice), (true, 3));
        assert_eq!(played(|| None, |run| assert_eq!(run.below(1), 0)), (true, 0));
    }

    #[test]
    fn without_a_seed_nothing_is_shown() {
        let asked_for_none = Seeds::from(100).chosen(None, Some(0), 7, |n, _| n);
        let lists_none = Seeds::from(0).chosen(None, None, 7, |n, _| n);
        let none_makes_sense = Seeds::from(100).chosen(None, None, 7, |_, _| 0);
        for seeds in [asked_for_none, lists_none, none_makes_sense] {
            let panic = panic::catch_unwind(|| over(seeds, "", |_| ())).expect_err("nothing was shown");
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"no seed, so nothing was shown"));
        }
        assert_eq!(Seeds::from(1..=3).chosen(None, Some(9), 7, |n, _| n), [1, 2, 3]);
        assert_eq!(Seeds::from(1..=3).chosen(Some(9), Some(0), 7, |n, _| n), [9]);
    }

    #[test]
    fn where_few_are_played_each_test_has_its_own() {
        let few = |own| Seeds::from(100).chosen(None, None, own, |n, _| n.min(2));
        assert_eq!((few(0), few(98), few(99)), (vec![1, 2], vec![99, 100], vec![100, 1]));
        let asked = |own| Seeds::from(100).chosen(None, Some(3), own, |_, _| 1);
        assert_eq!((asked(0), asked(98)), (vec![1, 2, 3], vec![1, 2, 3]), "who asks for more gets them");
        let of_capped = |seeds: Seeds| seeds.chosen(None, None, 0, |n, capped| if capped { n / 50 } else { n / 10 });
        assert_eq!(
            (of_capped(100.into()).len(), of_capped((100..=100).into()).len()),
            (10, 2),
            "fewer where the list says how many are too many"
        );
    }

    #[test]
    fn a_summary_of_known_values() {
        let s = summary((1..=101).map(f64::from));
        assert_eq!((s.mean, s.p50, s.p99, s.max), (51.0, 51.0, 100.0, 101.0));
        assert!((s.error - 2.915).abs() < 0.001, "{}", s.error);
    }
}
