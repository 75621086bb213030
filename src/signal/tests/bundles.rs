use std::fs;
use std::path::{Path, PathBuf};

use crate::read_bundle;
use diag::Code;

/// A folder of its own that is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("faultscope-signal-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder left behind in the temporary directory is no reason to fail.
        drop(fs::remove_dir_all(&self.0));
    }
}

#[test]
fn files_are_found_in_the_bundle_and_above() {
    let folder = Folder::new("above");
    folder.write("topology.json", "{}");
    folder.write("estate/topology.json", "{}");
    folder.write("estate/baseline.json", "[]");
    folder.write("estate/day/case-1/alerts.json", "[]");
    folder.write("estate/day/case-2/changes.json", "[]");
    folder.write("estate/day/case-2/topology.json", "{}");
    let name = |file: Option<(String, Vec<u8>)>| file.map(|(name, _)| name);
    let read = |case: &str, root: &str| read_bundle(&folder.0.join(case), &folder.0.join(root)).unwrap();
    let one = read("estate/day/case-1", "estate");
    assert_eq!(name(one.alerts).as_deref(), Some("alerts.json"));
    assert_eq!(name(one.topology).as_deref(), Some("../../topology.json"));
    assert_eq!(name(one.baseline).as_deref(), Some("../../baseline.json"));
    assert_eq!(one.metrics, None);
    let two = read("estate/day/case-2", "");
    assert_eq!(name(two.topology).as_deref(), Some("topology.json"));
    // Not above the folder that was named.
    assert_eq!(read("estate/day/case-1", "estate/day").baseline, None);
}

#[test]
fn folders_that_are_no_bundle() {
    let folder = Folder::new("empty");
    folder.write("topology.json", "{}");
    let code = |path: &Path| read_bundle(path, &folder.0).err().map(|d| d.code);
    assert_eq!(code(&folder.0), Some(Code::EMPTY_BUNDLE));
    assert_eq!(code(&folder.0.join("nowhere")), Some(Code::UNREADABLE));
    fs::create_dir_all(folder.0.join("odd/alerts.json")).unwrap();
    assert_eq!(code(&folder.0.join("odd")), Some(Code::UNREADABLE));
}
