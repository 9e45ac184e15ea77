//! `swim sim experiment swim` and `... rapid`: the real nodes beside what was published.

use std::path::Path;

use crate::util::Swim;

fn printed(args: &[&str]) -> String {
    crate::util::printed(&["sim", "experiment"], args)
}

#[test]
fn every_table_has_the_published_values_beside_ours() {
    let swim = printed(&["swim", "--trials", "3", "--nodes", "5"]);
    assert_eq!(swim.matches("Das et al. 2002").count(), 5, "{swim}");
    assert!(swim.contains("1.582") && swim.contains("2.000 ±") && swim.contains("0.007728"), "{swim}");
    let joins = printed(&["swim", "--table", "joins", "--trials", "2"]);
    for published in ["(2)", "(4)", "(12)"] {
        assert!(joins.contains(published), "{published} is not beside it: {joins}");
    }
    let rapid = printed(&["rapid", "--trials", "1", "--nodes", "10", "--span", "5"]);
    assert_eq!(rapid.matches("Suresh et al. 2018").count(), 4, "{rapid}");
    assert!(rapid.contains("1858") && rapid.contains("41 to 47"), "{rapid}");
}

#[test]
fn json_is_one_object_per_table_and_curves_come_on_request() {
    let args = ["rapid", "--table", "crash,egress-loss", "--trials", "1", "--nodes", "10", "--span", "10"];
    let tables = |more: &[&str]| -> Vec<serde_json::Value> {
        let all = [&args[..], &["--format", "json"], more].concat();
        printed(&all).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_eq!(tables(&[]).len(), 2);
    let with_curves = tables(&["--curves"]);
    assert_eq!(with_curves.len(), 3);
    assert_eq!(with_curves[2]["rows"].as_array().unwrap().len(), 3 * 3);
    assert_eq!(tables(&[]), tables(&[]), "the seed decides");
}

#[test]
fn curves_are_drawn_on_request() {
    let file = |name: &str| Path::new(env!("CARGO_TARGET_TMPDIR")).join(name).to_str().unwrap().to_owned();
    let (swim, rapid) = (file("swim.svg"), file("rapid.svg"));
    for file in [&swim, &rapid] {
        let _ = std::fs::remove_file(file);
    }
    printed(&["swim", "--table", "load,dissemination", "--trials", "2", "--nodes", "5,8", "--plot", &swim]);
    let svg = std::fs::read_to_string(&swim).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("half know") && svg.contains("all know"), "{svg}");
    let faults = ["rapid", "--table", "flip-flop,egress-loss", "--trials", "1", "--nodes", "10", "--span", "10"];
    printed(&[&faults[..], &["--plot", &rapid]].concat());
    let svg = std::fs::read_to_string(&rapid).unwrap();
    assert!(svg.contains("flip-flop: median") && svg.contains("egress loss: least"), "{svg}");
}

#[test]
fn what_cannot_be_measured_is_refused() {
    for (args, reason) in [
        (&["swim", "--nodes", "4"][..], "--nodes"),
        (&["swim", "--table", "rounds"], "--table"),
        (&["rapid", "--nodes", "9"], "--nodes"),
        (&["rapid", "--span", "0"], "--span"),
        (&["rapid", "--table", "crash", "--plot", "crash.svg"], "flip-flop"),
    ] {
        let mut swim = Swim::start(&[&["sim", "experiment"], args].concat());
        assert_eq!(swim.exit_code(), Some(2), "{args:?}");
        assert!(swim.stderr.text().contains(reason), "{}", swim.stderr.text());
    }
}
