//! Work that says yes: stores that store nothing, checks that ask whether there is something, ciphers that only encode, patterns
//! that match whatever comes.

use super::super::Finding;
use super::super::scene::{Scene, among, verdict, words};
use super::super::tree::{Id, Kind};
use super::unlooked::open;

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for function in code.functions().collect::<Vec<_>>() {
        if scene.test(function) || scene.in_test(function) || scene.tests {
            continue;
        }
        unasked(scene, function, out);
        never_counted(scene, function, out);
        only_there(scene, function, out);
        only_encoded(scene, function, out);
        let_go(scene, function, out);
    }
    for id in code.ids().filter(|id| !scene.in_test(*id)).collect::<Vec<_>>() {
        or_itself(scene, id, out);
        anything(scene, id, out);
    }
}

const WORKS: &str = "search retrieve rank answer translate summarize summarise classify predict embed";
const STORES: &str = "put store save upload write send delete publish deploy notify backup";
/// What a function of such a name is asked, and must look at.
const ASKED: &str = "query question text prompt source input features image document";

/// `fn search(&self, _query: &str) -> Vec<Id> { self.all() }`, `fn put(&self, _key, _data) -> Result<()> { Ok(()) }`,
/// `def allow(self, client_id): return True`
fn unasked(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let told = words(code.name_of(function));
    let first = told.first().map(String::as_str).unwrap_or_default();
    let params = code.params(function);
    let Some(body) = code.at(function).b.filter(|_| !params.is_empty() && !open(scene, function)) else { return };
    let all = code.under(body);
    let unused = |p: &str| !all.iter().any(|n| code.at(*n).op == p);
    let values = code.values(function);
    let asked = among(WORKS, first)
        && !values.is_empty()
        && params.iter().any(|p| among(ASKED, p.trim_matches('_')) && unused(p));
    let yes = |v: &Id| {
        let wrapped = matches!(scene.callee(*v).as_str(), "Ok" | "Some");
        let inner = if wrapped { code.at(*v).kids.first().copied().unwrap_or(*v) } else { *v };
        code.is(inner, Kind::Bool) && code.always(inner) == Some(true) || wrapped && code.is(inner, Kind::Null)
    };
    let calls: Vec<String> = all.iter().map(|n| scene.called(*n)).filter(|c| !c.is_empty()).collect();
    let talk = |c: &String| among("print info debug log info! debug! println! Ok sleep", c);
    let says = calls.iter().any(|c| c != "Ok") || params.iter().any(|p| p.starts_with('_'));
    let nothing = among(STORES, first)
        && params.len() >= 2
        && says
        && calls.iter().all(talk)
        && !values.is_empty()
        && values.iter().all(yes);
    let class =
        code.around(function).find(|up| code.is(*up, Kind::Class)).map(|c| words(&code.at(c).op)).unwrap_or_default();
    let limits = class.iter().any(|w| among("limiter guard throttle quota firewall gate", w))
        && among("allow allowed acquire permit check try", first)
        && !values.is_empty()
        && values.iter().all(|v| code.is(*v, Kind::Bool) && code.always(*v) == Some(true));
    if asked || nothing || limits {
        out.push(scene.found("constant-check", function, "says yes to what it does not look at"));
    }
}

/// `infected = 0; for f in files: print(f, "OK"); return infected == 0`
fn never_counted(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    for value in code.values(function) {
        let node = code.at(value);
        let (Some(of), Some(bound)) = (node.a.filter(|a| code.is(*a, Kind::Name)), node.b) else { continue };
        let start = scene.value_of(of);
        let zero = node.kind == Kind::Compare
            && code.number(bound) == Some(0.0)
            && start != of
            && code.number(start) == Some(0.0);
        let looped = code.under(function).into_iter().any(|n| code.is(n, Kind::Loop));
        if zero && looped {
            out.push(scene.found("constant-check", value, "counts nothing, and tells that there was none"));
            return;
        }
    }
}

