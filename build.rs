//! Tells tests whether the shared data lies beside this checkout, so that those which need it are ignored elsewhere, not passed.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(shared)");
    println!("cargo::rerun-if-changed=build.rs");
    if std::path::Path::new("../shared/data").is_dir() {
        println!("cargo::rustc-cfg=shared");
    }
}
