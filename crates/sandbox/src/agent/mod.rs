//! A cage somewhere else: the port of cages, carried over one stream of bytes.
//!
//! At one end is a sandbox that opens real cages and does what it is asked (`server.rs`), at the other a cage that asks
//! (`client.rs`). The stream may be a serial port of a virtual machine or a pair of pipes. The asking end trusts nothing
//! that it hears: whatever runs behind the other end may have taken it over.

mod client;
mod code;
mod command;
mod protocol;
mod server;

pub(crate) use client::{Host, Line, RemoteCage};
pub(crate) use server::{Server, Stream, refuse};
