//! What an operator would want to be asked about before the cluster is built.

use std::time::Duration;

use super::{Plan, Question, ms};

/// Each with what to do. None of these is an error: `Config::validate` has those.
pub(super) fn of(question: &Question<'_>, plan: &Plan) -> Vec<String> {
    let mut all = Vec::new();
    network(question, plan, &mut all);
    bounds(question, &mut all);
    times(question, plan, &mut all);
    all
}

fn network(question: &Question<'_>, plan: &Plan, all: &mut Vec<String>) {
    let (config, back) = (question.config, question.round_trip_max());
    let (period, asked) = (config.probe_interval, config.probe_timeout);
    if back >= period {
        all.push(format!(
            "a round trip takes up to {}, a whole period ({}): every such probe fails; raise probe_interval, or take \
             preset wan",
            show(back),
            show(period)
        ));
    } else if back >= asked {
        all.push(format!(
            "a round trip takes up to {}, not less than probe_timeout ({}): relays are asked although the member \
             answers; raise probe_timeout",
            show(back),
            show(asked)
        ));
    } else if asked + back * 2 >= period && config.indirect_probes > 0 {
        all.push(format!(
            "a relayed ack takes up to two round trips ({}) after probe_timeout ({}), and then the period ({}) is over: \
             relays help nobody; lower probe_timeout or raise probe_interval",
            show(back * 2),
            show(asked),
            show(period)
        ));
    }
    let false_per_hour = plan.false_suspicion.per_node_hour;
    if false_per_hour > 1.0 {
        all.push(format!(
            "at this loss every healthy member is suspected {false_per_hour:.1} times an hour, and must refute; raise \
             indirect_probes"
        ));
    }
    if plan.dissemination.somebody_misses > 0.25 {
        all.push(format!(
            "gossip leaves somebody without the news in {:.0} % of all changes until a sync brings it; raise \
             retransmit_lambda_percent if that is too often",
            100.0 * plan.dissemination.somebody_misses
        ));
    }
    if config.mtu > ETHERNET {
        all.push(format!(
            "mtu {} is more than {ETHERNET} bytes, what an Ethernet frame leaves of a datagram: larger ones are \
             fragmented, and many networks drop fragments; lower mtu unless all links carry jumbo frames",
            config.mtu
        ));
    }
}

fn bounds(question: &Question<'_>, all: &mut Vec<String>) {
    let (config, nodes) = (question.config, question.nodes);
    if nodes > config.members_max {
        all.push(format!(
            "{nodes} nodes are more than members_max ({}): newcomers are refused; raise members_max",
            config.members_max
        ));
    } else if nodes + nodes / 4 > config.members_max {
        all.push(format!(
            "members_max ({}) leaves little room beside {nodes} nodes for the rows of the dead, which are kept for {}; \
             raise members_max",
            config.members_max,
            show(config.tombstone_ttl)
        ));
    }
    if nodes > 2 && config.indirect_probes == 0 {
        all.push("without indirect probes two lost datagrams are a suspicion; raise indirect_probes".into());
    }
}

fn times(question: &Question<'_>, plan: &Plan, all: &mut Vec<String>) {
    let (config, detection) = (question.config, &plan.detection);
    let reached = 2.0 * plan.dissemination.all_know_ms + ms(question.round_trip_max());
    if detection.suspicion_min_ms < reached {
        all.push(format!(
            "the shortest suspicion ({:.1} s) may end before the accused has heard of it and all have heard its \
             refutation ({:.1} s); raise suspicion_alpha_percent, or gossip faster",
            detection.suspicion_min_ms / 1e3,
            reached / 1e3
        ));
    }
    if ms(config.tombstone_ttl) < detection.suspicion_max_ms {
        all.push(format!(
            "tombstone_ttl ({}) is shorter than the longest suspicion ({:.0} s): who is forgotten here may still be \
             suspected, and taught, elsewhere; raise tombstone_ttl",
            show(config.tombstone_ttl),
            detection.suspicion_max_ms / 1e3
        ));
    }
    if detection.first_dead_mean_ms > 60_000.0 {
        all.push(format!(
            "a crash is known after {:.0} s in the mean; lower suspicion_alpha_percent or probe_interval if that is too late",
            detection.first_dead_mean_ms / 1e3
        ));
    }
    if config.gossip_interval > config.probe_interval {
        all.push("gossip_interval is longer than probe_interval: news rides on probes alone; lower it".into());
    }
}

fn show(span: Duration) -> String {
    match span.as_micros() {
        us if us < 1_000 => format!("{us} us"),
        us if us < 10_000_000 => format!("{} ms", us as f64 / 1e3),
        us => format!("{} s", us as f64 / 1e6),
    }
}

/// 1500 bytes less the headers of IPv4 and UDP.
const ETHERNET: usize = 1_472;
