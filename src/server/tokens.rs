//! Tokens of clients: 256 random bits, shown once. On file is only a keyed hash (HMAC-SHA256, the key in a file of its own beside it), so
//! that neither the file nor a copy of it lets anybody in.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ring::hmac::{self, HMAC_SHA256};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use diag::{Code, Diagnostic, Text, nearest, text};
use value::{Time, from_hex, to_hex};

/// What a token begins with, so that scanners for secrets find one that leaked.
const PREFIX: &str = "fst_";

/// Bytes of a token and of the key.
const LENGTH: usize = 32;

/// Thousands of tokens fit.
const MAX_FILE: u64 = 4 << 20;

/// The longest name.
const MAX_NAME: usize = 64;

/// What the bearer of a token may do. Each role may do what the ones before it may, except `ingest`, which only sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sends signals.
    Ingest,
    /// Asks.
    Viewer,
    /// Works on incidents.
    Responder,
    /// Changes what the project says.
    Author,
    Admin,
}

impl Role {
    pub const ALL: [Role; 5] = [Role::Ingest, Role::Viewer, Role::Responder, Role::Author, Role::Admin];

    pub fn name(self) -> &'static str {
        match self {
            Role::Ingest => "ingest",
            Role::Viewer => "viewer",
            Role::Responder => "responder",
            Role::Author => "author",
            Role::Admin => "admin",
        }
    }

    pub fn parse(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether this role may do what needs that one.
    pub fn may(self, needed: Role) -> bool {
        match needed {
            Role::Ingest => matches!(self, Role::Ingest | Role::Admin),
            Role::Viewer | Role::Responder | Role::Author | Role::Admin => self >= needed,
        }
    }
}

/// Who a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The name of the token; `None` where none is needed.
    pub name: Option<String>,
    pub role: Role,
}

/// A token on file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    pub name: String,
    pub role: Role,
    pub created: Time,
    /// HMAC-SHA256 of the token, in hexadecimal digits.
    hash: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    tokens: Vec<Token>,
}

/// The file of the tokens, with the file of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFile {
    path: PathBuf,
}

/// The tokens that are valid.
#[derive(Debug)]
pub struct Tokens {
    key: hmac::Key,
    /// With the bytes of their hashes.
    kept: Vec<(Token, Vec<u8>)>,
}

/// When a file was last changed, and its length: enough to notice another one.
pub type Stamp = Option<(Option<SystemTime>, u64)>;

pub fn stamp(path: &Path) -> Stamp {
    std::fs::metadata(path).ok().map(|found| (found.modified().ok(), found.len()))
}

impl TokenFile {
    pub fn new(path: PathBuf) -> Self {
        TokenFile { path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn key_path(&self) -> PathBuf {
        self.path.with_extension("key")
    }

    pub fn stamp(&self) -> Stamp {
        stamp(&self.path)
    }

    /// The tokens; `None` if there has never been one.
    ///
    /// # Errors
    /// `TOKENS`: a file that is damaged, or whose key is gone. `UNREADABLE`.
    pub fn read(&self) -> Result<Option<Tokens>, Box<Diagnostic>> {
        let Some(written) = self.written()? else { return Ok(None) };
        let key = self.key()?.ok_or_else(|| {
            let message = text!("the key of the tokens is missing: `{}`", self.key_path().display());
            Box::new(
                Diagnostic::nowhere(Code::TOKENS, message)
                    .help(text!("restore it, or remove `{}` and make new tokens", self.path.display())),
            )
        })?;
        let with_hash = |kept: Token| from_hex(&kept.hash).map(|hash| (kept, hash));
        let kept: Option<Vec<_>> = written.tokens.into_iter().map(with_hash).collect();
        let kept = kept.ok_or_else(|| self.damaged(&text!("a hash is not hexadecimal")))?;
        Ok(Some(Tokens { key: hmac::Key::new(HMAC_SHA256, &key), kept }))
    }

    /// What is on file, in the order of their making.
    ///
    /// # Errors
    /// As for [`TokenFile::read`].
    pub fn list(&self) -> Result<Vec<Token>, Box<Diagnostic>> {
        Ok(self.written()?.unwrap_or_default().tokens)
    }

    /// Makes a token and returns it: it cannot be had again.
    ///
    /// # Errors
    /// `TOKENS`: a name that is taken or cannot be one. `UNWRITABLE`.
    pub fn add(&self, name: &str, role: Role, now: Time) -> Result<String, Box<Diagnostic>> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(fits) {
            let help = text!("use up to {} letters, digits, `-`, `_` and `.`", MAX_NAME);
            return Err(Box::new(Diagnostic::nowhere(Code::TOKENS, text!("`{}` cannot name a token", name)).help(help)));
        }
        let mut written = self.written()?.unwrap_or_default();
        if written.tokens.iter().any(|kept| kept.name == name) {
            let help = text!("choose another name, or revoke that one first: `faultscope token revoke {}`", name);
            return Err(Box::new(Diagnostic::nowhere(Code::TOKENS, text!("there is a token `{}` already", name)).help(help)));
        }
        let key = match self.key()? {
            Some(key) => key,
            None => {
                let key = random()?;
                files::write_private(&self.key_path(), format!("{}\n", to_hex(&key)))?;
                key
            }
        };
        let token = format!("{PREFIX}{}", to_hex(&random()?));
        let hash = hmac::sign(&hmac::Key::new(HMAC_SHA256, &key), token.as_bytes());
        written.tokens.push(Token { name: name.to_owned(), role, created: now, hash: to_hex(hash.as_ref()) });
        self.write(&written)?;
        Ok(token)
    }

    /// Takes a token back. A running server refuses it within seconds.
    ///
    /// # Errors
    /// `TOKENS`: there is none of this name. `UNWRITABLE`.
    pub fn revoke(&self, name: &str) -> Result<(), Box<Diagnostic>> {
        let mut written = self.written()?.unwrap_or_default();
        let before = written.tokens.len();
        written.tokens.retain(|kept| kept.name != name);
        if written.tokens.len() == before {
            let near = nearest(name, written.tokens.iter().map(|kept| kept.name.as_str()));
            let help = near.map_or_else(|| text!("`faultscope token list` lists them"), diag::did_you_mean);
            return Err(Box::new(Diagnostic::nowhere(Code::TOKENS, text!("there is no token `{}`", name)).help(help)));
        }
        // Without tokens the file stays: that there were some means that nobody comes in without one.
        self.write(&written)
    }

    fn written(&self) -> Result<Option<Written>, Box<Diagnostic>> {
        let shown = self.path.display().to_string();
        let Some(bytes) = files::try_read(&self.path, &shown, MAX_FILE)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| self.damaged(&error.to_string().into()))
    }

