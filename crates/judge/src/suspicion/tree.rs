//! A text's syntax tree in one shape for all languages, comments left out.
//!
//! The grammars name the same things differently; here they are folded into one [`Kind`] with fixed slots, so that a rule is
//! written once. Leaves carry their text; nothing borrows the source.

use super::language::Language;

/// Index of a node.
pub(super) type Id = usize;

/// What a node is, whatever the language.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// `op`: the name.
    Name,
    /// `op`: the text without quotes.
    Str,
    /// A text with values in it.
    Template,
    /// `op`: as written.
    Num,
    /// `op`: `true` or `false`.
    Bool,
    Null,
    /// `a(kids)`.
    Call,
    /// `a.op`.
    Member,
    /// `a[b]`.
    Index,
    List,
    /// An object, a dictionary, a struct; `kids` are pairs.
    Dict,
    /// `a: b`.
    Pair,
    /// `a op b` that is true or false.
    Compare,
    /// `a op b`, `op` being `and` or `or`.
    Logic,
    Not,
    /// `a op b` on values.
    Binary,
    /// `op a`.
    Unary,
    /// `b if a else c`.
    Choice,
    /// Parameters in `kids`, `b` the body or the value.
    Lambda,
    /// `a for …`.
    Comp,
    /// `a in b`, of a comprehension.
    CompFor,
    /// `op = b` among arguments.
    Keyword,
    /// `a op b`.
    Assign,
    /// `a` is the value.
    Return,
    /// `a` is what is raised.
    Raise,
    /// `a` is the condition.
    Assert,
    /// `a` the condition, `b` then, `c` else.
    If,
    /// `a` the target, `b` what is gone through, `c` the body.
    Loop,
    /// `b` the body, `kids` the handlers, `c` what comes finally.
    Try,
    /// `a` what is caught, `b` the body.
    Handler,
    /// `kids` what is entered, `b` the body.
    With,
    /// `op` the name, `kids` parameters, `b` the body, `marks` decorators and attributes.
    Function,
    /// `op` the name, `kids` what it is made from, `b` the body; a Rust `impl` too.
    Class,
    /// `op` the name, `b` a default.
    Param,
    /// `a` the subject, `kids` the cases.
    Match,
    /// `a` the pattern, `b` the body, `c` a guard; without `a` the default.
    Case,
    /// `a` is the value, where it has one (Rust).
    Block,
    Import,
    Pass,
    /// A name that is taken from outside (`global`, `nonlocal`); `op` the names, by blanks.
    Outer,
    /// A definition of a macro; `op` the name.
    Macro,
    Other,
}

/// One node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Line, from 1.
    pub(super) line: usize,
    pub(super) parent: Id,
    pub(super) children: Vec<Id>,
    pub(super) a: Option<Id>,
    pub(super) b: Option<Id>,
    pub(super) c: Option<Id>,
    pub(super) kids: Vec<Id>,
    pub(super) op: String,
    pub(super) marks: Vec<Id>,
}

/// A folded text.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) language: Language,
    pub(super) nodes: Vec<Node>,
    /// Names that imports bind, with the dotted path that each stands for.
    pub(super) imports: Vec<(String, String)>,
}

impl Code {
    pub(super) fn at(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    pub(super) fn is(&self, id: Id, kind: Kind) -> bool {
        self.nodes[id].kind == kind
    }

    pub(super) fn ids(&self) -> std::ops::Range<Id> {
        0..self.nodes.len()
    }

    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = Id> {
        self.ids().filter(move |id| self.nodes[*id].kind == kind)
    }

    /// The node and all beneath it, in order.
    pub(super) fn under(&self, id: Id) -> Vec<Id> {
        let mut out = Vec::new();
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            out.push(id);
            open.extend(self.nodes[id].children.iter().rev());
        }
        out
    }

    /// What is around a node, nearest first.
    pub(super) fn around(&self, id: Id) -> impl Iterator<Item = Id> {
        let mut at = id;
        std::iter::from_fn(move || {
            let up = self.nodes[at].parent;
            let more = up != at;
            at = up;
            more.then_some(up)
        })
    }

    /// The function or lambda that a node is in.
    pub(super) fn function(&self, id: Id) -> Option<Id> {
        self.around(id).find(|up| matches!(self.at(*up).kind, Kind::Function | Kind::Lambda))
    }

    /// The name of a function, or of what a lambda is assigned to.
    pub(super) fn name_of(&self, function: Id) -> &str {
        let node = self.at(function);
        if node.kind == Kind::Function {
            return &node.op;
        }
        let up = self.at(node.parent);
        let holds = matches!(up.kind, Kind::Assign | Kind::Pair) && up.b == Some(function);
        up.a.filter(|_| holds).map_or("", |target| &self.at(target).op)
    }

    /// Functions, and lambdas that have a name.
    pub(super) fn functions(&self) -> impl Iterator<Item = Id> {
        self.ids()
            .filter(|id| self.is(*id, Kind::Function) || (self.is(*id, Kind::Lambda) && !self.name_of(*id).is_empty()))
    }

