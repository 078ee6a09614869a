//! Whether a recursive query comes to an end, as far as its text tells.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Cte, Expr, JoinConstraint, JoinOperator, Select, SetExpr, Visit, visit_expressions, visit_relations,
};

/// Highest count that is taken for an end.
const MOST: f64 = 1e7;

/// Whether nothing that is seen ends it: a part that reads what it has made itself, under no condition, or under one that
/// more rows never fail.
pub(super) fn endless(cte: &Cte) -> bool {
    let name = cte.alias.name.value.to_lowercase();
    let mut parts = Vec::new();
    selects(&cte.query.body, &mut parts);
    cte.query.limit_clause.is_none() && parts.into_iter().any(|part| reads(part, &name) && !ends(part, &name))
}

fn selects<'a>(body: &'a SetExpr, parts: &mut Vec<&'a Select>) {
    match body {
        SetExpr::Select(select) => parts.push(select),
        SetExpr::Query(query) => selects(&query.body, parts),
        SetExpr::SetOperation { left, right, .. } => {
            selects(left, parts);
            selects(right, parts);
        }
        _ => {}
    }
}

fn reads(part: &impl Visit, name: &str) -> bool {
    let mine =
        |relation: &sqlparser::ast::ObjectName| match relation.to_string().to_lowercase().replace('"', "") == name {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
    visit_relations(part, mine).is_break()
}

/// Whether another table, of which there is no more at some time, or a bound that a count reaches ends it.
fn ends(part: &Select, name: &str) -> bool {
    let (mut joined, mut conditions) = (false, part.selection.iter().collect::<Vec<_>>());
    for join in part.from.iter().flat_map(|from| &from.joins) {
        use JoinOperator::{FullOuter, Inner, Join, Left, LeftOuter, Right, RightOuter};
        let (Join(how) | Inner(how) | Left(how) | LeftOuter(how) | Right(how) | RightOuter(how) | FullOuter(how)) =
            &join.join_operator
        else {
            continue;
        };
        match how {
            JoinConstraint::On(condition) => conditions.push(condition),
            JoinConstraint::Using(_) | JoinConstraint::Natural => joined = true,
            JoinConstraint::None => {}
        }
    }
    let alone = visit_relations(part, |relation| match relation.to_string().to_lowercase().replace('"', "") == name {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    })
    .is_continue();
    let grows = part.projection.iter().any(|item| item.to_string().contains(" + "));
    joined || conditions.into_iter().any(|condition| bounds(condition) && !(alone && grows && below_only(condition)))
}

/// Whether a condition looks at a row and names no number that is as good as none.
fn bounds(condition: &Expr) -> bool {
    let column = visit_expressions(condition, |expr| match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    let text = condition.to_string();
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.');
    column.is_break() && !words.any(|word| word.parse::<f64>().is_ok_and(|number| number.abs() > MOST))
}

/// `n > 0`: what counts upwards never fails it.
fn below_only(condition: &Expr) -> bool {
    let text = condition.to_string().to_lowercase();
    text.contains('>') && !["<", "between", " in ", "not ", "exists"].iter().any(|other| text.contains(other))
}
