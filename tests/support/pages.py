"""What the pages tell users to type: in blocks, in backticks, in comments of configurations and examples."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import yaml

from support import ROOT

NO_PAGES = ("CHANGELOG.md", "tests/", "workflow/schemas/", "docs/use/commands.md")
"""What was, what users do not read, and the reference of the commands, which has their patterns."""

SHELL = {"", "bash", "console", "sh", "shell"}
"""Languages of blocks of which each line is a command; without one, unless it is Python."""

OTHERS = re.compile("bibtex|csv|diff|html|ini|json|math|mermaid|pycon|python|tex|text|toml|yaml")

OURS = {"mast", "snakemake", "make", "torchrun"}
"""Programs whose commands are found in comments without backticks too."""

PROGRAMS = OURS | {
    *("conda", "hf", "pip", "pre-commit", "pytest", "python", "tensorboard", "wheels.sh"),
    *("cp", "curl", "git", "grep", "kill", "rm", "source", "tail"),
    *("sacct", "sbatch", "scancel", "scontrol", "seff", "sinfo", "squeue", "srun"),
}
"""First words, without their folder, of what is a command in backticks."""

BLOCK = re.compile(r"^( *)(```|~~~)(\w*)\n(.*?)^\1\2 *$", flags=re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
SHELL_WORDS = re.compile(r"^(for .*|(do|done|then|fi|else)\b)\s*")


def listed(*patterns: str) -> list[Path]:
    """Files of the checkout, also new ones that are not committed yet."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def pages() -> list[Path]:
    """All that tells users what to type."""
    files = listed("*.md", "*.yaml", "*.yml", "*.lock", "Makefile", "examples/*.py")
    names = [file.relative_to(ROOT).as_posix() for file in files]
    return [ROOT / name for name in names if not any(part in name for part in NO_PAGES)]


def documented() -> dict[str, list[Path]]:
    """Command, with one space between words and `<…>` for what is left to the reader → the pages that have it."""
    found: dict[str, list[Path]] = {}
    for page in pages():
        for command in dict.fromkeys(commands_of(page.read_text(encoding="utf-8"), page.suffix)):
            command = re.sub(r"^python -m (pip|pytest)\b", r"\1", re.sub(r"<[^<>]+>", "<…>", command))
            found.setdefault(command, []).append(page)
    return found


def project_of(page: Path) -> Path:
    """The nearest folder above a page that is a project's."""
    return next(folder for folder in page.parents if (folder / "pyproject.toml").is_file())


def studies_of(page: Path) -> set[str]:
    """Studies of the configurations that a page shows."""
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    shown = (
        yaml.safe_load(code) for _, _, language, code in blocks if language == "yaml" and "\nstudies:" in f"\n{code}"
    )
    return {study for configuration in shown for study in configuration["studies"]}


def commands_of(text: str, suffix: str) -> Iterator[str]:
    """The commands of one page, whose kind its suffix says."""
    if suffix == ".md":
        for _, _, language, code in BLOCK.findall(text):
            assert language in SHELL or OTHERS.fullmatch(language), (
                f"is ```{language} a language of commands? say so in {__file__}"
            )
            if language in SHELL and not _is_python(code):
                yield from _of_shell(code)
            else:
                yield from _of_comments(code)
        yield from _of_backticks(BLOCK.sub("", text))
        return
    comments = "\n".join(found[1] for found in re.finditer(r"(?:^|\s)#(.*)$", text, flags=re.MULTILINE))
    yield from _of_backticks(comments)
    yield from _of_comments(text)
    for line in re.findall(r"\$\(RUN\) ((?:mast|snakemake) .*)", text):
        yield from _of_shell(line)


def strangers(text: str) -> list[str]:
    """What in backticks has an option, as commands have, and begins with no program that is known."""
    found = (" ".join(code.split()) for code in CODE.findall(BLOCK.sub("", text)))
    return [
        code for code in found if re.match(r"[a-z][\w./-]* (.* )?--?[a-z]", code) and _program(code) not in PROGRAMS
    ]


def _program(command: str) -> str:
    return command.split(" ")[0].rpartition("/")[2]


def _is_python(code: str) -> bool:
    """Whether it is Python, and says more than names."""
    try:
        return any(isinstance(node, ast.Call | ast.Import) for node in ast.walk(ast.parse(code)))
    except SyntaxError:
        return False


def _of_shell(code: str) -> Iterator[str]:
    """Every command of a block: one a line, or several that are joined."""
    for line in code.replace("\\\n", " ").splitlines():
        for piece in re.split(r"&&|;|\s\|\s", re.sub(r"((^|\s)#|\s>+)\s.*", "", line)):
            command = SHELL_WORDS.sub("", re.sub(r"^\$ ", "", piece.strip()).strip("() "))
            if command and not command.startswith("echo"):
                yield " ".join(command.split())


def _of_backticks(text: str) -> Iterator[str]:
    """What begins with a program and has a word more, such as `mast verify`, within one paragraph."""
    for paragraph in re.split(r"\n\s*\n", text):
        for code in CODE.findall(paragraph):
            for piece in re.split(r"&&|;|\s\\?\|\s", code):
                command = " ".join(piece.split())
                words = [word for word in command.split(" ") if word != "…"]
                if _program(command) in PROGRAMS and len(words) > 1 and not command.startswith("mast <"):
                    yield command


def _of_comments(text: str) -> Iterator[str]:
    """A line that is one of our commands, or has one after a colon or between wide spaces."""
    for line in re.sub(r"\\\n[#\s]*", "", text).splitlines():
        for piece in re.split(r":\s+|  +", re.sub(r"^[#\s]*", "", line)):
            command, *words = re.sub(r"(\s#\s|`).*", "", piece).split(" ")
            of_python = command == "python" and " ".join(words[:1]).endswith((".py", "-m"))
            if words and (of_python or (command in OURS and re.match(r"[a-z-]", words[0]))):
                sentence = re.search(r"[,:.]$|\(|\b(is|the|and|of)\b", " ".join(words))
                if not sentence:
                    yield " ".join([command, *words]).strip()
