//! Tests of the real binary, one file a topic; `support` is the harness.

#![allow(clippy::unwrap_used)]

mod artifacts;
mod attached;
mod auth;
mod between;
mod cli;
mod deep;
mod docs;
mod durability;
mod faults;
mod hosted;
mod hostile;
mod kept;
mod list;
mod output;
mod portable;
mod products;
mod reading;
mod recorded;
mod referrers;
mod report;
mod resilience;
mod scale;
mod slow_disk;
mod support;
mod terminal;
mod there;
mod tls;
mod verdicts;
