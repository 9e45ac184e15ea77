//! What a node carries and never looks into can be replaced: nothing of it is left, and the node does the same.

use std::time::Duration;

use crate::util::{Bench, EPOCH, Peer, config, frame, ms, peer, written};
use swim_core::wire::{Change, Detail, Item, Message, More, Opaque, StateEntry, StateHead, opaque};
use swim_core::{Command, Incarnation, Input, Node, Profile, Rumor, RumorId, Status};

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
        let p = peer(n as u32 + 1);
        let message = (n == 2).then_some(Message::Pull { nonce: 9 });
        b.proving(p.addr, frame(&p, message, &[], &[said(&p, said_by)]));
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
        let p = peer(n % 3 + 1);
        // Sometimes what is known already, sometimes something new, which only another one can have said.
        let mut item = said(&p, SAID[(n % 5) as usize % 3]);
        if n % 7 == 0 {
            item.status = Status::alive(crate::util::inc(n));
            item.more = More::Detail(Detail { at: crate::util::inc(n), ..item.detail().unwrap() });
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
    assert_eq!(node.member(peer(1).id).unwrap().name(), other.member(peer(1).id).unwrap().name());
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

/// What this peer says: one write to its state behind the versions before, and a rumor.
fn data_of(p: &Peer, n: u32) -> Vec<u8> {
    written(p, |w| {
        let keys = ["secret-key-a", "secret-key-b", "secret-key-c"];
        let change = match n % 5 {
            0 => Change::Delete { ttl_ms: 5_000 },
            1 => Change::Put { value: b"secret-value", ttl_ms: Some(900) },
            // The same as before, or another one, of equal length.
            _ => Change::Put { value: [b"secret-one", b"secret-two"][n as usize % 2], ttl_ms: None },
        };
        let entry = StateEntry { version: n + 1, key: keys[n as usize % 3], change };
        let head = StateHead { id: p.id, epoch: EPOCH, version: n + 1, gc: 0, from: n };
        assert!(w.open_states() && w.state(&head, usize::MAX, [entry].into_iter()).is_some());
        w.close_section();
        let id = RumorId { origin: p.id, epoch: EPOCH, seq: n + 1 };
        let rumor = Rumor {
            id,
            lamport: n.into(),
            age: Duration::ZERO,
            topic: ["", "secret-topic"][n as usize % 2],
            payload: b"secret-payload",
        };
        assert!(w.open_rumors() && w.rumor(&rumor));
        w.close_section();
    })
}

/// Keys, values, topics and payloads, of others and of its own.
#[test]
fn states_and_rumors_are_replaced_and_go_on_alike() {
    let (mut node, mut other) = (told(), told());
    let (mut now, mut sent, mut events) = (node.poll_timeout().unwrap(), 0, 0);
    for n in 0..120 {
        if n == 40 {
            other = node.clone();
            let (mut seen, before) = (Vec::new(), node.snapshot());
            other
                .map_opaque(&mut |what, bytes| {
                    seen.push(what);
                    rotate(what, bytes);
                })
                .unwrap();
            for what in [Opaque::Key, Opaque::Value, Opaque::Topic, Opaque::Payload] {
                assert!(seen.contains(&what), "{what:?}");
            }
            let after = other.snapshot();
            assert!(holds(&before, b"secret-key") && holds(&before, b"secret-payload") && before.len() == after.len());
            assert!(!holds(&after, b"secret"));
            assert_eq!(other.check(), Ok(()));
        }
        let mapped = n >= 40;
        let bytes = data_of(&peer(n % 2 + 1), n / 2);
        let text = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            if mapped {
                rotate(Opaque::Key, &mut bytes);
            }
            String::from_utf8(bytes).unwrap()
        };
        let (key, value) = (text("secret-mine"), text(["secret-this", "secret-that"][n as usize / 3 % 2]));
        let theirs = if mapped { rotated(bytes.clone()) } else { bytes.clone() };
        let from = peer(n % 2 + 1).addr;
        let put = |key, value| Input::Command(Command::Put { key, value, ttl: None });
        let tell = |topic, payload| Input::Command(Command::Broadcast { topic, payload });
        let same = ("secret-mine", ["secret-this", "secret-that"][n as usize / 3 % 2]);
        let steps = [
            (Input::Datagram { from, bytes: &bytes }, Input::Datagram { from, bytes: &theirs }),
            (put(same.0, same.1.as_bytes()), put(&key, value.as_bytes())),
            (tell(same.0, same.1.as_bytes()), tell(&key, value.as_bytes())),
            (Input::Timeout, Input::Timeout),
        ];
        for (mine, theirs) in steps {
            node.handle(now, mine);
            other.handle(now, theirs);
            if mapped {
                (sent, events) =
                    (sent + same_frames(&mut node, &mut other), events + same_events(&mut node, &mut other));
            } else {
                [&mut node, &mut other].into_iter().for_each(|n| while n.poll_transmit(&mut [0; 1_400]).is_some() {});
                [&mut node, &mut other].into_iter().for_each(|n| while n.poll_event().is_some() {});
            }
        }
        assert_eq!((node.poll_timeout(), node.app_hash()), (other.poll_timeout(), other.app_hash()));
        now = now + ms(137);
    }
    assert!(sent > 100 && events > 100, "{sent} datagrams, {events} events");
    node.map_opaque(&mut rotate).unwrap();
    assert_eq!(node.snapshot(), other.snapshot());
    let spoil = |what: Opaque, bytes: &mut [u8]| {
        if what == Opaque::Key {
            bytes.fill(0xff);
        }
    };
    assert!(node.map_opaque(&mut { spoil }).is_err(), "a key has to stay one");
}

/// A name has to stay one.
#[test]
fn names_remain_text() {
    let spoil = |_: Opaque, bytes: &mut [u8]| bytes.fill(0xff);
    assert!(told().map_opaque(&mut { spoil }).is_err());
}

/// A profile that waits to be told, and one that others tell of a later life, are in no row yet.
#[test]
fn what_waits_is_replaced_too() {
    let mut b = Bench::new(config());
    let (teller, subject) = (peer(1), peer(2));
    for (p, said_by) in [(&teller, SAID[0]), (&subject, SAID[1])] {
        b.proving(p.addr, frame(p, None, &[], &[said(p, said_by)]));
    }
    let mut later = subject;
    later.incarnation = Incarnation::new(EPOCH + 7, 0);
    b.recv_from(teller.addr, &frame(&teller, None, &[said(&later, ("doubted", b"doubted-zone"))], &[]));
    assert_eq!(b.node.stats().supersede_refused, 1);
    for meta in [b"told-at-once", b"told-in-time"] {
        b.command(Command::SetProfile(&Profile::new("bench", meta).unwrap()));
    }
    let texts = [&b"doubted"[..], b"doubted-zone", b"told-in-time"];
    let before = b.node.snapshot();
    assert!(texts.iter().all(|text| holds(&before, text)));
    b.node.map_opaque(&mut rotate).unwrap();
    let after = b.node.snapshot();
    assert!(!texts.iter().any(|text| holds(&after, text)));
}
