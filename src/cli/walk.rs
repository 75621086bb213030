//! `faultscope walk TREE-ID`.

use std::borrow::Cow;
use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::context::{ProjectArgs, TimeArgs, load, load_project};
use super::locale::LocaleArgs;
use super::output::{Failure, Outcome};
use super::{FINDINGS, Lang, OK};
use compile::plan::{Answer, Goal, Tree, TreeNode};
use diag::{Code, did_you_mean, nearest, one_line, text};
use engine::Walk;
use project::Bundle;
use words::{Locale, Writer};

/// The longest line that is read as an answer, in bytes; answers are a few words. What has no line breaks may have no end either.
const MAX_ANSWER: u64 = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WalkFormat {
    Text,
    /// Draw the tree instead of walking it
    Mermaid,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Identifier of the tree
    #[arg(value_name = "TREE-ID")]
    tree: String,
    /// Bundle whose signals answer the questions with an `auto` condition
    #[arg(long, value_name = "BUNDLE")]
    bundle: Option<PathBuf>,
    /// Answers to the questions that the data do not answer, in order [default: ask in the terminal]
    #[arg(long, value_delimiter = ',')]
    answers: Option<Vec<String>>,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    time: TimeArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: WalkFormat,
    #[command(flatten)]
    locale: LocaleArgs,
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    let near = args.bundle.as_deref().unwrap_or(Path::new("."));
    let project = load_project(&args.project, near)?;
    let bundle = match &args.bundle {
        Some(dir) => Some(load(&project, dir, &args.time)?),
        None => None,
    };
    let plan = bundle.as_ref().map_or(project.plan.as_ref(), Bundle::plan);
    let Some(tree) = plan.trees.get(&args.tree) else {
        let all: Vec<&str> = plan.trees.keys().map(String::as_str).collect();
        let help = match nearest(&args.tree, all.iter().copied()) {
            Some(near) => did_you_mean(near),
            None if all.is_empty() => text!("the project has no decision trees"),
            None => text!("the trees are {}", all.join(", ")),
        };
        return Err(Failure::new(Code::UNKNOWN_RULE, text!("there is no tree `{}`", args.tree)).help(help));
    };
    let locale = args.locale.get();
    let lang = locale.lang;
    if args.format == WalkFormat::Mermaid {
        write!(out, "{}", mermaid(tree, lang))?;
        return Ok(OK);
    }
    walk(tree, bundle.as_ref(), args.answers.as_deref(), &locale, out)
}

fn walk(tree: &Tree, bundle: Option<&Bundle<'_>>, answers: Option<&[String]>, locale: &Locale, out: &mut impl Write) -> Outcome {
    let lang = locale.lang;
    writeln!(out, "{} {}", tree.id, one_line(&tree.title))?;
    let engine = bundle.map(Bundle::engine);
    let mut walk = Walk::new(tree);
    let mut given = answers.map(|list| list.iter());
    while let Some(node) = walk.question() {
        writeln!(out, "\n? {}", one_line(&node.question))?;
        let said = engine.as_ref().and_then(|engine| walk.ask_data(engine));
        if let (Some((evidence, known)), Some(bundle)) = (said, bundle) {
            let found = Writer { locale, estate: bundle.estate() }.evidence(&evidence.view(bundle.estate(), &bundle.facts));
            if let Some(answer) = known {
                writeln!(out, "  {}", lang.data_say(&shown(&answer, lang), &one_line(&found)))?;
                if walk.answer(&answer, Some(evidence)) {
                    continue;
                }
            }
            writeln!(out, "  {}", lang.data_do_not_say(&one_line(&found)))?;
        }
        let answer = match &mut given {
            Some(list) => match list.next() {
                Some(text) => parse(node, text, lang)?,
                None => {
                    writeln!(out, "  {}", lang.answers_used_up(&choices(node, lang)))?;
                    return Ok(FINDINGS);
                }
            },
            None => match ask(node, lang, out)? {
                Some(answer) => answer,
                None => return Ok(FINDINGS),
            },
        };
        writeln!(out, "  {}", shown(&answer, lang))?;
        walk.answer(&answer, None);
    }
    let surplus: Vec<&str> = given.into_iter().flatten().map(String::as_str).collect();
    if !surplus.is_empty() {
        super::output::say(&lang.unused_answers(&one_line(&surplus.join(", "))));
    }
    finish(&walk, lang, out)
}

