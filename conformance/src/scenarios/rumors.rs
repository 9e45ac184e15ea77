//! What is told to all once. Scenarios E3, F2, F3, F7 and F8 for rumors, F9 for both, and P1, P2, P3 in a storm of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use swim_core::wire::Message;
use swim_core::{Config, Event, Profile, State};
use swim_driver::CommandError;

use super::common::*;
use super::data::*;
use crate::{Harness, Inspect, Link, Mark, Peer, Run, Way, claim, frame, is_down};

/// A rumor comes to everybody, whoever broadcast it included: once, with its topic and payload, though datagrams come twice
/// and late.
pub fn a_rumor_reaches_each_once<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    h.set_network(Link { duplicate: 30, reorder: 30, ..Link::default() });
    let (origin, mark) = (run.pick(&nodes), h.mark());
    let mut ears = Ear::at_all(&h, &nodes);
    broadcast(&mut h, origin, "deploys", b"v17 is out");
    let all = |_: &mut H| ears.iter_mut().all(|ear| ear.times("deploys", b"v17 is out") > 0);
    let took = h.until(soon(&h), all).expect("all hear it");
    run.figure("one rumor of one of five: periods until all have it", in_periods(&h, took));
    // Whoever has heard it answers with a later one.
    let second = run.pick(&others(&nodes, origin));
    broadcast(&mut h, second, "deploys", b"seen");
    h.until(soon(&h), |_| ears.iter_mut().all(|ear| ear.times("deploys", b"seen") > 0)).expect("all hear that, too");
    h.run(h.periods(5));
    for (ear, &p) in ears.iter_mut().zip(&nodes) {
        let mut heard: Vec<_> = ear.heard().iter().map(|r| (r.lamport(), r.id(), r.payload().to_vec())).collect();
        heard.sort();
        let told: Vec<_> = heard.iter().map(|(_, id, payload)| (id.origin, payload.as_slice())).collect();
        assert_eq!(told, [(h.id(origin), &b"v17 is out"[..]), (h.id(second), b"seen")], "{p:?}");
        assert!(heard[0].0 < heard[1].0, "an answer is behind what it answers");
        assert_eq!(all_different(&rumors(&h, p, &mark)), 2);
    }
}

/// E3: it broadcasts and leaves in the same moment: what waited rides with the farewell, and all whom that reaches hear it.
pub fn e3_a_leave_carries_rumors<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let (leaver, mark) = (run.pick(&nodes), h.mark());
    let (id, rest) = (h.id(leaver), others(&nodes, leaver));
    let mut ears = Ear::at_all(&h, &rest);
    let handle = h.handle(leaver);
    for i in 0..3_u8 {
        handle.broadcast("bye", &[i; 20]).expect("it can be sent");
    }
    drop(handle);
    h.leave(leaver);
    let over = |h: &mut H| {
        let all = |ear: &mut Ear| (0..3_u8).all(|i| ear.times("bye", &[i; 20]) > 0);
        !h.is_running(leaver) && ears.iter_mut().all(all) && all_hold(h, &rest, leaver, State::Left)
    };
    let ended = h.until(soon(&h), over);
    let heard: Vec<usize> = ears.iter_mut().map(|ear| ear.heard().len()).collect();
    assert!(
        ended.is_some(),
        "all know that it left, and what it said: runs {}, heard {heard:?}, held as {:?}",
        h.is_running(leaver),
        rest.iter().map(|&p| h.sees(p, leaver)).collect::<Vec<_>>()
    );
    h.run(h.periods(3));
    assert!(ears.iter_mut().all(|ear| ear.heard().len() == 3), "each once");
    for &p in &rest {
        assert_eq!(downs(&h, p, &mark), [(id, true)], "{p:?}");
    }
}

