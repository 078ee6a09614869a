//! The `meliora` program.

fn main() {}
