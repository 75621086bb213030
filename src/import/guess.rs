//! What images and names say about a component's type.

use super::images::{ENGINES, FRONTS, HELPERS, PLAIN, TOOLS};

/// A type and, where there is one, the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Guess {
    pub kind: &'static str,
    pub engine: Option<&'static str>,
}

/// The type of what runs an image, under a name: `service` if nothing is known.
pub(super) fn workload(image: &str, name: &str) -> Guess {
    let bare = image.split('@').next().unwrap_or(image);
    let (folders, last) = bare.rsplit_once('/').unwrap_or(("", bare));
    let (repository, tag) = last.split_once(':').unwrap_or((last, ""));
    // A variable that is not set says nothing.
    let repository = words(if repository.starts_with('$') { "" } else { repository });
    let guess = if is_helper(&repository) {
        // An operator, an exporter or a web page of an engine bears its name, as the workload may.
        from_name(name).filter(|guess| ["frontend", "gateway"].contains(&guess.kind))
    } else {
        from_words(&repository, true)
            .or_else(|| from_folder(folders, &repository))
            .or_else(|| from_words(&words(tag), false))
            .or_else(|| from_name(name))
    };
    guess.unwrap_or(Guess { kind: "service", engine: None })
}

/// The type that a bare name suggests, as traces give it: only whole words count.
pub(super) fn from_name(name: &str) -> Option<Guess> {
    if ["frontend", "front-end", "web-frontend", "webui", "web-ui"].contains(&name.to_lowercase().as_str()) {
        return Some(Guess { kind: "frontend", engine: None });
    }
    let words = words(name);
    from_words(&words, false).or_else(|| {
        let helper = is_helper(&words);
        match words.last().map(String::as_str) {
            Some("db" | "database") if !helper => Some(Guess { kind: "database", engine: None }),
            Some("cache") if !helper => Some(Guess { kind: "cache", engine: None }),
            Some("gateway") => Some(Guess { kind: "gateway", engine: None }),
            _ => None,
        }
    })
}

/// By the nearest folder that is called like an engine, and nothing else: for a repository that says nothing itself.
fn from_folder(folders: &str, repository: &[String]) -> Option<Guess> {
    if repository.is_empty() || !repository.iter().all(|word| PLAIN.contains(&word.as_str())) {
        return None;
    }
    folders.rsplit('/').map(words).filter(|folder| folder.len() == 1).find_map(|folder| from_words(&folder, false))
}

fn from_words(words: &[String], fronts: bool) -> Option<Guess> {
    if is_helper(words) {
        return None;
    }
    let has = |word: &&str| words.iter().any(|one| one == word);
    // It watches over the engine that it names.
    if has(&"sentinel") && (has(&"redis") || has(&"valkey")) {
        return Some(Guess { kind: "sentinel", engine: None });
    }
    let mut rows = ENGINES.iter().chain(if fronts { FRONTS } else { &[] });
    let found = rows.find(|(known, _, _)| known.iter().any(has));
    found.map(|&(_, kind, engine)| Guess { kind, engine })
}

fn is_helper(words: &[String]) -> bool {
    words.iter().any(|word| HELPERS.contains(&word.as_str()) || TOOLS.contains(&word.as_str()))
}

/// The words of an image or a name, in lower case.
pub(super) fn words(text: &str) -> Vec<String> {
    text.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
