//! A sealed cluster beside a plain one: how fast it forms, what it costs, and whom it lets in.

use std::collections::BTreeSet;
use std::time::Duration;

use aes_gcm::{AeadInOut as _, Aes256Gcm, KeyInit as _};
use conformance::{over_seeds, summary};
use hkdf::Hkdf;
use sha2::Sha256;
use swim_core::{Config, State};
use swim_driver::{Alert, Recording};
use swim_sim::{World, millis, percent, secs};

use crate::cluster::*;

/// How long ten nodes take to see each other, and then to miss one that has died.
fn forms(seed: u64, seal: Seal, loss: u32) -> [Duration; 2] {
    let mut w = World::with_config(seed, Config::lan("sim"));
    w.link.loss = percent(loss);
    if seal == Seal::Sealed {
        w.seal(ring(&[1], 1));
    }
    let nodes = start(&mut w, 10);
    let begun = w.now();
    w.run_until(secs(300), |w| w.all_see(10)).expect("it forms");
    let formed = w.now().since(begun);
    w.run(secs(20));
    let victim = nodes[seed as usize % 10];
    w.kill(victim);
    let missed = |w: &World| nodes.iter().all(|&node| node == victim || w.sees(node, victim) == Some(State::Dead));
    let missed = w.run_until(secs(120), missed).expect("the dead one is missed");
    [formed, missed]
}

/// Where nothing is lost, first contacts cost two round trips. Where a tenth is, a frame that makes one needs two datagrams more
/// that arrive, and what is lost so is told again with what comes next.
#[test]
fn it_forms_about_as_fast_as_a_plain_one_and_misses_the_dead() {
    let period = Config::lan("sim").probe_interval.as_secs_f64();
    for (loss, periods) in [(0, 1.0), (10, 6.0)] {
        let [plain, sealed] = [Seal::Plain, Seal::Sealed].map(|seal| {
            let ends = over_seeds(size(20, 60), |seed| forms(seed, seal, loss));
            [0, 1].map(|i| summary(ends.iter().map(|times| times[i].as_secs_f64())))
        });
        for (what, plain, sealed) in [("formed", plain[0], sealed[0]), ("missed", plain[1], sealed[1])] {
            println!("loss {loss} %, {what} after seconds: plain {plain}; sealed {sealed}");
            assert!(sealed.p50 <= plain.p50 + periods * period, "{what} at {loss} %");
        }
    }
}

#[test]
fn who_has_another_key_is_not_let_in_and_the_operator_hears_of_it() {
    let mut w = world(1, Seal::Sealed, Config::lan("sim"));
    let nodes = start(&mut w, 3);
    settle(&mut w, 3);
    let mut alerts = w.handle(nodes[0]).alerts();
    let other = w.spawn_with("other", |setup| setup.keyring = Some(ring(&[2], 2)));
    w.join(other, &nodes[..1]);
    w.run(secs(60));
    let s = driver(&w, nodes[0]);
    assert!(nodes.iter().all(|&node| w.node(node).live_count() == 3 && w.sees(node, other).is_none()));
    assert_eq!(w.node(other).live_count(), 1);
    assert!(s.refused_key > 5 && s.refused() == s.refused_key, "{s:?}");
    let told: Vec<Alert> = std::iter::from_fn(|| alerts.try_recv().ok()).collect();
    let (id, mut counted) = (key(2).id(), 0);
    for alert in &told {
        let Alert::UnknownKey { from, key, suppressed } = *alert else { panic!("{alert:?}") };
        assert!(from == other.addr() && key == id);
        counted += 1 + suppressed;
    }
    assert!((2..=7).contains(&told.len()) && counted <= s.refused_key, "one in ten seconds: {told:?}");
}

/// Ten minutes without news: nothing is refused, nothing is asked, and a datagram has 42 bytes more than its frame.
#[test]
fn a_quiet_cluster_pays_for_the_envelope_alone() {
    let quiet = |seal: Seal| {
        let mut w = world(7, seal, Config::lan("sim"));
        start(&mut w, 10);
        settle(&mut w, 10);
        w.run(secs(60));
        let (before, sent) = (driven(&w), w.sent_total());
        w.run(secs(600));
        for (s, before) in driven(&w).iter().zip(before) {
            assert_eq!((s.refused(), s.controls_sent), (0, before.controls_sent), "{s:?}");
        }
        let now = w.sent_total();
        ((now.datagrams - sent.datagrams) as f64, (now.bytes - sent.bytes) as f64)
    };
    let ((plain, plain_bytes), (sealed, sealed_bytes)) = (quiet(Seal::Plain), quiet(Seal::Sealed));
    let (plain_frame, sealed_frame) = (plain_bytes / plain - 10.0, sealed_bytes / sealed - 42.0);
    println!("{plain} plain datagrams of {plain_frame:.2} + 10 bytes, {sealed} sealed ones of {sealed_frame:.2} + 42");
    assert!((sealed / plain - 1.0).abs() < 0.02 && (sealed_frame / plain_frame - 1.0).abs() < 0.02);
}

