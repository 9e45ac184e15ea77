//! How often this node asks for what the dead have said, when somebody shows that it lacks some of it.
//!
//! A live owner ends every difference about its own state, and syncs have their own pace. Of the dead there may be something
//! that nobody has, or that this node cannot take, and each ping would show it again. So a question about a member that has
//! brought nothing makes the next one about it wait, the longer the more of them there were.
//!
//! In the same way it waits to ask for all of a state again that was too much: where configurations differ, it may always be.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::cx::Cx;
use crate::members::ensure;
use crate::time::Instant;

/// How often the wait doubles, from `sync_patience` on, and not beyond `sync_backoff_max`.
const DOUBLED_MAX: u32 = 20;

/// Remembered at a time; of more, the dead one that may be asked about first is forgotten.
const ASKED_MAX: usize = 64;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Orphans(Vec<Asked>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Asked {
    about: About,
    /// Nothing is asked about it before this.
    after: Instant,
    fruitless: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum About {
    /// All of a state that is too much, whosever.
    Anew,
    /// What the member at this slot has said, which is dead.
    Dead(u32),
}

impl Orphans {
    /// Takes all room that is ever needed.
    pub(crate) fn reserve(&mut self) {
        self.0.reserve_exact(ASKED_MAX.saturating_sub(self.0.len()));
    }

    pub(crate) fn may_ask(&self, slot: u32, cx: &Cx) -> bool {
        self.find(About::Dead(slot)).is_none_or(|asked| cx.now >= asked.after)
    }

    pub(crate) fn on_asked(&mut self, slot: u32, cx: &Cx) {
        self.wait(About::Dead(slot), cx);
    }

    /// May a state that is too much be asked for from its beginning? Then it is, and the next one waits.
    pub(crate) fn begins_anew(&mut self, cx: &Cx) -> bool {
        let after = self.find(About::Anew).map_or(Instant::ORIGIN, |asked| asked.after);
        if cx.now < after {
            return false;
        }
        // The last one may be long ago, and have helped.
        if after.plus_micros(cx.pace.sync_backoff_max) <= cx.now {
            self.drop_all(About::Anew);
        }
        self.wait(About::Anew, cx);
        true
    }

    /// Some of what this member has said has come, or the member is forgotten.
    pub(crate) fn forget(&mut self, slot: u32) {
        self.drop_all(About::Dead(slot));
    }

    fn find(&self, about: About) -> Option<&Asked> {
        self.0.iter().find(|asked| asked.about == about)
    }

    fn drop_all(&mut self, about: About) {
        self.0.retain(|asked| asked.about != about);
    }

    fn wait(&mut self, about: About, cx: &Cx) {
        let at = self.0.iter().position(|asked| asked.about == about);
        let fruitless = at.map_or(0, |at| self.0.swap_remove(at).fruitless);
        let dead = |&at: &usize| self.0[at].about != About::Anew;
        if self.0.len() >= ASKED_MAX
            && let Some(first) = (0..self.0.len()).filter(dead).min_by_key(|&at| self.0[at].after)
        {
            self.0.swap_remove(first);
        }
        let wait = cx.pace.sync_patience.saturating_mul(1 << fruitless).min(cx.pace.sync_backoff_max);
        let after = cx.now.plus_micros(wait);
        self.0.push(Asked { about, after, fruitless: (fruitless + 1).min(DOUBLED_MAX) });
    }

    pub(crate) fn check(&self, is_member: impl Fn(u32) -> bool, cx: &Cx) -> Result<(), &'static str> {
        ensure(self.0.len() <= ASKED_MAX, "questions in vain that are remembered have a bound")?;
        let latest = cx.now.plus_micros(cx.pace.sync_backoff_max);
        let is_known = |about| if let About::Dead(slot) = about { is_member(slot) } else { true };
        let fits = |a: &Asked| is_known(a.about) && a.fruitless <= DOUBLED_MAX && a.after <= latest;
        ensure(self.0.iter().all(fits), "questions in vain are about members, and wait no longer than they may")?;
        let once = |at: usize| self.0[at + 1..].iter().all(|other| other.about != self.0[at].about);
        ensure((0..self.0.len()).all(once), "what was asked in vain is remembered once")
    }
}
