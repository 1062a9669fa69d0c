"""What the documents say can be done, can be done; what they point at is there; what they promise is tested."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import click
import pytest

from tests.house.tree import ROOT, code_lines, documents, dotted, files, text, tree

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
TEST = re.compile(r"\btests/[\w/.-]+\.(?:py|mjs|json|js)\b(?:::[\w\[\]:-]+)?")
PROMISE = re.compile(r"\b(?:R1[0-7]|R[1-9]|S[1-4]|I[12]|P[12]|N[1-4]|U[1-3]|W[1-3]|X1)\b")
READMES = ("README.md", "README.zh-CN.md")


def make_words() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", text("Makefile"), re.MULTILINE))


def command_line() -> click.Group:
    from web.cli.main import main

    assert isinstance(main, click.Group)
    return main


def said(program: str) -> list[tuple[str, list[str]]]:
    """Each command of ``program`` written in a document: the place, and the words after the program's name."""
    found = []
    for name in documents():
        for number, line in code_lines(name):
            for part in re.split(r"\s*(?:&&|\|\||;|\|)\s*", line.split("  #")[0]):
                part = re.sub(r"^(?:[A-Z_]+=\S+\s+)+", "", part).removeprefix(".venv/bin/")
                if part == program or part.startswith(program + " "):
                    try:
                        words = shlex.split(part, comments=True)
                    except ValueError:
                        words = part.split()
                    found.append((f"{name}:{number}: {part}", words[1:]))
    return found


@pytest.mark.parametrize("name", READMES)
def test_there_is_a_readme_with_the_two_commands(name: str) -> None:
    lines = [line for _, line in code_lines(name)]
    assert any(line.startswith("make run") for line in lines)
    assert any(line.startswith("make test") for line in lines)


def test_every_make_word_in_the_documents_exists() -> None:
    known = make_words()
    wrong = [
        place
        for place, words in said("make")
        for word in words
        if re.fullmatch(r"[a-z][a-z-]*", word) and word not in known
    ]
    assert wrong == []


def test_every_command_in_the_documents_exists_with_its_options() -> None:
    """`bidhall …` as written in any document is a command of the command line, and each long option is one of its own."""
    wrong = []
    for place, words in said("bidhall"):
        command: click.Command = command_line()
        context = click.Context(command)
        options = {opt for param in command.params for opt in param.opts} | {"--help", "--version"}
        for word in words:
            if word in ("…", "...", "COMMAND") or not word:
                break
            if word.startswith("--"):
                if word.split("=")[0] not in options:
                    wrong.append(f"{place}  ({word})")
            elif isinstance(command, click.Group) and not word.startswith(("-", "[", "<")):
                meant = getattr(command, "meant", "")  # the command of a group that takes what names none
                inner = [
                    command.get_command(context, one) or command.get_command(context, meant) for one in word.split("|")
                ]
                if None in inner:
                    wrong.append(f"{place}  ({word})")
                    break
                command = next(one for one in inner if one is not None)
                context = click.Context(command, parent=context)
                options |= {
                    opt for one in inner if one for param in one.params for opt in (*param.opts, *param.secondary_opts)
                }
    assert wrong == []


def anchors(name: str) -> set[str]:
    """The anchors of a document's headings, as the forges make them."""
    found: set[str] = set()
    fenced = False
    for line in text(name).splitlines():
        if re.match(r"\s*(```|~~~)", line):
            fenced = not fenced
        heading = None if fenced else re.match(r"#{1,6}\s+(.+?)\s*#*$", line)
        if heading:
            plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", lambda match: match[1] or "", heading[1]).strip().lower()
            slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
            number = 1
            while slug in found:
                slug = f"{slug.rsplit('-', 1)[0] if number > 1 else slug}-{number}"
                number += 1
            found.add(slug)
        found |= set(re.findall(r'<a (?:id|name)="([^"]+)"', line))
    return found


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for name in documents():
        for target in LINK.findall(re.sub(r"```.*?```", "", text(name), flags=re.DOTALL)):
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            path, _, anchor = target.partition("#")
            place = (ROOT / name).parent / path if path else ROOT / name
            if not place.exists():
                broken.append(f"{name}: {target}")
            elif anchor and place.suffix == ".md":
                if anchor not in anchors(str(place.resolve().relative_to(ROOT))):
                    broken.append(f"{name}: {target}")
    assert broken == []


