//! E-mail: what the server receives.

use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine};
use live::What;

use super::servers::smtp;
use super::{Told, settings, until};
use crate::Notifier;

fn header<'m>(mail: &'m str, name: &str) -> &'m str {
    let start = format!("{name}: ");
    mail.split("\r\n").find_map(|line| line.strip_prefix(start.as_str())).unwrap_or_else(|| panic!("no {name} in {mail}"))
}

fn body(mail: &str) -> String {
    let encoded: String = mail.split("\r\n\r\n").nth(1).unwrap().split_whitespace().collect();
    String::from_utf8(BASE64_STANDARD.decode(encoded).unwrap()).unwrap()
}

#[test]
fn mails_of_an_incident_are_one_conversation() {
    let (port, received) = smtp(vec!["421 come back later\r\n", "220 test\r\n"]);
    let text = format!(
        "language: zh\nat_most_every: 1s\nchannels:\n  mail: {{kind: email, host: 127.0.0.1, port: {port}, security: none, from: fs@example.com, to: [a@example.com, b@example.com]}}\nroutes:\n  - to: mail\n"
    );
    let (told, folder) = (Arc::new(Told::new()), tempfile::tempdir().unwrap());
    told.tell(7, What::Opened);
    let notifier = Notifier::start(settings(&text), Arc::clone(&told) as Arc<dyn crate::Source>, folder.path()).unwrap().0;
    until("the first arrives", || received.lock().unwrap().len() == 1);
    until("that is noted", || notifier.state().channels[0].pending.is_empty());
    // A note is not worth a mail.
    told.tell(7, What::Noted);
    told.tell(7, What::Resolved);
    until("the second arrives", || received.lock().unwrap().len() == 2);
    let failure = notifier.state().channels[0].last_failure.clone().unwrap().reason;
    notifier.stop();
    assert!(failure.contains("421"), "{failure}");
    let received = received.lock().unwrap();
    let (envelope, first) = &received[0];
    let second = &received[1].1;
    assert!(envelope.contains("MAIL FROM:<fs@example.com>") && envelope.contains("RCPT TO:<b@example.com>"), "{envelope}");
    assert_eq!(header(second, "In-Reply-To"), header(first, "Message-ID"));
    assert_eq!(header(second, "References"), header(first, "Message-ID"));
    assert_ne!(header(second, "Message-ID"), header(first, "Message-ID"));
    assert!(first.is_ascii());
    let decoded = body(first);
    assert!(decoded.starts_with("【待响应】严重：order-db 订单数据库：connections exhausted\r\n置信度 91%"), "{decoded}");
    assert!(body(second).starts_with("【已恢复】"));
}
