//! Looking for the lost, and who is silenced by whom, at one node.

use crate::util::*;
use swim_core::wire::{Detail, Item, Message, More};
use swim_core::{Command, Event, Incarnation, Input, Node, State, Status};

/// Who was contacted with a pull that introduces this node, since `seen` datagrams had been sent.
fn knocks(b: &Bench, seen: usize) -> Vec<std::net::SocketAddr> {
    let introduces = |s: &&Sent| matches!(s.message(), Some(Message::Pull { .. })) && !s.frame().rows().is_empty();
    b.sent[seen..].iter().filter(introduces).map(|s| s.to).collect()
}

/// The lost are tried again also while the seeds are contacted in vain.
#[test]
fn a_join_in_vain_does_not_keep_from_healing() {
    let (mut b, peers) = Bench::with_peers(config(), 2);
    let (gone, seed) = (peers[0], addr(900));
    b.command(Command::Join(&[seed]));
    b.gossip(&peers[1], &[accused(gone.id, status(0, State::Dead), &[])]);
    let seen = b.sent.len();
    b.run_with(ms(600_000), &peers[1..]);
    let to = knocks(&b, seen);
    assert!(to.iter().filter(|a| **a == gone.addr).count() >= 10, "{to:?}");
    assert!(to.iter().filter(|a| **a == seed).count() >= 8, "{to:?}");
}

/// One death after the other does not put off the knock that is due.
#[test]
fn deaths_do_not_put_off_the_knock() {
    let (mut b, peers) = Bench::with_peers(config(), 400);
    let seen = b.sent.len();
    for p in &peers[..40] {
        b.gossip(&peers[399], &[accused(p.id, status(0, State::Dead), &[])]);
        b.run_with(ms(20_000), &peers[40..]);
    }
    let most = 800 / 25;
    assert!((8..=most).contains(&knocks(&b, seen).len()), "{} knocks in 800 s", knocks(&b, seen).len());
}

/// Who said goodbye is not looked for; who turns out to have moved is looked for where it was last.
#[test]
fn whom_to_look_for() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let (left, moved) = (peers[0], peers[1]);
    b.gossip(&left, &[accused(left.id, status(0, State::Left), &[])]);
    let detail = Detail { at: inc(1), addr: addr(77), name: "", meta: b"" };
    b.gossip(&peers[2], &[Item { id: moved.id, status: status(1, State::Dead), more: More::Detail(detail) }]);
    let seen = b.sent.len();
    b.run_with(ms(300_000), &peers[2..]);
    let to = knocks(&b, seen);
    assert!(to.len() >= 5 && to.iter().all(|a| *a == addr(77)), "{to:?}");
}

/// Forged datagrams, which answer no question, do not silence a node: they push its epoch, once per period.
#[test]
fn forgeries_do_not_silence() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let me = b.me();
    for _ in 0..20 {
        let at = b.node.me().incarnation().next();
        let detail = Detail { at, addr: "0.0.0.1:1".parse().unwrap(), name: "me", meta: b"" };
        let forged = Item { id: me, status: Status::alive(at), more: More::Detail(detail) };
        b.recv_from("6.6.6.6:66".parse().unwrap(), &frame(&peers[0], None, &[forged], &[]));
        b.run_with(ms(1_000), &peers);
    }
    assert!(!b.node.has_left());
    assert!(!b.events.iter().any(|e| matches!(e, Event::Conflict { .. })));
    assert!(b.node.me().incarnation() <= Incarnation::new(EPOCH + 20, 0));
}

/// A snapshot whose bounds are not its config's is refused.
#[test]
fn restored_bounds_are_the_configs() {
    let (b, _) = Bench::with_peers(config(), 3);
    let bytes = b.node.snapshot();
    // Every byte in turn becomes the varint of 2^63, bounds among them: nothing panics, now or later.
    for at in 0..bytes.len() {
        let mut spoilt = bytes.clone();
        spoilt.splice(at..=at, [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
        if let Ok(mut node) = Node::restore(&spoilt) {
            let dead = [accused(peer(1).id, status(0, State::Dead), &[])];
            let mut buf = [0; 1_400];
            let now = b.now + ms(1_000);
            node.handle(now, Input::Datagram { from: peer(2).addr, bytes: &frame(&peer(2), None, &dead, &[]) });
            while node.poll_transmit(&mut buf).is_some() {}
            while node.poll_event().is_some() {}
            node.handle(now, Input::Timeout);
        }
    }
}
