//! The constitution's file: what loads, what does not, and what the error says.

#![allow(clippy::unwrap_used, reason = "helpers of tests, where a panic is a failure")]

use meliora_constitution::key::SecretKey;
use meliora_constitution::{
    Constitution, Law, LawError, Reach, Requirement, Seal, Trust, seal, signature_of, standard, template,
};
use meliora_domain::{Change, Edit};
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

/// Loads the bytes as they are, signed by the one key that is pinned.
fn load(bytes: impl AsRef<[u8]>) -> Result<Constitution, LawError> {
    let (folder, key) = (tempfile::tempdir().unwrap(), SecretKey::generate().unwrap());
    let file = folder.path().join("CONSTITUTION.yaml");
    std::fs::write(
        signature_of(&file),
        key.sign(bytes.as_ref(), "timestamp:1 project:0123456789abcdef0123456789abcdef").unwrap(),
    )
    .unwrap();
    std::fs::write(&file, bytes).unwrap();
    Constitution::load(&file, Reach::default(), &Trust { keys: vec![key.public()], ..Trust::default() })
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
    fails(
        seal(&SEED.replace("\"agent workspace\"", "\"docs/**\"")),
        &["line 7", "docs/**", "agent workspace", "scopes"],
    );
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
    let trust = Trust::default();
    let law = Constitution::load(&folder.path().join("none"), Reach::default(), &trust).unwrap();
    assert_eq!(law.law().seal, Seal::BuiltIn);
    assert!(Constitution::load(folder.path(), Reach::default(), &trust).unwrap_err().what.contains("regular file"));
    #[cfg(unix)]
    {
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert!(Constitution::load(&link, Reach::default(), &trust).unwrap_err().what.contains("cannot be read"));
    }
}

#[test]
fn the_template_and_the_standard_are_valid_and_govern_once_signed() {
    for text in [template(), standard()] {
        assert_eq!(Law::parse(text).unwrap().seal, Seal::Missing);
        load(seal(text)).unwrap();
    }
    let absent = SEED.split("autonomous_operations").next().unwrap();
    assert_eq!(Law::parse(absent).unwrap().operations, Law::default().operations);
}

const OWN: &str = r#"articles:
  - id: no-secrets
    text: "Never touch the secrets"
    decision: forbid
    matcher: {paths: ["secrets/**"]}
    match: [{write: secrets/a/b}]
    not_match: [{write: src/a}, ls]
"#;

#[test]
fn an_article_of_ones_own_holds_for_changes() {
    let law = load(seal(&format!("{SEED}{OWN}"))).unwrap();
    assert_eq!(law.law().articles[0].examples.len(), 3);
    let reach = Reach { editable: vec!["**".into()], protected: vec![], max_bytes: 1 << 20 };
    let law = Constitution::from_text(&seal(&format!("{SEED}{OWN}")), reach).unwrap();
    let parent = meliora_domain::Genome::new()
        .with(meliora_domain::GenomePath::new("secrets/a").unwrap(), meliora_domain::FileBody::new(*b"x", false));
    let change = Change { edits: vec![Edit::Write { path: "secrets/a".into(), content: "y".into() }] };
    let variant = meliora_domain::VariantId([0; 20]);
    let subject = meliora_constitution::Subject::Proposal { variant, parent: &parent, change: &change };
    let meliora_constitution::Ruling::Refused(refusal) = law.review(subject, &[], meliora_domain::Timestamp(0)) else {
        panic!("it was let through")
    };
    assert_eq!(refusal.article, "no-secrets");
    assert!(refusal.reason.contains("secrets/a") && refusal.reason.contains("Never touch the secrets"));
}

#[test]
fn an_example_that_does_not_hold_stops_loading_with_its_line() {
    let at = |text: &str| format!("{SEED}{text}");
    fails(seal(&at(&OWN.replace("{write: src/a}", "{write: secrets/b}"))), &["line 16", "meets", "write: secrets/b"]);
    fails(seal(&at(&OWN.replace("secrets/a/b", "src/b"))), &["line 15", "does not meet", "write: src/b"]);
    fails(seal(&at(&OWN.replace("{write: src/a}", "{eat: src/a}"))), &["line 16", "eat", "command"]);
    fails(seal(&at(&OWN.replace("{write: src/a}", "{write: a, sql: b}"))), &["line 16", "sql"]);
}

