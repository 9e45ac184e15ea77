//! Two ends of the envelope, without nodes, and what somebody between them may do.

use std::collections::BTreeSet;

use quickcheck::QuickCheck;

use super::super::pending;
use super::*;

mod controls;
mod document;
mod plain;

/// One end at its address, at a time that is turned by hand.
struct End {
    sealed: Sealed,
    addr: SocketAddr,
}

fn addr(n: u8) -> SocketAddr {
    ([10, 0, 0, n], 7_946).into()
}

fn key(n: u8) -> Key {
    Key::from_bytes([n; 32])
}

impl End {
    fn new(n: u8) -> Self {
        Self::of_life(n, 0, &Config::local("c"))
    }

    fn of_life(n: u8, life: u8, config: &Config) -> Self {
        let secrets = Secrets::Fixed(u64::from(n) << 8 | u64::from(life));
        let sealed = Sealed::new(config, Keyring::new(key(1)), secrets, Instant::ORIGIN).unwrap();
        Self { sealed, addr: addr(n) }
    }

    /// It is so late.
    fn at(&mut self, ms: u64) -> &mut Self {
        self.sealed.on_input(Instant::from_millis(ms));
        self
    }

    /// It is given something every second, so that it does not notice a pause.
    fn wait(&mut self, ms: u64) {
        let now = self.sealed.now.as_micros() / 1_000;
        (now..now + ms).step_by(1_000).for_each(|at| _ = self.at(at));
        self.at(now + ms);
    }

    fn says(&mut self, frame: &[u8]) -> Vec<u8> {
        let mut buf = vec![0; HEADER_LEN + frame.len() + TAG_LEN];
        buf[HEADER_LEN..][..frame.len()].copy_from_slice(frame);
        let len = self.sealed.seal(addr(200), &mut buf, frame.len()).expect("it can be sealed");
        buf.truncate(len);
        buf
    }

    /// The frame, if it is heard at once.
    fn hears(&mut self, from: SocketAddr, datagram: &[u8]) -> Result<Option<Vec<u8>>, Refused> {
        let mut datagram = datagram.to_vec();
        Ok(match self.sealed.open(from, &mut datagram)? {
            Opened::Frame(at) => Some(datagram[at].to_vec()),
            Opened::Kept => None,
        })
    }

    /// What it has to say itself, and to whom.
    fn controls(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut out = [0; DATAGRAM_LEN];
        let poll = || self.sealed.poll_control(&mut out).map(|tx| (tx.to, out[..tx.len].to_vec()));
        std::iter::from_fn(poll).collect()
    }

    fn control(&mut self) -> Vec<u8> {
        let mut all = self.controls();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0).1
    }

    /// Frames that were held and are heard now.
    fn released(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.sealed.release().map(|(_, frame)| frame.into())).collect()
    }

    fn stats(&self) -> DriverStats {
        let mut stats = DriverStats::default();
        self.sealed.count(&mut stats);
        stats
    }

    fn set(&mut self, keys: &[u8], in_use: u8) {
        let mut ring = Keyring::new(key(keys[0]));
        keys[1..].iter().for_each(|&n| ring.add(key(n)).unwrap());
        ring.use_key(key(in_use).id()).unwrap();
        self.sealed.set_keyring(ring);
    }
}

/// A frame that is told apart.
fn frame(n: u32) -> Vec<u8> {
    format!("this is the frame {n:09}").into_bytes()
}

/// The second end asks, the first one shows that it lives.
fn prove(a: &mut End, b: &mut End) {
    let challenge = b.control();
    assert_eq!(a.hears(b.addr, &challenge), Ok(None));
    let proof = a.control();
    assert_eq!(b.hears(a.addr, &proof), Ok(None));
}

/// Two that know each other.
fn met() -> [End; 2] {
    let (mut a, mut b) = (End::new(1), End::new(2));
    assert_eq!(b.hears(a.addr, &a.says(&frame(0))), Ok(None));
    prove(&mut a, &mut b);
    assert_eq!(b.released(), [frame(0)]);
    let proof = b.control();
    assert_eq!(a.hears(b.addr, &proof), Ok(None));
    assert_eq!((a.stats().sessions_proven, b.stats().sessions_proven), (1, 1));
    [a, b]
}

