//! What a node carries for others and never looks into, replaced: for traces that are shown to those who should not read it.

use alloc::string::String;
use alloc::vec::Vec;

use super::Node;
use crate::identity::Profile;
use crate::wire::{self, DecodeError, Opaque};

impl Node {
    /// Hands every byte string that the node carries and never looks into to `map`, which may replace it by another of the same
    /// length: names and metadata of all rows and of what waits to become one, keys and values of all states, topics and payloads of the rumors that are kept, those in the question that it answered last, and the name of the cluster. Empty
    /// ones are left out.
    ///
    /// Where `map` takes equal ones to equal ones and different ones to different ones, the node does what it would have done,
    /// given inputs that are mapped alike: profiles are compared for equality, and nothing else. A snapshot holds nothing of what
    /// was replaced.
    ///
    /// # Errors
    /// [`DecodeError::Value`] when a name is no UTF-8 any more. The node cannot be used then.
    pub fn map_opaque(&mut self, map: &mut dyn FnMut(Opaque, &mut [u8])) -> Result<(), DecodeError> {
        let mut mapped = |profile: &Profile| {
            let (mut name, mut meta) = (profile.name().as_bytes().to_vec(), profile.meta().to_vec());
            give(map, Opaque::Name, &mut name);
            give(map, Opaque::Meta, &mut meta);
            Ok(Profile::pack(&utf8(name)?, &meta))
        };
        self.table.map_profiles(&mut mapped)?;
        self.profiles.map_mine(&mut mapped)?;
        self.doubts.map_profiles(mapped)?;
        self.state
            .map_opaque(&mut |value, bytes| give(map, if value { Opaque::Value } else { Opaque::Key }, bytes))
            .map_err(|_| DecodeError::Value)?;
        self.rumors.map_opaque(&mut |payload, bytes| {
            give(map, if payload { Opaque::Payload } else { Opaque::Topic }, bytes);
        })?;
        // A frame since it was put there; of a broken snapshot, it is never answered.
        match wire::opaque(&self.asked) {
            Ok(places) => {
                for (what, place) in places {
                    give(map, what, self.asked.get_mut(place).unwrap_or_default());
                }
                wire::Frame::parse(&self.asked)?;
            }
            Err(_) => self.asked.clear(),
        }
        let mut cluster = core::mem::take(&mut self.cx.config.cluster).into_bytes();
        give(map, Opaque::Cluster, &mut cluster);
        self.cx.config.cluster = utf8(cluster)?;
        Ok(())
    }
}

fn give(map: &mut dyn FnMut(Opaque, &mut [u8]), what: Opaque, bytes: &mut [u8]) {
    if !bytes.is_empty() {
        map(what, bytes);
    }
}

fn utf8(bytes: Vec<u8>) -> Result<String, DecodeError> {
    String::from_utf8(bytes).map_err(|_| DecodeError::Value)
}