def test_every_path_and_module_of_the_recipes_exists() -> None:
    """Whoever follows a recipe finds the file, and can run the generator, that it names."""
    spans = re.findall(r"`([^`]+)`", text("docs/recipes.md"))
    paths = {span for span in spans if re.fullmatch(r"[\w.-]+(?:/[\w.-]+)+", span)}
    modules = {found[1] for span in spans if (found := re.match(r"\.venv/bin/python -m ([\w.]+)", span))} - {"pytest"}
    assert len(paths) > 40 and len(modules) > 2
    assert sorted(path for path in paths if not (ROOT / path).exists()) == []
    named = {module: ROOT / module.replace(".", "/") for module in modules}
    assert (
        sorted(
            name
            for name, at in named.items()
            if not at.with_suffix(".py").exists() and not (at / "__main__.py").exists()
        )
        == []
    )


def functions(name: str) -> set[str]:
    found = set()
    for node in tree(name).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found.add(node.name)
            found |= {f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
            found |= {
                f"{node.name}::{target.id}"
                for inner in node.body
                if isinstance(inner, ast.Assign)
                for target in inner.targets
                if isinstance(target, ast.Name)
            }
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def test_every_test_that_a_document_names_exists() -> None:
    missing = []
    for name in documents():
        for named in TEST.findall(text(name)):
            path, _, function = named.partition("::")
            if path not in files():
                missing.append(f"{name}: {named}")
            elif function and function.split("[")[0] not in functions(path):
                missing.append(f"{name}: {named}")
    assert missing == []


@pytest.mark.parametrize("name", READMES)
def test_each_guarantee_of_the_readme_names_its_test(name: str) -> None:
    """A table whose heading says guarantee (保证) ties every row to a test."""
    rows, inside, before = [], False, ""
    for line in text(name).splitlines():
        if not line.startswith("|"):
            inside = False
        elif not before.startswith("|"):  # a table's heading
            inside = bool(re.search(r"guarantee|promise|保证|承诺", line, re.IGNORECASE))
        elif inside and not re.fullmatch(r"[|\s:-]+", line):
            rows.append(line)
        before = line
    assert rows, "no table of guarantees"
    assert [row for row in rows if not TEST.search(row)] == []


def marked() -> dict[str, list[str]]:
    """Promise id -> the tests that carry it."""
    found: dict[str, list[str]] = {}
    for name in files():
        if name.startswith("tests/") and name.endswith(".py") and Path(name).name.startswith("test_"):
            for node in ast.walk(tree(name)):
                if isinstance(node, ast.Call) and dotted(node.func) == "pytest.mark.promise":
                    for argument in node.args:
                        assert isinstance(argument, ast.Constant) and isinstance(argument.value, str), (
                            f"{name}:{node.lineno}"
                        )
                        found.setdefault(argument.value, []).append(name)
    return found


def test_a_test_can_only_prove_a_promise_that_is_made() -> None:
    assert sorted(id for id in marked() if not PROMISE.fullmatch(id)) == []


def test_every_promise_that_the_security_document_makes_is_tested() -> None:
    """Each row of docs/security.md that begins with a promise's id has a test that carries it."""
    claimed = set(re.findall(r"^\|\s*\**([A-Z][0-9]{1,2})\**\s*\|", text("docs/security.md"), re.MULTILINE))
    assert claimed, "docs/security.md has no table of promises"
    assert sorted(claimed - set(marked())) == []


def test_the_speed_that_the_readme_tells_is_that_of_the_benchmarks() -> None:
    """Each ratio and each second in its section on speed is one that the benchmarks tell too, as far as its digits go."""
    measured = set(re.findall(r"\d+(?:\.\d+)?", text("docs/benchmarks.md")))
    section = text("README.md").split("\n## Speed\n")[1].split("\n## ")[0]
    told = re.findall(r"\d+\.\d+(?= ×| s\b| and \d+\.\d+ ×| to \d+\.\d+ ×)", section)
    assert len(told) > 5

    def holds(figure: str) -> bool:
        digits = len(figure.split(".")[1])
        return any(abs(float(found) - float(figure)) <= 0.5 * 10**-digits + 1e-9 for found in measured)

    assert [figure for figure in told if not holds(figure)] == []
