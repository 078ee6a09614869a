//! What operators draw on and where they put their candidates.

use std::collections::BTreeSet;

use super::language::{Lang, Words};
use super::prior::Family;
use super::scope::{Binding, Origin, Scopes, Tags};
use super::tree::{Ast, Id, Kind, Node};

/// One edit of a file: the bytes from `start` to `end` become `text`.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) family: Family,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) text: String,
    /// The statement it belongs to, for localisation and rotation.
    pub(super) statement: Id,
    /// Order among its family's candidates of the statement: less is tried first.
    pub(super) cost: f32,
}

/// How tightly a text binds, to know where it needs parentheses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Bond {
    Atom,
    /// Products and powers.
    Product,
    /// Sums, and whatever else is arithmetic.
    Arith,
    Compare,
    Logic,
}

/// A file while candidates are drawn from it.
pub(super) struct Sketch<'a> {
    pub(super) text: &'a str,
    pub(super) ast: &'a Ast,
    pub(super) scopes: Scopes,
    pub(super) out: Vec<Candidate>,
    /// Every word of the text.
    words: BTreeSet<&'a str>,
    /// Every attribute that is read or written, as it stands there: `self.size`.
    pub(super) fields: BTreeSet<&'a str>,
    /// Nodes of the kinds that are looked up from anywhere, in source order.
    pub(super) members: Vec<Id>,
    pub(super) strings: Vec<Id>,
    pub(super) functions: Vec<Id>,
    pub(super) keywords: Vec<Id>,
    pub(super) classes: Vec<Id>,
}

/// How many nodes of a kind are looked at on either side of a place. What is farther away is seldom meant, and looking at all
/// would take a time that grows with the square of the file.
const NEAR: usize = 100;

/// How many names are taken for one another at one place.
const MOST_NAMES: usize = 60;

impl<'a> Sketch<'a> {
    pub(super) fn new(text: &'a str, ast: &'a Ast) -> Self {
        let of = |kind: Kind| ast.ids().filter(|id| ast.nodes[*id].kind == kind).collect();
        Sketch {
            text,
            ast,
            scopes: Scopes::read(ast, text),
            out: Vec::new(),
            words: text.split(|c: char| !c.is_alphanumeric() && c != '_').collect(),
            fields: ast.nodes.iter().filter(|n| n.kind == Kind::Member).map(|n| &text[n.start..n.end]).collect(),
            members: of(Kind::Member),
            strings: of(Kind::Str),
            functions: of(Kind::Function),
            keywords: of(Kind::Keyword),
            classes: of(Kind::Class),
        }
    }

