//! The counters as an OpenMetrics 1.0 page.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text::encode};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::Snapshot;
use crate::sink::RuleCounts;

/// The page, ended by `# EOF`.
pub fn openmetrics(snapshot: Snapshot) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Page(snapshot)));
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    let _ = encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct Page(Snapshot);

type Labels<'a> = Vec<(&'static str, &'a str)>;
type Sample<'a> = (Labels<'a>, u64);

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let out = &mut encoder;
        self.sources(out)?;
        self.pipelines(out)?;
        self.sinks(out)?;
        self.rules(out)?;
        self.ledger(out)?;
        self.letters(out)?;
        let budget = self.0.budget.iter().map(|(pool, bytes)| (vec![("pool", *pool)], *bytes));
        gauges(out, "aludel_budget", "Memory held by a pool of the budget", Some(Unit::Bytes), budget)?;
        let info = [(vec![("version", env!("CARGO_PKG_VERSION"))], 1)];
        gauges(out, "aludel_build_info", "The running version", None, info)
    }
}

impl Page {
    fn sources(&self, out: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let of = || self.0.sources.iter().map(|(name, stats)| (vec![("source", name.as_str())], stats));
        let bytes = of().map(|(labels, stats)| (labels, stats.bytes));
        counters(out, "aludel_source_read", "Bytes handed on by a source", Some(Unit::Bytes), bytes)?;
        let messages = of().map(|(labels, stats)| (labels, stats.messages));
        counters(out, "aludel_source_messages", "Messages handed on by a source", None, messages)?;
        let streams = of().map(|(labels, stats)| (labels, stats.streams));
        gauges(out, "aludel_source_streams", "Streams that a source knows", None, streams)?;
        let unread = of().map(|(labels, stats)| (labels, stats.unread_bytes));
        let help = "Bytes that a source has seen and not yet read";
        gauges(out, "aludel_source_unread", help, Some(Unit::Bytes), unread)?;
        let padding = of().map(|(labels, stats)| (labels, stats.padding_bytes));
        let help = "NUL bytes before lines, as a file has them that was cut short under its writer, which were skipped";
        counters(out, "aludel_source_padding", help, Some(Unit::Bytes), padding)?;
        let gaps = self.0.sources.iter().flat_map(|(name, stats)| {
            let of = move |(cause, bytes): (&&'static str, &u64)| {
                (vec![("source", name.as_str()), ("cause", *cause)], *bytes)
            };
            stats.gap_bytes.iter().map(of)
        });
        counters(out, "aludel_source_gap", "Bytes that can never be read", Some(Unit::Bytes), gaps)
    }

    fn ledger(&self, out: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let states = self.0.ledger.iter().flat_map(|account| {
            account.states.iter().map(|(state, bytes)| {
                let (source, sink) = (account.source.as_str(), account.sink.as_str());
                (vec![("source", source), ("sink", sink), ("state", *state)], *bytes)
            })
        });
        let help = "Bytes of a source by what became of them at a sink: all states but `read` add up to it";
        gauges(out, "aludel_ledger", help, Some(Unit::Bytes), states)?;
        let imbalance = self.0.ledger.iter().map(|account| {
            let (source, sink) = (account.source.as_str(), account.sink.as_str());
            (vec![("source", source), ("sink", sink)], account.imbalance)
        });
        let help = "Bytes in no state, or in two: anything but 0 is a fault of aludel";
        gauges(out, "aludel_ledger_imbalance", help, Some(Unit::Bytes), imbalance)
    }

    fn letters(&self, out: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let letters = self.0.letters;
        let written = [(Vec::new(), letters.written)];
        counters(out, "aludel_letters_written", "Dead letters written", None, written)?;
        let dropped = [(Vec::new(), letters.dropped)];
        counters(out, "aludel_letters_dropped", "Dead letters that went to make room", None, dropped)?;
        let bytes = [(Vec::new(), letters.bytes)];
        gauges(out, "aludel_letters_kept", "Size of the dead letters", Some(Unit::Bytes), bytes)?;
        let waiting = [(Vec::new(), letters.waiting)];
        gauges(out, "aludel_letters_waiting", "Dead letters that are not written yet", None, waiting)?;
        let full = [(Vec::new(), u64::from(letters.is_full))];
        gauges(out, "aludel_letters_full", "1 while the dead letters have reached their bound", None, full)
    }

