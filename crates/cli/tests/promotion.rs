//! Promotion, rollback by hand, and the rollback that happens by itself.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{ADD, Project, git_in, toml};

const FIXED: &str = "def add(a, b):\n    \"\"\"The sum of a and b.\"\"\"\n    return a + b\n";

/// A suite of tasks on `add` with one input each; `sum` says whether the sum or the difference is right.
fn tasks(validation: &[bool]) -> String {
    let mut lines = Vec::new();
    for (i, sum) in validation.iter().enumerate() {
        let (a, b) = (i as i64 + 3, 2);
        let right = if *sum { a + b } else { a - b };
        for split in ["train", "validation"] {
            lines.push(format!(
                r#"{{"id":"{split}/{i}","split":"{split}","assignment":{{"call":{{"file":"sums.py","function":"add"}},"inputs":[[{a},{b}]]}},"key":{{"expect":[{right}]}}}}"#
            ));
        }
    }
    lines.join("\n")
}

/// A repaired project in git, its champion not yet promoted.
fn repaired() -> Project {
    let project = Project::add();
    project.git_init();
    project.meliora(&["run", ".", "--jobs", "1", "--evals", "40"]).exits(0);
    project
}

fn promoted() -> Project {
    let project = repaired();
    project.meliora(&["promote"]).exits(0).says(&["promoted"]);
    assert_eq!(project.read("genome/sums.py"), FIXED);
    project
}

fn champion(project: &Project) -> String {
    project.events("crowned").pop().unwrap()["variant"].as_str().unwrap().to_owned()
}

#[test]
fn promotion_is_one_commit_with_exactly_the_champions_files() {
    let project = repaired();
    let before = project.git(&["rev-parse", "HEAD"]);
    assert_eq!(project.read("genome/sums.py"), ADD, "a run leaves the user's tree alone");
    assert_eq!(project.git(&["status", "--porcelain"]), "");

    project.meliora(&["promote", "champion"]).exits(0);
    assert_eq!(project.git(&["rev-parse", "HEAD~1"]), before);
    assert_eq!(project.git(&["show", "--name-only", "--format=", "HEAD"]), "genome/sums.py");
    assert_eq!(project.git(&["status", "--porcelain"]), "");
    let id = champion(&project);
    assert_eq!(
        project.git(&["show", "HEAD:genome/sums.py"]),
        project.git(&["--git-dir", ".meliora/archive.git", "show", &format!("{id}:sums.py")])
    );
    assert!(project.git(&["show", "-s", "--format=%B", "HEAD"]).contains(&format!("Meliora-Variant: {id}")));
    let event = project.events("promoted").pop().unwrap();
    assert_eq!(event["commit"], project.git(&["rev-parse", "HEAD"]).as_str());
    assert_eq!(event["before"], before.as_str());
    assert_eq!(event["variant"], id.as_str());
}

#[test]
fn promotion_refuses_a_dirty_tree_and_leaves_it_alone() {
    let project = repaired();
    project.write("genome/sums.py", format!("{ADD}\n# my own work\n"));
    project.meliora(&["promote"]).exits(3).says(&["hint:", "git status", "stash"]);
    assert!(project.read("genome/sums.py").contains("my own work"));
    // Also where the work is staged only.
    project.git(&["add", "-A"]);
    project.write("genome/sums.py", ADD);
    project.meliora(&["promote"]).exits(3).says(&["sums.py", "hint:", "commit or stash"]);
    assert!(project.git(&["show", ":genome/sums.py"]).contains("my own work"));
    assert!(project.events("promoted").is_empty());
}

#[test]
fn promotion_refuses_a_tree_that_moved_on() {
    let project = repaired();
    project.write("genome/sums.py", format!("{ADD}\n# my own work\n"));
    project.commit_all("mine");
    let head = project.git(&["rev-parse", "HEAD"]);
    project.meliora(&["promote"]).exits(3).says(&["hint:", "meliora run"]);
    assert_eq!(project.git(&["rev-parse", "HEAD"]), head);
}

