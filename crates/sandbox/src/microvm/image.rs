//! What every machine is made of: a kernel with the modules for its few devices, and a disk with the system's programs.
//!
//! The agent is not part of it: it is this program's own and goes along when a machine boots, so the two always fit.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use meliora_evolve::SandboxError;
use sha2::{Digest, Sha256};

use super::packages::{fetch, fetch_one, kernel_package, unpack};
use super::tree::{self, hex};
use crate::plan::failed;

/// Changes when images of before no longer do.
const FORMAT: u32 = 1;
/// What commands find in a machine beside what is asked for: a shell, the usual tools, Python. `usr-is-merged` only spares
/// the program that would merge an old system.
pub const PACKAGES: &[&str] = &[
    "bash",
    "coreutils",
    "dash",
    "diffutils",
    "findutils",
    "grep",
    "gzip",
    "mawk",
    "procps",
    "python3",
    "sed",
    "tar",
    "usr-is-merged",
    "util-linux",
];
/// Stands for the newest kernel for virtual machines.
pub const KERNEL: &str = "linux-image-cloud-amd64";
/// For devices on a PCI bus: disks and the serial line. What they need comes along.
const NEEDED: &[&str] = &["virtio_pci", "virtio_blk", "virtio_console"];
/// Of no use to programs.
const SPARE: &[&str] = &[
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/lintian",
    "usr/share/bug",
    "usr/share/bash-completion",
    "usr/games",
    "usr/src",
];

/// An image in its folder.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    folder: PathBuf,
    /// The kernel's package.
    pub(crate) kernel: String,
    /// Hash of all that it was made of.
    pub(crate) id: String,
}

/// What to build, and where.
#[derive(Clone, Debug)]
pub struct ImagePlan {
    /// Folder of the image; replaced as a whole.
    pub folder: PathBuf,
    /// Packages beside [`PACKAGES`].
    pub packages: Vec<String>,
}

/// What was built.
#[derive(Clone, Debug)]
pub struct Built {
    /// The kernel's package, and its version.
    pub kernel: String,
    /// How many packages are on the disk.
    pub packages: usize,
    /// Bytes of all files of the image.
    pub bytes: u64,
    /// Whether the same image was there already, and was left.
    pub kept: bool,
}

impl Image {
    pub(crate) fn kernel_file(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    pub(crate) fn base_file(&self) -> PathBuf {
        self.folder.join("base.img")
    }

    /// The modules, in the order in which they are loaded.
    pub(crate) fn modules(&self) -> Result<Vec<(String, Vec<u8>)>, SandboxError> {
        let folder = self.folder.join("modules");
        let failure = |error: std::io::Error| failed(format!("image in {}", self.folder.display()), error);
        std::fs::read_to_string(folder.join("order"))
            .map_err(failure)?
            .lines()
            .map(|name| Ok((name.to_owned(), std::fs::read(folder.join(name)).map_err(failure)?)))
            .collect()
    }

    /// Opens an image that was built.
    ///
    /// # Errors
    /// If there is none, or none that this version understands.
    pub(crate) fn open(folder: &Path) -> Result<Self, SandboxError> {
        let refuse = |cause: String| SandboxError {
            hint: Some("`meliora sandbox image build` makes it, from the distribution's packages".to_owned()),
            ..failed("image of the machine", cause)
        };
        let text = std::fs::read_to_string(folder.join("image"))
            .map_err(|error| refuse(format!("{}: {error}", folder.display())))?;
        let value =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::to_owned);
        if value("format") != Some(FORMAT.to_string()) {
            return Err(refuse(format!("{} was made by another version", folder.display())));
        }
        let kernel = value("kernel").ok_or_else(|| refuse(format!("{} is damaged", folder.display())))?;
        Ok(Image { folder: folder.to_owned(), kernel, id: hash(text.as_bytes()) })
    }
}

fn hash(bytes: &[u8]) -> String {
    hex(Sha256::new().chain_update(bytes))
}

