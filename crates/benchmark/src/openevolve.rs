//! OpenEvolve.
use std::path::Path;
use meliora_domain::{Digest, Finished, Genome};
use crate::{Job, Order, SuiteError, SuiteSource, Toolbox, grade::Parts};
/// c
#[derive(Debug)]
pub struct OpenEvolveConfig {}
#[derive(Debug)]
pub(crate) struct OpenEvolveSuite {}
pub(crate) fn is_task(_f: &Path) -> bool { false }
impl OpenEvolveSuite {
    pub(crate) fn load(_s: &SuiteSource, _t: &Toolbox) -> Result<Self, SuiteError> { Err(crate::folder::error("x", "y")) }
    pub(crate) fn digest(&self) -> Digest { todo!() }
    pub(crate) fn work(&self, _g: &Genome, _o: &Order<'_>) -> Job { todo!() }
    pub(crate) fn grade(&self, _j: &Job, _f: &Finished) -> Parts { todo!() }
}
