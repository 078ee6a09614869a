//! The desk: people's words to a run that is at work, one file each in `.meliora/words`.
//!
//! Whoever can write there is not believed. Each file is looked at as what it is, small and regular, and no link is
//! followed.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use meliora_domain::Word;
use meliora_evolve::{Desk, Letter};

/// A word has less than a thousand bytes; its reason may be long.
const LARGEST: u64 = 64 << 10;
/// So many are taken in at once; the rest at the next step.
const MOST: usize = 32;

/// The desk of a project.
pub struct Words {
    folder: PathBuf,
}

impl Words {
    /// The desk in this `.meliora` folder.
    pub fn of(state: &Path) -> Self {
        Words { folder: state.join("words") }
    }

    /// Puts a word down. It is there wholly or not at all.
    pub fn put(&self, word: &Word) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let unfinished = self.folder.join(format!("{}.new", word.nonce.short()));
        let mut file = File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec_pretty(word)?)?;
        file.sync_all()?;
        std::fs::rename(unfinished, self.folder.join(format!("{}.json", word.nonce.short())))
    }
}

impl Desk for Words {
    fn letters(&self) -> Vec<Letter> {
        // No folder: nobody has said anything yet.
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".json")).collect();
        names.sort();
        names.truncate(MOST);
        names.into_iter().map(|name| Letter { word: read(&self.folder.join(&name)), name }).collect()
    }

    fn done(&self, name: &str) {
        let path = self.folder.join(name);
        let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path));
    }
}

fn read(path: &Path) -> Result<Word, String> {
    // Not to wait for a pipe, and not to follow a link.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path).map_err(|e| e.to_string())?;
    if !file.metadata().is_ok_and(|meta| meta.is_file()) {
        return Err("it is no regular file".into());
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("it has more than {LARGEST} bytes"));
    }
    serde_json::from_slice(&bytes).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use meliora_domain::{Digest, Timestamp};

    fn word(nonce: u8) -> Word {
        Word {
            request: Digest([1; 32]),
            constitution: Digest([2; 32]),
            granted: true,
            nonce: Digest([nonce; 32]),
            expires: Timestamp(9),
            reason: "read".into(),
            key: "K".into(),
            signature: "S".into(),
        }
    }

    #[test]
    fn words_are_found_as_they_were_put_and_gone_when_done() {
        let dir = tempfile::tempdir().unwrap();
        let desk = Words::of(dir.path());
        assert_eq!(desk.letters(), []);
        desk.put(&word(3)).unwrap();
        desk.put(&word(4)).unwrap();
        let letters = desk.letters();
        assert_eq!(letters.iter().map(|l| l.word.clone().unwrap()).collect::<Vec<_>>(), [word(3), word(4)]);
        desk.done(&letters[0].name);
        assert_eq!(desk.letters().len(), 1);
    }

    #[test]
    fn links_pipes_folders_and_floods_are_no_words_and_can_be_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let (desk, folder) = (Words::of(dir.path()), dir.path().join("words"));
        std::fs::create_dir(&folder).unwrap();
        let real = dir.path().join("real");
        std::fs::write(&real, serde_json::to_vec(&word(3)).unwrap()).unwrap();
        std::os::unix::fs::symlink(&real, folder.join("link.json")).unwrap();
        std::fs::create_dir(folder.join("folder.json")).unwrap();
        std::fs::write(folder.join("large.json"), vec![b' '; LARGEST as usize + 1]).unwrap();
        std::fs::write(folder.join("text.json"), "yes").unwrap();
        let (kind, mode) = (rustix::fs::FileType::Fifo, 0o600.into());
        rustix::fs::mknodat(rustix::fs::CWD, folder.join("pipe.json"), kind, mode, 0).unwrap();
        let letters = desk.letters();
        assert_eq!(letters.len(), 5);
        for letter in &letters {
            assert!(letter.word.is_err(), "{letter:?}");
            desk.done(&letter.name);
        }
        assert_eq!(desk.letters(), []);
        assert!(real.is_file(), "what a link leads to stays");
    }
}
