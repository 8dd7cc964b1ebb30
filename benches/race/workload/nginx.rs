//! CRI lines that hold nginx's combined format, about 238 bytes an event in the default shape.

use super::draw::{Draw, Pool};
use super::stamp::Stamp;
use super::{Shape, marker};

/// Different requests.
const REQUESTS: usize = 20_000;
/// One event in so many is split into a `P` and an `F` line.
const SPLIT_ONE_IN: u64 = 100;

const AGENTS: [&str; 9] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "kube-probe/1.31",
    "okhttp/4.12.0",
    "curl/8.11.0",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
];
const REFERRERS: [&str; 5] = [
    "-",
    "-",
    "https://shop.test/",
    "https://shop.test/garden/tools?page=2&sort=price",
    "https://duckduckgo.com/",
];

/// A request without its time and number.
struct Request {
    /// `203.0.113.7 - - [`
    client: Vec<u8>,
    /// `] "GET /path?sid=`, up to the marker.
    before: Vec<u8>,
    /// The rest of the line.
    after: Vec<u8>,
}

/// The events of one file.
pub(crate) struct Nginx {
    requests: Pool<Request>,
    draw: Draw,
    stamp: Stamp,
    line: Vec<u8>,
    shape: Shape,
}

impl Nginx {
    pub(crate) fn new(draw: &mut Draw, stamp: Stamp, shape: Shape) -> Self {
        let requests = Pool::new(REQUESTS, draw);
        Self { requests, draw: Draw::new(draw.next()), stamp, line: Vec::new(), shape }
    }

    pub(crate) fn write(&mut self, number: u32, out: &mut Vec<u8>) {
        let Self { requests, draw, stamp, line, shape } = self;
        let request = requests.one(draw, |draw| request(draw, *shape));
        stamp.tick(draw);
        line.clear();
        line.extend_from_slice(&request.client);
        stamp.clf(line);
        line.extend_from_slice(&request.before);
        let at = line.len();
        marker(number, line);
        let marked = at..line.len();
        line.extend_from_slice(&request.after);
        let mut rest = &line[..];
        if draw.once_in(SPLIT_ONE_IN) {
            let cut = draw.between(10, line.len() as u64 - 10) as usize;
            // Not within the marker: one that is split is found by nobody who reads lines.
            let cut = if marked.contains(&cut) { marked.start } else { cut };
            let (first, second) = line.split_at(cut);
            stamp.cri(b'P', out);
            out.extend_from_slice(first);
            out.push(b'\n');
            stamp.tick(draw);
            rest = second;
        }
        stamp.cri(b'F', out);
        out.extend_from_slice(rest);
        out.push(b'\n');
    }
}

fn request(draw: &mut Draw, shape: Shape) -> Request {
    let [a, b, c, d] = [223, 255, 255, 254].map(|most| draw.between(1, most));
    let user = if draw.once_in(10) { "alice" } else { "-" };
    let (method, status, agent, referrer) =
        (draw.method(), draw.status(), draw.one(&AGENTS), draw.one(&REFERRERS));
    let size = if status == 304 { 0 } else { draw.size() };
    let path = draw.path();
    let client = format!("{a}.{b}.{c}.{d} - {user} [");
    let (before, after) = match shape {
        Shape::Default => (
            format!("{method} {path}?sid="),
            format!(" HTTP/1.1\" {status} {size} \"{referrer}\" \"{agent}\""),
        ),
        Shape::Long => {
            let query: String = (0..24).map(|n| format!("&facet{n}={:016x}", draw.next())).collect();
            let after = format!(
                "{query} HTTP/1.1\" {status} {size} \"https://shop.test{path}?from={query}\" \"{agent}\""
            );
            (format!("{method} {path}?sid="), after)
        }
        Shape::Short => ("GET /".into(), format!(" HTTP/1.1\" {status} {size} \"-\" \"-\"")),
        // The marker stands in the referrer.
        Shape::Reordered => (
            format!("{method} {path} HTTP/1.1\" {status} {size} \"https://shop.test/?sid="),
            format!("\" \"{agent}\""),
        ),
    };
    Request { client: client.into(), before: format!("] \"{before}").into(), after: after.into() }
}