#[test]
fn promotion_refuses_where_there_is_no_git() {
    let project = Project::add();
    project.meliora(&["run", ".", "--jobs", "1", "--evals", "40"]).exits(0);
    project.meliora(&["promote"]).exits(3).says(&["hint:", "git init"]);
    assert_eq!(project.read("genome/sums.py"), ADD);
}

#[test]
fn only_accepted_variants_are_promoted() {
    let project = Project::arithmetic();
    project.git_init();
    let before = project.read("genome/arithmetic.py");
    project.meliora(&["run", ".", "--jobs", "1", "--evals", "20"]);
    let judged = project.events("judged");
    let rejected = judged.iter().find(|e| e["judgement"]["verdict"] != "accepted").expect("a first try that failed");
    project.meliora(&["promote", rejected["variant"].as_str().unwrap()]).exits(2).says(&["only accepted variants"]);
    project.meliora(&["promote", "baseline"]).exits(2).says(&["baseline"]);
    project.meliora(&["promote", "0123456789"]).exits(2).says(&["meliora log"]);
    assert_eq!(project.read("genome/arithmetic.py"), before);
}

const VALUE_EVALUATOR: &str = "import importlib.util\n\n\ndef evaluate(path):\n    spec = importlib.util.spec_from_file_location('candidate', path)\n    module = importlib.util.module_from_spec(spec)\n    spec.loader.exec_module(module)\n    return {'combined_score': float(module.VALUE)}\n";

#[test]
fn a_score_from_within_reach_is_promoted_only_as_unproven_and_falls_with_a_new_evaluator() {
    let project = Project::openevolve(VALUE_EVALUATOR, "evaluator:\n  timeout: 10\n");
    project.git_init();
    let run = ["run", ".", "--proposer", "mutate", "--jobs", "1", "--evals", "8"];
    project
        .meliora(&[&run[..], &["--isolation", "together"]].concat())
        .exits(0)
        .says(&["tier `together`", "--unproven"]);
    project.meliora(&["promote"]).exits(2).says(&["shared its cage", "--unproven"]);
    project.meliora(&["promote", "--unproven"]).exits(0);
    assert_eq!(project.events("promoted")[0]["unproven"], true);
    assert!(!project.read("initial_program.py").contains("VALUE = 0\n"));

    // Its marks of another evaluator count for nothing: it is held against the one before it, both examined anew.
    project.edit("evaluator.py", "float(module.VALUE)", "10.0 - float(module.VALUE)");
    project.commit_all("the other way round");
    project.meliora(&["bench", "."]).exits(0).says(&["rolled back", "the variant before it"]);
    assert!(project.read("initial_program.py").contains("VALUE = 0\n"));
}

#[test]
fn a_variant_examined_through_plain_data_is_promoted_like_any_other() {
    let project = Project::openevolve(VALUE_EVALUATOR, "evaluator:\n  timeout: 10\n");
    project.git_init();
    let ran = project.meliora(&["run", ".", "--proposer", "mutate", "--jobs", "1", "--evals", "8"]).exits(0);
    assert!(ran.says(&["tier `split`"]).out.contains("meliora promote"));
    assert_eq!(project.events("run_started")[0]["tier"], "split");
    project.meliora(&["promote"]).exits(0);
    assert_eq!(project.events("promoted")[0]["unproven"], false);
}

#[test]
fn rollback_by_hand_restores_every_byte_as_a_commit() {
    let project = promoted();
    let head = project.git(&["rev-parse", "HEAD"]);
    project.meliora(&["rollback"]).exits(0).says(&["rolled back"]);
    assert_eq!(project.read("genome/sums.py"), ADD);
    assert_eq!(project.git(&["rev-parse", "HEAD~1"]), head, "a rollback is a commit of its own");
    assert_eq!(project.git(&["diff", "--stat", "HEAD~2", "HEAD"]), "");
    let event = project.events("rolled_back").pop().unwrap();
    assert!(event["reason"].as_str().unwrap().starts_with("manual"));
    project.meliora(&["rollback"]).exits(2).says(&["nothing is promoted"]);
    project.chain_holds();
}

