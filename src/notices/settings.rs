//! The section `notify` of `server.yaml`: channels, and routes to them. `docs/notifications.md` shows each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use diag::{Code, Diagnostic, Place, Sources, Text, address, suggestion, text};
use estate::parse_duration;
use project::Hidden;
use value::fields::{Fields, Reader, Word, items, listed, missing};
use value::yaml::{Key, Node};
use value::{DAY, Duration, HOUR, MINUTE, SECOND};
use words::{Lang, Locale, Zone};

use super::routing::{Route, Window};
use super::template::{NAMES, Template};

/// Changes of an incident within this time are one update, unless the settings say otherwise.
const INTERVAL: Duration = MINUTE;

/// A message that could not be sent for this long is given up, unless the settings say otherwise.
const GIVE_UP: Duration = 6 * HOUR;

/// The longest of both that makes sense.
const LONGEST: Duration = 7 * DAY;

/// Where Slack's API is.
const SLACK: &str = "https://slack.com/api";

/// Port of submission over TLS (RFC 8314), and of submission with STARTTLS.
const SUBMISSIONS: u16 = 465;
const SUBMISSION: u16 = 587;
const SMTP: u16 = 25;

/// Whom to tell of incidents, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// By name.
    pub channels: BTreeMap<String, Channel>,
    pub routes: Vec<Route>,
    /// Between two messages to one channel about one incident, at least.
    pub interval: Duration,
    /// How long a message is tried.
    pub give_up: Duration,
}

/// Without a section: nobody is told.
impl Default for Settings {
    fn default() -> Self {
        Settings { channels: BTreeMap::new(), routes: Vec::new(), interval: INTERVAL, give_up: GIVE_UP }
    }
}

/// One place to which messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub name: String,
    pub account: Account,
    pub locale: Locale,
    /// Instead of what is built in.
    pub title: Option<Template>,
    pub text: Option<Template>,
    /// The address at which people see the incident.
    pub link: Option<Template>,
}

/// What a channel is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    DingTalk {
        url: Hidden,
        secret: Option<Hidden>,
    },
    WeCom {
        url: Hidden,
    },
    Feishu {
        url: Hidden,
        secret: Option<Hidden>,
    },
    /// An incoming webhook, which cannot change what it has posted.
    SlackHook {
        url: Hidden,
    },
    SlackBot {
        api: String,
        token: Hidden,
        channel: String,
    },
    Webhook {
        url: Hidden,
        headers: BTreeMap<String, Hidden>,
        secret: Option<Hidden>,
    },
    Email(Mail),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub user: Option<Hidden>,
    pub password: Option<Hidden>,
    pub from: String,
    pub to: Vec<String>,
}

/// How a connection to a mail server is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    Tls,
    StartTls,
    /// Only for a server on this machine.
    None,
}

#[derive(Clone, Copy)]
enum Kind {
    DingTalk,
    WeCom,
    Feishu,
    Slack,
    Webhook,
    Email,
}

const KINDS: &[(&str, Kind)] = &[
    ("dingtalk", Kind::DingTalk),
    ("wecom", Kind::WeCom),
    ("feishu", Kind::Feishu),
    ("slack", Kind::Slack),
    ("webhook", Kind::Webhook),
    ("email", Kind::Email),
];

/// Keys of every channel.
const COMMON: [&str; 6] = ["kind", "language", "time_zone", "title", "text", "link"];

impl Kind {
    fn keys(self) -> &'static [&'static str] {
        match self {
            Kind::DingTalk | Kind::Feishu => &["url", "secret"],
            Kind::WeCom => &["url"],
            Kind::Slack => &["url", "token", "channel", "api"],
            Kind::Webhook => &["url", "headers", "secret"],
            Kind::Email => &["host", "port", "security", "user", "password", "from", "to"],
        }
    }
}

impl Settings {
    /// Reads the section of a file in this folder. A channel or route with an error is left out; the others are used.
    pub fn read(sources: &Sources, node: &Node, folder: &Path) -> (Settings, Vec<Diagnostic>) {
        let mut reading = Reading { reader: Reader::new(sources), folder, locale: Locale::default(), link: None };
        let settings = reading.settings(node);
        (settings, reading.reader.diagnostics)
    }
}

