//! Messages in Chinese: every template that the sources use is in the catalogue, nothing else is, and commands show them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::common::{faultscope, root};
use crate::tidy::{is_test, rust_files, source};

/// Functions that show a string which stands among their arguments.
const SHOWS: &[&str] = &[
    "bad",
    "choice",
    "fields",
    "flag",
    "help",
    "integer",
    "joined",
    "label",
    "nowhere",
    "refuse",
    "reject_at",
    "related",
    "secret",
    "texts",
    "warn",
    "word",
    "words",
    "wrong",
    "wrong_kind",
];
/// The same, where the last name alone would say too little.
const SHOWS_IN_FULL: &[&str] =
    &["Diagnostic::error", "Diagnostic::warning", "Failure::new", "complaints.add", "self.error", "self.warning"];
/// Packages in which these names are other functions: there only `text!` counts.
const OTHER_FUNCTIONS: &[&str] = &["import", "server"];

/// A string literal, and the call that it stands in.
struct Literal {
    /// The call with its path: `self.error`, `text!`.
    call: String,
    /// Which argument of the call, from 0.
    argument: usize,
    text: String,
    line: usize,
}

/// The string literals of a source text, without those in comments.
fn literals(source: &str) -> Vec<Literal> {
    let chars: Vec<char> = source.chars().collect();
    let mut found = Vec::new();
    // The calls that are open, each with the argument that is being read. Lists are no calls; a block belongs to the call around it.
    let mut open: Vec<(String, usize)> = Vec::new();
    let (mut word, mut at, mut line) = (String::new(), 0, 1);
    while at < chars.len() {
        let (c, next) = (chars[at], chars.get(at + 1).copied().unwrap_or(' '));
        let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
        let raw = c == 'r' && word.is_empty() && chars.get(at + 1 + hashes) == Some(&'"');
        let literal = match c {
            '"' => Some(string(&chars, at + 1)),
            _ if raw => Some(raw_string(&chars, at + 2 + hashes, hashes)),
            _ => None,
        };
        if let Some((text, end)) = literal {
            let (call, argument) = open.last().cloned().unwrap_or_default();
            found.push(Literal { call, argument, text, line });
            line += chars[at..end].iter().filter(|c| **c == '\n').count();
            (word, at) = (String::new(), end);
            continue;
        }
        match c {
            '/' if next == '/' => {
                at += chars[at..].iter().take_while(|c| **c != '\n').count();
                continue;
            }
            // A character, or else the name of a lifetime.
            '\'' if next == '\\' => at += 2 + chars[at + 3..].iter().take_while(|c| **c != '\'').count() + 1,
            '\'' if chars.get(at + 2) == Some(&'\'') => at += 2,
            '(' => open.push((word.clone(), 0)),
            '[' => open.push((String::new(), 0)),
            '{' => open.push(open.last().cloned().unwrap_or_default()),
            ')' | ']' | '}' => drop(open.pop()),
            ',' => {
                if let Some((_, argument)) = open.last_mut() {
                    *argument += 1;
                }
            }
            '\n' => line += 1,
            _ => {}
        }
        if c.is_alphanumeric() || matches!(c, '_' | ':' | '.' | '!') {
            word.push(c);
        } else {
            word.clear();
        }
        at += 1;
    }
    found
}

/// The text of a string that starts at `at`, and the position behind its closing quote.
fn string(chars: &[char], mut at: usize) -> (String, usize) {
    let mut text = String::new();
    while chars[at] != '"' {
        if chars[at] != '\\' {
            text.push(chars[at]);
            at += 1;
            continue;
        }
        at += 2;
        match chars[at - 1] {
            'n' => text.push('\n'),
            't' => text.push('\t'),
            'r' => text.push('\r'),
            // The line goes on: its end and the indentation of the next one are no part of the string.
            '\n' => at += chars[at..].iter().take_while(|c| c.is_whitespace()).count(),
            // No message has these, and what they stand for does not matter here.
            'u' => at += chars[at..].iter().take_while(|c| **c != '}').count() + 1,
            'x' => at += 2,
            other => text.push(other),
        }
    }
    (text, at + 1)
}

fn raw_string(chars: &[char], start: usize, hashes: usize) -> (String, usize) {
    let closes = |at: usize| chars[at] == '"' && chars[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    let end = (start..chars.len()).find(|at| closes(*at)).unwrap();
    (chars[start..end].iter().collect(), end + 1 + hashes)
}

/// Whether a literal is shown to people as it stands.
fn is_shown(literal: &Literal, package: &str) -> bool {
    let name = literal.call.rsplit([':', '.']).next().unwrap_or("");
    if name == "text!" {
        return literal.argument == 0;
    }
    let named = SHOWS.contains(&name) || SHOWS_IN_FULL.iter().any(|full| literal.call.ends_with(full));
    named && !OTHER_FUNCTIONS.contains(&package)
}

/// Whether there is anything to translate: words outside of code.
fn has_words(template: &str) -> bool {
    template.split('`').step_by(2).any(|words| words.chars().any(|c| c.is_ascii_alphabetic()))
}

/// Placeholders with or without a position.
fn placeholders(template: &str) -> usize {
    let inside = template.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(inside, _)| inside);
    inside.filter(|inside| inside.chars().all(|c| c.is_ascii_digit())).count()
}

