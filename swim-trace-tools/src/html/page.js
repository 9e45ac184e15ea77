// Reads the data and answers questions about them. Nothing here touches the page.
function Model(data) {
  'use strict';
  const S = data.strings, M = data.moments;
  const states = ['alive', 'suspect', 'dead', 'left', 'unknown'];
  const members = data.members.map(([id, name]) => ({ id, name }));
  const nodes = data.nodes.map((node) => ({
    ...node,
    label: data.nodes.filter((other) => other.id === node.id).length > 1 ? node.name + ' #' + node.epoch : node.name,
  }));
  const at = (moment) => M.at[moment];
  const node = (moment) => M.node[moment];

  // The changes of each belief, by node and member, in the order of time.
  const cells = nodes.map(() => members.map(() => []));
  for (const [moment, member, state, incarnation] of data.beliefs) {
    cells[node(moment)][member].push({ at: at(moment), state, incarnation: S[incarnation] });
  }
  // The life at an address at that time.
  const reached = (addr, time) => nodes.findIndex((each) => each.addr === addr && each.from <= time && time <= each.to);
  const datagrams = data.datagrams.map(([frame, sent, received, fate, to, took], i) => ({
    i, frame, sent, received, fate, to: S[to], took, at: at(sent), node: node(sent),
    toAt: received >= 0 ? at(received) : at(sent), toNode: received >= 0 ? node(received) : reached(S[to], at(sent)),
  }));
  const sentBy = new Map();
  for (const d of datagrams) {
    if (!sentBy.has(d.sent)) sentBy.set(d.sent, []);
    sentBy.get(d.sent).push(d);
  }
  const byTime = datagrams.slice().sort((a, b) => a.at - b.at);
  const slowest = datagrams.reduce((most, d) => Math.max(most, d.toAt - d.at), 0);
  const spans = data.spans.map(([kind, begins, to, by, member]) => ({
    kind: S[kind], from: at(begins), to, by: S[by], member, node: node(begins),
  })).filter((span) => span.kind !== 'suspicion').sort((a, b) => a.from - b.from);
  const longest = spans.reduce((most, span) => Math.max(most, span.to - span.from), 0);
  const tones = { member_down: 'dead', member_suspect: 'suspect', conflict: 'dead', refuted: 'suspect', member_up: 'alive', member_refuted: 'alive', member_restarted: 'alive', left: 'left', diverged: 'suspect' };
  const events = data.events.map(([moment, kind, member, text], i) => ({
    i, moment, at: at(moment), node: node(moment), kind: S[kind], member, text: S[text], tone: tones[S[kind]],
  }));

  const toldIn = new Map();
  for (const event of events) {
    if (!toldIn.has(event.moment)) toldIn.set(event.moment, []);
    toldIn.get(event.moment).push(event);
  }
  const eventsByTime = events.slice().sort((a, b) => a.at - b.at);

  // The first of a list sorted by `key` that is not before `time`.
  function firstFrom(list, time, key) {
    let low = 0, high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (key(list[middle]) < time) low = middle + 1; else high = middle;
    }
    return low;
  }
  const between = (list, from, to, key) => list.slice(firstFrom(list, from, key), firstFrom(list, to + 1, key));
  const lastBefore = (list, time) => firstFrom(list, time + 1, (change) => change.at) - 1;

  const seconds = (us, digits) => (us / 1e6).toFixed(digits) + ' s';
  const frameOf = (moment) => (M.frame[moment] >= 0 ? data.frames[M.frame[moment]] : null);
  const frame = (i) => ({ kind: S[data.frames[i][0]], bytes: data.frames[i][1], says: data.frames[i][2].map((line) => S[line]) });

  function stepText(moment) {
    const received = M.frame[moment] >= 0 ? 'receives ' + S[frameOf(moment)[0]] : S[M.input[moment]];
    const sent = (sentBy.get(moment) || []).map((d) => S[data.frames[d.frame][0]]);
    const told = (toldIn.get(moment) || []).map((e) => ', tells ' + e.text).join('');
    return 'step ' + M.step[moment] + ': ' + received + told + (sent.length ? ', sends ' + sent.join(', ') : '');
  }

  // From a moment back to what caused it, at most so many steps.
  function causes(moment) {
    const chain = [];
    for (let now = moment; chain.length < 40;) {
      const datagram = M.datagram[now];
      if (datagram >= 0) {
        const d = datagrams[datagram];
        chain.push({ from: d.sent, to: now, datagram: d });
        now = d.sent;
      } else if (M.because[now] >= 0) {
        chain.push({ from: M.because[now], to: now });
        now = M.because[now];
      } else {
        chain.push({ end: now });
        break;
      }
    }
    return chain;
  }

  return {
    states, members, nodes, cells, datagrams, events, toldIn, sentBy, start: data.start, end: data.end, totals: data.totals,
    at, node, frame, stepText, causes, lastBefore,
    moments: M, text: (i) => S[i], strings: S,
    time: (us, tick) => seconds(us, tick >= 1e6 ? 0 : tick >= 1e5 ? 1 : tick >= 1e3 ? 3 : 6),
    fine: (us) => seconds(us, 6),
    datagramsBetween: (from, to) => between(byTime, from - slowest, to, (d) => d.at).filter((d) => d.toAt >= from),
    spansBetween: (from, to) => between(spans, from - longest, to, (s) => s.from).filter((s) => s.to >= from),
    eventsBetween: (from, to) => between(eventsByTime, from, to, (e) => e.at).map((e) => ({ ...e, item: e.i })),
    belief: (i, member, time) => {
      if (time < nodes[i].from || time > nodes[i].to) return null;
      const changes = cells[i][member], n = lastBefore(changes, time);
      return n < 0 ? { state: 4, incarnation: '' } : changes[n];
    },
  };
}

