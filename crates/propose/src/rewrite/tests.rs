//! A whole bid, with models that say what the test wants.

use std::collections::BTreeMap;
use std::sync::Mutex;

use meliora_domain::{Digest, Feedback, FileBody, MicroUsd, TaskId, TreeId, VariantId};
use meliora_evolve::{PastAttempt, Reply, Tried, Usage};

use super::*;

const FILE: &str = "def f(a):\n    b = 0\n    for x in a:\n        b -= x\n    return b\n";

/// Says one thing and keeps what it was asked.
struct Says {
    answer: Result<Reply, ModelError>,
    asked: Mutex<Vec<Chat>>,
}

impl Model for Says {
    fn name(&self) -> &str {
        "says"
    }
    fn estimate(&self, chat: &Chat) -> Cost {
        Cost { tokens: meliora_llm::chat_tokens(chat) + u64::from(chat.max_tokens), ..Cost::ZERO }
    }
    fn chat(&self, chat: &Chat, _: Reservation) -> Result<Reply, ModelError> {
        self.asked.lock().unwrap().push(chat.clone());
        self.answer.clone()
    }
}

struct Never;
impl Tried for Never {
    fn tree(&self, _: &TreeId) -> bool {
        false
    }
    fn idea(&self, _: &Digest) -> bool {
        false
    }
}

fn genome(files: &[(&str, &str)]) -> Genome {
    files.iter().map(|(p, t)| (GenomePath::new(p).unwrap(), FileBody::new(t.as_bytes(), false))).collect()
}

fn ran(name: &str, passed: bool, detail: &str, lines: &[u32]) -> Feedback {
    let lines = BTreeMap::from([("a.py".to_owned(), lines.to_vec())]);
    Feedback { task: TaskId(name.into()), passed, detail: detail.into(), lines }
}

fn feedback() -> Vec<Feedback> {
    vec![
        ran("empty", true, "f([]) gives 0", &[1, 2, 3, 5]),
        ran("one", false, "f([1]): expected 1, got -1", &[1, 2, 3, 4, 5]),
    ]
}

fn failed(n: usize) -> Vec<PastAttempt> {
    let one = PastAttempt {
        reason: "a.py line 4: `b -= x` -> `b *= x`".into(),
        outcome: "rejected".into(),
        feedback: String::new(),
    };
    vec![one; n]
}

fn ask(
    answer: Result<Reply, ModelError>,
    genome: &Genome,
    attempts: &[PastAttempt],
) -> (Result<Bid, ProposeError>, Vec<Chat>) {
    let model = Arc::new(Says { answer, asked: Mutex::default() });
    let feedback = feedback();
    let brief = Brief {
        goal: "add the numbers up",
        step: 1,
        seed: 77,
        parent: VariantId([0; 20]),
        genome,
        score: Some(0.5),
        feedback: &feedback,
        inspirations: &[],
        attempts,
        editable: &|_| true,
        tried: &Never,
        reserved: Cost { tokens: 9000, ..Cost::ZERO },
    };
    let bid = Rewrite::new(model.clone(), Settings::default()).propose(&brief);
    let asked = model.asked.lock().unwrap().clone();
    (bid, asked)
}

fn reply(text: &str) -> Result<Reply, ModelError> {
    let usage = Usage { prompt: 100, completion: 10, estimated: false };
    Ok(Reply { text: text.into(), truncated: false, usage, usd: MicroUsd(5) })
}

/// The file after the answer to the attempt with this number.
fn after(text: &str, turn: usize) -> Result<String, String> {
    let genome = genome(&[("a.py", FILE)]);
    match ask(reply(text), &genome, &failed(turn)).0.unwrap() {
        Bid::Proposal { change, .. } => {
            let new = change.apply(&genome).map_err(|e| e.to_string())?;
            Ok(new.get(&GenomePath::new("a.py").unwrap()).unwrap().text().unwrap().to_owned())
        }
        Bid::Unusable { reason, cost } => {
            assert_eq!(cost, Cost { evals: 0, tokens: 110, usd: MicroUsd(5) });
            Err(reason)
        }
        Bid::Exhausted => Err("exhausted".into()),
    }
}

