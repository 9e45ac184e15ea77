//! The scenarios that must be covered, and what must hold in each.

/// Sections, each with its ids in order.
pub(crate) const SECTIONS: &[(&str, &[(&str, &str)])] = &[
    ("Identity, restart, rejoin", IDENTITY),
    ("Partition, bootstrap, recovery", PARTITION),
    ("Probe, ack, relay", PROBE),
    ("Suspicion, refutation, incarnation", SUSPICION),
    ("Leave", LEAVE),
    ("News", NEWS),
    ("State and anti-entropy", STATE),
    ("Sockets", SOCKETS),
    ("Time", TIME),
    ("Outages of large systems", PRODUCTION),
];

/// Ids that tests carry beside these, for what no scenario here is about.
pub(crate) const OTHERS: &[(&str, &str)] = &[("I1", "an answer has a bounded size")];

/// Listed scenarios with fewer seeds than the others have, and why that will do.
pub(crate) const FEW: &[(&str, &str)] = &[
    ("b7_contact_with_the_dead_decays", "seven hours of virtual time of sixty nodes, fifty of which die"),
    ("b8_a_joiner_learns_of_all", "a hundred joins within one seed"),
    ("f9_one_rumor_reaches_a_thousand", "the size is the point; its smaller sibling has the seeds"),
    ("f9_one_update_reaches_a_thousand", "the size is the point; its smaller sibling has the seeds"),
];

const IDENTITY: &[(&str, &str)] = &[
    (
        "A1",
        "A member restarts in the middle of a probe of it: one restart is reported, no death, and no relay is asked at its own address.",
    ),
    (
        "A2",
        "A restart in an older epoch goes past what is known with the first answer: one rejoin, four datagrams at most.",
    ),
    (
        "A3",
        "Of two processes with one id both are told, one stays, the other falls silent, and the cluster is as quiet as before.",
    ),
    ("A4", "A list that holds a node's own former life as alive makes it no second member, and is not answered."),
    (
        "A5",
        "Many restart together and hear of each other's former lives: only who is heard from stays, and in the end no table has more rows than there are nodes.",
    ),
    (
        "A6",
        "Halves that hold each other dead meet: each node refutes once, few notices pass, and they are one within three periods.",
    ),
    (
        "A7",
        "Datagrams of a former life that come again change no row and are reported by nobody. They are not dropped unheard: a question is answered where it came from, once, because A2 needs that; of the others, a bounded number.",
    ),
    ("A8", "A hundred changes of metadata are updates, never deaths, and all end with the last value."),
    ("A9", "A member that moves is reported to have moved, once, and is sent to at its new address from then on."),
    ("A10", "Who takes over the address of a dead member does not answer for it: the old id dies on schedule."),
    ("A11", "No node ever shows two lives of one id."),
    ("A12", "Nodes forget a dead member at different times, and nobody teaches it anybody again."),
    ("A13", "A member that restarts below the incarnation at which it is held dead goes past it, also at heavy loss."),
    ("A14", "News that a former life is dead, heard right after the restart, harms the new one in nothing."),
    ("A15", "Who was never heard of cannot make a node raise its incarnation."),
];

const PARTITION: &[(&str, &str)] = &[
    ("B1", "Nodes that were each cut off from all others for minutes find each other again by themselves."),
    ("B2", "A list of seeds alone forms a cluster."),
    ("B3", "Halves that were apart for longer than tombstones are kept merge by themselves."),
    (
        "B4",
        "A node that boots minutes before its seeds joins within one retry interval of their coming up, at another address if the seed is a name; told a new address, at once.",
    ),
    ("B5", "A node that finds itself among its seeds never sends anything to itself."),
    (
        "B6",
        "A way that is cut in one direction makes nobody die, and nobody suspect more than once per shortest suspicion: relays answer. No event reports it: while they answer there is no doubt, and of a probe that fails the evidence tells.",
    ),
    ("B7", "The dead are tried ever more rarely, at a bounded rate."),
    ("B8", "A joiner of a large cluster learns of all its members with a bounded number of questions."),
];

const PROBE: &[(&str, &str)] = &[
    ("C1", "A host that was suspended convicts nobody for the time it was away, and trusts itself less."),
    ("C2", "A lost call of the timer is made good by any later call."),
    ("C3", "A probe under way ends with its target's life, and with the node's own leave; the next period is clean."),
    ("C4", "A member that was replaced while it was probed is not convicted for the one before it."),
    ("C5", "The verdict of a probe names the incarnation that was probed, and is old when the target has refuted."),
    ("C6", "Relays are at distinct addresses, none of them this node's or the target's."),
    ("C7", "An ack counts only with the probe's nonce, from the one that was pinged, and in time."),
    ("C8", "One nack counts per relay that was asked, before the deadline."),
    ("C9", "A relay answers where the question came from, and refuses at once what it cannot do."),
    ("C10", "An ack before the deadline is a success, one at or after it a failure."),
    ("C11", "A probe is bound to the address that was pinged."),
    ("C12", "A profile that is too long is refused when it is handed in, so every ping can be sent."),
    ("C13", "Every attempt has its whole time, and a datagram that was cut off is none."),
    ("C14", "Settings and times at their edges are refused or saturate; nothing overflows, nobody dies at once."),
    ("C15", "Every member is probed within 2n-1 periods, whoever else comes and goes."),
    ("C16", "Nobody is suspected before the relays' time is over."),
];