#[test]
fn rollback_refuses_a_dirty_tree_and_another_variant() {
    let project = promoted();
    project.meliora(&["rollback", "baseline"]).exits(2).says(&["does not stand"]);
    project.write("genome/sums.py", "# mine\n");
    project.meliora(&["rollback"]).exits(3).says(&["hint:"]);
    assert_eq!(project.read("genome/sums.py"), "# mine\n");
}

/// After the promotion the suite comes to ask for the difference: what was promoted is worse than what stood before.
fn with_a_suite_that_turned() -> Project {
    let project = promoted();
    project.write("suite/tasks.jsonl", tasks(&[false, false, false]));
    project.commit_all("the suite asks for differences");
    project
}

#[test]
fn bench_rolls_back_by_itself_what_became_worse() {
    let project = with_a_suite_that_turned();
    let head = project.git(&["rev-parse", "HEAD"]);
    let bench = project.meliora(&["bench", ".", "--json"]).exits(0);
    assert_eq!(bench.last()["rolled_back"], true);
    assert_eq!(bench.last()["score"], 1.0, "the marks shown are those of the tree as it stands now");
    assert_eq!(project.read("genome/sums.py"), ADD);
    assert_eq!(project.git(&["rev-parse", "HEAD~1"]), head);
    let event = project.events("rolled_back").pop().unwrap();
    assert!(event["reason"].as_str().unwrap().starts_with("automatic"));
    assert_eq!(event["commit"], project.git(&["rev-parse", "HEAD"]).as_str());
    project.meliora(&["doctor", "."]).says(&["performance-degraded"]);
    project.meliora(&["log", "."]).exits(0).says(&["re-examined", "rolled back"]);
}

#[test]
fn the_next_run_rolls_back_by_itself_and_starts_from_what_stands() {
    let project = with_a_suite_that_turned();
    let run = project.meliora(&["run", ".", "--json", "--jobs", "1", "--evals", "10"]).exits(0);
    assert!(run.err.contains("rolled back"), "{}", run.err);
    assert_eq!(project.events("rolled_back").len(), 1);
    assert_eq!(project.read("genome/sums.py"), ADD);
    assert_eq!(run.last()["baseline_score"], 1.0, "the run bred from what had just been rolled back");
}

#[test]
fn what_a_person_rolled_back_is_not_bred_from_by_itself() {
    let project = promoted();
    project.meliora(&["rollback"]).exits(0);
    let run = project.meliora(&["run", ".", "--json", "--jobs", "1", "--evals", "40"]);
    assert_eq!(run.last()["baseline_score"], 0.0);
}

#[test]
fn a_promotion_that_still_does_well_stands() {
    let project = promoted();
    let head = project.git(&["rev-parse", "HEAD"]);
    let bench = project.meliora(&["bench", "."]).exits(0).says(&["the promoted variant stands"]);
    assert!(bench.out.contains("validation score 1.0000"), "{}", bench.out);
    assert_eq!(project.git(&["rev-parse", "HEAD"]), head);
    assert!(project.events("rolled_back").is_empty());
}

