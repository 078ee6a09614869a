//! Cages: places where code runs that nobody trusts. Linux namespaces, Landlock, seccomp and resource limits.
//!
//! A cage has every layer or does not open: there is no weaker one in silence. The privileged steps are one list, in
//! `checklist.rs`. The only room with `unsafe`.

mod agent;
mod cage;
mod checklist;
mod container;
mod e2b;
mod files;
mod filter;
mod frozen;
mod groups;
mod holes;
mod identity;
mod init;
mod interpreter;
mod launch;
mod microvm;
mod namespaces;
mod plan;
mod process;
mod ranges;
mod ready;
mod reaper;
mod selftest;
mod serve;
mod sys;
mod terminal;
mod trial;
mod warm;
mod watch;
mod wire;
mod zygote;

pub use container::{ContainerSettings, Containers};
pub use e2b::{E2b, E2bSettings, Execution, ExecutionError, Key};
pub use microvm::{Built, ImagePlan, KERNEL, Microvm, MicrovmPlan, PACKAGES, build_image};
pub use namespaces::Namespaces;
pub use ranges::{starter_name, take_ranges};
pub use selftest::{Extent, Finding, Kind, State, selftest};
pub use serve::serve_if_asked;
pub use warm::WarmPython;
