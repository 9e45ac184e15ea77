//! Application data by somebody that means harm, or is broken: nobody else's word is taken for what is mine, memory and
//! answers stay bounded, and whatever the bytes are, nothing is out of step.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::util::*;
use swim_core::wire::{Change, Digest, Message, StateEntry, StateHead, Summary, Writer};
use swim_core::{Command, Config, Incarnation, NodeId, Rumor, RumorId, StopPolicy};

/// Knuth's generator, the upper bits of it.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32 % n
    }

    /// Mostly small, sometimes the greatest there are.
    fn number(&mut self) -> u32 {
        match self.below(8) {
            0 => u32::MAX - self.below(2),
            1 => self.0 as u32,
            _ => self.below(12),
        }
    }

    fn epoch(&mut self) -> u32 {
        match self.below(12) {
            0 => u32::MAX - self.below(2),
            1 => EPOCH - 1,
            2 => EPOCH + 1,
            3 => self.below(3),
            _ => EPOCH,
        }
    }

    /// A member, this node, or nobody that is known.
    fn id(&mut self, b: &Bench) -> NodeId {
        match self.below(8) {
            0 => b.me(),
            n => peer(n).id,
        }
    }

    fn rumor_id(&mut self, b: &Bench) -> RumorId {
        RumorId { origin: self.id(b), epoch: self.epoch(), seq: self.number().max(1) }
    }
}

fn digest(d: &mut Dice, b: &Bench) -> Digest {
    let seen = [0, u64::MAX, d.0][d.below(3) as usize];
    Digest { id: d.id(b), epoch: d.epoch(), version: d.number(), gc: d.number(), floor: d.number(), seen }
}

fn summary(d: &mut Dice, b: &Bench) -> Summary {
    let last = d.number();
    let floor = [0, last, d.number().min(last)][d.below(3) as usize];
    Summary { id: d.id(b), epoch: d.epoch(), version: d.number(), last, floor }
}

/// A delta that can be written; the entries' versions go on from `from`.
fn put_state(w: &mut Writer<'_>, d: &mut Dice, b: &Bench) {
    let version = d.number();
    let (gc, from) = (d.number().min(version), [0, d.number().min(version)][d.below(2) as usize]);
    let head = StateHead { id: d.id(b), epoch: d.epoch(), version, gc, from };
    let (keys, value) = (["a", "b", "c", "a-far-longer-key-than-the-others"], [7; 1_024]);
    let mut at = from;
    let entries: Vec<StateEntry<'_>> = (0..d.below(5))
        .filter_map(|_| {
            let step = if d.below(6) == 0 { version - at } else { 1 + d.below(3) };
            at = at.checked_add(step).filter(|&at| step > 0 && at <= version)?;
            let most = [2, 40, 1_025][d.below(3) as usize];
            let value = &value[..d.below(most) as usize];
            let ms = [0, 1, u64::from(d.below(60_000)), (1 << 34) - 1][d.below(4) as usize];
            let change = match d.below(4) {
                0 => Change::Delete { ttl_ms: ms },
                1 => Change::Put { value, ttl_ms: Some(ms) },
                _ => Change::Put { value, ttl_ms: None },
            };
            Some(StateEntry { version: at, key: keys[d.below(4) as usize], change })
        })
        .collect();
    w.state(&head, [usize::MAX, 200][d.below(2) as usize], entries.into_iter());
}

