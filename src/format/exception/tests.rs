use super::*;

/// Type and message of every language's traces.
#[test]
fn errors_are_named() {
    for (text, kind, message) in [
        (
            "Exception in thread \"main\" java.lang.IllegalStateException: no cart\n\tat shop.Cart.open(Cart.java:7)\nCaused by: java.io.IOException: gone\n\t... 2 more",
            "java.lang.IllegalStateException",
            "no cart",
        ),
        (
            "Servlet.service() threw\njava.lang.NullPointerException\n\tat shop.Cart.open(Cart.java:7)",
            "java.lang.NullPointerException",
            "",
        ),
        (
            "order 7 failed: java.io.IOException: disk\nis full\n\tat shop.Cart.open(Cart.java:7)",
            "java.io.IOException",
            "disk\nis full",
        ),
        (
            "x\norg.apache.kafka.common.errors.Problem: late\n\tSuppressed: java.lang.X: y\n\tat a.B.c(D.java:1)",
            "org.apache.kafka.common.errors.Problem",
            "late",
        ),
        (
            "Traceback (most recent call last):\n  File \"x.py\", line 1, in f\n    return 1 / 0\nZeroDivisionError: division by zero",
            "ZeroDivisionError",
            "division by zero",
        ),
        (
            "failed\nTraceback (most recent call last):\n  File \"x.py\", line 1\nKeyError: 7\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"x.py\", line 9\napp.Late: it got\nworse",
            "app.Late",
            "it got\nworse",
        ),
        (
            "  + Exception Group Traceback (most recent call last):\n  |   File \"g.py\", line 2\n  | ExceptionGroup: two (2 sub-exceptions)\n  +-+---------------- 1 ----------------\n    | ValueError: 1",
            "ExceptionGroup",
            "two (2 sub-exceptions)",
        ),
        (
            "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/x.go:3 +0x1",
            "panic",
            "runtime error: index out of range [5] with length 3",
        ),
        (
            "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [select (no cases)]:\nmain.main()",
            "fatal error",
            "all goroutines are asleep - deadlock!",
        ),
        (
            "2024/05/06 07:08:09 http: panic serving 192.0.2.1:5: boom\ngoroutine 4 [running]:\nmain.f()\n\t/app/x.go:3",
            "panic",
            "boom",
        ),
        (
            "x.rb:6:in 'Integer#/': divided by 0 (ZeroDivisionError)\n\tfrom x.rb:6:in '<main>'",
            "ZeroDivisionError",
            "divided by 0",
        ),
        (
            "divided by 0 (ZeroDivisionError)\n/app/x.rb:6:in `/'\n/app/x.rb:9:in `<main>'",
            "ZeroDivisionError",
            "divided by 0",
        ),
        (
            "NoMethodError (undefined method `x' for nil):\n  \n  app/x.rb:69:in `y'",
            "NoMethodError",
            "undefined method `x' for nil",
        ),
        (
            "/app/x.js:3\n  throw e;\n  ^\n\nTypeError [ERR_INVALID_ARG_TYPE]: not a text\n    at f (/app/x.js:3:9)\n    at node:internal/main:1:1",
            "TypeError",
            "not a text",
        ),
        ("Uncaught RangeError: too long\n    at new Cart (/app/x.js:3:9)", "RangeError", "too long"),
        (
            "Unhandled exception. System.AggregateException: One or more errors occurred. (a)\n ---> System.InvalidOperationException: a\n   at A.B.<C>d__2.MoveNext() in c:/x.cs:line 31\n   --- End of inner exception stack trace ---",
            "System.AggregateException",
            "One or more errors occurred. (a)",
        ),
        (
            "System.Exception: outer ---> System.IO.IOException: inner\n   at A.B.C(String x)",
            "System.Exception",
            "outer",
        ),
        (
            "thread 'main' panicked at src/main.rs:2:5:\nindex out of bounds\nstack backtrace:\n   0: rust_begin_unwind",
            "panic",
            "index out of bounds",
        ),
        (
            "thread 'main' panicked at 'no cart', src/main.rs:2:5\nnote: run with `RUST_BACKTRACE=1`",
            "panic",
            "no cart",
        ),
        ("Error: cannot open\n\nCaused by:\n    No such file", "Error", "cannot open"),
        (
            "PHP Fatal error:  Uncaught DivisionByZeroError: Division by zero in /a.php:16\nStack trace:\n#0 /a.php(16): f()\n#1 {main}\n\nNext Shop\\StockException: no price for A-1 in /a.php:18\nStack trace:\n#0 {main}\n  thrown in /a.php on line 18",
            "Shop\\StockException",
            "no price for A-1",
        ),
        (
            "local.ERROR: no cart {\"exception\":\"[object] (RuntimeException(code: 0): no cart at /a.php:16)\n[stacktrace]\n#0 /a.php(7): f()\n\"}",
            "RuntimeException",
            "no cart",
        ),
        (
            "Unhandled exception:\nFormatException: Invalid number\n#0      main (file:///x.dart:3:5)",
            "FormatException",
            "Invalid number",
        ),
    ] {
        let found = find(text.as_bytes()).ok_or(text).expect("a trace");
        assert_eq!(found.kind.and_then(|kind| text.get(kind)), Some(kind), "{text}");
        let told = found.message.and_then(|message| text.get(message));
        assert_eq!(told.unwrap_or_default(), message, "{text}");
        assert_eq!(found.trace.end, text.len(), "{text}");
    }
}

#[test]
fn other_texts_have_none() {
    for text in [
        "java.io.IOException: one line",
        "two lines\nof prose at the end (of it)",
        "duplicate key\nDETAIL:  Key (id)=(7) already exists.\nSTATEMENT:  INSERT INTO x",
        "a list\n  at noon\n  at night",
        "\n",
        "",
    ] {
        assert_eq!(find(text.as_bytes()), None, "{text}");
    }
}

/// Whatever the bytes, nothing panics and ranges are in order.
#[test]
fn ranges_lie_within_the_text() {
    let pieces = [
        "\n",
        "\tat a.B(C.java:1)",
        "Error: ",
        "Error",
        "panic: ",
        "goroutine 1 [running]:",
        "x.rb:3:in 'f'",
        " (X)",
        "Stack trace:",
        "Traceback (most recent call last):",
        "thread 'm' panicked at ",
        "'",
        "', ",
        "#0 ",
        "Uncaught ",
        " in ",
        "é",
        "[object] (",
        "  | ",
        "  + Exception Group Traceback (most",
        "[stacktrace]",
        "): ",
        "(",
        " ---> ",
        "Next ",
    ];
    let mut seed = 7u32;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..9 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text += pieces[(seed >> 16) as usize % pieces.len()];
        }
        if let Some(found) = find(text.as_bytes()) {
            for range in [found.kind, found.message, Some(found.trace)].into_iter().flatten() {
                assert!(range.start <= range.end && range.end <= text.len(), "{range:?} of {text:?}");
            }
        }
    }
}
