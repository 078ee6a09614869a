//! The four languages as data: how each writes the same few things.
//!
//! Operators read these tables; none of them asks which language it is in when a table can answer.

use tree_sitter::Language;

/// A language whose syntax trees can be mutated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Lang {
    /// Python 3.
    Python,
    /// Rust.
    Rust,
    /// JavaScript, with JSX.
    JavaScript,
    /// TypeScript.
    TypeScript,
    /// TypeScript with JSX.
    Tsx,
}

/// How a language writes things.
pub(super) struct Words {
    pub(super) and: &'static str,
    pub(super) or: &'static str,
    pub(super) not: &'static str,
    pub(super) yes: &'static str,
    pub(super) no: &'static str,
    pub(super) null: &'static str,
    /// Equality and inequality.
    pub(super) eq: &'static str,
    pub(super) ne: &'static str,
    /// Comparison operators, each a candidate for each other.
    pub(super) compare: &'static [&'static str],
    /// Arithmetic and bitwise operators.
    pub(super) arith: &'static [&'static str],
    /// Augmented assignments.
    pub(super) augmented: &'static [&'static str],
    /// Ends a simple statement.
    pub(super) end: &'static str,
    /// Whether blocks are braces rather than indentation.
    pub(super) braces: bool,
    /// What a method's own object is called.
    pub(super) this: &'static str,
    /// Literals that stand for nothing, most common first.
    pub(super) empties: &'static [&'static str],
}

const PYTHON: Words = Words {
    and: "and",
    or: "or",
    not: "not ",
    yes: "True",
    no: "False",
    null: "None",
    eq: "==",
    ne: "!=",
    compare: &["<", "<=", ">", ">=", "==", "!=", "in", "not in", "is", "is not"],
    arith: &["+", "-", "*", "//", "/", "%", "**", "&", "|", "^", "<<", ">>"],
    augmented: &["+=", "-=", "*=", "//=", "/=", "%=", "**=", "&=", "|=", "^=", "<<=", ">>=", "="],
    end: "",
    braces: false,
    this: "self",
    empties: &["[]", "{}", "\"\"", "()", "set()"],
};

const RUST: Words = Words {
    and: "&&",
    or: "||",
    not: "!",
    yes: "true",
    no: "false",
    null: "None",
    eq: "==",
    ne: "!=",
    compare: &["<", "<=", ">", ">=", "==", "!="],
    arith: &["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"],
    augmented: &["+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>=", "="],
    end: ";",
    braces: true,
    this: "self",
    empties: &["Vec::new()", "String::new()", "vec![]", "None", "\"\""],
};

const JAVASCRIPT: Words = Words {
    and: "&&",
    or: "||",
    not: "!",
    yes: "true",
    no: "false",
    null: "null",
    eq: "===",
    ne: "!==",
    compare: &["<", "<=", ">", ">=", "===", "!==", "==", "!="],
    arith: &["+", "-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>", ">>>"],
    augmented: &["+=", "-=", "*=", "/=", "%=", "**=", "&=", "|=", "^=", "<<=", ">>=", ">>>=", "="],
    end: ";",
    braces: true,
    this: "this",
    empties: &["[]", "{}", "\"\"", "undefined", "new Set()", "new Map()"],
};

impl Lang {
    /// The language of a file, by its extension.
    pub(crate) fn of(extension: &str) -> Option<Lang> {
        Some(match extension {
            "py" | "pyi" => Lang::Python,
            "rs" => Lang::Rust,
            "js" | "mjs" | "cjs" | "jsx" => Lang::JavaScript,
            "ts" | "mts" | "cts" => Lang::TypeScript,
            "tsx" => Lang::Tsx,
            _ => return None,
        })
    }

    /// Its grammar.
    pub(crate) fn grammar(self) -> Language {
        match self {
            Lang::Python => tree_sitter_python::LANGUAGE.into(),
            Lang::Rust => tree_sitter_rust::LANGUAGE.into(),
            Lang::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
            Lang::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            Lang::Tsx => tree_sitter_typescript::LANGUAGE_TSX.into(),
        }
    }

