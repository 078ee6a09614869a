//! `meliora sandbox`: cages for a person's own commands.

mod image;
mod run;
mod selftest;
mod serve;

use crate::args;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::Printer;

/// Does what was asked.
pub fn sandbox(command: &args::Sandbox, printer: &Printer) -> Result<Exit, Failure> {
    match command {
        args::Sandbox::Run(run) => run::run(run, printer),
        args::Sandbox::Image { command } => image::image(command, printer),
        args::Sandbox::Selftest(selftest) => selftest::selftest(selftest, printer),
        args::Sandbox::Serve(serve) => serve::serve(serve, printer),
    }
}
