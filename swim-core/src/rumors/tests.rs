use alloc::collections::BTreeSet;
use alloc::vec;

use quickcheck::QuickCheck;

use super::*;
use crate::NodeId;
use crate::config::StopPolicy;
use crate::cx::{Events, Pace};
use crate::outbox::Outbox;
use crate::rng::Rng;
use crate::stats::Stats;

mod copies;
mod kept;

const EPOCH: u32 = 7;
const KEY: TableKey = TableKey(3, 5);

fn config() -> Config {
    let mut config = Config::local("c");
    config.rumors_max = 16;
    config.rumor_bytes = 4 * config.mtu;
    config.rumor_window = 64;
    config
}

fn cx(config: &Config) -> Cx {
    Cx {
        now: Instant::from_millis(1_000),
        me: NodeId::new(100),
        my_addr: "10.0.0.1:1".parse::<core::net::SocketAddr>().unwrap().into(),
        rng: Rng::new(1),
        outbox: Outbox::new(Outbox::bound(config)),
        events: Events::new(config.events_max),
        stats: Stats::default(),
        pace: Pace::new(config),
        config: config.clone(),
    }
}

/// A node that tells rumors, without the node.
#[derive(Clone)]
struct Teller {
    rumors: Rumors,
    cx: Cx,
    round: u32,
}

/// The member at slot `s` has the id `100 + s`.
fn member(slot: u32) -> Option<(NodeId, u32)> {
    (slot < 40).then(|| (NodeId::new(100 + u64::from(slot)), EPOCH))
}

fn id(slot: u32, seq: u32) -> RumorId {
    RumorId { origin: NodeId::new(100 + u64::from(slot)), epoch: EPOCH, seq }
}

impl Teller {
    fn new(config: &Config) -> Self {
        config.validate().unwrap();
        Self { rumors: Rumors::new(KEY), cx: cx(config), round: 0 }
    }

    fn broadcast(&mut self, topic: &str, payload: &[u8]) -> RumorId {
        self.rumors.begin_input();
        self.rumors.broadcast(EPOCH, (topic, payload), self.cx.now, &mut self.cx).unwrap()
    }

    /// One input that brings this rumor, alone.
    fn hears(&mut self, slot: u32, seq: u32, payload: &[u8]) -> Offer {
        self.rumors.begin_input();
        self.also_hears(slot, seq, payload)
    }

    /// The same input brings this rumor, too.
    fn also_hears(&mut self, slot: u32, seq: u32, payload: &[u8]) -> Offer {
        self.hears_of_age(slot, seq, payload, 0)
    }

    /// The same for one that was broadcast so many milliseconds ago.
    fn hears_of_age(&mut self, slot: u32, seq: u32, payload: &[u8], ms: u64) -> Offer {
        let age = Duration::from_millis(ms);
        self.offer(slot, EPOCH, &Rumor { id: id(slot, seq), lamport: u64::from(seq), age, topic: "t", payload })
    }

    fn offer(&mut self, slot: u32, epoch: u32, rumor: &Rumor<'_>) -> Offer {
        self.rumors.offer((slot, epoch), rumor, false, self.cx.now, &mut self.cx)
    }

    fn get(&self, id: RumorId) -> Option<Rumor<'_>> {
        self.rumors.get(id, self.cx.now)
    }

    fn due(&mut self, now: Instant) {
        self.rumors.on_due(now, &self.cx);
    }

    fn deadline(&self) -> Instant {
        self.rumors.next_deadline(&self.cx)
    }

    /// A datagram with room for so many rumors, the first of its round; returns which are told.
    fn tells(&mut self, live: usize, room: usize) -> Vec<RumorId> {
        self.round += 1;
        self.tells_on(live, room)
    }

    /// A further datagram of that round.
    fn tells_on(&mut self, live: usize, room: usize) -> Vec<RumorId> {
        let mut told = Vec::new();
        self.rumors.fill((live, self.round), self.cx.now, &mut self.cx, |rumor| {
            if told.len() == room {
                return Take::Stop;
            }
            told.push(rumor.id);
            Take::Taken
        });
        told
    }

    fn check(&self) {
        self.checked().unwrap();
    }

    fn checked(&self) -> Result<(), &'static str> {
        self.rumors.check(&self.cx.config, self.cx.now, member)
    }

    fn kept(&self) -> Vec<RumorId> {
        let kept = &self.rumors.kept;
        kept.order().map(|place| kept.get(place).unwrap().id).collect()
    }

    fn restored(&self) -> Self {
        let bytes = postcard::to_allocvec(&self.rumors).unwrap();
        let mut rumors: Rumors = postcard::from_bytes(&bytes).unwrap();
        rumors.rebuild().unwrap();
        Self { rumors, cx: self.cx.clone(), round: self.round }
    }

    fn bytes(&self) -> Vec<u8> {
        postcard::to_allocvec(&(&self.rumors, &self.cx.stats)).unwrap()
    }
}

