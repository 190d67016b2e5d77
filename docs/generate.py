"""Make the generated pages: methods, audits, errors, reference. `make docs` runs it; they are not in git."""

from __future__ import annotations

import json
from pathlib import Path

from zermelo.catalogue import catalogue
from zermelo.claims.runner import kept_results
from zermelo.doctor.fixes import FIXES, load_fix
from zermelo.doctor.registry import AUDITS, load_audit
from zermelo.explanations import explanations

OUT = Path(__file__).parent / "generated"
ROOMS = """
feedback stats report worlds ranking objectives policies scorers synthesis search training evaluation doctor recipes
claims
"""


def methods() -> str:
    """One table of all methods, with the claim's figure where there is one."""
    results = {result["id"]: result for result in kept_results()}
    lines = ["# Methods", "", "`zermelo methods ID` prints docstring, source, file and claim of one.", ""]
    lines += ["| id | title | status | names | paper | measured | verdict |", "|---|---|---|---|---|---|---|"]
    for entry in catalogue().values():
        result = results.get(entry.id)
        measured = ""
        if result:
            spread = f"[{result['ci_low']:.3g}, {result['ci_high']:.3g}]"
            measured = f"{result['measured']:.3g} {spread} {result['measures']}"
        cells = [
            entry.id,
            entry.title,
            entry.status,
            ", ".join(f"`{name}`" for name in entry.names),
            result["paper"] if result else "",
            measured,
            result["verdict"] if result else "",
        ]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def audits() -> str:
    """One table of the doctor's audits, one of its remedies."""
    lines = ["# Audits and remedies", "", "`zermelo doctor audits` and `zermelo doctor fixes` print the same.", ""]
    lines += ["| audit | asks |", "|---|---|"]
    lines += [f"| `{name}` | {load_audit(name).asks} |" for name in AUDITS]
    lines += ["", "| remedy | what it does |", "|---|---|"]
    for name in FIXES:
        if name != "drop-flagged":
            said = (type(load_fix(name)).__doc__ or "").partition("\n")[0]
            lines.append(f"| `{name}` | {said} |")
    return "\n".join([*lines, "| `drop-flagged:AUDIT` | Rows that an audit names. |"]) + "\n"


def errors() -> str:
    """Every code with its paragraph."""
    lines = ["# Errors and warnings", "", "`zermelo explain CODE` prints the same.", ""]
    for code, text in sorted(explanations().items()):
        lines += [f"## {code}", "", text.strip(), ""]
    return "\n".join(lines)


def reference(room: str) -> str:
    """mkdocstrings directives for the public modules of a room."""
    folder = Path(__file__).parent.parent / "src" / "zermelo" / room
    lines = [f"# {room}", ""]
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if any(part.startswith(("_", "m0", "m1")) for part in parts):
            continue
        lines += [f"::: zermelo.{room}.{'.'.join(parts)}", ""]
    return "\n".join(lines)


def main() -> None:
    """Write all pages."""
    (OUT / "reference").mkdir(parents=True, exist_ok=True)
    (OUT / "methods.md").write_text(methods(), encoding="utf-8")
    (OUT / "audits.md").write_text(audits(), encoding="utf-8")
    (OUT / "errors.md").write_text(errors(), encoding="utf-8")
    for room in ROOMS.split():
        (OUT / "reference" / f"{room}.md").write_text(reference(room), encoding="utf-8")
    (OUT / "claims.json").write_text(json.dumps(kept_results(), indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
