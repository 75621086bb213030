//! The command line. Everything it does is in the `cli` package; see `faultscope help`.

fn main() -> std::process::ExitCode {
    cli::main()
}