/// E3: one of those who stay hears nobody while another broadcasts and leaves, and until that has been told as often as it is.
/// It hears all of it afterwards, though no hash has what those who are gone have said.
pub fn e3_who_missed_the_farewell_hears_it_later<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let leaver = run.pick(&nodes);
    let rest = others(&nodes, leaver);
    let mut ears = Ear::at_all(&h, &rest);
    let deaf = rest[0];
    h.cut(&[deaf], &others(&nodes, deaf), Way::Both);
    for i in 0..3_u8 {
        h.handle(leaver).broadcast("bye", &[i; 20]).expect("it can be sent");
    }
    h.leave(leaver);
    let all = |ear: &mut Ear| (0..3_u8).all(|i| ear.times("bye", &[i; 20]) > 0);
    let told = |h: &mut H| {
        let hear = ears[1..].iter_mut().all(all);
        hear && !h.is_running(leaver) && all_hold(h, &rest[1..], leaver, State::Left)
    };
    h.until(soon(&h), told).expect("the others know that it left, and what it said");
    h.run(h.periods(1));
    h.heal();
    let took = h.until(soon(&h), |h| all_hold(h, &rest, leaver, State::Left) && all(&mut ears[0]));
    let took = took.unwrap_or_else(|| panic!("it hears all of it, not only {}", ears[0].heard().len()));
    run.figure("E3: periods until who missed the farewell has heard all of it", in_periods(&h, took));
    h.run(h.periods(3));
    assert!(ears.iter_mut().all(|ear| ear.heard().len() == 3), "each once");
}

/// F2: the longest rumor there can be is sent and heard, and does not stay behind; one byte more is refused where it is said,
/// with the limit in the error.
pub fn f2_the_longest_rumor_is_sent<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let (origin, topic) = (run.pick(&nodes), "t".repeat(run.below(Config::TOPIC_MAX + 1)));
    let max = h.config().rumor_max() - topic.len();
    let handle = h.handle(origin);
    for len in [max + 1, max + 100, 70 << 10] {
        match handle.broadcast(&topic, &vec![7; len]) {
            Err(CommandError::TooLong(e)) => assert_eq!((e.what(), e.len(), e.max()), ("payload", len, max)),
            other => panic!("{len} bytes: {other:?}"),
        }
    }
    let long = "t".repeat(Config::TOPIC_MAX + 1);
    assert!(matches!(handle.broadcast(&long, b""), Err(CommandError::TooLong(_))), "a longer topic");
    let mut ears = Ear::at_all(&h, &nodes);
    for payload in [vec![1; max], vec![2; max - 10], vec![]] {
        broadcast(&mut h, origin, &topic, &payload);
        h.until(soon(&h), |_| ears.iter_mut().all(|ear| ear.times(&topic, &payload) == 1)).expect("all hear it");
    }
    assert!(ears.iter_mut().all(|ear| ear.heard().len() == 3), "and nothing of what was refused");
}

/// F7: it broadcasts far more than is kept while it is alone: it keeps what it may keep, and who joins it then hears the newest
/// of that, each once.
pub fn f7_alone_it_keeps_a_bounded_number<H: Harness>(run: &mut Run) {
    const KEPT: usize = 32;
    let mut config = H::base_config();
    config.rumors_max = KEPT;
    let (mut h, nodes) = run.cluster::<H>(config, 1);
    let (alone, mark) = (nodes[0], h.mark());
    let many = 200 + run.below(100) as u32;
    for i in 0..many {
        broadcast(&mut h, alone, "log", &i.to_le_bytes());
    }
    h.until(soon(&h), |h| rumors(h, alone, &mark).len() == many as usize).expect("it hears itself");
    let one = newcomer(&mut h, run, &[alone]);
    let mut ear = Ear::at(&h, one);
    h.until(soon(&h), |_| ear.heard().len() >= KEPT).expect("the joiner hears what is kept");
    // The next one is heard like any other.
    broadcast(&mut h, alone, "log", b"now");
    h.until(soon(&h), |_| ear.times("log", b"now") == 1).expect("and all that comes");
    let mut seqs: Vec<u32> = ear.heard().iter().map(|r| r.id().seq).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (many - KEPT as u32 + 1..=many + 1).collect::<Vec<_>>(), "the newest, each once");
}

/// F8: the same words twice are two rumors; and in its next life, whose numbers begin again, it is heard as well, be it the
/// same words once more.
pub fn f8_the_same_words_again_are_heard_again<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let (origin, mark) = (run.pick(&nodes), h.mark());
    let rest = others(&nodes, origin);
    let mut ears = Ear::at_all(&h, &rest);
    for _ in 0..2 {
        broadcast(&mut h, origin, "t", b"tick");
        let pause = run.part_of(h.periods(2));
        h.run(pause);
    }
    h.until(soon(&h), |_| ears.iter_mut().all(|ear| ear.times("t", b"tick") == 2)).expect("twice to each");
    h.restart_same(origin);
    h.join_through(origin, &[run.pick(&rest)]);
    broadcast(&mut h, origin, "t", b"tick");
    h.until(soon(&h), |_| ears.iter_mut().all(|ear| ear.times("t", b"tick") == 3)).expect("and once more");
    h.run(h.periods(5));
    for (ear, &p) in ears.iter_mut().zip(&rest) {
        assert_eq!(ear.heard().len(), 3, "{p:?}");
        let ids = rumors(&h, p, &mark);
        all_different(&ids);
        let numbers: Vec<u32> = ids.iter().map(|id| id.seq).collect();
        assert!(numbers[2] == 1 && ids[2].epoch > ids[0].epoch, "{p:?}: {ids:?}");
    }
}

