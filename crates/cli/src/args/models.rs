//! The command line of `meliora models`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

/// What to do with the models.
#[derive(Subcommand, Debug)]
pub enum Models {
    /// Ask each model a few short questions: is it there, how fast does it read and write, does it keep to a form?
    Test(ModelsTest),
}

/// `meliora models test`.
#[derive(ClapArgs, Debug)]
pub struct ModelsTest {
    /// The model of `[models.NAME]`; without it, all that are configured.
    pub name: Option<String>,
    /// Folder of the project; the user's own settings count without one.
    #[arg(long, default_value = ".")]
    pub dir: PathBuf,
    /// Address of a server that is not configured.
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// Name of the model there; without it the server's first one is taken.
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
}
