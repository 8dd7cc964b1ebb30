//! Enrichers on values, a database written here, files that change, and a DNS server of this process.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::event::{LayoutBuilder, Mask, OptionValue, Options, Row, write_object};
use crate::format::{Reference, commit};
use crate::lookup::{Data, Held};
use crate::seam::RealFs;

/// An enricher alone: its fields in an event of their own.
struct Bench {
    enricher: Box<dyn Enricher>,
    row: Row,
    data: Data,
    held: Held,
}

impl Bench {
    fn new(name: &str, options: Vec<(&'static str, OptionValue)>) -> Result<Self, String> {
        let kind = kind(name).expect("an enricher");
        let options = Options::new(Vec::new(), options);
        let mut builder = LayoutBuilder::default();
        for field in (kind.gives)(&options)? {
            builder.add(&field.path);
        }
        let layout = Arc::new(builder.build());
        let (mut constants, mut data) = (Vec::new(), Data::default());
        let mut bind = Bind {
            layout: &layout,
            prefix: "",
            options: &options,
            constants: &mut constants,
            reference: Reference::default(),
            wanted: Mask::ALL,
        };
        let enricher = (kind.bind)(&mut bind, &mut data)?;
        let mut bench =
            Self { enricher, row: Row::new(layout, constants.into()), data, held: Held::default() };
        bench.meet();
        Ok(bench)
    }

    /// A batch is over, and a new one begins.
    fn meet(&mut self) {
        self.data.part(&mut self.held);
        self.data.meet(&mut self.held);
    }

    /// The fields for a text.
    fn of(&mut self, input: &str) -> serde_json::Value {
        self.row.clear();
        let span = self.row.texts.push(input.as_bytes());
        let mut fields = Fields::new();
        self.enricher.enrich(span, &mut self.row.texts, &mut fields, &mut self.held);
        commit(&mut self.row, &mut fields);
        let mut out = Vec::new();
        write_object(&self.row, &mut out);
        serde_json::from_slice(&out).expect("json")
    }
}

fn path(of: &Path) -> OptionValue {
    OptionValue::Path(of.to_string_lossy().into_owned())
}

/// Headers, and name, version, system with version, device.
const AGENTS: &[(&str, [&str; 5])] = &[
    (
        "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:124.0) Gecko/20100101 Firefox/124.0",
        ["Firefox", "124.0", "Ubuntu", "", "Other"],
    ),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4.1 Mobile/15E148 Safari/604.1",
        ["Mobile Safari", "17.4.1", "iOS", "17.4.1", "iPhone"],
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.3 Safari/605.1.15",
        ["Safari", "17.3", "Mac OS X", "10.15.7", "Mac"],
    ),
    (
        "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UD1A) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/123.0.6312.99 Mobile Safari/537.36",
        ["Chrome Mobile", "123.0.6312.99", "Android", "14", "Pixel 8"],
    ),
    (
        "Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko",
        ["IE", "11.0", "Windows", "7", "Other"],
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36 Edg/124.0.2478.51",
        ["Edge", "124.0.2478.51", "Windows", "10", "Other"],
    ),
    (
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        ["Googlebot", "2.1", "", "", "Spider"],
    ),
    ("Mozilla/5.0 (compatible; NewBot/3.2; +https://bot.example)", ["NewBot", "3.2", "", "", "Spider"]),
    ("curl/8.5.0", ["curl", "8.5.0", "", "", "Other"]),
    ("python-requests/2.31.0", ["Python Requests", "2.31.0", "", "", "Other"]),
    ("kube-probe/1.29", ["kube-probe", "1.29", "", "", "Other"]),
    ("something else", ["something", "", "", "", "Other"]),
];

#[test]
fn user_agents_are_told() {
    for (header, [name, version, os, os_version, device]) in AGENTS {
        let found = user_agent::read(header);
        let found = [&found.name, &found.version, &found.os, &found.os_version, &found.device];
        assert_eq!(found, [name, version, os, os_version, device], "{header}");
    }
}

proptest! {
    /// Nothing in a header, a name or a URL makes an enricher panic.
    #[test]
    fn nothing_panics(text in "(Mozilla/5.0 )?[(]?(Android|Windows NT|Mac OS X|bot|CrOS|https?://)?.{0,60}") {
        for name in ["useragent", "url", "domain", "reverse_dns"] {
            let options = if name == "reverse_dns" { vec![("server", OptionValue::Text("127.0.0.1:9".into()))] } else { Vec::new() };
            Bench::new(name, options).expect("binds").of(&text);
        }
    }
}

