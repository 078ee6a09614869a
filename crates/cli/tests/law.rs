//! The constitution on real projects: signed, in force, and stopping what it does not allow.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::os::unix::fs::PermissionsExt as _;

use common::{ADD, Project, SEED, example, have, toml};

/// Where the program under test keeps keys.
fn keys(project: &Project) -> std::path::PathBuf {
    project.path("../no-settings/meliora/keys")
}

/// A project under this constitution, signed.
fn under(law: &str) -> Project {
    let project = Project::add();
    project.write("CONSTITUTION.yaml", law);
    project.meliora(&["constitution", "sign"]).exits(0).says(&["made   your key", "signed"]);
    project
}

/// Both files of a project's constitution.
fn papers(project: &Project) -> (String, String) {
    (project.read("CONSTITUTION.yaml"), project.read("CONSTITUTION.yaml.minisig"))
}

#[test]
fn init_makes_key_and_signature_and_the_project_runs_at_once() {
    let project = Project::empty();
    project.meliora(&["init"]).exits(0).says(&["made   your key", "signed ./CONSTITUTION.yaml"]);
    let mode = |path: &str| std::fs::metadata(keys(&project).join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("meliora.key"), mode("")), (0o600, 0o700));
    project.meliora(&["constitution", "verify"]).exits(0).says(&["signed by", "version       1"]);
    project.meliora(&["run", ".", "--jobs", "1", "--evals", "60"]).exits(0);
    if have("minisign") {
        let key = keys(&project).join("meliora.pub");
        let verified = std::process::Command::new("minisign")
            .args(["-Vm", "CONSTITUTION.yaml", "-p", key.to_str().unwrap()])
            .current_dir(project.dir())
            .output()
            .unwrap();
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    }
    // The template is a constitution as it stands.
    let template = project.read("CONSTITUTION.yaml.template");
    project.write("CONSTITUTION.yaml", template);
    project.meliora(&["run"]).exits(4).says(&["not signed", "meliora constitution sign"]);
    project.meliora(&["constitution", "test"]).exits(0).says(&["no-secrets", "examples hold"]);
    project.meliora(&["constitution", "sign"]).exits(0);
    project.meliora(&["constitution", "check"]).exits(0).says(&["no-secrets", "documentation_modifications"]);
    project.meliora(&["run", ".", "--jobs", "1", "--evals", "60", "--fresh"]).exits(0);
}

#[test]
fn the_seed_file_stops_a_run_until_it_is_signed_and_governs_it_then() {
    let project = Project::add();
    project.write("CONSTITUTION.yaml", SEED);
    project.meliora(&["run"]).exits(4).says(&["hint:", "meliora constitution sign"]);
    assert!(!keys(&project).exists(), "nothing but signing makes a key");
    project.meliora(&["constitution", "sign"]).exits(0);
    project.meliora(&["run", ".", "--jobs", "1", "--evals", "40"]).exits(0);
    let checksum = project.read("CONSTITUTION.yaml").lines().last().unwrap().to_owned();
    assert_eq!(checksum.len(), "signature: \"\"".len() + 64);
    // A checksum that fits is no signature.
    std::fs::remove_file(project.path("CONSTITUTION.yaml.minisig")).unwrap();
    project.meliora(&["run"]).exits(4).says(&["not signed", "meliora constitution sign"]);
}

#[test]
fn without_a_constitution_the_built_in_one_governs_and_no_key_is_needed() {
    let project = Project::add();
    for path in ["genome/arithmetic.py", "suite/suite.toml", "suite/tasks.jsonl", "meliora.toml"] {
        project.write(path, std::fs::read(example("first-fix").join(path)).unwrap());
    }
    project.meliora(&["constitution", "check"]).exits(0).says(&["compiled-in"]);
    project.meliora(&["run", ".", "--jobs", "1", "--evals", "4"]);
    assert!(!project.events("examined").is_empty());
    assert!(!keys(&project).exists());
}

