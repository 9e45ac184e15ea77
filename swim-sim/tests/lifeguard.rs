//! Lifeguard's configurations beside what was published of them, and this project's own beside them: `cargo test --release -p swim-sim
//! --test lifeguard -- --nocapture` prints the tables.
//!
//! Unoptimised, the cluster is a quarter as large and the grid has one cell.

use swim_sim::experiments::{Cell, LifeguardArgs, LifeguardTable, Table, lifeguard};

fn args(table: LifeguardTable, trials: u32) -> LifeguardArgs {
    let default = LifeguardArgs { trials, tables: vec![table], ..LifeguardArgs::default() };
    if cfg!(debug_assertions) {
        LifeguardArgs { nodes: 32, concurrent: vec![8], durations: vec![16_384], intervals: vec![64], ..default }
    } else {
        default
    }
}

fn value(table: &Table, row: usize, column: &str) -> f64 {
    let column = table.columns.iter().position(|head| head == column).expect("the table has this column");
    match table.rows[row][column] {
        Cell::Measured { value, .. } | Cell::Computed(value) => value,
        ref other => panic!("{other:?} is no number"),
    }
}

/// Shares of plain SWIM's false positives: about the published ones, and in their order as far as these trials tell them apart. Ours has
/// none.
///
/// The Buddy System alone changes too little here to be told from chance (100.7 ± 0.7 % over 8 trials, published 94 %), and the order of
/// LHA-Suspicion and Lifeguard (2.2 ± 0.1 and 2.2 ± 0.2 %) says as little.
#[test]
fn shares_are_about_the_published_ones_and_ours_has_none() {
    let tables = lifeguard(&args(LifeguardTable::Configurations, 1));
    let table = &tables[0];
    println!("{table}");
    let [swim, probe, suspicion, buddy, lifeguard, ours] = [0, 1, 2, 3, 4, 5].map(|row| value(table, row, "FP"));
    assert!(swim > 0.0 && suspicion < probe && suspicion < buddy && lifeguard < probe.min(buddy));
    assert_eq!((ours, value(table, 5, "FP-")), (0.0, 0.0));
    if cfg!(debug_assertions) {
        return;
    }
    assert!(swim.min(buddy) > probe && probe > 10.0 * suspicion.max(lifeguard), "the published order");
    // The small ones are a few bursts, whose number differs from trial to trial by a quarter and more.
    for (row, published, factor) in [(1, 67.72, 1.5), (2, 3.0, 2.5), (3, 94.08, 1.15), (4, 1.53, 2.5)] {
        let share = value(table, row, "FP %");
        assert!(
            (published / factor..=published * factor).contains(&share),
            "row {row}: {share}, published {published}"
        );
    }
}

/// A shorter suspicion is a shorter time until all know of a failure, by about the published shares.
#[test]
fn latency_goes_down_with_alpha() {
    let tables = lifeguard(&args(LifeguardTable::Alpha, 1));
    let table = &tables[0];
    println!("{table}");
    let shares = [0, 1, 2].map(|row| value(table, row, "all %"));
    assert!(shares[0] > shares[1] && shares[1] > shares[2], "{shares:?}");
    for (share, published) in shares.into_iter().zip([100.0, 84.5, 57.0]) {
        assert!((share / published - 1.0).abs() < 0.2, "{shares:?}");
    }
}
