//! The door: what the law says of an operation before it happens.

pub(crate) mod matcher;

pub use matcher::Matcher;
