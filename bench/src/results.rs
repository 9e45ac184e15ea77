//! What was measured, and the tables of it.

use std::fmt::Write as _;

use crate::case::{Op, Sample};
use crate::core::Member;

/// One operation of one core.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) core: &'static str,
    pub(crate) op: Op,
    pub(crate) members: Member,
    /// Median over batches.
    pub(crate) nanos: f64,
    /// Means.
    pub(crate) allocations: f64,
    pub(crate) allocated: f64,
    pub(crate) bytes: f64,
}

impl Measured {
    pub(crate) fn of(core: &'static str, op: Op, members: Member, samples: &[Sample]) -> Self {
        let mut nanos: Vec<f64> = samples.iter().map(|s| s.time.as_nanos() as f64 / s.ops as f64).collect();
        nanos.sort_unstable_by(f64::total_cmp);
        let ops: u64 = samples.iter().map(|s| s.ops).sum();
        let mean = |of: fn(&Sample) -> u64| samples.iter().map(of).sum::<u64>() as f64 / ops as f64;
        Self {
            core,
            op,
            members,
            nanos: nanos[nanos.len() / 2],
            allocations: mean(|s| s.allocations),
            allocated: mean(|s| s.allocated),
            bytes: mean(|s| s.bytes),
        }
    }
}

/// All that was measured in one run.
#[derive(Debug, Default)]
pub(crate) struct Results(pub(crate) Vec<Measured>);

impl Results {
    pub(crate) fn get(&self, core: &str, op: Op, members: Member) -> Option<&Measured> {
        self.0.iter().find(|m| (m.core, m.op, m.members) == (core, op, members))
    }

    fn sizes(&self) -> Vec<Member> {
        let mut sizes: Vec<Member> = self.0.iter().map(|m| m.members).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }

    fn ops(&self) -> impl Iterator<Item = Op> {
        Op::ALL.into_iter().filter(|op| self.0.iter().any(|m| m.op == *op))
    }

    /// A table by operation, with a column for each number of members, of what `cell` says of ours and the peer's.
    pub(crate) fn table(&self, cell: impl Fn(&Measured, Option<&Measured>) -> String) -> String {
        let sizes = self.sizes();
        let heads = sizes.iter().map(|n| format!(" N = {n} |"));
        let mut table = format!("| |{}\n|---|{}\n", heads.collect::<String>(), "---|".repeat(sizes.len()));
        for op in self.ops() {
            let cells = sizes.iter().map(|&n| {
                let ours = self.get("swim", op, n);
                ours.map_or(" |".into(), |ours| format!(" {} |", cell(ours, self.get("foca", op, n))))
            });
            _ = writeln!(table, "| {op} |{}", cells.collect::<String>());
        }
        table
    }
}

/// A number in few digits.
pub(crate) fn short(number: f64) -> String {
    match number {
        n if n >= 1e6 => format!("{:.1} M", n / 1e6),
        n if n >= 1e4 => format!("{:.1} k", n / 1e3),
        n if n >= 100.0 || n.fract() == 0.0 => format!("{n:.0}"),
        n if n >= 10.0 => format!("{n:.1}"),
        n if n >= 0.1 => format!("{n:.2}"),
        n if n >= 0.01 => format!("{n:.3}"),
        n => format!("{n:.4}"),
    }
}