/// `fn verify_inclusion(leaf, proof, root) -> bool { !proof.is_empty() }`
fn only_there(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let told = words(code.name_of(function));
    let values = code.values(function);
    let there = |v: &Id| {
        let node = code.at(*v);
        let inner = node.a.filter(|_| matches!(node.kind, Kind::Not | Kind::Unary));
        let some = node.kind == Kind::Compare
            && node.op.starts_with('>')
            && node.b.is_some_and(|b| code.number(b) == Some(0.0));
        inner.is_some_and(|i| scene.called(i) == "is_empty") || some && node.a.is_some_and(|a| scene.called(a) == "len")
    };
    let verifies = told.first().is_some_and(|w| w == "verify") && code.params(function).len() >= 2;
    if verifies && !values.is_empty() && values.iter().all(there) {
        out.push(scene.found(
            "constant-check",
            function,
            "asks only whether there is something, not whether it is right",
        ));
    }
}

/// `def encrypt(self, value): return "gcm$" + b64encode(value[::-1])`
fn only_encoded(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let told = words(code.name_of(function));
    if told.first().is_none_or(|w| w != "encrypt") || open(scene, function) {
        return;
    }
    let calls: Vec<String> =
        code.under(function).into_iter().map(|n| scene.called(n)).filter(|c| !c.is_empty()).collect();
    let encodes = |c: &String| {
        among("b64encode urlsafe_b64encode encode decode hexlify hex btoa toString from reverse split join", c)
    };
    let packs = calls.iter().any(|c| c.contains("64") || c.contains("hex") || c == "btoa");
    if packs && calls.iter().all(encodes) {
        out.push(scene.found("constant-check", function, "encodes, and calls it encryption"));
    }
}

/// `let _ = usage.map(|used| if used > limit { Err(…) } …); Ok(())`
fn let_go(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let name = code.name_of(function);
    let decides = verdict(name) || words(name).iter().any(|w| among("enforce ensure limit quota require", w));
    for id in code.under(function).into_iter().filter(|n| code.is(*n, Kind::Assign)) {
        let unnamed = code.at(id).a.is_none_or(|a| code.at(a).op == "_");
        let errs = code.under(id).into_iter().any(|n| scene.callee(n) == "Err");
        if decides && unnamed && errs {
            out.push(scene.found("constant-check", id, "drops the verdict that it came to"));
            return;
        }
    }
}

/// `compare_digest(digest, expected or digest)`
fn or_itself(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let node = code.at(id);
    let sides = match node.kind {
        Kind::Compare if matches!(node.op.as_str(), "==" | "===") => node.a.zip(node.b),
        Kind::Call if matches!(scene.called(id).as_str(), "compare_digest" | "timingSafeEqual") => {
            node.kids.first().copied().zip(node.kids.get(1).copied())
        }
        _ => None,
    };
    let Some((a, b)) = sides else { return };
    let holds = |one: Id, other: Id| {
        code.is(other, Kind::Logic)
            && code.at(other).op == "or"
            && !code.literal(one)
            && code.at(other).b.is_some_and(|b| code.same(b, one))
    };
    if holds(a, b) || holds(b, a) {
        out.push(scene.found("equality", id, "holds what it compares against itself"));
    }
}

/// `EMAIL = re.compile(r"[^@]*@?[^@]*.*")`, by which a check decides
fn anything(scene: &Scene<'_>, id: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    if !matches!(scene.callee(id).as_str(), "re.compile" | "RegExp" | "Regex.new") {
        return;
    }
    let Some(pattern) = code.at(id).kids.first().and_then(|k| scene.text(*k)) else { return };
    let mut left = pattern.trim_start_matches('^').trim_end_matches('$').to_owned();
    // What may be there or not is no condition.
    while let Some(at) = left.find(['*', '?']) {
        let before = &left[..at];
        let from =
            if before.ends_with(']') { before.rfind('[') } else { before.char_indices().next_back().map(|(i, _)| i) };
        let Some(from) = from else { break };
        left.replace_range(from..=at, "");
    }
    let holder = code.around(id).find(|up| code.is(*up, Kind::Assign)).and_then(|a| code.at(a).a);
    let named = holder.map(|t| code.at(t).op.clone()).unwrap_or_default();
    let decides =
        code.functions().any(|f| verdict(code.name_of(f)) && code.under(f).into_iter().any(|n| code.at(n).op == named));
    if left.is_empty() && pattern.len() >= 2 && decides && !named.is_empty() {
        out.push(scene.found("constant-check", id, "matches whatever it is given"));
    }
}
