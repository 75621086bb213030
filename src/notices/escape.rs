//! Text of others in messages: it is read, and nothing in it acts. Nobody is notified by the text of an alert.

use diag::one_line;

/// Characters of one value at most: a message is a first screen, and the rest is behind its link.
const MAX_VALUE: usize = 300;

/// One line of bearable length.
pub fn plain(text: &str) -> String {
    clipped(one_line(text).trim(), MAX_VALUE)
}

/// For the Markdown of DingTalk and WeCom, which know no escapes: a mention, a tag, a link and emphasis need these characters, and the wide
/// forms of them only look alike.
pub fn chinese_markdown(text: &str) -> String {
    let wide = |c: char| match c {
        '<' => '＜',
        '>' => '＞',
        '@' => '＠',
        '[' => '［',
        ']' => '］',
        '*' => '＊',
        '#' => '＃',
        '`' => '＇',
        other => other,
    };
    plain(text).chars().map(wide).collect()
}

/// For Slack, whose mentions, links and commands all begin with `<`.
pub fn slack(text: &str) -> String {
    plain(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// At most so many characters.
pub fn clipped(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// As many whole lines as fit into so many bytes.
pub fn fitting(lines: Vec<String>, between: &str, most: usize) -> String {
    let mut text = String::new();
    for line in lines {
        if !text.is_empty() && text.len() + between.len() + line.len() > most {
            break;
        }
        if !text.is_empty() {
            text.push_str(between);
        }
        text.push_str(&line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{chinese_markdown, clipped, fitting, slack};

    #[test]
    fn nothing_of_others_acts() {
        for (text, markdown, slack_text) in [
            ("order-db cpu_usage > 90%", "order-db cpu_usage ＞ 90%", "order-db cpu_usage &gt; 90%"),
            ("@all <@all> **now**", "＠all ＜＠all＞ ＊＊now＊＊", "@all &lt;@all&gt; **now**"),
            ("<!channel> & [here](x)", "＜!channel＞ & ［here］(x)", "&lt;!channel&gt; &amp; [here](x)"),
            ("one\n# two", "one ＃ two", "one # two"),
        ] {
            assert_eq!((chinese_markdown(text), slack(text)), (markdown.to_owned(), slack_text.to_owned()));
        }
    }

    #[test]
    fn what_is_too_long_is_cut() {
        assert_eq!((clipped("数据库", 3), clipped("数据库们", 3)), ("数据库".to_owned(), "数据…".to_owned()));
        let lines = || vec!["aaa".to_owned(), "bbb".to_owned(), "ccc".to_owned()];
        assert_eq!(fitting(lines(), "\n", 7), "aaa\nbbb");
        assert_eq!(fitting(lines(), "\n", 1), "aaa");
    }
}
