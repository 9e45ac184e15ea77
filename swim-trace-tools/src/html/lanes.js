// The lanes: a line for each node, strips below it for what it believes, and the datagrams between. Drawn into a canvas, and only
// what is in the window of time.
function Lanes(model, canvas, told) {
  'use strict';
  const LABEL = 108, TOP = 26, LANE = 30, STRIP = 10, STRIPS = 12, DRAWN = 3000;
  const context = canvas.getContext('2d');
  const strips = Math.min(model.members.length, STRIPS);
  const laneHeight = LANE + strips * STRIP;
  const height = TOP + model.nodes.length * laneHeight + 6;
  const laneY = (node) => TOP + node * laneHeight + 14;
  const span = Math.max(model.end - model.start, 1);
  let from = model.start - span * 0.01, to = model.end + span * 0.01;
  let width = 600, cursor = model.start, selected = -1, chain = [], colours = {}, asked = false;
  const least = 20;

  const x = (at) => LABEL + (at - from) / (to - from) * (width - LABEL);
  const at = (px) => from + (px - LABEL) / (width - LABEL) * (to - from);

  function readColours() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ['bg', 'panel', 'text', 'quiet', 'line', 'focus', 'mark', 'alive', 'suspect', 'dead', 'left', 'unknown', 'datagram', 'lost', 'event']) {
      colours[name] = style.getPropertyValue('--' + name).trim();
    }
  }

  function resize() {
    const ratio = Math.min(window.devicePixelRatio || 1, 3);
    width = Math.max(canvas.parentElement.clientWidth, 260);
    canvas.style.height = height + 'px';
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    later();
  }

  // Several changes make one drawing.
  function later() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; draw(); });
  }

  function line(x1, y1, x2, y2, colour, thick, dash) {
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.setLineDash(dash || []);
    context.beginPath();
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
    context.stroke();
  }

  function draw() {
    context.fillStyle = colours.panel;
    context.fillRect(0, 0, width, height);
    context.font = '11px system-ui, sans-serif';
    context.textBaseline = 'middle';
    context.save();
    context.beginPath();
    context.rect(LABEL, 0, width - LABEL, height);
    context.clip();
    axis();
    model.nodes.forEach((node, i) => { beliefs(node, i); });
    model.nodes.forEach((node, i) => {
      line(x(node.from), laneY(i), x(node.to), laneY(i), colours.quiet, 2);
      if (node.first) { line(x(node.from), laneY(i) - 5, x(node.from), laneY(i) + 5, colours.quiet, 2); }
    });
    probes();
    const shown = datagrams();
    events();
    line(x(cursor), TOP - 6, x(cursor), height, colours.focus, 1);
    context.restore();
    labels();
    told(shown);
  }

  function axis() {
    const wish = (to - from) / Math.max((width - LABEL) / 110, 1);
    const ten = Math.pow(10, Math.floor(Math.log10(wish)));
    const tick = [1, 2, 5, 10].map((n) => n * ten).find((step) => step >= wish);
    context.fillStyle = colours.quiet;
    const first = Math.ceil(from / tick) * tick;
    // Counted, because far from zero a tick added to a number need not change it.
    for (let n = 0; n < 40 && first + n * tick <= to; n++) {
      const t = first + n * tick;
      line(x(t), TOP - 8, x(t), height, colours.line, 1);
      context.fillText(model.time(t, tick), x(t) + 3, 9);
    }
  }

  function beliefs(node, i) {
    for (let member = 0; member < strips; member++) {
      const y = laneY(i) + 13 + member * STRIP;
      const changes = model.cells[i][member];
      for (let n = Math.max(model.lastBefore(changes, from), 0); n < changes.length && changes[n].at <= to; n++) {
        if (changes[n].state > 3) continue;
        const end = n + 1 < changes.length ? changes[n + 1].at : node.to;
        context.fillStyle = colours[model.states[changes[n].state]];
        const left = Math.max(x(changes[n].at), LABEL);
        if (x(end) < LABEL) continue;
        context.fillRect(left, y, Math.max(Math.min(x(end), width) - left, 1), STRIP - 3);
      }
    }
  }

  function probes() {
    for (const probe of model.spansBetween(from, to)) {
      const y = laneY(probe.node) + (probe.kind === 'relay' ? 6 : 3);
      line(x(probe.from), y, Math.max(x(probe.to), x(probe.from) + 1), y, probe.by === 'next' ? colours.suspect : colours.line, 3);
    }
  }

  function datagrams() {
    const all = model.datagramsBetween(from, to);
    const every = Math.ceil(all.length / DRAWN);
    context.globalAlpha = every > 1 ? 0.35 : all.length > 400 ? 0.5 : 0.85;
    for (let n = 0; n < all.length; n += every) {
      const d = all[n], y = laneY(d.node);
      if (d.received >= 0) {
        line(x(d.at), y, x(d.toAt), laneY(d.toNode), colours.datagram, 1);
      } else {
        const aim = d.toNode >= 0 ? laneY(d.toNode) : y - 22, lost = d.fate === 1;
        const x2 = x(d.at) + 7, y2 = y + Math.max(-34, Math.min(34, (aim - y) * 0.6));
        line(x(d.at), y, x2, y2, lost ? colours.lost : colours.unknown, 1, [3, 2]);
        if (lost) {
          line(x2 - 3, y2 - 3, x2 + 3, y2 + 3, colours.lost, 1.5);
          line(x2 - 3, y2 + 3, x2 + 3, y2 - 3, colours.lost, 1.5);
        }
      }
    }
    context.globalAlpha = 1;
    for (const step of chain) {
      if (step.from !== undefined) {
        line(x(model.at(step.from)), laneY(model.node(step.from)), x(model.at(step.to)), laneY(model.node(step.to)), colours.focus, 2.5);
      }
    }
    return { datagrams: all.length, every };
  }

  function events() {
    for (const event of model.eventsBetween(from, to)) {
      const px = x(event.at), y = laneY(event.node);
      context.fillStyle = colours[event.tone] || colours.event;
      context.beginPath();
      context.arc(px, y, event.item === selected ? 6 : 3.5, 0, 2 * Math.PI);
      context.fill();
      if (event.item === selected) {
        context.strokeStyle = colours.text;
        context.lineWidth = 2;
        context.setLineDash([]);
        context.stroke();
      }
    }
  }

  function labels() {
    context.fillStyle = colours.panel;
    context.fillRect(0, 0, LABEL, height);
    model.nodes.forEach((node, i) => {
      context.fillStyle = colours.text;
      context.font = 'bold 12px system-ui, sans-serif';
      context.fillText(fitted(node.label, LABEL - 8), 2, laneY(i));
      context.font = '9px system-ui, sans-serif';
      context.fillStyle = colours.quiet;
      for (let member = 0; member < strips; member++) {
        context.fillText(fitted(model.members[member].name, LABEL - 18), 12, laneY(i) + 17 + member * STRIP);
      }
    });
  }

  // As much of a name as there is room for.
  function fitted(name, room) {
    if (context.measureText(name).width <= room) return name;
    const letters = [...name];
    while (letters.length > 1 && context.measureText(letters.join('') + '…').width > room) letters.pop();
    return letters.join('') + '…';
  }

  function zoom(factor, around) {
    const centre = around === undefined ? (cursor >= from && cursor <= to ? cursor : (from + to) / 2) : around;
    const wide = Math.min(Math.max((to - from) * factor, least), span * 1.2);
    const left = centre - (centre - from) / (to - from) * wide;
    set(left, left + wide);
  }

  function set(left, right) {
    const wide = right - left, margin = span * 0.1;
    from = Math.min(Math.max(left, model.start - margin), Math.max(model.end + margin - wide, model.start - margin));
    to = from + wide;
    canvas.dataset.from = String(Math.round(from));
    canvas.dataset.to = String(Math.round(to));
    later();
  }

  // What is nearest to the pointer: an event, else the end of a datagram; -1 when nothing is.
  function pick(px, py) {
    let best = -1, near = 10;
    const weigh = (itemX, itemY, item, handicap) => {
      const far = Math.hypot(itemX - px, itemY - py) + handicap;
      if (far < near) { near = far; best = item; }
    };
    for (const event of model.eventsBetween(at(px - 12), at(px + 12))) weigh(x(event.at), laneY(event.node), { item: event.item }, 0);
    for (const d of model.datagramsBetween(at(px - 12), at(px + 12))) {
      weigh(x(d.at), laneY(d.node), { moment: d.sent }, 2);
      if (d.received >= 0) weigh(x(d.toAt), laneY(d.toNode), { moment: d.received }, 2);
    }
    return best;
  }

  return {
    zoom, pick, at, resize, later,
    pan: (part) => set(from + part * (to - from), to + part * (to - from)),
    panBy: (px) => { const by = px / (width - LABEL) * (to - from); set(from - by, to - by); },
    whole: () => set(model.start - span * 0.01, model.end + span * 0.01),
    window: () => [from, to],
    theme: () => { readColours(); later(); },
    cursor: (time) => { cursor = time; later(); },
    select: (item, steps, time) => {
      selected = item; chain = steps; cursor = time;
      if (time < from || time > to) { const half = (to - from) / 2; set(time - half, time + half); }
      later();
    },
  };
}
