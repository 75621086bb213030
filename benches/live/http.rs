//! The same alerts to a server of ours and to an Alertmanager, over HTTP.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ureq::Agent;

const SENDERS: usize = 4;
/// Alerts in a request.
const BATCH: usize = 64;
const SECONDS: u64 = 10;

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

pub fn compare(project: &Path, data: &Path) {
    println!("{:<14} {:>14} {:>10}", "over HTTP", "alerts /s", "refused");
    let (_server, address) = faultscope(project, data);
    measure("faultscope", &address);
    match alertmanager(data) {
        Some((_process, address)) => measure("alertmanager", &address),
        None => println!("alertmanager   is not installed"),
    }
}

fn faultscope(project: &Path, data: &Path) -> (Process, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faultscope"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--project"]).arg(project).arg("--data").arg(data);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split_whitespace().find(|word| word.starts_with("http://")).expect("an address").to_owned();
    (Process(child), address)
}

fn alertmanager(data: &Path) -> Option<(Process, String)> {
    let configuration = data.join("alertmanager.yml");
    std::fs::write(&configuration, "route: {receiver: nobody, group_by: ['...']}\nreceivers: [{name: nobody}]\n").unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("prometheus-alertmanager");
    command
        .arg(format!("--config.file={}", configuration.display()))
        .arg(format!("--storage.path={}", data.join("alertmanager").display()));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}")).arg("--cluster.listen-address=");
    let process = Process(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?);
    let address = format!("http://127.0.0.1:{port}");
    let began = Instant::now();
    while agent().get(format!("{address}/-/ready")).call().is_err() {
        assert!(began.elapsed() < Duration::from_secs(20), "the Alertmanager does not start");
        sleep(Duration::from_millis(100));
    }
    Some((process, address))
}

fn agent() -> Agent {
    Agent::config_builder().proxy(None).http_status_as_error(false).timeout_global(Some(Duration::from_secs(30))).build().into()
}

/// Each sender sends the next request when the one before was answered.
fn measure(name: &str, address: &str) {
    let (next, refused) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
    let began = Instant::now();
    let accepted: usize = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                scope.spawn(move || {
                    let client = agent();
                    let mut accepted = 0;
                    while began.elapsed() < Duration::from_secs(SECONDS) {
                        let body = super::alerts(super::now(), next.fetch_add(BATCH, Ordering::Relaxed), BATCH);
                        let request = client.post(format!("{address}/api/v2/alerts")).header("content-type", "application/json");
                        if request.send(&body[..]).is_ok_and(|said| said.status().is_success()) {
                            accepted += BATCH;
                        } else {
                            refused.fetch_add(BATCH, Ordering::Relaxed);
                        }
                    }
                    accepted
                })
            })
            .collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).sum()
    });
    let seconds = began.elapsed().as_secs_f64();
    println!("{name:<14} {:>14.0} {:>10}", accepted as f64 / seconds, refused.load(Ordering::Relaxed));
}
