//! How nodes come to a cluster: through whom, how many at once, and over what network. Scenarios B4, B5 and P7 among them.

use swim_core::Event;

use super::common::*;
use crate::{Harness, Link, Peer, Run, Spec, is_down};

/// One joins five through a member that is not the one they have joined through: it knows all when it says that it has joined,
/// and each of the five reports it once, with what it says about itself.
pub fn one_joins_and_each_reports_it_once<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let mark = h.mark();
    let one = h.spawn(Spec::named("one").meta(b"new here"));
    h.join_through(one, &[run.pick(&nodes[1..])]);
    h.until(soon(&h), |h| h.is_whole(6) && joined(h, one)).expect("six see six");
    assert!(all_read(&h, &nodes, one, b"new here"));
    let told = h.events(one).into_iter().find(|e| matches!(e, Event::Joined { .. }));
    assert_eq!(told, Some(Event::Joined { members: 6 }));
    assert_eq!(ups(&h, one, &mark), ids(&h, &nodes));
    for p in nodes {
        assert_eq!(ups(&h, p, &mark), [h.id(one)], "{p:?}");
        assert_eq!(h.count_since(p, &mark, is_down), 0, "{p:?}");
    }
}

/// Seven join through the same node in one moment: each of the eight reports each other once.
pub fn all_join_at_once<H: Harness>(run: &mut Run) {
    let (h, nodes) = assemble::<H>(run, 8, |_, nodes| nodes[0]);
    each_reports_each_other(&h, &nodes);
}

/// Each joins through the one before it, which may itself know nobody yet.
pub fn each_joins_through_the_one_before<H: Harness>(run: &mut Run) {
    let (h, nodes) = assemble::<H>(run, 6, |i, nodes| nodes[i - 1]);
    each_reports_each_other(&h, &nodes);
}

/// So many nodes, of which each but the first joins through this one, without waiting for another, in any order.
fn assemble<H: Harness>(run: &mut Run, n: usize, seed: fn(usize, &[Peer]) -> Peer) -> (H, Vec<Peer>) {
    let mut h: H = run.world();
    let nodes: Vec<Peer> = (0..n).map(|i| h.spawn(Spec::named(format!("n{i}")))).collect();
    let mut left: Vec<usize> = (1..n).collect();
    while !left.is_empty() {
        let i = run.take(&mut left);
        h.join_through(nodes[i], &[seed(i, &nodes)]);
    }
    h.until(soon(&h), |h| h.is_whole(n) && nodes[1..].iter().all(|&p| joined(h, p))).expect("all see all");
    (h, nodes)
}

fn each_reports_each_other<H: Harness>(h: &H, nodes: &[Peer]) {
    for &p in nodes {
        let told = h.events(p);
        let up = |e: &Event, id| matches!(*e, Event::MemberUp { id: whom, .. } if whom == id);
        for q in others(nodes, p) {
            assert_eq!(told.iter().filter(|e| up(e, h.id(q))).count(), 1, "{p:?} of {q:?}: {told:?}");
        }
        assert!(!told.iter().any(is_down), "{p:?}: {told:?}");
    }
}

/// B4: two are told to join before there is anybody at the address of their only seed. It starts there later, knows nobody,
/// and is told nothing: they find it, and through it each other.
pub fn b4_the_seed_starts_last<H: Harness>(run: &mut Run) {
    let mut h: H = run.world();
    let nodes: Vec<Peer> = (0..3).map(|i| h.spawn(Spec::named(format!("n{i}")))).collect();
    let (seed, early) = (nodes[0], &nodes[1..]);
    h.kill(seed);
    for &p in early {
        h.join_through(p, &[seed]);
    }
    let wait = run.part_of(h.periods(10));
    h.run(wait);
    for &p in early {
        assert!(!joined(&h, p) && h.view(p).live_count() == 1, "there was nobody to join");
    }
    h.restart_same(seed);
    h.until(reunion(&h), |h| h.is_whole(3) && early.iter().all(|&p| joined(h, p))).expect("they find the seed");
}

