//! A file of lines to which lines are added, each of them whole or not there.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// See the module.
#[derive(Debug)]
pub struct Lines {
    file: File,
    /// Its bytes, all of them whole lines.
    length: u64,
}

impl Lines {
    /// Opens the file, or begins it. If a crash cut its last line off, the next one begins on a line of its own.
    ///
    /// # Errors
    /// As for [`open_to_append`](super::open_to_append).
    pub fn open(path: &Path) -> io::Result<Lines> {
        let mut file = super::open_to_append(path)?;
        if file.metadata()?.len() > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        let length = file.metadata()?.len();
        Ok(Lines { file, length })
    }

    /// Adds whole lines; on disk when it returns. After an error none of them is there: half a line would swallow the next one.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(lines).and_then(|()| self.file.sync_data()) {
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += u64::try_from(lines.len()).unwrap_or(u64::MAX);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;
    use std::fs;

    #[test]
    fn an_incomplete_line_swallows_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.ndjson");
        for (before, after) in [("", "new\n"), ("one\n", "one\nnew\n"), ("one\ntw", "one\ntw\nnew\n")] {
            fs::write(&path, before).unwrap();
            Lines::open(&path).unwrap().append(b"new\n").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), after, "{before:?}");
        }
    }

    #[test]
    fn a_file_is_begun() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("b.ndjson");
        let mut lines = Lines::open(&path).unwrap();
        lines.append(b"one\n").unwrap();
        lines.append(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    }
}
