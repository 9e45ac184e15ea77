//! What becomes of a node whose socket fails. Scenario I4.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use swim_core::{Config, Event, State};
use swim_driver::Counters;

use super::common::*;
use crate::{FaultCounts, Mark, Peer, Run, Sends, SocketError, Sockets, Times, is_down, is_suspect};

/// What a system may say instead of a datagram, and that passes.
const RECEIVE_ERRORS: [SocketError; 12] = [
    SocketError::Kind(ErrorKind::ConnectionRefused),
    SocketError::Kind(ErrorKind::ConnectionReset),
    SocketError::Kind(ErrorKind::ConnectionAborted),
    SocketError::NO_BUFFERS,
    SocketError::Kind(ErrorKind::Interrupted),
    SocketError::Kind(ErrorKind::NetworkDown),
    SocketError::Kind(ErrorKind::NetworkUnreachable),
    SocketError::Kind(ErrorKind::HostUnreachable),
    SocketError::Kind(ErrorKind::TimedOut),
    SocketError::Kind(ErrorKind::OutOfMemory),
    SocketError::Kind(ErrorKind::PermissionDenied),
    SocketError::TOO_LONG,
];

/// What it may say to a datagram that is to be sent.
const SEND_ERRORS: [SocketError; 7] = [
    SocketError::TOO_LONG,
    SocketError::Kind(ErrorKind::PermissionDenied),
    SocketError::Kind(ErrorKind::ConnectionRefused),
    SocketError::Kind(ErrorKind::NetworkUnreachable),
    SocketError::Kind(ErrorKind::HostUnreachable),
    SocketError::Kind(ErrorKind::NetworkDown),
    SocketError::Kind(ErrorKind::Interrupted),
];

/// I4: a socket returns each kind of error in bursts, and then for periods instead of all datagrams. The loop lives and
/// reads on, every error is counted, the node stays a member, and a socket that fails without end is asked 16 times per
/// 20 ms at most.
pub fn i4_receive_errors_are_borne_counted_and_paced<H: Sockets>(run: &mut Run) {
    let (mut h, nodes) = run.cluster::<H>(patient::<H>(), 5);
    let (one, mark) = (run.pick(&nodes), h.mark());
    let faults = h.faults(one);
    for error in RECEIVE_ERRORS {
        // The first passes within one turn, the second takes three.
        for burst in [15, 40] {
            let failed = faults.counts().reads_failed;
            faults.fail_reads(error, Times::Next(burst));
            let limit = soon(&h);
            let passed = |h: &mut H| counters(h, one).driver.receive_failures >= failed + burst;
            h.until(limit, passed).unwrap_or_else(|| panic!("{burst} times {error:?} pass, and are counted"));
        }
        let failed = faults.counts().reads_failed;
        faults.fail_reads(error, Times::Always);
        h.until(soon(&h), |_| faults.counts().reads_failed > failed).expect("it reads at some time");
        let watch = Watch::new(&h, one);
        h.run(h.periods(2));
        let (now, took) = (faults.counts(), watch.began.elapsed());
        faults.clear();
        let (reads, most) = (now.reads - watch.counts.reads, 16 * (pauses(took, READ_PAUSE) + 1));
        assert!(reads > 0 && reads <= most, "{reads} reads in {took:?} of {error:?}, not {most} at most");
        let (waits, most) = (now.waits - watch.counts.waits, watch.turns(&h, took, READ_PAUSE));
        assert!(waits <= most, "{waits} waits in {took:?} of {error:?}, not {most} at most");
    }
    let all = |h: &mut H| counters(h, one).driver.receive_failures == faults.counts().reads_failed;
    h.until(soon(&h), all).expect("every error is counted once");
    unharmed(&mut h, &nodes, &mark);
}

