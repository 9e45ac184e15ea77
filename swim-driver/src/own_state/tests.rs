use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use quickcheck::{Arbitrary, Gen, QuickCheck};

use super::*;

const SECOND: Option<Duration> = Some(Duration::from_secs(1));

/// What the pump does with orders, and a node that has as much room as the real one, and forgets when it is told to.
struct Fake {
    own: OwnState,
    mailbox: Mailbox,
    given: u64,
    /// Length of the value, and whether it has a ttl.
    node: BTreeMap<Box<str>, (usize, bool)>,
    /// It refuses everything.
    leaving: bool,
    refused: bool,
}

impl Fake {
    fn new(max: usize) -> Self {
        let mut config = Config::local("c");
        config.state_bytes = max;
        Self {
            own: OwnState::new(&config),
            mailbox: Mailbox::new(),
            given: 0,
            node: BTreeMap::new(),
            leaving: false,
            refused: false,
        }
    }

    fn put(&self, key: &str, len: usize, ttl: Option<Duration>) -> Result<(), CommandError> {
        self.own.put(&self.mailbox, key, &vec![0; len], ttl).map(Due::wake)
    }

    fn delete(&self, key: &str) {
        self.own.delete(&self.mailbox, key).unwrap().wake();
    }

    /// The node is given one order; on whether there was one.
    fn give(&mut self) -> bool {
        let Some(order) = self.mailbox.take() else { return false };
        self.given += u64::from(order.is_of_state());
        match order {
            _ if self.leaving => self.refused = true,
            Order::Put { key, value, ttl } => {
                self.node.insert(key, (value.len(), ttl.is_some()));
                let bytes: usize = self.node.iter().map(|(key, kept)| cost(key, kept.0)).sum();
                assert!(bytes <= self.own.max, "what was accepted has room");
            }
            Order::Delete { key } => drop(self.node.remove(&key)),
            other => panic!("{other:?}"),
        }
        self.follow();
        true
    }

    /// All that has a ttl vanishes.
    fn expire(&mut self) {
        self.node.retain(|_, kept| !kept.1);
        self.follow();
    }

    fn follow(&mut self) {
        self.own.vanished(self.given, |key| self.node.contains_key(key));
        if self.refused && self.own.anew(self.given, self.node.iter().map(|(key, kept)| (&**key, kept.0))) {
            self.refused = false;
        }
        self.own.check().unwrap();
    }
}

#[test]
fn the_limit_is_exact_and_in_the_error() {
    let (mut fake, max) = (Fake::new(132), 132);
    assert_eq!(fake.put("key", 113, None), Ok(()));
    assert_eq!(fake.put("k", 0, None), Err(CommandError::StateFull { bytes: 149, max }));
    assert_eq!(fake.put("key", 96, None), Ok(()), "in its own place there is room");
    assert_eq!(fake.put("k", 0, None), Ok(()));
    assert_eq!(
        fake.put("key", 97, None).unwrap_err().to_string().split(':').next(),
        Some(
            "this node's state would count 133 bytes (keys, values, and 16 for each entry), and at most 132 may be there"
        )
    );
    fake.delete("k");
    assert_eq!(fake.put("key", 113, None), Ok(()), "a deletion counts when it is accepted");
    while fake.give() {}
    assert_eq!((fake.own.bytes(), fake.given), (132, 5), "what was refused is no order");
}

/// What was not accepted leaves no trace in the mirror.
#[test]
fn a_closed_mailbox_changes_nothing() {
    let fake = Fake::new(100);
    fake.mailbox.close();
    assert_eq!(fake.put("k", 50, None), Err(CommandError::Closed));
    assert!(fake.own.delete(&fake.mailbox, "k").is_err());
    assert_eq!(fake.own.bytes(), 0);
}

