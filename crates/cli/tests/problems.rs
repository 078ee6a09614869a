//! Problems that are solved without a model, what is not examined twice, and the page that shows a run.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Project, example, toml};

/// A project with the files of an example.
fn copy(name: &str, files: &[&str]) -> Project {
    let project = Project::empty();
    for file in files {
        project.write(file, std::fs::read(example(name).join(file)).unwrap());
    }
    project
}

#[test]
fn a_deceptive_lock_opens_at_the_very_combination_and_not_before() {
    let files =
        ["meliora.toml", "propose.py", "genome/dial.py", "suite/suite.toml", "suite/tasks.jsonl", "suite/check.py"];
    let project = copy("combination-lock", &files);
    let ran = project.meliora(&["run", ".", "--json", "--jobs", "1"]).exits(0);
    assert_eq!((ran.last()["baseline_score"].as_f64(), ran.last()["champion_score"].as_f64()), (Some(0.75), Some(1.0)));
    // The order of combinations is fixed, and so is where the right one stands in it.
    let last = project.events("bid").pop().unwrap();
    assert_eq!((last["step"].as_u64(), project.events("crowned").len()), (Some(248), 2));
}

#[test]
fn numbers_alone_bring_a_program_nearer_to_its_goal() {
    let evaluator = "import importlib.util\n\n\ndef evaluate(path):\n    spec = importlib.util.spec_from_file_location('c', path)\n    \
                     module = importlib.util.module_from_spec(spec)\n    spec.loader.exec_module(module)\n    \
                     x, y = module.run()\n    return {'combined_score': 1 / (1 + (x - 0.3) ** 2 + (y + 2.6) ** 2)}\n";
    let project = Project::openevolve(evaluator, "max_iterations: 10\n");
    let program = "# EVOLVE-BLOCK-START\nPOINT = [1.5, 1.5]\n# EVOLVE-BLOCK-END\n\n\ndef run():\n    return POINT\n";
    project.write("initial_program.py", program);
    let run = [
        "run",
        ".",
        "--json",
        "--proposer",
        "mutate",
        "--strategy",
        "greedy",
        "--evals",
        "250",
        "--jobs",
        "1",
        "--seed",
        "3",
    ];
    let ran = project.meliora(&run).exits(0);
    assert!(ran.last()["champion_score"].as_f64().unwrap() > 0.98, "{}", ran.last());

    // What came of it is a page that holds every variant and asks nobody for anything.
    project.meliora(&["lineage", ".", "--html", "tree.html"]).exits(0);
    let page = project.read("tree.html");
    let data = page.split_once("id=\"data\">").unwrap().1.split_once("</script>").unwrap().0;
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let variants = data["variants"].as_array().unwrap();
    assert_eq!(variants.len(), project.events("admitted").len());
    assert_eq!(variants[data["champion"].as_u64().unwrap() as usize]["score"], ran.last()["champion_score"]);
    assert!(
        variants[1]["diff"].as_str().unwrap().contains("\n-POINT")
            || variants[1]["diff"].as_str().unwrap().contains("@@")
    );
    assert!(!page.contains("http:") && !page.contains("https:"));
}

#[test]
fn a_proposal_that_only_looks_otherwise_is_not_examined() {
    let project = Project::add();
    project.write("meliora.toml", toml(&["sums.py"], "[command]\nargv = [\"python3\", \"propose.py\"]\n"));
    project.write("genome/sums.py", "def add(a, b):\n    total = a - b\n    return total\n");
    project.write(
        "propose.py",
        r#"
import json, sys
brief = json.load(sys.stdin)
texts = [
    "def add(a, b):\n    total = a - b  # the sum\n    return total\n",
    "def add(a, b):\n\n    total = a  -  b\n    return total\n",
    "def add(a, b):\n    both = a - b\n    return both\n",
    "def add(a, b):\n    total = b - a\n    return total\n",
    "def add(a, b):\n    total = a + b\n    return total\n",
]
if brief["step"] > len(texts):
    print(json.dumps({"exhausted": True}))
else:
    write = {"write": {"path": "sums.py", "content": texts[brief["step"] - 1]}}
    print(json.dumps({"reason": "another look", "edits": [write]}))
"#,
    );
    let ran = project.meliora(&["run", ".", "--json", "--jobs", "1", "--proposer", "command"]).exits(0);
    assert_eq!(ran.last()["champion_score"], 1.0);
    let alike: Vec<u64> = project.events("duplicate").iter().map(|e| e["step"].as_u64().unwrap()).collect();
    assert_eq!(alike, [1, 2, 3]);
}
