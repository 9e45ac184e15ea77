//! What the core is held to: ratios to the peer in the same run, and growth with the number of members.

use std::fmt::Write as _;

use crate::case::Op;
use crate::core::Member;
use crate::results::{Results, short};

const PING: Op = Op::Ping { updates: 0, fresh: false };
const KNOWN: Op = Op::Ping { updates: 20, fresh: false };
const FRESH: Op = Op::Ping { updates: 20, fresh: true };
const QUEUED: Op = Op::Gossip(Some(20));

/// At most `gate` times what foca takes, and `aim` is what is wanted.
const RATIOS: [(Op, Member, f64, f64); 15] = [
    (PING, 10, 0.8, 0.4),
    (PING, 1_000, 1.0 / 4.0, 1.0 / 7.0),
    (PING, 10_000, 1.0 / 25.0, 1.0 / 45.0),
    (PING, 100_000, 1.0 / 150.0, 1.0 / 250.0),
    (KNOWN, 10, 0.8, 0.5),
    (KNOWN, 10_000, 1.0 / 60.0, 1.0 / 150.0),
    (KNOWN, 100_000, 1.0 / 200.0, 1.0 / 400.0),
    (FRESH, 10, 0.5, 0.3),
    (FRESH, 10_000, 1.0 / 30.0, 1.0 / 60.0),
    (FRESH, 100_000, 1.0 / 150.0, 1.0 / 300.0),
    (Op::Round, 1_000, 0.5, 0.3),
    (Op::Round, 100_000, 1.0 / 80.0, 1.0 / 150.0),
    (QUEUED, 10, 1.0, 1.0),
    (QUEUED, 1_000, 0.25, 0.25),
    (QUEUED, 100_000, 1.0 / 200.0, 1.0 / 200.0),
];

/// Costs of one message, which may grow by so much from 10 members to 100 000.
const FLAT: [Op; 10] =
    [PING, KNOWN, FRESH, Op::Ack, Op::Round, QUEUED, Op::Gossip(None), Op::Rumor, Op::Compare, Op::Delta];
const GROWTH: (f64, f64) = (4.0, 2.5);

/// Milliseconds in which 100 000 members are learned.
const INGEST: (f64, f64) = (40.0, 10.0);

/// What was measured against what is wanted; rows for which something was not measured are left out.
pub(crate) fn table(results: &Results) -> String {
    let mut table = String::from("| what | measured | gate | aim | holds |\n|---|---|---|---|---|\n");
    let mut line = |what: String, is: f64, (gate, aim): (f64, f64)| {
        let holds = match is {
            is if is <= aim => "aim",
            is if is <= gate => "gate",
            _ => "NO",
        };
        _ = writeln!(table, "| {what} | {} | {} | {} | {holds} |", short(is), short(gate), short(aim));
    };
    for (op, members, gate, aim) in RATIOS {
        if let (Some(ours), Some(peer)) = (results.get("swim", op, members), results.get("foca", op, members)) {
            line(format!("{op}, N = {members}, times foca"), ours.nanos / peer.nanos, (gate, aim));
        }
    }
    for op in FLAT {
        if let (Some(few), Some(many)) = (results.get("swim", op, 10), results.get("swim", op, 100_000)) {
            line(format!("{op}, N = 100000, times N = 10"), many.nanos / few.nanos, GROWTH);
        }
    }
    if let Some(ingest) = results.get("swim", Op::Ingest, 100_000) {
        line("ingest, N = 100000, ms".into(), ingest.nanos / 1e6, INGEST);
    }
    let hot = results.0.iter().filter(|m| m.core == "swim" && m.op != Op::Ingest);
    if let Some(most) = hot.map(|m| m.allocations).max_by(f64::total_cmp) {
        line("allocations of a message, the most of all".into(), most, (0.0, 0.0));
    }
    table
}
