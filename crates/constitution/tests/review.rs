//! The door, attacked from outside: what gets through and what is refused, under which article.

#![allow(clippy::unwrap_used, reason = "helpers of tests, where a panic is a failure")]

use meliora_constitution::{Constitution, Reach, Ruling, Subject, article};
use meliora_domain::{Change, Edit, FileBody, Genome, GenomePath, Timestamp, VariantId};
use proptest::prelude::*;

fn genome(files: &[(&str, &str)]) -> Genome {
    files.iter().map(|(p, t)| (GenomePath::new(p).unwrap(), FileBody::new(t.as_bytes(), false))).collect()
}

fn law(editable: &[&str]) -> Constitution {
    let reach = Reach {
        editable: editable.iter().map(|s| s.to_string()).collect(),
        protected: vec!["suite".into(), "Eval/key.json".into(), "./grader.py".into()],
        max_bytes: 300_000,
    };
    Constitution::builtin(reach).unwrap()
}

fn write(path: &str, content: &str) -> Edit {
    Edit::Write { path: path.into(), content: content.into() }
}

fn delete(path: &str) -> Edit {
    Edit::Delete { path: path.into() }
}

fn swap(path: &str, search: &str, replace: &str) -> Edit {
    Edit::Replace { path: path.into(), search: search.into(), replace: replace.into() }
}

fn review(law: &Constitution, parent: &Genome, change: &Change) -> Ruling {
    law.review(Subject::Proposal { variant: VariantId([0; 20]), parent, change }, &[], Timestamp(0))
}

/// The article that refuses, or `lawful`.
fn ruling(law: &Constitution, parent: &Genome, edits: Vec<Edit>) -> String {
    match review(law, parent, &Change { edits }) {
        Ruling::Lawful(_) => "lawful".into(),
        Ruling::NeedsApproval(request) => panic!("{request:?}"),
        Ruling::Refused(refusal) => {
            assert!(article(&refusal.article).is_some(), "{refusal:?}");
            assert!(refusal.reason.chars().all(|c| !c.is_control()), "{refusal:?}");
            refusal.article
        }
    }
}

#[test]
fn every_known_way_around_a_path_rule_is_refused() {
    let (law, parent) = (law(&["**"]), genome(&[("src/a.py", "x = 1\n"), ("b.py", "y = 1\n")]));
    for (path, expected) in [
        ("src/new.py", "lawful"),
        ("src/a.py", "lawful"),
        ("suites/x", "lawful"),
        ("../b.py", "path-form"),
        ("src/../../etc/passwd", "path-form"),
        ("suite/../x", "path-form"),
        ("/etc/passwd", "path-form"),
        ("//etc/passwd", "path-form"),
        ("./b.py", "path-form"),
        ("src/./a.py", "path-form"),
        ("src//a.py", "path-form"),
        ("src/", "path-form"),
        ("", "path-form"),
        (".", "path-form"),
        ("..", "path-form"),
        ("...", "path-form"),
        ("src\\a.py", "path-form"),
        ("b.py\0.txt", "path-form"),
        ("b\n.py", "path-form"),
        ("\u{1b}[31mb.py", "path-form"),
        ("b.py.", "path-form"),
        ("b.py ", "path-form"),
        ("src /a.py", "path-form"),
        (" b.py", "path-form"),
        ("\u{2024}\u{2024}/x", "path-form"),
        ("\u{2025}/x", "path-form"),
        ("src\u{2215}a.py", "path-form"),
        ("src\u{ff0f}a.py", "path-form"),
        ("\u{ff0e}git/config", "path-form"),
        ("yp.\u{202e}b", "path-form"),
        (".g\u{200c}it/config", "path-form"),
        ("b\u{a0}.py", "path-form"),
        (".git/config", "path-form"),
        ("src/.GIT/hooks/pre-commit", "path-form"),
        ("GIT~1/config", "protected-paths"),
        (".git:stream/config", "protected-paths"),
        (".gitmodules", "protected-paths"),
        ("src/.gitmodules", "protected-paths"),
        (".GitAttributes", "protected-paths"),
        (".meliora/journal.db", "protected-paths"),
        (".Meliora", "protected-paths"),
        (".mel\u{131}ora/x", "protected-paths"),
        ("src/.meliora/x", "protected-paths"),
        ("meliora.toml", "protected-paths"),
        ("MELIORA.TOML", "protected-paths"),
        ("CONSTITUTION.yaml", "constitution-immutable"),
        ("constitution.YAML", "constitution-immutable"),
        ("con\u{17f}titution.yaml", "constitution-immutable"),
        ("src/CONSTITUTION.yaml", "constitution-immutable"),
        ("CONSTITUTION.yaml.minisig", "constitution-immutable"),
        ("suite/tasks.jsonl", "protected-paths"),
        ("Suite/tasks.jsonl", "protected-paths"),
        ("suite", "protected-paths"),
        ("SUITE", "protected-paths"),
        ("eval/KEY.json", "protected-paths"),
        ("Eval/key.json/x", "protected-paths"),
        ("Eval", "protected-paths"),
        ("grader.py", "protected-paths"),
        ("B.py", "path-case"),
        ("SRC/a.py", "path-case"),
        ("Src/new.py", "path-case"),
        ("b.py/inner.py", "change-applies"),
        ("src", "change-applies"),
    ] {
        assert_eq!(ruling(&law, &parent, vec![write(path, "z = 1\n")]), expected, "{path:?}");
        if expected != "lawful" && !["path-case", "change-applies"].contains(&expected) {
            assert!(!law.may_write(path), "{path:?}");
            assert_eq!(ruling(&law, &parent, vec![write("b.py", "z\n"), delete(path)]), expected, "{path:?}");
            assert_eq!(ruling(&law, &parent, vec![swap(path, "x", "z")]), expected, "{path:?}");
        }
    }
}

