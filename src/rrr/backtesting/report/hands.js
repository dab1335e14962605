// A mouse marks a span to look at; a finger drags time along, two pinch it; the wheel needs Ctrl,
// so that the page still scrolls.

function gestures(svg, area, over) {
  const down = new Map();
  let began = null;
  const timeOf = (event) => area().at(event.clientX - svg.getBoundingClientRect().left);
  svg.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    svg.setPointerCapture(event.pointerId);
    down.set(event.pointerId, event.clientX);
    began = { x: event.clientX, at: timeOf(event), ...view };
  });
  svg.addEventListener("pointermove", (event) => {
    if (!down.has(event.pointerId)) return;
    const touch = event.pointerType === "touch" && over === view;
    const perPixel = (view.to - view.from) / area().inner;
    if (touch && down.size === 2) {
      const apart = () => Math.abs([...down.values()].reduce((a, b) => a - b)) || 1;
      const before = apart();
      down.set(event.pointerId, event.clientX);
      zoom(before / apart());
    } else if (touch) {
      const by = (down.get(event.pointerId) - event.clientX) * perPixel;
      down.set(event.pointerId, event.clientX);
      look(view.from + by, view.to + by);
    } else {
      find(".choice", svg)?.remove();
      const [left, right] = [began.x, event.clientX]
        .map((x) => x - svg.getBoundingClientRect().left)
        .sort((a, b) => a - b);
      svg.insertAdjacentHTML(
        "beforeend",
        `<rect class="choice" x="${px(left)}" y="0" width="${px(right - left)}" height="100%"/>`,
      );
    }
  });
  const end = (event) => {
    if (!down.delete(event.pointerId)) return;
    find(".choice", svg)?.remove();
    if (event.type === "pointercancel" || (event.pointerType === "touch" && over === view)) return;
    const at = timeOf(event);
    if (Math.abs(event.clientX - began.x) > 5) look(Math.min(at, began.at), Math.max(at, began.at));
    else if (over === whole) look(at - (view.to - view.from) / 2, at + (view.to - view.from) / 2);
  };
  svg.addEventListener("pointerup", end);
  svg.addEventListener("pointercancel", end);
  svg.addEventListener("dblclick", () => look(whole.from, whole.to));
  svg.addEventListener(
    "wheel",
    (event) => {
      if (event.ctrlKey || event.metaKey) zoom(Math.exp(event.deltaY / 200), timeOf(event));
      else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan(event.deltaX / area().inner);
      else return;
      event.preventDefault();
    },
    { passive: false },
  );
}

function controls() {
  const does = {
    in: () => zoom(0.5),
    out: () => zoom(2),
    back: () => pan(-0.5),
    on: () => pan(0.5),
    all: () => look(whole.from, whole.to),
  };
  all("[data-does]").forEach((button) =>
    button.addEventListener("click", does[button.dataset.does]),
  );
  const keys = {
    ArrowLeft: does.back,
    ArrowRight: does.on,
    "+": does.in,
    "=": does.in,
    "-": does.out,
    Home: does.all,
  };
  timed.forEach(({ svg }) =>
    svg.addEventListener("keydown", (event) => {
      if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
      keys[event.key]();
      event.preventDefault();
    }),
  );
  find("#log")?.addEventListener("change", (event) => {
    log = event.target.checked;
    timed.forEach(draw);
  });
  find("#instrument")?.addEventListener("change", (event) => {
    chosen = Number(event.target.value);
    timed.forEach(draw);
  });
  document.addEventListener("click", (event) => {
    const trip = trips[event.target.closest?.("[data-trip]")?.dataset.trip];
    if (!trip) return;
    chosen = trip.instrument;
    if (find("#instrument")) find("#instrument").value = String(chosen);
    const air = Math.max((trip.closed - trip.opened) * 1.5, 20 * curve.step);
    look(trip.opened - air, trip.closed + air);
  });
}

// A head that is pressed again turns the order, and then gives the first one back.
const THEN = { null: "descending", descending: "ascending", ascending: null };

function sortable(table) {
  const heads = all("thead th", table);
  const body = find("tbody", table);
  const given = [...body.rows];
  const number = (text) => parseFloat(text.replace(/,/g, "").replace("−", "-"));
  heads.forEach((head, place) =>
    head.addEventListener("click", () => {
      const now = THEN[head.getAttribute("aria-sort")];
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      if (now) head.setAttribute("aria-sort", now);
      const text = (row) => row.cells[place].textContent;
      const numeric = head.classList.contains("n");
      const keyed = given.map((row) => [row, numeric ? number(text(row)) : text(row)]);
      const way = now === "ascending" ? 1 : -1;
      const order = (a, b) =>
        numeric ? isNaN(a) - isNaN(b) || (a - b) * way : (a > b) * way - (a < b) * way;
      if (now) keyed.sort((a, b) => order(a[1], b[1]));
      body.append(...keyed.map(([row]) => row));
    }),
  );
}
