//! Packing: thousands of single objects become one file, and nobody who reads the archive can tell.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use meliora_domain::{Event, FileBody, FinishReason, Genome, GenomePath, Timestamp, VariantId};
use meliora_evolve::{Archive, Draft};
use meliora_store::GitArchive;

/// Three objects each; more than are worth packing at the end of a run.
const VARIANTS: u64 = 700;

fn genome(n: u64) -> Genome {
    let file = |name: &str| GenomePath::new(name).unwrap();
    let text = format!("def f(a, b):\n    return a + {n}\n").repeat(9);
    [
        (file("a.py"), FileBody::new(text.into_bytes(), false)),
        (file("same.py"), FileBody::new(b"pass\n".to_vec(), true)),
    ]
    .into_iter()
    .collect()
}

fn store(archive: &GitArchive, n: u64, parents: &[VariantId]) -> VariantId {
    let genome = genome(n);
    let (message, date, tag) = (format!("step {n}"), Timestamp(n * 1000), format!("run-1/step-{n}"));
    archive.store(&Draft { genome: &genome, parents, message, date, tag }).unwrap()
}

fn fill(archive: &GitArchive) -> Vec<VariantId> {
    let mut ids: Vec<VariantId> = Vec::new();
    for n in 0..VARIANTS {
        let parents: Vec<VariantId> = ids.last().copied().into_iter().collect();
        ids.push(store(archive, n, &parents));
    }
    ids
}

fn finish(archive: &GitArchive) {
    archive
        .append(&[Event::Finished { reason: FinishReason::Exhausted, counts: Default::default() }], Timestamp(1))
        .unwrap();
}

/// The files of single objects, and of packs.
fn files(dir: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut single, mut packs) = (Vec::new(), Vec::new());
    for folder in std::fs::read_dir(dir.join("archive.git/objects")).unwrap().map(|e| e.unwrap().path()) {
        let into = if folder.ends_with("pack") { &mut packs } else { &mut single };
        into.extend(std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()));
    }
    (single, packs)
}

fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git").arg("--git-dir").arg(dir.join("archive.git")).args(args).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn all_are_there(archive: &GitArchive, ids: &[VariantId]) {
    for (n, id) in ids.iter().enumerate().step_by(37) {
        assert_eq!(archive.load(id).unwrap(), genome(n as u64));
        assert_eq!(archive.find(&id.short()).unwrap(), *id);
    }
}

#[test]
fn the_end_of_a_run_packs_its_objects_and_every_variant_stays() {
    let dir = tempfile::tempdir().unwrap();
    let archive = GitArchive::open(dir.path()).unwrap();
    let ids = fill(&archive);
    let looking = GitArchive::open_readonly(dir.path()).unwrap();
    all_are_there(&looking, &ids[..1]);
    assert!(files(dir.path()).0.len() as u64 >= 3 * VARIANTS);
    finish(&archive);
    let (single, packs) = files(dir.path());
    assert_eq!((single.len(), packs.len()), (0, 2), "a pack and its index");
    all_are_there(&archive, &ids);
    all_are_there(&looking, &ids);
    // It goes on as before: what is there is not written again, what is new stands alone.
    assert_eq!(store(&archive, 0, &[]), ids[0]);
    let newer = store(&archive, VARIANTS, &ids[..1]);
    assert_eq!(files(dir.path()).0.len(), 3);
    drop(archive);
    let archive = GitArchive::open(dir.path()).unwrap();
    archive.point_champion(&newer).unwrap();
    all_are_there(&archive, &ids);
    assert!(!git(dir.path(), &["fsck", "--full"]).contains("missing"));
    let count = git(dir.path(), &["rev-list", "--count", "--all"]);
    assert_eq!(count.trim(), (VARIANTS + 1).to_string());
}

#[test]
fn a_few_objects_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let archive = GitArchive::open(dir.path()).unwrap();
    store(&archive, 1, &[]);
    finish(&archive);
    assert_eq!(files(dir.path()).1.len(), 0);
}

#[test]
fn a_packing_that_was_cut_off_costs_nothing_and_is_done_the_next_time() {
    let dir = tempfile::tempdir().unwrap();
    let archive = GitArchive::open(dir.path()).unwrap();
    let ids = fill(&archive);
    let keep = tempfile::tempdir().unwrap();
    let (single, _) = files(dir.path());
    for (n, file) in single.iter().enumerate() {
        std::fs::copy(file, keep.path().join(n.to_string())).unwrap();
    }
    finish(&archive);
    drop(archive);
    // Cut off before the single files went, with half a pack of a try before that.
    for (n, file) in single.iter().enumerate() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::copy(keep.path().join(n.to_string()), file).unwrap();
    }
    let packs = dir.path().join("archive.git/objects/pack");
    std::fs::write(packs.join("pack_git2_abcdef"), b"PACK").unwrap();
    let archive = GitArchive::open(dir.path()).unwrap();
    all_are_there(&archive, &ids);
    finish(&archive);
    let (single, packs) = files(dir.path());
    assert_eq!(single.len(), 0);
    assert!(packs.iter().all(|p| !p.to_string_lossy().contains("git2_")), "{packs:?}");
    all_are_there(&archive, &ids);
    git(dir.path(), &["fsck", "--full"]);
}

#[test]
fn where_nothing_can_be_packed_the_run_goes_on_with_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let archive = GitArchive::open(dir.path()).unwrap();
    let ids = fill(&archive);
    let packs = dir.path().join("archive.git/objects/pack");
    std::fs::remove_dir_all(&packs).unwrap();
    std::fs::write(&packs, b"in the way").unwrap();
    finish(&archive);
    std::fs::remove_file(&packs).unwrap();
    std::fs::create_dir(&packs).unwrap();
    assert!(files(dir.path()).0.len() as u64 >= 3 * VARIANTS);
    all_are_there(&archive, &ids);
    store(&archive, VARIANTS, &ids[..1]);
}
