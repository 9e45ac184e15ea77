//! Application data on the wire: vectors, laws, refusals.

use core::time::Duration;

use super::*;
use crate::node::Rumor;
use crate::status::RumorId;

/// Puts all sections of application data of a frame, with what only the writer of states can cut.
pub(super) fn rewrite(f: &Frame<'_>, w: &mut Writer<'_>) {
    assert!(w.app_hash(f.app_hash) && w.summaries(f.summaries()));
    assert!(w.open_states());
    for item in f.states() {
        assert_eq!(put_again(&item, w), Some(item.upto()), "{item:?}");
    }
    w.close_section();
    assert!(w.open_rumors());
    for rumor in f.rumors() {
        let before = w.written();
        assert!(w.rumor(&rumor));
        let most = rumor_len(rumor.topic.len(), rumor.payload.len());
        assert!((most - 4..=most).contains(&(w.written() - before)), "its age has one to five bytes");
    }
    w.close_section();
    assert!(w.known(f.known()));
}

fn head_of(item: &StateItem<'_>) -> StateHead {
    let StateItem { id, epoch, version, gc, from, .. } = *item;
    StateHead { id, epoch, version, gc, from }
}

/// Where something was left out, the writer has to leave it out again.
fn put_again(item: &StateItem<'_>, w: &mut Writer<'_>) -> Option<u32> {
    let left_out = StateEntry { version: item.version, key: "k", change: Change::Delete { ttl_ms: 0 } };
    let left_out = (!item.is_complete()).then_some(left_out);
    let (mut before, mut most) = (item.from, 0);
    for entry in item.entries() {
        most += entry.wire_len(before);
        before = entry.version;
    }
    w.state(&head_of(item), most, item.entries().chain(left_out))
}

fn bytes_of(text: &str) -> Vec<u8> {
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    (0..digits.len()).step_by(2).map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap()).collect()
}

/// What is written is the head and these bytes.
fn written(tail: &str, f: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let bytes = frame(f);
    assert_eq!(hex(&bytes), head() + &hex(&bytes_of(tail)));
    bytes
}

const HEAD_5: StateHead = StateHead { id: NodeId::new(9), epoch: 7, version: 5, gc: 2, from: 1 };

fn entries() -> [StateEntry<'static>; 3] {
    [
        StateEntry { version: 3, key: "a", change: Change::Put { value: b"xy", ttl_ms: None } },
        StateEntry { version: 4, key: "b", change: Change::Put { value: b"z", ttl_ms: Some(300) } },
        StateEntry { version: 5, key: "c", change: Change::Delete { ttl_ms: 7 } },
    ]
}

fn rumor_id(seq: u32) -> RumorId {
    RumorId { origin: id(9), epoch: 7, seq }
}

