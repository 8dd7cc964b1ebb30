//! The race's own pieces: what it generates and how it counts. A bench without a harness runs no tests of its own.

mod action {
    use crate::race_sink::action::{Action, Actions, Operation};

    #[test]
    fn actions() {
        let actions = Actions::default();
        assert_eq!(
            actions.read(br#"{"create":{"_index":"logs","_id":"a-1"}}"#),
            Some(Action { operation: Operation::Create, index: Some(b"logs"), id: Some(b"a-1") })
        );
        assert_eq!(
            actions.read(br#"{ "index" : { "_id" : "7" } }"#),
            Some(Action { operation: Operation::Index, index: None, id: Some(b"7") })
        );
        assert_eq!(actions.read(br#"{"message":"x"}"#), None);
    }
}

mod answer {
    use crate::race_sink::action::{Action, Operation};
    use crate::race_sink::answer::{Answer, Wanted};
    use crate::race_sink::tally::Fate;

    fn answer(filter: Option<&str>, fates: &[Fate]) -> String {
        let wanted = Wanted::new(filter);
        let (mut items, mut out) = (Vec::new(), Vec::new());
        let mut answer = Answer::new(&wanted, b"logs", &mut items);
        for (number, fate) in fates.iter().enumerate() {
            let action = Action { operation: Operation::Create, index: None, id: Some(b"a") };
            answer.item(&action, *fate, number as u64);
        }
        answer.finish(&mut out);
        String::from_utf8(out).expect("an answer is text")
    }

    #[test]
    fn everything_by_default() {
        assert_eq!(
            answer(None, &[Fate::Created]),
            "{\"errors\":false,\"took\":3,\"items\":[{\"create\":{\"_index\":\".ds-logs-2026.11.23-000001\",\
             \"_id\":\"a\",\"_version\":1,\"result\":\"created\",\"_shards\":{\"total\":2,\"successful\":1,\
             \"failed\":0},\"_seq_no\":0,\"_primary_term\":1,\"status\":201}}]}"
        );
    }

    #[test]
    fn what_is_asked_for() {
        let two = [Fate::Created, Fate::Created];
        assert_eq!(
            answer(Some("errors,items.*.status,items.*.error.type"), &two),
            "{\"errors\":false,\"items\":[{\"create\":{\"status\":201}},{\"create\":{\"status\":201}}]}"
        );
        assert_eq!(
            answer(Some("errors,items.*.status,items.*.error.type"), &[Fate::Present]),
            "{\"errors\":true,\"items\":[{\"create\":{\"status\":409,\
             \"error\":{\"type\":\"version_conflict_engine_exception\"}}}]}"
        );
        assert_eq!(answer(Some("errors,items.*.error"), &two), "{\"errors\":false}");
        assert_eq!(answer(Some("-items,-took"), &two), "{\"errors\":false}");
        assert_eq!(answer(Some("took"), &two), "{\"took\":3}");
        assert_eq!(
            answer(Some("**.status"), &[Fate::Created]),
            "{\"items\":[{\"create\":{\"status\":201}}]}"
        );
    }
}

mod expect {
    use crate::race_sink::expect::Expected;

    #[test]
    fn split_lines_and_traces() {
        let mut expected = Expected::default();
        expected.file(
            b"2026-11-23T10:00:00Z stdout F one seq-000000000\n\
              2026-11-23T10:00:00Z stdout F \tat a trace\n\
              2026-11-23T10:00:00Z stdout P two seq-0000\n\
              2026-11-23T10:00:00Z stdout F 00001 end\n\
              {\"log\":\"seq-000000002\"}",
        );
        assert_eq!(expected.lines_of, [2, 1, 1]);
        assert_eq!(expected.ends_of.len(), 1);
        assert_eq!(expected.ends_of[&1], [b"two se".to_vec(), b"01 end".to_vec()]);
        assert_eq!((expected.events(), expected.lines), (3, 5));
    }
}

mod http {
    use std::io::{self, Read, Write};

    use crate::race_sink::http::Inbox;

    struct Peer(io::Cursor<Vec<u8>>, Vec<u8>);

    impl Read for Peer {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            // A byte at a time: requests are cut anywhere.
            let most = buffer.len().min(1);
            self.0.read(&mut buffer[..most])
        }
    }

    impl Write for Peer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn requests_by_length_and_in_chunks() {
        let text = "POST /_bulk?filter_path=errors%2Citems HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc\
                    POST /logs/_bulk HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;x=y\r\nf\r\n0\r\n\r\n\
                    GET / HTTP/1.1\r\n\r\n";
        let mut peer = Peer(io::Cursor::new(text.into()), Vec::new());
        let (mut inbox, mut body) = (Inbox::default(), Vec::new());
        let head = inbox.head(&mut peer).unwrap().unwrap();
        assert_eq!((head.path(), head.parameter("filter_path").as_deref()), ("/_bulk", Some("errors,items")));
        inbox.body(&head, &mut peer, &mut body).unwrap();
        assert_eq!(body, b"abc");
        assert_eq!(peer.1, b"HTTP/1.1 100 Continue\r\n\r\n");
        let head = inbox.head(&mut peer).unwrap().unwrap();
        inbox.body(&head, &mut peer, &mut body).unwrap();
        assert_eq!(body, b"def");
        assert_eq!(inbox.head(&mut peer).unwrap().unwrap().method, "GET");
        assert_eq!(inbox.head(&mut peer).unwrap(), None);
    }
}

mod lines {
    use crate::race_sink::lines::{Compared, merge};

    #[test]
    fn lost_twice_and_strange() {
        let wanted = [1, 2, 2, 4, 9];
        assert_eq!(merge(&wanted, &wanted), Compared { delivered: 5, ..Compared::default() });
        assert_eq!(
            merge(&wanted, &[1, 1, 2, 3, 9]),
            Compared { delivered: 3, lost: 2, duplicated: 1, strays: 1 }
        );
        assert_eq!(merge(&wanted, &[]), Compared { lost: 5, ..Compared::default() });
    }
}

mod marker {
    use crate::race_sink::marker::{Marked, Markers};

    #[test]
    fn one_twice_and_two() {
        let markers = Markers::default();
        let read = |text: &str| markers.read(text.as_bytes());
        assert_eq!(
            read("GET /?sid=seq-000000042 HTTP/1.1"),
            Marked { number: Some(42), count: 1, several: false }
        );
        assert_eq!(read("seq-000000001 seq-000000001"), Marked { number: Some(1), count: 2, several: false });
        assert_eq!(read("seq-000000001 seq-000000002"), Marked { number: Some(1), count: 2, several: true });
        assert_eq!(read("seq-00000000 seq-00000000x sequence"), Marked::default());
    }
}

mod server {
    use std::io::{self, Read, Write};
    use std::net::{Shutdown, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::Ordering::Relaxed;
    use std::thread;

    use crate::race_sink::expect::Expected;
    use crate::race_sink::server::{Health, OUTAGE_STEP, Server};
    use crate::race_sink::tally::{Tally, Watch};

    fn tally(events: usize) -> Arc<Tally> {
        let expected = Expected { lines_of: vec![1; events], ..Expected::default() };
        Arc::new(Tally::new(&expected, Watch::default()))
    }

    fn ask(port: u16, request: &[u8]) -> io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.write_all(request)?;
        stream.shutdown(Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn bulk(body: &[u8], headers: &str) -> Vec<u8> {
        let mut request = format!(
            "POST /_bulk?filter_path=errors HTTP/1.1\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        request
    }

    const TWO: &[u8] = b"{\"create\":{\"_id\":\"a\"}}\n{\"m\":\"seq-000000000\"}\n\
                         {\"create\":{\"_id\":\"b\"}}\n{\"m\":\"seq-000000001\"}\n";

    #[test]
    fn plain_and_packed() {
        let tally = tally(3);
        let server = Server::start(tally.clone()).unwrap();
        assert!(ask(server.port(), &bulk(TWO, "")).unwrap().ends_with("{\"errors\":false}"));
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(b"{\"index\":{}}\n{\"m\":\"seq-000000002\"}\n").unwrap();
        let request = bulk(&packed.finish().unwrap(), "Content-Encoding: gzip\r\n");
        assert!(ask(server.port(), &request).unwrap().ends_with("{\"errors\":false}"));
        assert!(tally.complete());
        // The same again is a conflict with itself.
        assert!(ask(server.port(), &bulk(TWO, "")).unwrap().ends_with("{\"errors\":true}"));
        assert_eq!((tally.repeated.load(Relaxed), tally.duplicated.load(Relaxed)), (2, 0));
    }

    #[test]
    fn outages() {
        let tally = tally(2);
        let server = Server::start(tally.clone()).unwrap();
        server.set_health(Health::Unavailable);
        assert!(ask(server.port(), &bulk(TWO, "")).unwrap().starts_with("HTTP/1.1 503"));
        assert_eq!(tally.delivered.load(Relaxed), 0);
        server.set_health(Health::Refuse);
        thread::sleep(OUTAGE_STEP * 10);
        assert!(ask(server.port(), &bulk(TWO, "")).is_err());
        server.set_health(Health::Up);
        thread::sleep(OUTAGE_STEP * 10);
        assert!(ask(server.port(), &bulk(TWO, "")).unwrap().starts_with("HTTP/1.1 200"));
        assert!(tally.complete());
    }
}

mod tally {
    use std::sync::atomic::Ordering::Relaxed;

    use crate::race_sink::expect::Expected;
    use crate::race_sink::marker::Markers;
    use crate::race_sink::tally::{Fate, Tally, Watch};

    #[test]
    fn every_fault_is_its_own() {
        let expected = Expected { lines_of: vec![1, 3, 1], ..Expected::default() };
        let tally = Tally::new(&expected, Watch { whole: true, arrivals: true });
        let markers = Markers::default();
        let send = |text: &str, id: Option<&str>| {
            tally.document(&markers, text.as_bytes(), id.map(str::as_bytes), 9)
        };
        let counts = || {
            [&tally.delivered, &tally.duplicated, &tally.repeated, &tally.joined, &tally.strays, &tally.torn]
                .map(|count| count.load(Relaxed))
        };
        assert_eq!(send(r#"{"m":"seq-000000000"}"#, Some("a")), Fate::Created);
        assert_eq!(counts(), [1, 0, 0, 0, 0, 0]);
        assert_eq!(send(r#"{"m":"seq-000000000"}"#, Some("a")), Fate::Present);
        assert_eq!(counts(), [1, 0, 1, 0, 0, 0]);
        assert_eq!(send(r#"{"m":"seq-000000000"}"#, Some("b")), Fate::Created);
        assert_eq!(counts(), [1, 1, 1, 0, 0, 0]);
        assert_eq!(send(r#"{"m":"seq-000000000"}"#, None), Fate::Created);
        assert_eq!(counts(), [1, 2, 1, 0, 0, 0]);
        assert_eq!(send(r#"{"m":"no mark"}"#, None), Fate::Created);
        assert_eq!(counts(), [1, 2, 1, 0, 1, 0]);
        assert_eq!(send(r#"{"m":"seq-000000001\n\tat a"}"#, None), Fate::Created);
        assert_eq!(counts(), [2, 2, 1, 0, 1, 1]);
        assert_eq!(send(r#"{"m":"seq-000000002 seq-000000001"}"#, None), Fate::Created);
        assert_eq!(counts(), [3, 2, 1, 1, 1, 1]);
        assert!(tally.complete() && tally.missing(9).is_empty());
        assert_eq!(tally.arrival(1), 9);
    }

    #[test]
    fn a_split_event_has_both_its_ends() {
        let ends_of = [(0, [b"203.0.".to_vec(), b"537.36".to_vec()])].into();
        let expected = Expected { lines_of: vec![1], ends_of, ..Expected::default() };
        for (text, torn) in [
            (r#"{"m":"203.0.113.7 seq-000000000 Safari/537.36"}"#, 0),
            (r#"{"m":"203.0.113.7 seq-000000000"}"#, 1),
            (r#"{"m":"seq-000000000 Safari/537.36"}"#, 1),
        ] {
            let tally = Tally::new(&expected, Watch::default());
            tally.document(&Markers::default(), text.as_bytes(), None, 1);
            assert_eq!(tally.torn.load(Relaxed), torn, "{text}");
        }
    }

    #[test]
    fn a_trace_is_whole_with_and_without_a_last_line_feed_and_twice() {
        let expected = Expected { lines_of: vec![3], ..Expected::default() };
        for text in [
            r#"{"m":"seq-000000000\n\tat a\n\tat b"}"#,
            r#"{"m":"seq-000000000\n\tat a\n\tat b\n"}"#,
            r#"{"m":"seq-000000000\n\tat a\n\tat b","o":"seq-000000000\n\tat a\n\tat b"}"#,
        ] {
            let tally = Tally::new(&expected, Watch { whole: true, arrivals: false });
            tally.document(&Markers::default(), text.as_bytes(), None, 1);
            assert_eq!(tally.torn.load(Relaxed), 0, "{text}");
        }
    }
}

mod workload {
    use std::fs;
    use std::path::Path;

    use crate::race_workload::{Kind, Shape, Spec, write_file};

    fn text(kind: Kind, shape: Shape, seed: u64) -> Vec<u8> {
        let spec = Spec { kind, shape, kib: 256, files: 3, seed };
        let mut out = Vec::new();
        let mut number = 0;
        for file in 0..3 {
            number = write_file(&spec, file, number, &mut out).expect("memory takes it");
        }
        out
    }

    const KINDS: [Kind; 5] = [Kind::Nginx, Kind::Json, Kind::Java, Kind::Syslog, Kind::Mixed];
    const SHAPES: [Shape; 4] = [Shape::Default, Shape::Long, Shape::Short, Shape::Reordered];

    /// The bytes of a seed never change unnoticed: figures of two days would not compare.
    #[test]
    fn fingerprint() {
        let mut lines = String::new();
        for kind in KINDS {
            for shape in SHAPES {
                let sum = crc32fast::hash(&text(kind, shape, 7));
                lines.push_str(&format!("{} {shape:?} {sum:08x}\n", kind.name()));
            }
        }
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/race/workload/fingerprint.txt");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&golden, &lines).unwrap();
        }
        assert_eq!(lines, fs::read_to_string(golden).unwrap(), "raise VERSION and set UPDATE_EXPECT=1");
    }

    /// Every number is there once, from 0 on, in order.
    #[test]
    fn markers_are_dense() {
        for kind in KINDS {
            for shape in SHAPES {
                let text = text(kind, shape, 3);
                let mut next = 0;
                for at in memchr::memmem::find_iter(&text, b"seq-") {
                    let number: u32 = std::str::from_utf8(&text[at + 4..at + 13]).unwrap().parse().unwrap();
                    assert_eq!(number, next, "{kind:?} {shape:?}");
                    next += 1;
                }
                assert!(next > 50, "{kind:?} {shape:?}: {next}");
            }
        }
    }

    /// Another seed gives other bytes.
    #[test]
    fn seeds_differ() {
        assert_ne!(text(Kind::Nginx, Shape::Default, 1), text(Kind::Nginx, Shape::Default, 2));
    }
}
