//! What the targets would make of other values in our own configuration. The table of targets is printed without any.

use std::time::Duration;

use swim_core::Config;

/// Values that are not those of `Config::lan`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::Args)]
pub(crate) struct Tuning {
    /// Ours with another α, in percent: the shortest suspicion is α / 100 · log10 N periods.
    #[arg(long)]
    alpha_percent: Option<u32>,
    /// Ours with another β: the longest suspicion is β times the shortest.
    #[arg(long)]
    beta: Option<u32>,
    /// Ours with so many relays.
    #[arg(long)]
    relays: Option<usize>,
    /// Ours with so many milliseconds till the second ping and the relays.
    #[arg(long)]
    timeout: Option<u64>,
    /// Ours with so many milliseconds from one gossip tick to the next.
    #[arg(long)]
    tick: Option<u64>,
    /// Ours with so many members told per gossip tick.
    #[arg(long)]
    fanout: Option<usize>,
    /// Ours with another λ, in percent: how often each node tells what is news.
    #[arg(long)]
    lambda: Option<u32>,
}

impl Tuning {
    /// Says of the table that follows whose configuration is not the crate's own, if it is not.
    pub(crate) fn print(self) {
        if self != Self::default() {
            println!("Ours in another configuration than its own: {self:?}\n");
        }
    }

    /// The configuration for local networks, with these values in it.
    pub(crate) fn config(self) -> Config {
        let mut config = Config::lan("bench");
        let millis = |value: Option<u64>, old| value.map_or(old, Duration::from_millis);
        config.suspicion_alpha_percent = self.alpha_percent.unwrap_or(config.suspicion_alpha_percent);
        config.suspicion_beta = self.beta.unwrap_or(config.suspicion_beta);
        config.indirect_probes = self.relays.unwrap_or(config.indirect_probes);
        config.probe_timeout = millis(self.timeout, config.probe_timeout);
        config.gossip_interval = millis(self.tick, config.gossip_interval);
        config.gossip_fanout = self.fanout.unwrap_or(config.gossip_fanout);
        config.retransmit_lambda_percent = self.lambda.unwrap_or(config.retransmit_lambda_percent);
        config
    }
}
