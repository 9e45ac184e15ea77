//! Rumors and node state on the real nodes, held to bounds: `swim sim rumors` and `swim sim state` on small clusters.
//!
//! The bounds are some times what is measured: they show what breaks, and not what gets a little worse.

use std::time::Duration;

use swim_sim::experiments::{Cell, RumorsArgs, RumorsTable, StateArgs, StateTable, Table, rumors, state};
use swim_sim::percent;

/// Fewer where nothing is optimised.
fn trials(debug: u32, release: u32) -> u32 {
    if cfg!(debug_assertions) { debug } else { release }
}

fn value(table: &Table, row: usize, column: &str) -> f64 {
    let at = table.columns.iter().position(|head| head == column).expect("the table has this column");
    match &table.rows[row][at] {
        Cell::Count(count) => *count as f64,
        Cell::Computed(value) | Cell::Measured { value, .. } => *value,
        Cell::Text(text) => panic!("{text} is no number"),
    }
}

#[track_caller]
fn at_most(table: &Table, row: usize, column: &str, bound: f64) {
    let value = value(table, row, column);
    assert!(value <= bound, "{column} is {value}, not at most {bound}, in row {row} of\n{table}");
}

/// Delivered by all and once, whatever is lost, and told no more often than the budget has it.
#[test]
fn a_rumor_gets_to_all_within_seconds() {
    let args = RumorsArgs {
        trials: Some(trials(5, 60)),
        sizes: vec![10, 40],
        losses: vec![0, percent(25)],
        ..RumorsArgs::of(RumorsTable::Spread)
    };
    let table = rumors(&args);
    println!("{table}");
    // 1.7 ln(n+1), rounded up; answers come on top of it, and are few.
    for (row, budget) in [5.0, 5.0, 7.0, 7.0].into_iter().enumerate() {
        at_most(&table, row, "missed", 0.0);
        at_most(&table, row, "twice", 0.0);
        at_most(&table, row, "copies per node", budget + 0.5);
        at_most(&table, row, "all have it", 25.0);
        at_most(&table, row, "max", 150.0);
    }
}

/// Less is left over where more is told: by any policy, its k decides.
#[test]
fn stop_policies_leave_less_over_the_more_they_tell() {
    let (ks, trials) = (vec![1, 3], Some(trials(3, 20)));
    let args = RumorsArgs { trials, sizes: vec![100], ks, lambdas: vec![50, 300], ..RumorsArgs::of(RumorsTable::Stop) };
    let table = rumors(&args);
    println!("{table}");
    for row in [0, 2, 4] {
        let (few, many) = (value(&table, row, "traffic m"), value(&table, row + 1, "traffic m"));
        assert!(few < many, "row {row}: {few} copies and {many}\n{table}");
        at_most(&table, row + 1, "residue s", value(&table, row, "residue s"));
    }
    at_most(&table, 1, "residue s", 0.08);
    at_most(&table, 5, "residue s", 0.01);
}

/// What is written by all at once is there soon, each byte sent about once; and what is there costs its hash alone.
#[test]
fn many_keys_get_to_all_and_cost_nothing_afterwards() {
    let sizes = if cfg!(debug_assertions) { vec![10] } else { vec![10, 50] };
    let table = state(&StateArgs { sizes, trials: trials(1, 5), ..StateArgs::of(StateTable::Bulk) });
    println!("{table}");
    for row in 0..table.rows.len() {
        at_most(&table, row, "seconds", 15.0);
        at_most(&table, row, "overhead", 2.5);
        at_most(&table, row, "idle after", 1.01 * value(&table, row, "expected"));
    }
}

/// A key is known about as soon as a member's change of its own row.
#[test]
fn a_key_is_as_fast_as_metadata() {
    let args = StateArgs { sizes: vec![30], trials: trials(4, 40), ..StateArgs::of(StateTable::Change) };
    let table = state(&args);
    println!("{table}");
    at_most(&table, 0, "a node knows", value(&table, 1, "a node knows") + 0.2);
    at_most(&table, 0, "max", 10.0);
}

/// Where all write too much, all get about the same share, and what is left over is fetched as fast as before.
#[test]
fn overload_starves_nobody_and_drains() {
    let (nodes, span) = if cfg!(debug_assertions) { (8, 10) } else { (20, 30) };
    let span = Duration::from_secs(span);
    let table = state(&StateArgs { sizes: vec![nodes], span, ..StateArgs::of(StateTable::Overload) });
    println!("{table}");
    at_most(&table, 0, "worst owner", 2.0);
    at_most(&table, 0, "worst reader", 2.0);
    at_most(&table, 0, "max lag", span.as_secs_f64());
    at_most(&table, 0, "drained", 4.0 * span.as_secs_f64());
}
