//! Who is who after a restart, and who may say so: former lives, replays, verdicts about this node. Scenarios A4, A6,
//! A7, A14, A15 and C4, at one node or between two.

use std::time::Duration;

use crate::util::*;
use swim_core::wire::{Detail, Item, Message, More};
use swim_core::{Event, Identity, Incarnation, Node, NodeId, Profile, State, Status};

/// This very node as a former life of it wrote itself: of that incarnation, at that address.
fn former_life(b: &Bench, incarnation: Incarnation, state: State, addr: std::net::SocketAddr) -> Item<'static> {
    let detail = Detail { at: incarnation, addr, name: "me", meta: b"former" };
    Item { id: b.me(), status: Status::new(incarnation, state), more: More::Detail(detail) }
}

/// What a table says of everybody: a change of any of it is a change of state.
fn table(b: &Bench) -> Vec<(NodeId, Status, std::net::SocketAddr, Incarnation)> {
    b.node.members().map(|m| (m.id(), m.status(), m.addr(), m.detail_at())).collect()
}

/// A4: after a restart others still hold this node's former life as alive, and say so, in news and in rows that were
/// asked for. It never becomes a member beside this one, and telling it once more changes nothing. That the former life
/// is over needs no note of its own: the head of every frame says which life its sender is.
#[test]
fn a4_a_former_life_is_no_member() {
    let earlier = [Incarnation::new(EPOCH - 1, 0), Incarnation::new(EPOCH - 1, 900), Incarnation::new(1, 5)];
    for (former, at) in earlier.into_iter().flat_map(|i| [(i, addr(0)), (i, addr(77))]) {
        let (mut b, peers) = Bench::with_peers(config(), 4);
        let before = table(&b);
        for state in [State::Alive, State::Suspect] {
            let ghost = former_life(&b, former, state, at);
            for p in &peers {
                b.gossip(p, &[ghost]);
            }
            assert!(b.sent.is_empty(), "old news about me costs no datagram");
            let (asked, nonce) = b.next_ping(&peers);
            b.recv_from(asked.addr, &frame(&asked, Some(Message::Ack { nonce }), &[], &[ghost]));
            b.clear();
        }
        assert_eq!(table(&b), before, "former life {former} at {at}");
        assert_eq!((b.node.live_count(), b.events.len()), (5, 0));
        assert_eq!(b.node.stats().claims_stale, 10);
        let (asked, _) = b.next_ping(&peers);
        let ping = b.sent.iter().find(|s| s.to == asked.addr).expect("just sent");
        assert_eq!(ping.frame().incarnation, inc(0), "who hears this knows that the former life is over");
    }
}

/// A4, within one second: the former life had this node's epoch, so which of the two is later cannot be told from the
/// claim. This node takes the next epoch, tells so once, and is one member still.
#[test]
fn a4_a_former_life_in_this_epoch_is_superseded_once() {
    let (mut b, peers) = Bench::with_peers(config(), 4);
    let ghost = former_life(&b, inc(0), State::Alive, addr(77));
    for p in &peers {
        b.gossip(p, &[ghost]);
    }
    let mine = Incarnation::new(EPOCH + 1, 0);
    assert_eq!(b.events, [Event::Refuted { incarnation: mine }]);
    assert_eq!(b.sent.len(), b.node.config().gossip_fanout, "told at once, and once");
    assert_eq!((b.node.members().len(), b.node.live_count()), (5, 5));
    assert_eq!((b.node.me().addr(), b.node.me().detail_at()), (addr(0), mine));
}

/// Two nodes and the wire between them, which takes no time, or is cut.
struct Pair {
    ends: [Bench; 2],
    cut: bool,
    /// Datagrams that said to their receiver that it is dead.
    notices: [usize; 2],
}

