//! What people write, for the fuzzer: config files, seeds, faults.

use std::path::Path;

use bind_mio::Seed;

use crate::config_file::{File, Sources};
use crate::output::Failure;
use crate::sim::fault_spec;

/// Any text as a config file, each line of it as a `--set`, as a seed and as a fault: taken, or refused with words.
///
/// # Panics
/// When there is a bug.
pub fn config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    file(&text);
    if let Err((line, why)) = fault_spec::parse_file(&text) {
        assert!((1..=text.lines().count() + 1).contains(&line) && !why.is_empty(), "{line}: {why:?}");
    }
    for line in text.lines().take(16) {
        set(line);
        seed(line);
        fault(line);
    }
}

fn file(text: &str) {
    let path = Path::new("swim.toml");
    let file = match File::parse(path, text) {
        Ok(file) => file,
        Err(why) => return assert!(why.starts_with("swim.toml:"), "{why:?} says where"),
    };
    assert!(
        file.tags().iter().all(|(key, _)| text.contains(key.as_str()) || text.contains('\\')),
        "tags are in the text"
    );
    resolve(&Sources { cluster: None, preset: None, file: Some(file), set: &[] });
}

fn set(line: &str) {
    resolve(&Sources { cluster: Some("c"), preset: None, file: None, set: &[line.to_owned()] });
}

fn resolve(sources: &Sources<'_>) {
    match sources.config(Some("c")) {
        Ok(resolved) => assert_eq!(resolved.config.validate(), Ok(())),
        Err(Failure::Usage(why)) => assert!(!why.is_empty()),
        Err(other) => panic!("{other:?} is not about what was written"),
    }
}

fn seed(line: &str) {
    match line.parse::<Seed>() {
        Ok(seed) => assert_eq!(seed.to_string().parse::<Seed>(), Ok(seed.clone()), "{line:?} reads as it is written"),
        Err(why) => assert!(!why.to_string().is_empty()),
    }
}

fn fault(line: &str) {
    match fault_spec::parse(line) {
        Ok(fault) => assert_eq!(fault.label, line),
        Err(why) => assert!(why.contains("at character"), "{why:?} says where"),
    }
}
