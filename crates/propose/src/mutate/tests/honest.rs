//! What mutation offers, held against the rules of suspicion: nobody honest is accused.

use std::path::Path;

use meliora_judge::suspicion::look_at_change;
use serde_json::Value;

use super::super::deck::candidates;
use super::super::language::Lang;
use super::super::localise::Suspicion;
use super::super::render::after;
use super::super::tree::Ast;
use super::squeezed;

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
