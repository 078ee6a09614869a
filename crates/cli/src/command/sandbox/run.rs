//! `meliora sandbox run`: one command in a cage, with its own streams and its own exit code.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use meliora_benchmark::{Tool, Toolbox};
use meliora_domain::Ending;
use meliora_evolve::{Cage, CageError, CageSpec, Command, Happening, Process, ReadOnly};

use crate::args;
use crate::cages;
use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::project::limits_of;

/// What `timeout` exits with.
const OUT_OF_TIME: u8 = 124;
/// A shell's code for a command that was killed.
const KILLED: u8 = 128 + 9;

/// Opens a cage, runs the command in it, and ends as the command did.
pub fn run(args: &args::SandboxRun, printer: &Printer) -> Result<Exit, Failure> {
    let settings = settings(args)?;
    let tools = cages::tools(&settings)?;
    let spec = spec(args, &settings, &tools)?;
    let sandbox = cages::sandbox(&settings, &tools, 0)?;
    let cage = sandbox.open(spec)?;
    if let Some(folder) = &args.dir {
        copy_in(cage.as_ref(), folder, printer)?;
    }
    let mut argv = args.argv.clone();
    if argv.first().is_some_and(|program| !program.contains('/')) {
        // A cage executes paths; looking a name up on the PATH of the inside is a program's work there.
        argv.insert(0, "/usr/bin/env".to_owned());
    }
    let process: Arc<dyn Process> = Arc::from(cage.spawn(&Command { argv, ..Command::default() })?);
    feed(Arc::clone(&process));
    loop {
        let read = match process.next()? {
            Happening::Stdout(bytes) => printer.raw(&bytes, false),
            Happening::Stderr(bytes) => printer.raw(&bytes, true),
            Happening::Exit(ending) => return Ok(Exit::Command(told(ending, printer))),
        };
        if !read {
            // As a pipe would tell it, had the command been at its other end itself.
            return Ok(Exit::Command(128 + 13));
        }
    }
}

fn settings(args: &args::SandboxRun) -> Result<config::Sandbox, Failure> {
    let default = config::Sandbox::default();
    let settings = config::Sandbox {
        backend: args.backend.unwrap_or_default(),
        python: args.python.clone(),
        memory_mb: args.memory_mb.unwrap_or(default.memory_mb),
        seconds: args.seconds.unwrap_or(default.seconds),
        processes: args.processes.unwrap_or(default.processes),
        disk_mb: args.disk_mb.unwrap_or(default.disk_mb),
        output_mb: args.output_mb.unwrap_or(default.output_mb),
        microvm_image: default.microvm_image,
        warm: default.warm,
        e2b: default.e2b,
    };
    config::check_sandbox(&settings).map_err(|what| Failure::new(Exit::Usage, what))?;
    Ok(settings)
}

/// The cage: the tools of this machine on its PATH, and nothing of the environment.
fn spec(args: &args::SandboxRun, settings: &config::Sandbox, tools: &Toolbox) -> Result<CageSpec, Failure> {
    let mut spec = CageSpec::manual();
    spec.limits = limits_of(settings);
    let tools: Vec<&Tool> = [&tools.python, &tools.node, &tools.rustc].into_iter().flatten().collect();
    let mut path = String::new();
    for tool in &tools {
        let folder = tool.program.parent().unwrap_or(Path::new("/usr/bin")).display().to_string();
        if !path.split(':').any(|known| known == folder) {
            path.push_str(&folder);
            path.push(':');
        }
    }
    path.push_str("/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
    let mut see = |path: PathBuf| {
        if !spec.read_only.iter().any(|known| path.starts_with(&known.path)) {
            spec.read_only.push(ReadOnly { path });
        }
    };
    tools.iter().flat_map(|tool| tool.needs.iter().cloned()).for_each(&mut see);
    for path in &args.read_only {
        let path = path
            .canonicalize()
            .map_err(|e| Failure::new(Exit::Usage, format!("--read-only {}: {e}", path.display())))?;
        if !path.starts_with("/usr") {
            see(path);
        }
    }
    crate::keys::stay_out(spec.read_only.iter().map(|seen| seen.path.as_path()))?;
    spec.env = vec![("PATH".into(), path), ("HOME".into(), "/work".into()), ("LANG".into(), "C.UTF-8".into())];
    for pair in &args.env {
        let (name, value) = pair.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
            Failure::new(Exit::Usage, format!("--env '{pair}' is not NAME=VALUE"))
                .hint("nothing is inherited: write the value out, as in --env \"NAME=$NAME\"")
        })?;
        spec.env.retain(|(known, _)| known != name);
        spec.env.push((name.to_owned(), value.to_owned()));
    }
    Ok(spec)
}

/// Copies regular files, and folders with files in them; links stay out, because they could lead anywhere.
fn copy_in(cage: &dyn Cage, from: &Path, printer: &Printer) -> Result<(), Failure> {
    let unreadable = |path: &Path, e: std::io::Error| {
        Failure::new(Exit::Usage, format!("--dir: {} cannot be read: {e}", path.display()))
    };
    let mut folders = vec![from.to_owned()];
    let mut left = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|e| unreadable(&folder, e))? {
            let path = entry.map_err(|e| unreadable(&folder, e))?.path();
            let meta = path.symlink_metadata().map_err(|e| unreadable(&path, e))?;
            let below = path.strip_prefix(from).ok().and_then(Path::to_str);
            match below {
                Some(_) if meta.is_dir() => folders.push(path),
                Some(below) if meta.is_file() => {
                    let bytes = std::fs::read(&path).map_err(|e| unreadable(&path, e))?;
                    cage.put(&format!("/work/{below}"), &bytes, meta.permissions().mode() & 0o111 != 0)
                        .map_err(no_room)?;
                }
                _ => left += 1,
            }
        }
    }
    if left > 0 {
        printer.warn(format!("--dir: not copied: {left} (links, special files, names that are no UTF-8)"));
    }
    Ok(())
}

fn no_room(error: CageError) -> Failure {
    match error {
        CageError::Machinery(error) => error.into(),
        CageError::Full { .. } => {
            Failure::new(Exit::Usage, format!("--dir: {error}")).hint("`--disk-mb` makes the writable folders larger")
        }
        other => Failure::new(Exit::Usage, format!("--dir: {other}")),
    }
}

/// Passes standard input on, as it comes, until either side ends.
fn feed(process: Arc<dyn Process>) {
    // Not waited for: it may stand in a read from a terminal when the command has long ended.
    std::thread::spawn(move || {
        let mut bytes = vec![0; 64 * 1024];
        let mut stdin = std::io::stdin().lock();
        while let Ok(count @ 1..) = stdin.read(&mut bytes) {
            if process.write(&bytes[..count]).is_err() {
                return;
            }
        }
        process.close_stdin();
    });
}

/// The exit code, after a word on what only the cage knows.
fn told(ending: Ending, printer: &Printer) -> u8 {
    let (what, code) = match ending {
        Ending::Exited(code) => return code as u8,
        Ending::Signalled(signal) => return 128u8.wrapping_add(signal as u8),
        Ending::WallClock => ("its wall-clock time was over (`--seconds`)", OUT_OF_TIME),
        Ending::CpuTime => ("its processor time was over (twice `--seconds`)", OUT_OF_TIME),
        Ending::OutputCap => ("it wrote more than is kept (`--output-mb`)", KILLED),
        Ending::Memory => ("it needed more memory than it may have (`--memory-mb`)", KILLED),
    };
    printer.warn(format!("the command was killed: {what}"));
    code
}