#[test]
fn an_altered_constitution_stops_a_running_evolution() {
    let project = under(SEED);
    // Nothing can be better, so the run would go on for long.
    project.write("genome/sums.py", ADD.repeat(20));
    project.edit("suite/tasks.jsonl", "\"expect\":[4,2]", "\"expect\":[\"never\",1]");
    let (mut child, mut lines) = project.start(&["run", ".", "--json", "--jobs", "2", "--evals", "100000"]);
    let bids = lines.by_ref().map_while(Result::ok).filter(|line| line.contains("\"event\":\"bid\"")).take(3).count();
    assert_eq!(bids, 3, "the run is at work");
    let (law, signature) = papers(&project);
    project.write("CONSTITUTION.yaml", law.replace("Always sandbox code execution", "Never sandbox code execution"));
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(child.wait().unwrap().code(), Some(4));
    let bids = rest.iter().filter(|line| line.contains("\"event\":\"bid\"")).count();
    // What was under way, and what was said before the file was written.
    assert!(bids < 40, "{bids} steps more");
    let violated = project.events("violated").pop().unwrap();
    assert_eq!(
        (violated["source"].as_str(), violated["article"].as_str()),
        (Some("integrity"), Some("constitution-immutable"))
    );
    // Put back, it goes on where it stopped.
    project.meliora(&["run", "."]).exits(4);
    project.write("CONSTITUTION.yaml", law);
    project.write("CONSTITUTION.yaml.minisig", signature);
    project.meliora(&["constitution", "verify"]).exits(0);
    project.meliora(&["run", ".", "--jobs", "1", "--evals", "5"]).exits(5);
    project.chain_holds();
}

#[test]
fn an_older_or_foreign_constitution_or_none_is_refused_and_journalled() {
    let project = under(&format!("version: 1\n{SEED}"));
    project.meliora(&["run", ".", "--jobs", "1", "--evals", "40"]).exits(0);
    let first = papers(&project);
    project.write("CONSTITUTION.yaml", format!("version: 2\n{SEED}"));
    project.meliora(&["constitution", "sign"]).exits(0);
    let second = papers(&project);
    let put = |papers: &(String, String)| {
        project.write("CONSTITUTION.yaml", &papers.0);
        project.write("CONSTITUTION.yaml.minisig", &papers.1);
    };
    put(&first);
    project.meliora(&["run"]).exits(4).says(&["older", "version 1 after version 2", "hint:"]);
    project.meliora(&["bench"]).exits(4);
    project.meliora(&["constitution", "sign"]).exits(4).says(&["version: 2"]);
    std::fs::remove_file(project.path("CONSTITUTION.yaml")).unwrap();
    project.meliora(&["run"]).exits(4).says(&["gone", "put it back"]);
    // Signed well, by somebody else.
    let other = under(&format!("version: 3\n{SEED}"));
    let strange = papers(&other);
    put(&strange);
    project.meliora(&["run"]).exits(4).says(&["not pinned", "meliora constitution sign"]);
    assert_eq!(project.events("violated").len(), 4);
    // Whoever trusts that key pins it. What it signed for another project governs that one only.
    std::fs::copy(keys(&other).join("meliora.pub"), keys(&project).join("other.pub")).unwrap();
    project.meliora(&["run"]).exits(4).says(&["signed for another project", "hint:"]);
    // In a copy of this one it signs for this one.
    other.write("CONSTITUTION.yaml.minisig", &second.1);
    other.meliora(&["constitution", "sign"]).exits(0);
    put(&papers(&other));
    project.meliora(&["run", ".", "--jobs", "1", "--evals", "40"]);
    project.meliora(&["constitution", "verify"]).exits(0).says(&["version       3"]);
    put(&second);
    project.meliora(&["run"]).exits(4).says(&["older"]);
}

