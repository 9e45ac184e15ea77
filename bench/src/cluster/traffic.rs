//! What a cluster in which nothing happens sends, without loss and with it.

use super::peer::Peer;
use super::table::{Row, mean};
use super::world::{SECOND, World};
use super::{Plan, each_seed, formed};

/// Of IPv4 and UDP.
const HEADERS: f64 = 28.0;
const WARM_UP: u64 = 60 * SECOND;
const SPAN: u64 = 120 * SECOND;

/// Per node and second: datagrams, and their bytes without headers of IP and UDP, but with the envelope.
#[derive(Clone, Copy)]
struct Rate {
    datagrams: f64,
    bytes: f64,
}

fn rates<P: Peer>(plan: &Plan, loss: u64) -> Result<Rate, String> {
    let of_seed = |seed| {
        let mut world = World::<P>::joining(plan.nodes, seed, SECOND, plan.tuning).formed()?;
        world.net.loss_percent = loss;
        world.run(WARM_UP);
        let before = world.net.sent;
        world.run(SPAN);
        let (datagrams, bytes) = (world.net.sent.datagrams - before.datagrams, world.net.sent.bytes - before.bytes);
        let node_seconds = plan.nodes as f64 * SPAN as f64 / SECOND as f64;
        Some(Rate {
            datagrams: datagrams as f64 / node_seconds,
            bytes: (bytes + P::ENVELOPE * datagrams) as f64 / node_seconds,
        })
    };
    let all = formed::<P, Rate>(each_seed(plan, plan.seeds.min(5), of_seed))?;
    eprintln!("traffic of {}, {loss} % loss: {} clusters", P::NAME, all.len());
    Ok(Rate {
        datagrams: mean(all.iter().map(|rate| rate.datagrams)).mean,
        bytes: mean(all.iter().map(|rate| rate.bytes)).mean,
    })
}

pub(super) fn rows<A: Peer, B: Peer>(plan: &Plan) -> Result<Vec<Row>, String> {
    let n = plan.nodes;
    let (a, b) = (rates::<A>(plan, 0)?, rates::<B>(plan, 0)?);
    let wire = |rate: Rate| rate.bytes + HEADERS * rate.datagrams;
    let datagrams = Row {
        what: format!("steady traffic, N={n}, no loss: datagrams per node and s"),
        ours: format!("{:.3}", a.datagrams),
        foca: format!("{:.3}", b.datagrams),
        ratio: Some(a.datagrams / b.datagrams),
        gate: "≤ 2.0".into(),
        aim: "2.0".into(),
        // A ping and its ack per period; what lies across the ends of the span may make a few more.
        holds: Some((a.datagrams < 2.005, a.datagrams < 2.005)),
    };
    let bytes = Row {
        what: "the same: B per node and s, headers of IP and UDP in".into(),
        ours: format!("{:.1}", wire(a)),
        foca: format!("{:.1}", wire(b)),
        ratio: Some(wire(a) / wire(b)),
        gate: "≤ 150".into(),
        aim: "130".into(),
        holds: Some((wire(a) <= 150.0, wire(a) <= 130.0)),
    };
    let lossy = plan.loss.iter().filter(|&&loss| loss > 0).map(|&loss| lossy::<A, B>(plan, loss));
    [Ok(datagrams), Ok(bytes)].into_iter().chain(lossy).collect()
}

fn lossy<A: Peer, B: Peer>(plan: &Plan, loss: u64) -> Result<Row, String> {
    let (a, b) = (rates::<A>(plan, loss)?, rates::<B>(plan, loss)?);
    let ratio = a.bytes / b.bytes;
    let is_target = loss == 20;
    Ok(Row {
        what: format!("traffic at {loss} % loss, N={}: payload, B per node and s (datagrams)", plan.nodes),
        ours: format!("{:.0} ({:.2})", a.bytes, a.datagrams),
        foca: format!("{:.0} ({:.2})", b.bytes, b.datagrams),
        ratio: Some(ratio),
        gate: if is_target { "≤ 0.5 × foca".into() } else { String::new() },
        aim: if is_target { "0.3 ×".into() } else { String::new() },
        holds: is_target.then_some((ratio <= 0.5, ratio <= 0.3)),
    })
}
