//! The constitution's file: what loads, what does not, and what the error says.

#![allow(clippy::unwrap_used, reason = "helpers of tests, where a panic is a failure")]

use meliora_constitution::{Constitution, Law, LawError, Reach, Seal, seal, template};
use proptest::prelude::*;

const SEED: &str = r#"immutable_constraints:
  - "Never delete databases without approval"
  - "Always sandbox code execution"
  - "Never modify this constitution file"
autonomous_operations:
  code_modifications:
    scope: "agent workspace"
    requires: ["tests_pass", "git_commit"]
signature: "<sha256>"
"#;

fn load(bytes: impl AsRef<[u8]>) -> Result<Constitution, LawError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("CONSTITUTION.yaml");
    std::fs::write(&file, bytes).unwrap();
    Constitution::load(&file, Reach::default())
}

fn fails(bytes: impl AsRef<[u8]>, words: &[&str]) {
    let error = load(bytes).unwrap_err();
    let said = format!("{}\nhint: {}", error.what, error.hint.unwrap_or_default());
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

#[test]
fn the_seed_file_loads_once_signed_and_each_rule_has_its_article() {
    let law = load(seal(SEED)).unwrap();
    let ids: Vec<&str> = law.law().rules.iter().map(|r| r.article.id).collect();
    assert_eq!(ids, ["database-deletion", "sandboxed-execution", "constitution-immutable"]);
    assert_eq!(law.law().rules[1].line, 3);
    assert_eq!(law.law().operations["code_modifications"].requires.len(), 2);
    assert_eq!(law.law().seal, Seal::Holds);
}

#[test]
fn a_placeholder_or_no_signature_parses_but_does_not_govern() {
    let hint = &["not signed", "meliora constitution sign"][..];
    for text in [
        SEED.to_owned(),
        SEED.replace("<sha256>", ""),
        SEED.replace("signature: \"<sha256>\"\n", ""),
        SEED.replace("\"<sha256>\"", ""),
    ] {
        assert_eq!(Law::parse(&text).unwrap().seal, Seal::Missing, "{text}");
        fails(text, hint);
    }
}

#[test]
fn an_altered_file_does_not_load() {
    let signed = seal(SEED);
    fails(signed.replace("[\"tests_pass\", \"git_commit\"]", "[]"), &["altered", "meliora constitution sign"]);
    fails(signed.replace('\n', "\r\n"), &["altered"]);
    fails(format!("{signed}# one more comment\n"), &["altered"]);
}

#[test]
fn nothing_hides_in_the_line_that_the_checksum_leaves_out() {
    let signed = seal(SEED);
    let line = signed.lines().last().unwrap();
    fails(signed.replace(line, &format!("{line} # x")), &["more than the signature"]);
    fails(signed.replace(line, &line.replace("signature: ", "signature: &a ")), &["more than the signature"]);
    fails(signed.replace(line, &format!("{line}\n{line}")), &["line 10"]);
    fails(signed.replace("signature:", "\"signature\":"), &["line of its own"]);
    fails(signed.replace("\nsignature:", "\rsignature:"), &["line of its own"]);
}

#[test]
fn a_rule_that_nothing_enforces_stops_loading_and_shows_what_can_be_said() {
    let text = SEED.replace("Always sandbox code execution", "Always be kind");
    fails(seal(&text), &["line 3", "Always be kind", "Never modify tests or benchmarks"]);
    fails(seal(&SEED.replace("\"agent workspace\"", "\"docs/**\"")), &["line 7", "docs/**", "agent workspace"]);
    fails(seal(&SEED.replace("\"tests_pass\"", "\"vibes\"")), &["line 8", "vibes", "tests_pass"]);
    fails(seal("immutable_constraints: []\n"), &["no rule"]);
}

#[test]
fn unknown_doubled_and_mistyped_keys_are_named_with_their_line() {
    fails(seal(&SEED.replace("autonomous_operations", "autonomus_operations")), &["autonomus_operations", "line 5"]);
    fails(seal(&SEED.replace("    scope", "    reason: x\n    scope")), &["reason", "line 7"]);
    fails(seal(&format!("version: 1\nversion: 2\n{SEED}")), &["version", "line 2"]);
    fails(seal(&format!("version: one\n{SEED}")), &["line 1"]);
    fails(seal(&SEED.replace("  code_modifications:", "  <<: {a: 1}\n  code_modifications:")), &["line 6"]);
    fails(seal(""), &[]);
    fails(seal("- a\n- b\n"), &["line 1"]);
    fails(seal(&format!("{SEED}---\n{SEED}")), &["document"]);
}

#[test]
fn bytes_that_are_no_text_and_aliases_are_errors() {
    fails(b"immutable_constraints:\n  - \"\xff\"\n", &["line 2", "UTF-8"]);
    fails("x".repeat((1 << 20) + 1), &["bytes"]);
    let one = "immutable_constraints: [&a \"Never modify this constitution file\", *a]\n";
    fails(seal(one), &["line 1", "alias"]);
    let bomb = format!("immutable_constraints: [&a \"{}\"{}]\n", "x".repeat(500_000), ", *a".repeat(100_000));
    fails(seal(&bomb), &["line 1", "alias"]);
}

#[test]
fn no_file_is_the_default_but_a_file_that_cannot_be_read_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let law = Constitution::load(&folder.path().join("none"), Reach::default()).unwrap();
    assert_eq!(law.law().seal, Seal::BuiltIn);
    assert!(Constitution::load(folder.path(), Reach::default()).unwrap_err().what.contains("regular file"));
    #[cfg(unix)]
    {
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert!(Constitution::load(&link, Reach::default()).unwrap_err().what.contains("cannot be read"));
    }
}