/// Builds an image from the distribution's packages; needs no root and changes nothing else on this machine. `talk` is
/// told what is going on. An image of the same packages is left as it is.
///
/// # Errors
/// What a step needs and cannot have. An image that was there before is then left as it was.
pub fn build(plan: &ImagePlan, talk: &mut dyn FnMut(&str)) -> Result<Built, SandboxError> {
    if !cfg!(target_arch = "x86_64") {
        return Err(failed("image of the machine", "only machines of the kind x86_64 are known"));
    }
    let failure = |error: std::io::Error| failed(format!("image in {}", plan.folder.display()), error);
    let parent = plan.folder.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(failure)?;
    let parent = parent.canonicalize().map_err(failure)?;
    let work = Work(parent.join(format!(".image.{}", std::process::id())));
    std::fs::create_dir_all(&work.0).map_err(failure)?;

    let mut names: Vec<String> = PACKAGES.iter().map(|name| (*name).to_owned()).collect();
    names.extend(plan.packages.iter().cloned());
    talk(&format!("fetching {}", names.join(" ")));
    let debs = fetch(&work.0, &names)?;
    let kernel_name = kernel_package(KERNEL)?;
    talk(&format!("fetching {kernel_name}"));
    let kernel_deb = fetch_one(&work.0.join("kernel-package"), &kernel_name)?;

    let manifest = manifest(&kernel_deb, &debs).map_err(failure)?;
    let built = Built { kernel: stem(&kernel_deb), packages: debs.len(), bytes: size(&plan.folder), kept: true };
    if std::fs::read(plan.folder.join("image")).is_ok_and(|old| old == manifest.as_bytes()) {
        return Ok(built);
    }

    talk(&format!("unpacking {} packages", debs.len() + 1));
    let (root, out) = (work.0.join("root"), work.0.join("image"));
    for deb in &debs {
        unpack(deb, &root)?;
    }
    lay_out(&root).map_err(failure)?;
    if !compile_python(&root) {
        talk("the image's Python could not compile its library here; it starts more slowly without");
    }
    unpack(&kernel_deb, &work.0.join("kernel"))?;
    std::fs::create_dir_all(out.join("modules")).map_err(failure)?;
    take_kernel(&work.0.join("kernel"), &out)?;
    talk("writing the disk");
    tree::make(&root, &tree::survey(&root)?, &out.join("base.img"))?;
    std::fs::write(out.join("image"), manifest).map_err(failure)?;

    std::fs::remove_dir_all(&plan.folder).or_else(absent).map_err(failure)?;
    std::fs::rename(&out, &plan.folder).map_err(failure)?;
    Ok(Built { bytes: size(&plan.folder), kept: false, ..built })
}

/// A folder to work in, removed whatever happens.
struct Work(PathBuf);