/// B5: a node whose list of seeds names itself alone stays alone, and has nothing to report; others join through it.
pub fn b5_alone_among_its_own_seeds<H: Harness>(run: &mut Run) {
    let mut h: H = run.world();
    let alone = h.spawn(Spec::named("alone"));
    let before = h.view(alone).version();
    h.join_through(alone, &[alone]);
    let wait = h.periods(3) + run.part_of(h.periods(3));
    h.run(wait);
    assert_eq!(h.events(alone), [], "nothing has happened");
    assert_eq!((h.view(alone).version(), h.view(alone).live_count()), (before, 1));
    let other = newcomer(&mut h, run, &[alone]);
    h.until(soon(&h), |h| h.is_whole(2) && joined(h, other)).expect("it can be joined");
}

/// B5: all are given the same list, themselves in it, wherever it names them: they form one cluster, and nobody reports
/// itself.
pub fn b5_itself_and_others_among_the_seeds<H: Harness>(run: &mut Run) {
    let mut h: H = run.world();
    let nodes: Vec<Peer> = (0..4).map(|i| h.spawn(Spec::named(format!("n{i}")))).collect();
    let mut left = nodes.clone();
    let list: Vec<Peer> = (0..4).map(|_| run.take(&mut left)).collect();
    for &p in &nodes {
        h.join_through(p, &list);
    }
    h.until(soon(&h), |h| h.is_whole(4) && nodes.iter().all(|&p| joined(h, p))).expect("the list forms the cluster");
    each_reports_each_other(&h, &nodes);
    for &p in &nodes {
        let of_itself = |e: &Event| e.member() == Some(h.id(p));
        assert_eq!(h.events(p).into_iter().find(of_itself), None, "{p:?} reports itself");
    }
}

/// One of the seeds is up, wherever in the list it stands: those that are down keep nobody waiting.
pub fn most_of_the_seeds_are_down<H: Harness>(run: &mut Run) {
    let mut config = H::base_config();
    config.join_retry = config.probe_interval * 20;
    config.join_retry_max = config.join_retry * 2;
    let (mut h, nodes) = run.cluster::<H>(config, 5);
    let mut list: Vec<Peer> = (0..4).map(|i| h.spawn(Spec::named(format!("down{i}")))).collect();
    list.iter().for_each(|&p| h.kill(p));
    let place = run.below(5);
    list.insert(place, run.pick(&nodes));
    let one = h.spawn(Spec::named("one"));
    let start = h.mark();
    h.join_through(one, &list);
    // The wait for a second try is longer than this.
    let at_once = h.config().join_retry * 3 / 4;
    h.until(at_once, |h| joined(h, one)).expect("the one that is up answers the first contact");
    h.until(soon(&h), |h| h.is_whole(6)).expect("six see six");
    assert_eq!(ups(&h, one, &start), ids(&h, &nodes), "and nobody is made of the seeds that are down");
}

/// P7: a node is given a seed of another cluster. Neither takes the other in, nobody has anything to report of the other, and
/// both go on as before: each is found by its own.
pub fn p7_a_seed_of_another_cluster<H: Harness>(run: &mut Run) {
    let (mut h, ours) = run.cluster::<H>(H::base_config(), 3);
    let theirs = h.spawn(foreign::<H>("theirs"));
    let mark = h.mark();
    h.join_through(theirs, &[run.pick(&ours)]);
    let refused = |h: &mut H, these: &[Peer]| these.iter().any(|&p| h.handle(p).counters().driver.refused_cluster > 0);
    h.until(soon(&h), |h| refused(h, &ours)).expect("it knocks, and that is counted");
    let wait = h.periods(4) + run.part_of(h.periods(2));
    h.run(wait);
    assert_eq!((h.events(theirs), h.view(theirs).members().len()), (vec![], 1));
    let (ally, one) = (h.spawn(foreign::<H>("ally")), h.spawn(Spec::named("one")));
    h.join_through(ally, &[theirs]);
    h.join_through(one, &ours);
    let both = |h: &mut H| {
        let count = |these: &[Peer], n: usize| these.iter().all(|&p| h.view(p).live_count() == n);
        count(&ours, 4) && count(&[one], 4) && count(&[theirs, ally], 2)
    };
    h.until(soon(&h), both).expect("each is joined by its own");
    no_word_of::<H>(&h, &mark, &[&ours[..], &[one]].concat(), &[theirs, ally]);
    no_word_of::<H>(&h, &mark, &[theirs, ally], &[&ours[..], &[one]].concat());
}

