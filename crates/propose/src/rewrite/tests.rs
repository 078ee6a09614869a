//! A whole bid, with models that say what the test wants.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use meliora_domain::{Digest, Feedback, FileBody, MicroUsd, TaskId, TreeId, VariantId};
use meliora_evolve::{PastAttempt, Reply, Tried, Usage};

use super::*;

const FILE: &str = "def f(a):\n    b = 0\n    for x in a:\n        b -= x\n    return b\n";

/// Says one thing after the other, the last one again and again, and keeps what it was asked.
struct Says {
    answers: Vec<Result<Reply, ModelError>>,
    asked: Mutex<Vec<Chat>>,
}

impl Says {
    fn new(answers: &[Result<Reply, ModelError>]) -> Self {
        Says { answers: answers.to_vec(), asked: Mutex::default() }
    }
}

impl Model for Says {
    fn name(&self) -> &str {
        "says"
    }
    fn estimate(&self, chat: &Chat) -> Cost {
        Cost { tokens: meliora_llm::chat_tokens(chat) + u64::from(chat.max_tokens), ..Cost::ZERO }
    }
    fn chat(&self, chat: &Chat, _: Reservation) -> Result<Reply, ModelError> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(chat.clone());
        self.answers[(asked.len() - 1).min(self.answers.len() - 1)].clone()
    }
}

/// Trees that were tried.
struct Trees(Vec<TreeId>);
impl Tried for Trees {
    fn tree(&self, tree: &TreeId) -> bool {
        self.0.contains(tree)
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
    failed_for("a.py: `return b` -> `return 0`", n)
}

/// Attempts that wrote another line in place of the most suspicious one.
fn failed_line(n: usize) -> Vec<PastAttempt> {
    failed_for("a.py line 4: `b -= x` -> `b *= x`", n)
}

fn failed_for(reason: &str, n: usize) -> Vec<PastAttempt> {
    vec![PastAttempt { reason: reason.into(), outcome: "rejected".into(), feedback: String::new() }; n]
}

fn ask(
    answer: Result<Reply, ModelError>,
    genome: &Genome,
    attempts: &[PastAttempt],
) -> (Result<Bid, ProposeError>, Vec<Chat>) {
    ask_all(&[answer], genome, attempts, &[], 50_000)
}

fn ask_all(
    answers: &[Result<Reply, ModelError>],
    genome: &Genome,
    attempts: &[PastAttempt],
    tried: &[TreeId],
    tokens: u64,
) -> (Result<Bid, ProposeError>, Vec<Chat>) {
    ask_with(&feedback(), answers, genome, attempts, tried, tokens)
}

fn ask_with(
    feedback: &[Feedback],
    answers: &[Result<Reply, ModelError>],
    genome: &Genome,
    attempts: &[PastAttempt],
    tried: &[TreeId],
    tokens: u64,
) -> (Result<Bid, ProposeError>, Vec<Chat>) {
    ask_by(Settings::default(), feedback, answers, genome, attempts, tried, tokens)
}

fn ask_by(
    settings: Settings,
    feedback: &[Feedback],
    answers: &[Result<Reply, ModelError>],
    genome: &Genome,
    attempts: &[PastAttempt],
    tried: &[TreeId],
    tokens: u64,
) -> (Result<Bid, ProposeError>, Vec<Chat>) {
    let model = Arc::new(Says::new(answers));
    let brief = Brief {
        goal: "add the numbers up",
        step: 1,
        seed: 77,
        parent: VariantId([0; 20]),
        genome,
        score: Some(0.5),
        feedback,
        examples: &[],
        trial: &meliora_evolve::Untried,
        ancestors: &[],
        mates: &[],
        inspirations: &[],
        attempts,
        editable: &|_| true,
        tried: &Trees(tried.to_vec()),
        reserved: Cost { tokens, usd: MicroUsd(1000), ..Cost::ZERO },
    };
    let bid = Rewrite::new(model.clone(), settings).propose(&brief);
    let asked = model.asked.lock().unwrap().clone();
    (bid, asked)
}

/// What is asked last in a conversation.
fn question(chat: &Chat) -> &str {
    &chat.messages.last().unwrap().content
}

/// The attempts that ask for a function, sweep over lines, ask for half a function, for a first and for a missing line,
/// and for one line once more.
const FUNCTION: usize = 1;
const LINE: usize = 2;
const HALF: usize = 3;
const FIRST: usize = 8;
const MISSING: usize = 9;
const AGAIN: usize = 10;

fn reply(text: &str) -> Result<Reply, ModelError> {
    let usage = Usage { prompt: 100, completion: 10, estimated: false };
    Ok(Reply { text: text.into(), truncated: false, usage, usd: MicroUsd(5), kept: false })
}

/// What comes of an attempt if the reservation is enough for one answer only.
fn once(text: &str, genome: &Genome, attempts: &[PastAttempt]) -> (Bid, usize) {
    let (_, asked) = ask(reply(text), genome, attempts);
    let tokens = Says::new(&[reply(text)]).estimate(&asked[0]).tokens + 50;
    let (bid, asked) = ask_all(&[reply(text)], genome, attempts, &[], tokens);
    (bid.unwrap(), asked.len())
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
            assert_eq!((cost.tokens % 110, cost.usd.0 % 5, cost.evals), (0, 0, 0));
            Err(reason)
        }
        Bid::Exhausted => Err("exhausted".into()),
    }
}

