//! What the anomaly layer is worth and what it costs:
//!
//!     cargo bench --bench anomaly -- forest         isolation forest beside scikit-learn
//!     cargo bench --bench anomaly -- controls DIR   labelled recordings, and controls made of them
//!     cargo bench --bench anomaly -- leave DIR [N]  systems that nothing was fitted to, and N generated recordings
//!     cargo bench --bench anomaly -- size           time of scores and ranking by size
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "a program for the desk"
)]

mod controls;
mod forest;
mod generate;
mod leave;
#[allow(dead_code, reason = "shared with other benches")]
#[path = "../matcher/measure.rs"]
mod measure;
mod random;
mod size;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<&str>>().as_slice() {
        ["controls", dir] => controls::run(std::path::Path::new(dir)),
        ["leave", rest @ ..] => leave::run(rest),
        ["generate", dir, count] => generate::write(std::path::Path::new(dir), count.parse().unwrap(), 3, 1),
        ["size"] => size::run(),
        ["forest"] => forest::run(),
        _ => println!("name one: forest, controls DIR, leave DIR [N], generate DIR N, size"),
    }
}
