//! A file's syntax tree in one shape for all languages.
//!
//! The grammars name the same things differently; here they are folded into one [`Kind`] with fixed slots, so that an
//! operator is written once. The tree only borrows positions: texts stay in the source.

use tree_sitter::Tree;

use super::kinds::kind_of;
use super::language::Lang;
use crate::syntax;

/// Index of a node.
pub(super) type Id = usize;

/// What a node is, whatever the language.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Name,
    Int,
    Float,
    Str,
    Bool,
    Null,
    /// `a op b` on values.
    Binary,
    /// `a op b` that is true or false.
    Compare,
    /// `a and b`, `a or b`.
    Logic,
    Not,
    Unary,
    /// `a(items)`.
    Call,
    /// `a.b`.
    Member,
    /// `a[items]`.
    Index,
    /// `a:b:c`, a Rust range too.
    Slice,
    List,
    Tuple,
    Set,
    Dict,
    Pair,
    Paren,
    /// `a if b else c`, in source order whichever it is.
    Choice,
    Lambda,
    Comp,
    /// `for a in b` of a comprehension.
    CompFor,
    CompIf,
    Keyword,
    Star,
    /// Casts, references, awaits and other prefix or suffix forms around `a`.
    Around,
    Yield,
    Template,
    Args,
    Params,
    /// A parameter with default `b`.
    Default,
    Tokens,
    // statements
    ExprStmt,
    Assign,
    Aug,
    Update,
    Decl,
    Return,
    Break,
    Continue,
    Pass,
    Raise,
    Assert,
    If,
    Else,
    While,
    Loop,
    For,
    CFor,
    Try,
    Block,
    Function,
    Class,
    Module,
    Import,
    Comment,
    /// Types, patterns of macros and the like: never looked into.
    Skip,
    Other,
}

/// One node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
    /// First and last line, from 0.
    pub(super) row: usize,
    pub(super) last_row: usize,
    pub(super) parent: Id,
    /// Main parts; what they hold depends on the kind.
    pub(super) a: Option<Id>,
    pub(super) b: Option<Id>,
    /// The body, of what has one.
    pub(super) c: Option<Id>,
    /// Named children without comments.
    pub(super) items: Vec<Id>,
    /// Operator tokens, or the colons of a slice.
    pub(super) ops: Vec<(usize, usize)>,
    /// Whether a name here is bound or is no value: a parameter, a target, a keyword, a property.
    pub(super) bind: bool,
}

/// A parsed file.
pub(super) struct Ast {
    pub(super) lang: Lang,
    pub(super) nodes: Vec<Node>,
    pub(super) tree: Tree,
}

/// Deeper nests than this are left alone: no person writes them, and the walk is recursive.
const DEEPEST: usize = 200;

impl Ast {
    /// Parses the text. `None` if the grammar does not load.
    pub(super) fn parse(lang: Lang, text: &str) -> Option<Ast> {
        let tree = syntax::parse(lang, text)?;
        let mut ast = Ast { lang, nodes: Vec::new(), tree: tree.clone() };
        ast.fold(tree.root_node(), text, 0, false, 0);
        Some(ast)
    }

