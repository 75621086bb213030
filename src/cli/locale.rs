//! For whom a report is written: `--lang` and `--tz`, else what the environment says.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use words::{Lang, Locale, Zone};

#[derive(Debug, Clone, clap::Args)]
pub struct LocaleArgs {
    /// Language of the report; text from rules and components stays as written [default: that of LANG, else `en`]
    #[arg(long, value_parser = PossibleValuesParser::new(["en", "zh"]).map(|name| if name == "zh" { Lang::Zh } else { Lang::En }))]
    pub lang: Option<Lang>,
    /// Time zone of the report, like `Asia/Shanghai` or `+08:00` [default: that of TZ, else UTC]
    #[arg(long, value_name = "ZONE", value_parser = parse_zone)]
    pub tz: Option<Zone>,
}

fn parse_zone(name: &str) -> Result<Zone, String> {
    Zone::parse(name).ok_or_else(|| "use a name like `Asia/Shanghai` or `UTC`, or an offset like `+08:00`".to_owned())
}

impl LocaleArgs {
    /// Only what was asked for: what programs read does not depend on the environment.
    pub fn asked(&self) -> Locale {
        Locale { lang: self.lang.unwrap_or_default(), zone: self.tz.clone().unwrap_or_default() }
    }

    pub fn get(&self) -> Locale {
        Locale {
            lang: self.lang.unwrap_or_else(language),
            zone: self.tz.clone().unwrap_or_else(|| std::env::var("TZ").ok().and_then(|name| Zone::parse(&name)).unwrap_or_default()),
        }
    }
}

/// The language of the environment: the first of its variables that is set decides.
pub(super) fn language() -> Lang {
    let set = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(|name| std::env::var(name).ok()).find(|value| !value.is_empty());
    if set.is_some_and(|value| value.starts_with("zh")) { Lang::Zh } else { Lang::En }
}
