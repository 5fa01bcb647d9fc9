//! Runs the errands of hosted devices for as long as the program runs.
//!
//! **Invariant:** a round that fails is made again; nothing waits for somebody to look.

use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::{app::Hub, clock};

/// How often mail of hosted devices is sent and fetched.
const ROUND_EVERY: Duration = Duration::from_secs(5);
/// How many rounds lie between two greetings of the shops, which tell how far open orders have come.
const ROUNDS_A_GREETING: u32 = 720;

/// How many rounds lie between two looks for mail that waits for devices.
const ROUNDS_A_LETTER: u32 = 12;

/// Rounds without end, and letters about what they brought.
pub async fn run(hub: Hub) {
    let mut rounds = tokio::time::interval(ROUND_EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for round in 0.. {
        rounds.tick().await;
        let greets = round % ROUNDS_A_GREETING == 0;
        let (now, rng) = (clock::now(), &mut clock::rng());
        if let Err(error) = hub.serve_hosted(greets, now, rng).await {
            tracing::warn!(%error, "a round for hosted devices could not be made");
        }
        if round % ROUNDS_A_LETTER == 0
            && let Err(error) = hub.tell_of_waiting(now, rng).await
        {
            tracing::warn!(%error, "who is to hear of waiting mail could not be written to");
        }
        if let Err(error) = hub.erase_hosted().await {
            tracing::warn!(%error, "what an erased account had here could not be removed");
        }
    }
}
