//! From plain to sealed, until a date: who is spoken to in which way (`docs/wire.md`, "Migration").
//!
//! Invariants: nothing plain is heard or sent once the date has come; whoever was heard sealed last is spoken to sealed; one hello
//! for an address in [`HELLO_EVERY`]; as many addresses at most as there may be sessions of others.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use swim_core::Instant;

use super::Plain;
use crate::seed::canonical;

#[derive(Debug)]
pub(super) struct Migration {
    pub(super) plain: Plain,
    until: Instant,
    /// The same as a date: a machine that sleeps may have a clock that stands still, and the date goes on.
    date: Option<SystemTime>,
    /// Addresses that are kept, at most.
    max: usize,
    /// By canonical address. Never walked through but to let go of what is old.
    contacts: HashMap<SocketAddr, Contact>,
    swept: Option<Instant>,
    thinned: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Contact {
    /// When something sealed was opened last that came from there, if nothing plain came from there since.
    sealed: Option<Instant>,
    /// The number in the last hello, and when that was said.
    hello: Option<(u64, Instant)>,
}

impl Migration {
    /// With room for so many addresses: as many as there may be sessions of others, so that whoever seals is known.
    pub(super) fn new(cluster: &str, until: Instant, date: Option<SystemTime>, max: usize) -> Self {
        Self { plain: Plain::new(cluster), until, date, max, contacts: HashMap::new(), swept: None, thinned: None }
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        now >= self.until
    }

    pub(super) fn is_over_by(&self, date: SystemTime) -> bool {
        self.date.is_some_and(|until| date >= until)
    }

    /// Something sealed of a session that lives was opened.
    pub(super) fn heard_sealed(&mut self, now: Instant, from: SocketAddr) {
        if !self.has_room(&canonical(from)) && is_due(&mut self.thinned, now) {
            // Those of whom nothing sealed came may be anybody.
            self.contacts.retain(|_, contact| contact.sealed.is_some());
        }
        if let Some(contact) = self.contact(now, from) {
            contact.sealed = Some(now);
        }
    }

    /// Something plain came. Perhaps it is a node that was started without its keys again.
    pub(super) fn heard_plain(&mut self, from: SocketAddr) {
        if let Some(contact) = self.contacts.get_mut(&canonical(from)) {
            contact.sealed = None;
        }
    }

    pub(super) fn seals_to(&self, to: SocketAddr) -> bool {
        self.contacts.get(&canonical(to)).is_some_and(|contact| contact.sealed.is_some())
    }

    /// Whether this address is to be asked now if it opens what is sealed. Then it is asked for this number.
    pub(super) fn hello(&mut self, now: Instant, to: SocketAddr, nonce: impl FnOnce() -> Option<u64>) -> Option<u64> {
        let contact = self.contact(now, to)?;
        if contact.hello.is_some_and(|(_, at)| now.since(at) < HELLO_EVERY) {
            return None;
        }
        contact.hello = Some((nonce()?, now));
        contact.hello.map(|(nonce, _)| nonce)
    }

    /// Whether this is what that address was asked for.
    pub(super) fn is_answered_by(&self, now: Instant, nonce: u64, from: SocketAddr) -> bool {
        let hello = self.contacts.get(&canonical(from)).and_then(|contact| contact.hello);
        hello.is_some_and(|(asked, at)| asked == nonce && now.since(at) < HELLO_EVERY)
    }

    /// Addresses that are kept, and the most.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.contacts.len(), self.max)
    }

    fn contact(&mut self, now: Instant, addr: SocketAddr) -> Option<&mut Contact> {
        let addr = canonical(addr);
        if !self.has_room(&addr) && is_due(&mut self.swept, now) {
            // Those for whom it makes no difference.
            self.contacts.retain(|_, contact| {
                contact.sealed.is_some_and(|at| now.since(at) < SEALED_FOR)
                    || contact.hello.is_some_and(|(_, at)| now.since(at) < HELLO_EVERY)
            });
        }
        self.has_room(&addr).then(|| self.contacts.entry(addr).or_default())
    }

