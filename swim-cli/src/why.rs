//! Why a member is suspected or held for dead: the facts that a node has noted, for people and for programs.
//!
//! Times are told from the event that they explain: a fact carries its driver's clock, whose origin only the driver
//! knows.

use std::collections::BTreeSet;
use std::time::Duration;

use bind_mio::swim_core::{Event, Evidence, Fact, Instant, NodeId, State};
use bind_mio::swim_driver::MemberView;
use serde::Serialize;
use swim_trace_tools::json::Digits;

use crate::output::shown;
use crate::units::counted;

/// What led to one event.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Why {
    facts: Vec<Told>,
    #[serde(skip)]
    verdict: String,
}

/// One fact. The field order is the order of the keys.
#[derive(Debug, Serialize)]
struct Told {
    #[serde(flatten)]
    keys: Keys,
    ago_ms: u64,
    health: u32,
    #[serde(skip)]
    ago: Duration,
    #[serde(skip)]
    words: String,
}

#[derive(Debug, Serialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
enum Keys {
    Up { incarnation: String },
    ProbeFailed { nonce: String, waited_ms: u64, relays: u32 },
    RelaySilent { relay: String, relay_name: String },
    RelayNacked { relay: String, relay_name: String },
    Suspected { incarnation: String, by: Option<String>, by_name: Option<String>, dead_in_ms: Option<u64> },
    Confirmed { by: String, by_name: String, dead_in_ms: Option<u64> },
    Refuted { incarnation: String },
    Dead { incarnation: String, declared_here: bool },
    Left { incarnation: String },
    AnsweredByAnother { by: String, by_name: String },
    Other { text: String },
}

impl Why {
    /// What led to a suspicion or a death, for the node `me` that reports it; any other event explains itself. The row
    /// is as of the event, or later.
    pub(crate) fn of(
        event: &Event,
        row: Option<&MemberView>,
        me: NodeId,
        name: impl Fn(NodeId) -> String,
    ) -> Option<Self> {
        if !matches!(event, Event::MemberSuspect { .. } | Event::MemberDown { left: false, .. }) {
            return None;
        }
        let (facts, base) = led_to(event, row.map(MemberView::evidence).unwrap_or_default());
        let told = facts.iter().map(|evidence| Told::new(evidence, base, me, &name)).collect();
        Some(Self { facts: told, verdict: verdict(facts, me) })
    }

    /// What led to what the node `me` believes of a member at this moment, by all facts that it keeps. Of a member that is well,
    /// or gone for good, the last words are the verdict.
    pub(crate) fn now(
        state: State,
        facts: &[Evidence],
        at: Instant,
        me: NodeId,
        name: impl Fn(NodeId) -> String,
    ) -> Self {
        let told = facts.iter().map(|evidence| Told::new(evidence, at, me, &name)).collect();
        let verdict = match state {
            State::Suspect | State::Dead => verdict(&of_this_life(facts), me),
            State::Alive => alive(facts),
            State::Left => "left: it said goodbye".into(),
        };
        Self { facts: told, verdict }
    }

    /// Of itself a node notes nothing.
    pub(crate) fn myself() -> Self {
        Self { facts: Vec::new(), verdict: "this is the node itself".into() }
    }

    /// For people: a line for each fact, and the verdict.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let facts = self.facts.iter().map(|told| {
            let sign = if told.ago.is_zero() { "" } else { "-" };
            let ago = format!("{sign}{:.3}s", told.ago.as_secs_f64());
            format!("  {ago:<10}  {}", told.words)
        });
        facts.chain([format!("  verdict: {}", self.verdict)])
    }
}

