"""A diagnosis as a page: the verdict, the commands that mend, one section for each finding, what is well."""

from __future__ import annotations

from zermelo.doctor.diagnosis import Diagnosis
from zermelo.doctor.protocol import Finding
from zermelo.report.page import Answer, Cell, Column, Figure, Page, Sample

__all__ = ["page_of"]

ROWS = 40  # of a table on the page
COLUMNS = (Column("severity"), Column("audit"), Column("finding"), Column("figure", digits=3), Column("rows"))


def page_of(diagnosis: Diagnosis) -> Page:
    """The page that `zermelo doctor FILE -o doctor.html` writes."""
    names = ", ".join(diagnosis.files[:3]) + (" …" if len(diagnosis.files) > 3 else "")
    page = Page(f"Diagnosis of {names or 'preference data'}", diagnosis.verdict(), footer=f"seed {diagnosis.seed}")
    page.section("Verdict")
    page.figures(
        [
            Figure("rows", diagnosis.rows),
            *(
                Figure(f"{name} findings", diagnosis.count(name), tone="bad" if diagnosis.count(name) else "plain")
                for name in ("high", "medium", "low")
            ),
        ]
    )
    if remedy := diagnosis.remedy():
        page.text("The remedies of all findings from medium up, in one command:")
        page.details("command", remedy, opened=True)
    if diagnosis.findings:
        page.table(diagnosis.table(), COLUMNS, caption="All findings")
    for finding in diagnosis.ordered:
        _section(page, finding)
    if diagnosis.passed:
        page.section("What is well")
        rows: list[dict[str, Cell]] = [
            {"audit": item.audit, "what was seen": item.title, "figure": item.figure} for item in diagnosis.passed
        ]
        page.table(rows, ["audit", "what was seen", Column("figure", digits=3)])
    if diagnosis.skipped:
        page.section("What does not apply")
        page.table([{"audit": item.audit, "why": item.why} for item in diagnosis.skipped])
    return page


def _section(page: Page, finding: Finding) -> None:
    page.section(f"{finding.audit} ({finding.severity})", finding.title)
    if finding.effect:
        page.text(finding.effect + (f" ({finding.source})" if finding.source else ""))
    if finding.remedy:
        page.note(f"Remedy: {finding.remedy}" + (f" (--apply {finding.fix})" if finding.fix else ""))
    if finding.plots:
        page.plot(*[make() for make in finding.plots])
    if finding.table:
        names = list(finding.table)
        rows: list[dict[str, Cell]] = [
            dict(zip(names, values, strict=True)) for values in zip(*finding.table.values(), strict=True)
        ]
        page.table(rows[:ROWS], caption=f"the first {ROWS} of {len(rows):,} rows" if len(rows) > ROWS else "")
    if finding.details:
        page.table([{"figure": name, "value": value} for name, value in finding.details.items()])
    if finding.examples:
        samples = [
            Sample(
                example.note or (f"row {example.row + 1}" if example.row >= 0 else "example"),
                [Answer("", example.text)],
            )
            for example in finding.examples
        ]
        page.heading("Examples").samples(samples)
