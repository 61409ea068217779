//! Tests of the real binary, one file a topic; `support` is the harness.

#![allow(clippy::unwrap_used, missing_docs)]

mod cli;
mod faults;
mod list;
mod output;
mod scale;
mod support;
mod verdicts;
