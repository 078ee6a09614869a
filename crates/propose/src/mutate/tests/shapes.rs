//! No shape stands for two programs that do different things: every candidate of every kata, and names changed at random.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use meliora_domain::{Digest, FileBody, Genome, GenomePath};
use meliora_judge::suspicion::look_at_change;
use serde_json::{Value, json};
use tree_sitter::{Node, Parser};

use super::super::deck::candidates;
use super::super::language::Lang;
use super::super::localise::Suspicion;
use super::super::render::after;
use super::super::tree::Ast;
use super::squeezed;
use crate::shape::shape;

/// Runs each program on each case and prints what came of it: a result, or the kind of exception.
const RUNNER: &str = r#"
import copy, json, signal, sys
class Late(BaseException): pass
def late(*_): raise Late()
signal.signal(signal.SIGALRM, late)
sys.setrecursionlimit(600)
for job in json.load(sys.stdin):
    out = []
    for args in job["cases"]:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        try:
            space = {"__name__": "program"}
            exec(compile(job["text"], "program", "exec"), space)
            out.append(repr(space[job["function"]](*copy.deepcopy(args))))
        except Late:
            out.append("late")
            break
        except BaseException as error:
            out.append(type(error).__name__)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    print(json.dumps(out))
"#;

fn of(text: &str) -> Digest {
    shape(&Genome::new().with(GenomePath::new("program.py").unwrap(), FileBody::new(text.as_bytes(), false)))
}

/// The program with one of its names changed into another one of them, or into a new one.
fn renamings(text: &str, most: usize) -> Vec<String> {
    let mut parser = Parser::new();
    parser.set_language(&Lang::of("py").unwrap().grammar()).unwrap();
    let tree = parser.parse(text, None).unwrap();
    let mut places = Vec::new();
    let mut stack = vec![tree.root_node()];
    while let Some(node) = stack.pop() {
        if node.kind() == "identifier" {
            places.push(node.byte_range());
        }
        let mut cursor = node.walk();
        stack.extend(node.children(&mut cursor).collect::<Vec<Node<'_>>>());
    }
    let mut names: Vec<&str> = places.iter().map(|at| &text[at.clone()]).collect();
    names.push("fresh_name");
    // Steps that have no divisor in common with what they walk over reach everything.
    let (mut at, all) = (0, places.len() * names.len());
    let mut out = Vec::new();
    for _ in 0..most.min(all) {
        at = (at + 7919) % all;
        let place = places[at % places.len()].clone();
        let name = names[at / places.len()];
        if text[place.clone()] != *name {
            out.push(format!("{}{name}{}", &text[..place.start], &text[place.end..]));
        }
    }
    out
}

#[test]
fn programs_of_one_shape_do_the_same() {
    let kata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/kata");
    let mut jobs = Vec::new();
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    let mut seen = 0;
    for folder in std::fs::read_dir(kata).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let cases: Value = serde_json::from_slice(&std::fs::read(folder.join("cases.json")).unwrap()).unwrap();
        let all = ["visible", "hidden"].into_iter().flat_map(|part| cases[part].as_array().unwrap());
        let arguments: Vec<&Value> = all.map(|case| &case["args"]).collect();
        let mut shapes: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
        for name in ["program.py", "correct.py"] {
            let text = std::fs::read_to_string(folder.join(name)).unwrap();
            let ast = Ast::parse(Lang::of("py").unwrap(), &text).unwrap();
            let ranked = candidates(&ast, &text, &Suspicion::of("", &[]));
            let mutants = ranked.iter().map(|(_, candidate)| after(&text, candidate));
            for text in mutants.chain(renamings(&text, 500)).chain([text.clone()]) {
                seen += 1;
                let group = shapes.entry(of(&text)).or_default();
                if !group.contains(&text) {
                    group.push(text);
                }
            }
        }
        for group in shapes.into_values().filter(|group| group.len() > 1) {
            let job = |text: &String| json!({"text": text, "function": cases["function"], "cases": arguments});
            jobs.extend(group.iter().map(job));
            groups.push((folder.display().to_string(), group));
        }
    }
    assert!(seen > 10_000, "{seen} programs");
    let mut python = Command::new("python3")
        .args(["-c", RUNNER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = python.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(json!(jobs).to_string().as_bytes()).unwrap());
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let mut results = told.lines();
    let mut wrong = Vec::new();
    for (kata, group) in &groups {
        let did: Vec<&str> = group.iter().map(|_| results.next().unwrap()).collect();
        if let Some(other) = did.iter().position(|result| result != &did[0]) {
            wrong.push(format!("{kata}:\n{}\n{}\n--- and\n{}\n{}", group[0], did[0], group[other], did[other]));
        }
    }
    println!("{seen} programs, {} shapes that stand for more than one", groups.len());
    assert!(!groups.is_empty() && wrong.is_empty(), "{} of {}:\n{}", wrong.len(), groups.len(), wrong.join("\n\n"));
}

#[test]
fn no_repair_that_mutate_offers_is_accused_and_hardly_any_candidate() {
    let kata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/kata");
    let (mut all, mut right, mut wrong) = (0, 0, Vec::new());
    for folder in std::fs::read_dir(kata).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let (text, correct) = (read("program.py"), read("correct.py"));
        let cases: Value = serde_json::from_str(&read("cases.json")).unwrap();
        let calls = ["visible", "hidden"].into_iter().flat_map(|part| cases[part].as_array().unwrap());
        let inputs = calls.flat_map(|case| case["args"].as_array().unwrap()).map(Value::to_string).collect();
        let ast = Ast::parse(Lang::of("py").unwrap(), &text).unwrap();
        let ranked = candidates(&ast, &text, &Suspicion::of("", &[]));
        for (place, (_, candidate)) in ranked.iter().enumerate() {
            let mutant = after(&text, candidate);
            let repair = squeezed(&mutant) == squeezed(&correct);
            if repair || place % 60 == 0 {
                let found = look_at_change(&[("program.py", Some(&text), Some(&mutant))], &inputs);
                (all, right) = (all + 1, right + usize::from(repair));
                if !found.is_empty() {
                    assert!(!repair, "{}: {found:#?}", folder.display());
                    wrong.push(format!("{}: {found:#?}", folder.display()));
                }
            }
        }
    }
    println!("{all} candidates, {right} repairs, {} accused", wrong.len());
    assert!(right > 20 && wrong.len() * 100 <= all * 2, "{} of {all}: {}", wrong.len(), wrong.join("\n"));
}
