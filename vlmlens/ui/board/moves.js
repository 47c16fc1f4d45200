// What can be done to a scene, with no state. Things are a list of { cell, color, shape, size, dx, dy }; none is changed
// in place, so that a list that was is a step to go back to.

function thingAt(things, cell) {
  return things.find((thing) => thing.cell === cell) ?? null;
}

// A thing that stands where it goes takes its place.
function moved(things, from, to) {
  return things.map((thing) => (thing.cell === from ? { ...thing, cell: to } : thing.cell === to ? { ...thing, cell: from } : thing));
}

function without(things, cell) {
  return things.filter((thing) => thing.cell !== cell);
}

// The thing there with another look, or a new one where there is none and room for one more.
function dressed(things, cell, look, most) {
  if (thingAt(things, cell)) return things.map((thing) => (thing.cell === cell ? { ...thing, ...look } : thing));
  return things.length < most ? [...things, { cell, ...look, dx: 0, dy: 0 }] : things;
}

function lookOf({ color, shape, size }) {
  return { color, shape, size };
}

function inWords({ color, shape, size }) {
  return `${size} ${color} ${shape}`;
}