/// A frame of this peer with sections 21 to 25 and messages 12 and 13 at will.
fn any_frame(d: &mut Dice, b: &Bench, from: &Peer) -> Vec<u8> {
    // Half of the deltas answer something that was asked.
    let asked = b.sent.iter().rev().take(40).find_map(|s| match s.message() {
        Some(Message::Digest { nonce }) if s.to == from.addr => Some(nonce),
        _ => None,
    });
    written(from, |w| {
        let nonce = asked.filter(|_| d.below(2) == 0).unwrap_or(d.0 as u32);
        match d.below(5) {
            0 => {
                let digests: Vec<Digest> = (0..1 + d.below(40)).map(|_| digest(d, b)).collect();
                w.digest(nonce, digests.into_iter());
            }
            1 | 2 => _ = w.message(Message::Delta { nonce }),
            3 => _ = w.message(Message::Ping { target: b.me(), nonce }),
            _ => {}
        }
        w.app_hash([0, d.0 as u32, b.node.app_hash()][d.below(3) as usize]);
        if d.below(2) == 0 {
            let summaries: Vec<Summary> = (0..d.below(60)).map(|_| summary(d, b)).collect();
            w.summaries(summaries.into_iter());
        }
        if d.below(2) == 0 && w.open_states() {
            (0..d.below(6)).for_each(|_| put_state(w, d, b));
            w.close_section();
        }
        if d.below(2) == 0 && w.open_rumors() {
            let payload = [3; 900];
            for _ in 0..d.below(6) {
                let lamport = [1, u64::MAX, d.0, d.below(100).into()][d.below(4) as usize];
                let payload = &payload[..d.below(900) as usize];
                let age = [0, 1_000, d.0 >> 30, u64::MAX].map(Duration::from_millis)[d.below(4) as usize];
                w.rumor(&Rumor { id: d.rumor_id(b), lamport, age, topic: ["", "topic"][d.below(2) as usize], payload });
            }
            w.close_section();
        }
        if d.below(3) == 0 {
            let known: Vec<(RumorId, bool)> = (0..d.below(80)).map(|_| (d.rumor_id(b), d.below(2) == 0)).collect();
            w.known(known.into_iter());
        }
    })
}

/// Small bounds, which are reached at once.
fn small() -> Config {
    let mut c = config();
    (c.mtu, c.state_bytes, c.state_total, c.rumors_max, c.rumor_bytes, c.rumor_window) =
        (800, 2_048, 6_000, 16, 3_200, 64);
    c.tombstone_ttl = ms(20_000);
    c
}

/// What this node has written itself, and nothing else.
fn is_mine(b: &Bench, mine: &BTreeMap<String, Vec<u8>>) -> bool {
    let held: BTreeMap<String, Vec<u8>> =
        b.node.state(b.me()).map(|e| (e.key.to_owned(), e.value.to_owned())).collect();
    held == *mine
}

/// Valid frames full of nonsense, by members and strangers, and such frames with bytes changed: nothing is out of step after
/// any of them, nothing grows beyond its bound, strangers get no more than three times what they sent, and what this
/// node has written is what it reads.
#[test]
fn arbitrary_frames() {
    let (mut taken, mut heard) = (0, 0);
    for seed in 1..=if cfg!(debug_assertions) { 150 } else { 1_000 } {
        let mut d = Dice(seed);
        let mut c = small();
        c.rumor_stop = [StopPolicy::Budget(170), StopPolicy::Counter(2), StopPolicy::Coin(3)][d.below(3) as usize];
        let (mut b, peers) = Bench::with_peers(c, 5);
        let mut mine = BTreeMap::new();
        for _ in 0..80 {
            if d.below(6) == 0 {
                let (key, value) = (format!("key-{}", d.below(5)), vec![d.0 as u8; d.below(100) as usize]);
                if d.below(4) == 0 {
                    b.command(Command::Delete { key: &key });
                    mine.remove(&key);
                } else {
                    b.command(Command::Put { key: &key, value: &value, ttl: None });
                    mine.insert(key, value);
                }
                b.command(Command::Broadcast { topic: "mine", payload: &[d.0 as u8; 50] });
            }
            let from = peer(1 + d.below(8));
            let mut bytes = any_frame(&mut d, &b, &from);
            for _ in 0..[0, 0, 1, 3][d.below(4) as usize] {
                let at = d.below(bytes.len() as u32) as usize;
                bytes[at] ^= 1 << d.below(8);
            }
            let at = if d.below(8) == 0 { addr(700) } else { from.addr };
            let (sent, epoch) = (b.sent.len(), b.node.me().incarnation().epoch());
            b.recv_from(at, &bytes);
            assert_eq!(b.node.check(), Ok(()), "seed {seed}");
            if peers.iter().all(|p| p.addr != at) {
                let back: Vec<usize> = b.sent[sent..].iter().filter(|s| s.to == at).map(|s| s.bytes.len()).collect();
                assert!(back.len() <= 1 && back.iter().sum::<usize>() <= 3 * bytes.len(), "seed {seed}: {back:?}");
            }
            assert!(b.sent.len() - sent <= 16, "seed {seed}: {} datagrams for one", b.sent.len() - sent);
            assert!(b.node.me().incarnation().epoch() <= epoch + 1, "seed {seed}");
            assert!(is_mine(&b, &mine), "seed {seed}: somebody else has written my state");
            let (own, total) = (2 * b.node.config().state_bytes, b.node.config().state_total);
            assert!(b.node.state_stored() <= own + total, "seed {seed}: {} bytes", b.node.state_stored());
            assert!(b.node.rumors_kept() <= 16);
            let pause = ms(d.below(400).into());
            b.run_with(pause, &peers);
            b.sent.drain(..b.sent.len().saturating_sub(100));
        }
        assert_eq!(swim_core::Node::restore(&b.node.snapshot()).unwrap().snapshot(), b.node.snapshot());
        (taken, heard) = (taken + b.node.stats().deltas_applied, heard + b.node.stats().rumors_received);
    }
    assert!(taken > 700 && heard > 700, "{taken} deltas and {heard} rumors were taken: they were not all nonsense");
}