#[test]
fn f1_two_of_one_length_after_the_queue_was_empty() {
    let mut t = Teller::new(&config());
    t.broadcast("t", b"first");
    let mut copies = 0;
    while t.rumors.has_hot() {
        copies += t.tells(100, 9).len();
    }
    assert_eq!(copies, t.cx.config.retransmit_limit(100));
    let two = [t.broadcast("t", b"alike"), t.broadcast("t", b"ALIKE")];
    assert_eq!(t.rumors.hot_len(), 2);
    assert_eq!(t.tells(100, 9), two);
    assert_eq!(two.map(|id| t.get(id).unwrap().payload), [b"alike", b"ALIKE"]);
    t.check();
}

/// Nobody is there to be told: the queue grows to what is kept, and no further.
#[test]
fn f7_bounded_without_peers() {
    let mut t = Teller::new(&config());
    for seq in 1..=1_000 {
        let id = t.broadcast("t", &[7; 900]);
        assert_eq!((id.seq, t.get(id).unwrap().payload.len()), (seq, 900));
        assert!(t.rumors.len() <= 16 && t.rumors.bytes() <= 5_600 && t.rumors.hot_len() <= 16);
        t.check();
    }
    assert_eq!((t.rumors.len(), t.cx.stats.rumors_evicted), (6, 994));
    assert_eq!((t.rumors.last(ME), t.rumors.lamport()), (1_000, 1_000));
    for _ in 0..1_000 {
        t.broadcast("", b"");
    }
    assert_eq!((t.rumors.len(), t.rumors.bytes()), (16, 0));
    t.check();
}

#[test]
fn f8_same_payload_twice_is_two() {
    let (mut a, mut b) = (Teller::new(&config()), Teller::new(&config()));
    b.cx.me = NodeId::new(101);
    let two = [a.broadcast("t", b"again"), a.broadcast("t", b"again")];
    assert_ne!(two[0], two[1]);
    assert_eq!(a.tells(9, 9), two);
    for id in two {
        let rumor = a.get(id).unwrap();
        assert_eq!(b.offer(2, EPOCH, &rumor), Offer::New);
        assert_eq!(b.offer(2, EPOCH, &rumor), Offer::Known);
    }
    assert_eq!((b.cx.stats.rumors_received, b.cx.stats.rumors_known), (2, 2));
}

/// However they come: twice, late, out of order, after they were dropped.
#[test]
fn each_is_new_once() {
    fn holds(offers: Vec<(u8, u16)>) -> bool {
        let mut t = Teller::new(&config());
        let (mut new, mut others) = (BTreeSet::new(), 0);
        for (slot, x) in offers {
            let (slot, seq) = (u32::from(slot % 3), 1 + u32::from(x % 300));
            t.cx.now = t.cx.now.plus_micros(u64::from(x) * 100);
            t.due(t.cx.now);
            let before = t.rumors.last(slot);
            t.rumors.begin_input();
            let offer = t.hears_of_age(slot, seq, b"x", u64::from(x) * 16 % 60_000);
            let expected = match offer {
                // Nothing that others say is mine.
                Offer::OtherLife => slot == ME,
                Offer::New => slot != ME && new.insert((slot, seq)),
                Offer::Known => new.contains(&(slot, seq)),
                Offer::Stale => seq + 64 <= before,
                Offer::Full | Offer::Ahead => false,
            };
            others += u64::from(offer != Offer::New);
            if !expected || offer == Offer::New && t.get(id(slot, seq)).is_none() {
                return false;
            }
            t.check();
        }
        let stats = &t.cx.stats;
        (stats.rumors_received, stats.rumors_known + stats.rumors_stale) == (new.len() as u64, others)
    }
    QuickCheck::new().tests(crate::cases(300)).quickcheck(holds as fn(Vec<(u8, u16)>) -> bool);
}

