//! The lines that programs write: their text by kind, wrapped as the container runtime does.

use super::subject::Form;
use super::token;
use super::truth::Kind;
use crate::event::write_timestamp;
use crate::seam::sim::Dice;

/// The line's own text, without line feed. The mark is somewhere in it.
pub(super) fn text(kind: Kind, mark: u32, unix_ns: i64, dice: &mut Dice) -> String {
    let mark_text = token::write(mark);
    let time = time(unix_ns);
    match kind {
        Kind::Text => {
            let padding = if dice.one_in(16) { dice.below(3000) } else { dice.below(60) };
            format!("{time} INFO shop.cart: order {mark_text} took 12 ms {}", "x".repeat(padding as usize))
        }
        Kind::Noise => format!("{time} DEBUG shop.cart: noise {mark_text}"),
        Kind::Json => {
            format!("{{\"level\":\"info\",\"message\":\"order {mark_text} is paid\",\"amount\":{mark}}}")
        }
        Kind::Report => format!("{time} ERROR shop.cart: order {mark_text} failed"),
        Kind::Trace if dice.one_in(3) => format!("java.io.IOException: connection {mark_text} was reset"),
        Kind::Trace => format!("\tat shop.{mark_text}.Cart.pay(Cart.java:{})", 1 + dice.below(400)),
        Kind::Partial => format!("{time} INFO shop.cart: a long one {mark_text}"),
    }
}

fn time(unix_ns: i64) -> String {
    let mut out = Vec::new();
    write_timestamp(unix_ns, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// The line as it stands in the file, with its line feed. `last` is false for a part of a line that the runtime split.
pub(super) fn wrap(form: Form, text: &str, lane: u8, last: bool, unix_ns: i64) -> String {
    let stream = if lane == 0 { "stdout" } else { "stderr" };
    match form {
        Form::Plain => format!("{text}\n"),
        Form::Cri => format!("{} {stream} {} {text}\n", time(unix_ns), if last { 'F' } else { 'P' }),
        Form::Docker => {
            let end = if last { "\n" } else { "" };
            let log = serde_json::Value::from(format!("{text}{end}")).to_string();
            format!("{{\"log\":{log},\"stream\":\"{stream}\",\"time\":\"{}\"}}\n", time(unix_ns))
        }
    }
}
