// What every component draws with.

const VERMILION = "#D55E00";

function element(tag, className, text = "") {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

async function decode(bytes) {
  if (!bytes) return null;
  try {
    return await createImageBitmap(new Blob([bytes]));
  } catch {
    return null; // whatever is drawn over it can still be read
  }
}

function strokePath(context, path, colour, width, dash = []) {
  context.setLineDash(dash);
  context.lineWidth = width;
  context.lineCap = dash.length ? "butt" : "square";
  context.strokeStyle = colour;
  context.stroke(path);
  context.setLineDash([]);
}