#[test]
fn what_others_say_of_me_is_not_mine() {
    let mut t = Teller::new(&config());
    let mine = t.broadcast("t", b"mine");
    assert_eq!([t.hears(ME, 1, b"mine"), t.hears(ME, 2, b"not mine")], [Offer::Known, Offer::OtherLife]);
    t.rumors.close(ME, EPOCH, 1_000, &mut t.cx);
    assert_eq!((t.rumors.last(ME), t.get(mine).is_some(), t.cx.stats.rumors_missed), (1, true, 0));
    t.check();
}

/// At the last number an epoch is used up; the next begins at 1.
#[test]
fn numbers_end_with_the_epoch() {
    let mut t = Teller::new(&config());
    t.broadcast("t", b"first");
    t.rumors.origins[0].as_mut().unwrap().window.mark(u32::MAX);
    assert_eq!(t.rumors.broadcast(EPOCH, ("t", b"none left"), t.cx.now, &mut t.cx), Err(()));
    let id = t.rumors.broadcast(EPOCH + 1, ("t", b"next"), t.cx.now, &mut t.cx).unwrap();
    assert_eq!((id.seq, id.epoch, t.rumors.len()), (1, EPOCH + 1, 1));
}

#[test]
fn another_life_begins_with_nothing() {
    let mut t = Teller::new(&config());
    assert_eq!([t.hears(1, 5, b"old"), t.hears(2, 5, b"other")], [Offer::New; 2]);
    let next = RumorId { epoch: EPOCH + 1, ..id(1, 5) };
    let rumor = Rumor { id: next, lamport: 1, age: Duration::ZERO, topic: "t", payload: b"new" };
    assert_eq!(t.offer(1, EPOCH, &rumor), Offer::OtherLife, "the row knows of no such life");
    assert_eq!(t.offer(1, EPOCH + 1, &rumor), Offer::New);
    assert_eq!((t.get(id(1, 5)), t.rumors.hot_len()), (None, 2));
    let again = Rumor { id: id(1, 5), ..rumor };
    assert_eq!(t.offer(1, EPOCH + 1, &again), Offer::OtherLife);
    assert_eq!(t.cx.stats.rumors_stale, 2);
    t.rumors.forget(1);
    assert_eq!((t.kept(), t.rumors.last(1), t.rumors.mark(1), t.rumors.hot_len()), (vec![id(2, 5)], 0, 0, 1));
    t.check();
    t.rumors.forget(77);
}

#[test]
fn a_budget_is_the_number_of_copies() {
    for (percent, live, copies) in [(170, 1, 2), (170, 100, 8), (1_000, 1_000, 63), (50, 0, 1)] {
        let mut c = config();
        c.rumor_stop = StopPolicy::Budget(percent);
        let mut t = Teller::new(&c);
        let id = t.broadcast("t", b"x");
        let told = (0..100).filter(|_| t.tells(live, 9) == [id]).count();
        assert_eq!((told, t.cx.stats.rumors_sent), (copies, copies as u64), "{percent} {live}");
        assert!(!t.rumors.has_hot() && t.get(id).is_some());
    }
}

#[test]
fn a_counter_counts_those_that_knew_it() {
    let mut c = config();
    c.rumor_stop = StopPolicy::Counter(3);
    let mut t = Teller::new(&c);
    let (id, other) = (t.broadcast("t", b"x"), t.broadcast("t", b"y"));
    for known in [true, true, false, true, true] {
        t.rumors.feedback(id, known, &t.cx);
        assert_eq!(t.rumors.hot_len(), 2);
    }
    t.rumors.feedback(id, true, &t.cx);
    assert_eq!(t.tells(9, 9), [other], "three in a row");
    t.rumors.feedback(RumorId { seq: 77, ..id }, true, &t.cx);
    let more = (0..100).filter(|_| !t.tells(9, 9).is_empty()).count();
    assert_eq!(more, 62, "without any answer it ends all the same");
    let mut budget = Teller::new(&config());
    let id = budget.broadcast("t", b"x");
    (0..9).for_each(|_| budget.rumors.feedback(id, true, &budget.cx));
    assert!(budget.rumors.has_hot(), "feedback is for the counter");
    t.check();
}

