"""Verifies merge_anna_maria: merge two records of one model."""

from wiki_checks import field, links, redirects, score

KEPT, OTHER = "Model of the Anna Maria", "Barque Anna Maria, model"


def verify_merge_anna_maria(traj, env_info, task_info):
    return score(lambda result: list(check(result)), "merge_anna_maria", env_info)


def check(result):
    changed = result["changed"]
    kept = changed.get(KEPT)
    remains = kept is not None and not kept["redirect"] and field(kept, "maker") == "H. Voss"
    yield "the record with the maker remains", 30, remains
    whole = remains and "Waterline model of the barque" in kept["text"] and links(kept, "Category:Models")
    yield "the restoration is in its text", 30, whole and "restored in 1986 by E. Lund" in kept["text"]
    yield "the other record is a redirect", 25, redirects(changed.get(OTHER), KEPT)
    clean = changed.keys() == {KEPT, OTHER} and result["deleted"] == result["moved"] == []
    yield "nothing else was changed", 15, whole and clean
