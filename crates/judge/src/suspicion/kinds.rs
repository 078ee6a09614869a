//! What the grammars call things, in words that rules know.

use super::tree::Kind;

/// Wrappers that say nothing of their own.
pub(super) const CLEAR: &[&str] = &[
    "expression_statement",
    "parenthesized_expression",
    "await",
    "await_expression",
    "as_expression",
    "satisfies_expression",
    "non_null_expression",
    "type_cast_expression",
    "reference_expression",
    "try_expression",
    "else_clause",
    "finally_clause",
    "case_pattern",
    "export_statement",
    "unsafe_block",
    "spread_element",
    "argument",
    "type_assertion",
];

/// What is never looked into: comments, and types where they are no values.
pub(super) fn hidden(kind: &str) -> bool {
    kind.contains("comment")
        || matches!(
            kind,
            "type"
                | "type_annotation"
                | "type_arguments"
                | "type_parameters"
                | "primitive_type"
                | "reference_type"
                | "generic_type"
                | "lifetime"
                | "visibility_modifier"
                | "predefined_type"
                | "where_clause"
                | "interface_declaration"
                | "type_alias_declaration"
                | "type_item"
                | "escape_sequence"
                | "string_start"
                | "string_end"
                | "import_prefix"
                | "attribute_item"
                | "inner_attribute_item"
                | "accessibility_modifier"
                | "mutable_specifier"
                | "function_modifiers"
                | "extends_type_clause"
        )
}

pub(super) fn kind_of(kind: &str) -> Kind {
    match kind {
        "identifier"
        | "property_identifier"
        | "shorthand_property_identifier"
        | "shorthand_property_identifier_pattern"
        | "field_identifier"
        | "this"
        | "self"
        | "type_identifier"
        | "super"
        | "crate"
        | "private_property_identifier"
        | "shorthand_field_identifier"
        | "shorthand_field_initializer" => Kind::Name,
        "string"
        | "template_string"
        | "string_literal"
        | "raw_string_literal"
        | "char_literal"
        | "concatenated_string"
        | "jsx_text"
        | "regex" => Kind::Str,
        "integer" | "float" | "number" | "integer_literal" | "float_literal" => Kind::Num,
        "true" | "false" | "boolean_literal" => Kind::Bool,
        "none" | "null" | "undefined" | "unit_expression" => Kind::Null,
        "call" | "call_expression" | "new_expression" | "macro_invocation" => Kind::Call,
        "attribute"
        | "member_expression"
        | "field_expression"
        | "scoped_identifier"
        | "scoped_type_identifier"
        | "generic_function" => Kind::Member,
        "subscript" | "subscript_expression" | "index_expression" => Kind::Index,
        "list" | "tuple" | "set" | "array" | "array_expression" | "tuple_expression" | "expression_list"
        | "tuple_pattern" | "list_pattern" | "pattern_list" | "array_pattern" | "slice_pattern" => Kind::List,
        "dictionary" | "object" | "struct_expression" | "object_pattern" | "dict_pattern" => Kind::Dict,
        "pair" | "field_initializer" | "pair_pattern" => Kind::Pair,
        "comparison_operator" => Kind::Compare,
        "boolean_operator" => Kind::Logic,
        "not_operator" => Kind::Not,
        "binary_operator" | "binary_expression" => Kind::Binary,
        "unary_operator" | "unary_expression" | "update_expression" => Kind::Unary,
        "conditional_expression" | "ternary_expression" => Kind::Choice,
        "lambda" | "arrow_function" | "function_expression" | "closure_expression" | "generator_function" => {
            Kind::Lambda
        }
        "list_comprehension" | "generator_expression" | "set_comprehension" | "dictionary_comprehension" => Kind::Comp,
        "for_in_clause" => Kind::CompFor,
        "keyword_argument" => Kind::Keyword,
        "assignment"
        | "augmented_assignment"
        | "named_expression"
        | "assignment_expression"
        | "augmented_assignment_expression"
        | "variable_declarator"
        | "let_declaration"
        | "compound_assignment_expr"
        | "static_item"
        | "const_item"
        | "public_field_definition"
        | "field_definition" => Kind::Assign,
        "return_statement" | "return_expression" => Kind::Return,
        "raise_statement" | "throw_statement" => Kind::Raise,
        "assert_statement" => Kind::Assert,
        "if_statement" | "elif_clause" | "if_expression" => Kind::If,
        "for_statement" | "for_in_statement" | "while_statement" | "do_statement" | "for_expression"
        | "while_expression" | "loop_expression" => Kind::Loop,
        "try_statement" => Kind::Try,
        "except_clause" | "except_group_clause" | "catch_clause" => Kind::Handler,
        "with_statement" => Kind::With,
        "function_definition"
        | "function_declaration"
        | "generator_function_declaration"
        | "method_definition"
        | "function_item" => Kind::Function,
        "class_definition"
        | "class_declaration"
        | "class"
        | "impl_item"
        | "trait_item"
        | "mod_item"
        | "abstract_class_declaration" => Kind::Class,
        "match_statement" | "switch_statement" | "match_expression" => Kind::Match,
        "case_clause" | "switch_case" | "switch_default" | "match_arm" => Kind::Case,
        "block" | "statement_block" | "module" | "program" | "source_file" => Kind::Block,
        "import_statement" | "import_from_statement" | "use_declaration" => Kind::Import,
        "pass_statement" | "ellipsis" | "empty_statement" => Kind::Pass,
        "global_statement" | "nonlocal_statement" => Kind::Outer,
        "macro_definition" => Kind::Macro,
        "typed_parameter"
        | "default_parameter"
        | "typed_default_parameter"
        | "required_parameter"
        | "optional_parameter"
        | "assignment_pattern"
        | "parameter"
        | "list_splat_pattern"
        | "dictionary_splat_pattern"
        | "rest_pattern" => Kind::Param,
        _ => Kind::Other,
    }
}
