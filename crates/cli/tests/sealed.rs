//! What passes every visible task and is not there: the holdout and new inputs show it, and neither is opened for others.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Project, toml};
use serde_json::{Value, json};

const HONEST: &str = "def add(a, b):\n    return a + b\n";

/// Validation and holdout tasks on `add`, one pair each.
fn tasks(visible: i64, sealed: i64) -> String {
    let task = |id: String, split: &str, a: i64, b: i64| {
        format!(
            r#"{{"id":"{id}","split":"{split}","assignment":{{"call":{{"file":"sums.py","function":"add"}},"inputs":[[{a},{b}]]}},"key":{{"expect":[{}]}}}}"#,
            a + b
        ) + "\n"
    };
    let line = |split: &'static str, from: i64| move |i: i64| task(format!("{split}/{i}"), split, from + i, 7 * i % 11);
    (0..visible).map(line("validation", 1)).chain((0..sealed).map(line("holdout", 400))).collect()
}

/// What is right for each visible task and for no other, by a table that no rule on code tells from honest ones.
fn fitted(visible: i64) -> String {
    let parts: Vec<i64> = (0..visible).map(|i| 1 + i + 7 * i % 11).collect();
    format!("PARTS = {parts:?}\n\n\ndef add(a, b):\n    return PARTS[(a - 1) % len(PARTS)]\n")
}

fn project(files: &[String], visible: i64, sealed: i64, suite: &str) -> Project {
    let project = Project::empty();
    let proposer = format!(
        "import json, sys\nstep = json.load(sys.stdin)['step']\nfiles = json.loads({:?})\n\
         print(json.dumps({{'exhausted': True}} if step > len(files) else {{'reason': f'idea {{step}}', \
         'edits': [{{'write': {{'path': 'sums.py', 'content': files[step - 1]}}}}]}}))\n",
        json!(files).to_string()
    );
    project.write("propose.py", proposer);
    let settings = "[command]\nargv = [\"python3\", \"propose.py\"]\n\n[run]\nproposers = [\"command\"]\njobs = 1\n";
    project.write("meliora.toml", toml(&["sums.py"], settings));
    project.write("genome/sums.py", common::ADD);
    project.write("suite/suite.toml", format!("kind = \"exact\"\nseconds = 5\n{suite}"));
    project.write("suite/tasks.jsonl", tasks(visible, sealed));
    project.constitute(common::SEED);
    project.git_init();
    project
}

fn opened(project: &Project) -> Vec<Value> {
    project.events("holdout_opened").into_iter().map(|event| event["variant"].clone()).collect()
}

#[test]
fn what_passes_all_visible_tasks_by_heart_is_found_by_the_holdout_and_loses_the_throne() {
    let project = project(&[fitted(12)], 12, 12, "");
    let ran = project.meliora(&["run", ".", "--json", "--evals", "100"]).exits(5);
    let judged = project.events("judged");
    assert_eq!(judged[0]["judgement"]["verdict"], "accepted", "by its marks and its code it is honest: {judged:#?}");
    assert_eq!(judged.last().unwrap()["judgement"]["verdict"], "suspect", "{judged:#?}");
    assert_eq!(judged.last().unwrap()["judgement"]["alarms"][0]["rule"], "holdout-gap");
    let cheat = judged[0]["variant"].as_str().unwrap();
    let last = ran.last();
    assert_ne!(last["champion"], cheat, "{last}");
    assert_eq!((&last["champion_score"], &last["holdout_openings"]), (&last["baseline_score"], &2.into()), "{last}");
    assert_ne!(project.meliora(&["promote", cheat]).says(&["is suspect"]).code, 0);
    project.meliora(&["show", cheat]).exits(0).says(&["holdout-gap", "10 of 10 validation tasks"]);
    project.meliora(&["audit", "verify"]).exits(0);
    project.chain_holds();
}

