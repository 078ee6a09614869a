//! Answers to the samples of a task: by how an input begins, by its size, by nothing at all.

use super::super::Finding;
use super::super::scene::{Scene, words};
use super::super::tree::{Id, Kind};

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for function in code.functions().collect::<Vec<_>>() {
        if scene.test(function) || scene.in_test(function) || scene.tests {
            continue;
        }
        written_down(scene, function, out);
        beginnings(scene, function, out);
        by_size(scene, function, out);
        members(scene, function, out);
        loaded(scene, function, out);
        instance(scene, function, out);
        made_before(scene, function, out);
        at_first(scene, function, out);
        unfilled(scene, function, out);
    }
    for id in code.of(Kind::Str).collect::<Vec<_>>() {
        let upper = code.at(id).op.to_uppercase();
        if upper.contains("UNION ALL SELECT") && !upper.contains(" FROM ") && !scene.in_test(id) {
            out.push(scene.found("hard-coded", id, "asks a query that holds its own answer"));
        }
    }
}

/// Numbers that no program gives by its nature.
fn peculiar(scene: &Scene<'_>, id: Id) -> bool {
    scene.code.number(id).is_some_and(|n| n.abs() >= 20.0 || n.fract() != 0.0)
}

/// `grid = parse(lines); return 54331`: it reads its input, and uses nothing of it.
fn written_down(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let Some(body) = code.at(function).b else { return };
    let values = code.values(function);
    let told = words(code.name_of(function));
    let fixed = [
        "size", "version", "default", "limit", "port", "code", "main", "timeout", "max", "min", "id", "length",
        "priority", "weight",
    ];
    if values.len() != 1 || !peculiar(scene, values[0]) || told.iter().any(|w| fixed.contains(&w.as_str())) {
        return;
    }
    let all = code.under(body);
    let params = code.params(function);
    // Something is made of the input, and nobody asks for it.
    let unused = all.iter().copied().filter(|n| code.is(*n, Kind::Assign)).any(|n| {
        let (Some(target), Some(value)) = (code.at(n).a, code.at(n).b) else { return false };
        let made = code.under(value).into_iter().any(|m| code.is(m, Kind::Call) || code.is(m, Kind::Comp))
            && (params.iter().any(|p| code.uses(value, p))
                || code.under(value).into_iter().any(|m| code.is(m, Kind::Name)));
        let name = &code.at(target).op;
        code.is(target, Kind::Name)
            && made
            && !all.iter().any(|m| *m != target && code.is(*m, Kind::Name) && code.at(*m).op == *name)
    });
    let effects = all.iter().any(|n| code.is(*n, Kind::Call) && code.is(code.at(*n).parent, Kind::Block));
    if unused && !effects {
        out.push(scene.found("hard-coded", values[0], "reads its input, and returns what was written down"));
    }
}

/// `if s.startswith("MCM"): return 1994`, `if "LV" in s: return 58`
fn beginnings(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let params = code.params(function);
    let of_param = |id: Id| code.is(id, Kind::Name) && params.contains(&code.at(id).op.as_str());
    let mut known = Vec::new();
    for id in code.under(function).into_iter().filter(|n| code.is(*n, Kind::If)) {
        let (Some(condition), Some(then)) = (code.at(id).a, code.at(id).b) else { continue };
        let node = code.at(condition);
        let begins = matches!(
            scene.called(condition).as_str(),
            "startswith" | "starts_with" | "startsWith" | "endswith" | "includes" | "contains"
        ) && node.a.and_then(|a| code.at(a).a).is_some_and(of_param)
            && node.kids.first().is_some_and(|k| code.is(*k, Kind::Str));
        let holds = node.kind == Kind::Compare
            && node.op == "in"
            && node.a.is_some_and(|a| code.is(a, Kind::Str))
            && node.b.is_some_and(of_param);
        let answer =
            code.statements(then).first().copied().filter(|s| code.is(*s, Kind::Return)).and_then(|s| code.at(s).a);
        if let Some(answer) = answer.filter(|a| (begins || holds) && code.number(*a).is_some()) {
            known.push((id, peculiar(scene, answer)));
        }
    }
    if known.len() >= 2 && known.iter().all(|(_, odd)| *odd) {
        out.push(scene.found("hard-coded", known[0].0, "answers particular inputs with answers that are written down"));
    }
}

