//! Tests of the optimizers, with a model that says what it is told to and a trial that scores by the change.

mod reference;

use std::sync::Mutex;

use super::*;
use meliora_domain::{Call, Digest, FileBody, GenomePath, MicroUsd, TaskId, TreeId, VariantId};
use meliora_evolve::{Ancestor, Inspiration, Pupil, Reply, Trial, Tried, Tryout, Usage};

/// Says the next text each time, and keeps what it was asked.
#[derive(Default)]
struct Says {
    texts: Mutex<Vec<String>>,
    asked: Mutex<Vec<String>>,
    temperatures: Mutex<Vec<f64>>,
}

impl Says {
    fn these(texts: &[&str]) -> Arc<Self> {
        let texts = texts.iter().rev().map(|t| (*t).to_owned()).collect();
        Arc::new(Says { texts: Mutex::new(texts), ..Says::default() })
    }
}

impl Model for Says {
    fn name(&self) -> &str {
        "says"
    }
    fn estimate(&self, _: &Chat) -> Cost {
        Cost { tokens: 100, ..Cost::ZERO }
    }
    fn chat(&self, chat: &Chat, _: Reservation) -> Result<Reply, ModelError> {
        self.asked.lock().unwrap().push(chat.messages[0].content.clone());
        self.temperatures.lock().unwrap().push(chat.temperature);
        let text = self.texts.lock().unwrap().pop().unwrap_or_default();
        Ok(Reply {
            text,
            truncated: false,
            usage: Usage { prompt: 6, completion: 4, estimated: false },
            usd: MicroUsd(0),
            kept: false,
        })
    }
}

/// A trial that scores each row by its demos and instructions.
type Scoring = Box<dyn Fn(&Change, &TaskId, Pupil) -> f64 + Sync>;

struct Tries {
    scoring: Scoring,
    seen: Mutex<Vec<(Change, Vec<TaskId>)>>,
}

impl Trial for Tries {
    fn on(&self, change: &Change, tasks: &[TaskId], pupil: Pupil, _: Cost) -> Result<Tryout, ProposeError> {
        self.seen.lock().unwrap().push((change.clone(), tasks.to_vec()));
        let examples = tasks
            .iter()
            .map(|task| {
                let score = (self.scoring)(change, task, pupil);
                Example { score, ..row(task.0.parse().unwrap(), score, &format!("teacher {task}")) }
            })
            .collect();
        Ok(Tryout::Done { examples, cost: Cost { tokens: 7, ..Cost::ZERO } })
    }
    fn estimate(&self, _: &[TaskId], _: Pupil) -> Cost {
        Cost::ZERO
    }
}

struct Nothing;

impl Tried for Nothing {
    fn tree(&self, _: &TreeId) -> bool {
        false
    }
    fn idea(&self, _: &Digest) -> bool {
        false
    }
}

fn row(i: usize, score: f64, said: &str) -> Example {
    let inputs = Fields::from_iter([("question", Value::from(format!("question {i}")))]);
    let outputs = Fields::from_iter([("reasoning", Value::from("because")), ("answer", Value::from(said))]);
    Example {
        task: TaskId(i.to_string()),
        inputs: inputs.clone(),
        expected: Value::from(format!("answer {i}")),
        score,
        detail: format!("expected answer {i}, got {said}"),
        demo: true,
        trace: vec![Call { predictor: "s.predict".into(), inputs, outputs, said: String::new() }],
    }
}

fn genome(instructions: &str) -> Genome {
    let text = format!(
        "[[steps]]\nname = \"s\"\nmodule = \"chain_of_thought\"\nsignature = \"question -> answer\"\ninstructions = \"{instructions}\"\n"
    );
    Genome::new().with(GenomePath::new("program.toml").unwrap(), FileBody::new(text.as_bytes(), false))
}

/// What a proposer bids in this step, and the trial's log.
fn propose(
    proposer: &dyn Proposer,
    step: u64,
    examples: &[Example],
    scoring: Scoring,
) -> (Bid, Vec<(Change, Vec<TaskId>)>) {
    propose_beside(proposer, step, examples, &[], scoring)
}

