// Opens reports in Chromium as a person does: sorts, filters, opens tasks, decides with keys, downloads the decisions
// and gives them to stage-extract. `make test-browser` runs it.
//
//   node run.mjs PACKAGES BIN [VERDICTS WORKSPACE]
//
// PACKAGES is a folder with the packages of package.json, BIN the folder of the programs, CHROMIUM the browser. With
// the VERDICTS of a corpus in WORKSPACE, the page of the corpus is measured, too. SHOTS is a folder for screenshots.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const [packages, bin, verdicts, corpus] = process.argv.slice(2).map((path) => resolve(path));
const require = createRequire(join(packages, "package.json"));
const { chromium } = require("playwright-core");
const { HtmlValidate } = require("html-validate");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const ENV = "demo_env";
const TASKS = 130;
const HOSTILE = `</script><script>window.ran = 1</script><img src=x onerror="window.ran = 1"><a href="javascript:window.ran=1">` +
  `x</a>&amp;&#60;script&#62;\u202etxt.exe\u2066\u200b\u001b[2J${"w".repeat(300)}`;

const root = mkdtempSync(join(tmpdir(), "stage-report-"));
const run = join(root, "task_generation_runs", ENV);
let failed = 0;

function write(path, text) {
  mkdirSync(resolve(path, ".."), { recursive: true });
  writeFileSync(path, text);
}

function lines(records) {
  return records.map((record) => JSON.stringify(record) + "\n").join("");
}

// A run with good and bad tasks, whose texts are hostile.
function makeRun() {
  const env = join(root, "benchmarks/cua_world/environments", ENV);
  write(join(env, "env.json"), JSON.stringify({ id: `${ENV}@1` }));
  const [plan, verdictRecords, probes, trials, answers] = [[], [], [], [], []];
  for (let index = 1; index <= TASKS; index += 1) {
    const task = `task_${String(index).padStart(3, "0")}`;
    const dir = `benchmarks/cua_world/environments/${ENV}/tasks/${task}`;
    const bad = index % 10 === 0;
    const text = index % 7 === 0 ? HOSTILE : `Text of ${task}`;
    const difficulty = ["medium", "hard", "very_hard"][index % 3];
    const shared = "Enter the invoice of the school district with all of its lines and post it to the account";
    write(join(root, dir, "task.json"), JSON.stringify({ id: `${task}@1`, description: shared + " " + text, difficulty }));
    write(join(root, dir, "README.md"), `# ${text}\n\n<script>window.ran = 1</script>\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n[x](javascript:window.ran=1)\n`);
    write(join(root, dir, "verifier.py"), `def verify():\n    return '''${text}'''\n`);
    if (index === 7) write(join(root, dir, "<img src=x onerror=window.ran=1>.sh"), `echo '${text}'\n`);
    plan.push({ record: "plan", env: ENV, task, index, title: text, activity: text, occupation: `Clerks ${index % 5}`,
      features: [`feature ${index % 4}`], archetype: `kind_${index % 3}`, difficulty });
    const error = { code: index % 20 === 0 ? "parse_error" : "stub_verifier", severity: "error", message: `line 2: ${text}`,
      path: `${dir}/verifier.py` };
    const warning = { code: "weak", severity: "warning", message: text };
    verdictRecords.push({ record: "verdict", env: ENV, task, kind: "task", dir, path: dir, ok: !bad,
      issues: bad ? [error] : index % 4 === 0 ? [warning] : [] });
    probes.push({ record: "probe", env: ENV, task, dir, ok: true, mutation: { mutants: 10, caught: index % 11, missed: [text] },
      states: [{ state: "golden", expected: "pass", outcome: "pass", score: 100, detail: text }] });
    trials.push({ record: "trial", env: ENV, task, dir, ok: index % 9 !== 0, issues: [], episodes: [
      { name: "solution", verdict: { outcome: "pass", score: 100, detail: text }, seconds: 5, differences: [text] }] });
    answers.push({ label: `files/${task}`, model: "claude-opus-4-5", text: "", seconds: 9, cost: 0.022,
      usage: { uncached_input: 1000, cache_read: 9000, output_visible: 500 } });
  }
  write(join(run, "plan.jsonl"), lines(plan));
  write(join(run, "files.jsonl"), "");
  write(join(run, "tasks.jsonl"), "");
  write(join(run, "verdicts.jsonl"), lines(verdictRecords) + "{torn");
  write(join(run, "probes.jsonl"), lines(probes));
  write(join(run, "trials.jsonl"), lines(trials));
  write(join(run, "answers.jsonl"), lines(answers));
  write(join(run, "run.json"), JSON.stringify({ amplify: { asked: { software: HOSTILE.slice(0, 60), count: TASKS, model: "m" } } }));
  for (const number of [1, 2]) {
    write(join(run, `repairs/task_070/${number}.jsonl`), lines([{ record: "files", env: ENV, task: "task_070", index: 70,
      files: { "verifier.py": `# ${number}\n${HOSTILE}\n` }, problems: [{ code: "changed_by_repair", message: HOSTILE }] }]));
  }
  const dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  mkdirSync(join(run, "trials/task_010"), { recursive: true });
  writeFileSync(join(run, "trials/task_010/after.png"), Buffer.from(dot, "base64"));
}

