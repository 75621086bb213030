//! Parses rule files into a syntax tree. `grammar/rules.pest` is the grammar, `grammar/reference.md` explains it.

pub mod ast;
mod build;
mod conditions;
mod cut;
mod expect;
mod parse;
mod terms;

pub use parse::{parse_file, parse_state};

#[derive(pest_derive::Parser)]
#[grammar = "../../grammar/rules.pest"]
struct Grammar;