/// With probability 1/k after each copy: k copies in the mean, and no two rumors need have the same.
#[test]
fn a_coin_ends_it_by_chance() {
    for k in [1, 3, 8] {
        let mut c = config();
        c.rumor_stop = StopPolicy::Coin(k);
        let mut t = Teller::new(&c);
        let mut counts = BTreeSet::new();
        for _ in 0..2_000 {
            t.broadcast("t", b"x");
            let sent = t.cx.stats.rumors_sent;
            while t.rumors.has_hot() {
                t.tells(9, 9);
            }
            counts.insert(t.cx.stats.rumors_sent - sent);
        }
        // The standard deviation of the sum is k·√2000 at most, 45·k.
        let (sum, mean) = (t.cx.stats.rumors_sent, 2_000 * u64::from(k));
        assert!(sum.abs_diff(mean) <= 200 * u64::from(k - 1), "{k}: {sum}");
        assert_eq!((counts.len() > 5, counts.first()), (k > 1, Some(&1)));
    }
}

#[test]
fn least_told_first_and_once_in_a_round() {
    let mut t = Teller::new(&config());
    let all: Vec<RumorId> = (0..8).map(|_| t.broadcast("t", b"x")).collect();
    assert_eq!(t.tells(1_000, 3), all[..3]);
    assert_eq!(t.tells_on(1_000, 3), all[3..6]);
    assert_eq!(t.tells_on(1_000, 9), all[6..]);
    assert_eq!(t.tells_on(1_000, 9), [], "all were told in this round");
    assert_eq!(t.tells(1_000, 3), all[..3]);
    let new = t.broadcast("t", b"new");
    assert_eq!(t.tells(1_000, 3), [new, all[3], all[4]]);
    // What does not fit keeps its place, and does not hide what is behind it for ever.
    let mut asked = 0;
    t.rumors.fill((1_000, 0), t.cx.now, &mut t.cx, |_| {
        asked += 1;
        Take::Skip
    });
    assert_eq!((asked, t.rumors.hot_len()), (8, 9));
    t.hears(7, 1, b"x");
    t.hears(8, 1, b"x");
    assert_eq!((t.rumors.settle(|slot| slot == 8), t.rumors.hot_len(), t.rumors.len()), (10, 1, 11));
    assert_eq!(t.tells(1_000, 9), [id(8, 1)], "of who is gone it is told on");
    assert_eq!((t.rumors.settle(|_| false), t.rumors.hot_len(), t.rumors.len()), (1, 0, 11));
    assert_eq!(t.tells(1_000, 9), []);
    t.check();
}

#[test]
fn those_told_in_a_round_do_not_hide_others() {
    let mut c = config();
    c.rumors_max = 64;
    let mut t = Teller::new(&c);
    let old: Vec<RumorId> = (0..15).map(|_| t.broadcast("t", b"old")).collect();
    (0..3).for_each(|_| assert_eq!(t.tells(1_000, 99).len(), 15));
    let new: Vec<RumorId> = (0..15).map(|_| t.broadcast("t", b"new")).collect();
    assert_eq!(t.tells(1_000, 15), new);
    assert_eq!(t.tells_on(1_000, 15), old, "fifteen that were told stand before them");
}

#[test]
fn the_room_for_the_next_one_is_known() {
    let mut t = Teller::new(&config());
    assert_eq!(t.rumors.largest_waiting(), 0);
    for (len, takes) in [(0, 31), (127, 158), (128, 160), (1_200, 1_232)] {
        t.rumors = Rumors::new(KEY);
        t.broadcast("", &vec![0; len]);
        assert_eq!(t.rumors.largest_waiting(), takes);
    }
    let rumor = Rumor { id: id(1, 1), lamport: 1, age: Duration::ZERO, topic: "topic", payload: &[0; 16_384] };
    assert_eq!(crate::wire::rumor_len(rumor.topic.len(), rumor.payload.len()), 30 + 5 + 3 + 16_384);
}
