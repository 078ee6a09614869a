//! Which names can be used at a place, and what kind of value each seems to hold.
//!
//! The kinds are guesses from how a name is used nearby. They order candidates and never forbid one.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::{Ast, Id, Kind};

/// A set of guesses about a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Tags(pub(super) u8);

impl Tags {
    pub(super) const NUM: Tags = Tags(1);
    pub(super) const SEQ: Tags = Tags(2);
    pub(super) const STR: Tags = Tags(4);
    pub(super) const FUNC: Tags = Tags(8);
    pub(super) const BOOL: Tags = Tags(16);
    pub(super) const OBJ: Tags = Tags(32);
    /// A set or a map.
    pub(super) const BAG: Tags = Tags(64);
    /// Something that can be absent.
    pub(super) const OPT: Tags = Tags(128);

    pub(super) fn has(self, other: Tags) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn with(self, other: Tags) -> Tags {
        Tags(self.0 | other.0)
    }

    /// How badly two kinds go together: 0 is well, 3 is not at all.
    pub(super) fn clash(self, other: Tags) -> f32 {
        if self.0 == 0 || other.0 == 0 {
            0.6
        } else if self == Tags::OPT || other == Tags::OPT {
            0.3
        } else if self.has(other) {
            0.0
        } else {
            3.0
        }
    }
}

/// Where a name comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Origin {
    Local,
    Param,
    Global,
    Function,
}

/// A name and where it can be used.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub(super) name: String,
    pub(super) origin: Origin,
    /// Bytes between which it is visible.
    from: usize,
    to: usize,
    /// The function it belongs to; 0 for the module.
    owner: Id,
    pub(super) tags: Tags,
    /// Lines where it stands, in order.
    rows: Vec<usize>,
    /// Whether it is read on no line but those on which it is assigned.
    unread: bool,
}

impl Binding {
    /// Whether it is bound and never read, but for its own next value.
    pub(super) fn idle(&self) -> bool {
        self.rows.len() == 1 || self.unread
    }

    /// Lines to the nearest use of the name.
    pub(super) fn distance(&self, row: usize) -> usize {
        let next = self.rows.partition_point(|r| *r < row);
        let around = [next.checked_sub(1), Some(next)].into_iter().flatten().filter_map(|n| self.rows.get(n));
        around.map(|r| r.abs_diff(row)).min().unwrap_or(50)
    }
}

/// How many names of one function or module are looked at on either side of a place.
const MOST: usize = 150;

/// All names of a file.
pub(super) struct Scopes {
    bindings: Vec<Binding>,
    /// Places of the bindings of each function (0 for the module).
    owned: BTreeMap<Id, Vec<usize>>,
    /// Place of the binding of a name, by its function and where it ends.
    known: BTreeMap<(Id, usize, String), usize>,
    /// Guesses by function (0 for the module) and name.
    tags: BTreeMap<(Id, String), Tags>,
}

const SEQ_METHODS: &[&str] = &[
    "append",
    "extend",
    "pop",
    "insert",
    "sort",
    "reverse",
    "popleft",
    "appendleft",
    "push",
    "shift",
    "unshift",
    "len",
    "push_back",
    "push_front",
    "pop_front",
    "pop_back",
    "iter",
    "slice",
    "length",
    "map",
    "filter",
    "join",
    "concat",
    "swap",
    "last",
    "first",
];
const BAG_METHODS: &[&str] = &[
    "add",
    "discard",
    "update",
    "issuperset",
    "issubset",
    "union",
    "get",
    "keys",
    "values",
    "items",
    "setdefault",
    "has",
    "set",
    "entry",
    "contains_key",
    "contains",
    "delete",
    "insert",
    "size",
];
const STR_METHODS: &[&str] = &[
    "lower",
    "upper",
    "strip",
    "split",
    "startswith",
    "endswith",
    "find",
    "rfind",
    "replace",
    "isdigit",
    "isalpha",
    "isalnum",
    "toLowerCase",
    "toUpperCase",
    "charAt",
    "charCodeAt",
    "trim",
    "chars",
    "join",
    "format",
    "isspace",
    "substring",
    "to_lowercase",
    "as_bytes",
    "padStart",
    "repeat",
];

impl Scopes {
    /// Reads the file's names.
    pub(super) fn read(ast: &Ast, text: &str) -> Scopes {
        let mut scopes =
            Scopes { bindings: Vec::new(), owned: BTreeMap::new(), known: BTreeMap::new(), tags: BTreeMap::new() };
        scopes.guess(ast, text);
        for id in ast.ids() {
            let node = &ast.nodes[id];
            if node.kind == Kind::Name && node.bind {
                scopes.bind(ast, text, id);
            }
        }
        scopes.finish(ast, text);
        scopes
    }

