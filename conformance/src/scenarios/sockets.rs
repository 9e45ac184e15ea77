//! What only real sockets show: forged datagrams, floods, ports, and what wakes a driver. Scenarios D5, I6, I9, I10.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use swim_core::wire::Message;
use swim_core::{Event, Incarnation, NodeId, State};
use swim_driver::Plain;

use super::common::*;
use crate::{Link, Peer, Run, Sockets, Spec, claim, frame, is_down};

/// D5: somebody on the network, who needs no more than the cluster's name, accuses a member at the highest refutations of its
/// epoch and at the highest incarnation there is, in a stranger's name and in a member's, to one of five nodes or to all. Each
/// datagram is read, refused and counted, and nobody dies of it.
pub fn d5_forged_accusations_over_the_network<H: Sockets>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let victim = run.pick(&nodes);
    let rest = others(&nodes, victim);
    let member = run.pick(&rest);
    let one = run.below(2) == 0;
    let hearers = if one { vec![run.pick(&others(&nodes, member))] } else { others(&nodes, member) };
    let (id, at) = (h.id(victim), h.view(member).me().incarnation());
    let (mark, epoch) = (h.mark(), h.view(victim).me().incarnation().epoch());
    let refused = |h: &H, p: Peer| {
        let s = h.handle(p).counters().node;
        (s.claims_implausible, s.claims_from_strangers)
    };
    let before: Vec<_> = hearers.iter().map(|&p| refused(&h, p)).collect();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback interface has free ports");
    let seal = Plain::new(&h.config().cluster);
    for sender in [NodeId::from_name("stranger"), h.id(member)] {
        for state in [State::Suspect, State::Dead] {
            for epoch in [epoch, u32::MAX] {
                let highest = Incarnation::new(epoch, Incarnation::MAX_REFUTATIONS);
                let lie = frame(sender, at, None, &[claim(id, highest, state, &[])]);
                let mut datagram = [vec![0; Plain::LEN], lie.clone()].concat();
                assert_eq!(seal.seal(&mut datagram, lie.len()), datagram.len());
                for &p in &hearers {
                    assert_eq!(socket.send_to(&datagram, h.bound(p)).expect("there is room"), datagram.len());
                }
            }
        }
    }
    let counted = |h: &mut H| {
        let now = hearers.iter().map(|&p| refused(h, p));
        now.zip(&before).all(|(now, before)| now == (before.0 + 4, before.1 + 4))
    };
    h.until(soon(&h), counted).expect("each is refused and counted once");
    h.run(h.periods(30));
    for &p in &nodes {
        assert_eq!(h.count_since(p, &mark, is_down), 0, "{p:?}: {:?}", h.since(p, &mark));
        assert_eq!(h.view(p).member(id).map(|row| row.incarnation().epoch()), Some(epoch), "{p:?}");
    }
    still_whole(&mut h, 5);
}

/// I6: 50 000 datagrams a second that are no swim's.
pub fn i6_a_flood_of_junk_kills_nobody<H: Sockets>(run: &mut Run) {
    flooded::<H>(run, |_, _| vec![0xa5; 60]);
}

/// I6: 50 000 a second that another cluster's member could have sent.
pub fn i6_a_flood_of_another_cluster_kills_nobody<H: Sockets>(run: &mut Run) {
    flooded::<H>(run, |h: &H, one| {
        let ping = frame(h.id(one), Incarnation::new(1, 0), Some(Message::Ping { target: h.id(one), nonce: 1 }), &[]);
        let seal = Plain::new("another");
        let mut datagram = [vec![0; Plain::LEN], ping.clone()].concat();
        assert_eq!(seal.seal(&mut datagram, ping.len()), datagram.len());
        datagram
    });
}

