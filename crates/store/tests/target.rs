//! What a promotion does to the user's repository, and what it leaves alone.
#![allow(clippy::unwrap_used)] // a test that meets an error shall fail

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use meliora_domain::{FileBody, Genome, GenomePath, VariantId};
use meliora_evolve::{PromotionNote, Target, TargetError};
use meliora_store::{GitTarget, Globs, read_genome};

/// Path, bytes and mode of each.
type Files = Vec<(String, Vec<u8>, u32)>;

struct Project {
    dir: tempfile::TempDir,
    /// Path of the genome's root in the repository.
    inner: &'static str,
}

impl Project {
    /// A repository with two editable files in `inner`, and others around them.
    fn new(inner: &'static str) -> Project {
        let project = Project { dir: tempfile::tempdir().unwrap(), inner };
        project.git(&["init", "-q", "-b", "main"]);
        project.git(&["config", "user.name", "Ada"]);
        project.git(&["config", "user.email", "ada@example.org"]);
        project.put("src/a.py", "def add(a, b):\n    return a - b\n");
        project.put("src/deep/b.py", "B = 1\r\n");
        project.put("notes.txt", "mine\n");
        fs::write(project.dir.path().join("top.txt"), "top\n").unwrap();
        project.commit();
        project
    }

    fn root(&self) -> std::path::PathBuf {
        self.dir.path().join(self.inner)
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn commit(&self) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "state"]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn git(&self, args: &[&str]) -> String {
        let out = Command::new("git").args(args).current_dir(self.dir.path()).output().unwrap();
        assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    fn target(&self) -> GitTarget {
        GitTarget::new(&self.root(), &["src/**/*.py".to_owned()], &["src/deep/fixed".to_owned()]).unwrap()
    }

    /// Everything that stands: branch, status, and each file outside `.git` with its bytes and mode.
    fn state(&self) -> (String, String, Files) {
        let mut files = Vec::new();
        gather(self.dir.path(), &mut files);
        files.sort();
        (self.git(&["rev-parse", "HEAD"]), self.git(&["status", "--porcelain"]), files)
    }
}

fn gather(dir: &Path, files: &mut Files) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() == ".git" {
            continue;
        }
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            gather(&entry.path(), files);
        } else if kind.is_file() {
            let mode = entry.metadata().unwrap().permissions().mode();
            files.push((entry.path().display().to_string(), fs::read(entry.path()).unwrap(), mode));
        }
    }
}

fn path(text: &str) -> GenomePath {
    GenomePath::new(text).unwrap()
}

fn file(text: &str) -> FileBody {
    FileBody::new(text.as_bytes(), false)
}

fn note() -> PromotionNote {
    PromotionNote { variant: VariantId([1; 20]), message: "Promote 0101010101\n\nBetter.\n".into() }
}

/// The genome with one file fixed, one added in a new folder, one deleted.
fn better(genome: &Genome) -> Genome {
    genome
        .clone()
        .with(path("src/a.py"), file("def add(a, b):\n    return a + b\n"))
        .with(path("src/new/c.py"), FileBody::new(&b"C\n"[..], true))
        .without(&path("src/deep/b.py"))
}

/// A promotion that must be refused, and leave everything as it is.
fn refused(project: &Project, expected: &Genome, genome: &Genome) -> TargetError {
    let before = project.state();
    let error = project.target().apply(expected, genome, &note()).unwrap_err();
    assert_eq!(project.state(), before, "{error}");
    error
}

#[test]
fn a_promotion_is_one_commit_by_the_user_and_a_rollback_restores_every_byte() {
    for inner in ["", "work/agent"] {
        let project = Project::new(inner);
        fs::set_permissions(project.root().join("src/a.py"), fs::Permissions::from_mode(0o640)).unwrap();
        fs::write(project.dir.path().join("untracked.txt"), "left alone").unwrap();
        let (head, status, files) = project.state();
        let old = project.target().read().unwrap();
        let new = better(&old);

        let (commit, before) = project.target().apply(&old, &new, &note()).unwrap();
        assert_eq!((project.git(&["rev-parse", "main"]), before), (commit.clone(), head.clone()));
        assert_eq!(project.git(&["log", "-1", "--format=%an <%ae> %s"]), "Ada <ada@example.org> Promote 0101010101");
        assert_eq!(project.git(&["rev-parse", "HEAD^"]), head);
        assert_eq!(project.state().1, status);
        assert_eq!(project.target().read().unwrap(), new);
        assert!(!project.root().join("src/deep").exists(), "git leaves no empty folder, nor do we");
        assert_eq!(project.git(&["diff", "--name-only", "HEAD^"]).lines().count(), 3);
        let mode = fs::metadata(project.root().join("src/a.py")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);

        let (_, before) = project.target().apply(&new, &old, &note()).unwrap();
        assert_eq!(before, commit);
        assert_eq!(project.state().1, status);
        let modes_aside = |files: Files| files.into_iter().map(|f| (f.0, f.1)).collect::<Vec<_>>();
        assert_eq!(modes_aside(project.state().2), modes_aside(files));
        assert_eq!(project.git(&["diff", "HEAD^^", "HEAD"]), "");
        project.git(&["fsck", "--strict"]);
    }
}

