//! Target: the same claims, deltas and rumors, in two orders and with some of them twice, make the same table.

use std::collections::BTreeMap;
use std::time::Duration;

use swim_core::wire::{Accusers, Change, Detail, Item, Message, More, StateEntry, StateHead, Writer};
use swim_core::{Config, Event, Incarnation, Input, NodeId, Rumor, RumorId, State, Status};

use crate::bench::Bench;
use crate::bytes::Bytes;
use crate::cast::{EPOCH, ME, addr, id};
use crate::watch::Turn;

/// Members that are spoken of; the one behind them is the teller, of whom nothing is said.
const SUBJECTS: usize = 5;
const TELLER: usize = SUBJECTS + 1;
/// Says the same of later lives, which are not believed of one alone while the member is alive.
const WITNESS: usize = TELLER + 1;
/// Pieces that are told at most.
const PIECES_MAX: usize = 48;
/// Rounds after which nothing may change any more.
const ROUNDS_MAX: usize = 60;

/// One thing that is told in a datagram of its own.
#[derive(Clone, Debug)]
enum Piece {
    Claim { who: usize, status: Status, detail: bool, accuser: Option<usize> },
    Delta { who: usize, from: u32, upto: u32 },
    Rumor { who: usize, seq: u32 },
}

/// What there is after all was told: rows, and states.
type Table = BTreeMap<NodeId, (Status, Incarnation, std::net::SocketAddr, Vec<u8>, Vec<(String, Vec<u8>, u32)>)>;

/// The rows, the hash of all statuses, and the rumors that were delivered.
type Outcome = (Table, u64, Vec<RumorId>);

/// A script of pieces, then an order: told in that of the script and in the other until nothing changes, both end
/// alike.
///
/// # Panics
/// When there is a bug.
pub fn target(data: &[u8]) {
    let mut b = Bytes::new(data);
    let epochs = b.flag();
    let writes = 1 + b.below(12) as u32;
    let count = b.below(PIECES_MAX);
    let pieces: Vec<Piece> = (0..count).map(|_| piece(&mut b, epochs, writes)).collect();
    let mut other = pieces.clone();
    for i in 0..other.len() {
        other.swap(i, b.below(count));
    }
    for _ in 0..b.below(count) {
        other.push(pieces[b.below(count)].clone());
    }
    let (one, same) = (settle(&pieces, writes, epochs), settle(&other, writes, epochs));
    assert_eq!(one, same, "I4: the order decides: {pieces:?} and {other:?}");
}

fn piece(b: &mut Bytes<'_>, epochs: bool, writes: u32) -> Piece {
    let who = 1 + b.below(SUBJECTS);
    match b.below(8) {
        0 | 1 => {
            let from = b.below(writes as usize) as u32;
            Piece::Delta { who, from, upto: from + 1 + b.below((writes - from) as usize) as u32 }
        }
        2 => Piece::Rumor { who, seq: 1 + b.below(40) as u32 },
        _ => {
            let epoch = if epochs { EPOCH - 1 + b.below(3) as u32 } else { EPOCH };
            let life = Incarnation::new(epoch, b.below(8) as u32);
            let state = b.pick(&[State::Alive, State::Suspect, State::Dead, State::Left]);
            let detail = state == State::Alive && b.flag();
            let accuser = (state == State::Suspect && b.flag()).then(|| 1 + b.below(SUBJECTS));
            Piece::Claim { who, status: Status::new(life, state), detail, accuser }
        }
    }
}

/// A node that knows all subjects and the teller, and is told this until nothing changes.
///
/// The rumors of a member are of its epoch, so which of them are taken does depend on the order where there are several: none
/// is returned then.
fn settle(pieces: &[Piece], writes: u32, epochs: bool) -> Outcome {
    let mut config = Config::local("fuzz");
    // No time passes here, so nothing but the pieces decides.
    config.suspicion_alpha_percent = 10_000;
    let mut bench = Bench::new(ME, config, 1);
    for n in 1..=WITNESS {
        let detail = Detail { at: Incarnation::new(EPOCH, 0), addr: addr(n), name: "", meta: b"" };
        let row = Item { id: id(n), status: Status::alive(detail.at), more: More::Detail(detail) };
        let mut introduce = |proof: Option<u64>| {
            let turn = tell(&mut bench, n, |w| {
                assert!(w.message(Message::Pull { nonce: 1 }) && w.open_rows() && w.item(&row));
                w.close_section();
                assert!(proof.is_none_or(|proof| w.proof(proof)));
            });
            turn.cookie_for(addr(n))
        };
        let cookie = introduce(None);
        assert!(cookie.is_some() && introduce(cookie).is_none(), "it is asked for a proof, and gives it");
    }
    let mut rumors: BTreeMap<RumorId, usize> = BTreeMap::new();
    for _ in 0..ROUNDS_MAX {
        let before = (table(&bench), bench.node.view_hash());
        for piece in pieces {
            for event in say(&mut bench, piece, writes) {
                if let Event::Rumor { id } = event {
                    *rumors.entry(id).or_default() += 1;
                    assert_eq!(rumors[&id], 1, "{id:?} is delivered once");
                }
            }
            bench.now = bench.now.plus_micros(1);
        }
        if before == (table(&bench), bench.node.view_hash()) {
            if !epochs {
                check_maxima(&bench, pieces);
            }
            bench.finish();
            let (table, view) = before;
            return (table, view, if epochs { Vec::new() } else { rumors.into_keys().collect() });
        }
    }
    panic!("I4: told the same {ROUNDS_MAX} times, and still it changes");
}