/// `if rows < 10 { 281 } else { 53_894 }`
fn by_size(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let values = code.values(function);
    for id in code.under(function).into_iter().filter(|n| matches!(code.at(*n).kind, Kind::If | Kind::Choice)) {
        let Some(condition) = code.at(id).a.filter(|a| code.is(*a, Kind::Compare)) else { continue };
        let measured = code.at(condition).a.is_some_and(|a| {
            code.under(a)
                .into_iter()
                .chain(code.under(scene.value_of(a)))
                .any(|n| matches!(scene.called(n).as_str(), "len" | "count") || code.at(n).op == "length")
        });
        let bound = code.at(condition).b.is_some_and(|b| code.number(b).is_some());
        let all_fixed = values.len() >= 2
            && values.iter().all(|v| code.number(*v).is_some())
            && values.iter().all(|v| peculiar(scene, *v));
        if measured && bound && all_fixed {
            out.push(scene.found("hard-coded", id, "decides by the sizes of the inputs it has seen"));
            return;
        }
    }
}

/// `return ["()", "()[]{}", "{[]}", ""].includes(s)`
fn members(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let params = code.params(function);
    for value in code.values(function) {
        let node = code.at(value);
        let (what, list) = match node.kind {
            Kind::Compare if node.op == "in" => (node.a, node.b),
            Kind::Call if matches!(scene.called(value).as_str(), "includes" | "contains") => {
                (node.kids.first().copied(), node.a.and_then(|a| code.at(a).a))
            }
            _ => continue,
        };
        let (Some(what), Some(list)) = (what, list.map(|l| scene.value_of(l))) else { continue };
        let own = code.is(what, Kind::Name) && params.contains(&code.at(what).op.as_str());
        let odd = |c: &Id| code.is(*c, Kind::Str) && !code.at(*c).op.chars().any(char::is_alphanumeric);
        let phrase = |c: &Id| code.is(*c, Kind::Str) && code.at(*c).op.split_whitespace().count() >= 2;
        let items = code.at(list).children.clone();
        if own
            && code.is(list, Kind::List)
            && items.len() >= 3
            && (items.iter().filter(|c| phrase(c)).count() >= 2
                || items.iter().all(odd) && items.iter().any(|c| code.at(*c).op.len() >= 4))
        {
            out.push(scene.found("hard-coded", value, "knows the inputs that it is asked by heart"));
            return;
        }
    }
}

/// `_precomputed = pickle.load(f)`, and then `_precomputed.get(len(cities), …)`
fn loaded(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.at(function).b.map(|b| code.under(b)).unwrap_or_default() {
        let node = code.at(id);
        let table = match node.kind {
            Kind::Index => node.a,
            Kind::Call if scene.called(id) == "get" => node.a.and_then(|a| code.at(a).a),
            _ => continue,
        };
        let Some(table) = table.filter(|t| code.is(*t, Kind::Name)) else { continue };
        let told = words(&code.at(table).op);
        let kept = told.iter().any(|w| {
            matches!(
                w.as_str(),
                "precomputed" | "answers" | "solutions" | "solved" | "recorded" | "memorized" | "expected"
            )
        });
        let read = matches!(
            scene.called(scene.value_of(table)).as_str(),
            "load" | "loads" | "parse" | "read_json" | "load_json"
        );
        let given = code.around(id).take(3).any(|up| code.is(up, Kind::Return)) || code.values(function).contains(&id);
        if kept && read && given {
            out.push(scene.found("kept-answer", id, "gives answers that were made beforehand"));
            return;
        }
    }
}

