//! Where text leaves the program: reports, errors, questions. Control characters that came from monitored systems are made visible here.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use diag::{Code, Diagnostic, Text, one_line, text, visible};

use super::locale::language;
use super::{Lang, OK, USAGE};

/// Standard output. It is UTF-8 text: a character that comes in two writes waits for its second half.
pub struct Output<W: Write> {
    to: BufWriter<W>,
    half: Vec<u8>,
}

impl<W: Write> Output<W> {
    pub fn new(to: W) -> Self {
        Self { to: BufWriter::new(to), half: Vec::new() }
    }

    /// Writes text that carries this program's own colors. What it quotes must be harmless already.
    pub fn styled(&mut self, text: &str) -> io::Result<()> {
        self.to.write_all(text.as_bytes())
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.half.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.half) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            // Not text at all: replacement characters are as harmless as any.
            Err(_) => self.half.len(),
        };
        let rest = self.half.split_off(whole);
        let ready = std::mem::replace(&mut self.half, rest);
        self.to.write_all(visible(&String::from_utf8_lossy(&ready)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// What ends a command.
#[derive(Debug)]
pub enum Failure {
    /// Something is wrong with what was asked or read.
    Wrong(Box<Diagnostic>),
    /// The same, as a text with the lines it is about.
    Shown(String),
    /// The report cannot be written.
    Output(io::Error),
}

pub type Outcome = Result<u8, Failure>;

impl Failure {
    pub fn new(code: Code, message: impl Into<Text>) -> Self {
        Failure::Wrong(Box::new(Diagnostic::nowhere(code, message)))
    }

    pub fn help(self, help: impl Into<Text>) -> Self {
        self.maybe_help(Some(help.into()))
    }

    pub fn maybe_help(self, help: Option<Text>) -> Self {
        match self {
            Failure::Wrong(mut diagnostic) => {
                diagnostic.help = help.or(diagnostic.help);
                Failure::Wrong(diagnostic)
            }
            Failure::Shown(_) | Failure::Output(_) => self,
        }
    }
}

impl From<Box<Diagnostic>> for Failure {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        Failure::Wrong(diagnostic)
    }
}

/// Only writing the report gives bare I/O errors: files are read and written through `files`.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

/// Says something beside the report. If the error stream is closed, nobody wants to hear it.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{}", visible(text));
}

/// Says that something is not as it should be, in the language of the environment.
pub fn warn(what: impl Into<Text>) {
    let (chinese, what): (bool, Text) = (language() == Lang::Zh, what.into());
    say(&format!("{}: {}", if chinese { "警告" } else { "warning" }, one_line(&what.shown(chinese))));
}

/// Shows how far a long command has come, in place of what it showed before; an empty text clears it. Only a terminal shows it.
pub fn progress(text: &str) {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "\r\u{1b}[K{}", visible(text));
    }
}

/// Ends the program: the exit code of the command, or 2 with the reason.
pub fn finish<W: Write>(outcome: Outcome, mut out: Output<W>) -> ExitCode {
    let outcome = match (outcome, out.flush()) {
        (Ok(_), Err(error)) => Err(Failure::Output(error)),
        (outcome, _) => outcome,
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        // A reader that has seen enough (`| head`) is no failure.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(OK),
        Err(failure) => {
            say(&describe(&failure, language() == Lang::Zh));
            ExitCode::from(USAGE)
        }
    }
}

fn describe(failure: &Failure, chinese: bool) -> String {
    let (wrong, fix) = if chinese { ("错误", "帮助") } else { ("error", "help") };
    let line = |text: &Text| one_line(&text.shown(chinese)).into_owned();
    match failure {
        Failure::Wrong(diagnostic) => {
            let help = diagnostic.help.as_ref().map_or_else(String::new, |help| format!("\n  {fix}: {}", line(help)));
            format!("{wrong}[{}]: {}{help}", diagnostic.code, line(&diagnostic.message))
        }
        Failure::Shown(text) => text.clone(),
        Failure::Output(error) => format!("{wrong}[{}]: {}", Code::OUTPUT, text!("cannot write the report: {}", error).shown(chinese)),
    }
}

/// Whether to color what goes to the terminal.
pub fn colored() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

#[cfg(test)]
mod tests {
    use super::{Failure, Output, describe};
    use diag::Code;
    use std::io::Write;

    #[test]
    fn characters_in_two_writes_stay_whole_and_control_characters_show() {
        let mut bytes = Vec::new();
        let mut out = Output::new(&mut bytes);
        for byte in "数据库 \u{1b}[2J\n".bytes() {
            out.write_all(&[byte]).unwrap();
        }
        out.styled("\u{1b}[31mred\u{1b}[0m").unwrap();
        out.flush().unwrap();
        drop(out);
        assert_eq!(String::from_utf8(bytes).unwrap(), "数据库 \\u001b[2J\n\u{1b}[31mred\u{1b}[0m");
    }

    #[test]
    fn failures_speak_both_languages() {
        let failure = Failure::new(Code::USAGE, "no input").help("name a file, or a Prometheus server with `--prometheus URL`");
        let english = "error[F9006]: no input\n  help: name a file, or a Prometheus server with `--prometheus URL`";
        assert_eq!(describe(&failure, false), english);
        assert_eq!(describe(&failure, true), "错误[F9006]: 没有输入\n  帮助: 指定一个文件，或用 `--prometheus URL` 指定 Prometheus 服务器");
    }
}
