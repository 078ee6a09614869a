//! Cages in virtual machines: a guest kernel of their own, and in it the same cage of namespaces as on the host.
//!
//! A machine is booted once for each kind of cage (memory, what it sees of the host), stands as a snapshot from then on, and
//! every cage is a machine of its own that goes on from it. The host believes nothing that comes out of one.

mod elf;
mod guest;
mod image;
mod initrd;
mod kvm;
mod machine;
mod monitor;
mod packages;
mod template;
mod tree;

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use meliora_domain::Limits;
use meliora_evolve::{Cage, CageSpec, Sandbox, SandboxError};
use sha2::{Digest, Sha256};

pub(crate) use guest::live_if_asked;
pub use image::{Built, ImagePlan, KERNEL, PACKAGES, build as build_image};

use crate::agent::RemoteCage;
use crate::plan::{self, failed};
use image::Image;
use initrd::{Archive, MODULES, ORDER, TREES, Tree, encode_trees};
use kvm::Kvm;
use machine::{Launcher, Parts, memory_file};
use template::Template;

/// Changes when snapshots of before no longer fit.
const FORMAT: u32 = 1;
/// What a machine needs beside what its commands may use: the kernel, the agent, what is kept of the disks.
const BASE: u64 = 192 << 20;
/// Sizes are rounded up to this, so that few kinds of machine are needed.
const ROUND: u64 = 64 << 20;
/// Disks beside the first. A bus has room for few more.
const MOST_DISKS: usize = 20;
/// Snapshots and disks that are kept in the cache.
const KEPT_SNAPSHOTS: usize = 8;
const KEPT_DISKS: usize = 24;

/// Where everything is.
#[derive(Clone, Debug)]
pub struct MicrovmPlan {
    /// The program `qemu-system-x86_64`.
    pub qemu: PathBuf,
    /// Folder of the image, as [`build_image`] makes it.
    pub image: PathBuf,
    /// Folder for disks and snapshots; made when needed, may be removed at any time.
    pub cache: PathBuf,
    /// The agent: a program that calls [`crate::serve_if_asked`] first thing. Best a static one; else what it needs is
    /// taken along.
    pub agent: PathBuf,
}

/// Cages in virtual machines.
pub struct Microvm {
    launcher: Arc<Launcher>,
    plan: MicrovmPlan,
    image: Image,
    /// QEMU's version.
    version: String,
    agent: Agent,
    templates: Mutex<HashMap<String, Slot>>,
    disks: Mutex<HashMap<PathBuf, (String, PathBuf)>>,
}

/// A snapshot, or the place of one; whoever needs it first makes it, others wait.
type Slot = Arc<Mutex<Option<Arc<Template>>>>;

/// The agent's files in the first file system.
struct Agent {
    files: Vec<(String, Vec<u8>)>,
    loader: Option<String>,
    hash: String,
}

impl Microvm {
    /// Looks at this machine. No machine is booted before the first cage.
    ///
    /// # Errors
    /// What is missing: QEMU, the image, the agent.
    pub fn new(plan: MicrovmPlan) -> Result<Self, SandboxError> {
        let version = qemu_version(&plan.qemu)?;
        let image = Image::open(&plan.image)?;
        let agent = Agent::read(&plan.agent)?;
        let launcher = Launcher::new(plan.qemu.clone(), kvm::probe(Path::new("/dev/kvm")))?;
        let (templates, disks) = (Mutex::default(), Mutex::default());
        Ok(Microvm { launcher, plan, image, version, agent, templates, disks })
    }

    /// Opens a disk with what is at this path; made when it is not in the cache.
    fn disk(&self, path: &Path) -> Result<(String, OwnedFd), SandboxError> {
        // One look in the life of this value: what a machine sees does not change under it.
        let mut disks = self.disks.lock().unwrap_or_else(PoisonError::into_inner);
        if !disks.contains_key(path) {
            let survey = tree::survey(path)?;
            let file = self.plan.cache.join("disks").join(format!("{}.img", survey.hash));
            if !file.exists() {
                tree::make(path, &survey, &file)?;
                tree::keep_newest(&self.plan.cache.join("disks"), KEPT_DISKS);
            }
            disks.insert(path.to_owned(), (survey.hash, file));
        }
        let (hash, file) = disks.get(path).ok_or_else(|| failed("disk", "it was not made"))?;
        tree::touch(file);
        Ok((hash.clone(), open(file)?))
    }

