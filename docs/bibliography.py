"""The bibliography: a page made from ``scg/references.bib``, and links to it from all prose.

A work is named as "Surname (year)", "Surname and Surname (year)" or "Surname et al. (year)", with
or without the brackets: the build makes such a name a link to the work's entry on the page.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from scg.cite import bibliography

PAGE = "reference/bibliography"
#: BibTeX's accents, as Unicode's combining characters.
ACCENTS = {"'": "\u0301", '"': "\u0308", "`": "\u0300", "^": "\u0302", "~": "\u0303"}


class Work(NamedTuple):
    """An entry; `named` is how prose names it, and `word` what tells works of one name apart."""

    key: str
    named: str
    word: str
    authors: tuple[str, ...]
    surnames: tuple[str, ...]
    year: str
    fields: dict[str, str]

    @property
    def slug(self) -> str:
        """The anchor of the entry's heading."""
        return re.sub(r"[^\w\- ]", "", self.named.lower()).replace(" ", "-")


def plain(text: str) -> str:
    """A field of BibTeX as text."""
    text = re.sub(r"\\(.)(?:\{(\w)\}|(\w))", lambda m: (m[2] or m[3]) + ACCENTS[m[1]], text)
    return unicodedata.normalize("NFC", re.sub(r"[{}]", "", text).replace("--", "–"))


@cache
def works() -> dict[str, Work]:
    """All works by key, in the order of their names."""
    found = {}
    for key, entry in bibliography().items():
        raw = dict(re.findall(r"^  (\w+) = \{(.*)\},?$", entry, re.M))
        fields = {name: plain(value) for name, value in raw.items()}
        people = [person.split(", ") for person in fields["author"].split(" and ")]
        surnames = tuple(person[0] for person in people)
        many = len(surnames) > 2
        named = f"{surnames[0]} et al." if many else " and ".join(surnames)
        word = re.sub(r"^[a-z-]+\d{4}", "", key)
        authors = tuple(" ".join(person[::-1]) for person in people)
        found[key] = Work(key, named, word, authors, surnames, fields["year"], fields)
    labels = [(work.named, work.year) for work in found.values()]
    for i, (key, work) in enumerate(found.items()):
        label, many = labels[i], labels.count(labels[i]) > 1
        letter = "abcdef"[labels[:i].count(label)] if many else ""
        found[key] = work._replace(named=f"{work.named} ({work.year}{letter})")
    return dict(sorted(found.items(), key=lambda item: (item[1].named.lower(), item[0])))


def cited(keys: tuple[str, ...], page: str = "bibliography.md") -> str:
    """Links to works in Markdown."""
    return ", ".join(f"[{works()[key].named}]({page}#{works()[key].slug})" for key in keys)


def page(cited_by: dict[str, list[str]]) -> Iterator[str]:
    """Yield the page, where each entry names the estimators and baselines that cite it."""
    yield "# Bibliography\n"
    yield "`scg.cite(step)` prints the BibTeX entries of what a step uses.\n"
    for work in works().values():
        fields = work.fields
        venue = fields.get("journal") or fields.get("booktitle") or fields.get("publisher", "")
        venue += f" {fields['volume']}" if "volume" in fields else ""
        venue += f"({fields['number']})" if "number" in fields else ""
        venue += f", {fields['pages']}" if "pages" in fields else ""
        yield f"## {work.named}\n"
        text = [f"{', '.join(work.authors)}: *{fields['title']}*.", f"{venue}." if venue else ""]
        if "eprint" in fields:
            text.append(f"[arXiv:{fields['eprint']}](https://arxiv.org/abs/{fields['eprint']}).")
        if "doi" in fields:
            text.append(f"[doi:{fields['doi']}](https://doi.org/{fields['doi']}).")
        if "url" in fields:
            text.append(f"<{fields['url']}>.")
        if work.key in cited_by:
            text.append(f"In scg: {', '.join(cited_by[work.key])}.")
        yield " ".join(part for part in text if part) + "\n"


# --- links ----------------------------------------------------------------------------------------
@cache
def pattern() -> re.Pattern[str]:
    """A name of a work: the first surname, others, and the year."""
    first = "|".join(sorted({re.escape(w.surnames[0]) for w in works().values()}))
    person = r"(?:van )?[A-Z][\w’'-]+"
    others = rf"((?:(?:,\s|\sand\s|,\sand\s){person})*)(\set\sal\.)?"
    return re.compile(rf"\b({first}){others},?\s\(?(\d{{4}})([a-f]?)\)?")


def work_of(match: re.Match[str], place: str) -> Work | None:
    """The work that a text names on a page or in a module, or None if there is no such entry."""
    first, others, _, year, letter = match.groups()
    named = re.findall(r"[A-Z][\w’'-]+", others)
    fit = [w for w in works().values() if w.surnames[0] == first and w.year == year]
    if letter:
        fit = [w for w in fit if w.named.endswith(f"{year}{letter})")]
    elif named:
        fit = [w for w in fit if w.surnames[1].split()[-1] == named[0]]
    elif len({w.surnames for w in fit}) > 1:
        fit = [w for w in fit if len(w.surnames) > 2] or fit
    fit.sort(key=lambda w: (w.word not in place, -len(w.word)))
    return fit[0] if fit else None


def link(app: Any, doctree: Any, docname: str) -> None:
    """Make names of works in a page's prose links to the bibliography."""
    from docutils import nodes

    if docname == PAGE:
        return
    outside = (nodes.reference, nodes.literal, nodes.literal_block, nodes.title, nodes.raw)
    for text in list(doctree.findall(nodes.Text)):
        ancestor = text.parent
        while ancestor is not None and not isinstance(ancestor, outside):
            ancestor = ancestor.parent
        if ancestor is not None:
            continue
        whole, parts, end = str(text), [], 0
        for match in pattern().finditer(whole):
            work = work_of(match, docname)
            if work is None:
                continue
            name = match[0] if match[0].count("(") == match[0].count(")") else match[0].rstrip(")")
            target = app.builder.get_relative_uri(docname, PAGE) + "#" + work.slug
            parts += [nodes.Text(whole[end : match.start()])]
            parts += [nodes.reference("", name, internal=True, refuri=target, classes=["cited"])]
            end = match.start() + len(name)
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(whole[end:])])


def setup(app: Any) -> dict[str, bool]:
    """Register the links with Sphinx."""
    app.connect("doctree-resolved", link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
