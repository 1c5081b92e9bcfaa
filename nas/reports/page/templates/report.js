"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const data = JSON.parse($("#data").textContent);
  document.documentElement.classList.add("js");
  for (const fold of $$("details.folds")) fold.open = false;

  // What is wider than the screen can be scrolled by keys.
  const reach = () => {
    for (const box of $$(".figure-box")) {
      const isWide = box.scrollWidth > box.clientWidth;
      const put = (name, value) => isWide ? box.setAttribute(name, value) : box.removeAttribute(name);
      put("tabindex", "0");
      put("role", "region");
      put("aria-label", $("h3", box.closest("figure")).textContent);
    }
  };
  reach();
  addEventListener("resize", reach);

  // ---- tables: a click on a column's name sorts by it
  for (const table of $$("table.sortable")) {
    const heads = $$("thead th", table);
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const other of heads) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const isNumber = head.classList.contains("number");
        const key = row => {
          const cell = row.cells[column];
          if (!isNumber) return cell.textContent;
          return cell.dataset.v === undefined ? NaN : Number(cell.dataset.v);
        };
        const rows = $$("tbody tr", table).map(row => [key(row), row]);
        rows.sort(([a], [b]) => {
          if (!isNumber) return (up ? 1 : -1) * a.localeCompare(b, undefined, { numeric: true });
          if (isNaN(a) || isNaN(b)) return isNaN(a) - isNaN(b); // what is not known stays below
          return up ? a - b : b - a;
        });
        table.tBodies[0].append(...rows.map(([, row]) => row));
      });
    });
  }

  // ---- the drawing
  const drawing = $("#drawing");
  if (!drawing) return;
  const slider = $("#round"), panel = $("#panel"), now = $("#round-now"), legend = $("#legend");
  const blocks = $$(".block", drawing), cards = $$(".block-card"), rounds = $$(".round-card"), bars = $$(".round-bar");
  const states = ["present", "leaving", "gone", "growing", "copied"];
  const stateLegend = [...legend.childNodes];
  const bar = $(".rounds-bar");
  bar.style.setProperty("--n", rounds.length);
  let pinned = data.first, mode = "state", round = data.opens;

  blocks.forEach((block, i) => {
    block.setAttribute("role", "button");
    block.setAttribute("aria-controls", "panel");
  });
  panel.setAttribute("aria-live", "polite");

  const show = i => cards.forEach((card, k) => card.classList.toggle("is-current", k === i));
  const pin = (i, focus) => {
    pinned = i;
    show(i);
    blocks.forEach((block, k) => {
      block.classList.toggle("is-current", k === i);
      block.setAttribute("aria-pressed", String(k === i));
      block.setAttribute("tabindex", k === i ? "0" : "-1"); // one stop for Tab; arrows walk inside
    });
    if (focus) blocks[i].focus();
  };

  // What a block's removal cost, in the round shown or else in the last one before that scored it.
  const scoreAt = block => {
    for (let r = round; r >= 0; r--) if (block.scores[r]) return block.scores[r];
    return null;
  };
  const paint = () => {
    const column = { lost: 0, saved: 1, value: 2 }[mode];
    const known = data.blocks.map(scoreAt).map(score => (score && column !== undefined ? score[column] : null));
    const seen = known.filter((value, i) => value !== null && data.blocks[i].states[round] !== 2);
    const low = Math.min(0, ...seen), high = Math.max(...seen, 1e-12);
    drawing.classList.toggle("heat", mode !== "state");
    blocks.forEach((block, i) => {
      const story = data.blocks[i], state = states[story.states[round]];
      for (const each of states) block.classList.toggle("is-" + each, each === state);
      $("text", block).textContent = story.labels[round];
      block.setAttribute("aria-label", `${story.label}: ${story.words[round]}`);
      const heat = known[i] === null ? null : Math.max(0, known[i] / high);
      block.classList.toggle("is-unknown", mode !== "state" && heat === null);
      block.classList.toggle("is-hot", heat !== null && heat > 0.75);
      block.style.setProperty("--heat", heat === null ? 0 : heat.toFixed(3));
    });
    if (mode === "state") legend.replaceChildren(...stateLegend);
    else {
      const ramp = document.createElement("span");
      ramp.className = "ramp";
      const text = value => Number(value.toPrecision(2)) + "";
      const scale = document.createElement("span");
      scale.append("0", ramp, text(high));
      legend.replaceChildren(
        `${data.modes[mode]} by its removal alone, in this round or when it was last scored`, scale,
        ...(low < 0 ? [`below 0, to ${text(low).replace("-", "\u2212")}, drawn as 0`] : []));
    }
  };
  const turn = r => {
    round = Math.max(0, Math.min(rounds.length - 1, r));
    slider.value = round;
    slider.setAttribute("aria-valuetext", data.rounds[round]);
    now.textContent = data.rounds[round];
    bars.forEach((each, k) => each.classList.toggle("is-current", k === round));
    rounds.forEach((card, k) => card.classList.toggle("is-current", k === round));
    paint();
  };
  const remember = () => history.replaceState(null, "", `#round=${round}&block=${pinned}`);

  blocks.forEach((block, i) => {
    block.addEventListener("pointerenter", event => event.pointerType === "mouse" && show(i));
    block.addEventListener("pointerleave", () => show(pinned));
    block.addEventListener("focus", () => pin(i));
    block.addEventListener("click", () => { pin(i); remember(); });
    block.addEventListener("keydown", event => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pin(i); remember(); }
      const next = walk(i, event.key);
      if (next !== null) { event.preventDefault(); pin(next, true); }
    });
  });

  // The block that lies nearest in the direction of an arrow key.
  const walk = (i, key) => {
    if (key === "Home") return 0;
    if (key === "End") return blocks.length - 1;
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    if (!way) return null;
    const centre = k => { const box = $(".face", blocks[k]).getBBox(); return [box.x + box.width / 2, box.y + box.height / 2]; };
    const [x, y] = centre(i);
    let best = null, least = Infinity;
    blocks.forEach((_, k) => {
      const [a, b] = centre(k), along = (a - x) * way[0] + (b - y) * way[1];
      const across = Math.abs((a - x) * way[1]) + Math.abs((b - y) * way[0]);
      const far = along + 4 * across;
      if (along > 1 && far < least) { least = far; best = k; }
    });
    return best;
  };

  slider.addEventListener("input", () => { turn(Number(slider.value)); remember(); });
  bars.forEach((each, k) => each.addEventListener("click", () => { turn(k); remember(); }));
  for (const radio of $$("input[name=mode]")) radio.addEventListener("change", () => { mode = radio.value; paint(); });

  // An address such as #round=2&block=7 or #block-7 is a place of the page.
  const go = () => {
    const place = new URLSearchParams(location.hash.slice(1));
    const card = /^#block-(\d+)$/.exec(location.hash);
    if (place.has("round")) turn(Number(place.get("round")) || 0);
    if (place.has("block") && blocks[place.get("block")]) pin(Number(place.get("block")));
    if (card && blocks[card[1]]) {
      pin(Number(card[1]));
      drawing.scrollIntoView({ block: "center" });
      blocks[pinned].focus({ preventScroll: true });
    }
  };
  addEventListener("hashchange", go);
  pin(pinned);
  turn(round);
  go();
})();
