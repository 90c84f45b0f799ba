"use strict";
// The table of tasks, the task that is open, and the decisions. All texts enter the page as text, except the details
// of a task, which stage-report has escaped.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const PAGE_SIZE = 100;
const DIFFICULTIES = ["easy", "medium", "hard", "very_hard"];
const STEPS = ["planned", "written", "valid", "probed", "run live", "shown passable"];
const STORE = "stage-report:" + data.id;

const view = { sort: "p", down: false, page: 0, rows: [], open: -1 };
const decisions = load();

data.tasks.forEach((task, number) => {
  task.number = number;
  task.key = data.envs[task.e] + "/" + task.t;
  task.text = (task.key + " " + task.i + " " + task.o + " " + task.a).toLowerCase();
});

// Decisions ----------------------------------------------------------------------------------------------------------

function load() {
  try {
    return new Map(Object.entries(JSON.parse(localStorage.getItem(STORE)) || {}));
  } catch {
    return new Map();
  }
}

function save() {
  try {
    localStorage.setItem(STORE, JSON.stringify(Object.fromEntries(decisions)));
  } catch {
    $("decided").textContent = "This browser keeps no decisions: download them before you close the page.";
  }
}

function decide(number, change) {
  const key = data.tasks[number].key;
  const decision = { choice: "", comment: "", ...decisions.get(key), ...change };
  if (decision.choice || decision.comment) decisions.set(key, decision);
  else decisions.delete(key);
  save();
  showDecisions();
  const cell = document.querySelector(`tr[data-number="${number}"] .decision`);
  if (cell) fillDecision(cell, decision);
  if (view.open === number) showDecision();
}

function toggle(number, choice) {
  const decision = decisions.get(data.tasks[number].key);
  decide(number, { choice: decision && decision.choice === choice ? "" : choice });
}

function choiceOf(task) {
  const decision = decisions.get(task.key);
  return decision ? decision.choice || "comment" : "";
}

function showDecisions() {
  const count = { accept: 0, reject: 0, comment: 0 };
  for (const task of data.tasks) if (choiceOf(task)) count[choiceOf(task)] += 1;
  $("decided").textContent = `${count.accept} accepted, ${count.reject} rejected, ${count.comment} commented`;
  $("download").disabled = decisions.size === 0;
}

// One record a line, as `stage-extract --quarantine` and the repair pass read them.
function download() {
  const lines = data.tasks.filter((task) => decisions.has(task.key)).map((task) => {
    const { comment } = decisions.get(task.key);
    const record = { record: "decision", env: data.envs[task.e], task: task.t, choice: choiceOf(task) };
    return JSON.stringify(comment ? { ...record, comment } : record) + "\n";
  });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(lines, { type: "application/jsonl" }));
  link.download = "decisions.jsonl";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// The table ----------------------------------------------------------------------------------------------------------

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// Untrusted text, kept apart from the direction of the text around it.
function isolated(className, text) {
  return element("bdi", className, visible(text));
}

// As `visible` in stage-report: what is invisible or changes direction is written out.
function visible(text) {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
}

const KEYS = {
  t: (task) => task.t,
  e: (task) => data.envs[task.e],
  l: (task) => [...task.l].filter((step) => step === "y").length - (task.b ? 10 : 0),
  d: (task) => DIFFICULTIES.indexOf(task.d),
};

function compare(a, b) {
  const key = KEYS[view.sort] || ((task) => task[view.sort]);
  const [left, right] = [key(a), key(b)];
  if (left === right) return a.number - b.number;
  if (left === null) return 1;
  if (right === null) return -1;
  return (left < right ? -1 : 1) * (view.down ? -1 : 1);
}

function refresh() {
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const [env, state, code] = [$("by-env").value, $("by-state").value, $("by-code").value];
  const [difficulty, decision] = [$("by-difficulty").value, $("by-decision").value];
  view.rows = data.tasks.filter((task) =>
    (env === "" || task.e === Number(env)) &&
    (code === "" || task.k.includes(Number(code))) &&
    (difficulty === "" || task.d === difficulty) &&
    (state === "" || (state === "bad" && task.b) || (state === "good" && !task.b) ||
      (state === "unproven" && task.l[5] !== "y")) &&
    (decision === "" || (choiceOf(task) || "none") === decision) &&
    words.every((word) => task.text.includes(word)));
  view.rows.sort(compare);
  view.page = 0;
  draw();
}

