//! Real stores for tests: each starts a server of its own, on a free port, in a temporary directory if it needs one,
//! and takes it away when it is dropped.

mod s3;

use std::{
    io::{BufRead as _, BufReader, Read},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

pub use s3::S3Server;
use tempfile::TempDir;

/// Another process may take the port between the choice and the start.
const TRIES: u32 = 5;

/// A running `redis-server`, on loopback.
pub struct RedisServer {
    child: Child,
    port: u16,
    dir: TempDir,
    /// Handed to every start.
    options: Vec<String>,
}

/// A running `mariadbd`, on loopback, with an empty database `grok2api`.
pub struct MariaDb {
    child: Child,
    port: u16,
    dir: TempDir,
}

impl RedisServer {
    /// Starts a server that keeps nothing when it ends.
    pub fn start() -> Self {
        Self::with(&["--appendonly", "no"])
    }

    /// Starts a server that has every acknowledged write on disk.
    pub fn durable() -> Self {
        Self::with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// Starts a server with these options besides.
    pub fn with(options: &[&str]) -> Self {
        Self::on(&std::env::temp_dir(), options)
    }

    /// As [`with`](Self::with), with what it keeps below that directory.
    pub fn on(disk: &Path, options: &[&str]) -> Self {
        let dir = tempfile::tempdir_in(disk).expect("a temporary directory");
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let (child, port) = on_free_port("redis-server", |port| redis(port, dir.path(), &options));
        Self { child, port, dir, options }
    }

    /// What to connect to.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its process, for signals.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as a power cut does.
    pub fn kill(&mut self) {
        end(&mut self.child);
    }

    /// Starts it again on the same port and the same directory.
    pub fn start_again(&mut self) {
        self.child = redis(self.port, self.dir.path(), &self.options).expect("redis-server starts again");
    }
}

impl MariaDb {
    /// Makes a data directory and starts a server on it.
    pub fn start() -> Self {
        Self::on(&std::env::temp_dir())
    }

    /// As [`start`](Self::start), below that directory.
    pub fn on(disk: &Path) -> Self {
        let dir = tempfile::tempdir_in(disk).expect("a temporary directory");
        let made = Command::new("mariadb-install-db")
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .args(["--innodb-log-file-size=8M", "--user=root"])
            .arg(format!("--datadir={}", dir.path().join("data").display()))
            // Servers in other containers may have the same process id, and with it the same names in /tmp.
            .arg(format!("--tmpdir={}", dir.path().display()))
            .output()
            .expect("mariadb-install-db: `make setup` installs it");
        // Its complaints go to either.
        let said = [made.stdout, made.stderr].concat();
        assert!(made.status.success(), "mariadb-install-db: {}", String::from_utf8_lossy(&said));
        let (child, port) = on_free_port("mariadbd", |port| mariadb(port, dir.path()));
        Self { child, port, dir }
    }

    /// What to connect to: the administrator, who has no password, and an empty database that is there already.
    pub fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}/grok2api", self.port)
    }

    /// Its process, for signals.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as a power cut does.
    pub fn kill(&mut self) {
        end(&mut self.child);
    }

    /// Starts it again on the same port and the same directory.
    pub fn start_again(&mut self) {
        self.child = mariadb(self.port, self.dir.path()).expect("mariadbd starts again");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn redis(port: u16, dir: &Path, options: &[String]) -> Option<Child> {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--dir"]).arg(dir);
    let child = command.args(options).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = child.expect("redis-server: `make setup` installs it");
    let output = child.stdout.take().expect("its output");
    until_ready(child, output, "Ready to accept connections")
}

fn mariadb(port: u16, dir: &Path) -> Option<Child> {
    let init = dir.join("init.sql");
    std::fs::write(&init, "CREATE DATABASE IF NOT EXISTS grok2api;\n").expect("a file");
    let mut command = Command::new("mariadbd");
    command.args(["--no-defaults", "--user=root", "--bind-address=127.0.0.1"]);
    command.args(["--innodb-log-file-size=8M", "--innodb-buffer-pool-size=64M", "--skip-name-resolve"]);
    for (option, file) in [
        ("datadir", "data"),
        ("tmpdir", ""),
        ("socket", "mysqld.sock"),
        ("pid-file", "mysqld.pid"),
        ("init-file", "init.sql"),
    ] {
        command.arg(format!("--{option}={}", dir.join(file).display()));
    }
    let child = command.arg(format!("--port={port}")).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("mariadbd: `make setup` installs it");
    let output = child.stderr.take().expect("its output");
    until_ready(child, output, "ready for connections")
}

/// The server once it says so; nothing when it has ended, most likely because the port was taken.
fn until_ready(mut child: Child, output: impl Read + Send + 'static, sign: &str) -> Option<Child> {
    let mut lines = BufReader::new(output).lines();
    if !lines.by_ref().any(|line| line.is_ok_and(|line| line.contains(sign))) {
        child.wait().expect("it has ended");
        return None;
    }
    // What it writes later must not block it.
    std::thread::spawn(move || lines.for_each(drop));
    Some(child)
}

fn on_free_port(name: &str, start: impl Fn(u16) -> Option<Child>) -> (Child, u16) {
    for _ in 0..TRIES {
        let probe = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = probe.local_addr().expect("its address").port();
        drop(probe);
        if let Some(child) = start(port) {
            return (child, port);
        }
    }
    panic!("{name} did not start")
}

fn end(child: &mut Child) {
    // It may have ended already.
    child.kill().ok();
    child.wait().expect("it has ended");
}
