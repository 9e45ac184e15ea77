//! How control datagrams are counted.

use super::*;

/// What asks and shows at once counts once, however often it is played back.
#[test]
fn what_nothing_comes_of_is_counted_once() {
    let (mut a, mut b, mut c) = (End::new(1), End::new(2), End::new(3));
    assert_eq!(b.hears(a.addr, &a.says(&frame(0))), Ok(None));
    let challenge = b.control();
    assert_eq!(a.hears(b.addr, &challenge), Ok(None));
    let both = a.control();
    // Nobody there has asked it, but it asks itself.
    for ignored in [0, 1, 2] {
        assert_eq!(c.hears(a.addr, &both), Ok(None));
        let s = c.stats();
        assert_eq!((s.controls_received, s.controls_ignored), (ignored + 1, ignored), "{s:?}");
        assert_eq!(c.controls().len(), usize::from(ignored == 0), "once is enough");
    }
    assert_eq!(b.hears(a.addr, &both), Ok(None));
    assert_eq!((b.stats().sessions_proven, b.stats().controls_ignored), (1, 0));
}

/// Of what nobody can answer in time, each is one that is ignored, and one answer that is not sent.
#[test]
fn challenges_beyond_the_budget_are_counted() {
    let [mut a, mut b] = met();
    let before = b.stats();
    let mut ask = |n| {
        a.sealed.reply(Reply { to: b.addr, challenge: Some(n), proves: None });
        let challenge = a.control();
        assert_eq!(b.hears(a.addr, &challenge), Ok(None));
    };
    (0..1_000).for_each(&mut ask);
    let (s, sent) = (b.stats(), b.controls().len() as u64);
    assert_eq!(s.controls_received - before.controls_received, 1_000);
    assert_eq!((s.controls_ignored, s.controls_unsent), (1_000 - sent, 1_000 - sent), "{s:?}");
    assert!(sent > 0 && sent < 1_000, "{sent}");
}
