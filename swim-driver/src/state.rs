//! One member's state in a [`crate::View`].
//!
//! Invariant: the entries are those that the node had when the member's state last changed, in the order of their keys, and
//! an entry that did not change is the same allocation as before; so what has changed is found by comparing pointers. A member
//! without state takes one word.

use std::fmt;
use std::sync::Arc;

use swim_core::Entry;

/// An entry of a member's state, at one moment. Immutable, and cheap to clone: all who hold it share its bytes.
///
/// Two are equal when key, value and version are.
#[derive(Clone)]
pub struct EntryView(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    key: Box<str>,
    value: Box<[u8]>,
    version: u32,
    /// The publication of the view with which it came, from 1 on.
    came: u64,
    /// That of the entry in whose place it came: 0 where there was none, [`UNKNOWN`] where that cannot be told.
    after: u64,
}

/// No publication has this number: the node has dropped events, so there may have been others in between.
pub(crate) const UNKNOWN: u64 = u64::MAX;

impl EntryView {
    /// Its key.
    pub fn key(&self) -> &str {
        &self.0.key
    }

    /// Its value.
    pub fn value(&self) -> &[u8] {
        &self.0.value
    }

    /// The version of the member's state that wrote it: greater than those of all entries written before in the same life of
    /// the member.
    pub fn version(&self) -> u32 {
        self.0.version
    }

    /// Both are one: nothing has changed between the two.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// It came in the place of that one, or of none, and nothing was there in between.
    pub(crate) fn follows(&self, former: Option<&Self>) -> bool {
        self.0.after == former.map_or(0, |former| former.0.came)
    }

    fn says(&self, entry: &Entry<'_>) -> bool {
        (self.version(), self.key(), self.value()) == (entry.version, entry.key, entry.value)
    }
}

impl PartialEq for EntryView {
    fn eq(&self, other: &Self) -> bool {
        self.is(other) || (self.version(), self.key(), self.value()) == (other.version(), other.key(), other.value())
    }
}

impl Eq for EntryView {}

impl fmt::Debug for EntryView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}: {} bytes", self.key(), self.version(), self.value().len())
    }
}

/// All entries of a member; none, and no allocation, where it never had any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MemberState(Option<Arc<Entries>>);

#[derive(Debug, PartialEq, Eq)]
struct Entries {
    version: u32,
    /// By their keys.
    entries: Box<[EntryView]>,
}

impl MemberState {
    /// What the node has of a member's state, with this publication of the view. `former` is what was published before;
    /// others may have been `skipped` since that.
    pub(crate) fn of<'a>(
        version: u32,
        entries: impl Iterator<Item = Entry<'a>>,
        former: &Self,
        publication: u64,
        skipped: bool,
    ) -> Self {
        let view = |entry: Entry<'a>| match former.find(entry.key) {
            Some(same) if same.says(&entry) => same.clone(),
            before => EntryView(Arc::new(Kept {
                key: entry.key.into(),
                value: entry.value.into(),
                version: entry.version,
                came: publication + 1,
                after: if skipped { UNKNOWN } else { before.map_or(0, |before| before.0.came) },
            })),
        };
        let mut entries: Box<[EntryView]> = entries.map(view).collect();
        if version == 0 && entries.is_empty() {
            return Self(None);
        }
        entries.sort_unstable_by(|a, b| a.key().cmp(b.key()));
        Self(Some(Arc::new(Entries { version, entries })))
    }

    pub(crate) fn version(&self) -> u32 {
        self.0.as_ref().map_or(0, |entries| entries.version)
    }

    /// By their keys.
    pub(crate) fn entries(&self) -> &[EntryView] {
        self.0.as_ref().map_or(&[], |entries| &entries.entries)
    }

    pub(crate) fn find(&self, key: &str) -> Option<&EntryView> {
        let entries = self.entries();
        entries.binary_search_by(|entry| entry.key().cmp(key)).ok().map(|at| &entries[at])
    }

    /// Entries whose keys begin so, by their keys.
    pub(crate) fn with_prefix(&self, prefix: &str) -> &[EntryView] {
        let entries = self.entries();
        let from = entries.partition_point(|entry| entry.key() < prefix);
        let behind = &entries[from..];
        &behind[..behind.partition_point(|entry| entry.key().starts_with(prefix))]
    }

    /// Both are one: nothing has changed between the two.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