/// A value of a database (MaxMind DB 2.0, "Data Field Format"), of the kinds that are needed here.
fn data(value: &serde_json::Value, out: &mut Vec<u8>) {
    let control = |kind: u8, size: usize, out: &mut Vec<u8>| {
        // Sizes from 29 on take one more byte.
        out.push(if kind < 8 { kind << 5 } else { 0 } | size.min(29) as u8);
        if kind >= 8 {
            out.push(kind - 7);
        }
        if size >= 29 {
            out.push((size - 29) as u8);
        }
    };
    match value {
        serde_json::Value::String(text) => {
            control(2, text.len(), out);
            out.extend(text.as_bytes());
        }
        serde_json::Value::Number(number) => match number.as_u64() {
            Some(int) => {
                control(6, 4, out);
                out.extend((int as u32).to_be_bytes());
            }
            None => {
                control(3, 8, out);
                out.extend(number.as_f64().unwrap_or_default().to_be_bytes());
            }
        },
        serde_json::Value::Array(list) => {
            control(11, list.len(), out);
            list.iter().for_each(|value| data(value, out));
        }
        // Metadata have numbers of other widths.
        serde_json::Value::Object(one) if one.contains_key("u16") => {
            control(5, 2, out);
            out.extend((one["u16"].as_u64().unwrap_or_default() as u16).to_be_bytes());
        }
        serde_json::Value::Object(one) if one.contains_key("u64") => {
            control(9, 8, out);
            out.extend(one["u64"].as_u64().unwrap_or_default().to_be_bytes());
        }
        serde_json::Value::Object(members) => {
            control(7, members.len(), out);
            for (key, value) in members {
                data(&json!(key), out);
                data(value, out);
            }
        }
        _ => unreachable!("not needed"),
    }
}

/// A database of IPv4 networks.
fn database(networks: &[(Ipv4Addr, u32, serde_json::Value)]) -> Vec<u8> {
    /// Neither a node nor data.
    const NONE: i64 = -1;
    let (mut nodes, mut section) = (vec![[NONE; 2]], Vec::new());
    for (address, len, value) in networks {
        let offset = section.len() as i64;
        data(value, &mut section);
        let mut at = 0;
        for bit in 0..*len {
            let side = (u32::from(*address) >> (31 - bit) & 1) as usize;
            if bit + 1 == *len {
                // Data are told from nodes by being below `NONE`.
                nodes[at][side] = -2 - offset;
            } else {
                if nodes[at][side] < 0 {
                    nodes.push([NONE; 2]);
                    nodes[at][side] = nodes.len() as i64 - 1;
                }
                at = nodes[at][side] as usize;
            }
        }
    }
    let count = nodes.len() as i64;
    let mut out = Vec::new();
    for record in nodes.iter().flatten() {
        let value = match *record {
            NONE => count,
            node if node >= 0 => node,
            data => count + 16 + (-2 - data),
        };
        out.extend(&(value as u32).to_be_bytes()[1..]);
    }
    out.extend([0; 16]);
    out.extend(section);
    out.extend(b"\xab\xcd\xefMaxMind.com");
    let u16 = |value: u16| json!({ "u16": value });
    let metadata = json!({
        "binary_format_major_version": u16(2), "binary_format_minor_version": u16(0),
        "build_epoch": {"u64": 1_700_000_000}, "database_type": "Test", "description": {"en": "made by a test"},
        "ip_version": u16(4), "languages": ["en"], "node_count": count, "record_size": u16(24),
    });
    data(&metadata, &mut out);
    out
}

fn berlin(name: &str) -> serde_json::Value {
    json!({
        "city": {"names": {"de": "Berlin", "en": name}},
        "continent": {"code": "EU", "names": {"en": "Europe"}},
        "country": {"iso_code": "DE", "names": {"en": "Germany"}},
        "location": {"latitude": 52.5, "longitude": 13.4, "time_zone": "Europe/Berlin", "accuracy_radius": 20},
        "postal": {"code": "10115"},
        "subdivisions": [{"iso_code": "BE", "names": {"en": "Land Berlin"}}],
    })
}

