//! A handle whose events nobody reads for a day, while members come and go.

use crate::heap::live;
use swim_core::{Config, Event, NodeId};
use swim_sim::{NodeIx, World, secs};

/// So many events are kept for a subscriber, as `swim_driver::Events` says.
const KEPT: u64 = 1_024;

/// One minute of a day: two members crash and restart in turns, a third says something new about itself.
fn churn(w: &mut World, nodes: &[NodeIx], minute: u32) {
    match minute % 4 {
        0 => w.kill(nodes[3]),
        1 => {
            w.restart(nodes[3]);
            w.join(nodes[3], &nodes[..1]);
        }
        2 => w.set_meta(nodes[1], &minute.to_le_bytes()),
        _ => {
            w.restart(nodes[4]);
            w.join(nodes[4], &nodes[..1]);
        }
    }
    w.run(secs(60));
}

/// Nothing is kept that nobody reads, but the newest 1024 events. The first that is read then says how many were missed, exactly,
/// and the view shows what the node knows.
#[test]
fn a_day_without_a_reader_takes_no_memory_and_the_view_is_right() {
    let mut w = World::with_config(1, Config::wan("sim"));
    w.log_events = false;
    let nodes: Vec<NodeIx> =
        (0..5).map(|i| w.spawn_with(&format!("n{i}"), |setup| setup.publish_members = i == 0)).collect();
    nodes[1..].iter().for_each(|&node| w.join(node, &nodes[..1]));
    w.run_until(secs(300), |w| w.all_see(5)).expect("the cluster forms");
    let handle = w.handle(nodes[0]).clone();
    // One that never reads, and one that counts what there was to read.
    let (mut unread, mut counter, mut all) = (handle.events(), handle.events(), 0);
    let (mut early, mut late) = (0, 0);
    for minute in 0..24 * 60 {
        churn(&mut w, &nodes, minute);
        all += std::iter::from_fn(|| counter.try_recv().ok())
            .inspect(|e| assert!(!matches!(e, Event::Lagged { .. })))
            .count();
        // From then on as many events are kept as ever are.
        match minute / 60 {
            15 => early = early.max(live()),
            23 => late = late.max(live()),
            _ => {}
        }
        if minute / 60 == 15 {
            assert!(all as u64 > KEPT, "only {all} events by then");
        }
    }
    println!("{all} events in a day, {early} bytes of heap in the sixteenth hour, {late} in the last");
    assert!(late <= early + early / 50, "{early} bytes in the sixteenth hour, {late} in the last");
    let told: Vec<Event> = std::iter::from_fn(|| unread.try_recv().ok()).collect();
    assert_eq!(told.first(), Some(&Event::Lagged { missed: all as u64 - KEPT }));
    assert_eq!(told.len() as u64, 1 + KEPT);
    let (view, node) = (handle.view(), w.node(nodes[0]));
    assert_eq!((view.members().count(), view.live_count()), (node.members().len(), node.live_count()));
    for member in node.members() {
        let id: NodeId = member.id();
        let row = view.member(id).expect("every row is in the view");
        assert_eq!((row.state(), row.incarnation(), row.addr()), (member.state(), member.incarnation(), member.addr()));
        assert_eq!((row.name(), row.meta()), (member.name(), member.profile().meta()));
    }
}
