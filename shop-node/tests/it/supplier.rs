//! A supplier's server on this machine: https with a certificate of its own, saying what it is told to.

use std::{
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    sync::{Arc, Mutex, mpsc},
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};

/// What the server says to the next visitor: status line, headers, body.
#[derive(Clone)]
pub struct Says {
    pub head: String,
    pub body: Vec<u8>,
}

impl Says {
    pub fn list(body: &str, more: &str) -> Self {
        Self { head: format!("200 OK\r\ncontent-type: text/csv\r\n{more}"), body: body.into() }
    }

    pub fn nothing(head: &str) -> Self {
        Self { head: format!("{head}\r\n"), body: Vec::new() }
    }
}

/// The server; it says the same until it is told otherwise.
pub struct Supplier {
    pub port: u16,
    says: Arc<Mutex<Says>>,
    /// What visitors asked, whole heads in small letters.
    pub asked: mpsc::Receiver<String>,
}

impl Supplier {
    /// Opens it; its certificate goes into `ca`, for those who are to trust it.
    pub fn open(ca: &Path, says: Says) -> Self {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(names).expect("a certificate");
        std::fs::write(ca, cert.pem()).expect("a file");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().expect("ring knows them");
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let builder = builder.with_no_client_auth();
        let config = builder.with_single_cert(vec![cert.der().clone()], key).expect("a pair");
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (sender, asked) = mpsc::channel();
        let says = Arc::new(Mutex::new(says));
        let told = says.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(config.clone()).expect("a connection");
                let mut stream = StreamOwned::new(connection, stream.expect("a visitor"));
                let mut head = Vec::new();
                let mut next = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut next).is_ok_and(|n| n > 0) {
                    head.extend(next);
                }
                // Who does not trust the certificate asks nothing.
                if !head.ends_with(b"\r\n\r\n") {
                    continue;
                }
                if sender.send(String::from_utf8_lossy(&head).to_lowercase()).is_err() {
                    return;
                }
                let Says { head, body } = told.lock().expect("nobody panicked").clone();
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {head}content-length: {length}\r\nconnection: close\r\n\r\n");
                // A visitor who has heard enough goes away.
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(&body);
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        Self { port, says, asked }
    }

    pub fn say(&self, says: Says) {
        *self.says.lock().expect("nobody panicked") = says;
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}/{path}", self.port)
    }

    /// How many asked since somebody looked.
    pub fn visits(&self) -> Vec<String> {
        self.asked.try_iter().collect()
    }
}
