"""HTML pages without other files, for any width, in light or dark colours as the reader's system is set."""

import html

_STYLE = """\
:root { color-scheme: light dark; --ink: #1c1c1c; --soft: #555; --paper: #fff; --line: #c4c4c4; --link: #0a58a8 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e4e4; --soft: #a9adb3; --paper: #17191d; --line: #4a4e55; --link: #82b9f5 }
}
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5em auto; padding: 0 1em; max-width: 75rem;
  color: var(--ink); background: var(--paper); overflow-wrap: break-word;
  -webkit-text-size-adjust: 100%; text-size-adjust: 100% }
a { color: var(--link) }
h1 { font-size: 1.6em; margin: 0 0 .3em }
h2 { font-size: 1.15em; margin: 0 }
p { max-width: 60em; margin: .5em 0 }
p.note, figcaption { font-size: 90%; color: var(--soft) }
figure { margin: 1.2em 0; max-width: 60em }
figcaption { margin-top: .4em }
img { max-width: 100%; height: auto; background: #fff; border-radius: 3px }
nav ul { list-style: none; padding: 0; margin: .8em 0; display: flex; flex-wrap: wrap; gap: .35em 1.1em }
section { margin-top: 2.2em }
div.scroll { overflow-x: auto; margin: .6em 0 }
table { border-collapse: collapse; border-top: 2px solid; border-bottom: 2px solid }
th, td { padding: .25em .7em; text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
th { font-weight: 600; vertical-align: bottom }
th[colspan] { text-align: center; border-bottom: 1px solid var(--line) }
th.text, td.text { text-align: left }
thead { border-bottom: 1px solid }
tr.published td { color: var(--soft); font-size: 90% }
tr.published td:first-child { padding-left: 2em }
@media (max-width: 40em) {
  body { margin-top: 1em }
  th, td { padding: .25em .5em }
  tr > .text:first-child { position: sticky; left: 0; background: var(--paper); white-space: normal; max-width: 35vw }
}
"""


def page(title: str, content: str) -> str:
    """Return a whole page around `content`, which is HTML; it has no scripts and loads nothing."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n{content}\n</body>\n</html>\n"
    )


def content_of(text: str) -> str:
    """Return the content of a page that `page` made."""
    return text.partition("<body>\n")[2].rpartition("\n</body>")[0]
