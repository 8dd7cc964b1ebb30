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
    // Names.
    NAME_TWICE = "E101", "two things of the same kind with one name";
    UNKNOWN_KIND = "E102", "a kind of source or sink that there is not";
    UNKNOWN_SOURCE = "E103", "a source that the file does not name";
    UNKNOWN_SINK = "E104", "a sink that the file does not name";
    UNKNOWN_FRAGMENT = "E105", "a fragment that the file does not name";
    UNKNOWN_FORMAT = "E106", "a format or grammar that there is not";
    UNKNOWN_FUNCTION = "E107", "a function that there is not";
    UNKNOWN_OPTION = "E108", "an option that the component does not have";
    UNKNOWN_WORD = "E109", "a word that is no constant";
    SAME_TAG = "E110", "two pipelines whose names give event ids the same tag";
    UNKNOWN_ENRICHER = "E111", "an enricher that there is not";
    UNKNOWN_DETECTOR = "E112", "a detector that there is not";
    UNKNOWN_CLASS = "E113", "a class of secrets or personal data that there is not";
    // Shape.
    NO_SOURCE = "E120", "a pipeline that reads nothing";
    NO_SINK = "E121", "a pipeline that sends to no sink";
    FRAGMENT_CYCLE = "E122", "a fragment that uses itself";
    UNREACHABLE = "E123", "steps that no event reaches (warning)";
    UNUSED = "E124", "a source or sink that no pipeline uses (warning)";
    TOO_MANY_FIELDS = "E125", "a pipeline that names too many fields";
    TOO_MANY_STEPS = "E126", "a pipeline with too many steps, those of its fragments counted";
    UNROLL = "E127", "a second `unroll`, or one in a branch";
    SENT_UNREDACTED = "E128", "an event that is sent before it is redacted, or a redacted field that is sent with the text it was taken from";
    NO_ALERTS = "E129", "`alerts to` in a pipeline that raises none";
    // Values.
    NOT_CONSTANT = "E140", "a value that must be known before any event is seen";
    WRONG_OPTION = "E141", "an option with a value that it does not take";
    MISSING_OPTION = "E142", "an option that must be given";
    NO_VARIABLE = "E143", "an environment variable that is not set and has no default";
    NO_SECRET = "E144", "a secret that cannot be read";
    // Types.
    UNKNOWN_FIELD = "E201", "a field that cannot be there";
    WRONG_TYPE = "E202", "a value of a type that makes no sense here";
    MAYBE_MISSING = "E203", "a value that may be missing where one is needed";
    WRONG_CALL = "E204", "a call with arguments that the function does not take";
    WRONG_CONSTANT = "E205", "a pattern, network, zone or table that is wrong";
    DIVISION = "E206", "a division by zero";
    MIXED_TYPES = "E207", "a field to which two formats or branches give different types, used as if it had one";
    WHOLE_EVENT = "E208", "a step that would replace or move the event itself";
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
