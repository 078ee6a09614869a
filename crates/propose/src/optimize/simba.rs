//! SIMBA: several answers to each row of a minibatch; where they differ most, the best one becomes a demo, or the difference
//! between the best and the worst becomes a rule (as DSPy's `SIMBA`, 3.x; stochastic introspective mini-batch ascent).
//!
//! Each bid is one of its steps. Its pool of programs is the archive: the parent and what the strategy shows beside it. Three
//! things differ on purpose: a strategy that does not apply makes no candidate, the best candidate is bid only if it is no
//! worse on the minibatch than the parent was, and the engine's examination stands for the last choice among all winners.

use std::sync::Arc;

use meliora_domain::{Cost, Example, Fields, Genome, TaskId, Value};
use meliora_evolve::{Bid, Brief, Model, ProposeError, Proposer, Pupil, Rng, Tryout};
use meliora_prompt::Program;

use super::{Asking, Ground, Settings, bid, demo_steps, times, wording};

/// Rows of a minibatch (`bsize`).
const MINIBATCH: usize = 32;
/// Answers to each row, and one less than the candidates that are made (`num_candidates`).
const SAMPLES: usize = 6;
/// Demos of a step before some are dropped (`max_demos`).
const DEMOS: usize = 4;
/// Temperature at which programs are chosen by their scores (`temperature_for_sampling`, `temperature_for_candidates`).
const SOFTMAX: f64 = 0.2;
/// Sampling temperature of advice.
const TEMPERATURE: f64 = 0.7;

/// Learns from its own answers.
pub struct Simba {
    model: Arc<dyn Model>,
    settings: Settings,
}

impl Simba {
    /// With this model for the rules.
    pub fn new(model: Arc<dyn Model>, settings: Settings) -> Self {
        Simba { model, settings }
    }
}

/// The answers to one row, the best first.
struct Bucket {
    runs: Vec<Example>,
    /// Best less worst, best, best less mean.
    rank: [f64; 3],
}

/// The lowest and highest tenth of all scores of a minibatch.
struct Tenths {
    low: f64,
    high: f64,
}

impl Proposer for Simba {
    fn propose(&self, brief: &Brief<'_>) -> Result<Bid, ProposeError> {
        let Some(ground) = Ground::of(brief.genome, brief.examples) else { return Ok(Bid::Exhausted) };
        if brief.examples.is_empty() {
            return Ok(Bid::Exhausted);
        }
        let mut rng = Rng::of(brief.seed, 11, 0);
        let mut asking = Asking::new(self.model.as_ref(), &self.settings, brief);
        let batch = batch(brief);
        let pool = pool(&ground, brief);
        let buckets = match self.buckets(&ground, &batch, &pool, brief, (&mut asking, &mut rng))? {
            Ok(buckets) => buckets,
            Err(why) => return Ok(Bid::Unusable { reason: why, cost: asking.spent }),
        };
        let scores: Vec<f64> = buckets.iter().flat_map(|b| b.runs.iter().map(|run| run.score)).collect();
        let tenths = Tenths { low: percentile(&scores, 0.1), high: percentile(&scores, 0.9) };
        let mut made: Vec<(Program, String)> = Vec::new();
        let mut useless = "no row was answered in different ways".to_owned();
        for bucket in &buckets {
            let mut program = pool[softmax(&pool, &mut rng)].1.clone();
            drop_demos(&mut program, &mut rng);
            let demos = !ground.file.is_plain() && bucket.runs[0].demo && rng.below(2) == 0;
            let done = match demos {
                true => add_demo(&mut program, &bucket.runs[0], &tenths),
                false => self.add_rule(&ground, &mut program, bucket, &tenths, brief, &mut asking)?,
            };
            match done {
                Ok(reason) if made.iter().all(|(other, _)| *other != program) => made.push((program, reason)),
                Ok(_) => {}
                Err(why) => useless = why,
            }
            if made.len() > SAMPLES {
                break;
            }
        }
        let tasks: Vec<TaskId> = batch.iter().map(|e| e.task.clone()).collect();
        let parent = batch.iter().map(|e| e.score).sum::<f64>() / batch.len() as f64;
        let mut best: Option<(f64, Program, String)> = None;
        for (program, reason) in made {
            let change = ground.change(&program);
            if let Some(why) = ground.stale(&change, brief) {
                useless = why.to_owned();
                continue;
            }
            match tried(brief, &change, &tasks, Pupil::Student, &mut asking)? {
                Err(why) => useless = why,
                Ok(examples) => {
                    let score = examples.iter().map(|e| e.score).sum::<f64>() / tasks.len() as f64;
                    if best.as_ref().is_none_or(|(most, ..)| score > *most) {
                        let reason = format!("{reason} ({parent:.2} → {score:.2} on {} rows)", tasks.len());
                        best = Some((score, program, reason));
                    }
                }
            }
        }
        match best {
            Some((score, program, reason)) if score >= parent => {
                Ok(bid(&ground, &program, reason, brief, asking.spent))
            }
            Some((.., reason)) => Ok(Bid::Unusable { reason: format!("nothing better: {reason}"), cost: asking.spent }),
            None => Ok(Bid::Unusable { reason: useless, cost: asking.spent }),
        }
    }

