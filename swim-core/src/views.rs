//! What the view hashes that peers report say of this node's own view: whether it is theirs, for how long, and when a sync
//! is due.
//!
//! A local observation: it speaks of the live peers that were heard, since when they were heard, and of nobody else.

use serde::{Deserialize, Serialize};

use crate::cx::Cx;
use crate::event::Event;
use crate::mutation::Mutation;
use crate::time::Instant;

/// So many times sooner does a sync begin while the embedder has not been told that views agree.
const EAGER: u64 = 4;

/// How often the wait for the next sync doubles while states and rumors never agree: to four times the patience.
const APP_DOUBLED_MAX: u32 = 3;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Views {
    /// What all reports say since `since`; `NEVER` before the first one.
    agree: bool,
    since: Instant,
    /// What the embedder was told last.
    told: Option<bool>,
    /// The disagreement counts as lasting from here on.
    lasting_at: Instant,
    /// No sync before this.
    sync_after: Instant,
    fruitless: u32,
    /// Has made way for a peer's sync since the last one of its own.
    yielded: bool,
    of: Of,
}

/// What reports are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Of {
    /// Who is there, and how. The embedder is told whether views agree.
    Rows,
    /// The members' states and rumors. Where some are always on their way, hashes never agree, and yet nothing is wrong: so
    /// nobody is told, and what a sync brings is no reason to hurry with the next.
    App,
}

impl Views {
    pub(crate) fn new(of: Of) -> Self {
        Self {
            agree: false,
            since: Instant::NEVER,
            told: None,
            lasting_at: Instant::NEVER,
            sync_after: Instant::ORIGIN,
            fruitless: 0,
            yielded: false,
            of,
        }
    }

    /// A live peer has told its view hash; `live` members are known here. Tells whether a sync with it is due.
    pub(crate) fn on_report(&mut self, agrees: bool, live: usize, cx: &mut Cx) -> bool {
        if self.since == Instant::NEVER || self.agree != agrees {
            (self.agree, self.since) = (agrees, cx.now);
            if !agrees {
                // Both sides of a disagreement see it at once, and one of them is enough to end it.
                let patience = self.patience(cx);
                self.lasting_at = cx.now.plus_micros(patience + cx.rng.below(patience / 2 + 1));
            }
        }
        if self.told != Some(agrees) && cx.now.micros_since(self.since) >= cx.pace.sync_patience {
            self.told = Some(agrees);
            if self.of == Of::Rows {
                cx.events.push(if agrees { Event::Converged { members: live as u32 } } else { Event::Diverged });
            }
        }
        if agrees {
            (self.fruitless, self.yielded) = (0, false);
        }
        !agrees && cx.now >= self.lasting_at && cx.now >= self.sync_after && !cx.mutant(Mutation::SyncNeverBegins)
    }

    /// A view that is known to be behind, as that of a newcomer among newcomers, is not given time to mend by itself.
    fn patience(&self, cx: &Cx) -> u64 {
        let known_behind = self.of == Of::Rows && self.told != Some(true);
        if known_behind { cx.pace.sync_patience / EAGER } else { cx.pace.sync_patience }
    }

    /// A sync begins: the next one has to wait, the longer the more of them have changed nothing.
    pub(crate) fn on_sync(&mut self, cx: &mut Cx) {
        // Where others' writes never cease, a node waits for what it has missed no longer than this.
        let doubled = self.fruitless.min(if self.of == Of::App { APP_DOUBLED_MAX } else { 20 });
        let wait = (self.patience(cx) / 2).saturating_mul(1 << doubled).min(cx.pace.sync_backoff_max);
        self.sync_after = cx.now.plus_micros(wait / 2 + cx.rng.below(wait / 2 + 1));
        self.fruitless = self.fruitless.saturating_add(1);
        self.yielded = false;
    }

    /// A peer asks what differs, which ends the disagreement for both. Once, so that nobody can put off a sync for ever.
    pub(crate) fn on_asked(&mut self, cx: &mut Cx) {
        if !self.yielded {
            self.yielded = true;
            let wait = self.patience(cx) / 2;
            self.sync_after = self.sync_after.max(cx.now.plus_micros(wait / 2 + cx.rng.below(wait / 2 + 1)));
        }
    }

    /// A sync has changed this node's view. There may be more where that came from.
    pub(crate) fn on_fruit(&mut self) {
        if self.of == Of::Rows {
            self.fruitless = 0;
        }
    }
}
