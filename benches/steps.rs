//! What steps and expressions cost per event, without parsing and encoding.

use std::hint::black_box;
use std::sync::Arc;

use aludel::event::{Facts, Layout, LayoutBuilder, Row, Segment, Slot, Span, Value};
use aludel::expr::{Constant, Constants, Expr, Files, Operator, function};
use aludel::signature::Type;
use aludel::step::{Context, Drop, Emit, Match, Set, Step, Work};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const PATHS: &[&str] = &[
    "@timestamp",
    "event.duration",
    "event.outcome",
    "http.request.method",
    "http.response.body.bytes",
    "http.response.status_code",
    "log.level",
    "message",
    "request_time",
    "service.name",
    "source.ip",
    "url.path",
    "user_agent.original",
];

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str, _: usize) -> Result<Vec<u8>, String> {
        Err(format!("{path}: none here"))
    }
}

struct NoOutputs;

impl Emit for NoOutputs {
    fn emit(&mut self, _: usize, _: &mut Row) {}
}

/// A plan in the making: names, constants, and the texts of one event.
struct Plan {
    layout: Arc<Layout>,
    constants: Constants,
}

impl Plan {
    fn new() -> Self {
        let mut builder = LayoutBuilder::default();
        for path in PATHS {
            builder.add(path);
        }
        Self { layout: Arc::new(builder.build()), constants: Constants::default() }
    }

    fn slot(&self, path: &str) -> Slot {
        self.layout.slot(path).expect("named")
    }

    fn field(&self, path: &str) -> Expr {
        Expr::Field(self.slot(path))
    }

    fn text(&mut self, text: &str) -> Expr {
        Expr::Constant(Value::Text(self.constants.text(text)))
    }

    fn binary(&self, operator: Operator, left: Expr, right: Expr) -> Expr {
        Expr::binary(operator, (left, Type::Any), (right, Type::Any), None).expect("built")
    }

    fn call(&self, name: &str, args: Vec<Expr>, constants: &[Option<Constant>]) -> Expr {
        Expr::call(function::find(name).expect("known"), args, constants, &NoFiles).expect("built")
    }
}

/// Fills the row as a parser would: scalars, and texts in a segment.
struct Event {
    row: Row,
    fields: Vec<(Slot, Value)>,
}

impl Event {
    fn new(plan: Plan) -> Self {
        let texts = [
            ("message", "GET /api/v1/orders/4711 took 12 ms"),
            ("url.path", "/api/v1/orders/4711"),
            ("log.level", "Warning"),
            ("http.request.method", "GET"),
            ("source.ip", "10.20.30.40"),
            ("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0"),
        ];
        let mut bytes = Vec::new();
        let mut fields = Vec::new();
        for (path, text) in texts {
            let span = Span {
                start: bytes.len() as u32,
                len: text.len() as u32,
                buffer: Span::SEGMENTS,
                facts: Facts::PLAIN,
            };
            bytes.extend_from_slice(text.as_bytes());
            let value = if path == "source.ip" { Value::Ip(span) } else { Value::Text(span) };
            fields.push((plan.slot(path), value));
        }
        fields.push((plan.slot("@timestamp"), Value::Timestamp(1_714_550_400_123_000_000)));
        fields.push((plan.slot("http.response.status_code"), Value::Int(404)));
        fields.push((plan.slot("http.response.body.bytes"), Value::Int(5120)));
        fields.push((plan.slot("request_time"), Value::Float(0.012)));
        let mut row = Row::new(plan.layout.clone(), plan.constants.finish());
        row.swap_segments(vec![Arc::new(Segment::new(bytes))]);
        Self { row, fields }
    }

    fn fill(&mut self) -> &mut Row {
        self.row.clear();
        for (slot, value) in &self.fields {
            self.row.set(*slot, *value);
        }
        &mut self.row
    }
}

fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("steps");
    group.throughput(Throughput::Elements(1));
    let mut case = |name: &str, make: &dyn Fn(&mut Plan) -> Box<dyn Step>| {
        let mut plan = Plan::new();
        let step = make(&mut plan);
        let mut event = Event::new(plan);
        let mut work = Work::default();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let row = event.fill();
                let flow = step.run(row, &mut Context { outputs: &mut NoOutputs, work: &mut work });
                black_box((flow, row.present()));
            });
        });
    };
    case("nothing (fill the row)", &|_| Box::new(aludel::step::Block::default()));
    case("drop when text == constant", &|plan| {
        let when = plan.text("/healthz");
        let when = plan.binary(Operator::Equal, plan.field("url.path"), when);
        Box::new(Drop { reason: 0, when: Some(when) })
    });
    case("drop when int >= constant and int < constant", &|plan| {
        let status = || plan.field("http.response.status_code");
        let int = |int| Expr::Constant(Value::Int(int));
        let low = plan.binary(Operator::GreaterEqual, status(), int(500));
        let high = plan.binary(Operator::Less, status(), int(600));
        Box::new(Drop { reason: 0, when: Some(plan.binary(Operator::And, low, high)) })
    });
    case("set int = field", &|plan| {
        let fields = vec![(plan.slot("event.outcome"), plan.field("http.response.status_code"))];
        Box::new(Set { fields: fields.into() })
    });
    case("set duration = float * 1s ?? 0s", &|plan| {
        let second = Expr::Constant(Value::Duration(1_000_000_000));
        let product = plan.binary(Operator::Multiply, plan.field("request_time"), second);
        let value = plan.binary(Operator::Else, product, Expr::Constant(Value::Duration(0)));
        Box::new(Set { fields: vec![(plan.slot("event.duration"), value)].into() })
    });
    case("set two texts to constants", &|plan| {
        let (a, b) = (plan.text("success"), plan.text("shop"));
        let fields = vec![(plan.slot("event.outcome"), a), (plan.slot("service.name"), b)];
        Box::new(Set { fields: fields.into() })
    });
    case("set text = lower(text)", &|plan| {
        let value = plan.call("lower", vec![plan.field("log.level")], &[]);
        Box::new(Set { fields: vec![(plan.slot("log.level"), value)].into() })
    });
    case("set text = capture(text, pattern)", &|plan| {
        let pattern = r"took (\d+) ms";
        let args = vec![plan.field("message"), plan.text(pattern)];
        let value = plan.call("capture", args, &[None, Some(Constant::Text(pattern.into()))]);
        Box::new(Set { fields: vec![(plan.slot("event.outcome"), value)].into() })
    });
    case("drop when ip in network", &|plan| {
        let networks = Constant::List(vec![
            Constant::Text("192.168.0.0/16".into()),
            Constant::Text("172.16.0.0/12".into()),
        ]);
        let right = Expr::Constant(plan.constants.value(&networks));
        let left = (plan.field("source.ip"), Type::Ip);
        let when = Expr::binary(Operator::In, left, (right, Type::List), Some(&networks)).expect("built");
        Box::new(Drop { reason: 0, when: Some(when) })
    });
    case("drop when text matches pattern", &|plan| {
        let pattern = Constant::Text(r"^/(static|assets)/.*\.(js|css)$".into());
        let right = (Expr::Constant(plan.constants.value(&pattern)), Type::Text);
        let left = (plan.field("url.path"), Type::Text);
        let when = Expr::binary(Operator::Matches, left, right, Some(&pattern)).expect("built");
        Box::new(Drop { reason: 0, when: Some(when) })
    });
    case("match text of 8 arms", &|plan| {
        let words = ["trace", "debug", "info", "notice", "Warning", "error", "critical", "fatal"];
        let arms = words.map(|word| (vec![Constant::Text(word.into())], aludel::step::Block::default()));
        Box::new(Match::new(plan.field("log.level"), arms.into(), aludel::step::Block::default()))
    });
    case("set timestamp = timestamp(text)", &|plan| {
        let text = plan.text("2024-05-01T08:00:00.123456Z");
        let value = plan.call("timestamp", vec![text], &[]);
        Box::new(Set { fields: vec![(plan.slot("@timestamp"), value)].into() })
    });
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
