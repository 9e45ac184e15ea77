//! What is held to what: figures of one run, each beside the gate that must hold and the aim that is designed for.

use std::fmt::Write as _;

use crate::results::short;

/// A table of what was measured against what is wanted.
pub(crate) struct Targets(String);

impl Targets {
    pub(crate) fn new() -> Self {
        Self("| what | measured | gate | aim | holds |\n|---|---|---|---|---|\n".into())
    }

    /// What is to be this at most: the gate, and the aim.
    pub(crate) fn at_most(&mut self, what: &str, is: f64, (gate, aim): (f64, f64)) {
        self.line(what, is, ("≤", gate, aim), is <= gate, is <= aim);
    }

    /// What is to be this at least.
    #[cfg(feature = "loopback")]
    pub(crate) fn at_least(&mut self, what: &str, is: f64, (gate, aim): (f64, f64)) {
        self.line(what, is, ("≥", gate, aim), is >= gate, is >= aim);
    }

    fn line(&mut self, what: &str, is: f64, (how, gate, aim): (&str, f64, f64), holds: bool, is_aim: bool) {
        let reached = match (holds, is_aim) {
            (_, true) => "aim",
            (true, false) => "gate",
            (false, false) => "NO",
        };
        let (is, gate, aim) = (short(is), short(gate), short(aim));
        _ = writeln!(self.0, "| {what} | {is} | {how} {gate} | {how} {aim} | {reached} |");
    }

    pub(crate) fn table(&self) -> &str {
        &self.0
    }
}