#[test]
fn what_stands_already_needs_no_commit() {
    let project = Project::new("");
    let genome = project.target().read().unwrap();
    let (commit, before) = project.target().apply(&genome, &genome, &note()).unwrap();
    assert_eq!((&commit, &before), (&before, &project.state().0));
}

#[test]
fn a_detached_head_moves_as_it_does_with_git_commit() {
    let project = Project::new("");
    project.git(&["checkout", "-q", "--detach"]);
    let old = project.target().read().unwrap();
    let (commit, before) = project.target().apply(&old, &better(&old), &note()).unwrap();
    assert_eq!(project.git(&["rev-parse", "HEAD", "main"]), format!("{commit}\n{before}"));
}

#[test]
fn uncommitted_changes_anywhere_in_the_repository_refuse_a_promotion() {
    let project = Project::new("work");
    let old = project.target().read().unwrap();
    fs::write(project.dir.path().join("top.txt"), "changed\n").unwrap();
    let error = refused(&project, &old, &better(&old));
    assert!(matches!(&error, TargetError::Dirty(w) if w.contains("top.txt")), "{error}");
    project.git(&["add", "top.txt"]);
    assert!(matches!(refused(&project, &old, &better(&old)), TargetError::Dirty(_)));
}

#[test]
fn a_file_that_git_does_not_know_is_never_overwritten() {
    let project = Project::new("");
    let old = project.target().read().unwrap();
    project.put("src/new/c.py", "mine");
    let error = refused(&project, &old, &better(&old));
    assert!(matches!(&error, TargetError::Dirty(w) if w.contains("src/new/c.py")), "{error}");
    fs::write(project.dir.path().join(".gitignore"), "src/new\n").unwrap();
    project.git(&["add", ".gitignore"]);
    project.git(&["commit", "-q", "-m", "ignore"]);
    assert!(matches!(refused(&project, &old, &better(&old)), TargetError::Dirty(_)));
}

#[test]
fn a_tree_that_moved_on_refuses_a_promotion() {
    let project = Project::new("");
    let old = project.target().read().unwrap();
    project.put("src/deep/b.py", "B = 2\n");
    project.commit();
    let error = refused(&project, &old, &better(&old));
    assert!(matches!(&error, TargetError::Moved(w) if w.starts_with("src/deep/b.py")), "{error}");
}

#[test]
fn a_genome_that_was_never_committed_refuses_a_promotion() {
    let project = Project::new("");
    project.put("src/fresh.py", "1\n");
    let old = project.target().read().unwrap();
    let error = refused(&project, &old, &better(&old));
    assert!(matches!(&error, TargetError::Moved(w) if w.contains("src/fresh.py")), "{error}");
}

#[test]
fn an_unfinished_merge_refuses_a_promotion() {
    let project = Project::new("");
    let old = project.target().read().unwrap();
    fs::write(project.dir.path().join(".git/MERGE_HEAD"), project.git(&["rev-parse", "HEAD"])).unwrap();
    let error = refused(&project, &old, &better(&old));
    assert!(matches!(&error, TargetError::Dirty(w) if w.contains("merge")), "{error}");
}

#[test]
fn links_are_neither_read_nor_written_through() {
    let project = Project::new("");
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("c.py"), "secret").unwrap();
    symlink(outside.path(), project.root().join("src/new")).unwrap();
    symlink(outside.path().join("c.py"), project.root().join("src/d.py")).unwrap();
    project.commit();
    let old = project.target().read().unwrap();
    assert_eq!(old.files().len(), 2);
    assert!(matches!(refused(&project, &old, &better(&old)), TargetError::Link(_)));
    let through = old.clone().with(path("src/d.py"), file("x"));
    assert!(matches!(refused(&project, &old, &through), TargetError::Link(_)));
    assert_eq!(fs::read(outside.path().join("c.py")).unwrap(), b"secret");
}

