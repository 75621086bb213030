//! Every crate of Cargo.lock is in tests/dependencies.tsv with its license, and none is banned: a new one is a decision, not an accident.
//! `cargo deny check` (deny.toml) also asks for advisories.

use std::collections::BTreeMap;

use crate::common::root;

/// Licenses of which one must do, alone or in every part of an `AND`.
const ALLOWED: &[&str] = &[
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "Unlicense",
];

/// Linked unmodified; see NOTICE.
const MPL: &[&str] = &["indradb-lib", "smartstring"];

const BANNED: &[&str] = &["openssl", "openssl-sys", "native-tls", "aws-lc-sys", "librocksdb-sys", "libsqlite3-sys", "fxhash", "serde_yaml"];

fn locked() -> Vec<String> {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let packages = lock.split("[[package]]").filter(|package| package.contains("\nsource = "));
    packages.map(|package| package.split('"').nth(1).unwrap().to_owned()).collect()
}

fn listed() -> BTreeMap<String, String> {
    let list = std::fs::read_to_string(root().join("tests/dependencies.tsv")).unwrap();
    list.lines().map(|line| line.split_once('\t').unwrap()).map(|(name, license)| (name.to_owned(), license.to_owned())).collect()
}

#[test]
fn every_crate_is_listed_and_none_is_banned() {
    let (locked, listed) = (locked(), listed());
    assert!(locked.len() > 100);
    for name in &locked {
        assert!(
            listed.contains_key(name),
            "add `{name}` with its license to tests/dependencies.tsv, and say in the commit why it is worth it"
        );
        assert!(!BANNED.contains(&name.as_str()), "{name} is banned");
    }
    let gone: Vec<_> = listed.keys().filter(|name| !locked.contains(name)).collect();
    assert!(gone.is_empty(), "no longer used, remove from tests/dependencies.tsv: {gone:?}");
}

#[test]
fn licenses_are_allowed() {
    for (name, license) in listed() {
        let fine = license.split(" AND ").all(|part| {
            let part = part.trim_matches(['(', ')']);
            part.split(" OR ").any(|one| ALLOWED.contains(&one.trim_matches(['(', ')'])))
        });
        assert!(fine || MPL.contains(&name.as_str()), "{name}: {license}");
    }
}
