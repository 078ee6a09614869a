//! The agent of a virtual machine: this room and nothing else, linked statically (`build.rs`).
//!
//! Where it lies beside `meliora`, machines take it along; else they take `meliora` itself and the libraries it needs.

fn main() -> std::process::ExitCode {
    meliora_sandbox::serve_if_asked(std::env::args_os());
    // It is of no use to a person.
    std::process::ExitCode::FAILURE
}
