//! What kind of line is this? Decided by its first byte first, then by literals; regardless of the lines around.
//!
//! In: a line's text. Out: a [`Class`]. Whether lines belong together is [`super::machine`]'s business.

mod indented;
mod language;
mod plain;
mod word;

pub use language::{Language, Languages};

/// How much of a line is looked at, in bytes. The same for whole lines and for lines in partials, so that the
/// answer does not depend on how a runtime split them.
pub(super) const LOOK_BYTES: usize = 1024;

/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Nothing at all.
    Blank,
    /// Text that says nothing of what it is.
    Plain,
    /// The same, behind spaces or tabs.
    Indented,
    /// Begins as log lines do: a digit (time stamp), a month, a level, a bracket.
    Header,
    /// The first line of `java.util.logging`: time, class, method, without a message.
    JulHead,
    /// Its second: `INFO: …`
    JulLevel,
    /// A JSON object: never part of a trace.
    Record,
    /// A closing brace and little more.
    Brace,
    /// `java.io.IOException: …`, `Error: …`, `KeyError: …`, `NoMethodError (…):`
    Exception,
    /// `Exception in thread …`, `Unhandled exception. …`: what a runtime writes itself, not a logger.
    Uncaught,
    /// `Caused by: …`, `Suppressed: …`
    Caused,
    /// `Caused by:` with nothing behind it.
    Causes,
    /// `at x.y(z)`, `... 23 more`, `--- End of …`, ` ---> …`
    Frame,
    /// `/app/x.js:3`, `node:internal/x:3`
    NodePlace,
    /// `Node.js v20.1.0`
    NodeVersion,
    /// `Traceback (most recent call last):`
    Traceback,
    /// `Stack (most recent call last):`, and exception groups: nothing but indented lines follows.
    PyStack,
    /// `  File "x.py", line 3`
    PyFile,
    /// `During handling of the above exception, …`
    PyChain,
    /// Lines that database libraries add to a message.
    PyDetail,
    /// `panic: …`, `fatal error: …`
    GoPanic,
    /// `[signal SIGSEGV: …`
    GoSignal,
    /// `goroutine 1 [running]:`
    Goroutine,
    /// `main.main()`, `created by main.main`
    GoFunc,
    /// Tab, then `x.go:3`
    GoFile,
    /// `rax    0x0`
    GoRegister,
    /// `exit status 2`
    GoExit,
    /// `x.rb:3:in 'f'…`
    RubyPlace,
    /// The same indented, or behind `from`.
    RubyFrame,
    /// `thread 'main' panicked at …`, with the message in the line.
    RustPanic,
    /// The same, with the message in the next line.
    RustPanicAt,
    /// `stack backtrace:`
    RustTrace,
    /// `note: …`
    RustNote,
    /// `PHP Fatal error:  Uncaught …`
    PhpFatal,
    /// `Stack trace:`, `[stacktrace]`
    PhpTrace,
    /// `Next Exception: …`
    PhpNext,
    /// `#0 …`
    Numbered,
    /// `Unhandled exception:`
    DartHead,
    /// `<asynchronous suspension>`
    DartGap,
    /// A line that a user's pattern puts behind the one before it.
    Continues,
    /// The same, and the next line belongs to it.
    ContinuesOpen,
    /// A line that a user's pattern puts first.
    Starts,
    /// The same, and the next line belongs to it.
    StartsOpen,
}

/// The class of a line, given which languages are looked for.
#[inline]
pub(super) fn classify(line: &[u8], languages: Languages) -> Class {
    crate::event::work::count(1 + line.len().min(LOOK_BYTES));
    // Most lines of most logs: a time stamp.
    if line.first().is_some_and(u8::is_ascii_digit) {
        return Class::Header;
    }
    let line = line.get(..LOOK_BYTES).unwrap_or(line);
    let class = match line.first() {
        None => Class::Blank,
        Some(b' ' | b'\t') => indented::classify(line),
        Some(_) => plain::classify(line),
    };
    if class.languages().meets(languages) {
        class
    } else if matches!(line.first(), Some(b' ' | b'\t')) {
        Class::Indented
    } else {
        Class::Plain
    }
}

