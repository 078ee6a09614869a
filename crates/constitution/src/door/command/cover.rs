//! Whether the grammar has left nothing of a script out, and has joined nothing that a shell keeps apart.

use tree_sitter::Node;

use super::parse::{DEEPEST, Reader};

impl Reader<'_> {
    /// Whether every byte outside of words is a blank, and comments are what a shell takes for comments.
    pub(super) fn covered(&self, node: Node<'_>, depth: usize) -> bool {
        if depth > DEEPEST * 4 {
            return false;
        }
        match node.kind() {
            "string" | "heredoc_body" | "raw_string" | "ansi_c_string" | "word" => return true,
            "comment" => {
                let before = self.text[..node.start_byte()].chars().next_back();
                return !self.of(node).contains(['\n', '\r'])
                    && before.is_none_or(|c| c.is_whitespace() || ";&|()".contains(c));
            }
            _ => {}
        }
        let mut at = node.start_byte();
        let mut cursor = node.walk();
        let children: Vec<_> = node.children(&mut cursor).collect();
        let blank = |gap: &str, lines: bool| {
            gap.replace("\\\n", " ").chars().all(|c| matches!(c, ' ' | '\t') || lines && c == '\n')
        };
        // Where more than one reading is possible the grammar sometimes takes the lines that follow for arguments.
        let lines = !matches!(
            node.kind(),
            "command"
                | "redirected_statement"
                | "declaration_command"
                | "unset_command"
                | "variable_assignments"
                | "file_redirect"
                | "herestring_redirect"
                | "concatenation"
        );
        let mut fine = true;
        for child in &children {
            let lines = lines && !matches!(child.kind(), "|" | "|&" | "&&" | "||");
            // A here-document's parts may overlap what follows on its first line.
            let gap = self.text.get(at..child.start_byte());
            fine &= child.start_byte() < at || gap.is_some_and(|gap| blank(gap, lines));
            fine &= self.covered(*child, depth + 1);
            at = at.max(child.end_byte());
        }
        let rest = self.text.get(at..node.end_byte().max(at));
        fine && (children.is_empty() || rest.is_some_and(|rest| blank(rest, true)))
    }
}