#[test]
fn the_first_prompt_has_goal_file_feedback_and_form() {
    let (_, asked) = ask(reply("x"), &genome(&[("a.py", FILE)]), &[]);
    let chat = &asked[0];
    assert_eq!((chat.seed, chat.messages.len()), (77, 1));
    let text = &chat.messages[0].content;
    for words in
        ["add the numbers up", FILE, "f([1]): expected 1, got -1", "f([]) gives 0", "- b -= x", "whole corrected file"]
    {
        assert!(text.contains(words), "{words} is missing in:\n{text}");
    }
}

#[test]
fn the_second_attempt_asks_for_the_most_suspicious_line() {
    let (_, asked) = ask(reply("x"), &genome(&[("a.py", FILE)]), &failed(1));
    let text = &asked[0].messages[0].content;
    assert!(text.contains("    for x in a:\n        # MISSING LINE\n    return b\n"), "{text}");
    assert!(text.contains("The missing line is not `b -= x`") && text.contains("which were tried: `b *= x`"), "{text}");
}

#[test]
fn a_missing_line_that_opens_a_block_is_said_to_do_so() {
    let asked: Vec<Chat> =
        (1..8).flat_map(|turn| ask(reply("x"), &genome(&[("a.py", FILE)]), &failed(turn)).1).collect();
    let of = |hole: &str| asked.iter().find(|c| c.messages[0].content.contains(hole)).unwrap();
    assert!(of("not `for x in a:`").messages[0].content.contains("begins with `for` and opens the block"));
    assert!(!of("not `b -= x`").messages[0].content.contains("begins with"));
}

#[test]
fn a_line_is_read_however_it_is_wrapped() {
    let good = FILE.replace("b -= x", "b += x");
    for answer in [
        "```python\nb += x\n```",
        "```python\n        b += x\n```\nThis adds.",
        "`b += x`",
        "b += x",
        "```python\n    for x in a:\n        b += x\n```",
        "```python\n        b += x\n    return b\n```",
        &format!("```python\n{good}```"),
        "a.py\n<<<<<<< SEARCH\nb -= x\n=======\nb += x\n>>>>>>> REPLACE",
    ] {
        assert_eq!(after(answer, 1).as_deref(), Ok(good.as_str()), "{answer}");
    }
    let guarded = after("```python\nif x:\n    b += x\n```", 1).unwrap();
    assert_eq!(guarded, FILE.replace("        b -= x\n", "        if x:\n            b += x\n"));
}

#[test]
fn code_is_read_however_it_is_wrapped() {
    let good = FILE.replace("b -= x", "b += x");
    for answer in [
        format!("```python\n{good}```"),
        format!("The sign is wrong.\n\n```python\n{good}```\n\nNow it adds."),
        format!("Wrong:\n```python\nb -= x\n```\nRight:\n```python\n{good}```"),
        format!("**a.py**\n```\n{good}```"),
        format!("<think>\n```python\nnonsense\n```\n</think>\n```python\n{good}"),
        "<<<<<<< SEARCH\nb -= x\n=======\nb += x\n>>>>>>> REPLACE".into(),
        "<<<<<<< SEARCH\nfor x in a: \n    b -= x\n=======\nfor x in a:\n    b += x\n>>>>>>> REPLACE".into(),
    ] {
        assert_eq!(after(&answer, 0).as_deref(), Ok(good.as_str()), "{answer}");
    }
}

#[test]
fn an_answer_without_code_is_unusable_and_says_why() {
    let cases = [
        ("", "empty"),
        ("The bug is that it subtracts.", "only words"),
        ("```python\nb += x\n```", "no function of the file"),
        ("```diff\n-b -= x\n+b += x\n```", "is a diff"),
        ("<<<<<<< SEARCH\nb -= x\n=======\n", "not complete"),
    ];
    for (answer, words) in cases {
        let why = after(answer, 0).unwrap_err();
        assert!(why.contains(words), "{answer}: {why}");
    }
}

