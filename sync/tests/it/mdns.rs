//! Finding each other on one network without being told an address, in a network of its own.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use kirana_sync::driver::{Config, Event, Multiaddr};

use crate::neighbours::{PATIENCE, ping, spawn};

/// Set in the process that runs inside the network.
const INSIDE: &str = "KIRANA_TEST_NETWORK";
const SHOP: &str = "10.77.0.1";

/// A network namespace with one cable in it, taken down with the test.
struct Network(String);

impl Network {
    /// Makes it; nothing where this user may not.
    fn new() -> Option<Self> {
        let network = Self(format!("kirana-test-{}", std::process::id()));
        let name = network.0.clone();
        let name = name.as_str();
        ip(&["netns", "add", name]).then_some(())?;
        let steps: [&[&str]; 5] = [
            &["-n", name, "link", "add", "lan", "type", "veth", "peer", "name", "far"],
            &["-n", name, "addr", "add", "10.77.0.1/24", "dev", "lan"],
            &["-n", name, "link", "set", "lan", "up", "multicast", "on"],
            &["-n", name, "link", "set", "far", "up"],
            &["-n", name, "link", "set", "lo", "up"],
        ];
        let is_made = steps.into_iter().all(ip);
        is_made.then_some(network)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.0]);
    }
}

fn ip(arguments: &[&str]) -> bool {
    let quiet = Command::new("ip").args(arguments).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}

#[test]
fn p3_a_household_finds_a_shop_on_the_same_network_by_itself() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let Some(network) = Network::new() else {
        eprintln!("skipped: only root with `ip netns` can make a network for mDNS to be tried in");
        return;
    };
    let this = std::env::current_exe().expect("this program");
    let again = run_inside(&network, &this);
    assert!(again.success(), "the household found nobody");
}

fn run_inside(network: &Network, program: &Path) -> std::process::ExitStatus {
    let name = "mdns::p3_a_household_finds_a_shop_on_the_same_network_by_itself";
    Command::new("ip")
        .args(["netns", "exec", &network.0])
        .arg(program)
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .expect("ip runs")
}

#[tokio::main]
async fn inside() {
    let address: Multiaddr = format!("/ip4/{SHOP}/tcp/0").parse().expect("an address");
    let shop = spawn(Config::new([41; 32]).listening_on(address).with_mdns()).await;
    let household = spawn(Config::new([42; 32]).with_mdns()).await;
    let (mut seen, mut heard) = (household.events(), shop.events());
    let found = async {
        loop {
            if let Event::Found { peer, address } = seen.recv().await.expect("it runs") {
                return (peer, address);
            }
        }
    };
    let (peer, address) = tokio::time::timeout(PATIENCE, found).await.expect("somebody is found");
    assert_eq!(peer, shop.key());
    household.know(&peer, vec![address]).await.expect("it runs");
    let (request, response) = ping(1);
    assert_eq!(household.request(&peer, request, PATIENCE).await, Ok(response));
    // Who listens nowhere announces nothing.
    while let Ok(event) = heard.try_recv() {
        assert!(!matches!(event, Event::Found { peer, .. } if peer == household.key()));
    }
}
