"""The table of docs/explanation/authors_code.md, made of the results."""

import re

MARK = re.compile(r"(<!-- comparisons: .*? -->\n).*?(<!-- end of comparisons -->)", re.DOTALL)


def written(text, results):
    """The page with the table between its marks."""
    return MARK.sub(lambda marks: marks[1] + "\n".join(lines(results)) + "\n" + marks[2], text)


def lines(results):
    """Lines of Markdown: one for each comparison."""
    head = ("comparison", "peer", "z, peer", "z, scg", "variance, peer", "variance, scg", "note")
    yield f"| {' | '.join(head)} |"
    yield "|---|---|---:|---:|---:|---:|---|"
    for part in results.values():
        for row in part.get("rows", ()):
            both = (
                f"{row[who]['variance']:.4g} ± {row[who]['variance_stderr']:.1g}"
                for who in ("theirs", "scg")
            )
            scores = (f"{row[key]:.1f}" for key in ("z_theirs", "z_scg"))
            cells = (row["what"], row["peer"], *scores, *both, row["note"])
            yield f"| {' | '.join(cells)} |"
