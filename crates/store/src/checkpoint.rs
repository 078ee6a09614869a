//! Checkpoints: signed heads of the Merkle tree over a journal, kept in a file outside the database.
//!
//! Whoever can rewrite the whole database, chain and all, cannot rewrite these. The file has one JSON object a line and is
//! only ever appended to. Where it lies and who signs is handed in.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use meliora_domain::{Digest, Timestamp};
use meliora_evolve::ArchiveError;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::chain::Tail;
use crate::error::failed;
use crate::tree::Tree;

/// Signs a text. Errors are words for a person.
pub type Sign = Box<dyn Fn(&[u8]) -> Result<String, String> + Send + Sync>;
/// Checks a text and its signature against the key of this id. Errors are words for a person.
pub type Check<'a> = dyn Fn(&str, &[u8], &str) -> Result<(), String> + 'a;

/// What a journal was at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Which journal: where it lies.
    pub origin: String,
    /// How many events it had.
    pub size: u64,
    /// Head of the Merkle tree over the hashes of its events (RFC 6962).
    pub root: Digest,
    /// Hash of its last event; zeros while it was empty.
    pub tail: Digest,
    /// When this was signed.
    pub at: Timestamp,
    /// Roots of the tree's complete parts, the largest first, from which the tree goes on. The root vouches for them.
    pub peaks: Vec<Digest>,
    /// Id of the key that signed.
    pub key: String,
    /// Signature of [`Checkpoint::text`], in minisign's format.
    pub signature: String,
}

impl Checkpoint {
    pub(crate) fn of(origin: &str, tree: &Tree, tail: Digest, at: Timestamp) -> Checkpoint {
        let (origin, peaks) = (origin.to_owned(), tree.peaks().to_vec());
        let (key, signature) = (String::new(), String::new());
        Checkpoint { origin, size: tree.size(), root: tree.root(), tail, at, peaks, key, signature }
    }

    pub(crate) fn signed(mut self, key: &str, sign: &Sign) -> Result<Checkpoint, ArchiveError> {
        let mend = "check the machine's key and the permissions of its folder";
        self.signature = sign(self.text().as_bytes()).map_err(|e| failed("sign a checkpoint", e, mend))?;
        self.key = key.to_owned();
        Ok(self)
    }

    /// What is signed: a line each for origin, size, root, tail and time.
    pub fn text(&self) -> String {
        let Checkpoint { origin, size, root, tail, at, .. } = self;
        format!("meliora journal {origin}\n{size}\n{root}\ntail {tail}\nat {}\n", at.0)
    }

    /// The tree as it was; `None` where its parts do not give its root.
    pub(crate) fn tree(&self) -> Option<Tree> {
        Tree::of(self.size, self.peaks.clone()).filter(|tree| tree.root() == self.root)
    }

    pub(crate) fn end(&self) -> Tail {
        Tail { seq: self.size, hash: self.tail }
    }
}

/// The file of a journal's checkpoints.
#[derive(Clone, Debug)]
pub struct Book {
    path: PathBuf,
}

impl Book {
    /// The file itself.
    pub fn at(path: &Path) -> Book {
        Book { path: path.to_owned() }
    }

