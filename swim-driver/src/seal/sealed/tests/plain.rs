//! What an end that migrates says to whoever speaks plain, and may be anybody.

use super::*;

/// A fuzzer found it: a plain datagram of 14 bytes, which is no frame, was answered by a challenge of 63.
#[test]
fn whoever_speaks_plain_is_asked_when_he_is_spoken_to() {
    let mut end = End::new(1);
    end.sealed.migrate(Instant::from_millis(60_000));
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