impl Pair {
    fn new(seed: u64) -> Self {
        let end = |n: u32, name: &str| {
            let mut b = Bench::seeded(config(), seed);
            let profile = Profile::new(name, b"").unwrap();
            let me = Identity { id: NodeId::from_name(name), addr: addr(n), epoch: EPOCH, profile };
            b.node = Node::new(me, config(), 2 * seed + u64::from(n), b.now).unwrap();
            b
        };
        let mut pair = Self { ends: [end(0, "a"), end(1, "b")], cut: false, notices: [0; 2] };
        for (n, name) in [(0, "a"), (1, "b")] {
            let more = More::Detail(Detail { at: inc(0), addr: addr(n), name, meta: b"" });
            let p = Peer { id: NodeId::from_name(name), addr: addr(n), incarnation: inc(0) };
            let row = Item { id: p.id, status: Status::alive(inc(0)), more };
            pair.ends[1 - n as usize].proving(p.addr, frame(&p, None, &[], &[row]));
        }
        pair
    }

    /// Delivers everything that has been sent, and what is sent in answer to it.
    fn deliver(&mut self) {
        let mut hops = 0;
        while self.ends.iter().any(|b| !b.sent.is_empty()) {
            for i in [0, 1] {
                for s in std::mem::take(&mut self.ends[i].sent) {
                    let (to, from) = (addr(1 - i as u32), addr(i as u32));
                    assert_eq!(s.to, to, "there is nobody else");
                    if self.cut {
                        continue;
                    }
                    let other = &mut self.ends[1 - i];
                    let dead = s.update_of(other.me()).is_some_and(|status| status.state() == State::Dead);
                    self.notices[i] += usize::from(dead);
                    other.recv_from(from, &s.bytes);
                }
            }
            hops += 1;
            assert!(hops < 20, "datagrams that answer each other without end");
        }
    }

    /// Lets time pass at both ends, in steps of 10 ms, until `done` holds; tells whether it came to that.
    fn until(&mut self, limit_ms: u64, done: impl Fn(&Self) -> bool) -> bool {
        for _ in 0..limit_ms / 10 {
            if done(self) {
                return true;
            }
            for i in [0, 1] {
                self.ends[i].run(ms(10));
                self.deliver();
            }
        }
        done(self)
    }

    fn agree(&self) -> bool {
        self.ends.iter().all(|b| b.node.live_count() == 2)
            && self.ends[0].node.view_hash() == self.ends[1].node.view_hash()
    }
}

/// A6: both ends of a cut hold each other dead, and the first datagram gets through. Each refutes once, within three
/// periods they agree again, they say "you are dead" at most twice each, and then only pings and acks pass.
#[test]
fn a6_two_that_hold_each_other_dead_make_up_once() {
    for seed in 0..100 {
        let mut pair = Pair::new(seed);
        assert!(pair.until(5_000, Pair::agree), "seed {seed}");
        pair.cut = true;
        let alone = |p: &Pair| p.ends.iter().all(|b| b.node.live_count() == 1);
        assert!(pair.until(20_000, alone), "seed {seed}: nobody refutes through a cut wire");
        (pair.cut, pair.notices) = (false, [0; 2]);
        let before: Vec<_> = pair.ends.iter().map(|b| b.node.me().incarnation()).collect();
        pair.ends.iter_mut().for_each(Bench::clear);
        // The first knock is the first datagram of all: from it on, time counts.
        let heard = [0, 1].map(|i| pair.ends[i].node.stats().datagrams_received);
        let contact = |p: &Pair| [0, 1].iter().any(|&i| p.ends[i].node.stats().datagrams_received > heard[i]);
        assert!(pair.until(61_000, contact), "seed {seed}: somebody knocks within the longest wait");
        assert!(pair.until(3_000, Pair::agree), "seed {seed}: not converged within three periods");
        pair.until(10_000, |_| false);
        for (i, b) in pair.ends.iter().enumerate() {
            let refuted = b.events.iter().filter(|e| matches!(e, Event::Refuted { .. })).count();
            assert_eq!((refuted, b.node.me().incarnation()), (1, before[i].next()), "seed {seed}");
            assert!(pair.notices[i] <= 2, "seed {seed}: {:?} notices", pair.notices);
            assert_eq!((b.downs(), b.suspects(), b.node.gossip_queued()), (0, 0, 0), "seed {seed}");
        }
        // Each end sends a ping and an ack per period, and nothing more.
        let sent = |p: &Pair| p.ends.iter().map(|b| b.node.stats().datagrams_sent).sum::<u64>();
        let quiet = sent(&pair);
        pair.until(10_000, |_| false);
        assert!((36..=44).contains(&(sent(&pair) - quiet)), "seed {seed}: {} datagrams", sent(&pair) - quiet);
    }
}

