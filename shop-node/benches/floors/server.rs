//! The real program, started as people start it, and a plain keep-alive client for it. The
//! measurements of the hub use this file too.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::clock;

/// A program that serves; it ends when this is dropped.
pub struct Server {
    child: Child,
    /// Its HTTP door.
    pub address: SocketAddr,
}

impl Server {
    /// Starts `serve` of one of the programs and waits for its ready line.
    pub fn start(program: &str, folder: &Path, more: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command
            .args(["serve", "--http", "127.0.0.1:0", "--p2p", "/ip4/127.0.0.1/tcp/0", "--data"])
            .arg(folder)
            .args(more);
        Self::ready(command)
    }

    /// Starts a program and waits for the line that says where it serves.
    pub fn ready(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command
            .env("KIRANA_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("the server was not started")?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("the server has no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let ready: Value = serde_json::from_str(&line).context("it did not become ready")?;
        let url = ready["http"].as_str().context("the server names no door")?;
        let address = url.trim_start_matches("http://").parse()?;
        Ok(Self { child, address })
    }

    /// Its number in the system.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Seconds of processor that it has used since its start.
    pub fn processor(&self) -> anyhow::Result<f64> {
        clock::processor(self.process())
    }

    /// A connection that is kept open.
    pub fn connect(&self) -> anyhow::Result<Client> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        Ok(Client { reader: BufReader::new(stream), answer: Vec::new() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A measurement leaves nothing worth a clean end: its folder goes away with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One keep-alive connection.
pub struct Client {
    reader: BufReader<TcpStream>,
    answer: Vec<u8>,
}

impl Client {
    /// Sends a whole request and reads its answer: the status, and the body as it came.
    pub fn send(&mut self, request: &[u8]) -> anyhow::Result<(u16, &[u8])> {
        self.reader.get_mut().write_all(request)?;
        let (mut line, mut status, mut length) = (String::new(), 0, 0);
        loop {
            line.clear();
            ensure!(self.reader.read_line(&mut line)? > 0, "the server hung up");
            let text = line.trim_end().to_ascii_lowercase();
            if text.is_empty() {
                break;
            } else if let Some(rest) = text.strip_prefix("http/1.1 ") {
                status = rest.get(..3).context("no status")?.parse()?;
            } else if let Some(rest) = text.strip_prefix("content-length:") {
                length = rest.trim().parse()?;
            }
        }
        self.answer.resize(length, 0);
        self.reader.read_exact(&mut self.answer)?;
        Ok((status, &self.answer))
    }

    /// Sends a request with a JSON body and reads the JSON that must come back with this status.
    pub fn json(&mut self, request: &[u8], expected: u16) -> anyhow::Result<Value> {
        let (status, body) = self.send(request)?;
        let text = String::from_utf8_lossy(body);
        ensure!(status == expected, "the server answered {status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }
}

/// A POST with a JSON body, ready to be sent.
pub fn post(path: &str, token: Option<&str>, body: &Value) -> Vec<u8> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let bearer = bearer.unwrap_or_default();
    format!(
        "POST {path} HTTP/1.1\r\nHost: kirana\r\n{bearer}Content-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A GET, ready to be sent.
pub fn get(path: &str, token: Option<&str>) -> Vec<u8> {
    let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let bearer = bearer.unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: kirana\r\n{bearer}\r\n").into_bytes()
}
