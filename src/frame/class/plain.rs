//! Lines that do not begin with a space or a digit.

use memchr::memmem;

use super::Class;
use super::word::{exception_name, is_node_place, is_ruby_place, number_then, run};

/// Lines known by the words in front, by first byte.
const STARTS: &[(&[u8], Class)] = &[
    (b"Traceback (most recent call last):", Class::Traceback),
    (b"Stack (most recent call last):", Class::PyStack),
    (b"The above exception was the direct cause", Class::PyChain),
    (b"During handling of the above exception", Class::PyChain),
    (b"Caused by: ", Class::Caused),
    (b"Suppressed: ", Class::Caused),
    (b"Exception in thread ", Class::Uncaught),
    (b"Exception ignored in", Class::Uncaught),
    (b"Unhandled exception. ", Class::Uncaught),
    (b"Uncaught ", Class::Uncaught),
    (b"Unhandled exception:", Class::DartHead),
    (b"Unhandled Exception:", Class::DartHead),
    (b"Node.js v", Class::NodeVersion),
    (b"panic: ", Class::GoPanic),
    (b"fatal error: ", Class::GoPanic),
    (b"unexpected fault address ", Class::GoPanic),
    (b"runtime: goroutine stack exceeds ", Class::GoPanic),
    (b"SIGQUIT: quit", Class::GoPanic),
    (b"SIGSEGV: segmentation", Class::GoPanic),
    (b"SIGABRT: abort", Class::GoPanic),
    (b"runtime stack:", Class::Goroutine),
    (b"created by ", Class::GoFunc),
    (b"stack backtrace:", Class::RustTrace),
    (b"Stack backtrace:", Class::RustTrace),
    (b"note: ", Class::RustNote),
    (b"PHP Fatal error:  Uncaught ", Class::PhpFatal),
    (b"Fatal error: Uncaught ", Class::PhpFatal),
    (b"PHP Stack trace:", Class::PhpTrace),
    (b"Stack trace:", Class::PhpTrace),
    (b"[stacktrace]", Class::PhpTrace),
    (b"[previous exception]", Class::PhpNext),
    (b"[signal ", Class::GoSignal),
    (b"[SQL: ", Class::PyDetail),
    (b"[parameters: ", Class::PyDetail),
    (b"future: <", Class::PyDetail),
    (b"handle: <", Class::PyDetail),
    (b"SEVERE: ", Class::JulLevel),
    (b"WARNING: ", Class::JulLevel),
    (b"INFO: ", Class::JulLevel),
    (b"CONFIG: ", Class::JulLevel),
    (b"FINE: ", Class::JulLevel),
    (b"FINER: ", Class::JulLevel),
    (b"FINEST: ", Class::JulLevel),
    (b"(Background on this error at: ", Class::PyDetail),
    (b"--- End of ", Class::Frame),
    (b"---> ", Class::Frame),
    (b"...additional frames elided", Class::GoFunc),
    (b"<asynchronous suspension>", Class::DartGap),
];

/// Levels and other words that log lines begin with.
const HEADERS: &[&[u8]] = &[
    b"ERROR",
    b"WARN",
    b"INFO",
    b"DEBUG",
    b"FATAL",
    b"CRIT",
    b"TRACE",
    b"SEVERE",
    b"NOTICE",
    b"ALERT",
    b"EMERG",
    b"time=",
    b"ts=",
    b"level=",
    b"lvl=",
    b"timestamp=",
    b"fail: ",
    b"info: ",
    b"warn: ",
    b"crit: ",
    b"dbug: ",
    b"trce: ",
];

const MONTHS_AND_DAYS: &[&[u8]] = &[
    b"Jan ", b"Feb ", b"Mar ", b"Apr ", b"May ", b"Jun ", b"Jul ", b"Aug ", b"Sep ", b"Oct ", b"Nov ",
    b"Dec ", b"Mon ", b"Tue ", b"Wed ", b"Thu ", b"Fri ", b"Sat ", b"Sun ",
];

pub(super) fn classify(line: &[u8]) -> Class {
    let Some(&first) = line.first() else { return Class::Blank };
    if let Some((_, class)) =
        STARTS.iter().find(|(start, _)| start.first() == Some(&first) && line.starts_with(start))
    {
        return *class;
    }
    match first {
        b'[' => Class::Header,
        b'<' if line.get(1).is_some_and(u8::is_ascii_digit) => Class::Header,
        b'{' if line.get(1) == Some(&b'"') => Class::Record,
        b'}' | b'"' if line.trim_ascii_end().len() <= 2 && line.contains(&b'}') => Class::Brace,
        b'#' if line.get(1..).is_some_and(|rest| number_then(rest, b" ")) => Class::Numbered,
        b'.' if line.strip_prefix(b"... ").is_some_and(|rest| number_then(rest, b" ")) => Class::Frame,
        b'/' | b'.' => place(line).unwrap_or(Class::Plain),
        byte if byte.is_ascii_alphabetic() || byte == b'_' => letter(line),
        _ => Class::Plain,
    }
}