#[test]
fn the_first_attempt_shows_the_program_and_the_failing_tests() {
    let good = FILE.replace("b -= x", "b += x");
    let (bid, asked) = ask(reply(&format!("```python\n{good}```")), &genome(&[("a.py", FILE)]), &[]);
    assert!(matches!(bid, Ok(Bid::Proposal { .. })));
    let text = question(&asked[0]);
    for words in ["add the numbers up", FILE, "f([1]): expected 1, got -1", "whole corrected file"] {
        assert!(text.contains(words), "{words} is missing in:\n{text}");
    }
}

#[test]
fn an_answer_that_copies_the_program_is_followed_by_a_question_for_a_line() {
    let copied = format!("```python\n{}```", FILE.replace("b -= x", "b -= x  # the difference"));
    let (bid, asked) = ask_all(&[reply(&copied), reply("b += x")], &genome(&[("a.py", FILE)]), &[], &[], 50_000);
    assert!(matches!(bid, Ok(Bid::Proposal { reason, .. }) if reason == "a.py line 4 left out: `b -= x` -> `b += x`"));
    assert!(question(&asked[1]).ends_with("The missing line, which begins with `b`:"), "{}", question(&asked[1]));
}

/// Answers that are near to none of the file's lines, one for each of them.
const FAR: [&str; 5] = ["while not done(a, b, x): pass"; 5];

#[test]
fn a_sweep_first_leaves_out_the_most_suspicious_line() {
    let (bid, asked) = ask(reply("b += x\n    return b"), &genome(&[("a.py", FILE)]), &failed(LINE));
    assert!(matches!(bid, Ok(Bid::Proposal { reason, .. }) if reason == "a.py line 4 left out: `b -= x` -> `b += x`"));
    let chat = &asked[0];
    assert_eq!((chat.seed, chat.temperature, chat.messages.len()), (1, 0.0, 8));
    let text = question(chat);
    for words in ["add the numbers up", "- f([1]): expected 1\n", "    for x in a:\n        ____\n    return b\n"] {
        assert!(text.contains(words) && !text.contains("b -= x"), "{words} is missing in:\n{text}");
    }
}

#[test]
fn what_is_far_from_the_line_that_was_left_out_is_no_attempt() {
    let answers: Vec<_> = FAR.iter().chain(&["b += x"]).map(|text| reply(text)).collect();
    let (bid, asked) = ask_all(&answers, &genome(&[("a.py", FILE)]), &failed(LINE), &[], 50_000);
    assert!(matches!(bid, Ok(Bid::Proposal { reason, .. }) if reason == "a.py line 4: `b -= x` -> `b += x`"));
    let left_out = asked.iter().filter(|chat| question(chat).contains("____"));
    assert_eq!((left_out.count(), asked.len()), (FAR.len(), FAR.len() + 1));
}

#[test]
fn a_line_is_asked_for_after_worked_examples() {
    let (_, asked) = ask(reply("b += x"), &genome(&[("a.py", FILE)]), &failed(AGAIN));
    let chat = &asked[0];
    assert_eq!((chat.messages.len(), chat.messages[0].role), (12, Role::System));
    let text = question(chat);
    assert!(text.ends_with("\nWrong line: b -= x"), "{text}");
    for words in ["add the numbers up", FILE, "f([1]): expected 1, got -1"] {
        assert!(text.contains(words), "{words} is missing in:\n{text}");
    }
}