#[test]
fn what_has_vanished_makes_room() {
    let mut fake = Fake::new(100);
    fake.put("short", 70, SECOND).unwrap();
    while fake.give() {}
    assert!(fake.put("new", 70, None).is_err());
    fake.expire();
    assert_eq!((fake.own.bytes(), fake.put("new", 70, None)), (0, Ok(())));
}

/// A put that the node has not been given yet is not taken for one that has vanished.
#[test]
fn what_is_under_way_has_not_vanished() {
    let mut fake = Fake::new(100);
    fake.put("k", 10, SECOND).unwrap();
    fake.give();
    fake.put("k", 74, SECOND).unwrap();
    fake.expire();
    assert_eq!(fake.own.bytes(), 91);
    assert!(fake.put("other", 20, None).is_err());
    fake.give();
    fake.expire();
    assert_eq!(fake.own.bytes(), 0);
}

/// A node that leaves refuses, and comes back with what it had.
#[test]
fn after_a_refusal_the_mirror_is_what_the_node_has() {
    let mut fake = Fake::new(148);
    fake.put("kept", 10, None).unwrap();
    fake.put("deleted too late", 10, None).unwrap();
    while fake.give() {}
    fake.leaving = true;
    fake.put("too late", 30, None).unwrap();
    fake.delete("deleted too late");
    assert!(fake.give() && fake.own.bytes() == 84, "one is under way");
    assert!(fake.give() && fake.own.bytes() == 72);
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, usize, bool),
    Delete(u8),
    Give,
    Expire,
    Leaving(bool),
}

impl Arbitrary for Step {
    fn arbitrary(g: &mut Gen) -> Self {
        let key = u8::arbitrary(g) % 5;
        match u8::arbitrary(g) % 16 {
            0..6 => Self::Put(key, usize::arbitrary(g) % 60, bool::arbitrary(g)),
            6..8 => Self::Delete(key),
            8..13 => Self::Give,
            13..15 => Self::Expire,
            _ => Self::Leaving(bool::arbitrary(g)),
        }
    }
}

/// At rest the mirror is the node's state, and what it accepts always has room there.
#[test]
fn at_rest_the_mirror_is_the_state() {
    fn holds(steps: Vec<Step>) -> bool {
        let mut fake = Fake::new(100);
        let key = |key: u8| "k".repeat(usize::from(key) + 1);
        for step in steps {
            match step {
                Step::Put(k, len, mortal) => drop(fake.put(&key(k), len, SECOND.filter(|_| mortal))),
                Step::Delete(k) => fake.delete(&key(k)),
                Step::Give => drop(fake.give()),
                Step::Expire => fake.expire(),
                // It leaves, and comes back, when it has been given all.
                Step::Leaving(leaving) => {
                    while fake.give() {}
                    fake.leaving = leaving;
                }
            }
            fake.own.check().unwrap();
        }
        while fake.give() {}
        fake.own.bytes() == fake.node.iter().map(|(key, kept)| cost(key, kept.0)).sum::<usize>()
    }
    QuickCheck::new().quickcheck(holds as fn(Vec<Step>) -> bool);
}

/// Orders of several threads are accepted one after the other, by mirror and mailbox in one order.
#[test]
fn threads_share_the_room() {
    let mut fake = Fake::new(100);
    let shared = Arc::new(fake);
    thread::scope(|s| {
        for i in 0..4 {
            let fake = Arc::clone(&shared);
            s.spawn(move || {
                for n in 0..100 {
                    match n % 3 {
                        0 => fake.delete(["a", "b", "c", "d"][i]),
                        _ => drop(fake.put(["a", "b", "c", "d"][(i + n) % 4], 20 + n % 30, None)),
                    }
                }
            });
        }
    });
    fake = Arc::into_inner(shared).unwrap();
    let wanted = fake.own.bytes();
    while fake.give() {}
    assert_eq!(fake.node.iter().map(|(key, kept)| cost(key, kept.0)).sum::<usize>(), wanted);
}