impl Class {
    /// Whose traces have such lines.
    fn languages(self) -> Languages {
        use Language::{Dart, Dotnet, Go, Java, Node, Php, Python, Ruby, Rust};
        match self {
            Self::Exception => Languages::of(&[Java, Node, Dotnet, Python, Ruby, Php, Rust, Dart]),
            Self::Uncaught => Languages::of(&[Java, Python, Node, Dotnet]),
            Self::Caused => Languages::of(&[Java]),
            Self::Causes | Self::RustPanic | Self::RustPanicAt | Self::RustTrace | Self::RustNote => {
                Rust.into()
            }
            Self::Frame => Languages::of(&[Java, Node, Dotnet]),
            Self::NodePlace | Self::NodeVersion => Node.into(),
            Self::Traceback | Self::PyStack | Self::PyFile | Self::PyChain | Self::PyDetail => Python.into(),
            Self::GoPanic
            | Self::GoSignal
            | Self::Goroutine
            | Self::GoFunc
            | Self::GoFile
            | Self::GoRegister
            | Self::GoExit => Go.into(),
            Self::RubyPlace | Self::RubyFrame => Ruby.into(),
            Self::PhpFatal | Self::PhpTrace | Self::PhpNext => Php.into(),
            Self::Numbered => Languages::of(&[Php, Dart]),
            Self::DartHead => Languages::of(&[Dart, Dotnet]),
            Self::DartGap => Dart.into(),
            Self::Blank
            | Self::Plain
            | Self::Indented
            | Self::Header
            | Self::JulHead
            | Self::JulLevel
            | Self::Record
            | Self::Brace
            | Self::Continues
            | Self::ContinuesOpen
            | Self::Starts
            | Self::StartsOpen => Languages::ALL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_known_by_themselves() {
        for (line, class) in [
            ("", Class::Blank),
            ("2024-05-01 12:00:00 INFO x", Class::Header),
            ("Jul 09, 2015 3:23:29 PM x", Class::Header),
            ("Mon Dec  5 x", Class::Header),
            ("ERROR:root:x", Class::Header),
            ("E0102 15:04:05.1 1 x.go:1] y", Class::Header),
            ("time=\"2024\" level=info", Class::Header),
            ("fail: Microsoft.X[13]", Class::Header),
            ("<34>1 x", Class::Header),
            ("[notice] x", Class::Header),
            ("{\"a\":1}", Class::Record),
            ("This arbitrary text.", Class::Plain),
            ("Error handling is hard", Class::Plain),
            ("java.io.IOException: x", Class::Exception),
            ("com.x.MyServletException", Class::Exception),
            ("Exception in thread \"main\" java.lang.X: y", Class::Uncaught),
            ("ReferenceError: myArray is not defined", Class::Exception),
            ("MergeMappingException[Merge failed]", Class::Exception),
            ("Unhandled exception. System.X: y", Class::Uncaught),
            ("Nov 23, 2026 1:11:39 PM com.x.NightlyBatch main", Class::JulHead),
            ("SEVERE: row 16", Class::JulLevel),
            (" NoMethodError (undefined method `x' for #<Y>):", Class::Exception),
            ("Caused by: x", Class::Caused),
            ("Caused by:", Class::Causes),
            ("\tSuppressed: x", Class::Caused),
            ("\tat com.x.Y.z(Y.java:1)", Class::Frame),
            ("    at /app/app.js:52:3", Class::Frame),
            ("    at new X (native)", Class::Frame),
            ("  eval at Foo.a (eval at Bar.z (m.js:10:3))", Class::Frame),
            ("   at A.B.<C>d__2.MoveNext() in c:/x.cs:line 31", Class::Frame),
            ("    ... 27 common frames omitted", Class::Frame),
            ("--- End of stack trace from previous location ---", Class::Frame),
            (" ---> System.X: y", Class::Frame),
            ("  at the beginning of the day", Class::Indented),
            ("  x: 1", Class::Indented),
            ("/app/x.js:3", Class::NodePlace),
            ("node:internal/modules/cjs/loader:1080", Class::NodePlace),
            ("Node.js v20.1.0", Class::NodeVersion),
            ("panic: my panic", Class::GoPanic),
            ("goroutine 4 [running]:", Class::Goroutine),
            ("main.main.func1(0xc420024120)", Class::GoFunc),
            ("net/http.(*conn).serve(0xc00007eaa0, 0x12f10a0)", Class::GoFunc),
            ("panic({0x1, 0x2})", Class::GoFunc),
            ("created by main.main in goroutine 1", Class::GoFunc),
            ("\t/usr/local/go/src/runtime/panic.go:542 +0x46c", Class::GoFile),
            ("rax    0x0", Class::GoRegister),
            ("exit status 2", Class::GoExit),
            ("/app/config/routes.rb:6:in `/': divided by 0 (ZeroDivisionError)", Class::RubyPlace),
            ("x.rb:6:in 'Integer#/': divided by 0 (ZeroDivisionError)", Class::RubyPlace),
            ("\tfrom x.rb:1:in `<main>'", Class::RubyFrame),
            ("  app/x.rb:69:in `y'", Class::RubyFrame),
            ("thread 'main' panicked at 'x', src/main.rs:2:5", Class::RustPanic),
            ("thread 'main' panicked at src/main.rs:2:5:", Class::RustPanicAt),
            ("stack backtrace:", Class::RustTrace),
            ("note: run with `RUST_BACKTRACE=1`", Class::RustNote),
            ("PHP Fatal error:  Uncaught Exception: x in /y.php:3", Class::PhpFatal),
            ("Stack trace:", Class::PhpTrace),
            ("#12 /x.php(3): f()", Class::Numbered),
            ("  File \"x.py\", line 3, in f", Class::PyFile),
            ("Traceback (most recent call last):", Class::Traceback),
        ] {
            assert_eq!(classify(line.as_bytes(), Languages::ALL), class, "{line}");
        }
    }

    #[test]
    fn other_languages_are_not_looked_for() {
        let go = Languages::from(Language::Go);
        assert_eq!(classify(b"  at com.x.Y.z(Y.java:1)", go), Class::Indented);
        assert_eq!(classify(b"Traceback (most recent call last):", go), Class::Plain);
        assert_eq!(classify(b"panic: x", go), Class::GoPanic);
    }
}
