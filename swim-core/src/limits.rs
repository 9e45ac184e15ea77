//! What an embedder may hand in at most, and the error that says so before anything has been given to a node.

use core::fmt;
use core::time::Duration;

use crate::config::Config;

/// Bytes of a datagram that are not a rumor's topic and payload: envelope, head, the heads of section and item.
const RUMOR_OVERHEAD: usize = 128;

/// Bytes of a datagram that are not an entry's value: envelope, head, the heads of section, item and entry, and the key.
const ENTRY_OVERHEAD: usize = 208;

impl Config {
    /// Most bytes in the key of an entry of a node's state; one at least.
    pub const KEY_MAX: usize = 64;
    /// Most bytes in the value of an entry, where the `mtu` has room for them.
    pub const VALUE_MAX: usize = 1_024;
    /// What an entry counts against `state_bytes` beside its key and its value.
    pub const ENTRY_COST: usize = 16;
    /// Most bytes in the topic of a rumor.
    pub const TOPIC_MAX: usize = 64;
    /// The longest time after which an entry may vanish by itself: 2^34 - 1 ms, 198 days.
    pub const TTL_MAX: Duration = Duration::from_millis((1 << 34) - 1);

    /// Most bytes that a rumor's topic and payload may have together: it has to fit into one datagram.
    pub fn rumor_max(&self) -> usize {
        self.mtu.saturating_sub(RUMOR_OVERHEAD)
    }

    /// Most bytes that a value may have: it has to fit into one datagram with its key.
    pub fn value_max(&self) -> usize {
        self.mtu.saturating_sub(ENTRY_OVERHEAD).min(Self::VALUE_MAX)
    }

    /// Can this rumor ever be sent?
    ///
    /// # Errors
    /// [`TooLong`] names the limit.
    pub fn check_rumor(&self, topic: &str, payload: &[u8]) -> Result<(), TooLong> {
        within("topic", topic.len(), Self::TOPIC_MAX)?;
        within("payload", payload.len(), self.rumor_max().saturating_sub(topic.len()))
    }

    /// Can a key ever be put or deleted?
    ///
    /// # Errors
    /// [`TooLong`] names the limit.
    pub fn check_key(&self, key: &str) -> Result<(), TooLong> {
        if key.is_empty() {
            return Err(TooLong { what: "key", len: 0, max: Self::KEY_MAX });
        }
        within("key", key.len(), Self::KEY_MAX)
    }

    /// Can this entry ever be sent? Whether there is room for it beside the others is not asked.
    ///
    /// # Errors
    /// [`TooLong`] names the limit.
    pub fn check_put(&self, key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), TooLong> {
        self.check_key(key)?;
        within("value", value.len(), self.value_max())?;
        // Compared before they are made numbers of this machine's width: where that is 32 bits, both are its largest.
        let millis = |d: Duration| usize::try_from(d.as_millis()).unwrap_or(usize::MAX);
        match ttl.filter(|ttl| ttl.as_millis() > Self::TTL_MAX.as_millis()) {
            Some(ttl) => Err(TooLong { what: "ttl", len: millis(ttl), max: millis(Self::TTL_MAX) }),
            None => Ok(()),
        }
    }
}

fn within(what: &'static str, len: usize, max: usize) -> Result<(), TooLong> {
    if len <= max { Ok(()) } else { Err(TooLong { what, len, max }) }
}

/// Something that can never be sent: it does not fit into a datagram, or is beyond what others accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TooLong {
    what: &'static str,
    len: usize,
    max: usize,
}

impl TooLong {
    /// What is too long: `"topic"`, `"payload"`, `"key"`, `"value"` or `"ttl"`.
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// How long it is: bytes; milliseconds of a ttl.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Was it empty, and must not be? A key has one byte at least.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How long it may be, in the unit of [`Self::len`].
    pub fn max(&self) -> usize {
        self.max
    }
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, len, max } = *self;
        match what {
            _ if len == 0 => write!(f, "the {what} is empty: it needs 1 to {max} bytes"),
            "ttl" => write!(f, "the ttl is {len} ms, and at most {max} are possible: leave it out, and delete by hand"),
            _ => write!(f, "the {what} has {len} bytes, and at most {max} fit: send a reference to it instead"),
        }
    }
}

impl core::error::Error for TooLong {}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::*;

    #[test]
    fn the_limit_is_in_the_error() {
        let c = Config::lan("c");
        let long = |n: usize| -> String { core::iter::repeat_n('k', n).collect() };
        assert_eq!(c.check_rumor("t", &[0; 1_271]), Ok(()));
        let e = c.check_rumor("t", &[0; 1_272]).unwrap_err();
        assert_eq!((e.what(), e.len(), e.max()), ("payload", 1_272, 1_271));
        assert_eq!(e.to_string(), "the payload has 1272 bytes, and at most 1271 fit: send a reference to it instead");
        assert_eq!(c.check_rumor(&long(65), b"").unwrap_err().what(), "topic");
        assert_eq!(c.check_put(&long(64), &[0; 1_024], Some(Config::TTL_MAX)), Ok(()));
        assert_eq!(c.check_put(&long(65), b"", None).unwrap_err().max(), 64);
        assert_eq!(c.check_put("k", &[0; 1_025], None).unwrap_err().max(), 1_024);
        assert!(c.check_key("").unwrap_err().is_empty());
        assert_eq!(c.check_key("").unwrap_err().to_string(), "the key is empty: it needs 1 to 64 bytes");
        let e = c.check_put("k", b"", Some(Duration::MAX)).unwrap_err();
        let most = usize::try_from((1_u64 << 34) - 1).unwrap_or(usize::MAX);
        assert_eq!((e.what(), e.max()), ("ttl", most));
        let mut small = c.clone();
        small.mtu = Config::MTU_MIN;
        assert_eq!((small.value_max(), small.rumor_max()), (592, 672));
    }
}
