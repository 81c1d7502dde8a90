"""A table layout as Markdown, LaTeX or HTML text."""

import html
import re

from mast.reporting.html import page
from mast.reporting.tables.layout import Cell, Layout, Row

_LATEX = {
    "\\": r"\textbackslash{}",
    **{character: "\\" + character for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "—": "---",
    "×": r"$\times$",
    "→": r"$\rightarrow$",
    "…": r"\dots{}",
    "‘": "`",
    "’": "'",
}


def markdown(layout: Layout) -> str:
    """Return the table in GitHub's Markdown, caption above, notes below. Headings of groups are only in the caption."""
    alignment = [":--" if index < layout.text_columns else "--:" for index in range(len(layout.columns))]
    lines = [[_markdown_text(title) for title in layout.columns], alignment]
    lines += [[_markdown_cell(cell) for cell in row.cells] for row in layout.rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    heading = " ".join(filter(None, (f"**{_markdown_text(layout.title)}.**", _markdown_text(layout.caption))))
    notes = "\n".join(f"- {_markdown_text(note)}" for note in layout.notes)
    return "\n\n".join(filter(None, (heading, table, notes))) + "\n"


def latex(layout: Layout) -> str:
    r"""Return the table as a LaTeX float that needs only `\usepackage{booktabs}`."""
    alignment = "l" * layout.text_columns + "r" * (len(layout.columns) - layout.text_columns)
    caption = " ".join(filter(None, (f"{layout.title}.", layout.caption, *layout.notes)))
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}[t]",
        r"\centering",
        r"\small",
        rf"\caption{{{latex_text(caption)}}}",
        rf"\label{{tab:{layout.name}}}",
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        *_latex_groups(layout),
        _latex_line([latex_text(title) for title in layout.columns]),
        r"\midrule",
        *(_latex_line(_latex_cells(row)) for row in layout.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def html_page(layout: Layout) -> str:
    """Return the table as a separate page; it has no scripts and loads nothing."""
    kinds = ["text" if index < layout.text_columns else "" for index in range(len(layout.columns))]
    heads = [_html_groups(layout)] if _has_groups(layout) else []
    heads.append(_html_line(kinds, [html.escape(title) for title in layout.columns], "th"))
    body = [_html_line(kinds, [_html_cell(cell) for cell in row.cells], "td", row.published) for row in layout.rows]
    notes = [f'<p class="note">{html.escape(note)}</p>' for note in layout.notes]
    caption = [f"<p>{html.escape(layout.caption)}</p>"] if layout.caption else []
    table = ["<thead>", *heads, "</thead>", "<tbody>", *body, "</tbody>"]
    return page(
        layout.title,
        "\n".join(
            [
                f'<h2 id="{layout.name}">{html.escape(layout.title)}</h2>',
                *caption,
                f'<div class="scroll">\n<table aria-labelledby="{layout.name}">',
                *table,
                "</table>\n</div>",
                *notes,
            ]
        ),
    )


def latex_text(text: str) -> str:
    """Return `text` with every character that LaTeX would read as a command escaped."""
    return "".join(_LATEX.get(character, character) for character in text)


def _markdown_text(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", text)


def _markdown_cell(cell: Cell) -> str:
    text = _markdown_text(cell.text)
    return f"**{text}**" if cell.bold else text


def _has_groups(layout: Layout) -> bool:
    return any(text for text, _ in layout.groups)


def _latex_cells(row: Row) -> list[str]:
    texts = [rf"\textbf{{{latex_text(cell.text)}}}" if cell.bold else latex_text(cell.text) for cell in row.cells]
    return [rf"\quad {texts[0]}", *texts[1:]] if row.published else texts


def _latex_line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _latex_groups(layout: Layout) -> list[str]:
    if not _has_groups(layout):
        return []
    cells, rules, first = [], [], 1
    for text, span in layout.groups:
        cells.append(rf"\multicolumn{{{span}}}{{c}}{{{latex_text(text)}}}")
        if text:
            rules.append(rf"\cmidrule(lr){{{first}-{first + span - 1}}}")
        first += span
    return [_latex_line(cells), " ".join(rules)]


def _html_groups(layout: Layout) -> str:
    cells = [
        f'<th colspan="{span}" scope="colgroup">{html.escape(text)}</th>' if text else "<td></td>" * span
        for text, span in layout.groups
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _html_line(kinds: list[str], texts: list[str], tag: str, published: bool = False) -> str:
    cells = "".join(f"<{tag}{_html_class(kind)}>{text}</{tag}>" for kind, text in zip(kinds, texts, strict=True))
    return f"<tr{_html_class('published' if published else '')}>{cells}</tr>"


def _html_class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _html_cell(cell: Cell) -> str:
    return f"<strong>{html.escape(cell.text)}</strong>" if cell.bold else html.escape(cell.text)