#[test]
fn only_what_a_glob_matches_is_editable() {
    let law = law(&["src/*.py", "lib/**", "prompt.txt"]);
    for (path, may) in [
        ("src/a.py", true),
        ("src/.hidden.py", true),
        ("lib/x", true),
        ("lib/deep/er/x", true),
        ("prompt.txt", true),
        ("src/deep/a.py", false),
        ("src/a.PY", false),
        ("SRC/a.py", false),
        ("src/a.pyc", false),
        ("lib", false),
        ("other.txt", false),
        ("x/prompt.txt", false),
    ] {
        assert_eq!(law.may_write(path), may, "{path}");
    }
    let parent = genome(&[("src/a.py", "x\n")]);
    assert_eq!(ruling(&law, &parent, vec![write("other.txt", "x")]), "editable-paths");
}

#[test]
fn a_rename_is_a_deletion_and_a_new_file_and_both_are_judged() {
    let (law, parent) = (law(&["src/**"]), genome(&[("src/a.py", "x\n"), ("src/b.py", "y\n")]));
    assert_eq!(ruling(&law, &parent, vec![delete("src/a.py"), write("src/c.py", "x\n")]), "lawful");
    assert_eq!(ruling(&law, &parent, vec![delete("src/a.py"), write("src/A.py", "x\n")]), "path-case");
    assert_eq!(ruling(&law, &parent, vec![delete("src/a.py"), write("away.py", "x\n")]), "editable-paths");
    assert_eq!(ruling(&law, &parent, vec![write("src/C.py", "x\n"), write("src/c.py", "x\n")]), "path-case");
    assert_eq!(ruling(&law, &parent, vec![delete("src/a.py"), delete("src/b.py")]), "empty-genome");
    assert_eq!(ruling(&law, &parent, vec![delete("src/a.py"), write("src/a.py/b", "x")]), "lawful");
}

#[test]
fn a_change_that_does_not_fit_or_changes_nothing_is_refused_loudly() {
    let (law, parent) = (law(&["**"]), genome(&[("a.py", "x = 1\n")]));
    assert_eq!(ruling(&law, &parent, vec![swap("a.py", "y = 1", "y = 2")]), "change-applies");
    assert_eq!(ruling(&law, &parent, vec![write("a.py", "x = 1\n")]), "change-applies");
    assert_eq!(ruling(&law, &parent, vec![]), "change-applies");
    assert_eq!(ruling(&law, &parent, vec![delete("b.py")]), "change-applies");
}

