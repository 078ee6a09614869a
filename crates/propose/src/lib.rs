//! Proposers: who makes changes. Syntax-tree mutation, model rewrites, prompt optimizers, outside commands.

pub mod command;
pub mod mutate;
pub mod optimize;
pub mod rewrite;
