//! What a test decides about single datagrams itself.

use std::time::Duration;

use crate::network::Sent;

/// What a rule ([`crate::World::add_rule`]) says about one datagram. Whatever it says but [`Verdict::Drop`], the link
/// has its say afterwards: it may still lose the datagram, and damages it unless the rule did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Nothing: the next rule is asked.
    #[default]
    Pass,
    /// It comes so much later than the link alone would have it.
    Deliver(Duration),
    /// It is lost.
    Drop,
    /// It comes twice, each time with a latency of its own.
    Duplicate,
    /// So many of its bits are flipped, at random: at least one, at most all.
    Corrupt(u16),
    /// Only so many of its first bytes come, if it has more.
    Truncate(usize),
}

pub(crate) type Rule = Box<dyn FnMut(&Sent<'_>) -> Verdict>;

/// What the first rule says that says anything.
pub(crate) fn verdict(rules: &mut [Rule], sent: &Sent<'_>) -> Verdict {
    rules.iter_mut().map(|rule| rule(sent)).find(|&verdict| verdict != Verdict::Pass).unwrap_or_default()
}