#[test]
fn sizes_are_bounded_for_the_genome_and_for_each_file() {
    let (law, parent) = (law(&["**"]), genome(&[("a.py", &"x".repeat(60_000)), ("b.py", "y")]));
    assert_eq!(ruling(&law, &parent, vec![write("a.py", &"x".repeat(240_000))]), "lawful");
    assert_eq!(ruling(&law, &parent, vec![write("a.py", &"x".repeat(240_001))]), "size");
    assert_eq!(ruling(&law, &parent, vec![write("b.py", &"y".repeat(65_537))]), "lawful");
    assert_eq!(ruling(&law, &parent, vec![write("b.py", &"y".repeat(65_538))]), "size");
    assert_eq!(
        ruling(&law, &parent, vec![write("a.py", &"x".repeat(239_000)), write("c", &"y".repeat(62_000))]),
        "size"
    );
}

#[test]
fn a_database_in_the_genome_is_neither_deleted_nor_overwritten() {
    let parent = genome(&[("a.py", "x"), ("users.DB", "…"), ("data", "SQLite format 3\0rows")]);
    let law = law(&["**"]);
    assert_eq!(ruling(&law, &parent, vec![delete("users.DB")]), "database-deletion");
    assert_eq!(ruling(&law, &parent, vec![write("data", "")]), "database-deletion");
    assert_eq!(ruling(&law, &parent, vec![delete("a.py")]), "lawful");
}

#[test]
fn baselines_need_a_file_and_hold_nothing_protected() {
    let law = law(&["**"]);
    let says = |files: &[(&str, &str)]| match law.review(Subject::Baseline(&genome(files)), &[], Timestamp(0)) {
        Ruling::Lawful(lawful) => {
            assert_eq!(lawful.genome(), &genome(files));
            "lawful".to_owned()
        }
        Ruling::Refused(refusal) => refusal.article,
        Ruling::NeedsApproval(request) => panic!("{request:?}"),
    };
    assert_eq!(says(&[("a.py", "x")]), "lawful");
    assert_eq!(says(&[]), "empty-genome");
    assert_eq!(says(&[("a.py", "x"), ("Suite/k", "x")]), "protected-paths");
    assert_eq!(says(&[("meliora.toml", "x")]), "protected-paths");
    assert_eq!(says(&[("a.py", &"x".repeat(300_001))]), "size");
}

const BLOCKS: &str = "import os\n# EVOLVE-BLOCK-START\nx = 1\n# EVOLVE-BLOCK-END\nprint(x)\n# EVOLVE-BLOCK-START\ny = 1\n\
                      # EVOLVE-BLOCK-END\nend = 1";

#[test]
fn outside_evolve_blocks_not_a_byte_changes() {
    let (law, parent) = (law(&["**"]), genome(&[("a.py", BLOCKS), ("b.py", "z\n")]));
    for (edit, expected) in [
        (swap("a.py", "x = 1", "x = 2\nw = 3"), "lawful"),
        (swap("a.py", "x = 1\n", ""), "lawful"),
        (swap("a.py", "import os", "import sys"), "evolve-block"),
        (swap("a.py", "print(x)", "print(y)"), "evolve-block"),
        (swap("a.py", "end = 1", "end = 1\n"), "evolve-block"),
        (swap("a.py", "import os\n# EVOLVE-BLOCK-START", "import os\n#  EVOLVE-BLOCK-START"), "evolve-block"),
        (swap("a.py", "x = 1\n", "x = 1"), "evolve-block"),
        (swap("a.py", "x = 1", "# EVOLVE-BLOCK-END\nevil()\n# EVOLVE-BLOCK-START"), "evolve-block"),
        (swap("a.py", "x = 1", "s = 'EVOLVE-BLOCK-START'"), "evolve-block"),
        (write("a.py", "x = 1\n"), "evolve-block"),
        (write("a.py", &BLOCKS.replace('\n', "\r\n")), "evolve-block"),
        (delete("a.py"), "evolve-block"),
        (swap("b.py", "z", "# EVOLVE-BLOCK-START\n# EVOLVE-BLOCK-END"), "evolve-block"),
        (swap("b.py", "z", "zz"), "lawful"),
    ] {
        assert_eq!(ruling(&law, &parent, vec![edit.clone()]), expected, "{edit:?}");
    }
    // Deleting and writing anew is judged by what stands there in the end.
    assert_eq!(ruling(&law, &parent, vec![delete("a.py"), write("a.py", "x = 1\n")]), "evolve-block");
    let same = BLOCKS.replace("y = 1", "y = 2");
    assert_eq!(ruling(&law, &parent, vec![delete("a.py"), write("a.py", &same)]), "lawful");
}

