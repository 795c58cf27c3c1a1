# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The template of the HTML page (Jinja2, autoescaped).

A string, because Ansible ships only Python files to a target. Whatever comes from data goes into the page by
autoescaping or, in the script, as text nodes: never as markup.
"""

from __future__ import annotations

STYLE = r"""
:root {
  color-scheme: light dark;
  --bg: #fff; --panel: #f5f6f8; --line: #dfe2e7; --ink: #1d2129; --dim: #636b78; --accent: #2457c5;
  --good: #2e9e5b; --mid: #c98a12; --bad: #d1433f; --track: #e4e7ec;
  --run: #d5f2df; --miss: #fbd9d7; --run-ink: #0d3d20; --miss-ink: #5a100e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #14171c; --panel: #1c2027; --line: #2d333d; --ink: #dfe3ea; --dim: #929ba8; --accent: #86aefc;
    --good: #3fb56f; --mid: #d9a13b; --bad: #e5625e; --track: #2b313a;
    --run: #143824; --miss: #4d1d1f; --run-ink: #c3efd2; --miss-ink: #ffd3d1;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
body { margin: 0; background: var(--bg); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main, header, footer { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 1.5rem; }
footer { margin: 3rem auto 2rem; color: var(--dim); font-size: 13px; }
h1 { font-size: 1.35rem; margin: 0; font-weight: 650; }
h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
code, pre, .path {
  font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 13px;
}
.path { overflow-wrap: anywhere; }
.dim { color: var(--dim); }

.total { display: flex; gap: 1.5rem; align-items: center; margin: 1.1rem 0; flex-wrap: wrap; }
.total b { font-size: 2.6rem; line-height: 1; font-weight: 680; letter-spacing: -.02em; }
.total .facts { flex: 1; min-width: 16rem; }
.total .bar { height: 10px; margin-bottom: .45rem; }
.bar { height: 8px; border-radius: 5px; background: var(--track); overflow: hidden; min-width: 4rem; }
.bar i { display: block; height: 100%; width: calc(var(--p) * 1%); background: var(--tone, var(--mid)); }
.hi { --tone: var(--good); }
.lo { --tone: var(--bad); }
.chip { display: inline-block; border: 1px solid; border-radius: 1rem; padding: 0 .7rem; font-size: 13px; }
.chip + .dim { margin-left: .6rem; }
.ok { color: var(--good); }
.no { color: var(--bad); }
.panel {
  background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: .6rem .9rem; margin: .8rem 0;
}
.panel summary { cursor: pointer; font-weight: 600; }
.panel ul { margin: .3rem 0 .1rem; padding-left: 1.1rem; }
.panel li { margin: .3rem 0; overflow-wrap: anywhere; }
.error, .warning, .note { font-weight: 650; }
.error { color: var(--bad); }
.warning { color: var(--mid); }
.note { color: var(--dim); }

table { border-collapse: collapse; width: 100%; }
th, td { padding: .28rem .5rem; border-bottom: 1px solid var(--line); text-align: left; }
th { font-weight: 600; color: var(--dim); font-size: 13px; white-space: nowrap; }
th[data-sort] { cursor: pointer; }
th[aria-sort=ascending]::after { content: " \2191"; }
th[aria-sort=descending]::after { content: " \2193"; }
tbody tr:hover { background: var(--panel); }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th.n { width: 7rem; }
th.b { width: 20%; }
table.small { width: auto; min-width: 20rem; }

.tools { display: flex; gap: .75rem; align-items: center; margin: 1rem 0 .4rem; flex-wrap: wrap; }
input[type=search], button {
  font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--line); border-radius: 6px;
}
input[type=search] { padding: .3rem .6rem; min-width: 18rem; }
button { font-size: 13px; padding: .2rem .7rem; cursor: pointer; }
kbd {
  font: 12px ui-monospace, monospace; border: 1px solid var(--line); border-bottom-width: 2px; border-radius: 4px;
  padding: 0 .3rem; margin-left: .5rem;
}
.head {
  position: sticky; top: 0; z-index: 2; background: var(--bg); padding: .7rem 0; border-bottom: 1px solid var(--line);
}
.head .tools { margin: .4rem 0 0; }
.code {
  position: relative; display: flex; border: 1px solid var(--line); border-radius: 8px; margin: .8rem 0 4rem;
  overflow-x: auto;
}
.code pre { margin: 0; padding: .5rem 2rem .5rem .8rem; line-height: 20px; tab-size: 4; }
.code pre.no {
  position: sticky; left: 0; padding: .5rem .8rem .5rem 1.1rem; text-align: right; color: var(--dim);
  background: var(--panel); border-right: 1px solid var(--line); user-select: none; cursor: pointer;
}
.no i { position: absolute; left: 0; width: 5px; background: var(--good); }
.no i.m { background: var(--bad); }
.no i.p { background: var(--mid); }
.r { background: var(--run); color: var(--run-ink); }
.code .m, .tools .m { background: var(--miss); color: var(--miss-ink); }
.tools .r, .tools .m { border-radius: 4px; padding: 0 .4rem; font-size: 13px; }
.code .at {
  position: absolute; left: 0; right: 0; height: 20px; border: solid var(--accent); border-width: 1px 0;
  pointer-events: none;
}
"""

SCRIPT = r"""
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
const show = value => value === null ? "no statements" : value.toFixed(1) + " %";
const bar = value => {
  if (value === null) return "";
  const tone = value >= 80 ? " hi" : value < 50 ? " lo" : "";
  const node = make("div", {class: "bar" + tone}, make("i"));
  node.style.setProperty("--p", value.toFixed(2));
  return node;
};
const link = (hash, text) => make("a", {href: "#" + hash}, text);
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
  const columns = (count, size) => Array.from({length: count}, () => numbers.slice(next, next += size));
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
        const begin = at, stop = at += sizes[file];
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
// where each package lies: the node with what is packed, and its number in there
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
    all("th", table).forEach(other => other.removeAttribute("aria-sort"));
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
    mark.style.top = PAD + (n - 1) * LINE + "px";
    mark.style.height = (last - n + 1) * LINE + "px";
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
  all(".at", code).forEach(node => node.remove());
  const mark = make("div", {class: "at"});
  mark.style.top = PAD + (line - 1) * LINE + "px";
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
"""

BODY = r"""
{% macro bar(percent) %}
{% set tone = "hi" if percent >= 80 else "lo" if percent < 50 else "" %}
<div class="bar {{ tone }}" style="--p:{{ '%.2f' | format(percent) }}"><i></i></div>
{% endmacro %}
{% macro many(number, word, words) %}{{ number }} {{ word if number == 1 else words }}{% endmacro %}
<header>
<h1>Coverage of {{ service }}</h1>
{% if run_id %}
<div class="dim">run {{ run_id }}</div>
{% endif %}
</header>
<main id="overview">
{% if thresholds.any() %}
<p>
{% if shortfalls %}
<span class="chip no">below the threshold</span>
{% else %}
<span class="chip ok">thresholds reached</span>
{% endif %}
{% if thresholds.total is not none %}
<span class="dim">asked for in total: {{ "%g" | format(thresholds.total) }} %</span>
{% endif %}
</p>
{% if shortfalls %}
<div class="panel"><ul>
{% for shortfall in shortfalls %}
<li>{{ shortfall.sentence }}</li>
{% endfor %}
</ul></div>
{% endif %}
{% endif %}
<!--problems-->
{% for item in shown %}
{% set component = item.section.component %}
<section>
{% if shown | length > 1 %}
<h2>{{ component.name }}</h2>
{% endif %}
{% if item.percent is none %}
<div class="total"><b class="dim">no percentage</b><div class="facts">{{ component.withheld }}</div></div>
{% else %}
<div class="total">
<b>{{ "%.1f" | format(item.percent) }} %</b>
<div class="facts">
{{ bar(item.percent) }}
<div class="dim">{{ item.section.covered }} of {{ many(item.section.statements, "statement", "statements") }} ·
{{ many(item.rows | length, "package", "packages") }} ·
{{ item.section.origin() }}
{%- if component.lives() %}, {{ many(component.pods | length, "pod", "pods") }}{% endif %} ·
mode {{ item.section.mode() }}</div>
{% if item.module %}
<div class="dim">module <code>{{ item.module }}</code></div>
{% endif %}
</div>
</div>
<div class="tools js" hidden>
<input type="search" placeholder="Filter packages ( / )" aria-label="Filter packages"><span class="dim count"></span>
</div>
<table class="packages">
<thead><tr>
<th data-sort="text" aria-sort="ascending">Package</th><th class="b"></th>
{% for title in ("Percent", "Covered", "Statements", "Not covered", "Functions") %}
<th class="n" data-sort="number">{{ title }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in item.rows %}
<tr><td class="path" data-v="{{ row.row.path }}">
<a href="#{{ row.key }}"><span class="dim">{{ row.folder }}</span>{{ row.last }}</a></td>
{% if row.percent is none %}
<td></td><td class="n dim" data-v="-1">no statements</td>
{% else %}
<td>{{ bar(row.percent) }}</td><td class="n" data-v="{{ row.percent }}">{{ "%.1f" | format(row.percent) }} %</td>
{% endif %}
<td class="n">{{ row.row.covered }}</td><td class="n">{{ row.row.statements }}</td>
<td class="n">{{ row.row.statements - row.row.covered }}</td>
<td class="n" data-v="{{ row.row.functions_covered }}">
{{- row.row.functions_covered ~ " / " ~ row.row.functions if row.row.functions else "-" }}</td>
</tr>
{% endfor %}
</tbody>
</table>
{% endif %}
</section>
{% endfor %}
{% if tiers %}
<h2>All tiers</h2>
<p class="dim">Of the same statements: what the end-to-end tests cover, what each text profile does, and all
together.</p>
<table>
<thead><tr><th>Package</th>
{% for tier in tiers %}
<th class="n">{{ tier.name }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for path in tiers[0].packages %}
<tr><td class="path">{{ path }}</td>
{% for tier in tiers %}
<td class="n">{{ "-" if tier.packages[path] is none else "%.1f %%" | format(tier.packages[path]) }}</td>
{% endfor %}
</tr>
{% endfor %}
<tr><th>Total</th>
{% for tier in tiers %}
<td class="n"><b>{{ "-" if tier.percent is none else "%.1f %%" | format(tier.percent) }}</b></td>
{% endfor %}
</tr>
</tbody>
</table>
{% endif %}
{% if lives %}
<h2>Lives</h2>
<table>
<thead><tr><th>Component</th><th>Pod</th><th>Container</th><th class="n">Lives</th><th class="n">Counters</th>
<th class="n">Exit codes</th></tr></thead>
<tbody>
{% for life in lives %}
<tr><td>{{ life.get("component", "") }}</td><td class="path">{{ life.get("pod", "") }}</td>
<td>{{ life.get("container", "") }}</td><td class="n">{{ life.get("lives", "") }}</td>
<td class="n">{{ life.get("counters", "") }}</td>
<td class="n">{{ (life.get("exit_codes") or []) | join(", ") }} {{ life.get("reason", "") }}</td></tr>
{% endfor %}
</tbody>
</table>
{% endif %}
{% if stages %}
<h2>Seconds by stage</h2>
<table class="small"><tbody>
{% for name, seconds in stages.items() %}
<tr><td>{{ name }}</td><td class="n">{{ "%.1f" | format(seconds) }}</td></tr>
{% endfor %}
</tbody></table>
{% endif %}
<noscript><p class="panel">Functions and sources are shown by a script only; their numbers are also in
e2e-coverage-func.txt and e2e-coverage.txt.</p></noscript>
</main>
<main id="detail" hidden></main>
<footer>Percentages are of statements, as Go counts them.
<span class="js" hidden><kbd>/</kbd> filter <kbd>n</kbd> <kbd>p</kbd> next, previous not covered <kbd>u</kbd> up</span>
</footer>
<!--data-->
"""

# what stands for the marker <!--problems-->
PROBLEMS = r"""
{% if problems %}
<details class="panel"{{ " open" if problems | rejectattr("severity", "eq", "note") | list }}>
<summary>{{ problems | length }} {{ "problem" if problems | length == 1 else "problems" }}</summary>
<ul>
{% for problem in problems %}
<li><span class="{{ problem.severity }}">{{ problem.severity }}</span> {{ problem.sentence }}
<span class="dim">{{ problem.remedy }}</span>
{% if problem.file %}
<br><code class="dim">{{ problem.file }}</code>
{% endif %}
</li>
{% endfor %}
</ul>
</details>
{% endif %}
"""

PAGE = (
    r"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
{% set total = shown[0].percent %}
<title>{{ service }}: {{ "no percentage" if total is none else "%.1f %% covered" | format(total) }}</title>
<style>"""
    + STYLE
    + "</style>\n</head>\n<body>"
    + BODY
    + "<script>"
    + SCRIPT
    + "</script>\n</body>\n</html>\n"
)
