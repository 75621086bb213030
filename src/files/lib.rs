//! The disk, safely: files are read up to a limit and never waited for; they are written whole or not at all.

mod lines;

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::str::Utf8Error;

use diag::{Code, Diagnostic, Text, text};

pub use lines::Lines;

/// Reads a regular file of at most `limit` bytes. `shown` names it in errors.
///
/// # Errors
/// `UNREADABLE`: no such file, or something other than a file: a folder, a named pipe, a device or a socket, of which reading may never
/// end. `TOO_LARGE`: more than `limit` bytes.
pub fn read(path: &Path, shown: &str, limit: u64) -> Result<Vec<u8>, Box<Diagnostic>> {
    try_read(path, shown, limit)?
        .ok_or_else(|| Box::new(Diagnostic::nowhere(Code::UNREADABLE, text!("cannot read `{}`: no such file", shown))))
}

/// The same, with `None` if there is no such file.
///
/// # Errors
/// As for [`read`].
pub fn try_read(path: &Path, shown: &str, limit: u64) -> Result<Option<Vec<u8>>, Box<Diagnostic>> {
    let unreadable = |error: &io::Error| Box::new(Diagnostic::nowhere(Code::UNREADABLE, text!("cannot read `{}`: {}", shown, error)));
    // Before it is opened: opening a named pipe waits for a writer.
    let size = match fs::metadata(path) {
        Ok(found) if found.is_file() => found.len(),
        Ok(found) => {
            let message = text!("cannot read `{}`: {}", shown, not_a_file_but(&found));
            let help = if found.is_dir() { text!("give a file of this folder") } else { text!("copy the content into a file first") };
            return Err(Box::new(Diagnostic::nowhere(Code::UNREADABLE, message).help(help)));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&error)),
    };
    // Of the size it will have: growing by doubling would hold a large file one and a half times.
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(limit)).unwrap_or(0));
    // One byte more than allowed tells a file that is too large, even one that grows or has no size.
    File::open(path).and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut bytes)).map_err(|error| unreadable(&error))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(Box::new(Diagnostic::nowhere(Code::TOO_LARGE, text!("`{}` is larger than {}", shown, in_words(limit)))));
    }
    Ok(Some(bytes))
}

/// Reads a text file.
///
/// # Errors
/// As for [`read`]; `NOT_UTF8`.
pub fn read_text(path: &Path, shown: &str, limit: u64) -> Result<String, Box<Diagnostic>> {
    text(read(path, shown, limit)?, shown)
}

/// Opens a file for reading it and appending to it; makes it if there is none. This never waits either.
///
/// # Errors
/// As for [`refuse_special`]; those of the operating system.
pub fn open_to_append(path: &Path) -> io::Result<File> {
    refuse_special(path)?;
    OpenOptions::new().create(true).read(true).append(true).open(path)
}

/// Refuses what is there and is not a file, for those who open it themselves: opening a pipe waits, and a device is no database.
///
/// # Errors
/// The kind of thing that it is.
pub fn refuse_special(path: &Path) -> io::Result<()> {
    special(path).map_or(Ok(()), |what| Err(io::Error::other(what.to_string())))
}

/// What is there instead of a file, in words. `None` for a file, and for nothing at all.
pub fn special(path: &Path) -> Option<Text> {
    fs::metadata(path).ok().filter(|found| !found.is_file()).map(|found| not_a_file_but(&found))
}

/// Bytes as text.
///
/// # Errors
/// `NOT_UTF8`.
pub fn text(bytes: Vec<u8>, shown: &str) -> Result<String, Box<Diagnostic>> {
    String::from_utf8(bytes).map_err(|error| not_utf8(shown, error.utf8_error()))
}

/// Bytes that somebody else keeps, as text.
///
/// # Errors
/// `NOT_UTF8`.
pub fn borrowed_text<'b>(bytes: &'b [u8], shown: &str) -> Result<&'b str, Box<Diagnostic>> {
    std::str::from_utf8(bytes).map_err(|error| not_utf8(shown, error))
}

fn not_utf8(shown: &str, error: Utf8Error) -> Box<Diagnostic> {
    let message = text!("`{}` is not UTF-8: invalid byte at offset {}", shown, error.valid_up_to());
    Box::new(Diagnostic::nowhere(Code::NOT_UTF8, message).help("save it as UTF-8; `iconv -f GB18030 -t UTF-8` converts"))
}

/// Writes a file whole or not at all: into a temporary file beside it, synced, then renamed over it. Whoever reads meanwhile sees the old
/// content or the new one. A file that exists keeps its permissions; a link keeps pointing where it did. Missing folders are made.
///
/// # Errors
/// `UNWRITABLE`; the old content is then still there.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Box<Diagnostic>> {
    write_with(path, content.as_ref(), 0o666)
}