    fn estimate(&self, _genome: &Genome) -> Cost {
        let asked = times(Asking::price(self.model.as_ref(), &self.settings), SAMPLES + 1);
        asked + times(self.settings.row, (2 * SAMPLES + 1) * MINIBATCH)
    }

    fn wants_lines(&self) -> bool {
        true
    }

    fn reads_others(&self) -> bool {
        true
    }
}

impl Simba {
    /// Has each row answered several times, each time by a program of the pool that is chosen by its score; the rows whose
    /// answers differ most come first.
    fn buckets(
        &self,
        ground: &Ground,
        batch: &[&Example],
        pool: &[(f64, Program)],
        brief: &Brief<'_>,
        (asking, rng): (&mut Asking<'_>, &mut Rng),
    ) -> Result<Result<Vec<Bucket>, String>, ProposeError> {
        let mut runs: Vec<Vec<Example>> = vec![Vec::new(); batch.len()];
        for sample in 0..SAMPLES {
            let chosen: Vec<usize> = batch.iter().map(|_| softmax(pool, rng)).collect();
            // The teacher is the first of the models, where there is one.
            let pupil = if sample == 0 { Pupil::Teacher } else { Pupil::Sampled(sample as u64) };
            for (at, (_, program)) in pool.iter().enumerate() {
                let rows = batch.iter().zip(&chosen).filter(|(_, chosen)| **chosen == at);
                let tasks: Vec<TaskId> = rows.map(|(row, _)| row.task.clone()).collect();
                if tasks.is_empty() {
                    continue;
                }
                match tried(brief, &ground.change(program), &tasks, pupil, asking)? {
                    Err(why) => return Ok(Err(why)),
                    Ok(examples) => {
                        for example in examples {
                            if let Some(place) = batch.iter().position(|row| row.task == example.task) {
                                runs[place].push(example);
                            }
                        }
                    }
                }
            }
        }
        Ok(Ok(sorted(runs)))
    }

    /// Asks what sets the best answer apart from the worst, and adds that to the instructions of each step it is about.
    fn add_rule(
        &self,
        ground: &Ground,
        program: &mut Program,
        bucket: &Bucket,
        tenths: &Tenths,
        brief: &Brief<'_>,
        asking: &mut Asking<'_>,
    ) -> Result<Result<String, String>, ProposeError> {
        let (Some(good), Some(bad)) = (bucket.runs.first(), bucket.runs.last()) else {
            return Ok(Err("there is no answer".into()));
        };
        if good.score <= tenths.low || bad.score >= tenths.high {
            return Ok(Err("the answers to a row tell nothing: all are as bad, or as good".into()));
        }
        // Where both are the same, only one of them says anything.
        let told = match (good.score > bad.score, good.score > tenths.high) {
            (true, _) => contrast(Some(good), Some(bad)),
            (false, true) => contrast(Some(good), None),
            (false, false) => contrast(None, Some(bad)),
        };
        let question = format!("{}{told}{}", described(brief, program), form(program));
        let answer = asking.say(question, TEMPERATURE, Rng::of(brief.seed, 12, asking.spent.tokens).bits())?;
        Ok(answer.and_then(|text| advise(ground, program, &text, brief)))
    }
}

/// A minibatch: rows in the order of an epoch, which the parent's step goes on with.
fn batch<'e>(brief: &Brief<'e>) -> Vec<&'e Example> {
    let all: Vec<&Example> = brief.examples.iter().collect();
    super::sample(&all, MINIBATCH, &mut Rng::of(brief.seed, 13, 0))
}