/// P7: of two seeds one is of another cluster, whichever is named first: the node is in its own cluster at once, and the other
/// has not noticed.
pub fn p7_seeds_of_two_clusters<H: Harness>(run: &mut Run) {
    let (mut h, ours) = run.cluster::<H>(H::base_config(), 3);
    let theirs = [h.spawn(foreign::<H>("t0")), h.spawn(foreign::<H>("t1"))];
    h.join_through(theirs[1], &theirs[..1]);
    h.until(soon(&h), |h| theirs.iter().all(|&p| h.view(p).live_count() == 2)).expect("there are two clusters");
    let mark = h.mark();
    let one = h.spawn(Spec::named("one"));
    let mut seeds = vec![run.pick(&ours), run.pick(&theirs)];
    let list = [run.take(&mut seeds), seeds[0]];
    h.join_through(one, &list);
    let all = [&ours[..], &[one]].concat();
    let known = |h: &mut H| joined(h, one) && all.iter().all(|&p| h.view(p).live_count() == 4);
    h.until(soon(&h), known).expect("it joins its own");
    let refused = |h: &mut H| theirs.iter().any(|&p| h.handle(p).counters().driver.refused_cluster > 0);
    h.until(soon(&h), refused).expect("the others were asked, too, and have not listened");
    h.run(h.periods(4));
    assert!(
        theirs.iter().all(|&p| h.view(p).members().len() == 2) && all.iter().all(|&p| h.view(p).members().len() == 4)
    );
    no_word_of::<H>(&h, &mark, &all, &theirs);
    no_word_of::<H>(&h, &mark, &theirs, &all);
}

/// A node of another cluster than that of the harness.
fn foreign<H: Harness>(name: &str) -> Spec {
    let mut config = H::base_config();
    config.cluster = format!("{} of others", config.cluster);
    Spec { config: Some(config), ..Spec::named(name) }
}

fn no_word_of<H: Harness>(h: &H, mark: &crate::Mark, by: &[Peer], these: &[Peer]) {
    let these = ids(h, these);
    for &p in by {
        let about = |e: &Event| e.member().is_some_and(|id| these.contains(&id)) || matches!(e, Event::Conflict { .. });
        assert_eq!(h.since(p, mark).into_iter().find(about), None, "{p:?}");
        assert!(these.iter().all(|&id| h.view(p).member(id).is_none()), "{p:?}");
    }
}

/// A quarter of all datagrams is lost: a join is asked for again until one of its two seeds has answered, all hear of the
/// newcomer, and nobody dies of what is lost.
pub fn a_join_while_a_quarter_is_lost<H: Harness>(run: &mut Run) {
    let (mut h, nodes) = run.five::<H>();
    let mark = h.mark();
    h.set_network(Link::loss(25));
    let mut left = nodes.to_vec();
    let one = h.spawn(Spec::named("one"));
    h.join_through(one, &[run.take(&mut left), run.take(&mut left)]);
    let took = h.until(reunion(&h), |h| joined(h, one) && h.all_see(6)).expect("six see six");
    run.figure("joined at 25 % loss: periods until all know", in_periods(&h, took));
    h.set_network(Link::default());
    h.until(soon(&h), |h| h.is_whole(6)).expect("and agree once nothing is lost");
    for p in h.peers() {
        assert_eq!(downs(&h, p, &mark), [], "{p:?}");
    }
}
