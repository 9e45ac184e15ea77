//! Real agents on real networks that fail: in network namespaces, losing datagrams and cut apart, and stopped by a signal.
//! Behind the feature `netns`, because what is tested takes minutes.
//!
//! Namespaces need root, `ip` and `nft`; where there are none, the tests that need them say so and end.

mod util;

mod netns {
    pub(crate) mod cluster;
    pub(crate) mod lab;
}

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use bind_mio::swim_core::Config;

use netns::cluster::{Belief, Cluster, Told, name};
use netns::lab::{Cut, LOSS_PERCENT, Lab};
use util::{SWIM, printed};

const NODES: usize = 6;
const MINUTE: Duration = Duration::from_secs(60);
const CUT: Duration = Duration::from_secs(120);

/// A network and six agents in it; says why when there can be none.
fn six() -> Option<(Lab, Cluster)> {
    match Lab::new(NODES) {
        Ok(lab) => {
            let place = |node| (lab.command(node, SWIM), format!("{}:7946", Lab::addr(node)));
            let cluster = Cluster::formed(NODES, &[], place);
            // Dropped in the other order: no agent outlives its network.
            Some((lab, cluster))
        }
        Err(why) => {
            println!("SKIPPED: {why}");
            None
        }
    }
}

fn nobody_dies(cluster: &Cluster, told: &Told) {
    assert!(!told.is_death(), "{told:?}\n{cluster}");
}

/// The longest that a suspicion of a healthy member lasts, and what tells that it is refuted.
fn settled() -> Duration {
    let config = Config::local("netns");
    config.suspicion_bounds(NODES).1 + told_by_gossip(&config) + config.join_retry_max
}

/// An update is told as often as it is told at all, and so is one that follows from it.
fn told_by_gossip(config: &Config) -> Duration {
    config.gossip_interval * 2 * config.retransmit_limit(NODES) as u32
}

/// Whoever is suspected for the loss alone refutes it in time.
#[test]
fn loss_convicts_nobody() {
    let Some((lab, mut cluster)) = six() else { return };
    lab.begin_loss();
    let (mut suspicions, mut refutations) = (0, 0);
    cluster.watch(MINUTE, |cluster, told| {
        nobody_dies(cluster, told);
        suspicions += u32::from(told.is_suspicion());
        refutations += u32::from(told.event == "refuted");
    });
    lab.end_loss();
    let lost = lab.lost();
    assert!(lost.iter().all(|&lost| lost > 0), "the loss has struck everybody: {lost:?}");
    let took = cluster.until("nobody is suspected any more", settled(), nobody_dies, Cluster::is_whole);
    println!(
        "{LOSS_PERCENT} % loss for {MINUTE:?}: {} datagrams lost, nobody declared dead, {suspicions} suspicions said, \
         {refutations} refutations; all alive to all {took:.1?} after it",
        lost.iter().sum::<u64>()
    );
}

/// What does not come from the one to the other comes by a relay, both ways: nobody says oftener than once a minute that one
/// of the two is suspected. A machine that hangs for a moment makes all suspect all, cut or not. So what is said of the others
/// is the measure of that: such a moment costs the two more, who need a relay in time, and where there was none, once is all.
#[test]
fn a_one_way_cut_convicts_nobody() {
    let Some((lab, mut cluster)) = six() else { return };
    let mut stopped = 0;
    for (from, to) in [(1, 4), (4, 1)] {
        lab.cut(Cut::Datagrams, [(from, to)].into_iter());
        let mut flaps: BTreeMap<(usize, usize), u32> = BTreeMap::new();
        cluster.watch(MINUTE, |cluster, told| {
            nobody_dies(cluster, told);
            if let (true, Some(about)) = (told.is_suspicion(), told.about) {
                *flaps.entry((told.agent, about)).or_default() += 1;
            }
        });
        lab.heal(Cut::Datagrams);
        let now = lab.stopped(Cut::Datagrams) - stopped;
        stopped += now;
        assert!(now > 0, "the cut has stopped something");
        let most = |of_the_two: bool| {
            let said = flaps.iter().filter(|((_, about), _)| [from, to].contains(about) == of_the_two);
            said.map(|(_, &times)| times).max().unwrap_or(0)
        };
        let (of_the_two, of_others) = (most(true), most(false));
        println!(
            "nothing from {} to {} for {MINUTE:?}: {now} datagrams stopped, nobody declared dead, one of the two suspected \
             at most {of_the_two} times by the word of one agent, any of the others {of_others} times",
            name(from),
            name(to)
        );
        assert!(of_the_two <= 1 + 3 * of_others, "more than once a minute: {flaps:?}\n{cluster}");
    }
    cluster.until("nobody is suspected any more", settled(), nobody_dies, Cluster::is_whole);
}

