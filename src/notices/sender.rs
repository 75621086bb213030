//! Sends a request, over HTTP or SMTP, within a time limit.

use std::path::Path;
use std::time::Duration as Wait;

use diag::{Text, mask, one_line, text};
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, SmtpTransport, Transport};

use super::answer::{Answered, Failure, read};
use super::ledger::Reference;
use super::request::Request;
use super::settings::{Account, Hidden, Mail, Security};

/// How long one attempt may take; over SMTP each step of it.
const LIMIT: Wait = Wait::from_secs(10);

/// The largest file with a secret, in bytes.
const MAX_SECRET: u64 = 64 << 10;

/// What came of a message that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub reference: Reference,
    /// The answer, for people.
    pub said: String,
}

/// A secret, read each time: a new one needs no restart.
///
/// # Errors
/// Where it should have been.
pub fn reveal(hidden: &Hidden) -> Result<String, Text> {
    let found = match hidden {
        Hidden::Written(text) => text.clone(),
        Hidden::Env(name) => std::env::var(name).map_err(|_| text!("was not asked: the environment variable `{}` is not set", name))?,
        Hidden::File(path) => {
            let text = files::read_text(Path::new(path), path, MAX_SECRET).map_err(|error| text!("was not asked: {}", error.message))?;
            text.lines().next().unwrap_or("").to_owned()
        }
    };
    let found = found.trim().to_owned();
    if found.is_empty() {
        return Err(text!("was not asked: its secret is empty"));
    }
    Ok(found)
}

/// # Errors
/// Why it did not arrive, as far as is known.
pub fn send(account: &Account, request: &Request) -> Result<Received, Failure> {
    match request {
        Request::Http { url, headers, body } => {
            let answer = project::post(url, headers, body.as_bytes(), LIMIT)?;
            let answered = Answered { status: answer.status, wait: answer.wait, body: answer.body };
            let reference = read(account, &answered)?;
            Ok(Received { reference, said: format!("{} {}", answered.status, answered.quote()).trim().to_owned() })
        }
        Request::Mail { from, to, message, reference } => match account {
            Account::Email(mail) => Ok(Received { reference: reference.clone(), said: send_mail(mail, from, to, message)? }),
            Account::DingTalk { .. }
            | Account::WeCom { .. }
            | Account::Feishu { .. }
            | Account::SlackHook { .. }
            | Account::SlackBot { .. }
            | Account::Webhook { .. } => Err(text!("is no mail server").into()),
        },
    }
}

fn send_mail(mail: &Mail, from: &str, to: &[String], message: &str) -> Result<String, Text> {
    let address = |text: &str| text.parse::<Address>().map_err(|error| text!("was not asked: {}", error));
    let to = to.iter().map(|one| address(one)).collect::<Result<Vec<_>, _>>()?;
    let envelope = Envelope::new(Some(address(from)?), to).map_err(|error| text!("was not asked: {}", error))?;
    let parameters = || TlsParameters::new(mail.host.clone()).map_err(|error| failed(&error));
    let tls = match mail.security {
        Security::Tls => Tls::Wrapper(parameters()?),
        Security::StartTls => Tls::Required(parameters()?),
        Security::None => Tls::None,
    };
    let mut transport = SmtpTransport::builder_dangerous(mail.host.as_str()).port(mail.port).tls(tls).timeout(Some(LIMIT));
    if let (Some(user), Some(password)) = (&mail.user, &mail.password) {
        transport = transport.credentials(Credentials::new(reveal(user)?, reveal(password)?));
    }
    let response = transport.build().send_raw(&envelope, message.as_bytes()).map_err(|error| failed(&error))?;
    let lines: Vec<&str> = response.message().collect();
    Ok(one_line(&format!("{} {}", response.code(), lines.join(" "))).into_owned())
}

fn failed(error: &lettre::transport::smtp::Error) -> Text {
    text!("failed: {}", one_line(&mask(&error.to_string())).into_owned())
}
