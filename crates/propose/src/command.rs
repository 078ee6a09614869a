//! An outside program as proposer, run in a cage.
