//! Lines and what comes of them, as a table.

use std::sync::Arc;

use super::KIND;
use crate::event::{LayoutBuilder, Options, Row, write_object};
use crate::format::{Bind, Fields, Reference, commit};

fn parse(text: &str) -> Result<String, String> {
    let options = Options::default();
    let mut builder = LayoutBuilder::default();
    for field in (KIND.gives)(&options)?.fields {
        builder.add(&field.path);
    }
    let layout = Arc::new(builder.build());
    let mut constants = Vec::new();
    // 2024-07-01T00:00:00Z
    let reference = Reference::at(1_719_792_000_000_000_000);
    let format = (KIND.bind)(&mut Bind {
        layout: &layout,
        prefix: "",
        options: &options,
        constants: &mut constants,
        reference,
        wanted: crate::event::Mask::ALL,
    })?;
    let mut row = Row::new(layout, constants.into());
    let span = row.texts.push(text.as_bytes());
    let mut fields = Fields::new();
    format.parse(span, &mut row.texts, &mut fields).map_err(|mismatch| mismatch.to_string())?;
    commit(&mut row, &mut fields);
    let mut out = Vec::new();
    write_object(&row, &mut out);
    String::from_utf8(out).map_err(|error| error.to_string())
}

#[test]
fn lines_give_what_the_table_says() {
    for (text, expected) in [
        (
            "<34>Oct 11 22:14:15 gate su: 'su root' failed",
            r#"{"@timestamp":"2023-10-11T22:14:15.000Z","host":{"hostname":"gate"},"log":{"level":"critical","syslog":{"facility":{"code":4,"name":"auth"},"priority":34,"severity":{"code":2,"name":"Critical"}}},"message":"'su root' failed","process":{"name":"su"}}"#,
        ),
        (
            "May  6 07:08:09 gate sshd[12]: Accepted",
            r#"{"@timestamp":"2024-05-06T07:08:09.000Z","host":{"hostname":"gate"},"message":"Accepted","process":{"name":"sshd","pid":12}}"#,
        ),
        (
            "<189>29: *Mar  1 18:46:11.123 UTC: %SYS-5-CONFIG_I: Configured from console",
            r#"{"@timestamp":"2024-03-01T18:46:11.123Z","log":{"level":"notice","syslog":{"facility":{"code":23,"name":"local7"},"priority":189,"severity":{"code":5,"name":"Notice"}}},"message":"Configured from console","process":{"name":"%SYS-5-CONFIG_I"}}"#,
        ),
        (
            "2024-05-06T07:08:09.5+02:00 gate com.example.agent[1] (com.example.job): exited",
            r#"{"@timestamp":"2024-05-06T05:08:09.500Z","host":{"hostname":"gate"},"message":"exited","process":{"name":"com.example.agent","pid":1}}"#,
        ),
        (
            "May  6 07:08:09 gate last message repeated 2 times",
            r#"{"@timestamp":"2024-05-06T07:08:09.000Z","host":{"hostname":"gate"},"message":"last message repeated 2 times"}"#,
        ),
        (
            "<13>1 2024-05-06T07:08:09.003Z - app - - [a@1 k= \"x\\\"y\\]\" l =\"\"][b] \u{feff}caf\u{e9}",
            "{\"@timestamp\":\"2024-05-06T07:08:09.003Z\",\"log\":{\"level\":\"notice\",\"syslog\":{\"appname\":\"app\",\"facility\":{\"code\":1,\"name\":\"user\"},\"priority\":13,\"severity\":{\"code\":5,\"name\":\"Notice\"},\"structured_data\":{\"a@1\":{\"k\":\"x\\\"y]\",\"l\":\"\"}},\"version\":\"1\"}},\"message\":\"caf\u{e9}\",\"process\":{\"name\":\"app\"}}",
        ),
        (
            "2024-05-06T07:08:09.003Z gate NSX 3106 SWITCHING [a@1 k=\"v\"] entry created",
            r#"{"@timestamp":"2024-05-06T07:08:09.003Z","host":{"hostname":"gate"},"log":{"syslog":{"appname":"NSX","msgid":"SWITCHING","procid":"3106","structured_data":{"a@1":{"k":"v"}}}},"message":"entry created","process":{"name":"NSX","pid":3106}}"#,
        ),
        (
            "<13>only a text",
            r#"{"log":{"level":"notice","syslog":{"facility":{"code":1,"name":"user"},"priority":13,"severity":{"code":5,"name":"Notice"}}},"message":"only a text"}"#,
        ),
    ] {
        assert_eq!(parse(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_not_syslog_is_refused() {
    for text in [
        "",
        "hello",
        "<192>May  6 07:08:09 gate x",
        "<>x",
        "<-1>x",
        "May 32 07:08:09 gate x",
        "<13>1 2024 x y z - [a",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}
