//! The command line of `meliora prompt`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::Run;

/// What to do with prompts.
#[derive(Subcommand, Debug)]
pub enum Prompt {
    /// Search for better prompts: `meliora run` with an optimizer.
    Optimize {
        /// Which optimizer; without it, those of meliora.toml, or `reword`.
        #[arg(long, value_parser = [
            "reword", "labeled-few-shot", "bootstrap-few-shot", "bootstrap-random-search", "copro", "gepa", "mipro-v2",
            "simba",
        ])]
        optimizer: Option<String>,
        /// The folder is a library: each project in it, one after the other, within one budget.
        #[arg(long, conflicts_with_all = ["record", "cassette"])]
        all: bool,
        /// As for a run.
        #[command(flatten)]
        run: Box<Run>,
    },
    /// The prompts of a library: owner, version, suite, score, and what waits to be promoted.
    List {
        /// The folder that holds the projects.
        #[arg(default_value = "prompts")]
        dir: PathBuf,
    },
    /// Write the newest run as one page: each row before and after, the prompt's words, the cost.
    Report {
        /// Folder of the project.
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// The file to write; an older one is replaced.
        #[arg(long, value_name = "FILE", default_value = "report.html")]
        html: PathBuf,
    },
    /// Say a program in the form of another tool.
    Export(PromptExport),
    /// Make a program of what DSPy saved.
    Import(PromptImport),
}

/// `meliora prompt export`.
#[derive(ClapArgs, Debug)]
pub struct PromptExport {
    /// A project, or a program's file: program.toml, program.yaml, a plain prompt.
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// The form.
    #[arg(long, value_parser = ["dspy", "text", "markdown", "promptfoo", "python", "rust"], default_value = "text")]
    pub format: String,
    /// The program of this variant; without it, that of your own tree as it stands.
    #[arg(long, value_name = "ID")]
    pub variant: Option<String>,
    /// An input of a plain prompt; without it, the names in braces.
    #[arg(long = "input", value_name = "NAME")]
    pub inputs: Vec<String>,
    /// Write it into this file, which must not exist.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `meliora prompt import`.
#[derive(ClapArgs, Debug)]
pub struct PromptImport {
    /// The JSON that DSPy's `save` wrote.
    pub file: PathBuf,
    /// A program with the same steps, whose fields, types and tools are taken.
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// The signature of a step, `STEP=question -> answer: int`; of a lone module, without `STEP=`.
    #[arg(long = "signature", value_name = "SIGNATURE")]
    pub signatures: Vec<String>,
    /// Write it into this file (.toml or .yaml), which must not exist; without it, to standard output as TOML.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}