/// The facts from when the member was last well until this event, and when that was. None when they are not kept any
/// more.
fn led_to<'a>(event: &Event, facts: &'a [Evidence]) -> (&'a [Evidence], Instant) {
    let is_it = |e: &Evidence| match (event, e.fact) {
        (Event::MemberSuspect { incarnation, .. }, Fact::Suspected { incarnation: of, .. })
        | (Event::MemberDown { incarnation, .. }, Fact::Dead { incarnation: of, .. }) => of == *incarnation,
        _ => false,
    };
    let Some(it) = facts.iter().rposition(is_it) else { return (&[], Instant::ORIGIN) };
    let base = facts[it].at;
    // Accusers that came in the same datagram are noted behind the suspicion that they confirm.
    let confirms = |e: &&Evidence| e.at == base && matches!(e.fact, Fact::Confirmed { .. });
    let end = it + 1 + facts[it + 1..].iter().take_while(confirms).count();
    let well = facts[..it].iter().rposition(|e| matches!(e.fact, Fact::Up { .. } | Fact::Refuted { .. }));
    let gone = facts[..it].iter().rposition(|e| matches!(e.fact, Fact::Dead { .. } | Fact::Left { .. }));
    let start = well.max(gone.map(|i| i + 1)).unwrap_or(0);
    (&facts[start..end], base)
}

impl Told {
    fn new(evidence: &Evidence, base: Instant, me: NodeId, name: &impl Fn(NodeId) -> String) -> Self {
        let ago = base.since(evidence.at);
        let (keys, words) = told(evidence, me, name);
        Self { keys, ago_ms: millis(ago), health: evidence.health, ago, words }
    }
}

fn told(evidence: &Evidence, me: NodeId, name: &impl Fn(NodeId) -> String) -> (Keys, String) {
    let (id, health) = (NodeId::to_string, evidence.health);
    match evidence.fact {
        Fact::Up { incarnation } => {
            (Keys::Up { incarnation: incarnation.to_string() }, format!("there, incarnation {incarnation}"))
        }
        Fact::ProbeFailed { nonce, sent, deadline, relays } => {
            let (nonce, waited) = (Digits(nonce), deadline.since(sent));
            let words = format!(
                "my probe (nonce {nonce}) was not answered by its deadline, {} after the ping; {}; my health {health}",
                seconds(waited),
                match relays {
                    0 => "no relay was asked".into(),
                    _ => format!("asked {}", counted(relays, "relay")),
                }
            );
            (Keys::ProbeFailed { nonce: nonce.to_string(), waited_ms: millis(waited), relays }, words)
        }
        Fact::RelaySilent { relay } => (
            Keys::RelaySilent { relay: id(&relay), relay_name: name(relay) },
            format!("relay {}: silent too", shown(&name(relay))),
        ),
        Fact::RelayNacked { relay } => (
            Keys::RelayNacked { relay: id(&relay), relay_name: name(relay) },
            format!("relay {}: is there, heard nothing (nack)", shown(&name(relay))),
        ),
        Fact::Suspected { incarnation, by, deadline } => {
            let left = left(evidence.at, deadline);
            let keys = Keys::Suspected {
                incarnation: incarnation.to_string(),
                by: by.as_ref().map(id),
                by_name: by.map(name),
                dead_in_ms: left.map(millis),
            };
            (keys, format!("accused by {}{}", accuser(by, me, name), unless(left)))
        }
        Fact::Confirmed { by, deadline } => {
            let left = left(evidence.at, deadline);
            let keys = Keys::Confirmed { by: id(&by), by_name: name(by), dead_in_ms: left.map(millis) };
            (keys, format!("confirmed by {}{}", accuser(Some(by), me, name), unless(left)))
        }
        Fact::Refuted { incarnation } => {
            (Keys::Refuted { incarnation: incarnation.to_string() }, format!("refuted, incarnation {incarnation}"))
        }
        Fact::Dead { incarnation, declared_here } => {
            let who = if declared_here { "its time ran out here" } else { "another node said so" };
            (Keys::Dead { incarnation: incarnation.to_string(), declared_here }, format!("dead: {who}"))
        }
        Fact::Left { incarnation } => (Keys::Left { incarnation: incarnation.to_string() }, "said goodbye".into()),
        Fact::AnsweredByAnother { by } => (
            Keys::AnsweredByAnother { by: id(&by), by_name: name(by) },
            format!("another member answers at its address: {}", accuser(Some(by), me, name)),
        ),
        // The core may learn new ones; its own words are better than none.
        other => (Keys::Other { text: format!("{other:?}") }, format!("{other:?}")),
    }
}