/// All of it goes to one node's own socket, which drops what it has no room for, acks and pings too. The node probes
/// on, and nobody dies of it.
fn flooded<H: Sockets>(run: &mut Run, datagram: fn(&H, Peer) -> Vec<u8>) {
    let (mut h, nodes) = run.five::<H>();
    let (one, span) = (run.pick(&nodes), h.periods(15));
    // A machine has room for one flood; that of the next test waits.
    let turn = FLOODS.lock().unwrap_or_else(PoisonError::into_inner);
    let (mark, before, received) = (h.mark(), h.handle(one).counters(), h.counts(one).received);
    let flood = flood(h.bound(one), datagram(&h, one), span);
    h.run(span);
    let sent = flood.join().expect("a thread that sends does not panic");
    drop(turn);
    let received = h.counts(one).received - received;
    let rate = sent as f64 / span.as_secs_f64();
    run.figure("flood: datagrams sent per second (50 000 wanted)", rate);
    run.figure("flood: of these read, percent", 100.0 * received as f64 / sent as f64);
    let mine = Some(h.id(one));
    let accuses = |e: &Event| matches!(e, Event::MemberSuspect { by, .. } if *by == mine);
    run.figure("flood: suspicions by the flooded node", h.count_since(one, &mark, accuses) as f64);
    let flooded = |h: &mut H| h.handle(one).counters().driver.refused() > before.driver.refused() + sent / 100;
    h.until(soon(&h), flooded).expect("much of the flood is read, refused and counted");
    let probes = h.handle(one).counters().node.probes - before.node.probes;
    run.figure("flood: probes in fifteen periods", probes as f64);
    assert!(probes >= 2, "{probes} probes in fifteen periods");
    h.until(soon(&h), |h| h.is_whole(5)).expect("all see all");
    for &p in &nodes {
        assert_eq!(h.count_since(p, &mark, is_down), 0, "{p:?} reports a death");
    }
}

static FLOODS: Mutex<()> = Mutex::new(());

/// Sends this datagram to this address 50 000 times a second, or as often as the machine can: how often that was.
fn flood(to: SocketAddr, datagram: Vec<u8>, span: Duration) -> JoinHandle<u64> {
    thread::spawn(move || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback interface has free ports");
        let (began, mut sent) = (Instant::now(), 0);
        while began.elapsed() < span {
            let due = began.elapsed().as_micros() as u64 / 20;
            while sent < due && began.elapsed() < span {
                // What a full buffer does not take is sent all the same, as far as a flood is concerned.
                let _ = socket.send_to(&datagram, to);
                sent += 1;
            }
            thread::sleep(Duration::from_millis(1));
        }
        sent
    })
}

/// I6: a node is held up while an ack comes, and behind so much junk that no turn reads it all. What it has missed
/// because of that is nobody's silence, so it suspects nobody.
pub fn i6_who_is_held_up_behind_a_flood_accuses_nobody<H: Sockets>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let one = run.pick(&nodes);
    let mine = Some(h.id(one));
    // A third of a period for both ways, so that now and then an ack comes while the node stands still.
    h.set_network(Link { delay: h.periods(1) / 7, ..Link::default() });
    for _ in 0..12 {
        let phase = run.part_of(h.periods(1)) + h.periods(1);
        h.run(phase);
        let mark = h.mark();
        h.pause(one);
        h.run(h.periods(8) / 10);
        h.faults(one).put_junk_first(2_000);
        h.resume(one);
        h.run(h.periods(2));
        let accuses = |e: &Event| matches!(e, Event::MemberSuspect { by, .. } if *by == mine);
        assert_eq!(h.since(one, &mark).into_iter().find(accuses), None, "its own lateness");
    }
}

/// I9: a node leaves, or is killed, and is bound to the same port at once, fifty times in a row.
pub fn i9_a_port_is_free_when_the_driver_has_ended<H: Sockets>(run: &mut Run) {
    let mut h: H = run.world();
    let p = h.spawn(Spec::named("a"));
    let (bound, id) = (h.bound(p), h.id(p));
    for n in 0..50 {
        // The harness fails when the port is not free as soon as the driver is gone. Then it keeps it.
        if n % 2 == 0 {
            h.leave(p);
            h.until(soon(&h), |h| h.has_ended(p)).expect("its driver ends");
        } else {
            h.kill(p);
        }
        assert!(h.has_ended(p) && UdpSocket::bind(bound).is_err());
        h.restart_same(p);
        assert_eq!((h.bound(p), h.id(p)), (bound, id), "after {n} restarts");
        assert!(h.is_running(p) && !h.has_ended(p));
    }
}

