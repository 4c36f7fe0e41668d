// The drawing surface. The tab keeps the strokes (sessionStorage), so that neither a reload nor another colour loses them.
const SIDE = 280;
const STORE = "digit-workbench-drawing";
const COLOURS = { light: ["#ffffff", "#111111"], dark: ["#111111", "#ffffff"] };
// Kept small, because the whole drawing is sent after each stroke.
const MOST_POINTS = 20000;
// Milliseconds after which the next report is sent all the same: a drawing that is finished shouldn't wait long.
const PATIENCE = { unfinished: 2000, finished: 300 };

const pads = new WeakMap();
// In a narrower window the page has no room for the sidebar beside it; it opens at a click.
const WIDE_ENOUGH = 1250;
let isFirstLook = true;

export default function ({ data, parentElement, setStateValue }) {
  if (!pads.has(parentElement)) pads.set(parentElement, createPad(parentElement));
  if (isFirstLook && innerWidth < WIDE_ENOUGH)
    document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click();
  isFirstLook = false;
  const pad = pads.get(parentElement);
  pad.update(data, setStateValue);
  document.addEventListener("keydown", pad.onKey);
  return () => document.removeEventListener("keydown", pad.onKey);
}

function createPad(root) {
  const surface = root.querySelector("canvas");
  const context = surface.getContext("2d");
  const buttons = Object.fromEntries(["undo", "redo", "clear"].map((name) => [name, root.querySelector(`.${name}`)]));
  // Every change is a step: a stroke, `null` for a cleared canvas, or a whole earlier drawing. `done` of them count.
  let { steps, done, loaded } = restore();
  let pen = { width: 18, paper: "light" };
  let send = () => {};
  let current = null;
  // Reports to the server are counted, by another pad on the same page, too.
  let [report, sent, sentAt] = [Date.now(), 0, 0];
  let begins = false;
  let timer;

  function drawing() {
    let number = 0;
    let strokes = [];
    for (const [index, step] of steps.slice(0, done).entries()) {
      if (step === null) [number, strokes] = [index + 1, []];
      else if (step.strokes) [number, strokes] = [step.number, step.strokes];
      else strokes = [...strokes, step];
    }
    return { number, strokes };
  }

  function paint() {
    const [paper, ink] = COLOURS[pen.paper];
    context.setTransform(surface.width / SIDE, 0, 0, surface.height / SIDE, 0, 0);
    context.fillStyle = paper;
    context.fillRect(0, 0, SIDE, SIDE);
    context.strokeStyle = ink;
    context.lineCap = context.lineJoin = "round";
    const { strokes } = drawing();
    for (const { width, points } of current ? [...strokes, current] : strokes) {
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(points[0], points[1]);
      // A point alone leaves a dot.
      for (let i = 0; i < points.length; i += 2) context.lineTo(points[i], points[i + 1]);
      context.stroke();
    }
    buttons.undo.disabled = done === 0;
    buttons.redo.disabled = done === steps.length;
    buttons.clear.disabled = strokes.length === 0;
  }

  function changed() {
    try {
      sessionStorage.setItem(STORE, JSON.stringify({ steps, done, loaded }));
    } catch {
      // A browser may forbid storage, or have no room left: the drawing then lives as long as the page.
    }
    paint();
    tell();
  }

  function tell() {
    report += 1;
    mark().asked = report;
    tellWhenAnswered();
  }

  // One report at a time: while it is being answered the next one waits, and then tells the newest. Two at once would
  // be read by two threads of the server, and the older could win.
  function tellWhenAnswered() {
    clearTimeout(timer);
    if (sent === report) return;
    const isBeingAnswered = sent && mark().answer !== `${sent}`;
    if (isBeingAnswered && performance.now() - sentAt < PATIENCE[current ? "unfinished" : "finished"]) {
      timer = setTimeout(tellWhenAnswered, 8);
      return;
    }
    [sent, sentAt] = [report, performance.now()];
    const { number, strokes } = drawing();
    const sketch = { number, strokes: current ? [...strokes, current] : strokes, unfinished: current !== null, report };
    // A stroke that begins ends what the panels compute; later reports only move the answer.
    if (!current || (begins && isBusy())) send("drawing", sketch);
    else document.dispatchEvent(new CustomEvent("digits-stroke", { detail: sketch }));
    begins = false;
  }

  function add(step) {
    steps = [...steps.slice(0, done), step];
    done = steps.length;
    changed();
  }

  function go(change) {
    if (done + change < 0 || done + change > steps.length) return;
    done += change;
    changed();
  }

  function follow(event) {
    const box = surface.getBoundingClientRect();
    const moves = event.getCoalescedEvents?.() ?? [];
    for (const { clientX, clientY } of moves.length ? moves : [event]) {
      if (current.points.length < MOST_POINTS)
        current.points.push(
          Math.round((clientX - box.left) * (SIDE / box.width) * 10) / 10,
          Math.round((clientY - box.top) * (SIDE / box.height) * 10) / 10,
        );
    }
    paint();
    tell();
  }

  function finish() {
    if (!current) return;
    const stroke = current;
    current = null;
    add(stroke);
  }

  surface.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || current) return;
    surface.setPointerCapture(event.pointerId);
    current = { width: pen.width, points: [] };
    begins = true;
    follow(event);
  });
  surface.addEventListener("pointermove", (event) => current && follow(event));
  surface.addEventListener("pointerup", finish);
  surface.addEventListener("pointercancel", finish);
  buttons.undo.addEventListener("click", () => go(-1));
  buttons.redo.addEventListener("click", () => go(1));
  buttons.clear.addEventListener("click", () => add(null));

  let isFirst = true;
  return {
    update(data, setStateValue) {
      pen = { width: data.width, paper: data.paper === "auto" ? pageColour(surface) : data.paper };
      send = setStateValue;
      if (data.load && data.load.mark !== loaded) {
        loaded = data.load.mark;
        add(data.load);
      } else if (isFirst && steps.length) changed();
      else paint();
      isFirst = false;
    },
    onKey(event) {
      const isTyping = event.composedPath()[0].matches?.("input, textarea, [contenteditable]");
      if (!(event.ctrlKey || event.metaKey) || event.altKey || isTyping) return;
      const key = event.key.toLowerCase();
      if (key !== "z" && key !== "y") return;
      event.preventDefault();
      go(key === "y" || event.shiftKey ? 1 : -1);
    },
  };
}

// Which report was the last, and which has been answered.
function mark() {
  return document.querySelector(".answered")?.dataset ?? {};
}

function isBusy() {
  return document.querySelector("[data-test-script-state=running]") !== null;
}

function restore() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(STORE));
    if (Array.isArray(kept?.steps)) return kept;
  } catch {
    // What another version of the page left there, or no storage at all.
  }
  return { steps: [], done: 0, loaded: null };
}

// Streamlit gives components the colours of its theme.
function pageColour(element) {
  const colour = getComputedStyle(element).getPropertyValue("--st-background-color");
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = colour || "#ffffff";
  probe.fillRect(0, 0, 1, 1);
  const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
  return red + green + blue < 384 ? "dark" : "light";
}
