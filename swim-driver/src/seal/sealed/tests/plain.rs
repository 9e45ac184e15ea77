//! What an end that migrates says to whoever speaks plain, and may be anybody.

use super::*;

/// A fuzzer found it: a plain datagram of 14 bytes, which is no frame, was answered by a challenge of 63.
#[test]
fn whoever_speaks_plain_is_asked_when_he_is_spoken_to() {
    let mut end = End::new(1);
    end.sealed.migrate(Instant::from_millis(60_000), None);
    for len in 0..60 {
        let mut datagram = vec![0; Plain::LEN + len];
        Plain::new("c").seal(&mut datagram, len);
        assert_eq!(end.hears(addr(9), &datagram), Ok(Some(vec![0; len])), "it is heard, or refused by the node");
        assert_eq!(end.controls(), [], "the node may have nothing to say to him");
    }
    let mut buf = [0; HEADER_LEN + BODY_LEN + TAG_LEN];
    for asked in [1, 0] {
        assert_eq!(end.sealed.seal(addr(9), &mut buf, BODY_LEN), Some(Plain::LEN + BODY_LEN), "plain");
        assert_eq!(end.controls().len(), asked, "once in ten seconds");
    }
}

/// Who seals is known however large the cluster is: there is room for as many as may have sessions.
#[test]
fn there_is_room_for_all_who_seal() {
    let mut config = Config::local("c");
    for (members, room) in [(10, 64), (5_000, 6_024)] {
        config.members_max = members;
        let mut end = End::of_life(1, 0, &config);
        end.sealed.migrate(Instant::from_millis(60_000), None);
        let sizes = end.sealed.sizes();
        assert_eq!((sizes.contacts, sizes.sessions), ((0, room), (0, room)));
    }
}
