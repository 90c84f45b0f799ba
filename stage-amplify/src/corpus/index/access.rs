//! How the scripts of tasks reach the data of the application.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use task_spec::pattern::compile;

/// The longest line that is searched, in bytes.
const MAX_LINE: usize = 2_000;

/// Programs that read or change data, with what may stand before them.
const CLIENT: &str = r#"(?x)
    (?:^ | [\s(;|&`])
    (?P<command>
        (?: (?:sudo | su | timeout | docker | docker-compose | podman | adb) \s [^|;$("'`<>\#]*? )?
        \b(?: mysql | mariadb | psql | sqlite3 | mongo | mongosh | redis-cli | sqlcmd | sqlplus | isql | isql-fb
            | influx | cypher-shell | ldapsearch | Invoke-Sqlcmd | php | wp | drush | bench | rails | ogrinfo )
        \s [^|;$("'`<>\#]*
    )"#;

/// Requests to a server on the machine.
const REQUEST: &str = r"\b(?:curl|Invoke-RestMethod|Invoke-WebRequest)\s.*?(?P<url>https?://(?:localhost|127\.0\.0\.1)[\w:./-]*)";

/// Calls by which Python and PowerShell open data, and what Android shows of an application.
const CALL: &str = r"(?x)
    (?P<call>
        \b(?: sqlite3\.connect | pymysql\.connect | mysql\.connector\.connect | psycopg2\.connect
            | openpyxl\.load_workbook | load_workbook | zipfile\.ZipFile | ET\.parse | xmlrpc\.client\.ServerProxy
            | ServerProxy | pydicom\.dcmread | rasterio\.open | Image\.open ) (?: \( )
        | New-Object\s+-ComObject\s+[\w.]+
        | \b(?: content\s+query\s+--uri\s+[\w:/.]+ | dumpsys\s+\w+ | uiautomator\s+dump | run-as\s+[\w.]+ )
    )";

static PATTERNS: LazyLock<[Regex; 3]> = LazyLock::new(|| [CLIENT, REQUEST, CALL].map(compile));

/// The commands of a script that reach data, each once, up to the first part that differs between tasks.
pub(super) fn commands(script: &str) -> BTreeSet<String> {
    let [client, request, call] = &*PATTERNS;
    let mut found = BTreeSet::new();
    for line in script.lines().map(str::trim) {
        if line.len() > MAX_LINE || line.starts_with('#') || line.starts_with("echo ") {
            continue;
        }
        for captures in client.captures_iter(line) {
            found.insert(without_query(&captures["command"]).to_owned());
        }
        for captures in request.captures_iter(line) {
            found.insert(format!("HTTP {}", two_segments(&captures["url"])));
        }
        for captures in call.captures_iter(line) {
            found.insert(captures["call"].trim_end_matches('(').to_owned());
        }
    }
    found
}

/// A command without the option that introduces its query.
fn without_query(command: &str) -> &str {
    let command = command.trim().trim_end_matches('\\').trim();
    let end = [" -e", " -c", " -r", " -Q", " --execute", " --eval"];
    end.iter().find_map(|option| command.strip_suffix(option)).unwrap_or(command).trim()
}

/// A URL with at most two segments of its path.
fn two_segments(url: &str) -> &str {
    let end = url.match_indices('/').nth(4).map_or(url.len(), |(at, _)| at);
    url.get(..end).unwrap_or(url).trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        LazyLock::force(&PATTERNS);
    }

    #[test]
    fn a_command_ends_where_tasks_differ() {
        let check = |script: &str, expected: &[&str]| {
            let found: Vec<String> = commands(script).into_iter().collect();
            assert_eq!(found, expected, "{script}");
        };
        check(
            "N=$(docker exec shop-db mysql -u shop -pshop shop -N -e \"SELECT 1\")\n",
            &["docker exec shop-db mysql -u shop -pshop shop -N"],
        );
        check("sqlite3 -header \"$DB\" 'SELECT 1' | sort", &["sqlite3 -header"]);
        check("# psql -c x\necho mysql here", &[]);
        check(
            "curl -s -o /dev/null \"http://localhost:8080/api/v1/items/3?x=$N\"",
            &["HTTP http://localhost:8080/api/v1"],
        );
        check(
            "db = sqlite3.connect(path)\nx = New-Object -ComObject Excel.Application",
            &["New-Object -ComObject Excel.Application", "sqlite3.connect"],
        );
    }
}
