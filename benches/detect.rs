//! Benign requests through gate and detectors: path, query, referrer and agent of each.

use std::hint::black_box;

use aludel::detect::{Judge, Kind, Pool};
use aludel::event::Options;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Requests of visitors: path, query, referrer, agent.
const REQUESTS: &[[&str; 4]] = &[
    ["/static/js/app.min.js", "v=20260101", "https://shop.example/", FIREFOX],
    ["/item/4711/blue-shoes", "", "https://shop.example/search?q=shoes", CHROME],
    ["/search", "q=running+shoes&page=2&sort=price", "https://shop.example/", CHROME],
    ["/images/logo@2x.png", "", "https://shop.example/cart", FIREFOX],
    ["/api/v1/cart/items", "session=8c1f2a77&currency=EUR", "https://shop.example/cart", CHROME],
    ["/healthz", "", "-", "kube-probe/1.30"],
];
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0";
const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36";

fn benign(criterion: &mut Criterion) {
    let judge = Judge::new("web_attack", &Options::default()).expect("a detector");
    let pool = Pool::default();
    let mut group = criterion.benchmark_group("detect");
    group.throughput(Throughput::Elements(REQUESTS.len() as u64));
    group.bench_function("benign requests", |bench| {
        let (mut hits, mut found) = (Vec::new(), Vec::new());
        bench.iter(|| {
            found.clear();
            for request in REQUESTS {
                for (value, kind) in
                    request.iter().zip([Kind::Path, Kind::Query, Kind::Referrer, Kind::Agent])
                {
                    judge.find(black_box(value.as_bytes()), kind, &pool, &mut hits, &mut found);
                }
            }
            assert!(found.is_empty());
        });
    });
    group.finish();
}

criterion_group!(benches, benign);
criterion_main!(benches);