fn accuser(by: Option<NodeId>, me: NodeId, name: &impl Fn(NodeId) -> String) -> String {
    match by {
        Some(by) if by == me => "this node".into(),
        Some(by) => shown(&name(by)).into_owned(),
        None => "somebody who was not named".into(),
    }
}

/// How long the accused has to refute.
fn left(at: Instant, deadline: Instant) -> Option<Duration> {
    (deadline != Instant::NEVER).then(|| deadline.since(at))
}

fn unless(left: Option<Duration>) -> String {
    left.map(|left| format!("; dead in {} unless it refutes", seconds(left))).unwrap_or_default()
}

/// What is noted since the member was last well: what was found here first, since a probe may fail behind the suspicion as well.
fn of_this_life(facts: &[Evidence]) -> Vec<Evidence> {
    let well = facts.iter().rposition(|e| matches!(e.fact, Fact::Up { .. } | Fact::Refuted { .. }));
    let found_here =
        |e: &Evidence| matches!(e.fact, Fact::ProbeFailed { .. } | Fact::RelaySilent { .. } | Fact::RelayNacked { .. });
    let (mut facts, told): (Vec<_>, Vec<_>) = facts[well.unwrap_or(0)..].iter().partition(|e| found_here(e));
    facts.extend(told);
    facts
}

fn alive(facts: &[Evidence]) -> String {
    match facts.last().map(|e| e.fact) {
        Some(Fact::Refuted { incarnation }) => format!("alive: it has refuted, at incarnation {incarnation}"),
        Some(Fact::ProbeFailed { .. } | Fact::RelaySilent { .. } | Fact::RelayNacked { .. }) => {
            "alive, though the last probe that is noted was not answered".into()
        }
        Some(Fact::Up { .. }) => "alive: nothing is noted against it since it came".into(),
        Some(Fact::AnsweredByAnother { .. }) => "alive, though another member answers at its address".into(),
        _ => "alive".into(),
    }
}

fn verdict(facts: &[Evidence], me: NodeId) -> String {
    match facts.iter().rfind(|e| !matches!(e.fact, Fact::Confirmed { .. } | Fact::AnsweredByAnother { .. })) {
        Some(Evidence { fact: Fact::Suspected { by, .. }, .. }) if *by == Some(me) => {
            format!("suspect, found here: {}", own_probe(facts).unwrap_or_else(|| "my probe failed".into()))
        }
        Some(Evidence { fact: Fact::Suspected { .. }, .. }) => {
            let own = own_probe(facts).unwrap_or_else(|| "no probe of mine has failed".into());
            format!("suspect, because others say so; {own}")
        }
        Some(Evidence { fact: Fact::Dead { declared_here: true, .. }, at, .. }) => {
            let mut grounds: Vec<String> = own_probe(facts).into_iter().collect();
            let since = facts.iter().rposition(|e| matches!(e.fact, Fact::Suspected { .. }));
            let accusers = accusers(&facts[since.unwrap_or(0)..]);
            if accusers > 0 {
                grounds.push(counted(accusers, "accuser"));
            }
            grounds.push(match since {
                Some(i) => format!("no refutation in {}", seconds(at.since(facts[i].at))),
                None => "no refutation".into(),
            });
            format!("dead, declared here: {}", grounds.join(", "))
        }
        Some(Evidence { fact: Fact::Dead { .. }, .. }) => {
            let own = own_probe(facts).unwrap_or_else(|| "no probe of mine has failed".into());
            format!("dead, declared by another node; {own}")
        }
        _ => "what led to it is not known any more".into(),
    }
}

