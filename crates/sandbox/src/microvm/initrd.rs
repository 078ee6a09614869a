//! The first file system of a machine: our agent, the kernel's modules for its few devices, and what is on which disk.
//! Written as a `newc` archive (`cpio(5)`; Linux `Documentation/driver-api/early-userspace/buffer-format.rst`).

use std::path::PathBuf;

/// Folder of the kernel's modules, and the list in which order they are loaded.
pub(crate) const MODULES: &str = "/modules";
pub(crate) const ORDER: &str = "/modules/order";
/// The list of disks after the first.
pub(crate) const TREES: &str = "/trees";

/// What is seen of a disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tree {
    /// Where.
    pub(crate) path: PathBuf,
    /// Whether it is one file, not a folder.
    pub(crate) file: bool,
}

pub(crate) fn encode_trees(trees: &[Tree]) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    let mut bytes = Vec::new();
    for tree in trees {
        bytes.push(if tree.file { b'f' } else { b'd' });
        bytes.extend(tree.path.as_os_str().as_bytes());
        bytes.push(0);
    }
    bytes
}

pub(crate) fn decode_trees(bytes: &[u8]) -> Option<Vec<Tree>> {
    use std::os::unix::ffi::OsStrExt;
    let Some(bytes) = bytes.strip_suffix(&[0]) else {
        return bytes.is_empty().then(Vec::new);
    };
    bytes
        .split(|byte| *byte == 0)
        .map(|line| {
            let (kind, path) = line.split_first()?;
            let path = PathBuf::from(std::ffi::OsStr::from_bytes(path));
            matches!(kind, b'f' | b'd').then(|| Tree { path, file: *kind == b'f' })
        })
        .collect()
}

/// An archive under construction.
#[derive(Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    count: u32,
}

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const DEVICE: u32 = 0o020_600;

impl Archive {
    pub(crate) fn folder(&mut self, path: &str) {
        self.entry(path, FOLDER, (0, 0), &[]);
    }

    pub(crate) fn program(&mut self, path: &str, content: &[u8]) {
        self.entry(path, PROGRAM, (0, 0), content);
    }

    /// A character device.
    pub(crate) fn device(&mut self, path: &str, number: (u32, u32)) {
        self.entry(path, DEVICE, number, &[]);
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), content: &[u8]) {
        self.count += 1;
        let name = path.trim_start_matches('/');
        let fields =
            [self.count, mode, 0, 0, 1, 0, content.len() as u32, 0, 0, device.0, device.1, name.len() as u32 + 1, 0];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(name.bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// The whole archive.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_disks_survives_the_way() {
        let trees = vec![Tree { path: "/a b\n".into(), file: false }, Tree { path: "/root/tool".into(), file: true }];
        assert_eq!(decode_trees(&encode_trees(&trees)), Some(trees));
        assert_eq!(decode_trees(&encode_trees(&[])), Some(Vec::new()));
        for damaged in [&b"x"[..], b"/a\0", b"\0", b"d/a"] {
            assert_eq!(decode_trees(damaged), None, "{damaged:?}");
        }
    }

    #[test]
    fn other_programs_read_the_archive() {
        let mut archive = Archive::default();
        archive.folder("/modules");
        archive.program("/init", b"#!/bin/sh\n");
        archive.program("/modules/order", b"");
        let bytes = archive.finish();
        let cpio = std::process::Command::new("cpio")
            .args(["-t", "--quiet"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn();
        let Ok(mut cpio) = cpio else { return }; // the machine's own test reads it as well: a kernel
        std::io::Write::write_all(&mut cpio.stdin.take().unwrap(), &bytes).unwrap();
        let told = String::from_utf8(cpio.wait_with_output().unwrap().stdout).unwrap();
        assert_eq!(told, "modules\ninit\nmodules/order\n");
    }
}
