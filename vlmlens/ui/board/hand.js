// What the hand does on the board: pointer and keys. Each changes `lens` and asks for a repaint.

const SLIP = 5; // pixels that a click may move

// Every change passes here: it is remembered, and told to Python.
function change(lens, things) {
  if (JSON.stringify(things) === JSON.stringify(lens.things)) return;
  lens.past.push(lens.things);
  lens.future = [];
  put(lens, things);
}

function put(lens, things) {
  lens.things = things;
  lens.send("scene", { version: lens.data.version, things });
}

function step(lens, from, to) {
  if (!from.length) return;
  to.push(lens.things);
  put(lens, from.pop());
}

const undo = (lens) => step(lens, lens.past, lens.future);
const redo = (lens) => step(lens, lens.future, lens.past);

function select(lens, cell) {
  lens.cell = cell;
  const thing = thingAt(lens.things, cell);
  if (thing) lens.look = lookOf(thing); // the next one added looks like it
}

// A kind puts a thing on an empty cell; a colour or a size only says how the next one will look.
function choose(lens, name, value) {
  lens.look = { ...lens.look, [name]: value };
  if (name === "shape" || thingAt(lens.things, lens.cell)) change(lens, dressed(lens.things, lens.cell, lens.look, lens.data.look.most));
}

function remove(lens, cell) {
  change(lens, without(lens.things, cell));
}

// The cell under a point of the page; null beside the board.
function cellUnder({ el, data }, { clientX, clientY }) {
  const frame = el.cells.getBoundingClientRect();
  const { side } = data.look;
  const [x, y] = [((clientX - frame.left) / frame.width) * side, ((clientY - frame.top) / frame.height) * side].map(Math.floor);
  return x >= 0 && y >= 0 && x < side && y < side ? y * side + x : null;
}

function lift(lens, event) {
  const cell = event.target.closest(".cell")?.dataset.cell;
  const shape = event.target.closest(".choice[data-shape]:enabled")?.dataset.shape;
  const from = cell === undefined ? null : Number(cell);
  const thing = from === null ? shape && { ...lens.look, shape } : thingAt(lens.things, from);
  return { from, thing: thing || null, start: [event.clientX, event.clientY], dragging: false, to: null, x: 0, y: 0 };
}

function drop(lens) {
  const { from, to, thing } = lens.drag;
  if (from !== null && to === null) remove(lens, from);
  else if (from !== null) change(lens, moved(lens.things, from, to));
  else if (to !== null) change(lens, dressed(lens.things, to, lookOf(thing), lens.data.look.most));
  if (to !== null) select(lens, to);
}

function listenToPointer(lens, on) {
  const { root } = lens;
  on(root, "pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    const drag = lift(lens, event);
    if (drag.from === null && !drag.thing) return;
    lens.drag = drag;
    if (drag.from === null) return;
    select(lens, drag.from);
    root.setPointerCapture(event.pointerId); // a fast hand is off the board at its first move
  });
  on(root, "pointermove", (event) => {
    const { drag } = lens;
    if (!drag?.thing || !event.isPrimary) return;
    const far = Math.hypot(event.clientX - drag.start[0], event.clientY - drag.start[1]) > SLIP;
    if (far && !drag.dragging) {
      drag.dragging = true;
      root.setPointerCapture(event.pointerId); // not before: the click on a button of the palette would miss it
    }
    const frame = root.getBoundingClientRect();
    Object.assign(drag, { x: event.clientX - frame.left, y: event.clientY - frame.top, to: cellUnder(lens, event) });
  });
  on(root, "pointerup", (event) => {
    if (!lens.drag || !event.isPrimary) return;
    if (lens.drag.dragging) drop(lens);
    lens.drag = null;
  });
  on(root, "pointercancel", () => (lens.drag = null));
}

function listenToControls(lens, on) {
  const { el } = lens;
  on(el.palette, "click", (event) => {
    const choice = event.target.closest(".choice");
    if (!choice) return;
    for (const name of ["shape", "color", "size"]) if (choice.dataset[name]) choose(lens, name, choice.dataset[name]);
  });
  on(el.undo, "click", () => undo(lens));
  on(el.redo, "click", () => redo(lens));
  on(el.remove, "click", () => remove(lens, lens.cell));
  on(el.ask, "click", () => (lens.help = !lens.help));
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function walk(lens, [dx, dy], carry) {
  const { side } = lens.data.look;
  const [x, y] = [(lens.cell % side) + dx, Math.floor(lens.cell / side) + dy];
  if (x < 0 || y < 0 || x >= side || y >= side) return;
  const to = y * side + x;
  if (carry && thingAt(lens.things, lens.cell)) change(lens, moved(lens.things, lens.cell, to));
  select(lens, to);
  lens.el.cells.children[to].focus();
}

// Through the palette as through one row.
function walkPalette(lens, [dx, dy]) {
  const choices = [...lens.el.palette.querySelectorAll(".choice:enabled")];
  const at = choices.indexOf(lens.root.getRootNode().activeElement);
  choices[Math.max(0, Math.min(choices.length - 1, at + dx + dy))].focus();
}

function openPalette(lens) {
  paint(lens); // what is pressed and enabled there belongs to the cell of a frame ago
  const first = ['.shapes .choice[aria-pressed="true"]', ".choice:enabled"].map((name) => lens.el.palette.querySelector(name));
  first.find((choice) => choice !== null).focus();
}

function press(lens, event) {
  const onBoard = event.target.closest(".cell") !== null, onPalette = event.target.closest(".palette") !== null;
  const arrow = ARROWS[event.key];
  const letter = event.key.toLowerCase();
  if ((event.ctrlKey || event.metaKey) && (letter === "z" || letter === "y")) (letter === "y" || event.shiftKey ? redo : undo)(lens);
  else if (event.ctrlKey || event.metaKey || event.altKey) return false;
  else if (arrow && onBoard) walk(lens, arrow, event.shiftKey);
  else if (arrow && onPalette) walkPalette(lens, arrow);
  else if ((event.key === "Enter" || event.key === " ") && onBoard) openPalette(lens);
  else if ((event.key === "Delete" || event.key === "Backspace") && (onBoard || onPalette)) remove(lens, lens.cell);
  else if (event.key === "?") lens.help = !lens.help;
  else if (event.key === "Escape") {
    lens.help = false;
    lens.drag = null;
    if (onPalette) lens.el.cells.children[lens.cell].focus();
  } else return false;
  return true;
}

function listenToKeys(lens, on) {
  on(lens.root, "keydown", (event) => {
    if (!press(lens, event)) return;
    event.preventDefault();
    event.stopPropagation(); // Streamlit has single-letter shortcuts of its own
  });
  on(lens.el.cells, "focusin", (event) => {
    if (!lens.drag) select(lens, Number(event.target.dataset.cell));
  });
}