    fn bind(&mut self, ast: &Ast, text: &str, id: Id) {
        let node = &ast.nodes[id];
        let name = &text[node.start..node.end];
        if name.contains("::") || name == "_" {
            return;
        }
        let parent = &ast.nodes[node.parent];
        let end_of = |f: Option<Id>| f.map_or(text.len(), |f| ast.nodes[f].end);
        let (origin, from, to, owner) = match parent.kind {
            Kind::Member | Kind::Keyword | Kind::Call => return,
            Kind::Pair | Kind::Dict if ast.lang.words().braces => return,
            Kind::Function if parent.a == Some(id) => {
                let owner = ast.function(node.parent);
                if ast.ancestors(node.parent).nth(1).is_some_and(|c| ast.nodes[c].kind == Kind::Class) {
                    return;
                }
                (Origin::Function, 0, end_of(owner), owner.unwrap_or(0))
            }
            Kind::Class => (Origin::Function, 0, text.len(), 0),
            _ => {
                let around = ast.ancestors(id).find(|p| {
                    let kind = ast.nodes[*p].kind;
                    matches!(kind, Kind::Function | Kind::Lambda | Kind::Comp | Kind::Module | Kind::Class)
                });
                let around = around.unwrap_or(0);
                let in_params =
                    ast.ancestors(id).take_while(|p| *p != around).any(|p| matches!(ast.nodes[p].kind, Kind::Params));
                let (start, end) = (ast.nodes[around].start, ast.nodes[around].end);
                match ast.nodes[around].kind {
                    Kind::Comp | Kind::Lambda => (Origin::Local, start, end, ast.function(id).unwrap_or(0)),
                    Kind::Function if in_params => (Origin::Param, start, end, around),
                    Kind::Function => {
                        // A name that a loop binds is there in all of the loop, also above its line.
                        let outer_loop = ast
                            .ancestors(id)
                            .take_while(|p| *p != around)
                            .filter(|p| matches!(ast.nodes[*p].kind, Kind::For | Kind::While | Kind::CFor | Kind::Loop))
                            .last();
                        let statement = ast.statement(id);
                        let own = matches!(ast.nodes[statement].kind, Kind::For | Kind::CFor);
                        let from = match outer_loop {
                            Some(l) if !own => ast.nodes[l].start,
                            _ if own => ast.nodes[statement].start,
                            _ => ast.nodes[statement].end,
                        };
                        // Braces end the life of what is declared in them.
                        let block = ast.ancestors(id).find(|p| {
                            matches!(ast.nodes[*p].kind, Kind::Block | Kind::For | Kind::CFor | Kind::Function)
                        });
                        let to = match block {
                            Some(b) if ast.lang.words().braces => ast.nodes[b].end,
                            _ => end,
                        };
                        (Origin::Local, from, to, around)
                    }
                    Kind::Class => return,
                    _ => (Origin::Global, 0, text.len(), 0),
                }
            }
        };
        let key = (owner, to, name.to_owned());
        if let Some(known) = self.known.get(&key) {
            self.bindings[*known].from = self.bindings[*known].from.min(from);
            return;
        }
        self.known.insert(key, self.bindings.len());
        self.owned.entry(owner).or_default().push(self.bindings.len());
        let tags = Tags::default();
        self.bindings.push(Binding {
            name: name.to_owned(),
            origin,
            from,
            to,
            owner,
            tags,
            rows: Vec::new(),
            unread: false,
        });
    }

    fn finish(&mut self, ast: &Ast, text: &str) {
        let mut rows: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut bound: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        for (id, node) in ast.nodes.iter().enumerate().filter(|n| n.1.kind == Kind::Name) {
            let name = &text[node.start..node.end];
            rows.entry(name).or_default().push(node.row);
            let up = &ast.nodes[node.parent];
            let set = match up.kind {
                Kind::Assign => node.bind,
                Kind::Aug => up.a == Some(id),
                // `a, b = b, a + b` reads each for the other, `a, b = 0, 1` reads nothing.
                Kind::Other | Kind::Tuple => {
                    let value = ast.nodes[up.parent].b.map_or("", |b| &text[ast.nodes[b].start..ast.nodes[b].end]);
                    let plain = !value.is_empty() && !value.contains(char::is_alphabetic);
                    node.bind && ast.nodes[up.parent].kind == Kind::Assign && plain
                }
                _ => false,
            };
            if set {
                bound.entry(name).or_default().insert(node.row);
            }
        }
        for binding in &mut self.bindings {
            let key = (binding.owner, binding.name.clone());
            binding.tags = self.tags.get(&key).copied().unwrap_or_default();
            if binding.origin == Origin::Function {
                binding.tags = binding.tags.with(Tags::FUNC);
            }
            let all = rows.get(binding.name.as_str()).map_or(&[][..], |r| r);
            let owner = &ast.nodes[binding.owner];
            let own = all.partition_point(|r| *r < owner.row)..all.partition_point(|r| *r <= owner.last_row);
            binding.rows = all[own].to_vec();
            let assigned = bound.get(binding.name.as_str());
            binding.unread = binding.origin == Origin::Local
                && assigned.is_some_and(|lines| binding.rows.iter().all(|row| lines.contains(row)));
        }
    }

