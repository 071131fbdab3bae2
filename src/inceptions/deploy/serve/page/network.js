// The second and the third page: the network's diagram and cost, and how programs ask.

import * as service from '/page/service.js';
import { make } from '/page/parts.js';

const at = (id) => document.getElementById(id);
let shown = null;

const short = (number) => [['G', 1e9], ['M', 1e6], ['k', 1e3]]
  .filter(([, unit]) => number >= unit).map(([letter, unit]) => `${(number / unit).toPrecision(3)} ${letter}`)[0] ?? `${number}`;

export async function showNetwork(model) {
  if (shown === model.name) return;
  shown = model.name;
  at('network-name').textContent = `${model.architecture}/${model.variant}`;
  at('network-summary').textContent = 'Counting …';
  at('drawing').replaceChildren();
  at('costs').replaceChildren();
  try {
    const [network, picture] = await Promise.all([service.architecture(model.name), service.diagram(model.name)]);
    if (shown !== model.name) return;
    at('network-summary').replaceChildren(network.summary[0].toUpperCase() + network.summary.slice(1), make('br'), make('span', { className: 'small' }, network.source));
    const figures = {
      'parameters': short(network.params),
      'multiply-adds': short(network.macs),
      'input': `${network.input[1]} × ${network.input[2]}`,
      'classes': `${model.classes.length}`,
    };
    at('network-figures').replaceChildren(...Object.entries(figures).map(([name, value]) => make('div', {}, make('dt', {}, name), make('dd', {}, value))));
    at('drawing').replaceChildren(make('img', { src: picture, alt: `Diagram of ${model.architecture}; the table below says the same in numbers.` }));
    at('alone').href = service.diagramAddress(model.name);
    at('alone').hidden = service.hasKey();
    table(network.table);
  } catch (error) {
    shown = null;
    at('network-summary').textContent = error.message;
  }
}

function table({ headings, rows, total, remarks }) {
  const line = (cells) => make('tr', {}, ...cells.map((cell, i) => (i ? make('td', {}, cell) : make('th', { scope: 'row' }, cell))));
  at('costs').replaceChildren(
    make('thead', {}, make('tr', {}, ...headings.map((heading) => make('th', { scope: 'col' }, heading)))),
    make('tbody', {}, ...rows.map(line)), make('tfoot', {}, line(total)));
  at('remarks').replaceChildren(...remarks.map((remark) => make('li', {}, remark)));
}

export async function showApi(model) {
  const here = location.origin;
  const key = service.hasKey() ? " -H 'X-API-Key: …'" : '';
  at('shell').textContent = `curl${key} -F image=@cat.jpg -F image=@dog.jpg '${here}/v1/predict?model=${model.name}&top=3'\n`
    + `curl${key} --data-binary @cat.jpg -H 'Content-Type: image/jpeg' '${here}/v1/explain?form=png' -o why.png`;
  at('python').textContent = 'from inceptions.deploy.client import Client\n\n'
    + `client = Client("${here}")\nfor answer in client.predict(["cat.jpg", "dog.jpg"], model="${model.name}"):\n`
    + '    print(answer.name, answer.top[0].label, answer.top[0].probability, answer.sure)';
  if (at('addresses').childElementCount) return;
  try {
    const { paths } = await service.description();
    at('addresses').replaceChildren(...Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, one]) =>
      make('div', { className: 'address' },
        make('code', {}, make('span', { className: 'method' }, method.toUpperCase()), ` ${path}`), make('p', { className: 'small' }, one.summary),
        one.parameters ? make('p', { className: 'small quiet' }, one.parameters.map((p) => `${p.name}: ${p.description}`).join(' · ')) : null))));
  } catch (error) {
    at('addresses').textContent = error.message;
  }
}
