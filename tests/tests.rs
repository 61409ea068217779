//! Tests of the real binary, one file a topic; `support` is the harness.

#![allow(clippy::unwrap_used)]

mod artifacts;
mod attached;
mod auth;
mod between;
mod causes;
mod cli;
mod deep;
mod docs;
mod durability;
mod faults;
mod foreign_files;
mod host_settings;
mod hosted;
mod hostile;
mod kept;
mod list;
mod list_command;
mod manual;
mod merge;
mod not_validated;
mod omissions;
mod output;
mod pool;
mod portable;
mod products;
mod reading;
mod recorded;
mod referrers;
mod report;
mod report_forms;
mod report_lines;
mod resilience;
mod scale;
mod slow_disk;
mod streams;
mod support;
mod terminal;
mod there;
mod tls;
mod tokens;
mod verdicts;
mod why;
