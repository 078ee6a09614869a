//! The operators, by what they touch.

mod calls;
mod conditions;
mod constants;
mod expressions;
mod guards;
mod index;
mod loops;
mod names;
mod parallel;
mod returns;
mod statements;
mod swaps;
mod synthesis;

use super::localise::Suspicion;
use super::sketch::Sketch;

/// Candidates of one file that are enough for any run.
const ENOUGH: usize = 200_000;

/// Draws the candidates of the file; of a file with very many, those of the most suspicious lines.
pub(super) fn draw(sketch: &mut Sketch<'_>, suspicion: &Suspicion) {
    let ast = sketch.ast;
    let mut ids: Vec<_> = ast.ids().collect();
    let weight = |id: &usize| suspicion.weight(ast.own_rows(ast.statement(*id)));
    ids.sort_by_cached_key(|id| std::cmp::Reverse((weight(id) * 1e6) as u64));
    for id in ids {
        swaps::at(sketch, id);
        constants::at(sketch, id);
        names::at(sketch, id);
        calls::at(sketch, id);
        index::at(sketch, id);
        expressions::at(sketch, id);
        conditions::at(sketch, id);
        returns::at(sketch, id);
        statements::at(sketch, id);
        synthesis::at(sketch, id);
        guards::at(sketch, id);
        parallel::at(sketch, id);
        if sketch.out.len() > ENOUGH {
            break;
        }
    }
}
