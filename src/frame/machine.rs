//! Does a line continue what is open? One step of a state machine over classes of lines, without their text.
//!
//! A state is what the open message expects. The answers: the line belongs to it; perhaps, and later lines will
//! tell (a blank line in a Go dump, a second line of an exception's message); or it begins something new.
//!
//! A frame such as `at x.y(z)` joins whatever line is before it: first lines of traces have no common form, frames do.

use super::class::Class;

/// What the open message is, and so what it expects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// A line of its own, until the next one says otherwise.
    #[default]
    Line,
    /// A log line.
    Header,
    /// A log line with indented lines behind it.
    HeaderMore,
    /// The first line of `java.util.logging`: its message is due.
    JulHead,
    /// A log line, and behind it what may be the first function of a Go trace.
    HeaderFunc,
    /// A message that nothing continues any more.
    End,
    /// An exception's first line: frames are due, perhaps after more lines of its message.
    Head,
    /// The same, written by a runtime: in Python, a traceback may follow.
    Uncaught,
    /// Frames of Java, Node, .NET.
    Frames,
    /// A blank line behind frames.
    FramesGap,
    /// A place in JavaScript: source, blank and exception are due.
    NodePlace,
    /// Inside a Python traceback.
    Python,
    /// Its last line was seen.
    PythonEnd,
    /// A blank line behind it.
    PythonGap,
    /// Lines behind it that may be part of its message.
    PythonLate,
    /// `During handling of …` was seen: a traceback is due.
    PythonChain,
    /// A logger's `stack_info`, an exception group.
    PythonStack,
    /// A panic: goroutines are due.
    GoHead,
    /// Goroutines.
    Go,
    /// A function's name: its file is due.
    GoFunc,
    /// The same, with nothing before it.
    GoFuncFirst,
    /// A blank line between goroutines.
    GoGap,
    /// A Ruby error's first line.
    RubyHead,
    /// Ruby frames.
    Ruby,
    /// A Rust panic whose message is due in the next line.
    RustMessage,
    /// A Rust panic: backtrace or note are due.
    RustTail,
    /// Lines behind a panic that may be part of its message.
    RustLate,
    /// A Rust backtrace.
    Rust,
    /// A PHP error: frames are due.
    PhpHead,
    /// Frames of PHP and Dart.
    Numbered,
    /// A blank line behind them.
    NumberedGap,
    /// `Unhandled exception:`: message and frames are due.
    DartHead,
    /// What a user's pattern began.
    Pattern,
    /// The same, where the last line says that the next belongs to it.
    PatternOpen,
}

/// Whether a line continues the open message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It does.
    Join(State),
    /// Later lines will tell.
    Maybe(State),
    /// It does, if the open message is a log line that reports it and traces are to be attached.
    Attach(State),
    /// It begins something new.
    Break,
}

use Verdict::{Attach, Break, Join, Maybe};

/// The state after a first line. `None` for a blank one, which begins nothing.
#[inline]
pub(super) fn first(class: Class) -> Option<State> {
    Some(match class {
        Class::Blank => return None,
        Class::Header | Class::JulLevel => State::Header,
        Class::JulHead => State::JulHead,
        Class::Exception | Class::Caused => State::Head,
        Class::Uncaught => State::Uncaught,
        Class::NodePlace => State::NodePlace,
        // The rest of a trace whose first lines are in the file before.
        Class::Frame => State::Frames,
        Class::RubyFrame => State::Ruby,
        Class::Traceback | Class::PyFile => State::Python,
        Class::PyStack => State::PythonStack,
        Class::GoPanic => State::GoHead,
        Class::Goroutine => State::Go,
        Class::GoFunc => State::GoFuncFirst,
        Class::RubyPlace => State::RubyHead,
        Class::RustPanic => State::RustTail,
        Class::RustPanicAt => State::RustMessage,
        Class::RustTrace => State::Rust,
        Class::PhpFatal => State::PhpHead,
        Class::PhpTrace => State::Numbered,
        Class::DartHead => State::DartHead,
        Class::Starts | Class::Continues => State::Pattern,
        Class::StartsOpen | Class::ContinuesOpen => State::PatternOpen,
        _ => State::Line,
    })
}