/// The network damages what is sealed: each such datagram is lost, and no more.
#[test]
fn damage_on_the_way_is_loss() {
    let mut w = world(9, Seal::Sealed, Config::lan("sim"));
    start(&mut w, 5);
    settle(&mut w, 5);
    w.link.damage.flip = percent(5);
    w.run(secs(60));
    let (corrupted, refused) = (w.network().corrupted, driven(&w).iter().map(|s| s.refused()).sum::<u64>());
    w.link.damage.flip = 0;
    w.run(millis(10));
    assert!(
        w.all_see(5) && corrupted > 10 && refused.abs_diff(corrupted) <= 1,
        "{corrupted} damaged, {refused} refused"
    );
}

/// A machine sleeps, and its clock stands still meanwhile: the date alone says that it may be one of two copies.
#[test]
fn who_has_slept_seals_under_another_session() {
    let mut w = world(4, Seal::Sealed, Config::lan("sim"));
    let nodes = start(&mut w, 5);
    settle(&mut w, 5);
    w.pause(nodes[2]);
    w.run(secs(6));
    w.clock_back(nodes[2], secs(6));
    w.resume(nodes[2]);
    w.run(secs(1));
    assert_eq!(nodes.iter().map(|&node| driver(&w, node).sessions_begun).collect::<Vec<_>>(), [1, 1, 2, 1, 1]);
    w.run_until(secs(60), |w| w.all_see(5)).expect("it is heard again");
    assert!(nodes.iter().all(|&node| driver(&w, node).sessions_begun <= 2));
}

/// What opens datagrams that were sent, or would: the sessions' ids, the keys that follow from them, and the numbers in
/// challenges and proofs. By an implementation of the document's, so that what is looked for is what is to be found.
fn secrets_of(sent: &[Recorded]) -> BTreeSet<Vec<u8>> {
    let mut secrets = BTreeSet::new();
    for Recorded { bytes, .. } in sent.iter().filter(|sent| is_control(&sent.bytes)) {
        let (header, rest) = bytes.split_at(26);
        let (session, counter) = (&header[4..20], &header[20..]);
        let opened = [1, 2].into_iter().find_map(|n| {
            let mut derived = [0; 32];
            let info = [&b"swim sealed 1\0"[..], b"sim"];
            Hkdf::<Sha256>::new(Some(session), &[n; 32]).expand_multi_info(&info, &mut derived).expect("it is short");
            let (mut body, tag) = (rest[..21].to_vec(), rest[21..].try_into().expect("a tag has 16 bytes"));
            let nonce: [u8; 12] = [&[0; 6], counter].concat().try_into().expect("twice six");
            let (cipher, aad) = (Aes256Gcm::new(&derived.into()), [header, b"sim"].concat());
            let opened = cipher.decrypt_inout_detached((&nonce).into(), &aad, body.as_mut_slice().into(), tag);
            opened.ok().map(|()| (derived, body))
        });
        let (derived, body) = opened.expect("one of the two keys opens it");
        secrets.extend([session.to_vec(), derived.to_vec()]);
        secrets.extend([&body[1..9], &body[9..17]].into_iter().filter(|number| **number != [0; 8]).map(<[u8]>::to_vec));
    }
    secrets
}

/// The same seed gives the same bytes; what a recorder has seen is what was inside of them; and nothing that would open them is
/// in its trace.
#[test]
fn a_sealed_run_can_be_repeated_and_replayed() {
    let run = |seed| {
        let mut w = World::with_config(seed, Config::lan("sim"));
        w.seal(ring(&[1], 1));
        w.link.loss = percent(10);
        let sent = record(&mut w);
        let first = w.spawn_with("recorded", |setup| {
            let mut recording = Recording::of(1 << 24);
            recording.unix_micros = Some(0);
            setup.record = Some(recording);
        });
        let others = w.mass_join("m", 4, &[first], secs(1));
        w.run(secs(20));
        w.restart(others[0]);
        w.join(others[0], &[first]);
        w.nodes().for_each(|node| w.set_keyring(node, ring(&[1, 2], 2)));
        w.run_until(secs(180), |w| w.all_see(5)).expect("all see all again");
        assert_eq!(driver(&w, first).sessions_begun, 2);
        let (recorder, digest) = (w.handle(first).recorder().expect("it is recorded").clone(), w.digest());
        drop(w);
        let (trace, secrets) = (recorder.trace(), secrets_of(&sent.borrow()));
        assert!(secrets.len() > 50, "a key and an id for each of some ten sessions, and numbers: {}", secrets.len());
        let beginnings: BTreeSet<&[u8]> = secrets.iter().map(|secret| &secret[..8]).collect();
        assert!(!trace.windows(8).any(|bytes| beginnings.contains(bytes)), "a secret is in the trace");
        assert!(!trace.windows(32).any(|bytes| [1, 2].iter().any(|&n| bytes == [n; 32])), "a key is in the trace");
        assert!(trace.windows(8).any(|bytes| bytes == b"recorded"), "what is said is there");
        conformance::replay("sealed", &recorder).expect("the same life");
        digest
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
