//! The examples do what they say.

// As a program it has a `main`, which nobody calls here.
#[expect(dead_code)]
#[path = "../../examples/bare.rs"]
mod bare;

use swim_core::State;

#[test]
fn bare_finds_the_crash() {
    let mut members = bare::run();
    members.sort_by(|a, b| a.0.cmp(&b.0));
    let states = members.iter().map(|(name, state)| (name.as_str(), *state));
    let wanted = [("node-0", State::Alive), ("node-1", State::Alive), ("node-2", State::Dead)];
    assert!(states.eq(wanted), "{members:?}");
}
