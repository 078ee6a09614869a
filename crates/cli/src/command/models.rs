//! `meliora models test`: what the configured models can do, found out by asking them.

use meliora_evolve::{Model as _, ModelError};
use meliora_llm::{Probe, Structured, Until};
use serde::Serialize;

use crate::args::{Models, ModelsTest};
use crate::config;
use crate::config::model::named;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::models::live;
use crate::printer::{BAD, BOLD, FAINT, GOOD, NOTE, Printer, paint, table, visible};
use crate::project::nonce;

/// Names of a server's other models that are shown.
const SHOWN: usize = 12;

/// What was found out about one model.
#[derive(Serialize)]
struct Line {
    /// `model`, or `models.NAME`.
    place: String,
    reachable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    url: String,
    name: String,
    server: Option<&'static str>,
    models: Vec<String>,
    read_tokens_per_second: Option<f64>,
    write_tokens_per_second: Option<f64>,
    /// Whether the server gives no counts, so that tokens and speeds are estimates.
    estimated: bool,
    /// How the server is told of a JSON Schema that it then keeps to.
    structured: Option<Structured>,
    /// What the server tells.
    context: Option<u64>,
    declared_context: Option<u64>,
    small: bool,
    tokens: u64,
    usd: Option<f64>,
}

/// Does what was asked of the models.
pub fn models(command: &Models, printer: &Printer) -> Result<Exit, Failure> {
    let Models::Test(args) = command;
    let asked = chosen(args)?;
    let mut lines = Vec::new();
    for (place, settings) in asked {
        if !printer.json() {
            printer.talk(paint(FAINT, format!("asking [{place}] …")));
        }
        lines.push(test(place, &settings, printer)?);
    }
    let exit = if lines.iter().all(|line| line.reachable) { Exit::Done } else { Exit::Machinery };
    if printer.json() {
        for line in &lines {
            printer.object(line);
        }
    } else {
        show(&lines, printer);
    }
    Ok(exit)
}

/// The models that are to be asked, by the places of their settings.
fn chosen(args: &ModelsTest) -> Result<Vec<(String, config::Model)>, Failure> {
    let (model, models) = config::models(&args.dir)?;
    let unknown = |what| Failure::new(Exit::Usage, what).hint("`[models.NAME]` of meliora.toml or of the user's file");
    let mut asked: Vec<(String, config::Model)> = Vec::new();
    if let Some(name) = &args.name {
        let settings = named(&model, &models, Some(name)).map_err(unknown)?;
        asked.push((format!("models.{name}"), settings.clone()));
    } else {
        if !model.base_url.is_empty() || args.base_url.is_some() {
            asked.push(("model".into(), model));
        }
        if args.base_url.is_none() {
            asked.extend(models.into_iter().map(|(name, settings)| (format!("models.{name}"), settings)));
        }
    }
    if asked.is_empty() {
        return Err(Failure::new(Exit::Configuration, "no model is configured")
            .hint("`--base-url http://127.0.0.1:8080/v1`, or `[model] base_url = …` in meliora.toml"));
    }
    for (_, settings) in &mut asked {
        if let Some(url) = &args.base_url {
            settings.base_url.clone_from(url);
        }
        if let Some(name) = &args.model {
            settings.name.clone_from(name);
        }
    }
    Ok(asked)
}

/// A server that is not there or does not answer is what a test finds out, not a failure of it.
fn test(place: String, settings: &config::Model, printer: &Printer) -> Result<Line, Failure> {
    let mut line = Line {
        place,
        reachable: false,
        error: None,
        url: settings.base_url.clone(),
        name: settings.name.clone(),
        server: None,
        models: Vec::new(),
        read_tokens_per_second: None,
        write_tokens_per_second: None,
        estimated: false,
        structured: None,
        context: None,
        declared_context: settings.context,
        small: settings.small(&settings.name),
        tokens: 0,
        usd: None,
    };
    // What is declared is what is tested, but the probe's own questions fit any context.
    let settings = config::Model { retries: settings.retries.min(1), context: None, ..settings.clone() };
    let found = live(&settings, Until::default(), printer).and_then(|model| {
        line.url = model.url();
        line.name = model.name().to_owned();
        line.small = settings.small(model.name());
        let [a, b, c, d, e, f, g, h, ..] = nonce();
        let failed = |e: ModelError| Failure::new(Exit::Machinery, e.to_string());
        model.probe(u64::from_le_bytes([a, b, c, d, e, f, g, h])).map_err(failed)
    });
    match found {
        Ok(probe) => fill(&mut line, &settings, probe),
        Err(failure) if failure.code == Exit::Machinery => line.error = Some(failure.what),
        Err(failure) => return Err(failure),
    }
    Ok(line)
}

