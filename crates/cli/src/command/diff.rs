//! `meliora diff`: the difference between two variants.

use std::path::Path;

use meliora_domain::Genome;
use meliora_evolve::{Archive as _, lineage_of};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::project::{archive_to_read, resolve};

/// Prints a unified diff.
pub fn diff(a: &str, b: &str, dir: &Path, printer: &Printer) -> Result<Exit, Failure> {
    let archive = archive_to_read(dir)?;
    let lineage = lineage_of(&archive)?;
    let before = archive.load(&resolve(&archive, &lineage, a)?)?;
    let after = archive.load(&resolve(&archive, &lineage, b)?)?;
    print_diff(&before, &after, printer);
    Ok(Exit::Done)
}

/// Prints how two genomes differ.
pub fn print_diff(before: &Genome, after: &Genome, printer: &Printer) {
    for line in super::run::lines_of_change(before, after) {
        printer.data(line);
    }
}