function draw() {
  const pages = Math.max(1, Math.ceil(view.rows.length / PAGE_SIZE));
  view.page = Math.min(Math.max(view.page, 0), pages - 1);
  const shown = view.rows.slice(view.page * PAGE_SIZE, (view.page + 1) * PAGE_SIZE);
  $("rows").replaceChildren(...shown.map(row));
  $("shown").textContent = `${view.rows.length} of ${data.tasks.length} tasks`;
  $("page").textContent = `page ${view.page + 1} of ${pages}`;
  $("previous").disabled = view.page === 0;
  $("next").disabled = view.page === pages - 1;
  for (const pager of document.querySelectorAll(".pages")) pager.hidden = pages === 1;
  for (const button of document.querySelectorAll("[data-sort]")) {
    const order = view.down ? "descending" : "ascending";
    button.parentElement.ariaSort = button.dataset.sort === view.sort ? order : "none";
  }
}

function row(task) {
  const made = element("tr");
  made.dataset.number = task.number;
  const name = element("th");
  name.scope = "row";
  const button = element("button", task.b ? "name bad" : "name");
  button.type = "button";
  button.dataset.open = task.number;
  button.append(isolated("", task.t));
  name.append(button);
  if (task.i) name.append(isolated("title", task.i));
  const decision = element("td", "decision");
  fillDecision(decision, decisions.get(task.key));
  const numbers = [
    task.x || "", task.w || "", task.d.replaceAll("_", " "),
    percent(task.m), task.r ?? "", percent(task.n), task.c === null ? "" : "$" + task.c.toFixed(3),
  ];
  const cells = numbers.map((text, place) => element("td", place === 2 ? "" : "num", visible(String(text))));
  const env = element("td", "env");
  env.hidden = data.envs.length < 2;
  env.append(isolated("", data.envs[task.e]));
  made.append(name, env, ladder(task), ...cells, decision);
  return made;
}

function percent(share) {
  return share === null ? "" : Math.round(share * 100) + " %";
}

function ladder(task) {
  const cell = element("td", "ladder");
  const marks = element("span");
  marks.role = "img";
  const words = { y: "passed", n: "failed", "-": "no record" };
  marks.ariaLabel = STEPS.map((step, place) => `${step}: ${words[task.l[place]]}`).join(", ");
  marks.title = marks.ariaLabel;
  for (const step of task.l) marks.append(element("span", step === "-" ? "u" : step, { y: "●", n: "✗", "-": "·" }[step]));
  cell.append(marks);
  return cell;
}

function fillDecision(cell, decision) {
  cell.replaceChildren();
  if (!decision || !(decision.choice || decision.comment)) return;
  const choice = decision.choice || "comment";
  cell.append(element("span", choice, choice));
  if (decision.comment) cell.append(isolated("title", decision.comment));
}

// The open task ------------------------------------------------------------------------------------------------------

function open(number) {
  const details = document.querySelector(`script[data-task="${number}"]`);
  if (!details) return;
  const template = document.createElement("template");
  template.innerHTML = details.textContent;
  $("body").replaceChildren(template.content);
  view.open = number;
  if (!$("task").open) $("task").showModal();
  $("task").scrollTop = 0;
  $("task-title").focus();
  showDecision();
  const place = view.rows.indexOf(data.tasks[number]);
  $("before").disabled = place <= 0;
  $("after").disabled = place < 0 || place === view.rows.length - 1;
}

function step(by) {
  const next = view.rows[view.rows.indexOf(data.tasks[view.open]) + by];
  if (next) open(next.number);
}

function showDecision() {
  const decision = decisions.get(data.tasks[view.open].key) || { choice: "", comment: "" };
  $("accept").ariaPressed = String(decision.choice === "accept");
  $("reject").ariaPressed = String(decision.choice === "reject");
  if ($("comment") !== document.activeElement) $("comment").value = decision.comment;
}