const SUSPICION: &[(&str, &str)] = &[
    ("D1", "A suspicion of this node is refuted one above, with its present profile; an old one costs nothing."),
    ("D2", "Only a live claim creates a member."),
    ("D3", "A member that is back is not killed by its old suspicion."),
    ("D4", "Every hearer of a suspicion times it itself, so the accuser may die."),
    ("D5", "Claims at the end of all incarnations push nobody there."),
    ("D6", "Only known live members confirm a suspicion, once each."),
    ("D7", "Only a higher incarnation revives the dead."),
    ("D8", "A death in pulled rows is a suspicion, so that it can be refuted."),
    ("D9", "The suspect is told in the next datagram to it, however full that is."),
    ("D10", "A message at the suspected incarnation does not clear a suspicion."),
    ("D11", "A bad link between two kills neither, and does not make them refute all the time."),
    ("D12", "Deaths of members that were never heard of are neither kept nor passed on."),
];

const LEAVE: &[(&str, &str)] = &[
    (
        "E1",
        "A leave is complete when its farewells are handed out; all report that the member left, nobody that it died.",
    ),
    ("E2", "After a leave nothing is answered, merged or due."),
    ("E3", "News that waits rides with the farewell."),
    ("E4", "A rejoin after a leave works, and late gossip resurrects nobody who left."),
    ("E5", "With nobody to tell, a leave is complete at once."),
];

const NEWS: &[(&str, &str)] = &[
    ("F1", "Two updates after the queue was empty are both told."),
    ("F2", "Whatever was accepted can be sent."),
    ("F3", "Large items neither block nor starve the others."),
    ("F4", "Every datagram that is sent is accepted by the strict parser."),
    ("F5", "Each message carries what belongs to it, and nothing else."),
    ("F6", "A retention shorter than the spread of news is refused."),
    ("F7", "With no peers the queue stays bounded."),
    (
        "F8",
        "The same profile, set again after another, is told again; the same rumor is another one, also in a next life.",
    ),
    (
        "F9",
        "An update, a write or a rumor reaches all in a number of rounds that grows with log N, told by each so often at most.",
    ),
];

const STATE: &[(&str, &str)] = &[
    ("G1", "A delta that contradicts itself is refused, and none is fatal."),
    (
        "G2",
        "Nobody else writes a member's state or broadcasts in its name. Shown more of its present life than it has written, it takes the next.",
    ),
    (
        "G3",
        "A version, a number or a Lamport time far ahead is bound to one life of the member, which the member ends, or is followed by a part only.",
    ),
    ("G4", "What can never be sent is refused when it is put, with the limit, and keeps nothing else back."),
    ("G5", "What is said of many identities, live and dead, comes in pieces that fit."),
    ("G6", "A deleted key does not return, however long a holder of it was away."),
    ("G7", "Deltas that come again, in another order or from before a reset, change nothing for who has more."),
    ("G8", "An answer fits into one datagram, whatever was asked, and only members get one."),
    ("G9", "The first keys of every member come before the bulk of any."),
    ("G10", "The last writes of the dead spread for as long as their row is kept."),
    ("G11", "The same value again is no new version and no event, and a delete is told as a delete."),
];

const SOCKETS: &[(&str, &str)] = &[
    (
        "I4",
        "Whatever a socket returns that passes, receiving or sending: the loop lives, does not spin, and counts it; nobody dies of it.",
    ),
    ("I6", "A flood is read before deadlines, and does not keep them waiting: nobody is convicted for it."),
    ("I9", "When the driver has ended its port is free."),
];

const TIME: &[(&str, &str)] = &[
    ("I5", "A clock that goes back is borne."),
    ("I10", "A deadline is in the future or there is none: nobody spins."),
];

const PRODUCTION: &[(&str, &str)] = &[
    (
        "P1",
        "News is passed on only when it changed something, so two that contradict each other do not go round for ever.",
    ),
    ("P2", "What a node has heard of a member is kept with the member, so a flood of news makes nothing new again."),
    ("P3", "A leave and a refutation go ahead of all other news, which does not starve."),
    ("P4", "A failed send does not delay detection, nor does a long queue of news in a storm of joins."),
    ("P5", "An overloaded prober convicts nobody, and nobody accuses in another's or in no one's name."),
    (
        "P6",
        "What was said while a member lived, said again after its death or leave, revives nobody and is reported by nobody.",
    ),
    ("P7", "An address that is used again or a wrong seed merges no two clusters, and a name can be used again."),
    ("P8", "A flipped bit is refused by the checksum, whatever it hits."),
    ("P9", "Every row has a reaper: who was removed or replaced does not stay in the gossip."),
    ("P10", "An epoch from the far future neither sticks nor keeps an honest node out, however long it has been up."),
    (
        "P11",
        "What could outgrow a datagram is refused when it is set, and the largest that is accepted can start cold.",
    ),
    ("P12", "An observer that was paused convicts nobody."),
    (
        "P13",
        "First contacts from both sides at once, and more than once, make one row and one report, and then it is quiet. There are no connections and no overlays here, so none that thrash.",
    ),
    ("P14", "A dead observer, or one that hears and says nothing, does not keep the others from agreeing."),
    ("P15", "A restarted member supersedes its former self, which gossip does not bring back."),
    (
        "P16",
        "Accusations gather in time in a large cluster: suspects are told with priority and the time-out grows with it.",
    ),
    ("P17", "A loaded node that answers late is not declared dead."),
    ("P18", "Who was forgotten does not come back through gossip."),
    ("P19", "Attempts to reach who is gone back off, and detection is armed from the start."),
    ("P20", "A difference that a repair has found is told as news, at a bounded rate."),
    (
        "P21",
        "What does not fit into one datagram comes with the next: rows without gaps, news least told first and oldest first among equals.",
    ),
    ("P22", "Both halves of a split keep addresses of the other and try them."),
    ("P23", "Nobody answers one datagram with many."),
    ("P24", "Views are hints that agree in the end, and the documents say so."),
];
