//! How often this node asks for what the dead have said, when somebody shows that it lacks some of it; and for the state of a
//! member that may have more than this node may hold.
//!
//! A live owner ends every difference about its own state, and syncs have their own pace. Of the dead there may be something
//! that nobody has, or that this node cannot take, and each ping would show it again. So a question about a member that has
//! brought nothing makes the next one about it wait, the longer the more of them there were. The same holds where all of a
//! state was asked for anew because it was too much: without a wait, who may hold less than its owner would ask for ever.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::cx::Cx;
use crate::members::ensure;
use crate::time::Instant;

/// How often the wait doubles, from `sync_patience` on, and not beyond `sync_backoff_max`.
const DOUBLED_MAX: u32 = 20;

/// Remembered at a time; of more, the one that may be asked about first is forgotten.
const ASKED_MAX: usize = 64;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Orphans(Vec<Asked>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Asked {
    slot: u32,
    /// The version of a state that was too much; 0 where it is about what one of the dead has said.
    refused: u32,
    /// Nothing of this is asked before.
    after: Instant,
    fruitless: u32,
}

impl Asked {
    fn is(&self, slot: u32, refused: bool) -> bool {
        self.slot == slot && (self.refused > 0) == refused
    }
}

impl Orphans {
    /// Takes all room that is ever needed.
    pub(crate) fn reserve(&mut self) {
        self.0.reserve_exact(ASKED_MAX.saturating_sub(self.0.len()));
    }

    /// May it be asked what this member has said, if it is dead?
    pub(crate) fn may_ask(&self, slot: u32, cx: &Cx) -> bool {
        self.find(slot, false).is_none_or(|asked| cx.now >= asked.after)
    }

    /// What this member, which is dead, has said was asked for.
    pub(crate) fn on_asked(&mut self, slot: u32, cx: &Cx) {
        self.wait(slot, 0, cx);
    }

    /// Some of what this member has said has come, or it lives.
    pub(crate) fn on_heard(&mut self, slot: u32) {
        self.0.retain(|asked| !asked.is(slot, false));
    }

    /// May this member's state be asked for, which may be too much?
    pub(crate) fn may_hold(&self, slot: u32, cx: &Cx) -> bool {
        self.find(slot, true).is_none_or(|asked| cx.now >= asked.after)
    }

    /// Was its state too much, and has nobody's whole copy been held since?
    pub(crate) fn was_refused(&self, slot: u32) -> bool {
        self.find(slot, true).is_some()
    }

    /// The state of this member, at that version or on the way to it, was too much.
    pub(crate) fn on_refused(&mut self, slot: u32, version: u32, cx: &Cx) {
        self.wait(slot, version.max(1), cx);
    }

    /// Its state is held up to this version.
    pub(crate) fn on_held(&mut self, slot: u32, version: u32) {
        self.0.retain(|asked| !asked.is(slot, true) || asked.refused > version);
    }

    /// The member is forgotten, or in another life.
    pub(crate) fn forget(&mut self, slot: u32) {
        self.0.retain(|asked| asked.slot != slot);
    }

    fn find(&self, slot: u32, refused: bool) -> Option<&Asked> {
        self.0.iter().find(|asked| asked.is(slot, refused))
    }

    fn wait(&mut self, slot: u32, refused: u32, cx: &Cx) {
        let at = self.0.iter().position(|asked| asked.is(slot, refused > 0));
        let fruitless = at.map_or(0, |at| self.0.swap_remove(at).fruitless);
        if self.0.len() >= ASKED_MAX
            && let Some(first) = (0..self.0.len()).min_by_key(|&at| self.0[at].after)
        {
            self.0.swap_remove(first);
        }
        let wait = cx.pace.sync_patience.saturating_mul(1 << fruitless).min(cx.pace.sync_backoff_max);
        let after = cx.now.plus_micros(wait);
        self.0.push(Asked { slot, refused, after, fruitless: (fruitless + 1).min(DOUBLED_MAX) });
    }

    pub(crate) fn check(&self, is_member: impl Fn(u32) -> bool, cx: &Cx) -> Result<(), &'static str> {
        ensure(self.0.len() <= ASKED_MAX, "questions in vain that are remembered have a bound")?;
        let latest = cx.now.plus_micros(cx.pace.sync_backoff_max);
        let fits = |a: &Asked| is_member(a.slot) && a.fruitless <= DOUBLED_MAX && a.after <= latest;
        ensure(self.0.iter().all(fits), "questions in vain are about members, and wait no longer than they may")?;
        let once = |at: usize| !self.0[at + 1..].iter().any(|a| a.is(self.0[at].slot, self.0[at].refused > 0));
        ensure((0..self.0.len()).all(once), "each question in vain is remembered once")
    }
}
