//! Every known scenario has a test that carries its id, and `docs/scenarios.md` says which. `SWIM_BLESS=1` writes it anew.

mod goldens;
mod ids;
mod scan;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use ids::{FEW, OTHERS, SECTIONS};

/// Test names by id, and by test name the files that run it.
type Covered = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

const SUITES: [&str; 3] = ["suite", "suite_inspect", "suite_faults"];

/// Fewer seeds than this need a reason.
const ENOUGH: u64 = 100;

/// All sources below a directory, with their paths from there, in order. What a `cfg` guards is left out.
fn sources(root: &Path) -> Vec<(String, String)> {
    let (mut all, mut guarded) = (Vec::new(), Vec::new());
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
                let below = below.to_string_lossy().replace('\\', "/");
                let (code, modules) = scan::unconditional(&scan::code_only(&text));
                guarded.extend(modules.iter().flat_map(|name| module_paths(&below, name)));
                all.push((below, code));
            }
        }
    }
    all.retain(|(path, _)| !guarded.iter().any(|module| path.starts_with(module)));
    all.sort();
    all
}

/// How the path of a module's file can begin when this file declares it.
fn module_paths(file: &str, name: &str) -> Vec<String> {
    let own = file.strip_suffix(".rs").unwrap_or(file);
    let beside = own.rsplit_once('/').map_or("", |(dir, _)| dir);
    [beside, own].iter().flat_map(|dir| [".rs", "/"].map(|end| format!("{dir}/{name}{end}"))).collect()
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
                names.extend(list.iter().map(|(name, _)| name.clone()));
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

/// Tests whose name begins like an id that there is not: a slip of the pen, or an id that should be listed.
fn unknown(covered: &Covered) -> Vec<&String> {
    let known: BTreeSet<&str> = SECTIONS.iter().flat_map(|(_, ids)| *ids).chain(OTHERS).map(|(id, _)| *id).collect();
    let unknown = covered.iter().filter(|(id, _)| !known.contains(id.as_str()));
    unknown.flat_map(|(_, tests)| tests.keys()).collect()
}

/// What is wrong with these numbers of seeds: too few without a reason, or a reason that no entry needs.
fn too_few(listed: &[(String, u64)], reasons: &[(&str, &str)]) -> Vec<String> {
    let few: Vec<&(String, u64)> = listed.iter().filter(|(_, seeds)| *seeds < ENOUGH).collect();
    let has_reason = |name: &str, seeds| seeds > 0 && reasons.iter().any(|(n, _)| *n == name);
    let bad = few.iter().filter(|(name, seeds)| !has_reason(name, *seeds)).map(|(n, s)| format!("{n}: {s} seeds"));
    let idle = reasons.iter().filter(|(n, _)| !few.iter().any(|(name, _)| name == n));
    bad.chain(idle.map(|(n, _)| format!("{n}: needs no reason"))).collect()
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
            let tests =
                covered.get(*id).into_iter().flatten().map(|(name, files)| format!("`{name}` ({})", places(files)));
            let tests: Vec<String> = tests.collect();
            let tests = if tests.is_empty() { "none".into() } else { tests.join("<br>") };
            let _ = writeln!(text, "| {id} | {holds} | {tests} |");
        }
    }
    text
}

/// Where a test runs; the files of all bindings have one name.
fn places(files: &BTreeSet<String>) -> String {
    let (bindings, others): (Vec<&str>, Vec<&str>) = files
        .iter()
        .map(String::as_str)
        .partition(|file| file.starts_with("bind-") && file.contains("/tests/conformance"));
    let all = ["every binding"].into_iter().filter(|_| bindings.len() == BINDINGS);
    let some = bindings.iter().copied().filter(|_| bindings.len() != BINDINGS);
    all.chain(some).chain(others).collect::<Vec<_>>().join(", ")
}

/// One of the bindings is tested on two runtimes.
const BINDINGS: usize = 4;

#[test]
fn every_scenario_has_a_test_and_the_document_says_which() {
    let covered = covered(&sources(&root()));
    let (path, now) = (root().join("docs/scenarios.md"), document(&covered));
    if std::env::var_os("SWIM_BLESS").is_some_and(|v| v == "1") {
        fs::write(&path, &now).expect("docs can be written");
    }
    let missing = missing(&covered);
    assert!(missing.is_empty(), "no test carries the id of {}", missing.join(", "));
    let unknown = unknown(&covered);
    assert!(unknown.is_empty(), "named like scenarios that are not listed: {unknown:?}");
    let idle: Vec<_> = OTHERS.iter().filter(|(id, _)| !covered.contains_key(*id)).collect();
    assert!(idle.is_empty(), "no test carries the id of {idle:?}");
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == now,
        "docs/scenarios.md is not up to date: SWIM_BLESS=1 cargo test -p conformance --test coverage"
    );
}