/// A variable inside a template, which `format!` would fill in and `text!` does not.
fn captures(template: &str) -> bool {
    let mut inside = template.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(inside, _)| inside);
    inside
        .any(|inside| inside.starts_with(|c: char| c.is_ascii_lowercase()) && inside.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// The package, the path for messages and the text of each source file, without the catalogue and without tests.
fn sources() -> Vec<(String, String, String)> {
    let top = source();
    let inside = |path: &Path| path.strip_prefix(&top).unwrap().to_string_lossy().replace('\\', "/");
    let files = rust_files(&top).into_iter().filter(|path| !is_test(path) && !inside(path).starts_with("diag/zh"));
    let read = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("").to_owned()
    };
    files.map(|path| (inside(&path).split('/').next().unwrap().to_owned(), inside(&path), read(&path))).collect()
}

#[test]
fn the_catalogue_has_every_template_and_no_other() {
    let catalogue: BTreeMap<&str, &str> = diag::translations().collect();
    assert_eq!(catalogue.len(), diag::translations().count(), "a template stands in the catalogue twice");
    for (english, chinese) in &catalogue {
        assert_eq!(placeholders(chinese), placeholders(english), "`{chinese}` takes other arguments than `{english}`");
    }
    let (mut missing, mut written, mut shown) = (Vec::new(), BTreeSet::new(), 0);
    for (package, path, text) in sources() {
        for literal in literals(&text) {
            if is_shown(&literal, &package) && has_words(&literal.text) {
                shown += 1;
                assert!(!literal.call.ends_with("text!") || !captures(&literal.text), "{path}:{}: `{}`", literal.line, literal.text);
                if !catalogue.contains_key(literal.text.as_str()) {
                    missing.push(format!("{path}:{}: {:?}", literal.line, literal.text));
                }
            }
            written.insert(literal.text);
        }
    }
    assert!(shown > 800, "the sources are read as they are written: {shown}");
    assert!(missing.is_empty(), "without Chinese in src/diag/zh:\n{}", missing.join("\n"));
    let idle: Vec<&&str> = catalogue.keys().filter(|english| !written.contains(**english)).collect();
    assert!(idle.is_empty(), "nobody says {idle:#?}");
}

#[test]
fn literals_are_read_as_written() {
    let source = "// \"no\"\nself.error(code, 'x', '\"', \"one\", text!(\"two \\\n      `{}`\", f(\"three\")), \"a\\\\b\\\"\");\n\
        x.help(if y { \"four\" } else { r#\"\"five\"\"# }).get([\"six\"]); fn g<'a>(h: &'a str) {}";
    let found: Vec<String> = literals(source).iter().map(|l| format!("{} {} {} {}", l.line, l.call, l.argument, l.text)).collect();
    let expected = [
        "2 self.error 3 one",
        "2 text! 0 two `{}`",
        "3 f 0 three",
        "3 self.error 5 a\\b\"",
        "4 x.help 0 four",
        "4 x.help 0 \"five\"",
        "4  0 six",
    ];
    assert_eq!(found, expected);
}

/// Whether Chinese stands somewhere outside of code.
fn is_chinese(text: &str) -> bool {
    text.split('`').step_by(2).any(|words| words.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)))
}

#[test]
fn check_speaks_chinese() {
    let (code, out, err) = faultscope(&["check", "tests/planted/project", "--lang", "zh"]);
    assert_eq!((code, err.as_str()), (1, ""));
    for expected in [
        "错误[F2003]: `database` 没有指标或属性 `慢查寻数`\n",
        " 模型中没有\n",
        " = 帮助: 是否想写 `慢查询数`？\n",
        "警告[F2021]: 没有案例 `HIS-20250610`\n",
        "错误[F2007]: 计数不能与百分比比较\n",
        " 应为 `and`、`for`、`of`、`or`、`where` 或修饰（如 `on s` 或 `within 5m`）\n",
        " 首次声明在此\n",
        "错误[F3013]: 冗余组 `数据库组` 共 2 个成员，却需要 3 个\n",
        "6 条规则，0 棵决策树，6 个组件，3 个案例（另有 7 条规则或决策树未采用）：29 个错误，12 个警告\n",
    ] {
        assert!(out.contains(expected), "{expected:?} is not in\n{out}");
    }
    let messages =
        out.lines().filter_map(|line| ["错误[", "警告[", "= 帮助: "].iter().find_map(|start| line.trim_start().strip_prefix(start)));
    let english: Vec<&str> = messages.filter(|message| !is_chinese(message)).collect();
    assert!(english.is_empty(), "{english:#?}");
}

/// A program that reads JSON gets Chinese only if it asks for it.
#[test]
fn json_speaks_the_language_that_was_asked_for() {
    let check = |args: &[&str], environment: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_faultscope"));
        command.args(["check", "tests/planted/project"]).args(args).current_dir(root()).env("LC_ALL", environment);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let english = check(&["--format", "json"], "C");
    assert_eq!(check(&["--format", "json"], "zh_CN.UTF-8"), english);
    assert!(check(&["--format", "json", "--lang", "zh"], "C").contains("\"message\": \"`database` 没有指标或属性 `慢查寻数`\""));
    assert!(check(&[], "zh_CN.UTF-8").contains("错误[F2003]") && check(&["--lang", "en"], "zh_CN.UTF-8").contains("error[F2003]"));
}

#[test]
fn failures_speak_the_language_of_the_environment() {
    for (environment, expected) in [
        ("C", "error[F9003]: no such folder: `no-such`\n  help: name the folder that contains `rules/` and `topology/`\n"),
        ("zh_CN.UTF-8", "错误[F9003]: 没有目录 `no-such`\n  帮助: 请指定包含 `rules/` 和 `topology/` 的目录\n"),
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_faultscope"));
        let output = command.args(["check", "no-such"]).current_dir(root()).env("LC_ALL", environment).output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
    }
}
