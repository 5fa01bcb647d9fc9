//! A list and a product at the shop's door, beside an axum handler that has the same bytes in
//! memory, in a process of its own.

use std::{cell::Cell, io::Write, path::Path, process::Command};

use axum::{Router, http::header, routing::get};

use crate::{
    clients,
    report::Round,
    search::AT_ONCE,
    server::{self, Server},
};

/// The shop's door, and what is asked there.
pub struct Pages {
    server: Server,
    path: String,
    /// How many were asked so that nobody asked the same before, if that is wanted.
    asked: Option<Cell<usize>>,
}

impl Pages {
    /// A list of twenty products.
    pub fn list(folder: &Path) -> anyhow::Result<Self> {
        let server = Server::start(crate::SHOP, folder, &[])?;
        Ok(Self { server, path: "/v1/products?limit=20".to_owned(), asked: None })
    }

    /// The page of one product.
    pub fn product(folder: &Path) -> anyhow::Result<Self> {
        let list = Self::list(folder)?;
        let answer = list.server.connect()?.json(&server::get(&list.path, None), 200)?;
        let id = answer["items"][0]["id"].as_str().unwrap_or_default().to_owned();
        Ok(Self { path: format!("/v1/products/{id}"), ..list })
    }

    /// The cheapest twenty of a category, each time with another price that all are below.
    pub fn category(folder: &Path, category: &str) -> anyhow::Result<Self> {
        let path = format!("/v1/products?limit=20&category={category}&sort=price");
        Ok(Self { path, asked: Some(Cell::new(0)), ..Self::list(folder)? })
    }

    /// The floor: the same bytes from memory.
    pub fn floor(&self, file: &Path) -> anyhow::Result<Self> {
        let mut client = self.server.connect()?;
        let (status, bytes) = client.send(&server::get(&self.path, None))?;
        anyhow::ensure!(status == 200, "{} gave {status}", self.path);
        std::fs::write(file, bytes)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--answer").arg(file);
        Ok(Self { server: Server::ready(command)?, path: "/".to_owned(), asked: None })
    }

    /// Asks, several people at once.
    pub fn ask(&self, requests: usize) -> anyhow::Result<Round> {
        let request = |_| match &self.asked {
            Some(asked) => {
                asked.set(asked.get() + 1);
                let path = format!("{}&max_price={}", self.path, PRICE_MIN + asked.get());
                server::get(&path, None)
            }
            None => server::get(&self.path, None),
        };
        let one = |_| {
            let turns = (0..requests / AT_ONCE).map(request);
            Ok((self.server.connect()?, turns.collect()))
        };
        clients::run(&self.server, (0..AT_ONCE).map(one).collect::<anyhow::Result<_>>()?, 200)
    }
}

/// Everything costs less, in minor units.
const PRICE_MIN: usize = 10_000_000;

/// Serves the bytes of a file until it is killed; says where first.
pub fn serve(file: &Path) -> anyhow::Result<()> {
    let bytes = axum::body::Bytes::from(std::fs::read(file)?);
    let answer = move || std::future::ready(([(header::CONTENT_TYPE, "application/json")], bytes));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        println!("{}", serde_json::json!({ "ready": true, "http": url }));
        std::io::stdout().flush()?;
        axum::serve(listener, Router::new().route("/", get(answer))).await?;
        Ok(())
    })
}
