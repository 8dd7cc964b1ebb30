//! SQL injection: the value is read as the rest of a statement that it was put into.
//!
//! It is cut into SQL tokens (SQL-92 and what MySQL, PostgreSQL, SQL Server, Oracle and SQLite add) in each place that it
//! may have been put in: bare, in single quotes, in double quotes. In quotes, what stands before the first quote is text
//! and what stands behind it is what the attacker wants to be read. Signs are then looked for in the tokens, each with a
//! weight, and fused: what alone may be prose is an attack when three such signs stand together.

mod lex;
mod signs;
mod words;

use lex::Context;
pub(super) use lex::Token;
pub(super) use words::{is_catalog, plain};

use super::Sign;

/// Scores a text in lower case.
pub(super) fn score(text: &[u8], tokens: &mut Vec<Token>) -> Option<Sign> {
    // One mark and nothing else: somebody asks whether it is escaped.
    if matches!(text, b"'" | b"\"" | b"''" | b"\"\"" | b"``" | b"\\" | b"\\\\" | b";") {
        return Some(Sign { rule: "probe", score: 60, range: 0..text.len() });
    }
    if words::is_catalog(text) {
        return Some(Sign { rule: "catalog", score: 66, range: 0..text.len() });
    }
    let found = in_contexts(text, tokens);
    // A form's `+` that nobody made a blank.
    if memchr::memchr(b'+', text).is_none() || memchr::memchr(b' ', text).is_some() {
        return found;
    }
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let other = in_contexts(&spaced, tokens);
    if other.as_ref().map(|sign| sign.score) > found.as_ref().map(|sign| sign.score) { other } else { found }
}

fn in_contexts(text: &[u8], tokens: &mut Vec<Token>) -> Option<Sign> {
    let mut best: Option<Sign> = None;
    let has = |quote| memchr::memchr(quote, text).is_some();
    for (context, there) in
        [(Context::Bare, true), (Context::Quoted(b'\''), has(b'\'')), (Context::Quoted(b'"'), has(b'"'))]
    {
        if !there {
            continue;
        }
        tokens.clear();
        lex::tokens(text, context, tokens);
        let found = signs::fuse(text, tokens, context);
        if let Some(found) = found
            && best.as_ref().is_none_or(|best| best.score < found.score)
        {
            best = Some(found);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> u8 {
        score(text.to_ascii_lowercase().as_bytes(), &mut Vec::new()).map_or(0, |found| found.score)
    }

    #[test]
    fn injections_score_and_prose_does_not() {
        let attacks = [
            "1' OR '1'='1",
            "1 or 2=2",
            "x' UNION/**/SELECT NULL,version()-- -",
            "7; DROP TABLE orders",
            "admin'--",
            "a' AND SLEEP(5)#",
            "1) AND (SELECT 1 FROM dual)=1",
            "\" or \"\"=\"",
            "1;WAITFOR DELAY '0:0:9'",
            "(select(0)from(select(sleep(9)))v)",
            "5 /*!50000union*/ /*!50000select*/ 1",
            "' or 1 like 1 --",
            "x' and substr(user(),1,1)='r",
        ];
        attacks.iter().for_each(|text| assert!(of(text) >= 60, "{text}: {}", of(text)));
        let benign = [
            "O'Brien",
            "rue de l'orme",
            "rock 'n' roll and jazz",
            "the union of select committees",
            "select a colour",
            "5' 11\"",
            "black or white",
            "size=10 and more",
            "it's bob's or alice's",
            "2023-01-02 -- 2023-02-03",
            "C# and F#",
            "insert coin; update later",
            "salt & pepper (2 for 1)",
            "where is my order?",
            "drop me a line",
        ];
        benign.iter().for_each(|text| assert!(of(text) < 60, "{text}: {}", of(text)));
    }
}
