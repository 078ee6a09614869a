//! From a grammar's tree to the one shape that rules read.

use std::cell::RefCell;
use std::rc::Rc;

use meliora_domain::Recent;
use tree_sitter::Node as Ts;

use super::imports;
use super::kinds::{CLEAR, hidden, kind_of};
use super::language::{Language, parse};
use super::tree::{Code, Id, Kind, Node};

/// Deeper than people nest, shallower than the stack is.
const DEEPEST: usize = 150;

/// Folds a text; `None` where its language has no grammar that rules walk.
pub(super) fn fold(language: Language, text: &str) -> Option<Rc<Code>> {
    thread_local! {
        static RECENT: RefCell<Recent<Language, Rc<Code>>> = const { RefCell::new(Recent::new()) };
    }
    if language == Language::Shell {
        return None;
    }
    RECENT.with_borrow_mut(|recent| {
        recent.get(language, text, || {
            let tree = parse(language, text)?;
            let mut folder = Folder { code: Code { language, nodes: Vec::new(), imports: Vec::new() }, text, line: 1 };
            folder.fold(tree.root_node(), 0, 0);
            Some(Rc::new(folder.code))
        })
    })
}

struct Folder<'t> {
    code: Code,
    text: &'t str,
    /// Line of the text's first.
    line: usize,
}

