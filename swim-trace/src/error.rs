//! What is wrong with a file, and where.

use std::fmt;

/// Why a trace, or the rest of one, cannot be read: which block, and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceError {
    /// Which block, from 0, the header's; what precedes it in the file counts to it.
    pub block: usize,
    /// Where in the file the trouble is, in bytes.
    pub offset: usize,
    /// What it is.
    pub damage: Damage,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// The file does not begin as a trace does.
    NotATrace,
    /// It was a trace before something converted its line ends, or cleared the eighth bit of each byte.
    TextMode,
    /// A version of the format that this build does not read.
    Version {
        /// The file's.
        found: u16,
    },
    /// The file ends within a block: its writer was cut off. All blocks before it are whole.
    Torn {
        /// Bytes that the block should have.
        wanted: usize,
        /// Bytes that there are.
        found: usize,
    },
    /// The length behind a block is not that before it.
    Length,
    /// The checksum is not that of the bytes.
    Checksum,
    /// A block whose content contradicts the format though its checksum is right: this does not hold.
    Malformed(&'static str),
    /// The first block is no header.
    NoHeader,
}

impl TraceError {
    pub(crate) const fn new(block: usize, offset: usize, damage: Damage) -> Self {
        Self { block, offset, damage }
    }

    /// The file ends within a block, as it does when its writer was cut off; nothing else is wrong.
    pub const fn is_torn(&self) -> bool {
        matches!(self.damage, Damage::Torn { .. })
    }
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "block {} at offset {}: {}", self.block, self.offset, self.damage)
    }
}

impl std::error::Error for TraceError {}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotATrace => f.write_str("this is no trace"),
            Self::TextMode => {
                f.write_str("the file was transferred as text, which has changed its bytes: copy it as binary")
            }
            Self::Version { found } => write!(
                f,
                "version {found} of the format, and this build reads version {}: use the build that has written it",
                crate::FORMAT_VERSION
            ),
            Self::Torn { wanted, found } => {
                write!(f, "the file ends here: the block should have {wanted} bytes, and {found} are there")
            }
            Self::Length => f.write_str("the lengths before and behind the block differ"),
            Self::Checksum => f.write_str("the checksum is wrong"),
            Self::Malformed(what) => write!(f, "the content contradicts the format: {what}"),
            Self::NoHeader => f.write_str("the header is missing"),
        }
    }
}
