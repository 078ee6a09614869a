//! Cages: places where code runs that nobody trusts. Linux namespaces, Landlock, seccomp and resource limits.
//!
//! A cage has every layer or does not open: there is no weaker one in silence. The privileged steps are one list, in
//! `checklist.rs`. The only room with `unsafe`.

mod cage;
mod checklist;
mod files;
mod filter;
mod identity;
mod init;
mod namespaces;
mod plan;
mod process;
mod reaper;
mod sys;
mod watch;
mod wire;
mod zygote;

pub use namespaces::Namespaces;
