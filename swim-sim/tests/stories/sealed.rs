//! Stories of sealed clusters, for any config: what has been heard, is old, or is under a key that was removed is not heard.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use swim_core::Config;
use swim_driver::{Key, Keyring};
use swim_sim::{NodeIx, Sent, Verdict, World, millis, secs};

/// What went over the wires: whose, to whom, and the bytes.
type Record = Rc<RefCell<Vec<(SocketAddr, NodeIx, Vec<u8>)>>>;

fn ring(n: u8) -> Keyring {
    Keyring::new(Key::from_bytes([n; Key::LEN]))
}

/// Three nodes of one key that know each other.
fn three(config: Config) -> (World, [NodeIx; 3]) {
    let mut w = World::with_config(1, config);
    w.seal(ring(1));
    let nodes = ["a", "b", "c"].map(|name| w.spawn(name));
    nodes[1..].iter().for_each(|&node| w.join(node, &nodes[..1]));
    assert!(w.run_until(secs(60), |w| w.all_see(3) && w.is_at_rest()).is_some());
    (w, nodes)
}

fn record(w: &mut World) -> Record {
    let record = Record::default();
    let tap = Rc::clone(&record);
    w.tap(move |sent| {
        let to = NodeIx::at(sent.to).expect("they know nobody else");
        tap.borrow_mut().push((sent.from, to, sent.bytes.to_vec()));
    });
    record
}

/// Five seconds of what they say, all of it heard.
fn said(w: &mut World) -> Vec<(SocketAddr, NodeIx, Vec<u8>)> {
    let record = record(w);
    w.run(secs(5));
    w.untap();
    w.run(millis(500));
    let said = record.take();
    assert!(said.len() > 50);
    said
}

/// Frames that the nodes were given.
fn heard(w: &World, nodes: &[NodeIx]) -> u64 {
    nodes.iter().map(|&node| w.node(node).stats().datagrams_received).sum()
}

fn is_frame(datagram: &[u8]) -> bool {
    datagram[1] & 1 == 0
}

/// What is repeated to those who have heard it is not heard again.
pub(crate) fn nothing_is_heard_twice(config: Config) {
    let (mut w, nodes) = three(config);
    let said = said(&mut w);
    let before = heard(&w, &nodes);
    for (from, to, bytes) in &said {
        w.inject_datagram(*to, *from, bytes);
    }
    w.run(millis(0));
    assert_eq!(heard(&w, &nodes), before, "of {} repeated ones", said.len());
}

/// A new life, which knows no session. What is said to it is lost, or all but the proofs are.
fn repeated_to_a_new_life(config: Config, proofs: bool) -> (World, NodeIx) {
    let (mut w, nodes) = three(config);
    let said = said(&mut w);
    w.run(secs(7));
    let (new, to) = (nodes[2], nodes[2].addr());
    w.add_rule(
        move |sent: &Sent<'_>| {
            if sent.to == to && (is_frame(sent.bytes) || !proofs) { Verdict::Drop } else { Verdict::Pass }
        },
    );
    w.restart(new);
    for (from, _, bytes) in said.iter().filter(|(from, _, bytes)| *from != to && is_frame(bytes)) {
        w.inject_datagram(new, *from, bytes);
        w.run(millis(20));
    }
    w.run(secs(1));
    (w, new)
}

/// Nothing is heard of whoever has not shown that it lives.
pub(crate) fn the_unproven_are_not_heard(config: Config) {
    let (w, new) = repeated_to_a_new_life(config, false);
    assert!(w.pump(new).stats().frames_held > 0);
    assert_eq!(heard(&w, &[new]), 0);
}

/// Whoever shows that it lives is not heard with what it said long before.
pub(crate) fn what_is_old_is_not_heard(config: Config) {
    let (w, new) = repeated_to_a_new_life(config, true);
    assert!(w.pump(new).stats().sessions_proven > 0);
    assert_eq!(heard(&w, &[new]), 0);
}

/// One is left behind by an exchange of keys: from then on, nothing that it says is opened.
pub(crate) fn a_removed_key_opens_nothing(config: Config) {
    let (mut w, nodes) = three(config);
    nodes[..2].iter().for_each(|&node| w.set_keyring(node, ring(2)));
    // What was under way is refused, too, and was not recorded.
    w.run(millis(500));
    let refused = |w: &World| nodes[..2].iter().map(|&node| w.pump(node).stats().refused_key).sum::<u64>();
    let (before, record) = (refused(&w), record(&mut w));
    w.run(secs(3));
    w.untap();
    w.run(millis(500));
    let sent = record.take().iter().filter(|(from, ..)| *from == nodes[2].addr()).count() as u64;
    assert!(sent > 10 && refused(&w) - before >= sent, "{} of {sent}", refused(&w) - before);
}