/// What a line of `class` means in `state`. `indent`: indented lines belong to the log line before them.
#[inline]
pub(super) fn next(state: State, class: Class, indent: bool) -> Verdict {
    // Nearly every line of a log without traces.
    if matches!(class, Class::Header | Class::Record | Class::JulHead) && state != State::RustMessage {
        return Break;
    }
    match state {
        State::End => Break,
        State::Line => frames(class),
        State::JulHead if class == Class::JulLevel => Join(State::Header),
        State::Header | State::HeaderMore | State::JulHead => header(state, class, indent),
        State::HeaderFunc => match class {
            Class::GoFile => Attach(State::Go),
            _ => Break,
        },
        State::PatternOpen => match class {
            Class::StartsOpen | Class::ContinuesOpen => Join(State::PatternOpen),
            _ => Join(State::Pattern),
        },
        State::Pattern => match class {
            Class::Continues => Join(State::Pattern),
            Class::ContinuesOpen => Join(State::PatternOpen),
            Class::Blank => Maybe(State::Pattern),
            _ => Break,
        },
        State::Head | State::Uncaught | State::Frames | State::FramesGap | State::NodePlace => {
            exception(state, class)
        }
        State::Python
        | State::PythonEnd
        | State::PythonGap
        | State::PythonLate
        | State::PythonChain
        | State::PythonStack => python(state, class),
        State::GoHead | State::Go | State::GoFunc | State::GoFuncFirst | State::GoGap => go(state, class),
        State::RubyHead | State::Ruby => ruby(state, class),
        State::RustMessage | State::RustTail | State::RustLate | State::Rust => rust(state, class),
        State::PhpHead | State::Numbered | State::NumberedGap | State::DartHead => numbered(state, class),
    }
}

/// Lines that are frames of a trace whatever the line before them was.
fn frames(class: Class) -> Verdict {
    match class {
        Class::Frame => Join(State::Frames),
        Class::RubyFrame => Join(State::Ruby),
        Class::PhpTrace => Join(State::Numbered),
        _ => Break,
    }
}

fn header(state: State, class: Class, indent: bool) -> Verdict {
    match class {
        Class::Exception | Class::Caused => Attach(State::Head),
        Class::Traceback => Attach(State::Python),
        Class::PyStack => Join(State::PythonStack),
        Class::PyDetail => Join(state),
        Class::Goroutine => Attach(State::Go),
        Class::GoFunc => Maybe(State::HeaderFunc),
        Class::RubyPlace => Attach(State::Ruby),
        Class::Numbered => Attach(State::Numbered),
        Class::RustTrace => Attach(State::Rust),
        Class::PhpNext => Attach(State::PhpHead),
        Class::Brace if state == State::HeaderMore => Join(State::End),
        Class::Indented | Class::GoFile | Class::PyFile if indent => Join(State::HeaderMore),
        _ => frames(class),
    }
}

fn exception(state: State, class: Class) -> Verdict {
    match (state, class) {
        (_, Class::Frame) => Join(State::Frames),
        (State::Uncaught, Class::Traceback) => Join(State::Python),
        (State::NodePlace, Class::Exception | Class::Uncaught) => Join(State::Head),
        (State::NodePlace, Class::NodeVersion) => Join(State::End),
        (State::NodePlace, Class::Plain | Class::Indented | Class::Blank | Class::Brace | Class::GoFunc) => {
            Maybe(State::NodePlace)
        }
        (State::NodePlace, _) => Break,
        (_, Class::Caused) => Join(State::Head),
        (_, Class::Causes) => Join(State::Rust),
        (_, Class::RustTrace) => Join(State::Rust),
        (State::Head | State::Uncaught, Class::Numbered) => Join(State::Numbered),
        (
            State::Head | State::Uncaught,
            Class::GoFunc | Class::GoFile | Class::Plain | Class::Indented | Class::Blank,
        ) => Maybe(state),
        (State::Frames, Class::Indented | Class::GoFile | Class::Brace) => Join(State::Frames),
        (State::Frames | State::FramesGap, Class::NodeVersion) => Join(State::End),
        (State::Frames | State::FramesGap, Class::Blank) => Maybe(State::FramesGap),
        _ => frames(class),
    }
}

