//! Stories for the viewers of others.

mod perfetto;
mod shiviz;

pub use perfetto::perfetto;
pub use shiviz::{SHIVIZ_PARSER, shiviz};
