// Tells the server of a stroke while it is being drawn, and the canvas which of its reports have been answered.
export default function ({ data, parentElement, setStateValue }) {
  parentElement.classList.add("answered");
  parentElement.dataset.answer = data.report;
  const tell = ({ detail }) => setStateValue("drawing", detail);
  document.addEventListener("digits-stroke", tell);
  return () => document.removeEventListener("digits-stroke", tell);
}