    fn write(&self, written: &Written) -> Result<(), Box<Diagnostic>> {
        let json = serde_json::to_string_pretty(written).map_err(|error| self.damaged(&error.to_string().into()))?;
        files::write_private(&self.path, format!("{json}\n"))
    }

    fn key(&self) -> Result<Option<Vec<u8>>, Box<Diagnostic>> {
        let path = self.key_path();
        let shown = path.display().to_string();
        let Some(bytes) = files::try_read(&path, &shown, MAX_FILE)? else { return Ok(None) };
        let key = std::str::from_utf8(&bytes).ok().and_then(|text| from_hex(text.trim())).filter(|key| key.len() == LENGTH);
        key.map(Some).ok_or_else(|| Box::new(Diagnostic::nowhere(Code::TOKENS, text!("`{}` is not a key of tokens", shown))))
    }

    fn damaged(&self, why: &Text) -> Box<Diagnostic> {
        let help = text!("restore it, or remove `{}` and make new tokens", self.path.display());
        Box::new(
            Diagnostic::nowhere(Code::TOKENS, text!("cannot read the tokens in `{}`: {}", self.path.display(), why.clone())).help(help),
        )
    }
}

impl Tokens {
    /// Whose token this is. Every token is compared, each in constant time: how long it takes tells nothing.
    pub fn find(&self, token: &str) -> Option<Who> {
        let mut found = None;
        for (kept, hash) in &self.kept {
            if hmac::verify(&self.key, token.as_bytes(), hash).is_ok() {
                found = Some(Who { name: Some(kept.name.clone()), role: kept.role });
            }
        }
        found
    }
}

fn random() -> Result<Vec<u8>, Box<Diagnostic>> {
    let mut bytes = vec![0; LENGTH];
    let failed = |_| Box::new(Diagnostic::nowhere(Code::TOKENS, text!("the operating system gives no random numbers")));
    SystemRandom::new().fill(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Role, TokenFile};
    use value::Time;

    #[test]
    fn roles_contain_those_before_them_except_ingest() {
        let may = |role: Role| -> Vec<&str> { Role::ALL.into_iter().filter(|needed| role.may(*needed)).map(Role::name).collect() };
        assert_eq!(may(Role::Ingest), ["ingest"]);
        assert_eq!(may(Role::Viewer), ["viewer"]);
        assert_eq!(may(Role::Responder), ["viewer", "responder"]);
        assert_eq!(may(Role::Author), ["viewer", "responder", "author"]);
        assert_eq!(may(Role::Admin), ["ingest", "viewer", "responder", "author", "admin"]);
    }

    #[test]
    fn tokens_are_found_until_they_are_revoked_and_never_on_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = TokenFile::new(dir.path().join("tokens.json"));
        assert!(file.read().unwrap().is_none());
        let first = file.add("duty", Role::Responder, Time(0)).unwrap();
        let second = file.add("prometheus", Role::Ingest, Time(0)).unwrap();
        assert!(first.len() == 68 && first != second, "{first}");
        let tokens = file.read().unwrap().unwrap();
        let found = tokens.find(&first).unwrap();
        assert_eq!((found.name.as_deref(), found.role), (Some("duty"), Role::Responder));
        assert_eq!(tokens.find(&second).unwrap().role, Role::Ingest);
        assert!(tokens.find("").is_none() && tokens.find(&first.to_uppercase()).is_none());
        let written = std::fs::read_to_string(file.path()).unwrap();
        assert!(!written.contains(first.trim_start_matches("fst_")), "{written}");
        assert!(file.add("duty", Role::Viewer, Time(0)).is_err() && file.add("a b", Role::Viewer, Time(0)).is_err());
        file.revoke("duty").unwrap();
        file.revoke("prometheus").unwrap();
        assert!(file.revoke("duty").is_err());
        let tokens = file.read().unwrap().expect("the file stays");
        assert!(tokens.find(&first).is_none() && tokens.find(&second).is_none());
        // The key of another place finds nobody.
        let third = file.add("again", Role::Viewer, Time(0)).unwrap();
        std::fs::write(dir.path().join("tokens.key"), "00".repeat(32)).unwrap();
        assert!(file.read().unwrap().unwrap().find(&third).is_none());
        std::fs::remove_file(dir.path().join("tokens.key")).unwrap();
        assert!(file.read().is_err());
    }
}
