//! Tests of the real binary, one file a topic; `support` is the harness.

#![allow(clippy::unwrap_used, missing_docs)]

mod auth;
mod between;
mod cli;
mod faults;
mod list;
mod output;
mod registries;
mod resilience;
mod scale;
mod support;
mod tls;
mod verdicts;
