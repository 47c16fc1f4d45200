// How a component lives: its script defines create(root), update(lens, data) and repaint(lens).

const lenses = new WeakMap(); // root element -> lens; its state lives as long as the element, whatever reruns

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
