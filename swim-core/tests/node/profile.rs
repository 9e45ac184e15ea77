//! Profiles that change more often than anybody wants to hear of. Each is told once per second, and the last one stands.

use crate::net::{Net, id};
use crate::util::*;
use swim_core::wire::{Detail, Item, More};
use swim_core::{Command, Config, Node, Profile, Status};

const SECONDS: u64 = 10;

/// Bytes that five nodes send per second while one of them changes its profile every so many microseconds.
fn bytes_per_second(every: u64) -> u64 {
    let mut net = Net::whole(5, &Config::lan("c"), 3);
    let before = net.stat(|s| s.bytes_sent);
    let incarnation = net.nodes[2].me().incarnation();
    let mut meta = [7; Profile::MAX_META];
    let mut passed = 0;
    for n in 1..=SECONDS * 1_000_000 / every {
        meta[..8].copy_from_slice(&n.to_le_bytes());
        net.command(2, Command::SetProfile(&Profile::new("n2", &meta).unwrap()));
        // The network counts in milliseconds.
        net.run(n * every / 1_000 - passed);
        passed = n * every / 1_000;
    }
    let rate = (net.stat(|s| s.bytes_sent) - before) / SECONDS;
    let taken = net.nodes[2].me().incarnation().refutations() - incarnation.refutations();
    assert!(u64::from(taken) <= SECONDS + 1, "{taken} changes in {SECONDS} s");
    let knows = |node: &Node| node.member(id(2)).is_some_and(|m| m.profile().meta() == meta);
    net.until(5, |net| net.nodes.iter().all(knows));
    rate
}

/// Row 12: a profile that is set ten thousand times per second costs what one that is set once per second costs, and the
/// last one is everywhere.
#[test]
fn a_flood_of_own_profiles_is_told_once_per_second() {
    let (calm, flood) = (bytes_per_second(1_000_000), bytes_per_second(100));
    println!("set once per second: {calm} B/s; ten thousand times: {flood} B/s, five nodes together");
    assert!(flood <= calm + calm / 4, "{flood} B/s, and {calm} B/s where nothing is held back");
}

/// The first change after a quiet second is told at once; so is what waits when the node leaves, and a copy that was
/// restored tells it, too.
#[test]
fn a_change_that_waits_is_not_lost() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let meta = |b: &Bench| b.node.me().profile().meta().to_vec();
    for n in [1, 2, 3] {
        b.command(Command::SetProfile(&Profile::new("me", &[n]).unwrap()));
        assert_eq!(meta(&b), [1], "the first at once");
    }
    let mut copy = Node::restore(&b.node.snapshot()).expect("what waits is part of the state");
    b.run_with(ms(999), &peers);
    assert_eq!(meta(&b), [1]);
    b.run_with(ms(1), &peers);
    assert_eq!(meta(&b), [3], "and the last of the others");
    let due = copy.poll_timeout().expect("something waits");
    assert!(due < b.now);
    std::mem::swap(&mut b.node, &mut copy);
    b.now = due;
    b.handle(swim_core::Input::Timeout);
    b.run_with(ms(1_000), &peers);
    assert_eq!(meta(&b), [3]);
    // What is set back meanwhile changes nothing.
    let incarnation = b.node.me().incarnation();
    b.command(Command::SetProfile(&Profile::new("me", &[4]).unwrap()));
    b.command(Command::SetProfile(&Profile::new("me", &[3]).unwrap()));
    b.run_with(ms(2_000), &peers);
    assert_eq!((meta(&b), b.node.me().incarnation()), (vec![3], incarnation));
    // A leave takes along what waits.
    b.command(Command::SetProfile(&Profile::new("me", &[5]).unwrap()));
    b.command(Command::SetProfile(&Profile::new("me", &[6]).unwrap()));
    b.clear();
    b.command(Command::Leave);
    let me = b.me();
    let said = |s: &Sent| s.frame().updates().find(|i| i.id == me)?.detail().map(|d| d.meta.to_vec());
    assert!(b.sent.len() >= 3 && b.sent.iter().all(|s| said(s) == Some(vec![6])), "every farewell has it");
}

/// A member that changes its profile a hundred times per second is believed at once, and told on once per second.
#[test]
fn a_member_that_changes_all_the_time_is_told_on_once_per_second() {
    let (mut b, peers) = Bench::with_peers(config(), 20);
    let limit = b.node.config().retransmit_limit(21);
    let mut p = peers[0];
    for n in 0..(SECONDS * 100) as u32 {
        p.incarnation = p.incarnation.next();
        let (at, meta) = (p.incarnation, n.to_le_bytes());
        let more = More::Detail(Detail { at, addr: p.addr, name: "", meta: &meta });
        b.gossip(&p, &[Item { id: p.id, status: Status::alive(at), more }]);
        assert_eq!(b.node.member(p.id).unwrap().profile().meta(), meta);
        b.run_with(ms(10), &peers[1..]);
    }
    let all = [&[p], &peers[1..]].concat();
    b.run_with(ms(5_000), &all);
    let said = |s: &Sent| s.frame().updates().find(|i| i.id == p.id)?.detail().map(|d| d.meta.to_vec());
    let told: Vec<Vec<u8>> = b.sent.iter().filter_map(said).collect();
    assert!(told.len() <= (SECONDS as usize + 1) * limit, "{} times, of {limit} each", told.len());
    let last = ((SECONDS * 100 - 1) as u32).to_le_bytes().to_vec();
    assert_eq!(told.last(), Some(&last));
    assert!(told.iter().filter(|m| **m == last).count() + 2 >= limit, "the last one is told like any news");
}
