//! What is counted between the socket and the node.

use serde::Serialize;

use crate::seal::Refused;

/// What a node and its driver have counted: see [`crate::Handle::counters`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counters {
    /// What the node has counted.
    pub node: swim_core::Stats,
    /// What was counted between the socket and the node.
    pub driver: DriverStats,
    /// Which keys the others seal with.
    #[cfg(feature = "aead")]
    pub keys: crate::seal::KeysHeard,
}

/// What a driver counts beside the node's own [`swim_core::Stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DriverStats {
    /// Datagrams handed in: those that were refused, those that the node was given, control datagrams, and frames that are held
    /// just now.
    pub datagrams_received: u64,
    /// Not opened: [`Refused::TooShort`].
    pub refused_too_short: u64,
    /// Not opened: [`Refused::Version`].
    pub refused_version: u64,
    /// Not opened: [`Refused::Suite`].
    pub refused_suite: u64,
    /// Not opened: [`Refused::Plain`].
    pub refused_plain: u64,
    /// Not opened: [`Refused::Cluster`].
    pub refused_cluster: u64,
    /// Not opened: [`Refused::Checksum`].
    pub refused_checksum: u64,
    /// Not opened: [`Refused::Key`].
    pub refused_key: u64,
    /// Not opened: [`Refused::Tag`].
    pub refused_tag: u64,
    /// Not heard: [`Refused::Replayed`].
    pub refused_replayed: u64,
    /// Not heard: [`Refused::Stale`].
    pub refused_stale: u64,
    /// Not heard: [`Refused::Unproven`].
    pub refused_unproven: u64,
    /// Sealed frames that were held until their session shows that it lives. What became of them is counted again: they are heard,
    /// stale, or unproven.
    pub frames_held: u64,
    /// Sessions that this node has sealed under.
    pub sessions_begun: u64,
    /// Sessions of others that have shown that they live.
    pub sessions_proven: u64,
    /// Sessions that have shown it, too, and for which there was no room.
    pub sessions_refused: u64,
    /// Control datagrams that were opened.
    pub controls_received: u64,
    /// Of these, each once, those that nothing came of: malformed ones, proofs that nobody was waiting for, and challenges that were
    /// not answered, because they may be played back or because too many came.
    pub controls_ignored: u64,
    /// Control datagrams sealed and handed out.
    pub controls_sent: u64,
    /// Challenges and proofs that were not sent, because too many were.
    pub controls_unsent: u64,
    /// Of the control datagrams sent, those that ask whether the receiver lives.
    pub challenges_sent: u64,
    /// Of the control datagrams sent, those that show that this node lives.
    pub proofs_sent: u64,
    /// Datagrams handed out, those included whose sending failed, and control datagrams.
    pub datagrams_sent: u64,
    /// Of these, datagrams that a node with a keyring has sent plain, while it migrates.
    pub plain_sent: u64,
    /// Datagrams that were not sent, because they could not be sealed: a session is used up, or its key was removed, and the
    /// operating system gives no random numbers for another.
    pub datagrams_unsealed: u64,
    /// Sends that failed at once.
    pub send_failures: u64,
    /// Of these, failures that the node was not told of, because too many came between two inputs.
    pub send_failures_untold: u64,
    /// Errors of the socket while receiving.
    pub receive_failures: u64,
    /// Commands of handles that were taken: what the node was given, and keyrings.
    pub commands: u64,
    /// Names of seeds that the resolver was asked for.
    pub resolutions: u64,
    /// Of these, names that it found no address for that the socket can send to.
    pub resolve_failures: u64,
    /// Names of seeds that were left out, because `Config::seeds_max` others were there already.
    pub names_refused: u64,
    /// Events that subscribers were told they have missed.
    pub events_missed: u64,
    /// Rumors that subscribers were told they have missed.
    pub rumors_missed: u64,
    /// Alerts that subscribers were told they have missed.
    pub alerts_missed: u64,
}

impl DriverStats {
    /// All datagrams that were not heard, by whatever reason.
    pub fn refused(&self) -> u64 {
        self.refused_too_short
            + self.refused_version
            + self.refused_suite
            + self.refused_cluster
            + self.refused_checksum
            + self.refused_plain
            + self.refused_key
            + self.refused_tag
            + self.refused_replayed
            + self.refused_stale
            + self.refused_unproven
    }

    /// Counts one that was refused.
    pub(crate) fn refuse(&mut self, reason: Refused) {
        let count = match reason {
            Refused::TooShort => &mut self.refused_too_short,
            Refused::Version => &mut self.refused_version,
            Refused::Suite => &mut self.refused_suite,
            Refused::Plain => &mut self.refused_plain,
            Refused::Cluster => &mut self.refused_cluster,
            Refused::Checksum => &mut self.refused_checksum,
            Refused::Key => &mut self.refused_key,
            Refused::Tag => &mut self.refused_tag,
            Refused::Replayed => &mut self.refused_replayed,
            Refused::Stale => &mut self.refused_stale,
            Refused::Unproven => &mut self.refused_unproven,
        };
        *count = count.saturating_add(1);
    }
}
