//! From plain to sealed, node by node, while all go on.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use swim_core::{Config, Event};
use swim_sim::{World, percent, secs};

use crate::cluster::*;

/// Ten plain nodes are started again one after the other, each with a keyring and the same date.
#[test]
fn ten_nodes_get_a_key_and_nobody_is_lost() {
    const LEFT: Duration = Duration::from_secs(600);
    let mut w = World::with_config(4, Config::lan("sim"));
    let nodes = start(&mut w, 10);
    settle(&mut w, 10);
    w.link.loss = percent(2);
    let plain = Rc::new(Cell::new((0_u64, None)));
    let tap = Rc::clone(&plain);
    w.tap(move |sent| {
        if !is_sealed(sent.bytes) {
            tap.set((tap.get().0 + 1, Some(sent.at)));
        }
    });
    let begun = w.now();
    let date = begun + LEFT;
    for &node in &nodes {
        w.run(secs(20));
        let until = SystemTime::now() + LEFT.saturating_sub(w.now().since(begun));
        w.restart_with(node, |setup| {
            setup.keyring = Some(ring(&[1], 1));
            setup.migrate_until = Some(until);
        });
        w.join(node, &nodes);
    }
    // All have the key, and know it of each other: what is plain is an exception long before the date.
    w.run(secs(120));
    let before = plain.get().0;
    let sent = w.sent_total().datagrams;
    w.run(secs(60));
    let (now, total) = (plain.get().0 - before, w.sent_total().datagrams - sent);
    assert!(w.all_see(10) && now * 20 < total, "{now} of {total} are plain");
    w.run(LEFT);
    let (count, last) = plain.get();
    assert!(last.is_some_and(|last| last < date), "{last:?}");
    w.run(secs(60));
    assert!(w.all_see(10) && plain.get().0 == count && driven(&w).iter().all(|s| s.plain_sent > 0));
    for &node in &nodes {
        let lost = w.events(node).iter().filter(|(_, event)| matches!(event, Event::MemberDown { .. })).count();
        assert_eq!(lost, 0, "{node:?} has lost somebody");
    }
    println!("{now} of {total} datagrams of a minute are plain before the date, none after it");
}