/// A frame with one delta: so many keys with values of so many bytes, from nothing.
fn state_of(from: &Peer, of: NodeId, epoch: u32, keys: u32, value: usize) -> Vec<u8> {
    let value = vec![1; value];
    let names: Vec<String> = (0..keys).map(|k| format!("key-{k}")).collect();
    let entries = names.iter().zip(1..).map(|(key, version)| {
        let change = Change::Put { value: &value, ttl_ms: None };
        StateEntry { version, key, change }
    });
    written(from, |w| {
        assert!(w.open_states());
        let head = StateHead { id: of, epoch, version: keys, gc: 0, from: 0 };
        assert_eq!(w.state(&head, usize::MAX, entries), Some(keys));
        w.close_section();
    })
}

/// What all members say together takes no more than `state_total`, however it is put, and again when it has been reached.
#[test]
fn f_the_states_of_all_are_bounded() {
    for value in [0, 1, 100] {
        let (mut b, peers) = Bench::with_peers(small(), 30);
        let total = b.node.config().state_total;
        for keys in (1..=18).chain((20..=100).step_by(10)) {
            for p in peers.iter().filter(|_| keys <= 18 || value < 2) {
                b.recv_from(p.addr, &state_of(p, p.id, EPOCH, keys, value));
                assert!(b.node.state_stored() <= total, "{} of {total} bytes", b.node.state_stored());
            }
        }
        assert!(b.node.state_stored() > total / 2);
        assert!(b.node.stats().state_refused > 0, "what found no room is counted");
    }
}

