//! Every code of an error or warning, and what it means. A code is never used for another thing.

use crate::diag::Code;

macro_rules! codes {
    ($($name:ident = $code:literal, $doc:literal;)*) => {
        $(#[doc = $doc] pub const $name: Code = Code($code);)*

        /// All codes with one line each, in order.
        pub const ALL: &[(Code, &str)] = &[$((Code($code), $doc),)*];
    };
}

codes! {
    // Reading the text.
    MORE = "E000", "more errors than are shown";
    UNEXPECTED_CHARACTER = "E001", "a character that no part of the language begins with";
    OPEN_TEXT = "E002", "a text or block that is not closed";
    ESCAPE = "E003", "a backslash before a letter that is no escape";
    NUMBER = "E004", "a number out of range or with an unknown unit";
    SLASHES = "E005", "`//` where a comment was meant";
    BLOCK = "E006", "a `\"\"\"` block whose lines or quotes stand wrong";
    SINGLE_QUOTE = "E007", "text in single quotes";
    FOREIGN_SIGN = "E008", "an operator or sign of another language";
    EMPTY_KEY = "E009", "a field path with an empty key";
    TOO_LARGE = "E010", "a pipeline file over the size limit";
    TOO_DEEP = "E011", "expressions or blocks nested too deep";
    // Structure.
    EXPECTED = "E020", "something else was expected here";
    UNKNOWN_ITEM = "E021", "a top-level item that is not one of the known";
    UNKNOWN_STEP = "E022", "a step that is not one of the known";
    ASSIGNMENT = "E023", "`=` where `==` was meant, or the other way round";
    CHAINED = "E024", "a comparison of a comparison";
    FIELD_DOT = "E025", "a field without its leading dot";
    REASON = "E026", "a drop or reject without its reason";
    PIPE = "E027", "a step without its `|`";
    CLOSING = "E028", "a bracket that is not closed";
    UNKNOWN_CLAUSE = "E029", "a test clause that is not one of the known";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_unique() {
        let mut sorted: Vec<_> = ALL.to_vec();
        sorted.sort();
        sorted.dedup_by_key(|(code, _)| *code);
        assert_eq!(sorted, ALL);
    }
}