#[test]
fn what_one_seals_the_other_opens_in_any_order_and_once() {
    fn round(frames: Vec<Vec<u8>>, backwards: bool) -> bool {
        let [mut a, mut b] = met();
        let frames = frames.into_iter().map(|frame| [frame, vec![0; BODY_LEN]].concat());
        let mut sent: Vec<_> = frames.map(|frame| (a.says(&frame), frame)).collect();
        if backwards {
            sent.reverse();
        }
        sent.iter().all(|(datagram, frame)| b.hears(a.addr, datagram) == Ok(Some(frame.clone())))
            && sent.iter().all(|(datagram, _)| b.hears(a.addr, datagram) == Err(Refused::Replayed))
            && sent.iter().all(|(datagram, _)| a.hears(b.addr, datagram) == Err(Refused::Replayed))
            && b.controls().is_empty()
    }
    QuickCheck::new().tests(50).quickcheck(round as fn(Vec<Vec<u8>>, bool) -> bool);
}

#[test]
fn each_reason_is_told_apart_and_answered_by_nothing() {
    let [mut a, mut b] = met();
    let good = a.says(&frame(1));
    let mut spoiled = |at: usize, by: u8| {
        let mut bad = good.clone();
        bad[at] ^= by;
        b.hears(addr(1), &bad)
    };
    assert_eq!(spoiled(0, 0x10), Err(Refused::Version));
    assert_eq!(spoiled(1, 0x20), Err(Refused::Suite));
    assert_eq!(spoiled(1, 0x02), Err(Refused::Suite), "an unknown flag");
    assert_eq!(spoiled(1, 0x10), Err(Refused::Plain));
    assert_eq!(spoiled(1, 0x01), Err(Refused::Tag), "a frame is no control message");
    assert_eq!(spoiled(2, 0x01), Err(Refused::Key));
    for at in [4, 20, 25, 26, good.len() - 1] {
        assert_eq!(spoiled(at, 0x80), Err(Refused::Tag), "byte {at}");
    }
    for len in 0..DATAGRAM_LEN {
        assert_eq!(b.hears(addr(1), &good[..len]), Err(Refused::TooShort));
    }
    let mut other = Sealed::new(&Config::local("d"), Keyring::new(key(1)), Secrets::System, Instant::ORIGIN).unwrap();
    let mut datagram = good.clone();
    assert_eq!(other.open(addr(1), &mut datagram), Err(Refused::Tag), "another cluster with the same key");
    assert_eq!(datagram, good, "what is not opened is left as it came");
    assert!(b.controls().is_empty() && b.sealed.pending.size() == (0, 0, 0) && b.sealed.peers.len() == 1);
    assert_eq!(b.hears(addr(1), &good), Ok(Some(frame(1))));
}

#[test]
fn no_one_or_two_flipped_bits_are_let_through() {
    let [mut a, mut b] = met();
    let good = a.says(&[0x5a; BODY_LEN]);
    let mut bad = good.clone();
    let bits = bad.len() * 8;
    let flip = |d: &mut [u8], bit: usize| d[bit / 8] ^= 1 << (bit % 8);
    for i in 0..bits {
        flip(&mut bad, i);
        assert!(b.sealed.open(addr(1), &mut bad).is_err(), "bit {i}");
        for j in 0..i {
            flip(&mut bad, j);
            assert!(b.sealed.open(addr(1), &mut bad).is_err(), "bits {i} and {j}");
            flip(&mut bad, j);
        }
        flip(&mut bad, i);
    }
    assert!(bad == good && b.controls().is_empty() && b.sealed.open(addr(1), &mut bad).is_ok());
}

