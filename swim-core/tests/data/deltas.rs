//! Deltas that cannot be taken over in one go: cut by a full datagram, with more entries than are taken of one, or too
//! large beside what is held from before.

use std::time::Duration;

use crate::util::data::*;
use crate::util::*;
use swim_core::wire::{Message, StateEntry, StateHead, Writer};
use swim_core::{Command, NodeId};

/// Most entries that are taken of one datagram.
const TAKEN: u32 = 512;

/// The state of a member, as that one has it.
struct Owner {
    peer: Peer,
    version: u32,
    /// The newest version of a tombstone that is gone.
    gc: u32,
    /// Version, key and value, oldest first.
    entries: Vec<(u32, String, Vec<u8>)>,
}

impl Owner {
    fn new(peer: Peer) -> Self {
        Self { peer, version: 0, gc: 0, entries: Vec::new() }
    }

    /// With so many keys of a byte each.
    fn with_keys(peer: Peer, keys: u32) -> Self {
        let mut owner = Self::new(peer);
        (0..keys).for_each(|k| owner.put(&format!("k{k}"), b"v"));
        owner
    }

    fn put(&mut self, key: &str, value: &[u8]) {
        self.version += 1;
        self.entries.retain(|(_, of, _)| of != key);
        self.entries.push((self.version, key.to_owned(), value.to_vec()));
    }

    /// What it has behind this version, in so many bytes at most, or the first entry alone.
    fn write(&self, w: &mut Writer<'_>, from: u32, most: usize) {
        let behind = self.entries.iter().filter(|(version, ..)| *version > from);
        let entries: Vec<StateEntry<'_>> = behind.map(|(version, key, value)| entry(*version, key, value)).collect();
        let head = StateHead { from, gc: self.gc, ..head_of(&self.peer, self.version) };
        assert!(w.state(&head, most, entries.into_iter()).is_some());
    }

    /// The same as told by somebody; an answer when it has a nonce.
    fn told(&self, by: &Peer, nonce: Option<u32>, from: u32, most: usize) -> Vec<u8> {
        written(by, |w| {
            assert!(nonce.is_none_or(|nonce| w.message(Message::Delta { nonce })));
            assert!(w.open_states());
            self.write(w, from, most);
            w.close_section();
        })
    }

    /// That peer answers all digests, until there are no more of them. Returns the versions that it was asked to go on
    /// from.
    fn answer(&self, b: &mut Bench, by: &Peer, most: usize) -> Vec<u32> {
        let mut asked = Vec::new();
        while let Some((nonce, from)) = digests(b, by).pop() {
            let [(id, from)] = from[..] else { panic!("one member is asked about: {from:?}") };
            assert!(id == self.peer.id && asked.len() < 1_000);
            asked.push(from);
            b.sent.clear();
            b.recv_from(by.addr, &self.told(by, Some(nonce), from, most));
        }
        asked
    }

    fn is_held(&self, b: &Bench) -> bool {
        let own = self.entries.iter().map(|(version, key, value)| (*version, key.as_str(), value.as_slice()));
        let mut held: Vec<_> = b.node.state(self.peer.id).map(|e| (e.version, e.key, e.value)).collect();
        held.sort_unstable();
        b.node.state_version(self.peer.id) == self.version && held.into_iter().eq(own)
    }
}

/// The digests that were sent to this peer: the nonce, and about whom, from which version on.
fn digests(b: &Bench, to: &Peer) -> Vec<(u32, Vec<(NodeId, u32)>)> {
    let of = |s: &Sent| match s.message() {
        Some(Message::Digest { nonce }) => Some((nonce, s.frame().digests().map(|d| (d.id, d.version)).collect())),
        _ => None,
    };
    b.sent.iter().filter(|s| s.to == to.addr).filter_map(of).collect()
}

/// About whom this peer was asked, and from which version on.
fn asked_about(b: &Bench, to: &Peer) -> Vec<(NodeId, u32)> {
    digests(b, to).into_iter().flat_map(|(_, about)| about).collect()
}

