//! Target: one node, given anything at any time.

use std::net::SocketAddr;
use std::time::Duration;

use swim_core::wire::Message;
use swim_core::{Command, Input, NodeId, Profile};

use crate::bench::{Bench, narrow};
use crate::bytes::Bytes;
use crate::cast::{self, PEERS, Speaker, addr, id};

/// Inputs that are given at most.
const INPUTS_MAX: usize = 400;
/// More deadlines in a row than this within a millisecond are a loop.
const DEADLINES_MAX: usize = 400;

/// A config, then a script of inputs: datagrams of any bytes, or of frames with lies in them, answers to what the node
/// has asked, commands, time-outs at the right and at the wrong time, clocks that jump, sends that fail, sockets that
/// take nothing. All that one node can be held to is looked at after each.
///
/// # Panics
/// When there is a bug.
pub fn target(data: &[u8]) {
    let mut b = Bytes::new(data);
    let config = narrow(&mut b);
    let mut bench = Bench::new(cast::ME, config, b.u8().into());
    for _ in 0..INPUTS_MAX {
        if b.is_empty() {
            break;
        }
        give_one(&mut b, &mut bench);
    }
    bench.finish();
}

fn give_one(b: &mut Bytes<'_>, bench: &mut Bench) {
    match b.below(32) {
        0 => {
            let (from, bytes) = (source(b), b.some(256));
            bench.give(Input::Datagram { from, bytes });
        }
        1..=11 => {
            let who = speaker_id(b, bench);
            let bytes = Speaker { node: &bench.node, nonces: &bench.nonces }.frame(b, who, None);
            let from = if b.below(8) == 0 { source(b) } else { home(who) };
            let turn = bench.give(Input::Datagram { from, bytes: &bytes });
            // Asked who it is, it introduces itself, and proves it.
            if let Some(cookie) = turn.cookie_for(from) {
                let bytes = Speaker { node: &bench.node, nonces: &bench.nonces }.introduction(b, who, cookie);
                bench.give(Input::Datagram { from, bytes: &bytes });
            }
        }
        12 => {
            let who = speaker_id(b, bench);
            let mut bytes = Speaker { node: &bench.node, nonces: &bench.nonces }.frame(b, who, None);
            for _ in 0..=b.below(3) {
                let at = usize::from(b.u16()) % bytes.len();
                bytes[at] ^= b.u8();
            }
            bench.give(Input::Datagram { from: home(who), bytes: &bytes });
        }
        // What it has said comes back to it.
        13 => {
            let bytes = bench.last_sent.clone();
            bench.give(Input::Datagram { from: source(b), bytes: &bytes });
        }
        14..=17 => answer(b, bench),
        18..=21 => _ = bench.step(Duration::from_secs(60)),
        22 => run(b, bench),
        23 => bench.now = bench.now.plus_micros(u64::from(b.u16()) << b.below(8)),
        24 => bench.now = bench.now.plus_micros(u64::from(b.u16()) << b.below(28)),
        25 => {
            let now = bench.now;
            bench.now = now.minus_micros(u64::from(b.u16()) << b.below(12));
            bench.give(Input::Timeout);
            bench.now = now;
        }
        26 => _ = bench.give(Input::Timeout),
        27 => {
            let to = source(b);
            bench.give(b.pick(&[Input::SendFailed { to }, Input::SendBlocked, Input::SendResumed]));
        }
        28 => bench.fork(),
        _ => command(b, bench),
    }
}

/// Most speakers are peers.
fn speaker_id(b: &mut Bytes<'_>, bench: &Bench) -> NodeId {
    if b.below(16) == 0 { Speaker { node: &bench.node, nonces: &[] }.who(b) } else { id(1 + b.below(PEERS)) }
}

fn home(of: NodeId) -> SocketAddr {
    addr((of.as_u64().wrapping_sub(1_000) % 64) as usize)
}

fn source(b: &mut Bytes<'_>) -> SocketAddr {
    match b.below(16) {
        0 => ([203, 0, 113, b.u8()], 1 + b.u16() % 99).into(),
        n => addr(n),
    }
}

/// Answers one of the last questions, as whoever was asked would, with whatever else in the frame.
fn answer(b: &mut Bytes<'_>, bench: &mut Bench) {
    let at = bench.asked.len().saturating_sub(1 + b.below(3));
    let Some(&(to, asked)) = bench.asked.get(at) else { return };
    let there =
        bench.node.members().find(|member| member.addr() == to).map(|member| (member.id(), member.incarnation()));
    let (who, life) = there.unwrap_or((id(1), bench.node.me().incarnation()));
    let (who, message) = match asked {
        Message::Ping { target, nonce } => (target, Message::Ack { nonce }),
        Message::PingReq { nonce, .. } => (who, Message::RelayedAck { nonce, incarnation: life }),
        Message::Pull { nonce } if b.below(4) == 0 => (who, Message::Prove { nonce }),
        Message::Pull { nonce } => (who, Message::Page { nonce, next: swim_core::wire::PAGE_END }),
        Message::Compare { nonce, .. } => (who, Message::Differ { nonce }),
        Message::Digest { nonce } => (who, Message::Delta { nonce }),
        _ => return,
    };
    let bytes = Speaker { node: &bench.node, nonces: &bench.nonces }.frame(b, who, Some(message));
    bench.give(Input::Datagram { from: to, bytes: &bytes });
}

/// Lets time pass by deadlines alone: they may not crowd.
fn run(b: &mut Bytes<'_>, bench: &mut Bench) {
    let mut begun = (bench.now, 0);
    for _ in 0..b.below(64) {
        if !bench.step(Duration::from_secs(5)) {
            break;
        }
        begun.1 += 1;
        if bench.now.since(begun.0) > Duration::from_millis(1) {
            begun = (bench.now, 0);
        }
        assert!(begun.1 < DEADLINES_MAX, "I12: {} deadlines since {:?}", begun.1, begun.0);
    }
}

fn command(b: &mut Bytes<'_>, bench: &mut Bench) {
    let key = b.pick(&["a", "b", "c", "a-longer-key", ""]);
    match b.below(12) {
        0 | 1 => {
            let seeds: Vec<SocketAddr> = (0..b.below(4)).map(|_| source(b)).collect();
            bench.give(Input::Command(Command::Join(&seeds)));
        }
        2 => {
            let seeds: Vec<SocketAddr> = (0..b.below(4)).map(|_| source(b)).collect();
            bench.give(Input::Command(Command::Seeds(&seeds)));
        }
        3 => {
            // Seldom: there is little to see afterwards.
            if b.below(4) == 0 {
                bench.give(Input::Command(Command::Leave));
            }
        }
        4 => {
            let profile = Profile::new(&b.text(20), b.some(80)).expect("both are short");
            bench.give(Input::Command(Command::SetProfile(&profile)));
        }
        5..=7 => {
            let (topic, len) = (b.text(12), usize::from(b.u8()) * b.below(9));
            let payload = vec![b.u8(); len];
            bench.give(Input::Command(Command::Broadcast { topic: &topic, payload: &payload }));
        }
        8..=10 => {
            let ttl = (b.below(3) == 0).then(|| Duration::from_millis(b.number()));
            let value = vec![b.u8(); usize::from(b.u8()) * b.below(9)];
            bench.give(Input::Command(Command::Put { key, value: &value, ttl }));
        }
        _ => _ = bench.give(Input::Command(Command::Delete { key })),
    }
}
