//! A search through the expressions of statements.

use super::ast::visitor::{Visitor, walk_stmt};
use super::ast::{Expr, Stmt};
use super::walk_deeper;

/// Whether these statements contain an expression that `is_wanted` accepts. Stops at the first.
pub(super) fn any_expression(body: &[Stmt], is_wanted: impl Fn(&Expr) -> bool) -> bool {
    let mut search = Search { is_wanted, found: false };
    search.visit_body(body);
    search.found
}

struct Search<F> {
    is_wanted: F,
    found: bool,
}

impl<'a, F: Fn(&Expr) -> bool> Visitor<'a> for Search<F> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if !self.found {
            walk_stmt(self, statement);
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        self.found = self.found || (self.is_wanted)(expression);
        if !self.found {
            walk_deeper(self, expression);
        }
    }
}
