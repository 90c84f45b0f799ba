#!/bin/bash
# Adds the loan to the table, and changes the record, through the wiki's API.
set -euo pipefail

/usr/bin/python3 -B - <<'PY'
import http.cookiejar
import json
import urllib.parse
import urllib.request

opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))


def api(**fields):
    body = urllib.parse.urlencode({"format": "json", "formatversion": "2", **fields}).encode()
    answer = json.load(opener.open("http://localhost:8080/api.php", body))
    if "error" in answer:
        raise SystemExit(answer["error"]["info"])
    return answer


def token(kind):
    return api(action="query", meta="tokens", type=kind)["query"]["tokens"][f"{kind}token"]


def text_of(title):
    return api(action="parse", page=title, prop="wikitext")["parse"]["wikitext"]


def edit(title, text):
    api(action="edit", title=title, text=text, token=token("csrf"))


def replace(title, old, new):
    text = text_of(title)
    if old not in text:
        raise SystemExit(f"{title} does not have {old}")
    edit(title, text.replace(old, new))


api(action="login", lgname="Registrar", lgpassword="harbor-Light-2024", lgtoken=token("login"))
OBJECT, BORROWER = "Chronometer 2214", "Nautical School"
table = text_of("Loans 2024").rstrip()
edit("Loans 2024", table.removesuffix("|}") + f"|-\n| [[{OBJECT}]] || {BORROWER} || 2024-06-10 || 2024-09-08\n|}}")
record = text_of(OBJECT).splitlines()
fields = {"| location ": f"| location = {BORROWER}", "| status ": "| status = on loan"}
edit(OBJECT, "\n".join(fields.get(line.partition("=")[0], line) for line in record))
PY
