//! The distribution's packages as files: fetched by `apt-get` with its own checks, unpacked by `dpkg-deb`, nothing
//! installed and no script of theirs run.

use std::path::{Path, PathBuf};
use std::process::Command;

use meliora_evolve::SandboxError;

use crate::plan::failed;

/// Runs a tool to its end, and gives what it printed.
fn run(command: &mut Command) -> Result<String, SandboxError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.env("LC_ALL", "C").output().map_err(|error| SandboxError {
        hint: Some(
            "images are made from Debian's or Ubuntu's packages: apt-get, apt-cache and dpkg-deb are needed".into(),
        ),
        ..failed(name.clone(), error)
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let told: Vec<&str> = said.lines().filter(|line| line.starts_with("E:")).collect();
    Err(SandboxError {
        hint: Some(
            "`apt-get update` brings the list of packages up to date; it needs a mirror that can be reached".into(),
        ),
        ..failed(name, if told.is_empty() { said.trim().to_owned() } else { told.join("; ") })
    })
}

/// Fetches packages and all that they need on an empty system into a folder.
///
/// # Errors
/// What apt-get says.
pub(crate) fn fetch(folder: &Path, packages: &[String]) -> Result<Vec<PathBuf>, SandboxError> {
    let cache = folder.join("apt");
    let failure = |error: std::io::Error| failed(format!("packages in {}", folder.display()), error);
    std::fs::create_dir_all(cache.join("archives/partial")).map_err(failure)?;
    let nothing = folder.join("status");
    std::fs::write(&nothing, "").map_err(failure)?;
    let mut command = Command::new("apt-get");
    command.args(["-qq", "-y", "--download-only", "--no-install-recommends"]);
    for (name, value) in [
        // As if nothing were installed, and without touching what apt keeps for this machine.
        ("Dir::State::status", nothing.display().to_string()),
        ("Dir::Cache", cache.display().to_string()),
        ("Dir::Cache::pkgcache", String::new()),
        ("Dir::Cache::srcpkgcache", String::new()),
        ("Debug::NoLocking", "1".to_owned()),
        ("APT::Sandbox::User", "root".to_owned()),
        ("APT::Install-Suggests", "0".to_owned()),
    ] {
        command.arg("-o").arg(format!("{name}={value}"));
    }
    run(command.arg("install").args(packages))?;
    debs(&cache.join("archives"))
}

/// Fetches one package alone.
///
/// # Errors
/// As above.
pub(crate) fn fetch_one(folder: &Path, package: &str) -> Result<PathBuf, SandboxError> {
    std::fs::create_dir_all(folder).map_err(|error| failed(format!("package '{package}'"), error))?;
    run(Command::new("apt-get")
        .args(["-qq", "-o", "APT::Sandbox::User=root", "download", package])
        .current_dir(folder))?;
    debs(folder)?.pop().ok_or_else(|| failed(format!("package '{package}'"), "apt-get brought no file"))
}

/// The package with a kernel in it that a package without one stands for.
///
/// # Errors
/// If it stands for none.
pub(crate) fn kernel_package(name: &str) -> Result<String, SandboxError> {
    let told = run(Command::new("apt-cache").args(["depends", "--important", name]))?;
    real_kernel(&told).ok_or_else(|| failed(format!("package '{name}'"), "it names no package with a kernel"))
}

fn real_kernel(told: &str) -> Option<String> {
    let mut names = told.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    names.find(|name| name.starts_with("linux-image-")).map(str::to_owned)
}

fn debs(folder: &Path) -> Result<Vec<PathBuf>, SandboxError> {
    let failure = |error: std::io::Error| failed(folder.display().to_string(), error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failure)? {
        let path = entry.map_err(failure)?.path();
        if path.extension().is_some_and(|end| end == "deb") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Unpacks a package beneath a folder.
///
/// # Errors
/// What dpkg-deb says.
pub(crate) fn unpack(deb: &Path, root: &Path) -> Result<(), SandboxError> {
    run(Command::new("dpkg-deb").arg("-x").arg(deb).arg(root)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_with_the_kernel_is_found_by_the_one_that_stands_for_it() {
        let told = "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-56-cloud-amd64\n  Depends: <x>\n";
        assert_eq!(real_kernel(told).as_deref(), Some("linux-image-6.1.0-56-cloud-amd64"));
        assert_eq!(real_kernel("linux-image-generic\n"), None);
    }
}
