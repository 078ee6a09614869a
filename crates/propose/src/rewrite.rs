//! Rewrites by a language model: asks, reads the answer, makes of it a change with exact edits.
//!
//! An answer that cannot be read is an outcome. One that can be read but does not fit the files is handed on as it
//! is: the law refuses it where everyone sees it.

mod fit;
mod focus;
mod gaps;
mod hole;
mod improve;
mod items;
mod marked;
mod prompt;
mod reply;
mod shots;
mod ways;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use meliora_domain::{Change, Cost, Edit, Genome, GenomePath, MicroUsd};
use meliora_evolve::{Bid, Brief, Chat, Message, Model, ModelError, ProposeError, Proposer, Reply, Reservation, Role};

use focus::Place;
use items::Extent;
use prompt::{Form, Said};
use reply::Parsed;
use shots::Kind;

pub use reply::render;

/// How a model is asked.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    /// Tokens that a prompt may have; with `max_tokens` no more than the server's context.
    pub context_tokens: u64,
    /// Tokens that an answer may have at most; small files are given fewer.
    pub max_tokens: u32,
    /// Sampling temperature; `None` begins cool and gets warmer as attempts fail.
    pub temperature: Option<f64>,
    /// Standing instructions, where a model needs any.
    pub system: Option<String>,
    /// Whether the model has about seven billion parameters or fewer, and is shown less and asked for one thing at a
    /// time. A larger one is always shown the program and its failing tests.
    pub small: bool,
}

impl Default for Settings {
    fn default() -> Self {
        // Together they fit the 8,192 tokens that small local servers are commonly started with.
        Settings { context_tokens: 5500, max_tokens: 2048, temperature: None, system: None, small: true }
    }
}

/// Answers that are asked for in one bid, until one of them is worth an examination; as far as the reservation goes.
/// The questions of a sweep are not counted, since their answers are mostly at hand.
const CALLS: usize = 5;

/// A proposer that lets a language model rewrite the genome.
pub struct Rewrite {
    model: Arc<dyn Model>,
    settings: Settings,
    /// Requests that are made again and again with the same seed, and their answers. It only saves calls: without it
    /// the model is asked again.
    at_hand: Mutex<HashMap<String, Reply>>,
}

/// Most answers that are kept at hand.
const AT_HAND: usize = 256;

impl Rewrite {
    /// With this model.
    pub fn new(model: Arc<dyn Model>, settings: Settings) -> Self {
        Rewrite { model, settings, at_hand: Mutex::default() }
    }

    /// What the model says, or said before to the very same request, which then costs nothing.
    fn chat(&self, chat: &Chat, reservation: Reservation) -> Result<Reply, ModelError> {
        let key = serde_json::to_string(chat).unwrap_or_default();
        let at_hand = || self.at_hand.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reply) = at_hand().get(&key) {
            return Ok(Reply { kept: true, ..reply.clone() });
        }
        let reply = self.model.chat(chat, reservation)?;
        let mut at_hand = at_hand();
        if at_hand.len() >= AT_HAND {
            at_hand.clear();
        }
        at_hand.insert(key, reply.clone());
        Ok(reply)
    }
}