#[test]
fn frames_of_an_unknown_session_wait_and_are_heard_once_each_in_order() {
    let (mut a, mut b) = (End::new(1), End::new(2));
    let said: Vec<_> = (0..4).map(|n| a.says(&frame(n))).collect();
    for at in [2, 0, 3] {
        assert_eq!(b.hears(a.addr, &said[at]), Ok(None));
        assert_eq!(b.hears(a.addr, &said[at]), Err(Refused::Replayed), "held already");
        assert!(b.released().is_empty());
    }
    prove(&mut a, &mut b);
    assert_eq!(b.released(), [frame(2), frame(0), frame(3)]);
    assert_eq!(b.hears(a.addr, &said[1]), Ok(Some(frame(1))), "a late one was not heard before");
    for datagram in &said {
        assert_eq!(b.hears(a.addr, datagram), Err(Refused::Replayed));
    }
    assert!(b.released().is_empty() && b.sealed.pending.size() == (0, 0, 0));
    assert_eq!((b.stats().frames_held, b.stats().refused()), (3, 0));
}

#[test]
fn a_lost_challenge_or_proof_costs_a_frame_more() {
    let (mut a, mut b) = (End::new(1), End::new(2));
    assert_eq!(b.hears(a.addr, &a.says(&frame(0))), Ok(None));
    b.control();
    assert_eq!(b.hears(a.addr, &a.says(&frame(1))), Ok(None));
    assert!(b.controls().is_empty(), "not so soon again");
    a.at(250);
    assert_eq!(b.at(250).hears(addr(1), &a.says(&frame(2))), Ok(None));
    let challenge = b.control();
    assert_eq!(a.hears(b.addr, &challenge), Ok(None));
    a.control();
    a.at(500);
    assert_eq!(b.at(500).hears(addr(1), &a.says(&frame(3))), Ok(None));
    prove(&mut a, &mut b);
    assert_eq!(b.released(), [0, 1, 2, 3].map(frame));
    // And if nothing helps, they are let go of.
    let mut c = End::new(3);
    c.at(500);
    assert_eq!(b.hears(c.addr, &c.says(&frame(4))), Ok(None));
    b.wait(4_999);
    assert_eq!(b.sealed.pending.size().1, 1);
    b.wait(1);
    assert_eq!((b.sealed.pending.size().1, b.stats().refused_unproven, b.released().len()), (0, 1, 0));
}

#[test]
fn a_proof_counts_from_whom_it_was_asked_and_for_what() {
    let (mut a, mut b, mut c) = (End::new(1), End::new(2), End::new(3));
    for end in [&mut a, &mut c] {
        assert_eq!(b.hears(end.addr, &end.says(&frame(0))), Ok(None));
    }
    let [(_, to_a), (_, to_c)] = <[_; 2]>::try_from(b.controls()).unwrap();
    // The numbers that the two were asked for, each in the other's hands.
    assert_eq!((a.hears(b.addr, &to_c), c.hears(b.addr, &to_a)), (Ok(None), Ok(None)));
    let (by_a, by_c) = (a.control(), c.control());
    assert_eq!((b.hears(a.addr, &by_a), b.hears(c.addr, &by_c)), (Ok(None), Ok(None)));
    assert_eq!((b.stats().sessions_proven, b.sealed.peers.len(), b.released().len()), (0, 0, 0));
    b.controls();
    assert_eq!(a.at(1).hears(addr(2), &to_a), Ok(None));
    let good = a.control();
    assert_eq!(b.hears(addr(9), &good), Ok(None), "from elsewhere");
    assert_eq!((b.stats().sessions_proven, b.released().len()), (0, 0));
    b.controls();
    assert_eq!(b.hears(a.addr, &good), Ok(None));
    assert_eq!((b.stats().sessions_proven, b.released()), (1, vec![frame(0)]));
    assert_eq!(b.hears(a.addr, &good), Err(Refused::Replayed), "a proof is a datagram like others");
}

#[test]
fn a_challenge_that_came_before_its_session_was_known_counts_as_taken() {
    let (mut a, mut b) = (End::new(1), End::new(2));
    assert_eq!(b.hears(a.addr, &a.says(&frame(0))), Ok(None));
    let challenge = b.control();
    assert_eq!(a.hears(b.addr, &challenge), Ok(None));
    let proof = a.control();
    assert_eq!(b.hears(a.addr, &proof), Ok(None));
    let proof = b.control();
    assert_eq!((a.hears(b.addr, &proof), a.stats().sessions_proven), (Ok(None), 1));
    assert_eq!(a.hears(b.addr, &challenge), Err(Refused::Replayed));
    assert!(a.controls().is_empty(), "nor is it answered again");
}