/// The parent and the best of the others, with their scores.
fn pool(ground: &Ground, brief: &Brief<'_>) -> Vec<(f64, Program)> {
    let mut pool = vec![(brief.score.unwrap_or(0.0), ground.program().clone())];
    for other in brief.inspirations {
        if pool.len() >= SAMPLES {
            break;
        }
        if let (Some(score), Some(theirs)) = (other.score, Ground::of(&other.genome, brief.examples))
            && theirs.program().steps.len() == ground.program().steps.len()
            && theirs.file.is_plain() == ground.file.is_plain()
        {
            pool.push((score, theirs.program().clone()));
        }
    }
    pool
}

/// One of the pool, by the exponential of its score.
fn softmax(pool: &[(f64, Program)], rng: &mut Rng) -> usize {
    let most = pool.iter().map(|(score, _)| *score).fold(f64::MIN, f64::max);
    let weights: Vec<f64> = pool.iter().map(|(score, _)| ((score - most) / SOFTMAX).exp()).collect();
    let mut left = rng.unit() * weights.iter().sum::<f64>();
    for (at, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return at;
        }
    }
    pool.len() - 1
}

/// The answers to each row as buckets, those that differ most first; what is equal keeps its order.
fn sorted(runs: Vec<Vec<Example>>) -> Vec<Bucket> {
    let bucket = |mut runs: Vec<Example>| {
        runs.sort_by(|a, b| b.score.total_cmp(&a.score));
        let (best, worst) = (runs.first()?.score, runs.last()?.score);
        let mean = runs.iter().map(|run| run.score).sum::<f64>() / runs.len() as f64;
        Some(Bucket { rank: [best - worst, best, best - mean], runs })
    };
    let mut buckets: Vec<Bucket> = runs.into_iter().filter_map(bucket).collect();
    let order = |a: &Bucket, b: &Bucket| {
        a.rank.iter().zip(&b.rank).map(|(a, b)| b.total_cmp(a)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    };
    buckets.sort_by(order);
    buckets
}

/// The value below which this part of them lies, between the two nearest (as numpy's `percentile`).
fn percentile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = part * sorted.len().saturating_sub(1) as f64;
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    match (sorted.get(low), sorted.get(high)) {
        (Some(a), Some(b)) => a + (b - a) * (place - place.floor()),
        _ => 0.0,
    }
}

/// Takes some demos out: a number that is Poisson distributed about a quarter of them, and one at least of four.
fn drop_demos(program: &mut Program, rng: &mut Rng) {
    let count = program.steps.iter().map(|step| step.demos.len()).max().unwrap_or(0);
    let dropped = poisson(count as f64 / DEMOS as f64, rng).max(usize::from(count >= DEMOS)).min(count);
    let at: Vec<u64> = (0..dropped).map(|_| rng.below(count as u64)).collect();
    for step in &mut program.steps {
        let mut number = 0;
        step.demos.retain(|_| {
            number += 1;
            !at.contains(&(number - 1))
        });
    }
}

/// A Poisson distributed number (Knuth, The Art of Computer Programming 2, 3.4.1, algorithm Q).
fn poisson(mean: f64, rng: &mut Rng) -> usize {
    let (floor, mut product, mut number) = ((-mean).exp(), rng.unit(), 0);
    while product > floor {
        product *= rng.unit();
        number += 1;
    }
    number
}

/// Adds what each step made of a row as a demo.
fn add_demo(program: &mut Program, good: &Example, tenths: &Tenths) -> Result<String, String> {
    if good.score <= tenths.low {
        return Err("the best answer to a row is among the worst of all".into());
    }
    let mut added = 0;
    for step in demo_steps(program) {
        let name = &program.steps[step].name;
        let of = |p: &str| p == name || p.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('.'));
        let call = good.trace.iter().rev().find(|call| of(&call.predictor) && !call.outputs.is_empty());
        if let Some(call) = call {
            let mut demo = call.inputs.clone();
            call.outputs.iter().for_each(|(field, value)| demo.set(field, value.clone()));
            program.steps[step].demos.push(demo);
            added += 1;
        }
    }
    if added == 0 { Err("the best answer left no demo".into()) } else { Ok(format!("row {} as a demo", good.task)) }
}

