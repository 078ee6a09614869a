//! Proposers: who makes changes. Syntax-tree mutation, crossover, model rewrites, prompt optimizers, outside commands.

pub mod command;
pub mod crossover;
pub mod mutate;
pub mod optimize;
pub mod rewrite;
pub mod shape;
mod syntax;
