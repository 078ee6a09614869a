//! What every backend must do: files in and out, commands, their streams and their ends.

mod common;

use common::*;
use meliora_domain::{Ending, Limits};
use meliora_evolve::{CageError, Command, Happening, Sandbox, run_to_end};

#[test]
fn a_command_runs_with_its_input_output_and_exit_code() {
    let cage = cage();
    let cat = run_to_end(&*cage, &command(["/bin/cat"]), b"hello").unwrap();
    assert_eq!((cat.stdout.as_slice(), cat.ending), (b"hello".as_slice(), Ending::Exited(0)));
    let both = shell(&*cage, "echo one; echo two >&2; exit 7");
    assert_eq!((out(&both).as_str(), err(&both).as_str(), both.ending), ("one\n", "two\n", Ending::Exited(7)));
}

#[test]
fn a_file_that_was_put_can_be_read_changed_and_fetched() {
    let cage = cage();
    cage.put("/work/deep/er/in.txt", b"abc", false).unwrap();
    cage.put("/work/run.sh", b"#!/bin/sh\ntr a-z A-Z < deep/er/in.txt > out.txt\n", true).unwrap();
    assert_eq!(run(&*cage, &["/work/run.sh"]).ending, Ending::Exited(0));
    assert_eq!(cage.get("/work/out.txt", 100).unwrap(), b"ABC");
    cage.put("/work/out.txt", b"again", false).unwrap();
    assert_eq!(cage.get("/work/out.txt", 100).unwrap(), b"again");
    let mut names: Vec<_> = cage.list("/work").unwrap().into_iter().map(|e| (e.name, e.file)).collect();
    names.sort();
    assert_eq!(names, [("deep".into(), false), ("out.txt".into(), true), ("run.sh".into(), true)]);
}

#[test]
fn python_runs_and_may_write_where_it_should() {
    let cage = cage();
    let ran = py(&*cage, "open('/work/a','w').write('x'); open('/tmp/b','w').write('y'); print(6*7)");
    assert_eq!((out(&ran).as_str(), err(&ran).as_str(), ran.ending), ("42\n", "", Ending::Exited(0)));
}