/// Somebody records everything, and plays it back to a node that was started anew, and to one that has forgotten the session.
#[test]
fn nothing_old_is_heard_from_a_session_that_is_not_known() {
    let mut config = Config::local("c");
    config.members_max = 2;
    let (mut a, mut b) = (End::new(1), End::of_life(2, 0, &config));
    assert_eq!(b.hears(a.addr, &a.says(&frame(0))), Ok(None));
    prove(&mut a, &mut b);
    b.released();
    b.controls();
    let old: Vec<_> = (1..4).map(|n| a.says(&frame(n))).collect();
    assert!(old.iter().all(|datagram| b.hears(addr(1), datagram).is_ok_and(|frame| frame.is_some())));
    let mut restarted = End::of_life(2, 1, &config);
    for end in [&mut a, &mut restarted, &mut b] {
        end.wait(11_000);
    }
    // So many others are known now that there is no place for the idle one.
    for n in 0..PEERS_MIN {
        let mut other = End::of_life(n as u8 + 10, 0, &config);
        other.wait(11_000);
        assert_eq!(b.hears(other.addr, &other.says(&frame(0))), Ok(None));
        prove(&mut other, &mut b);
        b.controls();
    }
    assert_eq!((b.sealed.peers.len(), b.sealed.peers.has(a.sealed.own.peer())), (PEERS_MIN, false));
    b.released();
    // And these are idle in their turn.
    for end in [&mut a, &mut restarted, &mut b] {
        end.wait(11_000);
    }
    for (end, played) in [(&mut restarted, 0..3), (&mut b, 0..3)] {
        old[played].iter().for_each(|datagram| assert_eq!(end.hears(addr(1), datagram), Ok(None)));
        // The live sender shows that it lives, and that all of this is old.
        let recent = a.says(&frame(9));
        assert_eq!(end.hears(addr(1), &recent), Ok(None));
        let challenge = end.control();
        assert_eq!(a.hears(end.addr, &challenge), Ok(None));
        let proof = a.control();
        assert_eq!(end.hears(addr(1), &proof), Ok(None));
        assert_eq!((end.released(), end.stats().refused_stale), (vec![frame(9)], 3));
        assert!(old.iter().all(|datagram| end.hears(addr(1), datagram) == Err(Refused::Replayed)));
        end.controls();
    }
    // Nobody can show it for one that is gone.
    let mut third = End::of_life(3, 0, &config);
    third.wait(22_000);
    let asked = a.sealed.replies.len();
    assert_eq!((third.hears(addr(1), &old[0]), third.controls().len(), asked), (Ok(None), 1, 0));
    third.wait(5_000);
    assert_eq!((third.stats().refused_unproven, third.released().len()), (1, 0));
}

#[test]
fn what_a_node_has_said_itself_is_not_heard() {
    let [mut a, mut b] = met();
    let said = a.says(&frame(1));
    assert_eq!(a.hears(b.addr, &said), Err(Refused::Replayed));
    // Nor what it says to show that it lives: it would prove itself to itself.
    let mut c = End::new(3);
    assert_eq!(a.hears(c.addr, &c.says(&frame(0))), Ok(None));
    let challenge = a.control();
    assert_eq!(a.hears(c.addr, &challenge), Err(Refused::Replayed));
    assert!(a.controls().is_empty() && b.controls().is_empty());
}

