//! What each channel is sent: the address, headers and body that its API takes, with signatures.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, Engine};
use diag::Text;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use project::Hidden;
use ring::hmac;
use serde_json::{Value, json};
use value::{Time, to_hex};

use super::escape::{chinese_markdown, clipped, fitting, plain, slack};
use super::ledger::Reference;
use super::mail;
use super::settings::{Account, Channel};
use super::story::Story;
use super::template::Template;
use super::wording;

/// Bytes of a text that the APIs take, with room for what is around it: WeCom 4096, DingTalk 20,000.
const WECOM_BYTES: usize = 3_900;
const DINGTALK_BYTES: usize = 18_000;
const FEISHU_BYTES: usize = 18_000;
/// Characters of a block of Slack: a header takes 150, a section 3000.
const SLACK_TITLE: usize = 150;
const SLACK_TEXT: usize = 2_900;

/// The version of the JSON that a webhook is sent.
const VERSION: u32 = 1;

/// A message, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Http {
        url: String,
        headers: BTreeMap<String, String>,
        body: String,
    },
    /// A whole message of RFC 5322, its envelope, and by what it will be known.
    Mail {
        from: String,
        to: Vec<String>,
        message: String,
        reference: Reference,
    },
}

/// Of which event, and whether something was sent before.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    pub event: u64,
    pub now: Time,
    /// What the channel is known to show of this incident.
    pub before: Option<&'a Reference>,
}

/// The request for one message. `reveal` gives secrets.
///
/// # Errors
/// Why a secret is missing.
pub fn request(
    channel: &Channel,
    story: &Story,
    occasion: Occasion<'_>,
    reveal: &dyn Fn(&Hidden) -> Result<String, Text>,
) -> Result<Request, Text> {
    let page = Page { channel, story, occasion };
    let before = occasion.before;
    let (url, headers, body) = match &channel.account {
        Account::DingTalk { url, secret } => {
            let signature = secret.as_ref().map(reveal).transpose()?;
            (page.dingtalk_url(&reveal(url)?, signature.as_deref()), BTreeMap::new(), page.dingtalk())
        }
        Account::WeCom { url } => (reveal(url)?, BTreeMap::new(), page.wecom()),
        Account::Feishu { url, secret } => {
            let secret = secret.as_ref().map(reveal).transpose()?;
            (reveal(url)?, BTreeMap::new(), page.feishu(secret.as_deref()))
        }
        Account::SlackHook { url } => (reveal(url)?, BTreeMap::new(), page.slack(before.is_some())),
        Account::SlackBot { api, token, channel } => {
            let authorization = format!("Bearer {}", reveal(token)?);
            let headers = BTreeMap::from([("authorization".to_owned(), authorization)]);
            let mut body = page.slack(false);
            let method = match before {
                None => {
                    set(&mut body, "channel", json!(channel));
                    "chat.postMessage"
                }
                Some(message) => {
                    set(&mut body, "channel", json!(message.place.as_deref().unwrap_or(channel)));
                    set(&mut body, "ts", json!(message.id));
                    "chat.update"
                }
            };
            (format!("{api}/{method}"), headers, body)
        }
        Account::Webhook { url, headers, secret } => {
            let body = page.webhook().to_string();
            let mut sent = BTreeMap::new();
            for (name, value) in headers {
                sent.insert(name.clone(), reveal(value)?);
            }
            if let Some(secret) = secret {
                let signature = to_hex(sign(reveal(secret)?.as_bytes(), body.as_bytes()).as_ref());
                sent.insert("x-faultscope-signature".to_owned(), format!("sha256={signature}"));
            }
            return Ok(Request::Http { url: reveal(url)?, headers: sent, body });
        }
        Account::Email(account) => {
            let mut lines = page.body(plain, false);
            lines.insert(0, page.title(plain));
            lines.extend(page.link().map(|link| format!("\n{link}")));
            let reference = mail::reference(account, &channel.name, &story.key, occasion.event, &page.title(plain));
            let message = mail::message(account, &reference, occasion, &lines.join("\n"));
            return Ok(Request::Mail { from: account.from.clone(), to: account.to.clone(), message, reference });
        }
    };
    Ok(Request::Http { url, headers, body: body.to_string() })
}

/// A story on its way to a channel.
struct Page<'a> {
    channel: &'a Channel,
    story: &'a Story,
    occasion: Occasion<'a>,
}

