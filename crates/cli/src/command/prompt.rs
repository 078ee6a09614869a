//! `meliora prompt`: optimize prompts, tell how they stand, and take programs to and from other tools.

mod library;
mod page;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use meliora_domain::Genome;
use meliora_evolve::{Archive as _, replayed_in_full};
use meliora_prompt::{Asked, Files, Format, Program, ProgramFile, PromptError, Signature, dspy, export, file_text};
use meliora_propose::optimize::NAMES;
use meliora_store::Globs;

use crate::args::{Prompt, PromptExport, PromptImport, Run};
use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::project::{archive_to_read, resolve};

/// What may belong to a program that stands in a file of its own: instructions and tools beside it or one folder below.
const PARTS: [&str; 8] = ["*.md", "*.txt", "*.prompt", "*.py", "*/*.md", "*/*.txt", "*/*.prompt", "*/*.py"];

/// Does what was asked of prompts.
pub fn prompt(command: &Prompt, printer: &Printer) -> Result<Exit, Failure> {
    match command {
        Prompt::Optimize { optimizer, all, run } => optimize(optimizer.as_deref(), *all, run, printer),
        Prompt::List { dir } => library::list(dir, printer),
        Prompt::Report { dir, html } => page::report(dir, html, printer),
        Prompt::Export(args) => export_program(args, printer),
        Prompt::Import(args) => import_program(args, printer),
    }
}

fn optimize(optimizer: Option<&str>, all: bool, run: &Run, printer: &Printer) -> Result<Exit, Failure> {
    let mut run = run.clone();
    if let Some(other) = run.proposers.iter().find(|name| !NAMES.contains(&name.as_str())) {
        return Err(Failure::new(Exit::Usage, format!("'{other}' is no optimizer of prompts"))
            .hint(format!("there are {}", NAMES.join(", "))));
    }
    run.proposers.extend(optimizer.map(str::to_owned));
    if all {
        return library::round(&run.dir, &run, printer, &super::run::optimize);
    }
    super::run::optimize(&run, printer)
}

fn unusable(e: PromptError) -> Failure {
    Failure::new(Exit::Configuration, e.what).hint(e.hint)
}

fn export_program(args: &PromptExport, printer: &Printer) -> Result<Exit, Failure> {
    let inputs: Vec<&str> = args.inputs.iter().map(String::as_str).collect();
    let (program, name, asked) = if args.path.is_dir() {
        let config = config::load(&args.path.join("meliora.toml"))?;
        let genome = match &args.variant {
            Some(id) => {
                let archive = archive_to_read(&args.path)?;
                let id = resolve(&archive, &replayed_in_full(&archive)?, id)?;
                archive.load(&id)?
            }
            None => read(&args.path.join(&config.genome.root), &config.genome.editable)?,
        };
        let url = Some(config.model.base_url).filter(|url| !url.is_empty());
        let program = program_of(&texts(&genome), &inputs)?;
        (program, config.name, Asked { model: config.model.name, base_url: url })
    } else {
        if args.variant.is_some() {
            return Err(Failure::new(Exit::Usage, "a file has no variants").hint("name the folder of the project"));
        }
        let name = args.path.file_stem().map_or("prompt".to_owned(), |stem| stem.to_string_lossy().into_owned());
        (read_program(&args.path, &inputs)?, name, Asked::default())
    };
    let format = Format::ALL.iter().find(|(name, _)| *name == args.format).map_or(Format::Text, |(_, format)| *format);
    let text = export(&program, format, &name, &asked).map_err(unusable)?;
    match &args.out {
        Some(file) => write_new(file, &text, printer)?,
        None if printer.json() => printer.object(&serde_json::json!({ "format": args.format, "text": text })),
        None => printer.data(text.trim_end_matches('\n')),
    }
    Ok(Exit::Done)
}

fn import_program(args: &PromptImport, printer: &Printer) -> Result<Exit, Failure> {
    let text = std::fs::read_to_string(&args.file).map_err(|e| {
        Failure::new(Exit::Usage, format!("{} cannot be read: {e}", args.file.display()))
            .hint("give the file that `program.save(\"program.json\")` wrote; a .pkl is not read")
    })?;
    let like = args.program.as_ref().map(|path| read_program(path, &[])).transpose()?;
    let mut signatures = BTreeMap::new();
    for given in &args.signatures {
        let (step, signature) = match given.split_once('=').filter(|(step, _)| !step.contains("->")) {
            Some((step, signature)) => (step.trim(), signature),
            None => ("", given.as_str()),
        };
        let signature = Signature::read(signature).map_err(|e| Failure::new(Exit::Usage, e.what).hint(e.hint))?;
        signatures.insert(step.to_owned(), signature);
    }
    let imported = dspy::load(&text, like.as_ref(), &signatures).map_err(unusable)?;
    for note in &imported.notes {
        printer.warn(note);
    }
    let toml = args.out.as_ref().is_none_or(|file| file.extension().is_some_and(|e| e == "toml"));
    let program = file_text(&imported.program, toml);
    match &args.out {
        Some(file) => write_new(file, &program, printer)?,
        None if printer.json() => printer.object(&serde_json::json!({ "program": program, "notes": imported.notes })),
        None => printer.data(program.trim_end_matches('\n')),
    }
    Ok(Exit::Done)
}

fn read(root: &Path, globs: &[String]) -> Result<Genome, Failure> {
    Ok(meliora_store::read_genome(root, &Globs::new(globs, &[])?)?)
}

fn texts(genome: &Genome) -> Files {
    genome.files().filter_map(|(path, body)| Some((path.to_string(), body.text()?.to_owned()))).collect()
}

/// The program of a file, whatever it is called, with the parts that stand beside it.
fn read_program(path: &Path, inputs: &[&str]) -> Result<Program, Failure> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        Failure::new(Exit::Usage, format!("{} cannot be read: {e}", path.display()))
            .hint("name a project's folder, or a program's file")
    })?;
    let end = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    if !["toml", "yaml", "yml"].contains(&end) {
        return program_of(&Files::from([("prompt.txt".to_owned(), text)]), inputs);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut files = texts(&read(folder, &PARTS.map(str::to_owned))?);
    files.insert(format!("program.{end}"), text);
    program_of(&files, inputs)
}

/// The program among files. The inputs of a plain prompt are those given, or its names in braces.
fn program_of(files: &Files, inputs: &[&str]) -> Result<Program, Failure> {
    let found: Vec<String> = files.values().flat_map(|text| in_braces(text)).collect();
    let mut columns: Vec<&str> = inputs.to_vec();
    if columns.is_empty() {
        for name in &found {
            if !columns.contains(&name.as_str()) {
                columns.push(name);
            }
        }
    }
    if columns.is_empty() {
        columns.push("input");
    }
    Ok(ProgramFile::read(files, &columns).map_err(unusable)?.program)
}

fn in_braces(text: &str) -> Vec<String> {
    let pieces = text.split('{').skip(1).filter_map(|piece| Some(piece.split_once('}')?.0));
    let names = pieces.filter(|name| {
        name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    });
    names.map(str::to_owned).collect()
}

fn write_new(path: &Path, text: &str, printer: &Printer) -> Result<(), Failure> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|e| {
        Failure::new(Exit::Usage, format!("{} cannot be written: {e}", path.display()))
            .hint("name a file that does not exist yet, in a folder that does")
    })?;
    printer.talk(format!("written to {}", path.display()));
    Ok(())
}
