// How a component lives: its script defines create(root), update(lens, data) and repaint(lens).

const lenses = new WeakMap(); // root element -> lens; its state lives as long as the element, whatever reruns

// Listens until the component goes; whatever a listener changed shows in the next frame, and so does a new size.
function listening(lens, root) {
  const sizes = new ResizeObserver(() => repaint(lens));
  sizes.observe(root);
  lens.stop.signal.addEventListener("abort", () => sizes.disconnect());
  return (target, type, handle) => target.addEventListener(type, (event) => {
    handle(event);
    repaint(lens);
  }, { signal: lens.stop.signal });
}

// Streamlit calls this on every rerun and change of theme, and calls what it returns when the element goes.
export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".lens");
  const lens = lenses.get(root) ?? create(root);
  lenses.set(root, lens);
  lens.send = setStateValue;
  update(lens, data);
  repaint(lens);
  return () => {
    lens.stop.abort();
    lenses.delete(root);
  };
}
