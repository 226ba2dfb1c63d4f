"""Tables of Markdown, and pages whose tables a new run replaces.

A table stands on a page between ``<!-- table NAME -->`` and ``<!-- end of NAME -->``.
"""

from pathlib import Path

from PIL import Image

from graphlift.files import replacing


def table(head, rows, *, words=3):
    """Markdown; the first ``words`` columns are words, the others numbers."""
    ruler = ["---"] * words + ["---:"] * (len(head) - words)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ruler, *rows))


def show(tables, docs=None):
    """Print tables by name, and replace those of a page or a folder of pages, if one is given."""
    for name, content in tables.items():
        print(f"\n### {name}\n\n{content}", flush=True)
    if docs is not None:
        (fill_pages if docs.is_dir() else fill_page)(docs, tables)


def fill_page(path, tables):
    """Replace a page's tables by name; a page that lacks one is refused."""
    text = path.read_text(encoding="utf-8")
    for name, content in tables.items():
        start, end = f"<!-- table {name} -->\n", f"<!-- end of {name} -->"
        if start not in text or end not in text:
            raise SystemExit(f"{path}: has no place for a table between {start.strip()} and {end}")
        before, _, rest = text.partition(start)
        text = f"{before}{start}\n{content}\n\n{end}{rest.partition(end)[2]}"
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def fill_pages(folder, tables):
    """Replace tables by name, each on the page of a folder that has its place."""
    texts = {page: page.read_text(encoding="utf-8") for page in sorted(folder.glob("*.md"))}
    homes = {
        name: [page for page, text in texts.items() if f"<!-- table {name} -->\n" in text]
        for name in tables
    }
    for name, found in homes.items():
        if len(found) != 1:
            places = ", ".join(map(str, found)) or "no page"
            raise SystemExit(
                f"<!-- table {name} --> should be on one page of {folder}, is on {places}"
            )
    for page in texts:
        fill_page(page, {name: tables[name] for name in tables if homes[name] == [page]})


def add_docs(parser):
    """Add ``--docs`` to a benchmark's options."""
    parser.add_argument(
        "--docs", type=Path, help="a page, or a folder of pages, whose tables are replaced"
    )


def few_colours(figure):
    """Store a PNG in 160 colours, a third of its size: figures are kept in the repository."""
    small = Image.open(figure).convert("RGB").quantize(160)
    small.save(figure, format="png", optimize=True)
