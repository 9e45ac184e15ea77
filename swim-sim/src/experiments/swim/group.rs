//! A model of the group of section 5 of the paper, in its three versions: basic, which declares a member failed at the
//! first failed probe and multicasts that; with dissemination, where that rides on pings and acks; and with suspicion, too.
//!
//! Members act one after the other, once per period. Whoever is declared failed is so for good, and stops when it hears of
//! it. A joiner takes over the view of the oldest member that runs; that exchange is not lost, every other datagram is with
//! the same chance.

use super::super::draws;
use crate::rng::Stream;

/// The versions that the paper compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Basic = 1,
    Dissemination = 2,
    Suspicion = 3,
}

/// Believed of a member: twice its incarnation while it is alive, one more when it is suspect. The greater one holds.
type Status = u32;
const FAILED: Status = Status::MAX;

/// Chance of a loss in a million, in the paper's experiment.
pub(super) const LOSS: u32 = 100_000;

pub(super) struct Group {
    version: Version,
    draws: Stream,
    members: Vec<Member>,
    period: u64,
}

struct Member {
    running: bool,
    /// What it believes of each member, itself included; nothing of those of whom it has never heard.
    view: Vec<Option<Status>>,
    /// When it declares a member failed whom it suspects.
    verdicts: Vec<u64>,
    news: Vec<News>,
}

#[derive(Clone, Copy)]
struct News {
    of: usize,
    status: Status,
    sent: u64,
}

impl Group {
    pub(super) fn new(version: Version, seed: u64, row: &[u64]) -> Self {
        Self { version, draws: draws(seed, row), members: Vec::new(), period: 0 }
    }

    /// One more member, through the oldest that runs.
    pub(super) fn join(&mut self) {
        let me = self.members.len();
        let contact = self.members.iter().position(|m| m.running);
        let mut view = contact.map_or(Vec::new(), |contact| self.members[contact].view.clone());
        view.resize(me, None);
        view.push(Some(0));
        let verdicts = vec![self.period + limit(me + 1); me + 1];
        self.members.push(Member { running: true, view, verdicts, news: Vec::new() });
        match contact {
            Some(contact) if self.version != Version::Basic => self.learn(contact, me, 0),
            Some(contact) => self.multicast(contact, me, 0),
            None => {}
        }
    }

    /// A period passes: everybody probes somebody.
    pub(super) fn run_a_period(&mut self) {
        self.period += 1;
        for me in 0..self.members.len() {
            if self.members[me].running {
                self.give_verdicts(me);
                self.probe_any(me);
            }
        }
    }

    /// How many have joined and have not heard that they have failed.
    pub(super) fn size(&self) -> u64 {
        self.members.iter().filter(|m| m.running).count() as u64
    }

    fn give_verdicts(&mut self, me: usize) {
        for of in 0..self.members[me].view.len() {
            let member = &self.members[me];
            let suspect = member.view[of].is_some_and(|status| status != FAILED && status % 2 == 1);
            if suspect && member.verdicts[of] <= self.period {
                self.learn(me, of, FAILED);
            }
        }
    }

    fn probe_any(&mut self, me: usize) {
        let Some(target) = self.pick(me, me) else { return };
        let direct = self.send(me, target) && self.send(target, me);
        if direct || self.probe_through_a_relay(me, target) {
            return;
        }
        match (self.version, self.members[me].view[target]) {
            (Version::Basic, _) => self.multicast(me, target, FAILED),
            (Version::Dissemination, _) => self.learn(me, target, FAILED),
            (Version::Suspicion, Some(status)) if status % 2 == 0 => self.learn(me, target, status + 1),
            (Version::Suspicion, _) => {}
        }
    }

    /// The paper's experiment has one relay.
    fn probe_through_a_relay(&mut self, me: usize, target: usize) -> bool {
        let Some(relay) = self.pick(me, target) else { return false };
        [(me, relay), (relay, target), (target, relay), (relay, me)].into_iter().all(|(from, to)| self.send(from, to))
    }

