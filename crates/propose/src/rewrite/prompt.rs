//! What a model is asked: a pure function of the brief.
//!
//! Short plain instructions, one thing at a time, for small models (1.5 to 7 billion parameters). Shown the whole program
//! they mostly copy it; so, from the second attempt on (`ways`), a function is asked for of which they see a part
//! (`gaps`; where nothing fails `improve`), or one suspicious line is left out (`hole`) or named as wrong (`shots`), with worked examples before it.
//! Asking for one line at a suspicious place is what Xia and Zhang 2022 ("Less Training, More Repairing Please") found
//! to work best. What changes from question to question stands last, so that a server's prompt cache holds the rest.

use meliora_domain::{Feedback, GenomePath};
use meliora_evolve::{Brief, Chat, Message, REMEMBERED_ATTEMPTS, Role};
use meliora_llm::text_tokens;

use super::Settings;
use super::focus::{Focus, Place, enclosing, focus, line_of};
use super::gaps;
use super::hole::hole;
use super::improve;
use super::items::Item;
use super::reply::fenced;
use super::shots::{Kind, Question, conversation};
use super::ways::{Shown, Way, improving, way};

/// Lines up to which a file is shown and asked for as a whole.
pub(crate) const SMALL: usize = 80;
/// Longest feedback of one task and longest line shown, in characters.
const LONGEST: usize = 400;

/// Turns among which a seed chooses: some rounds of [`improving`].
const TURNS: u64 = 600;

/// How the answer is to be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// Blocks, or code that belongs to this file if it names none.
    Code { path: Option<String> },
    /// A function of this file; what else stands beside it in the answer is shown use of it.
    Part { path: String },
    /// One line, for this place.
    Line(Kind, Place),
    /// The line of this place, which was left out.
    Hole(Place),
    /// Lines `NAME = number` for this file.
    Numbers { path: String },
}

/// One attempt: what is asked and how the answer is read.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Plan {
    pub(crate) form: Form,
    /// Whether it is one of the questions of a sweep, which are the same from bid to bid.
    pub(crate) swept: bool,
    pub(crate) chat: Chat,
}

/// What was already said in this bid and is of no use.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Said {
    /// How many answers.
    pub(crate) calls: usize,
    /// Lines that were answered, and what they were to stand for.
    pub(crate) lines: Vec<(Place, String)>,
    /// Lines that were left out, each asked about once in a bid.
    pub(crate) holes: Vec<Place>,
}

impl Said {
    /// Keeps a useless answer, once for each question.
    pub(crate) fn answered(&mut self, form: &Form, line: &str) {
        if let Form::Hole(place) = form
            && !self.holes.contains(place)
        {
            self.holes.push(place.clone());
        }
        if let Form::Line(_, place) = form
            && !(line.is_empty() && self.lines.iter().any(|(other, _)| other == place))
        {
            self.lines.push((place.clone(), line.to_owned()));
        }
    }
}

/// Answers to a question that is not one of a sweep, before the sweep is gone on with.
const PATIENCE: usize = 3;