#[test]
fn hex_vectors_of_application_data() {
    let nonce = 0xa1a2_a3a4;
    let digest = Digest { id: id(9), epoch: 7, version: 5, gc: 2, floor: 3, seen: 6 };
    let tail = "0c 24 a4a3a2a1_0900000000000000_07000000_05000000_02000000_03000000_0600000000000000";
    let bytes = written(tail, |w| assert!(w.digest(nonce, [digest].into_iter())));
    let f = Frame::parse(&bytes).unwrap();
    assert_eq!((f.message, f.has_app(), f.app_hash), (Some(Message::Digest { nonce }), false, 0));
    assert!(f.digests().eq([digest]) && f.bitmaps().next().is_none());

    let bytes = written("15 04 04030201", |w| assert!(w.app_hash(0x0102_0304)));
    let f = Frame::parse(&bytes).unwrap();
    assert_eq!((f.app_hash, f.has_app()), (0x0102_0304, false));

    let summary = Summary { id: id(9), epoch: 7, version: 5, last: 6, floor: 3 };
    let tail = "16 18 0900000000000000_07000000_05000000_06000000_03000000";
    let bytes = written(tail, |w| {
        assert!(w.open_summaries() && w.summary(&summary));
        w.close_section();
    });
    let f = Frame::parse(&bytes).unwrap();
    assert!(f.has_app() && f.summaries().eq([summary]) && f.digests().next().is_none());

    let rumor = Rumor { id: rumor_id(1), lamport: 10, age: Duration::from_millis(300), topic: "t", payload: b"hi" };
    let tail = "18 1f 0900000000000000_07000000_01000000_0a00000000000000_ac02_01_74_02_6869";
    let bytes = written(tail, |w| {
        assert!(w.open_rumors() && w.rumor(&rumor));
        w.close_section();
    });
    let f = Frame::parse(&bytes).unwrap();
    assert!(f.has_app() && f.rumors().eq([rumor]));
    assert_eq!(bytes.len(), 21 + 2 + rumor_len(1, 2) - 3, "a greater age has five bytes");

    let known = [(rumor_id(1), true), (rumor_id(2), false)];
    let tail = "19 22 0900000000000000_07000000_01000000_01_0900000000000000_07000000_02000000_00";
    let bytes = written(tail, |w| assert!(w.known(known.into_iter())));
    let f = Frame::parse(&bytes).unwrap();
    assert!(f.has_app() && f.known().eq(known));
    // Nothing of what is empty.
    let bytes = written("", |w| {
        assert!(w.digest(nonce, core::iter::empty()) && w.app_hash(0) && w.summaries(core::iter::empty()));
        assert!(w.open_states());
        w.close_section();
        assert!(w.known(core::iter::empty()));
    });
    assert!(!Frame::parse(&bytes).unwrap().has_app());
}

#[test]
fn hex_vectors_of_states() {
    let state = |most, entries: &[StateEntry<'static>], upto, tail: &str| {
        let bytes = written(tail, |w| {
            assert!(w.open_states());
            assert_eq!(w.state(&HEAD_5, most, entries.iter().copied()), Some(upto));
            w.close_section();
        });
        let f = Frame::parse(&bytes).unwrap();
        let items: Vec<_> = f.states().collect();
        assert!(f.has_app() && items.len() == 1);
        assert_eq!((head_of(&items[0]), items[0].upto(), items[0].is_complete()), (HEAD_5, upto, upto == 5));
        let again = frame(|w| {
            assert!(w.open_states() && w.state_item(&items[0]));
            w.close_section();
        });
        assert_eq!(again, bytes);
        items[0].entries().count()
    };
    let all = entries();
    let whole = "17 22 0900000000000000_07000000_05_02_01_25_02_01_61_08_7879_01_01_62_05_ac02_7a_01_01_63_02_07";
    assert_eq!(state(usize::MAX, &all, 5, whole), 3);
    assert_eq!(state(18, &all, 5, whole), 3);
    // One byte less, and the last is left out; the first is put in any case.
    let two = "17 1d 0900000000000000_07000000_05_02_01_1a_02_01_61_08_7879_01_01_62_05_ac02_7a";
    assert_eq!(state(17, &all, 4, two), 2);
    let one = "17 16 0900000000000000_07000000_05_02_01_0c_02_01_61_08_7879";
    assert_eq!(state(0, &all, 3, one), 1);
    // Without entries, or without the newest version, there is no more.
    assert_eq!(state(0, &[], 5, "17 10 0900000000000000_07000000_05_02_01_01"), 0);
    assert_eq!(state(6, &all[..1], 5, "17 16 0900000000000000_07000000_05_02_01_0d_02_01_61_08_7879"), 1);
    let bytes = frame(|w| {
        assert!(w.open_states() && w.state(&HEAD_5, 99, all.into_iter()).is_some());
        w.close_section();
    });
    assert!(Frame::parse(&bytes).unwrap().states().next().unwrap().entries().eq(all));
}

