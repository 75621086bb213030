//! `faultscope notify`: tries the channels that tell people of incidents.

use std::io::Write;
use std::path::PathBuf;

use super::OK;
use super::context::ProjectArgs;
use super::locale::language;
use super::output::{Failure, Outcome, say};
use diag::{Code, Sources, render, suggestion, text};
use notices::test_message;
use project::find_project;
use server::{Config, now};
use words::Lang;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Send a test message to a channel of `server.yaml`, and print what was answered
    Test(TestArgs),
}

#[derive(Debug, clap::Args)]
struct TestArgs {
    /// Name of the channel, as under `notify: channels:`
    channel: String,
    #[command(flatten)]
    project: ProjectArgs,
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    match &args.action {
        Action::Test(args) => test(args, out),
    }
}

fn test(args: &TestArgs, out: &mut impl Write) -> Outcome {
    let here = PathBuf::from(".");
    let root = args.project.project.clone().or_else(|| find_project(&here)).unwrap_or(here);
    let mut sources = Sources::default();
    let (config, found) = Config::load(&root, None, &mut sources)?;
    if !found.is_empty() {
        say(&render(&sources, &found, false, language() == Lang::Zh));
    }
    let channels = &config.notify.channels;
    let name = args.channel.as_str();
    let Some(channel) = channels.get(name) else {
        let names: Vec<&str> = channels.keys().map(String::as_str).collect();
        let help = suggestion(name, names.iter().copied()).unwrap_or_else(|| match names.as_slice() {
            [] => text!("no channel can be used: see `docs/notifications.md`"),
            names => text!("channels: {}", value::fields::listed(names)),
        });
        return Err(Failure::new(Code::USAGE, text!("no channel `{}`", name)).help(help));
    };
    match test_message(channel, now()) {
        Ok(said) => {
            writeln!(out, "{name}: {said}")?;
            Ok(OK)
        }
        Err(why) => Err(Failure::new(Code::REMOTE, text!("`{}` {}", name, why))),
    }
}