/// The program and what it is for.
fn described(brief: &Brief<'_>, program: &Program) -> String {
    let steps = (0..program.steps.len()).map(|step| wording::task(brief, program, step));
    format!(
        "You look at how a language model did one task in different ways, and say what it should do.\n\n{}",
        steps.collect::<String>()
    )
}

/// Both answers to the row, as far as they tell anything.
fn contrast(good: Option<&Example>, bad: Option<&Example>) -> String {
    let told = |what: &str, example: Option<&Example>| match example {
        Some(example) => format!("The {what} answer scored {:.2}:\n{}", example.score, wording::rows(&[example], None)),
        None => format!("The {what} answer is not known.\n\n"),
    };
    format!("{}{}", told("better", good), told("worse", bad))
}

fn form(program: &Program) -> String {
    let names: Vec<&str> = program.steps.iter().map(|step| step.name.as_str()).collect();
    format!(
        "Give advice by which the model would do as in the better answer when it gets inputs of this kind: \"If you are given \
         …, then …\". Be concrete, and say nothing that helps with this one row alone. Answer with a JSON object alone, which \
         holds a text for each of the steps that needs advice: {}",
        Value::Map(names.iter().map(|name| (*name, Value::from("…"))).collect::<Fields>())
    )
}

/// Adds advice to the instructions of the steps that it names.
fn advise(ground: &Ground, program: &mut Program, answer: &str, brief: &Brief<'_>) -> Result<String, String> {
    let Some(Value::Map(advice)) = meliora_prompt::loosely(answer) else {
        return Err("the answer holds no JSON object with advice".into());
    };
    let mut told = String::new();
    for (step, parent) in program.steps.iter_mut().zip(&ground.program().steps) {
        let Some(Value::Text(rule)) = advice.get(&step.name) else { continue };
        let rule = rule.trim();
        if rule.is_empty() || rule == "…" {
            continue;
        }
        let whole = format!("<instructions>{}\n\n{rule}</instructions>", step.signature.instructions());
        let new = wording::read(&whole, &parent.signature.instructions(), brief.examples, &[])?;
        step.signature.instructions = new;
        let head: String = rule.lines().next().unwrap_or_default().chars().take(100).collect();
        told = format!("{}: {head}", step.name);
    }
    if told.is_empty() { Err("the answer has advice for no step".into()) } else { Ok(told) }
}

/// What trying a change gives; `Err` says why it could not be tried.
fn tried(
    brief: &Brief<'_>,
    change: &meliora_domain::Change,
    tasks: &[TaskId],
    pupil: Pupil,
    asking: &mut Asking<'_>,
) -> Result<Result<Vec<Example>, String>, ProposeError> {
    match brief.trial.on(change, tasks, pupil, asking.left()) {
        Err(e) => Err(ProposeError { spent: asking.spent + e.spent, ..e }),
        Ok(Tryout::Refused(why)) => Ok(Err(format!("could not be tried: {why}"))),
        Ok(Tryout::Done { examples, cost }) => {
            asking.spent += cost;
            Ok(Ok(examples))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_numpys() {
        // numpy.percentile([0, 0, 0.25, 0.5, 1, 1, 1], q) for q = 10, 50, 90
        let scores = [1.0, 0.0, 0.5, 1.0, 0.25, 1.0, 0.0];
        for (part, wanted) in [(0.1, 0.0), (0.5, 0.5), (0.9, 1.0)] {
            assert!((percentile(&scores, part) - wanted).abs() < 1e-12);
        }
        assert!((percentile(&[0.0, 1.0, 0.5], 0.9) - 0.9).abs() < 1e-12);
    }

    #[test]
    fn poisson_has_its_mean_and_variance() {
        let mut rng = Rng::of(1, 0, 0);
        for mean in [0.25, 1.0, 2.5] {
            let drawn: Vec<f64> = (0..20_000).map(|_| poisson(mean, &mut rng) as f64).collect();
            let average = drawn.iter().sum::<f64>() / 20_000.0;
            let variance = drawn.iter().map(|d| (d - average).powi(2)).sum::<f64>() / 20_000.0;
            assert!((average - mean).abs() < 0.05 && (variance - mean).abs() < 0.1, "{mean}: {average} {variance}");
        }
    }
}
