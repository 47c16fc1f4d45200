// What a mark is and how it is measured, with no state. A mark is { kind, points, radius } in fractions of the picture,
// as Region is in Python; `size` is the picture's width and height in pixels.

const short = (size) => Math.min(...size);
const clamp = (v, low = 0, high = 1) => Math.max(low, Math.min(high, v));
const inside = (point) => point.map((v) => clamp(v));
const rounded = (v) => Math.round(v * 1e5) / 1e5;
const inPixels = (point, size) => point.map((v, axis) => v * size[axis]);

// Left, top, right, bottom; what the brush covers counts, not its path.
function bounds(mark, size) {
  const reach = size.map((side) => (mark.radius * short(size)) / side);
  const least = [0, 1].map((axis) => Math.min(...mark.points.map((p) => p[axis])) - reach[axis]);
  const most = [0, 1].map((axis) => Math.max(...mark.points.map((p) => p[axis])) + reach[axis]);
  return [...inside(least), ...inside(most)];
}

function middle(mark, size) {
  const [left, top, right, bottom] = bounds(mark, size);
  return [(left + right) / 2, (top + bottom) / 2];
}

function shifted(mark, dx, dy) {
  return { ...mark, points: mark.points.map(([x, y]) => [x + dx, y + dy]) };
}

// As far as that way as the picture goes.
function nudged(mark, dx, dy, size) {
  const [left, top, right, bottom] = bounds(mark, size);
  return shifted(mark, clamp(dx, -left, 1 - right), clamp(dy, -top, 1 - bottom));
}

function boxOf([x0, y0], [x1, y1]) {
  const points = [[Math.min(x0, x1), Math.min(y0, y1)], [Math.max(x0, x1), Math.max(y0, y1)]];
  return { kind: "box", points, radius: 0 };
}

// A box with every side moved outwards by some pixels; never thinner than one.
function grown(mark, pixels, size) {
  const [[l, t], [r, b]] = mark.points;
  const [dx, dy] = size.map((side) => pixels / side);
  if (r - l + 2 * dx < 1 / size[0] || b - t + 2 * dy < 1 / size[1]) return mark;
  return { ...mark, points: [inside([l - dx, t - dy]), inside([r + dx, b + dy])] };
}

function fromSegment(p, a, b) {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const along = clamp(((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / (dx * dx + dy * dy || 1));
  return Math.hypot(p[0] - a[0] - along * dx, p[1] - a[1] - along * dy);
}

// Douglas and Peucker: the fewest corners that stay within `slack` pixels of the path, so that it fits into a link.
function simplified(points, size, slack) {
  const pixels = points.map((p) => inPixels(p, size));
  const keep = new Set([0, points.length - 1]);
  const todo = [[0, points.length - 1]];
  while (todo.length) {
    const [first, last] = todo.pop();
    let far = slack, at = null;
    for (let i = first + 1; i < last; i++) {
      const distance = fromSegment(pixels[i], pixels[first], pixels[last]);
      if (distance > far) [far, at] = [distance, i];
    }
    if (at === null) continue;
    keep.add(at);
    todo.push([first, at], [at, last]);
  }
  return points.filter((_, i) => keep.has(i));
}

// The path of a brush walked back to where it is touched, to go on from there without painting anything new.
// Null if the touch is beside it.
function retraced(mark, point, size) {
  const pixels = mark.points.map((p) => inPixels(p, size));
  const at = inPixels(point, size);
  let best = mark.radius * short(size), touched = null;
  for (let i = pixels.length - 1; i >= 0; i--) {
    const distance = fromSegment(at, pixels[i], pixels[Math.min(i + 1, pixels.length - 1)]);
    if (distance < best) [best, touched] = [distance, i];
  }
  return touched === null ? null : [...mark.points, ...mark.points.slice(touched, -1).reverse()];
}

// Whether it is worth a mark, and not a slip of the hand. `scale` is pixels of the page per pixel of the picture.
function isSlip({ kind, points }, size, scale) {
  const [left, top, right, bottom] = bounds({ points, radius: 0 }, size);
  const [width, height] = inPixels([right - left, bottom - top], size).map((v) => v * scale);
  if (kind === "brush") return false;
  return kind === "box" ? width < 3 || height < 3 : points.length < 3 || width * height < 16;
}

function objectAt(objects, [x, y]) {
  const hit = objects.flatMap(({ box: [l, t, r, b] }, i) => (x >= l && x < r && y >= t && y < b ? [[(r - l) * (b - t), i]] : []));
  return hit.length ? hit.sort((a, b) => a[0] - b[0])[0][1] : null; // the smallest
}

// The mark on a canvas of this width and height: what it encloses, or for a brush the way its middle takes.
function pathOf({ kind, points }, width, height) {
  const path = new Path2D();
  const at = points.map(([x, y]) => [x * width, y * height]);
  if (kind === "box" || kind === "cells") {
    for (let i = 0; i + 1 < at.length; i += 2) path.rect(...at[i], at[i + 1][0] - at[i][0], at[i + 1][1] - at[i][1]);
    return path;
  }
  at.forEach((p, i) => (i ? path.lineTo(...p) : path.moveTo(...p)));
  if (kind === "lasso") path.closePath();
  else if (at.length === 1) path.lineTo(...at[0]); // a dot
  return path;
}