/// I4: every other read says that nothing is there, whatever is, as where a system has dropped what it had announced.
/// What is there is read soon all the same, and the socket is not asked all the time.
pub fn i4_reads_that_find_nothing_hold_up_nothing<H: Sockets>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let (one, mark) = (run.pick(&nodes), h.mark());
    let other = run.pick(&others(&nodes, one));
    let (faults, watch) = (h.faults(one), Watch::new(&h, one));
    faults.fail_reads(SocketError::WOULD_BLOCK, Times::Of(1, 2));
    h.set_meta(other, b"heard");
    h.run(h.periods(15));
    let (now, took) = (faults.counts(), watch.began.elapsed());
    faults.clear();
    let (reads, most) = (now.reads - watch.counts.reads, 2 * watch.turns(&h, took, READ_PAUSE));
    assert!(now.reads_failed > 0 && reads <= most, "{reads} reads in {took:?}, not {most} at most");
    assert!(all_read(&h, &[one], other, b"heard"), "in fifteen periods");
    assert_eq!(counters(&h, one).driver.receive_failures, 0, "that nothing is there is no error");
    unharmed(&mut h, &nodes, &mark);
}

/// I4: a node that can read nothing for so long that the others doubt it comes back by itself when it can.
pub fn i4_who_could_not_read_for_long_comes_back<H: Sockets>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let one = run.pick(&nodes);
    let rest = others(&nodes, one);
    let faults = h.faults(one);
    faults.fail_reads(run.pick(&RECEIVE_ERRORS), Times::Always);
    let doubted = |h: &mut H| rest.iter().all(|&p| h.sees(p, one) != Some(State::Alive));
    h.until(detection(&h, 5), doubted).expect("who does not answer is doubted");
    faults.clear();
    let back = |h: &mut H| all_hold(h, &nodes, one, State::Alive) && h.is_whole(5);
    h.until(reunion(&h), back).expect("it answers again, and is alive for all");
}

/// I4: each kind of error for what is sent to one, and for all that is sent: counted, told to the node, and over when
/// it is over.
pub fn i4_send_errors_are_counted_and_told<H: Sockets>(run: &mut Run) {
    let (mut h, nodes) = run.cluster::<H>(patient::<H>(), 5);
    let (one, mark) = (run.pick(&nodes), h.mark());
    let to = h.addr(run.pick(&others(&nodes, one)));
    let faults = h.faults(one);
    for error in SEND_ERRORS {
        for (which, times) in [(Sends::To(to), 1), (Sends::All, 3)] {
            let (before, told) = (faults.counts().sends_failed, counters(&h, one).node.sends_failed);
            faults.fail_sends(error, which, Times::Always);
            let failed = |_: &mut H| faults.counts().sends_failed >= before + times;
            h.until(soon(&h), failed).unwrap_or_else(|| panic!("{error:?}: it sends"));
            faults.clear();
            let noted = |h: &mut H| {
                let counters = counters(h, one);
                counters.driver.send_failures == faults.counts().sends_failed && counters.node.sends_failed > told
            };
            h.until(soon(&h), noted).unwrap_or_else(|| panic!("{error:?}: {:?}", counters(&h, one)));
        }
    }
    assert!(h.is_running(one));
    unharmed(&mut h, &nodes, &mark);
}

/// I4: nothing can be sent to one member for some periods, by whatever error: relays reach it, so nobody is suspected
/// for long.
pub fn i4_a_member_that_cannot_be_sent_to_is_no_dead_member<H: Sockets>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let (one, mark) = (run.pick(&nodes), h.mark());
    let other = run.pick(&others(&nodes, one));
    let faults = h.faults(one);
    faults.fail_sends(run.pick(&SEND_ERRORS), Sends::To(h.addr(other)), Times::Always);
    h.run(h.periods(20));
    assert!(faults.counts().sends_failed > 0);
    faults.clear();
    unharmed(&mut h, &nodes, &mark);
}

