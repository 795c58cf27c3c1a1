"use strict";
(() => {
const LINE = 20, PAD = 8;  // of the style: a line's height, and the space above the first
const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const overview = one("#overview"), detail = one("#detail");

const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};
const percent = (covered, total) => total ? 100 * covered / total : null;
const show = value => value === null ? "no statements" : `${value.toFixed(1)} %`;
const bar = value => {
  if (value === null) return "";
  const tone = value >= 80 ? " hi" : value < 50 ? " lo" : "";
  const node = make("div", {class: `bar${tone}`}, make("i"));
  node.style.setProperty("--p", value.toFixed(2));
  return node;
};
const link = (hash, text) => make("a", {href: `#${hash}`}, text);
const base = name => name.slice(name.lastIndexOf("/") + 1);
const pathOf = key => one(`a[href="#${key}"]`).closest("td").dataset.v;

// what is packed of some packages: a line of JSON, numbers as ULEB128 column by column, the sources
const unpack = bytes => {
  const text = (begin, end) => new TextDecoder("utf-8", {ignoreBOM: true}).decode(bytes.subarray(begin, end));
  let at = bytes.indexOf(10);
  const data = JSON.parse(text(0, at++)), numbers = [];
  for (const end = at + data.n; at < end;) {
    let number = 0, scale = 1;
    for (; bytes[at] >= 128; scale *= 128) number += (bytes[at++] - 128) * scale;
    numbers.push(number + bytes[at++] * scale);
  }
  let next = 0;
  const columns = (count, size) => Array.from({length: count}, () => {
    next += size;
    return numbers.slice(next - size, next);
  });
  const [files, functions] = columns(2, data.p);
  const [covered, statements, sizes, counts] = columns(4, data.f.length);
  const [places, lines, ...shares] = columns(4, data.u.length);
  const [gaps, lengths, hits] = columns(3, (numbers.length - next) / 3);
  const packages = [];
  let file = 0, name = 0, range = 0;
  for (let index = 0; index < data.p; index++) {
    const f = [], u = [];
    for (const end = file + files[index]; file < end; file++) {
      const entry = {n: data.f[file], c: covered[file], s: statements[file], m: data.m[file]};
      if (entry.m === undefined) {
        const begin = at, stop = begin + sizes[file];
        at = stop;
        entry.t = () => text(begin, stop);
        entry.r = [];
        for (const last = range + counts[file]; range < last; range++)
          entry.r.push([gaps[range], lengths[range], hits[range]]);
      } else entry.x = data.x.includes(file);
      f.push(entry);
    }
    let place = 0, line = 0;
    for (const end = name + functions[index]; name < end; name++) {
      if (places[name]) line = 0;
      place += places[name];
      line += lines[name];
      u.push([data.u[name], place, line, shares[0][name], shares[1][name]]);
    }
    packages.push({f, u});
  }
  return packages;
};
// where each package is: the node with the packed data, and its number in it
const packed = new Map();
all("script[data-packages]").forEach(node => {
  const [section, first] = node.id.slice(1).split(".").map(Number);
  for (let index = 0; index < node.dataset.packages; index++) packed.set(`${section}.${first + index}`, [node, index]);
});
const cache = new Map();
const load = async key => {
  const [node, index] = packed.get(key);
  if (!cache.has(node)) {
    const bytes = Uint8Array.from(atob(node.textContent), char => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    cache.set(node, unpack(new Uint8Array(await new Response(stream).arrayBuffer())));
  }
  return cache.get(node)[index];
};

const value = (row, index) => row.cells[index].dataset.v ?? row.cells[index].textContent;
const sortable = table => all("th[data-sort]", table).forEach(head => {
  const sort = () => {
    const index = head.cellIndex, numeric = head.dataset.sort === "number";
    const was = head.getAttribute("aria-sort");
    const down = was ? was === "ascending" : numeric;
    all("th", table).forEach(other => { other.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].sort((a, b) => {
      const [left, right] = [value(a, index), value(b, index)];
      return numeric ? left - right : left < right ? -1 : left > right ? 1 : 0;
    });
    table.tBodies[0].append(...(down ? rows.reverse() : rows));
  };
  head.tabIndex = 0;
  head.addEventListener("click", sort);
  head.addEventListener("keydown", event => { if (event.key === "Enter") sort(); });
});
const table = (title, rows) => {
  const numbers = ["Percent", "Covered", "Statements", "Not covered"];
  const heads = [make("th", {"data-sort": "text"}, title), make("th", {class: "b"})];
  heads.push(...numbers.map(text => make("th", {class: "n", "data-sort": "number"}, text)));
  const body = rows.map(([cell, covered, total]) => {
    const share = percent(covered, total);
    const number = text => make("td", {class: "n"}, String(text));
    return make("tr", {}, make("td", {class: "path"}, ...cell), make("td", {}, bar(share)),
      make("td", {class: "n", "data-v": share ?? -1}, show(share)),
      number(covered), number(total), number(total - covered));
  });
  const node = make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...body));
  sortable(node);
  return node;
};
const head = (path, ...tools) =>
  make("div", {class: "head"}, make("div", {class: "path"}, ...path), make("div", {class: "tools"}, ...tools));

const showPackage = (key, data) => {
  const files = data.f.map((file, index) => [[link(`${key}.${index}`, base(file.n))], file.c, file.s]);
  const functions = data.u.map(([name, file, line, covered, total]) => {
    const where = make("span", {class: "dim"}, `  ${base(data.f[file].n)}:${line}`);
    return [[link(`${key}.${file}:${line}`, name), where], covered, total];
  });
  // a text profile tells no functions
  const below = functions.length ? [make("h2", {}, "Functions"), table("Function", functions)] : [];
  detail.replaceChildren(head([link("", "all packages"), " / ", pathOf(key)]),
    make("h2", {}, "Files"), table("File", files), ...below);
};

let misses = [], position = -1;
const showFile = (key, index, data) => {
  const file = data.f[index];
  const total = make("span", {}, `${show(percent(file.c, file.s))} (${file.c} of ${file.s} statements)`);
  const way = [link("", "all packages"), " / ", link(key, pathOf(key)), " / ", make("b", {}, base(file.n))];
  const top = head(way, total);
  misses = [];
  position = -1;
  if (file.t === undefined) {
    const why = file.x ? "The source at hand is not what was built, or has //line directives."
      : "Source not at hand; set coverage_report_sources.";
    const rows = file.m.map(([first, last]) =>
      make("li", {}, first === last ? `line ${first}` : `lines ${first} to ${last}`));
    const title = rows.length ? "Not covered" : "All statements are covered";
    detail.replaceChildren(top, make("p", {class: "panel"}, why), make("h2", {}, title), make("ul", {}, ...rows));
    return;
  }
  const text = file.t(), lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  const state = new Uint8Array(lines + 2);  // by line: 1 covered, 2 not, 3 both
  const parts = [];
  let at = 0, line = 1;
  const countTo = end => {
    const first = line;
    for (; at < end; at++) if (text.charCodeAt(at) === 10) line++;
    return first;
  };
  for (const [gap, length, count] of file.r) {
    const start = at + gap, end = start + length;
    parts.push(text.slice(at, start));
    countTo(start);
    const first = countTo(end);
    for (let n = first; n <= line; n++) state[n] |= count ? 1 : 2;
    if (!count) misses.push(first);
    const title = count === 0 ? "did not run" : count === 1 ? "ran once" : `ran ${count} times`;
    parts.push(make("span", {class: count ? "r" : "m", title}, text.slice(start, end)));
  }
  parts.push(text.slice(at));
  const gutter = make("pre", {class: "no"}, Array.from({length: lines}, (_, n) => n + 1).join("\n"));
  for (let n = 1, last; n <= lines; n = last + 1) {
    for (last = n; last < lines && state[last + 1] === state[n];) last++;
    if (!state[n]) continue;
    const mark = make("i", {class: ["", "r", "m", "p"][state[n]]});
    mark.style.top = `${PAD + (n - 1) * LINE}px`;
    mark.style.height = `${(last - n + 1) * LINE}px`;
    gutter.append(mark);
  }
  gutter.addEventListener("click", event => {
    const picked = Math.floor((event.clientY - gutter.getBoundingClientRect().top - PAD) / LINE) + 1;
    if (picked >= 1 && picked <= lines) location.hash = `${key}.${index}:${picked}`;
  });
  const [previous, next] = [make("button", {}, "previous"), make("button", {}, "next not covered")];
  previous.addEventListener("click", () => step(-1));
  next.addEventListener("click", () => step(1));
  one(".tools", top).append(make("span", {class: "r"}, "covered"), make("span", {class: "m"}, "not covered"),
    make("span", {class: "dim"}, "plain: not tracked"), ...(misses.length ? [previous, next] : []));
  detail.replaceChildren(top, make("div", {class: "code"}, gutter, make("pre", {class: "src"}, ...parts)));
};
const goTo = line => {
  const code = one(".code", detail);
  if (!code) return;
  all(".at", code).forEach(node => { node.remove(); });
  const mark = make("div", {class: "at"});
  mark.style.top = `${PAD + (line - 1) * LINE}px`;
  code.append(mark);
  scrollTo(0, code.getBoundingClientRect().top + scrollY + (line - 1) * LINE - innerHeight / 3);
};
const step = by => {
  if (!misses.length) return;
  position = position < 0 && by < 0 ? misses.length - 1 : (position + by + misses.length) % misses.length;
  goTo(misses[position]);
};

// #component.package, #component.package.file, #component.package.file:line
const parse = () => /^#(\d+\.\d+)(?:\.(\d+))?(?::(\d+))?$/.exec(location.hash) || [];
let shown = "";
const route = async () => {
  const [, key, file, line] = parse();
  const known = packed.has(key);
  overview.hidden = known;
  detail.hidden = !known;
  const wanted = known ? `${key}.${file ?? ""}` : "";
  if (wanted !== shown) {
    shown = wanted;
    detail.replaceChildren();
    if (known) {
      const data = await load(key);
      if (shown !== wanted) return;  // left while it was unpacked
      if (file !== undefined && data.f[file]) showFile(key, Number(file), data);
      else showPackage(key, data);
      if (!line) scrollTo(0, 0);
    }
  }
  if (known && line) goTo(Number(line));
};

all(".js").forEach(node => { node.hidden = false; });
all("table.packages").forEach(packages => {
  sortable(packages);
  const section = packages.closest("section"), input = one("input", section), count = one(".count", section);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean), rows = [...packages.tBodies[0].rows];
    for (const row of rows) {
      const path = row.cells[0].dataset.v.toLowerCase();
      row.hidden = !words.every(word => path.includes(word));
    }
    count.textContent = words.length ? `${rows.filter(row => !row.hidden).length} of ${rows.length}` : "";
  });
});
document.addEventListener("keydown", event => {
  if (event.target.matches("input")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const [, key, file] = parse();
  if (event.key === "n") step(1);
  else if (event.key === "p") step(-1);
  else if (event.key === "u" && key) location.hash = file === undefined ? "" : key;
  else if (event.key === "/" && !key) {
    event.preventDefault();
    one("input[type=search]")?.focus();
  }
});
addEventListener("hashchange", route);
route();
})();
