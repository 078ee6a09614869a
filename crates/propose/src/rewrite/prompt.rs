//! What a model is asked: a pure function of the brief.
//!
//! Written for small models (1.5 to 7 billion parameters): short plain instructions, one thing at a time, the answer's
//! form last. Measured with Qwen2.5-Coder-1.5B on eight one-line defects: asked for the whole corrected file with a
//! diagnosis first, it repaired one in seven within three attempts, mostly by copying the file; with the defective line
//! taken out and told what it was, it wrote the right one in four of eight at the first attempt. Taking out a suspicious
//! line and asking for it is cloze-style repair (Xia and Zhang 2022, "Less Training, More Repairing Please").

use meliora_domain::{Feedback, GenomePath};
use meliora_evolve::{Brief, Chat, Message, Role};
use meliora_llm::text_tokens;

use super::Settings;
use super::focus::{Focus, Place, enclosing, focus, line_of};
use super::reply::fenced;

/// What stands where a line was taken out.
const HOLE: &str = "MISSING LINE";
/// Lines up to which a file is asked for as a whole.
const SMALL: usize = 80;
/// Longest feedback of one task and longest line shown, in characters.
const LONGEST: usize = 400;

/// How the answer is to be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// Blocks, or code that belongs to this file if it names none.
    Code { path: Option<String> },
    /// The text of this one line.
    Line(Place),
}

/// One attempt: what is asked and how the answer is read.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Plan {
    pub(crate) form: Form,
    pub(crate) chat: Chat,
}

/// How to go about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// Mend or improve what is there.
    Mend,
    /// Write it again from what it should do.
    Afresh,
    /// Fill in the suspect of this rank.
    Line(usize),
}

/// The way and temperature of the attempt with this number (from 0), by how many lines are suspect. Cool and general
/// first, then line after line, then the same again with more daring.
fn way(turn: usize, suspects: usize, failing: bool) -> (Way, f64) {
    if !failing {
        return (Way::Mend, [0.2, 0.7][turn.min(1)]);
    }
    let heat = if turn < 10 { 0.2 } else { 0.9 };
    match (turn % 10, suspects) {
        (0, _) => (Way::Mend, heat),
        (4, _) => (Way::Afresh, heat),
        (n, 0) if n % 2 == 0 => (Way::Afresh, 0.8),
        (_, 0) => (Way::Mend, 0.8),
        (n, _) => {
            let rank = if n < 4 { n - 1 } else { n - 2 } + turn / 10 * 8;
            // Once round, the same lines again, now hotter.
            (Way::Line(rank % suspects), if rank < suspects { heat } else { 0.9 })
        }
    }
}

/// The attempt that a brief asks for.
pub(crate) fn plan(brief: &Brief<'_>, settings: &Settings) -> Plan {
    let tries = brief.attempts.len();
    let about = focus(brief.genome, brief.feedback, brief.editable, tries);
    let (way, heat) = way(tries / about.groups, about.suspects.len(), !about.failing.is_empty());
    let (form, text, answer) = match way {
        Way::Line(rank) => line(brief, &about, &about.suspects[rank], settings),
        other => code(brief, &about, other, settings),
    };
    let max_tokens = u32::try_from(answer).unwrap_or(u32::MAX).min(settings.max_tokens);
    let mut messages = vec![Message { role: Role::User, content: text }];
    if let Some(system) = settings.system.clone().filter(|s| !s.is_empty()) {
        messages.insert(0, Message { role: Role::System, content: system });
    }
    let temperature = settings.temperature.unwrap_or(heat);
    Plan { form, chat: Chat { messages, temperature, max_tokens, seed: brief.seed } }
}

fn goal(brief: &Brief<'_>) -> String {
    if brief.goal.trim().is_empty() { String::new() } else { format!("Goal: {}\n\n", brief.goal.trim()) }
}

