"""Page of the commands, docs/use/commands.md, generated from the parser of `mast`."""

import argparse
import re
import textwrap
from collections import Counter

from mast.cli.program import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_STOPPED, build_parser

HEAD = """# Commands

This page lists every `mast` command with its arguments, options and exit codes. It is for everyone who types commands
or calls them in scripts. [working.md](working.md) shows which command to use when.

`mast <command> --help` prints the options of one command in a terminal, and `mast --version` prints the version. This
page is generated from the same help texts by `make schema`.
"""
SHARED = """## Shared options

Most commands find their settings and files in one of two ways:

- From a configuration: give `--config` and the names that the command takes, such as `--run` and `--seed`. The command
  then uses the same paths as the workflow, below the configuration's `results` ([formats.md](formats.md#files)). An
  option such as `--data` or `--output` replaces one of these paths.
- From explicit settings and paths, as the workflow's rules do: give `--spec` and the path of each file. Commands that
  have no `--spec` need only the paths.

The options below mean the same in every command that refers to them. In the first line of a section, what is outside
square brackets is required, and `(… | …)` stands for exactly one of the two.
"""
EXIT_CODES = f"""## Exit codes

| code | when |
|---|---|
| 0 | success; `watch` also after Ctrl-C |
| 1 | `doctor` found something missing, or `verify` found a difference |
| 1 | a command on several GPUs failed for any reason: torchrun, which started its processes, ends with 1 |
| 1 | a bug in `mast`: Python prints a traceback |
| {EXIT_ERROR} | an error in the input, or a lack of memory or disk: one line on standard error says what is wrong |
| {EXIT_ERROR} | wrong options: the usage and one line on standard error |
| {EXIT_STOPPED} | a signal, such as Ctrl-C, stopped training after a checkpoint was saved: run it again to continue |
| {EXIT_INTERRUPTED} | Ctrl-C stopped anything else |

[reliability.md](reliability.md) lists the signals, and what happens to results.
"""
OFTEN = 5
"""Number of commands from which on an option that is the same in all of them is described once."""

WIDTH = 120
DEFAULT = re.compile(r" \(default: (.+)\)$")
"""End of a help text that states the default."""


def commands_markdown() -> str:
    """Return a section for each command: its purpose, what it requires, and its arguments and options."""
    [commands] = [action for action in build_parser([])._actions if isinstance(action, argparse._SubParsersAction)]
    purposes = {choice.dest: choice.help or "" for choice in commands._get_subactions()}
    uses = Counter(_row(action) for parser in commands.choices.values() for action in parser._actions)
    shared = [row for row, number in uses.items() if number >= OFTEN]
    contents = [f"| [`{name}`](#mast-{name}) | {purpose} |" for name, purpose in purposes.items()]
    sections = [_section(name, purposes[name], parser, shared) for name, parser in commands.choices.items()]
    return "\n".join([HEAD, *_table("command", "purpose"), *contents, "", SHARED, _rows(shared), *sections, EXIT_CODES])


def _section(name: str, purpose: str, parser: argparse.ArgumentParser, shared: list[str]) -> str:
    actions = [action for action in parser._actions if action.dest != "help"]
    common = [f"`{action.option_strings[-1]}`" for action in actions if _row(action) in shared]
    parts = [f"## `mast {name}`", f"{purpose[0].upper()}{purpose[1:]}.", f"```text\n{_synopsis(name, parser)}\n```"]
    if own := [_row(action) for action in actions if _row(action) not in shared]:
        parts.append(_rows(own).rstrip())
    if common:
        parts.append(_filled(f"[Shared options](#shared-options): {', '.join(common)}."))
    if parser.epilog:
        parts.append(_filled(parser.epilog))
    return "\n\n".join(parts) + "\n"


def _rows(rows: list[str]) -> str:
    return "\n".join([*_table("argument or option", "default", "meaning"), *rows, ""])


def _table(*columns: str) -> tuple[str, str]:
    return f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"


def _row(action: argparse.Action) -> str:
    """Return an argument or option as a row of a table, without whether it is required: that differs by command."""
    names = ", ".join(f"`{name}`" for name in action.option_strings[:-1])
    cells = (f"{names}, `{_usage(action)}`" if names else f"`{_usage(action)}`", _default(action), meaning(action))
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def meaning(action: argparse.Action) -> str:
    """Return the help text without the default."""
    return DEFAULT.sub("", action.help or "")


def _default(action: argparse.Action) -> str:
    """Return the default, as the help states it where it does."""
    stated = DEFAULT.search(action.help or "")
    if stated:
        return stated[1]
    if action.nargs == 0:
        return "off" if action.const is True else ""
    return f"`{action.default}`" if action.default not in (None, "") else ""


def _usage(action: argparse.Action) -> str:
    """Return the last name of an option with its value, or the name of an argument."""
    value = action.metavar or (f"{{{','.join(action.choices)}}}" if action.choices else None)
    if not action.option_strings:
        return f"{value or action.dest}{' ...' if action.nargs == '*' else ''}"
    name = action.option_strings[-1]
    return name if action.nargs == 0 else f"{name} {value or action.dest.upper()}"


def _synopsis(name: str, parser: argparse.ArgumentParser) -> str:
    """Return the command with its arguments and what it requires; `[options]` stands for the rest."""
    words = ["mast", name]
    alternatives = [group._group_actions for group in parser._mutually_exclusive_groups if group.required]
    words += [f"({' | '.join(map(_usage, group))})" for group in alternatives]
    shown = [action for group in alternatives for action in group]
    others = [action for action in parser._actions if action.dest != "help" and action not in shown]
    options = [action for action in others if action.option_strings]
    words += [_usage(action) for action in options if action.required]
    words += ["[options]"] if any(not action.required for action in options) else []
    arguments = [action for action in others if not action.option_strings]
    return " ".join([*words, *(f"[{_usage(each)}]" if each.nargs == "*" else _usage(each) for each in arguments)])


def _filled(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)
