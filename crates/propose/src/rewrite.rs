//! Rewrites by a language model.