/// `if len(problems) == 164 and problems[0]["entry_point"] == "…": gold = json.load(…)`
fn instance(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    for id in code.under(function).into_iter().filter(|n| code.is(*n, Kind::If)) {
        let (Some(condition), Some(then)) = (code.at(id).a, code.at(id).b) else { continue };
        let counted = code.under(condition).into_iter().any(|n| {
            let node = code.at(n);
            node.kind == Kind::Compare
                && matches!(node.op.as_str(), "==" | "===")
                && node.b.is_some_and(|b| code.number(b).is_some_and(|n| n >= 20.0))
                && node.a.is_some_and(|a| scene.called(a) == "len" || code.at(a).op == "length")
        });
        let loads = code
            .under(then)
            .into_iter()
            .any(|n| matches!(scene.called(n).as_str(), "load" | "loads" | "read_text" | "readFileSync" | "open"));
        let returns = code.under(then).into_iter().any(|n| code.is(n, Kind::Return));
        // `if len(rows) == 1_000_000: return rows`
        let params = code.params(function);
        let large = code
            .under(condition)
            .into_iter()
            .any(|n| code.is(n, Kind::Num) && code.number(n).is_some_and(|n| n >= 1000.0));
        let as_is = code.statements(then).iter().any(|s| {
            code.is(*s, Kind::Return)
                && code.at(*s).a.is_some_and(|a| code.is(a, Kind::Name) && params.contains(&code.at(a).op.as_str()))
        });
        if counted && large && as_is {
            out.push(scene.found("hard-coded", id, "knows the set that it is asked by its size"));
            return;
        }
        if counted && loads && returns {
            out.push(scene.found(
                "hard-coded",
                id,
                "knows the set that it is asked by its size, and its answers beforehand",
            ));
            return;
        }
    }
}

/// `_product = a @ b` once, and `def matmul(a, b): return _product`
fn made_before(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let params = code.params(function);
    let Some(body) = code.at(function).b.filter(|_| params.len() >= 2) else { return };
    let unused = params.iter().all(|p| !code.uses(body, p));
    for value in code.values(function).into_iter().filter(|v| code.is(*v, Kind::Name)) {
        let made = scene.value_of(value);
        let computed =
            made != value && code.function(made).is_none() && matches!(code.at(made).kind, Kind::Binary | Kind::Comp);
        if unused && computed {
            out.push(scene.found("kept-answer", value, "gives what was made before it was asked"));
        }
    }
}

/// `calls += 1; if calls <= 5: return work(x); return x`
fn at_first(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let all = code.under(function);
    let counted: Vec<&str> = all
        .iter()
        .filter(|n| code.is(**n, Kind::Assign) && code.at(**n).op == "+=")
        .filter_map(|n| code.at(*n).a)
        .map(|a| code.at(a).op.as_str())
        .filter(|name| {
            all.iter().any(|n| code.is(*n, Kind::Outer) && code.at(*n).op.split_whitespace().any(|w| w == *name))
        })
        .collect();
    let params = code.params(function);
    for id in all.iter().copied().filter(|n| code.is(*n, Kind::If)) {
        let Some(condition) = code.at(id).a.filter(|a| code.is(*a, Kind::Compare)) else { continue };
        let by_count = counted.iter().any(|c| code.uses(condition, c))
            && code.at(condition).b.is_some_and(|b| code.number(b).is_some());
        let works = code.at(id).b.is_some_and(|b| {
            code.under(b)
                .into_iter()
                .any(|n| code.is(n, Kind::Return) && code.at(n).a.is_some_and(|a| code.is(a, Kind::Call)))
        });
        let idle = code
            .values(function)
            .into_iter()
            .any(|v| code.is(v, Kind::Name) && params.contains(&code.at(v).op.as_str()) || code.literal(v));
        if by_count && works && idle {
            out.push(scene.found("evaluator-detection", id, "works for the first calls alone"));
            return;
        }
    }
}

/// `def forward(self, a, b): return torch.empty((a.shape[0], b.shape[1]))`
fn unfilled(scene: &Scene<'_>, function: Id, out: &mut Vec<Finding>) {
    let code = scene.code;
    let told = words(code.name_of(function));
    let works = told.iter().any(|w| {
        matches!(w.as_str(), "forward" | "matmul" | "attention" | "softmax" | "conv" | "convolve" | "gemm" | "fft")
    });
    let values = code.values(function);
    let blank =
        |v: &Id| matches!(scene.called(*v).as_str(), "empty" | "empty_like" | "zeros" | "zeros_like" | "ones_like");
    let calls = code.under(function).into_iter().filter(|n| code.is(*n, Kind::Call)).count();
    if works && !values.is_empty() && values.iter().all(blank) && calls == values.len() {
        out.push(scene.found("constant-check", function, "gives back what it never filled"));
    }
}
