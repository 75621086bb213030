//! The command line. Everything it does stands in the library; see `faultscope help`.

fn main() -> std::process::ExitCode {
    faultscope::cli::main()
}
