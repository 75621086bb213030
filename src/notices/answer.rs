//! What a channel answered: whether the message is there, by what it is known, and if not, why.

use diag::{Text, mask, one_line, text};
use serde_json::Value;
use value::Duration;

use super::escape::clipped;
use super::ledger::Reference;
use super::settings::Account;

/// Characters of an answer that are shown.
const MAX_QUOTE: usize = 200;

/// Why a message did not arrive.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    pub why: Text,
    /// How long the channel wants to be left alone, in milliseconds.
    pub wait: Option<Duration>,
    /// What was to be changed is not there any more: send it anew.
    pub gone: bool,
}

impl From<Text> for Failure {
    fn from(why: Text) -> Self {
        Failure { why, wait: None, gone: false }
    }
}

/// An answer over HTTP.
#[derive(Debug, Clone)]
pub struct Answered {
    pub status: u16,
    pub wait: Option<Duration>,
    pub body: Vec<u8>,
}

impl Answered {
    /// For people.
    pub fn quote(&self) -> String {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        clipped(one_line(&mask(text.trim())).trim(), MAX_QUOTE)
    }
}

/// By what the message is known, if it is. Most APIs answer 200 to everything and tell in the body.
///
/// # Errors
/// Why it is not there.
pub fn read(account: &Account, answered: &Answered) -> Result<Reference, Failure> {
    let refused = |why: Text, gone: bool| Err(Failure { why, wait: answered.wait, gone });
    if !(200..300).contains(&answered.status) {
        let quote = answered.quote();
        let quote = if quote.is_empty() { quote } else { format!(": {quote}") };
        return refused(text!("returned status {}{}", answered.status, quote), false);
    }
    let body: Value = serde_json::from_slice(&answered.body).unwrap_or(Value::Null);
    let number = |key: &str| body.get(key).and_then(Value::as_i64);
    let said = |key: &str| body.get(key).and_then(Value::as_str);
    match account {
        Account::DingTalk { .. } | Account::WeCom { .. } if number("errcode") != Some(0) => {
            refused(text!("refused the message: {}", answered.quote()), false)
        }
        Account::Feishu { .. } if number("code").or_else(|| number("StatusCode")) != Some(0) => {
            refused(text!("refused the message: {}", answered.quote()), false)
        }
        Account::SlackBot { .. } if body.get("ok") != Some(&Value::Bool(true)) => {
            let gone = ["message_not_found", "cant_update_message", "edit_window_closed"].map(Some).contains(&said("error"));
            refused(text!("refused the message: {}", answered.quote()), gone)
        }
        Account::SlackBot { .. } => Ok(Reference { id: said("ts").unwrap_or("").to_owned(), place: said("channel").map(str::to_owned) }),
        Account::DingTalk { .. }
        | Account::WeCom { .. }
        | Account::Feishu { .. }
        | Account::SlackHook { .. }
        | Account::Webhook { .. }
        | Account::Email(_) => Ok(Reference::default()),
    }
}