/// Each half becomes a cluster of its own, convicting nobody of its own, and both become one again.
#[test]
fn halves_that_were_cut_apart_find_each_other() {
    let Some((lab, mut cluster)) = six() else { return };
    let apart = |a: usize, b: usize| (a < NODES / 2) != (b < NODES / 2);
    lab.cut(Cut::All, cluster.pairs().filter(|&(a, b)| apart(a, b)));
    let cut = Instant::now();

    let own_half_lives = move |cluster: &Cluster, told: &Told| {
        let wrong = told.is_death() && told.about.is_none_or(|about| !apart(told.agent, about));
        assert!(!wrong, "one's own half is there: {told:?}\n{cluster}");
    };
    let other_half_is_gone = move |c: &Cluster| c.pairs().all(|(a, b)| (c.belief(a, b) == Belief::Gone) == apart(a, b));
    let is_split = move |c: &Cluster| other_half_is_gone(c) && c.pairs().all(|(a, b)| apart(a, b) || c.is_alive(a, b));
    let took = cluster.until("each half holds the other dead, and nobody else", CUT, own_half_lives, is_split);
    println!("3 | 3: each half is a cluster of 3 after {took:.1?}");
    cluster.watch(CUT.saturating_sub(cut.elapsed()), |cluster, told| {
        own_half_lives(cluster, told);
        assert!(other_half_is_gone(cluster), "nothing comes through: {told:?}\n{cluster}");
    });
    assert!(lab.stopped(Cut::All) > 0, "the cut has stopped something");
    lab.heal(Cut::All);

    let limit = heals_within(&Config::local("netns"));
    let took = cluster.until("all see all again", limit, nobody_dies, Cluster::is_whole);
    println!("3 | 3, cut for {CUT:?}: all six see six alive {took:.2?} after the cut (bound {limit:.1?})");
    cluster.watch(settled(), nobody_dies);
    assert!(cluster.is_whole(), "and it stays so:\n{cluster}");
}

/// How long two halves take to become one, once nothing is between them.
///
/// By then the waits between knocks have grown to their longest, and all whom a node knocks at are of the other half, so the
/// first knock that gets through comes within one such wait. It answers with what the other half believes, and a sync begins
/// at once; accused ones refute, and each half tells its own. What that leaves to mend shows in the view hashes, and a sync
/// begins after at most one and a half of its patience, and the wait behind that.
fn heals_within(config: &Config) -> Duration {
    let mended = config.sync_patience * 3 / 2 + config.sync_patience / 2 + config.probe_interval;
    config.join_retry_max + told_by_gossip(config) + mended + ADDRESS_RESOLVED
}

/// The kernel asks for an address it has lost once a second, and holds what is to go there.
const ADDRESS_RESOLVED: Duration = Duration::from_secs(1);

/// An agent that was stopped for a minute convicts nobody for that, and makes itself known at once: it finds what others
/// said of it in its socket.
#[test]
fn a_stopped_agent_wakes_without_a_doubt() {
    let mut cluster = Cluster::formed(5, &[], |_| (Command::new(SWIM), "127.0.0.1:0".into()));
    cluster.signal(SLEEPER, "-STOP");
    sleep(&mut cluster);
    wake("stopped", &mut cluster, ALIVE_AGAIN);
}

/// The same with keys: when it goes on, it seals under another session, which nobody hears before it has shown that it
/// lives.
#[test]
fn a_stopped_agent_with_keys_wakes_without_a_doubt() {
    let keyring = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("netns-keyring");
    let _ = fs::remove_file(&keyring);
    let keyring = keyring.to_str().expect("a path of ours is text");
    printed(&["keys", "generate", "--keyring", keyring], &[]);
    let mut cluster = Cluster::formed(5, &["--keyring", keyring], |_| (Command::new(SWIM), "127.0.0.1:0".into()));
    let begun = |cluster: &mut Cluster| cluster.nodes().map(|node| cluster.counted(node, "sessions_begun")).collect();
    let before: Vec<u64> = begun(&mut cluster);
    cluster.signal(SLEEPER, "-STOP");
    sleep(&mut cluster);
    wake("stopped with keys", &mut cluster, ALIVE_AGAIN);
    let after: Vec<u64> = begun(&mut cluster);
    assert!(after[SLEEPER] > before[SLEEPER], "it goes on under another session: {before:?} {after:?}");
    assert!(cluster.nodes().all(|node| cluster.counted(node, "plain_sent") == 0), "nothing was ever plain");
}

