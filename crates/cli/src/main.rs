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
    let printer = printer::Printer::new(args.json);
    // Here, for it begins this program once more.
    let variable = |name: &str| std::env::var(name).ok();
    let begun = if args.command.opens_cages() { meliora_sandbox::take_ranges(variable) } else { Ok(()) };
    match begun.map_err(failure::Failure::from).and_then(|()| command::dispatch(&args, &printer)) {
        Ok(code) => code.into(),
        Err(failure) => {
            printer.failure(&failure);
            failure.code.into()
        }
    }
}