    fn has_room(&self, addr: &SocketAddr) -> bool {
        self.contacts.len() < self.max || self.contacts.contains_key(addr)
    }
}

/// Whether all contacts may be walked through: once a second for each reason to, however many knock.
fn is_due(last: &mut Option<Instant>, now: Instant) -> bool {
    let is_due = last.is_none_or(|at| now.since(at) >= SWEEP_EVERY);
    if is_due {
        *last = Some(now);
    }
    is_due
}

/// How long it is known for sure, when there is no room for all, who is spoken to sealed.
const SEALED_FOR: Duration = Duration::from_secs(600);
const HELLO_EVERY: Duration = Duration::from_secs(10);
const SWEEP_EVERY: Duration = Duration::from_secs(1);

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_bounded_and_the_old_give_way() {
        let mut migration = Migration::new("c", Instant::NEVER, None, 4_096);
        let addr = |n: u32| SocketAddr::from((n.to_be_bytes(), 7_946));
        let at = Instant::from_millis;
        let hellos = (0..5_000).filter(|&n| migration.hello(at(0), addr(n), || Some(1)).is_some()).count();
        assert_eq!((hellos, migration.contacts.len()), (4_096, 4_096));
        migration.heard_sealed(at(1_000), addr(7));
        assert_eq!(migration.hello(at(9_999), addr(7), || Some(2)), None, "once in ten seconds");
        assert_eq!(migration.hello(at(9_999), addr(6_000), || Some(2)), None, "nobody is old");
        assert_eq!(migration.hello(at(10_999), addr(6_000), || Some(2)), Some(2));
        assert_eq!(migration.contacts.len(), 2);
        assert!(migration.seals_to(addr(7)) && !migration.seals_to(addr(6_000)), "until something plain comes");
        migration.heard_plain(addr(7));
        migration.heard_plain(addr(8));
        assert!(!migration.seals_to(addr(7)) && migration.contacts.len() == 2);
        assert!(migration.is_answered_by(at(11_000), 2, addr(6_000)));
        assert!(!migration.is_answered_by(at(11_000), 1, addr(6_000)));
        assert!(!migration.is_answered_by(at(20_999), 2, addr(6_000)), "too late");
    }

    /// Whoever speaks plain may be anybody, and says it from any address; who is spoken to sealed is known all the same.
    #[test]
    fn who_seals_finds_room_among_any_number_of_others() {
        let mut migration = Migration::new("c", Instant::NEVER, None, 4_096);
        let addr = |n: u32| SocketAddr::from((n.to_be_bytes(), 7_946));
        let at = Instant::from_millis;
        assert!((0..5_000).all(|n| (n < 4_096) == migration.hello(at(0), addr(n), || Some(1)).is_some()));
        migration.heard_sealed(at(1), addr(9_000));
        assert!(migration.seals_to(addr(9_000)) && !migration.seals_to(addr(1)));
        assert!((0..5_000).filter(|&n| migration.hello(at(2), addr(n), || Some(1)).is_some()).count() == 4_095);
        assert!(migration.seals_to(addr(9_000)));
        // It costs a walk through all of them, so the next one waits for a second.
        for (ms, is_known) in [(3, false), (1_000, false), (1_001, true)] {
            migration.heard_sealed(at(ms), addr(9_001));
            assert_eq!(migration.seals_to(addr(9_001)), is_known, "{ms}");
        }
        assert_eq!(migration.contacts.len(), 2);
    }

    #[test]
    fn an_address_is_one_however_it_is_written() {
        let mut migration = Migration::new("c", Instant::from_millis(5), None, 1);
        migration.heard_sealed(Instant::ORIGIN, "[::ffff:10.0.0.1]:7".parse().unwrap());
        assert!(migration.seals_to("10.0.0.1:7".parse().unwrap()));
        assert!(!migration.is_over(Instant::from_millis(4)) && migration.is_over(Instant::from_millis(5)));
    }
}
