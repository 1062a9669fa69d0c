"""How a module is changed for ``make mutants``, and how a change is tried.

The changes are those of mutmut's operators. Each is tried in a process of its own that imports the changed source in the
place of the module, so a change of a constant, of a table or of what is reckoned once at import is a change like any other
(docs/decisions/0019-mutation-testing.md). The process is forked from one that holds everything the module's tests import and
that does not itself stand on the module.
"""

from __future__ import annotations

import ast
import difflib
import functools
import gc
import importlib
import importlib.machinery
import importlib.util
import json
import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import libcst as cst
import pytest
from hypothesis import Phase, settings
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

from tests.kit.mutants import ROOT, Mutant

OURS = ("crypto", "deposits", "evaluation", "migrations", "trading", "web", "tests")
LEFT_OUT = {"operator_assignment", "operator_dict_arguments"}
"""Operators of mutmut whose changes die at the first use of a name, and cost a process each."""

FOR_PEOPLE = {"TypeError", "ValueError", "AssertionError", "NotImplementedError", "RuntimeError"}
"""What these are raised with is told to a programmer: a defect of the caller, not an answer of the product."""

SHAPE = {"TypeVar", "ParamSpec", "NewType", "cast", "namedtuple"}
"""Calls about types: nothing they are given decides anything at run time."""

# The first falsifying example is enough: looking for a shorter one takes longer than all tests together.
settings.register_profile("mutants", deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate))


# --- changes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    mutant: Mutant
    source: str


class _Sites(cst.CSTVisitor):
    """Every node that is changed, with what it is changed to."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[cst.CSTNode, cst.CSTNode]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if _decides_nothing(node):
            return False
        if isinstance(node, cst.Call) and _called(node) in ("BadValue", "exact.BadValue"):
            for argument in node.args[:2]:  # the third is what was expected, in words
                argument.visit(self)
            return False
        for kind, operator in mutation_operators:
            if isinstance(node, kind) and operator.__name__ not in LEFT_OUT:
                self.found += [(node, changed) for changed in _kept(operator.__name__, node, list(operator(node)))]
        if isinstance(node, cst.If):
            self.found.append((node.test, cst.Name("False", lpar=[], rpar=[])))
        return True


def _called(node: cst.Call) -> str:
    return cst.Module([]).code_for_node(node.func)


def _decides_nothing(node: cst.CSTNode) -> bool:
    if isinstance(node, (cst.Annotation, cst.Decorator, cst.Import, cst.ImportFrom)):
        return True
    if isinstance(node, cst.Expr) and isinstance(node.value, (cst.SimpleString, cst.ConcatenatedString)):
        return True  # a docstring
    if isinstance(node, cst.Raise) and isinstance(node.exc, cst.Call):
        return _called(node.exc) in FOR_PEOPLE
    return isinstance(node, cst.Call) and _called(node) in SHAPE


def _kept(operator: str, node: cst.CSTNode, changed: Sequence[cst.CSTNode]) -> Sequence[cst.CSTNode]:
    """One change of a string, not its capitals as well; arguments are taken away and not made None, which dies at once."""
    if operator == "operator_string":
        return changed[:1]
    if operator == "operator_arg_removal":
        assert isinstance(node, cst.Call)
        if _called(node) in ("len", "isinstance"):
            return ()
        return [one for one in changed if isinstance(one, cst.Call) and len(one.args) < len(node.args)]
    return changed


def changes(module: str) -> list[Change]:
    """All changes of a module, in the order of its lines."""
    source = (ROOT / module).read_text(encoding="utf-8")
    wrapper = MetadataWrapper(cst.parse_module(source))
    sites = _Sites()
    wrapper.visit(sites)
    places = _functions(source)
    found: dict[str, Change] = {}
    at = wrapper.resolve(PositionProvider)
    for node, changed in sites.found:
        after = _spliced(source, at.get(node), node, changed)
        if after is None:
            after = cst.ensure_type(wrapper.module.deep_replace(node, changed), cst.Module).code
        if after == source or after in found:
            continue
        try:
            compile(after, module, "exec")
        except SyntaxError:
            continue
        found[after] = Change(_told(module, source, after, places), after)
    return list(found.values())


def _spliced(source: str, place: CodeRange | None, node: cst.CSTNode, changed: cst.CSTNode) -> str | None:
    """The source with a node's own text changed: a hundredth of the time of building the whole module anew. None where a node's text is not
    exactly what stands at its place."""
    if place is None:
        return None
    begin, end = (_offset(source, one.line, one.column) for one in (place.start, place.end))
    empty = cst.Module([])
    if source[begin:end] != empty.code_for_node(node):
        return None
    return source[:begin] + empty.code_for_node(changed) + source[end:]


def _offset(source: str, line: int, column: int) -> int:
    at = 0
    for _ in range(line - 1):
        at = source.index("\n", at) + 1
    return at + column


def _functions(source: str) -> dict[int, str]:
    """Line -> the function it is in, innermost, with its class."""
    found: dict[int, str] = {}

    def walk(node: ast.AST, name: str) -> None:
        for child in ast.iter_child_nodes(node):
            inner = name
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                inner = f"{name}.{child.name}" if name else child.name
                for line in range(child.lineno, (child.end_lineno or child.lineno) + 1):
                    found[line] = inner
            walk(child, inner)

    walk(ast.parse(source), "")
    return found


def _told(module: str, before: str, after: str, places: dict[int, str]) -> Mutant:
    old, new = before.splitlines(), after.splitlines()
    pieces = [one for one in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if one[0] != "equal"]
    first, last = pieces[0], pieces[-1]

    def joined(lines: list[str]) -> str:
        return " ".join(line.strip() for line in lines)

    return Mutant(
        module, places.get(first[1] + 1, "module"), joined(old[first[1] : last[2]]), joined(new[first[3] : last[4]])
    )


# --- trying -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    made: int
    survived: list[Mutant]
    seconds: float


class _Changed(importlib.machinery.SourceFileLoader):
    """Loads a module from other source than its file's."""

    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self.source = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.source, self.path, "exec", dont_inherit=True)


