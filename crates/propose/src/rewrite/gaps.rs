//! Asks for a function of which the model sees only a part: it cannot copy a defect that it does not see.
//!
//! One of the two halves of a function holds its one-line defect; the other half shows how the function goes about its
//! work. Without its whole body the function is asked for as an exercise, with the tests as examples.

use meliora_domain::Feedback;
use meliora_evolve::Brief;
use meliora_llm::text_tokens;

use super::Settings;
use super::focus::{Focus, Place, enclosing};
use super::items::{Item, indent_of};
use super::prompt::{Asked, Form, SMALL, detail, goal, question, short, text_of};
use super::reply::fenced;

/// What stands for the body, or for the lines, that are left out.
const ALL: &str = "to be written";
const SOME: &str = "… missing lines …";

/// Whether an answer leaves out what the question left out.
pub(crate) fn left_out(code: &str) -> bool {
    code.contains(ALL) || code.contains(SOME)
}

/// Lines of a body below which leaving out a half leaves out as good as all.
const FEWEST: usize = 4;

/// Examples that make a small program an exercise.
const EXAMPLES: usize = 3;

/// Whether the genome is one small program and the tasks give enough examples to write it anew.
pub(crate) fn exercise(brief: &Brief<'_>) -> bool {
    let mut texts =
        brief.genome.files().filter(|(path, body)| (brief.editable)(path.as_str()) && body.text().is_some());
    let (Some((_, body)), None) = (texts.next(), texts.next()) else { return false };
    let small = body.text().is_some_and(|text| text.lines().count() <= SMALL);
    small && brief.feedback.iter().filter(|task| task.detail.contains("expected")).count() >= EXAMPLES
}

/// The functions that hold suspects, each once, the most suspicious first, with the places in them.
pub(crate) fn functions<'f>(brief: &Brief<'_>, about: &'f Focus<'_>) -> Vec<(Item, Vec<&'f Place>)> {
    let mut found: Vec<(Item, Vec<&Place>)> = Vec::new();
    for place in &about.suspects {
        let Some(item) = enclosing(brief.genome, place).filter(|item| item.head.is_some()) else { continue };
        match found.iter_mut().find(|(known, places)| known.full == item.full && places[0].path == place.path) {
            Some((_, places)) => places.push(place),
            None => found.push((item, vec![place])),
        }
    }
    found
}

/// Asks for the suspect function of this rank (they take turns) whose body is not shown; `None` if there is none.
pub(crate) fn blind(brief: &Brief<'_>, about: &Focus<'_>, rank: usize, settings: &Settings) -> Option<Asked> {
    let found = functions(brief, about);
    let (item, places) = found.get(rank % found.len().max(1))?;
    let path = &places[0].path;
    let text = text_of(brief, path);
    let shown = without_body(path, text, item, settings)?;
    let ask = format!("Write the function `{}` of this program:", item.name);
    Some(asked(brief, about, path, item, &ask, &shown))
}

/// A program with the body of a function left out, or its head alone where that is too long.
pub(super) fn without_body(path: &str, text: &str, item: &Item, settings: &Settings) -> Option<String> {
    let head = item.head?;
    let hole = format!("\n{}    {} {ALL}\n", indent_of(&text[item.bytes.clone()]), comment(path));
    let shown = format!("{}{hole}{}", &text[..head], &text[item.bytes.end..]);
    let long = shown.lines().count() > SMALL || text_tokens(&shown) > settings.context_tokens / 3;
    Some(if long { format!("{}{hole}", &text[item.bytes.start..head]) } else { shown })
}

/// Asks for a suspect function with one half of its lines left out: of each function first the half with the more
/// suspicious lines. `None` where it is too short or too long for that.
pub(crate) fn gap(brief: &Brief<'_>, about: &Focus<'_>, part: usize, settings: &Settings) -> Option<Asked> {
    let found = functions(brief, about);
    let (item, places) = found.get(part / 2 % found.len().max(1))?;
    let path = &places[0].path;
    let text = text_of(brief, path);
    let line_of = |byte: usize| text[..byte].matches('\n').count();
    let lines: Vec<&str> = text.lines().collect();
    let (first, mut last) = (line_of(item.head?) + 1, line_of(item.bytes.end).min(lines.len()));
    while last > first && lines[last - 1].trim().trim_matches(['}', ';', ')']).is_empty() {
        last -= 1;
    }
    if last < first + FEWEST {
        return None;
    }
    let middle = first + (last - first) / 2;
    // Suspects come in their order; the first ones weigh most.
    let weight = |from: usize, to: usize| {
        let ranks = places.iter().enumerate().filter(|(_, p)| (from..to).contains(&p.line));
        ranks.map(|(rank, _)| 1.0 / (rank + 1) as f64).sum::<f64>()
    };
    let later_first = weight(middle, last) >= weight(first, middle);
    let (from, to) = if later_first == (part.is_multiple_of(2)) { (middle, last) } else { (first, middle) };
    let hole = format!("{}{} {SOME}", indent_of(&lines[from..to].join("\n")), comment(path));
    let shown = |begin: usize, end: usize| {
        let parts = lines[begin..from].iter().copied().chain([hole.as_str()]).chain(lines[to..end].iter().copied());
        parts.map(|line| format!("{line}\n")).collect::<String>()
    };
    let most = settings.context_tokens / 3;
    let mut program = shown(0, lines.len());
    if program.lines().count() > SMALL || text_tokens(&program) > most {
        program = shown(line_of(item.bytes.start), line_of(item.bytes.end).min(lines.len()));
    }
    if program.lines().count() > SMALL || text_tokens(&program) > most {
        return None;
    }
    let ask = format!("Lines of the function `{}` of this program are missing:", item.name);
    Some(asked(brief, about, path, item, &ask, &program))
}

fn asked(brief: &Brief<'_>, about: &Focus<'_>, path: &str, item: &Item, ask: &str, shown: &str) -> Asked {
    let extension = path.rsplit('.').next().unwrap_or_default();
    let ask = format!(
        "{}{ask}\n\n{}\nExamples:\n{}\nAnswer with the complete code of `{}` in one code block, without explanation.",
        goal(brief),
        fenced(extension, shown),
        examples(about),
        item.name
    );
    let function = &text_of(brief, path)[item.bytes.clone()];
    (Form::Part { path: path.to_owned() }, question(ask), text_tokens(function) * 2 + 100)
}

/// Tests as examples of what is right, the passing ones too. What the defective function gave says nothing here.
pub(crate) fn examples(about: &Focus<'_>) -> String {
    let example = |task: &&&Feedback| {
        let text = detail(task);
        let end = [", got ", ", and got ", ", raised "].iter().find_map(|words| text.find(words));
        format!("- {}\n", short(&text[..end.unwrap_or(text.len())]))
    };
    // A test that took too long does not say what is expected.
    let expects = |task: &&&Feedback| task.detail.contains("expected");
    let some = about.failing.iter().chain(&about.passing).any(|task| task.detail.contains("expected"));
    let told = |tasks: &[&Feedback], most: usize| -> String {
        tasks.iter().filter(|t| !t.detail.is_empty() && (!some || expects(t))).take(most).map(|t| example(&t)).collect()
    };
    told(&about.failing, 4) + &told(&about.passing, 4)
}

fn comment(path: &str) -> &'static str {
    if path.ends_with(".py") || path.ends_with(".pyi") { "#" } else { "//" }
}