fn place(line: &[u8]) -> Option<Class> {
    if is_ruby_place(line) {
        Some(Class::RubyPlace)
    } else if is_node_place(line) {
        Some(Class::NodePlace)
    } else {
        None
    }
}

fn letter(line: &[u8]) -> Class {
    if is_header(line) {
        return if is_jul_head(line) { Class::JulHead } else { Class::Header };
    }
    if let Some(len) = exception_name(line)
        && let Some(behind) = line.get(len..)
        && (behind.is_empty() || behind.starts_with(b":") || behind.starts_with(b"[") || is_quoted(behind))
    {
        return Class::Exception;
    }
    let known = match line.first() {
        Some(b'C') => (line.trim_ascii_end() == b"Caused by:").then_some(Class::Causes),
        Some(b'P') => line.strip_prefix(b"PHP ").and_then(numbered),
        Some(b'N') => line.strip_prefix(b"Next ").and_then(exception_name).map(|_| Class::PhpNext),
        Some(b'g') => goroutine(line),
        Some(b'e') => line
            .strip_prefix(b"exit status ")
            .is_some_and(|rest| number_then(rest, b""))
            .then_some(Class::GoExit),
        Some(b't') => rust_panic(line),
        _ => None,
    };
    known.or_else(|| place(line)).or_else(|| go(line)).unwrap_or(Class::Plain)
}

/// `StandardError (msg):` as Rails logs it, and `Error ("x")`.
fn is_quoted(behind: &[u8]) -> bool {
    behind.starts_with(b" (") && (behind.ends_with(b"):") || behind.ends_with(b")"))
}

fn is_header(line: &[u8]) -> bool {
    let stamp = |rest: &[u8]| rest.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b' ');
    let month = |rest: &[u8]| stamp(rest) || MONTHS_AND_DAYS.iter().any(|name| rest.starts_with(name));
    MONTHS_AND_DAYS.iter().any(|name| line.strip_prefix(*name).is_some_and(month))
        || HEADERS.iter().any(|start| line.starts_with(start))
        // klog: `E0102 15:04:05`; Ruby: `E, [2024-…`
        || (matches!(line.first(), Some(b'I' | b'W' | b'E' | b'F' | b'D' | b'A'))
            && (line.get(1..5).is_some_and(|rest| rest.iter().all(u8::is_ascii_digit))
                || line.get(1..4) == Some(b", [")))
}

/// `Nov 23, 2026 1:11:39 PM com.example.shop.NightlyBatch main`: the layout that `java.util.logging` has by itself.
fn is_jul_head(line: &[u8]) -> bool {
    let behind = |half: &[u8]| memmem::find(line, half).and_then(|at| line.get(at + half.len()..));
    line.get(6) == Some(&b',')
        && behind(b" AM ").or_else(|| behind(b" PM ")).is_some_and(|name| {
            name.contains(&b' ')
                && name.iter().all(|&byte| byte.is_ascii_graphic() && byte != b':' || byte == b' ')
        })
}

/// `PHP   1. {main}() /x.php:0`
fn numbered(rest: &[u8]) -> Option<Class> {
    number_then(rest.trim_ascii_start(), b". ").then_some(Class::Numbered)
}

fn goroutine(line: &[u8]) -> Option<Class> {
    let rest = line.strip_prefix(b"goroutine ")?;
    (number_then(rest, b" ") && rest.contains(&b'[')).then_some(Class::Goroutine)
}

/// `thread 'main' panicked at …`
fn rust_panic(line: &[u8]) -> Option<Class> {
    line.strip_prefix(b"thread '")?;
    memmem::find(line, b" panicked at ")?;
    Some(if line.trim_ascii_end().ends_with(b":") { Class::RustPanicAt } else { Class::RustPanic })
}

/// `main.main()`, `net/http.(*conn).serve(0x1, 0x2)`, `main.run` (zap), `rax  0x0`.
fn go(line: &[u8]) -> Option<Class> {
    let word = run(line, |byte| !matches!(byte, b' ' | b'\t'));
    let (name, behind) = line.split_at(word);
    if behind.first() == Some(&b' ') && name.len() <= 6 && behind.trim_ascii_start().starts_with(b"0x") {
        return Some(Class::GoRegister);
    }
    let call =
        name.contains(&b'(') && line.ends_with(b")") && (name.contains(&b'.') || name.starts_with(b"panic("));
    let bare = behind.is_empty() && name.contains(&b'.') && !name.ends_with(b".") && !name.contains(&b':');
    (call || bare).then_some(Class::GoFunc)
}