/// A7: whatever a member's former life said is replayed after its restart. No row changes and nothing is told. Silence
/// would shut out a node that has really restarted with an older epoch, so a question is answered, once and to where it
/// came from, with the life that is known; what is no question is answered so at most eight times per period.
#[test]
fn a7_a_replay_of_a_former_life_changes_nothing() {
    let (mut b, peers) = Bench::with_peers(config(), 5);
    let (old, other) = (peers[0], peers[1]);
    let back = Peer { incarnation: Incarnation::new(EPOCH + 1, 0), ..old };
    b.recv_from(back.addr, &frame(&back, None, &[], &[row(&back)]));
    let all = [&[back], &peers[1..]].concat();
    b.quiesce(&all);
    let (me, before) = (b.me(), table(&b));
    let left = accused(old.id, status(0, State::Left), &[]);
    let accuser = [other.id];
    let accuses = accused(old.id, status(0, State::Suspect), &accuser);
    let questions = [
        Message::Ping { target: me, nonce: 7 },
        Message::Ping { target: other.id, nonce: 7 },
        Message::PingReq { target: me, nonce: 7 },
    ];
    let captured: Vec<(bool, Vec<u8>)> = questions
        .into_iter()
        .map(|m| (true, frame(&old, Some(m), &[], &[])))
        .chain([
            (false, frame(&old, None, &[], &[row(&old)])),
            (false, frame(&old, None, &[left], &[])),
            (false, frame(&old, None, &[accuses], &[])),
            (false, frame(&old, Some(Message::Ack { nonce: 7 }), &[], &[])),
            (false, frame(&old, Some(Message::Nack { nonce: 7 }), &[], &[])),
        ])
        .collect();
    for (asks, bytes) in &captured {
        b.clear();
        // So that this one has its period's share of unasked frames for itself.
        b.run_with(ms(1_000), &all);
        b.clear();
        for _ in 0..20 {
            b.recv_from(old.addr, bytes);
        }
        assert_eq!(table(&b), before, "{bytes:02x?}");
        assert!(b.events.is_empty() && b.node.gossip_queued() == 0, "{:?}", b.events);
        let answers: Vec<&Sent> = b.sent.iter().filter(|s| s.to == old.addr).collect();
        assert_eq!(answers.len(), b.sent.len(), "nobody else hears of it");
        assert_eq!(answers.len(), if *asks { 20 } else { 8 });
        let told = |s: &&Sent| s.update_of(old.id) == Some(Status::alive(back.incarnation));
        let relayed = |s: &&Sent| matches!(s.message(), Some(Message::RelayedAck { .. }));
        assert!(
            answers.iter().all(|s| told(s) || relayed(s)),
            "each but a relay's answer names the life that is known"
        );
    }
    // The living go on as if nothing had been.
    b.run_with(ms(30_000), &all);
    assert_eq!((b.suspects(), b.downs(), table(&b)), (0, 0, before));
}