/// I10: who is alone has nothing to wake up for.
pub fn i10_an_idle_driver_alone_sleeps<H: Sockets>(run: &mut Run) {
    let awake = idle::<H>(run, 1, |_, _| 0);
    assert_eq!(awake, 0, "datagrams from nobody");
}

/// I10: two that know each other and have nothing to tell wake up once per period for their probe, and once for each of the two
/// datagrams that come in it, an ack and the other's ping.
pub fn i10_two_idle_drivers_sleep<H: Sockets>(run: &mut Run) {
    idle::<H>(run, 2, awake_for);
}

/// I10: so do five.
pub fn i10_five_idle_drivers_sleep<H: Sockets>(run: &mut Run) {
    idle::<H>(run, 5, awake_for);
}

/// How often a driver is awake, at most, for so many datagrams in so many periods: a reactor may tell of a datagram once more
/// when it was read already, and a timer may go off a little early.
fn awake_for(came: u64, periods: u64) -> u64 {
    2 * (came + periods)
}

/// So many nodes with nothing to tell, none of which is awake more often than `most` says; returns how many datagrams came to
/// them.
fn idle<H: Sockets>(run: &mut Run, n: usize, most: fn(u64, u64) -> u64) -> u64 {
    let (mut h, nodes) = run.cluster::<H>(H::base_config(), n);
    h.run(h.periods(10));
    let count = |h: &H| nodes.iter().map(|&p| h.counts(p)).collect::<Vec<_>>();
    let (before, began) = (count(&h), Instant::now());
    h.run(h.periods(20));
    let now = count(&h);
    let periods = whole_periods(&h, began);
    let mut received = 0;
    for (now, before) in now.into_iter().zip(before) {
        let (idle, came) = (now.idle - before.idle, now.received - before.received);
        run.figure("idle reads per period", idle as f64 / 20.0);
        let most = most(came, periods);
        assert!(idle <= most, "{idle} times awake for {came} datagrams in {periods} periods, among {n}");
        received += came;
    }
    // All nodes together: who is probed how often in one period is left to chance.
    let most = 2 * periods * n as u64;
    assert!(received <= most, "{received} datagrams to {n} in {periods} periods");
    received
}

/// How many periods at most have begun since.
fn whole_periods<H: Sockets>(h: &H, began: Instant) -> u64 {
    (began.elapsed().as_micros() / h.periods(1).as_micros()) as u64 + 2
}

fn timeouts<H: Sockets>(h: &H, p: Peer) -> u64 {
    h.handle(p).counters().node.timeouts
}

/// I10: a driver that is woken for nothing, by whatever a runtime may wake it, looks once and waits again.
pub fn i10_woken_for_nothing_a_driver_does_nothing<H: Sockets>(run: &mut Run) {
    let (mut h, nodes) = run.cluster::<H>(H::base_config(), 2);
    let (p, began) = (nodes[1], Instant::now());
    let (faults, sent, due) = (h.faults(p), h.counts(p).sent, timeouts(&h, p));
    let before = faults.counts();
    (0..1_000).for_each(|_| h.wake_for_nothing(p));
    let woken = faults.counts().reads - before.reads;
    assert!(woken >= 1_000, "{woken} reads");
    // A task may be woken by its runtime, too.
    let before = faults.counts();
    faults.be_ready_for_nothing(1_000);
    h.run(h.periods(5));
    let now = faults.counts();
    if now.waits > 0 {
        assert!(now.reads - before.reads >= 1_000, "{before:?}, then {now:?}");
    }
    // Each of the two probes the other once per period.
    let periods = whole_periods(&h, began);
    let (sent, due) = (h.counts(p).sent - sent, timeouts(&h, p) - due);
    assert!(sent <= 2 * periods && due <= periods, "{sent} datagrams and {due} deadlines in {periods} periods");
    h.until(soon(&h), |h| h.is_whole(2)).expect("both see both");
}
