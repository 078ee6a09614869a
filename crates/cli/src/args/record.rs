//! Arguments of what deals with the record: `meliora audit` and `meliora store`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

/// What to do with the journal as evidence.
#[derive(Subcommand, Debug)]
pub enum Audit {
    /// Find whatever was edited, removed, put in, moved, cut off or rewritten since it was written.
    Verify(AuditVerify),
    /// Write every event as a line of JSON, with a signed checkpoint at the end.
    Export {
        /// Folder of the project.
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// Write into this file instead of standard output.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// `meliora audit verify`.
#[derive(ClapArgs, Debug)]
pub struct AuditVerify {
    /// Folder of the project.
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// Verify this export instead; needs no database.
    #[arg(long, value_name = "FILE")]
    pub export: Option<PathBuf>,
    /// The checkpoints, where they are not in this user's folder of state.
    #[arg(long, value_name = "FILE")]
    pub checkpoints: Option<PathBuf>,
    /// The public key of the machine that signed them, where it was another one.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Be content where no checkpoint vouches for the chain.
    #[arg(long)]
    pub chain_only: bool,
}

/// What to do with the database.
#[derive(Subcommand, Debug)]
pub enum Store {
    /// Make the tables on Postgres, and a role that may append and read, and nothing else.
    Prepare {
        /// Folder of the project.
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// The database, as a role that may make tables and roles; without it, `[store] url`.
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        /// Name of the role; made if there is none.
        #[arg(long, value_name = "NAME")]
        writer: Option<String>,
    },
    /// Copy the journal from the project's file to Postgres.
    Migrate {
        /// Folder of the project.
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// The database.
        #[arg(long, value_name = "URL")]
        to: String,
    },
}
