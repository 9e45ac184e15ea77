use std::sync::{Arc, Mutex};

use swim_core::Config;

use crate::{CommandError, Handle, Pump, Query, Resolver, Seed, Setup};

use super::*;

/// One node whose clock is turned by hand and whose names are resolved by hand, in an empty network.
struct Desk {
    now: Instant,
    handle: Option<Handle>,
    pump: Pump,
    /// Asked and not yet answered.
    queries: Arc<Mutex<Vec<Query>>>,
}

impl Desk {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Setup)) -> Self {
        Self::bound("10.0.0.1:7946", change)
    }

    fn bound(addr: &str, change: impl FnOnce(&mut Setup)) -> Self {
        let queries = Arc::new(Mutex::new(Vec::new()));
        let asked = Arc::clone(&queries);
        let mut setup = Setup::new("a", Config::lan("c"));
        (setup.epoch, setup.rng_seed) = (Some(1), Some(1));
        setup.resolver = Resolver::new(move |query| asked.lock().unwrap().push(query));
        change(&mut setup);
        let (handle, pump) = setup.start(addr.parse().unwrap(), Instant::ORIGIN).unwrap();
        Self { now: Instant::ORIGIN, handle: Some(handle), pump, queries }
    }

    fn join(&mut self, seeds: &[&str]) {
        let seeds: Vec<Seed> = seeds.iter().map(|seed| seed.parse().unwrap()).collect();
        self.handle.as_ref().unwrap().join(&seeds).unwrap();
    }

    /// Takes what waits in the mailbox, and says to whom datagrams go, sorted and each once.
    fn sent(&mut self) -> Vec<String> {
        let mut to = Vec::new();
        loop {
            while let Some(tx) = self.pump.poll_transmit(&mut [0; 1_400]) {
                to.push(tx.to.to_string());
            }
            self.check();
            if self.pump.mailbox().is_empty() {
                break;
            }
            self.pump.command(self.now);
        }
        to.sort();
        to.dedup();
        to
    }

    fn check(&self) {
        let queries = self.queries.lock().unwrap();
        let names: HashSet<_> = queries.iter().map(|query| (query.host(), query.port())).collect();
        assert_eq!(names.len(), queries.len(), "a name has one query at a time");
    }

    /// Lets time pass until another name is asked for; how long it took.
    fn await_query(&mut self) -> Duration {
        let (start, before) = (self.now, self.pump.stats().resolutions);
        while self.pump.stats().resolutions == before {
            self.next_deadline();
        }
        self.now.since(start)
    }

    /// Lets so much time pass, and says to whom datagrams go meanwhile.
    fn run(&mut self, time: Duration) -> Vec<String> {
        let (end, mut to) = (self.now + time, Vec::new());
        while self.pump.poll_timeout().is_some_and(|at| at <= end) {
            to.extend(self.next_deadline());
        }
        self.now = end;
        to
    }

    fn next_deadline(&mut self) -> Vec<String> {
        let at = self.pump.poll_timeout().expect("something is due");
        assert!(at > self.now, "it would spin");
        self.now = at;
        self.pump.timeout(at);
        self.sent()
    }

    /// The host that was asked for last, of those that are not yet answered.
    fn asked(&self) -> Option<String> {
        self.queries.lock().unwrap().last().map(|query| query.host().into())
    }

    /// Answers the query for this host, and says to whom datagrams go then.
    fn answer(&mut self, host: &str, addrs: &[&str]) -> Vec<String> {
        let mut queries = self.queries.lock().unwrap();
        let at = queries.iter().position(|query| query.host() == host).expect("it is asked for");
        let query = queries.remove(at);
        drop(queries);
        let addrs = addrs.iter().map(|addr| format!("{addr}:{}", query.port()).parse().unwrap()).collect();
        query.answer(Ok(addrs));
        self.sent()
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn without_names_nobody_is_asked_and_nothing_is_due() {
    let mut desk = Desk::new();
    desk.join(&["10.0.0.2:7946"]);
    assert_eq!(desk.sent(), ["10.0.0.2:7946"]);
    while desk.now < Instant::ORIGIN + 600 * SECOND {
        assert_eq!(desk.pump.poll_timeout(), desk.pump.node().poll_timeout());
        desk.next_deadline();
    }
    assert_eq!(desk.pump.stats().resolutions, 0);
}

#[test]
fn addresses_are_not_delayed_by_a_name_that_hangs() {
    let mut desk = Desk::new();
    desk.join(&["hangs.example:1", "10.0.0.2:7946", "[2001:db8::1]:2"]);
    assert_eq!(desk.sent(), ["10.0.0.2:7946", "[2001:db8::1]:2"]);
    // And they are tried again and again, while the query stays the only one.
    let mut retries = 0;
    while desk.now < Instant::ORIGIN + 3_600 * SECOND {
        retries += usize::from(!desk.next_deadline().is_empty());
    }
    assert!(retries >= 60, "once a minute at least: {retries}");
    assert_eq!((desk.asked().as_deref(), desk.pump.stats().resolutions), (Some("hangs.example"), 1));
}

#[test]
fn names_are_asked_for_one_after_the_other_whoever_joins_meanwhile() {
    let mut desk = Desk::new();
    desk.join(&["a:1", "b:1"]);
    desk.sent();
    desk.join(&["b:1", "c:1", "b:2"]);
    desk.sent();
    for host in ["a", "b", "c", "b"] {
        assert_eq!(desk.asked().as_deref(), Some(host));
        desk.answer(host, &[]);
    }
    assert_eq!((desk.asked(), desk.pump.stats().resolutions, desk.pump.stats().resolve_failures), (None, 4, 4));
}

/// The first address lets the node begin; after that one list per round, or every name would put off the next attempt.
#[test]
fn the_first_address_is_contacted_at_once_and_the_rest_together() {
    let mut desk = Desk::new();
    desk.join(&["a:1", "b:2", "c:3", "d:4"]);
    assert_eq!(desk.sent(), [""; 0]);
    assert_eq!(desk.answer("a", &[]), [""; 0]);
    assert_eq!(desk.answer("b", &["10.0.0.2", "10.0.0.3"]), ["10.0.0.2:2", "10.0.0.3:2"]);
    assert_eq!(desk.answer("c", &["10.0.0.4"]), [""; 0]);
    assert_eq!(desk.answer("d", &[]), ["10.0.0.2:2", "10.0.0.3:2", "10.0.0.4:3"]);

    let mut desk = Desk::new();
    desk.join(&["a:1", "b:2", "10.0.0.7:7"]);
    assert_eq!(desk.sent(), ["10.0.0.7:7"]);
    assert_eq!(desk.answer("a", &["10.0.0.2"]), [""; 0], "it has begun already");
    assert_eq!(desk.answer("b", &["10.0.0.3"]), ["10.0.0.2:1", "10.0.0.3:2", "10.0.0.7:7"]);
}

/// B4: the names of a node's seeds are unknown when it starts.
#[test]
fn b4_names_that_do_not_resolve_are_asked_for_again_with_back_off_and_without_end() {
    let mut desk = Desk::new();
    desk.join(&["a:1"]);
    desk.sent();
    for round in 0..100 {
        // A resolver that drops a query has failed as well.
        if round % 2 == 0 {
            desk.answer("a", &[]);
        } else {
            desk.queries.lock().unwrap().clear();
            desk.sent();
        }
        let (waited, most) = (desk.await_query(), (SECOND * (1 << round.min(6))).min(60 * SECOND));
        assert!(waited <= most && waited >= most * 3 / 4, "round {round}: {waited:?}");
    }
    assert_eq!((desk.pump.stats().resolutions, desk.pump.stats().resolve_failures), (101, 100));
    assert_eq!(desk.answer("a", &["10.0.0.9"]), ["10.0.0.9:1"], "contacted at once, not at the next attempt");
}

#[test]
fn b4_a_name_that_means_another_address_is_contacted_there_at_once() {
    let mut desk = Desk::new();
    desk.join(&["a:1", "10.0.0.7:7"]);
    assert_eq!(desk.sent(), ["10.0.0.7:7"]);
    assert_eq!(desk.answer("a", &["10.0.0.2"]), ["10.0.0.2:1", "10.0.0.7:7"]);
    desk.await_query();
    assert_eq!(desk.answer("a", &["10.0.0.3"]), ["10.0.0.3:1", "10.0.0.7:7"], "and no more at the former one");
}

#[test]
fn what_is_no_news_is_not_told_to_the_node() {
    let mut desk = Desk::new();
    desk.join(&["a:1"]);
    desk.sent();
    assert_eq!(desk.answer("a", &["10.0.0.3", "10.0.0.2"]), ["10.0.0.2:1", "10.0.0.3:1"]);
    for same in [&["10.0.0.2", "10.0.0.3"][..], &[], &["10.0.0.3", "[::ffff:10.0.0.2]", "10.0.0.3"]] {
        desk.await_query();
        assert_eq!(desk.answer("a", same), [""; 0], "another order is no change, and a failure keeps what was known");
    }
    // The node was told nothing, but has kept both: its own attempts go on.
    let mut tried = Vec::new();
    while tried.is_empty() {
        desk.queries.lock().unwrap().clear();
        tried = desk.next_deadline();
    }
    assert_eq!(tried, ["10.0.0.2:1", "10.0.0.3:1"]);
}

/// A node may be given the name of all of its cluster, its own included.
#[test]
fn its_own_address_is_no_seed() {
    let mut desk = Desk::new();
    desk.join(&["all:7946"]);
    desk.sent();
    assert_eq!(desk.answer("all", &["10.0.0.1"]), [""; 0]);
    assert_eq!(desk.pump.stats().resolve_failures, 0, "that it is found is no failure");
    desk.await_query();
    assert_eq!(desk.answer("all", &["10.0.0.1", "10.0.0.2"]), ["10.0.0.2:7946"]);
}

#[test]
fn addresses_that_the_socket_cannot_send_to_do_not_count() {
    let mut desk = Desk::new();
    desk.join(&["a:1"]);
    desk.sent();
    assert_eq!(desk.answer("a", &["[2001:db8::1]", "0.0.0.0"]), [""; 0]);
    assert_eq!(desk.pump.stats().resolve_failures, 1);
    desk.await_query();
    assert_eq!(desk.answer("a", &["[2001:db8::1]", "10.0.0.2"]), ["10.0.0.2:1"]);

    let mut dual = Desk::bound("[2001:db8::7]:7946", |_| {});
    dual.join(&["a:1"]);
    dual.sent();
    assert_eq!(dual.answer("a", &["[2001:db8::1]", "10.0.0.2"]), ["[2001:db8::1]:1", "[::ffff:10.0.0.2]:1"]);
}

#[test]
fn no_name_crowds_out_another_and_everything_is_bounded() {
    let mut desk = Desk::with(|setup| setup.config.seeds_max = 3);
    let handle = desk.handle.clone().unwrap();
    let four: [Seed; 4] = ["a:1", "b:1", "c:1", "d:1"].map(|seed| seed.parse().unwrap());
    let error = handle.join(&four).unwrap_err();
    assert_eq!(error, CommandError::TooManySeeds { seeds: 4, max: 3 });
    assert!(error.to_string().contains("4 seeds are named, and at most 3 are kept: name fewer"), "{error}");
    handle.join(&four[..2]).unwrap();
    handle.join(&four[2..]).unwrap();
    desk.sent();
    assert_eq!(desk.pump.stats().names_refused, 1);
    let many: Vec<String> = (1..=200).map(|n| format!("10.0.1.{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    desk.answer("a", &many);
    desk.answer("b", &["10.0.2.1"]);
    assert_eq!(desk.answer("c", &["10.0.3.1"]), ["10.0.1.1:1", "10.0.2.1:1", "10.0.3.1:1"]);
    assert_eq!(desk.asked(), None);
    assert!(desk.pump.node().stats().seeds_refused >= (Query::ADDRS_MAX - 1) as u64, "and the rest is counted");
}

#[test]
fn a_resolver_that_hangs_holds_up_no_end() {
    for drops in [true, false] {
        let mut desk = Desk::new();
        let other = desk.handle.clone().unwrap();
        desk.join(&["hangs:1"]);
        desk.sent();
        if drops {
            (desk.handle, _) = (None, drop(other));
        } else {
            other.leave().unwrap();
        }
        desk.sent();
        assert!(desk.pump.finished());
        assert_eq!((desk.pump.poll_timeout(), desk.pump.mailbox().is_empty()), (None, true));
        // What comes later finds nobody.
        assert_eq!(desk.answer("hangs", &["10.0.0.2"]), [""; 0]);
        assert!(desk.pump.mailbox().is_empty() && desk.pump.node().has_left());
    }
}

#[test]
fn after_a_leave_no_name_is_due() {
    let mut desk = Desk::new();
    desk.join(&["a:1"]);
    desk.sent();
    desk.answer("a", &["10.0.0.2"]);
    desk.handle = None;
    desk.sent();
    assert!(desk.pump.finished());
    assert_eq!(desk.pump.poll_timeout(), None);
    desk.pump.timeout(desk.now + 3_600 * SECOND);
    assert_eq!((desk.sent(), desk.asked()), (Vec::new(), None));
}

/// Who has said goodbye is not brought back by an answer that was under way; who then joins again is, by that answer too.
#[test]
fn an_answer_after_a_leave_counts_only_for_the_next_join() {
    let mut desk = Desk::new();
    let handle = desk.handle.clone().unwrap();
    desk.join(&["a:1", "b:1"]);
    desk.sent();
    handle.leave().unwrap();
    desk.join(&["c:1"]);
    // The leave only: the driver goes on, because the next command waits.
    desk.pump.command(desk.now);
    while desk.pump.poll_transmit(&mut [0; 1_400]).is_some() {}
    assert!(desk.pump.node().has_left() && !desk.pump.finished());
    let query = desk.queries.lock().unwrap().pop().unwrap();
    query.answer(Ok(vec!["10.0.0.2:1".parse().unwrap()]));
    desk.pump.command(desk.now);
    assert!(desk.pump.poll_transmit(&mut [0; 1_400]).is_none(), "the answer has been taken");
    assert!(desk.pump.node().has_left() && desk.asked().is_none() && !desk.pump.mailbox().is_empty());

    desk.sent();
    assert!(!desk.pump.node().has_left(), "back, since that was asked for");
    desk.answer("a", &[]);
    desk.answer("b", &[]);
    assert_eq!(desk.answer("c", &["10.0.0.3"]), ["10.0.0.2:1", "10.0.0.3:1"]);
}

#[test]
fn a_query_that_hangs_over_a_leave_stays_the_only_one_for_its_name() {
    let mut desk = Desk::new();
    let handle = desk.handle.clone().unwrap();
    desk.join(&["a:1"]);
    desk.sent();
    handle.leave().unwrap();
    desk.join(&["a:1", "b:1"]);
    desk.sent();
    assert_eq!((desk.asked().as_deref(), desk.pump.stats().resolutions), (Some("b"), 2));
    assert_eq!(desk.answer("a", &["10.0.0.2"]), ["10.0.0.2:1"]);
    assert_eq!(desk.answer("b", &["10.0.0.3"]), ["10.0.0.2:1", "10.0.0.3:1"]);
}

/// The node is full of what a name means, and refuses what it is told to join.
#[test]
fn an_address_is_contacted_also_when_names_fill_the_list() {
    for fails in [false, true] {
        let mut desk = Desk::with(|setup| setup.config.seeds_max = 2);
        desk.join(&["many:1"]);
        desk.sent();
        assert_eq!(desk.answer("many", &["10.0.0.2", "10.0.0.3"]), ["10.0.0.2:1", "10.0.0.3:1"]);
        desk.join(&["10.0.0.9:1"]);
        desk.sent();
        let again: &[&str] = if fails { &[] } else { &["10.0.0.2", "10.0.0.3"] };
        assert_eq!(desk.answer("many", again), ["10.0.0.2:1", "10.0.0.9:1"], "addresses come first");
        desk.await_query();
        assert_eq!(desk.answer("many", again), [""; 0], "and that was all the news");
    }
}

#[test]
fn a_name_that_hangs_holds_up_the_others_once_and_not_for_long() {
    let mut desk = Desk::new();
    desk.join(&["hangs:1", "b:1", "c:1"]);
    assert_eq!(desk.sent(), [""; 0]);
    assert_eq!((desk.await_query(), desk.asked().as_deref()), (SECOND, Some("b")), "`join_retry`");
    assert_eq!(desk.answer("b", &["10.0.0.2"]), ["10.0.0.2:1"]);
    assert_eq!(desk.answer("c", &["10.0.0.3"]), ["10.0.0.2:1", "10.0.0.3:1"]);
    for round in 0..5 {
        desk.await_query();
        assert_eq!(desk.asked().as_deref(), Some("b"), "round {round}: it is stepped over at once");
        desk.answer("b", &[]);
        assert_eq!(desk.asked().as_deref(), Some("c"));
        desk.answer("c", &[]);
    }
    // However late the answer comes, it counts, and then the name is asked for as all others are.
    assert_eq!(desk.answer("hangs", &["10.0.0.4"]), ["10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1"]);
    assert_eq!((desk.asked(), desk.pump.stats().resolve_failures), (None, 10));
    desk.await_query();
    assert_eq!(desk.asked().as_deref(), Some("hangs"));
}

/// The round ends without the last name, and what it has found is contacted then.
#[test]
fn a_name_that_hangs_at_the_end_of_a_round_does_not_hold_back_what_was_found() {
    let mut desk = Desk::new();
    desk.join(&["a:1", "b:1", "hangs:1"]);
    desk.sent();
    assert_eq!(desk.answer("a", &["10.0.0.2"]), ["10.0.0.2:1"]);
    assert_eq!(desk.answer("b", &["10.0.0.3"]), [""; 0], "the round is not over");
    assert!(desk.run(SECOND).contains(&"10.0.0.3:1".into()), "it is now");
    // In the next round, before its turn: the answer is part of the list at the end, whatever becomes of the next query.
    desk.await_query();
    assert_eq!(desk.asked().as_deref(), Some("a"));
    assert_eq!(desk.answer("hangs", &["10.0.0.4"]), [""; 0]);
    assert_eq!(desk.answer("a", &[]), [""; 0]);
    assert_eq!(desk.answer("b", &[]), [""; 0]);
    assert_eq!(desk.asked().as_deref(), Some("hangs"));
    assert!(desk.run(SECOND).contains(&"10.0.0.4:1".into()));
}

#[test]
fn names_that_all_hang_are_asked_for_once_each() {
    let mut desk = Desk::with(|setup| setup.config.seeds_max = 3);
    for _ in 0..2 {
        desk.join(&["a:1", "b:1", "c:1"]);
        desk.sent();
        desk.run(3_600 * SECOND);
        assert_eq!((desk.queries.lock().unwrap().len(), desk.pump.stats().resolutions), (3, 3));
    }
    // None of them holds up what another has to say.
    for (host, addr) in [("b", "10.0.0.2"), ("a", "10.0.0.3"), ("c", "10.0.0.4")] {
        assert!(desk.answer(host, &[addr]).contains(&format!("{addr}:1")));
    }
    assert_eq!(desk.asked(), None);
}

/// Two answers that come together are taken one after the other, before the commands that wait.
#[test]
fn answers_that_come_together_all_count() {
    let mut desk = Desk::new();
    desk.join(&["a:1", "b:1"]);
    desk.sent();
    desk.await_query();
    for (query, addr) in desk.queries.lock().unwrap().drain(..).zip(["10.0.0.2:1", "10.0.0.3:1"]) {
        query.answer(Ok(vec![addr.parse().unwrap()]));
    }
    assert_eq!(desk.sent(), ["10.0.0.2:1", "10.0.0.3:1"]);
    assert_eq!((desk.pump.stats().resolutions, desk.pump.stats().resolve_failures), (2, 0));
}

/// A node that knows another.
fn acquainted() -> Desk {
    let mut desks = ["10.0.0.1:7946", "10.0.0.2:7946"].map(|addr| Desk::bound(addr, |setup| setup.name = addr.into()));
    desks[0].join(&["10.0.0.2:7946"]);
    desks[0].pump.command(Instant::ORIGIN);
    let (mut out, mut under_way, mut at) = ([0; 1_400], Vec::new(), 0);
    loop {
        while let Some(tx) = desks[at].pump.poll_transmit(&mut out) {
            under_way.push((1 - at, out[..tx.len].to_vec()));
        }
        let Some((to, mut datagram)) = under_way.pop() else { break };
        let from = desks[1 - to].handle.as_ref().unwrap().addr();
        desks[to].pump.datagram(Instant::ORIGIN, from, &mut datagram);
        at = to;
    }
    let [desk, _] = desks;
    assert_eq!(desk.pump.node().live_count(), 2);
    desk
}

/// A node that overlooks among lost events that it has joined would ask for its seeds for ever; and one that takes a
/// loss for an answer, while nobody is there, would hardly ask any more.
#[test]
fn an_answer_among_lost_events_is_one_only_in_company() {
    let slow = Config::lan("c").join_retry_max * 3 / 4;
    for (desk, answered) in [(acquainted(), true), (Desk::new(), false)] {
        let node = desk.pump.node();
        let mut seeds = Seeds::new(node);
        let name = "a:1".parse::<Seed>().unwrap().into_name().unwrap();
        assert_eq!(seeds.on_join(Instant::ORIGIN, &[], &[name]), 0);
        seeds.on_events(Instant::ORIGIN, &[Event::Lagged { missed: 1 }], node);
        assert!(seeds.ask().is_some() && seeds.ask().is_none());
        seeds.on_answer(Instant::ORIGIN, 0, ["10.0.0.2:1".parse().unwrap()].into());
        let waits = seeds.next_deadline().since(Instant::ORIGIN);
        assert_eq!(waits >= slow, answered, "{waits:?}");
    }
}