/// What is asked for a brief, after some useless answers.
pub(crate) fn plan(brief: &Brief<'_>, settings: &Settings, said: &Said) -> Plan {
    let tries = brief.attempts.len();
    let about = focus(brief.genome, brief.feedback, brief.editable, tries);
    let failing = !about.failing.is_empty();
    let shown = Shown { suspects: about.suspects.len(), failing, exercise: gaps::exercise(brief) };
    // Only so many attempts are remembered: behind them the step's seed chooses.
    let turn = said.calls + if tries < REMEMBERED_ATTEMPTS { tries } else { (brief.seed % TURNS) as usize };
    let (mut way, again) = match settings.small {
        true if !failing => (improving(turn), tries > 0),
        true => way(tries / about.groups, shown),
        false => (Way::Mend, tries > 0),
    };
    // A line is asked for again; a function, which costs more, hardly comes out otherwise at once.
    let patience = match way {
        _ if !settings.small => usize::MAX,
        Way::Mend | Way::Blind(_) | Way::Gap(_) => 1,
        _ => PATIENCE,
    };
    if said.calls >= patience && failing && !about.suspects.is_empty() {
        way = Way::Sweep;
    }
    let mut heat = match (said.calls, again) {
        (0, false) => 0.2,
        (0, true) | (1, false) => 0.8,
        _ => 1.0,
    };
    let mut seed = brief.seed.wrapping_add(said.calls as u64);
    let mut swept = way == Way::Sweep;
    let mut left_out = None;
    if way == Way::Sweep {
        // Asked again in a later bid, each question of a sweep is the same request, whose answer is at hand.
        (heat, seed) = (0.0, 1);
        let mut holes = about.suspects.iter().filter(|place| !said.holes.contains(place));
        left_out = holes.find_map(|place| hole(brief, &about, place, settings));
    }
    if way == Way::Sweep && left_out.is_none() {
        // A right line that is said to be wrong is mostly copied all the same, a wrong one seldom (one of eight own
        // programs): in a sweep a useless answer means that the next line is asked about.
        let fresh = |place: &&Place| {
            tried(brief, Kind::Wrong, place).is_empty() && said.lines.iter().all(|(other, _)| other != *place)
        };
        way = match about.suspects.iter().position(|place| fresh(&place)) {
            Some(rank) => {
                heat = 0.2;
                Way::Again(rank)
            }
            None => {
                (heat, seed, swept) = (1.0, brief.seed.wrapping_add(said.calls as u64), false);
                Way::Again((tries + said.calls) % about.suspects.len())
            }
        };
    }
    let first = about.suspects.first().and_then(|p| Some((p, enclosing(brief.genome, p)?)));
    let (form, mut messages, answer) = match (way, first) {
        (Way::Sweep, _) => left_out.unwrap_or_else(|| code(brief, &about, settings)),
        (Way::Again(rank), _) => line(brief, &about, Kind::Wrong, &about.suspects[rank], settings, said),
        (Way::After(rank), _) => line(brief, &about, Kind::Missing, &about.suspects[rank], settings, said),
        (Way::First, Some((place, item))) => {
            let place = Place { path: place.path.clone(), line: last_line_of_head(brief, place, &item) };
            line(brief, &about, Kind::Missing, &place, settings, said)
        }
        (Way::Anew(rank), _) => improve::anew(brief, rank, settings).unwrap_or_else(|| code(brief, &about, settings)),
        // Without numbers, the next function or the whole.
        (Way::Numbers, _) => improve::numbers(brief, settings)
            .or_else(|| improve::anew(brief, turn, settings).filter(|_| turn % 6 == 3))
            .unwrap_or_else(|| code(brief, &about, settings)),
        (Way::Blind(rank), _) => {
            gaps::blind(brief, &about, rank, settings).unwrap_or_else(|| code(brief, &about, settings))
        }
        (Way::Gap(part), _) => {
            gaps::gap(brief, &about, part, settings).unwrap_or_else(|| code(brief, &about, settings))
        }
        _ => code(brief, &about, settings),
    };
    let max_tokens = u32::try_from(answer).unwrap_or(u32::MAX).min(settings.max_tokens);
    if let Some(system) = settings.system.clone().filter(|s| !s.is_empty()) {
        match messages.first_mut().filter(|m| m.role == Role::System) {
            Some(first) => first.content = format!("{system}\n\n{}", first.content),
            None => messages.insert(0, Message { role: Role::System, content: system }),
        }
    }
    let temperature = settings.temperature.unwrap_or(heat);
    Plan { form, swept, chat: Chat { messages, temperature, max_tokens, seed, schema: None } }
}

/// What is asked: how the answer is read, the conversation, the tokens that the answer may have.
pub(crate) type Asked = (Form, Vec<Message>, u64);

pub(crate) fn question(content: String) -> Vec<Message> {
    vec![Message { role: Role::User, content }]
}

pub(crate) fn text_of<'a>(brief: &Brief<'a>, path: &str) -> &'a str {
    GenomePath::new(path).ok().and_then(|p| brief.genome.get(&p)?.text()).unwrap_or_default()
}

fn line_at(text: &str, byte: usize) -> usize {
    text[..byte].matches('\n').count()
}

fn last_line_of_head(brief: &Brief<'_>, place: &Place, item: &Item) -> usize {
    let text = text_of(brief, &place.path);
    line_at(text, item.head.unwrap_or(item.bytes.start))
}

pub(crate) fn goal(brief: &Brief<'_>) -> String {
    if brief.goal.trim().is_empty() { String::new() } else { format!("Goal: {}\n\n", brief.goal.trim()) }
}

