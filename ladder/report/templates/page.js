
"use strict";
(() => {
  // Every text was made harmless before it came here, and is put in as text, never as HTML.
  const ROW = 52, SPARE = 8, SHORT = 600, MOST_WORDS = 400, WAIT = 120;
  const holder = document.getElementById("samples-data");
  const root = document.getElementById("browser");
  if (!holder || !root) return;
  let data = JSON.parse(holder.textContent);
  let found = [], at = -1, haystack = null, timer = 0;

  const make = (tag, attributes = {}, ...inside) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...inside);
    return made;
  };
  const whole = (text) => (Array.isArray(text) ? text[0] : text);
  const verdict = (answer) => (!answer ? "" : answer[1] === null ? "none" : answer[1] < 0.5 ? "wrong" : "right");
  const SIGN = { right: "✓", wrong: "✕", none: "–", "": "·" };
  const WORD = { right: "right", wrong: "wrong", none: "no score", "": "not asked" };
  const number = (count) => count.toLocaleString("en");

  // The filters
  const choice = (name, label, options) => {
    const select = make("select", { id: `by-${name}` });
    for (const [value, text] of options) select.append(make("option", { value }, text));
    select.addEventListener("change", () => refilter());
    return [select, make("div", {}, make("label", { for: `by-${name}` }, label), select)];
  };
  const search = make("input", { type: "search", id: "by-text", autocomplete: "off", spellcheck: "false" });
  const [byRung, rungBox] = choice("rung", "Rung", [["", "any"], ...data.rungs.map((rung) => [rung, rung])]);
  const [byVerdict, verdictBox] = choice("verdict", "Verdict", [["", "all"], ["wrong", "wrong"], ["right", "right"], ["none", "no score"], ["differ", "rungs differ"]]);
  const kinds = new Set(), causes = new Set();
  for (const row of data.rows) {
    if (row[3]) kinds.add(row[3]);
    for (const answer of row[4]) if (answer && answer[3]) causes.add(answer[3]);
  }
  const sorted = (names) => [["", "all"], ...[...names].sort().map((name) => [name, name])];
  const [byKind, kindBox] = choice("kind", "Kind of row", sorted(kinds));
  const [byCause, causeBox] = choice("cause", "Cause or sign", sorted(causes));
  const status = make("p", { role: "status" });
  const filters = make("form", { class: "filters", role: "search", "aria-label": "Samples" },
    make("div", { class: "text" }, make("label", { for: "by-text" }, "Search"), search),
    rungBox, verdictBox, ...(kinds.size ? [kindBox] : []), ...(causes.size ? [causeBox] : []));
  filters.addEventListener("submit", (event) => event.preventDefault());
  search.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(refilter, WAIT); });

  const texts = () => {
    haystack ??= data.rows.map((row) => [row[0], whole(row[1]), ...row[2].map(whole),
      ...row[4].flatMap((answer) => (answer ? [whole(answer[0]), answer[2]] : []))].join("\n").toLowerCase());
    return haystack;
  };
  const fits = (row) => {
    const rung = byRung.value, wanted = byVerdict.value;
    const answers = rung ? [row[4][data.rungs.indexOf(rung)]] : row[4];
    if (rung && !answers[0]) return false;
    if (wanted === "differ") {
      if (new Set(row[4].filter(Boolean).map(verdict)).size < 2) return false;
    } else if (wanted && !answers.some((answer) => verdict(answer) === wanted)) return false;
    if (byKind.value && row[3] !== byKind.value) return false;
    return !byCause.value || answers.some((answer) => answer && answer[3] === byCause.value);
  };
  const refilter = (id) => {
    const kept = id ?? data.rows[found[at]]?.[0];
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const places = words.length ? texts() : null;
    found = [];
    data.rows.forEach((row, place) => {
      if (fits(row) && (!places || words.every((word) => places[place].includes(word)))) found.push(place);
    });
    status.textContent = found.length === data.rows.length
      ? `${number(found.length)} samples` : `${number(found.length)} of ${number(data.rows.length)} samples`;
    const again = found.findIndex((place) => data.rows[place][0] === kept);
    room.style.height = `${found.length * ROW}px`;
    drawn = "";
    go(Math.max(again, 0), false);
  };

  // The list: only what can be seen of it is there
  const room = make("div", { class: "room", role: "presentation" });
  const list = make("div", { class: "list", role: "listbox", tabindex: "0", "aria-label": "Samples" }, room);
  let drawn = "";
  const option = (place, row) => {
    const marks = make("span", { class: "marks" });
    row[4].forEach((answer, rung) => {
      const word = verdict(answer);
      marks.append(make("span", { class: word, title: `${data.rungs[rung]}: ${WORD[word]}` }, SIGN[word]));
    });
    const said = row[4].map((answer, rung) => `${data.rungs[rung]} ${WORD[verdict(answer)]}`).join(", ");
    const made = make("div", {
      role: "option", id: `row-${place}`, class: "row", "aria-selected": String(place === at),
      "aria-posinset": String(place + 1), "aria-setsize": String(found.length),
      "aria-label": `${row[0]}: ${said}`, style: `top:${place * ROW}px`,
    }, make("bdi", { class: "id" }, row[0]), marks, make("bdi", { class: "begin" }, (whole(row[1]) || whole(row[2][0])).slice(0, 160)));
    made.addEventListener("click", () => go(place, true));
    return made;
  };
  const draw = () => {
    const first = Math.max(0, Math.floor(list.scrollTop / ROW) - SPARE);
    const last = Math.min(found.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + SPARE);
    const now = `${first} ${last} ${at}`;
    if (now === drawn) return;
    drawn = now;
    room.replaceChildren();
    for (let place = first; place < last; place += 1) room.append(option(place, data.rows[found[place]]));
    const active = document.getElementById(`row-${at}`);
    if (active) list.setAttribute("aria-activedescendant", active.id);
    else list.removeAttribute("aria-activedescendant");
  };
  list.addEventListener("scroll", draw, { passive: true });

  // One sample
  const one = make("article", { class: "one", "aria-label": "The chosen sample" });
  const long = (text, target) => {
    const full = whole(text), size = Array.isArray(text) ? text[1] : full.length;
    const box = make("div", { class: "said", dir: "auto" });
    const fill = (shown) => { box.replaceChildren(...(target ? marked(shown, target) : [shown])); };
    fill(full.slice(0, SHORT));
    if (full.length <= SHORT) return [box];
    const more = make("button", { type: "button" }, `Show ${size > full.length ? "more" : "all"} (${number(size)} characters)`);
    more.addEventListener("click", () => {
      fill(full);
      more.replaceWith(make("p", { class: "quiet" }, size > full.length
        ? `This is its beginning: it has ${number(size)} characters, and the rest stands in samples.jsonl of the run.` : ""));
    });
    return [box, more];
  };
  // Words of an answer that its target has not, by the longest common subsequence
  const marked = (text, targets) => {
    const words = text.split(/(\s+)/), plain = words.filter((word) => word.trim());
    if (plain.length > MOST_WORDS) return [text];
    let best = null;
    for (const target of targets) {
      const wanted = target.split(/\s+/).filter(Boolean);
      if (wanted.length > MOST_WORDS) return [text];
      const kept = common(plain, wanted);
      if (!best || kept.size > best.size) best = kept;
    }
    let place = -1;
    return words.map((word) => {
      if (!word.trim()) return word;
      place += 1;
      return best.has(place) ? word : make("mark", {}, word);
    });
  };
  const common = (left, right) => {
    const lengths = Array.from({ length: left.length + 1 }, () => new Uint16Array(right.length + 1));
    for (let i = left.length - 1; i >= 0; i -= 1)
      for (let j = right.length - 1; j >= 0; j -= 1)
        lengths[i][j] = left[i] === right[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    const kept = new Set();
    for (let i = 0, j = 0; i < left.length && j < right.length;) {
      if (left[i] === right[j]) { kept.add(i); i += 1; j += 1; }
      else if (lengths[i + 1][j] >= lengths[i][j + 1]) i += 1;
      else j += 1;
    }
    return kept;
  };
  const part = (name, ...inside) => make("div", { class: "part" }, make("h4", {}, name), ...inside);
  const answered = (rung, answer, targets) => {
    const word = verdict(answer);
    const score = answer && answer[1] !== null && answer[1] > 0 && answer[1] < 1 ? ` ${answer[1].toFixed(2)}` : "";
    const made = make("div", { class: "answered" },
      make("h4", {}, rung, " ", make("span", { class: word }, `${SIGN[word]} ${WORD[word]}${score}`)));
    if (!answer) return made;
    if (answer[2]) made.append(make("p", { class: "quiet", dir: "auto" }, answer[2]));
    if (whole(answer[0])) made.append(...long(answer[0], word === "wrong" ? targets : null));
    else if (!answer[2]) made.append(make("p", { class: "quiet" }, "an empty answer"));
    if (answer[3]) made.append(make("p", { class: "quiet" }, answer[3].startsWith("sign: ") ? answer[3] : `cause: ${answer[3]}`));
    if (answer[4].length) {
      const box = make("details", answer[4].length <= 2 ? { open: "" } : {}, make("summary", {}, `retrieved: ${answer[4].length}`));
      for (const place of answer[4]) {
        const [name, title, text] = data.texts[place];
        box.append(make("p", { class: "quiet" }, make("bdi", {}, title ? `${name}: ${title}` : name)), ...long(text));
      }
      made.append(box);
    }
    return made;
  };
  const show = () => {
    const row = data.rows[found[at]];
    if (!row) { one.replaceChildren(make("p", {}, "No sample fits these filters.")); return; }
    const targets = row[2].map(whole);
    const inside = [make("h3", {}, make("bdi", {}, row[0]))];
    if (row[3]) inside.push(make("p", { class: "quiet" }, "kind of row: ", make("bdi", {}, row[3])));
    if (whole(row[1])) inside.push(part("Input", ...long(row[1])));
    inside.push(part(row[2].length > 1 ? "Targets: any of these" : "Target", ...row[2].flatMap((target) => long(target))));
    const answers = make("div", { class: "answers" });
    row[4].forEach((answer, rung) => answers.append(answered(data.rungs[rung], answer, targets)));
    one.replaceChildren(...inside, answers);
  };

  // Moving, and the address of what is shown
  const go = (place, told) => {
    at = found.length ? Math.min(Math.max(place, 0), found.length - 1) : -1;
    if (at >= 0) {
      const top = at * ROW;
      if (top < list.scrollTop) list.scrollTop = top;
      else if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
    }
    draw();
    show();
    if (told) history.replaceState(null, "", address());
  };
  const NAMES = { rung: byRung, verdict: byVerdict, kind: byKind, cause: byCause, text: search };
  const address = () => {
    const fields = new URLSearchParams();
    if (at >= 0) fields.set("id", data.rows[found[at]][0]);
    for (const [name, input] of Object.entries(NAMES)) if (input.value) fields.set(name, input.value);
    return `#samples/${fields}`;
  };
  const open = () => {
    if (!location.hash.startsWith("#samples/")) return false;
    const fields = new URLSearchParams(location.hash.slice("#samples/".length));
    for (const [name, input] of Object.entries(NAMES)) input.value = fields.get(name) ?? "";
    refilter(fields.get("id") ?? undefined);
    document.getElementById("samples").scrollIntoView();
    list.focus({ preventScroll: true });
    return true;
  };
  const page = () => Math.max(1, Math.floor(list.clientHeight / ROW) - 1);
  const MOVES = {
    ArrowDown: () => at + 1, j: () => at + 1, ArrowUp: () => at - 1, k: () => at - 1,
    PageDown: () => at + page(), PageUp: () => at - page(), Home: () => 0, End: () => found.length - 1,
  };
  // Keys act where the samples have the focus, and nowhere else on the page.
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (event.key === "/" && !typing) { search.focus(); search.select(); event.preventDefault(); return; }
    if (event.key === "Escape" && event.target === search) { list.focus(); return; }
    const letter = event.key === "j" || event.key === "k";
    const move = MOVES[event.key];
    if (!move || typing || (!letter && event.target !== list)) return;
    go(move(), true);
    event.preventDefault();
  });

  root.append(filters, status, make("div", { class: "split" }, list, one),
    make("p", { class: "quiet keys" }, "Keys, in the list: j and k or the arrows move, / searches. The address of the page names the sample."));
  root.hidden = false;
  document.getElementById("plain").className = "paper";
  if (!open()) refilter();
  addEventListener("hashchange", open);
  addEventListener("resize", draw);
  const sibling = root.dataset.sibling;
  if (sibling && location.protocol.startsWith("http")) {
    fetch(sibling).then((answer) => (answer.ok ? answer.json() : null)).then((all) => {
      if (!all) return;
      data = all;
      haystack = null;
      root.dataset.whole = "true";
      if (!open()) refilter();
    }).catch(() => {});
  }
})();