    /// The file in this folder for the journal of this origin.
    pub fn of(folder: &Path, origin: &str) -> Book {
        Book { path: folder.join(format!("{}.jsonl", Digest::of([origin.as_bytes()]).short())) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All checkpoints, in the order of the file; none where there is no file. A last line that was cut short by a crash
    /// is left out; any other line that is no checkpoint is an error.
    pub fn read(&self) -> Result<Vec<Checkpoint>, ArchiveError> {
        let what = || format!("read the checkpoints {}", self.path.display());
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(failed(what(), e, "check who may read the file")),
        };
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        whole
            .lines()
            .enumerate()
            .map(|(n, line)| {
                serde_json::from_str(line).map_err(|e| {
                    let cause = format!("line {} is no checkpoint: {e}", n + 1);
                    failed(
                        what(),
                        cause,
                        "the file was altered; put back a copy, or look at it before you move it away",
                    )
                })
            })
            .collect()
    }

    /// Adds one, and waits until the disk has it.
    pub(crate) fn add(&self, checkpoint: &Checkpoint) -> Result<(), ArchiveError> {
        self.write(checkpoint).map_err(|e| {
            let what = format!("write a checkpoint to {}", self.path.display());
            failed(what, e, "the folder must be writable; `[store] checkpoints` names another")
        })
    }

    /// Takes over checkpoints of the same journal from another place, signed anew for the place of this book.
    pub fn take_over(
        &self,
        checkpoints: Vec<Checkpoint>,
        origin: &str,
        key: &str,
        sign: &Sign,
    ) -> Result<(), ArchiveError> {
        checkpoints.into_iter().try_for_each(|checkpoint| {
            self.add(&Checkpoint { origin: origin.to_owned(), ..checkpoint }.signed(key, sign)?)
        })
    }

    fn write(&self, checkpoint: &Checkpoint) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&self.path)?;
        // Given back when the file is closed.
        flock(&file, FlockOperation::LockExclusive)?;
        cut_to_whole_lines(&mut file)?;
        let mut line = serde_json::to_vec(checkpoint)?;
        line.push(b'\n');
        file.write_all(&line)?;
        file.sync_data()
    }
}

/// Takes away what a killed process left of a line.
fn cut_to_whole_lines(file: &mut File) -> std::io::Result<()> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut last = [b'\n'];
    if length > 0 {
        file.seek(SeekFrom::Start(length - 1))?;
        file.read_exact(&mut last)?;
    }
    if last != [b'\n'] {
        let mut all = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut all)?;
        file.set_len(all.iter().rposition(|b| *b == b'\n').map_or(0, |end| end as u64 + 1))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(size: u64) -> Checkpoint {
        let mut tree = Tree::default();
        (0..size).for_each(|n| tree.push(&Digest([n as u8; 32])));
        let sign: Sign = Box::new(|text| Ok(format!("signed {}", text.len())));
        Checkpoint::of("here", &tree, Digest([1; 32]), Timestamp(5)).signed("ABC", &sign).unwrap()
    }

    #[test]
    fn what_was_added_is_read_also_after_a_write_that_was_cut_short() {
        let dir = tempfile::tempdir().unwrap();
        let book = Book::of(&dir.path().join("made/when/needed"), "here");
        assert_eq!(book.read().unwrap(), []);
        book.add(&checkpoint(1)).unwrap();
        let whole = std::fs::read(book.path()).unwrap();
        for cut in [1, 10, whole.len() - 1] {
            std::fs::write(book.path(), [&whole[..], &whole[..cut]].concat()).unwrap();
            assert_eq!(book.read().unwrap(), [checkpoint(1)]);
            book.add(&checkpoint(2)).unwrap();
            assert_eq!(book.read().unwrap(), [checkpoint(1), checkpoint(2)]);
        }
        assert_eq!(checkpoint(7).tree().unwrap().size(), 7);
    }

    #[test]
    fn a_line_that_is_no_checkpoint_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let book = Book::at(&dir.path().join("x"));
        book.add(&checkpoint(1)).unwrap();
        let altered = std::fs::read_to_string(book.path()).unwrap().replace("\"size\"", "\"sise\"");
        std::fs::write(book.path(), altered).unwrap();
        let error = book.read().unwrap_err();
        assert!(error.to_string().contains("line 1 is no checkpoint"), "{error}");
    }

    #[test]
    fn parts_that_do_not_give_the_root_are_no_tree() {
        let mut forged = checkpoint(5);
        forged.peaks[0] = Digest([9; 32]);
        assert_eq!(forged.tree(), None);
    }
}
