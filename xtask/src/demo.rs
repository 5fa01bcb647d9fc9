//! `cargo xtask demo`: a neighbourhood of real programs, with or without a person watching.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

mod checker;
pub mod door;
mod forger;
mod papers;
pub mod process;
mod report;
mod steps;
mod story;
pub mod town;
pub mod wait;

use checker::Findings;
use report::Report;
use story::Story;
use town::Town;

/// Sets up a neighbourhood of real programs on this machine.
#[derive(Debug, Args)]
pub struct Demo {
    /// Plays the main job without a person and tells it as a story.
    #[arg(long)]
    scripted: bool,
    /// Where the scripted story's report goes.
    #[arg(long, value_name = "FILE", requires = "scripted")]
    report: Option<PathBuf>,
    /// Programs that lie in this folder already; without it they are built.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
}

impl Demo {
    /// Starts it.
    ///
    /// # Errors
    /// When the neighbourhood could not be set up.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.context("no threads to run on")?.block_on(self.play())
    }

    async fn play(self) -> anyhow::Result<ExitCode> {
        println!("This sets up a neighbourhood on this machine, in a folder that goes away again:");
        println!("a hub, a community hub, two shops with 2,000 real products, four households.");
        if self.scripted { self.tell().await } else { live(self.programs).await }
    }

    /// Plays the story and judges it.
    async fn tell(self) -> anyhow::Result<ExitCode> {
        println!("Building takes minutes the first time; the story then takes about two.\n");
        let mut story = Story::begin();
        let mut town = Town::set_up(&story, self.programs.as_deref()).await?;
        steps::play(&mut town, &mut story).await;
        let findings = town.evidence.examine();
        sum_up(&findings, &town);
        let steps = story.into_steps();
        let all_paths = findings.paths.values().all(|orders| !orders.is_empty());
        let ok = findings.are_clean() && all_paths && steps.iter().all(|step| step.ok);
        let report = Report {
            orders: findings.orders,
            oversold: findings.oversold,
            paths: findings.paths,
            steps,
            ok,
        };
        if let Some(file) = &self.report {
            report.write(file)?;
            println!("The report is in {}.", file.display());
        }
        town.close().await?;
        println!("{}", if ok { "Every promise held." } else { "A promise broke." });
        Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Keeps the neighbourhood up until somebody has seen enough.
async fn live(programs: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let story = Story::begin();
    let town = Town::set_up(&story, programs.as_deref()).await?;
    town.show_doors()?;
    tokio::signal::ctrl_c().await?;
    println!("\nEverything is shut down.");
    town.close().await?;
    Ok(ExitCode::SUCCESS)
}

/// Says in a few lines what the papers say, and how to check it.
fn sum_up(findings: &Findings, town: &Town) {
    let orders = findings.orders;
    println!("\nThe households' papers say:");
    println!(
        "  {} orders placed: {} accepted, {} declined, {} completed.",
        orders.placed, orders.accepted, orders.declined, orders.completed
    );
    println!("  {} lost, {} doubled, {} oversold.", orders.lost, orders.doubled, findings.oversold);
    for fault in &findings.faults {
        println!("  Broken: {fault}.");
    }
    println!("  Programs hold {} MiB of memory together.", town.memory_mib());
    println!(
        "\nDo not take our word for it. On a shop of your own, walk every chain and every stock"
    );
    println!("equation yourself; it says a line per fault:");
    println!("  kirana-shop verify --data DIR");
}
