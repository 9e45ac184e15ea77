//! What a digest gets in return, looked at from the side that answers.

use crate::util::data::*;
use crate::util::*;
use swim_core::wire::{Digest, Message, StateEntry};

/// An entry that takes more than half of a datagram does not wait for as long as rumors are lacking, and a rumor that does
/// not for as long as states are: they take turns in answers.
#[test]
fn large_entries_and_rumors_take_turns_in_answers() {
    let c = config();
    let (large, longest) = (c.value_max(), c.rumor_max() - 1);
    for (value, payload) in [(large, 600), (large, 10), (large, longest), (300, longest), (10, longest)] {
        let (mut b, peers) = Bench::with_peers(config(), 3);
        let (asker, of) = (peers[0], peers[1]);
        let values = vec![7; value];
        let keys: Vec<String> = (0..40).map(|k| format!("key-{k}")).collect();
        let entries: Vec<StateEntry<'_>> = (1..).zip(&keys).map(|(v, key)| entry(v, key, &values)).collect();
        b.recv_from(of.addr, &delta(&of, None, &head_of(&of, 40), &entries));
        for seq in 1..=40 {
            b.recv_from(of.addr, &rumors(&of, &[rumor_of(&of, seq, 1, &vec![1; payload])]));
        }
        b.clear();
        (0..20).for_each(|nonce| b.recv_from(asker.addr, &digest(&asker, nonce, &[nothing_of(&of)])));
        let answers: Vec<&Sent> =
            b.sent.iter().filter(|s| matches!(s.message(), Some(Message::Delta { .. }))).collect();
        let with_state = answers.iter().filter(|s| s.frame().states().next().is_some()).count();
        let with_rumors = answers.iter().filter(|s| s.frame().rumors().next().is_some()).count();
        assert!(
            answers.len() == 20 && with_state >= 10 && with_rumors >= 10,
            "{value}, {payload}: {with_state}, {with_rumors}"
        );
    }
}

/// Rumors come in any order, so one that is kept may be older than one that is not kept any more. Whoever lacks only the
/// latter is told so, and does not ask for it again until the former is over, too.
#[test]
fn who_lacks_what_nobody_keeps_is_told_so() {
    let mut c = config();
    c.rumors_max = 16;
    let (mut b, peers) = Bench::with_peers(c, 3);
    let (asker, of) = (peers[0], peers[1]);
    // The first comes last, and the second makes way for it.
    for seq in (2..=17).chain([1]) {
        b.recv_from(of.addr, &rumors(&of, &[rumor_of(&of, seq, 1, b"")]));
    }
    b.clear();
    let lacks_2 = Digest { floor: 1, seen: 0xfffe, ..nothing_of(&of) };
    b.recv_from(asker.addr, &digest(&asker, 1, &[lacks_2]));
    let answer = b.sent.iter().find(|s| matches!(s.message(), Some(Message::Delta { .. }))).expect("an answer");
    let told: Vec<_> = answer.frame().summaries().map(|s| (s.id, s.last, s.floor)).collect();
    assert_eq!((told, answer.frame().rumors().count()), (vec![(of.id, 17, 17)], 0));
    // And whoever lacks one that is kept gets it, and is told nothing of the kind.
    b.clear();
    b.recv_from(asker.addr, &digest(&asker, 2, &[Digest { floor: 0, seen: 0x1_fffc, ..nothing_of(&of) }]));
    let answer = b.sent.iter().find(|s| matches!(s.message(), Some(Message::Delta { .. }))).expect("an answer");
    let kept: Vec<u32> = answer.frame().rumors().map(|rumor| rumor.id.seq).collect();
    assert_eq!((kept, answer.frame().summaries().count()), (vec![1], 0));
}

/// A digest names no more than 64 rumors behind the first that is lacking. Where that one is gone, and all that is kept lies
/// further ahead, it is told so with what is given, be that known or not: it would ask for the same again otherwise.
#[test]
fn who_lacks_what_is_gone_gets_past_it() {
    let mut c = config();
    c.rumors_max = 16;
    let (mut b, peers) = Bench::with_peers(c, 3);
    let (asker, of) = (peers[0], peers[1]);
    (1..=200).for_each(|seq| b.recv_from(of.addr, &rumors(&of, &[rumor_of(&of, seq, 1, b"")])));
    b.clear();
    b.recv_from(asker.addr, &digest(&asker, 1, &[Digest { floor: 100, seen: !1, ..nothing_of(&of) }]));
    let answer = b.sent.iter().find(|s| matches!(s.message(), Some(Message::Delta { .. }))).expect("an answer");
    let told: Vec<_> = answer.frame().summaries().map(|s| (s.id, s.last, s.floor)).collect();
    assert_eq!((told, answer.frame().rumors().count()), (vec![(of.id, 200, 184)], 16));
}
