// Small pictures as buttons; a click tells the server which one it was.
export default function ({ data, parentElement, setTriggerValue }) {
  const entries = data.map(({ key, uri, reading, caption }) => {
    const entry = document.createElement("button");
    const picture = document.createElement("img");
    Object.assign(entry, { type: "button", title: caption, onclick: () => setTriggerValue("chosen", key) });
    Object.assign(picture, { src: uri, alt: caption, className: "pixels" });
    entry.append(picture, reading);
    return entry;
  });
  parentElement.querySelector(".gallery").replaceChildren(...entries);
}
