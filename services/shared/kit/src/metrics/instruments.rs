//! The kinds of instruments, each with its line of the table.

use std::sync::OnceLock;

use opentelemetry::{KeyValue, Value, metrics};

use super::meters;

/// Seconds; from what the product itself takes to what a long answer takes.
const SECONDS: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// What kind of number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How many took how long.
    Histogram,
}

/// A line of the table.
#[derive(Debug)]
pub struct About {
    /// As OpenTelemetry names it: `grok2api.pool.accounts`.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// In UCUM: `s`, `By`, `{account}`.
    pub unit: &'static str,
    /// What tells its series apart.
    pub labels: &'static [&'static str],
    /// Which roles have it.
    pub roles: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

/// Counts.
pub struct Counter {
    pub(super) about: About,
    made: OnceLock<metrics::Counter<u64>>,
}

/// Counts what comes and goes.
pub struct UpDown {
    pub(super) about: About,
    made: OnceLock<metrics::UpDownCounter<i64>>,
}

/// Is set.
pub struct Gauge {
    pub(super) about: About,
    made: OnceLock<metrics::Gauge<f64>>,
}

/// Measures seconds.
pub struct Histogram {
    pub(super) about: About,
    made: OnceLock<metrics::Histogram<f64>>,
}

/// Is asked for when somebody reads.
pub struct Observed {
    pub(super) about: About,
}

/// One of what an [`UpDown`] counts, while it is there.
pub struct Held(&'static UpDown, Vec<KeyValue>);

/// Takes what is observed.
pub struct Seen<'a> {
    about: &'static About,
    observer: &'a dyn metrics::AsyncInstrument<f64>,
}

impl About {
    /// As Prometheus names it.
    pub fn exported(&self) -> String {
        let unit = match self.unit {
            "s" => "_seconds",
            "By" => "_bytes",
            _ => "",
        };
        let total = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("{}{unit}{total}", self.name.replace('.', "_"))
    }

    /// Values in the order of the labels.
    fn attributes<const N: usize>(&self, values: [Value; N]) -> [KeyValue; N] {
        debug_assert_eq!(self.labels.len(), N, "{}: a value for each label", self.name);
        let mut labels = self.labels.iter();
        values.map(|value| KeyValue::new(labels.next().copied().unwrap_or("label"), value))
    }
}

impl Counter {
    pub(super) const fn new(about: About) -> Self {
        Self { about, made: OnceLock::new() }
    }

    /// So many more.
    pub fn add<const N: usize>(&self, more: u64, values: [Value; N]) {
        let made = self.made.get_or_init(|| {
            let builder = meters().meter.u64_counter(self.about.name);
            builder.with_unit(self.about.unit).with_description(self.about.meaning).build()
        });
        made.add(more, &self.about.attributes(values));
    }
}

impl UpDown {
    pub(super) const fn new(about: About) -> Self {
        Self { about, made: OnceLock::new() }
    }

    /// One more, until what is returned is dropped.
    pub fn hold<const N: usize>(&'static self, values: [Value; N]) -> Held {
        let labels = self.about.attributes(values).to_vec();
        self.made().add(1, &labels);
        Held(self, labels)
    }

    fn made(&self) -> &metrics::UpDownCounter<i64> {
        self.made.get_or_init(|| {
            let builder = meters().meter.i64_up_down_counter(self.about.name);
            builder.with_unit(self.about.unit).with_description(self.about.meaning).build()
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.made().add(-1, &self.1);
    }
}

impl Gauge {
    pub(super) const fn new(about: About) -> Self {
        Self { about, made: OnceLock::new() }
    }

    /// It is that much now.
    pub fn set<const N: usize>(&self, value: f64, values: [Value; N]) {
        let made = self.made.get_or_init(|| {
            let builder = meters().meter.f64_gauge(self.about.name);
            builder.with_unit(self.about.unit).with_description(self.about.meaning).build()
        });
        made.record(value, &self.about.attributes(values));
    }
}

impl Histogram {
    pub(super) const fn new(about: About) -> Self {
        Self { about, made: OnceLock::new() }
    }

    /// It took so many seconds.
    pub fn record<const N: usize>(&self, seconds: f64, values: [Value; N]) {
        let made = self.made.get_or_init(|| {
            let builder = meters().meter.f64_histogram(self.about.name).with_boundaries(SECONDS.to_vec());
            builder.with_unit(self.about.unit).with_description(self.about.meaning).build()
        });
        made.record(seconds, &self.about.attributes(values));
    }
}

impl Observed {
    pub(super) const fn new(about: About) -> Self {
        Self { about }
    }

    /// From now on, `look` tells how it is whenever somebody reads. It must not wait for anything.
    pub fn by(&'static self, look: impl Fn(&Seen<'_>) + Send + Sync + 'static) {
        let (about, meter) = (&self.about, &meters().meter);
        if about.kind == Kind::Counter {
            let builder = meter.f64_observable_counter(about.name).with_unit(about.unit);
            let builder = builder.with_description(about.meaning);
            _ = builder.with_callback(move |observer| look(&Seen { about, observer })).build();
        } else {
            let builder = meter.f64_observable_gauge(about.name).with_unit(about.unit);
            let builder = builder.with_description(about.meaning);
            _ = builder.with_callback(move |observer| look(&Seen { about, observer })).build();
        }
    }
}

impl Seen<'_> {
    /// It is that much.
    pub fn is<const N: usize>(&self, value: f64, values: [Value; N]) {
        self.observer.observe(value, &self.about.attributes(values));
    }
}