impl Proposer for Rewrite {
    /// # Errors
    /// If the server cannot be reached, refuses, or the cassette lacks the request. What the model says, however
    /// useless, and a server that gives up on one call, are bids.
    fn propose(&self, brief: &Brief<'_>) -> Result<Bid, ProposeError> {
        let has_text = |(path, body): (&GenomePath, &meliora_domain::FileBody)| {
            (brief.editable)(path.as_str()) && body.text().is_some()
        };
        if !brief.genome.files().any(has_text) {
            return Ok(Bid::Exhausted);
        }
        let (mut spent, mut said, mut useless) = (Cost::ZERO, Said::default(), String::new());
        let mut asked = false;
        while said.calls < CALLS {
            let mut plan = prompt::plan(brief, &self.settings, &said);
            shorten(&mut plan.chat, self.settings.context_tokens);
            let left = Cost {
                evals: 0,
                tokens: brief.reserved.tokens.saturating_sub(spent.tokens),
                usd: MicroUsd(brief.reserved.usd.0.saturating_sub(spent.usd.0)),
            };
            let next = self.model.estimate(&plan.chat);
            if asked && (next.tokens > left.tokens || next.usd > left.usd) {
                break;
            }
            asked = true;
            said.calls += usize::from(!plan.swept);
            let reply = match self.chat(&plan.chat, Reservation(left)) {
                Ok(reply) => reply,
                Err(ModelError::Failed { tries, cause, spent: lost }) => {
                    let reason = format!("the model gave no answer after {tries} tries: {cause}");
                    return Ok(Bid::Unusable { reason, cost: spent + lost });
                }
                Err(e @ ModelError::TooLong(_)) => return Ok(Bid::Unusable { reason: e.to_string(), cost: spent }),
                Err(e) => return Err(ProposeError { spent, ..broken(&e) }),
            };
            spent += reply.cost();
            let read = if reply.truncated && !matches!(plan.form, Form::Line(..) | Form::Hole(_) | Form::Numbers { .. })
            {
                Err(format!("the answer was cut off at {} tokens", plan.chat.max_tokens))
            } else {
                understand(&reply.text, &plan.form, reply.truncated, brief.genome)
            };
            let worth = read.and_then(|(change, reason)| match stale(&change, brief) {
                None => Ok((change, reason)),
                Some(why) => {
                    said.answered(&plan.form, reason.rsplit_once("-> ").map_or("", |(_, new)| new.trim_matches('`')));
                    Err(format!("{why}: {reason}"))
                }
            });
            match worth {
                Ok((change, reason)) => return Ok(Bid::Proposal { change, reason, idea: None, cost: spent }),
                Err(why) => {
                    said.answered(&plan.form, "");
                    useless = why;
                }
            }
        }
        Ok(Bid::Unusable { reason: useless, cost: spent })
    }

    /// The longest prompt and answer that the settings allow, whatever the genome.
    fn estimate(&self, _genome: &Genome) -> Cost {
        let system = self.settings.system.clone().unwrap_or_default();
        let longest = "abc".repeat(usize::try_from(self.settings.context_tokens).unwrap_or(usize::MAX / 3) + 1);
        let messages = [(Role::System, system), (Role::User, longest)];
        let messages = messages.into_iter().map(|(role, content)| Message { role, content }).collect();
        self.model.estimate(&Chat { messages, max_tokens: self.settings.max_tokens, ..Chat::default() })
    }

    fn wants_lines(&self) -> bool {
        true
    }

    fn reads_others(&self) -> bool {
        true
    }
}