    /// The names of a function's parameters, without `self`.
    pub(super) fn params(&self, function: Id) -> Vec<&str> {
        let kids = self.at(function).kids.iter();
        let mut names: Vec<&str> = Vec::new();
        for kid in kids {
            let node = self.at(*kid);
            if node.op.is_empty() {
                names.extend(
                    self.under(*kid).into_iter().filter(|n| self.is(*n, Kind::Name)).map(|n| self.at(n).op.as_str()),
                );
            } else {
                names.push(&node.op);
            }
        }
        names.retain(|name| !matches!(*name, "self" | "cls" | "this" | "_"));
        names
    }

    /// Whether a name is used beneath a node.
    pub(super) fn uses(&self, id: Id, name: &str) -> bool {
        self.under(id).into_iter().any(|n| self.is(n, Kind::Name) && self.at(n).op == name)
    }

    /// The values that a function returns, those of functions within it aside. A bare `return` has none.
    pub(super) fn values(&self, function: Id) -> Vec<Id> {
        let Some(body) = self.at(function).b else { return Vec::new() };
        let lambda = self.is(function, Kind::Lambda) && !self.is(body, Kind::Block);
        let mut out = if lambda { vec![body] } else { self.tails(body) };
        let own = |id: &Id| self.is(*id, Kind::Return) && self.function(*id) == Some(function);
        out.extend(self.under(body).into_iter().filter(own).filter_map(|id| self.at(id).a));
        out
    }

    /// What a block evaluates to (Rust).
    pub(super) fn tails(&self, id: Id) -> Vec<Id> {
        let node = self.at(id);
        match node.kind {
            Kind::Block => node.a.map(|tail| self.tails(tail)).unwrap_or_default(),
            Kind::If | Kind::Choice if self.language == Language::Rust => {
                node.b.into_iter().chain(node.c).flat_map(|id| self.tails(id)).collect()
            }
            Kind::Match if self.language == Language::Rust => {
                node.kids.iter().filter_map(|case| self.at(*case).b).flat_map(|id| self.tails(id)).collect()
            }
            Kind::Return => Vec::new(),
            _ if self.language == Language::Rust => vec![id],
            _ => Vec::new(),
        }
    }

    /// The statements of a block, or the one statement.
    pub(super) fn statements(&self, id: Id) -> Vec<Id> {
        if self.is(id, Kind::Block) { self.at(id).children.clone() } else { vec![id] }
    }

    /// Whether two nodes say the same.
    pub(super) fn same(&self, a: Id, b: Id) -> bool {
        let (x, y) = (self.at(a), self.at(b));
        x.kind == y.kind
            && x.op == y.op
            && x.children.len() == y.children.len()
            && x.children.iter().zip(&y.children).all(|(a, b)| self.same(*a, *b))
    }

    /// A node in one line, for comparing across texts; numbers stand as `#` if they are masked.
    pub(super) fn told(&self, id: Id, masked: bool) -> String {
        let node = self.at(id);
        let op = if masked && node.kind == Kind::Num { "#" } else { &node.op };
        let parts: Vec<String> = node.children.iter().map(|c| self.told(*c, masked)).collect();
        format!("{:?} {op}({})", node.kind, parts.join(","))
    }

    /// A number as a value.
    pub(super) fn number(&self, id: Id) -> Option<f64> {
        let node = self.at(id);
        match node.kind {
            Kind::Num => number(&node.op),
            Kind::Unary if node.op == "-" => node.a.and_then(|a| self.number(a)).map(|n| -n),
            Kind::Binary if matches!(node.op.as_str(), "**") => Some(self.number(node.a?)?.powf(self.number(node.b?)?)),
            Kind::Call if node.a.is_some_and(|a| self.at(a).op == "float") => {
                let text = self.at(*node.kids.first()?);
                (text.kind == Kind::Str && text.op.trim_start_matches(['+', '-']).starts_with("inf"))
                    .then_some(f64::INFINITY)
            }
            Kind::Name if node.op == "Infinity" => Some(f64::INFINITY),
            Kind::Member
                if matches!(node.op.as_str(), "inf" | "INFINITY" | "POSITIVE_INFINITY" | "MAX_SAFE_INTEGER") =>
            {
                Some(f64::INFINITY)
            }
            _ => None,
        }
    }

    /// Whether it is written out: literals, and lists or pairs of them.
    pub(super) fn literal(&self, id: Id) -> bool {
        let node = self.at(id);
        match node.kind {
            Kind::Str | Kind::Num | Kind::Bool | Kind::Null => true,
            Kind::List | Kind::Pair => node.children.iter().all(|c| self.literal(*c)),
            // A field's name is no value.
            Kind::Dict => node.kids.iter().all(|k| self.at(*k).b.is_some_and(|b| self.literal(b))),
            Kind::Unary => node.a.is_some_and(|a| self.literal(a)),
            Kind::Call => {
                let wraps = node.a.is_some_and(|a| {
                    matches!(
                        self.at(a).op.as_str(),
                        "Some"
                            | "Ok"
                            | "Err"
                            | "vec!"
                            | "set"
                            | "tuple"
                            | "frozenset"
                            | "Decimal"
                            | "Fraction"
                            | "date"
                            | "timedelta"
                            | "from"
                            | "to_string"
                            | "into"
                            | "to_owned"
                            | "String"
                    )
                });
                let inner = node.a.filter(|a| self.is(*a, Kind::Member)).and_then(|a| self.at(a).a);
                let inner = inner.is_none_or(|i| self.literal(i) || matches!(self.at(i).op.as_str(), "String" | "Vec"));
                wraps && inner && node.kids.iter().all(|k| self.literal(*k))
            }
            _ => false,
        }
    }

