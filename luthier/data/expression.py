"""Labels as expressions over columns: ``sentiment > 0``, ``stars >= 4 and verified == "yes"``.

Every value in a row is text. In arithmetic, next to a number, or ordered against another column, it counts as
a number; as a condition it must say true, false, 1 or 0. A column whose name is no identifier goes in backticks.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from luthier.errors import DataError

Value = bool | str | float

COMPARISONS: dict[type[ast.cmpop], Callable[[Value, Value], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}
TRUTH = {"true": True, "1": True, "false": False, "0": False}
DEEPEST = 50
REMEDY = (
    "use column names, numbers, quoted texts, comparisons, + - * / %, and, or, not; "
    "put a column's name that holds other characters in backticks"
)
QUOTED = re.compile(r"""'[^']*'|"[^"]*"|`([^`]+)`""")


@dataclass(frozen=True)
class Expression:
    """A checked expression; ``columns`` are the ones it reads, ``is_boolean`` says that it is true or false."""

    text: str
    columns: frozenset[str]
    is_column: bool
    is_boolean: bool
    tree: ast.expr = field(compare=False, repr=False)

    @classmethod
    def parse(cls, text: str, columns: Collection[str] = ()) -> "Expression":
        """Read an expression; a text that equals one of ``columns`` is that column. Raises DataError."""
        text = text.strip()
        if not text:
            raise DataError("an empty expression", remedy="name a column, or compare one: sentiment > 0")
        whole = text in columns or (text.isidentifier() and text not in ("True", "False", "None"))
        tree = ast.Name(text, ast.Load()) if whole else _tree(text)
        _check(tree, text)
        names = frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
        if not names:
            raise DataError("an expression that reads no column", received=text, remedy="name a column")
        return cls(text, names, isinstance(tree, ast.Name), _is_boolean(tree), tree)

    def evaluate(self, row: Mapping[str, str]) -> Value:
        """The value for one row. Raises DataError where a text is no number, or no truth value, but has to be."""
        return _value(self.tree, row)


def _tree(text: str) -> ast.expr:
    names: list[str] = []

    def placeholder(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        names.append(match[1].strip())
        return f" _backticked_{len(names) - 1}_ "

    try:
        tree = ast.parse(QUOTED.sub(placeholder, text).strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        if any(sign in text for sign in "<>=`"):
            raise DataError("not an expression", received=text, remedy=f"equality is ==; {REMEDY}") from None
        return ast.Name(text, ast.Load())
    originals = {f"_backticked_{index}_": name for index, name in enumerate(names)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = originals.get(node.id, node.id)
    return tree


def _check(node: ast.AST, text: str, depth: int = 0) -> None:
    if depth > DEEPEST:
        raise DataError("an expression nested too deeply", received=text, remedy="write a shorter one")
    refused = _refused(node)
    if refused:
        raise DataError(f"{refused} cannot stand in an expression", received=text, remedy=REMEDY)
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            _check(child, text, depth + 1)


def _refused(node: ast.AST) -> str | None:
    match node:
        case ast.Name() | ast.BoolOp():
            return None
        case ast.Constant(value=bool() | str()):
            return None
        case ast.Constant(value=int() | float() as number):
            return None if abs(number) < 1e300 else "a number of that size"
        case ast.Constant(value=value):
            return f"the constant {value!r}"
        case ast.Compare(ops=ops):
            return next((type(op).__name__ for op in ops if type(op) not in COMPARISONS), None)
        case ast.BinOp(op=op):
            return None if type(op) in ARITHMETIC else type(op).__name__
        case ast.UnaryOp(op=op):
            return None if isinstance(op, ast.Not | ast.USub) else type(op).__name__
    return type(node).__name__


def _is_boolean(node: ast.expr) -> bool:
    return isinstance(node, ast.Compare | ast.BoolOp) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    )


def _value(node: ast.expr, row: Mapping[str, str]) -> Value:
    match node:
        case ast.Name(id=name):
            if row.get(name) is None:
                raise DataError(f"no value in column {name!r}")
            return row[name]
        case ast.Constant(value=bool() | str() | int() | float() as value):
            return value
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(_truth(_value(part, row)) for part in parts)
        case ast.BoolOp(values=parts):
            return any(_truth(_value(part, row)) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _truth(_value(operand, row))
        case ast.UnaryOp(operand=operand):
            return -_number(_value(operand, row))
        case ast.BinOp(left=left, op=op, right=right):
            return _calculate(op, _number(_value(left, row)), _number(_value(right, row)))
        case ast.Compare():
            return _compare(node, row)
    raise AssertionError(f"unchecked {type(node).__name__}")


def _calculate(op: ast.operator, left: float, right: float) -> float:
    if right == 0 and isinstance(op, ast.Div | ast.Mod):
        raise DataError("division by zero")
    return _number(ARITHMETIC[type(op)](left, right))


def _compare(node: ast.Compare, row: Mapping[str, str]) -> bool:
    sides = [node.left, *node.comparators]
    values = [_value(side, row) for side in sides]
    for index, op in enumerate(node.ops):
        ordered = not isinstance(op, ast.Eq | ast.NotEq)
        as_numbers = ordered and not any(map(_is_text, sides[index : index + 2]))
        if not COMPARISONS[type(op)](*_alike(values[index], values[index + 1], as_numbers=as_numbers)):
            return False
    return True


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _alike(left: Value, right: Value, *, as_numbers: bool) -> tuple[Value, Value]:
    if not as_numbers and isinstance(left, str) and isinstance(right, str):
        return left, right
    if not as_numbers and (isinstance(left, bool) or isinstance(right, bool)):
        return _truth(left), _truth(right)
    return _number(left), _number(right)


def _number(value: Value) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"not a number: {value!r}")
    return number


def _truth(value: Value) -> bool:
    if not isinstance(value, str):
        return bool(value)
    word = value.strip().casefold()
    if word not in TRUTH:
        raise DataError(f"neither true nor false: {value!r}")
    return TRUTH[word]