#[test]
fn the_template_is_valid_and_governs_once_sealed() {
    assert_eq!(Law::parse(template()).unwrap().seal, Seal::Missing);
    assert_eq!(load(seal(template())).unwrap().law().rules.len(), 6);
}

#[test]
fn the_digest_tells_laws_and_reaches_apart() {
    let digest = |text: &str, editable: &[&str], protected: &[&str], max_bytes| {
        let strings = |list: &[&str]| list.iter().map(|s| s.to_string()).collect();
        let reach = Reach { editable: strings(editable), protected: strings(protected), max_bytes };
        Constitution::from_text(&seal(text), reach).unwrap().digest()
    };
    let all = [
        digest(SEED, &["a"], &[], 1),
        digest(SEED, &[], &["a"], 1),
        digest(SEED, &["a"], &["a"], 1),
        digest(SEED, &["a"], &[], 2),
        digest(&format!("{SEED}# x\n"), &["a"], &[], 1),
    ];
    assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
    assert_eq!(all[0], digest(SEED, &["a"], &[], 1));
}

#[test]
fn a_reach_that_leads_out_of_the_root_does_not_load() {
    for bad in ["/etc/*", "../*", "a/../../b"] {
        let reach = Reach { editable: vec![bad.into()], ..Reach::default() };
        assert!(Constitution::load("none".as_ref(), reach).is_err(), "{bad}");
        let reach = Reach { protected: vec![bad.into()], ..Reach::default() };
        assert!(Constitution::load("none".as_ref(), reach).is_err(), "{bad}");
    }
    let reach = Reach { editable: vec!["[a".into()], ..Reach::default() };
    assert!(Constitution::load("none".as_ref(), reach).unwrap_err().what.contains("[a"));
}

proptest! {
    #[test]
    fn sealing_twice_changes_nothing_and_any_other_byte_breaks_the_seal(at in 0usize..300, extra in "[ a#]") {
        let signed = seal(SEED);
        prop_assert_eq!(&seal(&signed), &signed);
        let mut other = signed.clone();
        let at = at.min(other.len());
        other.insert_str(at, &extra);
        // Blanks around the signature's value are the one thing that is not covered.
        let blank_in_line = extra == " " && at > signed.rfind("signature:").unwrap() + 9;
        if !blank_in_line {
            prop_assert!(Constitution::from_text(&other, Reach::default()).is_err(), "{other}");
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[a-z:\\-\\[\\]{}&*!|>\"' \n#]{0,60}") {
        let _ = Law::parse(&text);
        let sealed = seal(&text);
        prop_assert_eq!(seal(&sealed), sealed.clone());
    }
}