/// Whoever shows this node more than it has written pushes its epoch at most once per `probe_interval`, and its state stays.
#[test]
fn forged_versions_push_one_epoch_per_interval() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    b.command(Command::Put { key: "mine", value: b"1", ttl: None });
    let begun = b.now;
    for n in 0..1_000_u32 {
        b.run_with(ms(10), &peers);
        let (id, epoch) = (b.me(), b.node.me().incarnation().epoch());
        let forged = match n % 3 {
            0 => state_of(&peers[0], id, epoch, 3, 10),
            1 => written(&peers[0], |w| {
                let rumor = RumorId { origin: id, epoch, seq: u32::MAX };
                assert!(
                    w.open_rumors()
                        && w.rumor(&Rumor { id: rumor, lamport: 9, age: Duration::ZERO, topic: "", payload: b"" })
                );
                w.close_section();
            }),
            _ => written(&peers[0], |w| {
                let summary = Summary { id, epoch, version: u32::MAX, last: u32::MAX, floor: 0 };
                assert!(w.summaries([summary].into_iter()));
            }),
        };
        b.recv_from(peers[0].addr, &forged);
        b.sent.clear();
    }
    let (pushed, most) = (b.node.me().incarnation().epoch() - EPOCH, b.now.since(begun).as_secs() as u32 + 1);
    assert!((5..=most).contains(&pushed), "{pushed} epochs in {most} s");
    assert!(b.node.state(b.me()).map(|e| (e.key, e.value)).eq([("mine", &b"1"[..])]));
    // The same of a former or a later life of mine is nothing.
    let epoch = b.node.me().incarnation().epoch();
    b.run_with(ms(2_000), &peers);
    for other in [0, EPOCH, epoch + 1, u32::MAX] {
        b.recv_from(peers[0].addr, &state_of(&peers[0], b.me(), other, 3, 10));
        b.run_with(ms(2_000), &peers);
    }
    assert_eq!(b.node.me().incarnation().epoch(), epoch);
}

/// Versions and numbers that nobody has written cost a few digests, whether they are answered with nothing or not at all;
/// then there is silence. Whom the liar does not answer asks the members themselves, once.
#[test]
fn absurd_summaries_cost_a_few_digests() {
    const TIMES: u64 = 8;
    const IN_VAIN: u64 = 16;
    // 40 members in four digests, each of them asked once; or as often as any is, and then each member by itself, of which
    // one is the liar; or each of them as long as anything is asked for.
    let (once, silent) = (4 * TIMES + 39 + (IN_VAIN - 1) * TIMES, 4 * TIMES + 40 * (IN_VAIN - 1) * TIMES);
    // Answers come sooner than a digest is asked again.
    let cases = [(true, true, 20, 4), (false, true, 20, once), (false, false, 100, silent)];
    for (liar_answers, others_answer, step, expected) in cases {
        let (mut b, peers) = Bench::with_peers(config(), 40);
        let liar = peers[0];
        let absurd = |p: &Peer| Summary { id: p.id, epoch: EPOCH, version: u32::MAX, last: u32::MAX, floor: 0 };
        let told = written(&liar, |w| assert!(w.summaries(peers.iter().map(absurd))));
        b.recv_from(liar.addr, &told);
        for _ in 0..2_400 {
            for s in std::mem::take(&mut b.sent) {
                let Some(Message::Digest { nonce }) = s.message() else { continue };
                let asked = peers.iter().find(|p| p.addr == s.to).expect("members are asked, and nobody else");
                let answers = if asked.id == liar.id { liar_answers } else { others_answer };
                if answers {
                    b.recv_from(asked.addr, &written(asked, |w| assert!(w.message(Message::Delta { nonce }))));
                }
            }
            b.run_with(ms(step), &peers);
        }
        let asked = b.node.stats().digests_sent;
        assert_eq!(asked, expected);
        // The same members can be asked for again.
        b.recv_from(liar.addr, &told);
        assert!(b.node.stats().digests_sent > asked);
    }
}

/// A digest is answered to a live member at its own address, and to nobody else.
#[test]
fn strangers_learn_nothing() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    b.command(Command::Put { key: "secret", value: &[9; 900], ttl: None });
    b.command(Command::Broadcast { topic: "secret", payload: &[9; 300] });
    b.run_with(ms(20_000), &peers);
    let mut answered = |from: &Peer, at: u32| {
        let digests = (0..16).map(|_| Digest { id: b.me(), epoch: EPOCH, version: 0, gc: 0, floor: 0, seen: 0 });
        let question = written(from, |w| assert!(w.digest(5, digests)));
        b.clear();
        b.recv_from(addr(at), &question);
        assert!(b.sent.iter().map(|s| s.bytes.len()).sum::<usize>() <= 3 * question.len());
        b.sent.iter().any(|s| s.message() == Some(Message::Delta { nonce: 5 }))
    };
    assert!(!answered(&peer(70), 70), "a stranger");
    assert!(!answered(&peers[0], 70), "a member, from where it is not");
    assert!(answered(&peers[0], 1), "a member");
    // Neither is anything of theirs taken.
    let before = b.node.stats().claims_from_strangers;
    b.recv_from(addr(70), &state_of(&peer(70), peers[1].id, EPOCH, 2, 10));
    assert_eq!((b.node.state(peers[1].id).count(), b.node.stats().claims_from_strangers), (0, before + 1));
}

