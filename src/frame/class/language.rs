//! The languages whose traces are known.

/// A language whose traces are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Language {
    /// Java, Kotlin, Scala and others on the JVM; also plainly indented lines behind a log line.
    Java,
    /// Python.
    Python,
    /// Go.
    Go,
    /// Ruby and Rails.
    Ruby,
    /// Node.js and V8.
    Node,
    /// .NET and Mono; also plainly indented lines behind a log line.
    Dotnet,
    /// Rust.
    Rust,
    /// PHP.
    Php,
    /// Dart.
    Dart,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Java,
        Self::Python,
        Self::Go,
        Self::Ruby,
        Self::Node,
        Self::Dotnet,
        Self::Rust,
        Self::Php,
        Self::Dart,
    ];

    /// The name of the preset.
    pub fn name(self) -> &'static str {
        match self {
            Self::Java => "java",
            Self::Python => "python",
            Self::Go => "go",
            Self::Ruby => "ruby",
            Self::Node => "node",
            Self::Dotnet => "dotnet",
            Self::Rust => "rust",
            Self::Php => "php",
            Self::Dart => "dart",
        }
    }

    /// The language of a preset.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.name() == name)
    }
}

/// A set of languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Languages(u16);

impl Languages {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self((1 << Language::ALL.len()) - 1);

    /// A set of some.
    pub(super) const fn of(languages: &[Language]) -> Self {
        let mut set = 0;
        let mut at = 0;
        while at < languages.len() {
            set |= 1 << languages[at] as u8;
            at += 1;
        }
        Self(set)
    }

    /// Both sets together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the sets share a language.
    #[inline]
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether indented lines behind a log line belong to it.
    pub(in crate::frame) fn indent(self) -> bool {
        self.meets(Self::of(&[Language::Java, Language::Dotnet]))
    }
}

impl From<Language> for Languages {
    fn from(language: Language) -> Self {
        Self::of(&[language])
    }
}