#[test]
fn whatever_comes_no_answer_is_longer_and_everything_is_bounded() {
    let (mut a, mut b, mut c) = (End::new(1), End::new(2), End::new(3));
    let mut good: Vec<Vec<u8>> = (0..50).map(|n| a.says(&frame(n))).collect();
    assert_eq!(c.hears(a.addr, &good[0]), Ok(None));
    good.extend(c.controls().into_iter().map(|(_, datagram)| datagram));
    let mut dice = Source::new(Secrets::Fixed(7));
    let mut roll = |n: usize| (dice.nonce().unwrap() % n as u64) as usize;
    for n in 0..40_000_u64 {
        let mut datagram = good[roll(good.len())].clone();
        match roll(4) {
            0 => datagram = (0..roll(120)).map(|_| roll(256) as u8).collect(),
            1 => datagram.truncate(roll(datagram.len() + 1)),
            2 => (0..=roll(3)).for_each(|_| {
                let at = roll(datagram.len());
                datagram[at] = roll(256) as u8;
            }),
            _ => {}
        }
        let from = addr(roll(250) as u8);
        b.at(n / 50);
        let before = b.stats();
        let _ = b.hears(from, &datagram);
        let answers = b.controls();
        assert!(answers.iter().all(|(to, _)| *to == from), "whoever asks is answered");
        assert!(answers.iter().map(|(_, answer)| answer.len()).sum::<usize>() <= datagram.len());
        assert!(b.released().is_empty() && b.stats().controls_sent - before.controls_sent <= 1);
    }
    // One challenge is among them, and what is played back is answered once.
    assert!(b.stats().challenges_sent > 10 && b.stats().proofs_sent == 1, "{:?}", b.stats());
    assert_eq!((b.sealed.peers.len(), b.sealed.pending.size().0 <= 2), (0, true));
}

/// Members that do it on purpose: sessions without end.
#[test]
fn what_waits_is_bounded_whoever_sends() {
    let mut b = End::new(2);
    for n in 0..3_000_u32 {
        let mut other = End::of_life((n % 200) as u8 + 10, (n / 200) as u8, &Config::local("c"));
        let _ = b.hears(other.addr, &other.says(&vec![0; 1_300]));
        b.controls();
    }
    let (sessions, frames, bytes) = b.sealed.pending.size();
    assert!(sessions <= pending::SESSIONS_MAX && bytes <= pending::BYTES_MAX && frames <= sessions * pending::HELD_MAX);
    let stats = b.stats();
    assert_eq!((stats.frames_held, stats.refused_unproven), (3_000, 3_000 - frames as u64));
    assert_eq!((stats.challenges_sent, stats.controls_unsent), (256, 3_000 - 256), "so many in no time");
}

#[test]
fn a_key_is_exchanged_without_a_loss_and_a_removed_one_is_gone_at_once() {
    let [mut a, mut b] = met();
    let said = |a: &mut End, b: &mut End, n| {
        let heard = b.hears(a.addr, &a.says(&frame(n))).expect("it is opened");
        heard.unwrap_or_else(|| {
            prove(a, b);
            b.controls();
            b.released().remove(0)
        })
    };
    let mut n = 1;
    for (keys, in_use, begun) in [(&[1, 2][..], 1, 1), (&[1, 2], 2, 2), (&[2], 2, 2)] {
        for step in 0..3 {
            match step {
                0 => a.set(keys, in_use),
                1 => b.set(keys, in_use),
                _ => {}
            }
            assert_eq!((said(&mut a, &mut b, n), said(&mut b, &mut a, n + 1)), (frame(n), frame(n + 1)));
            n += 2;
        }
        assert_eq!([a.stats().sessions_begun, b.stats().sessions_begun], [begun; 2]);
    }
    assert_eq!((a.stats().refused(), b.stats().refused()), (0, 0));
    let (late, mut c) = (a.says(&frame(n)), End::new(3));
    assert_eq!(b.hears(c.addr, &c.says(&frame(0))), Err(Refused::Key), "it has the removed key only");
    b.set(&[3], 3);
    assert_eq!((b.hears(a.addr, &late), b.sealed.peers.len()), (Err(Refused::Key), 0));
    assert_eq!(a.hears(b.addr, &b.says(&frame(0))), Err(Refused::Key));
    assert!(a.controls().is_empty() && b.controls().is_empty());
}