    /// The snapshot for cages of this kind: from this process, from the cache, or made now.
    fn template(&self, spec: &CageSpec) -> Result<Arc<Template>, SandboxError> {
        let paths = plan::extra(spec, &[PathBuf::from("/usr")])?;
        if paths.len() > MOST_DISKS {
            return Err(SandboxError {
                hint: Some("show the folder above them instead".to_owned()),
                ..failed("read-only paths", format!("a machine sees {MOST_DISKS} at most, not {}", paths.len()))
            });
        }
        let mut trees = Vec::new();
        let mut disks = vec![open(&self.image.base_file())?];
        let mut hash = Sha256::new();
        let size = memory_for(&spec.limits);
        let accelerator = if matches!(self.launcher.kvm, Kvm::Works { .. }) { "kvm" } else { "tcg" };
        let qemu = self.plan.qemu.display().to_string();
        for part in [&FORMAT.to_string(), &self.image.id, &self.agent.hash, &qemu, &self.version, accelerator] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.update(size.to_le_bytes());
        for path in paths {
            let file = !std::fs::metadata(&path)
                .map_err(|error| failed(format!("read-only path '{}'", path.display()), error))?
                .is_dir();
            let (content, disk) = self.disk(&path)?;
            hash.update(content);
            disks.push(disk);
            trees.push(Tree { path, file });
        }
        hash.update(encode_trees(&trees));
        let key = tree::hex(hash);

        let slot = {
            let mut templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(templates.entry(key.clone()).or_default())
        };
        let mut template = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(template) = &*template {
            return Ok(Arc::clone(template));
        }
        let parts = |disks| -> Result<Parts, SandboxError> {
            Ok(Parts {
                kernel: open(&self.image.kernel_file())?,
                initrd: self.initrd(&trees)?,
                disks,
                memory: memory_file(c"memory", size)?,
                size,
            })
        };
        let snapshots = self.plan.cache.join("snapshots");
        let folder = snapshots.join(&key);
        let copies = disks.iter().map(OwnedFd::try_clone).collect::<Result<_, _>>().map_err(|e| failed("disks", e))?;
        let found = match Template::load(&folder, parts(copies)?) {
            // One that does not go on is as good as none.
            Some(found) => found.wake(&self.launcher).is_ok().then_some(found),
            None => None,
        };
        let made = match found {
            Some(found) => found,
            None => {
                let made = Template::make(&self.launcher, parts(disks)?, spec)?;
                // Without room in the cache the next process boots again; this one has what it needs.
                let fresh = snapshots.join(format!(".{}.{key}", std::process::id()));
                std::fs::remove_dir_all(&folder).ok();
                if made
                    .store(&fresh)
                    .and_then(|()| std::fs::rename(&fresh, &folder).map_err(|e| failed("", e)))
                    .is_err()
                {
                    std::fs::remove_dir_all(&fresh).ok();
                }
                tree::keep_newest(&snapshots, KEPT_SNAPSHOTS);
                made
            }
        };
        tree::touch(&folder);
        let made = Arc::new(made);
        *template = Some(Arc::clone(&made));
        Ok(made)
    }

    fn initrd(&self, trees: &[Tree]) -> Result<OwnedFd, SandboxError> {
        let mut archive = Archive::default();
        for folder in ["/dev", MODULES] {
            archive.folder(folder);
        }
        // What this program's own start looks for, before anything is mounted.
        archive.device("/dev/console", (5, 1));
        archive.device("/dev/null", (1, 3));
        let mut folders = std::collections::BTreeSet::new();
        for (path, _) in &self.agent.files {
            folders.extend(Path::new(path).ancestors().skip(1).filter(|p| p.parent().is_some()).map(Path::to_path_buf));
        }
        for folder in folders {
            archive.folder(&folder.to_string_lossy());
        }
        for (path, content) in &self.agent.files {
            archive.program(path, content);
        }
        let mut order = String::new();
        for (name, content) in self.image.modules()? {
            archive.program(&format!("{MODULES}/{name}"), &content);
            order.push_str(&format!("{name}\n"));
        }
        archive.program(ORDER, order.as_bytes());
        archive.program(TREES, &encode_trees(trees));
        let file = memory_file(c"initrd", 0)?;
        let mut writer = File::from(file);
        writer.write_all(&archive.finish()).map_err(|error| failed("first file system", error))?;
        Ok(writer.into())
    }
}

impl Sandbox for Microvm {
    fn open(&self, spec: CageSpec) -> Result<Box<dyn Cage>, SandboxError> {
        let template = self.template(&spec)?;
        Ok(Box::new(RemoteCage::open(template.wake(&self.launcher)?, spec)?))
    }

    fn describe(&self) -> String {
        let how = match &self.launcher.kvm {
            Kvm::Works { .. } => "KVM".to_owned(),
            Kvm::Fails(why) => format!("emulated, since KVM does not work here ({why})"),
        };
        let agent = if self.agent.loader.is_some() { "dynamic" } else { "static" };
        let templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
        let inside = templates.values().find_map(|slot| Some(slot.try_lock().ok()?.as_ref()?.words.clone()));
        format!(
            "microvm (a machine of its own for each cage, {}, {how}, kernel {}, no network device, {agent} agent); inside: {}",
            self.version,
            self.image.kernel,
            inside.as_deref().unwrap_or("not booted yet"),
        )
    }
}