    /// The names that can be used at this node, in no order.
    pub(super) fn visible<'s>(&'s self, ast: &Ast, id: Id) -> Vec<&'s Binding> {
        let at = ast.nodes[id].start;
        let functions = ast.ancestors(id).filter(|p| ast.nodes[*p].kind == Kind::Function).chain([0]);
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut names: Vec<&Binding> = Vec::new();
        for function in functions {
            let places = self.owned.get(&function).map_or(&[][..], |p| p);
            // Of a module with very many names, the last ones before this place and some after it.
            let here = places.partition_point(|p| self.bindings[*p].from <= at);
            let few = &places[here.saturating_sub(MOST)..(here + MOST).min(places.len())];
            for binding in few.iter().map(|p| &self.bindings[*p]) {
                if binding.from <= at && at < binding.to && seen.insert(&binding.name) {
                    names.push(binding);
                }
            }
        }
        names
    }

    /// What a name seems to hold in the function around this node.
    pub(super) fn tags_of_name(&self, ast: &Ast, id: Id, name: &str) -> Tags {
        let functions = ast.ancestors(id).filter(|p| ast.nodes[*p].kind == Kind::Function).chain([0]);
        for function in functions {
            if let Some(tags) = self.tags.get(&(function, name.to_owned())) {
                return *tags;
            }
        }
        Tags::default()
    }

    /// What an expression seems to be.
    pub(super) fn tags_of(&self, ast: &Ast, text: &str, id: Id) -> Tags {
        let node = &ast.nodes[id];
        match node.kind {
            Kind::Int | Kind::Float | Kind::Unary => Tags::NUM,
            Kind::Str | Kind::Template => Tags::STR,
            Kind::Bool | Kind::Not | Kind::Compare | Kind::Logic => Tags::BOOL,
            Kind::Null => Tags::OPT,
            Kind::List | Kind::Tuple => Tags::SEQ,
            Kind::Comp => Tags::SEQ,
            Kind::Set | Kind::Dict => Tags::BAG,
            Kind::Lambda => Tags::FUNC,
            Kind::Paren | Kind::Around => node.a.map_or(Tags::default(), |a| self.tags_of(ast, text, a)),
            Kind::Binary => {
                let sides = [node.a, node.b].into_iter().flatten().map(|s| self.tags_of(ast, text, s));
                let both = sides.fold(Tags::default(), Tags::with);
                if both.has(Tags::SEQ) || both.has(Tags::STR) { Tags(both.0 & 6) } else { Tags::NUM }
            }
            Kind::Index => match node.b.map(|b| ast.nodes[b].kind) {
                Some(Kind::Slice) => node.a.map_or(Tags::SEQ, |a| self.tags_of(ast, text, a)),
                _ => Tags::default(),
            },
            Kind::Name => self.tags_of_name(ast, id, &text[node.start..node.end]),
            Kind::Call => {
                let called = node.a.map_or("", |a| &text[ast.nodes[a].start..ast.nodes[a].end]);
                match called.rsplit(['.', ':']).next().unwrap_or("") {
                    "len" | "int" | "abs" | "sum" | "ord" | "floor" | "ceil" | "float" | "index" | "count" | "sqrt"
                    | "pow" | "indexOf" | "parseInt" | "Number" => Tags::NUM,
                    "list" | "sorted" | "range" | "reversed" | "split" | "deque" | "slice" | "collect" | "tuple" => {
                        Tags::SEQ
                    }
                    "set" | "dict" | "defaultdict" | "Counter" | "Set" | "Map" => Tags::BAG,
                    "str" | "join" | "lower" | "upper" | "strip" | "chr" | "String" => Tags::STR,
                    "any" | "all" | "isinstance" | "startswith" | "endswith" | "bool" => Tags::BOOL,
                    _ => Tags::default(),
                }
            }
            _ => Tags::default(),
        }
    }

    fn guess(&mut self, ast: &Ast, text: &str) {
        // Twice, so that what one name tells flows into the names that are set from it.
        for _ in 0..2 {
            for id in ast.ids() {
                self.guess_at(ast, text, id);
            }
        }
    }

    fn guess_at(&mut self, ast: &Ast, text: &str, id: Id) {
        let node = &ast.nodes[id];
        let name_of = |n: Id| {
            let n = &ast.nodes[n];
            (n.kind == Kind::Name).then(|| text[n.start..n.end].to_owned())
        };
        let mut learn = |n: Option<Id>, tags: Tags| {
            let Some(n) = n else { return };
            let Some(name) = name_of(n) else { return };
            let owner = owner_of(ast, n);
            let known = self.tags.entry((owner, name)).or_default();
            *known = known.with(tags);
        };
        match node.kind {
            Kind::Binary | Kind::Aug => {
                let op = node.ops.first().map_or("", |o| &text[o.0..o.1]);
                let other = |n: Option<Id>| n.map(|n| ast.nodes[n].kind);
                let numeric = !op.starts_with('+') && !op.starts_with('*') && !op.starts_with('%');
                let by_number = matches!(other(node.a), Some(Kind::Int)) || matches!(other(node.b), Some(Kind::Int));
                if numeric || by_number {
                    learn(node.a, Tags::NUM);
                    learn(node.b, Tags::NUM);
                }
            }
            Kind::Compare => {
                let op = node.ops.first().map_or("", |o| &text[o.0..o.1]);
                let number = [node.a, node.b].into_iter().flatten().any(|n| ast.nodes[n].kind == Kind::Int);
                let none = [node.a, node.b].into_iter().flatten().any(|n| ast.nodes[n].kind == Kind::Null);
                let string = [node.a, node.b].into_iter().flatten().any(|n| ast.nodes[n].kind == Kind::Str);
                if op.ends_with("in") {
                    learn(node.b, Tags::BAG);
                } else if none {
                    learn(node.a, Tags::OPT.with(Tags::OBJ));
                } else if string {
                    learn(node.a, Tags::STR);
                } else if number || op.starts_with(['<', '>']) {
                    learn(node.a, Tags::NUM);
                    learn(node.b, Tags::NUM);
                }
            }
            Kind::Index => {
                let (a, b) = (node.a, node.b);
                learn(a, if b.is_some_and(|b| ast.nodes[b].kind == Kind::Slice) { Tags::SEQ } else { Tags(66) });
                if b.is_some_and(|b| ast.nodes[b].kind == Kind::Name) {
                    learn(b, Tags::NUM);
                }
            }
            Kind::Slice | Kind::Update => [node.a, node.b, node.c].into_iter().for_each(|n| learn(n, Tags::NUM)),
            Kind::Not => learn(node.a, Tags::BOOL.with(Tags::SEQ)),
            Kind::For | Kind::CompFor => {
                let (target, iterated) = (node.a, node.b);
                learn(iterated, Tags::SEQ);
                let over = iterated.map_or("", |b| &text[ast.nodes[b].start..ast.nodes[b].end]);
                if over.starts_with("range(") || over.contains("..") {
                    learn(target, Tags::NUM);
                }
                if over.starts_with("enumerate(") {
                    learn(target.and_then(|t| ast.nodes[t].items.first().copied()), Tags::NUM);
                }
            }
            Kind::Member => {
                let field = node.b.map_or("", |b| &text[ast.nodes[b].start..ast.nodes[b].end]);
                let tags = if SEQ_METHODS.contains(&field) {
                    Tags::SEQ
                } else if BAG_METHODS.contains(&field) {
                    Tags::BAG
                } else if STR_METHODS.contains(&field) {
                    Tags::STR
                } else {
                    Tags::OBJ
                };
                learn(node.a, tags);
            }
            Kind::Call => {
                let called = node.a.map_or("", |a| &text[ast.nodes[a].start..ast.nodes[a].end]);
                let args = node.b.map(|b| ast.nodes[b].items.clone()).unwrap_or_default();
                let first = args.first().copied();
                match called {
                    "len" | "sorted" | "sum" | "any" | "all" | "enumerate" | "reversed" | "list" | "set" | "tuple" => {
                        learn(first, Tags::SEQ);
                    }
                    "range" | "abs" | "chr" => args.iter().for_each(|a| learn(Some(*a), Tags::NUM)),
                    _ => {}
                }
                learn(node.a, Tags::FUNC);
            }
            Kind::Assign | Kind::Default => {
                if let (Some(a), Some(b)) = (node.a, node.b) {
                    let tags = self.tags_of(ast, text, b);
                    if let Some(name) = name_of(a).filter(|_| tags.0 != 0) {
                        let owner = owner_of(ast, a);
                        let known = self.tags.entry((owner, name)).or_default();
                        *known = known.with(tags);
                    }
                }
            }
            _ => {}
        }
    }
}

/// The function that a name's guesses are kept under.
fn owner_of(ast: &Ast, id: Id) -> Id {
    ast.function(id).unwrap_or(0)
}
