//! Log lines, with the ids of the request they are about.

use std::fmt;

use serde::ser::{SerializeMap, Serializer as _};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer, Registry,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Format, Full, Writer},
        time::{FormatTime as _, SystemTime},
    },
    registry::LookupSpan,
};

use crate::{settings::LogFormat, trace::Context};

/// One JSON object a line.
struct Json;

/// For people: the line, and the ids behind it.
struct Text(Format<Full>);

/// Writes the fields of a line into its object.
struct Fields<'a, M: SerializeMap>(&'a mut M, Result<(), M::Error>);

pub(super) fn layer(format: LogFormat, colours: bool) -> Box<dyn Layer<Registry> + Send + Sync> {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Json => lines.event_format(Json).boxed(),
        LogFormat::Text => {
            let format = tracing_subscriber::fmt::format().with_target(false).with_ansi(colours);
            lines.with_ansi(colours).event_format(Text(format)).boxed()
        }
    }
}

/// The ids that an event does not name itself.
fn ids(event: &Event<'_>) -> impl Iterator<Item = (&'static str, String)> {
    let context = Context::current();
    let ids = context.into_iter().flat_map(|context| {
        let owned = |id: Option<&str>| id.map(str::to_owned);
        [
            ("trace_id", Some(context.trace_id())),
            ("span_id", Some(context.span_id())),
            ("request.id", owned(context.request_id())),
            ("turn.id", owned(context.turn_id())),
        ]
    });
    let fields = event.metadata().fields();
    ids.filter_map(move |(name, id)| Some((name, id.filter(|_| fields.field(name).is_none())?)))
}

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut line = Vec::with_capacity(512);
        object(event, &time, &mut line).map_err(|_| fmt::Error)?;
        writeln!(writer, "{}", String::from_utf8_lossy(&line))
    }
}

fn object(event: &Event<'_>, time: &str, line: &mut Vec<u8>) -> serde_json::Result<()> {
    let about = event.metadata();
    let mut json = serde_json::Serializer::new(line);
    let mut map = json.serialize_map(None)?;
    map.serialize_entry("timestamp", time)?;
    map.serialize_entry("level", about.level().as_str())?;
    let mut fields = Fields(&mut map, Ok(()));
    event.record(&mut fields);
    fields.1?;
    map.serialize_entry("target", about.target())?;
    for (name, id) in ids(event) {
        map.serialize_entry(name, &id)?;
    }
    SerializeMap::end(map)
}

impl<M: SerializeMap> Fields<'_, M> {
    fn write(&mut self, field: &Field, value: &(impl serde::Serialize + ?Sized)) {
        if self.1.is_ok() {
            self.1 = self.0.serialize_entry(field.name(), value);
        }
    }
}

impl<M: SerializeMap> Visit for Fields<'_, M> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.write(field, &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, &value);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.write(field, &value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.write(field, &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, &format!("{value:?}"));
    }
}

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        write!(writer, "{}", line.trim_end_matches('\n'))?;
        for (name, id) in ids(event).filter(|(name, _)| *name != "span_id") {
            write!(writer, " {name}={id}")?;
        }
        writeln!(writer)
    }
}
