//! Syntax trees of texts.

use std::cell::RefCell;

use meliora_domain::Recent;
use tree_sitter::{Parser, Tree};

use crate::mutate::language::Lang;

/// The tree of a text, with its errors. `None` if the grammar does not load.
pub(crate) fn parse(lang: Lang, text: &str) -> Option<Tree> {
    thread_local! {
        static RECENT: RefCell<Recent<Lang, Tree>> = const { RefCell::new(Recent::new()) };
    }
    RECENT.with_borrow_mut(|recent| {
        recent.get(lang, text, || {
            let mut parser = Parser::new();
            parser.set_language(&lang.grammar()).ok()?;
            parser.parse(text, None)
        })
    })
}