#[test]
fn refused() {
    use DecodeError as E;
    let cases = [
        // An app hash of 0, which is left out, and of another length.
        ("15 04 00000000", E::Value),
        ("15 03 040302", E::Truncated),
        ("15 05 0403020100", E::Trailing),
        // No record, and half of one.
        ("0c 04 a4a3a2a1", E::Truncated),
        ("0c 0c a4a3a2a1_0900000000000000", E::Truncated),
        ("0d 03 a4a3a2", E::Truncated),
        ("0d 05 a4a3a2a100", E::Trailing),
        ("16 00", E::Truncated),
        ("16 14 0900000000000000_07000000_05000000_06000000", E::Truncated),
        ("17 00", E::Truncated),
        ("18 00", E::Truncated),
        ("19 00", E::Truncated),
        ("19 10 0900000000000000_07000000_01000000", E::Truncated),
        // A floor above the newest rumor; a feedback that is neither.
        ("16 18 0900000000000000_07000000_05000000_02000000_03000000", E::Value),
        ("19 11 0900000000000000_07000000_01000000_02", E::Value),
        // gc and from above the version; a version of 33 bits; more entries than there are bytes.
        ("17 10 0900000000000000_07000000_05_06_01_01", E::Varint),
        ("17 10 0900000000000000_07000000_05_02_06_01", E::Varint),
        ("17 14 0900000000000000_07000000_8080808010_00_00_01", E::Varint),
        ("17 16 0900000000000000_07000000_05_02_01_0f_02_01_61_08_7879", E::Truncated),
        ("17 12 0900000000000000_07000000_05_02_01_808008", E::Varint),
        // Not complete: without entries, and with the newest version.
        ("17 10 0900000000000000_07000000_05_02_01_00", E::Value),
        ("17 16 0900000000000000_07000000_05_02_01_0c_04_01_61_08_7879", E::Value),
        // A step of 0, one beyond the version, one beyond all versions.
        ("17 16 0900000000000000_07000000_05_02_01_0d_00_01_61_08_7879", E::Value),
        ("17 16 0900000000000000_07000000_05_02_01_0d_05_01_61_08_7879", E::Value),
        ("17 1a 0900000000000000_07000000_05_02_01_15_ffffffff0f_01_61_08_7879", E::Value),
        // No key; one of 65 bytes; one that is not UTF-8; an entry cut off in its item, with more behind that.
        ("17 15 0900000000000000_07000000_05_02_01_0b_02_00_08_7879", E::Value),
        ("17 16 0900000000000000_07000000_05_02_01_0d_02_41_61_08_7879", E::Value),
        ("17 16 0900000000000000_07000000_05_02_01_0d_02_01_ff_08_7879", E::Value),
        ("17 16 0900000000000000_07000000_05_02_01_0b_02_01_61_08_7879", E::Truncated),
        // Form 3; a tombstone with a value; a value of 1025 bytes; 2^34 ms left.
        ("17 16 0900000000000000_07000000_05_02_01_0d_02_01_61_0b_7879", E::Value),
        ("17 15 0900000000000000_07000000_05_02_01_0b_02_01_61_0a_07", E::Value),
        ("17 15 0900000000000000_07000000_05_02_01_0b_02_01_61_8420", E::Varint),
        ("17 19 0900000000000000_07000000_05_02_01_13_02_01_61_02_8080808040", E::Varint),
        // An age of 2^34 ms; rumor 0; a topic of 65 bytes; one that is not UTF-8; a payload cut off, and one of 65 536 bytes.
        ("18 22 0900000000000000_07000000_01000000_0a00000000000000_8080808040_01_74_02_6869", E::Varint),
        ("18 1e 0900000000000000_07000000_00000000_0a00000000000000_00_01_74_02_6869", E::Value),
        ("18 1e 0900000000000000_07000000_01000000_0a00000000000000_00_41_74_02_6869", E::Value),
        ("18 1e 0900000000000000_07000000_01000000_0a00000000000000_00_01_ff_02_6869", E::Value),
        ("18 1e 0900000000000000_07000000_01000000_0a00000000000000_00_01_74_03_6869", E::Truncated),
        ("18 1e 0900000000000000_07000000_01000000_0a00000000000000_00_01_74_808004", E::Varint),
        // An over-long varint; sections that do not ascend.
        ("17 11 0900000000000000_07000000_8500_02_05_01", E::Varint),
        ("17 10 0900000000000000_07000000_05_02_05_01 15 04 04030201", E::Order),
        ("0d 04 a4a3a2a1 0c 24", E::Truncated),
    ];
    for (tail, want) in cases {
        let bytes = bytes_of(&(head() + tail));
        assert_eq!(Frame::parse(&bytes).err(), Some(want), "{tail}");
    }
}