#[test]
fn a_session_ends_with_a_pause_and_no_number_is_used_twice() {
    let [mut a, mut b] = met();
    let mut sessions = BTreeSet::from([*a.sealed.own.peer()]);
    a.wait(60_000);
    assert_eq!(a.stats().sessions_begun, 1, "it was given something every second");
    a.at(65_001);
    assert!(sessions.insert(*a.sealed.own.peer()));
    b.wait(65_001);
    assert_eq!(b.hears(a.addr, &a.says(&frame(1))), Ok(None), "it is unknown now");
    prove(&mut a, &mut b);
    assert_eq!(b.released(), [frame(1)]);
    let mut slow = Config::local("c");
    slow.probe_interval = Duration::from_secs(4);
    let mut slow = End::of_life(4, 0, &slow);
    assert_eq!((slow.at(12_000).stats().sessions_begun, slow.at(24_001).stats().sessions_begun), (1, 2));
}

#[test]
fn nothing_secret_is_shown() {
    let [a, _] = met();
    let shown = format!("{:?} {:#?} {:?} {:?}", a.sealed, a.sealed.ring, key(1), a.sealed.own);
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let (id, session) = parts(a.sealed.own.peer());
    assert!(shown.contains(&id.to_string()), "{shown}");
    for secret in [&[1; 32][..], &session, &key(1).session(&session, "c")[..]] {
        assert!(!shown.contains(&hex(secret)) && !shown.contains(&format!("{secret:?}")), "{shown}");
    }
}

/// The operating system has no random numbers for a while: what is sealed goes on under the session that there is, nobody is
/// asked anything, and once the key is given up nothing leaves until there can be a session under the next one.
#[test]
fn without_random_numbers_nothing_leaves_under_a_key_that_is_given_up() {
    let [mut a, mut b] = met();
    (a.sealed.secrets.is_dry, b.sealed.secrets.is_dry) = (true, true);
    assert_eq!(b.hears(a.addr, &a.says(&frame(1))), Ok(Some(frame(1))));
    let mut c = End::new(3);
    assert_eq!(
        b.hears(c.addr, &c.says(&frame(0))),
        Err(Refused::Unproven),
        "nor is a frame kept that nothing can prove"
    );
    assert_eq!(b.controls(), []);
    a.set(&[1, 2], 2);
    let mut buf = [0; 100];
    assert_eq!(a.sealed.seal(b.addr, &mut buf, 58), None);
    assert_eq!((a.stats().datagrams_unsealed, a.stats().sessions_begun), (1, 1));
    a.sealed.secrets.is_dry = false;
    b.sealed.secrets.is_dry = false;
    b.set(&[1, 2], 1);
    assert_eq!(b.hears(a.addr, &a.says(&frame(2))), Ok(None), "of a new session, under the new key");
    prove(&mut a, &mut b);
    assert_eq!((b.released(), a.stats().datagrams_unsealed), (vec![frame(2)], 1));
}

/// Somebody has a challenge and frames of a session that is over, and plays them back from ever new addresses: what this node
/// has to say in a second is kept for others.
#[test]
fn what_is_played_back_from_everywhere_keeps_nobody_out() {
    let (mut former, mut b, mut c) = (End::new(1), End::new(2), End::new(3));
    assert_eq!(former.hears(b.addr, &b.says(&frame(0))), Ok(None));
    let challenge = former.control();
    let frames: Vec<_> = (0..6_000).map(|n| former.says(&frame(n))).collect();
    let mut said = 0;
    for (n, frame) in frames.iter().enumerate() {
        let from = |host| SocketAddr::from(([10, 9, 0, host], 1_024 + n as u16));
        assert_eq!(b.at(n as u64 / 5).hears(from(1), &challenge), Ok(None));
        _ = b.hears(from(2), frame);
        said += b.controls().len();
    }
    assert!(said <= pending::ASKS_MAX + pending::PROOFS_MAX, "{said}");
    assert_eq!(b.hears(c.addr, &c.says(&frame(1))), Ok(None));
    prove(&mut c, &mut b);
    assert_eq!((b.released(), b.stats().controls_unsent), (vec![frame(1)], 0));
}
