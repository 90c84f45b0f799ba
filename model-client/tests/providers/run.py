"""Runs the chain against software of others: the providers' SDKs, LiteLLM, nginx, a proxy, llama.cpp.

    python3 run.py TARGET_DIR [PART...]

TARGET_DIR holds debug/ with the stages and loopback-model; virtual environments go to TARGET_DIR/providers. Needs PyPI,
openssl, and nginx (in PATH, or named by NGINX) for the part with TLS. Exits with 1 if a part fails, 2 if it cannot start;
parts that cannot run are named.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import servers

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
ENV = "gnucash_env"
COUNT = 4
# Enough for the plan's prompt in tokens of a byte each.
CONTEXT = 131072
SDKS = ["anthropic==2.11.0", "openai==3.52.0", "google-genai==3.4.0"]
# The extra of later releases requires packages that are not on PyPI.
LITELLM = ["litellm[proxy]==1.89.7"]
# Compiled on installation, which takes some minutes.
LLAMA = ["llama-cpp-python[server]==0.3.36", "gguf"]
ANTHROPIC, GEMINI, OPENAI = "claude-opus-5-5", "gemini-4-argon", "openai:gpt-6.1-sol"


def main(target, *wanted):
    target = pathlib.Path(target).resolve()
    results = {}
    with tempfile.TemporaryDirectory(prefix="test-providers-") as scratch:
        test = Test(target / "debug", pathlib.Path(scratch))
        try:
            for part in (bodies, streams, batches, litellm, tls, proxy, llama):
                if wanted and part.__name__ not in wanted:
                    continue
                started = time.monotonic()
                try:
                    result = part(test, target / "providers")
                except Skipped as why:
                    result = f"SKIPPED: {why}"
                except (AssertionError, subprocess.SubprocessError) as error:
                    result = f"FAILED: {error}"
                results[part.__name__] = result
                say(f"{part.__name__}: {result} ({time.monotonic() - started:.0f} s)")
        finally:
            test.stop()
    failed = [name for name, result in results.items() if result.startswith("FAILED")]
    skipped = [name for name, result in results.items() if result.startswith("SKIPPED")]
    say(f"{len(results) - len(failed) - len(skipped)} parts passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed else 2 if len(skipped) == len(results) else 0


class Skipped(Exception):
    pass


class Test:
    def __init__(self, programs, scratch):
        self.programs, self.scratch = programs, scratch
        self.processes = []
        self.runs = 0
        self.author = self.loopback("--author", "--first", "0", "--last", "0")

    def stop(self):
        for process in self.processes:
            process.terminate()

    def loopback(self, *arguments):
        """The address of a loopback model."""
        command = [self.programs / "loopback-model", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process.stdout.readline().strip()

    def chain(self, model, base, arguments=(), variables=None, count=COUNT, rejecting=None):
        """Runs the chain on a new copy of the demo. Returns amplify's result and the verdicts. The passes for fixtures
        and repairs follow if there is a server that rejects, and records, their requests."""
        self.runs += 1
        workspace = self.scratch / f"run-{self.runs}"
        shutil.copytree(ROOT / "examples/demo", workspace)
        clean = {name: value for name, value in os.environ.items() if "PROXY" not in name.upper()}
        keys = {f"{name}_API_KEY": "key-of-the-test" for name in ("ANTHROPIC", "GEMINI", "OPENAI")}
        bases = {f"{name}_BASE_URL": base for name in ("ANTHROPIC", "GEMINI", "OPENAI")}
        # A base URL of chat completions has its version.
        bases["OPENAI_BASE_URL"] = base + "/v1"
        env = {**clean, **keys, **bases, **(variables or {})}
        here = ["--workspace", workspace, "--run-dir", workspace / "run", "--env-dir", ENV]

        def stage(name, *more, stdin=None):
            command = [self.programs / f"stage-{name}", *here, *more]
            return subprocess.run(command, input=stdin, capture_output=True, text=True, env=env, timeout=300)

        seeds = stage("propose", "--software", "GnuCash", "--agent", "existing")
        assert seeds.returncode == 0, seeds.stderr
        amplify = stage(
            "amplify", "--software", "GnuCash", "--model", model, "--count", str(count), *arguments, stdin=seeds.stdout
        )
        tasks = stage("extract", stdin=amplify.stdout)
        verdicts = stage("verify-spec", stdin=tasks.stdout)
        if rejecting:
            env.update({name: value.replace(base, rejecting) for name, value in env.items() if name.endswith("_BASE_URL")})
            again = ["amplify", "--software", "GnuCash", "--model", model, "--pass"]
            stage(*again, "fixtures", stdin=tasks.stdout)
            stage(*again, "repair", stdin=as_bad(verdicts.stdout))
        return amplify, [json.loads(line) for line in verdicts.stdout.splitlines()]

    def journal(self):
        """The journal of the last chain."""
        return self.scratch / f"run-{self.runs}" / "run/answers.jsonl"

    def succeeds(self, model, base, **options):
        """Asserts that all tasks are written and valid."""
        amplify, verdicts = self.chain(model, base, **options)
        assert amplify.returncode == 0, f"{model}: {amplify.stderr[-2000:]}"
        tasks = [verdict for verdict in verdicts if verdict["record"] == "verdict" and verdict["kind"] == "task"]
        assert len(tasks) == COUNT, f"{model}: {len(tasks)} of {COUNT} tasks"


def as_bad(verdicts):
    """The verdicts on tasks as if each task had an error."""
    issue = {"code": "python_syntax", "severity": "error", "message": "invalid syntax", "path": "verifier.py"}
    records = [json.loads(line) for line in verdicts.splitlines()]
    return "".join(json.dumps({**record, "ok": False, "issues": [issue]}) + "\n" for record in records)


def venv(folder, name, packages):
    """The Python of a virtual environment with these packages."""
    python = folder / name / "bin/python"
    wanted = "\n".join(packages)
    mark = folder / name / "installed"
    if not mark.exists() or mark.read_text() != wanted:
        say(f"installing {' '.join(packages)}")
        subprocess.run([sys.executable, "-m", "venv", folder / name], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        if subprocess.run(pip).returncode != 0:
            raise Skipped(f"cannot install {' '.join(packages)} from PyPI")
        mark.write_text(wanted)
    return python


def bodies(test, folder):
    """Every request body is valid by the types of the SDKs."""
    python = venv(folder, "sdks", SDKS)
    recorder, rejecting = servers.Recorder(test.author), servers.Recorder()
    models = [
        ANTHROPIC, "claude-fable-5-1", "claude-sonnet-4-6", "claude-haiku-4-5", "claude-unlisted",
        GEMINI, "gemini-3.8-flash", "gemini-2.5-pro", "gemini-unlisted",
        OPENAI, "openai:gpt-4.1", "openai:unlisted",
    ]
    for model in models:
        test.succeeds(model, recorder.url, rejecting=rejecting.url)
    assert len(rejecting.requests) == 2 * COUNT * len(models), f"{len(rejecting.requests)} fixtures and repairs"
    file = test.scratch / "bodies.jsonl"
    file.write_text("".join(json.dumps(request) + "\n" for request in recorder.requests + rejecting.requests))
    return validate(python, "bodies", file)


def streams(test, folder):
    """The SDKs read the streams of the loopback model, by which the client is tested."""
    python = venv(folder, "sdks", SDKS)
    return validate(python, "streams", test.loopback("--first", "0", "--last", "0", "--bytes", "20000"), "20000")


def batches(test, folder):
    """The SDKs submit, list and read batches of the loopback model, with their types enforced, and stage-amplify does."""
    python = venv(folder, "sdks", SDKS)
    server = test.loopback("--author", "--batches", "--first", "0", "--last", "0")
    found = validate(python, "batches", server)
    for model in (ANTHROPIC, GEMINI, OPENAI):
        test.succeeds(model, server, arguments=("--batch", "--batch-poll-sec", "0"))
    return found


def validate(python, *arguments):
    result = subprocess.run([python, HERE / "validate.py", *arguments], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr[-2000:]
    return result.stdout.strip()


def litellm(test, folder):
    """The chain works through LiteLLM's proxy, in all formats."""
    python = venv(folder, "litellm", LITELLM)
    upstreams = {
        ANTHROPIC: ("anthropic/" + ANTHROPIC, test.author),
        GEMINI: ("gemini/" + GEMINI, test.author),
        OPENAI.removeprefix("openai:"): ("openai/loopback", test.author + "/v1"),
    }
    models = [
        {"model_name": name, "litellm_params": {"model": model, "api_base": base, "api_key": "key"}}
        for name, (model, base) in upstreams.items()
    ]
    config = {"model_list": models, "litellm_settings": {"drop_params": True}}
    file = test.scratch / "litellm.json"
    file.write_text(json.dumps(config))
    port = servers.free_port()
    env = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1"}
    with open(test.scratch / "litellm.log", "w") as log:
        command = [python.parent / "litellm", "--config", file, "--host", "127.0.0.1", "--port", str(port)]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=env)
    test.processes.append(process)
    url = f"http://127.0.0.1:{port}"
    wait_for(url + "/health/liveliness", process, 180)
    results = []
    for model in (ANTHROPIC, GEMINI, OPENAI):
        try:
            test.succeeds(model, url)
            results.append(f"{model} ok")
        except AssertionError as error:
            log = (test.scratch / "litellm.log").read_text()[-3000:]
            raise AssertionError(f"{'; '.join(results)}; {error}; log: {log}") from error
    process.terminate()
    return "; ".join(results)


