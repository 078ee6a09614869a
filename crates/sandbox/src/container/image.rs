//! The image of a container: nearly nothing, because what programs need is shown to it from this machine. Made on the
//! spot, so that no registry is asked for anything.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Folders of the image; what is mounted finds its place there.
const FOLDERS: &[(&str, u32)] = &[
    ("dev", 0o755),
    ("etc", 0o755),
    ("meliora", 0o755),
    ("proc", 0o555),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("usr", 0o755),
    ("work", 0o1777),
];

const FILES: &[(&str, &str)] = &[
    ("etc/passwd", "cage:x:1000:1000::/work:/bin/sh\n"),
    ("etc/group", "cage:x:1000:\n"),
    ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
];

/// The archive that an engine imports: folders, small files, and these links (where to, name); with a second place of
/// `/work`, if there is to be one.
pub(super) fn archive(links: &[(Vec<u8>, Vec<u8>)], home: Option<&Path>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, mode) in FOLDERS {
        entry(&mut bytes, name.as_bytes(), b"", b'5', *mode, b"");
    }
    for (name, text) in FILES {
        entry(&mut bytes, name.as_bytes(), b"", b'0', 0o644, text.as_bytes());
    }
    for (to, name) in links {
        entry(&mut bytes, name, to, b'2', 0o777, b"");
    }
    if let Some(home) = home {
        let above = home.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty());
        for folder in above.collect::<Vec<_>>().into_iter().rev() {
            entry(&mut bytes, folder.as_os_str().as_bytes(), b"", b'5', 0o755, b"");
        }
        entry(&mut bytes, home.as_os_str().as_bytes(), b"/work", b'2', 0o777, b"");
    }
    // Two empty blocks are the end (POSIX.1-1988, ustar).
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// A name for an image with this content.
pub(super) fn name(archive: &[u8]) -> String {
    // FNV-1a. It only has to tell our own few images apart: whoever can make others under this name owns the engine.
    let hash = archive
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    format!("localhost/meliora-cage:{hash:016x}")
}

/// Adds an entry: a header of 512 bytes, and its content in whole blocks.
fn entry(bytes: &mut Vec<u8>, name: &[u8], link: &[u8], kind: u8, mode: u32, content: &[u8]) {
    let start = bytes.len();
    bytes.resize(start + 512, 0);
    let header = &mut bytes[start..];
    let mut put = |offset: usize, text: &[u8]| header[offset..offset + text.len()].copy_from_slice(text);
    put(0, &name[..name.len().min(100)]);
    put(100, format!("{mode:07o}\0").as_bytes());
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[kind]);
    put(157, &link[..link.len().min(100)]);
    put(257, b"ustar\x0000");
    let sum: u32 = bytes[start..].iter().map(|byte| u32::from(*byte)).sum();
    bytes[start + 148..start + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
}

/// Links of the root as bytes, from what the machine's survey found.
pub(super) fn links(found: &[(std::ffi::CString, std::ffi::CString)]) -> Vec<(Vec<u8>, Vec<u8>)> {
    found.iter().map(|(to, name)| (to.to_bytes().to_vec(), name.to_bytes().to_vec())).collect()
}

/// A path that the command line of an engine can carry.
pub(super) fn plain(path: &OsStr) -> Option<&str> {
    path.to_str().filter(|text| !text.contains([',', ':', '"', '\n']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_tar_reads_the_archive() {
        let bytes = archive(&[(b"usr/bin".to_vec(), b"bin".to_vec())], Some(Path::new("home/user")));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.tar"), &bytes).unwrap();
        let told =
            std::process::Command::new("tar").args(["-tvf", "a.tar"]).current_dir(folder.path()).output().unwrap();
        let text = String::from_utf8(told.stdout).unwrap();
        assert!(told.status.success(), "{text}");
        for part in ["drwxrwxrwt", " work", "bin -> usr/bin", "home/user -> /work", "etc/passwd", " home"] {
            assert!(text.contains(part), "no '{part}' in\n{text}");
        }
        assert_ne!(name(&bytes), name(&archive(&[], None)));
    }
}