(function () {
  'use strict';
  const $ = (id) => document.getElementById(id);
  const model = Model(JSON.parse($('data').textContent));
  const ROW = 22;
  let items = [], shown = [], selected = -1, time = model.start;

  // Text only ever becomes text.
  function element(tag, text, attributes) {
    const made = document.createElement(tag);
    if (text !== undefined && text !== null) made.textContent = text;
    for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
    return made;
  }

  const lanes = Lanes(model, $('canvas'), (drawn) => {
    const [from, to] = lanes.window();
    const part = drawn.every > 1 ? '; one of ' + drawn.every + ' is drawn, zoom in for all' : '';
    $('window').textContent = model.time(from, 1e3) + ' to ' + model.time(to, 1e3) + ', ' + drawn.datagrams + ' datagrams' + part;
  });

  // --- the list

  function build() {
    const events = model.events.map((e) => ({ moment: e.moment, event: e.i, what: e.text, kind: e.kind, tone: e.tone }));
    if ($('show').value === 'events') { items = events; return; }
    items = [];
    for (let moment = 0; moment < model.moments.at.length; moment++) {
      items.push({ moment, event: -1, what: model.stepText(moment), kind: 'step' });
      for (const event of model.toldIn.get(moment) || []) items.push(events[event.i]);
    }
  }

  function haystack(item) {
    const node = model.nodes[model.node(item.moment)];
    const member = item.event >= 0 ? model.events[item.event].member : -1;
    const about = member >= 0 ? model.members[member].id + ' ' + model.members[member].name : '';
    return [node.label, node.id, item.what, item.kind, 'step ' + model.moments.step[item.moment], about].join(' ').toLowerCase();
  }

  function filter() {
    const words = $('search').value.toLowerCase().trim();
    // A step is wanted whole: 12 does not find 120.
    const step = /^step\s+(\d+)$/.exec(words);
    const wanted = step ? (item) => String(model.moments.step[item.moment]) === step[1] : (item) => haystack(item).includes(words);
    shown = words === '' ? items.map((_, i) => i) : items.map((_, i) => i).filter((i) => wanted(items[i]));
    $('found').textContent = words === '' ? items.length + ' in all' : shown.length + ' of ' + items.length;
    $('rows').style.height = shown.length * ROW + 'px';
    rows();
  }

  function rows() {
    const list = $('list'), first = Math.max(Math.floor(list.scrollTop / ROW) - 4, 0);
    const last = Math.min(Math.ceil((list.scrollTop + list.clientHeight) / ROW) + 4, shown.length);
    const made = [];
    for (let n = first; n < last; n++) {
      const item = items[shown[n]];
      const tone = item.tone === 'dead' ? ' bad' : item.tone === 'suspect' ? ' warn' : '';
      const row = element('div', null, { class: 'row' + tone, role: 'option', id: 'row-' + shown[n], 'aria-selected': String(shown[n] === selected), 'aria-setsize': shown.length, 'aria-posinset': n + 1 });
      row.style.top = n * ROW + 'px';
      row.append(element('span', model.fine(model.at(item.moment)), { class: 'at' }));
      row.append(element('span', model.nodes[model.node(item.moment)].label, { class: 'who' }));
      row.append(element('span', item.what, { class: 'what' }));
      row.addEventListener('click', () => select(shown[n]));
      made.push(row);
    }
    $('rows').replaceChildren(...made);
    if (selected >= 0 && $('row-' + selected)) list.setAttribute('aria-activedescendant', 'row-' + selected);
    else list.removeAttribute('aria-activedescendant');
  }

  function reveal(n) {
    const list = $('list');
    if (n * ROW < list.scrollTop) list.scrollTop = n * ROW;
    if ((n + 1) * ROW > list.scrollTop + list.clientHeight) list.scrollTop = (n + 1) * ROW - list.clientHeight;
  }

  // --- selection

  function select(index) {
    selected = index;
    if (index < 0) {
      lanes.select(-1, [], time);
      $('details').replaceChildren(element('p', 'Click an event, or go to one with the arrow keys.', { class: 'quiet' }));
    } else {
      const item = items[index];
      show(item.moment, item.event);
      const n = shown.indexOf(index);
      if (n >= 0) reveal(n);
    }
    rows();
  }

  // A moment, whether it is in the list or not.
  function go(moment) {
    const index = items.findIndex((item) => item.moment === moment);
    if (index >= 0) { select(index); return; }
    selected = -1;
    show(moment, -1);
    rows();
  }

  function show(moment, event) {
    moveTo(model.at(moment));
    const chain = model.causes(moment);
    lanes.select(event, chain.filter((link) => link.from !== undefined), time);
    details(moment, event, chain);
  }

  function move(by) {
    if (shown.length === 0) return;
    const here = shown.indexOf(selected);
    const next = here < 0 ? nearest(by) : Math.min(Math.max(here + by, 0), shown.length - 1);
    select(shown[next]);
  }

  function nearest(by) {
    const behind = shown.findIndex((i) => model.at(items[i].moment) > time);
    const end = behind < 0 ? shown.length : behind;
    return Math.min(Math.max(by > 0 ? end : end - 1, 0), shown.length - 1);
  }

  // --- details

  function momentButton(moment) {
    const button = element('button', model.nodes[model.node(moment)].label + ' ' + model.stepText(moment), { type: 'button' });
    button.addEventListener('click', () => go(moment));
    return button;
  }

  function list(tag, title, made) {
    return made.length === 0 ? [] : [element('h3', title), ((parent) => { made.forEach((each) => parent.append(each)); return parent; })(element(tag))];
  }

  const fates = ['received', 'lost', 'receiver was not traced then', 'receiver has no trace'];

  function frameLines(i) {
    const frame = model.frame(i);
    return element('pre', frame.says.join('\n') + '\n' + frame.bytes + ' bytes');
  }

  function details(moment, event, chain) {
    const M = model.moments, node = model.nodes[model.node(moment)], made = [];
    made.push(element('h3', event >= 0 ? node.label + ': ' + model.events[event].text : node.label + ': ' + model.stepText(moment)));
    const flags = (M.flags[moment] & 1 ? '; steps before it are missing' : '') + (M.flags[moment] & 2 ? '; the replay diverges here' : '');
    made.push(element('p', model.fine(model.at(moment)) + ', by its own clock ' + model.fine(model.at(moment) - node.offset) + ', step ' + M.step[moment] + ', input ' + model.text(M.input[moment]) + flags, { class: 'quiet' }));
    const links = chain.map((link) => {
      const li = element('li');
      if (link.end !== undefined) {
        li.append(element('span', ending(link.end)));
      } else {
        const d = link.datagram;
        const why = d ? model.frame(d.frame).kind + ' that took ' + (d.took / 1000).toFixed(3) + ' ms, sent by ' : 'time-out after ';
        li.append(element('span', why), momentButton(link.from));
      }
      return li;
    });
    made.push(...list('ol', 'Caused by', links));
    if (M.frame[moment] >= 0) made.push(element('h3', 'Received from ' + model.text(M.source[moment])), frameLines(M.frame[moment]));
    made.push(...list('ul', 'Sent', (model.sentBy.get(moment) || []).map((d) => {
      const li = element('li', model.frame(d.frame).kind + ' to ' + d.to + ': ' + fates[d.fate] + ' ');
      if (d.received >= 0) li.append(momentButton(d.received));
      li.append(frameLines(d.frame));
      return li;
    })));
    $('details').replaceChildren(...made);
    $('details').scrollTop = 0;
  }

  function ending(moment) {
    const M = model.moments;
    if (M.frame[moment] >= 0) return 'a datagram from ' + model.text(M.source[moment]) + (M.flags[moment] & 4 ? ', whose trace does not have it' : ', of which there is no trace');
    return 'the ' + model.text(M.input[moment]) + ' itself; nothing earlier led to it';
  }

  // --- the matrix

  const marks = { alive: 'alive', suspect: 'suspect', dead: 'dead', left: 'left', unknown: 'unknown' };

  function matrixHead() {
    const table = $('matrix'), head = element('thead'), body = element('tbody'), top = element('tr');
    top.append(element('th', 'node ↓ member →', { scope: 'col' }));
    model.members.forEach((member) => top.append(element('th', member.name, { scope: 'col', title: member.id })));
    head.append(top);
    model.nodes.forEach((node) => {
      const row = element('tr');
      row.append(element('th', node.label, { scope: 'row', title: node.id }));
      model.members.forEach(() => row.append(element('td')));
      body.append(row);
    });
    table.append(head, body);
    $('legend').textContent = 'at the time of the line in the lanes: alive, suspect, dead, left, unknown, · not traced then';
  }

  function matrix() {
    const body = $('matrix').tBodies[0];
    model.nodes.forEach((_, i) => {
      model.members.forEach((_, member) => {
        const cell = body.rows[i].cells[member + 1], belief = model.belief(i, member, time);
        const name = belief ? model.states[belief.state] : 'untraced';
        const text = belief ? marks[name] + (belief.incarnation ? ' ' + belief.incarnation : '') : '·';
        if (cell.className !== name) cell.className = name;
        if (cell.textContent !== text) cell.textContent = text;
      });
    });
  }

  function moveTo(at) {
    time = at;
    const range = Math.max(model.end - model.start, 1);
    $('scrub').value = String(Math.round((at - model.start) / range * 10000));
    $('scrub').setAttribute('aria-valuetext', model.fine(at));
    $('now').textContent = model.fine(at);
    lanes.cursor(at);
    matrix();
  }

  // --- traces

  function traces() {
    const head = element('tr');
    for (const title of ['node', 'id', 'address', 'clock offset', 'steps', 'sent', 'lost', 'received', 'what is wrong']) head.append(element('th', title, { scope: 'col' }));
    const made = model.nodes.map((node) => {
      const row = element('tr');
      for (const value of [node.label, node.id, node.addr, node.clock, node.steps, node.sent, node.lost, node.received]) row.append(element('td', value));
      row.append(element('td', node.notes.join('; '), { class: node.notes.length ? 'problem' : '' }));
      return row;
    });
    $('nodes').append(head, ...made);
    const t = model.totals;
    const life = model.nodes.length === 1 ? '1 life' : model.nodes.length + ' lives';
    $('summary').textContent = life + ', ' + model.time(model.end - model.start, 1e5) + ', ' + model.moments.at.length + ' steps, ' + t.sent + ' datagrams sent, ' + t.matched + ' matched, ' + t.lost + ' lost';
  }

  // --- keys and mouse

  const escape = () => {
    const searching = document.activeElement === $('search');
    if (searching) $('lanes').focus({ preventScroll: true });
    if ($('search').value !== '') {
      $('search').value = '';
      filter();
      reveal(Math.max(shown.indexOf(selected), 0));
    } else if (!searching) {
      select(-1);
    }
  };
  const keys = {
    ArrowRight: () => move(1), ArrowDown: () => move(1), ArrowLeft: () => move(-1), ArrowUp: () => move(-1),
    Home: () => shown.length && select(shown[0]), End: () => shown.length && select(shown[shown.length - 1]),
    PageDown: () => move(20), PageUp: () => move(-20),
    '+': () => lanes.zoom(0.5), '=': () => lanes.zoom(0.5), '-': () => lanes.zoom(2), '0': () => lanes.whole(),
    '[': () => lanes.pan(-0.25), ']': () => lanes.pan(0.25),
    '/': () => { $('search').focus(); $('search').select(); }, '?': () => $('help').showModal(), Escape: escape,
  };

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $('help').open) return;
    const typing = event.target === $('search'), choosing = event.target === $('scrub') || event.target === $('show');
    if (typing && event.key === 'Enter') { move(1); event.preventDefault(); return; }
    if (event.key !== 'Escape' && (typing || (choosing && !['/', '?', '+', '-', '=', '0', '[', ']'].includes(event.key)))) return;
    const act = keys[event.key];
    if (act) { act(); event.preventDefault(); }
  });

  const canvas = $('canvas');
  let drag = null;
  canvas.addEventListener('wheel', (event) => {
    event.preventDefault();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) lanes.panBy(-event.deltaX);
    else lanes.zoom(Math.exp(Math.max(-240, Math.min(240, event.deltaY)) / 300), lanes.at(event.offsetX));
  }, { passive: false });
  canvas.addEventListener('pointerdown', (event) => { drag = { x: event.clientX, moved: 0 }; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener('pointermove', (event) => {
    if (!drag) return;
    drag.moved += Math.abs(event.clientX - drag.x);
    if (drag.moved > 3) lanes.panBy(event.clientX - drag.x);
    drag.x = event.clientX;
  });
  canvas.addEventListener('pointerup', (event) => {
    const clicked = drag && drag.moved <= 3;
    drag = null;
    if (!clicked) return;
    const found = lanes.pick(event.offsetX, event.offsetY);
    if (found === -1) { moveTo(Math.min(Math.max(lanes.at(event.offsetX), model.start), model.end)); return; }
    if (found.moment !== undefined) { go(found.moment); return; }
    const index = items.findIndex((item) => item.event === found.item);
    if (index >= 0) select(index);
  });
  canvas.addEventListener('pointercancel', () => { drag = null; });

  $('scrub').addEventListener('input', () => moveTo(model.start + Number($('scrub').value) / 10000 * (model.end - model.start)));
  $('search').addEventListener('input', () => { $('list').scrollTop = 0; filter(); });
  $('show').addEventListener('change', () => { build(); select(-1); filter(); });
  $('list').addEventListener('scroll', rows);
  $('zoom-in').addEventListener('click', keys['+']);
  $('zoom-out').addEventListener('click', keys['-']);
  $('zoom-all').addEventListener('click', keys['0']);
  $('help-open').addEventListener('click', keys['?']);
  $('help-close').addEventListener('click', () => $('help').close());
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', lanes.theme);
  new ResizeObserver(() => { lanes.resize(); rows(); }).observe($('lanes'));

  document.title = 'swim trace: ' + model.nodes.map((node) => node.label).join(', ');
  lanes.theme();
  lanes.resize();
  lanes.whole();
  matrixHead();
  traces();
  build();
  moveTo(model.end);
  filter();
  document.documentElement.dataset.ready = 'yes';
})();
