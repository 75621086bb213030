//! The command line. Everything it does is in the `cli` package; see `faultscope help`.

/// A server makes and drops small things in several threads all the time: the allocator of the C library spends a third of its time on that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