    fn pipelines(&self, out: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let pipelines = &self.0.pipelines;
        let events = pipelines.iter().map(|(name, stats)| (vec![("pipeline", name.as_str())], stats.events));
        counters(out, "aludel_pipeline_events", "Events that entered a pipeline", None, events)?;
        let parsed = pipelines.iter().flat_map(|(name, stats)| {
            let of =
                move |(format, count): (&'_ String, &'_ super::FormatCount)| (format.clone(), count.parsed);
            stats.parsed.iter().map(of).map(move |(format, count)| (name, format, count))
        });
        let parsed: Vec<_> = parsed.collect();
        let parsed = parsed.iter().map(|(name, format, count)| {
            (vec![("pipeline", name.as_str()), ("format", format.as_str())], *count)
        });
        counters(
            out,
            "aludel_pipeline_parsed_events",
            "Events by the format that parsed them",
            None,
            parsed,
        )?;
        self.told(out)?;
        for (metric, help, table) in [
            ("aludel_pipeline_unparsed_events", "Events that no format took", 0),
            ("aludel_pipeline_dropped_events", "Events dropped by a step", 1),
            ("aludel_pipeline_rejected_events", "Events rejected by a step", 2),
        ] {
            let of = pipelines.iter().flat_map(|(name, stats)| {
                let table = [&stats.unparsed, &stats.dropped, &stats.rejected][table];
                table.iter().map(move |(reason, count)| {
                    (vec![("pipeline", name.as_str()), ("reason", reason.as_str())], *count)
                })
            });
            counters(out, metric, help, None, of)?;
        }
        Ok(())
    }

    /// What `auto` told.
    fn told(&self, out: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let pipelines = || self.0.pipelines.iter().filter(|(_, stats)| !stats.told.is_empty());
        let told = pipelines().flat_map(|(name, stats)| {
            let of = move |(format, count): (&&'static str, &u64)| {
                (vec![("pipeline", name.as_str()), ("format", *format)], *count)
            };
            stats.told.iter().map(of)
        });
        let help = "Events by the format that `auto` told";
        counters(out, "aludel_pipeline_told_events", help, None, told)?;
        let changes =
            pipelines().map(|(name, stats)| (vec![("pipeline", name.as_str())], stats.told_changes()));
        let help = "How often the leading format of a stream changed";
        counters(out, "aludel_pipeline_told_changes", help, None, changes)?;
        let streams = pipelines().flat_map(|(name, stats)| {
            stats.streams.iter().filter_map(move |(stream, told)| {
                let (format, share) = told.now()?;
                let labels =
                    vec![("pipeline", name.as_str()), ("stream", stream.as_str()), ("format", format)];
                Some((labels, (share * 100.0).round() as u64))
            })
        });
        let help = "Share in percent of the leading format among the last messages of a stream";
        gauges(out, "aludel_stream_told_percent", help, None, streams)
    }

    fn sinks(&self, out: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let of = || self.0.sinks.iter().map(|(name, stats)| (vec![("sink", name.as_str())], stats));
        let offered = of().map(|(labels, stats)| (labels, stats.offered));
        counters(out, "aludel_sink_offered_events", "Events handed to a sink", None, offered)?;
        let delivered = of().map(|(labels, stats)| (labels, stats.delivered));
        counters(out, "aludel_sink_delivered_events", "Events that a sink has delivered", None, delivered)?;
        let repeated = of().map(|(labels, stats)| (labels, stats.repeated));
        let help = "Delivered events that the destination had already, under the same id";
        counters(out, "aludel_sink_repeated_events", help, None, repeated)?;
        let bytes = of().map(|(labels, stats)| (labels, stats.bytes));
        counters(out, "aludel_sink_encoded", "Encoded bytes handed to a sink", Some(Unit::Bytes), bytes)?;
        let rejected = self.0.sinks.iter().flat_map(|(name, stats)| {
            stats.rejected.iter().map(move |(reason, count)| {
                (vec![("sink", name.as_str()), ("reason", reason.as_str())], *count)
            })
        });
        counters(
            out,
            "aludel_sink_rejected_events",
            "Events that a destination refused for good",
            None,
            rejected,
        )?;
        let aside = self.0.sinks.iter().flat_map(|(name, stats)| {
            stats
                .set_aside
                .iter()
                .map(move |(field, count)| (vec![("sink", name.as_str()), ("field", field.as_str())], *count))
        });
        let help = "Events delivered without a field that the destination could not take";
        counters(out, "aludel_sink_set_aside_events", help, None, aside)?;
        let trouble = of().map(|(labels, stats)| (labels, u64::from(stats.trouble.is_some())));
        gauges(out, "aludel_sink_troubled", "1 while a sink cannot deliver", None, trouble)
    }