    /// Whether it is true (`Some(true)`) or false whatever comes, where that can be told.
    pub(super) fn always(&self, id: Id) -> Option<bool> {
        let node = self.at(id);
        match node.kind {
            Kind::Bool => Some(node.op == "true"),
            Kind::Null => Some(false),
            Kind::Num => number(&node.op).map(|n| n != 0.0),
            Kind::Str => Some(!node.op.is_empty()),
            Kind::Not => self.always(node.a?).map(|v| !v),
            Kind::Unary if node.op == "!" => self.always(node.a?).map(|v| !v),
            Kind::Logic => {
                let (a, b) = (self.always(node.a?), self.always(node.b?));
                let wins = node.op == "or";
                // `x is None or x is not None`
                if self.opposite(node.a?, node.b?) {
                    return Some(wins);
                }
                match (a, b) {
                    _ if a == Some(wins) || b == Some(wins) => Some(wins),
                    (Some(_), Some(_)) => Some(!wins),
                    _ => None,
                }
            }
            Kind::Choice => {
                let (b, c) = (self.always(node.b?)?, self.always(node.c?)?);
                (b == c).then_some(b)
            }
            Kind::Compare => self.compared(id),
            Kind::Call => {
                let callee = &self.at(node.a?).op;
                let object = node.kids.get(1).is_some_and(|k| self.at(*k).op == "object");
                let truth = matches!(callee.as_str(), "bool" | "Boolean") && node.kids.len() == 1;
                match callee.as_str() {
                    "isinstance" if object => Some(true),
                    _ if truth => self.always(node.kids[0]),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Whether one says what the other denies.
    fn opposite(&self, a: Id, b: Id) -> bool {
        let (x, y) = (self.at(a), self.at(b));
        // Not `<` and `>=`: together they say that it is a number.
        let pairs = [("==", "!="), ("===", "!=="), ("is", "is not"), ("in", "not in")];
        let held = |one: &str, other: &str| {
            pairs.iter().any(|(p, q)| (*p == one && *q == other) || (*p == other && *q == one))
        };
        let sides = |x: Option<Id>, y: Option<Id>| x.zip(y).is_some_and(|(x, y)| self.same(x, y));
        x.kind == Kind::Compare
            && y.kind == Kind::Compare
            && held(&x.op, &y.op)
            && sides(x.a, y.a)
            && sides(x.b, y.b)
            && !self.under(a).into_iter().any(|n| self.is(n, Kind::Call))
    }

    fn compared(&self, id: Id) -> Option<bool> {
        let node = self.at(id);
        let (a, b) = (node.a?, node.b?);
        let equals = matches!(node.op.as_str(), "==" | "===" | "is" | "<=" | ">=");
        let differs = matches!(node.op.as_str(), "!=" | "!==" | "is not" | "<" | ">");
        let calls = self.under(a).into_iter().any(|n| self.is(n, Kind::Call));
        if self.same(a, b) && !calls && (equals || differs) {
            return Some(equals);
        }
        // A length is never negative.
        let length = |x: Id| {
            let x = self.at(x);
            let callee = x.a.map(|c| self.at(c).op.as_str()).unwrap_or_default();
            (x.kind == Kind::Call && callee == "len") || (x.kind == Kind::Member && x.op == "length")
        };
        match (self.number(a), self.number(b)) {
            (None, Some(zero)) if zero == 0.0 && node.op == ">=" && length(a) => Some(true),
            (None, Some(below)) if below < 0.0 && matches!(node.op.as_str(), ">" | ">=") && length(a) => Some(true),
            (Some(x), Some(y)) => Some(match node.op.as_str() {
                "==" | "===" => x == y,
                "!=" | "!==" => x != y,
                "<" => x < y,
                ">" => x > y,
                "<=" => x <= y,
                ">=" => x >= y,
                _ => return None,
            }),
            _ => None,
        }
    }
}

/// A number as programs write it: blanks, suffixes and other bases allowed.
fn number(text: &str) -> Option<f64> {
    let text = text.replace('_', "");
    for (prefix, radix) in [("0x", 16), ("0b", 2), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            let digits: String = digits.chars().take_while(|c| c.is_digit(radix)).collect();
            return u64::from_str_radix(&digits, radix).ok().map(|n| n as f64);
        }
    }
    let bare = text.trim_end_matches(['n', 'j']);
    let bare = bare.find(['u', 'i', 'f']).map_or(bare, |at| &bare[..at]);
    bare.parse().ok()
}
