//! What a node carries and never looks into can be replaced: nothing of it is left, and the node does the same.

mod util;

use swim_core::wire::{Detail, Item, Message, More, Opaque, opaque};
use swim_core::{Input, Node, NodeId, Status};
use util::{Bench, Peer, config, frame, ms, peer};

/// What peers say about themselves: short enough to lie in the row, and not.
const SAID: [(&str, &[u8]); 3] =
    [("secret-a", b""), ("secret-b", b"secret-zone"), ("secret-c", b"secret-and-far-longer-than-a-row-has-room-for")];

fn said(p: &Peer, (name, meta): (&'static str, &'static [u8])) -> Item<'static> {
    let detail = Detail { at: p.incarnation, addr: p.addr, name, meta };
    Item { id: p.id, status: Status::alive(p.incarnation), more: More::Detail(detail) }
}

/// The same bytes in another alphabet, in which no secret can be read.
fn rotate(_: Opaque, bytes: &mut [u8]) {
    bytes.iter_mut().for_each(|b| *b = b"zyxwvutsrqponmlkjihgfedcba"[usize::from(*b) % 26]);
}

fn rotated(mut bytes: Vec<u8>) -> Vec<u8> {
    for (what, place) in opaque(&bytes).expect("it is a frame") {
        rotate(what, &mut bytes[place]);
    }
    bytes
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// Three peers introduce themselves, the last of them with a question that is kept.
fn told() -> Node {
    let mut b = Bench::new(config());
    for (n, said_by) in SAID.into_iter().enumerate() {
        let p = peer(n as u32);
        let message = (n == 2).then_some(Message::Pull { nonce: 9 });
        b.recv_from(p.addr, &frame(&p, message, &[], &[said(&p, said_by)]));
    }
    assert_eq!(b.node.live_count(), 4);
    b.node
}

#[test]
fn a_snapshot_holds_nothing_of_what_was_replaced() {
    let mut node = told();
    let before = node.snapshot();
    for text in [&b"secret-a"[..], b"secret-zone", b"secret-and-far", b"bench"] {
        assert!(holds(&before, text), "{text:?}");
    }
    let mut seen = Vec::new();
    node.map_opaque(&mut |what, bytes| {
        seen.push(what);
        rotate(what, bytes);
    })
    .unwrap();
    let count = |what| seen.iter().filter(|&&w| w == what).count();
    // Of four rows and of the question, which the third peer asked.
    assert_eq!((count(Opaque::Name), count(Opaque::Meta), count(Opaque::Cluster)), (5, 3, 1));
    let after = node.snapshot();
    assert_eq!(after.len(), before.len());
    for text in [&b"secret"[..], b"bench"] {
        assert!(!holds(&after, text), "{text:?}");
    }
    assert_eq!(node.check(), Ok(()));
    assert_eq!(Node::restore(&after).unwrap().snapshot(), after);
    assert_eq!(node.view_hash(), told().view_hash());
}

/// Given what is mapped alike, both do the same: addresses, lengths, events, and what they say but for what is opaque.
#[test]
fn both_go_on_alike() {
    let (mut node, mut other) = (told(), told());
    other.map_opaque(&mut rotate).unwrap();
    let (mut now, mut sent, mut told) = (node.poll_timeout().unwrap(), 0, 0);
    for n in 0..400 {
        let p = peer(n % 3);
        // Sometimes what is known already, sometimes something new, which only another one can have said.
        let mut item = said(&p, SAID[(n % 5) as usize % 3]);
        if n % 7 == 0 {
            item.status = Status::alive(util::inc(n));
            item.more = More::Detail(Detail { at: util::inc(n), ..item.detail().unwrap() });
        }
        let message = (n % 11 == 0).then_some(Message::Pull { nonce: n });
        let (rows, updates) = if n % 2 == 0 { (vec![item], vec![]) } else { (vec![], vec![item]) };
        let bytes = frame(&p, message, &updates, &rows);
        let mapped = rotated(bytes.clone());
        node.handle(now, Input::Datagram { from: p.addr, bytes: &bytes });
        other.handle(now, Input::Datagram { from: p.addr, bytes: &mapped });
        (sent, told) = (sent + same_frames(&mut node, &mut other), told + same_events(&mut node, &mut other));
        now = now + ms(137);
        node.handle(now, Input::Timeout);
        other.handle(now, Input::Timeout);
        (sent, told) = (sent + same_frames(&mut node, &mut other), told + same_events(&mut node, &mut other));
        assert_eq!((node.poll_timeout(), node.view_hash()), (other.poll_timeout(), other.view_hash()));
    }
    assert!(sent > 400 && told > 50, "{sent} datagrams, {told} events");
    node.map_opaque(&mut rotate).unwrap();
    assert_eq!(node.snapshot(), other.snapshot());
    assert_eq!(node.member(NodeId::new(1_000)).unwrap().name(), other.member(NodeId::new(1_000)).unwrap().name());
}

fn same_frames(node: &mut Node, other: &mut Node) -> usize {
    let (mut a, mut b, mut count) = ([0; 1_400], [0; 1_400], 0);
    loop {
        match (node.poll_transmit(&mut a), other.poll_transmit(&mut b)) {
            (None, None) => return count,
            (Some(x), Some(y)) => {
                assert_eq!(x, y);
                assert_eq!(rotated(a[..x.len].to_vec()), b[..y.len]);
                count += 1;
            }
            differing => panic!("{differing:?}"),
        }
    }
}

fn same_events(node: &mut Node, other: &mut Node) -> usize {
    let mut count = 0;
    loop {
        match (node.poll_event(), other.poll_event()) {
            (None, None) => return count,
            (a, b) => assert_eq!(a, b),
        }
        count += 1;
    }
}

/// A name has to stay one.
#[test]
fn names_remain_text() {
    let spoil = |_: Opaque, bytes: &mut [u8]| bytes.fill(0xff);
    assert!(told().map_opaque(&mut { spoil }).is_err());
}