struct Reading<'s> {
    reader: Reader<'s>,
    folder: &'s Path,
    /// What channels have unless they say otherwise.
    locale: Locale,
    link: Option<Template>,
}

impl Reading<'_> {
    fn settings(&mut self, node: &Node) -> Settings {
        let mut settings = Settings::default();
        let known = ["language", "time_zone", "link", "at_most_every", "give_up_after", "channels", "routes"];
        let Some(fields) = self.reader.fields(node, "the section `notify`", &known) else { return settings };
        self.locale = self.locale(&fields);
        self.link = self.template(&fields, "link");
        settings.interval = self.duration(&fields, "at_most_every").unwrap_or(INTERVAL);
        settings.give_up = self.duration(&fields, "give_up_after").unwrap_or(GIVE_UP);
        let mut named = BTreeSet::new();
        for (key, node) in fields.get("channels").map_or(&[][..], |node| self.reader.map(node, text!("channels"))) {
            named.insert(key.name.clone());
            if let Some(channel) = self.channel(key, node) {
                settings.channels.insert(key.name.clone(), channel);
            }
        }
        for node in self.reader.list_of(&fields, "routes") {
            if let Some(route) = self.route(node, &named) {
                settings.routes.push(route);
            }
        }
        settings
    }

    fn channel(&mut self, key: &Key, node: &Node) -> Option<Channel> {
        let before = self.reader.diagnostics.len();
        let any = self.reader.fields(node, "a channel", &[])?;
        let kind = self.reader.required(&any, "kind")?;
        let kind = self.reader.choice(kind, text!("the kind of a channel"), KINDS)?;
        let known: Vec<&str> = COMMON.iter().chain(kind.keys()).copied().collect();
        let fields = self.reader.fields(node, "a channel", &known)?;
        let account = self.account(kind, &fields);
        let locale = self.locale(&fields);
        let (title, text) = (self.template(&fields, "title"), self.template(&fields, "text"));
        let link = self.template(&fields, "link").or_else(|| self.link.clone());
        // Half a channel would tell somebody else, or nobody.
        let account = account.filter(|_| self.reader.diagnostics.len() == before)?;
        Some(Channel { name: key.name.clone(), account, locale, title, text, link })
    }

    fn account(&mut self, kind: Kind, fields: &Fields<'_>) -> Option<Account> {
        match kind {
            Kind::DingTalk => {
                let (url, secret) = (self.needed_secret(fields, "url"), self.pointed(fields, "secret"));
                Some(Account::DingTalk { url: url?, secret })
            }
            Kind::WeCom => Some(Account::WeCom { url: self.needed_secret(fields, "url")? }),
            Kind::Feishu => {
                let (url, secret) = (self.needed_secret(fields, "url"), self.pointed(fields, "secret"));
                Some(Account::Feishu { url: url?, secret })
            }
            Kind::Slack if fields.get("token").is_some() => {
                let (token, channel) = (self.pointed(fields, "token"), self.reader.needed(fields, "channel"));
                let api = self.reader.optional(fields, "api").unwrap_or_else(|| SLACK.to_owned());
                Some(Account::SlackBot { api: api.trim_end_matches('/').to_owned(), token: token?, channel: channel? })
            }
            Kind::Slack => Some(Account::SlackHook { url: self.needed_secret(fields, "url")? }),
            Kind::Webhook => self.webhook(fields),
            Kind::Email => self.email(fields).map(Account::Email),
        }
    }

    fn webhook(&mut self, fields: &Fields<'_>) -> Option<Account> {
        let url = self.reader.needed(fields, "url").map(|url| Hidden::of(&url, self.folder));
        if let (Some(Hidden::Written(written)), Some(node)) = (&url, fields.get("url"))
            && address(written) != *written
        {
            self.reader.in_the_open(node.place, "url");
        }
        let headers = Hidden::headers(&mut self.reader, fields, self.folder).into_iter().collect();
        let secret = self.pointed(fields, "secret");
        Some(Account::Webhook { url: url?, headers, secret })
    }

    fn email(&mut self, fields: &Fields<'_>) -> Option<Mail> {
        let host = self.reader.needed(fields, "host");
        let options = [("tls", Security::Tls), ("starttls", Security::StartTls), ("none", Security::None)];
        let security = fields.get("security").map_or(Some(Security::Tls), |node| {
            let what = text!("the security of a mail server");
            self.reader.choice(node, what, &options)
        })?;
        let port = match self.written(fields, "port") {
            None => match security {
                Security::Tls => SUBMISSIONS,
                Security::StartTls => SUBMISSION,
                Security::None => SMTP,
            },
            Some(word) => word.text.parse::<u16>().unwrap_or_else(|_| {
                self.wrong(word.place, text!("invalid port `{}`", word.text), text!("use a number from 1 to 65535"));
                0
            }),
        };
        let (user, password) =
            (self.reader.optional(fields, "user").map(|user| Hidden::of(&user, self.folder)), self.pointed(fields, "password"));
        if user.is_some() != password.is_some() {
            let key = if user.is_some() { "password" } else { "user" };
            self.reader.report(missing(fields, key));
        }
        let from = self.addresses(fields, "from").into_iter().next();
        let to = self.addresses(fields, "to");
        if to.is_empty() {
            return None;
        }
        Some(Mail { host: host?, port, security, user, password, from: from?, to })
    }

    fn addresses(&mut self, fields: &Fields<'_>, key: &str) -> Vec<String> {
        let Some(node) = self.reader.required(fields, key) else { return Vec::new() };
        let mut found = Vec::new();
        for word in self.reader.words(node, text!("an address")) {
            // Plain ASCII: what goes into a header is not encoded.
            if word.text.chars().all(|c| c.is_ascii_graphic()) && word.text.parse::<lettre::Address>().is_ok() {
                found.push(word.text);
            } else {
                self.wrong(word.place, text!("invalid address `{}`", word.text), text!("use an address like `oncall@example.com`"));
            }
        }
        if items(node).is_empty() {
            self.reader.report(missing(fields, key));
        }
        found
    }

    fn route(&mut self, node: &Node, named: &BTreeSet<String>) -> Option<Route> {
        let known = ["owner", "severity", "tags", "times", "to", "continue"];
        let before = self.reader.diagnostics.len();
        let fields = self.reader.fields(node, "a route", &known)?;
        let mut route =
            Route { owners: self.reader.texts_of(&fields, "owner"), tags: self.reader.texts_of(&fields, "tags"), ..Route::default() };
        let severities = [("critical", "critical"), ("warning", "warning"), ("info", "info")];
        for node in fields.get("severity").map_or(&[][..], items) {
            route.severities.extend(self.reader.choice(node, text!("a severity"), &severities));
        }
        for node in fields.get("times").map_or(&[][..], items) {
            route.times.extend(self.window(node));
        }
        for word in self.reader.required(&fields, "to").map_or_else(Vec::new, |node| self.reader.words(node, text!("a channel"))) {
            if !named.contains(&word.text) {
                let known = || named.iter().map(String::as_str);
                let help = suggestion(&word.text, known()).unwrap_or_else(|| text!("channels: {}", listed(&known().collect::<Vec<_>>())));
                self.wrong(word.place, text!("no channel `{}`", word.text), help);
            }
            route.to.push(word.text);
        }
        if fields.get("to").is_some_and(|node| items(node).is_empty()) {
            self.reader.report(missing(&fields, "to"));
        }
        route.goes_on = fields.get("continue").and_then(|node| self.reader.flag(node, text!("`continue`"))).unwrap_or(false);
        // A route of which half is understood would tell too many.
        (self.reader.diagnostics.len() == before).then_some(route)
    }

    fn window(&mut self, node: &Node) -> Option<Window> {
        let fields = self.reader.fields(node, "hours", &["days", "from", "to", "time_zone"])?;
        let mut days = [fields.get("days").is_none(); 7];
        for word in fields.get("days").map_or_else(Vec::new, |node| self.reader.words(node, text!("a day"))) {
            let Some((first, last)) = day_range(&word.text) else {
                let message = text!("invalid day `{}`", word.text);
                self.wrong(word.place, message, text!("use `mon` to `sun`, or a range like `mon-fri`"));
                return None;
            };
            // Through the end of the week: `sat-mon`.
            for day in first..=(if last < first { last + 7 } else { last }) {
                if let Some(on) = days.get_mut(day % 7) {
                    *on = true;
                }
            }
        }
        let (from, to) = (self.minute(&fields, "from"), self.minute(&fields, "to"));
        let zone = self.locale(&fields).zone;
        Some(Window { days, from: from?, to: to?, zone })
    }

    /// A time of day in minutes; midnight if there is none.
    fn minute(&mut self, fields: &Fields<'_>, key: &str) -> Option<u32> {
        let Some(word) = self.written(fields, key) else { return Some(0) };
        let minute = clock(&word.text);
        if minute.is_none() {
            self.wrong(
                word.place,
                text!("invalid time of day `{}`", word.text),
                text!("use hours and minutes in quotes, like `\"09:00\"`"),
            );
        }
        minute
    }

    /// Language and zone of a map, with those around it for what it leaves out.
    fn locale(&mut self, fields: &Fields<'_>) -> Locale {
        let mut locale = self.locale.clone();
        if let Some(node) = fields.get("language") {
            let lang = self.reader.choice(node, text!("a language"), &[("en", Lang::En), ("zh", Lang::Zh)]);
            locale.lang = lang.unwrap_or(locale.lang);
        }
        if let Some(word) = self.written(fields, "time_zone") {
            match Zone::parse(&word.text) {
                Some(zone) => locale.zone = zone,
                None => {
                    let help = text!("use a name like `Asia/Shanghai`, or an offset like `+08:00`");
                    self.wrong(word.place, text!("unknown time zone `{}`", word.text), help);
                }
            }
        }
        locale
    }

    fn template(&mut self, fields: &Fields<'_>, key: &str) -> Option<Template> {
        let word = self.written(fields, key)?;
        match Template::parse(&word.text) {
            Ok(template) => Some(template),
            Err(name) => {
                let help = suggestion(&name, NAMES.iter().copied()).unwrap_or_else(|| text!("known names: {}", listed(NAMES)));
                self.wrong(word.place, text!("an incident has no `{}`", name), help);
                None
            }
        }
    }

    fn duration(&mut self, fields: &Fields<'_>, key: &str) -> Option<Duration> {
        let word = self.written(fields, key)?;
        let found = parse_duration(&word.text).filter(|duration| (SECOND..=LONGEST).contains(duration));
        if found.is_none() {
            self.wrong(word.place, text!("invalid duration `{}`", word.text), text!("use one from `1s` to `7d`, like `1m` or `6h`"));
        }
        found
    }

    fn written(&mut self, fields: &Fields<'_>, key: &str) -> Option<Word> {
        let node = fields.get(key)?;
        self.reader.word(node, text!("`{}` of {}", key, Text::from(fields.what)))
    }

    fn needed_secret(&mut self, fields: &Fields<'_>, key: &str) -> Option<Hidden> {
        self.reader.required(fields, key)?;
        self.pointed(fields, key)
    }

    /// A secret, which a file of the project only points at.
    fn pointed(&mut self, fields: &Fields<'_>, key: &str) -> Option<Hidden> {
        Hidden::secret(&mut self.reader, fields, key, self.folder)
    }

    fn wrong(&mut self, place: Place, message: Text, help: Text) {
        self.reader.report(Diagnostic::error(Code::WRONG_KIND, place, message).help(help));
    }
}

/// `mon`, `mon-fri`: positions in the week.
fn day_range(text: &str) -> Option<(usize, usize)> {
    let day = |name: &str| ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].iter().position(|day| *day == name.trim().to_lowercase());
    match text.split_once('-') {
        Some((first, last)) => Some((day(first)?, day(last)?)),
        None => day(text).map(|day| (day, day)),
    }
}

/// `09:30` as minutes; `24:00` is the end of the day.
fn clock(text: &str) -> Option<u32> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let is_time = (hours < 24 && minutes < 60) || (hours == 24 && minutes == 0);
    is_time.then(|| 60 * hours + minutes)
}
