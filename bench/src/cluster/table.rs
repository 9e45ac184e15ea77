//! The table that is printed, and the arithmetic of it.

/// One line: what was measured of both, and whether the target holds.
#[derive(Default)]
pub(super) struct Row {
    pub(super) what: String,
    pub(super) ours: String,
    pub(super) foca: String,
    pub(super) ratio: Option<f64>,
    pub(super) gate: String,
    pub(super) aim: String,
    /// Whether the gate holds, and whether the aim is reached: nothing where there is no target.
    pub(super) holds: Option<(bool, bool)>,
}

pub(super) fn print(rows: &[Row]) {
    println!("| what | ours | foca | ratio | gate | aim | holds |");
    println!("|---|---|---|---|---|---|---|");
    for Row { what, ours, foca, ratio, gate, aim, holds } in rows {
        let ratio = ratio.filter(|ratio| ratio.is_finite()).map_or(String::new(), |ratio| format!("{ratio:.2}"));
        let holds = match holds {
            None => "",
            Some((false, _)) => "**no**",
            Some((true, false)) => "yes",
            Some((true, true)) => "yes, and the aim",
        };
        println!("| {what} | {ours} | {foca} | {ratio} | {gate} | {aim} | {holds} |");
    }
}

/// Mean and its standard error.
#[derive(Clone, Copy)]
pub(super) struct Mean {
    pub(super) mean: f64,
    pub(super) error: f64,
}

pub(super) fn mean(values: impl IntoIterator<Item = f64>) -> Mean {
    let values: Vec<f64> = values.into_iter().collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    Mean { mean, error: (variance / n).sqrt() }
}

impl std::fmt::Display for Mean {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} ± {:.2}", self.mean, self.error)
    }
}

/// The value at or below which this share of all lies, in per cent. What did not come about is infinite.
pub(super) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
}

/// A value, or that it is beyond what was waited for.
pub(super) fn bounded(value: f64, waited: f64) -> String {
    if value.is_finite() { format!("{value:.2}") } else { format!("> {waited:.0}") }
}

/// Median, 99th percentile and greatest.
pub(super) fn spread(values: &[f64], waited: f64) -> String {
    [50, 99, 100].map(|percent| bounded(percentile(values, percent), waited)).join(" / ")
}
