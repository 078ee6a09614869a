//! A half repair is no dead end: what it mended is mended otherwise, together with the rest.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Project, toml};

/// `and` stands for `or`, deep inside; an easier edit mends the years that 100 does not divide, and hides the rest.
const LEAP: &str = "def leap(year):\n    return year % 4 == 0 and (year % 100 != 0 and year % 400 == 0)\n";

/// One task for each year and split, so that a part of them can pass.
fn tasks(years: &[(u32, bool)]) -> String {
    let mut lines = String::new();
    for split in ["train", "validation"] {
        for (year, leap) in years {
            lines += &format!(
                "{{\"id\":\"{year}/{split}\",\"split\":\"{split}\",\"assignment\":{{\"call\":{{\"file\":\"leap.py\",\
                 \"function\":\"leap\"}},\"inputs\":[[{year}]]}},\"key\":{{\"expect\":[{leap}]}}}}\n"
            );
        }
    }
    lines
}

#[test]
fn an_edit_takes_the_place_of_one_that_mended_only_some() {
    let project = Project::empty();
    project.write("meliora.toml", toml(&["leap.py"], ""));
    project.write("genome/leap.py", LEAP);
    project.write("suite/suite.toml", "kind = \"exact\"\nseconds = 5\n");
    let years = [(2024, true), (2023, false), (2000, true), (1900, false), (1800, false), (2004, true)];
    project.write("suite/tasks.jsonl", tasks(&years));

    let ran = project.meliora(&["run", ".", "--json", "--jobs", "1", "--evals", "400"]).exits(0);
    assert_eq!(ran.last()["champion_score"], 1.0, "{}", ran.last());
    let accepted = project.events("judged").iter().filter(|e| e["judgement"]["verdict"] == "accepted").count();
    assert!(accepted > 1, "a half repair came first");
    let bids = project.events("bid");
    assert!(bids.iter().any(|e| e.to_string().contains("in place of an earlier change")), "and was taken back");
}