/// F3: rumors that fill a datagram each, small ones, state above and below what is pushed, and the largest profiles, all at
/// once, with the smallest datagrams: none blocks another, none starves, and all of it is told in the end.
pub fn f3_no_size_starves_another<H: Inspect>(run: &mut Run) {
    let mut config = H::base_config();
    config.mtu = Config::MTU_MIN;
    let (mut h, nodes) = run.cluster::<H>(config, 8);
    let mut ears = Ear::at_all(&h, &nodes);
    let (longest, value) = (h.config().rumor_max(), h.config().value_max());
    for (i, &p) in nodes.iter().enumerate() {
        h.set_meta(p, &[i as u8; Profile::MAX_META]);
        for k in 0..4_u8 {
            let sizes = [longest - 1, longest - 1 - run.below(12), 300, 1];
            broadcast(&mut h, p, "r", &vec![k; sizes[usize::from(k)]]);
        }
        put(&mut h, p, "small", &[i as u8]);
        put(&mut h, p, "large", &vec![i as u8; value]);
    }
    let all = |h: &mut H| {
        ears.iter_mut().all(|ear| ear.heard().len() == 32)
            && nodes.iter().enumerate().all(|(i, &p)| {
                all_read(h, &nodes, p, &[i as u8; Profile::MAX_META])
                    && all_have(h, &nodes, p, "small", Some(&[i as u8]))
                    && all_have(h, &nodes, p, "large", Some(&vec![i as u8; value]))
            })
    };
    let took = h.until(soon(&h), all).expect("all of it reaches all");
    run.figure("F3: periods until eight have told 32 rumors, 16 keys and 8 profiles", in_periods(&h, took));
    h.until(soon(&h), |h| h.is_quiet() && data_is_quiet(h, &nodes)).expect("and nothing is told for ever");
}

/// F9: one rumor reaches all of many nodes within a small multiple of log N gossip intervals, but for a few, who get it by the
/// sync behind; and each node tells it at most ⌈λ·ln(N+1)⌉ times, unless it is asked.
pub fn f9_one_rumor_reaches_all<H: Inspect>(run: &mut Run) {
    one_rumor::<H>(run, 64);
}

/// F9, where it takes longer.
pub fn f9_one_rumor_reaches_a_thousand<H: Inspect>(run: &mut Run) {
    // Unoptimised, a thousand nodes take too long to form.
    one_rumor::<H>(run, if cfg!(debug_assertions) { 250 } else { 1_000 });
}

fn one_rumor<H: Inspect>(run: &mut Run, n: usize) {
    let (mut h, nodes) = run.cluster::<H>(H::base_config(), n);
    h.until(h.periods(120), |h| h.is_quiet()).expect("no other news is left");
    let (origin, mark) = (run.pick(&nodes), h.mark());
    // As `Config::retransmit_limit`, with the factor that the preset has for rumors.
    let limit = (1.7 * (n as f64 + 1.0).ln()).ceil() as usize;
    let copies = h.tap_into::<BTreeMap<SocketAddr, usize>>(|copies, s| {
        let frame = s.parsed();
        if !matches!(frame.message, Some(Message::Delta { .. })) {
            *copies.entry(s.from).or_default() += frame.rumors().count();
        }
    });
    broadcast(&mut h, origin, "t", b"news");
    let heard = |h: &H| nodes.iter().filter(|&&p| !rumors(h, p, &mark).is_empty()).count();
    let most = h.until(h.periods(60), |h| heard(h) * 100 >= n * 95).expect("nearly all hear it");
    let rest = h.until(h.periods(60), |h| heard(h) == n).expect("all hear it");
    h.run(h.periods(20));
    assert!(nodes.iter().all(|&p| rumors(&h, p, &mark).len() == 1), "once each");
    let told = copies.get().values().copied().max().unwrap_or(0);
    assert!(told > 0 && told <= limit, "somebody told it {told} times, and {limit} is the limit");
    let rounds = |d: Duration| d.as_secs_f64() / h.config().gossip_interval.as_secs_f64();
    assert!(rounds(most) <= 2.5 * (n as f64).log2(), "{} rounds", rounds(most));
    run.figure("F9: one rumor among many: gossip intervals until 95 % know", rounds(most));
    run.figure("F9: one rumor among many: gossip intervals until all know", rounds(most + rest));
    run.figure("F9: one rumor among many: most copies told by one node", told as f64);
    assert!(in_periods(&h, most + rest) <= 15.0, "{} periods", in_periods(&h, most + rest));
}

