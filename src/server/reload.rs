//! Follows the files of the project. An event of the file system is only a hint: what counts is the tree, once it has settled, loaded
//! and checked as a whole. A tree with errors changes nothing; the one in use stays, and everybody is told.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration as Wait, Instant};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use schemars::JsonSchema;
use serde::Serialize;

use diag::{Severity, Text, text};
use live::{Live, Revision, held};
use project::{Project, stamp};
use value::Time;

use super::News;

/// The tree counts as settled once nothing has changed for this long: an editor writes a file in several steps, git hundreds of files.
const SETTLE: Wait = Wait::from_millis(200);

/// A tree that never settles is loaded after this long all the same.
const SETTLE_AT_MOST: Wait = Wait::from_secs(5);

/// Mounted config maps and network folders lose events: the tree is looked at this often without any.
const POLL: Wait = Wait::from_secs(5);

/// A reload that somebody asked for answers within this time.
const ANSWER: Wait = Wait::from_mins(1);

/// How often it is looked whether a tree that was loaded is in use.
const SOON: Wait = Wait::from_millis(20);

/// Errors shown of a tree that is refused.
const SHOWN: usize = 5;

/// A tree that is not used, because it has errors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RefusedTree {
    pub digest: String,
    /// When it was found.
    pub seen: Time,
    pub errors: usize,
    /// The first of them, with file and line.
    pub first: Vec<String>,
}

/// What is in use, and what is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ReloadState {
    /// Digest of the files in use.
    pub active: String,
    pub loaded: Time,
    /// Errors in the tree in use: only possible if the server was started with it.
    pub errors: usize,
    /// The tree on disk, if it is not in use because of its errors.
    pub refused: Option<RefusedTree>,
    pub succeeded: u64,
    pub failed: u64,
}

#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent wishes of several threads")]
struct Wish {
    hinted: bool,
    asked: bool,
    /// Whoever asked goes on without the files of a folder that are gone.
    accepts: bool,
    stopping: bool,
    /// A look at the tree is on its way.
    looking: bool,
    /// Looks at the tree so far.
    rounds: u64,
}

/// See the module.
pub struct Reloader {
    root: PathBuf,
    live: Arc<Live>,
    wish: Mutex<Wish>,
    changed: Condvar,
    state: Mutex<ReloadState>,
    /// The project that was handed over last.
    used: Mutex<Arc<Project>>,
    now: fn() -> Time,
    /// Says something to whoever runs the server.
    say: fn(&News),
}

impl Reloader {
    /// Follows the tree from which the project in use was loaded.
    pub fn start(live: Arc<Live>, now: fn() -> Time, say: fn(&News)) -> Arc<Reloader> {
        let revision = live.active();
        let state = ReloadState {
            active: revision.digest.clone(),
            loaded: revision.loaded,
            errors: errors(&revision.project).len(),
            refused: None,
            succeeded: 1,
            failed: 0,
        };
        let (root, used) = (revision.project.root.clone(), Mutex::new(Arc::clone(&revision.project)));
        let (wish, changed, state) = (Mutex::default(), Condvar::new(), Mutex::new(state));
        let reloader = Arc::new(Reloader { root, live, wish, changed, state, used, now, say });
        let follower = Arc::clone(&reloader);
        // Without the thread the files are not followed, and `POST /-/reload` says so by its time limit.
        let _ = std::thread::Builder::new().name("reloader".to_owned()).spawn(move || follower.follow());
        reloader
    }

    pub fn state(&self) -> ReloadState {
        held(&self.state).clone()
    }

    /// What a reader of an answer must know about the rules behind it.
    pub fn note(&self) -> Option<Text> {
        let state = held(&self.state);
        let refused = state.refused.as_ref();
        let old = refused
            .map(|tree| text!("rules of {}; the tree of {} has {} and is not used", state.loaded, tree.seen, diag::errors(tree.errors)));
        old.or_else(|| (state.errors > 0).then(|| text!("the rules in use have {}; what has none works", diag::errors(state.errors))))
    }

    /// Something may have changed.
    pub fn hint(&self) {
        held(&self.wish).hinted = true;
        self.changed.notify_all();
    }

    /// Loads the tree now; also one in which all files of a folder are gone, if that is accepted. Returns when that is done, or why it is
    /// not used.
    pub fn reload(&self, accept_missing: bool) -> Result<ReloadState, Text> {
        let began = Instant::now();
        let mut wish = held(&self.wish);
        wish.asked = true;
        wish.accepts |= accept_missing;
        // A round that is on its way may have looked before the change.
        let wanted = wish.rounds + 1 + u64::from(wish.looking);
        self.changed.notify_all();
        let (wish, out) =
            self.changed.wait_timeout_while(wish, ANSWER, |wish| wish.rounds < wanted).unwrap_or_else(PoisonError::into_inner);
        drop(wish);
        let state = self.state();
        if out.timed_out() {
            return Err(text!("the tree is still being loaded"));
        }
        if let Some(tree) = &state.refused {
            return Err(refusal(tree));
        }
        // Loaded is not yet in use: the signals kept are read with it first.
        while self.live.published().revision.digest != self.state().active {
            if began.elapsed() > ANSWER {
                return Err(text!("the tree is still being loaded"));
            }
            std::thread::sleep(SOON);
        }
        Ok(state)
    }

