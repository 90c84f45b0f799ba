"""Verifies rename_attributed_sextant: rename the record of a sextant with a new attribution."""

from wiki_checks import field, links, redirects, score

NEW, OLD = "Sextant (Troughton)", "Sextant (Ramsden)"
LINKING = ("Sextant (Plath)", "Octant (Spencer)")


def verify_rename_attributed_sextant(traj, env_info, task_info):
    return score(lambda result: list(check(result)), "rename_attributed_sextant", env_info)


def check(result):
    changed = result["changed"]
    new = changed.get(NEW)
    moved = OLD in result["moved"] and new is not None and field(new, "accession") == "1902.14"
    yield "the record was moved to its new name", 25, moved
    yield "its maker is Edward Troughton", 15, moved and field(new, "maker") == "Edward Troughton"
    yield "the old name is a redirect", 15, moved and redirects(changed.get(OLD), NEW)
    linked = all(links(changed.get(title), NEW) and not links(changed[title], OLD) for title in LINKING)
    yield "both records link to the new name", 25, linked
    rest = field(new, "year") == "1794" and field(new, "location") == "Room 2, case 5" and links(new, "Category:Instruments")
    clean = changed.keys() == {NEW, OLD, *LINKING} and result["deleted"] == []
    yield "nothing else was changed", 20, moved and rest and clean
