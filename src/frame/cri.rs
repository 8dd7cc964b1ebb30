//! The envelope of a CRI log line: `<rfc3339nano> <stdout|stderr> <P|F[:tags]> <text>`.
//!
//! <https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md>

/// A line without its envelope. Offsets count from the start of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Length of the time stamp, which is in front.
    pub time: u8,
    /// 0 for `stdout`, 1 for `stderr`.
    pub lane: u8,
    /// Tag `P`: the text goes on in the lane's next line.
    pub partial: bool,
    /// Where the text begins.
    pub text: u32,
}

/// Shortest time stamp: `2006-01-02T15:04:05Z`.
const TIME_MIN: usize = 20;
/// Longest time stamp: nanoseconds and an offset.
const TIME_MAX: usize = 35;

/// Reads the envelope of a line (without separator); `None` where it is not one.
#[inline]
pub(super) fn parse(line: &[u8]) -> Option<Line> {
    let time = match line.get(30) {
        // Nanoseconds and `Z`, as every runtime writes it.
        Some(b' ') => 30,
        _ => (TIME_MIN..=TIME_MAX).find(|&at| line.get(at) == Some(&b' '))?,
    };
    let shape = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if !line.first()?.is_ascii_digit() || shape.iter().any(|&(at, byte)| line.get(at) != Some(&byte)) {
        return None;
    }
    let rest = line.get(time + 1..)?;
    let lane = match rest.get(..7)? {
        b"stdout " => 0,
        b"stderr " => 1,
        _ => return None,
    };
    let tags = rest.get(7..)?;
    let partial = match tags.first()? {
        b'P' => true,
        b'F' => false,
        _ => return None,
    };
    let tags_len = match tags.get(1) {
        None | Some(b' ') => 1,
        Some(b':') => memchr::memchr(b' ', tags).unwrap_or(tags.len()),
        Some(_) => return None,
    };
    let text = (time + 8 + tags_len + 1).min(line.len());
    Some(Line { time: time as u8, lane, partial, text: text as u32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes_are_told_from_other_lines() {
        let line = b"2016-10-06T00:17:09.669794202Z stderr P:a:b log content 1";
        assert_eq!(parse(line), Some(Line { time: 30, lane: 1, partial: true, text: 44 }));
        let line = b"2019-05-07T18:57:50.904275087+00:00 stdout F x";
        assert_eq!(parse(line), Some(Line { time: 35, lane: 0, partial: false, text: 45 }));
        let line = b"2016-10-06T00:17:09Z stdout F";
        assert_eq!(parse(line), Some(Line { time: 20, lane: 0, partial: false, text: 29 }));
        for other in [
            &b""[..],
            b"2016-10-06T00:17:09Z stdout",
            b"2016-10-06T00:17:09Z stdout X text",
            b"2016-10-06T00:17:09Z stdin F text",
            b"2016-10-06T00:17:09Z stdout Full text",
            b"2016/10/06 00:17:09Z stdout F text",
        ] {
            assert_eq!(parse(other), None);
        }
    }
}
