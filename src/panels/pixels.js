// A picture of 28×28 pixels to draw on. The server gets the points of each stroke; a tap is a very short one.
const SIDE = 280;
// Outside the function, because an answer may come in the middle of the next stroke.
let points = null;

export default function ({ data, parentElement, setTriggerValue }) {
  const picture = parentElement.querySelector("img");
  const preview = parentElement.querySelector("polyline");
  Object.assign(picture, { src: data.uri, alt: data.caption });
  preview.setAttribute("points", points ?? "");
  const follow = ({ clientX, clientY }) => {
    const box = picture.getBoundingClientRect();
    points.push(Math.round((SIDE * (clientX - box.left)) / box.width));
    points.push(Math.round((SIDE * (clientY - box.top)) / box.height));
    preview.setAttribute("points", points);
  };
  picture.onpointerdown = (event) => {
    if (event.button !== 0 || points) return;
    picture.setPointerCapture(event.pointerId);
    points = [];
    follow(event);
  };
  picture.onpointermove = (event) => points && follow(event);
  picture.onpointerup = picture.onpointercancel = () => {
    if (points) setTriggerValue("drawn", points);
    points = null;
  };
}
