"""Faults as models make them, seeded into the demo's tasks and helpers, and the issue that has to be found."""

import json
import re

SETUP, EXPORT, VERIFIER = "setup_task.sh", "export_result.sh", "verifier.py"
UTILS, READER, CHECKS = "scripts/task_utils.sh", "scripts/gc_read.py", "utils/ledger_checks.py"
SOURCE = "source /workspace/scripts/task_utils.sh\n"


def replaced(old, new):
    return lambda text: text.replace(old, new)


def after_source(line):
    return lambda text: text.replace(SOURCE, SOURCE + line + "\n", 1)


def before_start(line):
    return lambda text: re.sub(r"^start_task ", lambda found: line + "\n" + found[0], text, count=1, flags=re.M)


def at_start(text):
    """Replaces the start of the application."""
    return lambda setup: re.sub(r"^start_task .*$", text, setup, flags=re.M)


def at_end(line):
    return lambda text: text + line + "\n"


def in_verdict(lines):
    """Replaces what the verifier returns."""
    return lambda text: re.sub(r"^(def verify_\w+\(.*\):\n)(    .*\n)+", r"\1" + lines, text, count=1, flags=re.M)


def in_result(line):
    """Adds a line to the block in which the export collects the result."""
    return replaced("as result:\n", "as result:\n    " + line + "\n")


def in_fixture(text):
    fixtures = json.loads(text)
    for fixture in fixtures["untouched"]:
        fixture["files"]["/tmp/task_result.json"]["baseline"]["transactions"] += 1
    return json.dumps(fixtures)


def limited(text):
    return text.replace('"pre_task":', '"pre_task_timeout": 5,\n    "pre_task":', 1)


def with_export(setup):
    """The set-up does what the export should."""
    return setup + "\nbook_python <<'PY'\nfrom gc_read import Export\nwith Export(\"reconcile_june_statement\") as result:\n    pass\nPY\n"


HIDE = "xdotool search --name GnuCash windowunmap %@; sleep 0.5"
DOWNLOAD = "/usr/bin/python3 -c 'import urllib.request as u; u.urlopen(\"https://example.org\")' || exit 1"
OVERRIDE = "/usr/share/glib-2.0/schemas/99_gnucash_env.gschema.override"

# What only solutions find.
BY_SOLUTIONS = {"solution_fails", "wrong_solution_passes"}