#[test]
fn an_older_constitution_governs_nowhere_where_the_project_is_moved() {
    let project = under(&format!("version: 1\n{SEED}"));
    project.meliora(&["run", ".", "--jobs", "1", "--evals", "2"]);
    let first = papers(&project);
    project.write("CONSTITUTION.yaml", format!("version: 2\n{SEED}"));
    project.meliora(&["constitution", "sign"]).exits(0);
    let moved = project.path("../moved");
    std::fs::rename(project.dir(), &moved).unwrap();
    std::fs::create_dir(project.dir()).unwrap();
    let verify = || project.meliora(&["constitution", "verify", moved.to_str().unwrap()]);
    verify().exits(0).says(&["version       2"]);
    let second = std::fs::read_to_string(moved.join("CONSTITUTION.yaml")).unwrap();
    std::fs::write(moved.join("CONSTITUTION.yaml"), &first.0).unwrap();
    let newest = std::fs::read_to_string(moved.join("CONSTITUTION.yaml.minisig")).unwrap();
    std::fs::write(moved.join("CONSTITUTION.yaml.minisig"), &first.1).unwrap();
    verify().exits(4).says(&["version 1 after version 2"]);
    for paper in ["CONSTITUTION.yaml", "CONSTITUTION.yaml.minisig"] {
        std::fs::remove_file(moved.join(paper)).unwrap();
    }
    verify().exits(4).says(&["gone"]);
    // A copy is another project once it is signed: what is signed there makes nothing older here.
    std::fs::write(moved.join("CONSTITUTION.yaml"), &second).unwrap();
    std::fs::write(moved.join("CONSTITUTION.yaml.minisig"), &newest).unwrap();
    project.meliora(&["review", "--dir", moved.to_str().unwrap(), "--command", "ls"]).exits(0);
    project.write("CONSTITUTION.yaml", format!("{second}\n# a copy\n"));
    project.write("CONSTITUTION.yaml.minisig", &newest);
    verify().exits(0);
    project.meliora(&["constitution", "sign"]).exits(0);
    verify().exits(0);
}

#[test]
fn a_signature_that_names_no_project_governs_nowhere_and_what_is_remembered_is_written_or_nothing_runs() {
    let project = under(SEED);
    project.meliora(&["run", ".", "--jobs", "1", "--evals", "2"]);
    assert_eq!(project.read(".meliora/project").len(), 32, "it is known again from its first run on");
    if have("minisign") {
        let key = keys(&project).join("meliora.key");
        let sign = |more: &[&str]| {
            let mut minisign = std::process::Command::new("minisign");
            minisign.args(["-S", "-W", "-m", "CONSTITUTION.yaml", "-s"]).arg(&key).args(more);
            assert!(minisign.current_dir(project.dir()).output().unwrap().status.success());
        };
        let named = project.read("CONSTITUTION.yaml.minisig");
        let name = &named.split_once("project:").unwrap().1[..32];
        sign(&[]);
        project.meliora(&["run"]).exits(4).says(&["names no project", "meliora constitution sign", "project:NAME"]);
        // Neither where nothing of it is known.
        let moved = project.path("../moved");
        std::fs::create_dir(&moved).unwrap();
        for paper in ["CONSTITUTION.yaml", "CONSTITUTION.yaml.minisig", "meliora.toml"] {
            std::fs::copy(project.path(paper), moved.join(paper)).unwrap();
        }
        let moved = moved.to_str().unwrap();
        project.meliora(&["constitution", "verify", moved]).exits(4).says(&["names no project"]);
        // As the documentation says it is signed without Meliora.
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        sign(&["-t", &format!("timestamp:{now} project:{name}")]);
        project.meliora(&["constitution", "verify"]).exits(0);
        project.meliora(&["run", ".", "--jobs", "1", "--evals", "4"]);
    }
    project.meliora(&["constitution", "sign"]).exits(0);
    let name = project.path(".meliora/project");
    std::fs::remove_file(&name).unwrap();
    std::fs::create_dir(&name).unwrap();
    project.meliora(&["run"]).exits(6).says(&[".meliora/project cannot be written", "hint:"]);
    std::fs::remove_dir(&name).unwrap();
    project.meliora(&["run", ".", "--jobs", "1", "--evals", "6"]);
    assert_eq!(project.read(".meliora/project").len(), 32);
}