fn python(state: State, class: Class) -> Verdict {
    match (state, class) {
        (State::Python | State::PythonEnd | State::PythonStack, Class::Indented | Class::PyFile) => {
            Join(state)
        }
        (
            State::Python | State::PythonStack,
            Class::Frame | Class::GoFile | Class::RubyFrame | Class::Caused,
        ) => Join(state),
        (State::Python, Class::Blank) => Maybe(state),
        // The last line is `Name: message`, but any name will do, and so will any text without indent.
        (State::Python, Class::Exception | Class::Plain | Class::GoFunc | Class::RubyPlace) => {
            Join(State::PythonEnd)
        }
        (State::PythonEnd, Class::PyDetail) => Join(state),
        (State::PythonEnd, Class::PyStack) => Join(State::PythonStack),
        (State::PythonEnd | State::PythonGap | State::PythonLate, Class::PyChain) => Join(State::PythonChain),
        (State::PythonEnd | State::PythonGap, Class::Blank) => Maybe(State::PythonGap),
        (
            State::PythonEnd | State::PythonLate,
            Class::Plain | Class::Indented | Class::Blank | Class::PyDetail,
        ) => Maybe(State::PythonLate),
        (State::PythonChain, Class::Blank) => Maybe(state),
        (State::PythonChain, Class::Traceback) => Join(State::Python),
        _ => Break,
    }
}

fn go(state: State, class: Class) -> Verdict {
    match (state, class) {
        (State::GoFuncFirst, Class::GoFile) => Join(State::Go),
        (State::GoFuncFirst, _) => frames(class),
        (_, Class::Goroutine) => Join(State::Go),
        (_, Class::GoExit) => Join(State::End),
        (State::GoHead, Class::GoSignal) => Join(state),
        (
            State::GoHead,
            Class::Blank
            | Class::Plain
            | Class::Indented
            | Class::GoPanic
            | Class::GoFunc
            | Class::GoFile
            | Class::Exception,
        ) => Maybe(state),
        (State::GoFunc | State::Go, Class::GoFile | Class::Indented) => Join(State::Go),
        (State::Go, Class::GoFunc) => Maybe(State::GoFunc),
        (State::Go | State::GoGap, Class::GoRegister) => Join(State::Go),
        (State::GoGap, Class::GoSignal) => Join(State::GoGap),
        (State::Go | State::GoGap, Class::Blank) => Maybe(State::GoGap),
        _ => Break,
    }
}

fn ruby(state: State, class: Class) -> Verdict {
    match (state, class) {
        (_, Class::RubyFrame | Class::RubyPlace) => Join(State::Ruby),
        (State::Ruby, Class::Indented) => Join(state),
        (State::RubyHead, Class::Plain | Class::Indented | Class::Blank) => Maybe(state),
        _ => Break,
    }
}

fn rust(state: State, class: Class) -> Verdict {
    match (state, class) {
        (State::RustMessage, Class::Blank) => Maybe(state),
        (State::RustMessage, _) => Join(State::RustTail),
        (_, Class::RustTrace) => Join(State::Rust),
        (_, Class::RustNote) => Join(State::End),
        (State::RustTail | State::Rust, Class::Indented | Class::Frame) => Join(state),
        (State::Rust, Class::Blank) => Maybe(state),
        (State::RustTail, Class::Plain | Class::Blank | Class::Exception) => Maybe(State::RustLate),
        (State::RustLate, Class::Plain | Class::Blank | Class::Indented | Class::Exception) => Maybe(state),
        _ => Break,
    }
}

fn numbered(state: State, class: Class) -> Verdict {
    match (state, class) {
        (_, Class::PhpTrace) => Join(State::Numbered),
        (State::PhpHead | State::DartHead | State::Numbered, Class::Numbered) => Join(State::Numbered),
        (State::DartHead, Class::Frame) => Join(State::Frames),
        (State::DartHead, Class::Exception | Class::Brace) => Maybe(state),
        (State::PhpHead | State::DartHead, Class::Plain | Class::Indented | Class::Blank | Class::GoFunc) => {
            Maybe(state)
        }
        (State::Numbered, Class::Indented | Class::DartGap) => Join(state),
        (State::Numbered, Class::Brace) => Join(State::End),
        (State::Numbered | State::NumberedGap, Class::PhpNext) => Join(State::PhpHead),
        (State::Numbered, Class::Blank) => Maybe(State::NumberedGap),
        _ => Break,
    }
}