/// The largest there are, and one more of each.
#[test]
fn bounds() {
    let key: String = core::iter::repeat_n('k', 64).collect();
    let value = [7; 1_024];
    let top = (1 << 34) - 1;
    let head = StateHead { id: id(u64::MAX), epoch: u32::MAX, version: u32::MAX, gc: u32::MAX, from: 0 };
    let entry = StateEntry { version: u32::MAX, key: &key, change: Change::Put { value: &value, ttl_ms: Some(top) } };
    let rumor = Rumor {
        id: RumorId { origin: id(1), epoch: 2, seq: u32::MAX },
        lamport: u64::MAX,
        age: Duration::from_millis(top),
        topic: &key,
        payload: &[1; 60],
    };
    let bytes = frame(|w| {
        assert!(w.open_states());
        assert_eq!(w.state(&head, 0, [entry].into_iter()), Some(u32::MAX));
        w.close_section();
        assert!(w.open_rumors() && w.rumor(&rumor));
        w.close_section();
    });
    let f = Frame::parse(&bytes).unwrap();
    assert!(f.states().next().unwrap().entries().eq([entry]) && f.rumors().eq([rumor]));
    assert_eq!(entry.wire_len(0), 5 + 1 + 64 + 2 + 5 + 1_024);
    // What is left of a time is cut at its bound, and more than a section holds is refused.
    let long = StateEntry { change: Change::Delete { ttl_ms: u64::MAX }, ..entry };
    let payload = vec![0; 65_536];
    let mut buf = vec![0; 200_000];
    let mut w = Writer::new(&mut buf, id(1), Incarnation::new(2, 3), 4).unwrap();
    assert!(w.open_states() && w.state(&head, 0, [long].into_iter()).is_some());
    w.close_section();
    assert!(w.open_rumors());
    assert!(!w.rumor(&Rumor { payload: &payload[..65_535], ..rumor }));
    assert!(
        w.rumor(&Rumor { payload: &payload[..60_000], ..rumor })
            && !w.rumor(&Rumor { payload: &payload[..6_000], ..rumor })
    );
    w.close_section();
    let n = w.written();
    let f = Frame::parse(&buf[..n]).unwrap();
    assert!(f.states().next().unwrap().entries().eq([StateEntry { change: Change::Delete { ttl_ms: top }, ..long }]));
    assert_eq!(f.rumors().count(), 1);
    // So is an age.
    let old = frame(|w| {
        assert!(w.open_rumors() && w.rumor(&Rumor { age: Duration::MAX, ..rumor }));
        w.close_section();
    });
    assert!(Frame::parse(&old).unwrap().rumors().eq([rumor]));
}

/// With bytes held back, a writer is one with a shorter buffer; what follows has them.
#[test]
fn what_is_held_stays_free() {
    let rumor = Rumor {
        id: rumor_id(1),
        lamport: 10,
        age: Duration::from_millis((1 << 34) - 1),
        topic: "t",
        payload: &[1; 20],
    };
    let mut buf = [0; 130];
    let mut w = Writer::new(&mut buf, id(1), Incarnation::new(2, 3), 4).unwrap();
    w.hold(55);
    assert_eq!(w.room(), 130 - 21 - 55);
    assert!(w.open_rumors() && w.rumor(&rumor));
    let (at, room) = (w.written(), w.room());
    assert!(room < rumor_len(1, 20) && !w.rumor(&rumor) && !w.ask_who(None));
    assert_eq!((w.written(), w.room()), (at, room));
    w.hold(1_000);
    assert_eq!(w.room(), 0);
    w.release();
    // The section goes on, and its length has room for all of it.
    assert!(w.rumor(&rumor) && !w.rumor(&rumor));
    w.close_section();
    let n = w.written();
    assert_eq!(Frame::parse(&buf[..n]).unwrap().rumors().count(), 2);
    // A section that was opened with little room may become longer than that.
    let mut buf = vec![0; 440];
    let mut w = Writer::new(&mut buf, id(1), Incarnation::new(2, 3), 4).unwrap();
    w.hold(300);
    assert!(w.open_rumors());
    w.release();
    while w.rumor(&rumor) {}
    w.close_section();
    let n = w.written();
    assert_eq!(Frame::parse(&buf[..n]).unwrap().rumors().count(), 8);
}

