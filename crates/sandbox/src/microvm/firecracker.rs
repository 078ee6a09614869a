//! Machines by Firecracker, where it is installed and KVM works: the same kernel, agent and disks, booted for each cage.
//!
//! The agent is reached through Firecracker's virtual socket, which is a socket in a folder of the machine's own.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use meliora_evolve::SandboxError;
use rustix::event::{PollFd, PollFlags, Timespec};
use serde_json::json;

use super::machine::{Launcher, Machine, Parts, confine, memory_file, path};
use crate::plan::failed;

/// The port of the host that the agent calls, beside the socket's name in the folder.
pub(crate) const PORT: u32 = 1024;
const SOCKET: &str = "line";
/// How long a machine may take to boot.
const BOOT: Duration = Duration::from_secs(60);

/// The folder of one machine, removed when the agent has called.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// What Firecracker is to do, as its `--config-file` has it.
pub(crate) fn config(parts: &Parts) -> serde_json::Value {
    let drives: Vec<_> = parts
        .disks
        .iter()
        .enumerate()
        .map(|(number, disk)| {
            json!({
                "drive_id": format!("disk{number}"), "path_on_host": path(disk),
                "is_root_device": false, "is_read_only": true,
            })
        })
        .collect();
    json!({
        "boot-source": {
            "kernel_image_path": path(&parts.kernel),
            "initrd_path": path(&parts.initrd),
            "boot_args": format!(
                "console=ttyS0 quiet loglevel=3 reboot=k panic=-1 oops=panic random.trust_cpu=on lsm=landlock -- {} {}",
                super::guest::ASKED, super::guest::BY_SOCKET
            ),
        },
        "drives": drives,
        "machine-config": { "vcpu_count": 1, "mem_size_mib": parts.size >> 20 },
        "vsock": { "guest_cid": 3, "uds_path": SOCKET },
    })
}

/// Boots a machine, and waits until its agent calls. `scratch` is a folder for the machine's own.
///
/// # Errors
/// Why it does not boot, as far as Firecracker tells.
pub(crate) fn start(
    launcher: &Arc<Launcher>,
    program: &Path,
    parts: &Parts,
    scratch: &Path,
) -> Result<(Machine, UnixStream), SandboxError> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let failure = |error: std::io::Error| failed("folder of the machine", error);
    let lease = launcher.lease()?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = Folder(scratch.join(format!("meliora-vm-{}-{number}", std::process::id())));
    std::fs::create_dir_all(scratch).map_err(failure)?;
    // One that is there already is not ours.
    std::fs::create_dir(&folder.0).map_err(failure)?;
    std::fs::set_permissions(&folder.0, std::fs::Permissions::from_mode(0o700)).map_err(failure)?;
    let listener = listen(&folder.0).map_err(failure)?;
    if crate::ranges::real_root() {
        for path in [folder.0.clone(), folder.0.join(format!("{SOCKET}_{PORT}"))] {
            std::os::unix::fs::chown(path, Some(lease.uid), Some(lease.gid)).map_err(failure)?;
        }
    }
    let config_file = memory_file(c"config", 0)?;
    std::io::Write::write_all(
        &mut std::fs::File::from(config_file.try_clone().map_err(failure)?),
        config(parts).to_string().as_bytes(),
    )
    .map_err(failure)?;

    let mut command = Command::new(program);
    command.args(["--no-api", "--config-file"]).arg(path(&config_file));
    command.env_clear().current_dir(&folder.0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut keep: Vec<_> = [&parts.kernel, &parts.initrd, &config_file].map(AsRawFd::as_raw_fd).to_vec();
    keep.extend(parts.disks.iter().map(AsRawFd::as_raw_fd));
    confine(&mut command, &lease, keep, 0, launcher.kvm.group());
    let machine = launcher.launch(command, program, lease)?;
    match accept(&listener, &machine) {
        Ok(stream) => Ok((machine, stream)),
        Err(why) => {
            let said = machine.end();
            let cause = if said.is_empty() { why } else { format!("{why}; Firecracker: {said}") };
            Err(failed("boot of the machine", cause))
        }
    }
}

/// Listens where Firecracker calls for the guest's port. The name goes by the open folder: a whole path may be too long
/// for a socket.
fn listen(folder: &Path) -> std::io::Result<UnixListener> {
    let open = OwnedFd::from(std::fs::File::open(folder)?);
    UnixListener::bind(Path::new(&path(&open)).join(format!("{SOCKET}_{PORT}")))
}

