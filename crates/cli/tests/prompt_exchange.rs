//! `meliora prompt export` and `import`.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Project, toml};

const PROGRAM: &str = r#"
[[steps]]
name = "label"
module = "chain_of_thought"
signature = "text -> label: Literal['good', 'bad']"
instructions_file = "label.md"

[[steps.demos]]
text = "Nice."
reasoning = "It praises."
label = "good"
"#;

#[test]
fn a_program_goes_out_in_every_form_and_comes_back_from_dspys() {
    let project = Project::empty();
    project.write("meliora.toml", toml(&["**"], "[model]\nname = \"m\"\nbase_url = \"http://127.0.0.1:9/v1\""));
    project.write("genome/program.toml", PROGRAM);
    project.write("genome/label.md", "Say whether the text praises.\n");
    for (format, part) in [
        ("text", "[[ ## label ## ]]"),
        ("markdown", "| `label` | out | `Literal['good', 'bad']` |"),
        ("promptfoo", "openai:chat:m"),
        ("python", "dspy.ChainOfThought("),
        ("rust", "pub fn messages("),
        ("dspy", "\"instructions\": \"Say whether the text praises.\""),
    ] {
        let ran = project.meliora(&["prompt", "export", ".", "--format", format]).exits(0);
        assert!(ran.out.contains(part) && ran.out.contains("praises."), "{format}: {}", ran.out);
    }
    let export = ["prompt", "export", ".", "--format", "dspy", "--out", "saved.json"];
    project.meliora(&export).exits(0);
    project.meliora(&export).exits(2).says(&["does not exist yet"]);
    project.meliora(&["prompt", "import", "saved.json", "--out", "back.toml"]).exits(0);
    let said = |path: &str| project.meliora(&["prompt", "export", path]).exits(0).out;
    assert_eq!(said("back.toml"), said("."));

    // What DSPy itself saves has no names in it: they are taken from where they are known, or assumed and told.
    let saved: serde_json::Value = serde_json::from_str(&project.read("saved.json")).unwrap();
    project.write("bare.json", serde_json::json!({ "predict": saved["predict"], "metadata": {} }).to_string());
    let like = ["prompt", "import", "bare.json", "--program", "genome/program.toml"];
    let same = project.meliora(&like).exits(0);
    assert!(same.err.is_empty() && same.out.contains("Literal"), "{}{}", same.out, same.err);
    let given = ["prompt", "import", "bare.json", "--signature", "text -> label: Literal['good', 'bad']"];
    assert!(project.meliora(&given).exits(0).out.contains("Literal"));
    let assumed = project.meliora(&["prompt", "import", "bare.json"]).exits(0);
    assert!(assumed.out.contains("text -> label"), "{}", assumed.out);
    project.meliora(&["prompt", "import", "genome/label.md"]).exits(3).says(&["no program that DSPy saved", "save"]);
}

#[test]
fn a_plain_prompt_is_exported_as_it_stands() {
    let project = Project::empty();
    project.write("fix.txt", "Fix the Python code bug.\n\n{code}\n");
    let export = |format: &str| project.meliora(&["prompt", "export", "fix.txt", "--format", format]);
    assert_eq!(export("text").exits(0).out, "Fix the Python code bug.\n\n{code}\n");
    export("python").exits(0).says(&["def messages(code):", "'Fix the Python code bug.\\n\\n' + str(code)"]);
    export("promptfoo").exits(0).says(&["{{ code }}"]);
    export("dspy").exits(3).says(&["no way to say a plain prompt", "python"]);
}
