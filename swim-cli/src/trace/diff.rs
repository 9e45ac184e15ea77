//! `swim trace diff`.

use std::path::PathBuf;

use clap::Args;
use swim_trace_tools::diff::{Diff, In, Side, diff};

use super::load::load;
use super::{Format, words};
use crate::output::{Failure, Out, shown};

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// A trace.
    #[arg(value_name = "A")]
    a: PathBuf,
    /// Another one.
    #[arg(value_name = "B")]
    b: PathBuf,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

pub(super) const HELP: &str = "\
Compares inputs with their times, and what came out: as recorded where both traces have that, and
otherwise by the digests in them. A trace that begins later is compared from where it begins.

Exit code 0 means the same run, however it was recorded, and 1 that a step differs, or what the node was
constructed with.";

pub(super) fn run(args: &DiffArgs) -> Result<(), Failure> {
    let (loaded_a, loaded_b) = (load(&args.a)?, load(&args.b)?);
    let (a, b) = (loaded_a.trace()?, loaded_b.trace()?);
    let diff = diff(&a, &b);
    let mut out = Out::new();
    match args.format {
        Format::Json => words::put_json(&mut out, &diff)?,
        Format::Human => print(&mut out, &diff)?,
    }
    loaded_a.ending(diff.error_a.as_ref())?;
    loaded_b.ending(diff.error_b.as_ref())?;
    if diff.is_same() { Ok(()) } else { Err(Failure::Runtime("the traces differ".into())) }
}

fn print(out: &mut Out, diff: &Diff) -> Result<(), Failure> {
    for field in &diff.header {
        // JSON, so that nothing in it commands the terminal.
        out.line(format_args!(
            "header  {}: {} and {}",
            field.field,
            shown(&words::json(&field.a)),
            shown(&words::json(&field.b))
        ))?;
    }
    let skipped = match diff.skipped {
        0 => String::new(),
        n => format!(", {n} that only one of them has"),
    };
    let Some(first) = &diff.first else {
        return out.line(format_args!("{} steps alike{skipped}", diff.same_steps));
    };
    let what = match first.differs_in {
        In::Input => "another input",
        In::Output => "something else came out",
        In::End => "one trace is over",
    };
    out.line(format_args!("{} steps alike{skipped}; step {}: {what}", diff.same_steps, first.step))?;
    for (name, side) in [("A", &first.a), ("B", &first.b)] {
        match side {
            Some(side) => print_side(out, name, side)?,
            None => out.line(format_args!("{name}  is over"))?,
        }
    }
    Ok(())
}

fn print_side(out: &mut Out, name: &str, side: &Side) -> Result<(), Failure> {
    out.line(format_args!("{name}  {}  {}", words::clock(side.at_us), words::input(&side.input)))?;
    let (outputs, origin) = match &side.outputs {
        Some(outputs) => (outputs, if side.recorded { "as recorded" } else { "not recorded; a replay gives" }),
        None => return out.line(format_args!("   what came out is not recorded, and a replay does not get there")),
    };
    let nothing = outputs.sent.is_empty() && outputs.events.is_empty();
    out.line(format_args!("   {origin}:{}", if nothing { " nothing came out" } else { "" }))?;
    words::outputs(outputs).try_for_each(|line| out.line(format_args!("     {line}")))
}