/// Application data, for generating it.
#[derive(Clone, Debug)]
struct App {
    hash: u32,
    summaries: Vec<Summary>,
    states: Vec<(StateHead, Vec<OwnedEntry>)>,
    rumors: Vec<OwnedRumor>,
    known: Vec<(RumorId, bool)>,
    digests: Vec<Digest>,
    most: usize,
}

/// Id, Lamport time, age in milliseconds, topic and payload.
type OwnedRumor = (RumorId, u64, u64, String, Vec<u8>);

/// Version, key, and a value or none, with the time left.
type OwnedEntry = (u32, String, Option<Vec<u8>>, Option<u64>);

fn text(g: &mut Gen) -> String {
    String::arbitrary(g).chars().take(16).collect()
}

fn short<T: Arbitrary>(g: &mut Gen, most: usize) -> Vec<T> {
    let mut all = Vec::arbitrary(g);
    all.truncate(most);
    all
}

/// All sizes alike.
fn number(g: &mut Gen) -> u32 {
    u32::arbitrary(g) >> (u32::arbitrary(g) % 32)
}

/// What the wire can hold of a time.
fn ms(g: &mut Gen) -> u64 {
    u64::arbitrary(g) >> (30 + u32::arbitrary(g) % 34)
}

fn any_id(g: &mut Gen) -> RumorId {
    RumorId { origin: id(u64::arbitrary(g)), epoch: u32::arbitrary(g), seq: u32::arbitrary(g).max(1) }
}

fn any_state(g: &mut Gen) -> (StateHead, Vec<OwnedEntry>) {
    let from = number(g) / 2;
    let mut version = from;
    let mut entries = Vec::new();
    for _ in 0..u32::arbitrary(g) % 6 {
        version += number(g) / 16 + 1;
        let value = bool::arbitrary(g).then(|| short(g, 200));
        let ttl = (value.is_none() || bool::arbitrary(g)).then(|| ms(g));
        entries.push((version, text(g) + "k", value, ttl));
    }
    version += u32::arbitrary(g) % 2;
    let head =
        StateHead { id: id(u64::arbitrary(g)), epoch: u32::arbitrary(g), version, gc: number(g).min(version), from };
    (head, entries)
}

fn entry((version, key, value, ttl): &OwnedEntry) -> StateEntry<'_> {
    let change = match value {
        Some(value) => Change::Put { value, ttl_ms: *ttl },
        None => Change::Delete { ttl_ms: ttl.unwrap() },
    };
    StateEntry { version: *version, key, change }
}

fn rumor((id, lamport, age, topic, payload): &OwnedRumor) -> Rumor<'_> {
    Rumor { id: *id, lamport: *lamport, age: Duration::from_millis(*age), topic, payload }
}

impl Arbitrary for App {
    fn arbitrary(g: &mut Gen) -> Self {
        let summary = |g: &mut Gen| {
            let last = number(g);
            Summary { id: id(1), epoch: number(g), version: number(g), last, floor: number(g).min(last) }
        };
        let digest = |g: &mut Gen| {
            let (epoch, version, gc) = (number(g), number(g), number(g));
            Digest { id: id(u64::arbitrary(g)), epoch, version, gc, floor: number(g), seen: u64::arbitrary(g) }
        };
        let mut count = || usize::arbitrary(g) % 4;
        let [a, b, c, d, e] = [count(), count(), count(), count(), count()];
        Self {
            hash: u32::arbitrary(g) % 3,
            summaries: (0..a).map(|_| summary(g)).collect(),
            states: (0..b).map(|_| any_state(g)).collect(),
            rumors: (0..c).map(|_| (any_id(g), u64::arbitrary(g), ms(g), text(g), short(g, 300))).collect(),
            known: (0..d).map(|_| (any_id(g), bool::arbitrary(g))).collect(),
            digests: (0..e).map(|_| digest(g)).collect(),
            most: usize::arbitrary(g) % 400,
        }
    }
}

