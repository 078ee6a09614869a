//! The `meliora` program: arguments, configuration, wiring, output, exit codes. It decides nothing.

mod alerts;
mod args;
mod cages;
mod command;
mod config;
mod custody;
mod desk;
mod exit;
mod failure;
mod keys;
mod models;
mod observer;
mod page;
mod printer;
mod project;
mod toolbox;

use clap::Parser as _;

fn main() -> std::process::ExitCode {
    // Before anything else: this process may have been started to be what cages are cloned from.
    meliora_sandbox::serve_if_asked(std::env::args_os());
    let args = args::Args::parse();
    if args.command.opens_cages() {
        // Here, for it begins this program once more.
        meliora_sandbox::take_ranges();
    }
    let printer = printer::Printer::new(args.json);
    match command::dispatch(&args, &printer) {
        Ok(code) => code.into(),
        Err(failure) => {
            printer.failure(&failure);
            failure.code.into()
        }
    }
}
