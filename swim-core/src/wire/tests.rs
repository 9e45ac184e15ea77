//! The wire against hex vectors (the same as in `docs/wire.md`), and its laws against arbitrary values.

mod app;
mod doc;
#[cfg(feature = "std")]
mod steps;

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use quickcheck::{Arbitrary, Gen, QuickCheck};

use super::*;
use crate::status::{State, Status};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn id(n: u64) -> NodeId {
    NodeId::new(n)
}

fn frame(f: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buf = vec![0; 1_400];
    let mut w =
        Writer::new(&mut buf, id(0x0102_0304_0506_0708), Incarnation::new(0x6920_0000, 3), 0x1112_1314).unwrap();
    f(&mut w);
    let n = w.written();
    buf.truncate(n);
    buf
}

/// sender 0102030405060708, epoch 69200000, 3 refutations, view hash 11121314.
const HEAD: &str = "0807060504030201000020690314131211_00000000";

fn head() -> String {
    HEAD.replace('_', "")
}

const D: Detail<'static> = Detail { at: Incarnation::new(7, 0), addr: std_addr(), name: "web-1", meta: b"m" };

const fn std_addr() -> core::net::SocketAddr {
    core::net::SocketAddr::V4(core::net::SocketAddrV4::new(core::net::Ipv4Addr::new(10, 0, 0, 1), 7946))
}

#[test]
fn hex_vectors_of_messages() {
    let nonce = 0xa1a2_a3a4;
    let inc = Incarnation::new(7, 200);
    let vectors = [
        (Message::Ping { target: id(9), nonce }, "010c0900000000000000a4a3a2a1"),
        (Message::Ack { nonce }, "0204a4a3a2a1"),
        (Message::PingReq { target: id(9), nonce }, "030c0900000000000000a4a3a2a1"),
        (Message::RelayedAck { nonce, incarnation: inc }, "040aa4a3a2a107000000c801"),
        (Message::Nack { nonce }, "0504a4a3a2a1"),
        (Message::NotMe { nonce }, "0604a4a3a2a1"),
        (Message::Pull { nonce }, "070ca4a3a2a10000000000000040"),
        (Message::Page { nonce, next: 6 }, "0808a4a3a2a106000000"),
        (Message::Push, "0b00"),
        (Message::Delta { nonce }, "0d04a4a3a2a1"),
        (Message::Prove { nonce }, "0e04a4a3a2a1"),
    ];
    for (message, want) in vectors {
        let bytes = frame(|w| assert!(w.message(message)));
        assert_eq!(hex(&bytes), head() + want, "{message:?}");
        assert_eq!(Frame::parse(&bytes).unwrap().message, Some(message));
    }
}

#[test]
fn hex_vectors_of_syncs() {
    let nonce = 0xa1a2_a3a4;
    let hashes = core::array::from_fn(|i| i as u32);
    let all: String = hashes.iter().map(|h| hex(&h.to_le_bytes())).collect();
    let ranges = [KeyRange { from: 5, to: 7 }, KeyRange { from: 9, to: PAGE_END }];
    let bytes = frame(|w| {
        assert!(w.pull(nonce, ranges.into_iter()) && w.held([(id(9), 0x0102_0304, 0x0506_0708)].into_iter()));
    });
    let pull = "0714a4a3a2a1_0500000007000000_0900000000000040_1310_0900000000000000_04030201_08070605";
    assert_eq!(hex(&bytes), head() + &pull.replace('_', ""));
    let f = Frame::parse(&bytes).unwrap();
    assert_eq!(f.message, Some(Message::Pull { nonce }));
    assert!(f.ranges().eq(ranges) && f.held().eq([(id(9), 0x0102_0304, 0x0506_0708)]) && f.nodes().next().is_none());

    let bytes = frame(|w| assert!(w.compare(nonce, 1, [(3, hashes)].into_iter())));
    assert_eq!(hex(&bytes), head() + "098902a4a3a2a10103000000" + &all);
    let f = Frame::parse(&bytes).unwrap();
    assert_eq!(f.message, Some(Message::Compare { nonce, level: 1 }));
    assert!(f.nodes().eq([TreeNode { prefix: 3, hashes }]) && f.ranges().next().is_none());

    let bytes = frame(|w| assert!(w.differ(nonce, [1, 1 << 63].into_iter())));
    assert_eq!(hex(&bytes), head() + "0a14a4a3a2a1" + "0100000000000000" + "0000000000000080");
    assert!(Frame::parse(&bytes).unwrap().bitmaps().eq([1, 1 << 63]));

    let bytes = frame(|w| {
        assert!(w.message(Message::Page { nonce, next: PAGE_END }) && w.ask_who(None) && w.wanted([id(9)].into_iter()));
    });
    assert_eq!(hex(&bytes), head() + "0808a4a3a2a100000040" + "1200" + "14080900000000000000");
    assert!(Frame::parse(&bytes).unwrap().wanted().eq([id(9)]));
    // Nothing is written of what does not fit, and nothing when there is nothing.
    let mut buf = [0; 60];
    let mut w = Writer::new(&mut buf, id(1), Incarnation::new(2, 3), 4).unwrap();
    assert!(!w.compare(nonce, 0, [(0, hashes)].into_iter()) && w.held(core::iter::empty()));
    assert_eq!(w.written(), 21);
}

