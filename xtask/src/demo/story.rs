//! Tells what happens in sentences, and keeps how each step went.

use super::report::Step;
use crate::clock::Stopwatch;

/// The story as it unfolds.
#[derive(Debug)]
pub struct Story {
    whole: Stopwatch,
    steps: Vec<Step>,
}

impl Story {
    /// Nothing has happened yet.
    pub fn begin() -> Self {
        Self { whole: Stopwatch::start(), steps: Vec::new() }
    }

    /// Says a sentence.
    pub fn say(&self, sentence: &str) {
        let seconds = self.whole.elapsed().as_secs();
        println!("  {:>2}:{:02}  {sentence}", seconds / 60, seconds % 60);
    }

    /// Plays a step under its name; a step that fails is told and kept, and the story goes on.
    pub async fn step(
        &mut self,
        name: &'static str,
        play: impl AsyncFnOnce(&Self) -> anyhow::Result<()>,
    ) {
        println!("\n{}. {name}", self.steps.len() + 1);
        let watch = Stopwatch::start();
        let why = play(self).await.err().map(|error| format!("{error:#}"));
        if let Some(why) = &why {
            println!("  This broke: {why}");
        }
        self.steps.push(Step { name, ok: why.is_none(), ms: watch.ms(), why });
    }

    /// How each step went.
    pub fn into_steps(self) -> Vec<Step> {
        self.steps
    }
}