function report(...args) {
  execFileSync(join(bin, "stage-report"), ["--workspace", root, "--quiet", ...args], { stdio: ["ignore", "inherit", "ignore"] });
}

async function test(name, body) {
  try {
    await body();
    console.log(`ok   ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}\n${error.stack}`);
  }
}

// A page that notes everything that it must not do.
async function open(browser, path, options = {}) {
  const context = await browser.newContext({ acceptDownloads: true, viewport: { width: 1440, height: 1000 }, ...options });
  const page = await context.newPage();
  page.wrong = [];
  page.on("console", (message) => page.wrong.push(message.text()));
  page.on("pageerror", (error) => page.wrong.push(String(error)));
  page.on("dialog", (dialog) => { page.wrong.push("a dialog"); dialog.dismiss(); });
  page.on("request", (request) => { if (!/^(file|blob|data):/.test(request.url())) page.wrong.push(request.url()); });
  const start = Date.now();
  await page.goto("file://" + path);
  await page.waitForSelector("#rows tr");
  page.milliseconds = Date.now() - start;
  return page;
}

async function nothingRan(page) {
  assert.equal(await page.evaluate(() => window.ran), undefined, "hostile text ran");
  assert.deepEqual(page.wrong, []);
}

const names = (page) => page.$$eval("#rows button.name", (found) => found.map((each) => each.textContent));

async function accessible(page, what) {
  // The page's own policy forbids the script of the checker: it goes through the debugger.
  await page.evaluate(AXE);
  const { violations, passes } = await page.evaluate(() => window.axe.run());
  assert.ok(passes.length > 10, "the checker has checked little");
  const serious = violations.filter((each) => ["serious", "critical"].includes(each.impact));
  assert.deepEqual(serious.map((each) => `${each.id}: ${each.nodes[0].html.slice(0, 200)}`), [], what);
}

async function shoot(page, name) {
  if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, `${name}.png`) });
}