const NET: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 0);

#[test]
fn addresses_have_a_place_and_a_network() {
    let folder = tempfile::tempdir().unwrap();
    let (city, asn) = (folder.path().join("city.mmdb"), folder.path().join("asn.mmdb"));
    std::fs::write(&city, database(&[(NET, 24, berlin("Berlin"))])).unwrap();
    let network = json!({"autonomous_system_number": 64500, "autonomous_system_organization": "Example Net"});
    std::fs::write(&asn, database(&[(NET, 25, network)])).unwrap();
    let mut geo = Bench::new("geoip", vec![("database", path(&city))]).unwrap();
    let expected = json!({"geo": {
        "city_name": "Berlin", "continent_code": "EU", "continent_name": "Europe", "country_iso_code": "DE",
        "country_name": "Germany", "location": {"lat": 52.5, "lon": 13.4}, "postal_code": "10115",
        "region_iso_code": "DE-BE", "region_name": "Land Berlin", "timezone": "Europe/Berlin",
    }});
    assert_eq!(geo.of("203.0.113.77"), expected);
    for unknown in ["198.51.100.1", "2001:db8::1", "no address", ""] {
        assert_eq!(geo.of(unknown), json!({}), "{unknown}");
    }
    let mut system = Bench::new("asn", vec![("database", path(&asn))]).unwrap();
    assert_eq!(
        system.of("203.0.113.1"),
        json!({"as": {"number": 64500, "organization": {"name": "Example Net"}}})
    );
    assert_eq!(system.of("203.0.113.200"), json!({}));
}

/// A batch that has begun keeps what it saw; the next has the new file; one that is broken changes nothing.
#[test]
fn a_changed_file_counts_from_the_next_batch_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("city.mmdb");
    let put = |bytes: &[u8]| {
        let aside = folder.path().join("aside");
        std::fs::write(&aside, bytes).unwrap();
        std::fs::rename(&aside, &file).unwrap();
    };
    put(&database(&[(NET, 24, berlin("Berlin"))]));
    let mut geo = Bench::new("geoip", vec![("database", path(&file))]).unwrap();
    let city = |geo: &mut Bench| geo.of("203.0.113.77")["geo"]["city_name"].clone();
    assert_eq!(geo.data.refresh(&RealFs), Vec::<String>::new());
    put(&database(&[(NET, 24, berlin("Potsdam"))]));
    assert_eq!(geo.data.refresh(&RealFs).len(), 1);
    assert_eq!(city(&mut geo), "Berlin");
    geo.meet();
    assert_eq!(city(&mut geo), "Potsdam");
    put(b"no database");
    let said = geo.data.refresh(&RealFs);
    assert!(said.len() == 1 && said[0].contains("what was read before is still used"), "{said:?}");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(geo.data.refresh(&RealFs), Vec::<String>::new());
    geo.meet();
    assert_eq!(city(&mut geo), "Potsdam");
}

