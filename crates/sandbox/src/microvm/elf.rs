//! As much of the ELF format as is needed to take a program along: what is loaded of it, and whether it is static
//! (`elf(5)`).

/// What a program needs to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Program {
    /// The file without what no kernel loads: tables of sections, symbols, debug information.
    pub(crate) loaded: Vec<u8>,
    /// The loader that it names, unless it is static.
    pub(crate) loader: Option<String>,
}

const LOAD: u32 = 1;
const INTERPRETER: u32 = 3;

/// `None` if it is no 64-bit little-endian ELF file.
pub(crate) fn read(bytes: &[u8]) -> Option<Program> {
    if bytes.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let half = |at: usize| Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let word = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let long = |at: usize| usize::try_from(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?)).ok();
    let (table, size, count) = (long(32)?, usize::from(half(54)?), usize::from(half(56)?));
    let mut end = table.checked_add(size.checked_mul(count)?)?;
    let mut loader = None;
    for number in 0..count {
        let header = table.checked_add(number.checked_mul(size)?)?;
        let (kind, from, length) = (word(header)?, long(header.checked_add(8)?)?, long(header.checked_add(32)?)?);
        let until = from.checked_add(length)?;
        match kind {
            LOAD => end = end.max(until),
            INTERPRETER => {
                let text = bytes.get(from..until)?.strip_suffix(&[0])?;
                loader = Some(String::from_utf8(text.to_vec()).ok()?);
            }
            _ => {}
        }
    }
    let mut loaded = bytes.get(..end)?.to_vec();
    // No table of sections: its place, and how many they are.
    loaded.get_mut(40..48)?.fill(0);
    loaded.get_mut(60..64)?.fill(0);
    Some(Program { loaded, loader })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_its_symbols_still_runs_and_names_its_loader() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let program = read(&bytes).unwrap();
        assert!(program.loaded.len() < bytes.len());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        std::fs::write(&path, &program.loaded).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let ran = std::process::Command::new(&path).arg("--list").output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
        if let Some(loader) = program.loader {
            assert!(std::path::Path::new(&loader).exists(), "{loader}");
        }
    }

    #[test]
    fn what_is_no_program_is_refused() {
        for bytes in [&b""[..], b"#!/bin/sh", b"\x7fELF\x02\x01", &[0x7f; 200]] {
            assert_eq!(read(bytes), None);
        }
        let mut lying = std::fs::read("/proc/self/exe").unwrap();
        lying[32..40].fill(0xff);
        assert_eq!(read(&lying), None);
    }
}