/// I4: nothing can be sent for two periods, because the socket has no room. What the node has to say is held and
/// leaves in its order, nobody is convicted of a silence, and a socket that takes nothing is tried every 5 ms, not all
/// the time.
pub fn i4_a_socket_without_room_is_waited_for<H: Sockets>(run: &mut Run) {
    let (mut h, nodes) = run.cluster::<H>(patient::<H>(), 5);
    let (one, mark) = (run.pick(&nodes), h.mark());
    let (faults, lost) = (h.faults(one), counters(&h, one).driver.send_failures);
    let (watch, sent) = (Watch::new(&h, one), h.counts(one).sent);
    faults.fail_sends(SocketError::WOULD_BLOCK, Sends::All, Times::Always);
    h.set_meta(one, b"held");
    h.run(h.periods(2));
    let (now, took) = (faults.counts(), watch.began.elapsed());
    let (tries, most) = (now.sends - watch.counts.sends, watch.turns(&h, took, SEND_PAUSE));
    assert!(tries > 1 && tries <= most, "{tries} tries in {took:?}, not {most} at most");
    assert!(now.waits - watch.counts.waits <= most, "{now:?}, not {most} waits at most");
    faults.clear();
    h.until(soon(&h), |h| h.counts(one).sent > sent && all_read(h, &nodes, one, b"held"))
        .expect("what was held leaves");
    // Room now and then; other systems say that there are no buffers.
    faults.fail_sends(SocketError::NO_BUFFERS, Sends::All, Times::Of(1, 2));
    h.set_meta(one, b"by and by");
    let slowly = |h: &mut H| all_read(h, &nodes, one, b"by and by");
    h.until(soon(&h), slowly).expect("what is held leaves by and by");
    h.run(h.periods(3));
    faults.clear();
    let blocked = |h: &mut H| counters(h, one).node.send_blocks > 0;
    h.until(soon(&h), blocked).expect("the node has known of it");
    assert_eq!(counters(&h, one).driver.send_failures, lost, "nothing is lost");
    assert_eq!(faults.counts().overtaken, 0);
    let mine = Some(h.id(one));
    let accuses = |e: &Event| matches!(e, Event::MemberSuspect { by, .. } if *by == mine);
    assert_eq!(h.count_since(one, &mark, accuses), 0, "silence says nothing to who cannot ask");
    unharmed(&mut h, &nodes, &mark);
}

/// I4: a goodbye does not wait for ever for a socket without room: the driver ends soon, and its port is free.
pub fn i4_a_leave_without_room_ends_the_driver<H: Sockets>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let (one, mark) = (run.pick(&nodes), h.mark());
    let faults = h.faults(one);
    faults.fail_sends(SocketError::WOULD_BLOCK, Sends::All, Times::Always);
    h.run(h.periods(1));
    h.leave(one);
    h.run(h.periods(1));
    assert!(h.is_running(one) && !h.handle(one).is_closed(), "it has waited a little, and nobody has heard it");
    let took = h.until(soon(&h), |h| h.has_ended(one)).expect("the driver ends");
    run.figure("periods from leave to end, without room to send", in_periods(&h, took));
    assert_eq!(h.since(one, &mark).last(), Some(&Event::Left));
    assert!(h.handle(one).is_closed() && faults.counts().sends_blocked > 0);
    assert_eq!(faults.counts().overtaken, 0);
}

/// I4: datagrams above some size are too long for the way. Small ones pass, so everybody stays; what did not pass is
/// repaired when it can.
pub fn i4_datagrams_too_long_for_the_way_cost_no_membership<H: Sockets>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let (one, mark) = (run.pick(&nodes), h.mark());
    let (faults, long) = (h.faults(one), [7; 400]);
    faults.fail_sends(SocketError::TOO_LONG, Sends::Longer(300), Times::Always);
    h.set_meta(one, &long);
    h.run(h.periods(20));
    let failed = faults.counts().sends_failed;
    assert!(failed > 0, "it has tried to tell of it");
    assert!(h.is_running(one) && !all_read(&h, &nodes, one, &long));
    for &p in &nodes {
        assert_eq!(downs(&h, p, &mark), [], "{p:?}");
    }
    faults.clear();
    // The news may be told already; then it is a sync that finds what is missing.
    let limit = soon(&h) + h.config().sync_backoff_max * 2;
    h.until(limit, |h| all_read(h, &nodes, one, &long)).expect("it is told in the end");
    unharmed(&mut h, &nodes, &mark);
}

