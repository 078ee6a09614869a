//! What says in which direction a text points.

use meliora_domain::Cost;

use super::ModelError;

/// Texts as directions: those that mean much the same point much the same way.
pub trait Embedder: Sync {
    /// What [`Embedder::embed`] of this text costs at most.
    fn price(&self, text: &str) -> Cost;

    /// The text's direction, and what it cost. Its numbers are finite, and there is at least one.
    ///
    /// # Errors
    /// When the model cannot be asked.
    fn embed(&self, text: &str) -> Result<(Vec<f32>, Cost), ModelError>;
}