/// F9 for states: one write reaches all as an update does, and each node tells it no more often than one.
pub fn f9_one_write_reaches_all<H: Inspect>(run: &mut Run) {
    const N: usize = 64;
    let (mut h, nodes) = run.cluster::<H>(H::base_config(), N);
    h.until(h.periods(120), |h| h.is_quiet()).expect("no other news is left");
    let owner = run.pick(&nodes);
    let limit = h.config().retransmit_limit(N);
    let copies = h.tap_into::<BTreeMap<SocketAddr, usize>>(|copies, s| {
        let frame = s.parsed();
        if !matches!(frame.message, Some(Message::Delta { .. })) {
            *copies.entry(s.from).or_default() += frame.states().count();
        }
    });
    put(&mut h, owner, "k", b"v");
    let took = h.until(h.periods(60), |h| all_have(h, &nodes, owner, "k", Some(b"v"))).expect("all read it");
    h.run(h.periods(20));
    let told = copies.get().values().copied().max().unwrap_or(0);
    assert!(told > 0 && told <= limit, "somebody told it {told} times, and {limit} is the limit");
    let rounds = took.as_secs_f64() / h.config().gossip_interval.as_secs_f64();
    assert!(rounds <= 2.5 * (N as f64).log2(), "{rounds} rounds");
    run.figure("F9: one write among 64: gossip intervals until all read it", rounds);
    run.figure("F9: one write among 64: most copies told by one node", told as f64);
}

/// P1: a rumor that all know comes again and again, at other times and in other words, from a member that says so. Nobody
/// delivers it again, and nobody passes it on.
pub fn p1_a_known_rumor_is_not_told_again<H: Inspect>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let (origin, mark) = (run.pick(&nodes), h.mark());
    broadcast(&mut h, origin, "t", b"first");
    let all = |h: &mut H| nodes.iter().all(|&p| rumors(h, p, &mark).len() == 1) && data_is_quiet(h, &nodes);
    h.until(soon(&h), all).expect("all know it, and it is told no more");
    let id = rumors(&h, origin, &mark)[0];
    let (liar, sent) = (run.pick(&others(&nodes, origin)), h.sent_total());
    let told = h.tap_into::<usize>(|told, s| *told += s.parsed().rumors().count());
    for time in 1..=20_u64 {
        for &p in others(&nodes, liar).iter() {
            let words = time.to_le_bytes();
            let again =
                swim_core::Rumor { id, lamport: time * 1_000, age: Duration::ZERO, topic: "t", payload: &words };
            let incarnation = h.node(liar).me().incarnation();
            let (from, forged) = (h.addr(liar), crate::rumor_frame(h.id(liar), incarnation, &[again]));
            h.forge(p, from, &forged);
        }
    }
    assert!(data_is_quiet(&h, &nodes), "nobody tells it");
    h.run(h.periods(10));
    assert_eq!(*told.get(), 0, "nor has told it");
    assert!(nodes.iter().all(|&p| rumors(&h, p, &mark).len() == 1), "nor delivered it again");
    assert!(h.sent_total().datagrams > sent.datagrams, "they did live on");
}

/// So many rumors in so many gossip intervals, by all of these in turn. `each` is called in every interval.
fn flood<H: Inspect>(h: &mut H, by: &[Peer], (count, intervals): (usize, usize), mut each: impl FnMut(&mut H, usize)) {
    let mut said = 0;
    for interval in 0..intervals {
        while said < count * (interval + 1) / intervals {
            let origin = by[said % by.len()];
            h.handle(origin).broadcast("flood", &(said as u32).to_le_bytes()).expect("the mailbox has room");
            said += 1;
        }
        h.run(h.config().gossip_interval);
        each(h, interval);
    }
}

/// What a storm must not do.
fn delivered_once<H: Inspect>(h: &H, nodes: &[Peer], mark: &Mark) -> Vec<usize> {
    let lagged = |p: Peer| h.count_since(p, mark, |e| matches!(e, Event::Lagged { .. }));
    assert!(nodes.iter().all(|&p| lagged(p) == 0), "events were dropped, so nothing can be told of them");
    nodes.iter().map(|&p| all_different(&rumors(h, p, mark))).collect()
}