#[test]
fn a_model_that_is_not_small_is_always_shown_the_program_with_its_failing_tests() {
    let large = || Settings { small: false, ..Settings::default() };
    for attempts in [FUNCTION, LINE, HALF, FIRST, MISSING, AGAIN] {
        let genome = genome(&[("a.py", FILE)]);
        let (_, asked) = ask_by(large(), &feedback(), &[reply("no idea")], &genome, &failed(attempts), &[], 50_000);
        assert_eq!(asked.len(), CALLS);
        for chat in &asked {
            let text = question(chat);
            assert!(text.contains("b -= x") && text.contains("Failing tests:") && text.contains("whole"), "{text}");
        }
    }
}

#[test]
fn a_prompt_that_is_too_long_is_an_outcome() {
    let (bid, asked) = ask(Err(ModelError::TooLong("about 9000 tokens".into())), &genome(&[("a.py", FILE)]), &[]);
    assert!(matches!(bid, Ok(Bid::Unusable { reason, .. }) if reason.contains("about 9000 tokens")));
    assert_eq!(asked.len(), 1);
}

#[test]
fn lines_that_were_tried_are_named() {
    let (_, asked) = ask(reply("b += x"), &genome(&[("a.py", FILE)]), &failed_line(AGAIN));
    assert!(question(&asked[0]).ends_with("Wrong line: b -= x\nAlso wrong: b *= x"), "{}", question(&asked[0]));
}

#[test]
fn a_small_program_with_examples_is_asked_for_anew_first() {
    let mut told = feedback();
    told.push(ran("two", false, "f([1, 2]): expected 3, got -3", &[1, 2, 3, 4, 5]));
    told[0].detail = "f([]): expected 0, and got it".into();
    let genome = genome(&[("a.py", FILE)]);
    let (_, asked) = ask_with(&told, &[reply("x")], &genome, &[], &[], 50_000);
    let text = question(&asked[0]);
    assert!(
        text.contains("# to be written") && text.contains("- f([1, 2]): expected 3\n- f([]): expected 0\n"),
        "{text}"
    );
}

#[test]
fn a_function_is_asked_for_without_its_body() {
    let (_, asked) = ask(reply("x"), &genome(&[("a.py", FILE)]), &failed(FUNCTION));
    let text = question(&asked[0]);
    assert!(text.contains("def f(a):\n    # to be written\n") && !text.contains("b -= x"), "{text}");
    assert!(text.contains("- f([1]): expected 1\n"), "{text}");
}

#[test]
fn a_function_is_asked_for_without_its_more_suspicious_half() {
    let (_, asked) = ask(reply("x"), &genome(&[("a.py", FILE)]), &failed(HALF));
    let text = question(&asked[0]);
    assert!(text.contains("    b = 0\n    for x in a:\n        # … missing lines …\n```"), "{text}");
    let (_, asked) = ask(reply("x"), &genome(&[("a.py", FILE)]), &failed(HALF + 2));
    let text = question(&asked[0]);
    assert!(text.contains("def f(a):\n    # … missing lines …\n        b -= x\n    return b\n"), "{text}");
    let good = FILE.replace("b -= x", "b += x");
    assert_eq!(after(&format!("```python\n{good}\nprint(f([1]))\n```"), HALF).as_deref(), Ok(&*good));
}

#[test]
fn half_a_function_in_braces_keeps_them() {
    let file = "fn f(a: &[i64]) -> i64 {\n    let mut b = 0;\n    for x in a {\n        b -= x;\n    }\n    b\n}\n";
    let lines = BTreeMap::from([("a.rs".to_owned(), vec![2, 3, 4, 6])]);
    let task = Feedback { lines, ..ran("one", false, "f([1]): expected 1, got -1", &[]) };
    let genome = genome(&[("a.rs", file)]);
    let (_, asked) = ask_with(&[task], &[reply("x")], &genome, &failed(HALF), &[], 50_000);
    let text = question(&asked[0]);
    assert!(text.contains("{\n    // … missing lines …\n        b -= x;\n    }\n    b\n}\n"), "{text}");
}