fn short(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn told(title: &str, tasks: &[&Feedback], most: usize) -> String {
    let lines: Vec<String> = tasks
        .iter()
        .take(most)
        .map(|t| format!("- {}\n", short(if t.detail.trim().is_empty() { &t.task.0 } else { &t.detail })))
        .collect();
    if lines.is_empty() { String::new() } else { format!("{title}\n{}\n", lines.concat()) }
}

fn tests(about: &Focus<'_>) -> String {
    let failing = told("Failing tests:", &about.failing, 5);
    failing + &told("Passing tests, which must go on passing:", &about.passing, 3)
}

/// Asks for one line that was taken out.
fn line(brief: &Brief<'_>, about: &Focus<'_>, place: &Place, settings: &Settings) -> (Form, String, u64) {
    let path = GenomePath::new(&place.path).expect("a suspect's path is one of the genome's");
    let text = brief.genome.get(&path).and_then(|f| f.text()).unwrap_or_default();
    let old = line_of(brief.genome, place).unwrap_or_default();
    let indent = &old[..old.len() - old.trim_start().len()];
    let comment = if matches!(path.extension(), "py" | "pyi" | "sh" | "toml" | "yaml" | "rb") { "#" } else { "//" };
    let hole = format!("{indent}{comment} {HOLE}");
    let mut lines: Vec<&str> = text.lines().collect();
    lines[place.line] = &hole;
    // A long file is shown only around the hole.
    let whole = lines.len() <= 2 * SMALL && text_tokens(text) <= settings.context_tokens / 2;
    let shown = if whole {
        lines.join("\n")
    } else {
        let (first, last) = match enclosing(brief.genome, place) {
            Some(item) => {
                let line_at = |byte: usize| text[..byte].matches('\n').count();
                (line_at(item.bytes.start), line_at(item.bytes.end))
            }
            None => (0, lines.len()),
        };
        let near = first.max(place.line.saturating_sub(SMALL / 2))..last.min(place.line + SMALL / 2).min(lines.len());
        lines[near].iter().map(|l| short_line(l)).collect::<Vec<_>>().join("\n")
    };
    let tag = format!("{} line {}:", place.path, place.line + 1);
    let tried = brief.attempts.iter().rev().filter_map(|a| Some(a.reason.strip_prefix(&tag)?.split_once("-> ")?.1));
    let tried: Vec<&str> = tried.take(4).collect();
    let mut ask = format!(
        "{}One line of this program is missing, at `{comment} {HOLE}`:\n\n{}\n{}",
        goal(brief),
        fenced(path.extension(), &shown),
        told("It must hold that:", &about.passing, 3),
    );
    ask += &format!("The missing line is not `{}`: with that line some tests fail.\n", old.trim());
    ask += &told("Failing tests:", &about.failing, 4);
    // Without this, small models write the first line of the block that the missing line opens.
    let opener = old.trim().split([' ', '(']).next().filter(|w| matches!(*w, "if" | "elif" | "while" | "for"));
    if let Some(word) = opener {
        ask += &format!("The missing line begins with `{word}` and opens the block below it.\n\n");
    }
    if !tried.is_empty() {
        ask += &format!("Nor is it one of these, which were tried: {}\n\n", tried.join(", "));
    }
    ask += "Write the missing line. Answer with only that one line in a code block.";
    (Form::Line(place.clone()), ask, 160.max(2 * text_tokens(old) + 40))
}

fn short_line(line: &str) -> String {
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// Asks for code: the whole file where it is small, one function where that is known, else blocks.
fn code(brief: &Brief<'_>, about: &Focus<'_>, way: Way, settings: &Settings) -> (Form, String, u64) {
    let suspect = about.suspects.first();
    let mentioned = |path: &str| about.failing.iter().any(|f| f.detail.contains(path));
    // The suspect's file first, then those that failing feedback names.
    let mut files: Vec<(&str, &str)> = brief
        .genome
        .files()
        .filter(|(path, _)| (brief.editable)(path.as_str()))
        .filter_map(|(path, body)| Some((path.as_str(), body.text()?)))
        .collect();
    files.sort_by_key(|(path, _)| (suspect.is_none_or(|s| s.path != *path), !mentioned(path)));
    let small = matches!(files.as_slice(), [(_, text)] if text.lines().count() <= SMALL);
    let item = suspect.and_then(|s| enclosing(brief.genome, s)).filter(|_| !small && !about.failing.is_empty());

    let mut ask = match (about.failing.is_empty(), way) {
        (true, _) => format!("{}Improve this program.\n\n", goal(brief)),
        (false, Way::Afresh) => format!(
            "{}This program has a bug. Do not trust its lines: write it again from what it should do.\n\n",
            goal(brief)
        ),
        (false, _) => format!("{}This program has a bug. Mend it, and change as little as possible.\n\n", goal(brief)),
    };
    if let Some(score) = brief.score.filter(|_| about.failing.is_empty()) {
        ask += &format!("Its score now is {score:.6}; higher is better.\n\n");
    }
    let mut room = settings.context_tokens * 6 / 10;
    for (path, text) in &files {
        let shown: Vec<String> = text.lines().map(short_line).collect();
        let shown = shown.join("\n");
        let size = text_tokens(&shown);
        let extension = path.rsplit('.').next().unwrap_or_default();
        if size <= room {
            room -= size;
            ask += &format!("{path}\n{}\n", fenced(extension, &shown));
        } else if let Some(item) = item.as_ref().filter(|_| suspect.is_some_and(|s| s.path == *path)) {
            let part = &text[item.bytes.clone()];
            room = room.saturating_sub(text_tokens(part));
            ask += &format!("Part of {path}:\n{}\n", fenced(extension, &clip(part, settings.context_tokens / 2)));
        } else if room > 200 {
            ask += &format!("The beginning of {path}:\n{}\n", fenced(extension, &clip(&shown, room)));
            room = 0;
        } else {
            ask += &format!("({path} is not shown.)\n\n");
        }
    }
    ask += &tests(about);
    let worst: Vec<String> = about
        .suspects
        .iter()
        .take(3)
        .filter_map(|p| line_of(brief.genome, p))
        .map(|l| format!("- {}\n", l.trim()))
        .collect();
    if way == Way::Mend && !worst.is_empty() && about.passing.iter().any(|p| !p.lines.is_empty()) {
        ask += &format!("Lines that mostly failing tests run:\n{}\n", worst.concat());
    }
    for other in brief.inspirations.iter().take(2) {
        let text = files.first().and_then(|(p, now)| {
            let text = other.genome.get(&GenomePath::new(p).ok()?)?.text()?;
            (text != *now && text_tokens(text) <= room / 2).then_some(text)
        });
        if let Some(text) = text {
            let score = other.score.map(|s| format!(" (score {s:.6})")).unwrap_or_default();
            ask += &format!("Another version, to learn from{score}:\n{}\n", fenced("", text));
        }
    }
    let past: Vec<String> = brief
        .attempts
        .iter()
        .rev()
        .take(4)
        .map(|a| {
            let feedback = if a.feedback.is_empty() { String::new() } else { format!(" ({})", short(&a.feedback)) };
            format!("- {}: {}{feedback}\n", short(&a.reason), short(&a.outcome))
        })
        .collect();
    if !past.is_empty() {
        ask += &format!("Tried before without success; do something else:\n{}\n", past.concat());
    }
    if files.iter().any(|(_, text)| text.contains("EVOLVE-BLOCK-START")) {
        ask += "Change only what stands between EVOLVE-BLOCK-START and EVOLVE-BLOCK-END and keep those lines.\n\n";
    }
    let path = files.first().map(|(path, _)| (*path).to_owned());
    let room_for = |text: &str| text_tokens(text) * 2 + 300;
    let answer = match (&item, files.as_slice()) {
        (_, [(_, text)]) if small => {
            ask += "Answer with the whole corrected file in one code block, without an explanation.";
            room_for(text)
        }
        (Some(item), [(_, text), ..]) => {
            ask +=
                &format!("Answer with the whole corrected `{}` in one code block, without an explanation.", item.name);
            room_for(&text[item.bytes.clone()])
        }
        _ => {
            ask += "Say in one sentence what you change and why. Then write each change in this form, \
                with the old lines copied exactly:\n\n\
                path/of/the/file\n<<<<<<< SEARCH\nold lines\n=======\nnew lines\n>>>>>>> REPLACE";
            u64::from(settings.max_tokens)
        }
    };
    (Form::Code { path }, ask, answer)
}

/// The first lines, as many as have room.
fn clip(text: &str, tokens: u64) -> String {
    let mut room = tokens;
    let fits = |line: &&str| {
        let size = text_tokens(line) + 1;
        room = room.saturating_sub(size);
        room > 0
    };
    text.lines().take_while(fits).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_attempts_try_eight_lines_and_two_other_ways() {
        let ways: Vec<Way> = (0..10).map(|turn| way(turn, 12, true).0).collect();
        let lines: Vec<Way> = (0..8).map(Way::Line).collect();
        assert_eq!(ways.iter().filter(|w| lines.contains(w)).count(), 8);
        assert_eq!((ways[0], ways[4]), (Way::Mend, Way::Afresh));
        assert_eq!(way(11, 12, true).0, Way::Line(8));
        assert_eq!(way(9, 2, true), (Way::Line(1), 0.9));
        assert!((0..50).all(|turn| !matches!(way(turn, 0, true).0, Way::Line(_))));
        assert!((0..50).all(|turn| way(turn, 9, false).0 == Way::Mend));
    }
}
