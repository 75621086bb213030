//! `faultscope token`: who may call the server.

use std::io::Write;
use std::path::Path;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::OK;
use super::as_of::now;
use super::columns::left;
use super::context::ProjectArgs;
use super::output::{Failure, Outcome, say};
use super::serve::FileArgs;
use diag::Code;
use project::find_project;
use server::{Role, TokenFile};
use value::Time;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a token and print it, once: it cannot be shown again
    Add(AddArgs),
    /// List the tokens: names, roles, and when each was made
    List(ListArgs),
    /// Take a token back; a running server refuses it within seconds
    Revoke(RevokeArgs),
}

/// Which server.
#[derive(Debug, clap::Args)]
struct WhereArgs {
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    files: FileArgs,
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    /// Name of the token: who or what will use it. The audit shows it
    name: String,
    /// What it may do: `ingest` only sends signals; `viewer` asks, `responder` also works on incidents, `author` also reloads the project
    #[arg(long, value_name = "ROLE", value_parser = PossibleValuesParser::new(Role::ALL.map(Role::name)).try_map(|name| Role::parse(&name).ok_or("unknown role")))]
    role: Role,
    #[command(flatten)]
    server: WhereArgs,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    server: WhereArgs,
}

#[derive(Debug, clap::Args)]
struct RevokeArgs {
    /// Name of the token
    name: String,
    #[command(flatten)]
    server: WhereArgs,
}

impl WhereArgs {
    fn tokens(&self) -> Result<TokenFile, Failure> {
        let root = self.project.project.clone().or_else(|| find_project(Path::new("."))).ok_or_else(|| {
            Failure::new(Code::NO_PROJECT, "not in a project: no folder upward contains `rules/`")
                .help("name one with `--project DIR`, or start one: `faultscope init`")
        })?;
        let (config, data) = self.files.read(&root)?;
        Ok(config.token_file(&data))
    }
}

pub fn run(args: &Args, out: &mut impl Write) -> Outcome {
    match &args.action {
        Action::Add(args) => {
            let file = args.server.tokens()?;
            let token = file.add(&args.name, args.role, Time(now()))?;
            // Alone on standard output, so that a script can take it.
            writeln!(out, "{token}")?;
            say(&format!("{} `{}` in {}", args.role.name(), args.name, file.path().display()));
        }
        Action::List(args) => {
            let tokens = args.server.tokens()?.list()?;
            let longest = tokens.iter().map(|token| token.name.len()).max().unwrap_or(0);
            for token in tokens {
                writeln!(out, "{}  {}  {}", left(&token.name, longest), left(token.role.name(), 9), token.created)?;
            }
        }
        Action::Revoke(args) => {
            args.server.tokens()?.revoke(&args.name)?;
            writeln!(out, "revoked {}", args.name)?;
        }
    }
    Ok(OK)
}
