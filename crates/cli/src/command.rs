//! The commands, one module each.

mod approvals;
mod audit;
mod bench;
mod checkout;
mod clear;
mod constitution;
mod diff;
mod doctor;
mod init;
mod lineage;
mod log;
mod models;
mod promote;
mod prompt;
mod proposers;
mod resume;
mod review;
mod rollback;
mod run;
mod sandbox;
mod show;
mod simulate;
mod store;

use crate::args::{Args, Command};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::Printer;

/// Does what was asked.
pub fn dispatch(args: &Args, printer: &Printer) -> Result<Exit, Failure> {
    match &args.command {
        Command::Init { dir } => init::init(dir, printer),
        Command::Run(run) => run::run(run, printer),
        Command::Prompt { command } => prompt::prompt(command, printer),
        Command::Bench(bench) => bench::bench(bench, printer),
        Command::Log(log) => log::log(log, printer),
        Command::Show { id, dir } => show::show(id, dir, printer),
        Command::Diff { a, b, dir } => diff::diff(a, b, dir, printer),
        Command::Checkout { id, dest, dir } => checkout::checkout(id, dest, dir, printer),
        Command::Lineage { dir, all, html } => lineage::lineage(dir, *all, html.as_deref(), printer),
        Command::Promote { id, dir, unproven } => promote::promote(id, dir, *unproven, printer),
        Command::Rollback { id, dir } => rollback::rollback(id.as_deref(), dir, printer),
        Command::Approvals { command } => approvals::approvals(command, printer),
        Command::Clear { id, dir, reason } => clear::clear(id, dir, reason, printer),
        Command::Resume { dir, reason } => resume::resume(dir, reason, printer),
        Command::Doctor { dir, python, backend } => doctor::doctor(dir, python.as_deref(), *backend, printer),
        Command::Sandbox { command } => sandbox::sandbox(command, printer),
        Command::Constitution { command } => constitution::constitution(command, printer),
        Command::Audit { command } => audit::audit(command, printer),
        Command::Store { command } => store::store(command, printer),
        Command::Models { command } => models::models(command, printer),
        Command::Review(review) => review::review(review, printer),
        Command::Simulate(simulate) => simulate::simulate(simulate, printer),
        Command::Schema => {
            let schema = schemars::schema_for!(crate::config::Config);
            if let Ok(text) = serde_json::to_string_pretty(&schema) {
                printer.data(text);
            }
            Ok(Exit::Done)
        }
    }
}
