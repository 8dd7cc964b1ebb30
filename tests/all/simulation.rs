//! The whole product on a virtual disk, clock and network ([`aludel::sim`]), from some hundred seeds.
//!
//! A failing seed is a test case: `ALUDEL_SEED=7 cargo test --test all simulation`, or `aludel sim --seed 7`.

use aludel::sim::{Subject, Suite, embedded, expectations, is_repeatable, one};

const SEEDS: u64 = 160;

fn jobs() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Whatever fails, every line is where it belongs, once or accounted for, and every byte is in the ledger.
#[test]
fn nothing_is_lost_and_nothing_twice() {
    if let Some(seed) = std::env::var("ALUDEL_SEED").ok().and_then(|seed| seed.parse().ok()) {
        let outcome = one(&embedded, seed).expect("it can be simulated");
        assert!(outcome.wrong.is_empty(), "{}\n{:#?}", outcome.trace.join("\n"), outcome.wrong);
        return;
    }
    let suite = Suite { subjects: &embedded, from: 0, seeds: SEEDS, jobs: jobs(), failures_max: 3 };
    let (tally, failures) = suite.run(&|_| ()).expect("all can be simulated");
    let shown: Vec<_> = failures.iter().map(|failure| (failure.seed, &failure.outcome.wrong)).collect();
    assert!(shown.is_empty(), "seeds that failed: {shown:#?}");
    assert_eq!(tally.seeds, SEEDS);
    let kinds = [
        "kill",
        "power loss",
        "rename",
        "copytruncate",
        "429",
        "failed fsync",
        "ENOSPC",
        "an alert that is compared",
    ];
    for kind in kinds {
        assert!(tally.faults.get(kind).is_some_and(|times| *times > 0), "no {kind} in {:?}", tally.faults);
    }
}

/// A failing seed would be no test case otherwise.
#[test]
fn a_seed_does_the_same_twice() {
    for (seed, subject) in embedded().expect("they compile").iter().enumerate() {
        let expected = expectations(subject).expect("it can be simulated");
        assert!((0..3).all(|more| is_repeatable(subject, &expected, seed as u64 + 4 * more)), "{seed}");
    }
}

/// A harness that checks nothing would find nothing.
#[test]
fn what_cannot_be_simulated_is_said() {
    let stdin = "source a = stdin\nsink b = blackhole\npipeline p { from a | to b }";
    let error = Subject::compile(stdin).err().expect("no files");
    assert!(error.contains("`stdin` cannot be simulated"), "{error}");
    let blind = "source a = files \"/a/*.log\"\nsink b = file \"/b\"\npipeline p { from a | keep .log.file.path | to b }";
    let subject = Subject::compile(blind).expect("it compiles");
    let error = expectations(&subject).err().expect("no line can be recognised");
    assert!(error.contains("can be recognised"), "{error}");
}