/// Why a change need not be examined: it makes nothing new, or nothing that can be read. `None` if it is worth it, or
/// does not apply, which is for the law to refuse where everyone sees it.
fn stale(change: &Change, brief: &Brief<'_>) -> Option<&'static str> {
    let same = |edit: &Edit| match edit {
        Edit::Replace { search, replace, .. } => search == replace,
        Edit::Write { path, content } => {
            GenomePath::new(path).is_ok_and(|p| brief.genome.get(&p).and_then(|f| f.text()) == Some(content))
        }
        Edit::Delete { .. } => false,
    };
    if change.edits.iter().all(same) {
        return Some("the answer changes nothing");
    }
    let new = change.apply(brief.genome).ok()?;
    let tree = new.tree();
    if tree == brief.genome.tree() {
        return Some("the answer changes nothing");
    }
    if brief.tried.tree(&tree) {
        return Some("the answer was tried before");
    }
    let text = |genome: &Genome, path: &GenomePath| genome.get(path).and_then(|f| f.text()).map(str::to_owned);
    // Where tests fail, other comments mend nothing.
    let mut form_alone = brief.feedback.iter().any(|f| !f.passed) && new.files().len() == brief.genome.files().len();
    for (path, _) in new.files() {
        let (Some(new), old) = (text(&new, path), text(brief.genome, path)) else { continue };
        if old.as_ref() == Some(&new) {
            continue;
        }
        let garbled = |text: &str| items::garbled(path.extension(), text) == Some(true);
        if garbled(&new) && !old.as_ref().is_some_and(|old| garbled(old)) {
            return Some("the answer is not of the language");
        }
        form_alone &= old.is_some_and(|old| items::same_code(path.extension(), &old, &new) == Some(true));
    }
    form_alone.then_some("the answer changes no code")
}

/// Cuts the middle out of a prompt that is too long all the same: the answer's form stands at its end.
fn shorten(chat: &mut Chat, most: u64) {
    let Some((message, before)) = chat.messages.split_last_mut() else { return };
    let before: u64 = before.iter().map(|m| meliora_llm::text_tokens(&m.content) + 8).sum();
    let most = most.saturating_sub(before);
    let tokens = meliora_llm::text_tokens(&message.content);
    if tokens <= most {
        return;
    }
    let lines: Vec<&str> = message.content.lines().collect();
    let mut room = most.saturating_sub(8);
    let (mut front, mut back) = (0, lines.len());
    // The end keeps a quarter.
    let mut tail = room / 4;
    while back > 0 && meliora_llm::text_tokens(lines[back - 1]) < tail {
        back -= 1;
        let size = meliora_llm::text_tokens(lines[back]) + 1;
        tail = tail.saturating_sub(size);
        room = room.saturating_sub(size);
    }
    while front < back && meliora_llm::text_tokens(lines[front]) < room {
        room = room.saturating_sub(meliora_llm::text_tokens(lines[front]) + 1);
        front += 1;
    }
    message.content = format!("{}\n(…)\n{}", lines[..front].join("\n"), lines[back..].join("\n"));
}

pub(crate) fn broken(error: &ModelError) -> ProposeError {
    let hint = match error {
        ModelError::Unreachable { .. } => "is the server running? its address is given with --base-url",
        ModelError::Refused(told) if told.contains("401") || told.contains("403") => {
            "set the key in the environment variable that [model] key_env names"
        }
        ModelError::Refused(_) => "check --base-url and --model",
        ModelError::NotRecorded(_) => {
            "record the cassette again, or run with the files and the seed it was recorded with"
        }
        ModelError::OverReservation { .. } => "raise the budget of tokens or money, or lower `context_tokens`",
        ModelError::TooLong(_) => "give the server more context, or lower `max_tokens`",
        ModelError::Failed { .. } => "try again later",
    };
    ProposeError { what: error.to_string(), hint: Some(hint.into()), spent: Cost::ZERO }
}

/// The change in a text of SEARCH/REPLACE blocks or fenced files, and the reason for it; `Err` says why there is none.
pub(crate) fn read_text(text: &str, genome: &Genome) -> Result<(Change, String), String> {
    let only = genome.files().next().filter(|_| genome.files().len() == 1).map(|(path, _)| path.to_string());
    understand(text, &Form::Code { path: only }, false, genome)
}

/// The change in an answer, which may be cut off where its end does not matter, and the reason for it; `Err` says why there
/// is none.
fn understand(text: &str, form: &Form, cut_off: bool, genome: &Genome) -> Result<(Change, String), String> {
    let known = |path: &str| GenomePath::new(path).is_ok_and(|p| genome.get(&p).is_some());
    let parsed = reply::parse(text, &known).map_err(|e| e.to_string())?;
    match form {
        Form::Line(kind, place) if parsed.blocks.is_empty() => line_change(text, &parsed, *kind, place, genome),
        Form::Line(_, place) => code_change(parsed, Some(&place.path), Extent::Whole, genome),
        Form::Hole(place) => hole_change(text, &parsed, place, genome),
        Form::Code { path } => code_change(parsed, path.as_deref(), Extent::Whole, genome),
        Form::Part { path } => code_change(parsed, Some(path), Extent::Part, genome),
        Form::Numbers { path } if parsed.blocks.is_empty() => {
            improve::numbers_change(text, &parsed, cut_off, path, genome)
        }
        Form::Numbers { path } => code_change(parsed, Some(path), Extent::Whole, genome),
    }
}

/// The reason that is kept: the model's first sentence and what it changed.
fn reason(words: &str, change: &Change, genome: &Genome) -> String {
    let sentence = words.split_inclusive(['.', '!', '?']).next().unwrap_or_default().trim();
    let sentence: String = sentence.chars().take(160).collect();
    let what = summary(change, genome);
    if sentence.len() < 12 { what } else { format!("{sentence} {what}") }
}

/// The first lines that a change alters, in a few words.
fn summary(change: &Change, genome: &Genome) -> String {
    let Some(edit) = change.edits.first() else { return "no edit".into() };
    let clip = |text: &str| text.trim().chars().take(100).collect::<String>();
    let old = GenomePath::new(edit.path()).ok().and_then(|p| genome.get(&p)?.text().map(str::to_owned));
    let (old, new) = match edit {
        Edit::Replace { search, replace, .. } => (search.clone(), replace.as_str()),
        Edit::Write { content, .. } => (old.unwrap_or_default(), content.as_str()),
        Edit::Delete { path } => return format!("{path}: deleted"),
    };
    let (olds, news): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let same = olds.iter().zip(&news).take_while(|(a, b)| a.trim_end() == b.trim_end()).count();
    let (a, b) = (olds.get(same).copied().unwrap_or_default(), news.get(same).copied().unwrap_or_default());
    if clip(a) == clip(b) {
        return format!("{}: nothing changed", edit.path());
    }
    let more = change.edits.len().saturating_sub(1);
    let more = if more == 0 { String::new() } else { format!(" and {more} more edits") };
    format!("{}: `{}` -> `{}`{more}", edit.path(), clip(a), clip(b))
}

/// The answer to a prompt that left a line out: its first line, if that is near to the one that was left out.
fn hole_change(text: &str, parsed: &Parsed, place: &Place, genome: &Genome) -> Result<(Change, String), String> {
    let code = parsed.fences.first().map_or(text, |fence| &fence.code);
    let new = code.lines().map(|line| line.trim().trim_matches('`')).find(|line| !line.is_empty()).unwrap_or_default();
    let old = focus::line_of(genome, place).unwrap_or_default();
    if !hole::near(old, new) {
        return Err(format!("the answer is not near to the line that was left out: `{}` -> `{new}`", old.trim()));
    }
    let (change, reason) = line_change(new, &Parsed::default(), Kind::Wrong, place, genome)?;
    let tag = prompt::tag(Kind::Wrong, place);
    Ok((change, reason.replacen(&tag, &format!("{} left out:", tag.trim_end_matches(':')), 1)))
}

/// The answer to a prompt that asked for one line.
fn line_change(
    text: &str,
    parsed: &Parsed,
    kind: Kind,
    place: &Place,
    genome: &Genome,
) -> Result<(Change, String), String> {
    let path = GenomePath::new(&place.path).map_err(|e| e.to_string())?;
    let file = genome.get(&path).and_then(|f| f.text()).unwrap_or_default();
    let code = match parsed.fences.as_slice() {
        // The line comes first; what may follow is talk.
        [] => text.trim().lines().next().unwrap_or_default().trim().trim_matches('`').to_owned(),
        [first, ..] => first.code.clone(),
    };
    let lines: Vec<&str> = file.split_inclusive('\n').collect();
    let old = lines.get(place.line).copied().unwrap_or_default();
    let end = if old.ends_with("\r\n") { "\r\n" } else { "\n" };
    let trimmed = |i: Option<usize>| i.and_then(|i| lines.get(i)).map_or("", |l| l.trim());
    let before = trimmed(if kind == Kind::Wrong { place.line.checked_sub(1) } else { Some(place.line) });
    let after = trimmed(Some(place.line + 1));
    let mut answer: Vec<&str> = code.lines().filter(|l| !l.trim().is_empty()).collect();
    if answer.len() > 1 {
        // Neighbours that were copied along.
        if answer.first().is_some_and(|l| l.trim() == before) {
            answer.remove(0);
        }
        if answer.len() > 1 && answer.last().is_some_and(|l| l.trim() == after) {
            answer.pop();
        }
    }
    if answer.is_empty() {
        return Err("the answer has no line".into());
    }
    let has_items = |text: &str| items::items(path.extension(), text).is_some_and(|i| !i.is_empty());
    if answer.len() > 4 || (answer.len() > 1 && has_items(&code)) {
        // The whole function or file was written instead.
        return code_change(parsed.clone(), Some(&place.path), Extent::Whole, genome);
    }
    // After a line that opens a block or ends a head, as deep as what comes next.
    let next = lines.get(place.line + 1..).unwrap_or_default().iter().find(|l| !l.trim().is_empty());
    let deep = next.filter(|next| kind == Kind::Missing && items::indent_of(next).len() > items::indent_of(old).len());
    let new = items::reindent(&answer.join("\n"), items::indent_of(deep.copied().unwrap_or(old))).replace('\n', end);
    let rest = match kind {
        Kind::Wrong => place.line,
        Kind::Missing => (place.line + 1).min(lines.len()),
    };
    let mut content = lines[..rest].concat();
    if !content.is_empty() && !content.ends_with('\n') {
        content += end;
    }
    content += &new;
    content += &lines[(place.line + 1).min(lines.len())..].concat();
    let shown: Vec<&str> = answer.iter().map(|l| l.trim()).collect();
    let reason = format!("{} `{}` -> `{}`", prompt::tag(kind, place), old.trim(), shown.join("; "));
    Ok((Change { edits: vec![replacement(&place.path, file, content)] }, reason))
}

/// A SEARCH/REPLACE edit that makes one text of another, with as many lines around it as make its place unique.
fn replacement(path: &str, old: &str, new: String) -> Edit {
    let (a, b): (Vec<&str>, Vec<&str>) = (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let front = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let back = a[front..].iter().rev().zip(b[front..].iter().rev()).take_while(|(x, y)| x == y).count();
    for more in 0..a.len() {
        let (start, end) = (front.saturating_sub(more), back.saturating_sub(more));
        let search = a[start..a.len() - end].concat();
        if !search.is_empty() && old.matches(&search).count() == 1 {
            return Edit::Replace { path: path.to_owned(), search, replace: b[start..b.len() - end].concat() };
        }
        if start == 0 && end == 0 {
            break;
        }
    }
    Edit::Write { path: path.to_owned(), content: new }
}

/// The answer to a prompt that asked for code.
fn code_change(
    parsed: Parsed,
    path: Option<&str>,
    extent: Extent,
    genome: &Genome,
) -> Result<(Change, String), String> {
    if extent == Extent::Part
        && parsed.fences.iter().all(|fence| gaps::left_out(&fence.code))
        && !parsed.fences.is_empty()
    {
        return Err("the answer leaves out what was asked for".into());
    }
    let mut edits: Vec<Edit> = Vec::new();
    if !parsed.blocks.is_empty() {
        for block in parsed.blocks {
            let path = block.path.or(path.map(str::to_owned)).ok_or("a SEARCH block names no file")?;
            edits.push(Edit::Replace { path, search: block.search, replace: block.replace });
        }
    } else if !parsed.fences.is_empty() {
        edits = fence_edits(&parsed, path, extent, genome)?;
    }
    edits.extend(parsed.deleted.iter().map(|path| Edit::Delete { path: path.clone() }));
    if edits.is_empty() {
        return Err("the answer holds no code, only words".into());
    }
    let change = fit::fit(genome, Change { edits });
    let reason = reason(&parsed.words, &change, genome);
    Ok((change, reason))
}

fn fence_edits(parsed: &Parsed, default: Option<&str>, extent: Extent, genome: &Genome) -> Result<Vec<Edit>, String> {
    let text_of = |path: &str| GenomePath::new(path).ok().and_then(|p| genome.get(&p)?.text());
    let mut edits = Vec::new();
    for fence in parsed.fences.iter().filter(|f| f.path.is_some()) {
        let path = fence.path.clone().unwrap_or_default();
        edits.push(put(&path, text_of(&path), &fence.code, extent)?);
    }
    if edits.is_empty() {
        let path = default.ok_or("the code names no file and the genome has several")?;
        if parsed.fences.iter().all(|f| f.language == "diff") {
            return Err("the answer is a diff; whole code or SEARCH/REPLACE blocks are read".into());
        }
        // Models show the old code, or single lines of it, before the new: the last code that fits is meant.
        let mut last = Err("the answer holds no code".to_owned());
        for fence in parsed.fences.iter().filter(|f| f.language != "diff") {
            match put(path, text_of(path), &fence.code, extent) {
                Ok(edit) => last = Ok(edit),
                Err(why) if last.is_err() => last = Err(why),
                Err(_) => {}
            }
        }
        edits.push(last?);
    }
    Ok(edits)
}

fn put(path: &str, old: Option<&str>, code: &str, extent: Extent) -> Result<Edit, String> {
    let Some(old) = old else { return Ok(Edit::Write { path: path.to_owned(), content: items::with_end(code) }) };
    let extension = path.rsplit('.').next().unwrap_or_default();
    let mut text = match extent {
        Extent::Whole => match marked::put_in(old, code) {
            Some(text) => text,
            None => items::merge(extension, old, code, extent)?.text,
        },
        // A function was asked for, and its markers say nothing of what else is in the block.
        Extent::Part => items::merge(extension, old, &marked::bare(code), extent)?.text,
    };
    if old.contains("\r\n") {
        text = text.replace("\r\n", "\n").replace('\n', "\r\n");
    }
    Ok(replacement(path, old, text))
}

#[cfg(test)]
mod tests;
