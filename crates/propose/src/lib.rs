//! Proposers: who makes changes. Syntax-tree mutation, model rewrites, outside commands.

pub mod command;
pub mod mutate;
pub mod rewrite;
