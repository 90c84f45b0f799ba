//! The result that an export script writes when nothing was done, as a verifier sees it.

use serde_json::{Value, json};

use crate::world::World;

/// Returns its input as feedback.
const ECHO: &str = r#"
import json

def verify(traj, env_info, task_info):
    try:
        env_info["copy_from_env"]("/tmp/task_result.json", "/tmp/copy.json")
        with open("/tmp/copy.json") as file:
            found = json.dumps(json.load(file), sort_keys=True)
    except Exception as error:
        found = repr(error)
    return {"passed": False, "score": 0, "feedback": found}
"#;

/// Checks the derived result of a script. None if it cannot be derived.
fn check(script: &str, expected: Option<&Value>) {
    let world = World::new();
    world.task("echo", ECHO).write_task_file("echo", "export_result.sh", script);
    let record = world.probe_one(&["--repeat", "1"]);
    let states = record["states"].as_array().unwrap();
    let untouched = states.iter().find(|state| state["state"] == "untouched");
    let found = untouched.map(|state| serde_json::from_str(state["detail"].as_str().unwrap()).unwrap());
    assert_eq!(found.as_ref(), expected, "{record:#}");
    assert!(states.iter().any(|state| state["state"] == "no_model"), "{record:#}");
}

#[test]
fn a_template_in_a_shell_script() {
    check(
        r#"#!/bin/bash
FOUND="false"
COUNT=$(sqlite3 x.db "SELECT COUNT(*) FROM notes" 2>/dev/null || echo "0")
TITLE=""
if [ "$COUNT" -gt 0 ]; then
    FOUND="true"
    TITLE="a title"
fi
if grep -q alex members.txt; then
    MEMBER="true"
else
    MEMBER="false"
fi
TEMP_JSON=$(mktemp /tmp/result.XXXXXX.json)
cat > "$TEMP_JSON" << EOF
{
    "member": $MEMBER, "found": $FOUND, "count": $COUNT, "title": "$TITLE",
    "started": $TASK_START, "file_exists": $EXISTS,
    "escaped": "$(echo "$TITLE" | sed 's/"/\\"/g')",
    "text": $(echo "$TITLE" | jq -Rs .),
    "lasted": $((END - START)),
    "kind": "note"
}
EOF
cp "$TEMP_JSON" /tmp/task_result.json
"#,
        Some(&json!({
            "member": false, "found": false, "count": 0, "title": "", "started": 0, "file_exists": false, "escaped": "",
            "text": "", "lasted": 0, "kind": "note",
        })),
    );
}

#[test]
fn a_dictionary_in_a_python_script() {
    check(
        r#"
EXISTS="false"
python3 << PYEOF
import json, os
result = {
    "exists": "$EXISTS" == "true",
    "rows": len(rows), "names": [row.name for row in rows], "size": os.path.getsize(path),
    "nested": {"title": str(title).strip(), "shown": bool(x) and y > 3},
    "got": found.get("it", None),
}
result["late"] = int("0")
if os.path.exists("/home/ga/x"):
    result["exists"] = True
with open("/tmp/task_result.json", "w") as f:
    json.dump(result, f, indent=2)
PYEOF
"#,
        Some(&json!({
            "exists": false, "rows": 0, "names": [], "size": 0, "nested": { "title": "", "shown": false },
            "got": null, "late": 0,
        })),
    );
}

#[test]
fn other_scripts_are_ignored() {
    check("echo '{\"a\": 1}' > /tmp/task_result.json\n", None);
    check("cat > /tmp/task_result.json << EOF\n{ \"value\": $SOMETHING }\nEOF\n", None);
    check("cat > /tmp/task_result.json << EOF\n{ not closed\n", None);
    check(
        "python3 << EOF\nimport json\njson.dump(compute(), open('/tmp/task_result.json', 'w'))\nEOF\n",
        None,
    );
}