#[test]
fn a_search_that_does_not_fit_is_handed_on_for_the_law_to_refuse() {
    let why = after("<<<<<<< SEARCH\nb = x\n=======\nb += x\n>>>>>>> REPLACE", 0).unwrap_err();
    assert!(why.contains("does not stand in 'a.py'"), "{why}");
}

#[test]
fn a_truncated_answer_and_a_failed_call_are_paid_outcomes() {
    let genome = genome(&[("a.py", FILE)]);
    let cut = reply("```python\ndef f").map(|r| Reply { truncated: true, ..r });
    assert!(
        matches!(ask(cut, &genome, &[]).0, Ok(Bid::Unusable { reason, cost }) if reason.contains("cut off") && cost.tokens == 110)
    );
    let spent = Cost { tokens: 40, ..Cost::ZERO };
    let failed = Err(ModelError::Failed { tries: 3, cause: "time-out".into(), spent });
    assert!(matches!(ask(failed, &genome, &[]).0, Ok(Bid::Unusable { cost, .. }) if cost == spent));
}

#[test]
fn a_server_that_is_down_or_refuses_is_an_error_with_a_hint() {
    let genome = genome(&[("a.py", FILE)]);
    let cases = [
        (ModelError::Unreachable { url: "http://h/v1".into(), cause: "refused".into() }, "--base-url"),
        (ModelError::Refused("answered 401 Unauthorized".into()), "key_env"),
        (ModelError::Refused("answered 404: no such model".into()), "--model"),
        (ModelError::NotRecorded("- a\n+ b".into()), "record the cassette again"),
    ];
    for (error, words) in cases {
        let error = ask(Err(error), &genome, &[]).0.unwrap_err();
        assert!(error.hint.unwrap().contains(words));
    }
}

#[test]
fn the_reason_says_what_was_changed() {
    let genome = genome(&[("a.py", FILE)]);
    let good = FILE.replace("b -= x", "b += x");
    for (turn, answer, words) in [
        (0, format!("It must add. Really.\n```python\n{good}```"), "It must add. a.py: `b -= x` -> `b += x`"),
        (1, "```\nb += x\n```".into(), "a.py line 4: `b -= x` -> `b += x`"),
    ] {
        match ask(reply(&answer), &genome, &failed(turn)).0.unwrap() {
            Bid::Proposal { reason, .. } => assert_eq!(reason, words),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_prompt_never_outgrows_the_estimate() {
    let long = (0..4000).map(|i| format!("def f{i}(a):\n    return a + {i}\n\n")).collect::<String>();
    let wide = format!("x = '{}'\n", "9".repeat(50_000));
    for files in [
        vec![("a.py", long.as_str())],
        vec![("a.py", wide.as_str())],
        vec![("a.py", FILE), ("b.py", &long), ("c.py", &wide)],
    ] {
        let genome = genome(&files);
        for turn in 0..12 {
            let (_, asked) = ask(reply("x"), &genome, &failed(turn));
            let model = Says { answer: reply(""), asked: Mutex::default() };
            let most = Rewrite::new(Arc::new(Says { answer: reply(""), asked: Mutex::default() }), Settings::default())
                .estimate(&genome);
            let needed = model.estimate(&asked[0]);
            assert!(needed.tokens <= most.tokens, "turn {turn}: {} > {}", needed.tokens, most.tokens);
            assert!(
                asked[0].messages[0].content.contains("Answer with")
                    || asked[0].messages[0].content.contains(">>>>>>> REPLACE")
            );
        }
    }
}

#[test]
fn the_same_brief_gives_the_same_prompt() {
    let genome = genome(&[("a.py", FILE), ("b.py", "y = 2\n")]);
    for turn in 0..12 {
        assert_eq!(ask(reply("x"), &genome, &failed(turn)).1, ask(reply("x"), &genome, &failed(turn)).1);
    }
}

#[test]
fn a_genome_without_an_editable_text_is_exhausted() {
    let binary: Genome =
        [(GenomePath::new("a.bin").unwrap(), FileBody::new([0xffu8].as_slice(), false))].into_iter().collect();
    let (bid, asked) = ask(reply("x"), &binary, &[]);
    assert!(matches!(bid, Ok(Bid::Exhausted)) && asked.is_empty());
}
