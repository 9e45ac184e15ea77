use std::thread;

use swim_core::NodeId;

use super::*;
use crate::{RecvError, RecvTimeoutError, TryRecvError};

fn rumor(seq: u32, topic: &str) -> Heard {
    let id = RumorId { origin: NodeId::new(7), epoch: 1, seq };
    Heard::Rumor(RumorView::of(Rumor {
        id,
        lamport: 10 + u64::from(seq),
        age: Duration::from_secs(3),
        topic,
        payload: b"what it says",
    }))
}

fn ring() -> SharedArc<RumorRing> {
    SharedArc::new(RumorRing::default())
}

#[test]
fn each_subscriber_is_given_its_topic() {
    let ring = ring();
    assert!(!ring.is_heard());
    let (mut all, mut some) = (Rumors::new(&ring, None), Rumors::new(&ring, Some("a")));
    assert!(ring.is_heard());
    ring.push(&[rumor(1, "a"), rumor(2, "b"), rumor(3, "a")]);
    let received = |rumors: &mut Rumors| std::iter::from_fn(|| rumors.try_recv().ok()).collect::<Vec<_>>();
    assert_eq!(received(&mut some), [rumor(1, "a"), rumor(3, "a")]);
    assert_eq!(received(&mut all), [rumor(1, "a"), rumor(2, "b"), rumor(3, "a")]);
    let Heard::Rumor(view) = rumor(2, "b") else { panic!("it is one") };
    assert_eq!((view.id().seq, view.lamport(), view.topic(), view.payload()), (2, 12, "b", &b"what it says"[..]));
    drop((all, some));
    assert!(!ring.is_heard());
}

/// Those who fall behind are told, also when what they have missed was not for them: that is not known any more.
#[test]
fn who_is_too_far_behind_is_told_how_far() {
    let ring = ring();
    let mut slow = Rumors::new(&ring, Some("a"));
    let mut quick = Rumors::new(&ring, Some("b"));
    for seq in 0..RumorRing::CAPACITY as u32 + 3 {
        ring.push(&[rumor(seq, "b")]);
        assert_eq!(quick.try_recv(), Ok(rumor(seq, "b")));
    }
    ring.push(&[rumor(9_000, "a"), Heard::Lagged { missed: 40 }]);
    assert_eq!(slow.try_recv(), Ok(Heard::Lagged { missed: 5 }));
    assert_eq!(slow.try_recv(), Ok(rumor(9_000, "a")));
    assert_eq!(slow.try_recv(), Ok(Heard::Lagged { missed: 40 }), "what the node has lost, all are told");
    assert_eq!((slow.try_recv(), ring.missed()), (Err(TryRecvError::Empty), 5));
}

/// Rumors of other topics wake nobody into a result.
#[test]
fn a_wait_goes_on_over_other_topics() {
    let ring = ring();
    let mut some = Rumors::new(&ring, Some("a"));
    thread::scope(|s| {
        let received = s.spawn(|| some.recv());
        (0..100).for_each(|seq| ring.push(&[rumor(seq, "b")]));
        ring.push(&[rumor(100, "a")]);
        assert_eq!(received.join().unwrap(), Ok(rumor(100, "a")));
    });
    ring.push(&[rumor(101, "b")]);
    assert_eq!(some.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
    ring.close().wake();
    assert_eq!((some.recv(), some.recv_timeout(Duration::MAX)), (Err(RecvError), Err(RecvTimeoutError::Closed)));
}

/// All who hold a rumor hold the same bytes.
#[test]
fn bytes_are_shared() {
    let ring = ring();
    let (mut one, mut other) = (Rumors::new(&ring, None), Rumors::new(&ring, None));
    ring.push(&[rumor(1, "a")]);
    let (Ok(Heard::Rumor(one)), Ok(Heard::Rumor(other))) = (one.try_recv(), other.try_recv()) else {
        panic!("both are given it")
    };
    assert!(Arc::ptr_eq(&one.payload, &other.payload) && Arc::ptr_eq(&one.topic, &other.topic));
}