fn accept(listener: &UnixListener, machine: &Machine) -> Result<UnixStream, String> {
    let start = Instant::now();
    let tick = Timespec::try_from(Duration::from_millis(50)).unwrap_or_default();
    loop {
        let mut polls = [PollFd::new(listener, PollFlags::IN)];
        match rustix::event::poll(&mut polls, Some(&tick)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return listener.accept().map(|(stream, _)| stream).map_err(|error| error.to_string()),
            Err(errno) => return Err(errno.to_string()),
        }
        if machine.has_ended() {
            return Err("it ended before its agent called".to_owned());
        }
        if start.elapsed() > BOOT {
            return Err(format!("its agent did not call in {} seconds", BOOT.as_secs()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use meliora_evolve::CageSpec;

    use super::super::kvm::Kvm;
    use super::*;
    use crate::agent::{Line, RemoteCage};

    /// Plays Firecracker and an agent in it: reads what it is told, calls, and answers every call with nothing.
    const PLAYER: &str = r#"#!/usr/bin/python3 -I
import json, os, socket, struct, sys
assert sys.argv[1:3] == ['--no-api', '--config-file'], sys.argv
config = json.load(open(sys.argv[3]))
assert open(config['boot-source']['kernel_image_path']).read() == 'kernel'
assert config['boot-source']['boot_args'].endswith('-- __guest socket')
assert [open(drive['path_on_host']).read() for drive in config['drives']] == ['base', 'other']
assert all(drive['is_read_only'] for drive in config['drives']) and 'network-interfaces' not in config
assert config['machine-config']['mem_size_mib'] == 128 and not os.environ.get('HOME')
line = socket.socket(socket.AF_UNIX)
line.connect(config['vsock']['uds_path'] + '_1024')
def say(kind, number, rest):
    line.sendall(struct.pack('<IBI', 5 + len(rest), kind, number) + rest)
say(1, 0, struct.pack('<I', 6) + b'player')
stream = line.makefile('rb')
while head := stream.read(9):
    length, kind, number = struct.unpack('<IBI', head)
    stream.read(length - 5)
    say(2, number, b'\0')
"#;

    fn file_with(text: &str) -> OwnedFd {
        let file = memory_file(c"test", 0).unwrap();
        std::io::Write::write_all(
            &mut std::fs::File::from(file.as_fd().try_clone_to_owned().unwrap()),
            text.as_bytes(),
        )
        .unwrap();
        file
    }

    fn parts() -> Parts {
        let disks = vec![file_with("base"), file_with("other")];
        let (kernel, initrd) = (file_with("kernel"), file_with("initrd"));
        Parts { kernel, initrd, disks, memory: file_with(""), size: 128 << 20 }
    }

    /// Written by another process: a test that forks meanwhile would hold the file open for writing.
    fn program(folder: &Path, text: &str) -> PathBuf {
        let path = folder.join("firecracker");
        let script = r#"printf %s "$1" > "$0" && chmod 755 "$0""#;
        assert!(Command::new("sh").args(["-c", script]).arg(&path).arg(text).status().unwrap().success());
        path
    }

    fn launcher() -> Arc<Launcher> {
        Launcher::new("/no/qemu".into(), Kvm::Fails("not asked".into())).unwrap()
    }

    #[test]
    fn firecracker_is_told_of_everything_and_its_agent_is_heard() {
        if !Path::new("/usr/bin/python3").exists() {
            return; // the player needs it; every machine of CI has it
        }
        let place = tempfile::tempdir().unwrap();
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let program = program(place.path(), PLAYER);
        let scratch =
            place.path().join("a folder whose name alone is longer than the name of any socket may be".repeat(2));
        let (machine, stream) = start(&launcher(), &program, &parts(), &scratch).unwrap();
        let (line, words) = Line::new(stream, Box::new(machine.clone())).unwrap();
        assert_eq!(words.recv_timeout(Duration::from_secs(20)).unwrap(), "player");
        line.wake().unwrap();
        let cage = RemoteCage::open(line, CageSpec::manual()).unwrap();
        assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0, "its folder is gone");
        assert!(!machine.has_ended());
        drop(cage);
        assert!(machine.has_ended());
    }

    #[test]
    fn a_machine_that_ends_at_once_is_told_with_what_it_said() {
        let place = tempfile::tempdir().unwrap();
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let program = program(place.path(), "#!/bin/sh\necho no such device >&2\nexit 1\n");
        let Err(error) = start(&launcher(), &program, &parts(), place.path()) else { panic!("it ended") };
        assert!(error.cause.contains("ended before") && error.cause.contains("no such device"), "{error}");
    }
}