/// I4: before each datagram comes a copy of it that is cut off somewhere. All of these are counted, and nothing else
/// comes of them.
pub fn i4_datagrams_that_are_cut_off_change_nothing<H: Sockets>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let (one, mark) = (run.pick(&nodes), h.mark());
    let other = run.pick(&others(&nodes, one));
    let (faults, before) = (h.faults(one), counters(&h, one));
    faults.cut_off_copies();
    for i in 0..20 {
        h.set_meta(other, &[i; 100]);
        h.run(h.periods(1) / 2);
    }
    faults.clear();
    h.until(soon(&h), |h| all_read(h, &nodes, other, &[19; 100])).expect("the whole ones are heard");
    let refused = |h: &mut H| counters(h, one).driver.refused() - before.driver.refused() == faults.counts().cut_off;
    h.until(soon(&h), refused).expect("each is refused and counted, and nothing else is");
    let (now, cut) = (counters(&h, one), faults.counts().cut_off);
    let short = now.driver.refused_too_short - before.driver.refused_too_short;
    let damaged = now.driver.refused_checksum - before.driver.refused_checksum;
    assert!(short > 0 && damaged > 0 && short + damaged == cut, "{short} and {damaged} of {cut}: {now:?}");
    assert_eq!(now.node.dropped_malformed, before.node.dropped_malformed, "none was opened");
    for &p in &nodes {
        assert_eq!(h.count_since(p, &mark, |e| is_down(e) || is_suspect(e)), 0, "{p:?}");
    }
    unharmed(&mut h, &nodes, &mark);
}

/// A config in which no suspicion runs out as long as a scenario's faults last.
fn patient<H: Sockets>() -> Config {
    let mut config = H::base_config();
    config.suspicion_alpha_percent = 1_200;
    config
}

fn counters<H: Sockets>(h: &H, p: Peer) -> Counters {
    h.handle(p).counters()
}

/// Nobody was found dead, and all see all now.
fn unharmed<H: Sockets>(h: &mut H, nodes: &[Peer], mark: &Mark) {
    still_whole(h, nodes.len());
    for &p in nodes {
        assert_eq!(downs(h, p, mark), [], "{p:?}");
    }
}

/// How many pauses of this length fit into this time, the last one begun.
fn pauses(time: Duration, pause: Duration) -> u64 {
    (time.as_micros() / pause.as_micros()) as u64 + 1
}

/// What a node has done so far, to be compared with what it has done later.
struct Watch {
    one: Peer,
    counts: FaultCounts,
    received: u64,
    began: Instant,
}

impl Watch {
    fn new<H: Sockets>(h: &H, one: Peer) -> Self {
        Self { one, counts: h.faults(one).counts(), received: h.counts(one).received, began: Instant::now() }
    }

    /// How many turns at most the node had reason to take since: one per pause, per datagram that came, and per deadline, of
    /// which a probe has a few. A timer that goes off a little early makes two turns of one.
    fn turns<H: Sockets>(&self, h: &H, took: Duration, pause: Duration) -> u64 {
        let config = h.config();
        let deadlines = pauses(took, config.gossip_interval) + 6 * pauses(took, config.probe_interval);
        2 * (pauses(took, pause) + deadlines) + h.counts(self.one).received - self.received
    }
}

/// What a driver does, as `docs/bindings.md` says.
const READ_PAUSE: Duration = Duration::from_millis(20);
const SEND_PAUSE: Duration = Duration::from_millis(5);
