//! Tables with more members than two bytes can number: every index by slot becomes wider on the way.

use crate::util::{Bench, Peer, accused, config, frame, inc, peer, status};
use swim_core::wire::{Detail, Item, Message, More};
use swim_core::{NodeId, State, Status};

const MANY: u32 = 65_700;

/// All at addresses of their own.
fn nth(n: u32) -> Peer {
    Peer { addr: ([10, 2 + (n >> 16) as u8, (n >> 8) as u8, n as u8], 7_946).into(), ..peer(n) }
}

fn item(n: u32) -> Item<'static> {
    let detail = Detail { at: inc(0), addr: nth(n).addr, name: "", meta: b"" };
    Item { id: nth(n).id, status: Status::alive(inc(0)), more: More::Detail(detail) }
}

#[test]
fn all_are_found_probed_told_and_suspected() {
    let mut c = config();
    c.members_max = MANY as usize + 1;
    let mut b = Bench::new(c);
    let first = nth(1);
    b.admit(&first);
    // Few and large frames: unoptimised, a node compares every index with what it stands for now and then.
    let rows: Vec<Item<'_>> = (2..=MANY).map(item).collect();
    for chunk in rows.chunks(1_500) {
        b.recv_from(first.addr, &frame(&first, Some(Message::Push), &[], chunk));
    }
    assert_eq!(b.node.live_count(), MANY as usize + 1);
    for n in 1..=MANY {
        let member = b.node.member(nth(n).id).expect("every one is found");
        assert_eq!((member.id(), member.addr()), (nth(n).id, nth(n).addr));
    }
    b.recv_from(first.addr, &frame(&first, Some(Message::Push), &[], &[Item { id: NodeId::new(7), ..item(9) }]));
    assert_eq!((b.node.stats().members_refused, b.node.gossip_queued()), (1, MANY as usize), "one too many");

    b.sent.clear();
    for _ in 0..4 {
        b.step(swim_core::Instant::NEVER);
    }
    let told = b.sent.iter().flat_map(|s| s.frame().updates().map(|u| u.id).collect::<Vec<_>>());
    assert!(told.count() > 10, "news is told");
    let probes = b.sent.iter().filter_map(|s| match s.message() {
        Some(Message::Ping { target, .. }) => Some((target, s.to)),
        _ => None,
    });
    let all: Vec<_> = probes.collect();
    assert!(!all.is_empty());
    assert!(all.iter().all(|&(target, to)| b.node.member(target).is_some_and(|m| m.addr() == to)));

    // Their slots are the last ones before and behind what two bytes hold.
    for n in [65_533, 65_534, 65_535, 65_536, MANY] {
        let last = nth(n);
        b.gossip(&first, &[accused(last.id, status(0, State::Suspect), &[first.id])]);
        assert_eq!(b.state(&last), Some(State::Suspect));
        b.gossip(&first, &[Item::status(last.id, status(0, State::Dead))]);
        assert_eq!(b.state(&last), Some(State::Dead));
    }
    assert_eq!(b.node.live_count(), MANY as usize + 1 - 5);
    b.gossip(&first, &[Item::status(nth(65_535).id, status(1, State::Alive))]);
    assert_eq!(b.state(&nth(65_535)), Some(State::Alive), "and one comes back");
}