/// What this node itself has found, by the last of its probes that failed.
fn own_probe(facts: &[Evidence]) -> Option<String> {
    facts.iter().rev().find_map(|e| match e.fact {
        Fact::ProbeFailed { relays: 0, .. } => Some("no ack to my probe, and no relay to ask".into()),
        Fact::ProbeFailed { relays, .. } => Some(format!("no ack directly nor through {}", counted(relays, "relay"))),
        _ => None,
    })
}

/// Named accusers, once each.
fn accusers(facts: &[Evidence]) -> usize {
    let by = facts.iter().filter_map(|e| match e.fact {
        Fact::Suspected { by, .. } => by,
        Fact::Confirmed { by, .. } => Some(by),
        _ => None,
    });
    by.collect::<BTreeSet<_>>().len()
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use bind_mio::swim_core::Incarnation;

    use super::*;

    const ME: NodeId = NodeId::new(1);
    const IT: NodeId = NodeId::new(2);
    const LIFE: Incarnation = Incarnation::new(1, 0);

    fn at(millis: u64, fact: Fact) -> Evidence {
        Evidence { at: Instant::from_millis(millis), health: 0, fact }
    }

    fn suspected(millis: u64, by: NodeId) -> Evidence {
        let deadline = Instant::from_millis(millis + 4_000);
        at(millis, Fact::Suspected { incarnation: LIFE, by: Some(by), deadline })
    }

    fn probe_failed(millis: u64, relays: u32) -> Evidence {
        let (sent, deadline) = (Instant::from_millis(millis - 1_000), Instant::from_millis(millis));
        at(millis, Fact::ProbeFailed { nonce: 0x1a2b, sent, deadline, relays })
    }

    fn confirmed(millis: u64, by: NodeId) -> Evidence {
        at(millis, Fact::Confirmed { by, deadline: Instant::from_millis(millis + 500) })
    }

    fn dead(millis: u64, declared_here: bool) -> Evidence {
        at(millis, Fact::Dead { incarnation: LIFE, declared_here })
    }

    fn name(id: NodeId) -> String {
        format!("n{}\n", id.as_u64())
    }

    fn why(event: &Event, facts: &[Evidence]) -> Why {
        let (facts, base) = led_to(event, facts);
        let told = facts.iter().map(|e| Told::new(e, base, ME, &name)).collect();
        Why { facts: told, verdict: verdict(facts, ME) }
    }

    fn lines(event: &Event, facts: &[Evidence]) -> Vec<String> {
        why(event, facts).lines().collect()
    }

    const SUSPECT: Event = Event::MemberSuspect { id: IT, incarnation: LIFE, by: Some(ME) };
    const DOWN: Event = Event::MemberDown { id: IT, incarnation: LIFE, left: false };

    #[test]
    fn a_death_from_the_first_silence_on() {
        let relay = |n| NodeId::new(n);
        let facts = [
            at(0, Fact::Up { incarnation: LIFE }),
            probe_failed(2_000, 2),
            at(2_000, Fact::RelaySilent { relay: relay(3) }),
            at(2_000, Fact::RelayNacked { relay: relay(4) }),
            suspected(2_000, ME),
            confirmed(2_500, relay(5)),
            dead(3_000, true),
        ];
        let wanted = [
            "  -3.000s     there, incarnation 1.0",
            "  -1.000s     my probe (nonce 00001a2b) was not answered by its deadline, 1.000 s after the ping; asked 2 \
             relays; my health 0",
            r"  -1.000s     relay n3\n: silent too",
            r"  -1.000s     relay n4\n: is there, heard nothing (nack)",
            "  -1.000s     accused by this node; dead in 4.000 s unless it refutes",
            r"  -0.500s     confirmed by n5\n; dead in 0.500 s unless it refutes",
            "  0.000s      dead: its time ran out here",
            "  verdict: dead, declared here: no ack directly nor through 2 relays, 2 accusers, no refutation in 1.000 s",
        ];
        assert_eq!(lines(&DOWN, &facts), wanted);
        // The suspicion ends where it began, even when the row has moved on.
        assert_eq!(lines(&SUSPECT, &facts).len(), 6);
        assert_eq!(lines(&SUSPECT, &facts)[5], "  verdict: suspect, found here: no ack directly nor through 2 relays");
        assert_eq!(
            serde_json::to_string(&why(&SUSPECT, &facts[4..])).unwrap(),
            r#"[{"fact":"suspected","incarnation":"1.0","by":"0000000000000001","by_name":"n1\n","dead_in_ms":4000,"ago_ms":0,"health":0}]"#
        );
    }

    #[test]
    fn what_is_over_is_not_told_again() {
        let other = NodeId::new(7);
        let refuted = at(1_500, Fact::Refuted { incarnation: LIFE });
        let facts = [suspected(1_000, ME), refuted, suspected(2_000, other), confirmed(2_000, NodeId::new(8))];
        let told = lines(&SUSPECT, &facts);
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(told[0].ends_with("refuted, incarnation 1.0") && told[2].contains("confirmed by n8"), "{told:?}");
        let told = lines(&SUSPECT, &[dead(1_000, true), suspected(2_000, other)]);
        assert_eq!(told.len(), 2, "{told:?}");
    }

    #[test]
    fn the_word_of_others_is_told_apart() {
        let other = NodeId::new(7);
        let last = |event: &Event, facts: &[Evidence]| lines(event, facts).pop().expect("a verdict is always there");
        assert_eq!(
            last(&SUSPECT, &[suspected(1_000, other)]),
            "  verdict: suspect, because others say so; no probe of mine has failed"
        );
        let facts = [suspected(1_000, other), probe_failed(2_000, 0), dead(3_000, false)];
        assert_eq!(
            last(&DOWN, &facts),
            "  verdict: dead, declared by another node; no ack to my probe, and no relay to ask"
        );
        let facts = [suspected(1_000, other), dead(3_000, true)];
        assert_eq!(last(&DOWN, &facts), "  verdict: dead, declared here: 1 accuser, no refutation in 2.000 s");
        assert_eq!(lines(&DOWN, &[]), ["  verdict: what led to it is not known any more"]);
        assert_eq!(serde_json::to_string(&why(&DOWN, &[])).unwrap(), "[]");
    }

    #[test]
    fn a_moment_between_events_has_a_verdict() {
        let verdict = |state, facts: &[Evidence]| {
            let why = Why::now(state, facts, Instant::from_millis(9_000), ME, name);
            assert_eq!(why.lines().count(), facts.len() + 1);
            why.verdict
        };
        let up = at(0, Fact::Up { incarnation: LIFE });
        let refuted = at(3_000, Fact::Refuted { incarnation: LIFE.next() });
        let accused = suspected(2_000, NodeId::new(7));
        assert_eq!(verdict(State::Alive, &[up]), "alive: nothing is noted against it since it came");
        assert_eq!(verdict(State::Alive, &[up, accused, refuted]), "alive: it has refuted, at incarnation 1.1");
        assert!(verdict(State::Alive, &[up, probe_failed(2_000, 0)]).contains("was not answered"));
        // A probe that fails behind the suspicion is a ground as well, one of a former suspicion is not.
        let last = "suspect, because others say so; no ack directly nor through 2 relays";
        assert_eq!(verdict(State::Suspect, &[up, accused, probe_failed(2_500, 2)]), last);
        let last = "suspect, because others say so; no probe of mine has failed";
        assert_eq!(verdict(State::Suspect, &[probe_failed(1_000, 2), refuted, suspected(4_000, NodeId::new(7))]), last);
        let last = "dead, declared here: 1 accuser, no refutation in 1.000 s";
        assert_eq!(verdict(State::Dead, &[up, accused, dead(3_000, true)]), last);
        assert_eq!(verdict(State::Left, &[up, at(1, Fact::Left { incarnation: LIFE })]), "left: it said goodbye");
        assert_eq!(verdict(State::Dead, &[]), "what led to it is not known any more");
        assert_eq!(
            Why::now(State::Alive, &[up], Instant::from_millis(9_000), ME, name).lines().next().unwrap(),
            "  -9.000s     there, incarnation 1.0"
        );
    }
}