/// P2: ten thousand rumors in a hundred gossip intervals, far more than are kept. None is new again anywhere once it was
/// forgotten; what is kept stays within its bound, and when the storm is over it is over: nothing is told any more, all agree.
pub fn p2_a_storm_of_rumors_drains<H: Inspect>(run: &mut Run) {
    const STORM: usize = 10_000;
    let (mut h, nodes) = run.five::<H>();
    let (mark, origins) = (h.mark(), [1, 2, 5][run.below(3)]);
    let mut most = 0;
    let kept = |h: &H| nodes.iter().map(|&p| h.node(p).rumors_kept()).max().unwrap_or(0);
    flood(&mut h, &nodes[..origins], (STORM, 100), |h, _| most = kept(h).max(most));
    assert!(most > 500 && most <= h.config().rumors_max, "{most} kept");
    let quiet = |h: &mut H| data_is_quiet(h, &nodes) && data_agrees(h, &nodes);
    let took = h.until(soon(&h), quiet).expect("the storm ends, and all agree");
    run.figure("P2: periods from the last of 10 000 rumors until all is quiet", in_periods(&h, took));
    h.run(h.periods(10));
    assert!(data_is_quiet(&h, &nodes), "and stays so");
    // Two times of keeping later nothing is left, and nothing has come again.
    h.run(h.config().rumor_ttl * 2);
    assert_eq!(kept(&h), 0);
    let delivered = delivered_once(&h, &nodes, &mark);
    let least = delivered.iter().copied().min().unwrap_or(0);
    run.figure("P2: of 10 000 rumors, those that the worst off has heard", least as f64);
    for &p in &nodes {
        assert_eq!(h.count_since(p, &mark, is_down), 0, "and nobody dies of it");
    }
}

/// P3: in the middle of such a storm one leaves and another is accused: the leave and the refutation are known to all as soon
/// as in silence, and the storm goes on.
pub fn p3_a_storm_holds_up_no_leave_and_no_refutation<H: Inspect>(run: &mut Run) {
    const N: usize = 24;
    let (mut h, nodes) = run.cluster::<H>(H::base_config(), N);
    let mark = h.mark();
    let mut rest = nodes.clone();
    let (leaver, accused) = (run.take(&mut rest), run.take(&mut rest));
    let accuser = run.pick(&rest);
    let at = 15 + run.below(10);
    let stormy: Vec<Peer> = rest.iter().copied().take(5).collect();
    rest.push(accused);
    let (mut refuted, mut left) = (None, None);
    flood(&mut h, &stormy, (10_000, 50), |h, interval| {
        if interval == at {
            let (incarnation, accusers) = (h.node(accused).me().incarnation(), [h.id(accuser)]);
            let said = [claim(h.id(accused), incarnation, State::Suspect, &accusers)];
            let lie = frame(accusers[0], h.node(accuser).me().incarnation(), None, &said);
            let (to, from) = (stormy[usize::from(stormy[0] == accuser)], h.addr(accuser));
            h.forge(to, from, &lie);
            h.leave(leaver);
        }
        if interval > at {
            let cleared = |p: &Peer| {
                h.view(*p)
                    .member(h.id(accused))
                    .is_some_and(|m| m.state() == State::Alive && m.incarnation().refutations() > 0)
            };
            if refuted.is_none() && rest.iter().all(cleared) {
                refuted = Some(interval - at);
            }
            if left.is_none() && all_hold(h, &rest, leaver, State::Left) {
                left = Some(interval - at);
            }
        }
    });
    let (refuted, left) = (refuted.expect("the accused refutes"), left.expect("all know of the leave"));
    run.figure("P3: gossip intervals in a storm until all know of a leave", left as f64);
    run.figure("P3: gossip intervals in a storm until all have heard the refutation", refuted as f64);
    // As fast as in silence: see p3_a_leave_is_told_ahead_of_other_news. An accusation and its answer are two ways.
    let rounds = 2.0 * (N as f64).log2();
    assert!((left as f64) <= rounds && (refuted as f64) <= 2.0 * rounds, "{left} and {refuted} gossip intervals");
    for (p, heard) in rest.iter().zip(delivered_once(&h, &rest, &mark)) {
        assert!(heard > 1_000, "{p:?} has heard {heard}: the storm went on");
        assert_eq!(downs(&h, *p, &mark), [(h.id(leaver), true)], "{p:?}");
    }
}
