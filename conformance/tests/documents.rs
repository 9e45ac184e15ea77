//! What the documents must say, because leaving it unsaid has cost others their data. Scenario P24.

use std::path::Path;

/// The text of a file of this workspace, its words one blank apart, without the marks of comments.
fn words(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    text.split_whitespace().filter(|word| !matches!(*word, "///" | "//!" | "//")).collect::<Vec<_>>().join(" ")
}

/// P24: views are eventually the same, so two nodes can at one moment disagree. Whoever decides from a view alone who owns
/// something may find it owned twice. The front page, the protocol and the type itself all say so.
#[test]
fn p24_views_are_no_authority_for_ownership() {
    for path in ["README.md", "docs/protocol.md", "swim-driver/src/view.rs"] {
        let text = words(path);
        assert!(text.contains("never authority for exclusive ownership"), "{path} does not say what a view is not");
        assert!(text.contains("eventually the same"), "{path} does not say what it is instead");
    }
}

/// P24, for states and rumors: the document that says what is promised says so.
#[test]
fn p24_states_and_rumors_are_no_authority_for_ownership() {
    let text = words("docs/data.md");
    assert!(
        text.contains("**never authority for exclusive ownership**"),
        "docs/data.md does not say what a state is not"
    );
    assert!(text.contains("Everything here is **eventual**"), "docs/data.md does not say what it is instead");
}