def llama(test, folder):
    """A real model answers, though without sense: its answers are kept, and the run ends in an orderly way."""
    python = venv(folder, "llama", LLAMA)
    weights = test.scratch / "tiny.gguf"
    subprocess.run([python, HERE / "make_gguf.py", weights, str(CONTEXT)], check=True)
    prices = test.scratch / "prices.json"
    tiny = {"name": "tiny", "max_output_tokens": 64, "output_limit_field": "max_tokens"}
    prices.write_text(json.dumps({"models": [tiny]}))
    port = servers.free_port()
    with open(test.scratch / "llama.log", "w") as log:
        command = [python, "-m", "llama_cpp.server", "--model", weights, "--n_ctx", str(CONTEXT), "--port", str(port)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    test.processes.append(process)
    url = f"http://127.0.0.1:{port}"
    wait_for(url + "/v1/models", process, 60)
    amplify, _ = test.chain("openai:tiny", url, ["--prices", prices], count=1)
    answers = [json.loads(line) for line in test.journal().read_text().splitlines()]
    log = (test.scratch / "llama.log").read_text()[-2000:]
    assert answers and all(answer["text"] for answer in answers), f"{amplify.stderr}; log: {log}"
    assert amplify.returncode in (1, 2) and "panicked" not in amplify.stderr, amplify.stderr
    assert "price unknown" in amplify.stderr, amplify.stderr
    process.terminate()
    stops = sorted({answer["stop"] for answer in answers})
    return f"{len(answers)} answers kept, ended by {', '.join(stops)}; exit status {amplify.returncode}"


def wait_for(url, process, seconds):
    for _ in range(seconds):
        assert process.poll() is None, "the server has ended"
        try:
            return urllib.request.urlopen(url, timeout=5)
        except OSError:
            time.sleep(1)
    raise AssertionError(f"{url} does not answer within {seconds} s")


def tls_front(test):
    """nginx with certificates of a CA made here, and that CA's certificate."""
    nginx = os.environ.get("NGINX") or shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if not nginx:
        raise Skipped("nginx is not installed: install it, or set NGINX to its path")
    folder = test.scratch / "tls"
    if not folder.exists():
        folder.mkdir()
        script = shutil.copy(HERE.parent / "it/client/tls/make.sh", folder)
        subprocess.run(["sh", script], check=True)
    certificates = {name: folder / f"{name}.pem" for name in ("good", "expired", "other_host")}
    front = servers.Nginx(nginx, test.scratch, test.author, folder / "server.key", certificates)
    time.sleep(1)
    assert front.process.poll() is None, "nginx has ended"
    return front, folder / "ca.pem"


def tls(test, _):
    """Certificates decide: the chain works, or stops at once, for nothing."""
    front, ca = tls_front(test)
    trusted = {"SSL_CERT_FILE": str(ca)}
    results = []
    try:
        for model in (ANTHROPIC, GEMINI, OPENAI):
            test.succeeds(model, f"https://localhost:{front.ports['good']}", variables=trusted)
        results.append("trusted: 3 formats ok")
        for name, port, variables in (
            ("untrusted", "good", {}),
            ("expired", "expired", trusted),
            ("wrong host", "other_host", trusted),
        ):
            started = time.monotonic()
            amplify, _ = test.chain(GEMINI, f"https://localhost:{front.ports[port]}", ["--max-cost", "3"], variables)
            seconds = time.monotonic() - started
            assert amplify.returncode == 2, f"{name}: {amplify.returncode} {amplify.stderr}"
            assert "SSL_CERT_FILE" in amplify.stderr and "may cost" not in amplify.stderr, amplify.stderr
            assert seconds < 10, f"{name}: {seconds} s"
            results.append(f"{name}: stops in {seconds:.1f} s, not charged")
    finally:
        front.stop()
    return "; ".join(results)


def proxy(test, _):
    """The chain works through an HTTP proxy, to a server with TLS."""
    front, ca = tls_front(test)
    connect = servers.ConnectProxy()
    try:
        variables = {"SSL_CERT_FILE": str(ca), "HTTPS_PROXY": connect.url}
        test.succeeds(ANTHROPIC, f"https://localhost:{front.ports['good']}", variables=variables)
        assert connect.connections > 0, "the proxy was not used"
    finally:
        front.stop()
    return f"{connect.connections} connections through the proxy"


def say(text):
    print(f"test-providers: {text}", file=sys.stderr, flush=True)


sys.exit(main(*sys.argv[1:]))
