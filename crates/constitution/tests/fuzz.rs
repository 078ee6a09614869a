//! Texts made of the parts that trouble parsers: none brings the law down, and none hides what stands behind it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use meliora_constitution::{Constitution, Law, Reach, Workspace};
use meliora_domain::{Decision, Operation};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn decide(operation: Operation) -> Decision {
    let reach = Reach { editable: vec!["**".into()], protected: vec!["suite".into()], max_bytes: 1 << 20 };
    let workspace = Workspace::new(Path::new("/home/agent/work"), Path::new("/home/agent"));
    Constitution::builtin(reach).unwrap().decide(&operation, &workspace).decision
}

fn bash(text: String) -> Decision {
    decide(Operation::Command { text })
}

fn sql(text: String) -> Decision {
    decide(Operation::Sql { text })
}

fn diff(text: String) -> Decision {
    decide(Operation::Diff { text })
}

const BASH: &[&str] = &[
    "$(",
    ")",
    "`",
    "'",
    "\"",
    "$'",
    "\\'",
    "<<E\n",
    "<<-'E'\n",
    "\nE\n",
    "<<<",
    "|",
    "|&",
    "&&",
    "||",
    ";",
    ";;",
    "&",
    "{ ",
    " }",
    "(",
    "((",
    "))",
    "[[ ",
    " ]]",
    "<(",
    ">(",
    ">&",
    "&>",
    "2>",
    "ls ",
    "echo ",
    "cat ",
    "x=1 ",
    "x=(a b)",
    "${x",
    "${x:-",
    "}",
    "${!x}",
    "$((",
    "$x",
    "$1",
    "\\",
    "\\\n",
    "\n",
    "#",
    "for i in a; do ",
    "done",
    "while read l; do ",
    "case a in a) ",
    "esac",
    "if ls; then ",
    "fi",
    "function f",
    "f() ",
    "select x in ",
    "coproc ",
    "time ",
    "! ",
    "~",
    "{a,b}",
    "*",
    "?",
    "[a-",
    "é",
    "\u{200b}",
    "\t",
    "--",
    " -x ",
];
const SQL: &[&str] = &[
    "SELECT ",
    "1",
    " FROM t",
    " WHERE ",
    "'",
    "''",
    "\"",
    "E'",
    "$$",
    "$a$",
    "U&'",
    "--",
    "--\n",
    "/*",
    "*/",
    "/*!",
    ";",
    "\n",
    "(",
    ")",
    ",",
    "WITH x AS (",
    "INSERT INTO t VALUES (1)",
    "UPDATE t SET a = 1",
    " RETURNING ",
    "COPY t TO ",
    "STDOUT",
    "EXPLAIN ",
    "TABLE t",
    "BEGIN",
    "COMMIT",
    "CASE WHEN ",
    " END",
    "::int",
    "[1]",
    "\\",
    "\\d",
    "\\g",
    "count(*)",
    "now()",
    " UNION ",
    "é",
    "NULL",
    " AS ",
    "*",
];
const DIFF: &[&str] = &[
    "diff --git a/x b/x\n",
    "diff --git \"a/x\" \"b/x\"\n",
    "--- a/x\n",
    "+++ b/x\n",
    "--- /dev/null\n",
    "+++ /dev/null\n",
    "@@ -1 +1 @@\n",
    "@@ -1,3 +1,4 @@\n",
    "@@ -0,0 +1,99999999999999999999 @@\n",
    "@@ -1,2 +1,2 @@ x\n",
    "-a\n",
    "+b\n",
    " c\n",
    "\\ No newline at end of file\n",
    "\n",
    "new file mode 100644\n",
    "new file mode 120000\n",
    "deleted file mode 100644\n",
    "old mode 100644\n",
    "rename from x\n",
    "rename to y\n",
    "copy from x\n",
    "index 0123456..89abcde 100644\n",
    "similarity index 100%\n",
    "GIT binary patch\n",
    "literal 3\n",
    "Binary files a and b differ\n",
    "-- \n",
    "From x\n",
    "é\n",
    "\r\n",
    "x",
    " ",
    "\t",
];
const YAML: &[&str] = &[
    "immutable_constraints:",
    "\n",
    "  - ",
    "\"Never modify this constitution file\"",
    "[",
    "]",
    "{",
    "}",
    ",",
    ": ",
    "&a ",
    "*a",
    "<<: ",
    "|\n",
    ">-\n",
    "'",
    "\"",
    "# x",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "!!binary ",
    "!x ",
    "? ",
    "\t",
    "~",
    "null",
    "version: 1\n",
    "version: 1e999\n",
    "articles:\n",
    "  - {id: a, text: x, decision: ask, matcher: {commands: [git push]}}\n",
    "expires: 2099-01-01\n",
    "guardian: {}\n",
    "  ",
    "scopes: {a: [\"**\"]}\n",
    "autonomous_operations: {}\n",
    "signature: \"<sha256>\"\n",
    "\u{feff}",
    "é",
    "\\x00",
    "\r\n",
    "0x10",
    "[[[[[[[[",
];

