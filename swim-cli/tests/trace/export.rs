//! `swim trace export`: files for the viewers of others.

use crate::files::place;
use crate::several::traces;
use crate::util::{ended, parsed, printed, refused};

#[test]
fn each_viewer_gets_its_format() {
    let traces = traces("trace-export");
    let given: Vec<&str> = traces.iter().map(String::as_str).collect();
    let json = parsed(&printed(&["trace", "export", "perfetto"], &given));
    assert!(json["traceEvents"].as_array().unwrap().len() > 1_000);
    let log = printed(&["trace", "export", "shiviz"], &given);
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines[..2], [r"(?<at>\S*) (?<event>.*)\n(?<host>\S*) (?<clock>\{.*\})", ""]);
    assert!(lines[3].ends_with("}") && lines[3].contains(" {\"") && lines.len() % 2 == 0, "{log}");
    // Two lives of one node are two hosts.
    assert!(log.contains("\ndb-1.1 {") && log.contains("\ndb-1.2 {"), "{log}");
    assert!(!log.contains('\x1b'));

    // Into a file the same, and what it is of.
    let file = place("trace-export.log");
    let into = ["-o", file.to_str().unwrap(), "--format", "json"];
    let told = parsed(&printed(&["trace", "export", "shiviz"], &[&given[..], &into].concat()));
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim_end(), log.trim_end());
    assert_eq!((told["nodes"].as_u64(), told["steps"].as_u64()), (Some(5), Some(lines.len() as u64 / 2 - 1)));
    let said = printed(&["trace", "export", "perfetto"], &[&given[..], &into[..2]].concat());
    assert!(said.contains("trace-export.log: ") && said.contains("5 lives, "), "{said}");
}

#[test]
fn what_cannot_work_is_said() {
    let traces = traces("trace-export-wrong");
    refused(&["trace", "export", "perfetto"], &[&traces[0], "--format", "json"], &["--output"]);
    refused(&["trace", "export", "jaeger"], &[&traces[0]], &["perfetto, shiviz"]);
    refused(&["trace", "export", "shiviz"], &[], &["TRACE"]);
    let (code, _, why) = ended(&["trace", "export", "shiviz"], &[&traces[0], "-o", &format!("{}/x", traces[0])]);
    assert!(code == 1 && why.contains("cannot be written"), "{why}");
    let help = printed(&["trace", "export", "--help"], &[]);
    assert!(
        help.contains(r"(?<at>\S*) (?<event>.*)\n(?<host>\S*) (?<clock>\{.*\})") && help.contains("flow"),
        "{help}"
    );
}
