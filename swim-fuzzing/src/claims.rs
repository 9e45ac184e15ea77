//! How far what is said may raise an incarnation (I7): whoever lies may push nobody's counter to its end.

use std::collections::{BTreeMap, BTreeSet};

use swim_core::wire::{Frame, Message};
use swim_core::{Incarnation, NodeId, State, Status};

/// How far ahead of the incarnation that is known an accusation may be, by `docs/protocol.md`.
const AHEAD_MAX: u32 = 64;

/// What has been said of everybody, and what the present input says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims {
    ever: BTreeMap<NodeId, BTreeSet<Status>>,
    /// Incarnations that may be anybody's.
    anybodys: BTreeSet<Incarnation>,
    /// Of the present input, lowest first once it is complete.
    now: Vec<(NodeId, Status)>,
}

impl Claims {
    /// It is said of this one, at some time.
    pub(crate) fn ever(&mut self, id: NodeId, status: Status) {
        self.ever.entry(id).or_default().insert(status);
    }

    /// Another input begins, which says nothing.
    pub(crate) fn begin(&mut self) {
        self.now.clear();
    }

    /// The input is this frame.
    pub(crate) fn hear(&mut self, frame: &Frame<'_>) {
        if let Some(Message::RelayedAck { incarnation, .. }) = frame.message {
            self.anybodys.insert(incarnation);
        }
        self.now.push((frame.sender, Status::alive(frame.incarnation)));
        for item in frame.updates().chain(frame.rows()) {
            self.now.push((item.id, item.status));
            if let Some(detail) = item.detail() {
                self.ever(item.id, Status::alive(detail.at));
            }
        }
        for &(id, status) in &self.now {
            self.ever.entry(id).or_default().insert(status);
        }
        self.now.sort_unstable_by_key(|&(id, status)| (id, status));
    }

    /// Has anybody ever said that this one was in this life, whatever its state?
    pub(crate) fn is_said(&self, id: NodeId, life: Incarnation) -> bool {
        let in_life = Status::alive(life)..=Status::new(life, State::Left);
        self.anybodys.contains(&life) || self.ever.get(&id).is_some_and(|all| all.range(in_life).next().is_some())
    }

    /// What the present input says of this one, lowest first.
    fn now(&self, id: NodeId) -> impl Iterator<Item = Status> {
        self.now.iter().filter(move |(other, _)| *other == id).map(|&(_, status)| status)
    }

    /// Can a node that was at `mine` be at `is` after the present input? `bound`: it answers a question of the node, which
    /// alone may tell of a later epoch. Otherwise it goes past accusations of its own epoch, none of which may be far ahead of
    /// where it is, or takes the next epoch.
    pub(crate) fn may_raise_me(&self, me: NodeId, mine: Incarnation, is: Incarnation, bound: bool) -> bool {
        let later = self.now(me).map(Status::incarnation).filter(|life| bound && life.epoch() > mine.epoch());
        // Having gone past another life, it may learn that it shares the epoch as well.
        let ends = later.map(Incarnation::next_epoch).flat_map(|life| [life, life.next_epoch()]);
        let starts = [mine, mine.next_epoch()].into_iter().chain(ends);
        starts.into_iter().any(|start| start <= is && is <= self.past_accusations(me, start))
    }

    /// The most that one that is at `start` goes to because it is accused, with one step of its own, which it takes when it
    /// changes its profile, or comes back.
    fn past_accusations(&self, me: NodeId, start: Incarnation) -> Incarnation {
        let step = |most: Incarnation, claim: Status| match claim.incarnation() {
            life if claim.state() != State::Alive && is_near(most, life) => most.max(life.next()),
            _ => most,
        };
        self.now(me).fold(start, step).next()
    }

    /// Can the row of another, which was this, be that after the present input? Accusations count in the epoch that is known
    /// only, and not far ahead of it.
    pub(crate) fn may_raise(&self, id: NodeId, was: Status, is: Status) -> bool {
        if was.incarnation() == is.incarnation() {
            return true;
        }
        let reached = |start: Status| {
            let step = |most: Status, claim: Status| match claim.state() {
                State::Alive => most.max(claim),
                _ if is_near(most.incarnation(), claim.incarnation()) => most.max(claim),
                _ => most,
            };
            // A death that a page tells of is taken for a suspicion of the same incarnation: a lower status than what was said.
            let upto = self.now(id).filter(|claim| claim.incarnation() <= is.incarnation());
            upto.fold(start, step).incarnation() == is.incarnation()
        };
        // What was doubted at first may be believed when it is due.
        let believed = Status::alive(was.incarnation())..=Status::alive(is.incarnation());
        let later = |status: &&Status| {
            status.state() == State::Alive && status.incarnation().epoch() > was.incarnation().epoch()
        };
        let doubted = self.ever.get(&id).into_iter().flat_map(|all| all.range(believed.clone())).filter(later);
        [was].into_iter().chain(doubted.copied()).any(reached)
    }
}

fn is_near(known: Incarnation, claim: Incarnation) -> bool {
    known.epoch() == claim.epoch() && claim.refutations().saturating_sub(known.refutations()) <= AHEAD_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: NodeId = NodeId::new(7);

    fn claims(all: &[Status]) -> Claims {
        let mut claims = Claims::default();
        claims.now.extend(all.iter().map(|&status| (ID, status)));
        claims.now.sort_unstable();
        claims
    }

    fn at(epoch: u32, refutations: u32) -> Incarnation {
        Incarnation::new(epoch, refutations)
    }

    #[test]
    fn nobody_is_pushed_far() {
        let dead = |refutations| Status::new(at(3, refutations), State::Dead);
        let near = claims(&[dead(64), dead(128)]);
        for (is, may) in [(0, true), (65, true), (129, true), (130, true), (131, false)] {
            assert_eq!(near.may_raise_me(ID, at(3, 0), at(3, is), false), may, "{is}");
        }
        let far = claims(&[dead(65), dead(Incarnation::MAX_REFUTATIONS)]);
        assert!(far.may_raise_me(ID, at(3, 0), at(4, 0), false) && !far.may_raise_me(ID, at(3, 0), at(3, 66), false));
        let later = claims(&[Status::alive(at(9, 5))]);
        assert!(
            later.may_raise_me(ID, at(3, 0), at(10, 0), true) && !later.may_raise_me(ID, at(3, 0), at(10, 0), false)
        );
        assert!(!later.may_raise_me(ID, at(3, 0), at(12, 0), true));
    }

    #[test]
    fn accusations_far_ahead_are_nobodys() {
        let status = |refutations, state| Status::new(at(3, refutations), state);
        let (was, far) = (status(0, State::Alive), status(65, State::Suspect));
        assert!(!claims(&[far]).may_raise(ID, was, far));
        assert!(claims(&[far, status(1, State::Alive)]).may_raise(ID, was, far), "it is near to what is known by then");
        assert!(claims(&[far, status(65, State::Alive)]).may_raise(ID, was, status(65, State::Alive)));
        let paged = claims(&[status(1, State::Dead)]);
        assert!(paged.may_raise(ID, was, status(1, State::Suspect)), "a death of a page is a suspicion");
        let later = Status::new(at(4, 0), State::Dead);
        assert!(!claims(&[later]).may_raise(ID, was, later), "of another epoch");
        let mut doubted = claims(&[]);
        doubted.ever(ID, Status::alive(at(4, 0)));
        assert!(doubted.may_raise(ID, was, Status::alive(at(4, 0))), "doubted at first");
    }
}
