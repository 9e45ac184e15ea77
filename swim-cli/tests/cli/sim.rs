//! `swim sim`: tables for people and for programs, the same for the same seed.

use std::path::Path;

use crate::util::Swim;

fn printed(args: &[&str]) -> String {
    crate::util::printed(&["sim", "experiment"], args)
}

#[test]
fn every_experiment_prints_what_it_measures_beside_what_was_published() {
    let rounds =
        printed(&["rounds", "--trials", "20", "--nodes", "10,100", "--fan-out", "1", "--mode", "push,push-pull"]);
    assert_eq!(rounds.lines().filter(|l| l.trim_start().starts_with("push")).count(), 4, "{rounds}");
    let demers = printed(&["demers", "--trials", "20", "--k", "1,2"]);
    assert_eq!(demers.matches("(table ").count(), 3, "{demers}");
    for published in ["(0.18)", "(0.037)", "(16.8)"] {
        assert!(demers.contains(published), "{published} is not beside it: {demers}");
    }
    let residue = printed(&["residue", "--trials", "20", "--nodes", "50", "--budget", "3", "--loss", "0,25"]);
    assert!(residue.contains("±"), "{residue}");
}

#[test]
fn json_is_one_object_per_table_and_the_seed_decides() {
    let args = |seed| ["demers", "--trials", "20", "--k", "1", "--format", "json", "--seed", seed];
    let (one, again, other) = (printed(&args("1")), printed(&args("1")), printed(&args("2")));
    assert_eq!(one, again);
    assert_ne!(one, other);
    let tables: Vec<serde_json::Value> = one.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(tables.len(), 3);
    for table in tables {
        let columns = table["columns"].as_array().unwrap().len();
        assert!(
            columns > 3 && table["rows"].as_array().unwrap().iter().all(|row| row.as_array().unwrap().len() == columns)
        );
    }
}

#[test]
fn what_cannot_be_measured_is_refused() {
    for args in [
        &["rounds", "--trials", "0"][..],
        &["rounds", "--nodes", "1"],
        &["residue", "--loss", "101"],
        &["demers", "--k", "0"],
    ] {
        let mut swim = Swim::start(&[&["sim", "experiment"], args].concat());
        assert_eq!(swim.exit_code(), Some(2), "{args:?}");
        assert!(swim.stderr.text().contains(args[1]), "{}", swim.stderr.text());
    }
}

#[test]
fn curves_are_drawn_on_request() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rounds.svg");
    let _ = std::fs::remove_file(&file);
    let args = ["rounds", "--trials", "5", "--nodes", "10,100", "--plot", file.to_str().unwrap()];
    assert!(printed(&args).contains("Rounds until all know"), "the table is printed as ever");
    let svg = std::fs::read_to_string(&file).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("push-pull, fan-out 3"), "{svg}");

    let nowhere = file.join("place.svg");
    let mut swim = Swim::start(&["sim", "experiment", "demers", "--trials", "2", "--plot", nowhere.to_str().unwrap()]);
    assert_eq!(swim.exit_code(), Some(1));
    assert!(swim.stderr.text().contains("place.svg"), "{}", swim.stderr.text());
}