fn fill(line: &mut Line, settings: &config::Model, probe: Probe) {
    line.reachable = true;
    line.server = probe.server;
    line.models = probe.models;
    line.read_tokens_per_second = Some(probe.reading.per_second());
    line.write_tokens_per_second = Some(probe.writing.per_second());
    line.estimated = probe.reading.estimated || probe.writing.estimated;
    line.structured = Some(probe.structured);
    line.context = probe.context;
    line.tokens = probe.cost.tokens;
    line.usd = settings.priced().then(|| probe.cost.usd.usd());
}

fn show(lines: &[Line], printer: &Printer) {
    let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
    for line in table(&["", "model", "server", "reads", "writes", "JSON", "context"], &rows) {
        printer.data(line);
    }
    for line in lines {
        printer.data("");
        printer.data(format!("{} {}", paint(BOLD, format!("[{}]", line.place)), paint(FAINT, &line.url)));
        for note in notes(line) {
            printer.data(format!("  {note}"));
        }
    }
}

fn row(line: &Line) -> Vec<String> {
    let speed = |speed: Option<f64>| {
        let about = if line.estimated { "~" } else { "" };
        speed.map_or("–".to_owned(), |speed| format!("{about}{speed:.0} tokens/s"))
    };
    let json = match line.structured {
        None => "–".to_owned(),
        Some(Structured::Nothing) => paint(NOTE, "no"),
        Some(way) => format!("by {}", way_name(way)),
    };
    let context = line.context.or(line.declared_context).map_or("unknown".to_owned(), |n| n.to_string());
    vec![
        if line.reachable { paint(GOOD, "✓") } else { paint(BAD, "✗") },
        if line.name.is_empty() { format!("[{}]", line.place) } else { visible(&line.name) },
        line.server.unwrap_or("–").to_owned(),
        speed(line.read_tokens_per_second),
        speed(line.write_tokens_per_second),
        json,
        context,
    ]
}

fn notes(line: &Line) -> Vec<String> {
    if let Some(error) = &line.error {
        return vec![
            format!("{} {}", paint(BAD, "error:"), visible(error)),
            format!("{} is the server running, and is its address, key and model right?", paint(NOTE, "hint:")),
        ];
    }
    let mut notes = Vec::new();
    let others: Vec<String> = line.models.iter().filter(|name| **name != line.name).map(|name| visible(name)).collect();
    if line.models.is_empty() {
        notes.push("the server lists no models".to_owned());
    } else if others.len() == line.models.len() {
        notes.push(format!("{} the server does not list a model of this name", paint(NOTE, "note:")));
    }
    if !others.is_empty() {
        let more = others.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        notes.push(format!("other models there: {}{more}", others[..others.len().min(SHOWN)].join(", ")));
    }
    match (line.context, line.declared_context) {
        (Some(told), None) => {
            notes.push(format!("put `context = {told}` into [{}], so that longer prompts are not sent", line.place));
        }
        (Some(told), Some(declared)) if declared > told => {
            notes.push(format!(
                "{} context = {declared} is declared, but the server takes {told}",
                paint(NOTE, "note:")
            ));
        }
        (None, None) => {
            notes.push("the server does not tell its context; `context = N` says what it was started with".to_owned())
        }
        _ => {}
    }
    match line.structured {
        Some(Structured::Nothing) => {
            notes.push("answers are not held to a form: those that do not keep to it count as unusable".to_owned());
        }
        Some(way @ (Structured::JsonSchema | Structured::JsonObject)) => {
            notes.push(format!("put `structured = \"{}\"` into [{}]", way_name(way), line.place));
        }
        _ => {}
    }
    if line.estimated {
        notes.push("the server counts no tokens: counts and speeds are estimates, marked ~".to_owned());
    }
    let size = if line.small {
        "briefs for a small model; `size = \"70b\"` says otherwise"
    } else {
        "briefs for a large model"
    };
    notes.push(size.to_owned());
    let usd = line.usd.map_or("prices unknown".to_owned(), |usd| format!("${usd:.4}"));
    notes.push(paint(FAINT, format!("the test took {} tokens, {usd}", line.tokens)));
    notes
}

/// The word of the configuration.
fn way_name(way: Structured) -> &'static str {
    match way {
        Structured::ResponseFormat => "response_format",
        Structured::JsonSchema => "json_schema",
        Structured::JsonObject => "json_object",
        Structured::Nothing => "none",
    }
}
