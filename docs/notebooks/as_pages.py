"""The site shows a notebook as a page: its text, and its code in blocks."""

import json
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files


def on_files(files: Files, config: Any) -> None:
    """Add a page beside each notebook."""
    for notebook in [file for file in files if file.src_uri.endswith(".ipynb")]:
        cells = json.loads(Path(notebook.abs_src_path).read_text(encoding="utf-8"))["cells"]
        text = "\n\n".join(map(_as_markdown, cells))
        name = notebook.src_uri.removesuffix(".ipynb")
        text += f"\n\n[The notebook]({Path(name).name}.ipynb), to run and to change.\n"
        files.append(File.generated(config, f"{name}.md", content=text))


def _as_markdown(cell: dict[str, Any]) -> str:
    source = "".join(cell["source"])
    return source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```"
