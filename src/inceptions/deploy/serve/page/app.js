// The page: pictures come in, cards go up, models are chosen, and what was said is remembered until the tab is closed.

import * as service from '/page/service.js';
import { Card } from '/page/cards.js';
import { showApi, showNetwork } from '/page/network.js';
import { make, percent } from '/page/parts.js';

const at = (id) => document.getElementById(id);
const REMEMBERED = 60;
let models = [];
const cards = new Set();

const model = () => models.find((one) => one.name === at('model').value);
const chosen = () => [model(), models.find((one) => one.name === at('other').value)].filter(Boolean);
const say = (words) => { at('status').textContent = words; };

// Pictures come in

function take(files) {
  const list = [...files];
  for (const file of list) {
    const card = new Card(file, { chosen, answered, removed });
    cards.add(card);
    at('cards').prepend(card.element);
  }
  at('drop').classList.toggle('again', cards.size > 0);
  if (list.length) say(list.length > 1 ? `${list.length} photographs are being looked at.` : `${list[0].name || 'The photograph'} is being looked at.`);
}

function removed(card) {
  cards.delete(card);
  at('drop').classList.toggle('again', cards.size > 0);
  say(`${card.name} was removed.`);
  const next = at('cards').querySelector('.card');
  (next ?? at('choose')).focus();
}

function answered(card, found, result) {
  if (!found) {
    say(`${card.name}: ${result.message}`);
    return;
  }
  const [best] = result.top;
  say(`${card.name}: ${result.sure === false ? 'not sure, perhaps ' : ''}${best.class}, ${percent(best.probability)}, says ${found.model}.`);
  remember(card, found.model, best, result.sure);
}

for (const field of [at('files'), at('shot')]) {
  field.addEventListener('change', () => { take(field.files); field.value = ''; });
}
at('choose').addEventListener('click', () => at('files').click());
addEventListener('paste', (event) => { if (event.clipboardData.files.length) { event.preventDefault(); take(event.clipboardData.files); } });
addEventListener('dragover', (event) => { event.preventDefault(); at('drop').classList.add('over'); });
addEventListener('dragleave', (event) => { if (!event.relatedTarget) at('drop').classList.remove('over'); });
addEventListener('drop', (event) => {
  event.preventDefault();
  at('drop').classList.remove('over');
  select('photographs');
  take([...event.dataTransfer.files].filter((file) => file.size || file.type));
});

// The camera: a phone's own where there is one, else a small window with this machine's

at('camera').addEventListener('click', async () => {
  if (matchMedia('(pointer: coarse)').matches || !navigator.mediaDevices) {
    at('shot').click();
    return;
  }
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
    at('video').srcObject = stream;
    at('viewfinder').showModal();
  } catch (error) {
    say(`No camera: ${error.message}`);
  }
});
at('shutter').addEventListener('click', () => {
  const video = at('video');
  const canvas = make('canvas', { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext('2d').drawImage(video, 0, 0);
  canvas.toBlob((blob) => take([new File([blob], 'photograph.jpg', { type: 'image/jpeg' })]), 'image/jpeg', 0.92);
  at('viewfinder').close();
});
at('lower').addEventListener('click', () => at('viewfinder').close());
at('viewfinder').addEventListener('close', () => {
  for (const track of at('video').srcObject?.getTracks() ?? []) track.stop();
  at('video').srcObject = null;
});

// What was said, for as long as the tab is open

const past = () => JSON.parse(sessionStorage.getItem('past') ?? '[]');

function remember(card, name, best, sure) {
  const image = new Image();
  image.onload = () => {
    const scale = Math.max(104 / image.width, 80 / image.height);
    const canvas = make('canvas', { width: 104, height: 80 });
    const [width, height] = [image.width * scale, image.height * scale];
    canvas.getContext('2d').drawImage(image, (104 - width) / 2, (80 - height) / 2, width, height);
    keep(canvas.toDataURL('image/jpeg', 0.7));
  };
  image.onerror = () => keep(null);
  image.src = card.address;
  const keep = (small) => {
    const entry = { small, name: card.name, model: name, label: best.class, probability: best.probability, sure };
    sessionStorage.setItem('past', JSON.stringify([entry, ...past()].slice(0, REMEMBERED)));
    showPast();
  };
}

function showPast() {
  const entries = past();
  at('history').hidden = !entries.length;
  at('past').replaceChildren(...entries.map((one) => make('li', { title: one.name },
    one.small ? make('img', { src: one.small, alt: one.name, width: 104, height: 80 }) : null,
    make('b', {}, one.sure === false ? `${one.label}?` : one.label), ` ${percent(one.probability)}`, make('br'),
    make('span', { className: 'quiet' }, one.model))));
}

at('forget').addEventListener('click', () => {
  sessionStorage.removeItem('past');
  showPast();
  say('Forgotten.');
  at('choose').focus();
});

// Tabs, as the keyboard expects them

const tabs = [...document.querySelectorAll('[role=tab]')];

function select(name, focus = false) {
  for (const tab of tabs) {
    const on = tab.getAttribute('aria-controls') === name;
    tab.ariaSelected = String(on);
    tab.tabIndex = on ? 0 : -1;
    at(tab.getAttribute('aria-controls')).hidden = !on;
    if (on && focus) tab.focus();
  }
  at('comparing').hidden = name !== 'photographs' || models.length < 2;
  if (name === 'network' && model()) showNetwork(model());
  if (name === 'api' && model()) showApi(model());
}

const current = () => tabs.find((tab) => tab.ariaSelected === 'true').getAttribute('aria-controls');
for (const [i, tab] of tabs.entries()) {
  tab.addEventListener('click', () => select(tab.getAttribute('aria-controls')));
  tab.addEventListener('keydown', (event) => {
    const to = { ArrowRight: i + 1, ArrowLeft: i + tabs.length - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to !== undefined) { event.preventDefault(); select(tabs[to % tabs.length].getAttribute('aria-controls'), true); }
  });
}

// Models

function describe() {
  const one = model();
  const many = one.classes.length > 6 ? `${one.classes.length} classes, from ${one.classes[0]} to ${one.classes.at(-1)}` : one.classes.join(', ');
  at('about').textContent = `${one.name} is ${one.architecture}/${one.variant} and tells ${many}. `
    + (one.threshold === null ? '' : `Below ${percent(one.threshold)} it says that it is not sure.`);
}

function changed() {
  describe();
  for (const option of at('other').options) option.disabled = option.value === at('model').value;
  if (at('other').value === at('model').value) at('other').value = '';
  for (const card of cards) card.ask();
  if (current() !== 'photographs') select(current());
}

async function begin() {
  showPast();
  try {
    const catalogue = await service.models();
    models = catalogue.models;
    at('model').replaceChildren(...models.map((one) => make('option', { value: one.name, selected: one.name === catalogue.default }, one.name)));
    at('other').replaceChildren(make('option', { value: '' }, 'nothing'), ...models.map((one) => make('option', { value: one.name }, one.name)));
    at('model').addEventListener('change', changed);
    at('other').addEventListener('change', changed);
    changed();
    select(current());
  } catch (error) {
    at('about').textContent = error.message;
  }
}

begin();