#[test]
fn files_outside_the_patterns_are_never_written() {
    let project = Project::new("");
    let old = project.target().read().unwrap();
    for outside in ["notes.txt", "src/deep/fixed/x.py", "src/a.txt"] {
        let error = refused(&project, &old, &old.clone().with(path(outside), file("x")));
        assert!(error.to_string().contains(outside), "{error}");
    }
}

#[test]
fn names_that_differ_only_in_case_are_refused() {
    let project = Project::new("");
    let old = project.target().read().unwrap();
    let error = refused(&project, &old, &old.clone().with(path("src/A.py"), file("x")));
    assert!(error.to_string().contains("only in the case"), "{error}");
    project.put("src/DEEP/c.py", "x");
    assert!(project.target().read().unwrap_err().to_string().contains("only in the case"));
}

#[test]
fn a_file_whose_bytes_git_would_change_is_refused() {
    let project = Project::new("");
    fs::write(project.dir.path().join(".gitattributes"), "*.py text\n").unwrap();
    project.commit();
    project.git(&["add", "--renormalize", "."]);
    project.git(&["commit", "-q", "--allow-empty", "-m", "normal"]);
    let old = project.target().read().unwrap();
    let error = refused(&project, &old, &better(&old));
    assert!(error.to_string().contains("-text"), "{error}");
    let project = Project::new("");
    fs::write(project.dir.path().join(".gitattributes"), "z.py text\n").unwrap();
    project.git(&["add", ".gitattributes"]);
    project.git(&["commit", "-q", "-m", "attributes"]);
    let project_genome = GitTarget::new(&project.root(), &["**/*.py".to_owned()], &[]).unwrap();
    let old = project_genome.read().unwrap();
    let before = project.state();
    let error = project_genome.apply(&old, &better(&old).with(path("z.py"), file("a\r\n")), &note()).unwrap_err();
    assert!(error.to_string().contains("-text"), "{error}");
    assert_eq!(project.state(), before);
}

#[test]
fn a_promotion_that_fails_half_way_leaves_everything_as_it_was() {
    let project = Project::new("work/agent");
    let old = project.target().read().unwrap();
    // Another git process holds the index: the files are in place by then.
    fs::write(project.dir.path().join(".git/index.lock"), "").unwrap();
    let error = refused_with_locked_index(&project, &old);
    assert!(error.to_string().contains("index"), "{error}");
    fs::remove_file(project.dir.path().join(".git/index.lock")).unwrap();
    // A branch that cannot move: the index has followed by then.
    fs::write(project.dir.path().join(".git/refs/heads/main.lock"), "").unwrap();
    refused(&project, &old, &better(&old));
    fs::remove_file(project.dir.path().join(".git/refs/heads/main.lock")).unwrap();
    // A file where a folder is needed.
    let clash = old.clone().with(path("src/a.py/x.py"), file("x"));
    refused(&project, &old, &clash);
    project.target().apply(&old, &better(&old), &note()).unwrap();
}

fn refused_with_locked_index(project: &Project, old: &Genome) -> TargetError {
    let files = || {
        let mut files = Vec::new();
        gather(project.dir.path(), &mut files);
        files.sort();
        files
    };
    let before = files();
    let error = project.target().apply(old, &better(old), &note()).unwrap_err();
    assert_eq!(files(), before);
    error
}

#[test]
fn a_project_in_no_repository_can_be_read_but_not_promoted_to() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.py"), [0u8, 255]).unwrap();
    fs::write(dir.path().join("empty.py"), "").unwrap();
    fs::create_dir_all(dir.path().join("vendored/.git")).unwrap();
    fs::write(dir.path().join("vendored/b.py"), "").unwrap();
    let globs = ["**/*.py".to_owned()];
    let genome = read_genome(dir.path(), &Globs::new(&globs, &[]).unwrap()).unwrap();
    assert_eq!(genome.files().map(|(p, _)| p.as_str()).collect::<Vec<_>>(), ["a.py", "empty.py"]);
    let target = GitTarget::new(dir.path(), &globs, &[]).unwrap();
    assert_eq!(target.read().unwrap(), genome);
    assert!(matches!(target.apply(&genome, &genome, &note()), Err(TargetError::NoRepository(_))));
}

#[test]
fn a_genome_that_is_too_large_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.bin"), "x").unwrap();
    fs::File::create(dir.path().join("big.bin")).unwrap().set_len(64 << 20).unwrap();
    let error = read_genome(dir.path(), &Globs::new(&["*".to_owned()], &[]).unwrap()).unwrap_err();
    assert!(error.to_string().contains("'big.bin'") && error.to_string().contains("64 MiB"), "{error}");
}
