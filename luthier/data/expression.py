"""Label expressions: ``sentiment > 0`` over a row's columns, parsed once, with nothing to execute."""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from luthier.errors import DataError

Value = str | float | bool

COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
ALLOWED = (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Name, ast.Constant)


@dataclass(frozen=True)
class Expression:
    """A column, or comparisons and arithmetic over columns."""

    text: str
    tree: ast.expr

    @classmethod
    def parse(cls, text: str) -> "Expression":
        """Parses ``text``; what is no Python expression is taken as the name of one column.

        Raises:
            DataError: a construct beyond comparisons, and / or / not, arithmetic, names, numbers and strings.
        """
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except SyntaxError:
            if any(sign in text for sign in "<>=()"):
                raise DataError("not an expression", received=text, remedy="write it as in 'sentiment > 0'") from None
            tree = ast.Name(text.strip(), ast.Load())
        _refuse_unknown(tree, text)
        return cls(text, tree)

    @property
    def is_column(self) -> bool:
        return isinstance(self.tree, ast.Name)

    @property
    def columns(self) -> frozenset[str]:
        return frozenset(node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name))

    def evaluate(self, row: Mapping[str, str]) -> Value:
        """The value for one row. A column is a string; beside a number it is read as one.

        Raises:
            DataError: a column's text is not a number where one is needed.
        """
        return _evaluate(self.tree, row)


def _refuse_unknown(tree: ast.expr, text: str) -> None:
    operators = (*COMPARISONS, *ARITHMETIC, ast.And, ast.Or, ast.Not, ast.USub, ast.Load)
    for node in ast.walk(tree):
        known = isinstance(node, (*ALLOWED, *operators))
        if not known or (isinstance(node, ast.Constant) and not isinstance(node.value, (str, int, float))):
            raise DataError(
                f"{type(node).__name__} is not allowed in a label expression",
                received=text,
                remedy="use columns, numbers, strings, comparisons, and / or / not, + - * /",
            )


def _evaluate(node: ast.expr, row: Mapping[str, str]) -> Any:
    match node:
        case ast.Name(id=name):
            return row[name]
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _evaluate(operand, row)
        case ast.UnaryOp(operand=operand):
            return -_number(_evaluate(operand, row))
        case ast.BinOp(left=left, op=op, right=right):
            return ARITHMETIC[type(op)](_number(_evaluate(left, row)), _number(_evaluate(right, row)))
        case ast.BoolOp(op=op, values=values):
            return (all if isinstance(op, ast.And) else any)(_evaluate(value, row) for value in values)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            operands = [_evaluate(operand, row) for operand in (left, *comparators)]
            pairs = zip(ops, operands, operands[1:], strict=False)
            return all(COMPARISONS[type(op)](*_comparable(a, b)) for op, a, b in pairs)
    raise AssertionError(ast.dump(node))


def _comparable(left: Value, right: Value) -> tuple[Value, Value]:
    if isinstance(left, str) and isinstance(right, str):
        return left, right
    return _number(left), _number(right)


def _number(value: Value) -> float:
    try:
        return float(value)
    except ValueError:
        raise DataError("not a number", received=value) from None