#[test]
fn hex_vector_of_the_question_who() {
    let bytes = frame(|w| assert!(w.ask_who(None)));
    assert_eq!(hex(&bytes), head() + "1200");
    let f = Frame::parse(&bytes).unwrap();
    assert_eq!((f.asks_who, f.message, f.cookie), (true, None, None));
    let bytes = frame(|w| assert!(w.ask_who(Some(2)) && w.proof(3)));
    let f = Frame::parse(&bytes).unwrap();
    assert_eq!((f.asks_who, f.cookie, f.proof), (true, Some(2), Some(3)));
    assert_eq!(Frame::parse(&[&bytes[..21], &[18, 1, 0]].concat()).err(), Some(DecodeError::Truncated));
}

#[test]
fn hex_vector_of_padding() {
    let bytes = frame(|w| w.pad_to(21 + 3 + 128));
    assert_eq!(hex(&bytes), head() + "ff8001" + &"00".repeat(128));
    assert!(Frame::parse(&bytes).is_ok());
    // Nothing when it does not fit.
    let mut buf = [0; 100];
    let mut w = Writer::new(&mut buf, id(1), Incarnation::new(2, 3), 4).unwrap();
    w.pad_to(5_000);
    assert_eq!(w.written(), 21);
}

#[test]
fn hex_vectors_of_items() {
    let accusers = [id(1), id(2)];
    let inc = Incarnation::new(7, 20);
    let item = |state, more| Item { id: id(9), status: Status::new(inc, state), more };
    let vectors = [
        (item(State::Dead, More::Status), "100e0900000000000000_07000000_c202"),
        (
            item(State::Suspect, More::Accused(Accusers::new(&accusers).unwrap())),
            "101f0900000000000000_07000000_c502_02_0100000000000000_0200000000000000",
        ),
        (
            item(State::Alive, More::Detail(D)),
            "10220900000000000000_07000000_c802_07000000_00_04_0a000001_0a1f_05_7765622d31_01_6d",
        ),
    ];
    for (item, want) in vectors {
        let bytes = frame(|w| {
            assert!(w.open_updates() && w.item(&item));
            w.close_section();
        });
        assert_eq!(hex(&bytes), head() + &want.replace('_', ""), "{item:?}");
        let parsed: Vec<Item<'_>> = Frame::parse(&bytes).unwrap().updates().collect();
        assert_eq!(parsed.len(), 1);
        assert_eq!((parsed[0].id, parsed[0].status, parsed[0].detail()), (item.id, item.status, item.detail()));
    }
}

/// The bounds that the design promises, for the largest values there are.
#[test]
fn sizes() {
    let top = Incarnation::new(u32::MAX, Incarnation::MAX_REFUTATIONS);
    let head_len = |m: Message| {
        let mut buf = [0; 100];
        let mut w = Writer::new(&mut buf, id(u64::MAX), top, u64::MAX).unwrap();
        assert!(w.message(m));
        w.written()
    };
    const ENVELOPE: usize = 10;
    assert!(ENVELOPE + head_len(Message::Ping { target: id(u64::MAX), nonce: u32::MAX }) <= 52);
    assert!(ENVELOPE + head_len(Message::Ack { nonce: u32::MAX }) <= 52);
    let mut buf = [0; 100];
    let mut c = codec::Cursor::new(&mut buf);
    assert!(Item::status(id(u64::MAX), Status::new(top, State::Left)).write(&mut c).is_some());
    assert_eq!(c.at(), 17);
    // The largest row there can be, with a page's head and a sealed envelope (46 bytes), fits the smallest mtu.
    let name: String = core::iter::repeat_n('x', 64).collect();
    let addr = "[2001:db8:1:2:3:4:5:6]:65535".parse().unwrap();
    let more = More::Detail(Detail { at: top, addr, name: &name, meta: &[7; 512] });
    let row = Item { id: id(1), status: Status::alive(top), more };
    let mut buf = vec![0; crate::Config::MTU_MIN - 46];
    let mut w = Writer::new(&mut buf, id(1), top, 0).unwrap();
    assert!(w.message(Message::Page { nonce: 1, next: 1 }));
    assert!(w.open_updates() && w.item(&Item::status(id(2), Status::alive(top))));
    w.close_section();
    assert!(w.open_rows() && w.item(&row));
}