    pub fn stop(&self) {
        held(&self.wish).stopping = true;
        self.changed.notify_all();
    }

    fn follow(self: &Arc<Self>) {
        let mut watcher = self.watch();
        let mut last = stamp(&self.root);
        loop {
            let wish = held(&self.wish);
            let idle = |wish: &mut Wish| !(wish.hinted || wish.asked || wish.stopping);
            let (mut wish, _) = self.changed.wait_timeout_while(wish, POLL, idle).unwrap_or_else(PoisonError::into_inner);
            if wish.stopping {
                return;
            }
            let (asked, accepts) = (std::mem::take(&mut wish.asked), std::mem::take(&mut wish.accepts));
            wish.hinted = false;
            wish.looking = true;
            drop(wish);
            let mut current = stamp(&self.root);
            if current != last || asked {
                current = self.settled(current);
                loop {
                    self.load(accepts);
                    let after = stamp(&self.root);
                    if after == current {
                        break;
                    }
                    current = self.settled(after);
                }
                last = current;
                // A folder may have come, or gone and come back.
                watcher = self.watch();
            }
            let mut wish = held(&self.wish);
            wish.looking = false;
            wish.rounds += 1;
            drop(wish);
            self.changed.notify_all();
            let _ = &watcher;
        }
    }

    /// Waits until the tree stops changing.
    fn settled(&self, mut current: u64) -> u64 {
        let began = Instant::now();
        while began.elapsed() < SETTLE_AT_MOST {
            std::thread::sleep(SETTLE);
            let next = stamp(&self.root);
            if next == current {
                break;
            }
            current = next;
        }
        current
    }

    fn load(&self, accept_missing: bool) {
        let now = (self.now)();
        let loaded = match Project::load(&self.root) {
            Ok(project) => project,
            Err(error) => {
                let tree = RefusedTree { digest: String::new(), seen: now, errors: 1, first: vec![error.message.to_string()] };
                return self.refuse(tree);
            }
        };
        let digest = loaded.digest();
        let mut found: Vec<String> = if accept_missing { Vec::new() } else { self.lost(&loaded) };
        // Last: what is lost may be the reason for them.
        found.extend(errors(&loaded));
        let mut state = held(&self.state);
        if digest == state.active && found.len() <= state.errors {
            // As it was, or mended back to what is in use.
            state.errors = found.len();
            if state.refused.take().is_some() {
                (self.say)(&News::Done(text!("the tree of {} is in use, as it is on disk", state.loaded)));
            }
            return;
        }
        if !found.is_empty() {
            let first = found.iter().take(SHOWN).cloned().collect();
            drop(state);
            return self.refuse(RefusedTree { digest, seen: now, errors: found.len(), first });
        }
        state.refused = None;
        state.active.clone_from(&digest);
        state.loaded = now;
        state.errors = 0;
        state.succeeded += 1;
        drop(state);
        let project = Arc::new(loaded);
        *held(&self.used) = Arc::clone(&project);
        (self.say)(&News::Done(text!("the tree of {} is in use, as it is on disk", now)));
        self.live.reload(Revision { project, digest, loaded: now });
    }

    /// Folders whose files are all gone since the tree in use was loaded, each with how to mend it.
    fn lost(&self, next: &Project) -> Vec<String> {
        let lost = next.lost_since(&held(&self.used)).into_iter();
        lost.map(|lost| {
            let help = lost.help.map_or_else(String::new, |help| format!("; {help}"));
            format!("{} {}{help}", lost.code, lost.message)
        })
        .collect()
    }

    fn refuse(&self, tree: RefusedTree) {
        let mut state = held(&self.state);
        // A tree that cannot be loaded at all has no digest: what is wrong with it tells it from another one.
        let what = |tree: &RefusedTree| (tree.digest.clone(), tree.errors, tree.first.clone());
        if state.refused.as_ref().is_none_or(|old| what(old) != what(&tree)) {
            state.failed += 1;
            (self.say)(&News::Wrong(refusal(&tree)));
            state.refused = Some(tree);
        }
    }

    /// Watches the folders of the project, but not the data folder in it, which changes all the time.
    fn watch(self: &Arc<Self>) -> Option<RecommendedWatcher> {
        let reloader = Arc::downgrade(self);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Files that are only read have not changed: looking at the tree would be a reason to look at it again.
            let only_read = event.is_ok_and(|event| event.kind.is_access());
            if let Some(reloader) = reloader.upgrade().filter(|_| !only_read) {
                reloader.hint();
            }
        })
        .ok()?;
        // Without events the poll remains.
        let mut add = |path: &Path, mode| drop(watcher.watch(path, mode));
        add(&self.root, RecursiveMode::NonRecursive);
        for folder in ["topology", "rules", "cases"] {
            add(&self.root.join(folder), RecursiveMode::Recursive);
        }
        Some(watcher)
    }
}

fn refusal(tree: &RefusedTree) -> Text {
    text!("the tree has {} and is not used: {}", diag::errors(tree.errors), tree.first.join("; "))
}

/// The errors of a project, each with its place.
pub fn errors(project: &Project) -> Vec<String> {
    let wrong = project.diagnostics.iter().filter(|found| found.severity == Severity::Error);
    wrong
        .map(|found| {
            let place = found.place.map_or_else(String::new, |place| format!("{}: ", project.sources.describe(place)));
            format!("{place}{} {}", found.code, found.message)
        })
        .collect()
}
