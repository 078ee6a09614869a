//! The command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};

pub use self::models::{Models, ModelsTest};
pub use self::prompt::{Prompt, PromptExport, PromptImport};
pub use self::record::{Audit, AuditVerify, Store};
pub use self::sandbox::{Image, Sandbox, SandboxRun, SandboxServe, SelfTest};
use crate::cages::Backend;

mod models;
mod prompt;
mod record;
mod sandbox;

/// Makes programs better by themselves, and keeps only improvements that it can prove.
#[derive(Parser, Debug)]
#[command(name = "meliora", version, about, propagate_version = true, disable_help_subcommand = true)]
pub struct Args {
    /// Print JSON, one object a line, instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Make a project: meliora.toml, CONSTITUTION.yaml, a genome and a first suite.
    Init {
        /// Folder of the project; made if it does not exist.
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Evolve: continue an unfinished run, or start anew from the champion.
    Run(Run),
    /// Prompts: optimize them, take them to other tools and back.
    Prompt {
        /// What to do with them.
        #[command(subcommand)]
        command: Prompt,
    },
    /// Examine once, without evolution.
    Bench(Bench),
    /// What happened, newest last.
    Log(Log),
    /// One variant: where it comes from, its marks, its diff.
    Show {
        /// The variant: the first digits of its id, `champion` or `baseline`.
        id: String,
        /// Folder of the project.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
    },
    /// The difference between two variants.
    Diff {
        /// From this variant.
        a: String,
        /// To this one.
        b: String,
        /// Folder of the project.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
    },
    /// Write a variant's files into a new folder.
    Checkout {
        /// The variant.
        id: String,
        /// The folder; it must not exist or be empty.
        dest: PathBuf,
        /// Folder of the project.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
    },
    /// The family tree of the last run.
    Lineage {
        /// Folder of the project.
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// Show every variant, not only those that led somewhere.
        #[arg(long)]
        all: bool,
        /// Write a page with all variants, scores and diffs into this file instead.
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
    },
    /// Apply a variant to your own tree, as a git commit.
    Promote {
        /// The variant.
        #[arg(default_value = "champion")]
        id: String,
        /// Folder of the project.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
        /// Also where the evaluator shared a cage with what it examined.
        #[arg(long)]
        unproven: bool,
    },
    /// Undo the newest promotion, as a git commit.
    Rollback {
        /// The variant that stands, to be sure.
        id: Option<String>,
        /// Folder of the project.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
    },
    /// What waits for a person, and your word on it.
    Approvals {
        /// What to do.
        #[command(subcommand)]
        command: Approvals,
    },
    /// Let a suspect variant go, with your key.
    Clear {
        /// The variant.
        id: String,
        /// Folder of the project.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
        /// Why, for the journal.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Let the work go on after the guardian has paused it.
    Resume {
        /// Folder of the project.
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// Why, for the journal.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Is everything here that is needed, and why did the last run not do better?
    Doctor {
        /// Folder of the project.
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// The Python to look at.
        #[arg(long)]
        python: Option<String>,
        /// Where cages come from.
        #[arg(long)]
        backend: Option<Backend>,
    },
    /// Cages for your own commands, and what they keep out.
    Sandbox {
        /// What to do with them.
        #[command(subcommand)]
        command: Sandbox,
    },
    /// The law of a project.
    Constitution {
        /// What to do with it.
        #[command(subcommand)]
        command: Constitution,
    },
    /// The journal as evidence: whether it is what was written.
    Audit {
        /// What to do with it.
        #[command(subcommand)]
        command: Audit,
    },
    /// The database of the journal.
    Store {
        /// What to do with it.
        #[command(subcommand)]
        command: Store,
    },
    /// The language models: are they there, what can they do, how fast are they?
    Models {
        /// What to do.
        #[command(subcommand)]
        command: Models,
    },
    /// What the law says of an operation before it happens: exit 0 allowed, 10 a person decides, 11 forbidden.
    Review(Review),
    /// Strategies on synthetic landscapes, at equal budgets: which finds more?
    Simulate(Simulate),
    /// Print the JSON Schema of meliora.toml.
    Schema,
}

impl Command {
    /// Whether it may open cages.
    pub fn opens_cages(&self) -> bool {
        match self {
            Command::Run(_) | Command::Bench(_) | Command::Promote { .. } | Command::Doctor { .. } => true,
            Command::Prompt { command } => matches!(command, Prompt::Optimize { .. }),
            Command::Sandbox { command } => !matches!(command, Sandbox::Image { .. }),
            _ => false,
        }
    }
}

/// What to simulate.
#[derive(ClapArgs, Debug)]
pub struct Simulate {
    /// Landscapes of this family only: inherited, fresh, plain or deceptive.
    #[arg(long)]
    pub family: Option<String>,
    /// Strategies to compare, as many as you like; all if none is named.
    #[arg(long = "strategy", value_name = "NAME")]
    pub strategies: Vec<String>,
    /// Runs of each strategy on each landscape, each with a seed of its own.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub seeds: u64,
    /// The first of these seeds; another one repeats a comparison on courses that nobody has looked at.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1 << 60))]
    pub first_seed: u64,
    /// Write a picture of the courses into this file.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// What to review: at least one operation; of several, the strictest answer holds.
#[derive(ClapArgs, Debug, Clone, Default)]
pub struct Review {
    /// A shell command or script; `-` reads it from standard input.
    #[arg(long, value_name = "COMMAND")]
    pub command: Vec<String>,
    /// SQL, or commands of psql; `-` reads it from standard input.
    #[arg(long, value_name = "SQL")]
    pub sql: Vec<String>,
    /// A path that is written.
    #[arg(long, value_name = "PATH")]
    pub path: Vec<String>,
    /// A path that is deleted.
    #[arg(long, value_name = "PATH")]
    pub delete: Vec<String>,
    /// A file with a diff in git's form; `-` reads it from standard input.
    #[arg(long, value_name = "FILE")]
    pub diff: Vec<PathBuf>,
    /// A host, or HOST:PORT, that is connected to.
    #[arg(long, value_name = "HOST")]
    pub network: Vec<String>,
    /// Read one PreToolUse event of Claude Code from standard input, and answer it.
    #[arg(long, conflicts_with_all = ["command", "sql", "path", "delete", "diff", "network"])]
    pub hook: bool,
    /// Folder of the project: the workspace.
    #[arg(long, default_value = ".")]
    pub dir: PathBuf,
}

/// What to do with the constitution.
#[derive(Subcommand, Debug)]
pub enum Constitution {
    /// Load it as a run would, and list what each rule is bound to.
    Check {
        /// Folder of the project.
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Sign the file as it is now; makes your key if you have none.
    Sign {
        /// Folder of the project.
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Who signed it, and whether it is the newest and holds.
    Verify {
        /// Folder of the project.
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Try the examples of your own articles, before or after signing.
    Test {
        /// Folder of the project.
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// What the law says of an operation: which article, which part of it, and what would make it lawful.
    Explain {
        /// A command, or a kind with its text, as in `sql: drop table x`, `write: a/b`, `network: example.org:443`.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        operation: Vec<String>,
        /// Folder of the project.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
    },
    /// Print the JSON Schema of CONSTITUTION.yaml.
    Schema,
}

/// What to do with what waits for a person.
#[derive(Subcommand, Debug)]
pub enum Approvals {
    /// List what waits.
    List {
        /// Folder of the project.
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// Also what was answered.
        #[arg(long)]
        all: bool,
    },
    /// Show one request: what, why, by which article, at which risk, with its diff.
    Show {
        /// The first digits of its id.
        id: String,
        /// Folder of the project.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
    },
    /// Say yes to exactly this, once. Signed with your secret key.
    Approve {
        /// The first digits of its id.
        id: String,
        /// Folder of the project.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
        /// Why, for the journal.
        #[arg(long, default_value = "")]
        reason: String,
        /// For so many hours, up to 720; after that it is void.
        #[arg(long, value_name = "H", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=720))]
        hours: u32,
    },
    /// Say no.
    Deny {
        /// The first digits of its id.
        id: String,
        /// Folder of the project.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
        /// Why, for the journal.
        #[arg(long, default_value = "")]
        reason: String,
    },
}

/// Settings that win over meliora.toml.
#[derive(ClapArgs, Debug, Clone, Default)]
pub struct Overrides {
    /// The Python that cages see: a program, or the folder of a virtual environment.
    #[arg(long, value_name = "PYTHON")]
    pub python: Option<String>,
    /// Where cages come from.
    #[arg(long, value_name = "BACKEND")]
    pub backend: Option<Backend>,
    /// Address of the model server, such as http://127.0.0.1:8080/v1.
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// Whether an OpenEvolve evaluator and what it examines have cages of their own (split, the default) or share one.
    #[arg(long, value_name = "TIER", value_parser = ["split", "together"])]
    pub isolation: Option<String>,
    /// Name of the model, or of a `[models.NAME]`; without it the server's first one is taken.
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
}

/// `meliora run`.
#[derive(ClapArgs, Debug, Clone)]
pub struct Run {
    /// Folder of the project: with a meliora.toml, or an OpenEvolve task.
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// How parents are chosen.
    #[arg(long, value_parser = ["greedy", "dgm", "hgm", "islands", "pareto"])]
    pub strategy: Option<String>,
    /// Who proposes: mutate, crossover, rewrite, rewrite:NAME (with the model [models.NAME]), replay, command, or an optimizer of
    /// prompts; may be given several times, they take turns.
    #[arg(long = "proposer", value_name = "PROPOSER")]
    pub proposers: Vec<String>,
    /// At most this many examinations.
    #[arg(long, value_name = "N")]
    pub evals: Option<u64>,
    /// At most this many tokens.
    #[arg(long, value_name = "N")]
    pub tokens: Option<u64>,
    /// At most this much money, in US dollars.
    #[arg(long, value_name = "X")]
    pub usd: Option<f64>,
    /// At most this many minutes.
    #[arg(long, value_name = "M")]
    pub minutes: Option<f64>,
    /// Seed of every random choice.
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,
    /// How many steps are dealt with at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// Shared settings.
    #[command(flatten)]
    pub overrides: Overrides,
    /// Write what the model says into this cassette, for later replay.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Replay the model from this cassette; nothing is sent anywhere.
    #[arg(long, value_name = "FILE")]
    pub cassette: Option<PathBuf>,
    /// Leave an unfinished run behind and start anew from the tree as it stands.
    #[arg(long)]
    pub fresh: bool,
}

/// `meliora bench`.
#[derive(ClapArgs, Debug)]
pub struct Bench {
    /// Folder of the project.
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// Examine this variant; without it, your own tree as it stands.
    #[arg(long, value_name = "ID")]
    pub variant: Option<String>,
    /// Open the holdout too. Each opening is counted and journalled.
    #[arg(long)]
    pub holdout: bool,
    /// Examine the same work so many times, each seed twice: finds flaky tasks and suites that are not exact.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=10_000), conflicts_with = "holdout")]
    pub aa: Option<u32>,
    /// Have each row of a prompt suite answered so many times, each with a seed of its own, and tell pass@k.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1000), conflicts_with_all = ["holdout", "aa"])]
    pub samples: Option<u32>,
    /// Shared settings.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// `meliora log`.
#[derive(ClapArgs, Debug)]
pub struct Log {
    /// Folder of the project.
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// Only what the law refused, with what was proposed.
    #[arg(long)]
    pub refused: bool,
    /// Every event, not only those that changed something.
    #[arg(long)]
    pub all: bool,
    /// At most this many lines, the newest.
    #[arg(short = 'n', long, default_value_t = 200)]
    pub lines: usize,
}