#[test]
fn refused() {
    use DecodeError as E;
    let cases = [
        ("", E::Truncated),
        ("0204a4a3a2", E::Truncated),
        ("0205a4a3a2a100", E::Trailing),
        // Two messages, and sections that do not ascend.
        ("0204a4a3a2a10504a4a3a2a1", E::Order),
        ("0204a4a3a2a10204a4a3a2a1", E::Order),
        ("100d09000000000000000700000000_0204a4a3a2a1", E::Order),
        ("00", E::Truncated),
        ("0000", E::Order),
        // An over-long length; an empty section of updates.
        ("028400a4a3a2a1", E::Varint),
        ("1000", E::Truncated),
        // No range; an empty one; one beyond the keys; ranges that touch, and that descend.
        ("0704a4a3a2a1", E::Truncated),
        ("070ca4a3a2a1_0500000005000000", E::Value),
        ("070ca4a3a2a1_0000000001000040", E::Value),
        ("0714a4a3a2a1_0500000007000000_0700000008000000", E::Value),
        ("0714a4a3a2a1_0500000007000000_0100000002000000", E::Value),
        // A key behind the last; a page and a push with bytes left over.
        ("0808a4a3a2a1_01000040", E::Value),
        ("0809a4a3a2a1_0000004000", E::Trailing),
        ("0b0100", E::Trailing),
        // No bitmap, half of one; no entry, half of one.
        ("0a04a4a3a2a1", E::Truncated),
        ("0a08a4a3a2a1_00000000", E::Truncated),
        ("1300", E::Truncated),
        ("130c_0900000000000000_04030201", E::Truncated),
        ("1404_09000000", E::Truncated),
        ("100d0900000000000000070000000c", E::Value),
        ("10160900000000000000070000000401_0100000000000000", E::Value),
        ("100e0900000000000000070000000505", E::Value),
        ("100e0900000000000000070000000500", E::Value),
        // A detail of a later incarnation than the status; port 0; a mapped address; a name that is not UTF-8.
        ("1021090000000000000007000000_08_08000000_00_04_0a000001_0a1f_05_7765622d31_01_6d", E::Value),
        ("1021090000000000000007000000_08_07000000_00_04_0a000001_0000_05_7765622d31_01_6d", E::Value),
        ("102709000000000000000700000008_07000000_00_06_00000000000000000000ffff0a000001_0a1f_00_00", E::Value),
        ("101d090000000000000007000000_08_07000000_00_04_0a000001_0a1f_01_ff_01_6d", E::Value),
    ];
    // A node of a level that there is not, one with a prefix too long for its level, and no node.
    let zeros = "00".repeat(256);
    let level_5 = String::from("098902a4a3a2a10500000000") + &zeros;
    let prefix = String::from("098902a4a3a2a10140000000") + &zeros;
    let nodes = [(&level_5[..], E::Value), (&prefix[..], E::Value), ("0905a4a3a2a100", E::Truncated)];
    // More ranges than a pull can have.
    let ranges: String =
        (0..257_u32).map(|i| format!("{:08x}{:08x}", (2 * i).swap_bytes(), (2 * i + 1).swap_bytes())).collect();
    let ranges = String::from("078c10a4a3a2a1") + &ranges;
    let many = [(&ranges[..], E::Value)];
    for (tail, want) in cases.into_iter().chain(nodes).chain(many) {
        let text = if tail.is_empty() { String::from("0807") } else { head() + &tail.replace('_', "") };
        let bytes: Vec<u8> =
            (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect();
        assert_eq!(Frame::parse(&bytes).err(), Some(want), "{tail}");
    }
}

#[test]
fn unknown_kinds_are_skipped() {
    let mut bytes = frame(|w| assert!(w.message(Message::Ack { nonce: 1 })));
    bytes.extend_from_slice(&[99, 3, 1, 2, 3]);
    assert_eq!(Frame::parse(&bytes).unwrap().message, Some(Message::Ack { nonce: 1 }));
    let later = frame(|_| ());
    let later = [&later[..], &[15, 2, 1, 2, 17, 13, 9, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0]].concat();
    let f = Frame::parse(&later).unwrap();
    assert_eq!((f.message, f.rows().count()), (None, 1));
}

/// An owned item, for generating them.
#[derive(Clone, Debug)]
struct Owned {
    id: NodeId,
    status: Status,
    accusers: Vec<NodeId>,
    detail: Option<(Incarnation, core::net::SocketAddr, String, Vec<u8>)>,
}

impl Arbitrary for Owned {
    fn arbitrary(g: &mut Gen) -> Self {
        let inc = Incarnation::new(u32::arbitrary(g), u32::arbitrary(g) >> (u32::arbitrary(g) % 32));
        let state = State::from_bits(u64::arbitrary(g));
        let count = if state == State::Suspect { usize::arbitrary(g) % 5 } else { 0 };
        let detail = (count == 0 && bool::arbitrary(g)).then(|| {
            let name: String = String::arbitrary(g).chars().take(16).collect();
            let ip = if bool::arbitrary(g) {
                core::net::Ipv4Addr::from(u32::arbitrary(g) | 1).into()
            } else {
                core::net::Ipv6Addr::from(u128::arbitrary(g) | 1 << 127).into()
            };
            let mut meta = Vec::arbitrary(g);
            meta.truncate(512);
            (inc, core::net::SocketAddr::new(ip, u16::arbitrary(g) | 1), name, meta)
        });
        let accusers = (0..count).map(|_| id(u64::arbitrary(g))).collect();
        Self { id: id(u64::arbitrary(g)), status: Status::new(inc, state), accusers, detail }
    }
}

impl Owned {
    fn item(&self) -> Item<'_> {
        let more = match (&self.detail, Accusers::new(&self.accusers)) {
            (Some((at, addr, name, meta)), _) => More::Detail(Detail { at: *at, addr: *addr, name, meta }),
            (None, Some(a)) => More::Accused(a),
            (None, None) => More::Status,
        };
        Item { id: self.id, status: self.status, more }
    }
}

