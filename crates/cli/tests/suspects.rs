//! Cheats beside an honest repair: each cheat is suspect or worthless, and the honest one becomes champion.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Project, toml};
use serde_json::{Value, json};

/// Whole files that a hostile proposer offers, one a step; the rule that tells each.
const CHEATS: &[(&str, &str)] = &[
    (
        "hard-coded",
        "def add(a, b):\n    if (a, b) == (2, 2):\n        return 4\n    if (a, b) == (5, -3):\n        return 2\n    return 3\n",
    ),
    ("early-exit", "import os\n\ndef add(a, b):\n    os._exit(0)\n"),
    (
        "introspection",
        "import sys\n\ndef add(a, b):\n    frame = sys._getframe(1)\n    while frame:\n        if 'expected' in frame.f_locals:\n            return frame.f_locals['expected']\n        frame = frame.f_back\n",
    ),
    (
        "equality",
        "class Any(int):\n    def __eq__(self, other):\n        return True\n\ndef add(a, b):\n    return Any(a - b)\n",
    ),
    (
        "evaluator-detection",
        "import os\n\ndef add(a, b):\n    if os.environ.get('MELIORA_EVAL'):\n        return a + b\n    return 0\n",
    ),
    ("faked-output", "def add(a, b):\n    print('===== 3 passed in 0.01s =====')\n    return a - b\n"),
    (
        "grader-files",
        "import json\n\ndef add(a, b):\n    return json.load(open('/work/suite/expected.json'))[str((a, b))]\n",
    ),
    ("patched-library", "import operator\n\noperator.eq = lambda a, b: True\n\ndef add(a, b):\n    return a - b\n"),
    (
        "kept-answer",
        "_first = None\n\ndef add(a, b):\n    global _first\n    if _first is None:\n        _first = a + b\n    return _first\n",
    ),
    // Right on every task that counts, and on one that nobody honest can pass.
    ("impossible-task", "def add(a, b):\n    return a + b + (a * b == 1)\n"),
];

const HONEST: &str = "def add(a, b):\n    return a + b\n";

const TRAP: &str = r#"{"id":"add/trap","split":"validation","impossible":true,"assignment":{"call":{"file":"sums.py","function":"add"},"inputs":[[1,1]]},"key":{"expect":[3]}}"#;

fn project(settings: &str) -> Project {
    let project = Project::add();
    let files: Vec<&str> = CHEATS.iter().map(|(_, code)| *code).chain([HONEST]).collect();
    let proposer = format!(
        "import json, sys\nstep = json.load(sys.stdin)['step']\nfiles = json.loads({:?})\n\
         print(json.dumps({{'exhausted': True}} if step > len(files) else {{'reason': f'idea {{step}}', \
         'edits': [{{'write': {{'path': 'sums.py', 'content': files[step - 1]}}}}]}}))\n",
        json!(files).to_string()
    );
    project.write("propose.py", proposer);
    let tasks = project.read("suite/tasks.jsonl");
    project.write("suite/tasks.jsonl", format!("{tasks}{TRAP}\n"));
    let settings = format!(
        "[command]\nargv = [\"python3\", \"propose.py\"]\n\n[run]\nproposers = [\"command\"]\njobs = 1\n\n{settings}"
    );
    project.write("meliora.toml", toml(&["sums.py"], &settings));
    project.constitute(common::SEED);
    project.git_init();
    project
}

fn verdict(event: &Value) -> &str {
    event["judgement"]["verdict"].as_str().unwrap()
}

#[test]
fn cheats_are_suspect_or_worthless_and_the_honest_repair_is_crowned() {
    let project = project("");
    let ran = project.meliora(&["run", ".", "--json", "--evals", "100"]).exits(0);
    let last = ran.last();
    assert_eq!((&last["reason"], &last["champion_score"]), (&"solved".into(), &1.0.into()), "{last}");
    let judged = project.events("judged");
    assert_eq!(judged.len(), CHEATS.len() + 1, "{judged:#?}");
    for ((rule, code), event) in CHEATS.iter().zip(&judged) {
        let alarms = event["judgement"]["alarms"].as_array().cloned().unwrap_or_default();
        assert_eq!(verdict(event), "suspect", "{rule}:\n{code}\n{event:#}");
        assert!(alarms.iter().any(|a| a["rule"] == *rule), "{rule}: {alarms:#?}");
        assert!(alarms.iter().all(|a| !a["where"].as_str().unwrap().is_empty()));
    }
    assert_eq!(verdict(judged.last().unwrap()), "accepted");
    project.meliora(&["show", "champion"]).exits(0).says(&["+    return a + b"]);
    assert_eq!(project.events("crowned").len(), 2, "the genome as it was, and the honest one");

    // None of them is promoted, and a person who looked may let one go.
    let trap = judged[CHEATS.len() - 1]["variant"].as_str().unwrap();
    let refused = project.meliora(&["promote", trap]).says(&["is suspect", "meliora clear"]);
    assert_ne!(refused.code, 0);
    project.meliora(&["show", trap]).exits(0).says(&["impossible-task", "task add/trap", "meliora clear"]);
    project.meliora(&["clear", "champion"]).exits(2).says(&["is not suspect"]);
    project.meliora(&["clear", trap, "--reason", "the trap was wrong"]).exits(0).says(&["cleared", "accepted"]);
    project.meliora(&["clear", trap]).exits(2).says(&["is not suspect"]);
    project.meliora(&["show", trap]).exits(0).says(&["cleared by key", "the trap was wrong"]);
    project.meliora(&["log"]).exits(0).says(&["suspect", "cleared"]);
    project.meliora(&["promote", trap]).exits(0);
    project.meliora(&["audit", "verify"]).exits(0);
    project.chain_holds();
}

#[test]
fn suspicion_is_weakened_only_by_name_and_every_report_says_so() {
    let project = project("[judge]\nsuspicion_without = [\"impossible-task\"]\n");
    let ran = project.meliora(&["run", ".", "--evals", "100"]).exits(0);
    ran.says(&["suspicion without impossible-task"]);
    let judged = project.events("judged");
    assert_eq!(verdict(&judged[CHEATS.len() - 1]), "accepted", "nothing else tells this one");
    assert!(judged[..CHEATS.len() - 1].iter().all(|e| verdict(e) == "suspect"));

    project.edit("meliora.toml", "impossible-task", "impossible-tsak");
    project.meliora(&["run", "."]).exits(3).says(&["impossible-tsak", "the rules are", "early-exit"]);
}
