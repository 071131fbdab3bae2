// One card for each photograph: what it is, by one model or by two side by side.

import * as service from '/page/service.js';
import { looks } from '/page/looks.js';
import { bars, make, percent, waiting } from '/page/parts.js';

const SHOWABLE = /^image\/(jpeg|png|webp|gif|avif|bmp)$/;

export class Card {
  constructor(file, { chosen, answered, removed }) {
    this.file = file;
    this.name = file.name || 'pasted photograph';
    this.chosen = chosen;
    this.answered = answered;
    this.asking = null;
    this.address = URL.createObjectURL(file);
    this.answers = new Map();
    const remove = make('button', {
      type: 'button', className: 'link', ariaLabel: `Remove ${this.name}`, onclick: () => { this.leave(); removed(this); },
    }, 'Remove');
    this.size = make('span');
    this.figure = make('figure', { className: 'shown' }, this.preview(),
      make('figcaption', { className: 'line' }, make('span', {}, this.name, make('br'), this.size), remove));
    this.sides = make('div', { className: 'sides' });
    this.why = make('div', { className: 'why', role: 'group', hidden: true, ariaLabel: `Why, for ${this.name}` });
    this.element = make('li', {},
      make('article', { className: 'card', tabIndex: -1, ariaLabel: this.name }, this.figure, this.sides, this.why));
    this.ask();
  }

  preview() {
    const blank = () => make('div', { className: 'blank' }, 'No preview in this browser');
    if (!SHOWABLE.test(this.file.type)) return blank();
    return make('img', { src: this.address, alt: `Your photograph ${this.name}`, onerror: (event) => event.target.replaceWith(blank()) });
  }

  leave() {
    this.asking?.abort();
    URL.revokeObjectURL(this.address);
    this.element.remove();
  }

  // Ask the chosen models; what another choice asked for before is given up.
  ask() {
    this.asking?.abort();
    this.asking = new AbortController();
    this.why.hidden = true;
    this.why.replaceChildren();
    const models = this.chosen();
    this.sides.replaceChildren(...models.map((model) => this.side(model, models.length > 1, this.asking.signal)));
  }

  side(model, compared, signal) {
    const body = make('div', {}, waiting());
    const side = make('div', { className: 'side', role: 'group', ariaBusy: 'true', ariaLabel: `Answer of ${model.name}` },
      compared ? make('h2', { className: 'of quiet' }, model.name) : null, body);
    const told = (found) => {
      const [result] = found.results;
      this.size.textContent = `${result.width} × ${result.height}`;
      body.replaceChildren(...this.verdict(model, result));
      side.ariaBusy = 'false';
    };
    if (this.answers.has(model.name)) {
      told(this.answers.get(model.name));
      return side;
    }
    service.inTurn(() => (signal.aborted ? Promise.reject(new DOMException('', 'AbortError'))
      : service.predict(this.file, { model: model.name }, signal)))
      .then((found) => {
        this.answers.set(model.name, found);
        told(found);
        this.answered(this, found, found.results[0]);
      }, (error) => {
        if (error.name === 'AbortError') return;
        body.replaceChildren(make('p', { className: 'bad' }, error.message));
        side.ariaBusy = 'false';
        this.answered(this, null, error);
      });
    return side;
  }

  verdict(model, result) {
    const [best] = result.top;
    const unsure = result.sure === false
      ? make('span', { className: 'unsure', title: `Below this model's threshold of ${percent(model.threshold)}` }, 'not sure') : null;
    const button = make('button', {
      type: 'button', className: 'button', ariaExpanded: 'false',
      ariaLabel: `Why ${best.class}? ${model.name} on ${this.name}`,
      onclick: () => this.explain(model, button),
    }, 'Why?');
    const why = model.explains ? make('p', { className: 'actions' }, button) : null; // an exported file cannot say
    return [make('p', { className: 'verdict' }, result.sure === false ? `${best.class}?` : best.class, unsure), bars(result.top), why].filter(Boolean);
  }

  explain(model, button) {
    const open = button.ariaExpanded === 'true';
    for (const other of this.sides.querySelectorAll('[aria-expanded]')) other.ariaExpanded = 'false';
    this.why.hidden = open;
    this.why.replaceChildren();
    if (open) return;
    button.ariaExpanded = 'true';
    looks(this.why, this.file, this.name, model);
  }
}
