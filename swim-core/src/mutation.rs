//! Planted bugs, to prove that the tests find them. They exist in builds with `--cfg swim_mutations` only: elsewhere
//! [`crate::config::Config::mutant`] is constantly false, and nothing of them is left.
//!
//! All but three are mistakes that were made, in this kind of system, by people who knew what they were doing: the incident is
//! named with the project that had it and with the scenario of `docs/scenarios.md`. Each stands at its place in the code as
//! one condition.

use serde::{Deserialize, Serialize};

/// The enum, the list of all, and what each is a copy of, from one table.
macro_rules! mutations {
    ($($(#[$what:meta])+ $name:ident = $incident:literal,)+) => {
        /// A planted bug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(not(swim_mutations), allow(dead_code, unreachable_pub, reason = "it is public where it exists"))]
        #[non_exhaustive]
        pub enum Mutation {
            $(
                $(#[$what])+
                ///
                #[doc = concat!("In kind: ", $incident, ".")]
                $name,
            )+
        }

        #[cfg(swim_mutations)]
        impl Mutation {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The incident of which it is a copy in kind: who had it, and which scenario or rule it is here.
            pub const fn incident(self) -> &'static str {
                match self {
                    $(Self::$name => $incident,)+
                }
            }
        }
    };
}

mutations! {
    /// A newer suspicion runs out when the older one would have.
    SuspicionKeepsItsDeadline = "DAOS-12329, DAOS-19148, nodedb PR 243 (D3)",
    /// A refutation takes the accused incarnation, not the one after it.
    RefutesTooLow = "al8n/memberlist PR 155 (D1)",
    /// The target of a probe is asked to relay to itself.
    RelaysThroughTarget = "foca 682804a, al8n/memberlist fa73e5a7 (C6)",
    /// A tombstone goes after half of its time.
    TombstoneGoesEarly = "chitchat #155, #161, quickwit #5135 (A12)",
    /// Whoever writes last is believed, not who says more.
    LastWriterWins = "hew PR 2265, EastGuard PR 189 (D7)",
    /// The dead come back with the incarnation at which they died.
    DeadReturnUnrefuted = "hashicorp/memberlist 63ef41a, AliveReplay (P6)",
    /// A refutation leaves the view hash as it was.
    ViewHashMissesRefutation = "Akka #29388, #29486: what was seen was not compared (P14)",
    /// A suspicion that was refuted runs out nevertheless.
    RefutedSuspicionRunsOut = "foca #34 (A1)",
    /// Any ack of the target ends the probe, also one to an earlier ping.
    AckWithoutNonce = "foca: the number of a probe has eight bits (C7)",
    /// What was told as often as it is to be told is told again.
    NewsNeverEnds = "foca #19: the backlog never empties (F6)",
    /// A leave is told to nobody.
    LeaveUntold = "corrosion PR 36 (E1)",
    /// Views that disagree never lead to a sync.
    SyncNeverBegins = "habitat #5581 (A13)",
    /// Address and profile are believed only together with a greater status.
    DetailTiedToStatus = "corrosion #569 (A9)",
    /// Local health never recovers.
    HealthStaysBad = "Serf #336 (P5)",
    /// Who was asleep takes the time away for evidence.
    PauseConvicts = "Cassandra's failure detector (P12)",
    /// A node that is accused says so with the next tick, not at once.
    RefutationWaits = "hashicorp/memberlist bfc6c88 (P4)",
    /// A death is told by no event.
    DeathWithoutEvent = "corrosion PR 410 (I7)",
    /// Nobody knocks: neither at lost members nor at seeds.
    NobodyKnocks = "foca #15 (B1), Ringpop's healer (P22)",
    /// Nobody is told that tombstones were dropped, so who has missed a delete keeps what was deleted.
    DroppedTombstonesUntold = "chitchat #121 (G6)",
    /// A rumor that is not kept any more is new again.
    RumorsForgotten = "Consul #1062, Serf #402 (P2)",
    /// A delta is taken over although what comes before it is missing.
    DeltaOverGap = "chitchat #129 (G7)",
    /// What others say of this node's own state is taken over.
    PeersWriteMyState = "chitchat: a peer wrote into the receiver's own keys (G2)",
    /// A tombstone lasts as long as ever at whoever hears of it.
    TombstoneTimeBegins = "CASSANDRA-5216, Scylla #3192 (P9)",
    /// An answer holds what is newest, not what comes next.
    AnswersNewestFirst = "Scuttlebutt, section 3.3 (P21)",
    /// An accusation is believed at any incarnation, also where the accused cannot go past it.
    ImplausibleAccusations = "Serf: one datagram of 35 bytes held a healthy node failed (D5)",
    /// A refutation follows an accusation however far ahead it is.
    RefutesAnyJump = "hashicorp/memberlist #358, #359, meshguard #121 (D5)",
    /// Who says less of itself than is believed of it is not told.
    StaleAliveUnanswered = "hashicorp/memberlist #311: 4 500 nodes (A13)",
    /// The death of one that is dead at a lower incarnation is not recorded.
    DeathUnrecorded = "al8n/memberlist #197: Dead@10 not recorded, Alive@2 revives (A12)",
    /// A datagram whose checksum is wrong is taken.
    ChecksumUnread = "Amazon S3, 2008-07-20: one bit, eight hours (P8)",
    /// A ping is answered at the address in the table, not at its source.
    AcksGoToTheRow = "hashicorp/memberlist #371: the ack goes to the address in the payload (I1)",
    /// A relay answers at the address in the table, not at the source of the question.
    RelaysAnswerTheRow = "al8n/memberlist, forward_timeout_nack (C9)",
    /// A stranger is answered at any length.
    AmplifiesStrangers = "chitchat: 9 bytes answered by 65 423 (I1), solana #9491",
    /// Each ping is answered twice.
    PingsAnsweredTwice = "hashicorp/memberlist #371: 255 pings in a datagram (I1)",
    /// Whoever answers at the address of a probe is the one that was probed.
    AnyAnswerIsAnAck = "habitat #5865 (A10), Consul #2430, #5928",
    /// Who was asleep does not notice.
    PauseUnnoticed = "restate #5156: a pause was taken for everybody's death (C1)",
    /// The first accuser counts as a confirmation of itself.
    FirstAccuserConfirms = "off by one in the suspicion time; al8n/memberlist: confirmations that were none (D6)",
    /// The next to be probed is drawn, so some wait without bound.
    ProbesAtRandom = "foca: swap_remove moved the unprobed behind the cursor (C15)",
    /// A member that comes back to a node that was alone does not set it to probing again.
    WakeUpLost = "foca: one dropped timer, and nobody probes any more (C2)",
    /// A join that nobody has answered is not tried again.
    JoinNotRetried = "chitchat #145: nodes that started before their seed (B4)",
    /// What is known already is told on when it is heard again.
    KnownNewsAgain = "Serf #606, Consul #8179, #8343 (P1)",
    /// A node that is accused says nothing.
    RefutationSkipped = "nodedb PR 243: held dead, and silent about it (A13)",
    /// A datagram that is dropped because it is this node's own is not counted.
    DropUncounted = "none of its own: a drop that no counter names",
    /// Of two processes with one id both stay.
    RivalsBothStay = "Serf #119, Consul #97 (A3)",
    /// Hearing of a death again makes it young again.
    TombstoneRenewed = "chitchat PR 123: the time of death was reset, and never collected (G10)",
    /// Events that were dropped are not told to have been.
    MissedUntold = "corrosion PR 410 (I7)",
    /// A failed probe accuses the incarnation that is known by then, which may have refuted meanwhile.
    AccusesThePresent = "al8n/memberlist fa73e5a7 (C5)",
    /// Hearing from a suspect clears it, though it has refuted nothing.
    HeadClearsSuspicion = "foca, message_from_aware_suspect_refutes_suspicion (D10)",
    /// Accusers count who are no members.
    AnybodyConfirms = "al8n/memberlist, Suspicion::confirm takes any id (D6)",
    /// A death in rows that were asked for is final, however old it is.
    PagedDeathsFinal = "al8n/memberlist, merge_remote (D8)",
    /// An ack behind the deadline of its probe counts if it is read before the timer.
    LateAckCounts = "al8n/memberlist: an ack at the deadline (C10)",
    /// A sealed datagram is heard as often as it comes.
    WindowForgets = "hashicorp/memberlist, SECURITY.md: replays are no designed control",
    /// What a session that nobody knows has sealed is heard before the session has shown that it lives.
    ProofUnawaited = "hashicorp/memberlist, SECURITY.md: replays at a restarted node",
    /// A session that has shown that it lives may say what it sealed at any time before.
    FloorUnraised = "hashicorp/memberlist, SECURITY.md: replays at a restarted node",
    /// Sessions that are known outlive the removal of their key.
    RemovedKeyOpens = "none of its own: whoever had a key that was removed goes on",
    /// Whoever introduces itself becomes a member, wherever it is heard.
    CookieUnread = "none of its own: whoever sends from forged addresses fills the table",
    /// What somebody says of a member's later life is believed at once.
    HearsayBelieved = "Scylla #5164, CASSANDRA-10969: generations from the future",
    /// A varint may be longer than it needs to be, so a frame has more than one encoding.
    OverlongVarintTaken = "postcard takes 80 80 80 00 for 0",
}