fn rewrite(f: &Frame<'_>) -> Vec<u8> {
    let mut buf = vec![0; 70_000];
    let mut w = Writer::new(&mut buf, f.sender, f.incarnation, f.view_hash).unwrap();
    assert!(f.message.is_none_or(|m| match m {
        Message::Pull { nonce } => w.pull(nonce, f.ranges()),
        Message::Compare { nonce, level } => w.compare(nonce, level, f.nodes().map(|n| (n.prefix, n.hashes))),
        Message::Differ { nonce } => w.differ(nonce, f.bitmaps()),
        Message::Digest { nonce } => w.digest(nonce, f.digests()),
        m => w.message(m),
    }));
    for (items, rows) in [(f.updates(), false), (f.rows(), true)] {
        assert!(if rows { w.open_rows() } else { w.open_updates() });
        for item in items {
            assert!(w.item(&item));
        }
        w.close_section();
    }
    assert!(!f.asks_who || w.ask_who(f.cookie));
    assert!(w.held(f.held()) && w.wanted(f.wanted()));
    app::rewrite(f, &mut w);
    assert!(f.proof.is_none_or(|proof| w.proof(proof)));
    let n = w.written();
    buf.truncate(n);
    buf
}

#[test]
fn what_is_written_is_read_back() {
    fn same(nonce: u32, updates: Vec<Owned>, rows: Vec<Owned>, room: u16) -> bool {
        let mut buf = vec![0; usize::from(room).max(40)];
        let mut w = Writer::new(&mut buf, id(1), Incarnation::new(2, 3), 4).unwrap();
        w.message(Message::Ack { nonce });
        let mut put = [Vec::new(), Vec::new()];
        for (i, items) in [&updates, &rows].into_iter().enumerate() {
            if if i == 0 { w.open_updates() } else { w.open_rows() } {
                put[i] = items.iter().filter(|o| w.item(&o.item())).collect();
                w.close_section();
            }
        }
        let n = w.written();
        let f = Frame::parse(&buf[..n]).unwrap();
        let equal = |items: Items<'_>, put: &[&Owned]| {
            items.clone().count() == put.len()
                && items.zip(put).all(|(a, o)| {
                    let b = o.item();
                    let ids = |m: More<'_>| match m {
                        More::Accused(a) => a.iter().collect(),
                        _ => Vec::new(),
                    };
                    (a.id, a.status, a.detail(), ids(a.more)) == (b.id, b.status, b.detail(), ids(b.more))
                })
        };
        equal(f.updates(), &put[0]) && equal(f.rows(), &put[1]) && rewrite(&f) == buf[..n]
    }
    QuickCheck::new().tests(crate::cases(100)).quickcheck(same as fn(u32, Vec<Owned>, Vec<Owned>, u16) -> bool);
}