#[test]
fn articles_that_cannot_be_meant_do_not_load() {
    let with = |from: &str, to: &str| seal(&format!("{SEED}{}", OWN.replace(from, to)));
    fails(with("id: no-secrets", "id: No Secrets"), &["line 11", "plain id"]);
    fails(with("id: no-secrets", "id: budget"), &["line 11", "always holds"]);
    fails(with("matcher: {paths: [\"secrets/**\"]}", "matcher: {}"), &["line 11", "matches nothing"]);
    fails(with("decision: forbid", "decision: maybe"), &["line 13"]);
    fails(with("text: \"Never touch the secrets\"", "text: ' '"), &["says nothing"]);
    fails(seal(&format!("{SEED}{OWN}{}", OWN.replace("articles:\n", ""))), &["line 17", "already", "line 11"]);
}

#[test]
fn what_contradicts_a_stricter_article_does_not_load() {
    let allow = |id: &str, matcher: &str, example: &str| {
        format!("  - {{id: {id}, text: x, decision: allow, matcher: {matcher}, match: [{example}]}}\n")
    };
    let with = |more: String| seal(&format!("{SEED}{OWN}{more}"));
    fails(with(allow("a", "{paths: ['**/b']}", "{write: secrets/b}")), &["line 17", "\"a\"", "no-secrets", "line 11"]);
    fails(with(allow("a", "{paths: ['*.yaml']}", "{write: b.yaml}")), &["constitution-immutable"]);
    fails(with(allow("a", "{sql: ['drop database']}", "{sql: drop database b}")), &["database-deletion", "line 2"]);
    load(with(allow("a", "{network: ['example.org']}", "{network: example.org}"))).unwrap();
    let closed = SEED.replace("  - \"Always", "  - \"No network access\"\n  - \"Always");
    let open = format!("{closed}{OWN}{}", allow("a", "{network: ['example.org']}", "{network: example.org}"));
    fails(seal(&open), &["network-denied", "line 3"]);
}

#[test]
fn a_scope_is_named_once_used_and_inside_the_workspace() {
    let scoped = |scopes: &str, scope: &str| {
        seal(&format!("scopes: {{{scopes}}}\n{}", SEED.replace("\"agent workspace\"", scope)))
    };
    let law = load(scoped("docs: ['docs/**']", "docs")).unwrap();
    let change = |path: &str| Change { edits: vec![Edit::Write { path: path.into(), content: String::new() }] };
    assert_eq!(law.requires(["docs/a"]), [Requirement::TestsPass, Requirement::GitCommit].into());
    assert_eq!(law.consent(&change("docs/a")), None);
    assert_eq!(law.consent(&change("src/a")).unwrap().article, "autonomous-operations");
    fails(scoped("docs: ['docs/**'], b: [a]", "docs"), &["line 1", "\"b\"", "used by no operation"]);
    fails(scoped("docs: []", "docs"), &["line 1", "no glob"]);
    fails(scoped("docs: ['../x']", "docs"), &["line 1", "leads out"]);
    fails(scoped("docs: ['docs/**']", "dosc"), &["line 8", "dosc", "docs"]);
    fails(seal(&SEED.replace("code_modifications", "world_domination")), &["line 7", "world_domination"]);
    let twice =
        SEED.replace("  code_modifications:", "  code: {scope: workspace, requires: []}\n  code_modifications:");
    fails(seal(&twice), &["one operation"]);
}