impl Agent {
    fn read(path: &Path) -> Result<Self, SandboxError> {
        let failure = |error: std::io::Error| failed(format!("agent '{}'", path.display()), error);
        let bytes = std::fs::read(path).map_err(failure)?;
        let program = elf::read(&bytes)
            .ok_or_else(|| failed(format!("agent '{}'", path.display()), "it is no program for this machine"))?;
        let mut files = vec![("/init".to_owned(), program.loaded)];
        if let Some(loader) = &program.loader {
            for library in libraries(loader, path)? {
                let content = std::fs::read(&library).map_err(failure)?;
                files.push((library.display().to_string(), content));
            }
        }
        let mut hash = Sha256::new();
        for (path, content) in &files {
            hash.update(path);
            hash.update((content.len() as u64).to_le_bytes());
            hash.update(content);
        }
        Ok(Agent { files, loader: program.loader, hash: tree::hex(hash) })
    }
}

/// The loader and the libraries that a program needs, as the loader itself tells.
fn libraries(loader: &str, program: &Path) -> Result<Vec<PathBuf>, SandboxError> {
    let failure = |cause: String| failed(format!("libraries of '{}'", program.display()), cause);
    let output =
        Command::new(loader).arg("--list").arg(program).env_clear().output().map_err(|e| failure(e.to_string()))?;
    if !output.status.success() {
        return Err(failure(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let mut found = vec![PathBuf::from(loader)];
    found.extend(listed(&String::from_utf8_lossy(&output.stdout)));
    Ok(found)
}

/// The paths in lines such as `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`.
fn listed(told: &str) -> Vec<PathBuf> {
    let paths = told.lines().filter_map(|line| line.split_once("=> ")?.1.split(" (").next());
    paths.filter(|path| path.starts_with('/')).map(PathBuf::from).collect()
}

fn open(path: &Path) -> Result<OwnedFd, SandboxError> {
    File::open(path).map(OwnedFd::from).map_err(|error| failed(path.display().to_string(), error))
}

/// Bytes of memory of the machine for a cage: its own limit, its two writable folders, which lie in memory, and the rest.
fn memory_for(limits: &Limits) -> u64 {
    limits
        .memory
        .saturating_add(limits.disk.saturating_mul(2))
        .saturating_add(BASE)
        .div_ceil(ROUND)
        .saturating_mul(ROUND)
}

fn qemu_version(qemu: &Path) -> Result<String, SandboxError> {
    let refuse = |cause: String| SandboxError {
        hint: Some("`apt-get install qemu-system-x86` brings it".to_owned()),
        ..failed(format!("QEMU ('{}')", qemu.display()), cause)
    };
    let output = Command::new(qemu).arg("--version").output().map_err(|error| refuse(error.to_string()))?;
    let told = String::from_utf8_lossy(&output.stdout);
    let version = told.strip_prefix("QEMU emulator version ").and_then(|rest| rest.split_whitespace().next());
    match version {
        Some(version) if output.status.success() => Ok(format!("QEMU {version}")),
        _ => Err(refuse("it does not tell its version".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_come_in_few_sizes_and_hold_what_their_cage_may_use() {
        let limits = Limits::default();
        assert_eq!(memory_for(&limits) % ROUND, 0);
        assert!(memory_for(&limits) >= limits.memory + 2 * limits.disk + BASE);
        assert_eq!(memory_for(&Limits { memory: limits.memory - 1, ..limits.clone() }), memory_for(&limits));
        assert_eq!(memory_for(&Limits { memory: u64::MAX, ..limits }), u64::MAX);
    }

    #[test]
    fn the_loaders_list_is_understood() {
        let told = "\tlinux-vdso.so.1 (0x7ff)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x7f)\n\t/lib64/ld.so (0x7f)\n";
        assert_eq!(listed(told), [PathBuf::from("/lib/x/libc.so.6")]);
    }

    #[test]
    fn what_is_missing_is_named_with_what_brings_it() {
        let plan = |qemu: &str| MicrovmPlan {
            qemu: qemu.into(),
            image: "/no/image".into(),
            cache: "/no/cache".into(),
            agent: "/proc/self/exe".into(),
        };
        let Err(error) = Microvm::new(plan("/no/qemu")) else { panic!("there is no QEMU there") };
        assert!(error.to_string().contains("/no/qemu") && error.hint.unwrap().contains("qemu-system-x86"));
        let Err(error) = Microvm::new(plan("/bin/true")) else { panic!("that is no QEMU") };
        assert!(error.to_string().contains("version"), "{error}");
    }
}
