//! Every known scenario has a test that carries its id, and `docs/scenarios.md` says which. `SWIM_BLESS=1` writes it anew.

mod ids;
mod scan;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use ids::SECTIONS;

/// Test names by id, and by test name the files that run it.
type Covered = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

const SUITES: [&str; 2] = ["suite", "suite_inspect"];

/// All sources below a directory, with their paths from there, in order.
fn sources(root: &Path) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut left = vec![root.to_path_buf()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
            let path = entry.expect("a directory can be read to its end").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                left.push(path);
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                let below = path.strip_prefix(root).expect("it was found there");
                all.push((below.to_string_lossy().replace('\\', "/"), scan::code_only(&text)));
            }
        }
    }
    all.sort();
    all
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a workspace").into()
}

/// What these sources cover.
fn covered(sources: &[(String, String)]) -> Covered {
    let lists = sources.iter().find(|(path, _)| path.ends_with("conformance/src/suite.rs"));
    let lists = SUITES.map(|suite| (suite, lists.map_or(Vec::new(), |(_, code)| scan::listed(code, suite))));
    let mut covered = Covered::new();
    for (path, code) in sources {
        let mut names = scan::tests(code);
        for (suite, list) in &lists {
            if scan::invokes(code, suite) {
                names.extend(list.iter().cloned());
            }
        }
        for name in names {
            if let Some(id) = scan::id(&name) {
                covered.entry(id).or_default().entry(name).or_default().insert(path.clone());
            }
        }
    }
    covered
}

fn missing(covered: &Covered) -> Vec<&'static str> {
    let all = SECTIONS.iter().flat_map(|(_, ids)| ids.iter().map(|(id, _)| *id));
    all.filter(|id| !covered.contains_key(*id)).collect()
}

fn document(covered: &Covered) -> String {
    let mut text = String::from(
        "# Scenarios\n\nBugs and outages that systems of this kind have had. Each has tests here that carry its id. Written by \
         `SWIM_BLESS=1 cargo test\n-p conformance --test coverage`, which without `SWIM_BLESS` fails when an id has no test or \
         when this file is not up to date.\n",
    );
    for (section, ids) in SECTIONS {
        let _ = write!(text, "\n## {section}\n\n| id | what must hold | tests |\n|---|---|---|\n");
        for (id, holds) in *ids {
            let tests = covered.get(*id).into_iter().flatten().map(|(name, files)| {
                let files: Vec<&str> = files.iter().map(String::as_str).collect();
                format!("`{name}` ({})", files.join(", "))
            });
            let tests: Vec<String> = tests.collect();
            let tests = if tests.is_empty() { "none".into() } else { tests.join("<br>") };
            let _ = writeln!(text, "| {id} | {holds} | {tests} |");
        }
    }
    text
}

#[test]
fn every_scenario_has_a_test_and_the_document_says_which() {
    let covered = covered(&sources(&root()));
    let (path, now) = (root().join("docs/scenarios.md"), document(&covered));
    if std::env::var_os("SWIM_BLESS").is_some_and(|v| v == "1") {
        fs::write(&path, &now).expect("docs can be written");
    }
    let missing = missing(&covered);
    assert!(missing.is_empty(), "no test carries the id of {}", missing.join(", "));
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == now,
        "docs/scenarios.md is not up to date: SWIM_BLESS=1 cargo test -p conformance --test coverage"
    );
}

/// A scenario that no list names would never run.
#[test]
fn every_scenario_is_in_a_list() {
    let sources = sources(&root().join("conformance/src"));
    let (_, lists) = sources.iter().find(|(path, _)| path == "suite.rs").expect("the lists are there");
    let mut listed: Vec<String> = SUITES.iter().flat_map(|suite| scan::listed(lists, suite)).collect();
    let mut defined: Vec<String> = sources
        .iter()
        .filter(|(path, _)| path.starts_with("scenarios/"))
        .flat_map(|(_, code)| scan::scenarios(code))
        .collect();
    listed.sort();
    defined.sort();
    assert!(defined.len() > 40, "{defined:?}");
    assert_eq!(listed, defined);
}

#[test]
fn an_id_that_no_test_carries_is_missing() {
    let source = |text: &str| vec![("x/tests/y.rs".to_owned(), scan::code_only(text))];
    let mut text = String::new();
    for (_, ids) in SECTIONS {
        ids.iter().for_each(|(id, _)| text += &format!("#[test]\nfn {}_holds() {{}}\n", id.to_lowercase()));
    }
    assert_eq!(missing(&covered(&source(&text))), [""; 0]);
    for spoilt in [
        text.replace("#[test]\nfn c7_", "fn c7_"),
        text.replace("#[test]\nfn c7_", "// #[test]\nfn c7_"),
        text.replace("#[test]\nfn c7_", "/* #[test] /* nested */ */ fn c7_"),
        text.replace("#[test]\nfn c7_", "#[test]\n#[ignore = \"later\"]\nfn c7_"),
        text.replace("#[test]\nfn c7_", "#[test]\nfn holds_c7_"),
        text.replace("#[test]\nfn c7_holds() {}", "const T: &str = \"#[test]\nfn c7_holds() {}\";"),
        text.replace("#[test]\nfn c7_holds() {}", "const T: &str = r#\"\" #[test]\nfn c7_holds() {}\"#;"),
        text.replace("#[test]\nfn c7_", "#[cfg(test)]\nfn c7_"),
    ] {
        assert_ne!(spoilt, text);
        assert_eq!(missing(&covered(&source(&spoilt))), ["C7"], "{spoilt}");
    }
    // What stands around a test does not hide it.
    for dressed in [
        text.replace("#[test]\nfn c7_", "/// Shows [this].\n#[should_panic(expected = \"x[\")]\n#[test]\nfn c7_"),
        text.replace("#[test]\nfn c7_", "#[some_runtime::test(flavor = \"one\")]\npub async fn c7_"),
        text.replace("#[test]\nfn c7_", "const Q: [char; 2] = ['\"', '\\''];\nfn f<'a>() {}\n#[test]\nfn c7_"),
    ] {
        assert_eq!(missing(&covered(&source(&dressed))), [""; 0], "{dressed}");
    }
}

#[test]
fn a_list_counts_where_it_is_invoked() {
    let list = "macro_rules! suite {\n ($h:ty) => { tests! { $h;\n identity {\n a1_x: 100,\n a2_y: 1..=3,\n }\n } };\n}\n\
                macro_rules! suite_inspect {\n identity {\n a3_z: 7,\n }\n}\n";
    let list = ("conformance/src/suite.rs".to_owned(), list.to_owned());
    let file = |text: &str| ("b/tests/c.rs".to_owned(), scan::code_only(text));
    let ids = |sources: &[(String, String)]| covered(sources).into_keys().collect::<Vec<_>>();
    assert_eq!(ids(&[list.clone(), file("// conformance::suite!(Sim);")]), [""; 0]);
    assert_eq!(ids(&[list.clone(), file("conformance::suite!(Sim);")]), ["A1", "A2"]);
    assert_eq!(ids(&[list, file("conformance::suite_inspect!(Sim);")]), ["A3"]);
}
