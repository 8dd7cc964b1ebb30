//! What a replay gives, kept: events as JSON. A row that is refused fails the test.

use aludel::replay::Audience;
use aludel::run::Letter;
use serde_json::Value;

/// The events.
#[derive(Default)]
pub(super) struct Events(pub(super) Vec<Value>);

impl Audience for Events {
    fn event(&mut self, _: usize, json: &[u8]) {
        self.0.push(serde_json::from_slice(json).expect("an event is JSON"));
    }

    fn letter(&mut self, letter: &Letter) {
        panic!("refused: {letter:?}");
    }

    fn progress(&mut self, _: u64) {}
}
