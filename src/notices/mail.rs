//! A message of RFC 5322: plain text in UTF-8, threaded with what was sent before about the same incident.

use base64::prelude::{BASE64_STANDARD, Engine};
use value::Time;
use words::Zone;

use super::ledger::Reference;
use super::request::Occasion;
use super::settings::Mail;

/// Bytes of one encoded word of a header: with its marks it stays below the 75 that RFC 2047 allows.
const WORD_BYTES: usize = 42;

/// Characters of a line of the body, in base64.
const LINE: usize = 76;

const DAYS: &[&str] = &["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: &[&str] = &["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `own` is by what the message will be known.
pub fn message(account: &Mail, own: &Reference, occasion: Occasion<'_>, text: &str) -> String {
    // Programs show one conversation where the subject is the same.
    let subject = match occasion.before.and_then(|first| first.place.as_deref()) {
        Some(first) => encoded(&format!("Re: {first}")),
        None => encoded(own.place.as_deref().unwrap_or("")),
    };
    let mut headers = vec![
        format!("From: {}", account.from),
        format!("To: {}", account.to.join(",\r\n ")),
        format!("Subject: {subject}"),
        format!("Date: {}", date(occasion.now)),
        format!("Message-ID: {}", own.id),
    ];
    if let Some(first) = occasion.before {
        headers.push(format!("In-Reply-To: {}", first.id));
        headers.push(format!("References: {}", first.id));
    }
    headers.extend(
        [
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: base64",
        ]
        .map(str::to_owned),
    );
    let encoded = BASE64_STANDARD.encode(text.replace('\n', "\r\n"));
    let body: Vec<String> = encoded.chars().collect::<Vec<_>>().chunks(LINE).map(|line| line.iter().collect()).collect();
    format!("{}\r\n\r\n{}\r\n", headers.join("\r\n"), body.join("\r\n"))
}

/// By what a message is known to those that follow it. The same for the same event: a mail that is sent again is recognised.
pub fn reference(account: &Mail, channel: &str, key: &str, event: u64, title: &str) -> Reference {
    let domain = account.from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    let channel: String = channel.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    Reference { id: format!("<faultscope-{key}-{event}-{channel}@{domain}>"), place: Some(title.to_owned()) }
}

/// As encoded words, which also keeps line breaks out of the header.
fn encoded(text: &str) -> String {
    let mut words = vec![String::new()];
    for c in text.chars() {
        match words.last_mut() {
            Some(word) if word.len() + c.len_utf8() <= WORD_BYTES => word.push(c),
            Some(_) | None => words.push(c.to_string()),
        }
    }
    let words: Vec<String> = words.iter().map(|word| format!("=?utf-8?B?{}?=", BASE64_STANDARD.encode(word))).collect();
    words.join("\r\n ")
}

/// `Sun, 01 Jun 2025 10:15:00 +0000`
fn date(at: Time) -> String {
    let zone = Zone::default();
    let day = zone.week_minute(at).and_then(|(day, _)| DAYS.get(day)).unwrap_or(&"Mon");
    let date = zone.date(at);
    let mut parts = date.splitn(3, '-');
    let (year, month, of_month) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let month = month.parse::<usize>().ok().and_then(|month| MONTHS.get(month.wrapping_sub(1))).unwrap_or(&"Jan");
    format!("{day}, {of_month} {month} {year} {} +0000", zone.clock(at))
}

#[cfg(test)]
mod tests {
    use super::{date, encoded};
    use value::Time;

    #[test]
    fn headers_are_ascii() {
        assert_eq!(encoded("a"), "=?utf-8?B?YQ==?=");
        let long = encoded(&"数据库连接耗尽\r\nBcc: x@y.z ".repeat(5));
        assert!(long.is_ascii() && !long.contains("Bcc"), "{long}");
        assert!(long.split("\r\n ").all(|word| word.len() <= 75 && word.ends_with("?=")), "{long}");
        assert_eq!(date(Time::parse("2025-06-01T10:15:00Z").unwrap()), "Sun, 01 Jun 2025 10:15:00 +0000");
    }
}
