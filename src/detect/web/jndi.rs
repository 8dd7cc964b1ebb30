//! Lookups that Log4j 2 resolves in what it logs: `${jndi:ldap://…}`, however it is nested.
//!
//! The value is read as Log4j's substitutor reads it: `${prefix:key:-default}`, innermost first, with the lookups that
//! give back letters (`lower`, `upper`, a default) resolved, until nothing changes or a bound is reached. What then
//! begins with `jndi:` is one.

use std::ops::Range;

use super::words;

/// Bytes that a resolved lookup is kept to: longer ones say nothing more.
const OUTPUT_BYTES_MAX: usize = 256;
/// How deep lookups are nested.
const DEPTH_MAX: usize = 16;

/// The range of the first lookup that asks for a name over the network.
pub(super) fn lookup(value: &[u8]) -> Option<Range<usize>> {
    let first = words::find(value, b"${")?;
    // Open lookups: where they began, and their text so far.
    let mut open: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut at = first;
    while let Some(&byte) = value.get(at) {
        if byte == b'$' && value.get(at + 1) == Some(&b'{') {
            if open.len() < DEPTH_MAX {
                open.push((at, Vec::new()));
            }
            at += 2;
            continue;
        }
        if let Some((start, text)) = open.last_mut() {
            if byte == b'}' {
                let (start, text) = (*start, std::mem::take(text));
                if is_jndi(&text) {
                    return Some(start..at + 1);
                }
                open.pop();
                if let Some((_, outer)) = open.last_mut() {
                    let resolved = resolve(&text);
                    outer.extend(resolved.iter().take(OUTPUT_BYTES_MAX.saturating_sub(outer.len())));
                }
            } else if text.len() < OUTPUT_BYTES_MAX {
                text.push(byte);
            }
        }
        at += 1;
    }
    // A line that was cut still shows what was asked.
    open.into_iter().find(|(_, text)| is_jndi(text)).map(|(start, _)| start..value.len())
}

/// A lookup that is put together in ways that [`lookup`] does not follow: the word behind a dollar.
pub(super) fn disguised(value: &[u8]) -> Option<super::Sign> {
    let at = words::find(value, b"jndi:")?;
    let before = &value[..at];
    let dollar = memchr::memrchr(b'$', before)?;
    let near = at - dollar <= OUTPUT_BYTES_MAX
        && memchr::memchr(b'{', &before[dollar..]).or(words::find(&before[dollar..], b"%7b")).is_some();
    near.then_some(super::Sign { rule: "lookup", score: 92, range: dollar..value.len() })
}

fn is_jndi(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    text.len() > 5 && text[..5].eq_ignore_ascii_case(b"jndi:")
}

/// What a lookup gives that needs nothing from outside.
fn resolve(text: &[u8]) -> Vec<u8> {
    let prefix = memchr::memchr(b':', text).map_or(&[][..], |at| &text[..at]);
    let rest = text.get(prefix.len() + 1..).unwrap_or_default();
    match prefix.to_ascii_lowercase().as_slice() {
        b"lower" => rest.to_ascii_lowercase(),
        b"upper" => rest.to_ascii_uppercase(),
        // `date` writes letters in quotes as they are.
        b"date" => rest.iter().copied().filter(|byte| *byte != b'\'').collect(),
        b"base64" => data_encoding::BASE64.decode(rest).unwrap_or_default(),
        _ => match words::find(text, b":-") {
            Some(at) => text[at + 2..].to_vec(),
            None => Vec::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_lookups_are_resolved() {
        let yes = [
            "${jndi:ldap://a/b}",
            "x ${${lower:j}ndi:dns://a}",
            "${${::-j}${::-n}${::-d}${::-i}:rmi://a}",
            "${${env:NOTHING:-j}ndi${env:NOTHING:-:}${env:NOTHING:-l}dap://a}",
            "${j${${upper:a}:-n}di:x}",
            "${${date:'j'}ndi:ldap://a/b}",
            "${jndi:ldap://cut",
            "${${base64:am5kaQ==}:ldap://a}",
        ];
        yes.iter().for_each(|text| assert!(lookup(text.as_bytes()).is_some(), "{text}"));
        let no =
            ["${date:yyyy}", "jndi:ldap://a", "${}", "$ {jndi:x}", "${JAVA_HOME}/bin", "${${${", "}}}${"];
        no.iter().for_each(|text| assert!(lookup(text.as_bytes()).is_none(), "{text}"));
    }
}
