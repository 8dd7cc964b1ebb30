//! CRI lines of a Java service; one event in ten is a stack trace of about 26 lines.

use super::draw::{Draw, Pool};
use super::stamp::{Stamp, digits};
use super::{Shape, marker};

/// Different stack frames.
const FRAMES: usize = 4_000;
/// One event in so many is a trace.
const TRACE_ONE_IN: u64 = 10;

const PACKAGES: [&str; 7] = [
    "test.shop.basket",
    "test.shop.billing",
    "org.springframework.web.method.support",
    "org.springframework.transaction.interceptor",
    "org.apache.catalina.core",
    "org.hibernate.internal",
    "java.util.concurrent",
];
const CLASSES: [&str; 7] = [
    "BasketService",
    "InvoiceClient",
    "InvocableHandlerMethod",
    "TransactionInterceptor",
    "StandardWrapperValve",
    "SessionImpl",
    "ThreadPoolExecutor$Worker",
];
const METHODS: [&str; 7] =
    ["checkout", "send", "invokeForRequest", "invoke", "doFilterInternal", "run", "lambda$call$3"];
const FAILURES: [&str; 3] = [
    "java.lang.IllegalArgumentException: basket is empty",
    "java.net.SocketTimeoutException: Read timed out after 5000 ms while calling https://billing.test/invoices",
    "java.lang.NullPointerException: Cannot invoke \"java.util.List.size()\" because \"lines\" is null",
];

/// The events of one file.
pub(crate) struct Java {
    frames: Pool<Vec<u8>>,
    draw: Draw,
    stamp: Stamp,
    shape: Shape,
}

impl Java {
    pub(crate) fn new(draw: &mut Draw, stamp: Stamp, shape: Shape) -> Self {
        let frames = Pool::new(FRAMES, draw);
        Self { frames, draw: Draw::new(draw.next()), stamp, shape }
    }

    pub(crate) fn write(&mut self, number: u32, out: &mut Vec<u8>) {
        self.stamp.tick(&mut self.draw);
        if self.draw.once_in(TRACE_ONE_IN) { self.trace(number, out) } else { self.line(number, out) }
    }

    fn line(&mut self, number: u32, out: &mut Vec<u8>) {
        self.head(" INFO  [", out);
        out.extend_from_slice(b" - basket of request ");
        marker(number, out);
        if self.shape != Shape::Short {
            out.extend_from_slice(b" priced for customer ");
            digits(self.draw.below(1_000_000), 6, out);
            out.extend_from_slice(b" in ");
            digits(self.draw.below(900), 3, out);
            out.extend_from_slice(b" ms");
        }
        out.push(b'\n');
    }

    fn trace(&mut self, number: u32, out: &mut Vec<u8>) {
        let (outer, inner) = match self.shape {
            Shape::Short => (2, 1),
            Shape::Long => (self.draw.between(60, 90), self.draw.between(30, 50)),
            _ => (self.draw.between(12, 18), self.draw.between(4, 10)),
        };
        self.head(" ERROR [", out);
        out.extend_from_slice(b" - request ");
        marker(number, out);
        out.extend_from_slice(b" failed\n");
        let failure = self.draw.one(&FAILURES);
        self.more(failure.as_bytes(), out);
        self.frames(outer, out);
        let cause = format!("Caused by: {}", self.draw.one(&FAILURES));
        self.more(cause.as_bytes(), out);
        self.frames(inner, out);
        let omitted = format!("\t... {} common frames omitted", self.draw.between(20, 80));
        self.more(omitted.as_bytes(), out);
    }

    /// The log line up to its class, with the CRI wrapping before it.
    fn head(&mut self, level: &str, out: &mut Vec<u8>) {
        self.stamp.cri(b'F', out);
        let (thread, class) = (self.draw.below(200), self.draw.one(&CLASSES));
        self.stamp.java(out);
        out.extend_from_slice(level.as_bytes());
        if self.shape == Shape::Reordered {
            out.extend_from_slice(format!("test.shop.{class}] http-nio-8443-exec-{thread}").as_bytes());
        } else {
            out.extend_from_slice(format!("http-nio-8443-exec-{thread}] test.shop.{class}").as_bytes());
        }
    }

    /// A further line of the same event.
    fn more(&mut self, text: &[u8], out: &mut Vec<u8>) {
        self.stamp.cri(b'F', out);
        out.extend_from_slice(text);
        out.push(b'\n');
    }

    fn frames(&mut self, count: u64, out: &mut Vec<u8>) {
        for _ in 0..count {
            self.stamp.cri(b'F', out);
            out.extend_from_slice(self.frames.one(&mut self.draw, frame));
            out.push(b'\n');
        }
    }
}

fn frame(draw: &mut Draw) -> Vec<u8> {
    let (package, class, method, line) =
        (draw.one(&PACKAGES), draw.one(&CLASSES), draw.one(&METHODS), draw.between(20, 1400));
    let file = class.split('$').next().unwrap_or(class);
    format!("\tat {package}.{class}.{method}({file}.java:{line})").into_bytes()
}
