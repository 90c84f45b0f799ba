//! The values that a verifier compares with.

use std::collections::BTreeMap;

use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_ast::{self as ast, Expr, Number, Stmt, UnaryOp};
use ruff_text_size::{Ranged, TextRange};

use crate::python::{Module, walk_deeper};
use crate::value::Value;

/// A literal in a verifier.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Literal {
    pub value: Value,
    /// Where it is in the source.
    pub range: TextRange,
}

/// The literals that a verifier has a name for.
#[derive(Debug, Default)]
pub(super) struct Literals {
    /// By the lower-case name of a variable that is assigned once; `None` if it is assigned more often.
    assigned: BTreeMap<String, Option<Literal>>,
    /// The defaults of `get("key", default)`, by key; `None` if there are several.
    defaults: BTreeMap<String, Option<Literal>>,
}

impl Literals {
    /// Collects the literals of a verifier.
    pub(super) fn of(module: &Module) -> Self {
        let mut collector = Collector { literals: Self::default() };
        collector.visit_body(module.body());
        collector.literals
    }

    /// The literal that the verifier compares the value of this key with. `in_metadata` tells whether the metadata
    /// has the key, so that a default does not apply.
    pub(super) fn compared(&self, key: &str, in_metadata: bool) -> Option<&Literal> {
        let assigned = self.assigned.get(&key.to_lowercase()).and_then(Option::as_ref);
        let default = || self.defaults.get(key).and_then(Option::as_ref).filter(|_| !in_metadata);
        assigned.or_else(default)
    }
}

struct Collector {
    literals: Literals,
}

impl Collector {
    fn assigned(&mut self, target: &Expr, value: &Expr) {
        let Some(name) = target.as_name_expr() else { return };
        let literal = literal(value);
        let name = name.id.to_lowercase();
        self.literals.assigned.entry(name).and_modify(|known| *known = None).or_insert(literal);
    }

    fn called(&mut self, call: &ast::ExprCall) {
        let Some(method) = call.func.as_attribute_expr().filter(|method| &*method.attr == "get") else {
            return;
        };
        let [Expr::StringLiteral(key), default] = &*call.arguments.args else { return };
        // Results are read with `get` as well, where a default stands for nothing; so are parts of the metadata.
        if !method.value.as_name_expr().is_some_and(|name| name.id.contains("meta")) {
            return;
        }
        let literal = literal(default);
        let known =
            self.literals.defaults.entry(key.value.to_str().to_owned()).or_insert_with(|| literal.clone());
        if known.as_ref().map(|known| &known.value) != literal.as_ref().map(|literal| &literal.value) {
            *known = None;
        }
    }
}

impl<'a> Visitor<'a> for Collector {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Assign(assign) => {
                assign.targets.iter().for_each(|target| self.assigned(target, &assign.value));
            }
            Stmt::AnnAssign(ast::StmtAnnAssign { target, value: Some(value), .. }) => {
                self.assigned(target, value);
            }
            Stmt::AugAssign(assign) => self.assigned(&assign.target, &assign.target),
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Call(call) = expression {
            self.called(call);
        }
        walk_deeper(self, expression);
    }
}

fn literal(expression: &Expr) -> Option<Literal> {
    Some(Literal { value: value(expression)?, range: expression.range() })
}

/// The number, the text or the truth value that an expression spells out.
fn value(expression: &Expr) -> Option<Value> {
    match expression {
        Expr::NumberLiteral(number) => match &number.value {
            Number::Int(number) => number.as_i64().map(Value::Int),
            Number::Float(number) => Some(Value::Float(*number)),
            Number::Complex { .. } => None,
        },
        Expr::UnaryOp(ast::ExprUnaryOp { op: UnaryOp::USub, operand, .. }) => match value(operand)? {
            Value::Int(number) => number.checked_neg().map(Value::Int),
            Value::Float(number) => Some(Value::Float(-number)),
            _ => None,
        },
        Expr::StringLiteral(text) => Some(Value::String(text.value.to_str().to_owned())),
        Expr::BooleanLiteral(truth) => Some(Value::Bool(truth.value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::python::parse;

    #[test]
    fn literals_have_names() {
        let source = "EXPECTED_ROWS = 12\ncount = 0\ncount += 1\ndef verify(t, e, info):\n    m = info['metadata']\n    \
                      metadata = m\n    t = metadata.get('a', {}).get('tolerance', 1)\n    rows = metadata.get('rows', -3)\n    name = result.get('name', 'x')\n    \
                      a = metadata.get('two', 1) or metadata.get('two', 2)\n";
        let module = parse(source.as_bytes()).unwrap();
        let literals = Literals::of(&module);
        let compared = |key: &str, in_metadata: bool| {
            literals
                .compared(key, in_metadata)
                .map(|literal| (literal.value.clone(), module.line(&literal.range)))
        };
        assert_eq!(compared("expected_rows", true), Some((Value::Int(12), 1)));
        assert_eq!(compared("rows", false), Some((Value::Int(-3), 8)));
        assert_eq!(compared("rows", true), None);
        assert_eq!(compared("count", false), None);
        assert_eq!(compared("tolerance", false), None);
        assert_eq!(compared("name", false), None);
        assert_eq!(compared("two", false), None);
    }
}