    fn rules(&self, out: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let of = |count: fn(&RuleCounts) -> u64| {
            let sinks = self.0.sinks.iter();
            sinks.flat_map(move |(sink, stats)| {
                stats.rules.iter().map(move |(rule, counts)| {
                    (vec![("sink", sink.as_str()), ("rule", rule.as_str())], count(counts))
                })
            })
        };
        let alerts = of(|of| of.alerts);
        counters(out, "aludel_rule_alerts", "Alerts that a rule has raised", None, alerts)?;
        let help = "Events that came too late for a rule to count";
        counters(out, "aludel_rule_late_events", help, None, of(|of| of.late))?;
        let help = "Events that a rule counted out of their order, since later ones had been counted";
        counters(out, "aludel_rule_behind_events", help, None, of(|of| of.behind))?;
        let help = "Events of keys that a rule has no place for, or pushed others out that were known well";
        counters(out, "aludel_rule_overflowed_events", help, None, of(|of| of.overflowed))?;
        let help = "Keys that a rule knew and has forgotten to make room";
        counters(out, "aludel_rule_forgotten_keys", help, None, of(|of| of.forgotten))?;
        let help = "What the state of a rule takes";
        gauges(out, "aludel_rule_state", help, Some(Unit::Bytes), of(|of| of.bytes))
    }
}

fn counters<'a>(
    out: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<Unit>,
    samples: impl IntoIterator<Item = Sample<'a>>,
) -> Result<(), std::fmt::Error> {
    let mut samples = samples.into_iter().peekable();
    let Some((_, first)) = samples.peek() else { return Ok(()) };
    let kind = ConstCounter::new(*first).metric_type();
    let mut family = out.encode_descriptor(name, help, unit.as_ref(), kind)?;
    for (labels, value) in samples {
        let value = ConstCounter::new(value);
        if labels.is_empty() {
            // Braces with nothing in them are not what the format asks for.
            return value.encode(family);
        }
        value.encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn gauges<'a>(
    out: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<Unit>,
    samples: impl IntoIterator<Item = Sample<'a>>,
) -> Result<(), std::fmt::Error> {
    let mut samples = samples.into_iter().peekable();
    let Some((_, first)) = samples.peek() else { return Ok(()) };
    let kind = ConstGauge::new(*first as i64).metric_type();
    let mut family = out.encode_descriptor(name, help, unit.as_ref(), kind)?;
    for (labels, value) in samples {
        let value = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
        if labels.is_empty() {
            // Braces with nothing in them are not what the format asks for.
            return value.encode(family);
        }
        value.encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Stats;
    use super::*;

    #[test]
    fn the_page_has_names_units_and_an_end() {
        let stats = Stats::new(&["pods".into()], &["web".into()], &["es".into()]);
        {
            let mut all = stats.lock();
            all.sources[0].1.bytes = 1200;
            all.pipelines[0].1.dropped.insert("health check".into(), 3);
            all.sinks[0].1.rejected.insert("mapper_parsing_exception".into(), 1);
            let counts = RuleCounts { alerts: 2, overflowed: 5, bytes: 64, ..RuleCounts::default() };
            all.sinks[0].1.rules.insert("guessed".into(), counts);
            all.letters.written = 4;
            all.ledger.push(super::super::AccountStats {
                source: "pods".into(),
                sink: "es".into(),
                states: [("read", 9); 7],
                imbalance: 0,
            });
        }
        let page = openmetrics(stats.snapshot());
        for line in [
            "# UNIT aludel_source_read_bytes bytes",
            "aludel_source_read_bytes_total{source=\"pods\"} 1200",
            "aludel_pipeline_dropped_events_total{pipeline=\"web\",reason=\"health check\"} 3",
            "aludel_sink_rejected_events_total{sink=\"es\",reason=\"mapper_parsing_exception\"} 1",
            "aludel_sink_troubled{sink=\"es\"} 0",
            "aludel_rule_alerts_total{sink=\"es\",rule=\"guessed\"} 2",
            "aludel_rule_overflowed_events_total{sink=\"es\",rule=\"guessed\"} 5",
            "aludel_rule_state_bytes{sink=\"es\",rule=\"guessed\"} 64",
            "aludel_ledger_bytes{source=\"pods\",sink=\"es\",state=\"read\"} 9",
            "aludel_ledger_imbalance_bytes{source=\"pods\",sink=\"es\"} 0",
            "aludel_letters_written_total 4",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
        assert!(page.ends_with("# EOF\n"));
    }
}
