"""The reference of the commands has every command, argument and option of the parser, with its meaning and default."""

import argparse
import re

import pytest
from support import ROOT

from mast.cli.program import COMMANDS, build_parser
from mast.cli.reference import DEFAULT, commands_markdown, meaning

PROGRAM = build_parser([])
[CHOICES] = [action.choices for action in PROGRAM._actions if isinstance(action, argparse._SubParsersAction)]
ACTIONS = [(name, action) for name, parser in CHOICES.items() for action in parser._actions]
PAGE = commands_markdown()
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", flags=re.MULTILINE | re.DOTALL)


def section(title: str) -> str:
    """Return what the page has between a heading and the next."""
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def named(text: str) -> set[str]:
    """Return the options, and the arguments of tables, that a part of the page names in backticks."""
    return {word.split(" ")[0] for word in re.findall(r"`([^`\n]+)`", text)}


def test_the_page_is_in_step() -> None:
    assert (ROOT / "docs/use/commands.md").read_text(encoding="utf-8") == PAGE, "run: make schema"


def test_every_command_has_a_section_and_a_purpose() -> None:
    assert re.findall(r"^## `mast (.+)`$", PAGE, flags=re.MULTILINE) == list(CHOICES)
    rows = dict(re.findall(r"^\| \[`(.+)`\]\(#mast-.+\) \| (.+) \|$", PAGE, flags=re.MULTILINE))
    assert rows.keys() == CHOICES.keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", CHOICES)
def test_every_argument_and_option_is_in_its_section(name: str) -> None:
    for action in [action for action in CHOICES[name]._actions if action.dest != "help"]:
        option = action.option_strings[-1:] or [action.metavar or action.dest]
        assert option[0] in named(section(f"`mast {name}`"))
        if f"| `{option[0]}" not in section(f"`mast {name}`").replace("| `-o`, ", "| "):
            assert f"| `{option[0]} " in section("Shared options"), "described nowhere"


def test_options_of_the_program_and_of_all_commands_are_named() -> None:
    options = {option for action in PROGRAM._actions for option in action.option_strings}
    assert options == {"-h", "--help", "--version"}
    assert {"-h", "--help"} <= named(section("Shared options")) and "`mast --version`" in PAGE


@pytest.mark.parametrize("name", CHOICES)
def test_the_first_line_of_a_section_has_what_is_required(name: str) -> None:
    synopsis = re.search(r"```text\n(.+)\n```", section(f"`mast {name}`"))[1]
    assert len(synopsis) < 100
    outside = re.sub(r"\[.*?\]", "", synopsis)
    assert re.findall(r"--[\w-]+", outside) == re.findall(r"--[\w-]+", required(CHOICES[name]))


def required(parser: argparse.ArgumentParser) -> str:
    """Return argparse's own usage without what it has in brackets."""
    usage = parser.format_usage()
    while "[" in usage:
        usage = re.sub(r"\[[^\[\]]*\]", "", usage)
    return usage


@pytest.mark.parametrize(("name", "action"), ACTIONS, ids=lambda value: getattr(value, "dest", value))
def test_every_option_has_a_meaning_and_its_stated_default(name: str, action: argparse.Action) -> None:
    assert meaning(action), f"mast {name}: {action.dest} has no help"
    stated = DEFAULT.search(action.help)
    if stated and action.default not in (None, []):
        number = isinstance(action.default, float)
        assert stated[1] == (f"{action.default:g}" if number else str(action.default))


def test_markdown_shows_the_page_as_it_is() -> None:
    prose = CODE.sub("", PAGE)
    assert "<" not in prose and "`" not in prose
    for line in CODE.sub("code", PAGE).splitlines():
        assert line.startswith("|") or len(line) <= 120
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in PAGE.splitlines() if line.startswith("|")]
    assert set(widths) == {3, 4}


def test_what_many_commands_share_is_described_once() -> None:
    for option in ("--config YAML", "--spec JSON", "--gpus N", "--threads N"):
        rows = re.findall(rf"^\| `{option}` .*$", PAGE, flags=re.MULTILINE)
        assert len(rows) == (2 if option == "--threads N" else 1)  # `mast init` measures with its threads