    /// Its words.
    pub(super) fn words(self) -> &'static Words {
        match self {
            Lang::Python => &PYTHON,
            Lang::Rust => &RUST,
            Lang::JavaScript | Lang::TypeScript | Lang::Tsx => &JAVASCRIPT,
        }
    }

    /// Length of a collection.
    pub(super) fn len_of(self, x: &str) -> String {
        match self {
            Lang::Python => format!("len({x})"),
            Lang::Rust => format!("{x}.len()"),
            _ => format!("{x}.length"),
        }
    }

    /// Whether a collection is empty.
    pub(super) fn is_empty(self, x: &str) -> String {
        match self {
            Lang::Python => format!("not {x}"),
            Lang::Rust => format!("{x}.is_empty()"),
            _ => format!("{x}.length === 0"),
        }
    }

    /// Whether a value is absent.
    pub(super) fn is_null(self, x: &str) -> String {
        match self {
            Lang::Python => format!("{x} is None"),
            Lang::Rust => format!("{x}.is_none()"),
            _ => format!("{x} === null"),
        }
    }

    /// The greater (`max`) or lesser (`min`) of two.
    pub(super) fn extreme(self, which: &str, a: &str, b: &str) -> String {
        match self {
            Lang::Python => format!("{which}({a}, {b})"),
            Lang::Rust => format!("{a}.{which}({b})"),
            _ => format!("Math.{which}({a}, {b})"),
        }
    }

    /// Whether `x` is in the collection `xs`.
    pub(super) fn member(self, x: &str, xs: &str) -> String {
        match self {
            Lang::Python => format!("{x} in {xs}"),
            Lang::Rust => format!("{xs}.contains(&{x})"),
            _ => format!("{xs}.has({x})"),
        }
    }

    /// A call of one argument that is written around an expression: its text before and after.
    pub(super) fn wrappers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Lang::Python => &[
                ("len(", ")"),
                ("abs(", ")"),
                ("sorted(", ")"),
                ("list(", ")"),
                ("int(", ")"),
                ("str(", ")"),
                ("set(", ")"),
                ("reversed(", ")"),
                ("sum(", ")"),
                ("max(", ")"),
                ("min(", ")"),
                ("range(", ")"),
                ("tuple(", ")"),
                ("float(", ")"),
                ("enumerate(", ")"),
                ("bool(", ")"),
                ("ord(", ")"),
                ("chr(", ")"),
                ("dict(", ")"),
                ("round(", ")"),
                ("iter(", ")"),
            ],
            Lang::Rust => &[("Some(", ")"), ("Ok(", ")"), ("Err(", ")"), ("&", ""), ("*", ""), ("&mut ", "")],
            _ => &[
                ("Math.floor(", ")"),
                ("Math.abs(", ")"),
                ("Number(", ")"),
                ("String(", ")"),
                ("Math.ceil(", ")"),
                ("Math.sqrt(", ")"),
                ("Math.trunc(", ")"),
                ("Math.round(", ")"),
                ("parseInt(", ", 10)"),
                ("Array.from(", ")"),
                ("[...", "]"),
                ("new Set(", ")"),
                ("Object.keys(", ")"),
            ],
        }
    }

    /// A method call or attribute that is written after an expression.
    pub(super) fn suffixes(self) -> &'static [&'static str] {
        match self {
            Lang::Python => &[
                ".lower()",
                ".strip()",
                ".copy()",
                ".items()",
                ".split()",
                ".keys()",
                ".values()",
                ".upper()",
                "[::-1]",
                ".rstrip()",
                ".lstrip()",
                ".pop()",
                ".get()",
            ],
            Lang::Rust => &[
                ".clone()",
                ".abs()",
                ".rev()",
                ".len()",
                ".unwrap()",
                ".unwrap_or(0)",
                ".unwrap_or_default()",
                ".trim()",
                ".to_lowercase()",
                ".is_some()",
                ".to_ascii_lowercase()",
                ".to_string()",
                ".sqrt()",
                ".skip(1)",
                ".enumerate()",
                ".is_alphanumeric()",
            ],
            _ => &[
                ".length",
                ".toLowerCase()",
                ".trim()",
                ".slice()",
                ".reverse()",
                ".sort((a, b) => a - b)",
                ".size",
                ".toUpperCase()",
                ".join(\"\")",
                ".split(\"\")",
                ".pop()",
                ".shift()",
                ".slice(1)",
                ".flat()",
            ],
        }
    }

    /// Names that programs take for one another; each row's members stand for each other.
    pub(super) fn kin(self) -> &'static [&'static [&'static str]] {
        match self {
            Lang::Python => &[
                &["append", "extend", "add", "insert", "appendleft"],
                &["pop", "popleft", "remove"],
                &["pop", "clear"],
                &["any", "all"],
                &["min", "max", "sum", "abs"],
                &["add", "update", "discard", "remove"],
                &["left", "right"],
                &["keys", "values", "items"],
                &["lower", "upper", "title", "capitalize", "casefold", "swapcase"],
                &["find", "index", "rfind", "rindex"],
                &["strip", "lstrip", "rstrip"],
                &["startswith", "endswith"],
                &["isdigit", "isalpha", "isalnum", "isspace", "isupper", "islower"],
                &["split", "rsplit", "splitlines", "partition"],
                &["partition", "rpartition"],
                &["removeprefix", "removesuffix"],
                &["ljust", "rjust", "center", "zfill"],
                &["union", "intersection", "difference", "symmetric_difference", "issubset", "issuperset"],
                &["update", "setdefault"],
                &["get", "pop", "setdefault"],
                &["heappush", "heappop", "heapify", "heappushpop", "heapreplace"],
                &["bisect_left", "bisect_right", "bisect", "insort"],
                &["floor", "ceil", "trunc", "round"],
                &["sorted", "reversed", "list", "set", "tuple"],
                &["range", "enumerate", "len"],
                &["int", "float", "str", "round", "bool"],
                &["ord", "chr"],
                &["next", "prev", "previous"],
                &["head", "tail"],
                &["first", "last"],
                &["first", "second"],
                &["start", "end", "stop"],
                &["low", "high"],
                &["x", "y", "z"],
                &["count", "index"],
                &["combinations", "permutations", "product", "combinations_with_replacement"],
                &["sort", "reverse"],
                &["row", "col"],
                &["rows", "cols"],
                &["width", "height"],
                &["zip", "zip_longest"],
                &[
                    "ValueError",
                    "TypeError",
                    "KeyError",
                    "IndexError",
                    "ZeroDivisionError",
                    "Exception",
                    "StopIteration",
                ],
            ],
            Lang::Rust => &[
                &["push", "extend", "push_str", "insert", "push_back", "push_front"],
                &["pop", "pop_front", "pop_back", "remove"],
                &["pop", "clear"],
                &["any", "all"],
                &["min", "max"],
                &["min_by_key", "max_by_key"],
                &["is_some", "is_none"],
                &["is_ok", "is_err"],
                &["Some", "Ok", "Err"],
                &["left", "right"],
                &["keys", "values", "iter", "into_iter", "iter_mut"],
                &["to_lowercase", "to_uppercase"],
                &["to_ascii_lowercase", "to_ascii_uppercase"],
                &["find", "rfind", "position", "rposition"],
                &["trim", "trim_start", "trim_end"],
                &["starts_with", "ends_with"],
                &["is_alphabetic", "is_numeric", "is_alphanumeric", "is_whitespace", "is_uppercase", "is_lowercase"],
                &["is_ascii_digit", "is_ascii_alphabetic", "is_ascii_alphanumeric", "is_ascii_punctuation"],
                &["wrapping_add", "wrapping_sub", "wrapping_mul"],
                &["checked_add", "checked_sub", "checked_mul"],
                &["saturating_add", "saturating_sub", "saturating_mul"],
                &["sum", "product", "count", "max", "min"],
                &["first", "last"],
                &["skip", "take", "step_by", "nth"],
                &["skip_while", "take_while", "filter"],
                &["unwrap_or", "max", "min"],
                &["chunks", "windows"],
                &["floor", "ceil", "round", "trunc"],
                &["sort", "reverse", "sort_unstable"],
                &["front", "back"],
                &["start", "end"],
                &["low", "high"],
                &["row", "col"],
                &["rows", "cols"],
                &["count_ones", "count_zeros", "leading_zeros", "trailing_zeros"],
                &["Less", "Greater", "Equal"],
                &["next", "prev"],
                &["head", "tail"],
                &["usize", "isize", "i32", "i64", "u32", "u64"],
                &["split", "split_whitespace", "chars", "bytes", "lines"],
            ],
            _ => &[
                &["push", "unshift", "concat"],
                &["pop", "shift"],
                &["some", "every"],
                &["min", "max"],
                &["floor", "ceil", "round", "trunc"],
                &["left", "right"],
                &["keys", "values", "entries"],
                &["toLowerCase", "toUpperCase"],
                &["indexOf", "lastIndexOf"],
                &["find", "findIndex", "filter", "some"],
                &["findLast", "findLastIndex"],
                &["slice", "splice", "substring", "substr"],
                &["trim", "trimStart", "trimEnd"],
                &["startsWith", "endsWith", "includes"],
                &["has", "get", "delete", "includes"],
                &["add", "delete", "set"],
                &["map", "filter", "forEach", "flatMap"],
                &["reduce", "reduceRight"],
                &["padStart", "padEnd"],
                &["length", "size"],
                &["parseInt", "parseFloat", "Number"],
                &["next", "prev", "previous"],
                &["head", "tail"],
                &["first", "last"],
                &["start", "end"],
                &["low", "high"],
                &["x", "y", "z"],
                &["row", "col"],
                &["rows", "cols"],
                &["width", "height"],
                &["charAt", "charCodeAt", "codePointAt"],
                &["isNaN", "isInteger", "isFinite"],
                &["sort", "reverse"],
                &["Set", "Map", "Array"],
                &["const", "let"],
            ],
        }
    }
}
