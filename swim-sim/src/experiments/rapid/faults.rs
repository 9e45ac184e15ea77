//! Faults that last and that only some of the datagrams suffer from: whether views settle, and who is blamed.
//!
//! One process in a hundred is faulty. In the flip-flop nothing reaches it for 20 s, then everything for 20 s; what it
//! sends is always heard. With egress loss it loses four in five datagrams that it sends; it always hears. In the paper
//! memberlist's views oscillate under both, and never settle.

use swim_core::{Config, Event};

use super::super::real::Cluster;
use super::super::table::{Cell, Table};
use super::super::tally::Tally;
use super::{RapidArgs, RapidFound, RapidTable, Sizes};
use crate::fabric::Way;
use crate::host::NodeIx;
use crate::latency::micros;
use crate::link::{Link, percent, secs};

/// Half a turn of the flip-flop, in seconds.
const FLIP: u64 = 20;
/// Seconds between two looks at all views.
const LOOK: u64 = 5;
/// Longest time for which the end of a fault is awaited, in seconds.
const RECOVERY_MAX: u64 = 3_600;

pub(super) fn measure(args: &RapidArgs) -> RapidFound {
    let what = match args.table {
        RapidTable::FlipFlop => "deaf and not by turns of 20 s",
        _ => "80 % egress loss",
    };
    let title = format!("One in a hundred processes: {what} (Suresh et al. 2018)");
    let columns = [
        "nodes",
        "faulty",
        "trials",
        "seconds",
        "healthy dead",
        "faulty dead",
        "faulty back",
        "sizes",
        "least seen",
        "last change, s",
        "all well, s",
    ];
    let mut summary = Table::new(title.clone(), &columns);
    let mut curve = Table::new(format!("{title}: members that healthy processes see"), &["s", "process", "members"]);
    let mut tallies: [Tally; 7] = Default::default();
    for trial in 0..args.trials() {
        let mut run = Run::of(args, trial);
        run.befall(if trial == 0 { Some(&mut curve) } else { None });
        tallies.iter_mut().zip(run.outcome()).for_each(|(tally, outcome)| tally.add(outcome));
    }
    let n = args.nodes();
    let pairs = ((n - args.faulty()) * args.faulty()) as u64;
    let [healthy_dead, faulty_dead, faulty_back, sizes, least, last_change, well] = tallies;
    summary.row([
        Cell::Count(n as u64),
        Cell::Count(args.faulty() as u64),
        Cell::Count(u64::from(args.trials())),
        Cell::Count(args.span.as_secs()),
        healthy_dead.cell(1, None),
        faulty_dead.cell(pairs, None),
        faulty_back.cell(pairs, None),
        sizes.cell(1, None),
        least.cell(1, None),
        last_change.cell(1, None),
        well.cell(1_000_000, None),
    ]);
    summary.note("mean ±standard error, of what the healthy processes see; published of memberlist: it oscillates and never settles");
    if args.table == RapidTable::FlipFlop {
        summary.note(
            "ours oscillate, too, as far as the faulty go: in 300 s each healthy process holds each of them for dead about 8 \
             times, and sees it return 7 times (faulty dead, faulty back)",
        );
    }
    summary.note("healthy dead: how often one of them held another one for dead, all added up");
    summary.note(
        "faulty dead, faulty back: how often one of them held a faulty one for dead, and saw it return, per pair",
    );
    summary.note("sizes, least seen: different numbers of members seen at looks five seconds apart, and the least");
    summary.note("last change: seconds from the begin of the fault, until when some view changed while it lasted");
    summary.note("all well: seconds from the end of the fault until every process sees every other");
    curve.note("least, median and most that a healthy process sees; the fault begins at 0 s; first trial");
    RapidFound { summary, curve: Some(curve) }
}

struct Run {
    c: Cluster,
    fault: RapidTable,
    span: u64,
    healthy: Vec<NodeIx>,
    faulty: Vec<NodeIx>,
    healthy_dead: u64,
    faulty_dead: u64,
    faulty_back: u64,
    sizes: Sizes,
    least: usize,
    last_change: u64,
    recovery_micros: u64,
}

