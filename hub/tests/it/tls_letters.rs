//! Letters travel to a mail server under TLS that is asked for (STARTTLS, RFC 3207), or not at all.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, mpsc},
};

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};
use tempfile::TempDir;

use crate::{
    letters::{ask, letters, person},
    program::Running,
    street::PATIENCE,
};

/// What a mail server saw of one visit.
#[derive(Debug, Default)]
struct Visit {
    /// The lines that anybody on the way could read.
    in_the_clear: Vec<String>,
    /// The message that came under TLS.
    letter: Option<String>,
    /// Why TLS did not begin.
    refused: Option<String>,
}

/// Reads one line; nothing at the end of the stream.
fn line(stream: &mut impl Read) -> io::Result<Option<String>> {
    // No further: what follows may be the beginning of TLS.
    let (mut bytes, mut next) = (Vec::new(), [0]);
    while stream.read(&mut next)? > 0 {
        if next == *b"\n" {
            return Ok(Some(String::from_utf8_lossy(&bytes).trim_end().to_owned()));
        }
        bytes.extend(next);
    }
    Ok(None)
}

/// Talks until the visitor asks for TLS or leaves; whether it asked.
fn talk_in_the_clear(
    stream: &mut TcpStream,
    offers_tls: bool,
    visit: &mut Visit,
) -> io::Result<bool> {
    stream.write_all(b"220 ready\r\n")?;
    while let Some(said) = line(stream)? {
        let asks = said == "STARTTLS" && offers_tls;
        let answer = match (said.starts_with("EHLO"), offers_tls) {
            (true, true) => "250-hello\r\n250 STARTTLS\r\n",
            (false, _) if asks => "220 go on\r\n",
            _ => "250 fine\r\n",
        };
        visit.in_the_clear.push(said);
        stream.write_all(answer.as_bytes())?;
        if asks {
            return Ok(true);
        }
    }
    Ok(false)
}

fn talk_under_tls(stream: &mut (impl Read + Write), visit: &mut Visit) -> io::Result<()> {
    let mut letter: Option<String> = None;
    while let Some(said) = line(stream)? {
        let answer = match &mut letter {
            Some(text) if said == "." => {
                visit.letter = Some(std::mem::take(text));
                letter = None;
                "250 taken\r\n"
            }
            Some(text) => {
                text.push_str(&format!("{said}\n"));
                continue;
            }
            None if said == "DATA" => {
                letter = Some(String::new());
                "354 go on\r\n"
            }
            None => "250 fine\r\n",
        };
        stream.write_all(answer.as_bytes())?;
    }
    Ok(())
}

/// A mail server with this certificate, or one that knows no TLS; tells of each visit.
fn mail_server(shows: Option<CertifiedKey<KeyPair>>) -> (u16, mpsc::Receiver<Visit>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (sender, visits) = mpsc::channel();
    let config = shows.map(|CertifiedKey { cert, signing_key }| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().expect("ring knows them");
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let builder = builder.with_no_client_auth();
        Arc::new(builder.with_single_cert(vec![cert.der().clone()], key).expect("a pair"))
    });
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut visit) = (stream.expect("a visitor"), Visit::default());
            let asked = talk_in_the_clear(&mut stream, config.is_some(), &mut visit);
            if let (Ok(true), Some(config)) = (asked, &config) {
                let connection = ServerConnection::new(config.clone()).expect("a connection");
                let mut under_tls = StreamOwned::new(connection, stream);
                let talked = talk_under_tls(&mut under_tls, &mut visit);
                visit.refused = talked.err().map(|error| error.to_string());
            }
            if sender.send(visit).is_err() {
                return;
            }
        }
    });
    (port, visits)
}

fn certificate(name: &str) -> CertifiedKey<KeyPair> {
    generate_simple_self_signed([name.to_owned()]).expect("a certificate")
}

/// A hub that sends by a mail server at this port, and believes these certificates alone.
fn hub(data: TempDir, port: u16, believed: &CertifiedKey<KeyPair>) -> Running {
    let (config, roots) = (data.path().join("hub.toml"), data.path().join("roots.pem"));
    let text = format!("[smtp]\nhost = \"localhost\"\nport = {port}\nsecurity = \"starttls\"\n");
    std::fs::write(&config, text).expect("written");
    std::fs::write(&roots, believed.cert.pem()).expect("written");
    let roots: &[(&str, &Path)] = &[("SSL_CERT_FILE", &roots)];
    Running::start_with(data, &["--config", &config.to_string_lossy()], roots)
}

async fn visit(visits: mpsc::Receiver<Visit>) -> Visit {
    let wait = tokio::task::spawn_blocking(move || visits.recv_timeout(PATIENCE));
    wait.await.expect("it waits").expect("somebody comes")
}

#[tokio::test]
async fn p4_a_letter_goes_out_under_tls_and_nothing_of_it_in_the_clear() {
    let shown = certificate("localhost");
    let believed =
        CertifiedKey { cert: shown.cert.clone(), signing_key: certificate("x").signing_key };
    let (port, visits) = mail_server(Some(shown));
    let hub = hub(TempDir::new().expect("a folder"), port, &believed);
    person(&hub, "asha@example.org", "en").await;
    ask(&hub, "asha@example.org").await;
    let visit = visit(visits).await;
    let letter = visit.letter.as_deref().unwrap_or_default();
    assert!(letter.contains("asha@example.org") && letter.contains("token="), "{visit:?}");
    let [hello, asked] = &visit.in_the_clear[..] else { panic!("{visit:?}") };
    assert!(hello.starts_with("EHLO") && asked == "STARTTLS", "{visit:?}");
}

#[tokio::test]
async fn p4_a_mail_server_that_proves_nothing_gets_no_letter_which_waits_instead() {
    let believed = certificate("localhost");
    let stranger = certificate("localhost");
    let other = certificate("mail.example.org");
    let other_believed =
        CertifiedKey { cert: other.cert.clone(), signing_key: certificate("x").signing_key };
    for (what, shows, believed) in [
        ("nobody vouches for it", Some(stranger), &believed),
        ("it is for another name", Some(other), &other_believed),
        ("it knows no TLS", None, &believed),
    ] {
        let (port, visits) = mail_server(shows);
        let hub = hub(TempDir::new().expect("a folder"), port, believed);
        person(&hub, "asha@example.org", "en").await;
        ask(&hub, "asha@example.org").await;
        let visit = visit(visits).await;
        assert_eq!(visit.letter, None, "{what}");
        let is_harmless =
            |line: &String| ["EHLO", "STARTTLS", "QUIT"].iter().any(|word| line.starts_with(word));
        assert!(visit.in_the_clear.iter().all(is_harmless), "{what}: {visit:?}");
        let begins_tls = visit.in_the_clear.iter().any(|line| line == "STARTTLS");
        assert_eq!(begins_tls, visit.refused.is_some(), "{what}: {visit:?}");
        // It is not lost: without that server it becomes a file.
        let hub = Running::start_in(hub.stop(), &[]);
        assert_eq!(letters(&hub, 1).await[0].to, "asha@example.org", "{what}");
    }
}