/// The same when nothing waits in its socket either, as on a machine that was suspended.
#[test]
fn a_suspended_agent_wakes_without_a_doubt() {
    let Some((lab, mut cluster)) = six() else { return };
    cluster.signal(SLEEPER, "-STOP");
    lab.cut(Cut::Datagrams, cluster.pairs().filter(|&(a, b)| a == SLEEPER || b == SLEEPER));
    sleep(&mut cluster);
    lab.heal(Cut::Datagrams);
    wake("suspended", &mut cluster, ALIVE_AGAIN);
}

/// The same when it was suspecting somebody: by the clock that has run out long before it wakes, and nobody has heard of it.
#[test]
fn an_agent_that_slept_on_a_suspicion_does_not_make_it_a_death() {
    let Some((lab, mut cluster)) = six() else { return };
    lab.cut(Cut::Datagrams, cluster.pairs().filter(|&(a, b)| a == SLEEPER || b == SLEEPER));
    let suspects = |cluster: &Cluster| cluster.nodes().any(|about| cluster.belief(SLEEPER, about) == Belief::Suspect);
    cluster.until("it suspects somebody", MINUTE, only_the_sleeper_dies, suspects);
    cluster.signal(SLEEPER, "-STOP");
    sleep(&mut cluster);
    assert!(suspects(&cluster), "and sleeps on that:\n{cluster}");
    lab.heal(Cut::Datagrams);
    // The period in which it fell asleep is as long as its health made it, and goes on; the next ping is answered with what
    // is believed of it.
    wake("suspended with a suspicion", &mut cluster, slowest_period() + told_by_gossip(&Config::local("netns")));
}

/// Whoever is stopped for a while.
const SLEEPER: usize = 3;

fn only_the_sleeper_dies(cluster: &Cluster, told: &Told) {
    assert!(!told.is_death() || told.about == Some(SLEEPER), "{told:?}\n{cluster}");
}

/// A minute in which one agent is stopped: the others hold it dead, and nobody else.
fn sleep(cluster: &mut Cluster) {
    let begin = Instant::now();
    let is_gone = |c: &Cluster| c.nodes().all(|of| of == SLEEPER || c.belief(of, SLEEPER) == Belief::Gone);
    cluster.until("all others hold it dead", MINUTE, only_the_sleeper_dies, is_gone);
    cluster.watch(MINUTE.saturating_sub(begin.elapsed()), |cluster, told| {
        only_the_sleeper_dies(cluster, told);
        assert!(is_gone(cluster), "it is still stopped: {told:?}\n{cluster}");
    });
}

/// It goes on: it suspects nobody whom it did not suspect before, nobody dies, and it is alive everywhere in time.
fn wake(what: &str, cluster: &mut Cluster, limit: Duration) {
    let before: Vec<Belief> = cluster.nodes().map(|about| cluster.belief(SLEEPER, about)).collect();
    let woken = Instant::now();
    cluster.signal(SLEEPER, "-CONT");
    let mut times = BTreeMap::new();
    let mut judge = |cluster: &Cluster, told: &Told| {
        nobody_dies(cluster, told);
        let doubts = told.is_suspicion() && (told.agent == SLEEPER || told.accuser == Some(SLEEPER));
        // What comes later has a reason of a later period.
        let of_its_sleep = doubts && told.at <= woken + slowest_period();
        let anew = of_its_sleep && told.about.is_none_or(|about| before[about] != Belief::Suspect);
        assert!(!anew, "it has no reason to suspect anybody: {told:?}\n{cluster}");
        if told.about == Some(SLEEPER) && told.agent != SLEEPER && cluster.is_alive(told.agent, SLEEPER) {
            times.entry(name(told.agent)).or_insert(told.at - woken);
        }
    };
    cluster.until("all see all again", MINUTE, &mut judge, Cluster::is_whole);
    // Whatever it might have held against others while it was away would have run out by then.
    cluster.watch(Config::local("netns").suspicion_bounds(NODES).1, &mut judge);
    println!("{what} for {MINUTE:?}, then alive to {times:.0?} after it went on (bound {limit:.1?})");
    let in_time = times.values().all(|&took| took <= limit);
    assert!(times.len() + 1 == cluster.nodes().len() && in_time, "{times:?}\n{cluster}");
}

/// A period of an agent that finds itself as slow as can be.
fn slowest_period() -> Duration {
    let config = Config::local("netns");
    config.probe_interval * (config.health_max + 1)
}

/// How soon an agent that goes on must be alive everywhere.
const ALIVE_AGAIN: Duration = Duration::from_secs(1);