impl Page<'_> {
    fn fill(&self, own: Option<&Template>, built_in: &str, escape: impl Fn(&str) -> String) -> Vec<String> {
        let mut values = self.story.values.clone();
        values.insert("incident.link", self.link().into_iter().collect());
        match own {
            Some(template) => template.fill(&values, escape),
            // What is built in has known names only: a test holds it.
            None => Template::parse(built_in).map_or_else(|_| Vec::new(), |template| template.fill(&values, escape)),
        }
    }

    fn title(&self, escape: impl Fn(&str) -> String) -> String {
        let built_in = wording::built_in(self.channel.locale.lang).title;
        self.fill(self.channel.title.as_ref(), built_in, escape).join(" ")
    }

    /// `short`: a channel that cannot change what it has said gets only the news.
    fn body(&self, escape: impl Fn(&str) -> String, short: bool) -> Vec<String> {
        let built_in = wording::built_in(self.channel.locale.lang);
        if short {
            return self.fill(None, built_in.short, escape);
        }
        self.fill(self.channel.text.as_ref(), built_in.text, escape)
    }

    fn link(&self) -> Option<String> {
        let encode = |value: &str| utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
        let filled = self.channel.link.as_ref()?.fill(&self.story.values, encode).concat();
        (!filled.is_empty()).then_some(filled)
    }

    fn follows(&self) -> bool {
        self.occasion.before.is_some()
    }

    fn open(&self) -> &'static str {
        wording::open(self.channel.locale.lang)
    }

    /// The title as a heading, the lines, and the link, in the Markdown of DingTalk and WeCom.
    fn markdown(&self, between: &str, most: usize) -> String {
        let link = self.link().map_or_else(String::new, |link| format!("{between}[{}]({link})", self.open()));
        let mut lines = vec![format!("### {}", self.title(chinese_markdown))];
        lines.extend(self.body(chinese_markdown, self.follows()));
        // The link is never what is cut off.
        let text = fitting(lines, between, most.saturating_sub(link.len()));
        format!("{text}{link}")
    }

    /// With the time and signature that the settings of the robot ask for.
    fn dingtalk_url(&self, url: &str, secret: Option<&str>) -> String {
        let Some(secret) = secret else { return url.to_owned() };
        let time = self.occasion.now.0;
        let signature = BASE64_STANDARD.encode(sign(secret.as_bytes(), format!("{time}\n{secret}").as_bytes()));
        let separator = if url.contains('?') { '&' } else { '?' };
        format!("{url}{separator}timestamp={time}&sign={}", utf8_percent_encode(&signature, NON_ALPHANUMERIC))
    }

    fn dingtalk(&self) -> Value {
        // One line break is none in its Markdown.
        let text = self.markdown("\n\n", DINGTALK_BYTES);
        json!({
            "msgtype": "markdown",
            "markdown": {"title": self.title(chinese_markdown), "text": text},
            "at": {"isAtAll": false},
        })
    }

    fn wecom(&self) -> Value {
        json!({"msgtype": "markdown", "markdown": {"content": self.markdown("\n", WECOM_BYTES)}})
    }

    /// A card of plain texts, in which nothing of others can act.
    fn feishu(&self, secret: Option<&str>) -> Value {
        let text = fitting(self.body(plain, self.follows()), "\n", FEISHU_BYTES);
        let mut elements = vec![json!({"tag": "div", "text": {"tag": "plain_text", "content": text}})];
        if let Some(link) = self.link() {
            let words = json!({"tag": "plain_text", "content": self.open()});
            elements.push(json!({"tag": "action", "actions": [{"tag": "button", "text": words, "url": link, "type": "primary"}]}));
        }
        let color = match (self.story.status, self.story.severity.as_str()) {
            (live::Status::Resolved, _) => "green",
            (live::Status::Open | live::Status::Acknowledged, "critical") => "red",
            (live::Status::Open | live::Status::Acknowledged, "warning") => "orange",
            (live::Status::Open | live::Status::Acknowledged, _) => "blue",
        };
        let mut body = json!({
            "msg_type": "interactive",
            "card": {
                "header": {"title": {"tag": "plain_text", "content": self.title(plain)}, "template": color},
                "elements": elements,
            },
        });
        if let Some(secret) = secret {
            let seconds = self.occasion.now.0 / value::SECOND;
            // Their way: the text to sign is the key, and what is signed is empty.
            let signature = BASE64_STANDARD.encode(sign(format!("{seconds}\n{secret}").as_bytes(), b""));
            set(&mut body, "timestamp", json!(seconds.to_string()));
            set(&mut body, "sign", json!(signature));
        }
        body
    }

    fn slack(&self, short: bool) -> Value {
        let title = clipped(&self.title(plain), SLACK_TITLE);
        let mut lines = self.body(slack, short);
        lines.extend(self.link().map(|link| format!("<{link}|{}>", self.open())));
        let mut blocks = vec![json!({"type": "header", "text": {"type": "plain_text", "text": title, "emoji": false}})];
        let text = fitting(lines, "\n", SLACK_TEXT);
        if !text.is_empty() {
            blocks.push(json!({"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": true}}));
        }
        json!({"text": self.title(slack), "blocks": blocks})
    }

    /// Our own format, which `docs/notifications.md` describes.
    fn webhook(&self) -> Value {
        let list = |name: &str| json!(self.story.values.get(name));
        json!({
            "version": VERSION,
            "id": format!("{}-{}-{}", self.channel.name, self.story.key, self.occasion.event),
            "event": self.story.what,
            "number": self.occasion.event,
            "first": !self.follows(),
            "title": self.title(plain),
            "text": self.body(plain, false).join("\n"),
            "link": self.link(),
            "incident": self.story.incident,
            "checks": list("incident.check"),
            "fixes": list("incident.fix"),
            "before": list("incident.before"),
        })
    }
}

fn sign(key: &[u8], data: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data)
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}
