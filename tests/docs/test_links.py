"""Links in README and docs lead somewhere."""

from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, all_pages, anchors, links


@pytest.mark.parametrize("path", all_pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_each_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    broken = [
        f"{path.relative_to(ROOT)}:{number}: {target}" for number, target in links(path) if is_broken(path, target)
    ]
    assert not broken, "\n".join(broken)


def is_broken(page: Path, target: str) -> bool:
    """Tell whether a link of this repository leads nowhere; other hosts are not asked."""
    if target.startswith(("http://", "https://", "mailto:")):
        return False
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    if not file.exists():
        return True
    return bool(anchor) and anchor not in anchors(file)
