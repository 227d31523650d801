//! An S3-compatible store: moto's server, which `make setup` installs beside the SDK.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::{end, on_free_port, until_ready};

/// moto wants to see a signature, and does not check it.
const SIGNED: &str = "authorization: AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, \
                      SignedHeaders=host, Signature=0";

/// A running S3-compatible store on loopback, with an empty bucket `media`. It asks for no key, takes any, and keeps
/// nothing when it ends.
pub struct S3Server {
    child: Child,
    port: u16,
}

impl S3Server {
    /// The bucket's name.
    pub const BUCKET: &str = "media";

    /// Starts a server.
    pub fn start() -> Self {
        let (child, port) = on_free_port("moto", moto);
        let server = Self { child, port };
        server.make_bucket();
        server
    }

    /// What to connect to.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The keys of the bucket that begin with this, in order.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.texts(&format!("?list-type=2&prefix={prefix}"), "Key")
    }

    /// The uploads that were begun and neither completed nor given up.
    pub fn open_uploads(&self) -> usize {
        self.texts("?uploads", "UploadId").len()
    }

    /// Puts an object, as somebody else would.
    pub fn put(&self, key: &str, data: &[u8]) {
        assert_eq!(self.request("PUT", &format!("/{key}"), data).0, 200, "put {key}");
    }

    /// Takes an object away, as somebody else would.
    pub fn delete(&self, key: &str) {
        assert_eq!(self.request("DELETE", &format!("/{key}"), &[]).0, 204, "delete {key}");
    }

    /// Takes the empty bucket itself away.
    pub fn remove_bucket(&self) {
        assert_eq!(self.request("DELETE", "", &[]).0, 204, "the bucket is removed");
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        end(&mut self.child);
    }

    /// Starts it again on the same port, empty.
    pub fn start_again(&mut self) {
        self.child = moto(self.port).expect("moto starts again");
        self.make_bucket();
    }

    fn make_bucket(&self) {
        assert_eq!(self.request("PUT", "", &[]).0, 200, "the bucket is made");
    }

    fn texts(&self, query: &str, tag: &str) -> Vec<String> {
        let (status, body) = self.request("GET", query, &[]);
        assert_eq!(status, 200, "{body}");
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        let found = body.split(&open).skip(1).filter_map(|rest| rest.split(&close).next());
        found.map(str::to_owned).collect()
    }

    fn request(&self, method: &str, target: &str, data: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("moto listens");
        let bucket = Self::BUCKET;
        let head = format!(
            "{method} /{bucket}{target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{SIGNED}\r\n\
             content-length: {}\r\n\r\n",
            data.len()
        );
        stream.write_all(&[head.as_bytes(), data].concat()).expect("moto reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("moto answers");
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned())
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn moto(port: u16) -> Option<Child> {
    let mut command = Command::new(python());
    command.args(["-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("moto: `make setup` installs it");
    let output = child.stderr.take().expect("its output");
    until_ready(child, output, "Running on")
}

/// The interpreter of the environment that `scripts/setup test` makes.
fn python() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).expect("the workspace");
    let given = std::env::var_os("G2A_TEST_PYTHON").unwrap_or_else(|| "target/sdk-venv/bin/python".into());
    let python = workspace.join(given);
    assert!(python.exists(), "the S3 tests need {}: `make setup` installs it", python.display());
    python
}
