//! Writes what concerns application data.

use super::super::app::{self, Digest, Summary};
use super::super::codec::{Cursor, varint_len};
use super::super::kind;
use super::super::state::{ENTRIES_MAX, StateEntry, StateHead, StateItem, pack_len};
use super::Writer;
use crate::node::Rumor;
use crate::status::RumorId;

impl Writer<'_> {
    /// Keeps so many bytes at the end free for what follows: until [`Self::release`], everything behaves as if the
    /// buffer were shorter. With fewer bytes than that left there is no room at all.
    pub fn hold(&mut self, bytes: usize) {
        self.out.hold(bytes);
    }

    /// Gives back what was kept free.
    pub fn release(&mut self) {
        self.out.hold(0);
    }

    /// Puts a digest, which asks for more than these; `false` when it does not fit. Without a record it vanishes.
    pub fn digest(&mut self, nonce: u32, digests: impl Iterator<Item = Digest>) -> bool {
        self.records(kind::DIGEST, |c| c.u32(nonce), digests, |c, digest| app::write_digest(&digest, c))
    }

    /// Puts the section of the app hash, which is left out when it is 0; `false` when it does not fit.
    pub fn app_hash(&mut self, hash: u32) -> bool {
        let mark = self.out.at();
        let put = |c: &mut Cursor<'_>| {
            c.bytes(&[kind::APP, 4])?;
            c.u32(hash)
        };
        let done = hash == 0 || put(&mut self.out).is_some();
        if !done {
            self.out.rewind(mark);
        }
        done
    }

    /// Puts the section of these summaries; `false` when it does not fit. Without a record it vanishes.
    pub fn summaries(&mut self, summaries: impl Iterator<Item = Summary>) -> bool {
        self.records(kind::SUMMARIES, |_| Some(()), summaries, |c, summary| app::write_summary(&summary, c))
    }

    /// Opens the section of summaries, for [`Self::summary`].
    pub fn open_summaries(&mut self) -> bool {
        self.open_section(kind::SUMMARIES)
    }

    /// Puts a summary into the open section; `false` when it does not fit, and then nothing has changed.
    pub fn summary(&mut self, summary: &Summary) -> bool {
        self.put_into_section(|c| app::write_summary(summary, c)).is_some()
    }

    /// Opens the section of states, for [`Self::state`].
    pub fn open_states(&mut self) -> bool {
        self.open_section(kind::STATE)
    }

    /// Puts as many of these entries into the open section as fit, and take at most `most` bytes; the first one may
    /// take more. They must ascend, above `head.from` and not above `head.version`. Without any, the item says that
    /// there are none.
    ///
    /// Returns how far it got: `head.version` when nothing was left out. `None`: not even the head and the first entry
    /// fit, and nothing has changed.
    pub fn state<'e>(
        &mut self,
        head: &StateHead,
        most: usize,
        entries: impl Iterator<Item = StateEntry<'e>>,
    ) -> Option<u32> {
        self.put_into_section(|c| put_state(c, head, most, entries))
    }

    /// Puts a part of a state as it was read into the open section; `false` when it does not fit, and then nothing has
    /// changed.
    pub fn state_item(&mut self, item: &StateItem<'_>) -> bool {
        self.put_into_section(|c| item.write(c)).is_some()
    }

    /// Opens the section of rumors, for [`Self::rumor`].
    pub fn open_rumors(&mut self) -> bool {
        self.open_section(kind::RUMORS)
    }

    /// Puts a rumor into the open section; `false` when it does not fit, and then nothing has changed.
    pub fn rumor(&mut self, rumor: &Rumor<'_>) -> bool {
        self.put_into_section(|c| app::write_rumor(rumor, c)).is_some()
    }

    /// Puts the section of feedback: rumors that the receiver has told, and whether they had been known. `false` when
    /// it does not fit; without a record it vanishes.
    pub fn known(&mut self, known: impl Iterator<Item = (RumorId, bool)>) -> bool {
        self.records(kind::KNOWN, |_| Some(()), known, |c, known| app::write_known(known, c))
    }
}

fn put_state<'e>(
    c: &mut Cursor<'_>,
    head: &StateHead,
    most: usize,
    entries: impl Iterator<Item = StateEntry<'e>>,
) -> Option<u32> {
    head.write(c)?;
    let len_at = c.at();
    // The length is known when the entries are put. Room is kept for the longest it can be.
    let kept = varint_len(pack_len(c.room().min(ENTRIES_MAX), true));
    c.bytes([0; 3].get(..kept)?)?;
    let start = c.at();
    let (mut upto, mut complete) = (head.from, true);
    for entry in entries {
        let (mark, first) = (c.at(), upto == head.from);
        let valid = entry.version <= head.version;
        debug_assert!(valid, "{entry:?} is above {head:?}");
        let fits = valid && entry.write(upto, c).is_some();
        let len = c.at().saturating_sub(start);
        if !fits || len > ENTRIES_MAX || len > most && !first {
            c.rewind(mark);
            if first {
                return None;
            }
            complete = false;
            break;
        }
        upto = entry.version;
    }
    complete |= upto == head.version;
    let packed = pack_len(c.at().saturating_sub(start), complete);
    let need = varint_len(packed);
    c.close_gap(len_at.saturating_add(need), start);
    let mut bytes = [0; 3];
    let mut length = Cursor::new(&mut bytes);
    length.varint(packed)?;
    c.patch(len_at, bytes.get(..need)?);
    Some(if complete { head.version } else { upto })
}
