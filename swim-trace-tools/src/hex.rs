//! Bytes as hexadecimal digits, two for each, in small letters.

use std::borrow::Cow;
use std::fmt::{self, LowerHex};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bytes that stand in JSON as a string of digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hex<'a>(pub Cow<'a, [u8]>);

impl Hex<'_> {
    pub(crate) fn array<const N: usize>(&self) -> Result<[u8; N], String> {
        let wrong = || format!("{} hexadecimal digits where {} belong", 2 * self.0.len(), 2 * N);
        self.0.as_ref().try_into().map_err(|_| wrong())
    }
}

impl<'a> From<&'a [u8]> for Hex<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Hex(Cow::Borrowed(bytes))
    }
}

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hex<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        decode(&text)
            .map(|bytes| Self(Cow::Owned(bytes)))
            .ok_or_else(|| de::Error::custom("bytes are written as hexadecimal digits in small letters, two for each"))
    }
}

/// A number that stands in JSON as all of its digits, since readers other than this one round numbers of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digits<T>(pub T);

impl<T: LowerHex> fmt::Display for Digits<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$x}", self.0, width = 2 * size_of::<T>())
    }
}

impl<T: LowerHex> Serialize for Digits<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digits<u32> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Hex::deserialize(deserializer)?.array().map(|bytes| Self(u32::from_be_bytes(bytes))).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Digits<u64> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Hex::deserialize(deserializer)?.array().map(|bytes| Self(u64::from_be_bytes(bytes))).map_err(de::Error::custom)
    }
}

// A note may have 16 MiB, so both are plain loops, which are quick in an unoptimised build, too.

fn encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for &byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// Only what [`encode`] writes.
fn decode(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let mut bytes = Vec::with_capacity(text.len() / 2);
    for pair in text.as_bytes().chunks(2) {
        let &[high, low] = pair else { return None };
        bytes.push(digit(high)? << 4 | digit(low)?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), Some(all));
        assert_eq!(encode(&[0, 0xaf]), "00af");
        assert!(["0", "AF", "0g", " 00", "0x00", "é"].iter().all(|text| decode(text).is_none()));
        assert_eq!(decode(""), Some(Vec::new()));
    }
}
