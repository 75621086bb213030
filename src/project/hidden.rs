//! Values that a file of settings need not, or must not, have in the open, because many people can read it: `env:NAME` is a variable of the
//! environment, `file:PATH` the first line of a file.

use std::path::Path;

use diag::{Text, is_secret, text};
use value::fields::{Fields, Reader};

/// The largest file with a secret, in bytes.
const MAX_FILE: u64 = 64 << 10;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hidden {
    Env(String),
    File(String),
    /// Only of what is no secret.
    Written(String),
}

impl Hidden {
    /// What is written in a file of this folder, from which relative paths count.
    pub fn of(written: &str, folder: &Path) -> Hidden {
        match written.trim().split_once(':') {
            Some(("env", name)) => Hidden::Env(name.trim().to_owned()),
            Some(("file", path)) => Hidden::File(folder.join(path.trim()).display().to_string()),
            Some(_) | None => Hidden::Written(written.trim().to_owned()),
        }
    }

    /// A secret, at which the file may only point. `None` also if there is none.
    pub fn secret(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str, folder: &Path) -> Option<Hidden> {
        let word = reader.word(fields.get(key)?, text!("`{}` of {}", key, Text::from(fields.what)))?;
        match Hidden::of(&word.text, folder) {
            Hidden::Written(_) => {
                reader.in_the_open(word.place, key);
                None
            }
            found @ (Hidden::Env(_) | Hidden::File(_)) => Some(found),
        }
    }

    /// The key `headers`, in the order of the file. One whose name says that it is a secret is left out if it stands there in the open.
    pub fn headers(reader: &mut Reader<'_>, fields: &Fields<'_>, folder: &Path) -> Vec<(String, Hidden)> {
        let mut headers = Vec::new();
        for (key, node) in fields.get("headers").map_or(&[][..], |node| reader.map(node, text!("headers"))) {
            let Some(word) = reader.word(node, text!("header `{}`", key.name)) else { continue };
            match Hidden::of(&word.text, folder) {
                Hidden::Written(_) if is_secret(&key.name) => reader.in_the_open(word.place, &key.name),
                value @ (Hidden::Env(_) | Hidden::File(_) | Hidden::Written(_)) => headers.push((key.name.clone(), value)),
            }
        }
        headers
    }

    /// The value, read each time: a new one needs no restart.
    ///
    /// # Errors
    /// Where it should have been.
    pub fn reveal(&self) -> Result<String, Text> {
        let found = match self {
            Hidden::Written(text) => text.clone(),
            Hidden::Env(name) => std::env::var(name).map_err(|_| text!("was not asked: the environment variable `{}` is not set", name))?,
            Hidden::File(path) => {
                files::read_text(Path::new(path), path, MAX_FILE).map_err(|error| text!("was not asked: {}", error.message))?
            }
        };
        let found = found.lines().next().unwrap_or("").trim().to_owned();
        if found.is_empty() { Err(text!("was not asked: its secret is empty")) } else { Ok(found) }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Hidden;

    #[test]
    fn where_a_value_is() {
        let folder = Path::new("/etc/faultscope");
        for (written, expected) in [
            ("env: TOKEN ", Hidden::Env("TOKEN".to_owned())),
            ("file:token", Hidden::File("/etc/faultscope/token".to_owned())),
            (" file: /run/token", Hidden::File("/run/token".to_owned())),
            ("https://example.com", Hidden::Written("https://example.com".to_owned())),
            ("shop", Hidden::Written("shop".to_owned())),
        ] {
            assert_eq!(Hidden::of(written, folder), expected);
        }
    }

    #[test]
    fn what_a_file_says() {
        let folder = tempfile::tempdir().unwrap();
        let told = |text: &[u8]| {
            std::fs::write(folder.path().join("token"), text).unwrap();
            Hidden::of("file:token", folder.path()).reveal().map_err(|why| why.to_string())
        };
        assert_eq!(told(b" s3cret \r\nmore\n"), Ok("s3cret".to_owned()));
        assert_eq!(told(b"\nlate\n"), Err("was not asked: its secret is empty".to_owned()));
        assert!(told(b"\xff").is_err_and(|why| why.contains("is not UTF-8")));
        assert!(told(&b"x".repeat(70_000)).is_err_and(|why| why.contains("is larger than 64 KiB")));
        let gone = Hidden::of("file:gone", folder.path()).reveal().unwrap_err().to_string();
        assert!(gone.starts_with("was not asked: cannot read `") && gone.ends_with("gone`: no such file"), "{gone}");
        let unset = Hidden::Env("FAULTSCOPE_TEST_NOT_SET".to_owned()).reveal().unwrap_err().to_string();
        assert_eq!(unset, "was not asked: the environment variable `FAULTSCOPE_TEST_NOT_SET` is not set");
    }
}