#[test]
fn a_missing_line_is_put_after_the_line_that_was_named() {
    assert_eq!(after("b += 1", MISSING).as_deref(), Ok(&*FILE.replace("b -= x\n", "b -= x\n        b += 1\n")));
    let (_, asked) = ask(reply("b += 1"), &genome(&[("a.py", FILE)]), &failed(FIRST));
    assert!(question(&asked[0]).ends_with("A line is missing after: def f(a):"), "{}", question(&asked[0]));
    assert_eq!(
        after("if not a: return 0", FIRST).as_deref(),
        Ok(&*FILE.replace("    b = 0", "    if not a: return 0\n    b = 0"))
    );
}

#[test]
fn answers_that_bring_nothing_new_are_asked_for_again_within_the_reservation() {
    let genome = genome(&[("a.py", FILE)]);
    let good = Genome::new().with(GenomePath::new("a.py").unwrap(), {
        FileBody::new(FILE.replace("b -= x", "b *= x").into_bytes(), false)
    });
    let tried = [good.tree()];
    let answers = ["b -= x", "b *= x", "b += x"].map(reply);
    let (bid, asked) = ask_all(&answers, &genome, &failed_line(AGAIN), &tried, 50_000);
    let Ok(Bid::Proposal { reason, cost, .. }) = bid else { panic!("{bid:?}") };
    assert_eq!((reason.as_str(), cost.tokens), ("a.py line 4: `b -= x` -> `b += x`", 330));
    assert!(asked.iter().all(|chat| question(chat).ends_with("Wrong line: b -= x\nAlso wrong: b *= x")));
    assert!(asked[1].temperature > asked[0].temperature && asked[1].seed != asked[0].seed);

    let (bid, calls) = once("b -= x", &genome, &failed_line(AGAIN));
    assert!(matches!(bid, Bid::Unusable { reason, cost } if reason.contains("changes nothing") && cost.tokens == 110));
    assert_eq!(calls, 1);
}

#[test]
fn another_line_is_asked_about_after_three_useless_answers() {
    let (bid, asked) = ask(reply(")("), &genome(&[("a.py", FILE)]), &failed_line(AGAIN));
    assert!(matches!(bid, Ok(Bid::Unusable { reason, .. }) if reason.contains("not of the language")));
    let about: Vec<bool> = asked.iter().map(|chat| question(chat).contains("Wrong line: b -= x")).collect();
    assert_eq!(about[..4], [true, true, true, false]);
    assert!(question(&asked[3]).contains("____"), "{}", question(&asked[3]));
}

#[test]
fn a_sweep_leaves_a_line_that_is_copied_for_the_next_one() {
    let answers: Vec<_> = FAR.iter().chain(&["b -= x", "b = 1"]).map(|text| reply(text)).collect();
    let (bid, asked) = ask_all(&answers, &genome(&[("a.py", FILE)]), &failed(LINE), &[], 50_000);
    assert!(matches!(bid, Ok(Bid::Proposal { .. })));
    let asked = &asked[FAR.len()..];
    let named: Vec<&str> = asked.iter().map(|chat| question(chat).rsplit_once('\n').unwrap().1).collect();
    assert_eq!(named, ["Wrong line: b -= x", "Wrong line: b = 0"]);
    assert_eq!(asked[0].temperature, asked[1].temperature);
}

#[test]
fn the_same_request_is_paid_once() {
    let model = Arc::new(Says::new(&[reply("b += x")]));
    let rewrite = Rewrite::new(model.clone(), Settings::default());
    let chat = Chat { temperature: 0.2, max_tokens: 60, seed: 1, ..Chat::default() };
    let all = Reservation(Cost { tokens: 1000, usd: MicroUsd(1000), ..Cost::ZERO });
    let answers = [(); 2].map(|()| rewrite.chat(&chat, all).unwrap());
    assert_eq!(answers.each_ref().map(|a| (a.text.as_str(), a.cost().tokens)), [("b += x", 110), ("b += x", 0)]);
    rewrite.chat(&Chat { seed: 2, ..chat }, all).unwrap();
    assert_eq!(model.asked.lock().unwrap().len(), 2);
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
        assert_eq!(after(answer, AGAIN).as_deref(), Ok(good.as_str()), "{answer}");
    }
    let guarded = after("```python\nif x:\n    b += x\n```", AGAIN).unwrap();
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
        assert_eq!(after(&answer, FUNCTION).as_deref(), Ok(good.as_str()), "{answer}");
    }
}

