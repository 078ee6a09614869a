//! Proposers: who makes changes. Syntax-tree mutation, crossover, model rewrites, outside commands.

pub mod command;
pub mod crossover;
pub mod mutate;
pub mod rewrite;
pub mod shape;
