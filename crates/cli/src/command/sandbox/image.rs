//! `meliora sandbox image`: what virtual machines are made of.

use meliora_sandbox::{ImagePlan, build_image};

use crate::args::Image;
use crate::cages;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::Printer;

/// Does what was asked.
pub fn image(command: &Image, printer: &Printer) -> Result<Exit, Failure> {
    let Image::Build { out, packages } = command;
    let folder = match out {
        Some(folder) => folder.clone(),
        None => cages::microvm_folder()?.join("image"),
    };
    let plan = ImagePlan { folder, packages: packages.clone() };
    let built = build_image(&plan, &mut |what| printer.talk(what))?;
    if printer.json() {
        printer.object(&serde_json::json!({
            "folder": plan.folder, "kernel": built.kernel, "packages": built.packages, "bytes": built.bytes,
            "kept": built.kept,
        }));
    } else {
        printer.data(format!(
            "{} {}: {}, {} packages, {} MiB",
            if built.kept { "up to date:" } else { "built" },
            plan.folder.display(),
            built.kernel,
            built.packages,
            built.bytes >> 20,
        ));
    }
    Ok(Exit::Done)
}
