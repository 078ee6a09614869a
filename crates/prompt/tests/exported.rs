//! An exported Rust module is compiled here as it came, so that it is known to say what the program says.
#![allow(clippy::unwrap_used, reason = "a test")]

use meliora_domain::{Fields, Value};
use meliora_prompt::{Asked, Format, export};

#[path = "exported/labels.rs"]
mod labels;

#[test]
fn the_rust_export_is_this_module_and_says_what_the_program_says() {
    let program = labels::program().unwrap();
    let source = export(&program, Format::Rust, "p", &Asked::default()).unwrap();
    assert_eq!(source, include_str!("exported/labels.rs"), "made by `meliora prompt export p.toml --format rust`");
    let inputs = Fields::from_iter([("text", Value::from("Awful."))]);
    let said = program.adapter.ask(&program.predictors()[0], &inputs);
    assert_eq!(labels::messages(&inputs).unwrap(), said);
    assert_eq!(said.len(), 4);
}
