// Why: Grad-CAM under a slider, what each head says, and the branches of a module.

import * as service from '/page/service.js';
import { bars, make, percent } from '/page/parts.js';

const START = 70;

export function looks(place, file, name, model) {
  const chosen = {};
  let asking = null;
  let strength = START;
  const show = async (changed, focus) => {
    Object.assign(chosen, changed);
    asking?.abort();
    asking = new AbortController();
    place.ariaBusy = 'true';
    if (!place.childElementCount) place.append(make('p', { className: 'quiet' }, 'Looking …'));
    try {
      const parameters = { model: model.name, class: chosen.label, module: chosen.module };
      const found = await service.explain(file, parameters, asking.signal);
      const labels = await known(file, model, found);
      place.replaceChildren(...drawn(found, labels));
      if (focus) place.querySelector(focus)?.focus();
    } catch (error) {
      if (error.name !== 'AbortError') place.replaceChildren(make('p', { className: 'bad' }, error.message));
    } finally {
      place.ariaBusy = 'false';
    }
  };

  const drawn = (found, labels) => {
    const overlay = picture(found.overlay, `Bright where it spoke for ${found.class}`);
    overlay.style.opacity = strength / 100;
    const said = make('output', {}, `${strength} %`);
    const slider = make('input', {
      type: 'range', min: 0, max: 100, value: strength, ariaLabel: 'Strength of the overlay',
      oninput: () => {
        strength = Number(slider.value);
        overlay.style.opacity = strength / 100;
        said.textContent = `${strength} %`;
      },
    });
    const classes = select('why-class', 'Class', labels, found.class, (label) => show({ label }, '.why-class'));
    const left = make('div', {},
      make('div', { className: 'stack' }, picture(found.photograph, `What the network saw of ${name}`), overlay),
      make('p', { className: 'slide' }, make('span', {}, 'photograph'), slider, make('span', {}, 'overlay'), said),
      make('p', { className: 'scale' }, 'nothing', make('span', { className: 'ramp', ariaHidden: 'true' }), 'spoke most for it'),
      found.nothing ? make('p', { className: 'quiet small' }, 'Nothing in the photograph speaks for this class.') : null);
    const right = make('div', {}, classes,
      make('p', { className: 'quiet small' },
        `${percent(found.probability)} by ${model.name}; Grad-CAM at ${found.tap}. The network saw this part of the photograph only.`),
      ...heads(found), ...branches(found));
    return [make('h2', {}, `What spoke for ${found.class}`), make('div', { className: 'parts' }, left, right)];
  };

  const branches = (found) => {
    if (!found.module) return [];
    const modules = select('why-module', 'Module', model.modules, found.module, (module) => show({ module }, '.why-module'));
    return [make('h3', {}, 'The branches of a module'), modules,
      make('p', { className: 'quiet small' }, 'Large: where all channels of the branch answer, on one scale. Small: its four strongest, each on its own.'),
      make('ul', { className: 'branches' }, ...found.branches.map((branch) => make('li', { className: 'branch' },
        make('p', {}, make('b', {}, branch.layers), ` · mean ${Number(branch.mean.toPrecision(2))}`),
        picture(branch.picture, `Where the branch ${branch.layers} answers`),
        make('div', { className: 'four' }, ...branch.channels.map((one) => picture(one.picture, `Channel ${one.channel}`))))))];
  };

  show({});
}

function heads(found) {
  if (found.heads.length < 2) return [];
  return [make('h3', {}, 'What each head says, from the first to the last'),
    make('ul', { className: 'heads' }, ...found.heads.map((one) => make('li', {}, make('span', { className: 'of' }, one.head), bars(one.top))))];
}

// The classes worth a question: the likeliest, and the one that is explained.
async function known(file, model, found) {
  if (model.classes.length <= 20) return model.classes;
  const main = found.heads.at(-1).top.map((guess) => guess.class);
  return [...new Set([found.class, ...main])];
}

function picture(given, alt) {
  return make('img', { src: given.data, width: given.width, height: given.height, alt });
}

function select(name, words, values, current, changed) {
  const field = make('select', { className: name, onchange: () => changed(field.value) },
    ...values.map((value) => make('option', { value, selected: value === current }, value)));
  return make('label', { className: 'choice small' }, make('span', { className: 'quiet' }, words), field);
}
