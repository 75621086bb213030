//! Sends a request, over HTTP or SMTP, within a time limit.

use std::time::Duration as Wait;

use diag::{Text, mask, one_line, text};
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, SmtpTransport, Transport};

use super::answer::{Answered, Failure, read};
use super::ledger::Reference;
use super::request::Request;
use super::settings::{Account, Mail, Security};

/// How long one attempt may take; over SMTP each step of it.
const LIMIT: Wait = Wait::from_secs(10);

/// What came of a message that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub reference: Reference,
    /// The answer, for people.
    pub said: String,
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
        transport = transport.credentials(Credentials::new(user.reveal()?, password.reveal()?));
    }
    let response = transport.build().send_raw(&envelope, message.as_bytes()).map_err(|error| failed(&error))?;
    let lines: Vec<&str> = response.message().collect();
    Ok(one_line(&format!("{} {}", response.code(), lines.join(" "))).into_owned())
}

fn failed(error: &lettre::transport::smtp::Error) -> Text {
    text!("failed: {}", one_line(&mask(&error.to_string())).into_owned())
}