/// A14: right after a restart at the same address this node hears that it is suspect, dead or gone: of the former life,
/// that is old; of this epoch, it is refuted. It never falls silent, and never takes itself for dead.
#[test]
fn a14_news_of_my_death_is_no_death() {
    for state in [State::Suspect, State::Dead, State::Left] {
        let (mut b, peers) = Bench::with_peers(config(), 4);
        let me = b.me();
        for former in [Incarnation::new(EPOCH - 1, 0), Incarnation::new(EPOCH - 1, 1_000), Incarnation::new(0, 0)] {
            for p in &peers {
                b.gossip(p, &[accused(me, Status::new(former, state), &[])]);
                b.gossip(p, &[former_life(&b, former, state, addr(0))]);
            }
            let (asked, nonce) = b.next_ping(&peers);
            let dead = [accused(me, Status::new(former, state), &[])];
            b.recv_from(asked.addr, &frame(&asked, Some(Message::Ack { nonce }), &dead, &dead));
        }
        assert_eq!(b.node.me().status(), status(0, State::Alive), "{state} of a former life");
        assert_eq!((b.events.len(), b.node.health()), (0, 0));
        assert_eq!(b.sent.iter().filter(|s| s.message().is_none()).count(), 0, "three pings, and nothing said of it");
        // The same of this very epoch: the former life ended within the second in which this one began.
        b.clear();
        b.gossip(&peers[0], &[accused(me, status(0, state), &[])]);
        b.gossip(&peers[1], &[accused(me, status(0, state), &[])]);
        assert_eq!(b.node.me().status(), status(1, State::Alive), "{state} of this epoch, answered once");
        b.run_with(ms(20_000), &peers);
        assert!(!b.node.has_left() && b.node.poll_timeout().is_some());
        assert_eq!((b.node.live_count(), b.downs()), (5, 0));
        assert!(!b.events.contains(&Event::Left) && !b.events.iter().any(|e| matches!(e, Event::Conflict { .. })));
    }
}

/// A15: a thousand senders that were never seen say that this node is suspect, dead or gone. It stays what it is, trusts
/// itself no less, tells nobody, and asks at most four of them per period who they are. From one who has introduced
/// itself the same claim counts.
#[test]
fn a15_a_stranger_does_not_make_me_refute() {
    let (mut b, _) = Bench::with_peers(config(), 3);
    let me = b.me();
    let states = [State::Suspect, State::Dead, State::Left, State::Alive];
    for n in 0..1_000 {
        let ahead = status(n % 60 + 1, states[n as usize % 4]);
        b.gossip(&peer(5_000 + n), &[accused(me, ahead, &[])]);
    }
    assert_eq!(b.node.me().status(), status(0, State::Alive));
    assert_eq!((b.events.len(), b.node.health(), b.node.gossip_queued(), b.node.live_count()), (0, 0, 0, 4));
    assert_eq!(b.node.stats().claims_from_strangers, 1_000);
    assert_eq!(b.sent.len(), 4, "strangers get half of what may be said unasked");
    assert!(b.sent.iter().all(|s| s.frame().asks_who && s.frame().updates().is_empty()));
    // Nor in an answer that was not asked for, nor as a row.
    let stranger = peer(9_000);
    let dead = accused(me, status(3, State::Dead), &[]);
    b.recv_from(stranger.addr, &frame(&stranger, Some(Message::Ack { nonce: 1 }), &[dead], &[dead]));
    assert_eq!(b.node.me().status(), status(0, State::Alive));
    b.admit(&stranger);
    b.gossip(&stranger, &[dead]);
    assert_eq!(b.node.me().status(), status(4, State::Alive), "a member's word counts");
}

/// A15: nor does whoever writes in a member's name from where that is not use up what may be said unasked: half of it
/// is left for members, and for this node's own refutations.
#[test]
fn a15_members_names_do_not_use_up_what_may_be_said() {
    let (mut b, peers) = Bench::with_peers(config(), 3);
    let (p, me) = (peers[0], b.me());
    b.run_with(ms(1_000), &peers);
    b.clear();
    for n in 0..100 {
        let former = Peer { addr: addr(5_000 + n), incarnation: Incarnation::new(EPOCH - 1, 0), ..p };
        b.recv_from(former.addr, &frame(&former, None, &[], &[]));
    }
    assert_eq!(b.sent.len(), 4, "that many such frames are answered");
    b.clear();
    b.gossip(&p, &[accused(me, status(0, State::Suspect), &[])]);
    assert_eq!(b.node.me().status(), status(1, State::Alive));
    let told = b.sent.iter().filter(|s| s.update_of(me) == Some(status(1, State::Alive))).count();
    assert_eq!((told, b.node.health()), (3, 1), "the refutation spreads at once");
}

