//! The program `swim`; the library beside it is all of it.

use std::process::ExitCode;

fn main() -> ExitCode {
    swim_cli::main()
}