#[test]
fn in_a_sample_weak_evidence_neither_promotes_nor_rolls_back() {
    let project = Project::add();
    project.write("suite/suite.toml", "kind = \"sample\"\nseconds = 5\n");
    project.write("suite/tasks.jsonl", tasks(&[true; 3]));
    project.git_init();
    // Three tasks that differ are too few to show anything.
    let run = project.meliora(&["run", ".", "--jobs", "1", "--evals", "12"]).exits(5);
    let judged = project.events("judged");
    let unsure = judged.iter().find(|e| e["judgement"]["verdict"] == "inconclusive");
    let unsure = unsure.unwrap_or_else(|| panic!("no inconclusive variant: {}", run.out))["variant"].clone();
    project.meliora(&["promote", unsure.as_str().unwrap()]).exits(2).says(&["inconclusive"]);
    project.meliora(&["doctor", "."]).says(&["threshold-too-high", "add validation tasks"]);

    // Sixteen are enough, for a run's candidates share its alpha.
    project.write("suite/tasks.jsonl", tasks(&[true; 16]));
    project.commit_all("more tasks");
    project.meliora(&["run", ".", "--jobs", "1", "--evals", "12", "--fresh"]).exits(0);
    project.meliora(&["promote"]).exits(0);
    // Six against ten: worse, but luck does that often.
    project.write("suite/tasks.jsonl", tasks(&std::array::from_fn::<_, 16, _>(|i| i < 6)));
    project.commit_all("turn a little");
    project.meliora(&["bench", "."]).exits(0);
    assert_eq!(project.read("genome/sums.py"), FIXED);
    assert!(project.events("rolled_back").is_empty());
    assert_eq!(project.events("reexamined").len(), 1);
    // Fifteen against one: that is no luck.
    project.write("suite/tasks.jsonl", tasks(&std::array::from_fn::<_, 16, _>(|i| i < 1)));
    project.commit_all("turn");
    project.meliora(&["bench", "."]).exits(0).says(&["rolled back"]);
    assert_eq!(project.read("genome/sums.py"), ADD);
}

#[test]
fn the_archive_shows_every_variant_with_its_lineage() {
    let project = repaired();
    let keep = tempfile::tempdir().unwrap();
    git_in(&project.path(".meliora"), &["clone", "-q", "archive.git", keep.path().join("clone").to_str().unwrap()]);
    let clone = keep.path().join("clone");
    let mut seen = 0;
    for event in project.events("admitted") {
        let id = event["variant"].as_str().unwrap();
        let parents: Vec<&str> = event["parents"].as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect();
        assert_eq!(git_in(&clone, &["show", "-s", "--format=%P", id]), parents.join(" "));
        assert_eq!(git_in(&clone, &["rev-parse", &format!("{id}^{{tree}}")]), event["tree"].as_str().unwrap());
        seen += 1;
    }
    assert!(seen >= 2);
    let all = git_in(&clone, &["log", "--all", "--format=%H"]);
    assert_eq!(all.lines().count(), seen, "the archive holds the journal's variants and no others:\n{all}");
    assert_eq!(git_in(&clone, &["rev-parse", "HEAD"]), champion(&project), "the branch checked out is the champion");
    assert_eq!(std::fs::read_to_string(clone.join("sums.py")).unwrap(), FIXED);
}

#[test]
fn a_project_in_a_folder_of_a_repository_is_promoted_there() {
    let project = Project::empty();
    project.write("README", "around it\n");
    project.write("inner/meliora.toml", toml(&["sums.py"], ""));
    project.write("inner/genome/sums.py", ADD);
    project.write("inner/suite/suite.toml", "kind = \"exact\"\n");
    project.write("inner/suite/tasks.jsonl", tasks(&[true, true]));
    project.git_init();
    project.meliora(&["run", "inner", "--jobs", "1", "--evals", "40"]).exits(0).says(&["--dir inner"]);
    project.meliora(&["promote", "--dir", "inner"]).exits(0);
    assert_eq!(project.git(&["show", "--name-only", "--format=", "HEAD"]), "inner/genome/sums.py");
}

#[test]
fn each_further_run_begins_from_the_champion_until_the_tree_is_another() {
    let project = Project::add();
    let scores = |project: &Project| {
        let last = project.meliora(&["run", ".", "--jobs", "1", "--json"]).last();
        (last["baseline_score"].as_f64().unwrap(), last["champion_score"].as_f64().unwrap())
    };
    assert_eq!(scores(&project), (0.0, 1.0));
    for _ in 0..3 {
        assert_eq!(scores(&project), (1.0, 1.0), "the tree is what the champion was bred from");
    }
    project.edit("genome/sums.py", "a - b", "b - a");
    assert_eq!(scores(&project).0, 0.0, "what stands now was never seen");
}
