// A picture of 28×28 pixels; a tap tells the server which one it was.
export default function ({ data, parentElement, setTriggerValue }) {
  const picture = parentElement.querySelector("img");
  Object.assign(picture, { src: data.uri, alt: data.caption });
  picture.onclick = ({ clientX, clientY }) => {
    const box = picture.getBoundingClientRect();
    const at = (share) => Math.max(0, Math.min(27, Math.floor(28 * share)));
    setTriggerValue("tapped", 28 * at((clientY - box.top) / box.height) + at((clientX - box.left) / box.width));
  };
}
