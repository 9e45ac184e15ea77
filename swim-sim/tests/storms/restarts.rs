//! A process that is restarted once per second, as a broken supervisor does.

use crate::heap::live;
use crate::util::*;
use swim_core::Config;
use swim_sim::{World, secs};

/// So many seconds. After the first thousand of them as many events are kept for subscribers as ever are.
const LASTS: usize = 1_500;

/// Each of the others tells one event per restart, which is what there is to tell, and none of a doubt or a death between. Nobody
/// needs more memory in the end than before. When it is over, all are as they were.
#[test]
fn restarts_without_end_cost_one_event_each_and_no_memory() {
    let (mut w, nodes) = cluster(1, 8, Config::lan("sim"));
    w.log_events = false;
    let (restarted, id) = (nodes[3], w.id(nodes[3]));
    let others: Vec<_> = nodes.iter().copied().filter(|&node| node != restarted).collect();
    let mut told: Vec<_> = others.iter().map(|&node| (w.handle(node).events(), 0)).collect();
    let (mut early, mut late) = (0, 0);
    for second in 1..=LASTS {
        w.restart(restarted);
        w.join(restarted, &nodes[..1]);
        w.run(secs(1));
        for (events, count) in &mut told {
            *count += std::iter::from_fn(|| events.try_recv().ok()).filter(|e| e.member() == Some(id)).count();
        }
        // What is under way differs from one second to the next, so the most of a minute counts.
        match second {
            1_101..=1_200 => early = early.max(live()),
            1_401..=LASTS => late = late.max(live()),
            _ => {}
        }
        let queued = others.iter().map(|&node| w.node(node).gossip_queued()).max();
        assert!(queued <= Some(2 * nodes.len()), "{queued:?} pieces of news of {} members", nodes.len());
    }
    let worst = told.iter().map(|(_, count)| *count).max().unwrap_or(0);
    println!("{LASTS} restarts: at most {worst} events at one node; {early} and {late} bytes of heap");
    // Some may be seen twice, by a suspicion that it is too late to prevent.
    assert!(worst <= LASTS + LASTS / 100, "{worst} events of {LASTS} restarts");
    assert!(worst >= LASTS / 2, "they are noticed: {worst} events");
    assert!(late <= early + early / 50, "{early} bytes after twenty minutes, {late} in the end");
    let whole = |w: &World| w.all_see(nodes.len()) && w.is_at_rest();
    w.run_until(secs(60), whole).expect("all are as they were");
    assert!(others.iter().all(|&node| w.node(node).members().len() == nodes.len()), "one row for all its lives");
}
