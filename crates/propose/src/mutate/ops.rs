//! The operators, by what they touch.

mod calls;
mod conditions;
mod constants;
mod expressions;
mod index;
mod names;
mod returns;
mod statements;
mod swaps;
mod synthesis;

use super::sketch::Sketch;

/// Draws every candidate of the file.
pub(super) fn draw(sketch: &mut Sketch<'_>) {
    for id in sketch.ast.ids() {
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
    }
}
