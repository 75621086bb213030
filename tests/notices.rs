//! What each channel is sent, from settings and an incident: `tests/notices/*.yaml`. What the settings refuse: `tests/notices/settings/`.

use std::fmt::Write;
use std::path::Path;

use diag::Sources;
use notices::{Advice, Hidden, Occasion, Reference, Request, Settings, Story, request};
use serde_json::Value;
use value::Time;
use value::yaml::parse;

use crate::common::{root, snapshot};

fn read(text: &str, name: &str) -> (Settings, String) {
    let mut sources = Sources::default();
    let source = sources.add(name, text);
    let node = parse(&sources, source).unwrap();
    let (settings, diagnostics) = Settings::read(&sources, &node);
    (settings, diag::render(&sources, &diagnostics, false, false))
}

fn reveal(hidden: &Hidden) -> Result<String, diag::Text> {
    let text = match hidden {
        Hidden::Env(name) => match name.as_str() {
            "URL" => "https://hook.example.com/robot?access_token=t0",
            "SECRET" => "SEC123",
            "TOKEN" => "xoxb-1",
            other => panic!("{other}"),
        },
        Hidden::File(path) => path,
        Hidden::Written(text) => text,
    };
    Ok(text.to_owned())
}

fn texts(case: &Value, key: &str) -> Vec<String> {
    case.get(key).map_or_else(Vec::new, |list| serde_json::from_value(list.clone()).unwrap())
}

/// The request as text: address, headers, and the body with a line for each value.
fn shown(case: &Value, folder: &Path) -> String {
    let name = case["name"].as_str().unwrap();
    let (settings, refused) = read(case["settings"].as_str().unwrap(), "server.yaml");
    assert_eq!(refused, "", "{name}");
    let channel = settings.channels.values().next().unwrap();
    let incident = std::fs::read_to_string(folder.join(case["incident"].as_str().unwrap())).unwrap();
    let incident: live::Tracked = serde_json::from_str(&incident).unwrap();
    let advice = &case["advice"];
    let advice = Advice { report: None, checks: texts(advice, "checks"), fixes: texts(advice, "fixes"), before: texts(advice, "before") };
    let what = serde_json::from_value(case["what"].clone()).unwrap();
    let before: Option<Reference> = case.get("before").map(|before| serde_json::from_value(before.clone()).unwrap());
    let story = Story::new(&incident, what, &advice, &channel.locale);
    let occasion = Occasion { event: 12, now: Time::parse("2025-06-01T02:03:00Z").unwrap(), before: before.as_ref() };
    match request(channel, &story, occasion, &reveal).unwrap() {
        Request::Http { url, headers, body } => {
            let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
            let body: Value = serde_json::from_str(&body).unwrap();
            format!("POST {url}\n{headers}{}\n", serde_json::to_string_pretty(&body).unwrap())
        }
        Request::Mail { .. } => panic!("{name}: mails are in src/notices/tests"),
    }
}

#[test]
fn channels_get_what_their_api_takes() {
    let folder = root().join("tests/notices");
    for file in ["dingtalk", "wecom", "feishu", "slack", "webhook"] {
        let text = std::fs::read_to_string(folder.join(file).with_extension("yaml")).unwrap();
        let cases: Vec<Value> = serde_saphyr::from_str(&text).unwrap();
        let mut all = String::new();
        for case in &cases {
            let name = case["name"].as_str().unwrap();
            let found = shown(case, &folder);
            for expected in texts(case, "contains") {
                assert!(found.contains(&expected), "{name}: {expected:?} is not in\n{found}");
            }
            for unwanted in texts(case, "lacks") {
                assert!(!found.contains(&unwanted), "{name}: {unwanted:?} is in\n{found}");
            }
            writeln!(all, "== {name}\n{found}").unwrap();
        }
        snapshot("notices", file, &all);
    }
}

/// What an author sees of settings with errors; the snapshot also has what is used all the same.
#[test]
fn settings_say_what_is_wrong_with_them() {
    let path = root().join("tests/notices/settings/wrong.yaml");
    let (settings, refused) = read(&std::fs::read_to_string(path).unwrap(), "server.yaml");
    assert!(!refused.contains("hunter2"), "{refused}");
    let used: Vec<&str> = settings.channels.keys().map(String::as_str).collect();
    assert_eq!((used.as_slice(), settings.routes.len()), (&["good"][..], 1));
    for expected in
        ["F3021", "F3002", "F3003", "`shift`", "`incident.colour`", "did you mean `dingtalk`?", "`mon` to `sun`", "`Mars/Olympus`"]
    {
        assert!(refused.contains(expected), "{expected} is not in\n{refused}");
    }
    snapshot("notices", "wrong-settings", &refused);
}
