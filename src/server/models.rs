//! Models written by `faultscope anomaly fit`, and the folder that they come from. A folder that has changed is taken over as a whole; if one of
//! its models cannot be read, or none is left, those in use stay.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use schemars::JsonSchema;
use serde::Serialize;

use anomaly::Model;
use diag::{Code, Diagnostic, Text, text};
use live::held;
use value::Time;

use super::News;

use super::request::now;

/// The largest model file, in bytes. A thousand columns with a weekly season take a tenth of it.
const MAX_MODEL_BYTES: u64 = 256 << 20;

/// By name.
pub type Models = BTreeMap<String, Model>;

/// Which models are in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ModelsState {
    /// When they were read.
    pub loaded: Time,
    pub names: Vec<String>,
    /// What is wrong with those on file, which are not used then.
    pub refused: Vec<String>,
}

/// See the module.
pub struct ModelFolder {
    /// `None`: there are no models.
    dir: Option<PathBuf>,
    /// Held as long as they are being read.
    known: Mutex<Known>,
    used: Mutex<Arc<Models>>,
    state: Mutex<ModelsState>,
}

/// The files when they were last used or refused, and when they were last looked at.
struct Known {
    done: Stamp,
    seen: Stamp,
}

/// The files with their sizes and times of change; `None` if the folder cannot be read.
type Stamp = Option<Vec<(PathBuf, Option<(u64, SystemTime)>)>>;

impl ModelFolder {
    /// Reads a folder, if there is one to be read. A model that cannot be read is skipped; the rest is used.
    ///
    /// # Errors
    /// `UNREADABLE`: no such folder.
    pub fn open(dir: Option<&Path>) -> Result<ModelFolder, Box<Diagnostic>> {
        let stamp = dir.and_then(stamp);
        let (models, refused) = dir.map(load).transpose()?.unwrap_or_default();
        let state = ModelsState { loaded: now(), names: models.keys().cloned().collect(), refused };
        let known = Known { done: stamp.clone(), seen: stamp };
        let (used, state) = (Mutex::new(Arc::new(models)), Mutex::new(state));
        Ok(ModelFolder { dir: dir.map(Path::to_path_buf), known: Mutex::new(known), used, state })
    }

    pub fn used(&self) -> Arc<Models> {
        Arc::clone(&held(&self.used))
    }

    pub fn state(&self) -> ModelsState {
        held(&self.state).clone()
    }

    /// What whoever asks the models must know about them.
    pub fn note(&self) -> Option<Text> {
        let wrong = held(&self.state).refused.len();
        (wrong > 0).then(|| text!("{} models on file cannot be used; `/-/ready` says why", wrong))
    }

    /// Takes the folder over if it has changed, and has not changed since the last look. Who `asked` waits for no second look. Returns what
    /// there is to say.
    pub fn look(&self, asked: bool) -> Option<News> {
        let dir = self.dir.as_deref()?;
        let mut known = held(&self.known);
        let found = stamp(dir);
        let is_settled = asked || known.seen == found;
        known.seen.clone_from(&found);
        if !is_settled || known.done == found {
            return None;
        }
        known.done = found;
        let (models, mut refused) = load(dir).unwrap_or_else(|error| (Models::new(), vec![error.message.to_string()]));
        if models.is_empty() && refused.is_empty() && !self.used().is_empty() {
            refused.push(format!("`{}` has no models any more", dir.display()));
        }
        let mut state = held(&self.state);
        if !refused.is_empty() {
            state.refused = refused;
            return Some(News::Wrong(text!("the models in use stay: {}", state.refused.join("; "))));
        }
        *state = ModelsState { loaded: now(), names: models.keys().cloned().collect(), refused };
        *held(&self.used) = Arc::new(models);
        Some(News::Done(text!("the models have changed and are in use")))
    }
}

/// The models of a folder, by file name without `.json`, and why others cannot be read.
fn load(dir: &Path) -> Result<(Models, Vec<String>), Box<Diagnostic>> {
    let (mut models, mut wrong) = (Models::new(), Vec::new());
    let paths = files_in(dir).map_err(|error| {
        let message = text!("cannot read `{}`: {}", dir.display(), error);
        Box::new(
            Diagnostic::nowhere(Code::UNREADABLE, message).help(text!("name the folder that `faultscope anomaly fit` wrote models to")),
        )
    })?;
    for path in paths {
        let shown = path.display().to_string();
        let read = files::read(&path, &shown, MAX_MODEL_BYTES).and_then(|bytes| Model::from_json(&shown, &bytes));
        match (read, path.file_stem().and_then(|name| name.to_str())) {
            (Ok(model), Some(name)) => {
                models.insert(name.to_owned(), model);
            }
            (Ok(_), None) => wrong.push(format!("the name of `{shown}` is not UTF-8")),
            (Err(error), _) => wrong.push(error.message.to_string()),
        }
    }
    Ok((models, wrong))
}

/// The files of models, sorted.
fn files_in(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)?.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    paths.sort();
    Ok(paths)
}

fn stamp(dir: &Path) -> Stamp {
    let of = |path: PathBuf| {
        let found = std::fs::metadata(&path).ok();
        let written = found.and_then(|found| Some((found.len(), found.modified().ok()?)));
        (path, written)
    };
    Some(files_in(dir).ok()?.into_iter().map(of).collect())
}
