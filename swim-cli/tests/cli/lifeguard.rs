//! `swim sim experiment lifeguard`, on a grid of one cell.

use crate::util::Swim;
use serde_json::Value;

fn printed(more: &[&str]) -> String {
    let cell = [
        "sim",
        "experiment",
        "lifeguard",
        "--nodes",
        "16",
        "--trials",
        "1",
        "--concurrent",
        "4",
        "--duration",
        "16384",
        "--interval",
        "64",
    ];
    let mut swim = Swim::start(&[&cell[..], more].concat());
    let code = swim.exit_code();
    assert_eq!(code, Some(0), "{more:?}: {}", swim.stderr.text());
    swim.stdout.text()
}

#[test]
fn both_tables_show_what_was_published_and_name_their_grid() {
    let text = printed(&[]);
    for said in ["LHA-Suspicion", "(94.08)", "(84.5)", "C = 4 members", "D = 16384 ms", "I = 64 ms", "seed 1"] {
        assert!(text.contains(said), "{said} is missing: {text}");
    }
}

#[test]
fn the_seed_decides_and_a_table_can_be_chosen() {
    let args = |seed| ["--table", "alpha", "--format", "json", "--seed", seed];
    let (one, again, other) = (printed(&args("1")), printed(&args("1")), printed(&args("2")));
    assert_eq!(one, again);
    assert_ne!(one, other);
    let tables: Vec<Value> = one.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(tables.len(), 1);
    let alphas: Vec<u64> = tables[0]["rows"].as_array().unwrap().iter().map(|row| row[0].as_u64().unwrap()).collect();
    assert_eq!(alphas, [5, 4, 2]);
}

#[test]
fn what_cannot_be_measured_is_refused() {
    for args in [["--nodes", "7"], ["--duration", "0"], ["--interval", "x"], ["--table", "beta"]] {
        let mut swim = Swim::start(&[&["sim", "experiment", "lifeguard"], &args[..]].concat());
        assert_eq!(swim.exit_code(), Some(2), "{args:?}");
        assert!(swim.stderr.text().contains(args[0]), "{}", swim.stderr.text());
    }
}