#[test]
fn an_article_that_asks_about_promotion_takes_a_signed_word_on_exactly_that_once() {
    let article = "articles:\n  - {id: two-eyes, text: A person signs each promotion, decision: ask, \
                   matcher: {operations: [promote]}, justification: others work here, \
                   match: [{promote: abc}], not_match: [{write: a.py}]}\n";
    let project = under(&format!("{SEED}{article}"));
    project.git_init();
    project.meliora(&["run", ".", "--jobs", "1", "--evals", "60"]).exits(0);
    let asked = || {
        project.meliora(&["promote"]).exits(10).says(&["two-eyes", "meliora approvals approve"]);
        project.meliora(&["approvals", "list", "--json"]).exits(0).last()["request"]["id"].as_str().unwrap().to_owned()
    };
    let id = asked();
    assert_eq!(asked(), id, "the same question again");
    assert_eq!(project.events("asked").len(), 1);
    assert!(project.events("promoted").is_empty());
    project.meliora(&["approvals", "approve", &id[..8], "--reason", "read"]).exits(0).says(&["give the command again"]);
    project.meliora(&["promote"]).exits(0).says(&["promoted"]);
    assert_eq!(project.events("used").len(), 1);
    project.meliora(&["approvals", "list", "--all"]).exits(0).says(&["used"]);
    // The yes is used up.
    project.meliora(&["rollback"]).exits(0);
    project.meliora(&["promote"]).exits(10);
    project.meliora(&["audit", "verify"]).exits(0);
}

#[test]
fn an_expired_constitution_runs_nothing() {
    let project = under(&format!("expires: 2020-01-01\n{SEED}").replace("2020", "2099"));
    project.meliora(&["run", ".", "--jobs", "1", "--evals", "2"]);
    let text = project.read("CONSTITUTION.yaml").replace("2099", "2020");
    project.write("CONSTITUTION.yaml", text);
    project.meliora(&["constitution", "sign"]).exits(4).says(&["expired"]);
    project.meliora(&["run"]).exits(4);
}

#[test]
fn keys_that_others_can_read_or_that_lie_in_the_project_are_refused() {
    let project = under(SEED);
    let key = keys(&project).join("meliora.key");
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&key, 0o644);
    project.meliora(&["constitution", "sign"]).exits(4).says(&["others can read it", "chmod 600"]);
    mode(&key, 0o600);
    let public = keys(&project).join("meliora.pub");
    mode(&public, 0o666);
    project.meliora(&["run"]).exits(4).says(&["everybody may replace it"]);
    mode(&public, 0o644);
    std::fs::write(&public, "nonsense").unwrap();
    project.meliora(&["run"]).exits(4).says(&["no public key", "hint:"]);
    std::fs::remove_file(&public).unwrap();
    project.meliora(&["run"]).exits(4).says(&["no key is pinned"]);
    project.meliora(&["constitution", "sign"]).exits(0);
    let mut inside = project.command(&["constitution", "sign"]);
    let inside = inside.env("MELIORA_KEYS", project.path("keys")).output().unwrap();
    assert_eq!(inside.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&inside.stderr).contains("lies in the project"), "{inside:?}");
}

#[test]
fn explain_names_the_article_the_part_and_what_would_be_lawful() {
    let article =
        "articles:\n  - {id: no-push, text: Nothing is published, decision: forbid, matcher: {commands: [git push]}}\n";
    let project = under(&format!("{SEED}{article}"));
    let explain = |operation: &str| project.meliora(&["--json", "constitution", "explain", operation]).exits(0).last();
    let pushed = explain("ls && git push origin main");
    assert_eq!((pushed["decision"].as_str(), pushed["article"].as_str()), (Some("forbid"), Some("no-push")));
    assert!(pushed["matched"].as_str().unwrap().contains("git push"), "{pushed}");
    assert_eq!(explain("ls -la")["decision"], "allow");
    let own = explain("write: CONSTITUTION.yaml");
    assert_eq!((own["decision"].as_str(), own["article"].as_str()), (Some("forbid"), Some("constitution-immutable")));
    assert!(!own["mend"].as_str().unwrap().is_empty());
    assert_ne!(explain("sql: drop database production")["decision"], "allow");
    project.meliora(&["constitution", "explain", "git", "push"]).exits(0).says(&["forbid", "no-push", "lawful"]);
}

#[test]
fn no_cage_is_shown_the_keys() {
    let project = under(SEED);
    let folder = keys(&project).canonicalize().unwrap();
    for path in [folder.join("meliora.key"), folder.clone(), folder.parent().unwrap().to_owned()] {
        let path = path.to_str().unwrap();
        project.meliora(&["sandbox", "run", "--read-only", path, "--", "true"]).exits(3).says(&["keys", "hint:"]);
        let argv = format!("[command]\nargv = [\"cat\"]\nread_only = [{path:?}]");
        project.write("meliora.toml", toml(&["*.py"], &argv));
        project.meliora(&["run", ".", "--proposer", "command"]).exits(3).says(&["would show your keys"]);
    }
    let key = folder.join("meliora.key");
    project.write("meliora.toml", toml(&["*.py"], &format!("[command]\nargv = [\"cat\", {key:?}]")));
    project.meliora(&["run", ".", "--proposer", "command"]).exits(3).says(&["would show your keys"]);
}

