//! Planted bugs of the core, in builds that have them (`--cfg swim_mutations`): to see that what holds does not hold with
//! each.

use std::cell::Cell;

use swim_core::Mutation;

thread_local! {
    static BUG: Cell<Option<Mutation>> = const { Cell::new(None) };
}

/// From now on the nodes that this thread makes have this bug, or none.
pub fn plant(bug: Option<Mutation>) {
    BUG.set(bug);
}

/// The bug that is planted.
pub(crate) fn bug() -> Option<Mutation> {
    BUG.get()
}
