# The commands one uses; `just` lists them.

_default:
    @just --list

# Format and lints, as the gate has them
check:
    cargo fmt --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# All tests of the README's command
test:
    cargo test --locked

# Accept what reports print now; read `git diff tests/snapshots` afterwards
bless:
    INSTA_UPDATE=always cargo test --test it

# The incident of the README
demo:
    cargo run -- diagnose cases/HIS-20250601

# How fast the matcher is (release build)
bench:
    cargo bench --bench matcher -- storm