/// Within one epoch every claim is plausible, so the table is what merging says: the greatest status of all.
fn check_maxima(bench: &Bench, pieces: &[Piece]) {
    for n in 1..=SUBJECTS {
        let claims = pieces.iter().filter_map(|piece| match piece {
            // Nobody accuses itself.
            Piece::Claim { who, status, accuser, .. } if *who == n && *accuser != Some(n) => Some(*status),
            _ => None,
        });
        let most = claims.fold(Status::alive(Incarnation::new(EPOCH, 0)), Status::merge);
        assert_eq!(bench.node.member(id(n)).map(|member| member.status()), Some(most), "I4: the maximum of {n}");
    }
}

fn say(bench: &mut Bench, piece: &Piece, writes: u32) -> Vec<Event> {
    match *piece {
        Piece::Claim { who, status, detail, accuser } => {
            let life = status.incarnation();
            // What a member writes at one incarnation is one thing: address and metadata follow from it.
            let place = addr(50 + life.refutations() as usize);
            let meta = [(life.epoch() ^ life.refutations()) as u8];
            let accusers = [id(accuser.unwrap_or_default())];
            let more = match (detail, accuser) {
                (true, _) => More::Detail(Detail { at: life, addr: place, name: "n", meta: &meta }),
                (_, Some(_)) => Accusers::new(&accusers).map_or(More::Status, More::Accused),
                _ => More::Status,
            };
            let item = Item { id: id(who), status, more };
            let write = |w: &mut Writer<'_>| {
                assert!(w.open_updates() && w.item(&item));
                w.close_section();
            };
            let mut events = tell(bench, TELLER, write).events;
            if life.epoch() > EPOCH {
                events.extend(tell(bench, WITNESS, write).events);
            }
            events
        }
        Piece::Delta { who, from, upto } => {
            let head = StateHead { id: id(who), epoch: EPOCH, version: upto, gc: 0, from };
            // Write v is to key v % 4, and every fifth deletes. A sender that is at `upto` has the last write to each
            // key.
            let last = |version: u32| !(version + 1..=upto).any(|later| later % 4 == version % 4);
            let entries = (from + 1..=upto).filter(|&version| last(version)).map(|version| StateEntry {
                version,
                key: ["a", "b", "c", "d"][version as usize % 4],
                change: match version % 5 {
                    0 => Change::Delete { ttl_ms: 1 << 30 },
                    _ => Change::Put { value: b"value", ttl_ms: None },
                },
            });
            debug_assert!(upto <= writes);
            tell(bench, TELLER, |w| {
                assert!(w.open_states() && w.state(&head, usize::MAX, entries).is_some());
                w.close_section();
            })
            .events
        }
        Piece::Rumor { who, seq } => {
            let rumor = RumorId { origin: id(who), epoch: EPOCH, seq };
            let rumor = Rumor { id: rumor, lamport: seq.into(), age: Duration::ZERO, topic: "t", payload: b"payload" };
            tell(bench, TELLER, |w| {
                assert!(w.open_rumors() && w.rumor(&rumor));
                w.close_section();
            })
            .events
        }
    }
}

fn tell(bench: &mut Bench, teller: usize, write: impl FnOnce(&mut Writer<'_>)) -> Turn {
    let mut buf = [0; 1_400];
    let view = bench.node.view_hash();
    let mut w = Writer::new(&mut buf, id(teller), Incarnation::new(EPOCH, 0), view).expect("a head fits");
    write(&mut w);
    let len = w.written();
    bench.give(Input::Datagram { from: addr(teller), bytes: &buf[..len] })
}

fn table(bench: &Bench) -> Table {
    let node = &bench.node;
    let me = node.me().id();
    let row = |m: swim_core::Member<'_>| {
        let entries = node.state(m.id()).map(|e| (e.key.to_owned(), e.value.to_vec(), e.version)).collect();
        (m.id(), (m.status(), m.detail_at(), m.addr(), m.profile().meta().to_vec(), entries))
    };
    node.members().filter(|m| m.id() != me).map(row).collect()
}
