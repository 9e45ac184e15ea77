//! Small clusters, which show what the large ones do.

use std::time::Duration;

use swim_core::Config;

use super::super::table::{Cell, Table};
use super::*;
use crate::link::secs;

fn found(table: RapidTable, nodes: u32, span: Duration) -> RapidFound {
    rapid(&RapidArgs { trials: 2, nodes, span, ..RapidArgs::of(table) })
}

fn value(table: &Table, column: &str) -> f64 {
    let at = table.columns.iter().position(|head| head == column).unwrap();
    match table.rows[0][at] {
        Cell::Measured { value, .. } => value,
        ref cell => panic!("{cell:?} is not measured:\n{table}"),
    }
}

#[test]
fn all_find_each_other_and_few_sizes_are_seen_by_who_looks_once_a_second() {
    let table = found(RapidTable::Bootstrap, 60, secs(0)).summary;
    let seconds = value(&table, "seconds");
    assert!(seconds > 0.0 && seconds < 10.0, "{table}");
    let [looking, any] = ["sizes, looking each second", "sizes, any moment"].map(|column| value(&table, column));
    assert!(looking >= 1.0 && looking <= any && any <= 60.0, "{table}");
}

#[test]
fn who_crashes_is_dead_for_all_after_the_suspicion_and_what_it_takes_to_begin_it() {
    let n = 60;
    let table = found(RapidTable::Crash, n, secs(0)).summary;
    let (shortest, longest) = Config::lan("sim").suspicion_bounds(n as usize);
    let [first, all] = ["first knows, s", "all know, s"].map(|column| value(&table, column));
    assert!(shortest.as_secs_f64() < first && first <= all && all < longest.as_secs_f64(), "{table}");
    let [received, sent] = ["KB/s received", "KB/s sent"].map(|column| value(&table, column));
    assert!(received > 0.1 && received < sent && sent < 2.0, "what is sent to the dead is not received:\n{table}");
}

#[test]
fn who_is_deaf_by_turns_is_dead_by_turns() {
    let RapidFound { summary, curve } = found(RapidTable::FlipFlop, 30, secs(60));
    assert_eq!(value(&summary, "healthy dead"), 0.0, "{summary}");
    assert!(value(&summary, "faulty dead") >= 1.0 && value(&summary, "faulty back") >= 1.0, "{summary}");
    assert_eq!(value(&summary, "least seen"), 29.0, "{summary}");
    let curve = curve.unwrap();
    assert_eq!(curve.rows.len(), 3 * (60 / 5 + 1), "{curve}");
    assert_eq!(curve.rows[0], [Cell::Count(0), Cell::text("least"), Cell::Count(30)], "{curve}");
    assert!(curve.rows.iter().any(|row| row[1] == Cell::text("median") && row[2] == Cell::Count(29)), "{curve}");
}

#[test]
fn who_loses_most_of_what_it_sends_harms_nobody_else() {
    let summary = found(RapidTable::EgressLoss, 30, secs(60)).summary;
    assert_eq!(value(&summary, "healthy dead"), 0.0, "{summary}");
    assert!(value(&summary, "least seen") >= 29.0, "{summary}");
    assert!(value(&summary, "all well, s") < 60.0, "{summary}");
}

#[test]
fn the_seed_decides_everything() {
    let of =
        |seed| rapid(&RapidArgs { seed, trials: 1, nodes: 12, span: secs(30), ..RapidArgs::of(RapidTable::FlipFlop) });
    assert_eq!(of(1), of(1));
    let crash = |seed| rapid(&RapidArgs { seed, trials: 1, nodes: 12, ..RapidArgs::of(RapidTable::Crash) });
    assert_ne!(crash(1).summary.rows, crash(2).summary.rows);
}