#[test]
fn tables_are_csv_or_json() {
    let folder = tempfile::tempdir().unwrap();
    let tables = [
        ("hosts.csv", "host,owner,rack:id,spare\nweb-1,shop,17,\nweb-1,other,18,\n\"db 1\",data,4,x\n", ""),
        ("hosts.tsv", "host\towner\track:id\nweb-1\tshop\t17\n", ""),
        ("hosts.json", r#"[{"host":"web-1","owner":"shop","rack":{"id":17}}, {"host":"web-2"}]"#, "host"),
        ("hosts.ndjson", "{\"key\":\"web-1\",\"owner\":\"shop\",\"rack.id\":17}\n{\"key\":\"x\"}\n", ""),
    ];
    for (name, text, key) in tables {
        let file = folder.path().join(name);
        std::fs::write(&file, text.replace("rack:id", "rack.id")).unwrap();
        let columns = OptionValue::Texts(vec!["owner".into(), "rack.id:int".into()]);
        let key = OptionValue::Text(key.to_owned());
        let mut table =
            Bench::new("table", vec![("file", path(&file)), ("columns", columns), ("key", key)]).unwrap();
        assert_eq!(table.of("web-1"), json!({"owner": "shop", "rack": {"id": 17}}), "{name}");
        assert_eq!(table.of("web-9"), json!({}), "{name}");
    }
    let columns = || ("columns", OptionValue::Texts(vec!["owned".into()]));
    let fault = Bench::new("table", vec![("file", path(&folder.path().join("hosts.csv"))), columns()]).err();
    assert!(fault.unwrap().contains("there is no column `owned`; there are host, owner"));
    assert!(Bench::new("table", vec![("file", path(Path::new("/nowhere.csv"))), columns()]).is_err());
}

/// Answers so many questions: 203.0.113.7 is `web-1.example.org`, nothing else has a name.
fn server(socket: &UdpSocket, questions: usize) {
    for _ in 0..questions {
        let mut packet = [0; 512];
        let Ok((len, from)) = socket.recv_from(&mut packet) else { return };
        let mut answer = packet[..len].to_vec();
        answer[2] |= 0x80;
        if answer[12..].starts_with(b"\x017\x03113\x010\x03203\x07in-addr\x04arpa\0") {
            answer[7] = 1;
            // A pointer to the question's name, type PTR, class IN, a minute, and the name.
            answer.extend([0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 60, 0, 19]);
            answer.extend(b"\x05web-1\x07example\x03org\0");
        } else {
            answer[3] |= 3;
        }
        socket.send_to(&answer, from).unwrap();
    }
}

#[test]
fn no_event_waits_for_a_name() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let answering = std::thread::spawn(move || server(&socket, 2));
    let mut reverse = Bench::new("reverse_dns", vec![("server", OptionValue::Text(address))]).unwrap();
    let mut resolvers = reverse.data.resolvers();
    for unknown in ["203.0.113.7", "203.0.113.7", "203.0.113.8", "no address"] {
        assert_eq!(reverse.of(unknown), json!({}));
    }
    reverse.meet();
    let mut now = Duration::ZERO;
    for _ in 0..100 {
        reverse.data.resolve(&mut resolvers, now, Duration::from_millis(100));
        reverse.meet();
        if reverse.of("203.0.113.7") == json!({"domain": "web-1.example.org"}) {
            break;
        }
        now += Duration::from_millis(1);
    }
    assert_eq!(reverse.of("203.0.113.7"), json!({"domain": "web-1.example.org"}));
    assert_eq!(reverse.of("203.0.113.8"), json!({}));
    answering.join().unwrap();
    // Names are forgotten after a while, and asked for again.
    reverse.data.resolve(&mut resolvers, now + crate::limits::DNS_NAME_KEPT, Duration::ZERO);
    reverse.meet();
    assert_eq!(reverse.of("203.0.113.7"), json!({}));
}

#[test]
fn the_host_says_what_it_is() {
    let root = tempfile::tempdir().unwrap();
    let files = [
        ("proc/sys/kernel/hostname", "Node-7\n"),
        ("proc/sys/kernel/osrelease", "6.1.0\n"),
        ("etc/machine-id", "0123abcd\n"),
        ("etc/os-release", "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n"),
        (
            "run/cloud-init/instance-data.json",
            r#"{"v1":{"cloud_name":"aws","region":"eu-1","availability_zone":"eu-1a","instance_id":"i-1"}}"#,
        ),
    ];
    for (name, text) in files {
        let file = root.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let found = Bench::new("host", vec![("root", path(root.path()))]).unwrap().of("");
    let expected = json!({
        "host": {
            "name": "node-7", "hostname": "Node-7", "id": "0123abcd", "architecture": std::env::consts::ARCH,
            "os": {"type": "linux", "name": "Debian GNU/Linux", "version": "12", "kernel": "6.1.0"},
        },
        "cloud": {"provider": "aws", "region": "eu-1", "availability_zone": "eu-1a", "instance": {"id": "i-1"}},
    });
    assert_eq!(found, expected);
}

/// Every enricher says what it does, and no two have one name.
#[test]
fn every_enricher_is_listed_once_and_documented() {
    for (at, kind) in ENRICHERS.iter().enumerate() {
        let of = kind.signature;
        assert!(!of.summary.is_empty() && !of.doc.is_empty() && of.form.starts_with(of.name), "{}", of.name);
        assert!(ENRICHERS[..at].iter().all(|other| other.signature.name != of.name), "{}", of.name);
        assert!(kind.takes == of.form.contains("(.FIELD"), "{}", of.name);
    }
}
