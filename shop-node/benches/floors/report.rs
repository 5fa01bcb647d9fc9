//! What the rounds add up to, and the report of it.

use std::time::Duration;

use serde_json::{Value, json};

/// One way of doing something, measured over one round.
#[derive(Debug, Clone)]
pub struct Round {
    /// Operations that were done.
    pub operations: usize,
    /// How long all of them took together.
    pub took: Duration,
    /// Seconds of processor that they took.
    pub processor: f64,
    /// How long each took, where each was measured alone.
    pub each: Vec<Duration>,
}

/// All rounds of one way of doing something.
#[derive(Debug, Default)]
pub struct Rounds(Vec<Round>);

/// In what a row is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Operations in a second: more is better.
    PerSecond,
    /// Milliseconds of one operation: less is better.
    Ms,
}

impl Unit {
    fn label(self) -> &'static str {
        match self {
            Self::PerSecond => "1/s",
            Self::Ms => "ms",
        }
    }
}

impl Round {
    fn value(&self, unit: Unit) -> f64 {
        match unit {
            Unit::PerSecond => self.operations as f64 / self.took.as_secs_f64(),
            Unit::Ms => 1000.0 * self.took.as_secs_f64() / self.operations as f64,
        }
    }
}

impl Rounds {
    /// Adds a round.
    pub fn push(&mut self, round: Round) {
        self.0.push(round);
    }

    /// The median round's value.
    pub fn value(&self, unit: Unit) -> f64 {
        median(self.0.iter().map(|round| round.value(unit)))
    }

    /// The least and the greatest round's value.
    fn range(&self, unit: Unit) -> (f64, f64) {
        let values = self.0.iter().map(|round| round.value(unit));
        values
            .fold((f64::INFINITY, 0.0), |(least, most), value| (value.min(least), value.max(most)))
    }

    /// The median round's milliseconds of processor for one operation.
    pub fn cpu_ms(&self) -> f64 {
        median(self.0.iter().map(|round| 1000.0 * round.processor / round.operations as f64))
    }

    /// The time under which this share of all operations stayed, in milliseconds.
    fn percentile_ms(&self, share: f64) -> f64 {
        let mut each: Vec<Duration> = self.0.iter().flat_map(|round| round.each.clone()).collect();
        each.sort_unstable();
        let at = ((each.len() as f64 * share) as usize).min(each.len().saturating_sub(1));
        each.get(at).map_or(0.0, |took| 1000.0 * took.as_secs_f64())
    }
}

/// A row of the report: the product beside its floor.
pub fn row(name: &str, unit: Unit, product: &Rounds, floor: (&str, &Rounds)) -> Value {
    let (value, raw) = (product.value(unit), floor.1.value(unit));
    json!({
        "name": name,
        "value": rounded(value),
        "unit": unit.label(),
        "p50_ms": rounded(product.percentile_ms(0.50)),
        "p99_ms": rounded(product.percentile_ms(0.99)),
        "cpu_ms": rounded(product.cpu_ms()),
        "floor": { "name": floor.0, "value": rounded(raw) },
        "ratio": rounded(value / raw),
    })
}

/// The same in a line for people, with what the rounds ranged over.
pub fn told(name: &str, unit: Unit, product: &Rounds, floor: (&str, &Rounds)) -> String {
    let (value, raw) = (product.value(unit), floor.1.value(unit));
    let range = |rounds: &Rounds| {
        let (least, most) = rounds.range(unit);
        format!("{least:.1}–{most:.1}")
    };
    format!(
        "{name}: {value:.1} {unit} ({}), p50 {:.2} ms, p99 {:.2} ms, processor {:.3} ms each; \
         {}: {raw:.1} {unit} ({}), processor {:.3} ms each; ratio {:.2}",
        range(product),
        product.percentile_ms(0.50),
        product.percentile_ms(0.99),
        product.cpu_ms(),
        floor.0,
        range(floor.1),
        floor.1.cpu_ms(),
        value / raw,
        unit = unit.label(),
    )
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
