//! Servers of the test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration as Wait;

/// What an HTTP server of the test answers.
#[derive(Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: &'static str,
    pub body: &'static str,
    pub after: Wait,
}

pub fn reply(status: u16, body: &'static str) -> Reply {
    Reply { status, headers: "", body, after: Wait::ZERO }
}

/// What was received: path and body, or a whole mail.
pub type Received = Arc<Mutex<Vec<(String, String)>>>;

/// Answers one after the other, the last one for ever. Returns its address.
pub fn http(replies: Vec<Reply>) -> (String, Received) {
    let (listener, received) = (TcpListener::bind("127.0.0.1:0").unwrap(), Received::default());
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::clone(&received);
    std::thread::spawn(move || {
        for (at, stream) in listener.incoming().enumerate() {
            let reply = replies[at.min(replies.len() - 1)].clone();
            answer(stream.unwrap(), &reply, &seen);
        }
    });
    (address, received)
}

fn answer(mut stream: TcpStream, reply: &Reply, seen: &Received) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let path = line.split(' ').nth(1).unwrap_or("").to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        if header.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    seen.lock().unwrap().push((path, String::from_utf8(body).unwrap()));
    std::thread::sleep(reply.after);
    let Reply { status, headers, body, .. } = reply;
    let answer = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    // Who was asked to wait too long has gone.
    drop(stream.write_all(answer.as_bytes()));
}

/// A mail server: takes every mail. `greeting` is what it says first.
pub fn smtp(greeting: Vec<&'static str>) -> (u16, Received) {
    let (listener, received) = (TcpListener::bind("127.0.0.1:0").unwrap(), Received::default());
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::clone(&received);
    std::thread::spawn(move || {
        for (at, stream) in listener.incoming().enumerate() {
            converse(stream.unwrap(), greeting[at.min(greeting.len() - 1)], &seen);
        }
    });
    (port, received)
}

fn converse(mut stream: TcpStream, greeting: &str, seen: &Received) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    stream.write_all(greeting.as_bytes()).unwrap();
    let (mut envelope, mut mail, mut in_mail) = (String::new(), String::new(), false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if in_mail {
            if line == ".\r\n" {
                in_mail = false;
                seen.lock().unwrap().push((std::mem::take(&mut envelope), std::mem::take(&mut mail)));
                stream.write_all(b"250 queued as 1\r\n").unwrap();
            } else {
                mail.push_str(&line);
            }
            continue;
        }
        let said: &[u8] = match line.get(..4).unwrap_or("") {
            "EHLO" => b"250-test\r\n250 8BITMIME\r\n",
            "DATA" => {
                in_mail = true;
                b"354 go on\r\n"
            }
            "QUIT" => b"221 bye\r\n",
            _ => {
                envelope.push_str(&line);
                b"250 ok\r\n"
            }
        };
        if stream.write_all(said).is_err() {
            return;
        }
    }
}
