//! The section `[record]` of a config file: the flight recorder of the node that it is for. Commands that start no node check it and
//! leave it at that.

use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use super::{Given, near};
use crate::agent::ring_size;

/// What it says; what it does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) file: Option<PathBuf>,
    pub(crate) dumps: Option<PathBuf>,
    pub(crate) ring: Option<usize>,
    pub(crate) outputs: Option<bool>,
}

impl Section {
    pub(crate) fn is_given(&self) -> bool {
        *self != Self::default()
    }

    /// Reads it. An error says where it is, as an offset in the text, and what it is.
    pub(super) fn read(table: &DeTable<'_>) -> Result<Self, (usize, String)> {
        let mut section = Self::default();
        for (key, value) in table {
            let (at, key) = (key.span().start, key.get_ref());
            section.set(key, value.get_ref()).map_err(|why| (at, why))?;
        }
        Ok(section)
    }

    fn set(&mut self, key: &str, value: &DeValue<'_>) -> Result<(), String> {
        let given = Given::from(value);
        let path = || match &given {
            Given::Text(path) if !path.is_empty() => Ok(Some(path.into())),
            _ => Err(format!("{key} must be a path, in quotes")),
        };
        match key {
            FILE => self.file = path()?,
            DUMPS => self.dumps = path()?,
            RING => self.ring = Some(size(&given).map_err(|why| format!("{RING} must be a size: {why}"))?),
            OUTPUTS => match given {
                Given::Bool(yes) => self.outputs = Some(yes),
                _ => return Err(format!("{OUTPUTS} must be true or false")),
            },
            _ => {
                return Err(match near([FILE, DUMPS, RING, OUTPUTS].into_iter(), key) {
                    Some(name) => format!("[record] has no {key}; did you mean {name}?"),
                    None => format!("[record] has no {key}; it has {FILE}, {DUMPS}, {RING}, {OUTPUTS}"),
                });
            }
        }
        Ok(())
    }
}

fn size(given: &Given) -> Result<usize, String> {
    match given {
        Given::Text(text) => ring_size(text),
        Given::Integer(bytes) => ring_size(&bytes.to_string()),
        _ => Err("write it like \"8MiB\"".into()),
    }
}

const FILE: &str = "file";
const DUMPS: &str = "dumps";
const RING: &str = "ring";
const OUTPUTS: &str = "outputs";