fn finish(walk: &Walk<'_>, lang: Lang, out: &mut impl Write) -> Outcome {
    let Some(end) = walk.end else { return Ok(FINDINGS) };
    let see = if end.see.is_empty() { String::new() } else { format!("  → {}", end.see.join(", ")) };
    writeln!(out, "\n→ {}", one_line(&format!("{}{see}", end.verdict)))?;
    let path: Vec<String> = walk
        .steps
        .iter()
        .map(|s| format!("{} {}{}", s.node.name, shown(s.answer, lang), if s.auto.is_some() { lang.answered_by_data() } else { "" }))
        .collect();
    writeln!(out, "  {}", lang.path_taken(&one_line(&path.join(" → "))))?;
    Ok(OK)
}

fn shown(answer: &Answer, lang: Lang) -> Cow<'_, str> {
    one_line(lang.answer(answer))
}

fn choices(node: &TreeNode, lang: Lang) -> String {
    node.branches.iter().map(|(answer, _)| format!("`{}`", shown(answer, lang))).collect::<Vec<_>>().join(", ")
}

/// The branch that an answer names; `yes` and `no` may be given in either language, whatever the report is written in.
fn matching<'n>(node: &'n TreeNode, text: &str) -> Option<&'n Answer> {
    let text = text.trim();
    node.branches.iter().map(|(answer, _)| answer).find(|answer| match answer {
        Answer::Yes => matches!(text.to_lowercase().as_str(), "yes" | "y" | "是"),
        Answer::No => matches!(text.to_lowercase().as_str(), "no" | "n" | "否"),
        Answer::Text(own) => own == text,
    })
}

fn parse(node: &TreeNode, text: &str, lang: Lang) -> Result<Answer, Failure> {
    matching(node, text)
        .cloned()
        .ok_or_else(|| Failure::new(Code::USAGE, text!("invalid answer `{}` to \"{}\": use {}", text, node.question, choices(node, lang))))
}

/// Asks in the terminal until the answer is one of the branches; `None` at the end of the input.
fn ask(node: &TreeNode, lang: Lang, out: &mut impl Write) -> Result<Option<Answer>, Failure> {
    let stdin = std::io::stdin();
    loop {
        write!(out, "  {}: ", choices(node, lang))?;
        out.flush()?;
        let mut line = String::new();
        let read = stdin.lock().take(MAX_ANSWER + 1).read_line(&mut line);
        let read = read.map_err(|error| Failure::new(Code::UNREADABLE, text!("cannot read the answer: {}", error)))?;
        if read == 0 {
            writeln!(out)?;
            return Ok(None);
        }
        if u64::try_from(read).unwrap_or(u64::MAX) > MAX_ANSWER {
            let help = text!("answer with one of {}", choices(node, lang));
            return Err(Failure::new(Code::TOO_LARGE, text!("the answer is longer than {} bytes", MAX_ANSWER)).help(help));
        }
        if let Some(answer) = matching(node, &line) {
            return Ok(Some(answer.clone()));
        }
    }
}

/// The tree as a Mermaid flowchart.
fn mermaid(tree: &Tree, lang: Lang) -> String {
    let quote = |text: &str| diag::diagram(text).into_owned();
    let mut page = format!("---\ntitle: \"{} {}\"\n---\nflowchart TD\n", tree.id, quote(&tree.title).replace('\\', "/"));
    let mut ends = 0;
    for node in tree.nodes.values() {
        page.push_str(&format!("  q_{}{{\"{}\"}}\n", node.name, quote(&node.question)));
    }
    for node in tree.nodes.values() {
        for (answer, goal) in &node.branches {
            let label = quote(&shown(answer, lang));
            match goal {
                Goal::Node(name) => page.push_str(&format!("  q_{} -->|\"{label}\"| q_{name}\n", node.name)),
                Goal::End { verdict, .. } => {
                    ends += 1;
                    page.push_str(&format!("  q_{} -->|\"{label}\"| end{ends}[\"{}\"]\n", node.name, quote(verdict)));
                }
            }
        }
    }
    page
}
