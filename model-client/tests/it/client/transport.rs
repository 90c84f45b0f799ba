//! Calls that do not reach the model's server: names, certificates, proxies. What depends on environment
//! variables runs in a process of its own, which is this test binary, too.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::interrupt::Interrupt;
use model_client::{AskError, CallSettings};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use testkit::{Play, Reply as Said, Server};

use super::{client, request, settings};

/// A model with a price.
const MODEL: &str = "claude-sonnet-4-6";

/// Settings as a run has them: with a cost limit, and the usual backoff.
fn priced() -> CallSettings {
    CallSettings { max_cost: Some(3.0), backoff: CallSettings::default().backoff, ..settings() }
}

#[test]
fn a_host_that_does_not_resolve_costs_nothing_and_stops_the_run_soon() {
    let dir = tempfile::tempdir().unwrap();
    let url = "https://no-such-host.invalid";
    let client = client(url, MODEL, &dir.path().join("answers.jsonl"), priced(), &Interrupt::new());
    let started = Instant::now();
    let error = client.ask(&request("a")).unwrap_err();
    assert!(matches!(error, AskError::Stopped { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert!(client.totals().committed() == 0.0, "{:?}", client.totals());
}

#[test]
fn a_server_without_tls_costs_nothing() {
    let (port, connections) = accept(|mut connection| {
        drop(connection.read(&mut [0; 1024]));
        connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let dir = tempfile::tempdir().unwrap();
    let url = format!("https://127.0.0.1:{port}");
    let client = client(&url, MODEL, &dir.path().join("answers.jsonl"), settings(), &Interrupt::new());
    let error = client.ask(&request("a")).unwrap_err();
    assert!(matches!(error, AskError::Stopped { .. }), "{error:?}");
    assert!(client.totals().committed() == 0.0, "{:?}", client.totals());
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

/// What a call brings in a process with these environment variables: the answer, or the error and its hint,
/// and what it may have cost.
fn ask_with(url: &str, variables: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "client::transport::ask_once", "--ignored", "--quiet"])
        .envs(variables.iter().copied())
        .env("URL", url)
        .env("DIR", dir.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    fs_err::read_to_string(dir.path().join("result")).unwrap()
}

#[test]
#[ignore = "run by the tests below, as a process of its own"]
fn ask_once() {
    let dir = std::env::var_os("DIR").unwrap();
    let dir = Path::new(&dir);
    let url = std::env::var("URL").unwrap();
    let client = client(&url, MODEL, &dir.join("answers.jsonl"), settings(), &Interrupt::new());
    let result = match client.ask(&request("a")) {
        Ok(answer) => answer.text,
        Err(error) => {
            format!("{error} ({}) ${}", error.hint().unwrap_or_default(), client.totals().committed())
        }
    };
    fs_err::write(dir.join("result"), result).unwrap();
}

/// A server for HTTPS with this certificate, which passes everything on to `server`. Returns its port and the
/// number of connections.
fn tls_front(certificate: &str, server: &Server) -> (u16, Arc<AtomicUsize>) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/client/tls");
    let chain = vec![CertificateDer::from_pem_file(dir.join(certificate)).unwrap()];
    let key = PrivateKeyDer::from_pem_file(dir.join("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let target = server.url().trim_start_matches("http://").to_owned();
    accept(move |connection| {
        let session = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut client = StreamOwned::new(session, connection);
        let mut buffer = vec![0; 64 << 10];
        // One exchange: a request that comes in a few pieces, and an answer.
        let mut server = TcpStream::connect(&target).unwrap();
        server.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        while let Ok(length) = client.read(&mut buffer)
            && length > 0
        {
            server.write_all(&buffer[..length]).unwrap();
            while let Ok(length) = server.read(&mut buffer)
                && length > 0
            {
                client.write_all(&buffer[..length]).unwrap();
            }
        }
    })
}

/// Serves every connection to a port of its own on a thread. Returns the port and the number of connections.
pub(super) fn accept(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let (counter, serve) = (Arc::clone(&count), Arc::new(serve));
    thread::spawn(move || {
        for connection in listener.incoming() {
            counter.fetch_add(1, Ordering::SeqCst);
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(connection.unwrap()));
        }
    });
    (port, count)
}

#[test]
fn a_bad_certificate_stops_at_once_and_costs_nothing() {
    let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/client/tls/ca.pem");
    let server = Server::start(|_| Play::Answer(Said::new("ok")));
    let trusted = [("SSL_CERT_FILE", ca)];
    let cases = [
        ("good.pem", &trusted[..], "ok"),
        ("good.pem", &[], "UnknownIssuer"),
        ("expired.pem", &trusted, "expired"),
        ("other_host.pem", &trusted, "not valid for name"),
    ];
    for (certificate, variables, expect) in cases {
        let (port, connections) = tls_front(certificate, &server);
        let result = ask_with(&format!("https://localhost:{port}"), variables);
        assert!(result.contains(expect), "{certificate} {variables:?}: {result}");
        if expect != "ok" {
            assert!(result.contains("SSL_CERT_FILE") && result.ends_with(" $0"), "{result}");
        }
        assert_eq!(connections.load(Ordering::SeqCst), 1, "{certificate} {variables:?}");
    }
}

/// A SOCKS 5 proxy without authentication.
fn socks_proxy() -> (u16, Arc<AtomicUsize>) {
    accept(|mut client| {
        let mut read = |length: usize| {
            let mut bytes = vec![0; length];
            client.read_exact(&mut bytes).unwrap();
            bytes
        };
        let methods = read(2)[1];
        read(usize::from(methods));
        client.write_all(&[5, 0]).unwrap();
        let mut read = |length: usize| {
            let mut bytes = vec![0; length];
            client.read_exact(&mut bytes).unwrap();
            bytes
        };
        let kind = read(4)[3];
        let host = if kind == 1 {
            read(4).iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
        } else {
            let length = read(1)[0];
            String::from_utf8(read(usize::from(length))).unwrap()
        };
        let port = read(2);
        let mut server = TcpStream::connect((host, u16::from_be_bytes([port[0], port[1]]))).unwrap();
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        thread::spawn(move || drop(std::io::copy(&mut from, &mut to)));
        drop(std::io::copy(&mut server, &mut client));
    })
}

#[test]
fn a_socks_proxy_is_used() {
    let server = Server::start(|_| Play::Answer(Said::new("ok")));
    let (port, connections) = socks_proxy();
    let proxy = format!("socks5://127.0.0.1:{port}");
    assert_eq!(ask_with(&server.url(), &[("ALL_PROXY", &proxy)]), "ok");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    assert_eq!(ask_with(&server.url(), &[("ALL_PROXY", &proxy), ("NO_PROXY", "127.0.0.1")]), "ok");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[test]
fn an_invalid_proxy_is_an_error() {
    let server = Server::start(|_| Play::Answer(Said::new("ok")));
    for proxy in ["http://[not a host", "gopher://127.0.0.1:70", "://"] {
        let result = ask_with(&server.url(), &[("HTTPS_PROXY", proxy)]);
        assert_eq!(
            result,
            "HTTPS_PROXY is not a valid proxy URL (set it to http://HOST:PORT or socks5://HOST:PORT) $0"
        );
    }
    assert!(server.log().is_empty());
    assert_eq!(ask_with(&server.url(), &[("HTTPS_PROXY", " ")]), "ok");
}

#[test]
fn a_base_url_of_gemini_may_name_its_version() {
    for base in ["", "/", "/v1beta", "/v1", "/v1/", "/proxy/v1beta"] {
        let server = Server::start(|_| Play::Answer(Said::new("ok")));
        let dir = tempfile::tempdir().unwrap();
        let url = server.url() + base;
        let client =
            client(&url, "gemini-next", &dir.path().join("answers.jsonl"), settings(), &Interrupt::new());
        client.ask(&request("a")).unwrap();
        let version = if base.contains("v1/") || base.ends_with("v1") { "v1" } else { "v1beta" };
        let path = server.log().remove(0).asked.path;
        let prefix = if base.starts_with("/proxy") { "/proxy" } else { "" };
        assert_eq!(path, format!("{prefix}/{version}/models/gemini-next:streamGenerateContent?alt=sse"));
    }
}
