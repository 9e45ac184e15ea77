//! The section `[sealing]` of a config file: the keys of the node that it is for. Commands that start no node check it,
//! and see by it that nodes seal.

use std::path::PathBuf;
use std::time::SystemTime;

use toml::de::{DeTable, DeValue};

use super::near;
use crate::agent::moment;

/// What it says; what it does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sealing {
    pub(crate) keyring: Option<PathBuf>,
    /// `@` and a path: a file that others may read is no place for a token.
    pub(crate) token: Option<String>,
    pub(crate) migrate_until: Option<SystemTime>,
}

impl Sealing {
    /// Whether nodes get keys by it.
    pub(crate) fn has_keys(&self) -> bool {
        self.keyring.is_some() || self.token.is_some()
    }

    /// Reads it. An error says where it is, as an offset in the text, and what it is.
    pub(super) fn read(table: &DeTable<'_>) -> Result<Self, (usize, String)> {
        let mut sealing = Self::default();
        for (key, value) in table {
            sealing.set(key.get_ref(), value.get_ref()).map_err(|why| (key.span().start, why))?;
        }
        Ok(sealing)
    }

    fn set(&mut self, key: &str, value: &DeValue<'_>) -> Result<(), String> {
        match (key, value) {
            (KEYRING, DeValue::String(path)) if !path.is_empty() => self.keyring = Some(PathBuf::from(&**path)),
            (KEYRING, _) => return Err(format!("{KEYRING} must be a path, in quotes")),
            (TOKEN, DeValue::String(path)) if path.len() > 1 && path.starts_with('@') => {
                self.token = Some(path.to_string());
            }
            // It may be one, so it is not repeated.
            (TOKEN, _) => {
                return Err(format!("{TOKEN} must be @ and the path of a file that has it, in quotes: it is a secret"));
            }
            (MIGRATE_UNTIL, value) => {
                let text = match value {
                    DeValue::String(text) => text.to_string(),
                    DeValue::Datetime(at) => at.to_string(),
                    _ => return Err(format!("{MIGRATE_UNTIL} must be a time, like 2026-12-01T00:00:00Z")),
                };
                self.migrate_until = Some(moment(&text).map_err(|why| format!("{MIGRATE_UNTIL}: {why}"))?);
            }
            _ => {
                return Err(match near([KEYRING, TOKEN, MIGRATE_UNTIL].into_iter(), key) {
                    Some(name) => format!("[sealing] has no {key}; did you mean {name}?"),
                    None => format!("[sealing] has no {key}; it has {KEYRING}, {TOKEN}, {MIGRATE_UNTIL}"),
                });
            }
        }
        Ok(())
    }
}

const KEYRING: &str = "keyring";
const TOKEN: &str = "token";
const MIGRATE_UNTIL: &str = "migrate_until";