$("task").addEventListener("close", () => {
  const number = view.open;
  view.open = -1;
  const button = document.querySelector(`#rows button[data-open="${number}"]`);
  if (button) button.focus();
});

// Events -------------------------------------------------------------------------------------------------------------

// Chooses a value of a filter, and shows the table.
function filter(id, text) {
  for (const option of $(id).options) if (option.dataset.name === text) $(id).value = option.value;
  refresh();
  $("tasks").scrollIntoView();
  $("tasks").focus();
}

function sort(column) {
  view.down = view.sort === column ? !view.down : !["t", "e", "d", "m"].includes(column);
  view.sort = column;
  refresh();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.open !== undefined) open(Number(button.dataset.open));
  if (button.dataset.code !== undefined) filter("by-code", button.dataset.code);
  if (button.dataset.env !== undefined) filter("by-env", button.dataset.env);
  if (button.dataset.sort !== undefined) sort(button.dataset.sort);
});

for (const id of ["by-env", "by-state", "by-code", "by-difficulty", "by-decision"]) $(id).addEventListener("change", refresh);
$("search").addEventListener("input", refresh);
$("previous").addEventListener("click", () => { view.page -= 1; draw(); });
$("next").addEventListener("click", () => { view.page += 1; draw(); });
$("download").addEventListener("click", download);
$("close").addEventListener("click", () => $("task").close());
$("before").addEventListener("click", () => step(-1));
$("after").addEventListener("click", () => step(1));
$("accept").addEventListener("click", () => toggle(view.open, "accept"));
$("reject").addEventListener("click", () => toggle(view.open, "reject"));
$("comment").addEventListener("input", () => decide(view.open, { comment: $("comment").value.trim() }));
$("reset").addEventListener("click", () => {
  for (const field of document.querySelectorAll(".tools input, .tools select")) field.value = "";
  view.sort = "p";
  view.down = false;
  refresh();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const field = event.target.closest("input, select, textarea");
  if (field) {
    if (event.key === "Enter" && field.id === "comment") $("task-title").focus();
    return;
  }
  if (view.open < 0) listKey(event);
  else taskKey(event);
});

function listKey(event) {
  const rows = [...$("rows").rows];
  const place = rows.findIndex((each) => each.contains(document.activeElement));
  const number = place < 0 ? -1 : Number(rows[place].dataset.number);
  const move = { j: 1, k: -1 }[event.key];
  if (move !== undefined && rows.length > 0) {
    rows[Math.min(Math.max(place + move, 0), rows.length - 1)].querySelector("button").focus();
  } else if (event.key === "/") {
    $("search").focus();
    $("search").select();
  } else if (number >= 0 && event.key === "c") {
    open(number);
    $("comment").focus();
  } else if (number < 0 || !decisionKey(event.key, number)) {
    return;
  }
  event.preventDefault();
}

function taskKey(event) {
  const move = { j: 1, k: -1 }[event.key];
  if (move !== undefined) step(move);
  else if (event.key === "c") $("comment").focus();
  else if (!decisionKey(event.key, view.open)) return;
  event.preventDefault();
}

function decisionKey(key, number) {
  if (key === "a") toggle(number, "accept");
  else if (key === "r") toggle(number, "reject");
  else if (key === "u") decide(number, { choice: "", comment: "" });
  else return false;
  return true;
}

// The filters' values, and the first table ---------------------------------------------------------------------------

function addOptions(id, names, valueOf) {
  names.forEach((name, place) => {
    const option = element("option", "", visible(name.replaceAll("_", " ")));
    option.value = valueOf(name, place);
    option.dataset.name = name;
    $(id).append(option);
  });
}

addOptions("by-env", data.envs, (_, place) => place);
addOptions("by-code", data.codes, (_, place) => place);
addOptions("by-difficulty", [...new Set(data.tasks.map((task) => task.d).filter(Boolean))].sort(), (name) => name);
for (const cell of document.querySelectorAll("#list .env")) cell.hidden = data.envs.length < 2;
$("by-env").parentElement.hidden = data.envs.length < 2;
showDecisions();
refresh();