#[test]
fn a_refusal_outside_a_block_names_file_and_line() {
    let (law, parent) = (law(&["**"]), genome(&[("a.py", BLOCKS)]));
    let change = Change { edits: vec![swap("a.py", "print(x)", "print(y)")] };
    let Ruling::Refused(refusal) = review(&law, &parent, &change) else { panic!() };
    assert!(refusal.reason.contains("\"a.py\"") && refusal.reason.contains("line 5"), "{}", refusal.reason);
}

#[test]
fn misplaced_markers_protect_the_whole_file() {
    for text in [
        "# EVOLVE-BLOCK-START\nx = 1\n",
        "x = 1\n# EVOLVE-BLOCK-END\n",
        "# EVOLVE-BLOCK-START\n# EVOLVE-BLOCK-START\nx = 1\n# EVOLVE-BLOCK-END\n",
        "# EVOLVE-BLOCK-START EVOLVE-BLOCK-END\nx = 1\n",
    ] {
        let (law, parent) = (law(&["**"]), genome(&[("a.py", text), ("b.py", "y")]));
        assert_eq!(ruling(&law, &parent, vec![swap("a.py", "x = 1", "x = 2")]), "evolve-block", "{text}");
        assert_eq!(ruling(&law, &parent, vec![delete("a.py")]), "evolve-block", "{text}");
        assert_eq!(ruling(&law, &parent, vec![swap("b.py", "y", "z")]), "lawful", "{text}");
    }
}

proptest! {
    #[test]
    fn whatever_the_path_nothing_outside_the_globs_gets_through(
        path in prop_oneof![
            ".{0,20}",
            "(src|Src|suite|\\.\\.|\\.|\\.git|\\.meliora|a\\.py|\u{2024}\u{2024}|x)(/|\\\\|//|)(src|\\.\\.|a\\.py|\\.GIT| |x)?(/(a\\.py|\\.\\.|x))?",
        ],
        content in "[a-c]{0,4}",
    ) {
        let law = law(&["src/**"]);
        let parent = genome(&[("src/a.py", "x = 1\n"), ("src/x/a.py", "x")]);
        for edit in [write(&path, &content), delete(&path), swap(&path, "x", &content)] {
            let change = Change { edits: vec![write("src/b.py", "b"), edit] };
            if let Ruling::Lawful(lawful) = review(&law, &parent, &change) {
                prop_assert!(path.starts_with("src/") && law.may_write(&path), "{:?}", path);
                for (file, body) in lawful.genome().files() {
                    let parts: Vec<&str> = file.as_str().split('/').collect();
                    prop_assert_eq!(parts[0], "src");
                    prop_assert!(!parts.iter().any(|p| [".git", ".meliora", ".."].contains(&p.to_lowercase().as_str())));
                    prop_assert!(file.as_str() == path || parent.get(file) == Some(body) || file.as_str() == "src/b.py");
                }
            }
        }
    }

    #[test]
    fn whatever_replaces_a_file_with_blocks_its_outside_stands(inner in "[a-z\n]{0,12}", cut in 0usize..140, new in "(EVOLVE-BLOCK-(START|END)|[a-z#\n ]){0,6}") {
        let (law, parent) = (law(&["**"]), genome(&[("a.py", BLOCKS)]));
        let cut = cut.min(BLOCKS.len());
        let text = format!("{}{new}{}", &BLOCKS[..cut], &BLOCKS[cut..]).replace("x = 1", &inner);
        let change = Change { edits: vec![write("a.py", &text)] };
        if let Ruling::Lawful(_) = review(&law, &parent, &change) {
            prop_assert!(text.starts_with("import os\n# EVOLVE-BLOCK-START\n"), "{text}");
            prop_assert!(text.contains("\n# EVOLVE-BLOCK-END\nprint(x)\n# EVOLVE-BLOCK-START\n"), "{text}");
            prop_assert!(text.ends_with("\n# EVOLVE-BLOCK-END\nend = 1"), "{text}");
            prop_assert_eq!(text.matches("EVOLVE-BLOCK").count(), 4);
        }
    }
}
