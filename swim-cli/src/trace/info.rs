//! `swim trace info`.

use std::path::PathBuf;

use clap::Args;

use super::load::load;
use crate::output::Failure;

#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// The trace.
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
}

pub(super) fn run(args: &InfoArgs) -> Result<(), Failure> {
    let loaded = load(&args.trace)?;
    let trace = loaded.trace()?;
    println!("{} blocks of {}", trace.blocks().count(), trace.header().profile.name());
    Ok(())
}
