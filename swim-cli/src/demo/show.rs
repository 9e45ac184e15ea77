//! What people are shown: titles, what each node reports, and tables, one below the other.

use std::time::{Duration, Instant};

use bind_mio::swim_core::{Event, NodeId, State};

use super::cluster::{Cluster, Seen};
use crate::output::{Failure, Out};
use crate::why::Why;

/// Shows, or keeps silent.
pub(super) struct Show {
    out: Option<Out>,
    /// The last counts that were shown while the cluster formed.
    counts: Vec<usize>,
}

type Shown = Result<(), Failure>;

impl Show {
    pub(super) fn to_people() -> Self {
        Self { out: Some(Out::new()), counts: Vec::new() }
    }

    pub(super) fn nothing() -> Self {
        Self { out: None, counts: Vec::new() }
    }

    pub(super) fn title(&mut self, text: &str) -> Shown {
        self.line(&format!("{text}\n"))
    }

    /// What each node runs on.
    pub(super) fn runtimes(&mut self, cluster: &Cluster) -> Shown {
        for node in 0..cluster.len() {
            self.line(&format!("  {:<8} on {}", cluster.name(node), cluster.runtime(node).name()))?;
        }
        self.line("")
    }

    /// What the step has shown, below what was reported.
    pub(super) fn result(&mut self, text: &str) -> Shown {
        self.line(&format!("\n{text}\n"))
    }

    /// How many members each node sees, when that is other than it was.
    pub(super) fn counts(&mut self, cluster: &Cluster, at: Instant) -> Shown {
        let counts: Vec<usize> = (0..cluster.len()).map(|node| cluster.alive(node)).collect();
        if self.out.is_none() || counts == self.counts {
            return Ok(());
        }
        if self.counts.is_empty() {
            let names: String = (0..cluster.len()).map(|node| format!("  {:>5}", cluster.name(node))).collect();
            self.line(&format!("  {:>8}{names}   see so many members", "time"))?;
        }
        let row: String = counts.iter().map(|count| format!("  {count:>5}")).collect();
        self.counts = counts;
        self.line(&format!("  {}{row}", offset(cluster, at)))
    }

    /// What a node has reported.
    pub(super) fn seen(&mut self, cluster: &Cluster, seen: &Seen) -> Shown {
        let (Some(out), Some(subject)) = (&mut self.out, seen.event.member().and_then(|id| cluster.index(id))) else {
            return Ok(());
        };
        let (state, more) = match seen.event {
            Event::MemberUp { incarnation, .. } => (State::Alive, format!(" (incarnation {incarnation})")),
            Event::MemberRefuted { incarnation, .. } => {
                (State::Alive, format!(" after all (incarnation {incarnation})"))
            }
            Event::MemberSuspect { by, .. } => (State::Suspect, accuser(cluster, seen.node, by)),
            Event::MemberDown { left, .. } => (if left { State::Left } else { State::Dead }, String::new()),
            _ => return Ok(()),
        };
        let (at, observer, subject) = (offset(cluster, seen.at), cluster.name(seen.node), cluster.name(subject));
        let state = out.paint(Some(state), &state.to_string()).into_owned();
        out.line(format_args!("  {at}  {observer} sees {subject} {state}{more}"))
    }

    /// The members as this node sees them.
    pub(super) fn table(&mut self, cluster: &Cluster, observer: usize) -> Shown {
        let Some(out) = &mut self.out else { return Ok(()) };
        let view = cluster.view(observer);
        let mut rows: Vec<_> = view.members().collect();
        rows.sort_by_key(|row| row.name());
        let heading = format!("{:<5}  {:<15}  {:<7}  incarnation", "name", "address", "state");
        out.line(format_args!("  {heading}    (as {} sees it)", cluster.name(observer)))?;
        for row in rows {
            let state = format!("{:<7}", row.state());
            let state = out.paint(Some(row.state()), &state);
            let line = format!("{:<5}  {:<15}  {state}  {}", row.name(), row.addr(), row.incarnation());
            out.line(format_args!("  {line}"))?;
        }
        out.line(format_args!(""))
    }

    /// What led to a report.
    pub(super) fn why(&mut self, cluster: &Cluster, seen: &Seen) -> Shown {
        let view = cluster.view(seen.node);
        let row = seen.event.member().and_then(|id| view.member(id));
        let name = |id| view.member(id).map(|row| row.name().into()).unwrap_or_else(|| NodeId::to_string(&id));
        let Some(why) = Why::of(&seen.event, row, view.me().id(), name) else { return Ok(()) };
        why.lines().try_for_each(|line| self.line(&line))?;
        self.line("")
    }

    fn line(&mut self, text: &str) -> Shown {
        self.out.as_mut().map_or(Ok(()), |out| out.line(format_args!("{text}")))
    }
}

fn accuser(cluster: &Cluster, observer: usize, by: Option<NodeId>) -> String {
    match by.and_then(|id| cluster.index(id)) {
        Some(node) if node == observer => " (its probe was not answered)".into(),
        Some(node) => format!(" (accused by {})", cluster.name(node)),
        None => String::new(),
    }
}

fn offset(cluster: &Cluster, at: Instant) -> String {
    format!("{:>8}", format!("+{:.3}s", at.duration_since(cluster.start).as_secs_f64()))
}

/// As people read times.
pub(super) fn time(took: Duration) -> String {
    if took < Duration::from_secs(1) {
        format!("{} ms", super::millis(took))
    } else {
        format!("{:.2} s", took.as_secs_f64())
    }
}