impl Drop for Work {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn absent(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn stem(deb: &Path) -> String {
    deb.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// What the image is made of, to the byte.
fn manifest(kernel: &Path, debs: &[PathBuf]) -> std::io::Result<String> {
    let mut text = format!("format {FORMAT}\nkernel {}\n", stem(kernel));
    for deb in std::iter::once(kernel).chain(debs.iter().map(PathBuf::as_path)) {
        text.push_str(&format!("package {} {}\n", stem(deb), hash(&std::fs::read(deb)?)));
    }
    Ok(text)
}

/// Bytes that the files of a folder take up.
fn size(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => size(&entry.path()),
            Ok(about) => about.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}

/// Turns unpacked packages into the root of a merged system: `/usr`, and the links into it.
fn lay_out(root: &Path) -> std::io::Result<()> {
    for name in ["bin", "sbin", "lib", "lib64"] {
        let (old, new) = (root.join(name), root.join("usr").join(name));
        std::fs::create_dir_all(&new)?;
        if old.is_dir() && !old.is_symlink() {
            merge(&old, &new)?;
            std::fs::remove_dir_all(&old)?;
        }
        std::os::unix::fs::symlink(Path::new("usr").join(name), &old)?;
    }
    for entry in std::fs::read_dir(root)? {
        let path = entry?.path();
        if !path.is_symlink() && path.file_name().is_some_and(|name| name != "usr") {
            std::fs::remove_dir_all(&path)?;
        }
    }
    for spare in SPARE {
        std::fs::remove_dir_all(root.join(spare)).or_else(absent)?;
    }
    // What a script of the package would have linked.
    let awk = root.join("usr/bin/awk");
    if !awk.is_symlink() {
        std::os::unix::fs::symlink("mawk", awk)?;
    }
    Ok(())
}

fn merge(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir_all(&target)?;
            merge(&entry.path(), &target)?;
        } else {
            std::fs::rename(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Has the image's own Python, run by the image's own loader, compile its library, as its package's script would have:
/// a machine could not keep what it compiles, and would do it anew for each command.
fn compile_python(root: &Path) -> bool {
    let usr = root.join("usr");
    let libraries = usr.join("lib/x86_64-linux-gnu");
    let Ok(entries) = std::fs::read_dir(usr.join("lib")) else { return false };
    entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with("python3.")).all(|library| {
        let python = usr.join("bin").join(library.file_name());
        Command::new(libraries.join("ld-linux-x86-64.so.2"))
            .arg("--library-path")
            .arg(&libraries)
            .arg(python)
            .args(["-I", "-S", "-m", "compileall", "-q", "-s"])
            .arg(root)
            .arg(library.path())
            .env_clear()
            .env("PYTHONHOME", &usr)
            .output()
            .is_ok_and(|output| output.status.success())
    })
}

/// Copies the kernel and the modules that are needed.
fn take_kernel(unpacked: &Path, out: &Path) -> Result<(), SandboxError> {
    let failure = |error: std::io::Error| failed("kernel of the image", error);
    let mut kernels = std::fs::read_dir(unpacked.join("boot")).map_err(failure)?.flatten().map(|e| e.path());
    let kernel = kernels
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-")))
        .ok_or_else(|| failed("kernel of the image", "the package has none"))?;
    std::fs::copy(&kernel, out.join("vmlinuz")).map_err(failure)?;
    let mut files = Vec::new();
    find_modules(unpacked, &mut files).map_err(failure)?;
    let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
    for name in NEEDED {
        add_module(name, &files, &mut order, &mut seen, &out.join("modules"))?;
    }
    std::fs::write(out.join("modules/order"), order.join("\n") + "\n").map_err(failure)
}

fn find_modules(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            find_modules(&entry.path(), found)?;
        } else if entry.path().extension().is_some_and(|end| end == "ko") {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// Copies a module after those that it needs. One that is not there is part of the kernel.
fn add_module(
    name: &str,
    files: &[PathBuf],
    order: &mut Vec<String>,
    seen: &mut BTreeSet<String>,
    to: &Path,
) -> Result<(), SandboxError> {
    if !seen.insert(name.to_owned()) {
        return Ok(());
    }
    let plain = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().replace('-', "_"));
    let Some(file) = files.iter().find(|path| plain(path).as_deref() == Some(name)) else { return Ok(()) };
    let bytes = std::fs::read(file).map_err(|error| failed(format!("kernel module '{name}'"), error))?;
    for needed in module_needs(&bytes) {
        add_module(&needed, files, order, seen, to)?;
    }
    let file_name = format!("{name}.ko");
    std::fs::write(to.join(&file_name), bytes).map_err(|error| failed(format!("kernel module '{name}'"), error))?;
    order.push(file_name);
    Ok(())
}

/// The line `depends=` of a module's own description.
fn module_needs(bytes: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = bytes.windows(KEY.len()).position(|window| window == KEY) else { return Vec::new() };
    let rest = bytes.get(at + KEY.len()..).unwrap_or_default();
    let text = rest.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).split(',').filter(|n| !n.is_empty()).map(|n| n.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_come_after_what_they_need_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let module = |name: &str, needs: &str| {
            let path = folder.path().join(format!("{name}.ko"));
            std::fs::write(&path, format!("\0license=GPL\0depends={needs}\0retpoline=Y\0")).unwrap();
            path
        };
        let files = [module("virtio-pci", "ring,core"), module("core", "ring"), module("ring", "")];
        let out = tempfile::tempdir().unwrap();
        let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
        for name in ["virtio_pci", "core", "built_in"] {
            add_module(name, &files, &mut order, &mut seen, out.path()).unwrap();
        }
        assert_eq!(order, ["ring.ko", "core.ko", "virtio_pci.ko"]);
        assert!(out.path().join("virtio_pci.ko").exists());
    }

    #[test]
    fn an_image_that_is_not_there_says_how_to_make_it() {
        let error = Image::open(Path::new("/no/image")).unwrap_err();
        assert!(error.hint.unwrap().contains("sandbox image build"));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("image"), "format 0\nkernel x\n").unwrap();
        assert!(Image::open(folder.path()).unwrap_err().to_string().contains("another version"));
        std::fs::write(folder.path().join("image"), format!("format {FORMAT}\nkernel linux 6\n")).unwrap();
        assert_eq!(Image::open(folder.path()).unwrap().kernel, "linux 6");
    }

    #[test]
    fn an_old_layout_becomes_a_merged_one() {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in
            [("bin/sh", "old"), ("usr/bin/env", "x"), ("lib/a/b.so", "l"), ("etc/x", ""), ("usr/share/doc/x", "")]
        {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        lay_out(root.path()).unwrap();
        assert_eq!(std::fs::read(root.path().join("bin/sh")).unwrap(), b"old");
        assert_eq!(std::fs::read(root.path().join("usr/lib/a/b.so")).unwrap(), b"l");
        assert!(root.path().join("bin").is_symlink());
        assert!(!root.path().join("etc").exists() && !root.path().join("usr/share/doc").exists());
    }
}