/// The same, where others are shown beside the parent.
fn propose_beside(
    proposer: &dyn Proposer,
    step: u64,
    examples: &[Example],
    inspirations: &[Inspiration],
    scoring: Scoring,
) -> (Bid, Vec<(Change, Vec<TaskId>)>) {
    let genome = genome("Answer.");
    let trial = Tries { scoring, seen: Mutex::default() };
    let brief = Brief {
        goal: "answer questions",
        step,
        seed: 40 + step,
        parent: VariantId([0; 20]),
        genome: &genome,
        score: Some(0.5),
        feedback: &[],
        examples,
        trial: &trial,
        ancestors: &[] as &[Ancestor],
        mates: &[],
        inspirations,
        attempts: &[],
        editable: &|_| true,
        tried: &Nothing,
        reserved: Cost { tokens: 10_000, usd: MicroUsd(1000), ..Cost::ZERO },
    };
    let bid = proposer.propose(&brief).unwrap();
    (bid, trial.seen.into_inner().unwrap())
}

fn settings() -> Settings {
    Settings { max_tokens: 500, context_tokens: 1000, temperature: None, row: Cost { tokens: 50, ..Cost::ZERO } }
}

/// The program that a bid makes of the parent.
fn made(bid: &Bid) -> Program {
    let Bid::Proposal { change, .. } = bid else { panic!("{bid:?}") };
    let genome = change.apply(&genome("Answer.")).unwrap();
    Ground::of(&genome, &[]).unwrap().file.program
}

fn rows(n: usize) -> Vec<Example> {
    (0..n).map(|i| row(i, f64::from(i % 2 == 0), "said")).collect()
}

#[test]
fn reword_takes_the_instructions_out_of_an_answer_and_tells_what_went_wrong() {
    let model = Says::these(&["I would rather not.", "Sure: <instructions>\nAnswer in one word.\n</instructions>"]);
    let (bid, _) = propose(&Reword::new(model.clone(), settings()), 1, &rows(4), Box::new(|_, _, _| 0.0));
    assert_eq!(made(&bid).steps[0].signature.instructions, "Answer in one word.");
    assert!(matches!(&bid, Bid::Proposal { cost, .. } if cost.tokens == 20), "the useless answer is paid too");
    let asked = model.asked.lock().unwrap();
    assert!(asked[0].contains("That is wrong: expected answer") && asked[0].contains("<instructions>\nAnswer.\n"));
}

#[test]
fn an_answer_that_copies_a_row_repeats_itself_or_changes_nothing_is_no_bid() {
    let long = "the quick brown fox jumps over the lazy dog and runs away into the deep dark wood";
    let mut copied = rows(2);
    copied[0].inputs.set("question", Value::from(long));
    for (text, why) in [
        (format!("<instructions>Say: {long}</instructions>"), "copy a train row"),
        ("<instructions>Answer.</instructions>".into(), "changes nothing"),
        (format!("<instructions>{}</instructions>", "again and again\n".repeat(9)), "repeats itself"),
        ("<instructions></instructions>".into(), "empty"),
        (String::new(), "no instructions"),
    ] {
        let model = Says::these(&[&text, &text, &text]);
        let (bid, _) = propose(&Reword::new(model, settings()), 1, &copied, Box::new(|_, _, _| 0.0));
        assert!(matches!(&bid, Bid::Unusable { reason, .. } if reason.contains(why)), "{why}: {bid:?}");
    }
}

#[test]
fn labeled_demos_are_train_rows_and_none_that_decides() {
    let mut all = rows(20);
    all[3].demo = false;
    let (bid, tried) = propose(&Labeled, 1, &all, Box::new(|_, _, _| 0.0));
    let demos = made(&bid).steps[0].demos.clone();
    assert_eq!((demos.len(), tried.len()), (16, 0));
    assert!(!demos.iter().any(|d| d.get("question") == Some(&Value::from("question 3"))));
    assert_eq!(demos[0].get("reasoning"), None);
    let none: Vec<Example> = all.into_iter().map(|e| Example { demo: false, ..e }).collect();
    assert_eq!(propose(&Labeled, 1, &none, Box::new(|_, _, _| 0.0)).0, Bid::Exhausted);
}

#[test]
fn bootstrapped_demos_are_what_the_teacher_got_right_without_seeing_the_row() {
    let teacher = Box::new(|_: &Change, task: &TaskId, pupil| f64::from(pupil == Pupil::Teacher && task.0 != "1"));
    let (bid, tried) = propose(&Bootstrap::new(settings()), 1, &rows(20), teacher);
    let demos = made(&bid).steps[0].demos.clone();
    let traced: Vec<&Fields> = demos.iter().filter(|d| d.get("reasoning").is_some()).collect();
    assert_eq!((demos.len(), traced.len(), tried.len()), (16, 4, 5), "row 1 was wrong");
    assert_eq!(traced[1].get("answer"), Some(&Value::from("teacher 2")));
    for (change, tasks) in &tried {
        let shown = change.apply(&genome("Answer.")).unwrap();
        let shown = Ground::of(&shown, &[]).unwrap().file.program.steps[0].demos.clone();
        let itself = Value::from(format!("question {}", tasks[0]));
        assert!(shown.len() == 16 && !shown.iter().any(|d| d.get("question") == Some(&itself)));
    }
    assert!(matches!(&bid, Bid::Proposal { cost, .. } if cost.tokens == 5 * 7));
}

