use super::*;

fn state(former: &MemberState, publication: u64, entries: &[(&str, &str, u32)]) -> MemberState {
    let version = entries.iter().map(|entry| entry.2).max().unwrap_or(0);
    let entries = entries.iter().map(|&(key, value, version)| Entry { key, value: value.as_bytes(), version });
    MemberState::of(version, entries, former, publication, false)
}

#[test]
fn entries_are_found_by_key_and_by_prefix() {
    let entries = [("b/2", "x", 1), ("a", "y", 2), ("b", "z", 3), ("b/10", "", 4), ("c", "", 5)];
    let state = state(&MemberState::default(), 1, &entries);
    let keys = |entries: &[EntryView]| entries.iter().map(|entry| entry.key().to_owned()).collect::<Vec<_>>();
    assert_eq!(keys(state.entries()), ["a", "b", "b/10", "b/2", "c"]);
    assert_eq!(keys(state.with_prefix("b/")), ["b/10", "b/2"]);
    assert_eq!(keys(state.with_prefix("")).len(), 5);
    assert_eq!(keys(state.with_prefix("bb")).len() + keys(state.with_prefix("d")).len(), 0);
    let found = state.find("b").unwrap();
    assert_eq!((found.value(), found.version(), state.version()), (&b"z"[..], 3, 5));
    assert!(state.find("b/").is_none());
}

/// What did not change is the same allocation; what did says what it came after.
#[test]
fn a_change_leaves_the_other_entries_as_they_are() {
    let one = state(&MemberState::default(), 1, &[("a", "1", 1), ("b", "1", 2), ("c", "1", 3)]);
    let two = state(&one, 2, &[("a", "1", 1), ("c", "2", 4), ("d", "", 5)]);
    assert!(!one.is(&two) && two.is(&two.clone()));
    let of = |state: &MemberState, key: &str| state.find(key).unwrap().clone();
    assert!(of(&one, "a").is(&of(&two, "a")));
    assert!(!of(&one, "c").is(&of(&two, "c")));
    assert!(of(&two, "c").follows(one.find("c")) && of(&two, "d").follows(None));
    let three = state(&two, 3, &[("a", "1", 1), ("c", "3", 6)]);
    assert!(of(&three, "c").follows(two.find("c")) && !of(&three, "c").follows(one.find("c")));
    // A restart: the same value at the same version is no change, another one at the same version is.
    let restarted = state(&three, 4, &[("a", "1", 1), ("c", "other", 6)]);
    assert!(of(&restarted, "a").is(&of(&three, "a")) && of(&restarted, "c") != of(&three, "c"));
    let skipped = MemberState::of(7, [Entry { key: "c", value: b"4", version: 7 }].into_iter(), &three, 5, true);
    assert!(!of(&skipped, "c").follows(three.find("c")), "nobody knows what was in between");
}

#[test]
fn no_state_takes_no_memory() {
    let none = state(&MemberState::default(), 1, &[]);
    assert!(none.0.is_none() && none.is(&MemberState::default()));
    assert_eq!((none.version(), none.entries().len(), none.find("a")), (0, 0, None));
    assert_eq!(size_of::<MemberState>(), size_of::<usize>());
    // All was deleted: the version is still to be seen.
    let deleted = MemberState::of(3, std::iter::empty(), &none, 2, false);
    assert_eq!((deleted.version(), deleted.entries().len()), (3, 0));
}
