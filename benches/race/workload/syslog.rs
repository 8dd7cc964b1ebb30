//! RFC 5424 messages, one a line.

use super::draw::Draw;
use super::stamp::{Stamp, digits};
use super::{Shape, marker};

const PROGRAMS: [&str; 5] = ["sshd", "postfix/smtpd", "cron", "haproxy", "kernel"];
const TEXTS: [&str; 4] = [
    "connection closed by remote host",
    "session opened for user deploy(uid=1001) by (uid=0)",
    "backend shop/web-3 is up, 4 active and 0 backup servers left",
    "job finished with status 0 after 312 ms",
];

/// The events of one file or connection.
pub(crate) struct Syslog {
    draw: Draw,
    stamp: Stamp,
    shape: Shape,
}

impl Syslog {
    pub(crate) fn new(draw: &mut Draw, stamp: Stamp, shape: Shape) -> Self {
        Self { draw: Draw::new(draw.next()), stamp, shape }
    }

    pub(crate) fn write(&mut self, number: u32, out: &mut Vec<u8>) {
        let Self { draw, stamp, shape } = self;
        stamp.tick(draw);
        let priority = draw.below(24) * 8 + draw.between(3, 7);
        out.extend_from_slice(format!("<{priority}>1 ").as_bytes());
        stamp.micros(out);
        out.extend_from_slice(b" host-");
        digits(draw.below(64), 2, out);
        out.extend_from_slice(format!(" {} {} ", draw.one(&PROGRAMS), draw.between(300, 32_000)).as_bytes());
        match shape {
            Shape::Short => out.extend_from_slice(b"- - "),
            _ => out.extend_from_slice(b"ID47 [origin@32473 ip=\"192.0.2.17\" zone=\"eu-north-1b\"] "),
        }
        if *shape != Shape::Reordered {
            marker(number, out);
            out.push(b' ');
        }
        for _ in 0..if *shape == Shape::Long { 12 } else { 1 } {
            out.extend_from_slice(draw.one(&TEXTS).as_bytes());
        }
        if *shape == Shape::Reordered {
            out.push(b' ');
            marker(number, out);
        }
        out.push(b'\n');
    }
}
