//! What programs leave that nobody would by accident: very many files, names that are no text, output without end.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use meliora_domain::{Ending, Limits};
use meliora_evolve::CageError;

#[test]
fn a_folder_of_very_many_files_is_told_in_part_and_removed_whole() {
    let cage = cage();
    let code = "
import os
os.mkdir('/work/many')
n = 0
try:
    for n in range(1_000_000):
        os.close(os.open(f'/work/many/{n}', os.O_CREAT | os.O_WRONLY))
except OSError as error:
    print(error.errno, n > 10_000)
";
    assert_eq!(out(&py(&*cage, code)), "28 True\n");
    assert_eq!(cage.list("/work/many").unwrap().len(), 10_000);
    cage.remove("/work/many").unwrap();
    assert_eq!(cage.list("/work").unwrap(), []);
    cage.put("/work/again", b"x", false).unwrap();
}

#[test]
fn names_with_line_breaks_and_without_text_are_told_and_can_be_handled() {
    let cage = cage();
    let code = r"
import os
os.makedirs(b'/work/d/\xff\xfe')
open(b'/work/d/\xff\xfe/in', 'w').close()
open('/work/d/two\nlines', 'w').write('2')
open('/work/d/ -rf *', 'w').close()
open('/work/d/' + 'x' * 255, 'w').close()
os.symlink(b'/\xff', b'/work/d/link')
";
    let ran = py(&*cage, code);
    assert_eq!(ran.ending, Ending::Exited(0), "{}", err(&ran));
    let mut names: Vec<String> = cage.list("/work/d").unwrap().into_iter().map(|entry| entry.name).collect();
    names.sort();
    assert_eq!(names, [" -rf *", "link", "two\nlines", &"x".repeat(255), "\u{fffd}\u{fffd}"]);
    assert_eq!(cage.get("/work/d/two\nlines", 10).unwrap(), b"2");
    cage.rename("/work/d/two\nlines", "/work/d/one\n").unwrap();
    assert!(cage.get("/work/d/\u{fffd}\u{fffd}", 10).is_err(), "a name that is not text is not found by its picture");
    assert_eq!(cage.stat("/work/d/link").unwrap().target, "/\u{fffd}");
    cage.put("/work/d/new\nfile", b"x", false).unwrap();
    let long = cage.put(&format!("/work/d/{}", "y".repeat(256)), b"x", false);
    assert!(matches!(long, Err(CageError::NoFile { .. })), "{long:?}");
    cage.remove("/work/d").unwrap();
    assert_eq!(cage.list("/work").unwrap(), []);
}

#[test]
fn ten_gigabytes_of_output_cost_the_host_no_more_than_the_cap() {
    let cage = cage();
    let before = resident();
    let ran = shell(&*cage, "head -c 10G /dev/zero");
    assert_eq!((ran.stdout.len() as u64, ran.ending), (Limits::default().output, Ending::OutputCap));
    assert!(resident() < before + (64 << 20), "{} became {}", before, resident());
    assert_eq!(out(&shell(&*cage, "echo alive")), "alive\n");
}

/// Bytes that this process holds.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap() * 4096
}