/// A scenario that no list names would never run, and one with a handful of seeds shows little.
#[test]
fn every_scenario_is_in_a_list_with_enough_seeds() {
    let sources = sources(&root().join("conformance/src"));
    let (_, lists) = sources.iter().find(|(path, _)| path == "suite.rs").expect("the lists are there");
    let listed: Vec<(String, u64)> = SUITES.iter().flat_map(|suite| scan::listed(lists, suite)).collect();
    assert_eq!(too_few(&listed, FEW), [""; 0]);
    let mut listed: Vec<String> = listed.into_iter().map(|(name, _)| name).collect();
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
    let source = |text: &str| vec![("x/tests/y.rs".to_owned(), scan::unconditional(&scan::code_only(text)).0)];
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
        text.replace("#[test]\nfn c7_", "#[cfg(windows)]\n#[test]\nfn c7_"),
        text.replace("#[test]\nfn c7_", "#[test]\n#[cfg(any(test, unix))]\nfn c7_"),
        text.replace("#[test]\nfn c7_", "#[cfg_attr(unix, ignore)]\n#[test]\nfn c7_"),
        text.replace("#[test]\nfn c7_holds() {}", "#[cfg(unix)]\nmod m {\n #[test]\n fn c7_holds() {}\n}"),
        text.replace("#[test]\nfn c7_holds() {}", "#[cfg(unix)]\nmod m { mod n { #[test]\n fn c7_holds() { () } } }"),
    ] {
        assert_ne!(spoilt, text);
        assert_eq!(missing(&covered(&source(&spoilt))), ["C7"], "{spoilt}");
    }
    // What stands around a test does not hide it.
    for dressed in [
        text.replace("#[test]\nfn c7_", "/// Shows [this].\n#[should_panic(expected = \"x[\")]\n#[test]\nfn c7_"),
        text.replace("#[test]\nfn c7_", "#[some_runtime::test(flavor = \"one\")]\npub async fn c7_"),
        text.replace("#[test]\nfn c7_holds() {}", "#[cfg(test)]\nmod m {\n #[test]\n fn c7_holds() {}\n}"),
        text.replace("#[test]\nfn c7_", "#[cfg(windows)]\nuse a::{b, c};\n#[test]\nfn c7_"),
        text.replace("#[test]\nfn c7_", "#[cfg(windows)]\nfn f(a: [u8; 2]) -> u8 { a[0] }\n#[test]\nfn c7_"),
        text.replace("#[test]\nfn c7_", "struct S {\n #[cfg(unix)]\n a: u8\n}\n#[test]\nfn c7_"),
        format!("#![cfg_attr(not(test), no_std)]\n{text}"),
        text.replace("#[test]\nfn c7_", "const Q: [char; 2] = ['\"', '\\''];\nfn f<'a>() {}\n#[test]\nfn c7_"),
    ] {
        assert_eq!(missing(&covered(&source(&dressed))), [""; 0], "{dressed}");
    }
}

#[test]
fn a_file_that_is_not_always_compiled_counts_nothing() {
    let code = |text: &str| scan::unconditional(&scan::code_only(text));
    assert_eq!(code("#![warn(x)]\n#![cfg(unix)]\n#[test]\nfn c7_x() {}"), (String::new(), vec![]));
    // Nor does a suite that is invoked under a condition, or a module in a file of its own.
    assert!(!scan::invokes(&code("#[cfg(unix)]\nconformance::suite!(Sim);").0, "suite"));
    let (_, modules) = code("#[cfg(test)]\nmod a;\n#[cfg(unix)]\npub(crate) mod b;\nmod c;\n#[cfg(unix)]\nmod d {}");
    assert_eq!(modules, ["b"]);
    assert_eq!(module_paths("x/src/y.rs", "b"), ["x/src/b.rs", "x/src/b/", "x/src/y/b.rs", "x/src/y/b/"]);
}

#[test]
fn an_id_that_is_not_listed_is_unknown() {
    let names = |text: &str| {
        let covered = covered(&[("x/tests/y.rs".to_owned(), text.to_owned())]);
        unknown(&covered).into_iter().cloned().collect::<Vec<_>>()
    };
    assert_eq!(names("#[test]\nfn c17_x() {}\n#[test]\nfn z1_y() {}\n#[test]\nfn c07_z() {}").len(), 3);
    assert_eq!(names("#[test]\nfn c7_x() {}\n#[test]\nfn i1_y() {}\n#[test]\nfn utf8_z() {}\nfn c99_w() {}"), [""; 0]);
}

#[test]
fn few_seeds_need_a_reason() {
    let list = "macro_rules! suite {\n identity {\n a1_x: 100,\n a2_y: 99,\n a3_z: 1..=10,\n a4_w: MANY,\n a5_v: 200..=300,\n }\n}\n";
    let listed = scan::listed(list, "suite");
    let seeds: Vec<u64> = listed.iter().map(|(_, seeds)| *seeds).collect();
    assert_eq!(seeds, [100, 99, 1, 0, 200]);
    assert_eq!(too_few(&listed, &[]), ["a2_y: 99 seeds", "a3_z: 1 seeds", "a4_w: 0 seeds"]);
    // A reason is for few, not for none, and one that nothing needs is out of date.
    let reasons = [("a1_x", ""), ("a2_y", ""), ("a3_z", ""), ("a4_w", ""), ("a9_u", "")];
    assert_eq!(too_few(&listed, &reasons), ["a4_w: 0 seeds", "a1_x: needs no reason", "a9_u: needs no reason"]);
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