#[test]
fn what_requires_approval_or_lies_in_no_scope_needs_a_persons_word() {
    let law = load(seal(&SEED.replace("\"git_commit\"", "\"approval\""))).unwrap();
    let change = Change { edits: vec![Edit::Delete { path: "a".into() }] };
    let consent = law.consent(&change).unwrap();
    assert!(consent.reason.contains("code_modifications") && consent.reason.contains("approval"), "{consent:?}");
    let text = format!("{}autonomous_operations: {{}}\n", SEED.split("autonomous_operations").next().unwrap());
    assert!(load(seal(&text)).unwrap().consent(&change).is_some());
    let asks = OWN.replace("forbid", "ask").replace("secrets/**", "a").replace("secrets/a/b", "a");
    let law = load(seal(&format!("{SEED}{asks}"))).unwrap();
    assert_eq!(law.consent(&change).unwrap().article, "no-secrets");
}

#[test]
fn rules_of_the_guardian_are_checked() {
    let law = load(seal(&format!("guardian: {{violations: {{most: 3}}}}\n{SEED}"))).unwrap();
    assert_eq!(law.law().guardian.violations.most, 3);
    fails(seal(&format!("guardian: {{violations: {{mots: 3}}}}\n{SEED}")), &["line 1", "mots"]);
    fails(seal(&format!("guardian: {{budget: {{share: 3}}}}\n{SEED}")), &["line 1", "budget.share"]);
}

#[test]
fn the_schema_names_every_key_and_the_file_in_docs_is_the_same() {
    let schema = meliora_constitution::schema();
    let text = serde_json::to_string_pretty(&schema).unwrap();
    for key in ["immutable_constraints", "expires", "not_match", "code_modifications", "tests_pass", "within_minutes"] {
        assert!(text.contains(&format!("\"{key}\"")), "{key}");
    }
    assert_eq!(schema["required"], serde_json::json!(["immutable_constraints"]));
    let kept = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/constitution.schema.json");
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(kept).unwrap()).unwrap();
    assert_eq!(kept, schema, "`meliora constitution schema > docs/constitution.schema.json`");
}

#[test]
fn huge_deep_and_strange_files_are_errors_in_no_time() {
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(50_000),
        format!("{SEED}articles:\n{}", "  - {}\n".repeat(50_000)),
        format!("{SEED}? [a, b]\n: c\n"),
        format!("{SEED}scopes: !!python/object:os.system x\n"),
        "\u{feff}".to_owned(),
        "\0".to_owned(),
        "a: |\n".repeat(1000),
    ] {
        let started = std::time::Instant::now();
        assert!(load(&text).is_err());
        assert!(started.elapsed().as_secs() < 20, "it took too long: {:.40}", text);
    }
    assert!(load(seal(&format!("{SEED}version: 18446744073709551616\n"))).is_err());
    assert!(load(seal(&format!("{SEED}version: -1\n"))).is_err());
    assert!(load(seal(&format!("{SEED}expires: soon\n"))).unwrap_err().what.contains("soon"));
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
        assert!(Constitution::builtin(reach).is_err(), "{bad}");
        let reach = Reach { protected: vec![bad.into()], ..Reach::default() };
        assert!(Constitution::builtin(reach).is_err(), "{bad}");
    }
    let reach = Reach { editable: vec!["[a".into()], ..Reach::default() };
    assert!(Constitution::builtin(reach).unwrap_err().what.contains("[a"));
}

#[test]
fn a_law_without_end_and_a_version_that_nothing_could_follow_are_refused() {
    let rules = "  - \"Never modify this constitution file\"\n".repeat(600);
    fails(format!("immutable_constraints:\n{rules}"), &["immutable_constraints holds 600", "500"]);
    fails(SEED.replace("without approval", "without approval?"), &["Never delete databases without approval?"]);
    fails(format!("version: 18446744073709551615\n{SEED}"), &["version", "higher than"]);
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

    #[test]
    fn no_damage_to_a_whole_constitution_makes_it_panic(cut in 0usize..4000, gone in 0usize..40, put in "[ -~\n]{0,12}") {
        let text = seal(template());
        let from = text.floor_char_boundary(cut.min(text.len()));
        let to = text.floor_char_boundary((from + gone).min(text.len()));
        let damaged = format!("{}{put}{}", &text[..from], &text[to..]);
        let _ = (Law::parse(&damaged), Law::trial(&damaged));
    }
}