#[test]
fn an_answer_without_code_is_unusable_and_says_why() {
    let genome = genome(&[("a.py", FILE)]);
    let cases = [
        ("", "empty"),
        ("The bug is that it subtracts.", "only words"),
        ("```python\nb += x\n```", "no function of the file"),
        ("```python\ndef f(a):\n    # to be written\n```", "leaves out"),
        ("```diff\n-b -= x\n+b += x\n```", "is a diff"),
        ("<<<<<<< SEARCH\nb -= x\n=======\n", "not complete"),
    ];
    for (answer, words) in cases {
        let (Bid::Unusable { reason: why, .. }, _) = once(answer, &genome, &failed(FUNCTION)) else {
            panic!("{answer}")
        };
        assert!(why.contains(words), "{answer}: {why}");
    }
}

#[test]
fn a_search_that_does_not_fit_is_handed_on_for_the_law_to_refuse() {
    let why = after("<<<<<<< SEARCH\nb = x\n=======\nb += x\n>>>>>>> REPLACE", FUNCTION).unwrap_err();
    assert!(why.contains("does not stand in 'a.py'"), "{why}");
}

#[test]
fn a_truncated_answer_and_a_failed_call_are_paid_outcomes() {
    let genome = genome(&[("a.py", FILE)]);
    let cut = reply("```python\ndef f").map(|r| Reply { truncated: true, ..r });
    let (bid, asked) = ask(cut, &genome, &failed(FUNCTION));
    let paid = asked.iter().map(|chat| serde_json::to_string(chat).unwrap()).collect::<BTreeSet<_>>().len();
    assert!(
        matches!(bid, Ok(Bid::Unusable { reason, cost }) if !reason.is_empty() && cost.tokens == 110 * paid as u64)
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
        (FUNCTION, format!("It must add. Really.\n```python\n{good}```"), "It must add. a.py: `b -= x` -> `b += x`"),
        (AGAIN, "```\nb += x\n```".into(), "a.py line 4: `b -= x` -> `b += x`"),
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
            let model = Says::new(&[reply("")]);
            let most = Rewrite::new(Arc::new(Says::new(&[reply("")])), Settings::default()).estimate(&genome);
            let needed = model.estimate(&asked[0]);
            assert!(needed.tokens <= most.tokens, "turn {turn}: {} > {}", needed.tokens, most.tokens);
            let ends =
                ["Answer with", ">>>>>>> REPLACE", "Wrong line: ", "A line is missing after: ", "The missing line"];
            assert!(ends.iter().any(|end| question(&asked[0]).contains(end)), "{}", question(&asked[0]));
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

#[test]
fn where_nothing_fails_a_small_model_is_asked_for_a_body_then_for_numbers_then_for_the_whole() {
    const TUNED: &str = "STEP = 0.5\n\n\ndef f(a):\n    return STEP * a\n";
    let genome = genome(&[("a.py", TUNED)]);
    let passed = [ran("one", true, "f(1) gives 0.5", &[1, 4, 5])];
    let answers = [reply("```py\ndef f(a):\n    return STEP * a\n```"), reply("STEP = 0.25")];
    let (bid, asked) = ask_with(&passed, &answers, &genome, &[], &[], 50_000);
    assert!(question(&asked[0]).contains("# to be written") && !question(&asked[0]).contains("return STEP"));
    assert!(question(&asked[1]).contains("Find better values for STEP"), "a copied body is no attempt");
    let Bid::Proposal { change, reason, .. } = bid.unwrap() else { panic!("no proposal") };
    assert_eq!(reason, "numbers: STEP = 0.25");
    let new = change.apply(&genome).unwrap();
    assert_eq!(new.files().next().unwrap().1.text(), Some(TUNED.replace("0.5", "0.25").as_str()));

    let way = |tries: usize| {
        question(&ask_with(&passed, &answers[1..], &genome, &failed(tries), &[], 50_000).1[0]).to_owned()
    };
    assert!(way(2).contains("Answer with the whole corrected file") && way(2).contains("Tried before"));
    let large = Settings { small: false, ..Settings::default() };
    let (_, asked) = ask_by(large, &passed, &answers[1..], &genome, &[], &[], 50_000);
    assert!(question(&asked[0]).contains("return STEP * a"), "a larger model sees the program");
}