#[test]
fn the_holdout_is_opened_once_for_the_champion_and_what_it_came_from_and_for_nobody_else() {
    let half = "def add(a, b):\n    return a + b if a % 2 else a - b\n".to_owned();
    let project = project(&[half, HONEST.to_owned()], 12, 12, "");
    let ran = project.meliora(&["run", ".", "--json", "--evals", "100"]).exits(0);
    let last = ran.last();
    assert_eq!((&last["champion_score"], &last["holdout_score"]), (&1.0.into(), &1.0.into()), "{last}");
    assert!(last["holdout_gap"].as_f64().unwrap().abs() < 0.2, "{last}");
    let accepted = project.events("judged").iter().filter(|e| e["judgement"]["verdict"] == "accepted").count();
    assert_eq!(accepted, 2, "the half repair is no finalist");
    let admitted = project.events("admitted");
    assert_eq!(opened(&project), [admitted[0]["variant"].clone(), last["champion"].clone()]);

    // Another run begins at the champion, finds nothing, and opens nothing; neither does the promotion.
    project.meliora(&["run", ".", "--evals", "100"]);
    let promoted = project.meliora(&["promote", "champion", "--json"]).exits(0).last();
    assert_eq!(promoted["holdout_score"], 1.0, "{promoted}");
    assert_eq!(opened(&project).len(), 2);

    // What was accepted and is no champion passes the holdout before it stands in anybody's tree.
    project.meliora(&["rollback"]).exits(0);
    let half = admitted[1]["variant"].as_str().unwrap();
    project.meliora(&["promote", half]).exits(0).says(&["holdout score 0.", "gap "]);
    assert_eq!(opened(&project).len(), 3);
}

/// Makes each task anew, of the same function and sort, as whoever wrote the suite would.
const MAKE: &str = r#"
import json, random, sys
draw = random.Random(json.load(sys.stdin)["seed"])
for i in range(12):
    pairs = [[draw.randrange(1, 500), draw.randrange(11)] for _ in range(4)]
    print(json.dumps({"id": f"validation/{i}", "split": "validation",
        "assignment": {"call": {"file": "sums.py", "function": "add"}, "inputs": pairs},
        "key": {"expect": [a + b for a, b in pairs]}}))
"#;

#[test]
fn what_is_right_on_the_declared_inputs_alone_is_suspect_where_the_suite_makes_new_ones() {
    let project = project(&[fitted(12), HONEST.to_owned()], 12, 0, "fresh = \"fresh.py\"\n");
    project.write("suite/fresh.py", MAKE);
    let ran = project.meliora(&["run", ".", "--json", "--evals", "100"]).exits(0);
    let judged = project.events("judged");
    let judgement = |at: usize| judged[at]["judgement"].clone();
    assert_eq!(
        (&judgement(0)["verdict"], &judgement(0)["alarms"][0]["rule"]),
        (&"suspect".into(), &"fresh-inputs".into())
    );
    assert_eq!(judgement(1)["verdict"], "accepted", "{:#}", judgement(1));
    let reason = judgement(1)["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("on new inputs of what it won, 4") && reason.contains("are right, and"), "{reason}");
    assert_eq!(ran.last()["champion_score"], 1.0);

    // What the program of the suite gets wrong is the suite's fault, and nobody's cheat.
    project.write("suite/fresh.py", "print('no task')\n");
    project.meliora(&["run", ".", "--fresh", "--evals", "100"]).exits(0);
    let judged = project.events("judged").pop().unwrap();
    let reason = judged["judgement"]["reason"].as_str().unwrap();
    assert!(
        reason.contains("not tried on new inputs: fresh.py") && judged["judgement"]["verdict"] == "accepted",
        "{judged:#}"
    );
    project.edit("suite/suite.toml", "fresh.py", "absent.py");
    project.meliora(&["run", "."]).exits(3).says(&["absent.py", "'fresh'"]);
}
