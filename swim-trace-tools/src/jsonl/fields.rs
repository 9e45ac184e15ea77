//! The fields of one line: those that are missing, and those that nobody asked for, are named.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::json::Hex;

pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn of(line: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map(Self).map_err(|e| format!("this is no JSON object: {e}"))
    }

    pub(super) fn from_value(value: Value, what: &str) -> Result<Self, String> {
        match value {
            Value::Object(map) => Ok(Self(map)),
            _ => Err(format!("{what:?} is no object")),
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub(super) fn maybe<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, String> {
        let value = self.0.remove(key);
        value.map(|value| serde_json::from_value(value).map_err(|e| format!("{key:?}: {e}"))).transpose()
    }

    pub(super) fn take<T: DeserializeOwned>(&mut self, key: &str) -> Result<T, String> {
        self.maybe(key)?.ok_or_else(|| format!("{key:?} is missing"))
    }

    /// So many bytes in hexadecimal digits.
    pub(super) fn bytes<const N: usize>(&mut self, key: &str) -> Result<[u8; N], String> {
        self.take::<Hex<'static>>(key)?.array().map_err(|e| format!("{key:?}: {e}"))
    }

    pub(super) fn flag(&mut self, key: &str) -> Result<bool, String> {
        Ok(self.maybe(key)?.unwrap_or(false))
    }

    /// All that is left.
    pub(super) fn rest(self) -> Map<String, Value> {
        self.0
    }

    /// Nothing may be left.
    pub(super) fn done(self) -> Result<(), String> {
        let unknown: Vec<String> = self.0.keys().map(|key| format!("{key:?}")).collect();
        match unknown.len() {
            0 => Ok(()),
            1 => Err(format!("the field {} is not known here", unknown[0])),
            _ => Err(format!("the fields {} are not known here", unknown.join(", "))),
        }
    }
}