fn mixed(parts: &'static [&'static str]) -> impl Strategy<Value = String> {
    vec(prop_oneof![8 => select(parts.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,6}"], 0..40)
        .prop_map(|some| some.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_shell_text_brings_it_down_or_hides_a_line_behind_it(text in mixed(BASH)) {
        bash(text.clone());
        // Where it leaves a quote or a bracket open, the whole is not understood; and that is asked about.
        // A backslash takes one line's end away.
        let behind = format!("{text}\n\nrm -rf /etc\n");
        prop_assert_ne!(bash(behind.clone()), Decision::Allow, "{}", behind);
    }

    #[test]
    fn no_sql_brings_it_down_or_hides_a_statement_behind_it(text in mixed(SQL)) {
        sql(text.clone());
        let behind = format!("{text}\n;\nDROP TABLE runs;\n");
        prop_assert_ne!(sql(behind.clone()), Decision::Allow, "{}", behind);
    }

    #[test]
    fn no_diff_brings_it_down_or_hides_a_file_behind_it(text in mixed(DIFF)) {
        diff(text.clone());
        let file = "diff --git a/CONSTITUTION.yaml b/CONSTITUTION.yaml\n--- a/CONSTITUTION.yaml\n+++ b/CONSTITUTION.yaml\n@@ -1 +1 @@\n-a\n+b\n";
        let behind = format!("{text}\n{file}");
        prop_assert_ne!(diff(behind.clone()), Decision::Allow, "{}", behind);
    }

    #[test]
    fn no_yaml_brings_the_parser_down(text in mixed(YAML), whole in any::<bool>()) {
        let text = if whole { format!("{}\n{text}", meliora_constitution::standard()) } else { text };
        let _ = (Law::parse(&text), Law::trial(&text), Constitution::from_text(&text, Reach::default()));
        let sealed = meliora_constitution::seal(&text);
        prop_assert_eq!(meliora_constitution::seal(&sealed), sealed.clone());
    }
}

#[test]
fn what_is_nested_without_end_is_asked_about_and_no_stack_overflows() {
    let deep = |open: &str, inner: &str, close: &str| [open.repeat(2_000), inner.into(), close.repeat(2_000)].concat();
    for text in [
        deep("(", "ls", ")"),
        deep("$(", "ls", ")"),
        deep("{ ", "ls; ", "}; "),
        deep("if ls; then ", "ls; ", "fi; "),
        deep("\"$(", "ls", ")\""),
        deep("[[ (", "a", ") ]]"),
        deep("<(", "ls", ")"),
        deep("`", "ls", "`"),
        deep("sh -c '", "ls", "'"),
        deep("${x:-", "a", "}"),
        deep("ls | ", "frobnicate", ""),
        deep("! ", "frobnicate", ""),
    ] {
        assert_ne!(bash(text.clone()), Decision::Allow, "{}", &text[..20]);
    }
    for text in [
        format!("SELECT {}", deep("(", "1", ")")),
        format!("SELECT {}", deep("- ", "1", "")),
        format!("SELECT {}", deep("NOT ", "true", "")),
        format!("SELECT 1 WHERE {}", deep("EXISTS (SELECT 1 WHERE ", "true", ")")),
        deep("SELECT * FROM (", "SELECT 1", ") x"),
        deep("/*", "", "*/"),
        deep("EXPLAIN ", "SELECT 1", ""),
    ] {
        assert_ne!(sql(text.clone()), Decision::Allow, "{}", &text[..20]);
    }
    for text in
        [deep("[", "1", "]"), deep("{a: ", "1", "}"), deep("- ", "a", ""), deep("? ", "a", ""), deep("!x ", "a", "")]
    {
        assert!(Law::parse(&text).is_err(), "{}", &text[..20]);
    }
}
