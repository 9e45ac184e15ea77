//! Seeds: whose answer counts for whom, and what becomes of those at which a node meets itself.

use std::net::SocketAddr;

use crate::util::*;
use swim_core::wire::{Message, PAGE_END};
use swim_core::{Command, Profile};

fn nonce(s: &Sent) -> u32 {
    let Some(Message::Pull { nonce }) = s.message() else { panic!("{s:?} is no contact") };
    nonce
}

fn contact(b: &Bench, to: SocketAddr) -> Option<Sent> {
    b.sent.iter().rev().find(|s| s.to == to && matches!(s.message(), Some(Message::Pull { .. }))).cloned()
}

/// A seed knows its own nonce only: it cannot make a node believe that another seed is the node itself.
#[test]
fn a_seed_does_not_speak_for_another() {
    let (mut b, evil, honest) = (Bench::new(config()), addr(77), addr(78));
    b.command(Command::Join(&[evil, honest]));
    let theirs = nonce(&contact(&b, evil).unwrap());
    let me = Peer { id: b.me(), addr: evil, incarnation: b.node.me().incarnation() };
    for guess in [theirs.wrapping_add(1), theirs.wrapping_sub(1), theirs.wrapping_add(2)] {
        b.recv_from(evil, &frame(&me, Some(Message::Pull { nonce: guess }), &[], &[]));
    }
    assert!(!b.node.is_own_addr(honest) && !b.node.is_own_addr(evil));
    b.clear();
    b.run(ms(200_000));
    assert!(contact(&b, honest).is_some());
}

/// An address that has led back once is tried again when it is named again; and others that are named are contacted at once.
#[test]
fn who_was_met_as_oneself_may_be_named_again() {
    let (mut b, alias) = (Bench::new(config()), addr(77));
    b.command(Command::Join(&[alias]));
    let sent = contact(&b, alias).unwrap();
    b.recv_from(alias, &sent.bytes);
    b.run(ms(100_000));
    b.clear();
    b.command(Command::Seeds(&[alias, addr(1)]));
    assert!(contact(&b, addr(1)).is_some() && contact(&b, alias).is_none());
    b.command(Command::Join(&[alias]));
    assert!(contact(&b, alias).is_some());
}

/// A knock at an alias comes back after the seeds were replaced: none of the new ones is taken for the node itself.
#[test]
fn a_knock_that_comes_back_late_names_nobody_else() {
    let (mut b, p) = (Bench::new(config()), peer(1));
    let (alias, x, y) = (addr(70), addr(71), addr(72));
    b.admit(&p);
    b.command(Command::Join(&[alias]));
    let page = Message::Page { nonce: nonce(&contact(&b, alias).unwrap()), next: PAGE_END };
    b.recv_from(alias, &frame(&p, Some(page), &[], &[]));
    b.clear();
    while contact(&b, alias).is_none() {
        b.run_with(ms(1_000), std::slice::from_ref(&p));
    }
    let knock = contact(&b, alias).unwrap();
    b.command(Command::Seeds(&[x, y]));
    b.recv_from(alias, &knock.bytes);
    assert!(!b.node.is_own_addr(x) && !b.node.is_own_addr(y));
}

/// A seed that has moved answers where it was asked: the sync goes there, and not to where its row still says it is.
#[test]
fn a_sync_goes_where_the_seed_has_answered() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let (new, mut moved) = (addr(99), peers[0]);
    b.command(Command::Join(&[new]));
    let page = Message::Page { nonce: nonce(&contact(&b, new).unwrap()), next: 7 };
    b.clear();
    moved.incarnation = moved.incarnation.next_epoch();
    b.agree = false;
    b.recv_from(new, &frame(&moved, Some(page), &[], &[]));
    let asked: Vec<_> = b.sent.iter().filter(|s| matches!(s.message(), Some(Message::Compare { .. }))).collect();
    assert!(!asked.is_empty() && asked.iter().all(|s| s.to == new), "{asked:?}");
}

/// A seed whose page had no room for its row has admitted the node all the same, and hears its goodbye.
#[test]
fn a_leave_in_the_middle_of_a_join_is_told_to_the_seed() {
    let (mut b, seed) = (Bench::new(config()), addr(70));
    b.command(Command::Join(&[seed]));
    let page = Message::Page { nonce: nonce(&contact(&b, seed).unwrap()), next: 0 };
    b.agree = false;
    b.recv_from(seed, &frame(&peer(1), Some(page), &[], &[]));
    b.clear();
    b.command(Command::Leave);
    assert!(b.sent.iter().any(|s| s.to == seed) && b.node.has_left());
}

/// What became news while there was nobody to tell is told as soon as somebody is there, also to one who comes as a row of this
/// node's own join, which is no news itself.
#[test]
fn news_waits_for_the_first_who_comes() {
    let (mut b, seed) = (Bench::new(config()), peer(1));
    b.command(Command::SetProfile(&Profile::new("me", b"alone").unwrap()));
    b.run(ms(10_000));
    assert_eq!((b.node.gossip_queued(), b.node.poll_timeout()), (1, None), "there is nobody to tell");
    b.command(Command::Join(&[seed.addr]));
    let page = Message::Page { nonce: nonce(&contact(&b, seed.addr).unwrap()), next: PAGE_END };
    b.clear();
    b.recv_from(seed.addr, &frame(&seed, Some(page), &[], &[row(&seed)]));
    let (began, me) = (b.now, b.me());
    b.run_with(b.node.config().gossip_interval, &[seed]);
    let told = b.sent.iter().find(|s| s.to == seed.addr && s.message().is_none() && s.update_of(me).is_some());
    assert!(told.is_some_and(|s| s.at.since(began) <= b.node.config().gossip_interval), "{:?}", b.sent);
}
