//! Links `meliora-agent`, and only that, statically: it runs in machines that hold none of this one's libraries.
//!
//! Cargo knows no `crt-static` for one program of a workspace. So the linker is told to make a static program, and the
//! libraries that rustc names are put in its way as archives. Where there are none (glibc without its static part), the
//! agent stays dynamic, and machines take its libraries along.

use std::path::Path;
use std::process::Command;

/// What rustc links on this target, and the archive that holds it.
const LIBRARIES: &[(&str, &str)] = &[
    ("gcc_s", "gcc_eh"),
    ("c", "c"),
    ("m", "m"),
    ("dl", "dl"),
    ("util", "util"),
    ("rt", "rt"),
    ("pthread", "pthread"),
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=RUSTC_LINKER");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    if variable("CARGO_CFG_TARGET_ENV") != "gnu" || variable("HOST") != variable("TARGET") {
        return;
    }
    let folder = Path::new(&variable("OUT_DIR")).join("static");
    if archives(&folder).is_some() {
        println!("cargo:rustc-link-arg-bin=meliora-agent=-static-pie");
        println!("cargo:rustc-link-arg-bin=meliora-agent=-L{}", folder.display());
    }
}

/// Gathers the archives in a folder; `None` if one is missing.
fn archives(folder: &Path) -> Option<()> {
    let linker = std::env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".to_owned());
    std::fs::remove_dir_all(folder).ok();
    std::fs::create_dir_all(folder).ok()?;
    for (name, archive) in LIBRARIES {
        let asked = Command::new(&linker).arg(format!("-print-file-name=lib{archive}.a")).output().ok()?;
        let path = String::from_utf8(asked.stdout).ok()?;
        // What is not found is given back as it was asked.
        let path = Path::new(path.trim()).canonicalize().ok()?;
        std::os::unix::fs::symlink(path, folder.join(format!("lib{name}.a"))).ok()?;
    }
    Some(())
}
