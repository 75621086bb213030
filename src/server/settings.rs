//! Follows `server.yaml`: what can change while the server runs is taken over, of the rest is said that it waits for a restart. A file with
//! an error changes nothing.

use std::path::Path;
use std::sync::Mutex;

use schemars::JsonSchema;
use serde::Serialize;

use diag::{Diagnostic, Sources, text};
use live::held;
use value::Time;

use super::config::{Config, FILE, MAX_FILE};
use super::notifications::shown;
use super::pull::Puller;
use super::request::now;
use super::{AppState, News};

/// Which settings are in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SettingsState {
    /// When they were read.
    pub loaded: Time,
    /// What is wrong with those on file, which are not used then.
    pub refused: Vec<String>,
    /// Sections that are other than at the start, and wait for a restart.
    pub restart: Vec<String>,
}

/// See the module.
pub struct SettingsFile {
    /// Held as long as they are being taken over, which may take seconds.
    known: Mutex<Known>,
    state: Mutex<SettingsState>,
}

struct Known {
    started: Config,
    used: Config,
    /// The file when it was last used or refused, and when it was last looked at.
    done: Content,
    seen: Content,
}

/// What is in the file, `None` if there is none, or why it cannot be read.
type Content = Result<Option<Vec<u8>>, String>;

impl SettingsFile {
    /// Of a server that is being started with these settings.
    pub fn new(config: &Config) -> SettingsFile {
        let content = content(&config.file);
        let state = SettingsState { loaded: now(), refused: Vec::new(), restart: Vec::new() };
        let known = Known { started: config.clone(), used: config.clone(), done: content.clone(), seen: content };
        SettingsFile { known: Mutex::new(known), state: Mutex::new(state) }
    }

    pub fn state(&self) -> SettingsState {
        held(&self.state).clone()
    }

    /// Takes the file over if it has changed, and has not changed since the last look: an editor writes it in several steps. Who `asked`
    /// waits for no second look. Returns what there is to say.
    pub fn look(&self, served: &AppState, asked: bool) -> Option<News> {
        let mut known = held(&self.known);
        let found = content(&known.used.file);
        let is_settled = asked || known.seen == found;
        known.seen.clone_from(&found);
        if !is_settled || known.done == found {
            return None;
        }
        known.done = found;
        let taken = known.take_over(served);
        let mut state = held(&self.state);
        match taken {
            Ok(restart) => {
                *state = SettingsState { loaded: now(), refused: Vec::new(), restart };
                let waiting: Vec<String> = state.restart.iter().map(|section| format!("`{section}`")).collect();
                Some(News::Done(match waiting.as_slice() {
                    [] => text!("the settings have changed and are in use"),
                    waiting => text!("the settings have changed and are in use, but for {}: that waits for a restart", waiting.join(", ")),
                }))
            }
            Err(wrong) => {
                state.refused = wrong;
                Some(News::Wrong(text!("the settings in use stay: {}", state.refused.join("; "))))
            }
        }
    }
}

impl Known {
    /// Returns the sections that wait for a restart, or what is wrong with the file.
    fn take_over(&mut self, served: &AppState) -> Result<Vec<String>, Vec<String>> {
        let line = |error: Box<Diagnostic>| vec![shown(&Sources::default(), &error)];
        let mut sources = Sources::default();
        // What was there at the start and is gone opens nothing: it is an error.
        let (config, found) = Config::load(Path::new("."), Some(self.used.file.as_path()), &mut sources).map_err(line)?;
        let wrong: Vec<String> = found.iter().filter(|found| found.is_error()).map(|found| shown(&sources, found)).collect();
        if !wrong.is_empty() {
            return Err(wrong);
        }
        served.notifier.renew(config.notify.clone()).map_err(line)?;
        served.guard.allow(&config);
        served.live.retain(config.retention, config.keep);
        if config.pull != self.used.pull {
            held(&served.puller).stop();
            let next = Puller::start(&config.pull, &served.live);
            *held(&served.puller) = next;
        }
        let restart = waiting(&self.started, &config).map(str::to_owned).collect();
        self.used = config;
        Ok(restart)
    }
}

/// The sections that only a start reads, as far as they differ.
fn waiting(started: &Config, config: &Config) -> impl Iterator<Item = &'static str> {
    let sections = [
        ("listen", started.listen != config.listen),
        ("data", started.data != config.data),
        ("tls", started.tls != config.tls),
        ("tokens", started.tokens != config.tokens),
        ("limits", started.limits != config.limits),
    ];
    sections.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name)
}

fn content(file: &Path) -> Content {
    files::try_read(file, FILE, MAX_FILE).map_err(|error| error.message.to_string())
}