/// C4: in the middle of a probe its target is another process at the same address, which starts below what is known: in an
/// older epoch, or in the same one with its refutations forgotten. It is told so at once and comes back above. The probe was
/// of the one before it: whether it ends or fails, the new one is not suspected.
#[test]
fn c4_a_lower_incarnation_at_the_same_address() {
    for (known, starts_at) in
        [(inc(0), Incarnation::new(EPOCH - 1, 0)), (inc(5), inc(0)), (inc(5), Incarnation::new(1, 9))]
    {
        for wait in [0, 300, 700, 990] {
            let (mut b, mut peers) = Bench::with_peers(config(), 4);
            peers[0].incarnation = known;
            b.gossip(&peers[0], &[]);
            b.quiesce(&peers);
            let target = peers[0];
            b.ping_to(&target, &peers);
            b.run(ms(wait));
            b.clear();
            let fresh = Peer { incarnation: starts_at, ..target };
            b.recv_from(fresh.addr, &frame(&fresh, Some(Message::Pull { nonce: 3 }), &[], &[row(&fresh)]));
            let told: Vec<_> =
                b.sent.iter().filter(|s| s.to == fresh.addr).filter_map(|s| s.update_of(fresh.id)).collect();
            assert_eq!(told, [Status::alive(known)], "it hears what is known of it");
            assert_eq!(
                b.node.member(target.id).map(|m| m.status()),
                Some(Status::alive(known)),
                "and is believed nothing"
            );
            let above = if starts_at.epoch() == known.epoch() { known.next() } else { Incarnation::new(EPOCH + 1, 0) };
            peers[0].incarnation = above;
            b.run(ms(5));
            b.recv_from(fresh.addr, &frame(&peers[0], None, &[], &[row(&peers[0])]));
            b.run_with(ms(8_000), &peers);
            assert_eq!((b.suspects(), b.downs()), (0, 0), "{starts_at} after {known}, {wait} ms into the probe");
            assert_eq!(b.node.member(target.id).map(|m| m.status()), Some(Status::alive(above)));
        }
    }
}

/// C4: in the middle of a probe its target dies or leaves, is forgotten, for tombstones may be shorter than a period, and is
/// admitted again at the very incarnation that was probed. The probe ended with the row: its deadline convicts nobody, and
/// an ack with its nonce is nobody's.
#[test]
fn c4_forgotten_and_admitted_again_at_the_same_incarnation() {
    let mut c = config();
    (c.gossip_interval, c.members_max, c.members_reserved) = (ms(1), 64, 0);
    c.tombstone_ttl = ms(1);
    while c.validate().is_err() {
        c.tombstone_ttl += ms(1);
    }
    assert!(c.tombstone_ttl < ms(100), "{:?}", c.tombstone_ttl);
    for (state, wait) in [(State::Left, 100), (State::Dead, 100), (State::Left, 600), (State::Dead, 600)] {
        let (mut b, peers) = Bench::with_peers(c.clone(), 4);
        let target = peers[0];
        let nonce = b.ping_to(&target, &peers);
        let pinged = b.now;
        b.run(ms(wait));
        b.gossip(&peers[1], &[accused(target.id, status(0, state), &[])]);
        assert_eq!(b.state(&target), Some(state));
        b.run(c.tombstone_ttl + ms(1));
        assert!(b.node.member(target.id).is_none(), "forgotten");
        b.clear();
        b.admit(&target);
        assert_eq!(b.node.member(target.id).map(|m| m.status()), Some(Status::alive(target.incarnation)));
        let before = *b.node.stats();
        b.recv(&target, Some(Message::Ack { nonce }), &[]);
        let after = *b.node.stats();
        assert_eq!((after.probes_acked, after.stray_acks), (before.probes_acked, before.stray_acks + 1));
        // The target stays silent until the old probe's time is over.
        let left = 999_999 - b.now.micros_since(pinged);
        b.run_with(Duration::from_micros(left), &peers[1..]);
        let probes = b.node.stats().probes;
        b.run_with(ms(4_000), &peers);
        assert_eq!((b.suspects(), b.downs(), b.node.stats().probes_failed), (0, 0, before.probes_failed), "{state}");
        assert!(b.node.stats().probes > probes, "the next periods are clean");
    }
}
