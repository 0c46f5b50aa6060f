//! The executable. Everything else is in `lib.rs`.

use std::process::ExitCode;

use blueprint::cli::{self, Cli};
use clap::Parser;

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli::guarded(|| cli.run())
}
