//! What the core is held to: ratios to the peer in the same run, growth with the number of members, room, and sizes.

use crate::case::{Heap, Op};
use crate::core::{Core, Member, Said, Update};
use crate::results::Results;
use crate::swim::Swim;
use crate::targets::Targets;

pub(crate) const PING: Op = Op::Ping { updates: 0, fresh: false };
pub(crate) const KNOWN: Op = Op::Ping { updates: 20, fresh: false };
pub(crate) const FRESH: Op = Op::Ping { updates: 20, fresh: true };
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

/// What one message costs may grow by so much from 10 members to 100 000.
const GROWTH: (f64, f64) = (4.0, 2.5);

/// Milliseconds in which 100 000 members are learned.
const INGEST: (f64, f64) = (40.0, 10.0);

/// Bytes of heap per member, with all indexes and timers.
const HEAP: (f64, f64) = (96.0, 64.0);

/// Bytes of an update, and of a ping and an ack that tell nothing else.
const UPDATE: (f64, f64) = (17.0, 13.0);
const PROBE: (f64, f64) = (52.0, 46.0);

/// What was measured against what is wanted; rows for which something was not measured are left out.
pub(crate) fn table(results: &Results, heaps: &[Heap]) -> Targets {
    let mut targets = Targets::new();
    for (op, members, gate, aim) in RATIOS {
        if let (Some(ours), Some(peer)) = (results.get("swim", op, members), results.get("foca", op, members)) {
            targets.at_most(&format!("{op}, N = {members}, times foca"), ours.nanos / peer.nanos, (gate, aim));
        }
    }
    // A table is learned, and gone through, by as many steps as it has rows.
    for op in Op::ALL.into_iter().filter(|op| !matches!(op, Op::Ingest | Op::Visit)) {
        if let (Some(few), Some(many)) = (results.get("swim", op, 10), results.get("swim", op, 100_000)) {
            targets.at_most(&format!("{op}, N = 100000, times N = 10"), many.nanos / few.nanos, GROWTH);
        }
    }
    if let Some(ingest) = results.get("swim", Op::Ingest, 100_000) {
        targets.at_most("ingest, N = 100000, ms", ingest.nanos / 1e6, INGEST);
    }
    let hot = results.0.iter().filter(|m| m.core == "swim" && m.op != Op::Ingest);
    if let Some(most) = hot.map(|m| m.allocations).max_by(f64::total_cmp) {
        targets.at_most("allocations of a message, the most of all", most, (0.0, 0.0));
    }
    for heap in heaps {
        let bytes = heap.ours.0.max(heap.ours.1);
        targets.at_most(&format!("heap per member, N = {}, reserved or grown", heap.members), bytes, HEAP);
    }
    sizes(&mut targets);
    targets
}

/// Of frames that are written here; a datagram in plain has a checksum and a tag of the cluster around it, 10 bytes.
fn sizes(targets: &mut Targets) {
    const AROUND: usize = 10;
    let mut core = Swim::alone(3);
    core.know(&[2, 3]);
    let mut ping = |updates: &[Update]| core.write(1, Said::Ping(updates)).len();
    let known = Update { member: 2, fresh: false };
    let (none, one, two) = (ping(&[]), ping(&[known]), ping(&[known; 2]));
    core.probe();
    let pinged = core.pinged().expect("somebody is probed");
    let ack = core.write(pinged, Said::Ack).len();
    targets.at_most("bytes of an update of a known member", (two - one) as f64, UPDATE);
    targets.at_most("bytes of a ping in plain", (none + AROUND) as f64, PROBE);
    targets.at_most("bytes of an ack in plain", (ack + AROUND) as f64, PROBE);
}
