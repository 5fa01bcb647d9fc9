//! An axum handler that answers nothing, in a process of its own: the floor of what HTTP costs.

use std::{io::Write, process::Command};

use axum::{Router, routing::get};

use crate::{
    clients,
    report::Round,
    server::{self, Server},
};

/// Clients that ask at once.
pub const AT_ONCE: usize = 8;

/// Serves until it is killed; says where first.
pub fn serve() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        println!("{}", serde_json::json!({ "ready": true, "http": url }));
        std::io::stdout().flush()?;
        axum::serve(listener, Router::new().route("/", get(|| async {}))).await?;
        Ok(())
    })
}

/// Starts it.
pub fn start() -> anyhow::Result<Server> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--empty");
    Server::ready(command)
}

/// Asks it.
pub fn ask(server: &Server, requests: usize) -> anyhow::Result<Round> {
    let one = |_| Ok((server.connect()?, vec![server::get("/", None); requests / AT_ONCE]));
    clients::run(server, (0..AT_ONCE).map(one).collect::<anyhow::Result<_>>()?, 200)
}
