// The component: rows with their controls. What they say goes to Python whole, so that nothing told twice is lost.

const PAUSE = 120; // ms between two values of a slider that is being dragged

const lists = new WeakMap(); // root element -> list

function fieldOf(field, id) {
  const shell = element("div", ["range", "text", "choice"].includes(field.kind) ? "field wide" : "field");
  const label = element("label", "", field.label);
  label.htmlFor = id;
  const input = document.createElement(field.kind === "choice" ? "select" : "input");
  input.id = id;
  input.dataset.name = field.name;
  if (field.kind === "choice") {
    for (const [value, text] of field.choices) input.append(new Option(text, value));
  } else {
    input.type = { range: "range", whole: "number", number: "number", color: "color", text: "text" }[field.kind];
    if (field.kind === "text") input.maxLength = 2000;
    if (["range", "whole", "number"].includes(field.kind)) {
      Object.assign(input, { min: field.low, max: field.high, step: { range: 0.05, whole: 1, number: "any" }[field.kind] });
    }
  }
  input.value = field.value;
  shell.append(label, input);
  if (field.kind === "range") {
    shell.classList.add("row");
    shell.append(element("output", ""));
    show(input);
  }
  return shell;
}

function show(input) {
  const share = (input.value - input.min) / (input.max - input.min || 1);
  input.style.setProperty("--at", `${100 * share}%`);
  input.nextElementSibling.textContent = Number(input.value).toFixed(2);
}

function rowOf(row) {
  const step = element("li", "step");
  Object.assign(step.dataset, { row: row.number, group: row.group });
  const head = element("div", "head");
  const grip = element("button", "grip", "⋮⋮");
  grip.type = "button";
  grip.setAttribute("aria-label", `${row.label}: drag to another place, or move with the arrow keys`);
  const title = element("span", "title", row.label);
  title.title = row.help;
  if (row.told) title.append(element("small", "", row.told));
  const remove = element("button", "remove", "✕");
  remove.type = "button";
  remove.setAttribute("aria-label", `Remove: ${row.label}`);
  head.append(grip, title, remove);
  step.append(head);
  if (row.fields.length) {
    const fields = element("div", "fields");
    row.fields.forEach((field, at) => fields.append(fieldOf(field, `field-${row.number}-${at}`)));
    step.append(fields);
  }
  return step;
}

function valueOf(input) {
  return ["range", "number"].includes(input.type) ? Number(input.value) : input.value;
}

function create(root) {
  const list = { root, rows: root.querySelector(".list"), version: null, timer: null, stop: new AbortController() };
  const { signal } = list.stop;

  const tell = (settled) => {
    clearTimeout(list.timer);
    list.timer = null;
    const rows = [...list.rows.children].map((step) => ({
      row: Number(step.dataset.row),
      values: Object.fromEntries([...step.querySelectorAll("[data-name]")].map((input) => [input.dataset.name, valueOf(input)])),
    }));
    list.send("told", { version: list.version, rows, settled });
  };

  listenToGrips(list.rows, () => tell(true), signal);
  list.rows.addEventListener("input", (event) => {
    if (event.target.type !== "range") return;
    show(event.target);
    list.timer ??= setTimeout(() => tell(false), PAUSE);
  }, { signal });
  list.rows.addEventListener("change", () => tell(true), { signal });
  list.rows.addEventListener("click", (event) => {
    const step = event.target.closest(".remove")?.closest(".step");
    if (!step) return;
    const next = (step.nextElementSibling ?? step.previousElementSibling)?.querySelector(".grip");
    step.remove();
    next?.focus();
    root.querySelector("[role=status]").textContent = "Removed";
    tell(true);
  }, { signal });
  return list;
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".lens");
  const list = lists.get(root) ?? create(root);
  lists.set(root, list);
  list.send = setStateValue;
  if (list.version !== data.version) {
    clearTimeout(list.timer);
    list.timer = null;
    list.version = data.version;
    list.rows.replaceChildren(...data.rows.map(rowOf));
  }
  return () => {
    list.stop.abort();
    clearTimeout(list.timer);
    lists.delete(root);
  };
}
