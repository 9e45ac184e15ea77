//! A cluster of agents, and what they say, in one order and on one clock.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::util::{Swim, parsed};

/// Agents `n0`, `n1`, ... Killed when dropped.
pub(crate) struct Cluster {
    agents: Vec<Swim>,
    told: Receiver<Line>,
    teller: Sender<Line>,
    /// What each believes of each, as it last said.
    beliefs: Vec<Vec<Belief>>,
    /// All that was said, for whoever has to find out why.
    log: Vec<Told>,
    begun: Instant,
}

/// A line of an agent, and when it was read; none at its end.
type Line = (Instant, usize, Option<String>);

/// What an agent says of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Belief {
    Unknown,
    Alive,
    Suspect,
    Gone,
}

/// One event of one agent.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) at: Instant,
    /// Who says it.
    pub(crate) agent: usize,
    /// About whom; none for those of no agent here.
    pub(crate) about: Option<usize>,
    pub(crate) event: String,
    /// Who accuses, if it says that.
    pub(crate) accuser: Option<usize>,
    line: Value,
}

impl Told {
    fn new(at: Instant, agent: usize, line: Value) -> Self {
        let text = |key: &str| line[key].as_str();
        let node = |key: &str| text(key).and_then(index);
        let event = text("event").expect("every line is an event").to_owned();
        let (about, accuser) = (node("name"), node("by_name"));
        Self { at, agent, about, event, accuser, line }
    }

    pub(crate) fn is_suspicion(&self) -> bool {
        self.event == "member_suspect"
    }

    /// A goodbye is none; nobody says goodbye here.
    pub(crate) fn is_death(&self) -> bool {
        self.event == "member_down"
    }

    /// What it says of that member from now on.
    fn belief(&self) -> Option<Belief> {
        match &*self.event {
            "member_up" | "member_restarted" | "member_refuted" => Some(Belief::Alive),
            "member_suspect" => Some(Belief::Suspect),
            "member_down" => Some(Belief::Gone),
            "member_forgotten" => Some(Belief::Unknown),
            _ => None,
        }
    }
}

impl Cluster {
    /// So many agents, the others joining the first, once all see all. `place` gives the program to start one with, and
    /// where it listens, `more` what all of them are told besides.
    pub(crate) fn formed(nodes: usize, more: &[&str], place: impl Fn(usize) -> (Command, String)) -> Self {
        let (teller, told) = channel();
        let beliefs = vec![vec![Belief::Unknown; nodes]; nodes];
        let mut cluster = Self { agents: Vec::new(), told, teller, beliefs, log: Vec::new(), begun: Instant::now() };
        cluster.add(place(0), more, None);
        let mut seed = None;
        while seed.is_none() {
            let told = cluster.next(cluster.begun + FORMED).expect("the first agent has started");
            seed = told.line["addr"].as_str().map(str::to_owned);
        }
        (1..nodes).for_each(|node| cluster.add(place(node), more, seed.as_deref()));
        let took = cluster.until("all see all", FORMED, |_, _| {}, Self::is_whole);
        println!("{nodes} agents see each other {took:.1?} after the last start");
        cluster
    }

    fn add(&mut self, (mut command, bind): (Command, String), more: &[&str], seed: Option<&str>) {
        let node = self.agents.len();
        let args = ["agent", "--cluster", "netns", "--preset", "local", "--format", "jsonl", "--name"];
        command.args(args).args([&name(node), "--bind", &bind]).args(more);
        seed.into_iter().for_each(|seed| _ = command.args(["--join", seed]));
        let (ours, theirs) = UnixStream::pair().expect("there is another stream");
        self.agents.push(Swim::spawn_into(&mut command, OwnedFd::from(theirs)));
        let teller = self.teller.clone();
        thread::spawn(move || {
            let lines = BufReader::new(ours).lines().map(|line| Some(line.expect("it writes UTF-8")));
            for line in lines.chain([None]) {
                let Ok(()) = teller.send((Instant::now(), node, line)) else { return };
            }
        });
    }

