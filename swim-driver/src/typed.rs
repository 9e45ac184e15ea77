//! Values of a type of the embedder's, in place of bytes.

use std::any::type_name;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::handle::Handle;
use crate::mailbox::CommandError;
use crate::view::MemberView;

/// Why a value could not be put, or not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateError {
    /// It was not accepted: too long, no room, or the driver has ended.
    Refused {
        /// The key of the entry.
        key: Box<str>,
        /// Why.
        error: CommandError,
    },
    /// The type's own `Serialize` has failed, or says things that cannot be written, as the length of a sequence that is not
    /// known beforehand.
    NotEncodable {
        /// The key of the entry.
        key: Box<str>,
        /// The type's name.
        of: &'static str,
    },
    /// The bytes that are there are no value of this type: whoever has put them has put something else, or another version of it.
    NotDecodable {
        /// The key of the entry.
        key: Box<str>,
        /// The type's name.
        of: &'static str,
    },
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { key, error } => write!(f, "{key:?} cannot be put: {error}"),
            Self::NotEncodable { key, of } => write!(f, "the value for {key:?} cannot be written as bytes of a {of}"),
            Self::NotDecodable { key, of } => write!(
                f,
                "the value of {key:?} is no {of}: whoever has put it uses another type, or another version of this one"
            ),
        }
    }
}

impl std::error::Error for StateError {}

impl Handle {
    /// Writes an entry of this node's own state, as [`Self::put`], from a value that serialises: in postcard's format, which
    /// names no fields. So all who read it need the same version of the type; for one that is to change, take an enum of
    /// its versions.
    ///
    /// # Errors
    /// [`StateError`] names the key.
    pub fn put_as<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<(), StateError> {
        self.put_encoded(key, value, None)
    }

    /// The same, for a while only, as [`Self::put_with_ttl`].
    ///
    /// # Errors
    /// [`StateError`] names the key.
    pub fn put_as_with_ttl<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
        ttl: Duration,
    ) -> Result<(), StateError> {
        self.put_encoded(key, value, Some(ttl))
    }

    fn put_encoded<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
        ttl: Option<Duration>,
    ) -> Result<(), StateError> {
        let bytes = postcard::to_allocvec(value)
            .map_err(|_| StateError::NotEncodable { key: key.into(), of: type_name::<T>() })?;
        self.put_for(key, &bytes, ttl).map_err(|error| StateError::Refused { key: key.into(), error })
    }
}

impl MemberView {
    /// The value of this key, as [`Handle::put_as`] has written it; none where there is no such entry.
    ///
    /// # Errors
    /// [`StateError::NotDecodable`] when it is no value of this type, or has more bytes than one. It comes from another node,
    /// so it may be anything.
    pub fn get_as<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StateError> {
        let Some(bytes) = self.get(key) else { return Ok(None) };
        match postcard::take_from_bytes(bytes) {
            Ok((value, [])) => Ok(Some(value)),
            _ => Err(StateError::NotDecodable { key: key.into(), of: type_name::<T>() }),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