#[test]
fn a_random_search_goes_through_its_candidates_and_ends() {
    let right = || -> Scoring { Box::new(|_, _, _| 1.0) };
    let search = RandomSearch::new(settings());
    let demos = |step| {
        let (bid, tried) = propose(&search, step, &rows(20), right());
        (bid, tried.len())
    };
    assert!(matches!(demos(1).0, Bid::Unusable { .. }), "the parent has no demos already");
    assert_eq!((made(&demos(2).0).steps[0].demos.len(), demos(2).1), (16, 0));
    assert_eq!(demos(3).1, 4);
    let sizes: Vec<usize> = (4..12).map(|step| demos(step).1).collect();
    assert!(sizes.iter().all(|n| (1..=4).contains(n)) && sizes.iter().any(|n| *n != sizes[0]), "{sizes:?}");
    assert_eq!(demos(4), demos(4), "the same step gives the same bid");
    assert_eq!(demos(20).0, Bid::Exhausted);
}

#[test]
fn gepa_lets_through_only_what_is_better_on_the_same_rows() {
    let answers = ["<instructions>Worse.</instructions>", "<instructions>Better.</instructions>"];
    let text = |change: &Change| format!("{:?}", change.edits);
    let scoring: Scoring = Box::new(move |change, _, _| f64::from(text(change).contains("Better")));
    let (bid, tried) = propose(&Gepa::new(Says::these(&answers), settings()), 1, &rows(6), scoring);
    assert_eq!(made(&bid).steps[0].signature.instructions, "Better.");
    assert_eq!((tried.len(), tried[0].1.len()), (2, 3));
    assert!(
        matches!(&bid, Bid::Proposal { reason, cost, .. } if reason.contains("on 3 rows") && cost.tokens == 2 * 10 + 2 * 7)
    );

    let (bid, _) = propose(&Gepa::new(Says::these(&answers), settings()), 1, &rows(6), Box::new(|_, _, _| 0.0));
    assert!(matches!(&bid, Bid::Unusable { reason, .. } if reason.contains("no better on the same 3 rows")), "{bid:?}");
}

#[test]
fn mipro_proposes_the_combination_that_did_best_on_its_minibatch() {
    let answers = ["<instructions>One.</instructions>", "<instructions>Two.</instructions>", "no", "x", "x", "x"];
    let both = |change: &Change| {
        let text = format!("{:?}", change.edits);
        0.4 * f64::from(text.contains("Two.")) + 0.4 * f64::from(text.contains("teacher"))
    };
    let wrong: Vec<Example> = rows(20).into_iter().map(|e| Example { score: 0.0, ..e }).collect();
    let mut won = 0;
    for step in 1..=8 {
        let model = Says::these(&answers);
        let (bid, tried) = propose(
            &Mipro::new(model, settings()),
            step,
            &wrong,
            Box::new(
                move |change, task, pupil| {
                    if pupil == Pupil::Teacher { f64::from(task.0 != "1") } else { both(change) }
                },
            ),
        );
        let on_batches: Vec<_> = tried.iter().filter(|(_, tasks)| tasks.len() > 1).collect();
        assert!(on_batches.len() <= 8 && on_batches.iter().all(|(_, tasks)| tasks.len() == 20));
        let best = on_batches.iter().map(|(change, _)| both(change)).fold(0.0, f64::max);
        let Bid::Proposal { change, .. } = &bid else { panic!("{bid:?}") };
        assert!((both(change) - best).abs() < 1e-9);
        won += usize::from(best > 0.7);
    }
    assert!(won >= 5, "the best of all is among the tried ones in {won} of 8 bids");
}

#[test]
fn every_name_is_an_optimizer() {
    for name in NAMES {
        assert!(named(name, Says::these(&[]), settings()).is_some(), "{name}");
    }
    assert!(named("none", Says::these(&[]), settings()).is_none());
}