/// The same for a secret: a new file can be read by its owner only.
///
/// # Errors
/// As for [`write`].
pub fn write_private(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Box<Diagnostic>> {
    write_with(path, content.as_ref(), 0o600)
}

fn write_with(path: &Path, content: &[u8], mode: u32) -> Result<(), Box<Diagnostic>> {
    let failed = |why: Text| Box::new(Diagnostic::nowhere(Code::UNWRITABLE, text!("cannot write `{}`: {}", path.display(), why)));
    if let Some(what) = special(path) {
        return Err(failed(what));
    }
    replace(path, content, mode).map_err(|error| failed(error.to_string().into()))
}

/// `mode`: the permissions of a new file, where there are any.
#[cfg_attr(not(unix), allow(unused_variables, reason = "there are no permissions of this kind"))]
fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let old = fs::metadata(&path).map(|found| found.permissions()).ok();
    if old.as_ref().is_some_and(Permissions::readonly) {
        return Err(io::Error::from(io::ErrorKind::PermissionDenied));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    fs::create_dir_all(&folder)?;
    let mut builder = tempfile::Builder::new();
    // Hidden, so that no reader of the folder takes half a file for a whole one.
    builder.prefix(".").suffix(".tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    let mut file = builder.tempfile_in(&folder)?;
    if let Some(old) = old {
        file.as_file().set_permissions(old)?;
    }
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    sync_folder(&folder)
}

/// Makes sure that a folder remembers its files after a crash.
///
/// # Errors
/// Those of the operating system.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened, and remembers by itself.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn not_a_file_but(found: &fs::Metadata) -> Text {
    if found.is_dir() {
        return text!("it is a folder, not a file");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = found.file_type();
        if kind.is_fifo() {
            return text!("it is a named pipe, not a file");
        }
        if kind.is_socket() {
            return text!("it is a socket, not a file");
        }
        if kind.is_char_device() || kind.is_block_device() {
            return text!("it is a device, not a file");
        }
    }
    text!("it is something else, not a file")
}

fn in_words(bytes: u64) -> String {
    match bytes {
        GIB.. if bytes.is_multiple_of(GIB) => format!("{} GiB", bytes / GIB),
        MIB.. => format!("{} MiB", bytes / MIB),
        _ => format!("{} KiB", bytes / 1024),
    }
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use super::{borrowed_text, open_to_append, read, read_text, try_read, write, write_private};
    use diag::Code;
    use std::fs;
    use std::path::Path;

    fn code(path: &Path, limit: u64) -> Option<Code> {
        read(path, "x", limit).err().map(|error| error.code)
    }

    #[test]
    fn files_are_read_up_to_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "hello").unwrap();
        assert_eq!(read(&path, "a", 5).unwrap(), b"hello");
        assert_eq!(code(&path, 4), Some(Code::TOO_LARGE));
        assert_eq!(try_read(&dir.path().join("b"), "b", 5), Ok(None));
        assert_eq!(code(&dir.path().join("b"), 5), Some(Code::UNREADABLE));
        assert_eq!(code(dir.path(), 5), Some(Code::UNREADABLE));
        fs::write(&path, b"\xff").unwrap();
        assert_eq!(read_text(&path, "a", 5).unwrap_err(), borrowed_text(b"\xff", "a").unwrap_err());
        assert_eq!(borrowed_text(b"a\xff", "a").unwrap_err().code, Code::NOT_UTF8);
        assert_eq!(borrowed_text(b"a", "a"), Ok("a"));
    }

    #[test]
    #[cfg(unix)]
    fn nothing_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(read(&pipe, "pipe", 5).unwrap_err().message.to_string().contains("a named pipe"));
        assert!(open_to_append(&pipe).unwrap_err().to_string().contains("a named pipe"));
        assert!(read(Path::new("/dev/zero"), "zero", 5).unwrap_err().message.to_string().contains("a device"));
        let socket = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(read(&socket, "socket", 5).unwrap_err().message.to_string().contains("a socket"));
    }

    #[test]
    #[cfg(unix)]
    fn what_is_written_is_whole_and_keeps_its_place() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/a");
        write(&path, "one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write(&link, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert!(link.is_symlink());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(write(dir.path(), "x").unwrap_err().code, Code::UNWRITABLE);
        let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1, "no temporary file stays behind");
        let secret = dir.path().join("secret");
        write_private(&secret, "x").unwrap();
        assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
