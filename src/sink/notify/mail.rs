//! A message about a group of alerts (RFC 5322): plain text that any reader shows, one thread for each group.

use std::time::{Duration, SystemTime};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, SinglePart};

use super::groups::Notice;
use super::payload::{Sender, common, rfc3339, title};
use crate::limits::NOTIFY_ALERTS_MAX;

/// Who writes to whom.
#[derive(Clone, Debug)]
pub(super) struct Letterhead {
    pub(super) from: Mailbox,
    pub(super) to: Vec<Mailbox>,
}

impl Letterhead {
    pub(super) fn new(from: &str, to: &[String]) -> Result<Self, String> {
        let mailbox = |text: &str| {
            text.trim().parse::<Mailbox>().map_err(|error| {
                format!("`{text}` is no mail address such as `Alerts <alerts@example.org>`: {error}")
            })
        };
        if to.is_empty() {
            return Err("`to` names nobody".into());
        }
        Ok(Self { from: mailbox(from)?, to: to.iter().map(|to| mailbox(to)).collect::<Result<_, _>>()? })
    }

    /// The envelope: header names and addresses, as a way to a relay takes them.
    pub(super) fn envelope(&self) -> Vec<(&'static str, String)> {
        let to = self.to.iter().map(|to| ("to", to.email.to_string()));
        std::iter::once(("from", self.from.email.to_string())).chain(to).collect()
    }
}

/// The message. `id` names it, the same however often it is sent.
pub(super) fn message(
    head: &Letterhead,
    sender: &Sender,
    notice: &Notice,
    id: &str,
    now_ns: i64,
) -> Result<Vec<u8>, String> {
    let domain = head.from.email.domain();
    let group = format!("<{}@{domain}>", sender.key(notice));
    let now = Duration::from_nanos(u64::try_from(now_ns).unwrap_or_default());
    let automatic = |name: &'static str, value: &str| {
        HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
    };
    let mut builder = Message::builder()
        .from(head.from.clone())
        .subject(title(notice))
        .date(SystemTime::UNIX_EPOCH + now)
        .message_id(Some(format!("<{id}@{domain}>")))
        // The group has no first message that all the others answer: they share one that nobody wrote.
        .in_reply_to(group.clone())
        .references(group)
        // Nobody is to be told that somebody is on holiday (RFC 3834).
        .raw_header(automatic("Auto-Submitted", "auto-generated"))
        .raw_header(automatic("X-Auto-Response-Suppress", "All"));
    for to in &head.to {
        builder = builder.to(to.clone());
    }
    let message = builder.singlepart(SinglePart::plain(text(notice))).map_err(|error| error.to_string())?;
    Ok(message.formatted())
}

fn text(notice: &Notice) -> String {
    let state = if notice.resolved { "Over" } else { "Firing" };
    let mut lines = vec![
        format!("{state}: {} alerts, {}", notice.count(), notice.severity.name()),
        format!("First {}, last {}", rfc3339(notice.first_ns), rfc3339(notice.last_ns)),
    ];
    let shared = common(notice);
    lines.extend(shared.iter().map(|(name, value)| format!("{name}: {value}")));
    for alert in notice.alerts.iter().take(NOTIFY_ALERTS_MAX) {
        lines.push(String::new());
        lines.push(format!("{} [{}] {}", rfc3339(alert.time_ns), alert.severity.name(), alert.rule));
        lines.push(alert.summary.clone());
        let own = alert.labels.iter().filter(|(name, _)| !shared.contains_key(*name));
        lines.extend(own.map(|(name, value)| format!("  {name}: {value}")));
        lines.push(format!("  id: {}", alert.id));
    }
    if notice.more > 0 {
        lines.push(String::new());
        lines.push(format!("and {} more", notice.more));
    }
    lines.join("\r\n") + "\r\n"
}
