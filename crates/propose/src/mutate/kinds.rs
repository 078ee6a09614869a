//! The grammars' names for nodes, folded into one [`Kind`].

use super::language::Lang;
use super::tree::Kind;

/// What a node of a grammar is.
pub(super) fn kind_of(lang: Lang, ts: &tree_sitter::Node<'_>, text: &str) -> Kind {
    let python = lang == Lang::Python;
    match ts.kind() {
        "identifier"
        | "self"
        | "this"
        | "shorthand_property_identifier"
        | "property_identifier"
        | "field_identifier"
        | "private_property_identifier"
        | "super"
        | "scoped_identifier" => Kind::Name,
        "integer" | "integer_literal" => Kind::Int,
        "number" => {
            if text[ts.byte_range()].bytes().all(|b| b.is_ascii_digit()) {
                Kind::Int
            } else {
                Kind::Float
            }
        }
        "float" | "float_literal" => Kind::Float,
        "string" => {
            // An f-string holds expressions; the rest of it is text.
            let open = text.as_bytes().get(ts.start_byte()).copied().unwrap_or(b'"');
            if python && matches!(open, b'f' | b'F') { Kind::Template } else { Kind::Str }
        }
        "string_literal" | "raw_string_literal" | "char_literal" | "concatenated_string" => Kind::Str,
        "template_string" => Kind::Template,
        "true" | "false" | "boolean_literal" => Kind::Bool,
        "none" | "null" | "undefined" => Kind::Null,
        "binary_operator" => Kind::Binary,
        "comparison_operator" => Kind::Compare,
        "boolean_operator" => Kind::Logic,
        "binary_expression" => match ts.child_by_field_name("operator").map(|o| o.kind()) {
            Some("&&" | "||" | "??") => Kind::Logic,
            Some("<" | "<=" | ">" | ">=" | "==" | "!=" | "===" | "!==" | "in" | "instanceof") => Kind::Compare,
            _ => Kind::Binary,
        },
        "not_operator" => Kind::Not,
        "unary_operator" => Kind::Unary,
        "unary_expression" => match ts.child(0).map(|o| o.kind()) {
            Some("!") => Kind::Not,
            _ => Kind::Unary,
        },
        "negative_literal" => Kind::Unary,
        "call" | "call_expression" | "new_expression" | "macro_invocation" => Kind::Call,
        "attribute" if python => Kind::Member,
        "member_expression" | "field_expression" => Kind::Member,
        "subscript" | "subscript_expression" | "index_expression" => Kind::Index,
        "slice" | "range_expression" => Kind::Slice,
        "list" | "array" | "array_expression" => Kind::List,
        "tuple" | "expression_list" | "tuple_expression" => Kind::Tuple,
        "set" => Kind::Set,
        "dictionary" | "object" => Kind::Dict,
        "pair" => Kind::Pair,
        "parenthesized_expression" => Kind::Paren,
        "conditional_expression" | "ternary_expression" => Kind::Choice,
        "lambda" | "arrow_function" | "closure_expression" => Kind::Lambda,
        "list_comprehension" | "set_comprehension" | "dictionary_comprehension" | "generator_expression" => Kind::Comp,
        "for_in_clause" => Kind::CompFor,
        "if_clause" => Kind::CompIf,
        "keyword_argument" => Kind::Keyword,
        "list_splat" | "dictionary_splat" | "spread_element" => Kind::Star,
        "await"
        | "await_expression"
        | "type_cast_expression"
        | "reference_expression"
        | "try_expression"
        | "as_expression"
        | "non_null_expression"
        | "satisfies_expression"
        | "type_conversion" => Kind::Around,
        "yield" | "yield_expression" => Kind::Yield,
        "interpolation" | "template_substitution" => Kind::Around,
        "argument_list" | "arguments" => Kind::Args,
        "token_tree" => Kind::Tokens,
        "parameters" | "formal_parameters" | "lambda_parameters" | "closure_parameters" => Kind::Params,
        "default_parameter" | "typed_default_parameter" | "assignment_pattern" => Kind::Default,
        "expression_statement" => Kind::ExprStmt,
        "assignment" | "assignment_expression" | "let_declaration" | "variable_declarator" | "named_expression" => {
            Kind::Assign
        }
        "lexical_declaration" | "variable_declaration" | "const_item" | "static_item" => Kind::Decl,
        "augmented_assignment" | "compound_assignment_expr" | "augmented_assignment_expression" => Kind::Aug,
        "update_expression" => Kind::Update,
        "return_statement" | "return_expression" => Kind::Return,
        "break_statement" | "break_expression" => Kind::Break,
        "continue_statement" | "continue_expression" => Kind::Continue,
        "pass_statement" | "empty_statement" => Kind::Pass,
        "raise_statement" | "throw_statement" => Kind::Raise,
        "assert_statement" => Kind::Assert,
        "if_statement" | "if_expression" | "elif_clause" => Kind::If,
        "else_clause" => Kind::Else,
        "while_statement" | "while_expression" | "do_statement" => Kind::While,
        "loop_expression" => Kind::Loop,
        "for_statement" if python => Kind::For,
        "for_in_statement" | "for_expression" => Kind::For,
        "for_statement" => Kind::CFor,
        "try_statement" => Kind::Try,
        "block" | "statement_block" => Kind::Block,
        "function_definition"
        | "function_item"
        | "function_declaration"
        | "function_expression"
        | "method_definition"
        | "generator_function_declaration"
        | "generator_function" => Kind::Function,
        "class_definition" | "class_declaration" | "class" => Kind::Class,
        "module" | "source_file" | "program" => Kind::Module,
        "import_statement"
        | "import_from_statement"
        | "future_import_statement"
        | "use_declaration"
        | "global_statement"
        | "nonlocal_statement"
        | "match_pattern" => Kind::Import,
        "comment" | "line_comment" | "block_comment" => Kind::Comment,
        "type"
        | "type_annotation"
        | "type_parameters"
        | "type_arguments"
        | "generic_type"
        | "reference_type"
        | "primitive_type"
        | "type_identifier"
        | "scoped_type_identifier"
        | "tuple_type"
        | "array_type"
        | "pointer_type"
        | "attribute_item"
        | "inner_attribute_item"
        | "visibility_modifier"
        | "lifetime"
        | "label"
        | "where_clause"
        | "trait_bounds"
        | "macro_definition"
        | "interface_declaration"
        | "type_alias_declaration"
        | "enum_item"
        | "struct_item"
        | "enum_declaration"
        | "decorator"
        | "mutable_specifier"
        | "regex"
        | "statement_identifier"
        | "dynamic_type"
        | "abstract_type"
        | "qualified_type"
        | "bounded_type"
        | "function_type"
        | "predefined_type"
        | "union_type"
        | "optional_parameter_type"
        | "accessibility_modifier"
        | "ERROR" => Kind::Skip,
        _ => Kind::Other,
    }
}
