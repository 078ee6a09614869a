//! How likely each family of edits is to be the repair, before anything is known of the program.
//!
//! The weights are an ordering, not a measured distribution. They follow what studies of one-line fixes agree on
//! (Karampatsis and Sutton 2020, "How Often Do Single-Statement Bugs Occur?": changed identifiers, arguments, operators
//! and numerals lead; Just et al. 2014, "Are Mutants a Valid Substitute for Real Faults?": missing code comes next) and
//! one rule against false repairs: what keeps the program's structure comes before what special-cases or deletes. They were set
//! half way to where the right repairs of 107 programs of `bench/kata-tuned` and of 29 textbook programs came before the false ones.

/// A family of edits: what a candidate does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Family {
    Boundary,
    Comparison,
    Operator,
    Logic,
    Augmented,
    Constant,
    ConstantReset,
    Boolean,
    Text,
    Name,
    Attribute,
    Kin,
    Arguments,
    ArgumentDrop,
    ArgumentInsert,
    OperandSwap,
    OperandDrop,
    OperandAdd,
    Shift,
    Subscript,
    Slice,
    CutOff,
    Negation,
    Clause,
    ClauseDrop,
    ConditionConstant,
    LoopCondition,
    Return,
    ReturnTest,
    Yield,
    Wrap,
    Unwrap,
    Precedence,
    Literal,
    Initial,
    Range,
    Replace,
    Target,
    Jump,
    Delete,
    Duplicate,
    Move,
    Indent,
    Insert,
    InsertReturn,
    Guard,
    Skip,
    Key,
}

impl Family {
    /// Weight before anything is known: more is tried earlier.
    pub(super) fn prior(self) -> f64 {
        match self {
            // One token that a slip of the hand or of thought changes.
            Family::Boundary => 1.3,
            Family::Constant | Family::Logic => 1.1,
            Family::Comparison | Family::Kin => 1.0,
            Family::Operator => 0.9,
            Family::Boolean | Family::Precedence => 0.85,
            Family::Name | Family::Attribute | Family::Shift | Family::Range | Family::OperandSwap => 0.8,
            Family::Arguments => 0.75,
            // An expression that is nearly right.
            Family::Slice | Family::Subscript | Family::Yield => 0.7,
            Family::Negation | Family::Unwrap | Family::Initial | Family::Return | Family::Key => 0.65,
            Family::Augmented => 0.65,
            Family::LoopCondition | Family::Literal | Family::ReturnTest => 0.6,
            Family::Wrap => 0.55,
            Family::OperandAdd | Family::Indent | Family::ArgumentDrop | Family::Jump => 0.5,
            // Code that is missing.
            Family::Insert => 0.75,
            Family::OperandDrop | Family::ConstantReset | Family::Target => 0.5,
            Family::Replace => 0.45,
            Family::Clause | Family::ArgumentInsert | Family::Move | Family::CutOff => 0.4,
            // Edits that special-case: what passes thereby is right less often.
            Family::Guard | Family::Text | Family::Skip => 0.35,
            Family::ClauseDrop | Family::Duplicate => 0.25,
            Family::Delete => 0.2,
            Family::InsertReturn => 0.18,
            Family::ConditionConstant => 0.12,
        }
    }

    /// What it is called in a proposal's reason.
    pub(super) fn label(self) -> &'static str {
        match self {
            Family::Boundary => "boundary",
            Family::Comparison => "comparison swap",
            Family::Operator => "operator swap",
            Family::Logic => "logic swap",
            Family::Augmented => "assignment operator",
            Family::Constant => "constant shift",
            Family::ConstantReset => "constant",
            Family::Boolean => "boolean",
            Family::Text => "string",
            Family::Name => "name swap",
            Family::Attribute => "attribute swap",
            Family::Kin => "kindred name",
            Family::Arguments => "argument order",
            Family::ArgumentDrop => "argument dropped",
            Family::ArgumentInsert => "argument added",
            Family::OperandSwap => "operand order",
            Family::OperandDrop => "operand dropped",
            Family::OperandAdd => "operand added",
            Family::Shift => "off by one",
            Family::Subscript => "subscript",
            Family::Slice => "slice bounds",
            Family::CutOff => "slice added",
            Family::Negation => "negation",
            Family::Clause => "clause added",
            Family::ClauseDrop => "clause dropped",
            Family::ConditionConstant => "constant condition",
            Family::LoopCondition => "loop condition",
            Family::Return => "return value",
            Family::ReturnTest => "return a test",
            Family::Yield => "yield form",
            Family::Wrap => "call wrapped around",
            Family::Unwrap => "call unwrapped",
            Family::Precedence => "precedence",
            Family::Literal => "literal content",
            Family::Initial => "initial value",
            Family::Range => "range bounds",
            Family::Replace => "expression of the same function",
            Family::Target => "assignment form",
            Family::Jump => "jump swap",
            Family::Delete => "statement deleted",
            Family::Duplicate => "statement duplicated",
            Family::Move => "statement moved",
            Family::Indent => "indentation",
            Family::Insert => "missing statement",
            Family::InsertReturn => "missing exit",
            Family::Guard => "missing guard",
            Family::Skip => "turn skipped",
            Family::Key => "sort order",
        }
    }
}

/// How much a family's weight shrinks for its `nth` candidate of one line (from 0). Zipf's law, so that a line with hundreds
/// of names does not starve the others; gentler where what is missing must be made up from many parts.
pub(super) fn diminish(family: Family, nth: usize) -> f64 {
    let exponent = match family {
        Family::Insert
        | Family::Clause
        | Family::Wrap
        | Family::OperandAdd
        | Family::Replace
        | Family::Guard
        | Family::Skip => 0.65,
        _ => 0.8,
    };
    (1.0 + nth as f64).powf(-exponent)
}