async function main(browser) {
  makeRun();
  report("--run-dir", run);
  const file = join(run, "report.html");

  await test("tasks are sorted, filtered, searched and paged", async () => {
    const page = await open(browser, file);
    assert.equal(await page.textContent("#shown"), `${TASKS} of ${TASKS} tasks`);
    assert.equal((await names(page)).length, 100);
    assert.match((await names(page))[0], /0$/, "the worst come first");
    await page.click("#next");
    assert.equal((await names(page)).length, TASKS - 100);
    await page.click("[data-sort=t]");
    assert.equal((await names(page))[0], "task_001");
    assert.equal(await page.getAttribute("th:has([data-sort=t])", "aria-sort"), "ascending");
    await page.click("[data-sort=t]");
    assert.equal((await names(page))[0], `task_${TASKS}`);
    await page.selectOption("#by-state", "bad");
    await page.selectOption("#by-code", { label: "parse error" });
    assert.deepEqual((await names(page)).reverse(), ["task_020", "task_040", "task_060", "task_080", "task_100", "task_120"]);
    await page.fill("#search", "task_04 clerks");
    assert.deepEqual(await names(page), ["task_040"]);
    await page.click("#reset");
    await page.click(".errors button[data-code=stub_verifier]");
    assert.equal((await names(page)).length, 7);
    await nothingRan(page);
  });

  await test("a task opens to its records and files", async () => {
    const page = await open(browser, file);
    await page.fill("#search", "task_010");
    await page.click("#rows button.name");
    const text = await page.textContent("#body");
    for (const part of ["planned: passed", "stub verifier", "10 of 10 caught", "def", "Clerks"]) {
      assert.ok(text.includes(part), part);
    }
    assert.equal(await page.$eval("#body img", (image) => image.naturalWidth), 1);
    assert.match(await page.textContent("#body .noted + .at"), /stub_verifier: line 2/);
    await page.keyboard.press("Escape");
    assert.equal(await page.$eval("#task", (dialog) => dialog.open), false);
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "task_010");
    await nothingRan(page);
  });

  await test("decisions by keys are kept, downloaded and read by stage-extract", async () => {
    const page = await open(browser, file);
    await page.click("[data-sort=t]");
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    await page.keyboard.press("a");
    await page.keyboard.press("j");
    await page.keyboard.press("r");
    await page.keyboard.press("Enter");
    await page.keyboard.press("j");
    await page.keyboard.press("c");
    await page.keyboard.type("the date is wrong: a j r");
    await page.keyboard.press("Enter");
    await page.keyboard.press("j");
    await page.keyboard.press("a");
    await page.keyboard.press("u");
    await page.keyboard.press("Escape");
    assert.equal(await page.textContent("#decided"), "1 accepted, 1 rejected, 1 commented");
    await page.reload();
    await page.waitForSelector("#rows tr");
    assert.equal(await page.textContent("#decided"), "1 accepted, 1 rejected, 1 commented");
    await page.selectOption("#by-decision", "reject");
    assert.deepEqual(await names(page), ["task_003"]);
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
    const decisions = join(root, "decisions.jsonl");
    await download.saveAs(decisions);
    assert.equal(readFileSync(decisions, "utf8"), lines([
      { record: "decision", env: ENV, task: "task_002", choice: "accept" },
      { record: "decision", env: ENV, task: "task_003", choice: "reject" },
      { record: "decision", env: ENV, task: "task_004", choice: "comment", comment: "the date is wrong: a j r" },
    ]));
    execFileSync(join(bin, "stage-extract"), ["--workspace", root, "--env-dir", ENV, "--quarantine", "-i", decisions],
      { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
    assert.ok(!existsSync(join(root, "benchmarks/cua_world/environments", ENV, "tasks/task_003")));
    assert.ok(existsSync(join(run, "quarantine/task_003/verifier.py")));
    assert.ok(existsSync(join(root, "benchmarks/cua_world/environments", ENV, "tasks/task_002")));
    await nothingRan(page);
  });

  await test("what each repair changed is shown, and an open task is printed alone, in light colours", async () => {
    const page = await open(browser, file, { colorScheme: "dark" });
    await page.fill("#search", "task_070");
    await page.click("#rows button.name");
    const titles = await page.$$eval("#body h3 ~ h4", (all) => all.map((each) => each.textContent));
    assert.deepEqual(titles.filter((title) => /repair/i.test(title)), ["Repair 2", "Since the last repair"]);
    await page.emulateMedia({ media: "print" });
    assert.equal(await page.isVisible("main"), false);
    assert.equal(await page.isVisible("#task-title"), true);
    assert.equal(await page.isVisible("#accept"), false);
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(255, 255, 255)");
    const [shown, needed] = await page.$eval("#task", (dialog) => [dialog.clientHeight, dialog.scrollHeight]);
    assert.ok(shown >= needed, "the task is cut");
    await nothingRan(page);
  });

  for (const colorScheme of ["light", "dark"]) for (const width of [1440, 390]) {
    await test(`at ${width} pixels, ${colorScheme}, hostile text runs nothing, breaks no layout and is accessible`, async () => {
      const page = await open(browser, file, { viewport: { width, height: 900 }, colorScheme });
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, "the page scrolls sideways");
      await shoot(page, `page-${width}-${colorScheme}`);
      await accessible(page, "page");
      for (const task of ["task_007", "task_070"]) {
        await page.fill("#search", task);
        await page.click("#rows button.name");
        await page.$$eval("#body details", (all) => all.forEach((each) => { each.open = true; }));
        assert.ok((await page.$eval("#task", (dialog) => dialog.scrollWidth - dialog.clientWidth)) <= 0, "the task scrolls sideways");
        await shoot(page, `${task}-${width}-${colorScheme}`);
        await accessible(page, task);
        await page.keyboard.press("Escape");
      }
      await nothingRan(page);
    });
  }

  await test("the page and an open task are valid HTML", async () => {
    const validator = new HtmlValidate({ extends: ["html-validate:standard"],
      // Styles and scripts stand in the page, and a table that scrolls has a focus.
      rules: { "no-inline-style": "off", "long-title": "off", "no-redundant-role": "off", "prefer-native-element": "off" } });
    const page = await open(browser, file);
    await page.fill("#search", "task_070");
    await page.click("#rows button.name");
    const opened = await page.$eval("#body", (body) => body.innerHTML);
    const fragment = `<!DOCTYPE html><html lang="en"><head><title>x</title></head><body>${opened}</body></html>`;
    for (const [what, html] of [["page", readFileSync(file, "utf8")], ["task", fragment]]) {
      const { results } = await validator.validateString(html);
      const errors = results.flatMap((result) => result.messages).filter((message) => message.severity === 2);
      const told = errors.map((error) => `${error.line}:${error.column} ${error.ruleId} ${error.message}`);
      assert.deepEqual(told.slice(0, 20), [], what);
    }
  });

  await test("an empty run has a page", async () => {
    const empty = join(root, "empty");
    mkdirSync(empty);
    report("--run-dir", empty);
    const page = await browser.newPage();
    await page.goto("file://" + join(empty, "report.html"));
    assert.match(await page.textContent("main"), /verdicts\.jsonl is missing/);
    assert.equal(await page.textContent("#shown"), "0 of 0 tasks");
  });

  if (verdicts) await test("a corpus opens within 3 seconds and 30 MB", async () => {
    const path = join(root, "corpus.html");
    execFileSync(join(bin, "stage-report"), ["--workspace", corpus, "--no-files", "-o", path, verdicts], { stdio: "ignore" });
    const size = statSync(path).size;
    const page = await open(browser, path);
    console.log(`     ${await page.textContent("#shown")}, ${(size / 1e6).toFixed(1)} MB, first table after ${page.milliseconds} ms`);
    await shoot(page, "corpus");
    assert.ok(size < 30e6 && page.milliseconds < 3000);
    await nothingRan(page);
  });
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
try {
  await main(browser);
} finally {
  await browser.close();
  rmSync(root, { recursive: true });
}
process.exitCode = failed ? 1 : 0;