# A round is seeded and run together. Of each fault: name, task, the files that change, the issue.
ROUNDS = [
    [
        ("the helper has another path", "apply_customer_deposit", {SETUP: replaced("task_utils.sh", "task_util.sh")}, "setup_failed"),
        ("a package is missing", "budget_second_half_2024", {SETUP: before_start("jq --version || exit 1")}, "setup_failed"),
        ("the display is hard-coded", "close_first_half_year", {SETUP: after_source("export DISPLAY=:7; unset XAUTHORITY")}, "setup_failed"),
        ("the set-up waits for ever", "credit_defective_bocal", {SETUP: before_start("sleep 1000"), "task.json": limited}, "setup_timeout"),
        ("the set-up downloads a file", "depreciate_workshop_equipment", {SETUP: before_start(DOWNLOAD)}, "network_needed"),
        ("the application is never started", "enter_penobscot_bill", {SETUP: at_start("true")}, "app_not_running"),
        ("the application crashes after its start", "import_july_card_csv", {SETUP: at_end("pkill -x gnucash; sleep 1")}, "app_not_running"),
        ("the window is hidden", "invest_reserve_in_fund", {SETUP: at_end(HIDE)}, "app_not_running"),
        ("the screen is empty", "invoice_school_district_service", {SETUP: at_end(HIDE)}, "blank_screen"),
        ("the start depends on chance", "record_june_28_payroll", {EXPORT: in_result("import random; result['lot'] = random.random()")}, "setup_not_repeatable"),
        ("the export ends with an error", "regroup_occupancy_accounts", {EXPORT: at_end("exit 3")}, "export_failed"),
        ("the baseline is of another task", "reimburse_june_mileage", {SETUP: at_start("start_task other")}, "export_failed"),
        ("the result has another path", "remit_june_sales_tax", {EXPORT: at_end("mv /tmp/task_result.json /tmp/result.json")}, "no_result"),
        ("the result is left from the set-up", "reconcile_june_statement", {SETUP: with_export, EXPORT: lambda _: "#!/bin/bash\ntrue\n"}, "reads_setup_artifact"),
        ("the export leaves a process", "schedule_second_half_payments", {EXPORT: at_end("sleep 600 &")}, "leaves_processes"),
        ("the verifier always passes", "trade_in_engine_lathe", {VERIFIER: in_verdict("    return {'passed': True, 'score': 100, 'feedback': ''}\n")}, "passes_untouched"),
        ("the verifier gives points for nothing", "void_and_reissue_rent_check", {VERIFIER: in_verdict("    return {'passed': False, 'score': 20, 'feedback': ''}\n")}, "score_untouched"),
        ("the fixture is of another version", "write_off_bad_debt", {"fixtures.json": in_fixture}, "fixture_differs"),
    ],
    [
        ("the export restores the book", "void_and_reissue_rent_check", {SETUP: before_start('cp "$BOOK" /tmp/start'), EXPORT: after_source('cp /tmp/start "$BOOK"')}, "solution_fails"),
        ("an essential fact is not essential", "enter_penobscot_bill", {VERIFIER: replaced('"they are the vendor\'s default", essential=True', '"they are the vendor\'s default"')}, "wrong_solution_passes"),
        ("the verifier expects another amount", "depreciate_workshop_equipment", {VERIFIER: replaced("3047.03", "3047.30")}, "solution_fails"),
        ("the verifier reads a field that is not written", "remit_june_sales_tax", {VERIFIER: replaced('["balance_july_15"]', '["balance"]')}, "solution_fails"),
        ("the verifier imports what is not there", "write_off_bad_debt", {VERIFIER: lambda text: "import ledger_tools\n" + text}, "verifier_fails"),
        ("the set-up does not wait for the application", "trade_in_engine_lathe", {SETUP: at_start("start_task trade_in_engine_lathe >/dev/null 2>&1 &")}, "app_not_running"),
        ("the export hides its error", "import_july_card_csv", {EXPORT: lambda text: text.replace("import Export", "import Exporter") + "exit 0\n"}, "no_result"),
        ("the home folder is hard-coded", "regroup_occupancy_accounts", {EXPORT: after_source("cd /home/user/Documents || exit 1")}, "export_failed"),
        ("the user cannot read the document", "reimburse_june_mileage", {SETUP: before_start('chown root: "$INBOX"/*; chmod 600 "$INBOX"/*')}, "solution_fails"),
        ("the user cannot write the book", "credit_defective_bocal", {SETUP: at_end('chown root: "$BOOK"; chmod 444 "$BOOK"')}, "solution_fails"),
        ("the application acts when the book is opened", "schedule_second_half_payments", {SETUP: before_start(
            f"sed -i s/show-at-file-open=false/show-at-file-open=true/ {OVERRIDE}; glib-compile-schemas {OVERRIDE.rpartition('/')[0]}")}, "solution_fails"),
        ("the verifier reads a file of the host", "budget_second_half_2024", {VERIFIER: in_verdict("    return {'passed': bool(open('/tmp/task_result.json').read()), 'score': 0}\n")}, "verifier_fails"),
        ("a dialog covers the application", "invoice_school_district_service", {SETUP: at_end('setsid xmessage -title Error "The database is locked" >/dev/null 2>&1 </dev/null & sleep 1')}, "error_dialog"),
        ("the result has the time in it", "close_first_half_year", {EXPORT: in_result("import time; result['exported'] = time.time()")}, "setup_not_repeatable"),
    ],
    [
        ("documents go to another folder", "depreciate_workshop_equipment", {UTILS: replaced('cat > "$INBOX/$1"', 'cat > "$USER_HOME/$1"')}, "solution_fails"),
        ("a column has another name", "schedule_second_half_payments", {READER: replaced('row["auto_create"]', 'row["autocreate"]')}, "solution_fails"),
        ("all accounts are changed ones", "regroup_occupancy_accounts", {READER: replaced("if account != before.get(guid)", "if account is not before.get(guid)")}, "fixture_differs"),
        ("balances are in cents", "remit_june_sales_tax", {READER: replaced("return total / 100\n", "return total\n")}, "fixture_differs"),
        ("old documents are new ones", "invoice_school_district_service", {READER: replaced('if d["id"] not in self.baseline["documents"]]', 'if d["id"]]')}, "fixture_differs"),
        ("accounts that did not move are listed", "trade_in_engine_lathe", {READER: replaced("for name, change in changes.items() if change}", "for name, change in changes.items()}")}, "fixture_differs"),
    ],
    [("amounts are compared too loosely", "trade_in_engine_lathe", {CHECKS: replaced("< 0.005", "< 500")}, "wrong_solution_passes")],
    [("the verifiers' helper reads another path", "void_and_reissue_rent_check", {CHECKS: replaced("/tmp/task_result.json", "/tmp/result.json")}, "no_result")],
]


def seed(env, name, task, changes):
    """Applies the changes of a fault to an environment."""
    for file, change in changes.items():
        path = env / file if "/" in file else env / "tasks" / task / file
        text = path.read_text()
        changed = change(text)
        if changed == text:
            raise SystemExit(f"{name}: the fault does not change {file}")
        path.write_text(changed)