pub(crate) fn short(text: &str) -> String {
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

/// Asks for one line in place of another one, or after it.
fn line(brief: &Brief<'_>, about: &Focus<'_>, kind: Kind, place: &Place, settings: &Settings, said: &Said) -> Asked {
    let text = text_of(brief, &place.path);
    let old = line_of(brief.genome, place).unwrap_or_default().trim();
    let lines: Vec<&str> = text.lines().collect();
    // A long file is shown only around the line.
    let whole = lines.len() <= 2 * SMALL && text_tokens(text) <= settings.context_tokens / 2;
    let shown = if whole {
        text.to_owned()
    } else {
        let (first, last) = match enclosing(brief.genome, place) {
            Some(item) => (line_at(text, item.bytes.start), line_at(text, item.bytes.end)),
            None => (0, lines.len()),
        };
        let near = first.max(place.line.saturating_sub(SMALL / 2))..last.min(place.line + SMALL / 2).min(lines.len());
        lines[near].iter().map(|l| short_line(l)).collect::<Vec<_>>().join("\n")
    };
    // Of a crash the first line, which names it.
    let first = |t: &&Feedback| short(detail(t).lines().next().unwrap_or_default());
    let failing: Vec<String> = about.failing.iter().take(3).map(first).collect();
    let mut also = tried(brief, kind, place);
    also.extend(said.lines.iter().filter(|(other, _)| other == place).map(|(_, line)| line.clone()));
    also.retain(|l| l != old && !l.is_empty());
    also.sort();
    also.dedup();
    also.truncate(6);
    // What comes after a function's documentation comes after its head.
    let head = enclosing(brief.genome, place)
        .filter(|item| kind == Kind::Missing && place.line == line_at(text, item.head.unwrap_or(item.bytes.start)));
    let opens = |item: Item| text[item.bytes.clone()].lines().find(|l| l.contains(&item.name)).map(str::trim);
    let old = head.and_then(opens).unwrap_or(old);
    let twice = lines.iter().filter(|l| l.trim() == old).count() > 1;
    let before = place.line.checked_sub(1).and_then(|i| lines.get(i)).filter(|_| twice && kind == Kind::Wrong);
    let named = match before {
        Some(before) => format!("{} (the one after {})", short_line(old), short_line(before.trim())),
        None => short_line(old),
    };
    let extension = place.path.rsplit('.').next().unwrap_or_default();
    let told = goal(brief);
    let asked =
        Question { told: &told, language: extension, code: &shown, failing: &failing, line: &named, also: &also };
    let messages = conversation(kind, &asked);
    (Form::Line(kind, place.clone()), messages, 60.max(2 * text_tokens(old) + 20))
}

/// What begins the reason of a change of this line.
pub(crate) fn tag(kind: Kind, place: &Place) -> String {
    let after = if kind == Kind::Missing { " after" } else { "" };
    format!("{}{after} line {}:", place.path, place.line + 1)
}

/// Lines that were tried at this place.
fn tried(brief: &Brief<'_>, kind: Kind, place: &Place) -> Vec<String> {
    let tag = tag(kind, place);
    let new = |reason: &str| Some(reason.strip_prefix(&tag)?.rsplit_once("-> ")?.1.trim_matches('`').to_owned());
    brief.attempts.iter().rev().filter_map(|a| new(&a.reason)).collect()
}

/// What a test says, or else its name.
pub(crate) fn detail(task: &Feedback) -> &str {
    if task.detail.trim().is_empty() { &task.task.0 } else { &task.detail }
}

fn short_line(line: &str) -> String {
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// Asks for code: the whole file where it is small, one function where that is known, else blocks.
fn code(brief: &Brief<'_>, about: &Focus<'_>, settings: &Settings) -> Asked {
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

    let mut ask = if about.failing.is_empty() {
        format!("{}Improve this program.\n\n", goal(brief))
    } else {
        format!("{}This program has a bug. Mend it, and change as little as possible.\n\n", goal(brief))
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
    if !worst.is_empty() && about.passing.iter().any(|p| !p.lines.is_empty()) {
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
    // Where nothing fails, an answer that said nothing new is named to nobody: it would be copied once more.
    ask += &past(brief, 4, |reason| !about.failing.is_empty() || !reason.is_empty());
    let marked = |text: &str| text.contains("EVOLVE-BLOCK-START") && text.contains("EVOLVE-BLOCK-END");
    if files.iter().any(|(_, text)| text.contains("EVOLVE-BLOCK-START")) {
        ask += "Change only what stands between EVOLVE-BLOCK-START and EVOLVE-BLOCK-END and keep those lines.\n\n";
    }
    let path = files.first().map(|(path, _)| (*path).to_owned());
    let room_for = |text: &str| text_tokens(text) * 2 + 300;
    let answer = match (&item, files.as_slice()) {
        (_, [(_, text)]) if small && marked(text) => {
            ask += "Answer with what stands from the EVOLVE-BLOCK-START line to the EVOLVE-BLOCK-END line, both lines \
                included, corrected and whole, in one code block, without an explanation.";
            room_for(text)
        }
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
    (Form::Code { path }, question(ask), answer)
}

/// So many of the last attempts whose reason is one of these, and what came of each.
pub(crate) fn past(brief: &Brief<'_>, most: usize, which: impl Fn(&str) -> bool) -> String {
    let attempts = brief.attempts.iter().rev().filter(|a| which(&a.reason)).take(most);
    let lines: Vec<String> = attempts
        .map(|a| {
            let feedback = if a.feedback.is_empty() { String::new() } else { format!(" ({})", short(&a.feedback)) };
            format!("- {}: {}{feedback}\n", short(&a.reason), short(&a.outcome))
        })
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    format!("Tried before without success; do something else:\n{}\n", lines.concat())
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
