//! Application data, in words.

use super::{shown, who};
use crate::decode::{AppShown, DigestShown, EntryShown, RumorOf, RumorShown, StateShown, SummaryShown};

/// What is said, by kind.
pub(super) fn parts(app: &AppShown) -> [(&'static str, Vec<String>); 5] {
    let known = |of: &RumorOf, known| format!("{} {}", rumor_of(of), if known { "known" } else { "new" });
    [
        ("digests", app.digests.iter().map(digest).collect()),
        ("summaries", app.summaries.iter().map(summary).collect()),
        ("states", app.states.iter().map(state).collect()),
        ("rumors", app.rumors.iter().map(rumor).collect()),
        ("feedback", app.known.iter().map(|k| known(&k.of, k.known)).collect()),
    ]
}

fn digest(d: &DigestShown) -> String {
    let DigestShown { of, epoch, version, gc, floor, seen } = d;
    format!("{} epoch {epoch} version {version} gc {gc}, rumors to {floor} and {seen}", who(of))
}

fn summary(s: &SummaryShown) -> String {
    let SummaryShown { of, epoch, version, last, floor } = s;
    format!("{} epoch {epoch} version {version}, rumors to {last}, none to {floor}", who(of))
}

fn state(s: &StateShown) -> String {
    let StateShown { of, epoch, version, gc, from, upto, entries } = s;
    let left = if upto < version { format!(" of {version}") } else { String::new() };
    let entries: Vec<String> = entries.iter().map(entry).collect();
    let entries = if entries.is_empty() { "nothing".into() } else { entries.join(", ") };
    format!("{} epoch {epoch} from {from} to {upto}{left} gc {gc}: {entries}", who(of))
}

fn entry(e: &EntryShown) -> String {
    let ttl = e.ttl_ms.map(|ms| format!(" for {ms} ms")).unwrap_or_default();
    match e.value_len {
        Some(len) => format!("{} {} {len} bytes{ttl}", e.version, shown(&e.key)),
        None => format!("{} {} deleted{ttl}", e.version, shown(&e.key)),
    }
}

fn rumor(r: &RumorShown) -> String {
    format!("{} {} {} bytes at {}, {} ms old", rumor_of(&r.of), shown(&r.topic), r.payload_len, r.lamport, r.age_ms)
}

fn rumor_of(of: &RumorOf) -> String {
    format!("{} {}.{}", who(&of.origin), of.epoch, of.seq)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use swim_core::wire::{Change, Digest, Message, StateEntry, StateHead, Summary, Writer};
    use swim_core::{Incarnation, NodeId, Rumor, RumorId};

    use crate::decode::{DatagramShown, Names};
    use crate::words::lines;

    fn frame(f: impl FnOnce(&mut Writer<'_>)) -> DatagramShown {
        let mut buf = [0; 1_000];
        let mut w = Writer::new(&mut buf, NodeId::new(1), Incarnation::new(2, 3), 4).unwrap();
        f(&mut w);
        let len = w.written();
        let mut names = Names::default();
        names.see(NodeId::new(9), "web-1");
        DatagramShown::of(&buf[..len], &names)
    }

    /// Text of others commands no terminal, and what is said is said in words and in JSON.
    #[test]
    fn all_that_is_said_is_shown() {
        let (id, other) = (NodeId::new(9), NodeId::new(8));
        let rumor = RumorId { origin: id, epoch: 7, seq: 5 };
        let digest = Digest { id, epoch: 7, version: 6, gc: 2, floor: 3, seen: 1 };
        let asks = frame(|w| assert!(w.digest(0x11, [digest].into_iter())));
        assert_eq!(
            lines(&asks)[..],
            [
                "0000000000000001 2.3 digest #00000011",
                "view 0000000000000004",
                "digests: web-1 epoch 7 version 6 gc 2, rumors to 3 and 0000000000000001"
            ]
        );
        let put = |version, key, value, ttl_ms| StateEntry { version, key, change: Change::Put { value, ttl_ms } };
        let entries = [
            put(4, "a\n", b"xyz".as_slice(), None),
            put(5, "b", b"", Some(9)),
            StateEntry { version: 6, key: "c", change: Change::Delete { ttl_ms: 300 } },
        ];
        let head = StateHead { id, epoch: 7, version: 6, gc: 2, from: 3 };
        let tells = frame(|w| {
            assert!(w.message(Message::Delta { nonce: 0x11 }) && w.app_hash(0xabc));
            assert!(w.summaries([Summary { id: other, epoch: 7, version: 6, last: 5, floor: 4 }].into_iter()));
            assert!(w.open_states() && w.state(&head, 0, entries.into_iter()) == Some(4));
            assert_eq!(w.state(&StateHead { from: 4, ..head }, 99, entries[1..].iter().copied()), Some(6));
            assert_eq!(w.state(&StateHead { from: 6, ..head }, 99, std::iter::empty()), Some(6));
            w.close_section();
            assert!(
                w.open_rumors()
                    && w.rumor(&Rumor {
                        id: rumor,
                        lamport: 16,
                        age: Duration::from_millis(5),
                        topic: "t\x1b",
                        payload: b"hi"
                    })
            );
            w.close_section();
            assert!(w.known([(rumor, true), (RumorId { seq: 6, ..rumor }, false)].into_iter()));
        });
        assert_eq!(
            lines(&tells)[..],
            [
                "0000000000000001 2.3 delta #00000011",
                "view 0000000000000004, app 00000abc",
                "summaries: 0000000000000008 epoch 7 version 6, rumors to 5, none to 4",
                "states: web-1 epoch 7 from 3 to 4 of 6 gc 2: 4 a\\n 3 bytes",
                "states: web-1 epoch 7 from 4 to 6 gc 2: 5 b 0 bytes for 9 ms, 6 c deleted for 300 ms",
                "states: web-1 epoch 7 from 6 to 6 gc 2: nothing",
                "rumors: web-1 7.5 t\\u{1b} 2 bytes at 0000000000000010, 5 ms old",
                "feedback: web-1 7.5 known",
                "feedback: web-1 7.6 new"
            ]
        );
        let names = |shown: &DatagramShown| -> Vec<String> {
            let frame = shown.frame.as_ref().unwrap();
            frame.speaks_of().map(|who| who.name.clone().unwrap_or_default()).collect()
        };
        assert_eq!(names(&asks), ["", "web-1"]);
        assert_eq!(names(&tells), ["", "", "web-1", "web-1", "web-1", "web-1", "web-1", "web-1"]);
        let json = serde_json::to_value(&tells).unwrap();
        let json = &json["frame"];
        assert_eq!((&json["message"], &json["app_hash"]), (&"delta".into(), &"00000abc".into()));
        assert_eq!(json["summaries"][0]["last"], 5);
        let of = |n: usize| &json["states"][0]["entries"][n];
        assert_eq!(
            (&of(0)["key"], &of(0)["value_len"], &json["states"][0]["upto"]),
            (&"a\n".into(), &3.into(), &4.into())
        );
        let wanted = serde_json::json!({
            "id": "0000000000000009", "name": "web-1", "epoch": 7, "seq": 5,
            "lamport": "0000000000000010", "age_ms": 5, "topic": "t\u{1b}", "payload_len": 2
        });
        assert_eq!((&json["rumors"][0], &json["known"][1]["known"]), (&wanted, &false.into()));
    }
}
