// The service's API as the page uses it. Nothing here touches the document but the dialog that asks for a key.

let key = sessionStorage.getItem('key') ?? '';
const PATIENCE = 6;

export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const hasKey = () => key !== '';

function address(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

async function ask(path, parameters, options = {}) {
  for (let attempt = 0; ; attempt++) {
    const headers = { ...options.headers, ...(key && { 'X-API-Key': key }) };
    let response;
    try {
      response = await fetch(address(path, parameters), { ...options, headers, credentials: 'omit' });
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new Refused(0, 'unreachable', 'The service does not answer. Is it still running?');
    }
    if (response.ok) return response;
    if (response.status === 401) {
      await askForKey();
      continue;
    }
    // Only who is busy says when to come back.
    const seconds = Number(response.headers.get('Retry-After'));
    if (seconds && attempt < PATIENCE) {
      await new Promise((go) => setTimeout(go, 1000 * Math.min(seconds, 10)));
      continue;
    }
    let said = {};
    try {
      said = (await response.json()).error;
    } catch { /* a proxy's own page, for example */ }
    throw new Refused(response.status, said.code ?? 'failed', said.message ?? `The service answered ${response.status}.`);
  }
}

let asked = null;

function askForKey() {
  asked ??= new Promise((given) => {
    const dialog = document.getElementById('asking');
    const field = document.getElementById('key');
    const done = () => {
      key = field.value.trim();
      sessionStorage.setItem('key', key);
      dialog.close();
      asked = null;
      given();
    };
    document.getElementById('unlock').onclick = done;
    field.onkeydown = (event) => { if (event.key === 'Enter') done(); };
    field.value = '';
    dialog.showModal();
  });
  return asked;
}

function sent(file, signal) {
  const type = /^image\//.test(file.type) ? file.type : 'application/octet-stream';
  return { method: 'POST', body: file, headers: { 'Content-Type': type }, signal };
}

const json = async (response) => (await response).json();

export const models = () => json(ask('/v1/models'));
export const predict = (file, parameters, signal) => json(ask('/v1/predict', parameters, sent(file, signal)));
export const explain = (file, parameters, signal) => json(ask('/v1/explain', parameters, sent(file, signal)));
export const architecture = (model) => json(ask('/v1/architecture', { model }));
export const diagramAddress = (model) => address('/v1/architecture/diagram', { model });
export const description = () => json(ask('/openapi.json'));

export async function diagram(model) {
  return URL.createObjectURL(await (await ask('/v1/architecture/diagram', { model })).blob());
}

// Few at a time: the service joins requests of its own accord, and a phone sends no faster for sending all at once.
const line = [];
let running = 0;

export function inTurn(work) {
  return new Promise((done, failed) => {
    line.push(() => work().then(done, failed));
    next();
  });
}

function next() {
  while (running < 4 && line.length) {
    running++;
    line.shift()().finally(() => { running--; next(); });
  }
}