impl Run {
    fn of(args: &RapidArgs, trial: u32) -> Self {
        let n = args.nodes();
        let c = Cluster::form(args.seed, &[args.table as u64, n as u64, u64::from(trial)], n, Config::lan("sim"));
        let (healthy, faulty) = c.nodes.split_at(n - args.faulty());
        Self {
            fault: args.table,
            span: args.span.as_secs(),
            healthy: healthy.to_vec(),
            faulty: faulty.to_vec(),
            healthy_dead: 0,
            faulty_dead: 0,
            faulty_back: 0,
            sizes: Sizes::of(n),
            least: n,
            last_change: 0,
            recovery_micros: 0,
            c,
        }
    }

    /// The fault begins, lasts, and ends.
    fn befall(&mut self, mut curve: Option<&mut Table>) {
        for second in 0..self.span {
            self.set_fault(second);
            if second % LOOK == 0 {
                self.look(second, curve.as_deref_mut());
            }
            self.c.w.run(secs(1));
            self.count(second + 1);
        }
        self.look(self.span, curve);
        self.end_fault();
        self.c.w.log_events = false;
        let n = self.c.nodes.len();
        let well = self.c.w.run_until(secs(RECOVERY_MAX), |w| w.all_see(n));
        self.recovery_micros = micros(well.expect("without faults all find each other again"));
    }

    /// What changes at this second of the fault.
    fn set_fault(&mut self, second: u64) {
        match self.fault {
            RapidTable::FlipFlop if second % (2 * FLIP) == 0 => self.c.w.cut(&self.faulty, &self.c.nodes, Way::From),
            RapidTable::FlipFlop if second % FLIP == 0 => self.c.w.heal(),
            RapidTable::EgressLoss if second == 0 => {
                let lossy = Link { loss: percent(80), ..self.c.w.link };
                self.set_egress(Some(lossy));
            }
            _ => {}
        }
    }

    fn end_fault(&mut self) {
        self.c.w.heal();
        self.set_egress(None);
    }

    fn set_egress(&mut self, link: Option<Link>) {
        for &from in &self.faulty {
            for &to in &self.c.nodes {
                self.c.w.set_link(from, to, link);
            }
        }
    }

    fn look(&mut self, second: u64, curve: Option<&mut Table>) {
        let mut seen: Vec<usize> = self.healthy.iter().map(|&node| self.c.w.node(node).live_count()).collect();
        seen.sort_unstable();
        seen.iter().for_each(|&size| self.sizes.see(size));
        self.least = self.least.min(seen[0]);
        if let Some(curve) = curve {
            for (process, size) in
                [("least", seen[0]), ("median", seen[seen.len() / 2]), ("most", seen[seen.len() - 1])]
            {
                curve.row([Cell::Count(second), Cell::text(process), Cell::Count(size as u64)]);
            }
        }
    }

    /// What the healthy have told in the second that ends now.
    fn count(&mut self, second: u64) {
        let is_faulty = |id| self.faulty.iter().any(|&node| self.c.w.id(node) == id);
        for &node in &self.healthy {
            for (_, event) in self.c.w.events(node) {
                match *event {
                    Event::MemberDown { id, .. } if is_faulty(id) => self.faulty_dead += 1,
                    Event::MemberDown { .. } => self.healthy_dead += 1,
                    Event::MemberUp { id, .. } => self.faulty_back += u64::from(is_faulty(id)),
                    _ => continue,
                }
                self.last_change = second;
            }
        }
        self.c.forget_events();
    }

    /// In the order of the columns.
    fn outcome(&self) -> [u64; 7] {
        [
            self.healthy_dead,
            self.faulty_dead,
            self.faulty_back,
            self.sizes.distinct(),
            self.least as u64,
            self.last_change,
            self.recovery_micros,
        ]
    }
}