    fn fold(&mut self, ts: tree_sitter::Node<'_>, text: &str, parent: Id, bind: bool, depth: usize) -> Id {
        let id = self.nodes.len();
        let kind = kind_of(self.lang, &ts, text);
        let (start, end) = (ts.start_byte(), ts.end_byte());
        self.nodes.push(Node {
            kind,
            start,
            end,
            row: ts.start_position().row,
            last_row: ts.end_position().row,
            parent,
            a: None,
            b: None,
            c: None,
            items: Vec::new(),
            ops: Vec::new(),
            bind,
        });
        if depth > DEEPEST || matches!(kind, Kind::Skip | Kind::Comment | Kind::Int | Kind::Float | Kind::Str) {
            return id;
        }
        let mut cursor = ts.walk();
        if !cursor.goto_first_child() {
            return id;
        }
        loop {
            let child = cursor.node();
            let field = cursor.field_name().unwrap_or("");
            if child.is_named() && kind_of(self.lang, &child, text) != Kind::Comment {
                let bound = binds(kind, field, self.lang)
                    || bind
                        && !matches!(kind, Kind::Index | Kind::Member)
                        && !(kind == Kind::Default && matches!(field, "value" | "right"));
                let sub = self.fold(child, text, id, bound, depth + 1);
                let node = &mut self.nodes[id];
                match slot(kind, field) {
                    Some(Slot::A) => node.a = Some(sub),
                    Some(Slot::B) => node.b = Some(sub),
                    Some(Slot::C) => node.c = Some(sub),
                    None => {}
                }
                node.items.push(sub);
            } else if !child.is_named() {
                let op = matches!(field, "operator" | "operators") || takes_token(kind, child.kind());
                if op {
                    self.nodes[id].ops.push((child.start_byte(), child.end_byte()));
                }
            }
            if !cursor.goto_next_sibling() {
                break;
            }
        }
        self.settle(id);
        id
    }

    /// Fills the slots that fields do not name.
    fn settle(&mut self, id: Id) {
        let node = &self.nodes[id];
        let nth = |n: usize| node.items.get(n).copied();
        let (mut a, mut b, mut c) = (node.a, node.b, node.c);
        match node.kind {
            Kind::Compare | Kind::Binary | Kind::Logic => {
                a = a.or(nth(0));
                b = b.or(nth(1));
            }
            Kind::Choice if self.lang == Lang::Python => (a, b, c) = (nth(0), nth(1), nth(2)),
            Kind::Index => {
                a = a.or(nth(0));
                b = b.or(nth(1));
            }
            Kind::Not | Kind::Unary | Kind::Paren | Kind::Star | Kind::Return | Kind::ExprStmt | Kind::Yield => {
                a = a.or(nth(0));
            }
            Kind::Around | Kind::Assert | Kind::Raise | Kind::CompIf | Kind::Update => a = a.or(nth(0)),
            Kind::Else => c = c.or(nth(0)),
            Kind::Lambda => c = c.or(b),
            Kind::Comp => a = a.or(nth(0)),
            Kind::Slice => {
                let ops = &node.ops;
                for item in &node.items {
                    let at = self.nodes[*item].start;
                    match ops.iter().filter(|o| o.0 < at).count() {
                        0 => a = Some(*item),
                        1 => b = Some(*item),
                        _ => c = Some(*item),
                    }
                }
            }
            _ => {}
        }
        let node = &mut self.nodes[id];
        (node.a, node.b, node.c) = (a, b, c);
    }

    /// Every node's id, parents first, in source order.
    pub(super) fn ids(&self) -> std::ops::Range<Id> {
        0..self.nodes.len()
    }

    /// The parents of a node, the nearest first.
    pub(super) fn ancestors(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        let mut at = id;
        std::iter::from_fn(move || {
            if at == 0 {
                return None;
            }
            at = self.nodes[at].parent;
            Some(at)
        })
    }

    /// Whether a node is a statement: an entry of a block.
    pub(super) fn is_statement(&self, id: Id) -> bool {
        id != 0 && matches!(self.nodes[self.nodes[id].parent].kind, Kind::Block | Kind::Module)
    }

    /// The statement around a node (itself, if it is one).
    pub(super) fn statement(&self, id: Id) -> Id {
        if self.is_statement(id) {
            return id;
        }
        self.ancestors(id).find(|p| self.is_statement(*p)).unwrap_or(0)
    }

    /// The innermost function around a node.
    pub(super) fn function(&self, id: Id) -> Option<Id> {
        self.ancestors(id).find(|p| self.nodes[*p].kind == Kind::Function)
    }