/// News that was cut because the datagram was full shows that there is more: whoever told it is asked at once.
#[test]
fn what_found_no_room_in_news_is_asked_for() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let (teller, mut owner) = (peers[0], Owner::with_keys(peers[1], 20));
    b.recv_from(teller.addr, &owner.told(&teller, None, 0, 40));
    let reached = b.node.state_version(owner.peer.id);
    assert!((1..20).contains(&reached), "{reached}");
    assert_eq!((asked_about(&b, &teller), b.sent.len()), (vec![(owner.peer.id, reached)], 1));
    assert_eq!(owner.answer(&mut b, &teller, usize::MAX), [reached]);
    assert!(owner.is_held(&b));
    // Also where nothing of what came is new.
    owner.put("k20", b"v");
    b.recv_from(teller.addr, &owner.told(&teller, None, 0, 40));
    assert_eq!(owner.answer(&mut b, &teller, usize::MAX), [20]);
    assert!(owner.is_held(&b));
    // What is whole is not asked for.
    owner.put("k21", b"v");
    b.clear();
    b.recv_from(teller.addr, &owner.told(&teller, None, 21, usize::MAX));
    b.recv_from(teller.addr, &owner.told(&teller, None, 0, usize::MAX));
    assert!(owner.is_held(&b) && b.sent.is_empty());
    // It may be the first part of a reset, too: the owner has deleted the last key, and dropped the tombstone.
    owner.put("k21", b"");
    owner.entries.pop();
    owner.gc = owner.version;
    b.recv_from(teller.addr, &owner.told(&teller, None, 0, 40));
    assert_eq!(owner.answer(&mut b, &teller, usize::MAX), [reached]);
    assert!(owner.is_held(&b));
    b.clear();
    b.recv_from(teller.addr, &owner.told(&teller, None, 0, usize::MAX));
    assert!(owner.is_held(&b) && b.sent.is_empty());
}

/// A datagram as large as UDP has them, full of tiny entries: what is beyond the bound is asked for, as if it had not
/// been in it, whether it was told or asked for.
#[test]
fn so_many_entries_are_taken_of_a_datagram() {
    for (most, digests) in [(usize::MAX, 3), (1_200, 15)] {
        let (mut b, peers) = Bench::with_peers(config(), 3);
        let (teller, owner) = (peers[0], Owner::with_keys(peers[1], 2_000));
        b.recv_from(teller.addr, &owner.told(&teller, None, 0, usize::MAX));
        assert_eq!(b.node.state_version(owner.peer.id), TAKEN);
        assert_eq!(b.node.state(owner.peer.id).count(), TAKEN as usize);
        let asked = owner.answer(&mut b, &teller, most);
        assert!(asked[0] == TAKEN && asked.len() <= digests, "{asked:?}");
        if most == usize::MAX {
            assert_eq!(asked, [TAKEN, 2 * TAKEN, 3 * TAKEN], "an answer is bounded, too");
        }
        assert!(owner.is_held(&b));
    }
}

/// The bound is one for all members in a datagram; those of whom nothing is taken are asked for like the others.
#[test]
fn so_many_entries_are_taken_of_all_members_in_a_datagram() {
    let (mut b, peers) = Bench::with_peers(config(), 4);
    let teller = peers[0];
    let owners: Vec<Owner> = peers[1..].iter().map(|&p| Owner::with_keys(p, 400)).collect();
    let told = written(&teller, |w| {
        assert!(w.open_states());
        owners.iter().for_each(|owner| owner.write(w, 0, usize::MAX));
        w.close_section();
    });
    b.recv_from(teller.addr, &told);
    let held: Vec<u32> = owners.iter().map(|owner| b.node.state_version(owner.peer.id)).collect();
    assert_eq!(held, [400, TAKEN - 400, 0]);
    let mut asked = asked_about(&b, &teller);
    asked.sort_unstable();
    assert_eq!(asked, [(owners[1].peer.id, TAKEN - 400), (owners[2].peer.id, 0)]);
    for (nonce, about) in digests(&b, &teller) {
        let [(id, from)] = about[..] else { panic!("each has a digest of its own: {about:?}") };
        let owner = owners.iter().find(|owner| owner.peer.id == id).unwrap();
        b.recv_from(teller.addr, &owner.told(&teller, Some(nonce), from, usize::MAX));
    }
    assert!(owners.iter().all(|owner| owner.is_held(&b)));
    assert_eq!(b.node.check(), Ok(()));
}

