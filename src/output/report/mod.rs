//! Reports: what became of each line of the list, for programs and for people.

mod json;
mod object;

pub use json::JSON as REPORT;