impl Folder<'_> {
    fn text(&self, ts: Ts<'_>) -> &str {
        &self.text[ts.byte_range()]
    }

    fn push(&mut self, kind: Kind, ts: Ts<'_>, parent: Id) -> Id {
        let id = self.code.nodes.len();
        let line = self.line + ts.start_position().row;
        let parent = if id == 0 { 0 } else { parent };
        self.code.nodes.push(Node {
            kind,
            line,
            parent,
            children: Vec::new(),
            a: None,
            b: None,
            c: None,
            kids: Vec::new(),
            op: String::new(),
            marks: Vec::new(),
        });
        if id != 0 {
            self.code.nodes[parent].children.push(id);
        }
        id
    }

    fn fold(&mut self, ts: Ts<'_>, parent: Id, depth: usize) -> Id {
        let name = ts.kind();
        if depth > DEEPEST {
            return self.push(Kind::Other, ts, parent);
        }
        if name == "decorated_definition" {
            return self.decorated(ts, parent, depth);
        }
        if CLEAR.contains(&name) {
            let inner: Vec<Ts<'_>> = named(ts).into_iter().filter(|c| !hidden(c.kind())).collect();
            if let Some(first) =
                inner.first().filter(|_| inner.len() == 1 || name.starts_with("as_") || name.starts_with("type_"))
            {
                return self.fold(*first, parent, depth + 1);
            }
        }
        let id = self.push(kind_of(name), ts, parent);
        match self.code.nodes[id].kind {
            Kind::Name | Kind::Num | Kind::Bool => {
                self.code.nodes[id].op = self.text(ts).to_owned().to_lowercase_bool(name)
            }
            Kind::Str => self.string(id, ts, depth),
            Kind::Import => self.import(ts),
            Kind::Outer => {
                self.code.nodes[id].op = named(ts).iter().map(|n| self.text(*n)).collect::<Vec<_>>().join(" ")
            }
            Kind::Macro => {
                self.code.nodes[id].op = ts.child_by_field_name("name").map_or("", |n| self.text(n)).to_owned()
            }
            Kind::Call if name == "macro_invocation" => self.macro_call(id, ts, depth),
            Kind::Null => {}
            _ => {
                let made = self.children(id, ts, depth);
                self.slots(id, ts, made);
            }
        }
        id
    }

    fn decorated(&mut self, ts: Ts<'_>, parent: Id, depth: usize) -> Id {
        let Some(definition) = ts.child_by_field_name("definition") else { return self.push(Kind::Other, ts, parent) };
        let id = self.fold(definition, parent, depth + 1);
        for decorator in named(ts).into_iter().filter(|c| c.kind() == "decorator") {
            for inner in named(decorator).into_iter().filter(|c| !hidden(c.kind())) {
                let mark = self.fold(inner, id, depth + 1);
                self.code.nodes[id].marks.push(mark);
            }
        }
        id
    }

    fn string(&mut self, id: Id, ts: Ts<'_>, depth: usize) {
        let mut text = String::new();
        let mut open = vec![ts];
        let mut holes = Vec::new();
        while let Some(node) = open.pop() {
            match node.kind() {
                "string_content" | "string_fragment" => text.push_str(self.text(node)),
                "interpolation" | "template_substitution" => holes.push(node),
                "char_literal" => text.push_str(self.text(node).trim_matches('\'')),
                _ => open.extend(named(node).into_iter().rev()),
            }
        }
        if ts.kind() == "jsx_text" {
            text = self.text(ts).to_owned();
        }
        if ts.kind() == "regex" {
            text = ts.child_by_field_name("pattern").map_or("", |n| self.text(n)).to_owned();
        }
        if text.is_empty() && holes.is_empty() && ts.kind() == "raw_string_literal" {
            text = self.text(ts).trim_start_matches(['r', 'b', '#']).trim_matches(['"', '#']).to_owned();
        }
        let bytes = text.replace("\\\"", "\"").replace("\\n", "\n").replace("\\'", "'");
        self.code.nodes[id].op = bytes;
        if !holes.is_empty() {
            self.code.nodes[id].kind = Kind::Template;
            for hole in holes {
                for inner in named(hole) {
                    self.fold(inner, id, depth + 1);
                }
            }
        }
    }

    fn import(&mut self, ts: Ts<'_>) {
        let text = self.text(ts).to_owned();
        let language = self.code.language;
        self.code.imports.extend(imports::bound(language, &text));
    }

    /// Arguments of a macro are tokens to the grammar; most are expressions, so they are read as such.
    fn macro_call(&mut self, id: Id, ts: Ts<'_>, depth: usize) {
        let name = ts.child_by_field_name("macro").map_or("", |n| self.text(n)).to_owned() + "!";
        let callee = self.push(Kind::Name, ts, id);
        self.code.nodes[callee].op = name;
        self.code.nodes[id].a = Some(callee);
        let Some(tokens) = named(ts).into_iter().find(|c| c.kind() == "token_tree") else { return };
        let inner = self.text(tokens);
        let inner = inner.get(1..inner.len().saturating_sub(1)).unwrap_or_default();
        let wrapped = format!("fn m(){{m({inner});}}");
        let Some(tree) = parse(Language::Rust, &wrapped) else { return };
        let mut at = tree.root_node();
        while at.kind() != "arguments" {
            let Some(next) = named(at).into_iter().rfind(|c| c.kind() != "parameters" && c.kind() != "identifier")
            else {
                return;
            };
            at = next;
        }
        let arguments: Vec<Ts<'_>> = named(at);
        let mut sub = Folder {
            code: Code { language: Language::Rust, nodes: std::mem::take(&mut self.code.nodes), imports: Vec::new() },
            text: &wrapped,
            line: self.line + tokens.start_position().row,
        };
        for argument in arguments.into_iter().filter(|c| !hidden(c.kind())) {
            let kid = sub.fold(argument, id, depth + 1);
            sub.code.nodes[id].kids.push(kid);
        }
        self.code.nodes = sub.code.nodes;
    }

    /// The children, each with what it was in the grammar's tree. Apart from what they are for, so that depth costs little.
    fn children(&mut self, id: Id, ts: Ts<'_>, depth: usize) -> Vec<(usize, Id)> {
        let mut made: Vec<(usize, Id)> = Vec::new();
        let mut pending: Vec<Ts<'_>> = Vec::new();
        let mut cursor = ts.walk();
        for child in ts.named_children(&mut cursor).collect::<Vec<_>>() {
            if child.kind() == "attribute_item" {
                pending.push(child);
                continue;
            }
            if hidden(child.kind()) {
                continue;
            }
            let inner = self.fold(child, id, depth + 1);
            made.push((child.id(), inner));
            for attribute in pending.drain(..) {
                let mark = self.push(Kind::Other, attribute, inner);
                self.code.nodes[mark].op = self.text(attribute).to_owned();
                self.code.nodes[inner].marks.push(mark);
            }
        }
        made
    }

    /// The slots that a node's children fill.
    fn slots(&mut self, id: Id, ts: Ts<'_>, made: Vec<(usize, Id)>) {
        let slot = |field: &str| {
            let child = ts.child_by_field_name(field)?;
            made.iter().find(|(ts, _)| *ts == child.id()).map(|(_, id)| *id)
        };
        let word = |folder: &Self, field: &str| {
            ts.child_by_field_name(field).map_or(String::new(), |n| folder.text(n).to_owned())
        };
        let first = |names: &[&str]| names.iter().find_map(|n| slot(n));
        let all: Vec<Id> = made.iter().map(|(_, id)| *id).collect();
        let (mut a, mut b, mut c, mut kids, mut op) = (None, None, None, Vec::new(), String::new());
        let kind = self.code.nodes[id].kind;
        match kind {
            Kind::Call => {
                a = first(&["function", "constructor"]);
                let list = slot("arguments");
                kids = match list {
                    Some(list) if self.code.is(list, Kind::Comp) => vec![list],
                    Some(list) if self.code.is(list, Kind::Str) || self.code.is(list, Kind::Template) => vec![list],
                    Some(list) => self.code.at(list).children.clone(),
                    None => Vec::new(),
                };
            }
            Kind::Member => {
                a = first(&["object", "value", "path", "function"]);
                op = ["attribute", "property", "field", "name"]
                    .iter()
                    .map(|f| word(self, f))
                    .find(|w| !w.is_empty())
                    .unwrap_or_default();
                if ts.kind() == "generic_function" {
                    self.code.nodes[id].kind = Kind::Member;
                    if let Some(inner) = a {
                        let node = self.code.at(inner);
                        (a, op) = match node.kind {
                            Kind::Member => (node.a, node.op.clone()),
                            _ => (None, node.op.clone()),
                        };
                    }
                }
            }
            Kind::Index => {
                a = first(&["value", "object"]).or(all.first().copied());
                b = first(&["subscript", "index"]).or(all.get(1).copied());
            }
            Kind::Dict => {
                op = word(self, "name");
                let under = slot("body").map_or(all.clone(), |body| self.code.at(body).children.clone());
                kids = under.into_iter().filter(|k| self.code.is(*k, Kind::Pair)).collect();
            }
            Kind::Pair => {
                a = first(&["key", "field", "name"]).or(all.first().copied());
                b = slot("value").or(all.get(1).copied());
            }
            Kind::Compare => {
                (a, b) = (all.first().copied(), all.get(1).copied());
                op = ts
                    .children_by_field_name("operators", &mut ts.walk())
                    .map(|n| n.kind().to_owned())
                    .next()
                    .unwrap_or_default();
                if all.len() > 2 {
                    op = "chain".to_owned();
                }
            }
            Kind::Logic | Kind::Binary => {
                (a, b) = (slot("left"), slot("right"));
                op = word(self, "operator");
                let (kind, plain) = match op.as_str() {
                    "and" | "&&" => (Kind::Logic, "and"),
                    "or" | "||" | "??" => (Kind::Logic, "or"),
                    "==" | "!=" | "===" | "!==" | "<" | ">" | "<=" | ">=" | "instanceof" | "in" => {
                        (Kind::Compare, op.as_str())
                    }
                    other => (Kind::Binary, other),
                };
                let plain = plain.to_owned();
                self.code.nodes[id].kind = kind;
                op = plain;
            }
            Kind::Not => a = all.first().copied(),
            Kind::Unary => {
                a = first(&["argument"]).or(all.first().copied());
                op = word(self, "operator");
                if op.is_empty() {
                    op = self.text(ts).chars().take_while(|c| "!-+*~".contains(*c)).take(1).collect();
                }
                if op == "!" {
                    self.code.nodes[id].kind = Kind::Not;
                }
            }
            Kind::Choice if ts.kind() == "conditional_expression" => {
                (b, a, c) = (all.first().copied(), all.get(1).copied(), all.get(2).copied());
            }
            Kind::Choice => (a, b, c) = (slot("condition"), slot("consequence"), slot("alternative")),
            Kind::Lambda | Kind::Function => {
                op = word(self, "name");
                b = slot("body");
                kids = slot("parameters").map(|p| self.code.at(p).children.clone()).unwrap_or_default();
                kids.extend(slot("parameter"));
            }
            Kind::Comp => {
                a = slot("body").or(all.first().copied());
                kids = all.iter().skip(1).copied().collect();
            }
            Kind::CompFor => (a, b) = (slot("left"), slot("right")),
            Kind::Keyword => {
                op = word(self, "name");
                b = slot("value");
            }
            Kind::Assign => {
                a = first(&["left", "name", "pattern", "property"]);
                b = first(&["right", "value"]);
                op = word(self, "operator");
            }
            Kind::Return | Kind::Raise => a = all.first().copied(),
            Kind::Assert => (a, b) = (all.first().copied(), all.get(1).copied()),
            Kind::If => {
                (a, b) = (slot("condition"), slot("consequence"));
                let fields: Vec<usize> =
                    ts.children_by_field_name("alternative", &mut ts.walk()).map(|n| n.id()).collect();
                let mut rest = made
                    .iter()
                    .filter(|(ts, _)| fields.contains(ts))
                    .map(|(_, id)| *id)
                    .collect::<Vec<_>>()
                    .into_iter();
                // A chain of `elif` becomes an else within an else.
                c = rest.next();
                let mut last = c;
                for next in rest {
                    if let Some(before) = last {
                        self.code.nodes[before].c = Some(next);
                    }
                    last = Some(next);
                }
            }
            Kind::Loop => {
                a = first(&["left", "pattern"]);
                b = first(&["right", "value", "condition"]);
                c = slot("body");
            }
            Kind::Try => {
                b = slot("body");
                kids = all.iter().copied().filter(|k| self.code.is(*k, Kind::Handler)).collect();
                c = slot("finalizer");
            }
            Kind::Handler => {
                b = slot("body").or(all.iter().rev().copied().find(|k| self.code.is(*k, Kind::Block)));
                a = first(&["value"])
                    .or(all.first().copied().filter(|x| Some(*x) != b && self.code.language == Language::Python));
            }
            Kind::With => {
                b = slot("body");
                kids = all.iter().copied().filter(|k| Some(*k) != b).collect();
            }
            Kind::Class => {
                op = if ts.kind() == "impl_item" { word(self, "type") } else { word(self, "name") };
                b = slot("body");
                kids = first(&["superclasses", "trait"]).into_iter().collect();
                kids.extend(
                    all.iter()
                        .copied()
                        .filter(|k| Some(*k) != b && !kids.contains(k) && self.code.is(*k, Kind::Other))
                        .collect::<Vec<_>>(),
                );
            }
            Kind::Param => {
                op = ["name", "pattern", "left"]
                    .iter()
                    .map(|f| word(self, f))
                    .find(|w| !w.is_empty())
                    .unwrap_or_else(|| all.first().map(|k| self.code.at(*k).op.clone()).unwrap_or_default());
                op = op.trim_start_matches(['&', '*']).trim_start_matches("mut ").to_owned();
                if !op.chars().all(|c| c.is_alphanumeric() || c == '_') {
                    op = String::new();
                }
                b = first(&["value", "right"]);
            }
            Kind::Match => {
                a = first(&["subject", "value"]);
                kids = self.cases(id);
            }
            Kind::Case => {
                let body =
                    first(&["consequence"]).or_else(|| (ts.kind() == "match_arm").then(|| slot("value")).flatten());
                a = if ts.kind() == "switch_default" {
                    None
                } else {
                    first(&["pattern", "value"]).filter(|x| Some(*x) != body)
                };
                if a.is_none() && ts.kind() == "case_clause" {
                    a = all.first().copied();
                }
                b = body;
                if ts.kind().starts_with("switch") {
                    let rest: Vec<Id> = all.iter().copied().filter(|k| Some(*k) != a).collect();
                    b = rest.iter().copied().find(|k| self.code.is(*k, Kind::Return)).or(rest.first().copied());
                }
                if ts.kind() == "match_arm" {
                    let pattern = ts.child_by_field_name("pattern").map_or("", |n| self.text(n)).to_owned();
                    op = pattern;
                } else if ts.kind() == "case_clause" {
                    op = named(ts).first().map_or("", |n| self.text(*n)).to_owned();
                } else if ts.kind() == "switch_case" {
                    op = word(self, "value");
                } else {
                    op = "_".to_owned();
                }
            }
            Kind::Block => {
                let last = named(ts).into_iter().rfind(|c| !c.kind().contains("comment"));
                let value = last.filter(|l| {
                    !matches!(
                        l.kind(),
                        "expression_statement" | "let_declaration" | "empty_statement" | "macro_definition"
                    ) && !l.kind().ends_with("_item")
                        && l.kind() != "use_declaration"
                });
                // A statement that needs no semicolon, such as a last `if`, is the value too.
                let value = value
                    .or_else(|| last.filter(|l| l.kind() == "expression_statement" && !self.text(*l).ends_with(';')));
                a = value.and_then(|v| made.iter().find(|(ts, _)| *ts == v.id()).map(|(_, id)| *id));
                if self.code.language != Language::Rust {
                    a = None;
                }
            }
            _ => {}
        }
        // `impl PartialEq<T> for X`: types are not walked, but that there is a trait matters.
        if kind == Kind::Class
            && kids.is_empty()
            && ts.kind() == "impl_item"
            && let Some(of) = ts.child_by_field_name("trait")
        {
            let name = self.push(Kind::Name, of, id);
            self.code.nodes[name].op = self.text(of).to_owned();
            kids.push(name);
        }
        let node = &mut self.code.nodes[id];
        if kind == Kind::Member {
            // A member's name is no variable.
            node.children.retain(|child| Some(*child) == a);
        }
        (node.a, node.b, node.c, node.kids, node.op) = (a, b, c, kids, op);
    }

    fn cases(&self, id: Id) -> Vec<Id> {
        let mut out = Vec::new();
        let mut open: Vec<Id> = self.code.at(id).children.clone();
        while let Some(next) = open.pop() {
            match self.code.at(next).kind {
                Kind::Case => out.push(next),
                Kind::Block | Kind::Other => open.extend(&self.code.at(next).children),
                _ => {}
            }
        }
        out.sort_unstable();
        out
    }
}

fn named(ts: Ts<'_>) -> Vec<Ts<'_>> {
    let mut cursor = ts.walk();
    ts.named_children(&mut cursor).collect()
}

/// `True` and `true` are one word.
trait Truth {
    fn to_lowercase_bool(self, kind: &str) -> Self;
}

impl Truth for String {
    fn to_lowercase_bool(self, kind: &str) -> Self {
        if matches!(kind, "true" | "false" | "boolean_literal") { self.to_lowercase() } else { self }
    }
}
