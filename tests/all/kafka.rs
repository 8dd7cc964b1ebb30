//! Kafka: the sink and the source against a real broker, and against librdkafka's mock where faults are to be had to order.

#[path = "kafka/broker.rs"]
mod broker;
#[path = "kafka/kill.rs"]
mod kill;
#[path = "kafka/mock.rs"]
mod mock;
#[path = "kafka/rows.rs"]
mod rows;
#[path = "kafka/scripted.rs"]
mod scripted;
#[path = "kafka/simulated.rs"]
mod simulated;
#[path = "kafka/sink.rs"]
mod sink;
#[path = "kafka/source.rs"]
mod source;

/// What cannot be had here is said; where everything must be had, it fails.
fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{why}");
    eprintln!("SKIPPED, no Kafka: {why}");
}