    /// The outermost function around a node (itself, if it is one): a method, not its class.
    pub(super) fn definition(&self, id: Id) -> Option<Id> {
        let own = (self.nodes[id].kind == Kind::Function).then_some(id);
        self.ancestors(id).filter(|p| self.nodes[*p].kind == Kind::Function).last().or(own)
    }

    /// Whether a loop stands around a node, within its function.
    pub(super) fn in_loop(&self, id: Id) -> Option<Id> {
        self.ancestors(id)
            .take_while(|p| !matches!(self.nodes[*p].kind, Kind::Function | Kind::Lambda))
            .find(|p| matches!(self.nodes[*p].kind, Kind::For | Kind::While | Kind::CFor | Kind::Loop))
    }

    /// The lines of a node that count as its own: a compound statement's header, all of a simple one.
    pub(super) fn own_rows(&self, id: Id) -> (usize, usize) {
        let node = &self.nodes[id];
        match node.c.or(node.b) {
            Some(body) if matches!(self.nodes[body].kind, Kind::Block) => {
                (node.row, self.nodes[body].row.saturating_sub(usize::from(!self.lang.words().braces)).max(node.row))
            }
            _ if matches!(node.kind, Kind::Class | Kind::Try | Kind::If) => (node.row, node.row),
            _ => (node.row, node.last_row.min(node.row + 12)),
        }
    }
}

enum Slot {
    A,
    B,
    C,
}

fn slot(kind: Kind, field: &str) -> Option<Slot> {
    Some(match (kind, field) {
        (Kind::Choice, "condition") => Slot::B,
        (Kind::Choice, "consequence") => Slot::A,
        (Kind::Choice, "alternative") => Slot::C,
        (Kind::Pair | Kind::Dict, "key") => Slot::A,
        (Kind::Index, "subscript") => return None,
        (_, "body" | "consequence") if kind != Kind::Comp => Slot::C,
        (Kind::Assign | Kind::Decl | Kind::Default | Kind::Keyword, "value" | "right") => Slot::B,
        (Kind::For | Kind::Pair, "value") => Slot::B,
        (
            _,
            "left" | "function" | "object" | "value" | "condition" | "argument" | "name" | "pattern" | "constructor"
            | "macro" | "parameter" | "key",
        ) => Slot::A,
        (_, "right" | "arguments" | "attribute" | "property" | "field" | "index" | "parameters") => Slot::B,
        _ => return None,
    })
}

/// Whether the child in this field is bound or is no value of its own.
fn binds(kind: Kind, field: &str, lang: Lang) -> bool {
    match kind {
        Kind::Params => true,
        Kind::Default => field != "value" && field != "right",
        Kind::Function | Kind::Class => matches!(field, "name" | "parameters" | "parameter" | "superclasses"),
        Kind::Lambda => matches!(field, "parameters" | "parameter"),
        Kind::Assign | Kind::For | Kind::CompFor => matches!(field, "left" | "pattern" | "name"),
        Kind::Keyword => field == "name",
        Kind::Member => matches!(field, "attribute" | "property" | "field"),
        Kind::Import => true,
        Kind::Pair => field == "key" && lang != Lang::Python,
        Kind::Tokens => false,
        Kind::Call => field == "macro",
        _ => false,
    }
}

/// Whether an unnamed token is an operator of this kind although no field says so.
fn takes_token(kind: Kind, token: &str) -> bool {
    match kind {
        Kind::Slice => matches!(token, ":" | ".." | "..="),
        Kind::Compare | Kind::Logic | Kind::Binary => !matches!(token, "(" | ")"),
        Kind::Not | Kind::Unary => matches!(token, "!" | "not" | "-" | "+" | "~" | "*" | "typeof"),
        Kind::Update => matches!(token, "++" | "--"),
        Kind::Yield => token == "from",
        Kind::Aug => token.ends_with('='),
        Kind::Assign => token == "=",
        _ => false,
    }
}