impl App {
    /// Puts what fits, and tells what that was: the rest is the same with what did not fit taken out.
    fn put(&self, w: &mut Writer<'_>) -> Self {
        let mut put = self.clone();
        if !w.digest(5, self.digests.iter().copied()) {
            put.digests.clear();
        }
        put.hash = if w.app_hash(self.hash) { self.hash } else { 0 };
        let open = w.open_summaries();
        put.summaries.retain(|summary| open && w.summary(summary));
        w.close_section();
        let open = w.open_states();
        put.states.retain_mut(|(head, entries)| {
            let upto = open.then(|| w.state(head, self.most, entries.iter().map(entry))).flatten();
            entries.retain(|entry| upto.is_some_and(|upto| entry.0 <= upto));
            upto.is_some()
        });
        w.close_section();
        let open = w.open_rumors();
        put.rumors.retain(|r| open && w.rumor(&rumor(r)));
        w.close_section();
        if !w.known(self.known.iter().copied()) {
            put.known.clear();
        }
        put
    }

    fn is_in(&self, f: &Frame<'_>) -> bool {
        let state = |(item, (head, entries)): (StateItem<'_>, &(StateHead, Vec<OwnedEntry>))| {
            head_of(&item) == *head && item.entries().eq(entries.iter().map(entry))
        };
        f.app_hash == self.hash
            && f.digests().eq(self.digests.iter().copied())
            && f.summaries().eq(self.summaries.iter().copied())
            && f.states().count() == self.states.len()
            && f.states().zip(&self.states).all(state)
            && f.rumors().eq(self.rumors.iter().map(rumor))
            && f.known().eq(self.known.iter().copied())
    }
}

/// Also where the buffer ends in the middle of it: what did not fit is not there, and all else is.
#[test]
fn f4_what_is_written_is_read_back() {
    fn same(app: App, room: u16, held: u8) -> bool {
        let room = usize::from(room % 3_000).max(40);
        let mut buf = vec![0; room];
        let mut w = Writer::new(&mut buf, id(1), Incarnation::new(2, 3), 4).unwrap();
        w.hold(held.into());
        let put = app.put(&mut w);
        let n = w.written();
        let f = Frame::parse(&buf[..n]).unwrap();
        n <= room.saturating_sub(held.into()).max(21) && put.is_in(&f) && super::rewrite(&f) == buf[..n]
    }
    QuickCheck::new().tests(crate::cases(2_000)).quickcheck(same as fn(App, u16, u8) -> bool);
}

/// Any byte string parses or is refused, and what parses has no other encoding.
#[test]
fn parsing_is_total_and_canonical() {
    fn total(app: App, spoil: Vec<(u16, u8)>, cut: u16) -> bool {
        let check = |bytes: &[u8]| match Frame::parse(bytes) {
            Ok(f) => known_kinds_only(bytes).is_none_or(|known| !known || super::rewrite(&f) == bytes),
            Err(_) => true,
        };
        let mut buf = vec![0; 10_000];
        let mut w = Writer::new(&mut buf, id(1), Incarnation::new(2, 3), 4).unwrap();
        app.put(&mut w);
        let n = w.written();
        let good = &mut buf[..n];
        assert!(check(good) && check(&good[..usize::from(cut) % n]));
        for (at, xor) in spoil.into_iter().take(3) {
            good[usize::from(at) % n] ^= xor;
            assert!(check(good));
        }
        true
    }
    QuickCheck::new().tests(crate::cases(5_000)).quickcheck(total as fn(App, Vec<(u16, u8)>, u16) -> bool);
}