#[test]
fn what_passed_before_must_pass_for_a_promotion_where_the_law_requires_it() {
    let requires = |list: &str| SEED.replace("[\"tests_pass\", \"git_commit\"]", list);
    for (law, promoted) in [(requires("[tests_pass]"), false), (requires("[benchmark_improved]"), true)] {
        let project = under(&law);
        // Two tasks want the sum, a third the difference, which it gives now.
        let task = |id: &str, b: i64, expect: i64| {
            format!(
                r#"{{"id":"{id}","split":"validation","assignment":{{"call":{{"file":"sums.py","function":"add"}},"inputs":[[3,{b}]]}},"key":{{"expect":[{expect}]}}}}"#
            )
        };
        project.write("suite/tasks.jsonl", [task("a", 1, 4), task("b", 2, 5), task("c", 1, 2)].join("\n"));
        project.git_init();
        project.meliora(&["run", ".", "--jobs", "1", "--evals", "12"]).exits(0);
        let before = project.git(&["rev-parse", "HEAD"]);
        if promoted {
            project.meliora(&["promote"]).exits(0);
            assert_ne!(project.git(&["rev-parse", "HEAD"]), before);
            continue;
        }
        project.meliora(&["promote"]).exits(2).says(&["tests_pass", "passes: c", "hint:"]);
        assert_eq!(project.git(&["rev-parse", "HEAD"]), before);
        assert_eq!(project.events("violated").pop().unwrap()["source"], "promote");
    }
}

#[test]
fn each_change_is_a_commit_that_says_where_it_comes_from_and_one_without_a_reason_is_refused() {
    let project = under(&SEED.replace("tests_pass", "references_change"));
    let edit = r#"{"replace": {"path": "sums.py", "search": "a - b", "replace": "a + b"}}"#;
    let script = format!(
        "import json, sys\nstep = json.load(sys.stdin)['step']\nedit = json.loads('''{edit}''')\n\
         print(json.dumps({{'reason': ' ' if step == 1 else 'the sum', 'edits': [edit]}} if step < 3 else {{'exhausted': True}}))\n"
    );
    project.write("propose.py", script);
    project.write("meliora.toml", toml(&["*.py"], "[command]\nargv = [\"python3\", \"propose.py\"]"));
    project.meliora(&["run", ".", "--proposer", "command", "--jobs", "1", "--evals", "20"]).exits(0);
    let refused = project.events("refused");
    assert_eq!(refused.len(), 1);
    assert!(refused[0]["reason"].as_str().unwrap().contains("references_change"));
    let admitted = project.events("admitted");
    assert_eq!(admitted.len(), 2);
    for event in admitted {
        let id = event["variant"].as_str().unwrap();
        let body = project.git(&["--git-dir", ".meliora/archive.git", "show", "-s", "--format=%B", id]);
        assert!(
            body.contains("Meliora-Run: 1") && body.contains(&format!("Meliora-Step: {}", event["step"])),
            "{body}"
        );
    }
}

#[test]
fn a_law_that_contradicts_itself_or_whose_examples_do_not_hold_is_named_before_it_is_signed() {
    let project = Project::add();
    let article = "articles:\n  - {id: a, text: x, decision: forbid, matcher: {commands: [git push]}, match: [git pull, git push]}\n";
    project.write("CONSTITUTION.yaml", format!("{SEED}{article}"));
    project.meliora(&["constitution", "test"]).exits(4).says(&["✗ a  meets  command: git pull", "✓ a", "1 of 2"]);
    project.meliora(&["constitution", "sign"]).exits(4).says(&["line 11", "git pull"]);
    assert!(!project.path("CONSTITUTION.yaml.minisig").exists());
    let schema = project.meliora(&["constitution", "schema"]).exits(0);
    assert!(serde_json::from_str::<serde_json::Value>(&schema.out).unwrap()["properties"]["articles"].is_object());
}