/// Rumors of the last time and the last numbers there are: the clock follows by a bounded step, and stands at its end; the
/// origin's own numbers go on in its next epoch.
#[test]
fn f_the_end_of_all_numbers() {
    let (mut b, peers) = Bench::with_peers(config(), 2);
    let rumor = |seq, lamport| Rumor {
        id: RumorId { origin: peers[1].id, epoch: EPOCH, seq },
        lamport,
        age: Duration::ZERO,
        topic: "t",
        payload: b"p",
    };
    let tell = |b: &mut Bench, seq, lamport| {
        let told = written(&peers[0], |w| {
            assert!(w.open_rumors() && w.rumor(&rumor(seq, lamport)));
            w.close_section();
        });
        b.recv_from(peers[0].addr, &told);
    };
    tell(&mut b, 1, u64::MAX);
    assert_eq!((b.node.lamport(), b.node.stats().lamport_implausible), (1 << 40, 1));
    tell(&mut b, u32::MAX, 3);
    tell(&mut b, 2, 3);
    tell(&mut b, 3, 3);
    let s = b.node.stats();
    assert_eq!((s.rumors_received, s.rumors_implausible, s.rumors_stale, s.rumors_missed), (3, 1, 0, 0));
    // From itself it is believed, as it is from whoever was asked.
    let told = written(&peers[1], |w| {
        assert!(w.open_rumors() && w.rumor(&rumor(u32::MAX, 3)));
        w.close_section();
    });
    b.recv_from(peers[1].addr, &told);
    tell(&mut b, 4, 3);
    let s = b.node.stats();
    assert_eq!((s.rumors_received, s.rumors_stale, s.rumors_missed), (4, 1, u64::from(u32::MAX) - 4 - 255));
    // A later life of the origin begins anew.
    let later = Peer { incarnation: Incarnation::new(EPOCH + 1, 0), ..peers[1] };
    let told = written(&later, |w| {
        let id = RumorId { origin: later.id, epoch: EPOCH + 1, seq: 1 };
        assert!(w.open_rumors() && w.rumor(&Rumor { id, ..rumor(1, 5) }));
        w.close_section();
    });
    b.recv_from(later.addr, &told);
    assert_eq!(b.node.stats().rumors_received, 5);
}

/// Members that were asked about and turn out to be in another life do not hold up those who wait behind them.
#[test]
fn who_waits_behind_another_life_is_asked_about() {
    let (mut b, peers) = Bench::with_peers(config(), 80);
    let teller = peers[79];
    let ahead = |p: &Peer| Summary { id: p.id, epoch: EPOCH, version: 3, last: 0, floor: 0 };
    for part in peers[..79].chunks(40) {
        b.recv_from(teller.addr, &written(&teller, |w| assert!(w.summaries(part.iter().map(ahead)))));
    }
    let asked = |b: &mut Bench| -> BTreeSet<NodeId> {
        let sent = std::mem::take(&mut b.sent);
        sent.iter().flat_map(|s| s.frame().digests().map(|d| d.id).collect::<Vec<_>>()).collect()
    };
    let first = asked(&mut b);
    assert!((1..79).contains(&first.len()), "{} at once", first.len());
    for p in peers.iter().filter(|p| first.contains(&p.id)) {
        b.recv_from(p.addr, &written(&Peer { incarnation: Incarnation::new(EPOCH + 1, 0), ..*p }, |_| {}));
    }
    let next = asked(&mut b);
    assert_eq!(first.len() + next.len(), 79, "all others are asked about now");
    assert!(first.is_disjoint(&next));
}
