//! Programs go to DSPy and come back: without DSPy, what we save is read again; with it, what it loads says the same.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use meliora_domain::{Fields, Message, Value};
use meliora_prompt::{Adapter, Asked, Field, FieldType, Format, Module, Program, Signature, Step, Tool, dspy, export};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

fn step(name: &str, module: Module, signature: &str, instructions: &str) -> Step {
    let mut signature = Signature::read(signature).unwrap();
    signature.instructions = instructions.into();
    Step::new(name, module, signature)
}

fn fields(json: &str) -> Fields {
    serde_json::from_str(json).unwrap()
}

/// A program, what it is asked and what each of its predictors answers.
struct Case {
    program: Program,
    inputs: Fields,
    answers: Vec<Fields>,
}

fn case(program: Program, inputs: &str, answers: &[&str]) -> Case {
    Case { program, inputs: fields(inputs), answers: answers.iter().map(|a| fields(a)).collect() }
}

const TYPED: &str = "question, context: list[str], n: int -> answer: float, ok: bool, tags: list[str], \
     label: Literal['a', \"it's\", 2], more: dict[str, Any], maybe: Optional[int]";

fn cases() -> Vec<Case> {
    let mut typed = step("judge", Module::Predict, TYPED, "Judge it.\n\n    Indented,\n  less.\t\n");
    typed.signature.field_mut("question").unwrap().description = "What is asked.".into();
    typed.signature.field_mut("answer").unwrap().description = "A number:\nof \"two\" lines.".into();
    typed.demos = vec![
        fields(
            r#"{"question": "One\ntwo «x»", "context": [], "n": 1, "answer": 1.0, "ok": true, "tags": ["x", "y"],
                "label": 2, "more": {"k": [1, null, 1e20, true, "ä"]}, "maybe": 3}"#,
        ),
        fields(r#"{"question": "Lacks much", "answer": 2e-07}"#),
        fields(
            r#"{"question": "Nothing", "context": ["c"], "n": 1, "answer": 1.5, "ok": false, "tags": [], "label": "a",
                "more": {}, "maybe": null}"#,
        ),
        fields(r#"{"context": ["not usable"]}"#),
    ];
    let typed_inputs = r#"{"question": "Wie groß?", "context": ["a \"b\"", "c\nd"], "n": 3}"#;
    let typed_answer = r#"{"answer": 1.5, "ok": true, "tags": ["z"], "label": "a", "more": {"k": 1}, "maybe": 7}"#;

    let mut thinking = step("count", Module::ChainOfThought, "question -> answer: int", "Count.");
    thinking.demos = vec![
        fields(r#"{"question": "1+1", "reasoning": "Two.", "answer": 2}"#),
        fields(r#"{"question": "0", "answer": 0}"#),
    ];

    let mut draft = step("draft", Module::Predict, "topic -> outline: list[str], title", "");
    draft.demos = vec![fields(r#"{"topic": "sea", "outline": ["wide", "deep"], "title": "The sea"}"#)];
    let mut write = step("write", Module::ChainOfThought, "outline: list[str], title, tone -> text", "Write the text.");
    write.signature.field_mut("tone").unwrap().description = "How it sounds.".into();
    let several = Program { adapter: Adapter::Chat, steps: vec![draft, write] };

    let tool = Tool {
        name: "look_up".into(),
        description: "Looks a word up.".into(),
        arguments: vec![("word".into(), FieldType::Text), ("times".into(), FieldType::Int)],
        file: "look.py".into(),
    };
    let mut acting = step("find", Module::React { tools: vec![tool], turns: 3 }, "question -> answer", "Find it.");
    acting.extract_demos = vec![fields(r#"{"question": "q", "trajectory": "t", "reasoning": "r", "answer": "a"}"#)];

    vec![
        case(
            Program::of(step("qa", Module::Predict, "question -> answer", "")),
            r#"{"question": "Why?"}"#,
            &[r#"{"answer": "So."}"#],
        ),
        case(Program::of(typed.clone()), typed_inputs, &[typed_answer]),
        case(Program { adapter: Adapter::Json, steps: vec![typed] }, typed_inputs, &[typed_answer]),
        case(Program::of(thinking), r#"{"question": "2+2"}"#, &[r#"{"reasoning": "Two and two.", "answer": 4}"#]),
        case(
            several,
            r#"{"topic": "a\n\nb", "tone": "dry"}"#,
            &[r#"{"outline": ["one", "two"], "title": "T"}"#, r#"{"reasoning": "Hm.", "text": "Done."}"#],
        ),
        case(
            Program::of(acting),
            r#"{"question": "Who?"}"#,
            &[
                r#"{"next_thought": "Enough.", "next_tool_name": "finish", "next_tool_args": {}}"#,
                r#"{"reasoning": "It says so.", "answer": "Me."}"#,
            ],
        ),
    ]
}

/// What a program says, where its predictors answer this. The trajectory of a react step ends after one turn.
fn said(case: &Case) -> Vec<Vec<Message>> {
    let mut known = case.inputs.clone();
    let mut said = Vec::new();
    for (predictor, answer) in case.program.predictors().iter().zip(&case.answers) {
        said.push(case.program.adapter.ask(predictor, &known_to(&known, &predictor.signature)));
        for (name, value) in answer.iter() {
            known.set(name, value.clone());
        }
        if let Some(thought) = answer.get("next_thought").and_then(Value::as_text) {
            let turn = meliora_prompt::Turn {
                number: 0,
                thought: thought.into(),
                tool: "finish".into(),
                arguments: Fields::new(),
                observation: Value::from("Completed."),
            };
            known.set("trajectory", Value::Text(meliora_prompt::trajectory(&[turn])));
        }
    }
    said
}

fn known_to(known: &Fields, signature: &Signature) -> Fields {
    let given = |field: &Field| match (field.name.as_str(), known.get(&field.name)) {
        // The first turn sees an empty one.
        ("trajectory", None) => Some(Value::from("")),
        (_, value) => value.cloned(),
    };
    signature.inputs.iter().filter_map(|field| Some((field.name.as_str(), given(field)?))).collect()
}

#[derive(Serialize)]
struct Job<'a> {
    python: String,
    state: Option<String>,
    inputs: &'a Fields,
    answers: &'a [Fields],
    save: Option<String>,
}

#[derive(Deserialize)]
struct Told {
    dspy: String,
    sent: Vec<Vec<Vec<Message>>>,
}

/// A Python that has DSPy: of `MELIORA_DSPY_PYTHON`, or the one of the path. Without one the test is skipped aloud, and
/// fails in CI.
fn python() -> Option<String> {
    let python = std::env::var("MELIORA_DSPY_PYTHON").unwrap_or_else(|_| "python3".into());
    let has = Command::new(&python).args(["-c", "import dspy"]).stderr(Stdio::null()).status();
    if has.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    assert!(std::env::var_os("CI").is_none(), "{python} has no DSPy: pip install dspy");
    eprintln!("skipped: {python} has no DSPy; pip install dspy, or name one that has it in MELIORA_DSPY_PYTHON");
    None
}

#[test]
fn dspy_loads_what_we_export_and_says_the_same_to_the_byte() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("look.py"), "def look_up(word, times):\n    return word * times\n").unwrap();
    let path = |name: String| folder.path().join(name).to_str().unwrap().to_owned();
    let cases = cases();
    let mut jobs = Vec::new();
    for (i, case) in cases.iter().enumerate() {
        let state = path(format!("{i}.json"));
        std::fs::write(&state, dspy::save(&case.program).unwrap()).unwrap();
        let source = export(&case.program, Format::Python, "test", &Asked::default()).unwrap();
        for state in [Some(state), None] {
            let save = state.as_ref().map(|_| path(format!("{i}-again.json")));
            jobs.push(Job { python: source.clone(), state, inputs: &case.inputs, answers: &case.answers, save });
        }
    }
    let told = run(&python, folder.path(), &jobs);
    for (i, case) in cases.iter().enumerate() {
        let expected = said(case);
        for (sent, by) in told.sent[2 * i..].iter().zip(["state", "source"]) {
            // A react module says nothing of a trajectory that is still empty, or says it with an empty text.
            assert_eq!(sent, &expected, "case {i} by its {by}, DSPy {}", told.dspy);
        }
        // What DSPy saves anew is the program again, for who knows its fields.
        let again = std::fs::read_to_string(path(format!("{i}-again.json"))).unwrap();
        let back = dspy::load(&again, Some(&case.program), &BTreeMap::new()).unwrap();
        let messages =
            said(&Case { program: back.program, inputs: case.inputs.clone(), answers: case.answers.clone() });
        assert_eq!((messages, back.notes), (expected, Vec::new()), "case {i} saved by DSPy {}", told.dspy);
    }
}

fn run(python: &str, folder: &Path, jobs: &[Job<'_>]) -> Told {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dspy/load.py");
    let mut child = Command::new(python)
        .arg(script)
        .current_dir(folder)
        .env("DSPY_CACHEDIR", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(jobs).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "DSPy failed; what it said stands above");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn what_is_exported_comes_back_as_it_was() {
    for case in cases() {
        let saved = dspy::save(&case.program).unwrap();
        let back = dspy::load(&saved, None, &BTreeMap::new()).unwrap();
        assert_eq!((back.program, back.notes), (case.program, Vec::new()), "{saved}");
    }
}

/// Saved by DSPy itself, without anything of ours in it; the folder's README says how.
fn saved(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dspy/saved").join(name)).unwrap()
}

#[test]
fn what_dspy_saved_is_read_and_what_it_does_not_say_is_told() {
    for version in ["2.6.27", "3.4.1"] {
        let load = |name: &str| dspy::load(&saved(&format!("{version}-{name}.json")), None, &BTreeMap::new()).unwrap();

        let plain = load("predict");
        assert_eq!(plain.program.steps[0].signature.to_string(), "question, hint -> answer", "{version}");
        assert_eq!((plain.program.steps[0].signature.instructions.as_str(), plain.notes.len()), ("", 0));
        assert_eq!(plain.program.steps[0].demos.len(), 2);

        let thinking = load("cot");
        let step = &thinking.program.steps[0];
        assert_eq!(
            (&step.module, step.signature.to_string().as_str()),
            (&Module::ChainOfThought, "question -> answer: int")
        );
        assert_eq!(step.signature.outputs[0].description, "A whole number.");
        assert_eq!(step.demos[0].get("reasoning").and_then(Value::as_text), Some("Two."));
        assert!(
            thinking.notes.iter().any(|note| note.contains("'answer'") && note.contains("taken for int")),
            "{:?}",
            thinking.notes
        );

        let several = load("several");
        let names: Vec<&str> = several.program.steps.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["draft", "polish"]);
        assert_eq!(several.program.steps[1].module, Module::ChainOfThought);
        assert_eq!(several.program.steps[1].signature.to_string(), "draft, tone -> text");

        let told = load("told");
        assert_eq!(told.program.steps[0].signature.instructions, "Answer shortly.");
        assert!(told.notes.iter().any(|note| note.contains("come out")), "{:?}", told.notes);
        let with = BTreeMap::from([(String::new(), Signature::read("question -> answer, sure: bool").unwrap())]);
        let text = saved(&format!("{version}-told.json"));
        let named = dspy::load(&text, None, &with).unwrap();
        let signature = &named.program.steps[0].signature;
        assert_eq!((signature.to_string().as_str(), named.notes.len()), ("question -> answer, sure: bool", 0));
        assert_eq!(signature.instructions, "Answer shortly.");
    }
}

#[test]
fn what_is_no_saved_program_is_said_with_a_way_out() {
    let none = BTreeMap::new();
    for (text, what) in [
        ("", "no program that DSPy saved"),
        ("[1]", "a list"),
        (r#"{"metadata": {}}"#, "no part of it has a signature"),
        (r#"{"p": {"signature_instructions": "x", "demos": []}}"#, "before 2.5"),
        (r#"{"signature": {"instructions": "x"}, "demos": []}"#, "has no fields"),
        (
            r#"{"signature": {"instructions": "x", "fields": [{"prefix": "9 lives:", "description": ""}]}, "demos": []}"#,
            "cannot be told",
        ),
        (r#"{"react": {"signature": {"instructions": "x", "fields": []}, "demos": []}}"#, "ReAct"),
    ] {
        let error = dspy::load(text, None, &none).unwrap_err();
        assert!(error.what.contains(what) && !error.hint.is_empty(), "{}", error.what);
    }
    let like = Program::of(step("a", Module::Predict, "q -> a, b", ""));
    let short = dspy::save(&Program::of(step("a", Module::Predict, "q -> a", ""))).unwrap();
    assert!(dspy::load(&short, Some(&like), &none).unwrap_err().what.contains("2 fields in the file, and 3"));
    let plain = Program::plain("Fix {code}", &["code"]);
    assert!(dspy::save(&plain).unwrap_err().hint.contains("python"));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::Float),
        ".{0,12}".prop_map(Value::Text),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::List),
            prop::collection::vec((".{0,6}", inner), 0..3).prop_map(|items| Value::Map(Fields::from_iter(items))),
        ]
    })
}

fn of_type() -> impl Strategy<Value = FieldType> {
    let leaf = prop_oneof![
        Just(FieldType::Text),
        Just(FieldType::Int),
        Just(FieldType::Float),
        Just(FieldType::Bool),
        Just(FieldType::Any),
        Just(FieldType::List(None)),
        Just(FieldType::Dict(None)),
        prop::collection::vec("[a-z' ]{1,5}", 1..3)
            .prop_map(|m| FieldType::Literal(m.into_iter().map(Value::Text).collect())),
    ];
    leaf.prop_recursive(2, 4, 1, |inner| {
        prop_oneof![
            inner.clone().prop_map(|t| FieldType::List(Some(Box::new(t)))),
            inner.clone().prop_map(|t| FieldType::Dict(Some(Box::new(t)))),
            inner.prop_map(|t| FieldType::Optional(Box::new(t))),
        ]
    })
}

fn program() -> impl Strategy<Value = Program> {
    let field = |name: String| {
        (of_type(), ".{0,12}").prop_map(move |(of_type, description)| Field {
            name: name.clone(),
            of_type,
            description,
        })
    };
    let module = prop_oneof![
        Just(Module::Predict),
        Just(Module::ChainOfThought),
        (of_type(), 1..9u32).prop_map(|(of, turns)| Module::React {
            tools: vec![Tool {
                name: "t".into(),
                description: "does".into(),
                arguments: vec![("x".into(), of)],
                file: "t.py".into()
            }],
            turns,
        }),
    ];
    let demo = || prop::collection::vec(("[a-z]{1,4}", value()), 0..4).prop_map(Fields::from_iter);
    let one = (
        module,
        "(?s).{0,30}",
        field("alpha".into()),
        field("betaGamma2".into()),
        field("out".into()),
        prop::collection::vec(demo(), 0..3),
        prop::collection::vec(demo(), 0..2),
    )
        .prop_map(|(module, instructions, a, b, out, demos, extract_demos)| {
            let extract_demos = if matches!(module, Module::React { .. }) { extract_demos } else { Vec::new() };
            let signature = Signature { instructions, inputs: vec![a, b], outputs: vec![out] };
            Step { name: String::new(), module, signature, demos, extract_demos }
        });
    (prop_oneof![Just(Adapter::Chat), Just(Adapter::Json)], prop::collection::vec(one, 1..4)).prop_map(
        |(adapter, mut steps)| {
            for (i, step) in steps.iter_mut().enumerate() {
                step.name = format!("step_{i}");
            }
            Program { adapter, steps }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_program_comes_back_as_it_was(program in program()) {
        let saved = dspy::save(&program).unwrap();
        let back = dspy::load(&saved, None, &BTreeMap::new()).unwrap();
        prop_assert_eq!(back.program, program);
        prop_assert_eq!(back.notes, Vec::<String>::new());
    }

    #[test]
    fn no_text_brings_the_import_down(text in "[\\[\\]{}\":,a-z0-9 ]{0,60}") {
        let _ = dspy::load(&text, None, &BTreeMap::new());
    }
}
