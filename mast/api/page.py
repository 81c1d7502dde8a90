"""Page of the public interface, docs/use/api.md, generated from its docstrings."""

import inspect
import re
from typing import Any

import mast

HEAD = """# Python interface

For training loops of your own. Everything here is imported as `mast.<name>` and loaded when it is first used. Settings
have the names and the defaults of a configuration ([config/README.md](../../config/README.md)); the method is described
in [method.md](../understand/method.md). Examples that run as they are:
[plain PyTorch](../../examples/plain_pytorch.py), [Lightning](../../examples/lightning_module.py),
[reading results with pandas](../../examples/explore.py).

To install `mast` into an environment of your own, run this in a checkout. It needs Python 3.11.4 or later and keeps a
torch that is 2.7 or later:

```
pip install plugins/snakemake-executor-plugin-submitit .
```

`MastLoss` has parameters of its own: the logits of the masks and, with uncertainty, its head. Give them to the
optimiser with `loss.parameter_groups`, as the first example shows. Otherwise they stay as they were drawn.

This page is generated from the docstrings by `make schema`.
"""
INSTANCES = {"MastLoss": "loss", "PairedAugmentation": "pairs", "PretrainedEncoder": "encoder"}
"""Variable name of a class's instance in the examples."""

SECTION = re.compile(r"^(Args|Attributes|Raises|Returns):$")
ENTRY = re.compile(r"^([\w.]+): (.*)$")


def api_markdown() -> str:
    """Return a section for each public name: its signature, its docstring, and its public methods."""
    return "\n".join([HEAD, *(_section(name, getattr(mast, name)) for name in mast.__all__)])


def _section(name: str, thing: Any) -> str:
    parts = [f"## `{name}`"]
    if inspect.isclass(thing) and issubclass(thing, tuple):
        return "\n\n".join([*parts, _text(thing), _fields(thing)]) + "\n"
    parts += [_signature(f"mast.{name}", thing), _text(thing)]
    if inspect.isclass(thing):
        parts.append(_text(thing.__init__))
        for method in _methods(thing):
            called = method.__name__ in ("__call__", "forward")
            shown = INSTANCES[name] if called else f"{INSTANCES[name]}.{method.__name__}"
            parts += [f"### `{shown}(…)`", _signature(shown, method), _text(method)]
    return "\n\n".join(parts) + "\n"


def _methods(thing: type) -> list[Any]:
    return [
        value
        for name, value in vars(thing).items()
        if inspect.isfunction(value) and (name == "__call__" or not name.startswith("_"))
    ]


def _fields(thing: type) -> str:
    """Return the fields of a named tuple, each with its docstring."""
    found = re.findall(r'^    (\w+): .+\n    """(.*?)"""$', inspect.getsource(thing), flags=re.MULTILINE)
    return "\n".join(f"- `{name}`: {text}" for name, text in found)


def _signature(name: str, thing: Any) -> str:
    """Return a call with its types, one parameter a line."""
    signature = inspect.signature(thing)
    parameters = [p for p in signature.parameters.values() if p.name != "self"]
    lines, keyword_only = [], False
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            lines.append("    *,")
            keyword_only = True
        lines.append(f"    {_plain(str(parameter))},")
    returned = "" if signature.return_annotation in (None, signature.empty) else f" -> {_type(signature)}"
    body = "\n".join([f"{name}(", *lines, f"){returned}"]) if lines else f"{name}(){returned}"
    return f"```python\n{body}\n```"


def _type(signature: inspect.Signature) -> str:
    return _plain(inspect.formatannotation(signature.return_annotation))


def _plain(annotation: str) -> str:
    """Return a type without its modules, apart from `torch.device`."""
    return re.sub(r"\b(?:[A-Za-z_]+\.)+(?!device)(?=[A-Za-z])", "", annotation).replace("'", '"')


def _text(thing: Any) -> str:
    """Return a docstring in Google style as Markdown: sections as lists, examples as code."""
    lines: list[str] = []
    section = example = False
    for line in (inspect.getdoc(thing) or "").splitlines():
        starts = line.startswith(">>>")
        if starts and not example:
            lines.append("```pycon")
        if example and not line:
            lines.append("```")
        example = starts or (example and bool(line))
        if title := SECTION.match(line):
            section = True
            lines += [f"{title[1]}:", ""]
        elif section and line and (entry := ENTRY.match(line.strip())) and line.startswith("    ") and line[4] != " ":
            lines.append(f"- `{entry[1]}`: {entry[2]}")
        else:
            section = section and bool(line)
            lines.append(f"  {line.strip()}" if section else line.replace("  # doctest: +SKIP", ""))
    return "\n".join([*lines, "```"] if example else lines)