    /// Any of those whom `me` takes for live, but itself and `not`.
    fn pick(&mut self, me: usize, not: usize) -> Option<usize> {
        let live: Vec<usize> = self.members[me].live().filter(|&of| of != me && of != not).collect();
        let last = (live.len() as u64).checked_sub(1)?;
        Some(live[self.draws.within(0, last) as usize])
    }

    /// A datagram with all news, which counts as sent whether it arrives or not.
    fn send(&mut self, from: usize, to: usize) -> bool {
        if !self.members[from].running {
            return false;
        }
        let sender = &mut self.members[from];
        let most = limit(sender.live().count());
        sender.news.iter_mut().for_each(|news| news.sent += 1);
        let news = sender.news.clone();
        sender.news.retain(|news| news.sent < most);
        if !self.members[to].running || self.draws.chance(LOSS) {
            return false;
        }
        news.iter().for_each(|news| self.learn(to, news.of, news.status));
        // It may have learnt that it has failed.
        self.members[to].running
    }

    /// Everybody is told at once, unless that is lost on the way.
    fn multicast(&mut self, from: usize, of: usize, status: Status) {
        for to in 0..self.members.len() {
            if to == from || self.members[to].running && !self.draws.chance(LOSS) {
                self.learn(to, of, status);
            }
        }
    }

    fn learn(&mut self, me: usize, of: usize, status: Status) {
        let version = self.version;
        let verdict = self.period + limit(self.members[me].live().count());
        let member = &mut self.members[me];
        if member.view.len() <= of {
            member.view.resize(of + 1, None);
            member.verdicts.resize(of + 1, 0);
        }
        if member.view[of] >= Some(status) {
            return;
        }
        let status = match (of == me, status) {
            (true, FAILED) => {
                member.running = false;
                FAILED
            }
            // A suspicion of mine is refuted by the next incarnation.
            (true, suspect) => suspect + 1,
            (false, status) => status,
        };
        member.view[of] = Some(status);
        member.verdicts[of] = verdict;
        if version != Version::Basic {
            member.news.retain(|news| news.of != of);
            member.news.push(News { of, status, sent: 0 });
        }
    }
}

impl Member {
    fn live(&self) -> impl Iterator<Item = usize> + '_ {
        self.view.iter().enumerate().filter(|(_, status)| status.is_some_and(|s| s != FAILED)).map(|(of, _)| of)
    }
}

/// How many periods a suspicion lasts and how often an update is sent in a group of `n`: 3⌈ln(n+1)⌉.
fn limit(n: usize) -> u64 {
    // e^1 to e^5, rounded down: above all of them there is no group here.
    3 * (1 + [2, 7, 20, 54, 148].iter().filter(|&&power| n + 1 > power).count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_papers() {
        for n in [1_usize, 2, 6, 7, 17, 19, 20, 53, 54, 147, 148] {
            assert_eq!(limit(n), 3 * ((n + 1) as f64).ln().ceil() as u64, "{n}");
        }
    }

    #[test]
    fn who_is_declared_failed_is_out_and_who_is_suspected_says_no() {
        let mut basic = Group::new(Version::Basic, 1, &[]);
        (0..3).for_each(|_| basic.join());
        (0..3).for_each(|to| basic.learn(to, 1, FAILED));
        assert_eq!((basic.members[1].running, basic.size()), (false, 2));
        basic.learn(0, 1, 0);
        assert_eq!(basic.members[0].view[1], Some(FAILED), "for good");

        let mut doubting = Group::new(Version::Suspicion, 1, &[]);
        (0..3).for_each(|_| doubting.join());
        doubting.learn(1, 1, 1);
        assert_eq!((doubting.members[1].running, doubting.members[1].view[1]), (true, Some(2)));
        doubting.learn(0, 1, 1);
        doubting.learn(0, 1, 2);
        doubting.period += limit(3);
        doubting.give_verdicts(0);
        assert_eq!(doubting.members[0].view[1], Some(2), "refuted in time");
        doubting.learn(0, 2, 1);
        doubting.period += limit(3);
        doubting.give_verdicts(0);
        assert_eq!(doubting.members[0].view[2], Some(FAILED), "not refuted");
    }
}
