//! `unroll`: a list becomes one event for each of its items.

use super::{Block, Context, Flow, ReasonId, Step};
use crate::event::{Row, Slot, Value, raw};
use crate::signature::{Example, Signature};

/// What `unroll` says of itself.
pub(super) static SIGNATURE: Signature = Signature {
    name: "unroll",
    summary: "makes one event of each item of a list",
    doc: "The item takes the place of the list, or of the field named by `into`; all other fields stay in every event. The \
          steps behind it run for each. An event whose field is no list, or an empty one, goes on as it was. Each event has \
          an id of its own; in the ledger the bytes of the message are those of the first, so that they are counted once. \
          A pipeline has one `unroll`, outside of branches.",
    form: "unroll .FIELD into .FIELD",
    options: &[],
    examples: &[
        Example {
            title: "records of a delivery",
            source: "unroll .Records into .record",
            input: r#"{"Records":[{"n":1}],"source":"s3"}"#,
            result: r#"{"record":{"n":1},"source":"s3"}"#,
        },
        Example {
            title: "what is no list goes on as it was",
            source: "unroll .Records",
            input: r#"{"Records":7}"#,
            result: r#"{"Records":7}"#,
        },
    ],
};

/// `unroll .LIST into .FIELD`, and the steps behind it.
pub struct Unroll {
    /// The list.
    pub list: Slot,
    /// Where each item goes.
    pub into: Slot,
    /// Why an event is refused whose list has more items than ids have numbers.
    pub too_many: ReasonId,
    /// What runs for each item.
    pub then: Block,
}

impl Step for Unroll {
    fn run(&self, row: &mut Row, cx: &mut Context<'_>) -> Flow {
        let Some(Value::List(list)) = row.read(self.list) else { return self.then.run(row, cx) };
        let items = raw::items(row.texts.bytes(list));
        if items.is_empty() {
            return self.then.run(row, cx);
        }
        if !cx.outputs.unroll(items.len()) {
            return Flow::Reject(self.too_many);
        }
        row.remove(self.list);
        let saved = row.save();
        for (at, range) in items.into_iter().enumerate() {
            if at > 0 {
                row.restore(&saved);
            }
            let value = raw::value(&mut row.texts, list.part(range.start, range.len()));
            row.write(self.into, value);
            cx.outputs.item(at);
            cx.work.forget();
            let flow = self.then.run(row, cx);
            cx.outputs.item_done(flow, cx.work.refused());
        }
        Flow::Next
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{row, run};
    use super::super::{Drop, To, Work};
    use super::*;

    #[test]
    fn every_item_is_an_event_with_the_other_fields() {
        let mut event = row(&["a", "b.c", "x"], r#"{"a":[1,{"d":2},"three"],"b":{"c":4,"e":5},"f":"g"}"#);
        let slot = |path| event.layout().slot(path).expect("named");
        let then = Block(vec![Box::new(To { sinks: Box::new([7]) })]);
        let unroll = Unroll { list: slot("a"), into: slot("x"), too_many: 0, then };
        let (flow, sent) = run(&unroll, &mut event, &mut Work::default());
        assert_eq!(flow, Flow::Next);
        let texts: Vec<_> = sent.into_iter().map(|(_, text)| text).collect();
        let with = |x: &str| format!(r#"{{"b":{{"c":4,"e":5}},"x":{x},"f":"g"}}"#);
        assert_eq!(texts, [with("1"), with(r#"{"d":2}"#), with("\"three\"")]);
    }

    #[test]
    fn what_is_no_list_or_empty_goes_on_as_it_was() {
        for text in [r#"{"a":1}"#, r#"{"a":[]}"#, r#"{"b":1}"#] {
            let mut event = row(&["a", "b"], text);
            let slot = event.layout().slot("a").expect("named");
            let then =
                Block(vec![Box::new(To { sinks: Box::new([0]) }), Box::new(Drop { reason: 3, when: None })]);
            let unroll = Unroll { list: slot, into: slot, too_many: 0, then };
            let (flow, sent) = run(&unroll, &mut event, &mut Work::default());
            assert_eq!((flow, sent), (Flow::Drop(3), vec![(0, text.to_owned())]));
        }
    }
}
