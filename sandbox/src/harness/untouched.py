"""The JSON that a Python script writes when nothing was done, derived from its text without running it."""

import ast

# The result of a call when there is nothing to find, by the name of the function.
RESULTS = [
    (False, "all any bool endswith exists is_file is_dir isdigit isdir isfile islink startswith"),
    (0, "abs count float getmtime getsize int len max min now round sum time timestamp"),
    ("", """capitalize check_output ctime decode dumps exec_query format getenv getoutput hexdigest isoformat
        join lower lstrip query read read_text replace rstrip run_query str strftime strip title upper"""),
    ((), "fetchall findall finditer glob keys list listdir readlines sorted split splitlines tuple values"),
]
RESULT_OF = {name: result for result, names in RESULTS for name in names.split()}


# The largest number of expressions that are evaluated: a value may be used many times.
MAX_EXPRESSIONS = 20_000


class Unreadable(Exception):
    """The result of the script cannot be derived from its text."""


def untouched_by(source):
    """The value that the script dumps as JSON when none of its conditions holds and no loop finds anything."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise Unreadable(f"its Python does not parse: {error}") from error
    reader = Reader()
    try:
        reader.follow(tree.body)
        for function in reader.functions:
            if reader.dumped is None:
                reader.follow(function.body)
    except RecursionError as error:
        raise Unreadable("it is nested too deeply") from error
    if reader.dumped is None:
        raise Unreadable("it dumps no JSON")
    return reader.value(reader.dumped)


class Reader:
    """Follows the statements that are executed in every state."""

    def __init__(self):
        self.names = {}
        self.functions = []
        self.dumped = None
        self.evaluated = 0

    def follow(self, statements):
        for statement in statements:
            if isinstance(statement, (ast.With, ast.Try)):
                self.follow(statement.body)
            elif isinstance(statement, ast.FunctionDef):
                self.functions.append(statement)
            elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                self.assign(statement.targets[0], statement.value)
            elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
                self.assign(statement.target, statement.value)
            elif isinstance(statement, ast.Expr):
                self.find_dump(statement.value)

    def assign(self, target, expression):
        if isinstance(target, ast.Name):
            # A later assignment records what was found; the first one is the value without it.
            self.names.setdefault(target.id, expression)
        elif isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
            owner = self.names.get(getattr(target.value, "id", None))
            if isinstance(owner, ast.Dict) and self.readable(expression):
                owner.keys.append(target.slice)
                owner.values.append(expression)

    def find_dump(self, expression):
        for node in ast.walk(expression):
            if isinstance(node, ast.Call) and called(node) in ("dump", "dumps") and node.args:
                self.dumped = self.dumped or node.args[0]

    def readable(self, expression):
        try:
            self.value(expression)
        except Unreadable:
            return False
        return True

    def value(self, node, depth=0):
        if depth > 40:
            raise Unreadable("its values refer to each other")
        self.evaluated += 1
        if self.evaluated > MAX_EXPRESSIONS:
            raise Unreadable("its result is too large")
        deeper = depth + 1
        if isinstance(node, ast.Constant) and isinstance(node.value, (str, int, float, type(None))):
            return node.value
        if isinstance(node, ast.Name) and node.id in self.names:
            return self.value(self.names[node.id], deeper)
        if isinstance(node, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.keys):
            return {str(key.value): self.value(item, deeper) for key, item in zip(node.keys, node.values)}
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            return [self.value(item, deeper) for item in node.elts]
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
            return []
        if isinstance(node, ast.DictComp):
            return {}
        if isinstance(node, ast.Compare):
            return False
        if isinstance(node, ast.UnaryOp):
            return False if isinstance(node.op, ast.Not) else neutral(self.value(node.operand, deeper))
        if isinstance(node, ast.BoolOp):
            return self.value(node.values[-1], deeper)
        if isinstance(node, ast.IfExp):
            return self.value(node.orelse, deeper)
        if isinstance(node, ast.JoinedStr):
            return ""
        if isinstance(node, ast.BinOp):
            return neutral(self.value(node.left, deeper))
        if isinstance(node, ast.Call):
            return self.result(node, deeper)
        raise Unreadable(f"line {getattr(node, 'lineno', '?')} needs to be run")

    def result(self, node, depth):
        name = called(node)
        if name in ("get", "getattr") and len(node.args) > 1:
            return self.value(node.args[-1], depth)
        if name == "dict":
            return {}
        if name in RESULT_OF:
            result = RESULT_OF[name]
            return list(result) if isinstance(result, tuple) else result
        raise Unreadable(f"line {node.lineno} needs to be run")


def called(node):
    """The name of the function: `f` of f(), `m` of x.m()."""
    return getattr(node.func, "attr", None) or getattr(node.func, "id", None)


def neutral(value):
    """False, zero or an empty value of the value's own type."""
    return type(value)() if value is not None else None