class _Instead(MetaPathFinder):
    def __init__(self, module: str, source: str) -> None:
        self.name, self.path, self.source = _dotted(module), str(ROOT / module), source

    def find_spec(
        self, fullname: str, path: object = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.name:
            return None
        loader = _Changed(self.name, self.path, self.source)
        return importlib.util.spec_from_file_location(fullname, self.path, loader=loader)


class _ExamplesFirst:
    """Single examples before laws over many: most changes die of one."""

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items.sort(key=lambda item: bool(getattr(getattr(item, "obj", None), "is_hypothesis_test", False)))


def _run(tests: Sequence[str]) -> int:
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # looking for plugins takes longer than most tests
    return int(
        pytest.main(
            ["-x", "-q", "--noconftest", "-p", "no:cacheprovider", "-p", "no:warnings", "-p", "_hypothesis_pytestplugin",
             "--hypothesis-profile=mutants", f"--rootdir={ROOT}", "-c", str(ROOT / "setup.cfg"), *tests],
            plugins=[_ExamplesFirst()],
        )
    )  # fmt: skip


def tried(module: str, tests: Sequence[str], jobs: int) -> Result:
    """Each change of a module, and which of them no test notices. The tests must pass on the module as it is."""
    began = time.monotonic()
    made = changes(module)
    whole = _in_fork(functools.partial(_looked_at, module, tests))
    if whole["code"]:
        raise SystemExit(f"{module}: its tests fail before anything is changed\n{whole['said']}")
    limit = int(whole["seconds"] * 4) + 10
    codes = _in_fork(functools.partial(_stand, module, tests, made, whole["held"], limit, jobs))
    survived = [one.mutant for one, code in zip(made, codes, strict=True) if code == 0]
    return Result(len(made), survived, time.monotonic() - began)


def _in_fork(work: Any) -> Any:
    """What `work` returns, found in a process of its own."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(read)
            with os.fdopen(write, "w") as out:
                json.dump(work(), out)
            os._exit(0)
        finally:
            os._exit(1)
    os.close(write)
    with os.fdopen(read) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return json.loads(said)


def _looked_at(module: str, tests: Sequence[str]) -> dict[str, Any]:
    """The tests on the module as it is: whether they pass, how long they take, and what they import that does not stand on the module."""
    log = os.memfd_create("log")
    os.dup2(log, 1)
    os.dup2(log, 2)
    began = time.process_time()
    code = _run(tests)
    seconds = time.process_time() - began
    sys.stdout.flush()
    os.lseek(log, 0, os.SEEK_SET)
    said = os.fdopen(log).read()
    if not code and _dotted(module) not in sys.modules:
        return {"code": 1, "said": "they do not even import it"}
    return {"code": code, "said": said, "seconds": seconds, "held": _held(module)}


def _held(module: str) -> list[str]:
    """Modules now imported that can be held ready: no test file, and nothing that stands on the module."""
    ours = [name for name in sys.modules if name.split(".")[0] in OURS]
    needs = {name: set(_imports(sys.modules[name])) & set(ours) for name in ours}
    standing = {_dotted(module)}
    while more := {name for name in ours if name not in standing and needs[name] & standing}:
        standing |= more
    tests = {name for name in ours if name.rpartition(".")[2].startswith(("test_", "conftest"))}
    return [name for name in sys.modules if name not in standing | tests and name != "__main__"]


def _imports(module: ModuleType) -> Iterator[str]:
    name = module.__name__
    while "." in name:
        name = name.rpartition(".")[0]
        yield name
    if not (file := getattr(module, "__file__", None)):
        return
    for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _stand(
    module: str, tests: Sequence[str], made: Sequence[Change], held: Sequence[str], limit: int, jobs: int
) -> list[int]:
    """The exit code of the tests for each change, 0 where none noticed; these are told at once."""
    for name in held:
        try:
            importlib.import_module(name)
        except ImportError:  # what only its own package can import
            continue
    assert _dotted(module) not in sys.modules, module
    gc.freeze()
    codes = [-1] * len(made)
    running: dict[int, int] = {}
    waiting = list(enumerate(made))[::-1]
    while waiting or running:
        while waiting and len(running) < jobs:
            place, change = waiting.pop()
            running[_try(module, tests, change.source, limit)] = place
        child, status = os.wait()
        place = running.pop(child)
        codes[place] = os.waitstatus_to_exitcode(status)
        if not codes[place]:
            print(f"survives: {made[place].mutant.diff()}", file=sys.stderr, flush=True)
    if wrong := [code for code in codes if code in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED)]:
        raise SystemExit(f"{module}: pytest ran no test ({wrong[0]})")
    return codes


def _try(module: str, tests: Sequence[str], source: str, limit: int) -> int:
    child = os.fork()
    if child:
        return child
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        sys.meta_path.insert(0, _Instead(module, source))
        os._exit(_run(tests))
    finally:
        os._exit(1)


def _dotted(module: str) -> str:
    return module.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
