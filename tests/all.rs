//! The one integration test binary: one module per area, so that the crate is linked once.

#[path = "all/alerts.rs"]
mod alerts;
#[path = "all/captured.rs"]
mod captured;
#[path = "all/ceiling.rs"]
mod ceiling;
#[path = "all/corpora_auto.rs"]
mod corpora_auto;
#[path = "all/corpora_cloud.rs"]
mod corpora_cloud;
#[path = "all/corpora_crowdsec.rs"]
mod corpora_crowdsec;
#[path = "all/corpora_filebeat.rs"]
mod corpora_filebeat;
#[path = "all/corpora_formats.rs"]
mod corpora_formats;
#[path = "all/corpora_grok.rs"]
mod corpora_grok;
#[path = "all/corpora_loghub.rs"]
mod corpora_loghub;
#[path = "all/corpora_misc.rs"]
mod corpora_misc;
#[path = "all/corpora_multiline.rs"]
mod corpora_multiline;
#[path = "all/corpora_secrets.rs"]
mod corpora_secrets;
#[path = "all/corpora_threat.rs"]
mod corpora_threat;
#[path = "all/corpora_vrl.rs"]
mod corpora_vrl;
#[path = "all/corpora_web.rs"]
mod corpora_web;
#[path = "all/cursor_log.rs"]
mod cursor_log;
#[path = "all/dependencies.rs"]
mod dependencies;
#[path = "all/detect.rs"]
mod detect;
#[path = "all/disk.rs"]
mod disk;
#[path = "all/elasticsearch.rs"]
mod elasticsearch;
#[path = "all/encodings.rs"]
mod encodings;
#[path = "all/support/events.rs"]
mod events;
#[path = "all/expr.rs"]
mod expr;
#[path = "all/files.rs"]
mod files;
#[path = "all/files_disk.rs"]
mod files_disk;
#[path = "all/files_generations.rs"]
mod files_generations;
#[path = "all/files_lanes.rs"]
mod files_lanes;
#[path = "all/files_orphans.rs"]
mod files_orphans;
#[path = "all/files_packed.rs"]
mod files_packed;
#[path = "all/files_rig.rs"]
mod files_rig;
#[path = "all/files_scale.rs"]
mod files_scale;
#[path = "all/files_traces.rs"]
mod files_traces;
#[path = "all/fixtures.rs"]
mod fixtures;
#[path = "all/flood.rs"]
mod flood;
#[path = "all/frame.rs"]
mod frame;
#[path = "all/framing.rs"]
mod framing;
#[path = "all/full_disk.rs"]
mod full_disk;
#[path = "all/grammar.rs"]
mod grammar;
#[path = "all/grammar_properties.rs"]
mod grammar_properties;
#[path = "all/grammar_worst.rs"]
mod grammar_worst;
#[path = "all/headers.rs"]
mod headers;
#[path = "all/inputs.rs"]
mod inputs;
#[path = "all/kafka.rs"]
mod kafka;
#[path = "all/killed.rs"]
mod killed;
#[path = "all/lagging.rs"]
mod lagging;
#[path = "all/lang.rs"]
mod lang;
#[path = "all/layers.rs"]
mod layers;
#[path = "all/letters.rs"]
mod letters;
#[path = "all/manifests.rs"]
mod manifests;
#[path = "all/notify.rs"]
mod notify;
#[path = "all/own_records.rs"]
mod own_records;
#[path = "all/parquet.rs"]
mod parquet;
#[path = "all/parquet_bucket.rs"]
mod parquet_bucket;
#[path = "all/parquet_killed.rs"]
mod parquet_killed;
#[path = "all/parquet_readers.rs"]
mod parquet_readers;
#[path = "all/support/patience.rs"]
mod patience;
#[path = "all/support/people.rs"]
mod people;
#[path = "all/plain_sinks.rs"]
mod plain_sinks;
#[path = "all/profile.rs"]
mod profile;
#[path = "all/program.rs"]
mod program;
#[path = "all/race.rs"]
mod race;
#[path = "../benches/race/sink/sink.rs"]
#[allow(dead_code, reason = "the race uses what its tests do not")]
mod race_sink;
#[path = "../benches/race/workload/workload.rs"]
#[allow(dead_code, reason = "the race uses what its tests do not")]
mod race_workload;
#[path = "all/readme.rs"]
mod readme;
#[path = "all/redaction.rs"]
mod redaction;
#[path = "all/support/rules.rs"]
mod rules;
#[path = "all/support/scores.rs"]
mod scores;
#[path = "all/sim_files.rs"]
mod sim_files;
#[path = "all/simulation.rs"]
mod simulation;
#[path = "all/support/sites.rs"]
mod sites;
#[path = "all/spool.rs"]
mod spool;
#[path = "all/start_and_end.rs"]
mod start_and_end;
#[path = "all/stdin.rs"]
mod stdin;
#[path = "all/support/killed.rs"]
mod support_killed;
#[path = "all/threat.rs"]
mod threat;
#[path = "all/users.rs"]
mod users;