    /// The next event of any agent, unless it comes later than this.
    fn next(&mut self, deadline: Instant) -> Option<Told> {
        match self.told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok((at, agent, Some(line))) => {
                let told = Told::new(at, agent, parsed(&line));
                assert_ne!(told.event, "lagged", "events are lost: {line}");
                if let (Some(about), Some(belief)) = (told.about.filter(|&about| about != agent), told.belief()) {
                    self.beliefs[agent][about] = belief;
                }
                self.log.push(told.clone());
                Some(told)
            }
            Ok((_, agent, None)) => {
                self.agents[agent].stderr.drain();
                panic!("{} ended:\n{}\n{self}", name(agent), self.agents[agent].stderr.text());
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => unreachable!("a sender is kept here"),
        }
    }

    /// Awaits this, and judges all that is said meanwhile: how long it took.
    pub(crate) fn until(
        &mut self,
        what: &str,
        limit: Duration,
        mut judge: impl FnMut(&Self, &Told),
        done: impl Fn(&Self) -> bool,
    ) -> Duration {
        let begin = Instant::now();
        let mut last = begin;
        while !done(self) {
            let told = self.next(begin + limit).unwrap_or_else(|| panic!("not within {limit:?}: {what}\n{self}"));
            judge(self, &told);
            last = told.at;
        }
        last.saturating_duration_since(begin)
    }

    /// Judges all that is said for so long.
    pub(crate) fn watch(&mut self, span: Duration, mut judge: impl FnMut(&Self, &Told)) {
        let end = Instant::now() + span;
        while let Some(told) = self.next(end) {
            judge(self, &told);
        }
    }

    /// Sends a signal to an agent.
    pub(crate) fn signal(&self, node: usize, signal: &str) {
        self.agents[node].signal(signal);
    }

    /// What the driver of an agent has counted so far under this name.
    pub(crate) fn counted(&mut self, node: usize, counter: &str) -> u64 {
        self.signal(node, "-USR1");
        let line = self.agents[node].stderr.find(|line| line.starts_with("SIGUSR1: "));
        let counters = parsed(line.trim_start_matches("SIGUSR1: "));
        counters["driver"][counter].as_u64().unwrap_or_else(|| panic!("no {counter} in {line}"))
    }

    /// What an agent says of another.
    pub(crate) fn belief(&self, of: usize, about: usize) -> Belief {
        self.beliefs[of][about]
    }

    pub(crate) fn is_alive(&self, of: usize, about: usize) -> bool {
        self.belief(of, about) == Belief::Alive
    }

    /// Does everybody say of everybody that it is alive?
    pub(crate) fn is_whole(&self) -> bool {
        self.pairs().all(|(of, about)| self.is_alive(of, about))
    }

    /// Everybody.
    pub(crate) fn nodes(&self) -> Range<usize> {
        0..self.beliefs.len()
    }

    /// Everybody with everybody else.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let nodes = self.nodes();
        nodes.clone().flat_map(move |of| nodes.clone().filter(move |&about| about != of).map(move |about| (of, about)))
    }
}

/// What all believe, and what was said last.
impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (of, beliefs) in self.beliefs.iter().enumerate() {
            writeln!(f, "{} believes {beliefs:?}", name(of))?;
        }
        for told in &self.log[self.log.len().saturating_sub(SHOWN)..] {
            let at = told.at.saturating_duration_since(self.begun);
            writeln!(f, "{:>8.3}s {}: {}", at.as_secs_f64(), name(told.agent), told.line)?;
        }
        Ok(())
    }
}

/// The name of an agent.
pub(crate) fn name(node: usize) -> String {
    format!("n{node}")
}

fn index(name: &str) -> Option<usize> {
    name.strip_prefix('n')?.parse().ok()
}

/// Bounds a failure.
const FORMED: Duration = Duration::from_secs(60);
/// Lines of a failure.
const SHOWN: usize = 60;