    /// Whether the file uses any of this text's words.
    pub(super) fn uses(&self, text: &str) -> bool {
        text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| !w.is_empty() && self.words.contains(w))
    }

    /// Those of a list of nodes that are nearest to a node.
    pub(super) fn near(list: &[Id], id: Id) -> Vec<Id> {
        let at = list.partition_point(|other| *other < id);
        list[at.saturating_sub(NEAR)..(at + NEAR).min(list.len())].to_vec()
    }

    pub(super) fn lang(&self) -> Lang {
        self.ast.lang
    }

    pub(super) fn words(&self) -> &'static Words {
        self.ast.lang.words()
    }

    pub(super) fn node(&self, id: Id) -> &'a Node {
        &self.ast.nodes[id]
    }

    pub(super) fn kind(&self, id: Id) -> Kind {
        self.ast.nodes[id].kind
    }

    pub(super) fn of(&self, id: Id) -> &'a str {
        let node = &self.ast.nodes[id];
        &self.text[node.start..node.end]
    }

    pub(super) fn op(&self, id: Id) -> &'a str {
        self.ast.nodes[id].ops.first().map_or("", |o| &self.text[o.0..o.1])
    }

    pub(super) fn tags(&self, id: Id) -> Tags {
        self.scopes.tags_of(self.ast, self.text, id)
    }

    /// Adds a candidate that rewrites the bytes of a range.
    pub(super) fn put(&mut self, family: Family, at: Id, span: (usize, usize), text: impl Into<String>, cost: f32) {
        let text = text.into();
        if self.text[span.0..span.1] != text {
            let statement = self.ast.statement(at);
            self.out.push(Candidate { family, start: span.0, end: span.1, text, statement, cost });
        }
    }

    /// Adds a candidate that rewrites a whole node, in parentheses where its place needs them.
    pub(super) fn swap(&mut self, family: Family, id: Id, text: &str, bond: Bond, cost: f32) {
        let node = self.node(id);
        let text = self.fit(id, text, bond);
        self.put(family, id, (node.start, node.end), text, cost);
    }

    /// The text, in parentheses if it needs them where the node stands.
    pub(super) fn fit(&self, id: Id, text: &str, bond: Bond) -> String {
        if bond > Bond::Atom && self.needs_parens(id, bond) { format!("({text})") } else { text.to_owned() }
    }

    fn needs_parens(&self, id: Id, bond: Bond) -> bool {
        let parent = self.node(id).parent;
        let up = self.node(parent);
        match up.kind {
            Kind::Member | Kind::Index | Kind::Call => up.a == Some(id),
            Kind::Unary | Kind::Star => true,
            Kind::Around => self.lang() != Lang::Python || self.of(parent).starts_with("await"),
            Kind::Binary if bond >= Bond::Compare => true,
            Kind::Binary => {
                let op = self.op(parent);
                !(op == "+" || op == "-" && (up.a == Some(id) || bond == Bond::Product))
            }
            Kind::Compare => bond >= Bond::Compare,
            Kind::Not => bond >= Bond::Logic || self.words().braces,
            Kind::Logic => bond >= Bond::Logic,
            _ => false,
        }
    }

    /// The text of a node as an operand of arithmetic.
    pub(super) fn operand(&self, id: Id) -> String {
        let text = self.of(id);
        let loose = match self.kind(id) {
            Kind::Compare | Kind::Logic | Kind::Not | Kind::Choice | Kind::Lambda | Kind::Slice | Kind::Yield => true,
            Kind::Binary => !matches!(self.op(id), "+" | "-" | "*" | "/" | "//" | "%" | "**"),
            _ => false,
        };
        if loose { format!("({text})") } else { text.to_owned() }
    }

    /// The text of a node as a tight operand: of a product, a power or a method call.
    pub(super) fn tight(&self, id: Id) -> String {
        let text = self.of(id);
        match self.kind(id) {
            Kind::Binary | Kind::Compare | Kind::Logic | Kind::Not | Kind::Choice | Kind::Lambda | Kind::Unary => {
                format!("({text})")
            }
            Kind::Slice | Kind::Around => format!("({text})"),
            _ => text.to_owned(),
        }
    }

    /// The text of a node as the left side of a product.
    pub(super) fn factor(&self, id: Id) -> String {
        let product = self.kind(id) == Kind::Binary && matches!(self.op(id), "*" | "/" | "//" | "%");
        if product { self.of(id).to_owned() } else { self.tight(id) }
    }

    /// A condition without the parentheses around it.
    pub(super) fn bare(&self, id: Id) -> Id {
        match (self.kind(id), self.node(id).a) {
            (Kind::Paren, Some(inner)) => self.bare(inner),
            _ => id,
        }
    }

    /// Whether a node is a value that an expression could stand for.
    pub(super) fn is_value(&self, id: Id) -> bool {
        let node = self.node(id);
        let kind = matches!(
            node.kind,
            Kind::Name
                | Kind::Int
                | Kind::Float
                | Kind::Str
                | Kind::Template
                | Kind::Bool
                | Kind::Null
                | Kind::Binary
                | Kind::Compare
                | Kind::Logic
                | Kind::Not
                | Kind::Unary
                | Kind::Call
                | Kind::Member
                | Kind::Index
                | Kind::List
                | Kind::Tuple
                | Kind::Set
                | Kind::Dict
                | Kind::Paren
                | Kind::Choice
                | Kind::Comp
                | Kind::Lambda
                | Kind::Around
        );
        kind && !node.bind && !self.is_part(id)
    }

    /// Whether a node is only a part of a larger name or value: a callee, a macro's name, a comprehension's inside.
    fn is_part(&self, id: Id) -> bool {
        let up = self.node(self.node(id).parent);
        match up.kind {
            Kind::Import | Kind::Keyword if up.a == Some(id) => true,
            Kind::Member => up.b == Some(id),
            Kind::Str => true,
            Kind::Call => up.b == Some(id),
            _ => false,
        }
    }

    /// The names that can be used at a node, the likeliest to be meant first, each with its cost.
    /// `like` is what the place seems to want.
    pub(super) fn names_at(&self, id: Id, like: Tags, not: &str) -> Vec<(String, f32, Tags)> {
        let row = self.node(id).row;
        let mut names: Vec<(String, f32, Tags)> = self
            .scopes
            .visible(self.ast, id)
            .into_iter()
            .filter(|b| b.name != not)
            .map(|b| (b.name.clone(), self.name_cost(b, row, like, not), b.tags))
            .collect();
        names.sort_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
        names.truncate(MOST_NAMES);
        names
    }

    fn name_cost(&self, b: &Binding, row: usize, like: Tags, not: &str) -> f32 {
        let origin = match b.origin {
            Origin::Local | crate::mutate::scope::Origin::Param => 0.0,
            Origin::Global => 1.0,
            Origin::Function if like.has(Tags::FUNC) => 0.5,
            Origin::Function => 4.0,
        };
        let far = b.distance(row).min(20) as f32 * 0.08;
        // Names of one letter are all alike, and that says less.
        let short = b.name.len() == 1 && not.len() == 1;
        let alike = if !similar(&b.name, not) {
            0.0
        } else if short {
            -0.3
        } else {
            -0.7
        };
        // A name that nothing reads was meant to be read somewhere.
        let idle = if b.idle() && b.origin != Origin::Function { -0.6 } else { 0.0 };
        origin + far + alike + idle + if like.0 == 0 { 0.0 } else { like.clash(b.tags) }
    }

    /// The indentation of the line on which a byte stands.
    pub(super) fn indent_of(&self, at: usize) -> &'a str {
        let line = self.line_start(at);
        let rest = &self.text[line..];
        &rest[..rest.len() - rest.trim_start_matches([' ', '\t']).len()]
    }

    /// First byte of the line on which a byte stands.
    pub(super) fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |n| n + 1)
    }

    /// First byte after the line on which a byte stands, its line break included.
    pub(super) fn line_end(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |n| at + n + 1)
    }

    /// Whether nothing but blanks stands before the node on its line.
    pub(super) fn leads_line(&self, id: Id) -> bool {
        let start = self.node(id).start;
        self.text[self.line_start(start)..start].trim().is_empty()
    }
}

/// Whether two names look alike: the same beginning or end of three letters, one letter each, or one inside the other.
pub(super) fn similar(a: &str, b: &str) -> bool {
    if a.len() == 1 && b.len() == 1 {
        return true;
    }
    let head = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    let tail = a.bytes().rev().zip(b.bytes().rev()).take_while(|(x, y)| x == y).count();
    head.max(tail) >= 3 || (a.len() > 2 && b.contains(a)) || (b.len() > 2 && a.contains(b))
}