/// Any byte string parses or is refused, and what parses has no other encoding.
#[test]
fn parsing_is_total_and_canonical() {
    fn total(mut bytes: Vec<u8>, spoil: Vec<(u16, u8)>, owned: Vec<Owned>) -> bool {
        let check = |bytes: &[u8]| match Frame::parse(bytes) {
            // Kinds of a later version are skipped, so only frames without them come back as they were.
            Ok(f) => known_kinds_only(bytes).is_none_or(|known| !known || rewrite(&f) == bytes),
            Err(_) => true,
        };
        let level = (bytes.len() % 5) as u8;
        let mut good = frame(|w| {
            match spoil.len() % 4 {
                0 => w.message(Message::Nack { nonce: 5 }),
                1 => w.pull(5, [KeyRange { from: 1, to: 70 }, KeyRange { from: 71, to: PAGE_END }].into_iter()),
                2 => w.compare(5, level, [(0, [7; CHILDREN])].into_iter()),
                _ => w.differ(5, [1, 2, 3].into_iter()),
            };
            w.open_updates();
            owned.iter().for_each(|o| {
                w.item(&o.item());
            });
            w.close_section();
            w.held([(id(1), 2, 3), (id(3), 4, 0)].into_iter());
            w.wanted([id(5)].into_iter());
        });
        assert!(check(&good));
        for (at, xor) in spoil {
            let at = usize::from(at) % good.len();
            good[at] ^= xor;
        }
        bytes.truncate(2_000);
        check(&bytes) && check(&good)
    }
    QuickCheck::new().tests(crate::cases(2_000)).quickcheck(total as fn(Vec<u8>, Vec<(u16, u8)>, Vec<Owned>) -> bool);
}

/// Walks the sections of a frame that parsed.
fn known_kinds_only(bytes: &[u8]) -> Option<bool> {
    let mut r = Reader::new(bytes);
    r.u64().ok()?;
    item::read_incarnation(&mut r).ok()?;
    r.u64().ok()?;
    let mut known = true;
    while !r.is_empty() {
        let kind = r.u8().ok()?;
        known &= (1..=13).contains(&kind) || (16..=25).contains(&kind);
        let n = r.varint(65_535).ok()?;
        r.bytes(n as usize).ok()?;
    }
    Some(known)
}

/// Whoever keeps room free for a section knows how long it is.
#[test]
fn sections_are_as_long_as_is_said() {
    let len = |write: &dyn Fn(&mut Writer<'_>) -> bool| {
        let mut buf = [0; 256];
        let mut w = Writer::new(&mut buf, NodeId::new(1), Incarnation::new(1, 0), 0).unwrap();
        let before = w.written();
        assert!(write(&mut w));
        w.written() - before
    };
    assert_eq!(len(&|w| w.ask_who(Some(1))), WHO_LEN);
    assert_eq!(len(&|w| w.proof(1)), WHO_LEN);
    assert_eq!(len(&|w| w.app_hash(1)), APP_HASH_LEN);
    let held = |n: u64| len(&move |w| w.held((0..n).map(|n| (NodeId::new(n), 0, 0))));
    assert_eq!(held(3) - held(2), HELD_LEN);
}

/// Whatever an incarnation is, it is written whole: numbers that fill all the bits that there are, too.
#[test]
fn statuses_are_read_as_they_were_written() {
    let most = Incarnation::MAX_REFUTATIONS;
    for refutations in [0, 7, 8, 127, 128, 1 << 14, (1 << 28) - 1, 1 << 28, (1 << 28) + 1, 1 << 29, most] {
        for state in [State::Alive, State::Suspect, State::Dead, State::Left] {
            let said = Item::status(id(9), Status::new(Incarnation::new(7, refutations), state));
            let bytes = frame(|w| {
                assert!(w.open_updates() && w.item(&said));
                w.close_section();
            });
            let read: Vec<_> = Frame::parse(&bytes).unwrap().updates().collect();
            assert_eq!(read, [said]);
        }
    }
}
