//! The table that is printed, and the arithmetic of it.

/// One line: what was measured of both, and whether the target holds.
#[derive(Default)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) ours: String,
    pub(crate) theirs: String,
    pub(crate) ratio: Option<f64>,
    pub(crate) gate: String,
    pub(crate) aim: String,
    /// Whether the gate holds, and whether the aim is reached: nothing where there is no target.
    pub(crate) holds: Option<(bool, bool)>,
}

pub(crate) fn print(peer: &str, rows: &[Row]) {
    println!("| what | ours | {peer} | ratio | gate | aim | holds |");
    println!("|---|---|---|---|---|---|---|");
    for Row { what, ours, theirs, ratio, gate, aim, holds } in rows {
        let ratio = ratio.filter(|ratio| ratio.is_finite()).map_or(String::new(), |ratio| format!("{ratio:.2}"));
        let holds = match holds {
            None => "",
            Some((false, _)) => "**no**",
            Some((true, false)) => "yes",
            Some((true, true)) => "yes, and the aim",
        };
        println!("| {what} | {ours} | {theirs} | {ratio} | {gate} | {aim} | {holds} |");
    }
}

/// Mean and its standard error.
#[derive(Clone, Copy)]
pub(crate) struct Mean {
    pub(crate) mean: f64,
    pub(crate) error: f64,
}

pub(crate) fn mean(values: impl IntoIterator<Item = f64>) -> Mean {
    let values: Vec<f64> = values.into_iter().collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    Mean { mean, error: (variance / n).sqrt() }
}

impl std::fmt::Display for Mean {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.mean.is_finite() {
            return f.write_str("not in all runs");
        }
        write!(f, "{:.2} ± {:.2}", self.mean, self.error)
    }
}

/// The value at or below which this share of all lies, in per cent. What did not come about is infinite.
pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
}

/// A value, or that it is beyond what was waited for.
pub(crate) fn bounded(value: f64, waited: f64) -> String {
    if value.is_finite() { format!("{value:.2}") } else { format!("> {waited:.0}") }
}

/// Of fewer runs the 99th percentile is the greatest, and is called so.
const MANY: usize = 100;

/// How the 99th percentile of so many runs is called.
pub(crate) fn p99_of(runs: usize) -> &'static str {
    if runs < MANY { "max" } else { "p99" }
}

/// What [`spread`] tells of so many runs.
pub(crate) fn spread_of(runs: usize) -> &'static str {
    if runs < MANY { "p50 / max" } else { "p50 / p99 / max" }
}

/// Median, 99th percentile where there are so many runs that there is one, and greatest.
pub(crate) fn spread(values: &[f64], runs: usize, waited: f64) -> String {
    let percents: &[usize] = if runs < MANY { &[50, 100] } else { &[50, 99, 100] };
    percents.iter().map(|&percent| bounded(percentile(values, percent), waited)).collect::<Vec<_>>().join(" / ")
}

/// How many runs there are of ours and of theirs: not all may have come to something.
pub(crate) fn runs(ours: usize, theirs: usize) -> String {
    if ours == theirs { format!("{ours} runs") } else { format!("{ours} and {theirs} runs") }
}