/// A holder that got a part of its owner's state each time it was another holds of all of them what is overwritten
/// further on. When that is more than a state may have, nothing that follows finds room, so it begins anew, and gets
/// there.
#[test]
fn a_copy_from_too_many_moments_begins_anew() {
    for told in [true, false] {
        let mut c = config();
        c.state_bytes = 2_048;
        let (mut b, peers) = Bench::with_peers(c, 3);
        let (teller, mut owner) = (peers[0], Owner::new(peers[1]));
        let large = [1; 900];
        // Each pair is large at first, and made small behind the next pair.
        for key in ["a1", "a2"] {
            owner.put(key, &large);
        }
        b.recv_from(teller.addr, &owner.told(&teller, Some(0), 0, usize::MAX));
        for (key, value) in [("a1", &[][..]), ("a2", &[]), ("b1", &large), ("b2", &large), ("a1", b"x"), ("a2", b"x")] {
            owner.put(key, value);
        }
        b.recv_from(teller.addr, &owner.told(&teller, Some(0), 2, 2 * large.len() + 14));
        let held: Vec<(String, u32)> = b.node.state(owner.peer.id).map(|e| (e.key.to_owned(), e.version)).collect();
        assert_eq!(held, [("a1", 1), ("a2", 2), ("b1", 5), ("b2", 6)].map(|(key, version)| (key.to_owned(), version)));
        for (key, value) in [("b1", &[][..]), ("b2", &[]), ("c1", &large), ("c2", &large)] {
            owner.put(key, value);
        }
        ["a1", "a2", "b1", "b2"].into_iter().for_each(|key| owner.put(key, b"y"));
        assert!(b.sent.is_empty() && b.node.stats().deltas_refused == 0);
        // It is told the next part, or that there is something, and asks.
        let from = if told { 6 } else { owner.version };
        b.recv_from(teller.addr, &owner.told(&teller, None, from, large.len() + 20));
        let asked = owner.answer(&mut b, &teller, large.len() + 20);
        assert!(asked.starts_with(&[6, 0]), "{asked:?}");
        assert!(owner.is_held(&b), "{asked:?}");
        assert_eq!((b.node.stats().deltas_refused, b.node.stats().state_refused), (1 + u64::from(told), 0));
        assert_eq!(b.node.check(), Ok(()));
    }
}

/// A member whose config allows it more has written more than this node may hold. All of it is asked for again, in case what
/// is held was gathered from too many moments; but ever less often, though each announcement brings a question.
#[test]
fn what_is_more_than_may_be_held_is_seldom_begun_anew() {
    let mut c = config();
    c.state_bytes = 2_048;
    let (mut b, peers) = Bench::with_peers(c, 3);
    let (teller, mut owner) = (peers[0], Owner::new(peers[1]));
    for key in ["a", "b", "c", "d", "e", "f"] {
        owner.put(key, &[1; 900]);
    }
    let most = 2 * 900 + 40;
    let mut asked = Vec::new();
    for n in 0..3_600 {
        if n % 10 == 0 {
            // What it says besides comes, and says nothing of its state.
            b.recv_from(owner.peer.addr, &rumors(&owner.peer, &[rumor_of(&owner.peer, 1 + n / 10, 1, b"x")]));
        }
        b.recv_from(teller.addr, &owner.told(&teller, None, owner.version, most));
        asked.extend(owner.answer(&mut b, &teller, most));
        b.run_with(Duration::from_secs(1), &peers);
        b.sent.clear();
    }
    assert_eq!(b.node.check(), Ok(()));
    let anew = asked.iter().filter(|from| **from == 0).count();
    assert!((60..75).contains(&anew), "soon once a minute: {anew}");
    assert!(asked.len() < 3_600 + 4 * anew, "else one question for each announcement: {}", asked.len());
    // What fits is taken.
    ["a", "b", "c", "d", "e"].into_iter().for_each(|key| owner.put(key, b"x"));
    b.recv_from(teller.addr, &owner.told(&teller, None, owner.version, most));
    owner.answer(&mut b, &teller, most);
    assert!(owner.is_held(&b));
}

/// What others say of this node's own state is not taken over, and counted: as known, or as what it never wrote.
#[test]
fn deltas_of_my_own_state_are_counted() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    b.command(Command::Put { key: "k", value: b"1", ttl: None });
    let me = Peer { id: b.me(), addr: addr(0), incarnation: b.node.me().incarnation() };
    let mut forged = Owner::with_keys(me, 1);
    b.recv_from(peers[0].addr, &forged.told(&peers[0], None, 0, usize::MAX));
    assert_eq!((b.node.stats().deltas_stale, b.node.stats().deltas_refused), (1, 0));
    forged.put("k", b"2");
    b.recv_from(peers[0].addr, &forged.told(&peers[0], None, 0, usize::MAX));
    assert_eq!((b.node.stats().deltas_stale, b.node.stats().deltas_refused), (1, 1));
    assert!(b.node.state(me.id).map(|e| (e.key, e.value)).eq([("k", &b"1"[..])]));
}
