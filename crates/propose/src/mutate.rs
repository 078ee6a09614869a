//! Mutation operators on syntax trees.
